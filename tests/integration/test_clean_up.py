"""Clean-up takes all but what is to be kept, and does not take its own word for it: what a look afterwards still finds is told."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime
import os
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import application, clean_up, copy_database, migration_findings
from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Application
from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_database import drop_copy
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, application_name, copy_database_name, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import (
    READ_ONLY,
    PostgresError,
    Server,
    Session,
    quote_identifier,
    quote_literal,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

sys.path.append(str(Path(__file__).parent))

from agent_project import Project  # noqa: E402
from copy_rehearsal import Rehearsal, connect, exists, marker_of, require_clean_up_takes_all  # noqa: E402

pytestmark = pytest.mark.integration


def cleaned(server: Any, database: str | None, rehearsal_id: str, base: Path) -> dict[str, Any]:
    return clean_up.clean_up(server, database, rehearsal_id, WorkDirectory.at(str(base), rehearsal_id, "dev"), clean_up.KEEP_NONE, 60)


def test_a_session_that_goes_on_is_ended(postgres_server: Any, tmp_path: Path) -> None:
    """A tool in a container goes on when what started it was killed: on production too, where nothing is dropped."""
    rehearsal_id = new_id()
    with Session(postgres_server.server, "postgres", application_name(rehearsal_id)) as session:
        assert cleaned(postgres_server.server, None, rehearsal_id, tmp_path)["left"] == []
        with pytest.raises(PostgresError):
            session.execute("SELECT 1")


def test_on_production_only_the_rehearsed_database_is_asked_and_nothing_is_written(
    postgres_server: Any, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The role need not be let into another database, as preflight did not try it."""
    opened = []
    begin = Session.__init__

    def note(session: Session, server: Any, name: str, application: str, settings: Any = None, *others: Any, **named: Any) -> None:
        opened.append((name, settings))
        begin(session, server, name, application, settings, *others, **named)

    with Session(postgres_server.server, "postgres", "tests") as session:
        session.execute("CREATE ROLE only_there LOGIN")
        session.execute("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC")
        try:
            production = dataclasses.replace(postgres_server.server, user="only_there", maintenance_database=database)
            monkeypatch.setattr(Session, "__init__", note)
            found = cleaned(production, None, new_id(), tmp_path)
            assert (found["left"], found["problems"]) == ([], [])
            assert opened and all(one == (database, READ_ONLY) for one in opened)
        finally:
            session.execute("GRANT CONNECT ON DATABASE postgres TO PUBLIC")
            session.execute("DROP ROLE only_there")


def test_a_statement_that_goes_on_after_the_deadline_is_ended_with_the_copy(postgres_server: Any, tmp_path: Path) -> None:
    """The server does not see that its client was killed."""
    rehearsal_id = new_id()
    name = postgres_server.create_database(copy_database_name(rehearsal_id))
    marker = Marker(rehearsal_id, "prod/shop", "2026-11-22T22:30:11Z", "2026-11-23T22:30:11Z")
    working = f"SELECT count(*) AS n FROM pg_stat_activity WHERE datname = {quote_literal(name)} AND state = 'active'"
    project = tmp_path / "project"
    project.mkdir()
    Project(project).revision("a1", "op.execute('CREATE TABLE t (id int)')\nop.execute('SELECT pg_sleep(120)')")
    app = Application((sys.executable,), str(project), environment={"DATABASE_URL": postgres_server.url(name)}, deadline_s=3)
    with Session(postgres_server.server, "postgres", "tests") as session:
        session.execute(f"COMMENT ON DATABASE {quote_identifier(name)} IS {quote_literal(marker.to_text())}")
        outcome = application.run(app, "upgrade", marker_id=rehearsal_id)
        (finding,) = migration_findings.findings_of(outcome, "upgrade")
        assert (finding["code"], finding["object"]) == ("migration-failed", "a1") and "not finished within 3 s" in finding["message"]
        assert session.value(working) == 1
        found = cleaned(postgres_server.server, name, rehearsal_id, tmp_path)
        assert (found["copy"], found["left"], found["problems"]) == ("dropped", [], [])
        assert session.value(working) == 0


