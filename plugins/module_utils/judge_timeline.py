# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the timeline of a run says against it: who would have waited, for how long, by whose doing. Pure.

A small table gives no finding by its size; a lock that was held too long gives one whatever the size of its table, for what waits behind it
is traffic.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Collection, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import timeline
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge_data import Said
from ansible_collections.migrations.rehearsal.plugins.module_utils.other_mode import compare_modes
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Budgets
from ansible_collections.migrations.rehearsal.plugins.module_utils.timeline import READS, WRITES, Blocked, Event, Hold
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import Text, text

# Emptying a table, rebuilding an index or a materialized view is what was asked for, not the hidden price of an ALTER TABLE.
_NO_REWRITE_OF_DATA = ("truncate", "reindex", "refresh")
_CREATE_INDEX = re.compile(r"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY\b)", re.IGNORECASE)
_CODES = {READS: "lock-blocks-reads", WRITES: "lock-blocks-writes"}
_SQL_CHARACTERS = 120
_MOST_NAMED = 8


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How large the tables were before the run, as far as it was measured."""

    rows: Mapping[str, int]
    size_bytes: Mapping[str, int]

    def is_small(self, table: str, budgets: Budgets) -> bool:
        """What was not measured is not small."""
        rows, size = self.rows.get(table), self.size_bytes.get(table)
        if rows is None and size is None:
            return False
        return (rows or 0) < budgets.small_table_rows and (size or 0) < budgets.small_table_mb * 1_000_000

    def text(self, table: str) -> Text:
        """`1,200,000 rows, 310 MB`, as far as it is known."""
        parts: List[str] = [text("{rows:count row|rows}", rows=self.rows[table])] if table in self.rows else []
        if self.size_bytes.get(table):
            parts.append(text("{bytes:megabytes}", bytes=self.size_bytes[table]))
        return text("{parts:list}", parts=parts) if parts else text("size not known")


def sizes(events: Sequence[Event], rows: Mapping[str, int]) -> Sizes:
    """Sizes in bytes are the agent's own, `rows` those of the fingerprint or the manifest."""
    measured = [entry for event in events if event["event"] == "objects" for entry in event.get("sizes") or ()]
    return Sizes(rows, {entry["relation"]: entry["before"] for entry in measured if entry.get("before") is not None})


def of_upgrade(events: Sequence[Event], known: Sizes, budgets: Budgets, own: Collection[str], alike: bool) -> Iterator[Said]:
    """Everything that the upgrade's timeline says. `own`: Alembic's tables. `alike`: blocked writes weigh no more than blocked reads."""
    held = timeline.holds(events)
    entries = timeline.blocked(events, held)
    over = list(_over_budget(entries, budgets, alike))
    for entry, what in over:
        yield _CODES[entry.what], entry.table, _lock_message(events, entry, what, budgets, held), None
    if over:
        yield from _one_transaction(events, held, entries, budgets)
    yield from _rewrites(events, known, budgets)
    yield from _scans(events, held, known, budgets)
    yield from _indexes(events, held, known, budgets)
    yield from _no_lock_timeout(events, known, budgets, own)
    yield from _untracked(events)


def of_way_back(events: Sequence[Event], budgets: Budgets) -> Iterator[Said]:
    """Locks of the downgrade: to be known, but it is the night in which all has gone wrong already."""
    held = timeline.holds(events)
    for entry, what in _over_budget(timeline.blocked(events, held), budgets, True):
        message = text("the way back {blocked}", blocked=_lock_message(events, entry, what, budgets, held))
        yield _CODES[entry.what], entry.table, message, "info"
    yield from _untracked(events)


def left_by_failure(events: Sequence[Event]) -> Iterator[Said]:
    """What a run that ended before the snapshot "after" left behind; a snapshot says the same better."""
    for event in events:
        if event["event"] == "objects":
            for index in event.get("indexes_invalid") or ():
                if index.get("new", True):
                    yield (
                        "index-invalid",
                        index["name"],
                        text("index {index} on {table} was left invalid", index=index["name"], table=index["table"]),
                        None,
                    )
            for constraint in event.get("constraints_not_valid") or ():
                name = f"{constraint['table']}.{constraint['name']}"
                if constraint.get("new", True):
                    yield "constraint-not-valid", name, text("{name} was left NOT VALID", name=name), None


