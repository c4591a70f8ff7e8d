# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the other setting of `transaction_per_migration` would change in who waits for how long. Pure, computed from the timeline that was measured.

One transaction takes each lock once: what a later revision would have had to take itself is read from its statements, by the tables that they name,
and from what they rewrote and scanned. The mode is then at most the one that was held, so the time that is foretold is an upper bound.
"""

from __future__ import annotations

import bisect
import dataclasses
import re
from typing import Dict, Iterator, List, Optional, Sequence, Set, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import timeline
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import own_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.statement_names import bare, names_of, words_of
from ansible_collections.migrations.rehearsal.plugins.module_utils.timeline import MODES, ONE_TRANSACTION, Blocked, Event, Hold, Span

# What a statement needs on the tables that it names, where that is less than AccessExclusive (PostgreSQL's manual: Explicit Locking).
_NEEDS: Tuple[Tuple[str, re.Pattern[str]], ...] = tuple(
    (mode, re.compile(pattern, re.IGNORECASE))
    for mode, pattern in (
        ("AccessShare", r"\s*\(*(?:select|show|set|reset|values|savepoint|release|copy\b.*\bto\b)"),
        ("RowExclusive", r"\s*(?:insert|update|delete|merge|copy|with)\b"),
        ("ShareUpdateExclusive", r"\s*(?:comment\s+on|analyze)\b"),
        ("ShareUpdateExclusive", r"\s*alter\s+table\b[^,]*\s(?:validate\s+constraint|set\s+statistics|attach\s+partition|set\s*\()[^,]*$"),
        ("ShareRowExclusive", r"\s*create\s+(?:or\s+replace\s+)?(?:constraint\s+)?trigger\b"),
        ("ShareRowExclusive", r"\s*alter\s+table\b[^,]*\s(?:enable|disable)\s+(?:replica\s+|always\s+)?trigger\b[^,]*$"),
        ("ShareRowExclusive", r"\s*alter\s+table\b[^,]*\sadd\s+(?:constraint\s+\S+\s+)?foreign\s+key\b[^,]*$"),
        ("Share", r"\s*create\s+(?:unique\s+)?index\b"),
    )
)
_BRACKETS = re.compile(r"\([^()]*\)")
# On a table that a foreign key only refers to.
_NEEDED_BY_REFERENCE = "ShareRowExclusive"


@dataclasses.dataclass(frozen=True)
class OtherMode:
    """A table's longest blocked window as measured and with the other setting of `transaction_per_migration`."""

    table: str
    what: str
    measured_ms: float
    other_ms: float


def compare_modes(events: Sequence[Event], held: Sequence[Hold], measured: Sequence[Blocked]) -> List[OtherMode]:
    """What the other transaction mode would change, for each table and kind of traffic that `measured` (of the holds `held`) knows."""
    longest: Dict[Tuple[str, str], float] = {}
    kinds = sorted({entry.what for entry in measured})
    for group in _transactions(events, held):
        for key, holds in timeline.by_traffic(group, kinds).items():
            longest[key] = max(longest.get(key, 0.0), timeline.longest_ms(timeline.union((hold.start, hold.end) for hold in holds)))
    return [OtherMode(entry.table, entry.what, entry.longest_ms, longest.get((entry.table, entry.what), 0.0)) for entry in measured]


def each_alone_ms(events: Sequence[Event], held: Sequence[Hold]) -> Dict[str, float]:
    """Revision of a run in one transaction → time in which some table's traffic would wait, if it had a transaction of its own."""
    found: Dict[str, float] = {}
    for group in _transactions(events, held):
        windows = [(hold.start, hold.end) for holds in timeline.by_traffic(group).values() for hold in holds]
        if windows and group[0].revision:
            found[group[0].revision] = found.get(group[0].revision, 0.0) + timeline.total_ms(timeline.union(windows))
    return found


