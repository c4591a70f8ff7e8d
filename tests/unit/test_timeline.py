"""Blocked time, its shares and the other transaction mode, from hand-made events with known answers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import other_mode, timeline, timeline_summary, timeline_windows
from hypothesis import given
from hypothesis import strategies as st

Event = dict[str, Any]


def current(per_migration: bool = False, version_table: str = "alembic_version", schema: str | None = None) -> Event:
    return {
        "event": "current", "t": 0.0, "heads": [], "version_table": version_table, "version_table_schema": schema,
        "transaction_per_migration": per_migration, "transactional_ddl": True,
    }  # fmt: skip


def begin(revision: str, t: float) -> Event:
    return {"event": "revision_begin", "t": t, "revision": revision, "direction": "upgrade", "message": revision}


def end(revision: str, t: float, ms: float) -> Event:
    return {"event": "revision_end", "t": t, "revision": revision, "direction": "upgrade", "message": revision, "ms": ms}


def lock(table: str, mode: str, relation: str | None = None, kind: str = "r") -> Event:
    return {"relation": relation or table, "mode": mode, "table": table, "kind": kind}


def statement(revision: str | None, t0: float, t1: float, *locks: Event, **more: Any) -> Event:
    return {
        "event": "statement", "t": t1, "t0": t0, "t1": t1, "revision": revision, "connection": 1, "sql": more.pop("sql", "ALTER"), "rows": None,
        "autocommit": False, "locks": list(locks), **more,
    }  # fmt: skip


def commit(t0: float, t1: float, revision: str | None = "x", name: str = "commit") -> Event:
    return {"event": name, "t": t1, "t0": t0, "t1": t1, "connection": 1, "revision": revision}


def modes(events: list[Event]) -> list[other_mode.OtherMode]:
    held = timeline.holds(events)
    return other_mode.compare_modes(events, held, timeline.blocked(events, held))


# The measured example: a 5 ms ALTER in a2, a second of work in a3, then an autocommit block in a4.
ONE = [
    current(),
    begin("a2", 0), statement("a2", 1, 6, lock("t", "AccessExclusive")), end("a2", 7, 7), statement("a2", 7, 8, sql="UPDATE alembic_version"),
    begin("a3", 10), statement("a3", 10, 1010, lock("t", "RowExclusive")), end("a3", 1011, 1001), statement("a3", 1012, 1013),
    begin("a4", 1020), commit(1050, 1060, "a4"),
    statement("a4", 1070, 1170, lock("t", "ShareUpdateExclusive"), autocommit=True), end("a4", 1171, 151),
    statement("a4", 1172, 1173), commit(1174, 1175, "a4"),
]  # fmt: skip


def test_a_lock_is_held_until_its_transaction_ends_and_says_who_took_and_who_kept_it() -> None:
    (reads, writes) = timeline.blocked(ONE)
    assert (reads.table, reads.what, reads.windows) == ("t", "reads", ((1, 1060),))
    assert reads.total_ms == reads.longest_ms == 1059
    assert reads.took == ("a2",) and reads.kept == ("a3", "a4")
    assert reads.shares == {"a2": 9, "a3": 1010, "a4": 40}
    assert writes.windows == reads.windows, "RowExclusive and ShareUpdateExclusive block no reads and no writes"
    assert timeline.downtime_ms([reads, writes]) == 1059
    kept_by = timeline.longest_statement(ONE, 1, 1060)
    assert kept_by is not None and kept_by["revision"] == "a3"


def test_the_other_mode_ends_each_lock_with_its_own_revision() -> None:
    (reads, _writes) = modes(ONE)
    assert reads.measured_ms == 1059
    # To the end of a2's last statement (8), and one commit (median of 10 and 1 ms, the upper one).
    assert reads.other_ms == 8 - 1 + 10
    told = {entry["what"]: entry for entry in timeline_summary.summarise(ONE)["blocked"]}
    assert told["reads"]["other_mode_ms"] == 17


def test_every_lock_keeps_schema_changes_waiting_and_they_are_no_downtime() -> None:
    events = [
        current(), begin("a", 0), statement("a", 0, 10, lock("t", "RowExclusive"), sql="INSERT INTO t"), end("a", 11, 11),
        begin("b", 12), statement("b", 12, 500, lock("u", "Share"), sql="CREATE INDEX i ON u (x)"), statement("b", 501, 502, sql="INSERT INTO t"),
        end("b", 503, 491), commit(504, 505, "b"),
    ]  # fmt: skip
    told = timeline_summary.summarise(events)
    assert [(entry["table"], entry["what"], entry["longest_ms"], entry["other_mode_ms"]) for entry in told["blocked"]] == [
        ("t", "ddl", 505, 11), ("u", "ddl", 493, 491), ("u", "writes", 493, 491),
    ]  # fmt: skip
    assert told["downtime_ms"] == 493


def test_each_window_has_the_statements_that_took_its_locks_and_those_that_kept_them() -> None:
    """Another connection keeps nothing, and what takes no time of the window neither."""
    events = [
        current(),
        begin("a", 0), statement("a", 0, 4, sql="SELECT"), statement("a", 5, 10, lock("t", "Share"), sql="CREATE INDEX i ON t (x)"),
        statement("a", 10, 900, sql="UPDATE v", connection=2), statement("a", 11, 300, sql="UPDATE u"), statement("a", 301, 302, sql="SELECT 2"),
        commit(310, 311, "a"),
        begin("b", 400), statement("b", 400, 401, lock("t", "Exclusive"), sql="LOCK t"), commit(500, 501, "b"),
    ]  # fmt: skip
    (writes,) = (entry for entry in timeline_summary.summarise(events)["blocked"] if entry["what"] == "writes")
    assert writes["windows"] == [[5, 311], [400, 501]]
    assert writes["owners"] == [
        {
            "took": [{"revision": "a", "sql": "CREATE INDEX i ON t (x)"}],
            "kept": [{"revision": "a", "sql": "UPDATE u", "ms": 289}, {"revision": "a", "sql": "SELECT 2", "ms": 1}],
        },
        {"took": [{"revision": "b", "sql": "LOCK t"}], "kept": []},
    ]


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40), st.integers(1, 2)), min_size=1, max_size=400),
    st.integers(1, 200),
    st.integers(1, 300),
)
def test_who_kept_a_lock_is_the_same_looked_at_one_by_one(times: list[tuple[int, int, int]], start: int, ms: int) -> None:
    group = [timeline.Hold("t", "t", "r", "Share", start, start + ms, 1, "a", "LOCK t")]
    entry = timeline.Blocked("t", "writes", ((start, start + ms),), ms, ms, {}, ("a",), ())
    events = [statement("a", t0, t0 + more, connection=connection) for t0, more, connection in times]
    (owner,) = timeline_windows.Owners(events).of(entry, group)
    parts = (min(event["t1"], start + ms) - max(event["t0"], start) for event in events if event["connection"] == 1 and event["t0"] != start)
    assert [one["ms"] for one in owner["kept"]] == sorted((part for part in parts if part > 0), reverse=True)[:3]


def test_transactions_have_their_begin_end_and_revisions() -> None:
    events = [
        current(),
        begin("a", 10), statement("a", 11, 20), statement("a", 21, 22, autocommit=True, connection=2), commit(30, 34, "a"),
        begin("b", 40), statement("b", 41, 50), begin("c", 60), statement("c", 61, 70), commit(71, 72, "c", "rollback"),
        commit(73, 74, "c"), statement(None, 80, 81), {"event": "error", "t": 90.0},
    ]  # fmt: skip
    told = [
        (one["start_ms"], one["end_ms"], one["ended"], one["ending_ms"], one["revisions"], one["statements"])
        for one in timeline_summary.summarise(events)["transactions"]
    ]
    assert told == [(1, 24, "commit", 4, ["a"], 1), (31, 62, "rollback", 1, ["b", "c"], 2), (70, 80, None, 0, [], 1)]


def test_what_a_run_leaves_is_told_with_what_changed_most_first() -> None:
    objects = {
        "event": "objects", "t": 1.0, "indexes_new": [{"name": "i", "table": "t"}], "indexes_dropped": [{"name": "j", "table": "t"}],
        "indexes_invalid": [{"name": "k", "table": "t", "new": True}, {"name": "old", "table": "t", "new": False}], "constraints_not_valid": [],
        "sizes": [{"relation": "same", "before": 5, "after": 5},
                  {"relation": "t", "before": 8192, "after": 24576}, {"relation": "gone", "before": 99999, "after": None}],
    }  # fmt: skip
    told = timeline_summary.summarise([current(), objects])["objects"]
    assert told["sizes"] == [
        {"table": "gone", "before_bytes": 99999, "after_bytes": None}, {"table": "t", "before_bytes": 8192, "after_bytes": 24576},
    ]  # fmt: skip
    assert (told["indexes_new"], told["indexes_dropped"], told["indexes_invalid"], told["constraints_not_valid"]) == (
        [{"name": "i", "table": "t"}], [{"name": "j", "table": "t"}], [{"name": "k", "table": "t"}], [],
    )  # fmt: skip


def alters(second: str, *locks: Event, first: str = "AccessExclusive", table: str = "t", **effect: Any) -> list[Event]:
    """Revision a takes a lock on a table for 5 ms, b runs something for 400 ms, all in one transaction."""
    return [
        current(), begin("a", 0), statement("a", 0, 5, lock(table, first), sql=f"ALTER TABLE {table} ADD COLUMN x integer"), end("a", 6, 6),
        begin("b", 7), statement("b", 8, 408, *locks, sql=second, **effect), end("b", 409, 402), commit(410, 411, "b"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("second", "reads", "writes"),
    [
        ("ALTER TABLE t ALTER COLUMN n TYPE bigint", 401, 401),
        ("SET lock_timeout = '***'; ALTER TABLE public.t ALTER COLUMN n TYPE bigint", 401, 401),
        ("DROP TABLE t", 401, 401),
        ("LOCK TABLE t IN ACCESS EXCLUSIVE MODE", 401, 401),
        # These need less than what was held.
        ("CREATE INDEX i ON t (n)", 6, 401),
        ("ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY(n, m) REFERENCES u (a, b)", 6, 401),
        ("ALTER TABLE u ADD CONSTRAINT f FOREIGN KEY (n) REFERENCES t (id)", 6, 401),
        ("ALTER TABLE t ADD FOREIGN KEY (n) REFERENCES u, DROP COLUMN x", 401, 401),
        ("CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", 6, 401),
        ("ALTER TABLE t VALIDATE CONSTRAINT c", 6, 6),
        ("UPDATE t SET n = ?", 6, 6),
        ("SELECT count(*) FROM t", 6, 6),
        # These do not need the table at all.
        ("ALTER TABLE u ADD COLUMN t integer", 6, 6),
        ('ALTER TABLE "T" ADD COLUMN n integer', 6, 6),
    ],
)
def test_the_other_mode_has_later_revisions_take_the_locks_that_they_need(second: str, reads: float, writes: float) -> None:
    assert [(entry.what, entry.measured_ms, entry.other_ms) for entry in modes(alters(second))] == [("reads", 411, reads), ("writes", 411, writes)]


@pytest.mark.parametrize("effect", [{"rewrites": [{"relation": "t"}]}, {"scans": [{"relation": "t", "rows": 5}]}])
def test_what_a_statement_did_to_a_table_tells_that_it_needed_it(effect: dict[str, Any]) -> None:
    assert [entry.other_ms for entry in modes(alters("DO '***'"))] == [6, 6]
    assert [entry.other_ms for entry in modes(alters("DO '***'", **effect))] == [401, 401]


@pytest.mark.parametrize(("table", "named"), [("billing.invoices", "billing.invoices"), ("Invoices", '"Invoices"'), ('"a.b"', '"a.b"')])
def test_a_table_is_found_in_a_statement_whatever_its_name_is(table: str, named: str) -> None:
    assert [entry.other_ms for entry in modes(alters(f"ALTER TABLE {named} DROP COLUMN n", table=table))] == [401, 401]


def test_in_the_other_mode_a_commit_comes_between_two_revisions() -> None:
    events = [current()]
    for number, mode in enumerate(("Share", "ShareRowExclusive", "AccessExclusive", "Exclusive")):
        start = number * 401
        revision = f"r{number}"
        events += [
            begin(revision, start),
            statement(revision, start, start + 400, lock("t", mode), sql="CREATE INDEX"),
            end(revision, start, 1),
        ]
    writes = next(entry for entry in modes([*events, commit(1605, 1609)]) if entry.what == "writes")
    assert (writes.measured_ms, writes.other_ms) == (1609, 404)


def test_revisions_that_run_several_times_have_each_time_their_own() -> None:
    events = [begin("a", 0), end("a", 10, 10), begin("a", 20), end("a", 25, 5), begin("b", 30)]
    assert [(span.revision, span.ms) for span in timeline.spans(events)] == [("a", 10), ("a", 5), ("b", 0)]


def test_the_longest_window_is_told_in_whole_microseconds() -> None:
    assert timeline.longest_ms([(0, 1), (10, 11.50049), (20, 21)]) == 1.5
    assert timeline.longest_ms([]) == 0


def test_a_revision_without_an_end_lasts_until_the_last_commit() -> None:
    events = [begin("a", 0), statement("a", 1, 2), commit(9, 10), statement(None, 50, 60), {**commit(0, 0), "t1": None}]
    assert [(span.revision, span.ms) for span in timeline.spans(events)] == [("a", 10)]


def test_what_runs_outside_the_revisions_is_no_revision_of_its_own() -> None:
    events = [current(), statement(None, 1, 6, lock("t", "AccessExclusive")), begin("a", 10), statement("a", 11, 15, lock("u", "AccessExclusive")),
              end("a", 20, 10), commit(29, 30)]  # fmt: skip
    assert other_mode.each_alone_ms(events, timeline.holds(events)).keys() == {"a"}


def test_the_other_mode_of_one_transaction_a_revision_holds_until_the_last_commit() -> None:
    events = [
        current(per_migration=True),
        begin("a", 0), statement("a", 1, 2, lock("t", "ShareRowExclusive")), commit(3, 4, "a"),
        begin("b", 5), statement("b", 6, 106), commit(107, 110, "b"),
    ]  # fmt: skip
    (writes,) = modes(events)
    assert (writes.what, writes.measured_ms, writes.other_ms) == ("writes", 3, 109)


def test_one_transaction_ends_where_a_statement_outside_it_makes_it_commit() -> None:
    events = [
        current(per_migration=True),
        begin("a", 0), statement("a", 1, 2, lock("t", "AccessExclusive")), commit(3, 4, "a"),
        begin("b", 5), statement("b", 6, 106), commit(107, 110, "b"),
        begin("c", 111), commit(112, 113, "c"), statement("c", 150, 160, autocommit=True), statement("c", 161, 162), commit(163, 164, "c"),
    ]  # fmt: skip
    assert [(entry.measured_ms, entry.other_ms) for entry in modes(events)] == [(3, 112), (3, 112)]


def test_a_rolled_back_savepoint_releases_what_was_taken_in_it() -> None:
    events = [
        current(),
        begin("a", 0),
        statement("a", 0, 1, lock("t", "AccessExclusive")),
        statement("a", 20, 21, released=[lock("t", "AccessExclusive")]),
        commit(30, 31),
    ]
    assert [(hold.start, hold.end) for hold in timeline.holds(events)] == [(0, 21)]


def test_a_process_that_ends_within_a_transaction_held_its_locks_to_the_end() -> None:
    events = [current(), begin("a", 0), statement("a", 1, 2, lock("t", "Share")), {"event": "error", "t": 50.0}]
    assert [(hold.mode, hold.ms) for hold in timeline.holds(events)] == [("Share", 49)]


@pytest.mark.parametrize(
    "table, events_current, counted",
    [
        ("alembic_version", current(), 0),
        ("v", current(version_table="v"), 0),
        ("meta.v", current(version_table="v", schema="meta"), 0),
        ('"me.ta"."v.x"', current(version_table="v.x", schema="me.ta"), 0),
        ("v", current(), 1),
    ],
)
def test_alembics_own_table_does_not_count(table: str, events_current: Event, counted: int) -> None:
    events = [events_current, statement("a", 0, 1, lock(table, "AccessExclusive")), commit(2, 3)]
    assert len(timeline.holds(events)) == counted


def test_an_index_blocks_the_traffic_of_its_table_and_a_sequence_nobodys() -> None:
    events = [current(), statement("a", 0, 4, lock("t", "AccessExclusive", "i", "i"), lock("s", "AccessExclusive", kind="S")), commit(5, 6)]
    assert {(entry.table, entry.what) for entry in timeline.blocked(events)} == {("t", "reads"), ("t", "writes")}


@pytest.mark.parametrize(
    "mode, what",
    [
        ("AccessExclusive", {"reads", "writes", "ddl"}),
        ("Exclusive", {"writes", "ddl"}),
        ("ShareRowExclusive", {"writes", "ddl"}),
        ("Share", {"writes", "ddl"}),
        ("ShareUpdateExclusive", {"ddl"}),
        ("RowExclusive", {"ddl"}),
    ],
)
def test_what_each_mode_blocks(mode: str, what: set[str]) -> None:
    assert timeline.blocks(mode) == what


_windows = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda pair: (float(pair[0]), float(pair[0] + pair[1]))), max_size=12)


@given(_windows)
def test_union_covers_the_same_time_once(windows: list[tuple[float, float]]) -> None:
    merged = timeline.union(windows)
    assert all(left[1] < right[0] for left, right in zip(merged, merged[1:], strict=False))
    # Half-integer points lie within or outside, never on an edge.
    for point in (number + 0.5 for number in range(82)):
        assert any(start < point < stop for start, stop in windows) == any(start < point < stop for start, stop in merged)
    covered = sum(any(start < number + 0.5 < stop for start, stop in windows) for number in range(82))
    assert timeline.total_ms(merged) == covered


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 30), st.sampled_from(["AccessExclusive", "Share", "RowExclusive"])), max_size=8))
def test_shares_add_up_to_the_blocked_time_within_revisions(taken: list[tuple[int, int, str]]) -> None:
    events: list[Event] = [current(), begin("a", 0)]
    for number, (start, ms, mode) in enumerate(taken):
        events.append(statement("a", start, start + ms, lock("t", mode), connection=number))
        events.append({**commit(start + ms, start + ms + 1, "a"), "connection": number})
    events[3:3] = [begin("b", 40)]
    for entry in timeline.blocked(events):
        assert sum(entry.shares.values()) == pytest.approx(entry.total_ms)
        assert entry.longest_ms <= entry.total_ms


def test_a_revision_answers_for_the_locks_that_it_took_and_for_no_others() -> None:
    """A lock of the first one waits for the third, which takes none: it is the first one's price, to its very end."""
    rows = {row["revision"]: row["blocked"] for row in timeline_summary.summarise(ONE)["revisions"]}
    assert rows == {"a2": {"reads": 1059, "writes": 1059}, "a3": {"reads": 0, "writes": 0}, "a4": {"reads": 0, "writes": 0}}


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("INSERT INTO t VALUES (?)", 7),
        ("  -- why\n update only s.t SET a = ?", 7),
        ("/* x */ DELETE FROM t", 7),
        ("WITH old AS (SELECT 1) UPDATE t SET a = ?", 7),
        ("CREATE TABLE u AS SELECT * FROM t", 7),
        ("SELECT id FROM t", 0),
        ("WITH old AS (SELECT 1) SELECT * FROM old", 0),
        ("UPDATE alembic_version SET version_num = ?", 0),
        ('insert into "public"."alembic_version" VALUES (?)', 0),
        ("DELETE FROM other.alembic_version", 7),
    ],
)
def test_rows_are_those_that_a_migration_wrote_itself(sql: str, written: int) -> None:
    (row,) = timeline_summary.summarise([current(), begin("a", 0), {**statement("a", 1, 2, sql=sql), "rows": 7}, end("a", 3, 3)])["revisions"]
    assert (row["statements"], row["rows"]) == (1, written)


def test_a_statement_that_ends_where_a_window_begins_keeps_nothing() -> None:
    event = {"event": "statement", "t": 10.0, "t0": 0.0, "t1": 10.0}
    assert timeline.longest_statement([event], 10.0, 20.0) is None
    assert timeline.longest_statement([event], 9.0, 20.0) == event
    assert timeline.longest_statement([{**event, "t0": 20.0, "t1": 30.0}], 10.0, 20.0) is None
