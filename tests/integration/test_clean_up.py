"""Clean-up does not take its own word for it: what a look afterwards still finds is told."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import application, clean_up, copy_database, migration_findings
from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Application
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, application_name, copy_database_name, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import READ_ONLY, PostgresError, Session, quote_identifier, quote_literal
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

sys.path.append(str(Path(__file__).parent))

from agent_project import Project  # noqa: E402

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