def _transactions(events: Sequence[Event], held: Sequence[Hold]) -> List[List[Hold]]:
    """The locks as they would be held; between those of two lists all are given back: a commit follows each revision in a transaction of its own."""
    if timeline.transaction_mode(events) != ONE_TRANSACTION:
        ends_of_one = _EndsOfOne(events)
        return [[ends_of_one.held(hold) for hold in held]]
    ends = _OwnEnds(events)
    groups: Dict[Tuple[Optional[str], float], List[Hold]] = {}
    for hold in [*(ends.cut(hold) for hold in held), *_taken_again(events, held, ends)]:
        span = ends.span(hold.revision, hold.start)
        groups.setdefault((hold.revision, span.start if span else 0.0), []).append(hold)
    return list(groups.values())


class _OwnEnds:
    """Where the transaction of each revision would end if it had one of its own: with its last statement and the commit that would follow it."""

    def __init__(self, events: Sequence[Event]) -> None:
        commit = _commits_ms(events)
        statements: Dict[str, List[float]] = {}
        for event in events:
            if event["event"] == "statement" and event.get("revision"):
                statements.setdefault(event["revision"], []).append(float(event["t1"]))
        self._ends: Dict[str, List[Tuple[Span, Optional[float]]]] = {}
        for span in timeline.spans(events):
            own = [end for end in statements.get(span.revision, ()) if end <= span.end]
            self._ends.setdefault(span.revision, []).append((span, max(own) + commit if own else None))

    def _find(self, revision: Optional[str], at: float) -> Tuple[Optional[Span], Optional[float]]:
        return next(((span, end) for span, end in self._ends.get(revision or "", ()) if span.start <= at <= span.end), (None, None))

    def span(self, revision: Optional[str], at: float) -> Optional[Span]:
        """The time of a revision that a moment belongs to."""
        return self._find(revision, at)[0]

    def cut(self, hold: Hold) -> Hold:
        """A lock, not longer than the transaction of its revision."""
        end = self._find(hold.revision, hold.start)[1]
        return hold if end is None else dataclasses.replace(hold, end=min(hold.end, end))


def _commits_ms(events: Sequence[Event]) -> float:
    """What one more commit costs: the median of those that were measured."""
    times = sorted(float(event["t1"]) - float(event["t0"]) for event in events if event["event"] == "commit")
    return times[len(times) // 2] if times else 0.0


def _taken_again(events: Sequence[Event], held: Sequence[Hold], ends: _OwnEnds) -> Iterator[Hold]:
    """The locks that later revisions would have to take themselves, had the one before not kept them."""
    kept: Dict[Tuple[Optional[int], str], List[Hold]] = {}
    for hold in held:
        for name in sorted({own_name(hold.relation), own_name(hold.table)}):
            kept.setdefault((hold.connection, name), []).append(hold)
    # Thousands of rows can be written one by one: the first statement of its kind says it all.
    told: Set[Tuple[int, str, str]] = set()
    for event in events:
        if event["event"] != "statement" or event.get("autocommit") or not event.get("revision"):
            continue
        t0 = float(event["t0"])
        for name, mode in _needed(event).items():
            for hold in kept.get((event.get("connection"), name), ()):
                if hold.start < t0 < hold.end and hold.revision != event["revision"]:
                    weaker = min(hold.mode, mode, key=MODES.index)
                    if (id(hold), event["revision"], weaker) in told:
                        continue
                    told.add((id(hold), event["revision"], weaker))
                    yield ends.cut(dataclasses.replace(hold, mode=weaker, start=t0, revision=event["revision"], sql=event.get("sql", "")))


def _needed(event: Event) -> Dict[str, str]:
    """Bare name of a relation → the mode in which the statement needs it."""
    found: Dict[str, str] = {}

    def need(name: str, mode: str) -> None:
        found[name] = max(found.get(name, mode), mode, key=MODES.index)

    for part in str(event.get("sql", "")).split(";"):
        # A comma between brackets is none between two actions.
        outline = _BRACKETS.sub("()", _BRACKETS.sub("()", part))
        mode = next((mode for mode, pattern in _NEEDS if pattern.match(outline)), "AccessExclusive")
        if mode == "AccessShare":
            continue
        names = names_of(part)
        for name in [bare(names.table)] if names.table else words_of(part):
            need(name, mode)
        if names.foreign_key:
            need(bare(names.foreign_key.table), _NEEDED_BY_REFERENCE)
    for done in [*event.get("rewrites", ()), *event.get("scans", ())]:
        found.setdefault(own_name(done["relation"]), "AccessExclusive")
    return found


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
