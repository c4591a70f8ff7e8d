"""Which of what ran leaves a doubt whether the server counted every row."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import row_counters


def statement(sql: str, **fields: Any) -> dict[str, Any]:
    return {"event": "statement", "sql": sql, **fields}


@pytest.mark.parametrize(
    "sql",
    [
        "SET track_counts = off",
        "set local TRACK_COUNTS to '***'",
        'SET "track_counts" = off',
        'SET U&"tr\\0061ck_counts" = off',
        "ALTER ROLE shop SET track_counts = '***'",
        "SELECT pg_catalog.set_config('***', '***', false)",
        "UPDATE pg_settings SET setting = '***' WHERE name = '***'",
        "DO '***'",
        "begin; do '***'",
        "CREATE OR REPLACE FUNCTION f() RETURNS void LANGUAGE plpgsql AS '***'",
        "ALTER ROUTINE f() SET search_path = a",
        "create procedure p() as '***'",
        "UPDATE pg_proc SET prosrc = '***'",
    ],
)
def test_a_statement_that_may_stop_counting(sql: str) -> None:
    assert row_counters.doubt([statement("SELECT 1"), statement(sql)]) == "a statement may have switched counting off"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE shifts SET done = true",
        "CREATE TABLE shifts (id int)",
        "INSERT INTO documents (do_it) VALUES (1)",
        "INSERT INTO documents (do_it) VALUES (1) ON CONFLICT (id) DO NOTHING",
        "UPDATE procedures SET a = 1",
        "SET lock_timeout = '***'",
    ],
)
def test_a_statement_that_does_not(sql: str) -> None:
    assert row_counters.doubt([statement(sql)]) == ""


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"event": "process", "program": "psql"}, "a program was started, and what it did was not seen"),
        ({"event": "measuring_failed", "kind": "x"}, "what ran was not seen to its end"),
        ({"event": "untracked", "unseen": True}, "something was done by no statement that was seen"),
        (statement("UPDATE a SET b = c", truncated=True), "a statement is too long to be known"),
        ({"event": "untracked", "sql": "DO '***'"}, "a statement may have switched counting off"),
        ({"event": "untracked", "sql": "UPDATE a SET b = 1"}, ""),
        ({"event": "running", "sql": "UPDATE a SET b = 1"}, ""),
    ],
)
def test_what_was_not_seen(event: dict[str, Any], why: str) -> None:
    assert row_counters.doubt([{"event": "hello"}, event]) == why


def test_before_15_counters_travel_in_packets() -> None:
    guards = {"version": 140011, "counting": "on", "set_apart": False, "speaks": False}
    assert "before PostgreSQL 15" in row_counters._cannot_count(guards)
    assert row_counters._cannot_count({**guards, "version": 150000}) == ""
