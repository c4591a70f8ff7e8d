# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that the timeline of a run means, as plain data. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import timeline
from ansible_collections.migrations.rehearsal.plugins.module_utils.other_mode import compare_modes
from ansible_collections.migrations.rehearsal.plugins.module_utils.timeline import MODES, READS, WRITES, Blocked, Event, Hold, Span


def summarise(events: Sequence[Event]) -> Dict[str, Any]:
    """{"mode", "downtime_ms", "start", "revisions": […], "blocked": […]}; times of revisions are since `start`, when the first of them began."""
    held = timeline.holds(events)
    entries = timeline.blocked(events, held)
    other = {(entry.table, entry.what): entry.other_ms for entry in compare_modes(events, held, entries)}
    start = min((span.start for span in timeline.spans(events)), default=0.0)
    return {
        "mode": timeline.transaction_mode(events),
        "downtime_ms": timeline.downtime_ms(entries),
        "start": start,
        "revisions": _revisions(events, held, entries, start),
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
                "other_mode_ms": other[(entry.table, entry.what)],
            }
            for entry in entries
        ],
    }


def _revisions(events: Sequence[Event], held: Sequence[Hold], entries: Sequence[Blocked], start: float) -> List[Dict[str, Any]]:
    """One row for each revision that began, in order."""
    statements: Dict[str, List[Event]] = {}
    for event in events:
        if event["event"] == "statement" and event.get("revision"):
            statements.setdefault(event["revision"], []).append(event)
    ended = {event["revision"] for event in events if event["event"] == "revision_end"}
    waiting = {what: timeline.union(window for entry in entries if entry.what == what for window in entry.windows) for what in (READS, WRITES)}
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
                "statements": len(own),
                "rows": sum(event["rows"] or 0 for event in own),
                "wal_bytes": sum(event.get("wal") or 0 for event in own),
                "locks": _locks(held, span.revision),
                "rewrites": [rewrite for event in own for rewrite in event.get("rewrites", ())],
                "scans": [scan for event in own for scan in event.get("scans", ())],
                "blocked": {what: _blocked_during(span, windows) for what, windows in waiting.items()},
            }
        )
    return rows


def _locks(held: Sequence[Hold], revision: str) -> Dict[str, str]:
    """By table, the strongest mode that a revision took on it."""
    strongest: Dict[str, str] = {}
    for hold in held:
        if hold.revision == revision and hold.relation == hold.table and hold.kind != "S":
            strongest[hold.table] = max(strongest.get(hold.table, hold.mode), hold.mode, key=MODES.index)
    return dict(sorted(strongest.items()))


def _blocked_during(span: Span, windows: Sequence[timeline.Window]) -> float:
    """Time of a revision in which some table has its traffic waiting, whoever took the lock; several tables at a time count once."""
    return timeline.total_ms(
        timeline.union((max(span.start, start), min(span.end, end)) for start, end in windows if min(span.end, end) > max(span.start, start))
    )
