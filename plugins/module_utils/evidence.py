# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gather the evidence of one moment from the copy: its catalog, its data's fingerprint, and the rows behind checks.

What looks at old rows is imported where they are looked at: it brings with it all that makes copies, which a host compiles for each stage.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, Collection, Dict, List, Mapping, Optional, Set

from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    data_diff,
    earlier_rows,
    files,
    fingerprint,
    number_checks,
    planner_statistics,
    progress,
    renames,
    row_checks,
    row_counters,
    snapshot,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_marker import read_marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import RUNS
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Expectations
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import object_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import READ_ONLY, Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import MANIFEST, WorkDirectory

MOMENTS = ("before", "after", "back", "again")
SNAPSHOT, FINGERPRINT, CHECKS = "snapshot", "fingerprint", "checks"
# At these moments the data is as the upgrade leaves it: declared changes have happened, and new columns are there.
_UPGRADED = ("after", "again")
# At these the data is held against what it was before.
_HELD_AGAINST_BEFORE = ("after", "back")


class EvidenceRefused(RehearsalError):
    """The database is not this rehearsal's copy, or a declaration cannot be measured."""


def gather(
    server: Server,
    database: str,
    rehearsal_id: str,
    work: WorkDirectory,
    *,
    moment: str,
    what: Collection[str],
    expectations: Expectations,
    proof: str,
    connections: int,
    deadline_s: float,
    show_keys: bool = False,
    follow_rows: bool = True,
    only_migrations: bool = True,
    statistics: int = 0,
) -> List[str]:
    """Write the evidence files of a moment; each file's content in a few words. The copy's rows it only reads.

    `show_keys`: the keys of rows that changed unexpectedly may be written down.
    `follow_rows`: the backup still holds the old rows; they are not those of the copy any more where it was masked.
    `only_migrations`: nothing else ran on the copy since the moment before the upgrade.
    `statistics`: so many sessions gather the planner's statistics meanwhile.

    Raises EvidenceRefused and PostgresError.
    """
    said: List[str] = []
    with Session(server, database, application_name(rehearsal_id), READ_ONLY, deadline_s) as session, contextlib.ExitStack() as meanwhile:
        marker = read_marker(session, database)
        if marker is None or marker.id != rehearsal_id or marker.part:
            raise EvidenceRefused(f"{server.describe(database)} is not the copy of rehearsal {rehearsal_id}")
        meanwhile.enter_context(planner_statistics.gathered_meanwhile(server, database, rehearsal_id, statistics, deadline_s))
        catalog, taken = None, None
        if SNAPSHOT in what:
            catalog = snapshot.take_snapshot(session)
            files.write_json(work.file("evidence", f"snapshot-{moment}.json"), catalog)
            files.write_json(work.file("evidence", f"identity-{moment}.json"), renames.read_identity(session))
            said.append(f"{len(catalog['tables'])} tables in the catalog")
            catalog = _for_checks(catalog)
        renamed = _renames(work, moment, expectations)
        if FINGERPRINT in what:
            with progress.counted(work, "of tables read") as counter:
                taken = _fingerprint(session, work, moment, expectations, proof, connections, counter, renamed, only_migrations)
            if moment in _UPGRADED:
                _add_earlier(session, work, taken, renamed)
            files.write_json(work.file("evidence", f"fingerprint-{moment}.json"), taken)
            rows = sum(table["rows"] for table in taken["tables"].values())
            said.append(f"{rows:,} rows of {len(taken['tables'])} tables fingerprinted")
            if moment in _HELD_AGAINST_BEFORE:
                said += _follow_rows(server, database, marker, work, moment, taken, expectations, show_keys, follow_rows, deadline_s, renamed)
        if CHECKS in what:
            catalog = catalog or _for_checks(files.read_json(work.file("evidence", f"snapshot-{moment}.json")))
            checks = _checks(session, work, moment, catalog, taken, renamed)
            if moment in _UPGRADED:
                from ansible_collections.migrations.rehearsal.plugins.module_utils import old_row_checks

                old = old_row_checks.OldRows(server, marker, work, renamed, taken, deadline_s, follow_rows)
                checks["existing_rows"] = old_row_checks.existing_rows(session, _asked_of_rows(expectations, catalog), old)
            files.write_json(work.file("evidence", f"checks-{moment}.json"), checks)
            said.append(f"{len(checks['orphans'])} foreign keys checked for orphans")
    return said


def _renames(work: WorkDirectory, moment: str, expectations: Expectations) -> renames.Renames:
    """What is called otherwise than before the upgrade."""
    paths = [work.file("evidence", f"identity-{one}.json") for one in ("before", moment)]
    known = [files.read_json(path) if os.path.exists(path) else None for path in paths]
    return renames.between(known[0], known[1], expectations.told_renames() if moment in _UPGRADED else {})


def _fingerprint(
    session: Session,
    work: WorkDirectory,
    moment: str,
    expectations: Expectations,
    proof: str,
    connections: int,
    counter: progress.Counter,
    renamed: renames.Renames,
    only_migrations: bool,
) -> Dict[str, Any]:
    expressions = expectations.declared_expressions()
    try:
        if moment == "before":
            return fingerprint.take_fingerprint(
                session, declared=expressions, proof="counts" if proof == "counts" else "full", connections=connections, counter=counter
            )
        before = renamed.of_fingerprint(files.read_json(work.file("evidence", "fingerprint-before.json")))
        canonical = [renamed.label(name) for name in expressions] if moment in _UPGRADED else []
        distrust = _doubt(work) if only_migrations else row_counters.ADDED_TASKS
        return fingerprint.take_fingerprint(
            session, canonical=canonical, since=before, proof=proof, connections=connections, counter=counter, distrust=distrust
        )
    except ValueError as error:
        raise EvidenceRefused(f"a declared change cannot be measured: {error}") from None


