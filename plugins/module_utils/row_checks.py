# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that look at rows: those that a constraint should not let be, and those that must hold a given value.

Every function uses a read-only transaction of its own, in a session that is in none. All rows are counted; no value leaves the server.
"""

from __future__ import annotations

import json
from typing import Any, Collection, Dict, List, Mapping, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import proof_transaction
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import object_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import (
    PostgresError,
    Row,
    Session,
    locks_let_go,
    quote_identifier,
    quote_literal,
)

# A foreign key of a partitioned table has a clone for each partition; the triggers that enforce it belong to the clones.
# conperiod and conenforced came with 18: to_jsonb gives null where there is no such column.
_FOREIGN_KEYS = """
WITH RECURSIVE clones AS (
    SELECT oid AS root, oid FROM pg_constraint WHERE contype = 'f' AND conparentid = 0
    UNION ALL
    SELECT clones.root, c.oid FROM clones JOIN pg_constraint AS c ON c.conparentid = clones.oid
),
disabled AS (
    SELECT DISTINCT clones.root FROM clones JOIN pg_trigger AS t ON t.tgconstraint = clones.oid WHERE t.tgenabled IN ('D', 'R')
)
SELECT con.conname AS name, n.nspname AS schema, c.relname AS table, c.relkind AS kind,
    rn.nspname AS referenced_schema, r.relname AS referenced_table, r.relkind AS referenced_kind,
    con.confmatchtype = 'f' AS match_full, con.convalidated AS validated,
    coalesce((to_jsonb(con) ->> 'conenforced')::boolean, true) AS enforced,
    coalesce((to_jsonb(con) ->> 'conperiod')::boolean, false) AS period,
    con.oid IN (SELECT root FROM disabled) AS triggers_disabled,
    (
        SELECT jsonb_agg(jsonb_build_object(
            'column', a.attname, 'referenced', ra.attname, 'operator', o.oprname, 'operator_schema', opn.nspname
        ) ORDER BY k.n)
        FROM unnest(con.conkey, con.confkey, con.conpfeqop) WITH ORDINALITY AS k (attnum, refattnum, operator, n)
        JOIN pg_attribute AS a ON a.attrelid = con.conrelid AND a.attnum = k.attnum
        JOIN pg_attribute AS ra ON ra.attrelid = con.confrelid AND ra.attnum = k.refattnum
        JOIN pg_operator AS o ON o.oid = k.operator
        JOIN pg_namespace AS opn ON opn.oid = o.oprnamespace
    ) AS columns
