# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what statements did, on their own connection: locks, rewrites, scans, WAL.

Runs inside the application's Python: standard library only. The rule: the server is asked after every statement unless it can be told later, and
at the end of each revision and transaction whatever was seen. What can be told later is told before anything that it could be taken for.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Any, Dict, List, Optional, Set, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_connection import IDLE, IN_TRANSACTION, ask, state_of
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_database import Database, Relation, describe_lock, describe_rewrites
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_sql import Statement, Text

# One row: the WAL position, a text with one entry for each lock of ours, "relation mode rows-read [file]": the answers of two statements
# are compared as sets of entries; and the timeouts. concat_ws is the quickest way there. Weak locks are listed for their counters: what a SELECT
# read before is not this statement's scan. Simple on purpose: planning is most of its price while locks are few; when they are many, it is listing
# them, which is quicker row by row than as a table.
PROBE_SQL = """
SELECT pg_catalog.pg_current_wal_insert_lsn()::text, pg_catalog.string_agg(pg_catalog.concat_ws(' ', (s.l).relation, (s.l).mode,
       pg_catalog.pg_stat_get_xact_tuples_returned((s.l).relation),
       CASE WHEN (s.l).mode = 'AccessExclusiveLock' THEN pg_catalog.pg_relation_filenode((s.l).relation) END), ','),
       pg_catalog.current_setting('lock_timeout'), pg_catalog.current_setting('statement_timeout'){flush}
FROM (SELECT pg_catalog.pg_lock_status() AS l OFFSET 0) s
WHERE (s.l).pid = pg_catalog.pg_backend_pid() AND (s.l).relation BETWEEN 16384 AND {most}
"""
# Counters that earlier transactions have not flushed yet would look like this one's (PostgreSQL 15 and later can be told to).
FLUSH_SQL = ", pg_catalog.pg_stat_force_next_flush()::text"
TIMEOUTS_SQL = "SELECT pg_catalog.current_setting('lock_timeout'), pg_catalog.current_setting('statement_timeout')"
_SAVEPOINT = "rehearsal_probe"

# The server's answer takes longer with every lock that a transaction holds. So many of its statements, and the end of each of their revisions, are
# asked about one by one; after that, statements that are quick and cannot take a lock that matters are told with the next answer, and ends of
# revisions once the time since the last answer is worth one.
EXACT_STATEMENTS = 100
SLOW_MS = 5.0
# A statement is slow when it took at least so many times what its measurement costs: on a busy server everything takes longer.
WORTH = 20.0
WORTH_AT_END = 200.0
# The weight of the last measurement in what one costs: one that had to wait for the machine says little.
_LATEST = 0.2
# Of a long row of statements that were told later, so many are enough to name a rewrite's reason.
_MOST_WAITING = 1000

STRONG_MODES = ("ShareUpdateExclusiveLock", "ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")
_NO_TIMEOUT = "0"
_CHANGE_SETTINGS = ("set", "reset", "discard", "rollback")


def _lock_of(entry: str) -> Tuple[int, str]:
    oid, mode, _more = entry.split(" ", 2)
    return int(oid), mode


def _parse_lsn(text: str) -> int:
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


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
    # Of statements that are told later: when the first of them began, the last one's revision, and its text where there is one only.
    since: Optional[float] = None
    revision: Optional[str] = None
    sql: Optional[str] = None
    # None of the statements that were seen accounts for it.
    unseen: bool = False

    def add_to(self, event: Dict[str, Any]) -> None:
        """Fill in an event's fields, those that say something."""
        event["locks"] = event.get("locks") or self.locks
        for name, value in (("released", self.released), ("scans", self.scans)):
            if value:
                event[name] = value
        if self.rewrites:
            event.setdefault("rewrites", self.rewrites)
        event["wal"] = self.wal_bytes
        if event["locks"]:
            event["lock_timeout"] = self.lock_timeout
            event["statement_timeout"] = self.statement_timeout


@dataclasses.dataclass(frozen=True)
class _Waiting:
    t0: float
    sql: str
    text: Text
    revision: Optional[str]


