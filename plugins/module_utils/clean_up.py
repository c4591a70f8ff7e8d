# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove what a rehearsal made on a host, and prove by looking that it is gone. Sweep: the same for what has expired."""

from __future__ import annotations

import datetime
import os
from typing import Any, Collection, Dict, List, Mapping, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    backup,
    copy_database,
    ephemeral,
    inside,
    kept_server,
    kept_template,
    side_database,
    spare_copy,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_marker import read_marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import (
    CLEAN_UP_NAME,
    TEMPLATE,
    Marker,
    application_name,
    copy_database_name,
    started,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import READ_ONLY, PostgresError, Server, Session, quote_literal
from ansible_collections.migrations.rehearsal.plugins.module_utils.row_files import ROWS
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import (
    MARKER_FILE,
    WorkDirectory,
    WorkDirectoryError,
    find_work_directories,
)

_INSIDE_EXPIRES = datetime.timedelta(hours=24)
KEEP_COPY, KEEP_BACKUP, KEEP_TEMPLATE, KEEP_NONE = "copy", "backup", "template", "none"


def clean_up(
    server: Optional[Server], database: Optional[str], rehearsal_id: str, work: WorkDirectory, keep: str, deadline_s: float
) -> Dict[str, Any]:
    """Remove one rehearsal from this host. Never raises: what could not be done or proven is in `problems`.

    `database` is the copy's name on dev, None on production. `server` is None where the copy has one of its own, which goes with the work
    directory, and where no database was asked. Returns {"copy", "work_directory", "removed", "left", "problems"}, and `kept`: what stays until it
    expires, as [{"thing", "expires"}], where something does.
    """
    if server is None:
        return clean_up_own_server(database, rehearsal_id, work, keep, deadline_s)
    removed: List[str] = []
    problems: List[str] = []
    # Processes first: a tool that still runs would make new files and sessions behind our back.
    work.stop_processes()
    copy = _clean_copy(server, database, rehearsal_id, keep, deadline_s, removed, problems)
    spared = [TEMPLATE] if keep == KEEP_TEMPLATE else []
    kept: List[Dict[str, str]] = []
    if database:
        if spared:
            kept, spared = _keep_template(server, rehearsal_id, deadline_s, problems)
        dropped, in_the_way = side_database.drop_all(server, rehearsal_id, deadline_s, spared)
        removed += [f"database {name}" for name in dropped]
        problems += [problem for problem in in_the_way if problem not in problems]
    try:
        if keep == KEEP_BACKUP and database:
            work_state = _keep_backup_only(work)
        else:
            work_state = "removed" if work.remove() else "absent"
    except (WorkDirectoryError, OSError) as error:
        work_state = "left"
        problems.append(str(error))
    if work_state == "removed":
        removed.append(work.path)
    # On production nothing is written, here neither.
    settings = None if database else READ_ONLY
    _end_sessions(server, rehearsal_id, deadline_s, settings)
    removed += _clean_inside(server, rehearsal_id, problems)
    left = _look(server, database, keep, rehearsal_id, work if work_state != "kept" else None, deadline_s, problems, spared, settings)
    return {
        "copy": copy,
        "work_directory": work_state,
        "removed": removed,
        "left": left,
        "problems": problems,
        **({"kept": kept} if kept else {}),
    }


def _keep_template(server: Server, rehearsal_id: str, deadline_s: float, problems: List[str]) -> Tuple[List[Dict[str, str]], List[str]]:
    """(the template with its expiry if it is there, the parts that are not to be dropped)."""
    try:
        found = kept_template.look(server, rehearsal_id, deadline_s)
    except PostgresError as error:
        # Whether it is there cannot be told: then nothing may be dropped either.
        problems.append(error.message)
        return [], [TEMPLATE]
    return ([{"thing": f"database {found.database}", "expires": found.expires}], [TEMPLATE]) if found else ([], [])


def _end_sessions(server: Server, rehearsal_id: str, deadline_s: float, settings: Optional[Mapping[str, str]]) -> None:
    """End what the server still does for the rehearsal: a tool in a container goes on when what started it has been killed."""
    try:
        with Session(server, server.maintenance_database, CLEAN_UP_NAME, settings, deadline_s) as session:
            copy_database.end_sessions(session, rehearsal_id)
    except PostgresError:
        pass  # the look afterwards asks the same server, and tells


def _clean_inside(server: Server, rehearsal_id: str, problems: List[str]) -> List[str]:
    """What lies where the tools run, apart from what this very process needs."""
    removed: List[str] = []
    try:
        for path in inside.directories(server, rehearsal_id):
            if path != os.path.dirname(server.passfile):
                inside.remove_directory(server, path)
                removed.append(path)
    except PostgresError as error:
        problems.append(error.message)
    return removed


def clean_up_beyond(server: Server, rehearsal_id: str, deadline_s: float, result: Dict[str, Any]) -> None:
    """Add what dev left where its tools reach production behind a prefix, which may be another place than that of production's own clean-up."""
    _end_sessions(server, rehearsal_id, deadline_s, READ_ONLY)
    result["removed"] += _clean_inside(server, rehearsal_id, result["problems"])


def clean_up_own_server(database: Optional[str], rehearsal_id: str, work: WorkDirectory, keep: str, deadline_s: float) -> Dict[str, Any]:
    """`clean_up` where the copy's server is in the work directory, or where no database was asked at all."""
    problems: List[str] = []
    own = ephemeral.load(work)
    # Asked now: afterwards nothing is left that knows of them.
    places = [work.path, *work.elsewhere()]
    if own is not None and keep == KEEP_COPY and own.running:
        work.stop_processes(sparing=own.pid)
        _dropped, in_the_way = side_database.drop_all(own.server, rehearsal_id, deadline_s)
        problems += [*in_the_way, *_keep_server_only(work)]
        return {"copy": "kept", "work_directory": "kept", "removed": [], "left": [], "problems": problems}
    work.stop_processes()
    kept = kept_server.look(own, rehearsal_id) if own is not None and keep == KEEP_TEMPLATE else None
    if own is not None and kept is not None and not own.running:
        gone, failures = kept_server.leave_only(own, work)
        problems += failures
        return {
            "copy": "dropped",
            "work_directory": "kept",
            "removed": [f"server with database {database}", *gone],
            "left": [],
            "problems": problems,
            "kept": [{"thing": kept.database, "expires": kept.expires}],
        }
    if own is not None and not own.running:
        # Into the directory of the template that it was made from, where that is kept.
        spare_copy.leave(own.home)
    try:
        if keep == KEEP_BACKUP and database:
            state = _keep_backup_only(work)
        else:
            state = "removed" if work.remove() else "absent"
    except (WorkDirectoryError, OSError) as error:
        state = "left"
        problems.append(str(error))
    gone = [path for path in places if not os.path.lexists(path)] if state != "absent" else []
    left = [path for path in places if os.path.lexists(path) and (state != "kept" or path != work.path)]
    copy = "absent" if database else "none"
    if own is not None and own.running:
        copy = "left"
        left.append(f"server of the copy in {own.home}")
    elif own is not None:
        copy = "dropped"
        gone.insert(0, f"server with database {database}")
    return {"copy": copy, "work_directory": state, "removed": gone, "left": left, "problems": problems}


def _keep_server_only(work: WorkDirectory) -> List[str]:
    """Leave the running server of the copy; everything else in the work directory goes. What could not be removed, in words."""
    return work.remove_entries(except_for=(ephemeral.DIRECTORY, "elsewhere", "running", MARKER_FILE))


def _clean_copy(
    server: Server, database: Optional[str], rehearsal_id: str, keep: str, deadline_s: float, removed: List[str], problems: List[str]
) -> str:
    if not database:
        return "none"
    try:
        if keep == KEEP_COPY:
            return "kept" if copy_database.is_copy(server, database, rehearsal_id, deadline_s) else "absent"
        outcome = copy_database.drop_copy(server, database, rehearsal_id, deadline_s)
    except copy_database.CopyRefused as error:
        if database != copy_database_name(rehearsal_id):
            # Somebody else's database has that name: then no copy of ours was ever made there.
            return "absent"
        # Nobody else uses that name: we were ended between making and marking it. Without a marker it is not ours to drop, but to tell.
        problems.append(str(error))
        return "left"
    except PostgresError as error:
        problems.append(error.message)
        return "left"
    if outcome == "dropped":
        removed.append(f"database {database}")
    return outcome


def _keep_backup_only(work: WorkDirectory) -> str:
    """Leave the backup, packed or unpacked, with its manifest and the marker; where no backup had arrived, there is nothing to keep."""
    if not any(os.path.exists(work.file(name)) for name in (backup.DUMP, backup.ARCHIVE)):
        return "removed" if work.remove() else "absent"
    if work.marker() is None:
        return "absent"
    failures = work.remove_entries(except_for=(backup.DUMP, ROWS, backup.ARCHIVE, backup.MANIFEST, MARKER_FILE))
    if failures:
        raise WorkDirectoryError(failures[0])
    return "kept"


def _look(
    server: Server,
    database: Optional[str],
    keep: str,
    rehearsal_id: str,
    work: Optional[WorkDirectory],
    deadline_s: float,
    problems: List[str],
    spared: Collection[str],
    settings: Optional[Mapping[str, str]],
) -> List[str]:
    """What of the rehearsal is still to be seen on this host."""
    left: List[str] = []
    if work and os.path.lexists(work.path):
        left.append(work.path)
    name = application_name(rehearsal_id)
    try:
        left += [path for path in inside.directories(server, rehearsal_id) if path != os.path.dirname(server.passfile)]
        with Session(server, server.maintenance_database, CLEAN_UP_NAME, settings, deadline_s) as session:
            left += [f"database {name}" for name in side_database.left(session, rehearsal_id, spared)] if database else []
            if database and keep != KEEP_COPY and copy_database.database_exists(session, database):
                found = read_marker(session, database)
                if found and found.id == rehearsal_id:
                    left.append(f"database {database}")
            # Sessions end a moment after the process that opened them.
            session.execute(
                "DO $$ BEGIN FOR i IN 1..100 LOOP PERFORM pg_catalog.pg_stat_clear_snapshot(); "
                f"EXIT WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE application_name = {quote_literal(name)}); "
                "PERFORM pg_catalog.pg_sleep(0.05); END LOOP; END $$"
            )
            sessions = session.value(f"SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE application_name = {quote_literal(name)}")
            if sessions:
                left.append(f"{sessions} sessions of «{name}»")
    except PostgresError as error:
        problems.append(f"could not look: {error.message}")
    return left


def sweep(
    server: Optional[Server],
    on_dev: bool,
    base: str,
    now: datetime.datetime,
    deadline_s: float,
    dry_run: bool,
    beyond: Optional[Server] = None,
) -> Dict[str, Any]:
    """Remove marked copies and work directories that have expired, and nothing else. Without a server, only what lies in files.

    `beyond`: production as dev reaches it, where only what lies beside dev's tools is looked for.
    Returns {"removed", "kept", "problems"}; with `dry_run`, `removed` is what would be.
    """
    result: Dict[str, List[str]] = {"removed": [], "kept": [], "problems": []}
    for work in find_work_directories(base):
        marker = work.marker()
        if marker is None or not marker.expired(now):
            result["kept"].append(work.path)
            continue
        try:
            if dry_run or work.remove():
                result["removed"].append(work.path)
        except (WorkDirectoryError, OSError) as error:
            # Somebody else may be sweeping it at the same moment; the marker goes last.
            if work.marker() is not None:
                result["problems"].append(str(error))
    for reached in (server, beyond):
        if reached is not None:
            _sweep_inside(reached, now, dry_run, result)
    if server is not None and on_dev:
        _sweep_copies(server, now, deadline_s, dry_run, result)
    return dict(result)


def _sweep_inside(server: Server, now: datetime.datetime, dry_run: bool, result: Dict[str, List[str]]) -> None:
    try:
        for path in inside.directories(server):
            # They carry no marker of their own: the id says when the rehearsal began, and none needs them for a day.
            if now - started(inside.rehearsal_of(path)) < _INSIDE_EXPIRES:
                result["kept"].append(path)
                continue
            if not dry_run:
                inside.remove_directory(server, path)
            result["removed"].append(path)
    except PostgresError as error:
        result["problems"].append(error.message)


def _sweep_copies(server: Server, now: datetime.datetime, deadline_s: float, dry_run: bool, result: Dict[str, List[str]]) -> None:
    try:
        with Session(server, server.maintenance_database, "rehearsal sweep", deadline_s=deadline_s) as session:
            found = session.rows(
                "SELECT d.datname AS name, pg_catalog.shobj_description(d.oid, 'pg_database') AS comment FROM pg_catalog.pg_database d"
            )
    except PostgresError as error:
        result["problems"].append(error.message)
        return
    for row in found:
        marker = Marker.from_text(row["comment"])
        if marker is None:
            continue
        if not marker.expired(now):
            result["kept"].append(f"database {row['name']}")
            continue
        try:
            if dry_run or copy_database.drop_copy(server, row["name"], marker.id, deadline_s) == "dropped":
                result["removed"].append(f"database {row['name']}")
        except RehearsalError as error:
            result["problems"].append(str(error))
