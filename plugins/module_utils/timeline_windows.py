# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For each window in which traffic on a table is blocked: the statement and revision that took the lock, and those that kept it. Pure."""

from __future__ import annotations

import bisect
import itertools
from typing import Any, Dict, FrozenSet, List, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.timeline import Blocked, Event, Hold, Window

# A table that is locked again and again has as many told one by one.
MOST_WINDOWS = 20
# Of the statements that kept a lock, those that kept it longest.
_MOST_KEEPERS = 3
_SQL_CHARACTERS = 200
# So many statements are looked at one by one; of more, the longest first.
_FEW = 100


class Owners:
    """Knows the statements of a run by their times, so that thousands of windows can be asked about."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._statements = sorted((event for event in events if event["event"] == "statement"), key=lambda event: float(event["t0"]))
        self._begins = [float(event["t0"]) for event in self._statements]
        # The latest end of all statements so far: those before the first that is past a window's begin have no part in it.
        self._ends = list(itertools.accumulate((float(event["t1"]) for event in self._statements), max))
        self._longest = sorted(self._statements, key=lambda event: float(event["t0"]) - float(event["t1"]))

    def of(self, entry: Blocked, group: Sequence[Hold]) -> List[Dict[str, Any]]:
        """For each of the first MOST_WINDOWS {"took": [{"revision", "sql"}], "kept": [{"revision", "sql", "ms"}]}. `group` are the locks that make
        them. `took` are those that began the window; `kept` are the statements that ran longest in it on a connection that held a lock."""
        return [self._owners(window, [hold for hold in group if window[0] <= hold.start <= window[1]]) for window in entry.windows[:MOST_WINDOWS]]

    def _owners(self, window: Window, own: Sequence[Hold]) -> Dict[str, Any]:
        first = [hold for hold in own if hold.start == window[0]]
        took = list(dict.fromkeys((hold.revision, _short(hold.sql)) for hold in first))
        connections = frozenset(hold.connection for hold in own)
        kept = self._keepers(window, connections, frozenset((hold.connection, hold.start) for hold in first))
        return {
            "took": [{"revision": revision, "sql": sql} for revision, sql in took],
            "kept": [{"revision": event.get("revision"), "sql": _short(event["sql"]), "ms": round(ms, 3)} for ms, event in kept],
        }

    def _keepers(
        self, window: Window, connections: FrozenSet[Optional[int]], takers: FrozenSet[Tuple[Optional[int], float]]
    ) -> List[Tuple[float, Event]]:
        start, end = window
        first, last = bisect.bisect_right(self._ends, start), bisect.bisect_left(self._begins, end)
        many = last - first > _FEW
        found: List[Tuple[float, Event]] = []
        for event in self._longest if many else self._statements[first:last]:
            t0, t1 = float(event["t0"]), float(event["t1"])
            # Nothing that follows can have a greater part.
            if many and len(found) == _MOST_KEEPERS and found[-1][0] >= t1 - t0:
                break
            ms = min(t1, end) - max(t0, start)
            if ms > 0 and event.get("connection") in connections and (event.get("connection"), t0) not in takers:
                found = sorted([*found, (ms, event)], key=lambda one: -one[0])[:_MOST_KEEPERS]
        return found


def _short(sql: str) -> str:
    line = " ".join(sql.split())
    return line if len(line) <= _SQL_CHARACTERS else line[: _SQL_CHARACTERS - 1] + "…"
