# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listen to everything SQLAlchemy does and tell it as events.

Runs inside the application's Python: standard library and the application's SQLAlchemy.
"""

from __future__ import annotations

import sys
import threading
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_channel import Channel
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_fence import Fence
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_observer import OBJECTS_SQL, ObjectRow, Observer, parse_objects
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_probe import (
    PREPARED,
    RELATIONS_SQL,
    UNMEASURED,
    Database,
    Measurement,
    Probe,
    describe_lock,
    describe_rewrites,
    first_word,
    is_data,
    read_relations,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_raw import install_process_tracking, install_raw_tracking
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import object_name

MOST_SQL = 20_000
# Frames between a statement and the line that asked for it: SQLAlchemy's, Alembic's and the project's own helpers.
_MOST_FRAMES = 200


class _Statement:
    """A statement on its way. `revision`: the one whose own it is; None for Alembic's bookkeeping. `line`: of its file, where it was asked for."""

    def __init__(
        self, t0: float, word: str, number: Optional[int], sampling: Optional[Observer], revision: Optional[str], line: Optional[int]
    ) -> None:
        self.line = line
        self.t0 = t0
        self.revision = revision
        self.word = word
        self.number = number
        self.sampling = sampling


class Watcher:
    """Knows which revision is running; reports statements, what they did, and ends of transactions."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._fence: Optional[Fence] = None
        self.revision: Optional[str] = None
        # The file that its code came from, as its frames name it.
        self.file: Optional[str] = None
        # The revision's own code has ended; what follows is Alembic's bookkeeping.
        self.revision_over = False
        self.failed_sql: Optional[str] = None
        self._running: Dict[int, _Statement] = {}
        self._probes: Dict[int, Probe] = {}
        self._databases: Dict[str, Database] = {}
        self._objects: Dict[str, List[ObjectRow]] = {}
        self._openings: Dict[str, Tuple[Any, Any, Any]] = {}
        self._observers: Dict[str, Observer] = {}
        self._measuring = True
        self._local = threading.local()
        self._overhead_ms = 0.0

    def install(self, fence: Fence) -> None:
        """Hook into SQLAlchemy at class level: engines that do not exist yet are covered too."""
        import sqlalchemy.event
        from sqlalchemy.engine import Engine
        from sqlalchemy.engine.default import DefaultDialect

        self._fence = fence
        install_raw_tracking(self.raw_statement, self._channel.now)
        install_process_tracking(self.process_started)
        sqlalchemy.event.listen(Engine, "before_cursor_execute", self._before)
        sqlalchemy.event.listen(Engine, "after_cursor_execute", self._after)
        sqlalchemy.event.listen(Engine, "handle_error", self._failed)
        # The events "commit" and "rollback" come before the work is done; locks are held until after it.
        for name in ("commit", "rollback"):
            original = getattr(DefaultDialect, f"do_{name}")
            setattr(DefaultDialect, f"do_{name}", self._ending(name, original))

    def finish(self) -> None:
        """Tell what the run left behind, also after a failure, and what measuring has cost."""
        for running in self._running.values():
            if running.sampling is not None:
                try:
                    running.sampling.stop_sampling()
                except Exception as error:
                    self._give_up(error)
        for name, before in self._objects.items():
            try:
                after = self._observer_of(name).objects()
            except Exception as error:
                self._give_up(error)
                continue
            self._channel.emit("objects", database=name, **compare_objects(before, after))
        self._channel.emit("measuring", complete=self._measuring, ms=round(self._overhead_ms, 3))

    def _give_up(self, error: BaseException) -> None:
        """Measuring must never break a migration: from here on nothing is measured, and the evidence says so."""
        self._measuring = False
        self._channel.emit("measuring_failed", kind=type(error).__name__, message=str(error)[:500], revision=self.revision)

    def _ending(self, name: str, original: Any) -> Any:
        def end(dialect: Any, dbapi_connection: Any) -> None:
            number = self._number(dbapi_connection)
            probe = self._probes.get(number) if number is not None else None
            if name == "commit" and probe is not None and self._measuring:
                self._measure_rest(probe, number, dbapi_connection)
            t0 = self._channel.now()
            original(dialect, dbapi_connection)
            if number is None:
                return
            if probe is not None:
                probe.transaction_ended(committed=name == "commit")
            self._channel.emit(name, connection=number, t0=t0, t1=self._channel.now(), revision=self.revision)

        return end

    def _measure_rest(self, probe: Probe, number: Any, proxy: Any) -> None:
        began = self._channel.now()
        self._local.busy = True
        try:
            if not _autocommit(proxy):
                self._report_untracked(number, probe.rest(proxy.dbapi_connection, at_commit=True))
        except Exception as error:
            self._give_up(error)
        finally:
            self._local.busy = False
        self._overhead_ms += self._channel.now() - began

    def _number(self, proxy: Any) -> Optional[int]:
        try:
            number: Optional[int] = proxy.info.get("rehearsal.connection")
            return number
        except (NotImplementedError, AttributeError):
            # What SQLAlchemy wraps a connection in while it gets to know a server; nothing of the application runs there.
            return None

    def _line(self) -> Optional[int]:
        """Where the revision's own file asks for the statement that is on its way; None where no frame of it is in sight."""
        if self.file is None or self.revision_over:
            return None
        frame = sys._getframe(1)
        for _number in range(_MOST_FRAMES):
            if frame.f_code.co_filename == self.file:
                return frame.f_lineno
            if frame.f_back is None:
                break
            frame = frame.f_back
        return None

    def _before(self, connection: Any, cursor: Any, sql: str, parameters: Any, context: Any, executemany: bool) -> None:
        word = first_word(sql)
        proxy = connection.connection
        number = self._number(proxy)
        sampling: Optional[Observer] = None
        revision = None if self.revision_over else self.revision
        if self._measuring and number is not None and word not in UNMEASURED:
            began = self._channel.now()
            self._local.busy = True
            try:
                probe = self._probe_of(number, proxy.dbapi_connection)
                if not _autocommit(proxy):
                    ask = probe.rest(proxy.dbapi_connection) if self.revision_over else probe.before(proxy.dbapi_connection, word)
                    self.revision_over = False
                    self._report_untracked(number, ask)
                elif not is_data(word):
                    sampling = self._sample(number)
            except Exception as error:
                self._give_up(error)
            self._overhead_ms += self._channel.now() - began
        # From here to the statement's end, what the driver is given comes from SQLAlchemy.
        self._local.busy = True
        self._running[id(cursor)] = _Statement(self._channel.now(), word, number, sampling, revision, self._line())

    def _after(self, connection: Any, cursor: Any, sql: str, parameters: Any, context: Any, executemany: bool) -> None:
        t1 = self._channel.now()
        running = self._running.pop(id(cursor), None) or _Statement(t1, first_word(sql), None, None, None, None)
        proxy = connection.connection
        rows = cursor.rowcount
        autocommit = _autocommit(proxy)
        event: Dict[str, Any] = {
            "revision": self.revision,
            "connection": running.number,
            "t0": running.t0,
            "t1": t1,
            "sql": sql if len(sql) <= MOST_SQL else sql[:MOST_SQL],
            "rows": rows if isinstance(rows, int) and rows >= 0 else None,
            "autocommit": autocommit,
            "locks": [],
        }
        if running.line is not None:
            event["line"] = running.line
        if len(sql) > MOST_SQL:
            event["truncated"] = True
        probe = self._probes.get(running.number) if running.number is not None else None
        if self._measuring and probe is not None:
            try:
                if running.sampling is not None:
                    event.update(self._sampled(running.sampling, running.number, sql))
                if probe.wants(running.word, sql, running.t0, t1, running.revision):
                    _add_measurement(event, probe.measure(proxy.dbapi_connection, sql, running.word))
                if autocommit:
                    probe.transaction_ended(committed=True)
            except Exception as error:
                self._give_up(error)
            self._overhead_ms += self._channel.now() - t1
        self._local.busy = False
        self._channel.emit_soon("statement", **event)

    def raw_statement(self, driver_connection: Any, query: Any, t0: float, askable: bool) -> None:
        """The driver was given a statement. SQLAlchemy's own are told elsewhere, reads and what env.py does are of no interest."""
        if self._fence is None or self.revision is None or getattr(self._local, "busy", False):
            return
        sql = query.decode("utf-8", "replace") if isinstance(query, bytes) else str(query)
        word = first_word(sql)
        if word in UNMEASURED or PREPARED in sql:
            return
        t1 = self._channel.now()
        number = self._fence.number_of(driver_connection)
        autocommit = getattr(driver_connection, "autocommit", None)
        event: Dict[str, Any] = {
            "revision": self.revision,
            "connection": number,
            "t0": t0,
            "t1": t1,
            "sql": sql[:MOST_SQL],
            "rows": None,
            "autocommit": bool(autocommit),
            "locks": [],
            "raw": True,
        }
        line = self._line()
        if line is not None:
            event["line"] = line
        if len(sql) > MOST_SQL:
            event["truncated"] = True
        probe = self._probes.get(number) if number is not None else None
        if probe is not None and self._measuring:
            if askable and autocommit is False:
                self._local.busy = True
                try:
                    _add_measurement(event, probe.measure(driver_connection, sql, word))
                except Exception as error:
                    self._give_up(error)
                finally:
                    self._local.busy = False
            else:
                probe.unmeasured = True
        self._channel.emit_soon("statement", **event)

    def process_started(self, program: str) -> None:
        """The application started a program, which no fence stops."""
        self._channel.emit("process", program=program, revision=self.revision)

    def _report_untracked(self, number: int, found: Optional[Measurement]) -> None:
        if found is not None and (found.locks or found.rewrites):
            event: Dict[str, Any] = {"locks": [], "revision": self.revision}
            if found.since is not None:
                event.update(t0=found.since, revisions=found.revisions)
                event["revision"] = found.revisions[-1] if found.revisions else self.revision
            _add_measurement(event, found)
            self._channel.emit("untracked", connection=number, **event)

    def _failed(self, context: Any) -> None:
        self._local.busy = False
        sql = str(context.statement or "")
        if not sql:
            return
        self.failed_sql = sql[:MOST_SQL]
        # ExceptionContext.cursor is documented, but not set in every version.
        running = self._running.pop(id(getattr(context.execution_context, "cursor", None)), None)
        if running is None:
            return
        event: Dict[str, Any] = {
            "revision": self.revision,
            "connection": running.number,
            "t0": running.t0,
            "t1": self._channel.now(),
            "sql": self.failed_sql,
            "rows": None,
            "autocommit": running.sampling is not None,
            "locks": [],
            "failed": True,
        }
        if running.line is not None:
            event["line"] = running.line
        if len(sql) > MOST_SQL:
            event["truncated"] = True
        if running.sampling is not None:
            try:
                event.update(self._sampled(running.sampling, running.number, sql))
            except Exception as error:
                self._give_up(error)
        self._channel.emit("statement", **event)

    def _probe_of(self, number: int, dbapi_connection: Any) -> Probe:
        probe = self._probes.get(number)
        if probe is None:
            assert self._fence is not None
            name = self._fence.databases[number]
            if name not in self._databases:
                self._look_at(name, dbapi_connection)
            if number in self._fence.openings:
                self._openings.setdefault(name, self._fence.openings[number])
            probe = self._probes[number] = Probe(self._databases[name])
        return probe

    def _look_at(self, name: str, dbapi_connection: Any) -> None:
        cursor = dbapi_connection.cursor()
        try:
            cursor.execute("SELECT pg_catalog.current_setting('server_version_num')")
            version = int(cursor.fetchone()[0])
            self._databases[name] = read_relations(cursor, version)
            cursor.execute(OBJECTS_SQL)
            self._objects[name] = parse_objects(cursor.fetchall())
        finally:
            cursor.close()

    def _observer_of(self, name: str) -> Observer:
        if name not in self._observers:
            assert self._fence is not None
            dialect, arguments, parameters = self._openings[name]
            self._observers[name] = Observer(self._channel, dialect, arguments, parameters, self._fence.mark_observer)
        return self._observers[name]

    def _sample(self, number: int) -> Observer:
        assert self._fence is not None
        observer = self._observer_of(self._fence.databases[number])
        observer.start_sampling(self._fence.backend_pids[number])
        return observer

    def _sampled(self, observer: Observer, number: Optional[int], sql: str) -> Dict[str, Any]:
        """What the observer saw of a statement outside a transaction."""
        assert self._fence is not None and number is not None
        database = self._databases[self._fence.databases[number]]
        locks: List[Dict[str, Any]] = []
        waits: List[Dict[str, Any]] = []
        for (oid, mode, granted), (first, last) in sorted(observer.stop_sampling().items()):
            relation = database.relations.get(oid)
            if relation is not None and mode != "AccessShareLock":
                (locks if granted else waits).append({**describe_lock(relation, mode), "seen": [first, last]})
        rewritten = []
        for oid, _schema, _name, _kind, filenode, _table in observer.rows(RELATIONS_SQL):
            if oid in database.relations and filenode not in (0, database.filenodes.get(oid)):
                database.filenodes[oid] = filenode
                rewritten.append(database.relations[oid])
        found: Dict[str, Any] = {"sampled": True, "locks": locks}
        if waits:
            found["waits"] = waits
        if rewritten:
            found["rewrites"] = describe_rewrites(rewritten, sql)
        return found