class Probe:
    """The measurements of one connection; state that belongs to a transaction ends with it."""

    def __init__(self, database: Database, flush: bool) -> None:
        self._database = database
        self._query = PROBE_SQL.format(most=database.most, flush=FLUSH_SQL if flush else "")
        self._flush = flush
        self.thread = threading.get_ident()
        self.connection: Any = None
        self._lsn: Optional[int] = None
        self._entries: Set[str] = set()
        self._held: Set[Tuple[int, str]] = set()
        self._scanned: Dict[int, int] = {}
        self._files: Dict[int, int] = {}
        self._asked_here = 0
        # What one measurement costs here by now, in milliseconds: it grows with the locks that are held.
        self._cost_ms = 0.0
        self._waiting: List[_Waiting] = []
        self._based = False
        # The transaction has had a statement.
        self.open = False
        # When the state that is compared with was the present one: the last answer, or the transaction's beginning.
        self._known_at: Optional[float] = None
        self._deallocations = 0
        # None: to be asked before it can stop one of our questions.
        self._statement_timeout: Optional[str] = None

    def transaction_ended(self, committed: bool) -> None:
        if committed:
            self._database.filenodes.update(self._files)
        self._entries.clear()
        self._held.clear()
        self._scanned.clear()
        self._files.clear()
        self._asked_here = 0
        self._waiting = []
        # Before version 15 the counters of an earlier transaction may still be there.
        self._based = self._based and self._flush
        self.open = False
        self._known_at = None
        self._statement_timeout = None

    def lose_sight(self) -> None:
        """Something was done that the state which is compared with does not have."""
        self._based = False

    def has_ended(self) -> bool:
        """Whether the transaction that was measured is over, by a way that nobody told us of."""
        return self.open and state_of(self.connection) == IDLE

    def wants_before(self, text: Text) -> bool:
        """Whether to ask before a text, in a transaction that has not failed: there is nothing to compare with yet, or what was done could be taken
        for its."""
        if text.unasked_before:
            return False
        return not self._based or bool(self._waiting) and (text.ends or self._is_asked_about(text))

    def _is_asked_about(self, text: Text) -> bool:
        """Whether the text is, however quick, for what it may do."""
        return text.acts and (self._asked_here < EXACT_STATEMENTS or self._may_lock(text))

    def wants_at_end(self, now: float) -> bool:
        """Whether to ask at a revision's end."""
        return self._asked_here < EXACT_STATEMENTS or now - (self._known_at or 0.0) >= max(SLOW_MS, WORTH_AT_END * self._cost_ms)

    def wants_after(self, text: Text, sql: str, t0: float, t1: float, revision: Optional[str]) -> bool:
        """Whether to ask after a text; if not, it waits to be told with the next answer."""
        self.begins(t0)
        for statement in text.statements:
            if statement.word in _CHANGE_SETTINGS:
                self._statement_timeout = None
            if statement.word in ("deallocate", "discard"):
                self._deallocations += 1
        if "set_config" in sql:
            self._statement_timeout = None
        if text.nothing:
            return False
        if t1 - t0 >= max(SLOW_MS, WORTH * self._cost_ms):
            return True
        if self._is_asked_about(text) or not text.reads and self._asked_here < EXACT_STATEMENTS:
            return True
        self.wait(text, sql, t0, revision)
        return False

    def wait(self, text: Text, sql: str, t0: float, revision: Optional[str]) -> None:
        """What the text did is told with the next answer."""
        self.begins(t0)
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append(_Waiting(t0, sql[:2000], text, revision))

    def begins(self, t0: float) -> None:
        """A transaction is open, from then on if it was not before; of what it holds nothing more is known than was."""
        self.open = True
        if self._known_at is None:
            self._known_at = t0

    def begins_unseen(self, since: float) -> None:
        """A transaction is open that was not there `since` then: whatever it holds was taken in between."""
        self.begins(since)
        self._based = True

    def _may_lock(self, text: Text) -> bool:
        """Whether a text may take a lock that others have to wait for, and that this transaction does not hold already."""
        names = text.may_lock
        if names is None:
            return True
        known, held = self._database.named, self._held
        for name in names:
            for oid in known.get(name, ()):
                if (oid, "AccessExclusiveLock") not in held:
                    return True
        return False

    @property
    def is_based(self) -> bool:
        """Whether there is a state to compare with."""
        return self._based

    @property
    def waits(self) -> bool:
        """Whether something was done that was not asked about."""
        return bool(self._waiting)

    def can_be_asked(self) -> bool:
        """In a transaction that goes on, and not in the hands of another thread."""
        return (
            self.open and self.connection is not None and threading.get_ident() == self.thread and state_of(self.connection) in (IN_TRANSACTION, None)
        )

    def measure(self, connection: Any, text: Text, now: float) -> Measurement:
        """Ask about a text that has just ended."""
        waiting = tuple(statement for one in self._waiting for statement in one.text.statements)
        return self._ask(connection, (*waiting, *text.statements), text.acts, now)

    def rest(self, connection: Any, now: float) -> Measurement:
        """Ask about everything since the last answer."""
        waiting, known_at = self._waiting, self._known_at
        acts = any(one.text.acts for one in waiting)
        found = self._ask(connection, tuple(statement for one in waiting for statement in one.text.statements), acts, now)
        found.unseen = not acts and (bool(found.rewrites) or any(lock["mode"] + "Lock" in STRONG_MODES for lock in found.locks))
        acting = [one for one in waiting if one.text.acts] or waiting
        found.since = acting[0].t0 if acting and not found.unseen else known_at
        if acting and not found.unseen:
            found.revision = acting[-1].revision
            found.sql = acting[0].sql if len(acting) == 1 else None
        return found

    def _ask(self, connection: Any, statements: Tuple[Statement, ...], scans: bool, now: float) -> Measurement:
        began = time.monotonic()
        position, entries, lock_timeout, statement_timeout = self._guarded(connection)[:4]
        self._asked_here += 1
        cost_ms = (time.monotonic() - began) * 1000
        self._cost_ms += (cost_ms - self._cost_ms) * _LATEST if self._cost_ms else cost_ms
        if position is None or lock_timeout is None or statement_timeout is None:
            raise AssertionError("the query returns a value of each")
        self._statement_timeout = statement_timeout
        self._based = True
        self._known_at = now
        self._waiting = []
        return self._compare(position, entries, statements, scans, lock_timeout, statement_timeout)

    def _put(self, connection: Any, query: str) -> List[List[Optional[str]]]:
        """Ask by a text that no driver has prepared under a name that the application has deallocated since."""
        return ask(connection, f"{query} -- {self._deallocations}" if self._deallocations else query)

    def _guarded(self, connection: Any) -> List[Optional[str]]:
        """The probe's row. An answer that comes too late for the application's statement_timeout must not fail the transaction."""
        if self._statement_timeout == _NO_TIMEOUT or state_of(connection) != IN_TRANSACTION:
            return self._put(connection, self._query)[0]
        self._put(connection, f"SAVEPOINT {_SAVEPOINT}")
        try:
            row = self._put(connection, self._query)[0]
        except Exception:
            self._put(connection, f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
            raise
        finally:
            self._put(connection, f"RELEASE SAVEPOINT {_SAVEPOINT}")
        return row

    def _compare(
        self, position: str, text: Optional[str], statements: Tuple[Statement, ...], scans: bool, lock_timeout: str, statement_timeout: str
    ) -> Measurement:
        """Hold the server's answer against the one before."""
        lsn = _parse_lsn(position)
        wal = lsn - self._lsn if self._lsn is not None else None
        self._lsn = lsn
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
                self._database.seen.add((oid, filenode))
                rewritten.append(relations[oid])
        scans = scans or bool(rewritten) or any(mode in STRONG_MODES for _oid, mode in taken)
        scanned: List[Tuple[Relation, int]] = []
        for oid, count in counters.items():
            more = count - self._scanned.get(oid, 0)
            if more > 0 and scans and relations[oid].kind in "rpm" and any((oid, mode) in self._held for mode in STRONG_MODES):
                scanned.append((relations[oid], more))
            self._scanned[oid] = count
        return Measurement(
            locks=[describe_lock(relations[oid], mode) for oid, mode in sorted(taken)],
            released=[describe_lock(relations[oid], mode) for oid, mode in sorted(released)],
            rewrites=describe_rewrites(rewritten, statements) if rewritten else [],
            scans=[{"relation": relation.name, "rows": rows} for relation, rows in scanned],
            wal_bytes=wal,
            lock_timeout=lock_timeout,
            statement_timeout=statement_timeout,
        )
