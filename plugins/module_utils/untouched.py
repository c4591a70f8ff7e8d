# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What provably was not touched since a moment needs no second hash.

The mark of a moment is a transaction id below which every transaction of the database had ended then. A row whose xmin is below it, in a table whose
files (relfilenode) are the same, is the same physical tuple: it was neither inserted nor updated since. If there are as many such rows as the table
had rows, nothing was deleted either. Freezing keeps the xmin that is read here. (`row_counters` says where not even that needs to be read.)
"""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.relations import Column, Relation

# age() keeps a statement from using parallel workers, a list of ids does not, and is as quick; if it has 9 at least (since 14).
LISTED_IDS = 1000


def take_mark(session: Session) -> str:
    """The mark of now, as text of an xid. Call it before the snapshot that it belongs to is taken.

    Transactions of other databases of the server do not count: on a shared server there is always one. They are told by the lock that each
    transaction holds on its own id; it is released only after the transaction has ended for everybody's snapshots, and cannot be hidden from us.
    """
    # The next id first: what gets its id later is not below it.
    next_id = session.value("SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::xid::text AS v")
    mark: str = session.value(
        f"""
        SELECT q.id::text AS v FROM (
            SELECT '{int(next_id)}'::xid AS id
            UNION ALL
            SELECT l.transactionid FROM pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
            WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock'
                AND (a.datid IS NULL OR a.datid = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()))
        ) AS q ORDER BY pg_catalog.age(q.id) DESC LIMIT 1"""
    )
    return mark


def snapshot_mark(session: Session) -> str:
    """The mark of the snapshot of the current transaction, where nobody asked before; transactions of other databases count here."""
    mark: str = session.value("SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::xid::text AS v")
    return mark


def same_files(relation: Relation, before: Mapping[str, Any]) -> bool:
    """True if the table was neither rewritten nor truncated, nor got or lost a partition."""
    return bool(relation.files) and relation.files == before.get("files")


def new_row_condition(session: Session, mark: str) -> str:
    """SQL that is true for a row `t` that was written since the mark."""
    found = session.row(
        f"""
        SELECT ARRAY(SELECT ('{int(mark)}'::xid::text::bigint + n) % 4294967296 FROM generate_series(0, least(q.used, {LISTED_IDS}) - 1) AS n) AS ids,
            q.used
        FROM (SELECT greatest(pg_catalog.age('{int(mark)}'::xid), 0) + 9 AS used) AS q"""
    )
    if found["used"] > LISTED_IDS:
        return f"pg_catalog.age(t.xmin) <= pg_catalog.age('{int(mark)}'::xid)"
    return f"t.xmin = ANY ('{{{','.join(str(number) for number in found['ids'])}}}'::xid[])"


def keeps_hash(column: Column, before: Mapping[str, Any]) -> bool:
    """True if an unchanged stored value of this column must have the hash that it had.

    A renamed enum label changes text without touching rows. A column that is dropped and made again under the same name holds other values.
    """
    same = before["type"] == column.type and before.get("number") == column.number
    return column.stable_text and same and before["hash"] is not None