def _autocommit(proxy: Any) -> bool:
    return bool(getattr(proxy.dbapi_connection, "autocommit", False))


def _add_measurement(event: Dict[str, Any], found: Measurement) -> None:
    event["locks"] = event["locks"] or found.locks
    for name, value in (("released", found.released), ("scans", found.scans)):
        if value:
            event[name] = value
    if found.rewrites:
        event.setdefault("rewrites", found.rewrites)
    event["wal"] = found.wal_bytes
    if event["locks"] and found.lock_timeout is not None:
        event["lock_timeout"] = found.lock_timeout
        event["statement_timeout"] = found.statement_timeout


def compare_objects(before: List[ObjectRow], after: List[ObjectRow]) -> Dict[str, Any]:
    """The fields of an `objects` event. Sizes are bytes with indexes and TOAST, for tables whose size changed."""
    old = {row[:5]: row for row in before}
    new = {row[:5]: row for row in after}

    def describe(row: ObjectRow) -> Dict[str, Any]:
        name = row[2] if row[0] == "constraint" else object_name(row[1], row[2])
        return {"name": name, "table": object_name(row[3], row[4])}

    sizes = [
        {"relation": object_name(key[1], key[2]), "before": old[key][6] if key in old else None, "after": new[key][6] if key in new else None}
        for key in sorted({**old, **new})
        if key[0] == "table" and (key not in old or key not in new or old[key][6] != new[key][6])
    ]
    return {
        "indexes_new": [describe(row) for key, row in sorted(new.items()) if row[0] == "index" and key not in old],
        "indexes_dropped": [describe(row) for key, row in sorted(old.items()) if row[0] == "index" and key not in new],
        "indexes_invalid": [
            {**describe(row), "new": key not in old or old[key][5]} for key, row in sorted(new.items()) if row[0] == "index" and not row[5]
        ],
        "constraints_not_valid": [{**describe(row), "new": key not in old} for key, row in sorted(new.items()) if row[0] == "constraint"],
        "sizes": sizes,
    }
