# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements of a run, folded: those that differ only in their values are one, with calls, times and rows. Pure.

Their text is the timeline's, whose literals are masked already.
"""

from __future__ import annotations

import bisect
import re
from typing import Any, Dict, List, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import timeline
from ansible_collections.migrations.rehearsal.plugins.module_utils.timeline import Event
from ansible_collections.migrations.rehearsal.plugins.module_utils.written_rows import is_bookkeeping

# Upper bounds of the histogram's classes in milliseconds; the last class has none.
BOUNDS_MS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10000)
_MOST_STATEMENTS = 200
_MOST_CHARACTERS = 1000
# Of a text whose white space is single blanks. No two parts may match the same blank: each value would double the ways to try.
_VALUE = r"(?:\?|'\*\*\*'|%s|%\(\w+\)s|\$\d+|:\w+|NULL|DEFAULT|TRUE|FALSE)(?:::\w+(?: \w+)*)?"
_ROW = rf"\( ?{_VALUE}(?: ?, ?{_VALUE})* ?\)"
_LISTS = re.compile(rf"\b(VALUES|IN) ?{_ROW}(?: ?, ?{_ROW})*", re.IGNORECASE)


def fold(events: Sequence[Event]) -> Dict[str, Any]:
    """{"bounds_ms", "statements": […], "left_out": number}: the statements of all revisions, those that took longest in all first.

    What Alembic notes in its own table is left out.

    A statement: {"sql", "revisions", "calls", "total_ms", "mean_ms", "max_ms", "rows", "wal_bytes", "histogram": calls in each class}.
    """
    found: Dict[str, Dict[str, Any]] = {}
    own = timeline.version_tables(events)
    for event in events:
        if event["event"] != "statement" or not event.get("revision") or is_bookkeeping(event, own):
            continue
        sql = shape(str(event["sql"]))
        entry = found.setdefault(
            sql, {"sql": sql, "revisions": [], "calls": 0, "total_ms": 0.0, "max_ms": 0.0, "rows": 0, "wal_bytes": 0, "histogram": [0] * 10}
        )
        # The agent has told a long row of equal quick ones as one already.
        calls = int(event.get("calls", 1))
        total_ms = float(event.get("ms", float(event["t1"]) - float(event["t0"])))
        if event["revision"] not in entry["revisions"]:
            entry["revisions"].append(event["revision"])
        entry["calls"] += calls
        entry["total_ms"] += total_ms
        entry["max_ms"] = max(entry["max_ms"], float(event.get("max_ms", total_ms)))
        entry["rows"] += event.get("rows") or 0
        entry["wal_bytes"] += event.get("wal") or 0
        entry["histogram"][bisect.bisect_left(BOUNDS_MS, total_ms / calls)] += calls
    ordered = sorted(found.values(), key=lambda one: (-one["total_ms"], one["sql"]))
    return {
        "bounds_ms": list(BOUNDS_MS),
        "statements": [_rounded(entry) for entry in ordered[:_MOST_STATEMENTS]],
        "left_out": max(len(ordered) - _MOST_STATEMENTS, 0),
    }


def shape(sql: str) -> str:
    """The text that statements with other values share."""
    text = _LISTS.sub(r"\1 (…)", " ".join(sql.split()))
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"


def _rounded(entry: Dict[str, Any]) -> Dict[str, Any]:
    times: List[float] = [entry["total_ms"], entry["total_ms"] / entry["calls"], entry["max_ms"]]
    return {**entry, **dict(zip(("total_ms", "mean_ms", "max_ms"), (round(ms, 3) for ms in times)))}
