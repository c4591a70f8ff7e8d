# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What provably was not touched since a moment needs no second hash.

The mark of a moment is the oldest transaction id that could still write then. A row whose xmin is older, in a table whose files (relfilenode) are the
same, is the same physical tuple: it was neither inserted nor updated since. If there are as many such rows as the table had rows, nothing was
deleted either. Statistics (pg_stat_*) are not used: they lag, and can be reset. Freezing keeps the xmin that is read here.
"""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.relations import Column, Relation


def take_mark(session: Session) -> str:
    """The mark of now: the lowest transaction id still in progress, as text of an xid8."""
    mark: str = session.value("SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text AS v")
    return mark


def same_files(relation: Relation, before: Mapping[str, Any]) -> bool:
    """True if the table was neither rewritten nor truncated, nor got or lost a partition."""
    return bool(relation.files) and relation.files == before.get("files")


def old_rows(session: Session, relation: Relation, mark: str) -> int:
    """Rows that are the same physical tuples as at the mark."""
    rows: int = session.value(f"SELECT count(*) AS v FROM {relation.source} WHERE pg_catalog.age(t.xmin) > pg_catalog.age('{int(mark)}'::xid8::xid)")
    return rows


def keeps_hash(column: Column, before: Mapping[str, Any]) -> bool:
    """True if an unchanged stored value of this column must have the hash that it had: a renamed enum label changes text without touching rows."""
    return column.stable_text and before["type"] == column.type and before["hash"] is not None
