"""A restore that fails, or that leaves something else than was in production, is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_database import make_copy
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from copy_rehearsal import Begin, Rehearsal, execute, require_clean_up_takes_all, value

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("failing restore")]


@pytest.fixture
def shim(postgres_server: Any, tmp_path: Path) -> Callable[[str], Server]:
    """The server with a pg_restore that is a script where it restores; `$REAL` is the real one."""

    def make(script: str) -> Server:
        place = tmp_path / "shims"
        place.mkdir()
        (place / "psql").symlink_to(postgres_server.bin_dir / "psql")
        (place / "pg_restore").write_text(
            f'#!/bin/sh\nREAL="{postgres_server.bin_dir}/pg_restore"\n'
            'for word; do case "$word" in --dbname=*) target="${word#--dbname=}";; esac; done\n'
            '[ -n "$target" ] || exec "$REAL" "$@"\n'
            f'sql() {{ "{postgres_server.bin_dir}/psql" -X -q -d "$target" -c "$1"; }}\n{script}\n'
        )
        (place / "pg_restore").chmod(0o755)
        return dataclasses.replace(postgres_server.server, bin_dir=str(place))

    return make


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("DELETE FROM t WHERE n = 500", {"object": "t", "what": "rows", "production": 1000, "copy": 999}),
        ("INSERT INTO t VALUES (0)", {"object": "t", "what": "rows", "production": 1000, "copy": 1001}),
        ("DROP TABLE t", {"object": "t", "what": "rows", "production": 1000, "copy": None}),
        ("CREATE TABLE u ()", {"object": "u", "what": "rows", "production": None, "copy": 0}),
        ("UPDATE alembic_version SET version_num = 'b'", {"object": "database", "what": "revisions"}),
        ("DROP EXTENSION plpgsql", {"object": "plpgsql", "what": "extension version"}),
    ],
)
def test_any_difference_from_the_manifest_is_told(
    postgres_server: Any, database: str, begin: Begin, shim: Callable[[str], Server], sql: str, expected: dict[str, Any]
) -> None:
    execute(
        postgres_server.server,
        database,
        "CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n;"
        "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('a')",
    )
    copy = begin(database).copy_to(shim(f'"$REAL" "$@" && sql "{sql}"'))
    assert len(copy["differences"]) == 1
    assert expected.items() <= copy["differences"][0].items()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ('"$REAL" "$@"; exit 1', "ended with exit code 1"),
        ('"$REAL" "$@"; kill -9 $$', "SIGKILL"),
        ("exit 0", None),
    ],
    ids=["fails late", "killed", "did nothing and said it was well"],
)
def test_a_pg_restore_that_fails_is_an_error(packed: Rehearsal, shim: Callable[[str], Server], script: str, message: str | None) -> None:
    server = shim(script)
    if message is None:
        assert {difference["object"] for difference in packed.copy_to(server)["differences"]} == {"t"}
    else:
        with pytest.raises(ToolFailed, match=message):
            packed.copy_to(server)
    require_clean_up_takes_all(server, packed)


def test_a_restore_that_fails_midway_is_an_error_and_names_no_row(postgres_server: Any, database: str, begin: Begin) -> None:
    """A check that asks another table: true where it was written, and not while pg_restore fills one table after the other."""
    execute(
        postgres_server.server,
        database,
        """CREATE TABLE a_first (id int PRIMARY KEY); CREATE TABLE limits (most int); INSERT INTO limits VALUES (1000);
        CREATE FUNCTION within(n int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT n < (SELECT max(most) FROM public.limits)';
        CREATE TABLE b_second (secret text, n int CONSTRAINT in_limits CHECK (coalesce(within(n), false)));
        INSERT INTO a_first SELECT generate_series(1, 5000); INSERT INTO b_second VALUES ('tell nobody', 7)""",
    )
    rehearsal = begin(database)
    server = postgres_server.server
    # One table after the other in the order of their names: limits is still empty.
    with pytest.raises(ToolFailed, match="pg_restore.*in_limits") as failure:
        make_copy(server, rehearsal.name, rehearsal.marker, rehearsal.unpack(), rehearsal.work, jobs=1, deadline_s=60)
    assert "tell nobody" not in str(failure.value)
    # It stopped there: what would have come next did not.
    assert value(server, rehearsal.name, "SELECT count(*) FROM limits") == 0
    require_clean_up_takes_all(server, rehearsal)
