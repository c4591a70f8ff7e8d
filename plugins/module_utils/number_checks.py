# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks on the numbers that rows are given: sequences behind their column, integers and sequences near their end."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import proof_transaction
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name, object_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Row, Session, locks_let_go, quote_identifier

_RANGES = {"int2": 2**15 - 1, "int4": 2**31 - 1, "int8": 2**63 - 1}

# A sequence serves a column that owns it (serial, identity), or whose default names it.
_SEQUENCES = """
WITH uses AS (
    SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS attnum
    FROM pg_depend AS d
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    UNION
    SELECT d.refobjid, a.adrelid, a.adnum
    FROM pg_depend AS d JOIN pg_attrdef AS a ON a.oid = d.objid
    WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
)
SELECT sn.nspname AS sequence_schema, sc.relname AS sequence,
    s.seqincrement AS increment, s.seqmin AS minimum, s.seqmax AS maximum, s.seqcycle AS cycle,
    n.nspname AS schema, c.relname AS table, c.relkind AS kind, a.attname AS column, t.typname AS type
FROM pg_sequence AS s
JOIN pg_class AS sc ON sc.oid = s.seqrelid
JOIN pg_namespace AS sn ON sn.oid = sc.relnamespace
LEFT JOIN uses ON uses.sequence = s.seqrelid
LEFT JOIN pg_class AS c ON c.oid = uses.relation AND c.relkind IN ('r', 'p') AND NOT c.relispartition
LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = uses.attnum AND NOT a.attisdropped
LEFT JOIN pg_type AS t ON t.oid = a.atttypid
WHERE sc.relpersistence <> 't'
ORDER BY 1, 2, 7, 8, 10
"""

# Columns that alone are a primary key, of an integer type.
_KEYS = """
SELECT n.nspname AS schema, c.relname AS table, c.relkind AS kind, a.attname AS column, t.typname AS type
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indrelid AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
JOIN pg_namespace AS n ON n.oid = c.relnamespace AND left(n.nspname, 3) <> 'pg_'
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
JOIN pg_type AS t ON t.oid = a.atttypid
WHERE i.indisprimary AND i.indnkeyatts = 1 AND t.typname IN ('int2', 'int4', 'int8') AND t.typnamespace = 'pg_catalog'::regnamespace
ORDER BY 1, 2
"""


def _column(row: Row) -> str:
    return column_name(object_name(row["schema"], row["table"]), row["column"])


def _position(session: Session, row: Row) -> Tuple[int, bool]:
    """(last_value, is_called) of a sequence."""
    name = f"{quote_identifier(row['sequence_schema'])}.{quote_identifier(row['sequence'])}"
    with locks_let_go(session):
        found = session.row(f"SELECT last_value, is_called FROM {name}")
    return found["last_value"], found["is_called"]


def _extreme(session: Session, row: Row, function: str) -> Optional[int]:
    """max or min of a column; None without rows. An index makes it quick."""
    only = "" if row["kind"] == "p" else "ONLY "
    table = f"{only}{quote_identifier(row['schema'])}.{quote_identifier(row['table'])}"
    with locks_let_go(session):
        found: Optional[int] = session.value(f"SELECT {function}({quote_identifier(row['column'])})::bigint AS v FROM {table}")
    return found


def sequences_behind(session: Session) -> List[Dict[str, Any]]:
    """Sequences whose next value is taken already: [{"sequence", "column", "next_value", "reached"}]; inserts fail, or repeat numbers.

    `reached` is the largest value of the column (the smallest, for a sequence that counts down). Only integer columns are looked at.
    """
    found: List[Dict[str, Any]] = []
    with proof_transaction(session):
        for row in session.rows(_SEQUENCES):
            if row["type"] not in _RANGES:
                continue
            last_value, is_called = _position(session, row)
            next_value = last_value + row["increment"] if is_called else last_value
            up = row["increment"] > 0
            reached = _extreme(session, row, "max" if up else "min")
            if reached is not None and (reached >= next_value if up else reached <= next_value):
                sequence = object_name(row["sequence_schema"], row["sequence"])
                found.append({"sequence": sequence, "column": _column(row), "next_value": next_value, "reached": reached})
    return found


def near_limit(session: Session, share: float = 0.5) -> List[Dict[str, Any]]:
    """Integer keys and sequences that have used `share` of their range: [{"kind", "object", "reached", "limit", "share"}].

    `kind` is "column" (a primary key of one integer) or "sequence"; a sequence's limit is its own or that of its column's type, whichever comes
    first. Sequences that start again (CYCLE) are not meant.
    """
    found: List[Dict[str, Any]] = []

    def note(kind: str, name: str, reached: int, limit: int) -> None:
        if limit and reached / limit >= share:
            found.append({"kind": kind, "object": name, "reached": reached, "limit": limit, "share": round(reached / limit, 3)})

    with proof_transaction(session):
        limits: Dict[Tuple[str, str], Tuple[Row, int]] = {}
        for row in session.rows(_SEQUENCES):
            name = (row["sequence_schema"], row["sequence"])
            # What a column of an integer type can hold downwards is one more; that one does not matter here.
            bound = _RANGES.get(row["type"], 2**63 - 1)
            own = row["maximum"] if row["increment"] > 0 else -row["minimum"]
            limits[name] = (row, min(own, bound, limits[name][1] if name in limits else own))
        for (schema, sequence), (row, limit) in limits.items():
            if not row["cycle"]:
                last_value, is_called = _position(session, row)
                if is_called:
                    note("sequence", object_name(schema, sequence), last_value if row["increment"] > 0 else -last_value, limit)
        for row in session.rows(_KEYS):
            reached = _extreme(session, row, "max")
            if reached is not None:
                note("column", _column(row), reached, _RANGES[row["type"]])
    return found
