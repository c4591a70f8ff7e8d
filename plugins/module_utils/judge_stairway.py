# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stairway says, revision by revision. Pure."""

from __future__ import annotations

from typing import Any, Collection, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import INFO

# (code, object, message, severity if another than the code's)
Said = Tuple[str, str, str, Optional[str]]

_MOST_NAMED = 8
_WORDS = {"up": "does not apply by itself", "down": "cannot be taken back by itself", "again": "does not apply a second time by itself"}
# These are no loss: the step back leaves more than there was, or the same in another form.
_NO_LOSS = frozenset(["table-added", "column-added", "column-type-changed", "column-as-declared"])


def of_stairway(stairway: Optional[Mapping[str, Any]], own: Collection[str]) -> Iterator[Said]:
    """`own`: Alembic's tables, which change with every revision."""
    if stairway is None:
        return
    if stairway["error"]:
        yield "stairway-failed", "", f"the first step, back to production's revision, failed: {stairway['error']}", None
    for step in stairway["steps"]:
        yield from _of_step(step, own)
    if stairway["end"]:
        changes = _others(stairway["end"], own)
        if changes:
            yield "stairway-differs", "", f"one revision at a time the migrations end in another schema than all at once: {_text(changes)}", None


def _of_step(step: Mapping[str, Any], own: Collection[str]) -> Iterator[Said]:
    revision = step["revision"]
    named = f"revision {revision}" + (f" ({step['message']})" if step["message"] else "")
    for way, words in _WORDS.items():
        if step[way] and step[way]["error"]:
            yield "stairway-failed", revision, f"{named} {words}: {step[way]['error']}", None
    lost: List[Mapping[str, Any]] = []
    if step["down"]:
        trace = _others(step["down"]["schema"], own)
        if trace:
            yield "stairway-leaves-trace", revision, f"{named} was taken back, and the schema is not what it was: {_text(trace)}", None
        lost = [change for change in _others(step["down"]["data"], own) if change["kind"] not in _NO_LOSS]
        if lost:
            yield "stairway-loses-data", revision, f"{named} was taken back, and data is not what it was: {_text(lost)}", None
    if step["again"]:
        other = _others(step["again"]["schema"], own)
        if other:
            yield "stairway-differs", revision, f"{named} gives another schema the second time: {_text(other)}", None
        known = {change["object"] for change in lost}
        data = [change for change in _others(step["again"]["data"], own) if change["object"] not in known]
        if data:
            yield "stairway-differs", revision, f"{named} gives other data the second time: {_text(data)}", INFO


def _others(changes: Sequence[Mapping[str, Any]], own: Collection[str]) -> List[Mapping[str, Any]]:
    return [change for change in changes if not any(change["object"] == table or change["object"].startswith(f"{table}.") for table in own)]


def _text(changes: Sequence[Mapping[str, Any]]) -> str:
    more = f" and {len(changes) - _MOST_NAMED} more, in stairway.json" if len(changes) > _MOST_NAMED else ""
    return "; ".join(change["text"] for change in changes[:_MOST_NAMED]) + more


def summary(stairway: Optional[Mapping[str, Any]]) -> Optional[Dict[str, Any]]:
    """For the record: how far it went."""
    if stairway is None:
        return None
    whole = [step for step in stairway["steps"] if step["again"] and not step["again"]["error"]]
    return {"revisions": len(whole), "complete": stairway["end"] is not None}
