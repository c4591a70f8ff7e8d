"""What reads PostgreSQL's own catalogs, text forms and locks, on every version that is promised but the newest, on which all other tests are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import hash_sql
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import proof_transaction, take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session, quote_identifier, tool_environment
from ansible_collections.migrations.rehearsal.plugins.module_utils.relations import read_relations
from ansible_collections.migrations.rehearsal.plugins.module_utils.schema_diff import diff
from ansible_collections.migrations.rehearsal.plugins.module_utils.snapshot import take_snapshot

_HERE = Path(__file__).parent
sys.path.extend([str(_HERE.parent), str(_HERE), str(_HERE / "gallery")])

import rich_schema  # noqa: E402
import test_schema_round_trip  # noqa: E402
import typed_values  # noqa: E402
from every import ALL  # noqa: E402
from postgres_versions import MAJORS  # noqa: E402
from stand import Stand  # noqa: E402

pytestmark = pytest.mark.integration

# Those whose finding comes from what the server says of locks, files and scans.
CASES = ["one transaction holds the locks of all", "large table rewritten", "large table read under lock"]


@pytest.fixture(scope="module", params=MAJORS[:-1])
def server(request: pytest.FixtureRequest, postgres_servers: Callable[[int], Any]) -> Any:
    return postgres_servers(request.param)


@pytest.fixture(scope="module")
def rich(server: Any) -> Iterator[str]:
    # As some of the edits call it.
    name = server.create_database("schema_round_trip")
    rich_schema.fill(server, name)
    yield name
    server.drop_database(name)


def taken(server: Any, database: str) -> dict[str, Any]:
    with Session(server.server, database, "tests") as session:
        return take_snapshot(session)


def test_the_server_is_of_that_version(server: Any, request: pytest.FixtureRequest) -> None:
    with Session(server.server, "postgres", "tests") as session:
        assert session.value("SELECT current_setting('server_version_num')::int / 10000 AS v") == server.major
    assert f"[{server.major}]" in request.node.name


def test_a_restored_dump_has_the_same_snapshot(server: Any, rich: str) -> None:
    restored = server.create_database("every_version_restored")
    words = ("--dbname", server.server.conninfo(rich, "tests"))
    dumped = subprocess.run(server.server.tool("pg_dump", *words), stdout=subprocess.PIPE, env=tool_environment(), check=True)
    words = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", server.server.conninfo(restored, "tests"))
    subprocess.run(server.server.tool("psql", *words), input=dumped.stdout, stdout=subprocess.DEVNULL, env=tool_environment(), check=True)
    assert [change.text for change in diff(taken(server, rich), taken(server, restored), positions=True, sequence_values=True)] == []
    server.drop_database(restored)


def test_every_edit_of_a_schema_is_told_and_leaves_no_trace(server: Any, rich: str) -> None:
    edits = [*test_schema_round_trip.EDITS, *(case for major, case in test_schema_round_trip.NEWER_EDITS if major <= server.major)]
    with Session(server.server, rich, "tests") as session:
        before = take_snapshot(session)
        for edit, undo, texts in edits:
            session.execute(edit)
            # What the edit before it left behind would be told here.
            assert [change.text for change in diff(before, take_snapshot(session))] == texts, edit
            session.execute(undo)
        assert diff(before, take_snapshot(session)) == []


def prepare(session: Session) -> None:
    """A table of each type, with a row for each of its values."""
    for statement in ("CREATE TYPE mood AS ENUM ('low', 'high')", "CREATE TYPE pair AS (a integer, b text)", "CREATE DOMAIN cents AS numeric",
                      "CREATE DOMAIN day AS date CHECK (VALUE IS NOT NULL)", "CREATE DOMAIN bytes AS bytea"):  # fmt: skip
        session.execute(statement)
    for kind, values in typed_values.VALUES.items():
        table = quote_identifier(typed_values.table_of(kind))
        session.execute(f"CREATE TABLE {table} (id integer PRIMARY KEY, v {kind})")
        typed_values.fill(session, kind, dict(enumerate(values)))


@pytest.fixture(scope="module")
def on_the_newest(postgres_servers: Callable[[int], Any]) -> dict[str, Any]:
    newest = postgres_servers(MAJORS[-1])
    name = newest.create_database("every_type")
    with Session(newest.server, name, "tests") as session:
        prepare(session)
        found = typed_values.proved(take_fingerprint(session))
    newest.drop_database(name)
    return found


def test_every_value_has_a_hash_of_its_own_and_the_same_in_every_version(server: Any, on_the_newest: dict[str, Any]) -> None:
    name = server.create_database("every_value")
    with Session(server.server, name, "tests") as session:
        prepare(session)
        assert typed_values.proved(take_fingerprint(session)) == on_the_newest
        with proof_transaction(session):
            for relation in read_relations(session)[0]:
                column = relation.by_name["v"]
                # One seed for all: values must differ by themselves.
                digest = hash_sql.hash_value(column.value, column.kind, "7::bigint")
                alike = session.value(f"SELECT count(*) - count(DISTINCT {digest}) AS v FROM {relation.source}")
                assert alike == 0, relation.name
    server.drop_database(name)


@pytest.fixture(scope="module")
def stand(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    made = Stand(server, tmp_path_factory.mktemp("gallery"))
    yield made
    made.close()


@pytest.mark.parametrize("name", CASES)
def test_a_rehearsal_says_what_is_documented(stand: Stand, name: str) -> None:
    (case,) = (case for case in ALL if case.name == name)
    differences = case.differences(stand.rehearse(case))
    assert not differences, differences
