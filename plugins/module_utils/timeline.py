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

from ansible_collections.migrations.rehearsal.plugins.module_utils.names import DEFAULT_SCHEMA, object_name

Event = Mapping[str, Any]
Window = Tuple[float, float]

READS, WRITES, DDL = "reads", "writes", "ddl"
# What an application does all the time, and what is not: ALTER TABLE, DROP, the autovacuum that gives space back.
TRAFFIC = (READS, WRITES)

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

# As PostgreSQL's documentation orders them, from what keeps least waiting to what keeps most.
MODES = tuple(_BLOCKS)

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


def version_tables(events: Sequence[Event]) -> FrozenSet[str]:
    """Alembic's own, with their schema unless that is public."""
    names = set()
    for event in events:
        if event["event"] == "current":
            names.add(object_name(event.get("version_table_schema") or DEFAULT_SCHEMA, event["version_table"]))
    return frozenset(names)


def _last_time(events: Sequence[Event]) -> float:
    return max((float(event["t"]) for event in events if event.get("t") is not None), default=0.0)


def holds(events: Sequence[Event]) -> List[Hold]:
    """Every lock on a relation that existed before the run, Alembic's own version table aside, in the order of taking."""
    ignored = version_tables(events)
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
    # One env.py may run its migrations several times, on one database after the other or on one schema after the other.
    ends: Dict[Tuple[str, str], List[Event]] = {}
    for event in events:
        if event["event"] == "revision_end":
            ends.setdefault((event["revision"], event["direction"]), []).append(event)
    last = max(
        (float(event["t1"]) for event in events if event["event"] in ("commit", "rollback") and event.get("t1") is not None),
        default=_last_time(events),
    )
    found = []
    for number, event in enumerate(begins):
        start = float(event["t"])
        end = float(begins[number + 1]["t"]) if number + 1 < len(begins) else max(last, start)
        own = (ended for ended in ends.get((event["revision"], event["direction"]), ()) if start <= float(ended["t"]) <= end)
        ms = next((float(ended["ms"]) for ended in own), round(end - start, 3))
        found.append(Span(event["revision"], event["direction"], event.get("message") or "", start, end, ms))
    return found


def whole_s(found: Sequence[Span]) -> float:
    """Seconds from the begin of the first revision to the last commit."""
    return round((max(span.end for span in found) - min(span.start for span in found)) / 1000, 3)


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


def blocked(events: Sequence[Event], found: Optional[Sequence[Hold]] = None, kinds: Sequence[str] = TRAFFIC) -> List[Blocked]:
    """For each table and each of `kinds`: when it is blocked. Sequences and views are nobody's tables."""
    revisions = spans(events)
    ends = [span.end for span in revisions]
    result = []
    for (table, what), group in sorted(by_traffic(holds(events) if found is None else found, kinds).items()):
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


def by_traffic(found: Iterable[Hold], kinds: Sequence[str] = TRAFFIC) -> Dict[Tuple[str, str], List[Hold]]:
    """(table, one of `kinds`) → the locks that keep it waiting."""
    grouped: Dict[Tuple[str, str], List[Hold]] = {}
    for hold in found:
        if hold.kind in ("r", "p", "m", "i", "I", "f"):
            for what in kinds:
                if what in blocks(hold.mode):
                    grouped.setdefault((hold.table, what), []).append(hold)
    return grouped


def downtime_ms(found: Sequence[Blocked]) -> float:
    """Time in which some table blocks its reads or writes: what users would notice at worst."""
    return total_ms(union(window for entry in found for window in entry.windows))


@dataclasses.dataclass(frozen=True)
class Transaction:
    """From its first statement to the end of the COMMIT or ROLLBACK that ended it; `ended` is None where the process ended within it."""

    connection: Optional[int]
    start: float
    end: float
    ended: Optional[str]
    # What the COMMIT or ROLLBACK itself took.
    end_ms: float
    revisions: Tuple[str, ...]
    statements: int


def transactions(events: Sequence[Event]) -> List[Transaction]:
    """The transactions in the order of their ends; one of which no statement was seen has none."""
    within: Dict[Optional[int], List[Event]] = {}
    found: List[Transaction] = []

    def ends(connection: Optional[int], end: float, ended: Optional[str], end_ms: float) -> None:
        own = within.pop(connection, [])
        if own:
            revisions = tuple(dict.fromkeys(event["revision"] for event in own if event.get("revision")))
            found.append(Transaction(connection, float(own[0]["t0"]), end, ended, round(end_ms, 3), revisions, len(own)))

    for event in events:
        if event["event"] == "statement" and not event.get("autocommit"):
            within.setdefault(event.get("connection"), []).append(event)
        elif event["event"] in ("commit", "rollback"):
            ends(event.get("connection"), float(event["t1"]), event["event"], float(event["t1"]) - float(event["t0"]))
    last = _last_time(events)
    for connection in list(within):
        ends(connection, last, None, 0.0)
    return found


def transaction_mode(events: Sequence[Event]) -> str:
    """How Alembic ran the revisions; projects with a transaction of their own around everything count as one transaction."""
    current = next((event for event in events if event["event"] == "current"), None)
    return PER_MIGRATION if current is not None and current.get("transaction_per_migration") else ONE_TRANSACTION


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
