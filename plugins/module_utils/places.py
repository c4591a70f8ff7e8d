# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in the project a finding comes from: the revision, its file and, where the agent saw it, the line. Pure.

What was measured on a table or an object leads to the statement that did it; a statement leads to its revision.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import Evidence
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import Finding
from ansible_collections.migrations.rehearsal.plugins.module_utils.timeline import WRITES, Event, blocks

_WORD = re.compile(r"[^\W]\w*")
# Stages whose findings say what the revisions themselves do; the run that did it.
_RUNS = {"upgrade": "upgrade", "structure": "upgrade", "data": "upgrade", "downgrade": "downgrade", "back": "downgrade", "again": "again"}
_MEASURED = {"table-rewrite": "rewrites", "scan-under-lock": "scans", "index-not-concurrent": "scans"}
# Which of a revision's two functions is to blame for what the stairway says.
_STAIRWAY = {"stairway-leaves-trace": "downgrade", "stairway-loses-data": "downgrade", "stairway-differs": "upgrade"}
_LOCKS = ("lock-blocks-reads", "lock-blocks-writes")


class Places:
    """Looks findings up in the timelines; `touched` are the objects that the upgrade's schema changes name."""

    def __init__(self, evidence: Evidence, touched: Set[str]) -> None:
        self.files = files_of(evidence)
        self._touched = touched
        self._lines = lines_of(evidence)
        self._stairway = evidence.stairway
        self._statements: Dict[str, List[Event]] = {
            run: [event for event in events if event["event"] == "statement" and event.get("revision")] for run, events in evidence.migrations.items()
        }
        self._words = {run: [_words(event) for event in events] for run, events in self._statements.items()}
        self._errors = {run: [event for event in events if event["event"] == "error"] for run, events in evidence.migrations.items()}

    def located(self, finding: Finding) -> Finding:
        """The finding with `revision`, `file` and `line`, as far as they are known."""
        if finding.stage == "stairway":
            return self._of_revision(finding, _STAIRWAY.get(finding.code) or self._failed_way(finding.object))
        run = _RUNS.get(finding.stage)
        if run is None:
            return finding
        direction = "downgrade" if run == "downgrade" else "upgrade"
        for error in self._errors.get(run, []):
            if finding.object and error.get("revision") == finding.object:
                file = error.get("file") or self.files.get(finding.object)
                return dataclasses.replace(finding, revision=finding.object, file=file, line=error.get("line") if error.get("file") else None)
        if finding.object in self.files:
            return self._of_revision(finding, direction)
        event = next(self._causes(finding, run), None)
        if event is None:
            return finding
        line = event.get("line") or self._lines.get((event["revision"], direction))
        return dataclasses.replace(finding, revision=event["revision"], file=self.files.get(event["revision"]), line=line)

    def _of_revision(self, finding: Finding, direction: str) -> Finding:
        """A finding about a whole revision leads to its upgrade() or downgrade()."""
        if finding.object not in self.files:
            return finding
        line = self._lines.get((finding.object, direction))
        return dataclasses.replace(finding, revision=finding.object, file=self.files[finding.object], line=line)

    def _failed_way(self, revision: str) -> str:
        steps = [step for step in (self._stairway or {}).get("steps") or () if step["revision"] == revision]
        return "downgrade" if any(step["down"] and step["down"]["error"] for step in steps) else "upgrade"

    def _causes(self, finding: Finding, run: str) -> Iterator[Event]:
        statements = self._statements.get(run, [])
        thing = finding.object
        if not thing:
            return
        if finding.code in _LOCKS:
            found = [event for event in statements if any(lock["table"] == thing and _blocking(lock) for lock in event.get("locks") or ())]
            # Of several that locked it, the one whose window is told.
            yield from sorted(found, key=lambda event: f"taken by revision {event['revision']} with" not in finding.message)
            return
        if finding.code in _MEASURED:
            key = _MEASURED[finding.code]
            yield from (event for event in statements if any(entry["relation"] == thing for entry in event.get(key) or ()))
            return
        if finding.stage == "structure" and not self._is_touched(thing):
            return
        table, _dot, part = thing.rpartition(".")
        words = self._words.get(run, [])
        wanted = [name for name in (_bare(table), _bare(part)) if name]
        # First what names all of it, then what names its table: a constraint often has a name that no statement gave it.
        for names in (wanted, [_bare(table)] if table else []):
            yield from (event for event, said in zip(statements, words) if names and all(name in said for name in names))

    def _is_touched(self, thing: str) -> bool:
        return thing in self._touched or thing.rpartition(".")[0] in self._touched


def files_of(evidence: Evidence) -> Dict[str, str]:
    """Revision → file, relative to the application's working directory."""
    found: Dict[str, str] = {}
    for events in evidence.migrations.values():
        for event in events:
            for entry in (event.get("revisions") or event.get("steps") or ()) if event["event"] in ("script", "plan") else ():
                if entry.get("file"):
                    found[entry["revision"]] = entry["file"]
    return found


def lines_of(evidence: Evidence) -> Dict[Tuple[str, str], int]:
    """(revision, direction) → where that function begins in the revision's file."""
    plans = [event for events in evidence.migrations.values() for event in events if event["event"] == "plan"]
    return {(step["revision"], step["direction"]): step["line"] for plan in plans for step in plan["steps"] if step.get("line")}


def touched_objects(changes: Sequence[Mapping[str, Any]]) -> Set[str]:
    """Names of what schema changes are about."""
    return {change["object"] for change in changes}


def _words(event: Event) -> Set[str]:
    return {word.lower() for word in _WORD.findall(str(event["sql"]))}


def _bare(name: str) -> str:
    """The last part of a name, as it is among the words of a statement."""
    found: Optional[List[str]] = _WORD.findall(name.rpartition(".")[2] or name)
    return found[-1].lower() if found else ""


def _blocking(lock: Mapping[str, Any]) -> bool:
    return WRITES in blocks(lock["mode"])
