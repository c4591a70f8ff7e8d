# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listen to everything SQLAlchemy and the drivers do and tell it as events.

Runs inside the application's Python: standard library and the application's SQLAlchemy.
"""

from __future__ import annotations

import threading
from typing import Any, Callable, Dict, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_channel import Channel
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_connection import is_outside
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_fence import Fence
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_folding import Folding
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_lines import Lines
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_measuring import Measuring, Running
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_raw import install_process_tracking, install_raw_tracking
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_sql import read_text

MOST_SQL = 20_000
# A statement that takes longer than this is told before its end, in milliseconds.
_LONG_MS = 100.0


class Watcher:
    """Knows which revision is running; reports statements, what they did, and ends of transactions."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._fence: Optional[Fence] = None
        self._measuring: Optional[Measuring] = None
        self._folding = Folding(channel)
        self._lines = Lines()
        self._revision: Optional[str] = None
        # The file that its code came from, as its frames name it.
        self._file: Optional[str] = None
        # The revision's own code is running; what follows is Alembic's bookkeeping.
        self._own = False
        self.failed_sql: Optional[str] = None
        self._running: Dict[int, Running] = {}
        # The last statement that has begun, while it runs; and the last one of which it was told that it does.
        self._under_way: Optional[Running] = None
        self._told: Optional[Running] = None
        self._local = threading.local()

    @property
    def revision(self) -> Optional[str]:
        """The revision that is running, until the next one begins."""
        return self._revision

    def install(self, fence: Fence) -> None:
        """Hook into SQLAlchemy at class level: engines that do not exist yet are covered too."""
        import sqlalchemy.event
        from sqlalchemy.engine import Engine
        from sqlalchemy.engine.default import DefaultDialect

        self._fence = fence
        self._measuring = Measuring(self._channel, fence)
        install_raw_tracking(self)
        install_process_tracking(self.process_started)
        sqlalchemy.event.listen(Engine, "before_cursor_execute", self._before)
        sqlalchemy.event.listen(Engine, "after_cursor_execute", self._after)
        sqlalchemy.event.listen(Engine, "handle_error", self._failed)
        # The events "commit" and "rollback" come before the work is done; locks are held until after it.
        for name in ("commit", "rollback"):
            original = getattr(DefaultDialect, f"do_{name}")
            setattr(DefaultDialect, f"do_{name}", self._ending(name, original))

    def revision_begins(self, revision: Optional[str], file: Optional[str] = None, connection: Any = None) -> None:
        """What comes now is this revision's, over this connection of SQLAlchemy's as far as we know; None: all are over."""
        self._revision, self._file, self._own = revision, file, revision is not None
        if self._measuring is not None:
            self._measuring.revision = revision
            if connection is not None:
                with self._busy():
                    proxy = connection.connection
                    self._measuring.revision_begins(_number(proxy), proxy.dbapi_connection)

    def revision_ends(self) -> None:
        """The revision's own code has come to its end."""
        if self._measuring is not None and self._own:
            with self._busy():
                self._measuring.settle()
        self._own = False
        self._folding.flush()

    def finish(self) -> None:
        """Tell what the run left behind, also after a failure."""
        self._folding.flush()
        if self._measuring is not None:
            for running in self._running.values():
                self._measuring.stop_sampling(running)
            self._measuring.finish()

    def tell_running(self) -> None:
        """Tell of a statement that takes long: the process may be killed before its end. Called by a thread of ours, again and again."""
        running = self._under_way
        if running is None or running is self._told or self._channel.now() - running.t0 < _LONG_MS:
            return
        self._told = running
        sql = running.sql
        cut = {"truncated": True} if len(sql) > MOST_SQL else {}
        self._channel.emit("running", revision=self._revision, connection=running.number, t0=running.t0, sql=sql[:MOST_SQL], **cut)

    def process_started(self, program: str) -> None:
        """The application started a program, which no fence stops."""
        self._channel.emit("process", program=program, revision=self._revision)

    # SQLAlchemy

    def _before(self, connection: Any, cursor: Any, sql: str, parameters: Any, context: Any, executemany: bool) -> None:
        proxy = connection.connection
        # Until the statement's end, what the driver is given comes from SQLAlchemy.
        self._local.busy = True
        self._running[id(cursor)] = self._begin(sql, _number(proxy), proxy.dbapi_connection, askable=True)

    def _after(self, connection: Any, cursor: Any, sql: str, parameters: Any, context: Any, executemany: bool) -> None:
        running = self._running.pop(id(cursor), None)
        if running is not None:
            rows = cursor.rowcount
            self._end(running, rows if isinstance(rows, int) and rows >= 0 else None, raw=False)
        self._local.busy = False

    def _failed(self, context: Any) -> None:
        self._local.busy = False
        sql = str(context.statement or "")
        if not sql:
            return
        self.failed_sql = sql[:MOST_SQL]
        # ExceptionContext.cursor is documented, but not set in every version.
        running = self._running.pop(id(getattr(context.execution_context, "cursor", None)), None)
        if running is not None:
            self._fail(running, raw=False)

    def _ending(self, name: str, original: Any) -> Any:
        def end(dialect: Any, dbapi_connection: Any) -> None:
            driver_connection = getattr(dbapi_connection, "dbapi_connection", dbapi_connection)
            self._end_transaction(name, _number(dbapi_connection), driver_connection, lambda: original(dialect, dbapi_connection))

        return end

    # The drivers, see agent_raw

    def raw_begins(self, driver_connection: Any, query: Any, askable: bool) -> Optional[Running]:
        """The driver is given a text. SQLAlchemy's own are told elsewhere, what env.py does is of no interest."""
        if self._fence is None or self._revision is None or self.is_busy():
            return None
        sql = _text_of(query, driver_connection)
        self._local.busy = True
        return self._begin(sql, self._fence.number_of(driver_connection), driver_connection, askable)

    def raw_ends(self, running: Optional[Running]) -> None:
        """The text has done its work."""
        if running is not None:
            self._end(running, None, raw=True)
            self._local.busy = False

    def raw_fails(self, running: Optional[Running]) -> None:
        """The text has come to an error."""
        if running is not None:
            self._local.busy = False
            self.failed_sql = running.sql[:MOST_SQL]
            self._fail(running, raw=True)

    def raw_transaction_ends(self, name: str, driver_connection: Any, call: Callable[[], Any]) -> Any:
        """The driver is told to end a transaction, by `commit` or `rollback`."""
        number = self._fence.number_of(driver_connection) if self._fence is not None else None
        if self._revision is None or self.is_busy() or number is None:
            return call()
        return self._end_transaction(name, number, driver_connection, call)

    def is_busy(self) -> bool:
        """Whether what this thread gives to a driver is SQLAlchemy's or our own."""
        return getattr(self._local, "busy", False) or (self._fence is not None and self._fence.is_observer())

    # Both

    def _begin(self, sql: str, number: Optional[int], connection: Any, askable: bool) -> Running:
        running = Running(sql, read_text(sql), number, connection, askable, self._own, self._line())
        if self._measuring is not None:
            self._measuring.before(running)
        self._under_way = running
        return running

    def _end(self, running: Running, rows: Optional[int], raw: bool) -> None:
        t1 = self._channel.now()
        self._under_way = None
        event = self._event_of(running, rows, t1, raw)
        if self._measuring is not None:
            self._measuring.after(running, event, t1)
            if raw and not running.measured and not running.text.nothing and not running.text.reads:
                event["measured"] = False
        # Most raw reads are the driver's own: types, settings.
        if not raw or not (running.text.nothing or running.text.reads) or event["locks"]:
            self._folding.tell(event, running.text)
        if self._measuring is not None and (running.outside or running.text.ends):
            if running.text.ends:
                self._folding.flush()
            self._measuring.ended(running)

    def _fail(self, running: Running, raw: bool) -> None:
        self._under_way = None
        event = self._event_of(running, None, self._channel.now(), raw)
        event["failed"] = True
        if running.sampling is not None and self._measuring is not None:
            try:
                event.update(self._measuring.sampled(running))
            except Exception as error:
                self._measuring.give_up(error)
        self._folding.flush()
        self._channel.emit("statement", **event)

    def _event_of(self, running: Running, rows: Optional[int], t1: float, raw: bool) -> Dict[str, Any]:
        sql = running.sql
        event: Dict[str, Any] = {
            "revision": self._revision,
            "connection": running.number,
            "t0": running.t0,
            "t1": t1,
            "sql": sql if len(sql) <= MOST_SQL else sql[:MOST_SQL],
            "rows": rows,
            "autocommit": running.outside,
            "locks": [],
        }
        if raw:
            event["raw"] = True
        if running.line is not None:
            event["line"] = running.line
        if len(sql) > MOST_SQL:
            event["truncated"] = True
        return event

    def _end_transaction(self, name: str, number: Optional[int], connection: Any, call: Callable[[], Any]) -> Any:
        measuring = self._measuring
        if measuring is None or number is None:
            return call()
        with self._busy():
            if name == "commit" and not is_outside(connection):
                measuring.before_commit(number, self._own)
            self._folding.flush()
            t0 = self._channel.now()
            result = call()
            measuring.transaction_ended(number, name, t0)
        return result

    def _line(self) -> Optional[int]:
        """Where the revision's own file asks for the statement that is on its way; None where no frame of it is in sight."""
        return self._lines.find(self._file) if self._file is not None and self._own else None

    def _busy(self) -> _Busy:
        return _Busy(self._local)


class _Busy:
    """For as long, what this thread gives to a driver is not the application's."""

    def __init__(self, local: Any) -> None:
        self._local = local

    def __enter__(self) -> None:
        self._before = getattr(self._local, "busy", False)
        self._local.busy = True

    def __exit__(self, *_error: Any) -> None:
        self._local.busy = self._before


def _number(proxy: Any) -> Optional[int]:
    try:
        number: Optional[int] = proxy.info.get("rehearsal.connection")
        return number
    except (NotImplementedError, AttributeError):
        # What SQLAlchemy wraps a connection in while it gets to know a server; nothing of the application runs there.
        return None


def _text_of(query: Any, connection: Any) -> str:
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    try:
        return str(query.as_string(connection)) if hasattr(query, "as_string") else str(query)
    except Exception:
        # The driver will say what is wrong with it.
        return str(query)