def fence(runs: Mapping[str, Sequence[Event]]) -> Iterator[Said]:
    """Ways that the fence does not close, told once; and the programs that were started behind it."""
    open_ways: Dict[str, None] = {}
    programs: Dict[str, Set[str]] = {}
    for events in runs.values():
        for event in events:
            if event["event"] == "hello":
                open_ways.update(dict.fromkeys(event.get("open_ways") or ()))
            elif event["event"] == "process":
                programs.setdefault(str(event["program"]), set()).update(filter(None, [event.get("revision")]))
    if open_ways:
        yield "fence-open", "", text("the fence does not reach: {ways:semicolons}", ways=[text("{way:heard}", way=way) for way in open_ways]), None
    for program, revisions in sorted(programs.items()):
        if revisions:
            values = {"program": program, "revisions": sorted(revisions)}
            said = text("revision {revisions:list} started {program}: where it connects was not seen", **values)
            yield "program-started", program, said, None
        else:
            said = text("the application started {program} outside the revisions; where it connects was not seen", program=program)
            yield "program-started", program, said, "info"


def shorten(sql: str) -> str:
    """A statement as it stands in a message."""
    line = " ".join(sql.split())
    return line if len(line) <= _SQL_CHARACTERS else line[: _SQL_CHARACTERS - 1] + "…"


def _over_budget(entries: Sequence[Blocked], budgets: Budgets, alike: bool) -> Iterator[Tuple[Blocked, str]]:
    """The longest first, with what is blocked in words."""
    allowed = {READS: budgets.blocked_reads_ms, WRITES: budgets.blocked_writes_ms}
    reads = {entry.table: entry for entry in entries if entry.what == READS}
    longest = {(entry.table, entry.what): entry.longest_ms for entry in entries}
    for entry in sorted(entries, key=lambda one: (-one.longest_ms, one.table, one.what)):
        if entry.longest_ms <= allowed[entry.what]:
            continue
        if entry.what == READS:
            both = alike and longest.get((entry.table, WRITES)) == entry.longest_ms
            yield entry, f"{READS} and {WRITES}" if both else READS
        else:
            same = reads.get(entry.table)
            # What blocks reads blocks writes too: the finding about reads says both.
            if not (alike and same and same.longest_ms == entry.longest_ms and same.longest_ms > allowed[READS]):
                yield entry, WRITES


def _lock_message(events: Sequence[Event], entry: Blocked, what: str, budgets: Budgets, held: Sequence[Hold]) -> Text:
    allowed = budgets.blocked_reads_ms if entry.what == READS else budgets.blocked_writes_ms
    start, end = max(entry.windows, key=lambda window: window[1] - window[0])
    parts: List[str] = [
        text(
            "blocked {what} on {table} for {ms:duration}, budget {allowed:duration}",
            what=_TRAFFIC[what],
            table=entry.table,
            ms=entry.longest_ms,
            allowed=allowed,
        )
    ]
    taken = _taken(held, entry, start)
    if taken:
        parts.append(text(": taken by {whose} with «{sql}»", whose=_whose(taken.revision), sql=shorten(taken.sql)))
    kept = timeline.longest_statement(events, start, end)
    if kept and (taken is None or kept["t0"] != taken.start):
        spent = min(float(kept["t1"]), end) - max(float(kept["t0"]), start)
        values = {"whose": _whose(kept.get("revision")), "sql": shorten(kept["sql"]), "ms": spent}
        parts.append(text(", then kept while {whose} ran «{sql}» for {ms:duration}", **values))
    return text("{parts:joined}", parts=parts)


_TRAFFIC: Mapping[str, Text] = {READS: text("reads"), WRITES: text("writes"), f"{READS} and {WRITES}": text("reads and writes")}


def _whose(revision: Optional[str]) -> Text:
    return text("revision {revision}", revision=revision) if revision else text("what runs outside the revisions")


def _taken(held: Sequence[Hold], entry: Blocked, start: float) -> Optional[Hold]:
    found = (hold for hold in held if hold.table == entry.table and hold.start == start and entry.what in timeline.blocks(hold.mode))
    return next(found, None)


