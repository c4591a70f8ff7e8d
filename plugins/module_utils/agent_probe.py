# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what one statement did, on its own connection: locks, rewrites, scans, WAL.

Runs inside the application's Python: standard library only. One query a statement, prepared once a connection: planning it each time
costs more than running it. It goes through the driver's cursor, so SQLAlchemy's events do not see it.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Dict, List, Optional, Set, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.names import object_name

# What existed before the run. Traffic meets these relations only: nobody waits for a table that the migration has just made.
RELATIONS_SQL = """
SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text, coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::bigint,
       coalesce(i.indrelid, 0)::bigint
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'm', 'i', 'I', 'S', 'v', 'f') AND n.nspname !~ '^pg_(toast|temp_)'
"""

# Weak locks are listed for their counters only: a SELECT earlier in the transaction is not this statement's scan.
PROBE_SQL = """
SELECT (pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_catalog.pg_lsn)::text,
       pg_catalog.current_setting('lock_timeout'), pg_catalog.current_setting('statement_timeout'),
       (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', l.relation, l.mode,
                   pg_catalog.pg_stat_get_xact_tuples_returned(l.relation),
                   CASE WHEN l.mode = 'AccessExclusiveLock' THEN pg_catalog.pg_relation_filenode(l.relation) END), ',')
        FROM pg_catalog.pg_lock_status() l
        WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.relation BETWEEN 16384 AND {most}){flush}
"""
# Counters that earlier transactions have not flushed yet would look like this one's (PostgreSQL 15 and later can be told to).
FLUSH_SQL = ", pg_catalog.pg_stat_force_next_flush()::text"
PREPARED = "rehearsal_probe"

WEAK_MODES = ("AccessShareLock", "RowShareLock", "RowExclusiveLock")

_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*([A-Za-z]+)", re.DOTALL)
# Nothing may come before SET TRANSACTION, so these are neither preceded nor followed by a measurement.
UNMEASURED = frozenset(
    [
        "select",
        "show",
        "set",
        "reset",
        "begin",
        "start",
        "savepoint",
        "release",
        "rollback",
        "commit",
        "values",
        "table",
        "fetch",
        "declare",
        "close",
        "prepare",
        "listen",
    ]
)
_DATA = frozenset(["insert", "update", "delete", "merge", "copy"])
_REWRITE_REASONS = (
    ("truncate", re.compile(r"\btruncate\b", re.IGNORECASE)),
    ("reindex", re.compile(r"\breindex\b", re.IGNORECASE)),
    ("cluster", re.compile(r"^\s*cluster\b", re.IGNORECASE)),
    ("vacuum full", re.compile(r"\bvacuum\b", re.IGNORECASE)),
    ("refresh", re.compile(r"\brefresh\s+materialized\b", re.IGNORECASE)),
    ("persistence", re.compile(r"\bset\s+(un)?logged\b", re.IGNORECASE)),
    ("access method", re.compile(r"\bset\s+access\s+method\b", re.IGNORECASE)),
    ("tablespace", re.compile(r"\bset\s+tablespace\b", re.IGNORECASE)),
    ("type", re.compile(r"\balter\s+(column\s+)?(\"(?:[^\"]|\"\")+\"|[\w$]+)\s+(set\s+data\s+)?type\b", re.IGNORECASE)),
    ("default", re.compile(r"\badd\b|\bset\s+expression\b", re.IGNORECASE)),
)


def first_word(sql: str) -> str:
    """The statement's first keyword in lower case, or an empty string."""
    match = _FIRST_WORD.match(sql)
    return match.group(1).lower() if match else ""


def is_data(word: str) -> bool:
    """Whether a statement with this first word changes rows, not the schema."""
    return word in _DATA


def rewrite_reason(sql: str) -> str:
    """Why a relation got a new file, told from the statement: the server says it to event triggers of superusers only."""
    return next((reason for reason, pattern in _REWRITE_REASONS if pattern.search(sql)), "unknown")


@dataclasses.dataclass(frozen=True)
class Relation:
    """A relation that existed before the run; `table` is the object name of its table (its own, unless it is an index)."""

    oid: int
    name: str
    kind: str
    table: str


@dataclasses.dataclass
class Database:
    """What is known of one database: its relations before the run and their current files."""

    relations: Dict[int, Relation]
    filenodes: Dict[int, int]
    most: int
    flush: bool


def _prepares_itself(cursor: Any) -> bool:
    """psycopg 3 sends DEALLOCATE ALL of its own accord (after DDL, once it has prepared something), and with it would go what we prepared."""
    kind = type(cursor)
    return kind.__module__.split(".")[0] == "psycopg" or kind.__name__.startswith("AsyncAdapt_psycopg_")


def read_relations(cursor: Any, server_version_num: int) -> Database:
    """Look at the database as it is now."""
    cursor.execute(RELATIONS_SQL)
    rows = [tuple(row) for row in cursor.fetchall()]
    names = {row[0]: object_name(row[1], row[2]) for row in rows}
    relations = {row[0]: Relation(row[0], names[row[0]], row[3], names.get(row[5], names[row[0]])) for row in rows}
    most = max(relations, default=16384)
    return Database(relations, {row[0]: row[4] for row in rows}, most, server_version_num >= 150000)


