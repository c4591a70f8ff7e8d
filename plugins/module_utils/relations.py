# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a database whose rows can be read, with what a fingerprint needs to know of them."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.hash_sql import ColumnType
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import object_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session, quote_identifier


@dataclasses.dataclass(frozen=True)
class Column:
    """A column; `value` is the SQL that reads it from the table's alias `t`."""

    name: str
    type: str  # format_type()
    kind: ColumnType
    not_null: bool
    stable_text: bool  # no other object of the database decides how a stored value is written
    number: int  # pg_attribute.attnum: a column that is dropped and made again has another one
    stored: str = ""  # what the database calls it, where that is not the name

    @property
    def value(self) -> str:
        return f"t.{quote_identifier(self.stored or self.name)}"


@dataclasses.dataclass(frozen=True)
class Relation:
    """A table whose rows are read by one statement. `files` identifies its storage: "oid:filenode" of itself or of its partitions, sorted."""

    name: str
    source: str  # for FROM: the table with the alias t
    columns: Tuple[Column, ...]
    key: Optional[List[str]]
    size: int  # bytes, without indexes and TOAST
    files: List[str]

    @property
    def by_name(self) -> Dict[str, Column]:
        return {column.name: column for column in self.columns}

    def called(self, name: str, columns: Mapping[str, str]) -> Relation:
        """The same relation under another name, some of its columns too: {name in the database: other name}."""
        renamed = [dataclasses.replace(column, name=columns.get(column.name, column.name), stored=column.name) for column in self.columns]
        return dataclasses.replace(self, name=name, columns=tuple(renamed))


# Every type with the type under all domains. `limited`: one of them has a length or precision.
_TYPES = """
types AS (
    SELECT t.oid AS type, t.oid AS base, false AS limited FROM pg_catalog.pg_type AS t WHERE t.typtype <> 'd'
    UNION ALL
    SELECT d.oid, types.base, types.limited OR d.typtypmod <> -1
    FROM pg_catalog.pg_type AS d JOIN types ON d.typbasetype = types.type WHERE d.typtype = 'd'
),
kinds AS (
    SELECT types.type, types.limited, n.nspname AS schema, b.typname AS name, b.oid AS base, b.typtype AS typtype,
        pg_catalog.quote_ident(fn.nspname) || '.' || pg_catalog.quote_ident(f.proname) AS output
    FROM types
    JOIN pg_catalog.pg_type AS b ON b.oid = types.base
    JOIN pg_catalog.pg_namespace AS n ON n.oid = b.typnamespace
    JOIN pg_catalog.pg_proc AS f ON f.oid = b.typoutput
    JOIN pg_catalog.pg_namespace AS fn ON fn.oid = f.pronamespace
)"""

