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
import time
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

# One row: the WAL position, and a text with one entry for each lock of ours, "relation mode rows-read [file]": the answers of two statements
# are compared as sets of entries. concat_ws is the quickest way there. Weak locks are listed for their counters: what a SELECT read before is not
# this statement's scan. Simple on purpose: where it cannot be prepared, planning is most of its price.
PROBE_SQL = """
SELECT pg_catalog.pg_current_wal_insert_lsn()::text, pg_catalog.string_agg(pg_catalog.concat_ws(' ', l.relation, l.mode,
       pg_catalog.pg_stat_get_xact_tuples_returned(l.relation),
       CASE WHEN l.mode = 'AccessExclusiveLock' THEN pg_catalog.pg_relation_filenode(l.relation) END), ','){flush}
FROM pg_catalog.pg_lock_status() l WHERE l.pid = pg_catalog.pg_backend_pid() AND l.relation BETWEEN 16384 AND {most}
"""
# Counters that earlier transactions have not flushed yet would look like this one's (PostgreSQL 15 and later can be told to).
FLUSH_SQL = ", pg_catalog.pg_stat_force_next_flush()::text"
TIMEOUTS_SQL = "SELECT pg_catalog.current_setting('lock_timeout'), pg_catalog.current_setting('statement_timeout')"
PREPARED = "rehearsal_probe"
_TUPLES_OK = 2

# The server's answer grows with the locks that a transaction holds. After so many statements of one transaction only those that took SLOW_MS are
# measured by themselves, the others together: once a revision, or once in TOGETHER statements where none can have taken a lock that matters.
EXACT_STATEMENTS = 100
SLOW_MS = 5.0
# A statement is slow when it took at least so many times what its measurement costs: on a busy server everything takes longer.
WORTH = 10.0
TOGETHER = 100

STRONG_MODES = ("ShareUpdateExclusiveLock", "ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")

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
# Statements that lock nothing but what they name, and what belongs to it; all others (DO, CASCADE, ALTER DOMAIN, …) are not trusted to.
_NAMES_ITS_LOCKS = re.compile(
    r"\s*(create\s+(unique\s+)?(table|index|sequence|type)\b|alter\s+table\b|comment\s+on\b|insert\b|update\b|delete\b)(?!.*\bcascade\b)",
    re.IGNORECASE | re.DOTALL,
)
_WORD = re.compile(r'"((?:[^"]|"")+)"|([^\W\d][\w$]*)')
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
    # OIDs by name, without schema.
    named: Dict[str, List[int]]


def _libpq_of(connection: Any) -> Any:
    """psycopg 3's libpq connection, or None. psycopg prepares and deallocates on its own account (DEALLOCATE ALL after DDL): going below
    it neither loses what we prepared nor disturbs its counting. It blocks an event loop for the moment that the answer takes."""
    driver_connection = getattr(connection, "driver_connection", None) or connection
    return getattr(driver_connection, "pgconn", None)


def _lock_of(entry: str) -> Tuple[int, str]:
    oid, mode, _more = entry.split(" ", 2)
    return int(oid), mode


def _parse_lsn(text: str) -> int:
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def read_relations(cursor: Any, server_version_num: int) -> Database:
    """Look at the database as it is now."""
    cursor.execute(RELATIONS_SQL)
    rows = [tuple(row) for row in cursor.fetchall()]
    names = {row[0]: object_name(row[1], row[2]) for row in rows}
    relations = {row[0]: Relation(row[0], names[row[0]], row[3], names.get(row[5], names[row[0]])) for row in rows}
    most = max(relations, default=16384)
    named: Dict[str, List[int]] = {}
    for row in rows:
        named.setdefault(row[2], []).append(row[0])
    return Database(relations, {row[0]: row[4] for row in rows}, most, server_version_num >= 150000, named)


