# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the record says of a run's timeline: the windows in which others would have waited. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

from ansible_collections.migrations.rehearsal.plugins.module_utils.timeline import DDL, READS, WRITES
from ansible_collections.migrations.rehearsal.plugins.module_utils.timeline_windows import MOST_WINDOWS

# The record is read by people too; all of it can be had from the evidence.
_MOST_TABLES = 500


def record_of(summary: Mapping[str, Any]) -> Dict[str, Any]:
    """The run's windows for the record: per table what waits and for how long, longest first; milliseconds since the first revision began.

    `summary` is what `timeline_summary.summarise()` made of its events.
    """
    tables: Dict[str, Dict[str, Any]] = {}
    ddl: List[Dict[str, Any]] = []
    for entry in summary["blocked"]:
        waiting = _waiting(entry, summary["start"])
        if entry["what"] == DDL:
            ddl.append({"table": entry["table"], **waiting})
        else:
            tables.setdefault(entry["table"], {"table": entry["table"]})[entry["what"]] = waiting
    ddl.sort(key=lambda one: (-one["longest_ms"], one["table"]))
    ordered = sorted(tables.values(), key=lambda one: (-max(one[what]["longest_ms"] for what in (READS, WRITES) if what in one), one["table"]))
    longest = ordered[0] if ordered else None
    return {
        "seconds": summary["seconds"],
        "mode": summary["mode"],
        "downtime_ms": summary["downtime_ms"],
        "longest_window": {
            "table": longest["table"],
            "what": READS if longest.get(READS, {}).get("longest_ms", 0) >= longest.get(WRITES, {}).get("longest_ms", 0) else WRITES,
            "ms": max(longest[what]["longest_ms"] for what in (READS, WRITES) if what in longest),
        }
        if longest
        else None,
        "tables": ordered[:_MOST_TABLES],
        "tables_left_out": max(len(ordered) - _MOST_TABLES, 0),
        # What else waits on them, and on tables that are only written to.
        "ddl": ddl[:_MOST_TABLES],
        "transactions": summary["transactions"][:_MOST_TABLES],
        "objects": {name: found[:_MOST_TABLES] for name, found in summary["objects"].items()},
    }


def _waiting(entry: Mapping[str, Any], start: float) -> Dict[str, Any]:
    return {
        "total_ms": entry["total_ms"],
        "longest_ms": entry["longest_ms"],
        "other_mode_ms": entry["other_mode_ms"],
        "windows": [[round(window[0] - start, 3), round(window[1] - start, 3)] for window in entry["windows"][:MOST_WINDOWS]],
        "owners": entry["owners"],
        "took": entry["took"],
        "kept": entry["kept"],
    }