# 16384 is FirstNormalObjectId: below it are the types that every database has.
_RELATIONS = f"""
WITH RECURSIVE {_TYPES.strip()},
tree AS (
    SELECT c.oid AS root, c.oid AS member FROM pg_catalog.pg_class AS c WHERE c.relkind IN ('r', 'p', 'f', 'm') AND NOT c.relispartition
    UNION ALL
    SELECT tree.root, c.oid
    FROM tree JOIN pg_catalog.pg_inherits AS i ON i.inhparent = tree.member JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid AND c.relispartition
),
roots AS (
    SELECT tree.root, bool_or(c.relkind = 'f') AS has_foreign
    FROM tree JOIN pg_catalog.pg_class AS c ON c.oid = tree.member GROUP BY tree.root
),
-- What is read by one statement, or left out: a root, or a partition beside a foreign one.
units AS (
    SELECT root AS unit, has_foreign FROM roots
    UNION ALL
    SELECT tree.member, false
    FROM roots JOIN tree USING (root) JOIN pg_catalog.pg_class AS c ON c.oid = tree.member
    WHERE roots.has_foreign AND tree.member <> tree.root AND c.relkind = 'r'
),
storage AS (
    SELECT units.unit, array_agg(c.oid || ':' || pg_catalog.pg_relation_filenode(c.oid) ORDER BY c.oid) AS files,
        sum(pg_catalog.pg_relation_size(c.oid)) AS size
    FROM units LEFT JOIN tree ON tree.root = units.unit
    JOIN pg_catalog.pg_class AS c ON c.oid = coalesce(tree.member, units.unit)
    WHERE c.relkind = 'r' GROUP BY units.unit
),
-- Joined once for all tables: one by one they would each read all types.
columns AS (
    SELECT a.attrelid, jsonb_agg(jsonb_build_object(
        'name', a.attname, 'number', a.attnum, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
        'schema', k.schema, 'base', k.name, 'output', k.output, 'limited', k.limited OR a.atttypmod <> -1,
        'stable_text', k.base::bigint < 16384 AND k.name NOT LIKE 'reg%' AND k.typtype = 'b' AND a.attgenerated <> 'v'
    ) ORDER BY a.attnum) AS columns
    FROM units JOIN pg_catalog.pg_attribute AS a ON a.attrelid = units.unit JOIN kinds AS k ON k.type = a.atttypid
    WHERE a.attnum > 0 AND NOT a.attisdropped GROUP BY a.attrelid
)
SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind, units.has_foreign, storage.files, coalesce(storage.size, 0)::bigint AS size,
    columns.columns,
    (
        SELECT jsonb_agg(a.attname ORDER BY p.n)
        FROM pg_catalog.pg_index AS i
        CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS p (attnum, n)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = p.attnum
        WHERE i.indrelid = c.oid AND i.indisprimary AND p.n <= i.indnkeyatts
    ) AS key
FROM units
JOIN pg_catalog.pg_class AS c ON c.oid = units.unit
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN storage USING (unit)
LEFT JOIN columns ON columns.attrelid = c.oid
WHERE c.relpersistence <> 't' AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'
"""


def read_relations(session: Session) -> Tuple[List[Relation], Dict[str, str]]:
    """(tables that can be read, reasons by name for what is left out)."""
    found: List[Relation] = []
    left_out: Dict[str, str] = {}
    for row in session.iterate(_RELATIONS):
        name = object_name(row["schema"], row["name"])
        if row["kind"] == "f":
            left_out[name] = "foreign table: its rows are on another server"
        elif row["kind"] == "m":
            left_out[name] = "materialized view: made from other tables"
        elif row["has_foreign"]:
            left_out[name] = "partitioned table with a foreign partition: its local partitions are read each by itself"
        else:
            found.append(_relation(name, row))
    return found, left_out


def _relation(name: str, row: Dict[str, Any]) -> Relation:
    # A partitioned table has no rows of its own; an inheritance parent must not count those of its children twice.
    only = "" if row["kind"] == "p" else "ONLY "
    return Relation(
        name=name,
        source=f"{only}{quote_identifier(row['schema'])}.{quote_identifier(row['name'])} AS t",
        columns=tuple(
            Column(
                column["name"],
                column["type"],
                ColumnType((column["schema"], column["base"]), column["output"], column["limited"]),
                column["not_null"],
                column["stable_text"],
                column["number"],
            )
            for column in row["columns"] or ()
        ),
        key=row["key"],
        size=row["size"],
        files=row["files"] or [],
    )


def read_type(session: Session, source: str, label: str) -> ColumnType:
    """The type of `d.value` in a FROM clause, without reading a row."""
    try:
        oid = session.value(
            "SELECT pg_catalog.pg_typeof(q.value)::oid::bigint AS v "
            f"FROM (SELECT 1) AS one LEFT JOIN (SELECT d.value FROM {source} WHERE false) AS q ON true"
        )
    except PostgresError as error:
        raise ValueError(f"{label}: the declared expression is refused: {error.message}") from None
    row = session.row(f"WITH RECURSIVE {_TYPES.strip()} SELECT schema, name, output, limited FROM kinds WHERE type = {int(oid)}")
    return ColumnType((row["schema"], row["name"]), row["output"], row["limited"])
