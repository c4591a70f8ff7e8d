# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a dump will be: probably, for the time that it will take; and at most, for the room that it needs."""

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
# A fifth to a third is usual of what is not stored out of line; that can be what nothing makes smaller, and has a frame around it.
_MOST_OF_ROWS, _MOST_OF_TOAST = 0.5, 1.1
# One that nobody has counted yet is asked for its file's size.
_TOAST = """
SELECT coalesce(sum(CASE WHEN t.relpages > 0 THEN t.relpages::bigint * current_setting('block_size')::int
                         ELSE pg_catalog.pg_relation_size(t.oid) END), 0)::bigint AS bytes
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid WHERE c.relkind = 'r' AND c.oid >= 16384"""


def most_bytes(session: Session, database_bytes: int) -> int:
    """Of the session's database: room for its dump that is on the safe side."""
    toast = min(int(session.value(_TOAST)), database_bytes)
    return int(_MOST_OF_ROWS * (database_bytes - toast) + _MOST_OF_TOAST * toast)


def expected_bytes(session: Session, database_bytes: int, last_share: float = 0.0) -> float:
    """Of the session's database. `last_share`: what part of the database's size its last dump had; 0 where there was none."""
    if last_share:
        return database_bytes * last_share
    tables = session.row(_TABLES)
    return _OF_ROWS * float(tables["rows"]) + _OF_TOAST * float(tables["toast"]) or _OF_ALL * database_bytes