def test_a_session_that_cannot_be_ended_is_told(postgres_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsal_id = new_id()
    with monkeypatch.context() as patched, Session(postgres_server.server, "postgres", application_name(rehearsal_id)):
        patched.setattr(copy_database, "end_sessions", lambda *_arguments: None)
        left = cleaned(postgres_server.server, None, rehearsal_id, tmp_path)["left"]
    assert left == [f"1 sessions of «{application_name(rehearsal_id)}»"]
    assert cleaned(postgres_server.server, None, rehearsal_id, tmp_path)["left"] == []


def test_a_copy_that_is_only_said_to_be_dropped_is_told(postgres_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsal_id = new_id()
    name = postgres_server.create_database(copy_database_name(rehearsal_id))
    marker = Marker(rehearsal_id, "prod/shop", "2026-11-22T22:30:11Z", "2026-11-23T22:30:11Z")
    try:
        with Session(postgres_server.server, "postgres", "tests") as session:
            session.execute(f"COMMENT ON DATABASE {quote_identifier(name)} IS {quote_literal(marker.to_text())}")
        with monkeypatch.context() as patched:
            patched.setattr(copy_database, "drop_copy", lambda *_arguments: "dropped")
            assert cleaned(postgres_server.server, name, rehearsal_id, tmp_path)["left"] == [f"database {name}"]
        assert cleaned(postgres_server.server, name, rehearsal_id, tmp_path)["left"] == []
    finally:
        with Session(postgres_server.server, "postgres", "tests") as session:
            session.execute(f"DROP DATABASE IF EXISTS {quote_identifier(name)}")


def test_a_work_directory_that_is_only_said_to_be_removed_is_told(postgres_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsal_id = new_id()
    work = WorkDirectory.at(str(tmp_path), rehearsal_id, "dev")
    work.create(Marker(rehearsal_id, "prod/shop", "2026-11-22T22:30:11Z", "2026-11-23T22:30:11Z"))
    with monkeypatch.context() as patched:
        patched.setattr(WorkDirectory, "remove", lambda _self: True)
        assert cleaned(postgres_server.server, None, rehearsal_id, tmp_path)["left"] == [work.path]
    assert cleaned(postgres_server.server, None, rehearsal_id, tmp_path)["left"] == []


def test_the_copy_goes_even_while_somebody_works_in_it(packed: Rehearsal, postgres_server: Any) -> None:
    server = postgres_server.server
    packed.copy_to(server)
    busy = connect(server, packed.name)
    busy.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
    require_clean_up_takes_all(server, packed)
    with pytest.raises(psycopg.OperationalError):
        busy.execute("SELECT 1")
    busy.close()


def test_clean_up_on_a_server_that_is_gone_is_not_silent(packed: Rehearsal) -> None:
    nowhere = Server(host="/nowhere", port=1, user="x", bin_dir="")
    cleaned = clean_up.clean_up(nowhere, packed.name, packed.marker.id, packed.work, "none", 30)
    assert cleaned["copy"] == "left" and cleaned["problems"]
    assert isinstance(cleaned["problems"][0], str)
    with pytest.raises(PostgresError):
        drop_copy(nowhere, packed.name, packed.marker.id, 30)


@pytest.mark.parametrize("keep", ["copy", "backup"])
def test_what_is_not_there_is_not_said_to_be_kept(postgres_server: Any, tmp_path: Path, keep: str) -> None:
    marker = marker_of(new_id())
    work = WorkDirectory.at(str(tmp_path), marker.id, "dev")
    work.create(marker)
    cleaned = clean_up.clean_up(postgres_server.server, f"copy_{marker.id}", marker.id, work, keep, 30)
    assert (cleaned["copy"], cleaned["work_directory"]) == ("absent", "removed")
    assert (cleaned["left"], cleaned["problems"]) == ([], [])
    assert not os.path.exists(work.path)


def test_a_kept_backup_is_the_backup_alone(packed: Rehearsal, postgres_server: Any) -> None:
    packed.copy_to(postgres_server.server)
    Path(packed.work.file("evidence.tar.gz")).write_text("")
    cleaned = clean_up.clean_up(postgres_server.server, packed.name, packed.marker.id, packed.work, "backup", 30)
    assert (cleaned["copy"], cleaned["work_directory"], cleaned["left"], cleaned["problems"]) == ("dropped", "kept", [], [])
    assert sorted(os.listdir(packed.work.path)) == ["dump", "manifest.json", "rehearsal.json"]


def test_a_kept_copy_stays_alone(packed: Rehearsal, postgres_server: Any) -> None:
    packed.copy_to(postgres_server.server)
    cleaned = clean_up.clean_up(postgres_server.server, packed.name, packed.marker.id, packed.work, "copy", 30)
    assert (cleaned["copy"], cleaned["work_directory"], cleaned["left"], cleaned["problems"]) == ("kept", "removed", [], [])
    assert exists(postgres_server.server, packed.name)


def test_two_clean_ups_at_once_do_not_end_each_other(packed: Rehearsal, postgres_server: Any) -> None:
    """Two inventory names of one host and server are swept side by side."""
    server, late = postgres_server.server, datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    base = os.path.dirname(packed.work.path)
    for _time in range(4):
        packed.work.create(packed.marker)
        copy_database.create_copy(server, packed.name, packed.marker, packed.manifest, 30)
        for number in range(200):
            Path(packed.work.file("evidence", str(number))).write_text("")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _number: clean_up.sweep(server, True, base, late, 30, False), range(4)))
        assert [result["problems"] for result in results] == [[]] * 4
        assert sum(f"database {packed.name}" in result["removed"] for result in results) == 1
        assert not exists(server, packed.name) and not os.path.exists(packed.work.path)


def test_one_that_could_not_be_marked_is_told_and_left_alone(postgres_server: Any, tmp_path: Path) -> None:
    """The process ended between making and marking it: nobody else has such a name, and still it carries no marker."""
    marker = marker_of(new_id())
    work = WorkDirectory.at(str(tmp_path), marker.id, "dev")
    work.create(marker)
    name = postgres_server.create_database(copy_database_name(marker.id))
    try:
        cleaned = clean_up.clean_up(postgres_server.server, name, marker.id, work, "none", 30)
        assert cleaned["copy"] == "left" and name in cleaned["problems"][0]
        assert exists(postgres_server.server, name)
    finally:
        postgres_server.drop_database(name)
