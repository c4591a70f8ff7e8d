"""Statements that differ only in their values are one; Alembic's own bookkeeping is not the migrations' work."""

from __future__ import annotations

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.statement_fold import fold, shape


@pytest.mark.parametrize(
    ("sql", "folded"),
    [
        ("INSERT INTO t VALUES (?, ?), (?, ?)", "INSERT INTO t VALUES (…)"),
        ("INSERT INTO t  VALUES\n( '***'::text , %(a)s::double precision ,:b )", "INSERT INTO t VALUES (…)"),
        ("DELETE FROM t WHERE id IN (?, ?, NULL) AND x = ?", "DELETE FROM t WHERE id IN (…) AND x = ?"),
        ("INSERT INTO t VALUES (?, now())", "INSERT INTO t VALUES (?, now())"),
    ],
)
def test_lists_of_values_are_one(sql: str, folded: str) -> None:
    assert shape(sql) == folded


def test_a_long_list_that_is_none_in_the_end_takes_no_ages() -> None:
    """Each value once doubled the time: forty of them took days."""
    values = " , ".join(["'***'::text"] * 2000)
    assert shape(f"INSERT INTO t VALUES ({values} , now())").startswith("INSERT INTO t VALUES ('***'::text , ")
    assert shape(f"INSERT INTO t VALUES ({values})") == "INSERT INTO t VALUES (…)"


def test_what_alembic_notes_for_itself_is_left_out() -> None:
    common = {"event": "statement", "revision": "a", "t0": 1.0, "t1": 2.0, "rows": 1}
    events = [
        {"event": "current", "version_table": "versions", "version_table_schema": "ops"},
        {**common, "sql": "UPDATE ops.versions SET version_num = '***'"},
        {**common, "sql": "UPDATE versions SET a = '***'"},
    ]
    assert [entry["sql"] for entry in fold(events)["statements"]] == ["UPDATE versions SET a = '***'"]


def test_calls_times_rows_and_wal_are_added_up() -> None:
    common = {"event": "statement", "sql": "UPDATE t SET a = ?", "t0": 1.0}
    events = [
        {**common, "revision": "a", "t1": 3.0, "rows": 4, "wal": 100},
        {**common, "revision": "b", "t1": 5.0, "rows": None, "wal": None},
        # A long row of equal ones, told as one.
        {**common, "revision": "b", "t1": 9.0, "calls": 3, "ms": 6.0, "max_ms": 5.0, "rows": 1, "wal": 20},
        {**common, "revision": None, "t1": 99.0},
    ]
    (entry,) = fold(events)["statements"]
    histogram = entry.pop("histogram")
    assert entry == {
        "sql": "UPDATE t SET a = ?", "revisions": ["a", "b"], "calls": 5, "total_ms": 12.0, "mean_ms": 2.4, "max_ms": 5.0,
        "rows": 5, "wal_bytes": 120,
    }  # fmt: skip
    assert sum(histogram) == 5 and fold(events)["left_out"] == 0
