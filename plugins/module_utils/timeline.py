# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the timeline means: which traffic is blocked on which table, from when to when, by whose doing.

Pure functions over the agent's events (see docs/evidence.md); all times in milliseconds since the agent's start. A lock counts from the start of the
statement that took it, so every figure is an upper bound that is too high by at most the part of that statement before the lock.
"""

from __future__ import annotations

import bisect
import dataclasses
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, Optional, Sequence, Tuple

Event = Mapping[str, Any]
Window = Tuple[float, float]

READS, WRITES, DDL = "reads", "writes", "ddl"

# PostgreSQL's table of conflicting lock modes, from the point of view of SELECT (AccessShare), of INSERT/UPDATE/DELETE (RowExclusive; SELECT FOR
# UPDATE takes RowShare) and of ALTER TABLE (AccessExclusive).
_BLOCKS: Dict[str, FrozenSet[str]] = {
    "AccessShare": frozenset({DDL}),
    "RowShare": frozenset({DDL}),
    "RowExclusive": frozenset({DDL}),
    "ShareUpdateExclusive": frozenset({DDL}),
    "Share": frozenset({WRITES, DDL}),
    "ShareRowExclusive": frozenset({WRITES, DDL}),
    "Exclusive": frozenset({WRITES, DDL}),
    "AccessExclusive": frozenset({READS, WRITES, DDL}),
}

ONE_TRANSACTION = "one transaction"
PER_MIGRATION = "transaction_per_migration"


def blocks(mode: str) -> FrozenSet[str]:
    """Which of reads, writes and ddl a lock of this mode keeps waiting."""
    return _BLOCKS[mode]


@dataclasses.dataclass(frozen=True)
class Hold:
    """A lock, from the statement that took it to the end that released it."""

    relation: str
    table: str
    kind: str
    mode: str
    start: float
    end: float
    connection: Optional[int]
    revision: Optional[str]
    sql: str

    @property
    def ms(self) -> float:
        return round(self.end - self.start, 3)


@dataclasses.dataclass(frozen=True)
class Span:
    """The time that belongs to a revision: until the next one begins or the run ends."""

    revision: str
    direction: str
    message: str
    start: float
    end: float
    ms: float


def _version_tables(events: Sequence[Event]) -> FrozenSet[str]:
    names = set()
    for event in events:
        if event["event"] == "current":
            schema = event.get("version_table_schema")
            names.add(f"{schema}.{event['version_table']}" if schema and schema != "public" else event["version_table"])
    return frozenset(names)


def _last_time(events: Sequence[Event]) -> float:
    return max((float(event["t"]) for event in events if event.get("t") is not None), default=0.0)


def holds(events: Sequence[Event]) -> List[Hold]:
    """Every lock on a relation that existed before the run, Alembic's own version table aside, in the order of taking."""
    ignored = _version_tables(events)
    found: List[Hold] = []
    # (relation, mode) → hold, for each connection; `end` is filled in when it is known.
    held: Dict[Any, Dict[Tuple[str, str], Hold]] = {}
    for event in events:
        name = event["event"]
        connection = event.get("connection")
        if name in ("statement", "untracked"):
            mine = held.setdefault(connection, {})
            end = float(event.get("t1", event["t"]))
            for lock in event.get("released", ()):
                hold = mine.pop((lock["relation"], lock["mode"]), None)
                if hold is not None:
                    found.append(dataclasses.replace(hold, end=end))
            for lock in event.get("locks", ()):
                if lock["table"] in ignored:
                    continue
                hold = Hold(
                    relation=lock["relation"],
                    table=lock["table"],
                    kind=lock["kind"],
                    mode=lock["mode"],
                    start=float(event.get("t0", event["t"])),
                    end=end,
                    connection=connection,
                    revision=event.get("revision"),
                    sql=event.get("sql", ""),
                )
                if event.get("autocommit"):
                    found.append(hold)
                else:
                    mine[(hold.relation, hold.mode)] = hold
        elif name in ("commit", "rollback"):
            for hold in held.pop(connection, {}).values():
                found.append(dataclasses.replace(hold, end=float(event["t1"])))
    # The process ended within a transaction.
    last = _last_time(events)
    for mine in held.values():
        found.extend(dataclasses.replace(hold, end=last) for hold in mine.values())
    return sorted(found, key=lambda hold: (hold.start, hold.relation, hold.mode))


def spans(events: Sequence[Event]) -> List[Span]:
    """The revisions in the order in which they ran."""
    begins = [event for event in events if event["event"] == "revision_begin"]
    ends = {(event["revision"], event["direction"]): float(event["ms"]) for event in events if event["event"] == "revision_end"}
    last = max(
        (float(event["t1"]) for event in events if event["event"] in ("commit", "rollback") and event.get("t1") is not None),
        default=_last_time(events),
    )
    found = []
    for number, event in enumerate(begins):
        start = float(event["t"])
        end = float(begins[number + 1]["t"]) if number + 1 < len(begins) else max(last, start)
        ms = ends.get((event["revision"], event["direction"]), round(end - start, 3))
        found.append(Span(event["revision"], event["direction"], event.get("message") or "", start, end, ms))
    return found


