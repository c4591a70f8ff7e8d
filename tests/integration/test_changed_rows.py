"""Rows are followed one by one between the copy and the old rows: exact numbers, few keys, nothing left."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    backup,
    changed_rows,
    clean_up,
    data_diff,
    database_facts,
    files,
    identity,
    old_rows,
    side_database,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, side_database_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

pytestmark = pytest.mark.integration

_SCHEMA = (
    "CREATE SCHEMA odd",
    "CREATE TYPE odd.colour AS ENUM ('red', 'green')",
    'CREATE TABLE odd."Large t" (a text COLLATE "C", b int, colour odd.colour, n numeric, PRIMARY KEY (a, b))',
    "INSERT INTO odd.\"Large t\" SELECT 'k' || n % 10, n, (ARRAY['red', 'green']::odd.colour[])[1 + n % 2], n / 7.0 FROM generate_series(1, 500) n",
    "CREATE TABLE parts (id bigint, region int, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region)",
    "CREATE TABLE odd.parts_1 PARTITION OF parts FOR VALUES IN (1)",
    "CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2)",
    "INSERT INTO parts SELECT n, 1 + n % 2, 'v' || n FROM generate_series(1, 40) AS n",
    "CREATE TABLE logs (at timestamptz, what text)",
    "INSERT INTO logs SELECT timestamptz '2024-01-01' + n * interval '1 h', nullif('w' || n % 3, 'w0') FROM generate_series(1, 30) AS n",
    "CREATE TABLE still (id int PRIMARY KEY)",
    "INSERT INTO still VALUES (1)",
)


class Stand:
    """A copy with its backup."""

    def __init__(self, server: Any, database: str, base: Path) -> None:
        self.server = server.server
        self.copy = database
        self.marker = Marker(identity.new_id(), "prod/shop", "2026-11-22T22:30:11Z", "2026-11-23T22:30:11Z")
        self.work = WorkDirectory.at(str(base), self.marker.id, "dev")
        self.work.create(self.marker)
        self.execute(*_SCHEMA)
        with Session(self.server, database, "tests") as session:
            files.write_json(self.work.file(backup.MANIFEST), database_facts.read_facts(session))
        target = f"--file={self.work.file(backup.DUMP)}"
        subprocess.run(self.server.tool("pg_dump", "--format=directory", target, "--dbname", self.server.conninfo(database, "tests")), check=True)

    def execute(self, *statements: str) -> None:
        with Session(self.server, self.copy, "tests") as session:
            for statement in statements:
                session.execute(statement)

    def fingerprint(self, **how: Any) -> dict[str, Any]:
        with Session(self.server, self.copy, "tests") as session:
            return take_fingerprint(session, **how)

    def measure(self, before: dict[str, Any], declared: dict[str, str] | None = None, show_keys: bool = False) -> tuple[dict[str, Any], list[str]]:
        after = self.fingerprint(since=before, canonical=list(declared or {}))
        wanted = data_diff.to_follow(before, after, declared or {}, (), show_keys)
        found = changed_rows.measure(self.server, self.copy, self.marker, self.work, wanted, before, declared or {}, show_keys, 60)["tables"]
        return found, [change.text for change in data_diff.compare(before, after, declared, found)]


@pytest.fixture
def stand(postgres_server: Any, database: str, tmp_path: Path) -> Iterator[Stand]:
    made = Stand(postgres_server, database, tmp_path)
    yield made
    side_database.drop_all(made.server, made.marker.id, 60)


def test_every_change_is_counted_and_its_keys_are_named(stand: Stand) -> None:
    before = stand.fingerprint()
    stand.execute(
        "UPDATE odd.\"Large t\" SET colour = 'red' WHERE b IN (1, 3, 5, 6)",
        'UPDATE odd."Large t" SET n = n + 1 WHERE b > 100',
        "DELETE FROM parts WHERE id = 7",
        "UPDATE parts SET region = 3 - region WHERE id IN (2, 3)",
        "INSERT INTO parts VALUES (100, 2, 'new'), (101, 1, 'new')",
        "UPDATE parts SET v = 'other' WHERE id = 10",
    )
    found, texts = stand.measure(before, show_keys=True)
    large = found["odd.Large t"]
    assert (large["kept"], large["added"], large["lost"], large["columns"]) == (500, 0, 0, {"colour": 3, "n": 400})
    assert large["keys"]["columns"]["colour"] == [["k1", "1"], ["k3", "3"], ["k5", "5"]]
    assert len(large["keys"]["columns"]["n"]) == changed_rows.MOST_KEYS
    parts = found["parts"]
    # A key with its region is another key: two rows went and two came, beside the one that was deleted and the two that were inserted.
    assert (parts["kept"], parts["added"], parts["lost"], parts["columns"]) == (37, 4, 3, {"v": 1})
    assert parts["keys"]["lost"] == [["2", "1"], ["3", "2"], ["7", "2"]]
    assert parts["keys"]["added"] == [["2", "2"], ["3", "1"], ["100", "2"], ["101", "1"]]
    assert "parts: 3 rows are gone and 4 are new, by their keys ((id, region) (2, 2), (3, 1), (100, 2), (101, 1)): 40 rows, now 41" in texts
    assert "parts.v changed, in 1 row ((id, region) (10, 1)); non-null values: 40, now 41" in texts
    assert "still" not in found


def test_without_leave_no_key_is_read(stand: Stand) -> None:
    before = stand.fingerprint()
    stand.execute("UPDATE parts SET v = 'other' WHERE id < 4")
    found, texts = stand.measure(before)
    assert "keys" not in found["parts"]
    assert texts == ["parts.v changed, in 3 rows"]


def test_rows_without_a_key_are_counted_as_a_multiset(stand: Stand) -> None:
    before = stand.fingerprint()
    stand.execute("UPDATE logs SET what = 'x' WHERE at IN (timestamptz '2024-01-01 01:00', timestamptz '2024-01-01 02:00')")
    found, texts = stand.measure(before)
    assert (found["logs"]["kept"], found["logs"]["added"], found["logs"]["lost"], found["logs"]["columns"]) == (28, 2, 2, {"what": 2})
    assert texts == ["logs.what changed: 2 of its values are no longer there (without a primary key rows cannot be followed)"]


def test_a_declared_expression_is_compared_row_by_row(stand: Stand) -> None:
    declared = {'odd."Large t".n'.replace('"', ""): "old * 100"}
    before = stand.fingerprint(declared=declared)
    stand.execute('ALTER TABLE odd."Large t" ALTER n TYPE numeric(20, 5) USING CASE WHEN b = 9 THEN n ELSE n * 100 END')
    found, _texts = stand.measure(before, declared)
    # The new type keeps five places, the declared expression more: only multiples of 7 have none to lose. Row 9 is wrong whatever its places.
    assert found["odd.Large t"]["columns"] == {"n": 500 - 500 // 7}
    stand.execute('UPDATE odd."Large t" SET n = 1 WHERE b = 14')
    assert stand.measure(before, declared)[0]["odd.Large t"]["columns"] == {"n": 500 - 500 // 7 + 1}


def test_the_copy_is_not_written_to_and_nothing_is_left(stand: Stand, tmp_path: Path) -> None:
    before = stand.fingerprint()
    stand.execute("UPDATE parts SET v = 'other' WHERE id < 4")
    with Session(stand.server, stand.copy, "tests") as session:
        query = "SELECT array_agg(c.relname::text ORDER BY c.oid) AS v FROM pg_class AS c"
        relations = session.value(query)
        stand.measure(before)
        assert session.value(query) == relations
    name = side_database_name(stand.marker.id, identity.OLD_ROWS)
    with Session(stand.server, "postgres", "tests") as session:
        (marker,) = [
            Marker.from_text(row["c"])
            for row in session.rows(f"SELECT shobj_description(oid, 'pg_database') AS c FROM pg_database WHERE datname = '{name}'")
        ]
        assert marker is not None and (marker.id, marker.part) == (stand.marker.id, identity.OLD_ROWS)
        assert session.rows(f"SELECT 1 FROM pg_stat_activity WHERE datname = '{name}'") == []
    cleaned = clean_up.clean_up(stand.server, "no_such_copy", stand.marker.id, stand.work, clean_up.KEEP_NONE, 60)
    assert f"database {name}" in cleaned["removed"] and cleaned["left"] == [] and cleaned["problems"] == []


def test_old_rows_are_fetched_once_and_again_after_a_failure(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = ["parts", "odd.Large t"]
    restored: list[list[str]] = []
    restore = old_rows._restore

    def noted(*arguments: Any) -> None:
        restored.append(arguments[4])
        restore(*arguments)

    monkeypatch.setattr(old_rows, "_restore", noted)
    database = old_rows.prepare(stand.server, stand.marker, stand.work, tables[:1], 60)
    old_rows.prepare(stand.server, stand.marker, stand.work, tables, 60)
    old_rows.prepare(stand.server, stand.marker, stand.work, tables, 60)
    assert restored == [
        ["--section=pre-data"],
        ["--section=data", "--schema=odd", "--schema=public", "--table=parts_1", "--table=parts_2"],
        ["--section=data", "--schema=odd", "--table=Large t"],
    ]
    with Session(stand.server, database, "tests") as session:
        assert session.value('SELECT ARRAY[(SELECT count(*) FROM parts), (SELECT count(*) FROM odd."Large t")] AS v') == [40, 500]
        session.execute('ALTER TABLE logs RENAME TO "not there"')
    with pytest.raises(RehearsalError):
        monkeypatch.setattr(old_rows, "_selection", lambda _wanted: ["--table=logs"])
        old_rows.prepare(stand.server, stand.marker, stand.work, ["logs"], 60)
    monkeypatch.undo()
    old_rows.prepare(stand.server, stand.marker, stand.work, ["logs"], 60)
    with Session(stand.server, database, "tests") as session:
        assert session.value("SELECT count(*) AS v FROM logs") == 30


def test_without_a_backup_it_is_said(stand: Stand) -> None:
    before = stand.fingerprint()
    stand.execute("UPDATE parts SET v = 'other' WHERE id < 4")
    (Path(stand.work.path) / backup.DUMP).rename(Path(stand.work.path) / "elsewhere")
    with pytest.raises(RehearsalError, match="there is no backup in"):
        stand.measure(before)
