# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drift: production's schema held against what its own revision says.

What the revision says is had by running the application's migrations from nothing, in an empty marked database beside the copy, up to the revision
that production stands on. Not every history can be run from nothing; then that is said, and nothing is assumed.
"""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import application, copy_database, database_facts, files, schema_diff, words
from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Application
from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_marker import read_marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import FROM_EMPTY, Marker, application_name, side_database_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.migration_findings import error_text
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import READ_ONLY, Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.snapshot import take_snapshot
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

# What migrations are about. Grants, settings, publications and the like are the administrators', and differ on purpose.
_KINDS = frozenset(
    ["schema", "type", "sequence", "table", "column", "constraint", "index", "statistics", "trigger", "rule", "policy", "view", "function"]
)


def measure(
    server: Server, copy: str, rehearsal_id: str, work: WorkDirectory, project: Application, revisions: Sequence[str], deadline_s: float
) -> Dict[str, Any]:
    """{"revisions", "ran": number of revisions, "reason": why it could not be measured, or null, "changes": [Change, …]}.

    A change leads from what the revision says to what production has. Raises PostgresError and CopyRefused; a history that does not run is a reason.
    """
    result: Dict[str, Any] = {"revisions": list(revisions), "ran": 0, "reason": None, "changes": []}
    if not revisions:
        return {**result, "reason": "production stands on no revision"}
    database = side_database_name(rehearsal_id, FROM_EMPTY)
    with Session(server, server.maintenance_database, application_name(rehearsal_id), deadline_s=deadline_s) as session:
        marker = read_marker(session, copy)
    if marker is None or marker.id != rehearsal_id:
        raise RehearsalError(f"{server.describe(copy)} is not the copy of rehearsal {rehearsal_id}")
    with Session(server, copy, application_name(rehearsal_id), READ_ONLY, deadline_s) as session:
        # Encoding and collation as the copy has them, whatever it was made from.
        facts = database_facts.read_facts(session)
    copy_database.create_copy(server, database, marker.beside(FROM_EMPTY), facts, deadline_s, quiet=False)
    try:
        result["ran"], result["reason"] = _build(marker, work, project, revisions)
        if result["reason"] is None:
            with Session(server, database, application_name(rehearsal_id), READ_ONLY, deadline_s) as session:
                said = take_snapshot(session)
            has = files.read_json(work.file("evidence", "snapshot-before.json"))
            result["changes"] = _differences(said, has)
    finally:
        copy_database.drop_copy(server, database, rehearsal_id, deadline_s)
    return result


def _build(marker: Marker, work: WorkDirectory, project: Application, revisions: Sequence[str]) -> Any:
    ran = 0
    for revision in revisions:
        outcome = application.run(
            project,
            "upgrade",
            marker_id=f"{marker.id}/{FROM_EMPTY}",
            target=revision,
            log_path=work.file("evidence", "application.log"),
            pid_path=work.file("running", "application"),
            measured=False,
        )
        ran += sum(event["event"] == "revision_end" for event in outcome.events)
        if outcome.fence:
            database = (outcome.fence.get("address") or {}).get("database") or "another database"
            return ran, f"the application went for {database}: its address is not made of rehearsal_copy_database alone; nothing was changed there"
        if not outcome.succeeded:
            said = error_text(outcome.error) if outcome.error else f"the application's process ended with exit code {outcome.exit_code}"
            return ran, f"the migrations do not run from an empty database to {revision}: {said}"
    return ran, None


def _differences(said: Dict[str, Any], has: Dict[str, Any]) -> List[Dict[str, Any]]:
    return [words.carry(change.to_json()) for change in schema_diff.diff(said, has, owners=False) if change.object_kind in _KINDS]
