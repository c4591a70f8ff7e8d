# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stairway says, revision by revision. Pure."""

from __future__ import annotations

from typing import Any, Collection, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import INFO
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import SAID, said, text

# (code, object, message, severity if another than the code's)
Said = Tuple[str, str, str, Optional[str]]

# These are no loss: the step back leaves more than there was, or the same in another form.
_NO_LOSS = frozenset(["table-added", "column-added", "column-type-changed", "column-as-declared"])


def of_stairway(stairway: Optional[Mapping[str, Any]], own: Collection[str]) -> Iterator[Said]:
    """`own`: Alembic's tables, which change with every revision."""
    if stairway is None:
        return
    if stairway["error"]:
        message = text("the first step, back to production's revision, failed: {error:heard}", error=stairway["error"])
        yield "stairway-failed", "", message, None
    for step in stairway["steps"]:
        yield from _of_step(step, own)
    if stairway["end"]:
        changes = _others(stairway["end"], own)
        if changes:
            message = text(
                "one revision at a time the migrations end in another schema than all at once: {changes:semicolons 8}", changes=_texts(changes)
            )
            yield "stairway-differs", "", message, None


def _of_step(step: Mapping[str, Any], own: Collection[str]) -> Iterator[Said]:
    revision = step["revision"]
    named = (
        text("revision {revision} ({message})", revision=revision, message=step["message"])
        if step["message"]
        else text("revision {revision}", revision=revision)
    )
    if step["up"] and step["up"]["error"]:
        yield "stairway-failed", revision, text("{named} does not apply by itself: {error:heard}", named=named, error=step["up"]["error"]), None
    if step["down"] and step["down"]["error"]:
        yield (
            "stairway-failed",
            revision,
            text("{named} cannot be taken back by itself: {error:heard}", named=named, error=step["down"]["error"]),
            None,
        )
    if step["again"] and step["again"]["error"]:
        yield (
            "stairway-failed",
            revision,
            text("{named} does not apply a second time by itself: {error:heard}", named=named, error=step["again"]["error"]),
            None,
        )
    lost: List[Mapping[str, Any]] = []
    if step["down"]:
        trace = _others(step["down"]["schema"], own)
        if trace:
            message = text("{named} was taken back, and the schema is not what it was: {changes:semicolons 8}", named=named, changes=_texts(trace))
            yield "stairway-leaves-trace", revision, message, None
        lost = [change for change in _others(step["down"]["data"], own) if change["kind"] not in _NO_LOSS]
        if lost:
            message = text("{named} was taken back, and data is not what it was: {changes:semicolons 8}", named=named, changes=_texts(lost))
            yield "stairway-loses-data", revision, message, None
    if step["again"]:
        other = _others(step["again"]["schema"], own)
        if other:
            message = text("{named} gives another schema the second time: {changes:semicolons 8}", named=named, changes=_texts(other))
            yield "stairway-differs", revision, message, None
        known = {change["object"] for change in lost}
        data = [change for change in _others(step["again"]["data"], own) if change["object"] not in known]
        if data:
            message = text("{named} gives other data the second time: {changes:semicolons 8}", named=named, changes=_texts(data))
            yield "stairway-differs", revision, message, INFO


def _others(changes: Sequence[Mapping[str, Any]], own: Collection[str]) -> List[Mapping[str, Any]]:
    return [change for change in changes if not any(change["object"] == table or change["object"].startswith(f"{table}.") for table in own)]


def _texts(changes: Sequence[Mapping[str, Any]]) -> List[Any]:
    return [said(change, "text") for change in changes]


def summary(stairway: Optional[Mapping[str, Any]], own: Collection[str]) -> Optional[Dict[str, Any]]:
    """For the record: how far it went, and what each step changed that it should not have, without the definitions themselves."""
    if stairway is None:
        return None
    whole = [step for step in stairway["steps"] if step["again"] and not step["again"]["error"]]
    steps = [{key: step[key] for key in ("revision", "message")} for step in stairway["steps"]]
    for told, step in zip(steps, stairway["steps"]):
        told.update({way: _step(step[way], own) for way in ("up", "down", "again")})
    end = None if stairway["end"] is None else _told(stairway["end"], own)
    return {"revisions": len(whole), "complete": stairway["end"] is not None, "error": stairway["error"], "steps": steps, "end": end}


def _step(step: Optional[Mapping[str, Any]], own: Collection[str]) -> Optional[Dict[str, Any]]:
    if step is None:
        return None
    return {"seconds": step["seconds"], "error": step["error"], **{part: _told(step[part], own) for part in ("schema", "data")}}


def _told(changes: Sequence[Mapping[str, Any]], own: Collection[str]) -> List[Dict[str, Any]]:
    keys = ("object", "kind", "text", SAID)
    return [{key: change[key] for key in keys if key in change} for change in _others(changes, own)]