@dataclasses.dataclass
class Measurement:
    """What a probe found, since the one before it on this connection."""

    locks: List[Dict[str, Any]]
    released: List[Dict[str, Any]]
    rewrites: List[Dict[str, Any]]
    scans: List[Dict[str, Any]]
    wal_bytes: Optional[int]
    lock_timeout: str
    statement_timeout: str


class Probe:
    """The measurements of one connection; state that belongs to a transaction ends with it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._prepared = False
        self._lsn: Optional[int] = None
        self._held: Set[Tuple[int, str]] = set()
        self._scanned: Dict[int, int] = {}
        self._files: Dict[int, int] = {}
        self._seen_data: Set[str] = set()
        # Something was let through unmeasured: what it did must not be taken for the next statement's.
        self.unmeasured = False

    def transaction_ended(self, committed: bool) -> None:
        if committed:
            self._database.filenodes.update(self._files)
        self._held.clear()
        self._scanned.clear()
        self._files.clear()
        self._seen_data.clear()
        self.unmeasured = False

    def before(self, cursor_of: Any, word: str) -> Optional[Measurement]:
        """What was done unmeasured until now, when a statement is to come that it could be taken for."""
        if self.unmeasured and word not in _DATA and word not in UNMEASURED:
            return self._ask(cursor_of, "")
        return None

    def wants(self, word: str, sql: str, ms: float) -> bool:
        """Whether a statement is worth a measurement: reads are not, nor quick repetitions of the same INSERT."""
        if word in UNMEASURED:
            if word == "select":
                self.unmeasured = True
            return False
        if word in ("deallocate", "discard"):
            self._prepared = False
            return False
        if word in _DATA and ms < 5:
            if sql in self._seen_data:
                return False
            self._seen_data.add(sql)
        return True

    def measure(self, cursor_of: Any, sql: str, word: str) -> Measurement:
        """Ask the server, through a new cursor from `cursor_of`."""
        return self._ask(cursor_of, sql, scans=word not in _DATA)

    def _ask(self, cursor_of: Any, sql: str, scans: bool = True) -> Measurement:
        cursor = cursor_of()
        try:
            query = PROBE_SQL.format(most=self._database.most, flush=FLUSH_SQL if self._database.flush else "")
            if _prepares_itself(cursor):
                cursor.execute(query, prepare=True)
            else:
                if not self._prepared:
                    cursor.execute(f"PREPARE {PREPARED} AS {query}")
                    self._prepared = True
                cursor.execute(f"EXECUTE {PREPARED}")
            row = cursor.fetchone()
        finally:
            cursor.close()
        return self._compare(row, sql, scans)

    def _compare(self, row: Any, sql: str, scans: bool) -> Measurement:
        lsn = int(row[0])
        wal = lsn - self._lsn if self._lsn is not None else None
        self._lsn = lsn
        self.unmeasured = False
        held: Set[Tuple[int, str]] = set()
        strong: Set[int] = set()
        rewritten: List[Relation] = []
        scanned: List[Tuple[Relation, int]] = []
        counters: Dict[int, int] = {}
        relations = self._database.relations
        for part in row[3].split(",") if row[3] else ():
            oid_text, mode, returned, *filenode = part.split(" ")
            oid = int(oid_text)
            relation = relations.get(oid)
            if relation is None:
                continue
            counters[oid] = int(returned)
            if mode == "AccessShareLock":
                continue
            held.add((oid, mode))
            if mode not in WEAK_MODES:
                strong.add(oid)
            if filenode and int(filenode[0]) not in (0, self._files.get(oid, self._database.filenodes.get(oid, 0))):
                self._files[oid] = int(filenode[0])
                rewritten.append(relation)
        for oid, count in counters.items():
            more = count - self._scanned.get(oid, 0)
            if more > 0 and scans and oid in strong and relations[oid].kind in "rpm":
                scanned.append((relations[oid], more))
            self._scanned[oid] = count
        taken, released = held - self._held, self._held - held
        self._held = held
        return Measurement(
            locks=[self._lock(*lock) for lock in sorted(taken)],
            released=[self._lock(*lock) for lock in sorted(released)],
            rewrites=describe_rewrites(rewritten, sql),
            scans=[{"relation": relation.name, "rows": rows} for relation, rows in scanned],
            wal_bytes=wal,
            lock_timeout=str(row[1]),
            statement_timeout=str(row[2]),
        )

    def _lock(self, oid: int, mode: str) -> Dict[str, Any]:
        return describe_lock(self._database.relations[oid], mode)


def describe_lock(relation: Relation, mode: str) -> Dict[str, Any]:
    """A lock as it stands in evidence."""
    return {"relation": relation.name, "mode": mode[: -len("Lock")], "table": relation.table, "kind": relation.kind}


def describe_rewrites(rewritten: List[Relation], sql: str) -> List[Dict[str, Any]]:
    """New files: of tables, and of indexes whose table kept its own."""
    tables = {relation.name for relation in rewritten if relation.kind in "rpm"}
    reason = rewrite_reason(sql) if rewritten else ""
    return [
        {"relation": relation.name, "kind": "table" if relation.kind in "rpm" else "index", "reason": reason}
        for relation in rewritten
        if relation.kind in "rpm" or (relation.kind in "iI" and relation.table not in tables)
    ]
