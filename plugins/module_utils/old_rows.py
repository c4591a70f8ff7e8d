# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Production's rows as they were before the upgrade: restored from the backup, table by table, into a database beside the copy.

Where the copy was made from a kept template, that database is made from it too.

Nothing is made before something has changed: a rehearsal in which no value changed unexpectedly pays nothing for this.
"""

from __future__ import annotations

import os
from typing import Any, Collection, Dict, List, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import copy_database, files, kept_template, outside_world, restoring, row_files
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import DUMP, MANIFEST
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import OLD_ROWS, Marker, application_name, side_database_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import object_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import READ_ONLY, Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool
from ansible_collections.migrations.rehearsal.plugins.module_utils.reach import Reach
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

_RESTORED = "old-rows.json"

# Data are dumped by leaf: a partitioned table has none of its own.
_LEAVES = """
SELECT n.nspname AS schema, c.relname AS name, ln.nspname AS leaf_schema, l.relname AS leaf
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT c.oid UNION SELECT t.relid::oid FROM pg_catalog.pg_partition_tree(c.oid) AS t WHERE t.isleaf) AS m (oid)
JOIN pg_catalog.pg_class AS l ON l.oid = m.oid JOIN pg_catalog.pg_namespace AS ln ON ln.oid = l.relnamespace
WHERE c.relkind IN ('r', 'p') AND l.relkind = 'r'
"""


def prepare(server: Server, marker: Marker, work: WorkDirectory, tables: Collection[str], deadline_s: float) -> str:
    """See to it that the old rows of these tables are there; the name of their database.

    Raises RehearsalError where there is no backup (any more), PostgresError and ToolFailed.
    """
    if os.path.exists(work.file(kept_template.NOTE)):
        return _from_template(server, marker, work, deadline_s)
    if not os.path.exists(work.file(DUMP)):
        raise RehearsalError(f"there is no backup in {work.path} to take the old rows from")
    database = side_database_name(marker.id, OLD_ROWS)
    restored = _restored(work)
    missing = sorted(set(tables) - set(restored or ()))
    if restored is not None and missing:
        # Until it is written again: what is cut short now is made anew next time, and no row is there twice.
        os.unlink(work.file(_RESTORED))
    manifest: Dict[str, Any] = files.read_json(work.file(MANIFEST))
    if restored is None:
        copy_database.create_copy(server, database, marker.beside(OLD_ROWS), manifest, deadline_s)
        options = ["--section=pre-data"]
        # What stayed out of the copy stays out here.
        without = [entry["object"] for entry in outside_world.kept_out(manifest["extensions"])]
        _restore(server, database, marker.id, work, options, deadline_s, without)
    if missing:
        with Session(server, database, application_name(marker.id), READ_ONLY, deadline_s) as session:
            leaves = session.rows(_LEAVES)
        wanted = {(leaf["leaf_schema"], leaf["leaf"]) for leaf in leaves if object_name(leaf["schema"], leaf["name"]) in missing}
        _restore(server, database, marker.id, work, ["--section=data", *_selection(wanted)], deadline_s)
        row_files.fill(server, database, marker.id, work, manifest, wanted, deadline_s)
        with Session(server, database, application_name(marker.id), deadline_s=deadline_s) as session:
            session.execute("ANALYZE")
    files.write_json(work.file(_RESTORED), sorted({*(restored or ()), *missing}))
    return database


def _from_template(server: Server, marker: Marker, work: WorkDirectory, deadline_s: float) -> str:
    """All tables at once, from the template that the copy was made from: it takes less time than a few of them from a backup."""
    database = side_database_name(marker.id, OLD_ROWS)
    if _restored(work) is None:
        template = files.read_json(work.file(kept_template.NOTE))["database"]
        kept_template.old_rows(server, database, marker.beside(OLD_ROWS), template, deadline_s)
        files.write_json(work.file(_RESTORED), [])
    return database


def _restored(work: WorkDirectory) -> Optional[List[str]]:
    """The tables whose rows are there already; None where the database is not."""
    found: Optional[List[str]] = files.read_json(work.file(_RESTORED)) if os.path.exists(work.file(_RESTORED)) else None
    return found


def _selection(wanted: Collection[Tuple[str, str]]) -> List[str]:
    """pg_restore's options for tables by schema and name. Both are matched apart: at worst a namesake in another schema comes along."""
    schemas, names = ({one[place] for one in wanted} for place in (0, 1))
    return [*(f"--schema={schema}" for schema in sorted(schemas)), *(f"--table={name}" for name in sorted(names))]


def _restore(
    server: Server, database: str, rehearsal_id: str, work: WorkDirectory, options: List[str], deadline_s: float, without: Sequence[str] = ()
) -> None:
    conninfo = server.conninfo(database, application_name(rehearsal_id), {"synchronous_commit": "off"})
    plain = [
        "--exit-on-error",
        "--no-password",
        "--no-owner",
        "--no-privileges",
        "--no-subscriptions",
        "--no-publications",
        "--no-comments",
        "--no-tablespaces",
    ]
    words = [*plain, *options, f"--dbname={conninfo}"]
    with Reach(server, rehearsal_id, work, deadline_s) as reach:
        # A mapping would need its role, and lead to another server.
        words.append(f"--use-list={restoring.contents_without(server, work, reach, without, deadline_s, ['USER MAPPING '])}")
        Tool(server.tool("pg_restore", *words, reach.path(DUMP)), work).wait(deadline_s)
