"""Which rows were there before the upgrade, where not all of them hold what is expected."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import backup, files, old_row_checks, side_database
from ansible_collections.migrations.rehearsal.plugins.module_utils.old_row_checks import OldRows
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.renames import NONE

sys.path.append(str(Path(__file__).parent))
from test_changed_rows import Stand  # noqa: E402

pytestmark = pytest.mark.integration


@pytest.fixture
def stand(postgres_server: Any, database: str, tmp_path: Path) -> Iterator[Stand]:
    made = Stand(postgres_server, database, tmp_path)
    files.write_json(made.work.file("evidence", "fingerprint-before.json"), made.fingerprint())
    yield made
    side_database.drop_all(made.server, made.marker.id, 60)


def existing(stand: Stand, table: str, value: Any = "old", usable: bool = True) -> tuple[Any, ...]:
    """(rows, those that match, unclear)."""
    before = files.read_json(stand.work.file("evidence", "fingerprint-before.json"))
    taken = stand.fingerprint(since=before)
    with Session(stand.server, stand.copy, "tests") as session:
        old = OldRows(stand.server, stand.marker, stand.work, NONE, taken, 60, usable)
        (found,) = old_row_checks.existing_rows(session, {table: {"kind": value}}, old)
    assert bool(found.get("unclear")) == bool(found.get("reason"))
    return found["rows"], found["matching"], found.get("unclear")


def restored(stand: Stand) -> bool:
    return Path(stand.work.file("old-rows.json")).exists()


def test_where_nothing_is_in_doubt_nothing_is_restored(stand: Stand) -> None:
    stand.execute("ALTER TABLE parts ADD kind text DEFAULT 'old'", "INSERT INTO parts VALUES (100, 1, 'x', 'old')")
    assert existing(stand, "parts") == (41, 41, None)
    stand.execute("DELETE FROM parts WHERE id = 100", "UPDATE parts SET kind = 'new' WHERE id = 4")
    assert existing(stand, "parts") == (40, 39, None)
    assert not restored(stand)


def test_rows_are_told_apart_by_their_key_whatever_was_written(stand: Stand) -> None:
    stand.execute(
        "ALTER TABLE parts ADD kind text",
        "UPDATE parts SET kind = 'old', v = v || '!'",
        "INSERT INTO parts VALUES (100, 1, 'x', NULL), (101, 2, 'y', 'new')",
    )
    assert existing(stand, "parts") == (40, 40, 0)
    stand.execute("UPDATE parts SET kind = NULL WHERE id IN (5, 6)")
    assert existing(stand, "parts") == (40, 38, 0)
    stand.execute("DELETE FROM parts WHERE id = 7")
    assert existing(stand, "parts") == (39, 37, 1), "one of the two may be the one that is missing"
    assert restored(stand)


def test_without_a_key_by_all_that_they_held(stand: Stand) -> None:
    stand.execute("ALTER TABLE logs ADD kind text", "UPDATE logs SET kind = 'old'", "INSERT INTO logs VALUES (now(), 'w1', 'new')")
    assert existing(stand, "logs") == (30, 30, 0)
    stand.execute("INSERT INTO logs SELECT at, what, 'new' FROM logs ORDER BY at LIMIT 1")
    assert existing(stand, "logs") == (30, 30, 1), "of two that are alike either may be the new one"
    stand.execute("UPDATE logs SET kind = 'new' WHERE what = 'w2'")
    assert existing(stand, "logs")[:2] == (30, 20)


def test_where_they_cannot_be_told_apart_it_is_said(stand: Stand) -> None:
    stand.execute("ALTER TABLE parts ADD kind text DEFAULT 'old'", "INSERT INTO parts VALUES (100, 1, 'x', 'new')")
    assert existing(stand, "parts", usable=False) == (40, 40, 1)
    stand.execute("UPDATE parts SET kind = 'new' WHERE id = 4")
    assert existing(stand, "parts", usable=False) == (39, 39, 2)
    shutil.rmtree(stand.work.file(backup.DUMP))
    assert existing(stand, "parts") == (39, 39, 2)
    stand.execute("ALTER TABLE parts ALTER id TYPE text")
    assert existing(stand, "parts") == (0, 0, 2)


def test_every_row_of_a_new_table_is_meant(stand: Stand) -> None:
    stand.execute("CREATE TABLE fresh (id int PRIMARY KEY, kind text)", "INSERT INTO fresh VALUES (1, 'old'), (2, 'new')")
    assert existing(stand, "fresh") == (2, 1, None)


def test_no_row_of_a_table_that_was_empty_is_meant(stand: Stand) -> None:
    stand.execute("DELETE FROM still")
    files.write_json(stand.work.file("evidence", "fingerprint-before.json"), stand.fingerprint())
    stand.execute("ALTER TABLE still ADD kind text", "INSERT INTO still VALUES (1, 'new')")
    assert existing(stand, "still") == (0, 0, None)