def _one_transaction(events: Sequence[Event], held: Sequence[Hold], entries: Sequence[Blocked], budgets: Budgets) -> Iterator[Said]:
    revisions = timeline.spans(events)
    if timeline.transaction_mode(events) != timeline.ONE_TRANSACTION or len(revisions) < 2:
        return
    allowed = {READS: budgets.blocked_reads_ms, WRITES: budgets.blocked_writes_ms}
    gains = [
        mode
        for mode in compare_modes(events, held, entries)
        # Else the mode is not what holds it.
        if mode.measured_ms > allowed[mode.what] and (mode.other_ms <= allowed[mode.what] or mode.measured_ms - mode.other_ms > allowed[mode.what])
    ]
    if not gains:
        return
    most = max(gains, key=lambda mode: (mode.measured_ms - mode.other_ms, mode.table, mode.what))
    tables = len({mode.table for mode in gains})
    message = text(
        "all {count} revisions run in one transaction, so every lock is held until its end: {what} of {table} were blocked for {ms:duration}; "
        "with transaction_per_migration it would be {other:duration} (computed)",
        count=len(revisions),
        what=_TRAFFIC[most.what],
        table=most.table,
        ms=most.measured_ms,
        other=most.other_ms,
    )
    if tables > 1:
        message = text("{message}, and {more} more {more:plural table|tables} would gain as much", message=message, more=tables - 1)
    yield "one-transaction-holds-all", "", message, None


def _statements(events: Sequence[Event]) -> Iterator[Event]:
    return (event for event in events if event["event"] in ("statement", "untracked"))


def _ms(event: Event) -> float:
    return float(event["t1"]) - float(event["t0"]) if "t0" in event and "t1" in event else 0.0


def _in_time(event: Event) -> str:
    """How long a statement took; nothing for what was done between two."""
    return text(" in {ms:duration}", ms=_ms(event)) if "t0" in event else ""


def _ran(event: Event) -> str:
    return text("«{sql}»", sql=shorten(event["sql"])) if event.get("sql") else text("something between two statements")


def _rewrites(events: Sequence[Event], known: Sizes, budgets: Budgets) -> Iterator[Said]:
    for event in _statements(events):
        for rewrite in event.get("rewrites") or ():
            table = rewrite["relation"]
            if rewrite["kind"] == "table" and rewrite["reason"] not in _NO_REWRITE_OF_DATA and not known.is_small(table, budgets):
                wal = event.get("wal")
                message = text(
                    "{whose} wrote the whole of {table} anew ({size}){in_time}{written}; reason: {reason}: {ran}",
                    whose=_whose(event.get("revision")),
                    table=table,
                    size=known.text(table),
                    in_time=_in_time(event),
                    written=text(", {bytes:megabytes} of WAL", bytes=wal) if wal else "",
                    reason=rewrite["reason"],
                    ran=_ran(event),
                )
                yield "table-rewrite", table, message, None


def _scans(events: Sequence[Event], held: Sequence[Hold], known: Sizes, budgets: Budgets) -> Iterator[Said]:
    """A table read in full while its reads or writes wait, without being rewritten. What builds an index has a finding of its own."""
    told: Set[Tuple[str, str]] = set()
    for event in _statements(events):
        if _CREATE_INDEX.match(event.get("sql", "")):
            continue
        rewritten = {rewrite["relation"] for rewrite in event.get("rewrites") or ()}
        for scan in event.get("scans") or ():
            table = scan["relation"]
            lock = holding(held, event, table)
            key = (table, str(event.get("revision")))
            if lock is None or table in rewritten or key in told or known.is_small(table, budgets):
                continue
            # A few rows are no matter, unless they are all of a table that is large by its bytes.
            if scan["rows"] < min(budgets.small_table_rows, known.rows.get(table, budgets.small_table_rows)):
                continue
            told.add(key)
            message = text(
                "{rows:count row|rows} of {table} {rows:plural was|were} read{in_time} under {mode}Lock by {whose}: {ran}",
                rows=scan["rows"],
                table=table,
                in_time=_in_time(event),
                mode=lock.mode,
                whose=_whose(event.get("revision")),
                ran=_ran(event),
            )
            yield "scan-under-lock", table, message, None


