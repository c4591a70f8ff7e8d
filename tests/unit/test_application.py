"""What comes out of the application's process, line by line."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import application
from ansible_collections.migrations.rehearsal.plugins.module_utils.application_events import Told
from ansible_collections.migrations.rehearsal.plugins.module_utils.application_masking import Log


def runner() -> Any:
    return application._Runner(application.Application(("python",)), "upgrade", "id", None, None, None, None, None, True)


def told(tmp_path: Path) -> Told:
    return Told("nonce", [], Log(None, []), str(tmp_path / "events.jsonl"), None)


def test_a_torn_line_is_a_measurement_that_failed_and_ends_nothing(tmp_path: Path) -> None:
    heard = told(tmp_path)
    heard.open()
    heard.take(f"nonce {json.dumps([{'event': 'hello', 't': 1.0}, {'event': 'revision_begin', 't': 2.0, 'revision': 'a1'}])}")
    heard.take('nonce [{"event": "statement", "t": 3.0, "sql"')
    heard.take("what the application prints")
    heard.close()
    assert [(event["event"], event["t"], event.get("revision")) for event in heard.events] == [
        ("hello", 1.0, None),
        ("revision_begin", 2.0, "a1"),
        ("measuring_failed", 2.0, "a1"),
    ]
    assert [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()] == heard.events


def test_a_deadline_names_the_revision_that_had_not_ended() -> None:
    run = runner()
    run._told.events = [{"event": "revision_begin", "revision": "a1"}, {"event": "revision_end", "revision": "a1"}]
    assert run._outcome(-9, True).error["revision"] is None
    run._told.events += [{"event": "revision_begin", "revision": "b2"}, {"event": "error", "kind": "Deadline", "message": "not finished within 5 s"}]
    assert run._outcome(75, False).error["revision"] == "b2"


RUNNING = {"event": "running", "t": 300.0, "t0": 100.0, "connection": 1, "sql": "CREATE INDEX", "revision": "a1"}


@pytest.mark.parametrize(
    "ends",
    [
        {"event": "statement", "t0": 100.0, "connection": 1, "sql": "CREATE INDEX"},
        # Raw reads are not told; what comes after them is.
        {"event": "statement", "t0": 320.0, "connection": 1, "sql": "SELECT"},
        {"event": "rollback", "t0": 310.0, "connection": 1},
    ],
)
def test_a_statement_runs_until_something_else_of_its_connection_is_told(tmp_path: Path, ends: dict[str, Any]) -> None:
    heard = told(tmp_path)
    earlier = [
        {"event": "statement", "t0": 50.0, "connection": 1, "sql": "ALTER"},
        {"event": "statement", "t0": 200.0, "connection": 2, "sql": "SELECT"},
    ]
    assert heard.statement_running() is None
    heard.events = [*earlier, RUNNING]
    assert heard.statement_running() == "CREATE INDEX"
    heard.events = [*earlier, RUNNING, ends]
    assert heard.statement_running() is None
    # The thread that tells of ends was quicker.
    heard.events = [*earlier, ends, RUNNING]
    assert heard.statement_running() is None


def test_a_hundred_thousand_statements_fit_into_120_megabytes(tmp_path: Path) -> None:
    heard, count = told(tmp_path), 3000
    tracemalloc.start()
    try:
        for number in range(count):
            sql = f"CREATE TABLE n{number} (id SERIAL NOT NULL, v VARCHAR(20), PRIMARY KEY (id))"
            event = {
                "event": "statement",
                "t": number + 0.6,
                "t0": number + 0.1,
                "t1": number + 0.5,
                "revision": f"r{number}",
                "connection": 1,
                "sql": sql,
            }
            heard.take(f"nonce {json.dumps([{**event, 'rows': 0, 'autocommit': False, 'locks': [], 'line': 7, 'wal': number}])}")
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(heard.events) == count
    assert used / count * 100_000 < 120e6
