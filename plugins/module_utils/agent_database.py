# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database consists of, as seen from another session: relations before the run, and objects before and after it.

Runs inside the application's Python: standard library only.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_sql import Statement, rewrite_reason
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import object_name

# What existed before the run. Traffic meets these relations only: nobody waits for a table that the migration has just made.
RELATIONS_SQL = """
SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text, c.relfilenode::bigint, coalesce(i.indrelid, 0)::bigint
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'm', 'i', 'I', 'S', 'v', 'f') AND n.nspname !~ '^pg_(toast|temp_)'
"""

# The size of a table that somebody holds exclusively cannot be had without waiting for it.
OBJECTS_SQL = """
SELECT 'index', n.nspname::text, c.relname::text, tn.nspname::text, t.relname::text, (i.indisvalid AND i.indisready)::text, '0'
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
WHERE c.oid >= 16384 AND tn.nspname !~ '^pg_toast'
UNION ALL
SELECT 'constraint', n.nspname::text, o.conname::text, n.nspname::text, t.relname::text, o.convalidated::text, '0'
FROM pg_catalog.pg_constraint o JOIN pg_catalog.pg_class t ON t.oid = o.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE t.oid >= 16384 AND NOT o.convalidated
UNION ALL
SELECT 'table', n.nspname::text, c.relname::text, n.nspname::text, c.relname::text, 'true',
       CASE WHEN c.oid IN (
           SELECT coalesce(i.indrelid, l.relation) FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = l.relation
           WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid()
       ) THEN '' ELSE coalesce(pg_catalog.pg_total_relation_size(c.oid), 0)::text END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid >= 16384 AND c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_(toast|temp_)'
"""

ObjectRow = Tuple[str, str, str, str, str, bool, Optional[int]]


@dataclasses.dataclass(frozen=True)
class Relation:
    """A relation that existed before the run. `bare` is its name without schema, `table` the object name of its table (its own, unless it is an
    index), `bare_table` that without schema."""

    oid: int
    name: str
    kind: str
    table: str
    bare: str = ""
    bare_table: str = ""


@dataclasses.dataclass
class Database:
    """What is known of one database: its relations before the run and their current files."""

    relations: Dict[int, Relation]
    filenodes: Dict[int, int]
    most: int
    # OIDs by name, without schema.
    named: Dict[str, List[int]]
    # Every file of every relation that is accounted for, by OID: those of before, and those that statements made, rolled back or not.
    seen: Set[Tuple[int, int]]


def describe_database(rows: Sequence[Sequence[Any]]) -> Database:
    """What the rows of RELATIONS_SQL say."""
    bare = {row[0]: row[2] for row in rows}
    names = {row[0]: object_name(row[1], row[2]) for row in rows}
    relations = {row[0]: Relation(row[0], names[row[0]], row[3], names.get(row[5], names[row[0]]), row[2], bare.get(row[5], row[2])) for row in rows}
    named: Dict[str, List[int]] = {}
    for row in rows:
        named.setdefault(row[2], []).append(row[0])
    files = {row[0]: row[4] for row in rows}
    return Database(relations, files, max(relations, default=16384), named, set(files.items()))


def describe_lock(relation: Relation, mode: str) -> Dict[str, Any]:
    """A lock as it stands in evidence."""
    return {"relation": relation.name, "mode": mode[: -len("Lock")], "table": relation.table, "kind": relation.kind}


def describe_rewrites(rewritten: Sequence[Relation], statements: Tuple[Statement, ...]) -> List[Dict[str, Any]]:
    """New files: of tables, and of indexes whose table kept its own."""
    tables = {relation.name for relation in rewritten if relation.kind in "rpm"}
    return [
        {
            "relation": relation.name,
            "kind": "table" if relation.kind in "rpm" else "index",
            "reason": rewrite_reason(statements, relation.bare, relation.bare_table),
        }
        for relation in rewritten
        if relation.kind in "rpm" or (relation.kind in "iI" and relation.table not in tables)
    ]


def parse_objects(rows: Any) -> List[ObjectRow]:
    """The rows of OBJECTS_SQL: (what, schema, name, schema of its table, its table, valid, bytes or None)."""
    return [(row[0], row[1], row[2], row[3], row[4], row[5] == "true", int(row[6]) if row[6] else None) for row in rows]


# A table below this is small under any policy; there may be ten thousands of them.
LARGE_BYTES = 1_000_000


def compare_objects(before: List[ObjectRow], after: List[ObjectRow]) -> Dict[str, Any]:
    """The fields of an `objects` event. Sizes are bytes with indexes and TOAST, of tables whose size changed and of those that are large."""
    old = {row[:5]: row for row in before}
    new = {row[:5]: row for row in after}

    def describe(row: ObjectRow) -> Dict[str, Any]:
        name = row[2] if row[0] == "constraint" else object_name(row[1], row[2])
        return {"name": name, "table": object_name(row[3], row[4])}

    sizes = []
    for key in sorted(key for key in {**old, **new} if key[0] == "table"):
        was, now = (rows[key][6] if key in rows else None for rows in (old, new))
        if was != now or (was or 0) >= LARGE_BYTES:
            size: Dict[str, Any] = {"relation": object_name(key[1], key[2]), "before": was, "after": now}
            # Without a size, and there: somebody holds it exclusively.
            held = any(key in rows and rows[key][6] is None for rows in (old, new))
            sizes.append({**size, "held": True} if held else size)
    return {
        "indexes_new": [describe(row) for key, row in sorted(new.items()) if row[0] == "index" and key not in old],
        "indexes_dropped": [describe(row) for key, row in sorted(old.items()) if row[0] == "index" and key not in new],
        "indexes_invalid": [
            {**describe(row), "new": key not in old or old[key][5]} for key, row in sorted(new.items()) if row[0] == "index" and not row[5]
        ],
        "constraints_not_valid": [{**describe(row), "new": key not in old} for key, row in sorted(new.items()) if row[0] == "constraint"],
        "sizes": sizes,
    }
