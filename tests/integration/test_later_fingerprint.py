"""A fingerprint held against an earlier one: each change has its name, and what was not touched is not hashed again."""

from __future__ import annotations

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import data_diff, fingerprint_table
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session
from typed_values import proved

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ("ALTER TABLE contracts ALTER note TYPE text", ["column-type-changed"]),
        ("ALTER TABLE contracts ALTER hourly_rate TYPE bigint", ["column-type-changed"]),
        ("ALTER TABLE contracts ALTER id TYPE bigint", ["column-type-changed"]),
        ("ALTER TABLE contracts RENAME note TO remark", ["column-moved"]),
        ("ALTER TABLE contracts RENAME TO agreements", ["table-moved"]),
        ("ALTER TABLE contracts DROP note", ["column-dropped"]),
        ("ALTER TABLE contracts ADD paid boolean NOT NULL DEFAULT true", ["column-added"]),
        ("DROP TABLE contracts", ["table-dropped"]),
        ("CREATE TABLE more AS SELECT 1 AS a", ["table-added"]),
        ("VACUUM FULL contracts", []),
        ("VACUUM FREEZE contracts", []),
        ("ALTER TABLE contracts DROP CONSTRAINT contracts_pkey", []),
        ("UPDATE contracts SET id = -id WHERE id = 1", ["rows-changed", "column-changed", "column-not-comparable", "column-not-comparable"]),
        ("UPDATE contracts SET note = CASE id WHEN 1 THEN 'note 2' ELSE 'note 1' END WHERE id < 3", ["column-changed"]),
        ("INSERT INTO contracts VALUES (0, 1, 'x')", ["rows-added"]),
        ("DELETE FROM contracts WHERE id = 1", ["rows-lost"]),
        ("UPDATE contracts SET note = note WHERE id = 1", []),
        ("TRUNCATE contracts", ["rows-lost", "column-not-comparable", "column-not-comparable", "column-not-comparable"]),
    ],
)
@pytest.mark.parametrize("proof", ["full", "changed"])
def test_what_a_change_is_called(contracts: Session, change: str, kinds: list[str], proof: str) -> None:
    before = take_fingerprint(contracts)
    contracts.execute(change)
    after = take_fingerprint(contracts, since=before, proof=proof)
    assert [found.kind for found in data_diff.compare(before, after)] == kinds


def test_what_was_not_touched_is_not_hashed_again(contracts: Session) -> None:
    contracts.execute("CREATE TABLE quiet AS SELECT * FROM contracts")
    before = take_fingerprint(contracts)
    contracts.execute("UPDATE contracts SET note = 'x' WHERE id < 4")
    contracts.execute("ALTER TABLE quiet ADD extra integer DEFAULT 5")
    changed = take_fingerprint(contracts, since=before, proof="changed")
    assert {name: entry["proof"] for name, entry in changed["tables"].items()} == {"contracts": "full", "quiet": "partly untouched"}
    full = take_fingerprint(contracts, since=before)
    assert proved(changed) == proved(full)
    found = {change.object: change for change in data_diff.compare(before, changed)}
    assert found["contracts.note"].rows_changed_at_most == 3
    assert set(found) == {"contracts.note", "quiet.extra"}


def test_a_transaction_that_was_open_at_the_mark_is_not_overlooked(contracts: Session, postgres_server) -> None:
    with Session(postgres_server.server, contracts.database, "tests") as other:
        other.execute("BEGIN")
        other.execute("SAVEPOINT s")
        other.execute("UPDATE contracts SET note = 'late' WHERE id = 1")
        contracts.execute("CREATE TABLE later (a integer)")
        before = take_fingerprint(contracts)
        other.execute("COMMIT")
    after = take_fingerprint(contracts, since=before, proof="changed")
    assert after["tables"]["contracts"]["proof"] == "full"
    assert [found.kind for found in data_diff.compare(before, after)] == ["column-changed"]


def test_a_renamed_label_shows_though_no_row_was_touched(own: Session) -> None:
    own.execute("CREATE TYPE mood AS ENUM ('low', 'high')")
    own.execute("CREATE TABLE t (id integer PRIMARY KEY, mood mood, moods mood[], n integer)")
    own.execute("INSERT INTO t VALUES (1, 'low', '{high}', 1)")
    before = take_fingerprint(own)
    own.execute("ALTER TYPE mood RENAME VALUE 'low' TO 'bad'")
    after = take_fingerprint(own, since=before, proof="changed")
    assert data_diff.answers(before, after) == {"t.id": "unchanged", "t.mood": "changed", "t.moods": "unchanged", "t.n": "unchanged"}


def test_counts_only(contracts: Session) -> None:
    before = take_fingerprint(contracts, proof="counts")
    assert before["tables"]["contracts"]["columns"]["hourly_rate"] == {
        "type": "integer",
        "number": 2,
        "by": "int",
        "non_null": 9000,
        "hash": None,
    }
    contracts.execute("DELETE FROM contracts WHERE id <= 10")
    after = take_fingerprint(contracts, since=before, proof="counts")
    assert [change.kind for change in data_diff.compare(before, after)] == ["rows-lost"]
    contracts.execute("UPDATE contracts SET hourly_rate = NULL")
    again = take_fingerprint(contracts, proof="counts")
    assert data_diff.answers(after, again) == {"contracts.id": "counted", "contracts.hourly_rate": "changed", "contracts.note": "counted"}
    with pytest.raises(ValueError, match="needs the fingerprint"):
        take_fingerprint(contracts, proof="changed")


def test_a_column_made_anew_is_hashed_again_though_no_row_was_written(contracts: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    # A small table that got a TOAST table with the column would be hashed without asking for its rows.
    monkeypatch.setattr(fingerprint_table, "_SMALL_BYTES", -1)
    before = take_fingerprint(contracts)
    contracts.execute("ALTER TABLE contracts DROP COLUMN note")
    contracts.execute("ALTER TABLE contracts ADD COLUMN note text")
    after = take_fingerprint(contracts, since=before, proof="changed")
    assert after["tables"]["contracts"]["proof"] == "partly untouched"
    assert data_diff.answers(before, after)["contracts.note"] == "changed"
    contracts.execute("INSERT INTO contracts SELECT max(id) + 1 FROM contracts")
    grown = take_fingerprint(contracts, since=before)
    assert data_diff.answers(before, grown)["contracts.note"] == "not comparable"
