# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill the copy from an existing backup. The file is only read; no connection to production is needed, and nothing is proved against it."""

from __future__ import annotations

import os
import shutil
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import archive, backup_file, copy_database, progress_database, sql_dump
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import DUMP
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup_file import BackupFile, BackupFileError
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, tool_version
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool, ToolFailed, registered
from ansible_collections.migrations.rehearsal.plugins.module_utils.reach import Reach
from ansible_collections.migrations.rehearsal.plugins.module_utils.role_statements import Roles
from ansible_collections.migrations.rehearsal.plugins.module_utils.sql_dump import Scan
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

_PROVIDERS = {"libc": "c", "icu": "i", "builtin": "b"}


def open_archive(backup: BackupFile, work: WorkDirectory, prefixed: bool) -> None:
    """Let an archive be where that of a dump would be. Plain SQL stays where it is; the backup itself is never moved or changed."""
    if backup.format == backup_file.PLAIN:
        return
    target = work.file(DUMP)
    if backup.compression or backup.format == backup_file.PACKED:
        backup_file.unpack(backup, target)
    elif not prefixed:
        os.symlink(backup.path, target)
    elif backup.format == backup_file.DIRECTORY:
        shutil.copytree(backup.path, target)
    else:
        shutil.copyfile(backup.path, target)


def survey(backup: BackupFile, server: Server, rehearsal_id: str, work: WorkDirectory, deadline_s: float) -> Scan:
    """What the backup needs, and what it tells of its database. `server` need not run: only its pg_restore is used."""
    if backup.format == backup_file.PLAIN:
        with backup_file.reading(backup.path, backup.compression) as stream:
            return sql_dump.scan(stream, backup.path)
    try:
        with Reach(server, rehearsal_id, work, deadline_s) as reach:
            return archive.definitions(server, reach, deadline_s, sql_dump.read_definitions)
    except ToolFailed as error:
        raise BackupFileError(
            f"pg_restore cannot read {backup.path}: it is damaged, or was made by a newer pg_dump than the pg_restore in "
            f"{server.bin_dir or 'the search path'} ({error})"
        ) from None


def restore(
    server: Server, database: str, rehearsal_id: str, work: WorkDirectory, backup: BackupFile, *,
    jobs: int, roles: Roles, without: Sequence[str], deadline_s: float,
) -> List[Dict[str, Any]]:  # fmt: skip
    """Into the empty copy; what stayed out for its roles, counted. ToolFailed at the first error of any kind.

    `without`: extensions that stay out, of an archive.
    """
    if backup.format == backup_file.PLAIN:
        return _restore_sql(server, database, rehearsal_id, work, backup, roles, deadline_s)
    # A tar is read from its beginning, which allows no second reader.
    several = 1 if backup.format == backup_file.TAR else jobs
    return copy_database.restore(server, database, rehearsal_id, work, jobs=several, roles=roles, without=without, deadline_s=deadline_s)


def _restore_sql(
    server: Server, database: str, rehearsal_id: str, work: WorkDirectory, backup: BackupFile, roles: Roles, deadline_s: float
) -> List[Dict[str, Any]]:
    restricted = sql_dump.restricts(tool_version(server, "psql"))
    argv = server.tool(
        "psql", "--no-psqlrc", "--quiet", "--no-password", "--single-transaction", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse",
        "--output=/dev/null", "--file=-", f"--dbname={server.conninfo(database, application_name(rehearsal_id), {'synchronous_commit': 'off'})}",
    )  # fmt: skip
    not_given: List[Dict[str, Any]] = []
    with registered(work), progress_database.filled(work, server, database, rehearsal_id, 0):
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb") as stdin:
            tool = Tool(argv, work, stdin=stdin)
        try:
            with os.fdopen(writer, "wb", buffering=0) as target, backup_file.reading(backup.path, backup.compression) as stream:
                not_given = sql_dump.pour(stream, backup.path, target, roles.cautious(), restricted)
        except BrokenPipeError:
            pass  # psql has ended at an error, and says which
        except BaseException:
            tool.stop()
            raise
        tool.wait(deadline_s)
    return not_given


def manifest_before(found: Scan, default_locale: Mapping[str, Any]) -> Dict[str, Any]:
    """As much of a manifest as the making of an empty copy needs; what the backup does not tell is dev's."""
    told = found.database
    collate = told.get("LC_COLLATE") or told.get("LOCALE") or default_locale["collate"]
    ctype = told.get("LC_CTYPE") or told.get("LOCALE") or default_locale["ctype"]
    return {
        "encoding": told.get("ENCODING") or default_locale["encoding"],
        "collate": collate,
        "ctype": ctype,
        "locale_provider": _PROVIDERS.get(told.get("LOCALE_PROVIDER", "libc"), "c"),
        "locale": told.get("ICU_LOCALE") or told.get("BUILTIN_LOCALE"),
        "roles": sorted(found.roles),
        "settings": found.settings,
    }


def not_told(found: Scan) -> Sequence[str]:
    """What the backup does not tell of production, in words."""
    return [] if found.database else ["encoding", "collation", "settings of the database"]


def manifest_after(
    facts_of_copy: Mapping[str, Any], rows: Mapping[str, int], backup: BackupFile, found: Scan, rehearsal_id: str, database: str, taken_at: str
) -> Dict[str, Any]:
    """The manifest of a backup that came without one: what was counted on the copy, and the file's checksum."""
    facts: Dict[str, Any] = dict(facts_of_copy)
    version: Optional[int] = found.server_major
    facts["server_version"] = str(version) if version else "not told by the backup"
    return {
        **facts,
        "rows": dict(rows),
        "id": rehearsal_id,
        "database": database,
        "taken_at": taken_at,
        "seconds": 0.0,
        "files": {os.path.basename(backup.path): {"bytes": backup.bytes, "sha256": backup.sha256}},
        "backup_file": backup.to_json(),
        "not_told": list(not_told(found)),
        "rows_from": "copy",
    }