def holding(held: Sequence[Hold], event: Event, table: str) -> Optional[Hold]:
    """The strongest lock on the table that the statement's own connection holds when it ends, of those that keep traffic waiting."""
    end = float(event.get("t1", event["t"]))
    found = [
        hold
        for hold in held
        if hold.table == table
        and hold.connection == event.get("connection")
        and hold.start <= end <= hold.end
        and WRITES in timeline.blocks(hold.mode)
    ]
    return max(found, key=lambda hold: len(timeline.blocks(hold.mode)), default=None)


def _indexes(events: Sequence[Event], held: Sequence[Hold], known: Sizes, budgets: Budgets) -> Iterator[Said]:
    for event in _statements(events):
        if event.get("failed") or not _CREATE_INDEX.match(event.get("sql", "")) or _ms(event) <= budgets.index_build_ms:
            continue
        # An index on a table that the migration itself made has no lock on anything that was there.
        tables = [scan["relation"] for scan in event.get("scans") or ()] or [lock["table"] for lock in event.get("locks") or ()]
        for table in dict.fromkeys(tables):
            if holding(held, event, table) is not None and not known.is_small(table, budgets):
                message = text(
                    "{whose} built an index on {table} ({size}) and blocked its writes for {ms:duration}, budget {allowed:duration}: «{sql}»",
                    whose=_whose(event.get("revision")),
                    table=table,
                    size=known.text(table),
                    ms=_ms(event),
                    allowed=budgets.index_build_ms,
                    sql=shorten(event["sql"]),
                )
                yield "index-not-concurrent", table, message, None


def _no_lock_timeout(events: Sequence[Event], known: Sizes, budgets: Budgets, own: Collection[str]) -> Iterator[Said]:
    tables: Dict[str, None] = {}
    statements = 0
    for event in _statements(events):
        if str(event.get("lock_timeout")) != "0":
            continue
        waiting = [lock["table"] for lock in event.get("locks") or () if lock["kind"] not in "Sv" and WRITES in timeline.blocks(lock["mode"])]
        large = [table for table in waiting if table not in own and not known.is_small(table, budgets)]
        statements += bool(large)
        tables.update(dict.fromkeys(large))
    if tables:
        values = {"tables": list(tables), "count": statements}
        message = text(
            "{count:count statement takes a lock|statements take locks} on {tables:list 8} without a lock_timeout: "
            "while it waits for its turn, all traffic waits behind it",
            **values,
        )
        yield "no-lock-timeout", "", message, None


def _untracked(events: Sequence[Event]) -> Iterator[Said]:
    done: Dict[str, List[str]] = {}
    for event in events:
        # What known statements did together is accounted for.
        if event["event"] == "untracked" and (event.get("unseen") or "t0" not in event):
            # SELECT setval() and nextval() lock their sequence, and nobody waits for that.
            locks = [lock["table"] for lock in event.get("locks") or () if lock["kind"] != "S"]
            found = [rewrite["relation"] for rewrite in event.get("rewrites") or ()] + [scan["relation"] for scan in event.get("scans") or ()]
            if event.get("locks") and not locks and not found:
                continue
            found = locks + found
            done.setdefault(event.get("revision") or "", []).extend(found)
    for revision, tables in done.items():
        named = text("{tables:list}", tables=sorted(set(tables))[:_MOST_NAMED]) if tables else text("no table that was there before")
        message = text(
            "{whose} did something that no statement accounts for (on {named}): its times are too short or unknown",
            whose=_whose(revision),
            named=named,
        )
        yield "untracked-sql", revision, message, None
    unmeasured: Dict[str, List[Event]] = {}
    for event in events:
        if event["event"] == "statement" and event.get("measured") is False:
            unmeasured.setdefault(event.get("revision") or "", []).append(event)
    for revision, unknown in unmeasured.items():
        message = text(
            "{whose} ran {count:count statement|statements} over a connection that could not be asked what it did: no lock and no rewrite of "
            "{count:plural it|them} is known; the first is «{sql}»",
            whose=_whose(revision),
            count=len(unknown),
            sql=shorten(unknown[0]["sql"]),
        )
        yield "untracked-sql", revision, message, None
    for event in events:
        if event["event"] == "measuring_failed":
            values = {"whose": _whose(event.get("revision")), "kind": str(event.get("kind")), "message": str(event.get("message"))}
            message = text("from {whose} on, locks and rewrites were not measured: {kind}: {message}", **values)
            yield "timeline-incomplete", event.get("revision") or "", message, None