FROM pg_constraint AS con
JOIN pg_class AS c ON c.oid = con.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_class AS r ON r.oid = con.confrelid
JOIN pg_namespace AS rn ON rn.oid = r.relnamespace
WHERE con.contype = 'f' AND con.conparentid = 0 AND c.relpersistence <> 't'
ORDER BY n.nspname, c.relname, con.conname
"""


def orphans(session: Session, untouched: Collection[str] = ()) -> List[Dict[str, Any]]:
    """One entry for each foreign key looked at: {"constraint", "table", "references", "rows", "validated", "enforced", "triggers_disabled"}.

    `rows` violate it: no referenced row, or, with MATCH FULL, only some columns NULL. It is null for a temporal key (PERIOD), which is not looked at.
    The server's word is taken for keys between two of the `untouched` tables that are validated, enforced and have their triggers.
    """
    found: List[Dict[str, Any]] = []
    with proof_transaction(session):
        for key in session.rows(_FOREIGN_KEYS):
            table, references = object_name(key["schema"], key["table"]), object_name(key["referenced_schema"], key["referenced_table"])
            if not {table, references} <= set(untouched) or not (key["validated"] and key["enforced"]) or key["triggers_disabled"]:
                found.append(
                    {
                        "constraint": key["name"],
                        "table": table,
                        "references": references,
                        "rows": None if key["period"] else _count_orphans(session, key),
                        "validated": key["validated"],
                        "enforced": key["enforced"],
                        "triggers_disabled": key["triggers_disabled"],
                    }
                )
    return found


def _count_orphans(session: Session, key: Row) -> int:
    columns = [f"f.{quote_identifier(pair['column'])}" for pair in key["columns"]]
    matches = " AND ".join(
        f"p.{quote_identifier(pair['referenced'])} OPERATOR({quote_identifier(pair['operator_schema'])}.{pair['operator']}) {column}"
        for pair, column in zip(key["columns"], columns)
    )
    present = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    parent = _source(key["referenced_schema"], key["referenced_table"], key["referenced_kind"], "p")
    condition = f"({present} AND NOT EXISTS (SELECT FROM {parent} WHERE {matches}))"
    if key["match_full"]:
        condition += f" OR (num_nulls({', '.join(columns)}) BETWEEN 1 AND {len(columns) - 1})"
    query = f"SELECT count(*) AS v FROM {_source(key['schema'], key['table'], key['kind'], 'f')} WHERE {condition}"
    with locks_let_go(session):
        rows: int = session.value(query)
    return rows


def _source(schema: str, name: str, kind: str, alias: str) -> str:
    # As PostgreSQL's own checks do: children by inheritance are not part of the table, partitions are.
    only = "" if kind == "p" else "ONLY "
    return f"{only}{quote_identifier(schema)}.{quote_identifier(name)} AS {alias}"


_TABLES = """
SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.oid::bigint AS oid
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'
"""


def _find_table(session: Session, table: str) -> Optional[Row]:
    """The relation with this object name."""
    return next((row for row in session.rows(_TABLES) if object_name(row["schema"], row["name"]) == table), None)


def existing_rows(session: Session, table: str, columns: Mapping[str, Any], new_rows_condition: Optional[str] = None) -> List[Dict[str, Any]]:
    """How many rows hold the given value: [{"table", "column", "expected", "rows", "matching"}], in one scan of the table.

    The value (null, boolean, number, text, list or dict) is read as PostgreSQL reads a literal of the column's type: "2024-01-01" for a date; any
    JSON for json and jsonb; a list for an array. Without `new_rows_condition` (SQL that is true for rows that are not meant) all rows count.
    A table or column that does not exist has no entry: it was not measured. A value that is none of the column's type has an entry
    {"table", "column", "expected", "no_value_of": the type}. Raises PostgresError.
    """
    try:
        return _existing_rows(session, table, columns, new_rows_condition)
    except (PostgresError, ValueError) as error:
        if isinstance(error, PostgresError) and not (error.sqlstate or "").startswith(_NO_VALUE):
            raise
    # Which of them it is shows one by one.
    if len(columns) > 1:
        return [entry for name, value in columns.items() for entry in existing_rows(session, table, {name: value}, new_rows_condition)]
    ((name, value),) = columns.items()
    with proof_transaction(session):
        relation = _find_table(session, table)
        types = {row["name"]: row["type"] for row in session.rows(_column_types(relation["oid"]))} if relation else {}
    return [{"table": table, "column": name, "expected": value, "no_value_of": types[name]}]


# Not readable as the type, no such operator, not to be cast to it.
_NO_VALUE = ("22", "42883", "42846", "42804")


def _existing_rows(session: Session, table: str, columns: Mapping[str, Any], new_rows_condition: Optional[str]) -> List[Dict[str, Any]]:
    with proof_transaction(session):
        relation = _find_table(session, table)
        if relation is None:
            return []
        types = {row["name"]: row for row in session.rows(_column_types(relation["oid"]))}
        known = [name for name in columns if name in types]
        if not known:
            return []
        meant = f"NOT coalesce(({new_rows_condition}), false)" if new_rows_condition else "true"
        counts = ", ".join(f"count(*) FILTER (WHERE {meant} AND {_holds(types[name], columns[name], table)})" for name in known)
        source = _source(relation["schema"], relation["name"], relation["kind"], "t")
        try:
            answer: List[int] = session.value(f"SELECT ARRAY[count(*) FILTER (WHERE {meant}), {counts}] AS v FROM {source}")
        except PostgresError as error:
            raise PostgresError(f"existing rows of {table}: {error.message}", error.sqlstate) from None
    return [
        {"table": table, "column": name, "expected": columns[name], "rows": answer[0], "matching": answer[1 + index]}
        for index, name in enumerate(known)
    ]


def conditions(session: Session, table: str, columns: Mapping[str, Any]) -> Dict[str, str]:
    """SQL on a row `t` of the table that is true where it holds the value, by column; of columns that are there. Within a `proof_transaction`."""
    relation = _find_table(session, table)
    if relation is None:
        return {}
    types = {row["name"]: row for row in session.rows(_column_types(relation["oid"]))}
    return {name: _holds(types[name], value, table) for name, value in columns.items() if name in types}


def _column_types(oid: int) -> str:
    # With -1 format_type writes a name that has no length: a cast to varchar(5) or character would cut the expected value to fit.
    return f"""
    WITH RECURSIVE bases AS (
        SELECT t.oid AS type, t.oid AS base FROM pg_type AS t WHERE t.typtype <> 'd'
        UNION ALL
        SELECT d.oid, bases.base FROM pg_type AS d JOIN bases ON d.typbasetype = bases.type WHERE d.typtype = 'd'
    )
    SELECT a.attname AS name, format_type(b.oid, -1) AS type, b.typname AS base, b.typcategory AS category, b.typcollation <> 0 AS collated
    FROM pg_attribute AS a JOIN bases ON bases.type = a.atttypid JOIN pg_type AS b ON b.oid = bases.base
    WHERE a.attrelid = {int(oid)} AND a.attnum > 0 AND NOT a.attisdropped"""


def _holds(column: Row, expected: Any, table: str) -> str:
    """A condition on the row `t`."""
    value = f"t.{quote_identifier(column['name'])}"
    if expected is None:
        # Not IS NULL: that is also true for a composite value whose fields are all NULL.
        return f"num_nulls({value}) = 1"
    if column["base"] in ("json", "jsonb"):
        return f"{value}::jsonb = {quote_literal(json.dumps(expected))}::jsonb"
    if isinstance(expected, list) and column["category"] == "A":
        literal = f"ARRAY(SELECT jsonb_array_elements_text({quote_literal(json.dumps(expected))}::jsonb))::{column['type']}"
    elif isinstance(expected, (list, dict)):
        raise ValueError(f"{table}.{column['name']}: a list or a dictionary cannot be a value of type {column['type']}")
    else:
        text = ("true" if expected else "false") if isinstance(expected, bool) else str(expected)
        literal = f"{quote_literal(text)}::{column['type']}"
    if column["category"] == "G" or column["base"] in ("xml", "jsonpath", "txid_snapshot", "pg_snapshot"):
        # No equality, or one that compares areas.
        return f"{value}::text = ({literal})::text"
    if column["collated"]:
        # A nondeterministic collation takes other text for the same.
        return f'{value} COLLATE pg_catalog."C" = ({literal}) COLLATE pg_catalog."C"'
    return f"{value} = {literal}"


def duplicates(session: Session, table: str, columns: Sequence[str], where: Optional[str] = None, nulls_clash: bool = False) -> Dict[str, Any]:
    """What a unique index on these columns would refuse: {"table", "columns", "groups", "rows"}; `rows` would have to go.

    What is not the name of a column is an expression. Rows with a NULL in one of the columns clash only if `nulls_clash` (NULLS NOT DISTINCT).
    `where` is the predicate of a partial index. Raises ValueError if there is no such table.
    """
    with proof_transaction(session):
        relation = _find_table(session, table)
        if relation is None:
            raise ValueError(f"there is no table {table}")
        known = {row["name"] for row in session.rows(_column_types(relation["oid"]))}
        names = [f"t.{quote_identifier(name)}" if name in known else f"({name})" for name in columns]
        conditions = ["true" if nulls_clash else f"num_nulls({', '.join(names)}) = 0", *([f"({where})"] if where else [])]
        found = session.row(
            f"SELECT count(*) AS groups, coalesce(sum(q.n - 1), 0)::bigint AS rows FROM (SELECT count(*) AS n "
            f"FROM {_source(relation['schema'], relation['name'], relation['kind'], 't')} "
            f"WHERE {' AND '.join(conditions)} GROUP BY {', '.join(names)} HAVING count(*) > 1) AS q"
        )
    return {"table": table, "columns": list(columns), **found}
