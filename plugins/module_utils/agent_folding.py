# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell very many equal statements as one: a row-by-row loop must not make evidence, nor the memory of whoever reads it, without end.

Runs inside the application's Python: standard library only.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_channel import Channel
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_sql import Text

# So many of a revision's equal statements are told one by one.
TOLD_ALONE = 50
# A statement that takes longer is told by itself.
_QUICK_MS = 50.0
# What waits so long is told, with whatever comes next.
_WAITS_MS = 1000.0
_MOST_SHAPES = 1000

_Key = Tuple[Any, ...]


class Folding:
    """Statements that read and write rows, equal but for their values: after the first TOLD_ALONE of them `calls` go into one event."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        # The first statement at a place, until there is a second one: most have no equal, and what equal ones share is costly to say.
        self._first: Dict[_Key, Optional[Text]] = {}
        self._told: Dict[_Key, int] = {}
        self._folded: Dict[_Key, Dict[str, Any]] = {}
        self._since = 0.0

    def tell(self, event: Dict[str, Any], text: Text) -> None:
        """Emit a statement, now or with others."""
        ms = event["t1"] - event["t0"]
        if text.acts or text.ends or event["locks"] or ms > _QUICK_MS or not event.keys().isdisjoint(("rewrites", "scans", "released", "measured")):
            self.flush()
            self._channel.emit_soon("statement", **event)
            return
        place = (event["revision"], event["connection"], event.get("line"), event["autocommit"], event.get("raw"))
        key = self._many(place, text)
        if key is None:
            self.flush()
            self._channel.emit_soon("statement", **event)
            return
        self._fold(key, event, ms)
        if event["t1"] - self._since > _WAITS_MS or len(self._folded) >= _MOST_SHAPES:
            self.flush()

    def _many(self, place: _Key, text: Text) -> Optional[_Key]:
        """What the equal ones of a statement share, once TOLD_ALONE of them were told."""
        if place not in self._first:
            if len(self._first) >= _MOST_SHAPES:
                self._first.clear()
            self._first[place] = text
            return None
        first = self._first[place]
        if first is not None:
            self._first[place] = None
            self._count((*place, first.shape))
        key = (*place, text.shape)
        return key if self._count(key) > TOLD_ALONE else None

    def _count(self, key: _Key) -> int:
        if len(self._told) >= _MOST_SHAPES and key not in self._told:
            self._told.clear()
        self._told[key] = self._told.get(key, 0) + 1
        return self._told[key]

    def _fold(self, key: _Key, event: Dict[str, Any], ms: float) -> None:
        if not self._folded:
            self._since = event["t1"]
        entry = self._folded.get(key)
        if entry is None:
            self._folded[key] = {**event, "calls": 1, "ms": ms, "max_ms": ms}
            return
        entry["t1"] = event["t1"]
        entry["calls"] += 1
        entry["ms"] += ms
        entry["max_ms"] = max(entry["max_ms"], ms)
        for name in ("rows", "wal"):
            if event.get(name) is not None:
                entry[name] = (entry.get(name) or 0) + event[name]

    def flush(self) -> None:
        """Tell what waits, in the order of its beginnings."""
        if self._folded:
            for entry in sorted(self._folded.values(), key=lambda one: one["t0"]):
                for name in ("ms", "max_ms"):
                    entry[name] = round(entry[name], 3)
                self._channel.emit_soon("statement", **entry)
            self._folded = {}
