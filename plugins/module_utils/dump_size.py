# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a dump will probably be, for the time that it will take: an estimate, which nothing is refused by."""

from __future__ import annotations

from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session

# Rows become text, and text is compressed. What was stored out of line was compressed already, or could not be.
_OF_ROWS, _OF_TOAST = 0.35, 0.9
# Of a database whose tables nobody has counted the pages of, indexes and catalogs included.
_OF_ALL = 0.2
# Pages as VACUUM has noted them: to ask for the files' sizes would wait for locks. Indexes are not in a dump: they are made anew.
_TABLES = """
SELECT coalesce(sum(c.relpages::bigint), 0) * current_setting('block_size')::int AS rows,
       coalesce(sum(t.relpages::bigint), 0) * current_setting('block_size')::int AS toast
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND c.oid >= 16384"""


def expected_bytes(session: Session, database_bytes: int, last_share: float = 0.0) -> float:
    """Of the session's database. `last_share`: what part of the database's size its last dump had; 0 where there was none."""
    if last_share:
        return database_bytes * last_share
    tables = session.row(_TABLES)
    return _OF_ROWS * float(tables["rows"]) + _OF_TOAST * float(tables["toast"]) or _OF_ALL * database_bytes
