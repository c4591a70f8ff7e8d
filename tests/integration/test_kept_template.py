"""A kept template: a copy made from it is what was kept, whatever was changed since is seen, and nothing else is taken for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    clean_up,
    copy_database,
    copy_marker,
    data_diff,
    database_facts,
    files,
    identity,
    kept_template,
    old_rows,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session, quote_identifier, quote_literal
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("kept template")]

_FILLED = (
    "CREATE TABLE shifts (id int PRIMARY KEY, rate int, note text)",
    "INSERT INTO shifts SELECT n, n * 10, 'n' || n FROM generate_series(1, 500) AS n",
    "CREATE TABLE still (id int PRIMARY KEY)",
    "INSERT INTO still SELECT n FROM generate_series(1, 90) AS n",
    "ANALYZE",
)
_LATER = "2099-01-01T00:00:00Z"


class Stand:
    """A first rehearsal whose copy was kept as a template, and the marker of a second one."""

    def __init__(self, server: Any, base: Path) -> None:
        self.server, self.base = server.server, base
        self.first, self.second = (Marker(identity.new_id(), "prod/shop", "2026-11-22T22:30:11Z", _LATER) for _ in range(2))
        copy = identity.copy_database_name(self.first.id)
        facts = self.ask("postgres", database_facts.read_facts)
        copy_database.create_copy(self.server, copy, self.first, {**facts, "locale_provider": "c"}, 60)
        self.execute(copy, *_FILLED)
        self.before = self.ask(copy, take_fingerprint)
        self.manifest = {**self.ask(copy, database_facts.read_facts), "settings": {"": ["work_mem=7MB"]}, "rows": {"shifts": 500, "still": 90}}
        told = {"differences": [], "stopped": [], "missing_roles": [], "proved_by": "counts", "tables": 2, "rows": 590}
        self.kept = {**kept_template.keep(self.server, copy, self.first, 60), "copy": told}
        self.copy = identity.copy_database_name(self.second.id)

    def ask(self, name: str, question: Any, **how: Any) -> Any:
        with Session(self.server, name, "tests") as session:
            return question(session, **how)

    def execute(self, database: str, *statements: str) -> None:
        with Session(self.server, database, "tests") as session:
            for statement in statements:
                session.execute(statement)

    def make(self) -> dict[str, Any]:
        return kept_template.make_copy(self.server, self.copy, self.second, self.manifest, self.kept, 60)

    def refusals(self, **changes: Any) -> list[str]:
        return self.ask("postgres", kept_template.refusals, kept={**self.kept, **changes})

    def clean(self, marker: Marker, keep: str = "none") -> dict[str, Any]:
        work = WorkDirectory.at(str(self.base), marker.id, "dev")
        return clean_up.clean_up(self.server, identity.copy_database_name(marker.id), marker.id, work, keep, 60)


@pytest.fixture
def stand(postgres_server: Any, tmp_path: Path) -> Iterator[Stand]:
    made = Stand(postgres_server, tmp_path)
    yield made
    left = [fact for marker in (made.second, made.first) for fact in made.clean(marker)["left"]]
    assert left == []


def test_the_copy_is_what_was_kept_with_a_marker_of_its_own(stand: Stand) -> None:
    made = stand.make()
    assert (made["differences"], made["settings_not_replayed"], made["rows"]) == ([], [], 590)
    marker = stand.ask("postgres", copy_marker.read_marker, database=stand.copy)
    assert (marker.id, marker.part) == (stand.second.id, "")
    assert stand.ask(stand.copy, lambda session: session.value("SELECT current_setting('work_mem')")) == "7MB"
    closed = f"SELECT pg_catalog.has_database_privilege('public', {quote_literal(stand.copy)}, 'CONNECT')"
    assert stand.ask("postgres", lambda session: session.value(closed)) is False
    assert data_diff.compare(stand.before, stand.ask(stand.copy, take_fingerprint)) == []
    estimate = "SELECT reltuples FROM pg_class WHERE relname = 'shifts'"
    assert stand.ask(stand.copy, lambda session: session.value(estimate)) == 500


def test_where_the_kernel_cannot_copy_the_files_the_server_does(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    execute = Session.execute

    def refusing(session: Session, sql: str) -> list[str]:
        said.append(sql)
        if sql.startswith("CREATE DATABASE") and "SET file_copy_method = clone" in said[-2]:
            raise PostgresError("could not clone file: Operation not supported", "0A000")
        return execute(session, sql)

    monkeypatch.setattr(Session, "execute", refusing)
    made = stand.make()
    assert (made["differences"], made["rows"]) == ([], 590)
    if stand.kept["server_version_num"] >= 180000:
        asked = [sql.split(' "')[0] for sql in said if sql.startswith(("SET file", "CREATE DATABASE"))]
        assert asked == ["SET file_copy_method = clone", "CREATE DATABASE", "SET file_copy_method = copy", "CREATE DATABASE"]


def test_a_changed_row_is_seen_where_untouched_tables_are_spared(stand: Stand) -> None:
    stand.make()
    before = stand.ask(stand.copy, take_fingerprint)
    stand.execute(stand.copy, "UPDATE shifts SET rate = 0 WHERE id = 7")
    after = stand.ask(stand.copy, take_fingerprint, since=before, proof="changed")
    assert {name: table["proof"] for name, table in after["tables"].items()} == {"shifts": "full", "still": "untouched"}
    assert [change.object for change in data_diff.compare(before, after)] == ["shifts.rate"]
    # Against what was measured before the template was made, too: files and transaction ids came along with the rows.
    since = stand.ask(stand.copy, take_fingerprint, since=stand.before, proof="changed")
    assert {name: table["proof"] for name, table in since["tables"].items()} == {"shifts": "full", "still": "untouched"}


def test_the_old_rows_come_from_the_template(stand: Stand) -> None:
    stand.make()
    work = WorkDirectory.at(str(stand.base), stand.second.id, "dev")
    work.create(stand.second)
    files.write_json(work.file(kept_template.NOTE), {"database": stand.kept["database"]})
    stand.execute(stand.copy, "UPDATE shifts SET rate = 0 WHERE id = 7")
    database = old_rows.prepare(stand.server, stand.second, work, ["shifts"], 60)
    assert stand.ask(database, lambda session: session.value("SELECT rate FROM shifts WHERE id = 7")) == 70
    assert old_rows.prepare(stand.server, stand.second, work, ["still"], 60) == database
    assert f"database {database}" in stand.clean(stand.second)["removed"]


def test_nobody_connects_to_it_and_clean_up_keeps_it_where_it_is_told_to(stand: Stand) -> None:
    with pytest.raises(PostgresError, match="not currently accepting connections"):
        stand.execute(stand.kept["database"], "SELECT 1")
    kept = stand.clean(stand.first, keep="template")
    assert (kept["copy"], kept["left"], kept["problems"]) == ("dropped", [], [])
    assert kept["kept"] == [{"thing": f"database {stand.kept['database']}", "expires": _LATER}]
    assert stand.refusals() == []
    gone = stand.clean(stand.first)
    assert f"database {stand.kept['database']}" in gone["removed"] and "kept" not in gone


def test_what_does_not_fit_is_refused(stand: Stand) -> None:
    assert stand.refusals() == []
    name = quote_identifier(stand.kept["database"])
    assert "is not there" in stand.refusals(database="rehearsal_nowhere")[0]
    assert "was kept on PostgreSQL 13" in stand.refusals(server_version_num=130004)[0]
    assert "does not carry the marker" in stand.refusals(id=stand.second.id)[0]
    assert "does not carry the marker" in stand.refusals(source="prod/other")[0]
    stand.execute("postgres", f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert "has been opened to connections" in stand.refusals()[0]
    expired = Marker(stand.first.id, stand.first.source, stand.first.created, "2001-01-01T00:00:00Z", "template").to_text()
    stand.execute("postgres", f"COMMENT ON DATABASE {name} IS {quote_literal(expired)}")
    assert "has expired" in stand.refusals()[0]
    with pytest.raises(kept_template.TemplateRefused, match="has expired"):
        stand.make()
    assert not stand.ask("postgres", copy_database.database_exists, database=stand.copy)


def test_a_production_that_has_moved_on_is_refused() -> None:
    kept = {"id": "20261122-223011-9f3a2c", "revisions": {"alembic_version": ["a1"]}, "production_version_num": 160004}
    assert kept_template.production_refusals({"revisions": {"alembic_version": ["a1"]}, "server_version_num": 160009}, kept) == []
    revision, version = kept_template.production_refusals({"revisions": {"alembic_version": ["b2"]}, "server_version_num": 180001}, kept)
    assert revision.startswith("it stands at b2 now, and at a1 when")
    assert version.startswith("it runs PostgreSQL 18 now, and 16 when")
