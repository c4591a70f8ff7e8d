# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks of the copy itself: whether it is production, what was stopped on it, and whether it is gone."""

from __future__ import annotations

from typing import Any, Dict, List

from ansible_collections.migrations.rehearsal.plugins.module_utils import judge_template
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import SIDES, Evidence, how_it_was_copied
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import INFO, WARNING
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge_bench import Bench
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import object_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import said, term, text


def of_copy(bench: Bench, evidence: Evidence) -> None:
    copy = evidence.copy
    if copy is None:
        return
    for difference in copy["differences"]:
        values: Dict[str, Any] = {"what": term(difference["what"]), **{key: str(difference[key]) for key in ("object", "production")}}
        values["copy"] = said({**difference, "copy": str(difference["copy"])}, "copy")
        message = text("{object}: {what} is {copy} on the copy, {production} on production", **values)
        bench.say("copy-differs", "restore", difference["object"], message)
    reasons = "; ".join(how_it_was_copied(evidence)["why_not_physical"])
    if reasons:
        message = text("rehearsal_source is auto, and a dump was taken, not a physical copy: {reasons:heard}", reasons=reasons)
        bench.say("dump-chosen", "preflight", "", message)
    for left in copy.get("others_left") or []:
        message = text("another database of production could not be dropped from the copy's own server: {left:heard}", left=left)
        bench.say("outside-world", "restore", left.partition(":")[0], message, WARNING)
    if copy.get("proved_by") == "nothing":
        message = text("the copy was made from an existing backup")
        if copy.get("not_told"):
            untold = [term(what) for what in copy["not_told"]]
            message = text("{message}; the backup does not tell production's {untold:list}", message=message, untold=untold)
        origin = evidence.context.get("origin") or {}
        bench.say("copy-not-proved", "restore", origin.get("backup_file", ""), message)
    for failure in copy["settings_not_replayed"]:
        bench.say("parity", "restore", "settings", text("a setting of production could not be given to the copy: {failure:heard}", failure=failure))
    for index in _indexes_left_out(evidence):
        message = text(
            "index {index} is invalid on production, and a dump leaves such an index out: a migration that drops it fails on the copy, and one that "
            "makes it IF NOT EXISTS makes it, for that reason alone",
            index=index,
        )
        bench.say("parity", "restore", index, message)
    for found in copy.get("stopped") or []:
        what = text("{kind} {object} ({reason:heard})", kind=term(found["kind"]), object=found["object"], reason=found["reason"])
        if found["kind"] == "extension":
            message = text(
                "{what} stays out of the copy, with all that is in its schema {schema}: a migration that uses it fails here for that reason alone",
                what=what,
                schema=found["schema"],
            )
            bench.say("outside-world", "restore", found["object"], message, INFO)
        elif found["error"] is None:
            message = text("disabled on the copy before anything was migrated: {what}", what=what)
            if found.get("changed"):
                message = text("{message}; left out of the proof against production: {changed:list}", message=message, changed=found["changed"])
            elif found["kind"] == "foreign server":
                message = text("{message}; a migration that reaches through it fails here for that reason alone", message=message)
            elif found["kind"] in ("trigger", "event trigger"):
                message = text("{message}; what else it does is not rehearsed", message=message)
            bench.say("outside-world", "restore", found["object"], message, INFO)
        else:
            message = text("could not be disabled on the copy: {what}: {error:heard}", what=what, error=found["error"])
            bench.say("outside-world", "restore", found["object"], message, WARNING)


def of_template(bench: Bench, evidence: Evidence) -> None:
    """Where the copy was made from a kept template: it is what that rehearsal began with, in its structure and in every value."""
    if not judge_template.made_from_it(evidence):
        return
    for thing, message in judge_template.differences(evidence):
        bench.say("copy-differs", "restore", thing, message)


def _indexes_left_out(evidence: Evidence) -> List[str]:
    """Production's invalid indexes, as far as the copy does not have them."""
    before = evidence.snapshots.get("before")
    if before is None:
        return []
    there = {object_name(table["schema"], index) for kind in ("tables", "views") for table in before[kind].values() for index in table["indexes"]}
    return [index for index in (evidence.manifest or {}).get("invalid_indexes") or () if index not in there]


def of_clean_up(bench: Bench, evidence: Evidence) -> None:
    started = any(stage["name"] not in ("preflight", "interrupted") for stage in evidence.stages)
    for side in evidence.context.get("sides", SIDES) if started else ():
        found = evidence.cleanup.get(side)
        if found is None:
            bench.say(
                "left-behind",
                "cleanup",
                side,
                text("clean-up on {side} is not proven: {error:heard}", side=term(side), error=_clean_up_error(evidence)),
            )
            continue
        for thing in found["left"]:
            bench.say("left-behind", "cleanup", thing, text("still there on {side} after clean-up: {thing:heard}", side=term(side), thing=thing))
        for problem in found["problems"]:
            bench.say("left-behind", "cleanup", side, text("{side}: {problem:heard}", side=term(side), problem=problem))


def _clean_up_error(evidence: Evidence) -> str:
    errors = [stage.get("error", "") for stage in evidence.failed_stages() if stage["name"] == "cleanup"]
    return "; ".join(filter(None, errors)) or text("it was not carried out")