def _doubt(work: WorkDirectory) -> str:
    """Why what ran since the moment before the upgrade may have kept the server from counting rows."""
    ran = [path for path in (work.file("evidence", f"migration-{run}.jsonl") for run in RUNS) if os.path.exists(path)]
    if not ran:
        return row_counters.UNKNOWN
    return next((why for why in map(row_counters.doubt, map(files.read_json_lines, ran)) if why), "")


def _add_earlier(session: Session, work: WorkDirectory, taken: Dict[str, Any], renamed: renames.Renames) -> None:
    path = work.file("evidence", "snapshot-before.json")
    if os.path.exists(path):
        before = renamed.of_fingerprint(files.read_json(work.file("evidence", "fingerprint-before.json")))
        earlier_rows.add(session, taken, before, lambda: files.read_json(path)["sequences"], renamed)


def _follow_rows(
    server: Server,
    database: str,
    marker: Marker,
    work: WorkDirectory,
    moment: str,
    taken: Dict[str, Any],
    expectations: Expectations,
    show_keys: bool,
    follow_rows: bool,
    deadline_s: float,
    renamed: renames.Renames,
) -> List[str]:
    """Where the fingerprints say that something changed unexpectedly, but not in how many rows: `rows-MOMENT.json`."""
    before = files.read_json(work.file("evidence", "fingerprint-before.json"))
    declared = expectations.declared_expressions() if moment in _UPGRADED else {}
    # What may hold anything after the upgrade is a loss like any other where the way back does not bring it back.
    accepted = [name for name, change in expectations.changes.items() if change.kind == "changed" and moment in _UPGRADED]
    own = files.read_json(work.file(MANIFEST))["revisions"] if os.path.exists(work.file(MANIFEST)) else ()
    found = data_diff.to_follow(before, taken, declared, accepted, show_keys, renamed)
    wanted = {table: columns for table, columns in found.items() if table not in own}
    if not wanted:
        return []
    try:
        if not follow_rows:
            raise EvidenceRefused("the copy was changed by added tasks after it had been restored, so the backup does not hold its old rows")
        from ansible_collections.migrations.rehearsal.plugins.module_utils import changed_rows

        document = changed_rows.measure(server, database, marker, work, wanted, before, declared, show_keys, deadline_s, renamed)
    except RehearsalError as error:
        # That values changed is known all the same; the finding says why their number is not.
        document = {"tables": {}, "error": str(error)}
    files.write_json(work.file("evidence", f"rows-{moment}.json"), document)
    return [f"rows of {', '.join(sorted(wanted))} followed" if document["tables"] else "changed rows not counted"]


def _asked_of_rows(expectations: Expectations, catalog: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    """What rows are expected to hold, by table and column, as far as these are there."""
    found: Dict[str, Dict[str, Any]] = {}
    for table, expected in expectations.after_upgrade.tables.items():
        columns = (catalog["tables"].get(table) or {}).get("columns") or {}
        wanted = {column: value for column, value in expected.existing_rows.items() if column in columns}
        if wanted:
            found[table] = wanted
    return found


def _checks(
    session: Session, work: WorkDirectory, moment: str, catalog: Dict[str, Any], taken: Optional[Dict[str, Any]], renamed: renames.Renames
) -> Dict[str, Any]:
    return {
        "orphans": row_checks.orphans(session, _untouched(work, moment, taken, renamed)),
        "existing_rows": [],
        "duplicates": _duplicates(session, catalog),
        "sequences_behind": number_checks.sequences_behind(session),
        "near_limit": number_checks.near_limit(session),
    }


def _untouched(work: WorkDirectory, moment: str, taken: Optional[Dict[str, Any]], renamed: renames.Renames) -> Set[str]:
    """Tables of which every row is the one that it was before the upgrade, where no foreign key was broken: their keys need no second look."""
    first = work.file("evidence", "checks-before.json")
    if moment == "before" or taken is None or not os.path.exists(first):
        return set()
    broken = {renamed.relation(entry["table"]) for entry in files.read_json(first)["orphans"] if entry["rows"] != 0}
    before = renamed.of_fingerprint(files.read_json(work.file("evidence", "fingerprint-before.json")))["tables"]
    same = {name for name, table in taken["tables"].items() if name in before and table.get("old_rows") == table["rows"] == before[name]["rows"]}
    return same - broken


def _for_checks(catalog: Mapping[str, Any]) -> Dict[str, Any]:
    """As much of a snapshot as the checks look at: it need not lie in memory beside the fingerprints."""
    return {
        "tables": {
            name: {
                "schema": table["schema"],
                "columns": list(table["columns"]),
                "indexes": {index: record for index, record in table["indexes"].items() if record["unique"] and not record["valid"]},
            }
            for name, table in catalog["tables"].items()
        }
    }


def _duplicates(session: Session, catalog: Dict[str, Any]) -> List[Dict[str, Any]]:
    """What keeps unique indexes that are not valid from becoming so."""
    found: List[Dict[str, Any]] = []
    for name, table in catalog["tables"].items():
        for index, record in table["indexes"].items():
            counted = row_checks.duplicates(session, name, record["columns"], record["predicate"], record["nulls_not_distinct"])
            found.append({"index": object_name(table["schema"], index), **counted})
    return found