def union(windows: Iterable[Window]) -> List[Window]:
    """The same time, in windows that do not overlap, in order."""
    merged: List[Window] = []
    for start, end in sorted(windows):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def total_ms(windows: Iterable[Window]) -> float:
    return round(sum(end - start for start, end in windows), 3)


def longest_ms(windows: Iterable[Window]) -> float:
    return round(max((end - start for start, end in windows), default=0.0), 3)


@dataclasses.dataclass(frozen=True)
class Blocked:
    """Time in which one kind of traffic on one table has to wait. `shares` is what each revision's time has of it."""

    table: str
    what: str
    windows: Tuple[Window, ...]
    total_ms: float
    longest_ms: float
    shares: Mapping[str, float]
    took: Tuple[str, ...]
    kept: Tuple[str, ...]


def _overlap(span: Span, window: Window) -> float:
    start = span.start if span.start > window[0] else window[0]
    end = span.end if span.end < window[1] else window[1]
    return end - start if end > start else 0.0


def blocked(events: Sequence[Event], found: Optional[Sequence[Hold]] = None) -> List[Blocked]:
    """For each table and each of reads and writes: when it is blocked. Sequences and views are not traffic's tables."""
    revisions = spans(events)
    ends = [span.end for span in revisions]
    result = []
    for (table, what), group in sorted(_by_traffic(holds(events) if found is None else found).items()):
        windows = union((hold.start, hold.end) for hold in group)
        shares = {}
        # Spans follow one another: those that end before the first window begins, or begin after the last ends, have no part in it.
        for span in revisions[bisect.bisect_left(ends, windows[0][0]) :]:
            if span.start > windows[-1][1]:
                break
            share = round(sum(_overlap(span, window) for window in windows), 3)
            if share:
                shares[span.revision] = share
        took = tuple(dict.fromkeys(hold.revision for hold in group if hold.revision))
        kept = tuple(revision for revision in shares if revision not in took)
        result.append(Blocked(table, what, tuple(windows), total_ms(windows), longest_ms(windows), shares, took, kept))
    return result


def _by_traffic(found: Iterable[Hold]) -> Dict[Tuple[str, str], List[Hold]]:
    """(table, reads or writes) → the locks that keep it waiting."""
    grouped: Dict[Tuple[str, str], List[Hold]] = {}
    for hold in found:
        if hold.kind in ("r", "p", "m", "i", "I", "f"):
            for what in (READS, WRITES):
                if what in blocks(hold.mode):
                    grouped.setdefault((hold.table, what), []).append(hold)
    return grouped


def _blocked_during(span: Span, windows: Sequence[Window]) -> float:
    """Time of a revision in which some table has its traffic waiting, whoever took the lock; several tables at a time count once."""
    return total_ms(union((max(span.start, start), min(span.end, end)) for start, end in windows if min(span.end, end) > max(span.start, start)))


def downtime_ms(found: Sequence[Blocked]) -> float:
    """Time in which some table blocks its reads or writes: what users would notice at worst."""
    return total_ms(union(window for entry in found for window in entry.windows))


def transaction_mode(events: Sequence[Event]) -> str:
    """How Alembic ran the revisions; projects with a transaction of their own around everything count as one transaction."""
    current = next((event for event in events if event["event"] == "current"), None)
    return PER_MIGRATION if current is not None and current.get("transaction_per_migration") else ONE_TRANSACTION


def holds_in_other_mode(events: Sequence[Event]) -> List[Hold]:
    """The locks as they would be held with the other setting of `transaction_per_migration`."""
    measured = holds(events)
    if transaction_mode(events) == ONE_TRANSACTION:
        ends = _own_ends(events)
        return [_until_own_end(hold, ends) for hold in measured]
    ends_of_one = _EndsOfOne(events)
    return [ends_of_one.held(hold) for hold in measured]