@dataclasses.dataclass
class Measurement:
    """What a probe found, since the one before it on this connection."""

    locks: List[Dict[str, Any]]
    released: List[Dict[str, Any]]
    rewrites: List[Dict[str, Any]]
    scans: List[Dict[str, Any]]
    wal_bytes: Optional[int]
    lock_timeout: Optional[str] = None
    statement_timeout: Optional[str] = None
    # When the first of the statements began that were measured together, and their revisions; None for a statement measured by itself.
    since: Optional[float] = None
    revisions: Optional[List[str]] = None


@dataclasses.dataclass(frozen=True)
class _Waiting:
    """A quick statement that is not measured by itself. `locks`: it may have taken a lock that keeps others waiting."""

    t0: float
    sql: str
    revision: Optional[str]
    locks: bool


class Probe:
    """The measurements of one connection; state that belongs to a transaction ends with it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._prepared = False
        self._lsn: Optional[int] = None
        # (lock_timeout, statement_timeout); None when they have to be asked for again.
        self.timeouts: Optional[Tuple[str, str]] = None
        self._entries: Set[str] = set()
        self._held: Set[Tuple[int, str]] = set()
        self._scanned: Dict[int, int] = {}
        self._files: Dict[int, int] = {}
        self._seen_data: Set[str] = set()
        self._measured = 0
        # What one measurement costs here, in milliseconds: the mean of all so far.
        self._cost_ms = 0.0
        self._asked = 0
        # The statements that wait to be measured together.
        self._waiting: List[_Waiting] = []
        # Something was let through unmeasured: what it did must not be taken for the next statement's.
        self.unmeasured = False

    def transaction_ended(self, committed: bool) -> None:
        if committed:
            self._database.filenodes.update(self._files)
        self._entries.clear()
        self._held.clear()
        self.timeouts = None
        self._scanned.clear()
        self._files.clear()
        self._seen_data.clear()
        self._measured = 0
        self._waiting.clear()
        self.unmeasured = False

    def before(self, connection: Any, word: str) -> Optional[Measurement]:
        """What was done unmeasured until now, when a statement is to come that it could be taken for."""
        if self.unmeasured and not self._waiting and word not in _DATA and word not in UNMEASURED:
            return self.rest(connection)
        return None

    def rest(self, connection: Any, at_commit: bool = False) -> Optional[Measurement]:
        """What was done unmeasured until now, if anything was that has to be known before the transaction's end."""
        if not self.unmeasured:
            return None
        waiting = self._waiting
        if waiting and not at_commit and len(waiting) < TOGETHER and not any(statement.locks for statement in waiting):
            return None
        found = self._ask(connection, "; ".join(statement.sql for statement in waiting))
        if waiting:
            found.since = waiting[0].t0
            found.revisions = list(dict.fromkeys(statement.revision for statement in waiting if statement.revision))
        return found

    def _may_lock(self, word: str, sql: str) -> bool:
        """Whether a statement may take a lock that others have to wait for, and that this transaction does not hold already."""
        if not _NAMES_ITS_LOCKS.match(sql):
            return True
        if word in _DATA:
            return False
        words = {quoted.replace('""', '"') if quoted else bare.lower() for quoted, bare in _WORD.findall(sql)}
        return any((oid, "AccessExclusiveLock") not in self._held for name in words for oid in self._database.named.get(name, ()))

    def wants(self, word: str, sql: str, t0: float, t1: float, revision: Optional[str]) -> bool:
        """Whether a statement is measured by itself: reads are not, nor quick repetitions of the same INSERT."""
        if word in UNMEASURED:
            if word == "select":
                self.unmeasured = True
            if word in ("select", "set", "reset", "rollback"):
                self.timeouts = None
            return False
        if word in ("deallocate", "discard"):
            self._prepared = False
            return False
        if t1 - t0 < max(SLOW_MS, WORTH * self._cost_ms):
            if word in _DATA:
                if sql in self._seen_data:
                    return False
                self._seen_data.add(sql)
            if self._measured >= EXACT_STATEMENTS:
                self._waiting.append(_Waiting(t0, sql[:500], revision, self._may_lock(word, sql)))
                self.unmeasured = True
                return False
        self._measured += 1
        return True

    def measure(self, connection: Any, sql: str, word: str) -> Measurement:
        """Ask the server, on the connection that ran the statement."""
        return self._ask(connection, sql, scans=word not in _DATA)

    def _ask(self, connection: Any, sql: str, scans: bool = True) -> Measurement:
        began = time.monotonic()
        rows = self._rows(connection, PROBE_SQL.format(most=self._database.most, flush=FLUSH_SQL if self._database.flush else ""), PREPARED)
        self._asked += 1
        self._cost_ms += ((time.monotonic() - began) * 1000 - self._cost_ms) / self._asked
        found = self._compare(rows[0][0], rows[0][1], sql, scans)
        if self.timeouts is None and any(mode in STRONG_MODES for _oid, mode in self._held):
            ((lock_timeout, statement_timeout),) = self._rows(connection, TIMEOUTS_SQL, "")
            self.timeouts = (lock_timeout, statement_timeout)
        if self.timeouts is not None:
            found.lock_timeout, found.statement_timeout = self.timeouts
        return found

    def _rows(self, connection: Any, query: str, prepared: str) -> List[Any]:
        libpq = _libpq_of(connection)
        if libpq is not None:
            result = libpq.exec_(query.encode())
            if result.status != _TUPLES_OK:
                raise RuntimeError(bytes(result.error_message).decode("utf-8", "replace"))
            cells = [[result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples)]
            return [[None if cell is None else bytes(cell).decode() for cell in row] for row in cells]
        cursor = connection.cursor()
        try:
            if prepared and not self._prepared:
                cursor.execute(f"PREPARE {prepared} AS {query}")
                self._prepared = True
            cursor.execute(f"EXECUTE {prepared}" if prepared else query)
            return list(cursor.fetchall())
        finally:
            cursor.close()

    def _compare(self, position: str, text: Optional[str], sql: str, scans: bool) -> Measurement:
        """Hold the server's answer against the one before."""
        lsn = _parse_lsn(position)
        wal = lsn - self._lsn if self._lsn is not None else None
        self._lsn = lsn
        self.unmeasured = False
        self._waiting = []
        entries = set(text.split(",")) if text else set()
        gone = {_lock_of(entry) for entry in self._entries - entries}
        fresh = [entry.split(" ") for entry in entries - self._entries]
        self._entries = entries
        relations = self._database.relations
        changed = {(int(entry[0]), entry[1]): entry for entry in fresh if int(entry[0]) in relations}
        present = changed.keys()
        taken = {lock for lock in present if lock[1] != "AccessShareLock" and lock not in self._held}
        released = {lock for lock in gone if lock in self._held and lock not in present}
        self._held = (self._held | taken) - released
        rewritten: List[Relation] = []
        counters: Dict[int, int] = {}
        for (oid, mode), entry in sorted(changed.items()):
            counters[oid] = int(entry[2])
            filenode = int(entry[3]) if len(entry) > 3 else 0
            if mode == "AccessExclusiveLock" and filenode not in (0, self._files.get(oid, self._database.filenodes.get(oid, 0))):
                self._files[oid] = filenode
                rewritten.append(relations[oid])
        scanned: List[Tuple[Relation, int]] = []
        for oid, count in counters.items():
            more = count - self._scanned.get(oid, 0)
            if more > 0 and scans and relations[oid].kind in "rpm" and any((oid, mode) in self._held for mode in STRONG_MODES):
                scanned.append((relations[oid], more))
            self._scanned[oid] = count
        return Measurement(
            locks=[self._lock(*lock) for lock in sorted(taken)],
            released=[self._lock(*lock) for lock in sorted(released)],
            rewrites=describe_rewrites(rewritten, sql),
            scans=[{"relation": relation.name, "rows": rows} for relation, rows in scanned],
            wal_bytes=wal,
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
