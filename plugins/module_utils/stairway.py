# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stairway: from production's revision up, each pending revision up, down and up again, with schema and data compared after each step.

It says which revision is to blame for what the way back as a whole leaves or loses. The copy stands at the end where it stood before.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    application,
    data_diff,
    files,
    fingerprint,
    row_counters,
    schema_diff,
    snapshot,
    words,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Application, Outcome
from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_marker import read_marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.migration_findings import findings_of
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import READ_ONLY, Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

UP, DOWN, AGAIN = "up", "down", "again"


class _Failed(Exception):
    """A run of the application that did not end well; its finding."""


class Stairway:
    """One walk over the pending revisions of a copy."""

    def __init__(
        self, server: Server, copy: str, rehearsal_id: str, work: WorkDirectory, project: Application, counts_only: bool, deadline_s: float
    ) -> None:
        self._server = server
        self._copy = copy
        self._id = rehearsal_id
        self._work = work
        self._project = project
        self._proof = "counts" if counts_only else "changed"
        self._deadline_s = deadline_s

    def walk(self) -> Dict[str, Any]:
        """{"steps": [{"revision", "message", "up", "down", "again"}], "end": [Change, …] | null, "error": null | text}.

        "up", "down" and "again" are {"seconds", "error", "schema": [Change, …], "data": [DataChange, …]}, or null where a step before them failed:
        "down" is compared with what was there before "up", "again" with "up", and "end" is how the last step differs from the upgrade as a whole.
        Raises RehearsalError where the database is not this rehearsal's copy, and PostgresError.
        """
        heads, steps = self._plan()
        result: Dict[str, Any] = {"steps": [], "end": None, "error": None}
        try:
            self._migrate("downgrade", heads)
        except _Failed as error:
            return {**result, "error": str(error)}
        before = self._look(None)
        for step in steps:
            entry: Dict[str, Any] = {"revision": step["revision"], "message": step["message"], UP: None, DOWN: None, AGAIN: None}
            result["steps"].append(entry)
            reached = self._take(entry, UP, "upgrade", step["revision"])
            if reached is None:
                return result
            up = self._look(before[1])
            if self._take(entry, DOWN, "downgrade", heads) is None:
                return result
            _compare(entry[DOWN], before, self._look(before[1]))
            if self._take(entry, AGAIN, "upgrade", step["revision"]) is None:
                return result
            before = self._look(up[1])
            _compare(entry[AGAIN], up, before)
            heads = reached
        whole = files.read_json(self._work.file("evidence", "snapshot-after.json"))
        result["end"] = [words.carry(change.to_json()) for change in schema_diff.diff(whole, before[0])]
        return result

    def _plan(self) -> Tuple[List[str], List[Mapping[str, Any]]]:
        """(revisions that production stands on, steps of the upgrade in their order), from the timeline of the upgrade."""
        events = list(files.read_json_lines(self._work.file("evidence", "migration-upgrade.jsonl")))
        found = {name: next((event for event in events if event["event"] == name), None) for name in ("current", "plan")}
        if found["current"] is None or found["plan"] is None:
            raise RehearsalError("the timeline of the upgrade does not say what was pending")
        return list(found["current"]["heads"]), list(found["plan"]["steps"])

    def _take(self, entry: Dict[str, Any], name: str, direction: str, target: Any) -> Optional[List[str]]:
        """One run, noted in `entry`; the revisions that the copy stands on then, None where it failed."""
        entry[name] = {"seconds": None, "error": None, "schema": [], "data": []}
        try:
            outcome = self._migrate(direction, target)
        except _Failed as error:
            entry[name]["error"] = str(error)
            return None
        ended = [event["ms"] for event in outcome.events if event["event"] == "revision_end"]
        entry[name]["seconds"] = round(sum(ended) / 1000, 3)
        done = outcome.last("done") or {}
        return list(done.get("heads") or [])

    def _migrate(self, direction: str, target: Any) -> Outcome:
        """`target`: a revision, or all revisions that the copy shall stand on."""
        # With a comma Alembic's own shortcuts do not apply: exactly what these revisions do not need is taken back.
        text = target if isinstance(target, str) else "".join(f"{revision}," for revision in target) or "base"
        outcome = application.run(
            self._project,
            direction,
            marker_id=self._id,
            target=text,
            log_path=self._work.file("evidence", "application.log"),
            pid_path=self._work.file("running", "application"),
            measured=False,
        )
        found = findings_of(outcome, direction)
        if found:
            raise _Failed(found[0]["message"])
        return outcome

    def _look(self, since: Optional[Mapping[str, Any]]) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        """(snapshot, fingerprint); of the data only what was touched since is read again."""
        with Session(self._server, self._copy, application_name(self._id), READ_ONLY, self._deadline_s) as session:
            marker = read_marker(session, self._copy)
            if marker is None or marker.id != self._id or marker.part:
                raise RehearsalError(f"{self._server.describe(self._copy)} is not the copy of rehearsal {self._id}")
            proof = self._proof if since is not None or self._proof == "counts" else "full"
            catalog = snapshot.take_snapshot(session)
            # Its runs are not measured, so nobody knows whether they kept the server from counting.
            return catalog, fingerprint.take_fingerprint(session, since=since, proof=proof, distrust=row_counters.UNKNOWN)


def _compare(entry: Dict[str, Any], wanted: Sequence[Dict[str, Any]], found: Sequence[Dict[str, Any]]) -> None:
    entry["schema"] = [words.carry(change.to_json()) for change in schema_diff.diff(wanted[0], found[0])]
    entry["data"] = [words.carry(change.to_json()) for change in data_diff.compare(wanted[1], found[1])]
