"""Findings from the timeline: each has a run that gives it, and a run just below its threshold that does not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import judge_timeline, report_markdown, timeline_record, timeline_summary, words
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import BLOCKER, INFO, WARNING
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge_timeline import Sizes
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Budgets, Policy
from ansible_collections.migrations.rehearsal.plugins.module_utils.verdict import GO, GO_WITH_WARNINGS, NO_GO
from evidence_builder import good

Event = dict[str, Any]
LARGE = {"t": 2_000_000, "u": 2_000_000}
BUDGETS = Budgets()


def lock(table: str, mode: str = "AccessExclusive", kind: str = "r") -> Event:
    return {"relation": table, "mode": mode, "table": table, "kind": kind}


def statement(t0: float, t1: float, *locks: Event, revision: str = "a1", **more: Any) -> Event:
    return {
        "event": "statement", "t": t1, "t0": t0, "t1": t1, "revision": revision, "connection": 1, "sql": "ALTER TABLE t", "rows": None,
        "autocommit": False, "locks": list(locks), "lock_timeout": "5s", **more,
    }  # fmt: skip


def commit(t: float) -> Event:
    return {"event": "commit", "t": t, "t0": t, "t1": t, "connection": 1, "revision": None}


def begin(revision: str, t: float) -> list[Event]:
    return [{"event": "revision_begin", "t": t, "revision": revision, "direction": "upgrade", "message": "m"}]


def end(revision: str, t: float, ms: float) -> Event:
    return {"event": "revision_end", "t": t, "revision": revision, "direction": "upgrade", "message": "m", "ms": ms}


def current(per_migration: bool = False) -> Event:
    return {"event": "current", "t": 0.0, "version_table": "alembic_version", "transaction_per_migration": per_migration}


def said(events: list[Event], rows: dict[str, int] | None = None, budgets: Budgets = BUDGETS, alike: bool = True) -> dict[str, str]:
    """Messages by code; a code that comes twice fails."""
    found = list(judge_timeline.of_upgrade(events, Sizes(LARGE if rows is None else rows, {}), budgets, ["alembic_version"], alike))
    assert len({code for code, *_rest in found}) == len(found), found
    return {code: message for code, _object, message, _revision in found}


def held(ms: float, mode: str = "AccessExclusive") -> list[Event]:
    """One revision that locks t, then works elsewhere until `ms` are over."""
    work = statement(10, ms - 1, sql="UPDATE other SET x = ?")
    return [current(), *begin("a1", 0), statement(0, 5, lock("t", mode)), work, end("a1", ms, ms), commit(ms)]


def test_a_lock_says_for_how_long_who_took_it_and_what_kept_it() -> None:
    assert said(held(2400)) == {
        "lock-blocks-reads": "blocked reads and writes on t for 2.4 s, budget 1 s: taken by revision a1 with «ALTER TABLE t», "
        "then kept while revision a1 ran «UPDATE other SET x = ?» for 2.4 s"
    }
    assert said(held(2400, "ShareRowExclusive"))["lock-blocks-writes"].startswith("blocked writes on t for 2.4 s, budget 1 s: taken by")
    assert list(said(held(2400, "ShareRowExclusive"))) == ["lock-blocks-writes"]


@pytest.mark.parametrize("mode", ["AccessExclusive", "Share"])
def test_the_budget_itself_is_within_it(mode: str) -> None:
    assert said(held(1000, mode)) == {}
    assert len(said(held(1000.1, mode))) == 1


def test_a_lock_that_is_held_too_long_counts_on_a_small_table_too() -> None:
    assert list(said(held(2400), rows={"t": 3})) == ["lock-blocks-reads"]


def test_blocked_writes_are_told_apart_where_the_policy_takes_them_more_seriously() -> None:
    assert list(said(held(2400), alike=False)) == ["lock-blocks-reads", "lock-blocks-writes"]
    assert list(said(held(2400), budgets=Budgets(blocked_reads_ms=5000))) == ["lock-blocks-writes"]
    evidence = good(migrations={**good().migrations, "upgrade": [*held(2400), {"event": "done", "t": 2500, "heads": ["b2"]}]})
    assert [one["code"] for one in judge(evidence)["findings"]] == ["lock-blocks-reads"]
    stricter = judge(evidence, policy=Policy({"lock-blocks-writes": BLOCKER}))
    assert [(one["code"], one["severity"]) for one in stricter["findings"]] == [("lock-blocks-writes", BLOCKER), ("lock-blocks-reads", WARNING)]
    assert stricter["verdict"] == NO_GO


def test_weak_locks_block_nobody() -> None:
    for mode in ("AccessShare", "RowShare", "RowExclusive", "ShareUpdateExclusive"):
        assert said(held(60000, mode)) == {}


def two_revisions(per_migration: bool = False) -> list[Event]:
    return [
        current(per_migration), *begin("a1", 0), statement(0, 3, lock("t")), end("a1", 3, 3), *([commit(4)] if per_migration else []),
        *begin("a2", 5), statement(6, 1600, sql="UPDATE u", revision="a2"), end("a2", 1600, 1600), commit(1601),
    ]  # fmt: skip


def test_one_transaction_is_told_with_the_computed_figure_of_the_other_mode() -> None:
    message = said(two_revisions())["one-transaction-holds-all"]
    assert message.startswith("all 2 revisions run in one transaction")
    assert "were blocked for 1.6 s; with transaction_per_migration it would be 3 ms (computed)" in message
    assert said(two_revisions(per_migration=True)) == {}


def test_one_transaction_is_no_finding_where_the_mode_is_not_what_holds_the_lock() -> None:
    events = [
        current(), *begin("a1", 0), statement(0, 1500, lock("t")), end("a1", 1500, 1500),
        *begin("a2", 1501), statement(1502, 1600, sql="UPDATE u", revision="a2"), end("a2", 1600, 90), commit(1601),
    ]  # fmt: skip
    assert list(said(events)) == ["lock-blocks-reads"]


@pytest.mark.parametrize(("own_ms", "told"), [(1000, True), (1001, False)])
def test_one_transaction_is_told_where_the_other_mode_would_keep_the_budget(own_ms: float, told: bool) -> None:
    events = [
        current(), *begin("a1", 0), statement(0, own_ms, lock("t")), end("a1", own_ms, own_ms),
        *begin("a2", own_ms), statement(own_ms, 1900, sql="UPDATE u", revision="a2"), end("a2", 1900, 900), commit(1900),
    ]  # fmt: skip
    assert ("one-transaction-holds-all" in said(events)) == told


def with_effect(**effect: Any) -> list[Event]:
    return [current(), *begin("a1", 0), statement(0, 400, lock("t"), **effect), end("a1", 401, 401), commit(402)]


REWRITE = {"relation": "t", "kind": "table", "reason": "type"}


def test_a_rewrite_of_a_large_table_is_told() -> None:
    message = said(with_effect(rewrites=[REWRITE], wal=5_000_000))["table-rewrite"]
    assert message == "revision a1 wrote the whole of t anew (2,000,000 rows) in 400 ms, 5.0 MB of WAL; reason: type: «ALTER TABLE t»"


def test_a_rewritten_small_table_is_no_matter() -> None:
    events = with_effect(rewrites=[REWRITE])
    assert said(events, rows={"t": 99_999}) == {}
    assert list(said(events, rows={"t": 100_000})) == ["table-rewrite"]
    assert list(said(events, rows={})) == ["table-rewrite"], "a size that was not measured is not small"


def test_few_rows_are_no_small_table_if_they_are_wide() -> None:
    sizes = judge_timeline.sizes([{"event": "objects", "sizes": [{"relation": "t", "before": 50_000_000, "after": 1}]}], {"t": 10})
    assert not sizes.is_small("t", BUDGETS)
    assert sizes.text("t") == "10 rows, 50.0 MB"
    smaller = judge_timeline.sizes([{"event": "objects", "sizes": [{"relation": "t", "before": 49_999_999, "after": 1}]}], {"t": 10})
    assert smaller.is_small("t", BUDGETS)


@pytest.mark.parametrize("reason", ["truncate", "reindex", "refresh"])
def test_what_was_asked_for_is_no_rewrite(reason: str) -> None:
    assert said(with_effect(rewrites=[{**REWRITE, "reason": reason}])) == {}
    assert said(with_effect(rewrites=[{**REWRITE, "kind": "index"}])) == {}


SCAN = {"relation": "t", "rows": 2_000_000}


def test_a_scan_under_a_lock_is_told_with_the_lock() -> None:
    assert said(with_effect(scans=[SCAN])) == {
        "scan-under-lock": "2,000,000 rows of t were read in 400 ms under AccessExclusiveLock by revision a1: «ALTER TABLE t»"
    }


def test_a_scan_that_is_none_of_that() -> None:
    assert said(with_effect(scans=[{**SCAN, "rows": 99_999}])) == {}
    assert said(with_effect(scans=[SCAN]), rows={"t": 5}) == {}
    assert list(said(with_effect(scans=[SCAN], rewrites=[REWRITE]))) == ["table-rewrite"]
    weak = [current(), *begin("a1", 0), statement(0, 400, lock("t", "RowExclusive"), scans=[SCAN], sql="UPDATE t"), end("a1", 1, 1), commit(402)]
    assert said(weak) == {}
    other = [current(), *begin("a1", 0), statement(0, 1, lock("u")), statement(2, 400, scans=[SCAN]), end("a1", 1, 1), commit(402)]
    assert said(other) == {}, "the lock is on another table"
    elsewhere = {**statement(0, 1, lock("t")), "connection": 2}
    apart = [current(), *begin("a1", 0), elsewhere, statement(2, 400, scans=[SCAN]), end("a1", 1, 1), commit(402), {**commit(402), "connection": 2}]
    assert said(apart) == {}, "another session holds the lock"


def test_a_scan_of_few_but_wide_rows_counts_if_it_read_them_all() -> None:
    known = Sizes({"t": 90_000}, {"t": 5_000_000_000})

    def told(rows: int) -> list[str]:
        events = with_effect(scans=[{"relation": "t", "rows": rows}])
        return [code for code, *_rest in judge_timeline.of_upgrade(events, known, BUDGETS, [], True)]

    assert told(90_000) == ["scan-under-lock"]
    assert told(89_999) == []


def test_a_scan_counts_under_a_lock_that_an_earlier_statement_took() -> None:
    events = [
        current(),
        *begin("a1", 0),
        statement(0, 1, lock("t")),
        statement(2, 400, scans=[SCAN], sql="ALTER TABLE t"),
        end("a1", 1, 1),
        commit(402),
    ]
    assert list(said(events)) == ["scan-under-lock"]


def build(sql: str = "CREATE INDEX i ON t (x)", ms: float = 300.0, mode: str = "Share") -> list[Event]:
    return [current(), *begin("a1", 0), statement(0, ms, lock("t", mode), sql=sql, scans=[SCAN]), end("a1", ms, ms), commit(ms)]


def test_an_index_build_is_told_only_where_it_measurably_blocked() -> None:
    message = said(build())["index-not-concurrent"]
    assert message == ("revision a1 built an index on t (2,000,000 rows) and blocked its writes for 300 ms, budget 200 ms: «CREATE INDEX i ON t (x)»")
    assert list(said(build("create unique index i on t (x)"))) == ["index-not-concurrent"]
    assert said(build(ms=200)) == {}
    assert said(build(), rows={"t": 10}) == {}
    assert said(build("CREATE INDEX CONCURRENTLY i ON t (x)", mode="ShareUpdateExclusive")) == {}


def test_an_index_on_a_table_of_the_migration_itself_blocks_nobody() -> None:
    events = [current(), *begin("a1", 0), statement(0, 300, sql="CREATE INDEX i ON t (x)"), end("a1", 300, 300), commit(301)]
    assert said(events) == {}


def test_no_lock_timeout_is_told_once_for_large_tables() -> None:
    events = [
        current(), *begin("a1", 0), statement(0, 1, lock("t"), lock_timeout="0"), statement(2, 3, lock("u", "Share"), lock_timeout="0"),
        statement(4, 5, lock("alembic_version"), lock_timeout="0"), statement(6, 7, lock("s", kind="S"), lock_timeout="0"),
        end("a1", 8, 8), commit(9),
    ]  # fmt: skip
    assert said(events) == {
        "no-lock-timeout": "2 statements take locks on t, u without a lock_timeout: while it waits for its turn, all traffic waits behind it"
    }
    assert said(events, rows={"t": 1, "u": 1, "s": 1}) == {}
    assert said([{**event, "lock_timeout": "5s"} for event in events]) == {}
    assert said([current(), *begin("a1", 0), statement(0, 1, lock("t", "RowExclusive"), lock_timeout="0"), commit(9)]) == {}


def test_what_no_statement_accounts_for_is_told_by_revision() -> None:
    event = {"event": "untracked", "t": 5.0, "connection": 1, "revision": "a1", "locks": [lock("t")], "rewrites": [], "scans": [SCAN], "wal": 1}
    assert said([current(), *begin("a1", 0), event, commit(6)]) == {
        "untracked-sql": "revision a1 did something that no statement accounts for (on t): its times are too short or unknown",
        "scan-under-lock": "2,000,000 rows of t were read under AccessExclusiveLock by revision a1: something between two statements",
    }


def test_a_number_drawn_from_a_sequence_is_nothing_that_was_done() -> None:
    drawn = {**lock("orders_id_seq", "RowExclusive"), "kind": "S"}
    event = {"event": "untracked", "t": 5.0, "connection": 1, "revision": "a1", "locks": [drawn], "rewrites": [], "scans": [], "wal": 1}
    assert "untracked-sql" not in said([current(), *begin("a1", 0), event, commit(6)])
    written = {**event, "rewrites": [{"relation": "t", "kind": "table", "reason": "type"}]}
    assert "(on t)" in said([current(), *begin("a1", 0), written, commit(6)])["untracked-sql"]


def test_a_measurement_that_broke_off_lowers_the_verdict() -> None:
    event = {"event": "measuring_failed", "t": 5.0, "kind": "ProgrammingError", "message": "no right", "revision": "b2"}
    evidence = good(migrations={**good().migrations, "upgrade": [event, *good().migrations["upgrade"]]})
    for policy in (Policy(), Policy({"timeline-incomplete": INFO})):
        record = judge(evidence, policy=policy)
        assert ([one["code"] for one in record["findings"]], record["verdict"]) == (["timeline-incomplete"], GO_WITH_WARNINGS)


def test_open_ways_of_the_fence_are_information_and_told_once() -> None:
    hello = {"event": "hello", "t": 0.0, "open_ways": ["programs", "dblink"]}
    process = {"event": "process", "t": 1.0, "program": "psql", "revision": None}
    runs = {run: [hello, process, *events] for run, events in good().migrations.items()}
    record = judge(good(migrations=runs))
    assert [(one["code"], one["severity"]) for one in record["findings"]] == [("fence-open", INFO), ("program-started", INFO)]
    assert record["findings"][0]["message"] == "the fence does not reach: programs; dblink"
    assert record["verdict"] == GO
    runs["upgrade"] = [*runs["upgrade"], {**process, "revision": "b2"}]
    started = judge(good(migrations=runs))
    assert (started["verdict"], started["findings"][0]["message"]) == (
        GO_WITH_WARNINGS, "revision b2 started psql: where it connects was not seen"
    )  # fmt: skip


def test_locks_of_the_way_back_are_information() -> None:
    evidence = good(migrations={**good().migrations, "downgrade": [*held(2400), {"event": "done", "t": 2500, "heads": ["a1"]}]})
    record = judge(evidence)
    assert [(one["code"], one["severity"], one["stage"]) for one in record["findings"]] == [("lock-blocks-reads", INFO, "downgrade")]
    assert record["findings"][0]["message"].startswith("the way back blocked reads and writes on t for 2.4 s")


def test_what_a_failed_upgrade_left_is_told_from_its_timeline() -> None:
    left = {"event": "objects", "t": 5.0, "indexes_invalid": [{"name": "ix", "table": "t", "new": True}, {"name": "old", "table": "t", "new": False}],
            "constraints_not_valid": [{"name": "ck", "table": "t", "new": True}, {"name": "older", "table": "t", "new": False}]}  # fmt: skip
    events = [*good().migrations["upgrade"], left]
    failed = dataclasses.replace(good(migrations={"upgrade": events}), snapshots={"before": good().snapshots["before"]}, fingerprints={})
    found = {(one["code"], one["object"]) for one in judge(failed)["findings"] if one["stage"] == "upgrade"}
    assert found == {("index-invalid", "ix"), ("constraint-not-valid", "t.ck")}
    measured = judge(good(migrations={**good().migrations, "upgrade": events}))
    assert measured["findings"] == [], "the snapshot has the last word"


def test_the_record_has_windows_from_the_first_revision_on() -> None:
    events = [{**event, "t": event["t"] + 100, **{key: event[key] + 100 for key in ("t0", "t1") if key in event}} for event in two_revisions()]
    run = timeline_record.record_of(timeline_summary.summarise(events))
    assert (run["mode"], run["downtime_ms"], run["tables_left_out"]) == ("one transaction", 1601, 0)
    assert run["longest_window"] == {"table": "t", "what": "reads", "ms": 1601}
    owner = {"took": [{"revision": "a1", "sql": "ALTER TABLE t"}], "kept": [{"revision": "a2", "sql": "UPDATE u", "ms": 1594}]}
    window = {"total_ms": 1601, "longest_ms": 1601, "other_mode_ms": 3, "windows": [[0, 1601]], "owners": [owner], "took": ["a1"], "kept": ["a2"]}
    assert run["tables"] == [{"table": "t", "reads": window, "writes": window}]


def test_the_record_says_the_predicted_downtime_and_the_report_who_waits() -> None:
    record = judge(good())
    assert (record["downtime_ms"], record["longest_window"]) == (1.5, {"table": "shifts", "what": "reads", "ms": 1.5})
    text = report_markdown.markdown(record)
    assert "| shifts | reads | 1.5 ms | 1.5 ms | 0.8 ms | b2 |" in text
    assert "| `b2` | Add a column | 2 ms | shifts AccessExclusive | 1.5 ms | 1.5 ms |  | 0 | 1 kB | 2 ms |" in text


@pytest.mark.parametrize(("ms", "text"), [(0.44, "0.4 ms"), (9.96, "10 ms"), (350.4, "350 ms"), (1000, "1 s"), (2449, "2.4 s"), (62000, "62 s")])
def test_durations_as_people_say_them(ms: float, text: str) -> None:
    assert words.duration(ms) == text


def test_what_could_not_be_measured_is_told_with_its_statement() -> None:
    own = {**statement(1, 2), "sql": "ALTER TABLE t ADD x int", "measured": False}
    message = said([current(), *begin("a1", 0), own, commit(6)])["untracked-sql"]
    assert message.startswith("revision a1 ran 1 statement over a connection that could not be asked") and "«ALTER TABLE t ADD x int»" in message


def test_what_nobody_was_seen_to_do_is_told_although_it_has_a_beginning() -> None:
    event = {"event": "untracked", "t": 5.0, "t0": 1.0, "connection": 1, "revision": "a1", "locks": [lock("t")], "wal": 1}
    assert "untracked-sql" not in said([current(), *begin("a1", 0), event, commit(6)])
    assert "(on t)" in said([current(), *begin("a1", 0), {**event, "unseen": True}, commit(6)])["untracked-sql"]
