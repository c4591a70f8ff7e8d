# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that the timeline of a run means, as plain data. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import timeline
from ansible_collections.migrations.rehearsal.plugins.module_utils.other_mode import compare_modes
from ansible_collections.migrations.rehearsal.plugins.module_utils.timeline import DDL, MODES, READS, TRAFFIC, WRITES, Event, Hold
from ansible_collections.migrations.rehearsal.plugins.module_utils.timeline_windows import Owners
from ansible_collections.migrations.rehearsal.plugins.module_utils.written_rows import written_rows


def summarise(events: Sequence[Event]) -> Dict[str, Any]:
    """{"seconds", "mode", "downtime_ms", "start", "revisions", "transactions", "blocked", "objects"}.

    Times of revisions and transactions are in milliseconds since `start`, when the first revision began.
    """
    held = timeline.holds(events)
    entries = timeline.blocked(events, held, (*TRAFFIC, DDL))
    groups, owners = timeline.by_traffic(held, (*TRAFFIC, DDL)), Owners(events)
    other = {(entry.table, entry.what): entry.other_ms for entry in compare_modes(events, held, entries)}
    spans = timeline.spans(events)
    start = min((span.start for span in spans), default=0.0)
    return {
        "seconds": timeline.whole_s(spans) if spans else 0.0,
        "mode": timeline.transaction_mode(events),
        "downtime_ms": timeline.downtime_ms([entry for entry in entries if entry.what in TRAFFIC]),
        "start": start,
        "revisions": _revisions(events, held, start),
        "transactions": [
            {
                "connection": one.connection,
                "start_ms": round(one.start - start, 3),
                "end_ms": round(one.end - start, 3),
                "ended": one.ended,
                "ending_ms": one.end_ms,
                "revisions": list(one.revisions),
                "statements": one.statements,
            }
            for one in timeline.transactions(events)
        ],
        "objects": _objects(events),
        "blocked": [
            {
                "table": entry.table,
                "what": entry.what,
                "total_ms": entry.total_ms,
                "longest_ms": entry.longest_ms,
                "shares": dict(entry.shares),
                "windows": [list(window) for window in entry.windows],
                "owners": owners.of(entry, groups[(entry.table, entry.what)]),
                "took": list(entry.took),
                "kept": list(entry.kept),
                "other_mode_ms": other[(entry.table, entry.what)],
            }
            for entry in entries
        ],
    }


def _revisions(events: Sequence[Event], held: Sequence[Hold], start: float) -> List[Dict[str, Any]]:
    """One row for each revision that began, in order."""
    statements: Dict[str, List[Event]] = {}
    for event in events:
        if event["event"] == "statement" and event.get("revision"):
            statements.setdefault(event["revision"], []).append(event)
    ended = {event["revision"] for event in events if event["event"] == "revision_end"}
    longest, own_tables = _longest_by_revision(held), timeline.version_tables(events)
    rows = []
    for span in timeline.spans(events):
        own = [event for event in statements.get(span.revision, ()) if span.start <= event["t0"] <= span.end]
        rows.append(
            {
                "revision": span.revision,
                "direction": span.direction,
                "message": span.message,
                "ms": span.ms,
                "start_ms": round(span.start - start, 3),
                "end_ms": round(span.end - start, 3),
                "ended": span.revision in ended,
                "statements": sum(event.get("calls", 1) for event in own),
                "rows": sum(written_rows(event, own_tables) for event in own),
                "wal_bytes": sum(event.get("wal") or 0 for event in own),
                "locks": _locks(held, span.revision),
                "rewrites": [rewrite for event in own for rewrite in event.get("rewrites", ())],
                "scans": [scan for event in own for scan in event.get("scans", ())],
                "blocked": longest.get(span.revision, {READS: 0.0, WRITES: 0.0}),
            }
        )
    return rows


def _objects(events: Sequence[Event]) -> Dict[str, List[Dict[str, Any]]]:
    """What the run left: the tables whose size changed, those first that it changed most, and indexes and constraints. Of several databases, all."""
    seen = [event for event in events if event["event"] == "objects"]
    sizes = [size for event in seen for size in event.get("sizes") or () if size["before"] != size["after"] and not size.get("held")]
    sizes.sort(key=lambda size: (-abs((size["after"] or 0) - (size["before"] or 0)), size["relation"]))
    return {
        "sizes": [{"table": size["relation"], "before_bytes": size["before"], "after_bytes": size["after"]} for size in sizes],
        **{
            name: [{"name": found["name"], "table": found["table"]} for event in seen for found in event.get(name) or () if found.get("new", True)]
            for name in ("indexes_new", "indexes_dropped", "indexes_invalid", "constraints_not_valid")
        },
    }


def _locks(held: Sequence[Hold], revision: str) -> Dict[str, str]:
    """By table, the strongest mode that a revision took on it."""
    strongest: Dict[str, str] = {}
    for hold in held:
        if hold.revision == revision and hold.relation == hold.table and hold.kind != "S":
            strongest[hold.table] = max(strongest.get(hold.table, hold.mode), hold.mode, key=MODES.index)
    return dict(sorted(strongest.items()))


def _longest_by_revision(held: Sequence[Hold]) -> Dict[Optional[str], Dict[str, float]]:
    """Revision → how long the locks that it took keep reads and writes waiting: the longest single one, to its release, whoever ran meanwhile."""
    longest: Dict[Optional[str], Dict[str, float]] = {}
    for (_table, what), group in timeline.by_traffic(held).items():
        for hold in group:
            waits = longest.setdefault(hold.revision, {READS: 0.0, WRITES: 0.0})
            waits[what] = max(waits[what], hold.ms)
    return longest
