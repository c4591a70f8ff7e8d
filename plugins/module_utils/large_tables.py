# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tables' rows are worth a stream of their own, beside pg_dump."""

from __future__ import annotations

import dataclasses
from typing import List, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import (
    Row,
    Session,
    quote_identifier,
    quote_literal,
)

# What is below the first goes with the dump: starting two programs costs more. And no more than the second, one argument of pg_dump each.
LEAST_BYTES, MOST_TABLES = 4 << 20, 1000
# What the dump of all the rest may need in a file.
ROOM_FOR_REST = 64 << 20
# Built-in types whose binary form is their value and nothing else. That of an object identifier type or of a composite one names rows of
# production's catalogs, which the copy has under other numbers; of a type of an extension nobody knows.
_PLAIN_TYPES = (
    "bool", "int2", "int4", "int8", "oid", "float4", "float8", "numeric", "money", "text", "varchar", "bpchar", "char", "name", "bytea",
    "date", "time", "timetz", "timestamp", "timestamptz", "interval", "uuid", "json", "jsonb", "inet", "cidr", "macaddr", "macaddr8",
    "bit", "varbit", "point", "lseg", "path", "box", "polygon", "line", "circle", "tsvector",
    "int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange",
)  # fmt: skip

# An ordinary table that pg_dump would carry, the largest first. to_jsonb(a) reads a column that only some versions have.
_TABLES = """
SELECT q.* FROM (
    SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, pg_catalog.pg_table_size(c.oid) AS bytes,
           pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::int AS pages,
           ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                 AND coalesce(to_jsonb(a) ->> 'attgenerated', '') = '' ORDER BY a.attnum) AS columns,
           NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                       LEFT JOIN pg_catalog.pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
                       LEFT JOIN pg_catalog.pg_type e ON e.oid = coalesce(b.typelem, t.typelem) AND coalesce(b.typcategory, t.typcategory) = 'A'
                       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND coalesce(b.typtype, t.typtype) <> 'e'
                       AND NOT (coalesce(e.typname, b.typname, t.typname)::text = ANY ({plain})
                                AND coalesce(e.typnamespace, b.typnamespace, t.typnamespace) = 'pg_catalog'::regnamespace)) AS plain,
           ARRAY(SELECT i.indexrelid::bigint FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid) AS indexes,
           ARRAY(SELECT k.oid::bigint FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')) AS constraints
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT n.nspname::text = ANY ({without})
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')) AS q
WHERE q.bytes >= {least} AND cardinality(q.columns) > 0
ORDER BY q.bytes DESC, q.oid LIMIT {most}"""


@dataclasses.dataclass(frozen=True)
class Table:
    """One on production. `plain`: all its values have the same binary form on every server of the same version. `bytes` are
    with what is stored out of line, `pages` without. Numbers are production's."""

    oid: int
    schema: str
    name: str
    bytes: int
    pages: int
    columns: Tuple[str, ...]
    plain: bool
    indexes: Tuple[int, ...]
    constraints: Tuple[int, ...]

    @property
    def sql(self) -> str:
        """Its name in a statement, and in pg_dump's patterns, where quotes make everything literal too."""
        return f"{quote_identifier(self.schema)}.{quote_identifier(self.name)}"

    @property
    def listed(self) -> str:
        """The columns that hold values of their own."""
        return ", ".join(map(quote_identifier, self.columns))


def large_tables(session: Session, without_schemas: Sequence[str]) -> List[Table]:
    """Those whose rows are worth a stream of their own, the largest first; `session` is in the snapshot that is copied."""
    query = _TABLES.format(plain=_array(_PLAIN_TYPES), without=_array(without_schemas), least=LEAST_BYTES, most=MOST_TABLES)
    return [_table(row) for row in session.rows(query)]


def _table(row: Row) -> Table:
    columns, indexes, constraints = (tuple(row[name]) for name in ("columns", "indexes", "constraints"))
    return Table(row["oid"], row["schema"], row["name"], row["bytes"], row["pages"], columns, row["plain"], indexes, constraints)


def _array(words: Sequence[str]) -> str:
    return f"ARRAY[{', '.join(map(quote_literal, words))}]::text[]"