def _commits_ms(events: Sequence[Event]) -> float:
    """What one more commit costs: the median of those that were measured."""
    times = sorted(float(event["t1"]) - float(event["t0"]) for event in events if event["event"] == "commit")
    return times[len(times) // 2] if times else 0.0


def _own_ends(events: Sequence[Event]) -> Dict[str, List[Tuple[Span, Optional[float]]]]:
    """Revision → its spans, each with the end of its last statement and of the commit that would follow it; None without statements."""
    commit = _commits_ms(events)
    statements: Dict[str, List[float]] = {}
    for event in events:
        if event["event"] == "statement" and event.get("revision"):
            statements.setdefault(event["revision"], []).append(float(event["t1"]))
    found: Dict[str, List[Tuple[Span, Optional[float]]]] = {}
    for span in spans(events):
        own = [end for end in statements.get(span.revision, ()) if end <= span.end]
        found.setdefault(span.revision, []).append((span, max(own) + commit if own else None))
    return found


def _until_own_end(hold: Hold, ends: Mapping[str, Sequence[Tuple[Span, Optional[float]]]]) -> Hold:
    found = next(((span, end) for span, end in ends.get(hold.revision or "", ()) if span.start <= hold.start <= span.end), None)
    if found is None or found[1] is None:
        return hold
    return dataclasses.replace(hold, end=min(hold.end, found[1]))


class _EndsOfOne:
    """Where locks would end in one transaction: at the next statement outside it (`autocommit_block` commits first), or with the last one."""

    def __init__(self, events: Sequence[Event]) -> None:
        autocommitted = [float(event["t0"]) for event in events if event["event"] == "statement" and event.get("autocommit")]
        self._autocommitted = frozenset(autocommitted)
        commits = sorted(float(event["t1"]) for event in events if event["event"] == "commit")
        self._outside = sorted(autocommitted)
        # A later statement outside it has a later commit before it, so the first of them is the cut.
        self._cuts = [self._commit_before(commits, start) for start in self._outside]
        ended = (float(event["t1"]) for event in events if event["event"] in ("commit", "rollback") and event.get("revision"))
        self._last: Optional[float] = max(ended, default=None)

    @staticmethod
    def _commit_before(commits: Sequence[float], start: float) -> float:
        number = bisect.bisect_right(commits, start)
        return commits[number - 1] if number else start

    def held(self, hold: Hold) -> Hold:
        if hold.start in self._autocommitted:
            return hold
        following = bisect.bisect_left(self._outside, hold.end)
        if following < len(self._cuts):
            return dataclasses.replace(hold, end=max(hold.end, self._cuts[following]))
        return hold if self._last is None else dataclasses.replace(hold, end=max(hold.end, self._last))


@dataclasses.dataclass(frozen=True)
class OtherMode:
    """A table's blocked time as measured and with the other setting of `transaction_per_migration`."""

    table: str
    what: str
    measured_ms: float
    other_ms: float


def compare_modes(events: Sequence[Event], measured: Optional[Sequence[Blocked]] = None) -> List[OtherMode]:
    """What the other transaction mode would change, for each table and kind of traffic: the longest single window."""
    grouped = _by_traffic(holds_in_other_mode(events))
    other = {key: longest_ms(union((hold.start, hold.end) for hold in group)) for key, group in grouped.items()}
    found = blocked(events) if measured is None else measured
    return [OtherMode(entry.table, entry.what, entry.longest_ms, other.get((entry.table, entry.what), 0.0)) for entry in found]


def statements_of(events: Sequence[Event], revision: str, direction: str) -> List[Event]:
    """The statements of one revision, Alembic's own bookkeeping included."""
    span = next((span for span in spans(events) if span.revision == revision and span.direction == direction), None)
    if span is None:
        return []
    return [
        event for event in events if event["event"] == "statement" and event.get("revision") == revision and span.start <= event["t0"] <= span.end
    ]


def longest_statement(events: Sequence[Event], start: float, end: float) -> Optional[Event]:
    """The statement that took most of a window: what kept a lock there."""
    within = [event for event in events if event["event"] == "statement" and event["t1"] > start and event["t0"] < end]
    return max(within, key=lambda event: min(event["t1"], end) - max(event["t0"], start), default=None)


def summarise(events: Sequence[Event]) -> Dict[str, Any]:
    """Everything above as plain data, for the record."""
    entries = blocked(events)
    other = {(entry.table, entry.what): entry for entry in compare_modes(events, entries)}
    statements: Dict[Optional[str], List[Event]] = {}
    for event in events:
        if event["event"] == "statement":
            statements.setdefault(event.get("revision"), []).append(event)
    waiting = {what: union(window for entry in entries if entry.what == what for window in entry.windows) for what in (READS, WRITES)}
    revisions = []
    for span in spans(events):
        own = [event for event in statements.get(span.revision, ()) if span.start <= event["t0"] <= span.end]
        revisions.append(
            {
                "revision": span.revision,
                "direction": span.direction,
                "message": span.message,
                "ms": span.ms,
                "statements": len(own),
                "rows": sum(event["rows"] or 0 for event in own),
                "wal_bytes": sum(event.get("wal") or 0 for event in own),
                "rewrites": [rewrite for event in own for rewrite in event.get("rewrites", ())],
                "scans": [scan for event in own for scan in event.get("scans", ())],
                "blocked": {what: _blocked_during(span, windows) for what, windows in waiting.items()},
            }
        )
    return {
        "mode": transaction_mode(events),
        "downtime_ms": downtime_ms(entries),
        "revisions": revisions,
        "blocked": [
            {
                "table": entry.table,
                "what": entry.what,
                "total_ms": entry.total_ms,
                "longest_ms": entry.longest_ms,
                "shares": dict(entry.shares),
                "windows": [list(window) for window in entry.windows],
                "took": list(entry.took),
                "kept": list(entry.kept),
                "other_mode_ms": other[(entry.table, entry.what)].other_ms,
            }
            for entry in entries
        ],
    }
