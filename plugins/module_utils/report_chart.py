# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drawings of the HTML report: the timeline of the upgrade, and the histogram of a statement. SVG.

Positions are in percent, so that they fit any width.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.html_elements import Html, join, tag
from ansible_collections.migrations.rehearsal.plugins.module_utils.report_figures import revision_rows
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import Speaker

_LANE = 30
_HEAD = 46
# Lanes that are open at first; the others are folded, for a screen shows no more of them.
_OPEN_LANES = 25
# A revision that has less than this share of the width has no room for its name.
_ROOM_FOR_NAME = 7.0
# As much has room on a phone, too.
_ROOM_ON_PHONE = 24.0
_TICKS = 5
_LEAST_WIDTH = 0.25


def timeline(record: Mapping[str, Any], say: Speaker) -> Html:
    """Revisions along time, below them a lane for each table that somebody would have waited for; nothing where no revision ran."""
    rows = [row for row in revision_rows(record) if row["status"] != "not run"]
    run = record["timelines"].get("upgrade")
    if not rows or not run:
        return Html("")
    tables = run["tables"]
    end = max([row["end_ms"] for row in rows] + [window[1] for table in tables for _what, windows in _windows(table) for window in windows])
    scale = 100.0 / (end or 1.0)
    legend = tag(
        "p",
        tag("span", say("reads and writes wait"), class_="key reads"),
        tag("span", say("writes wait"), class_="key writes"),
        tag("span", say("a revision runs"), class_="key revision"),
        class_="legend",
    )
    shown = _drawing(rows, tables[:_OPEN_LANES], end, scale, say)
    rest = tables[_OPEN_LANES:]
    more = (
        tag(
            "details",
            tag("summary", say("{count:count more table|more tables}", count=len(rest))),
            _drawing(rows, rest, end, scale, say),
        )
        if rest
        else None
    )
    return tag("figure", legend, shown, more, class_="timeline")


def _drawing(rows: Sequence[Mapping[str, Any]], tables: Sequence[Mapping[str, Any]], end: float, scale: float, say: Speaker) -> Html:
    height = _HEAD + _LANE * len(tables) + 4
    parts: List[Html] = [tag("title", say("Which tables are locked when, during {ms:duration}", ms=end))]
    for number in range(_TICKS + 1):
        at = 100.0 * number / _TICKS
        anchor = "start" if number == 0 else "end" if number == _TICKS else "middle"
        parts.append(tag("line", x1=_percent(at), x2=_percent(at), y1=14, y2=height, class_="tick"))
        parts.append(tag("text", say.duration(end * number / _TICKS), x=_percent(at), y=11, text_anchor=anchor, class_="time"))
    for number, row in enumerate(rows):
        width = max((row["end_ms"] - row["start_ms"]) * scale, _LEAST_WIDTH)
        called = say("{revision}: {message}, {ms:duration}", revision=row["revision"], message=row["message"], ms=row["end_ms"] - row["start_ms"])
        start = row["start_ms"] * scale
        kind = f"revision {'odd' if number % 2 else 'even'}"
        parts.append(tag("rect", tag("title", called), x=_percent(start), width=_percent(width), y=18, height=18, class_=kind))
        if width >= _ROOM_FOR_NAME:
            name = "name" if width >= _ROOM_ON_PHONE else "name tight"
            parts.append(tag("text", row["revision"][:8], x=_percent(start + width / 2), y=31, text_anchor="middle", class_=name))
    for number, table in enumerate(tables):
        parts.append(_lane(table, _HEAD + _LANE * number, scale, say))
    return tag("svg", *parts, role="img", width="100%", height=height)


def _lane(table: Mapping[str, Any], top: int, scale: float, say: Speaker) -> Html:
    parts = [
        tag("line", x1="0%", x2="100%", y1=top, y2=top, class_="lane"),
        tag("text", table["table"], x=2, y=top + 12, class_="table"),
    ]
    # Reads last: they lie over the writes, which wait as well.
    for what, windows in _windows(table):
        for start, end in windows:
            values: Dict[str, Any] = {"table": table["table"], "ms": end - start, "revisions": table[what]["took"]}
            called = (
                say("reads and writes of {table} wait {ms:duration}; locked by {revisions:list}", **values)
                if what == "reads"
                else say("writes of {table} wait {ms:duration}; locked by {revisions:list}", **values)
            )
            width = max((end - start) * scale, _LEAST_WIDTH)
            parts.append(
                tag("rect", tag("title", called), x=_percent(start * scale), width=_percent(width), y=top + 16, height=10, rx=2, class_=what)
            )
    return tag("g", *parts)


def _windows(table: Mapping[str, Any]) -> List[Tuple[str, List[List[float]]]]:
    return [(what, table[what]["windows"]) for what in ("writes", "reads") if what in table]


def histogram(entry: Mapping[str, Any], bounds: Sequence[float], say: Speaker) -> Html:
    """How often a statement took how long, one bar a class."""
    calls = entry["histogram"]
    most = max(calls)
    told: List[str] = []
    bars: List[Html] = []
    for number, count in enumerate(calls):
        if count:
            limit = {"ms": bounds[min(number, len(bounds) - 1)], "count": count}
            above = number == len(bounds)
            told.append(say("above {ms:duration}: {count:number}", **limit) if above else say("up to {ms:duration}: {count:number}", **limit))
            height = max(round(18.0 * count / most), 2)
            bars.append(tag("rect", x=number * 7, y=20 - height, width=6, height=height, class_="bar"))
    said = say("{parts:list}", parts=told)
    return tag("svg", tag("title", said), tag("line", x1=0, x2=70, y1=20.5, y2=20.5, class_="tick"), join(*bars), role="img", width=70, height=22)


def _percent(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") + "%"
