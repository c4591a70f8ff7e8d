# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence: every connection proves that it is the copy before the application gets to use it.

Runs inside the application's Python: standard library and, when the application has them, SQLAlchemy and its drivers.
"""

from __future__ import annotations

import importlib.abc
import json
import sys
import threading
import weakref
from typing import Any, Callable, Dict, List, Mapping, NoReturn, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_channel import EXIT_FENCE, Channel

# Everything in it is qualified: a search_path of the role cannot lead it elsewhere.
CHECK_SQL = (
    "SELECT pg_catalog.current_database()::text, current_user::text, pg_catalog.pg_backend_pid(), "
    "pg_catalog.shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()"
)

OPEN_WAYS = (
    "programs that the application starts (psql, pg_restore, another Python) connect without asking us",
    "drivers other than psycopg, psycopg2, asyncpg and pg8000, used without SQLAlchemy",
    "libpq reached below the driver: psycopg.pq.PGconn, psycopg2.extensions.connection, ctypes",
    "dblink and postgres_fdw inside the copy connect from the server",
)

Row = Sequence[Any]
Patch = Callable[[Any], None]


class Fence:
    """Numbers the connections of this process, lets the copy pass, and ends the process for anything else."""

    def __init__(self, channel: Channel, marker_id: str, suspects: Callable[[Mapping[str, Any]], List[str]]) -> None:
        self._channel = channel
        self._marker_id = marker_id
        self._suspects = suspects
        self._lock = threading.Lock()
        self._count = 0
        self._numbers: Dict[int, int] = {}
        self._kept: List[Any] = []
        self._local = threading.local()
        self.backend_pids: Dict[int, int] = {}
        self.databases: Dict[int, str] = {}
        # How SQLAlchemy opened a connection: (dialect, arguments, keyword arguments).
        self.openings: Dict[int, Tuple[Any, Any, Any]] = {}

    def mark_observer(self) -> None:
        """What this thread opens and asks from now on is our own, not the application's."""
        self._local.observing = True

    def is_observer(self) -> bool:
        """Whether this thread is our own."""
        return getattr(self._local, "observing", False)

    def number_of(self, driver_connection: Any) -> Optional[int]:
        """The number of a connection that has passed, or None."""
        return self._numbers.get(id(driver_connection))

    def admit(self, driver: str, connection: Any, address: Mapping[str, Any], row: Optional[Row], through: str) -> int:
        """Let a connection pass when `row`, its answer to CHECK_SQL, carries our marker."""
        if row is None:
            self.stop(driver, address, "the server does not show the connection's own database")
        database, user, backend_pid, comment = row
        address = {**address, "database": database, "user": user}
        found = read_marker(comment)
        if found is None:
            self.stop(driver, address, "the database carries no rehearsal marker")
        if found != self._marker_id:
            self.stop(driver, address, f"the database belongs to another rehearsal ({found})")
        with self._lock:
            self._count += 1
            number = self._count
            self._numbers[id(connection)] = number
            self.backend_pids[number] = int(backend_pid)
            self.databases[number] = database
        try:
            weakref.finalize(connection, self._numbers.pop, id(connection), None).atexit = False
        except TypeError:
            # Kept alive, so that its identity is never given to another connection.
            self._kept.append(connection)
        if self.is_observer():
            through = "observer"
        self._channel.emit("connection", n=number, driver=driver, address=address, fence="passed", through=through)
        return number

    def report_pooled(self, number: int, driver: str) -> None:
        """Say that a connection, known from its driver, belongs to an SQLAlchemy pool."""
        self._channel.emit("connection", n=number, driver=driver, fence="passed", through="sqlalchemy")

    def stop(self, driver: str, address: Mapping[str, Any], reason: str) -> NoReturn:
        """Report the connection and end the process."""
        try:
            suspects = self._suspects(address)
        except Exception as error:
            suspects = [f"the application could not be searched for the cause ({type(error).__name__}: {error})"]
        self._channel.emit("fence", driver=driver, address=address, expected={"id": self._marker_id}, reason=reason, suspects=suspects)
        self._channel.stop(EXIT_FENCE)


def read_marker(comment: Any) -> Optional[str]:
    """The rehearsal id in a database's comment, or None; of a database beside the copy `id/part`, so that neither is taken for the other."""
    try:
        marker = json.loads(comment)["rehearsal"]
        found, part = marker["id"], marker.get("part", "")
    except (TypeError, ValueError, KeyError):
        return None
    if not isinstance(found, str) or not found:
        return None
    return f"{found}/{part}" if part else found


# The drivers. Each function gets a freshly executed module and replaces the one place where it opens connections.


def _refuse_on_error(fence: Fence, driver: str, address: Mapping[str, Any], error: BaseException) -> NoReturn:
    fence.stop(driver, address, f"the connection cannot be asked what it is ({type(error).__name__})")


def patch_psycopg2(module: Any, fence: Fence) -> None:
    original = module._connect

    def _connect(*args: Any, **kwargs: Any) -> Any:
        connection = original(*args, **kwargs)
        info = connection.info
        address = {"host": info.host, "port": info.port}
        try:
            autocommit = connection.autocommit
            connection.autocommit = True
            with connection.cursor(cursor_factory=module.extensions.cursor) as cursor:
                cursor.execute(CHECK_SQL)
                row = cursor.fetchone()
            connection.autocommit = autocommit
        except Exception as error:
            _refuse_on_error(fence, "psycopg2", address, error)
        fence.admit("psycopg2", connection, address, row, "driver")
        return connection

    module._connect = _connect
    module._psycopg._connect = _connect


def patch_psycopg(module: Any, fence: Fence) -> None:
    connect = module.Connection.__dict__["connect"].__func__
    connect_async = module.AsyncConnection.__dict__["connect"].__func__
    tuple_row = module.rows.tuple_row

    def checked(cls: Any, *args: Any, **kwargs: Any) -> Any:
        connection = connect(cls, *args, **kwargs)
        address = {"host": connection.info.host, "port": connection.info.port}
        try:
            autocommit = connection.autocommit
            connection.autocommit = True
            with connection.cursor(row_factory=tuple_row) as cursor:
                row = cursor.execute(CHECK_SQL, prepare=False).fetchone()
            connection.autocommit = autocommit
        except Exception as error:
            _refuse_on_error(fence, "psycopg", address, error)
        fence.admit("psycopg", connection, address, row, "driver")
        return connection

    async def checked_async(cls: Any, *args: Any, **kwargs: Any) -> Any:
        connection = await connect_async(cls, *args, **kwargs)
        address = {"host": connection.info.host, "port": connection.info.port}
        try:
            autocommit = connection.autocommit
            await connection.set_autocommit(True)
            async with connection.cursor(row_factory=tuple_row) as cursor:
                await cursor.execute(CHECK_SQL, prepare=False)
                row = await cursor.fetchone()
            await connection.set_autocommit(autocommit)
        except Exception as error:
            _refuse_on_error(fence, "psycopg", address, error)
        fence.admit("psycopg", connection, address, row, "driver")
        return connection

    module.Connection.connect = classmethod(checked)
    module.AsyncConnection.connect = classmethod(checked_async)
    module.connect = module.Connection.connect


def patch_asyncpg(module: Any, fence: Fence) -> None:
    original = module._connect_addr

    async def _connect_addr(*args: Any, **kwargs: Any) -> Any:
        connection = await original(*args, **kwargs)
        where = kwargs.get("addr")
        address = {"host": where[0], "port": where[1]} if isinstance(where, tuple) else {"host": where, "port": None}
        try:
            row = await connection.fetchrow(CHECK_SQL)
        except Exception as error:
            _refuse_on_error(fence, "asyncpg", address, error)
        fence.admit("asyncpg", connection, address, tuple(row) if row is not None else None, "driver")
        return connection

    module._connect_addr = _connect_addr


def patch_pg8000(module: Any, fence: Fence) -> None:
    original = module.CoreConnection.__init__

    def __init__(self: Any, user: Any, host: Any = "localhost", database: Any = None, port: Any = 5432, *args: Any, **kwargs: Any) -> None:
        original(self, user, host, database, port, *args, **kwargs)
        address = {"host": kwargs.get("unix_sock") or host, "port": port}
        try:
            rows = module.CoreConnection.execute_simple(self, CHECK_SQL).rows
        except Exception as error:
            _refuse_on_error(fence, "pg8000", address, error)
        fence.admit("pg8000", self, address, rows[0] if rows else None, "driver")

    module.CoreConnection.__init__ = __init__


DRIVER_PATCHES: Dict[str, Callable[[Any, Fence], None]] = {
    "psycopg2": patch_psycopg2,
    "psycopg": patch_psycopg,
    "asyncpg.connect_utils": patch_asyncpg,
    "pg8000.core": patch_pg8000,
}


class _PatchOnImport(importlib.abc.MetaPathFinder):
    """Patches a module at the moment it has been executed, before whoever imports it goes on."""

    def __init__(self) -> None:
        self.patches: Dict[str, List[Patch]] = {}

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname not in self.patches:
            return None
        for finder in sys.meta_path:
            spec = finder.find_spec(fullname, path, target) if finder is not self else None
            if spec is not None and spec.loader is not None:
                self._wrap(spec.loader, self.patches[fullname])
                return spec
        return None

    def _wrap(self, loader: Any, patches: List[Patch]) -> None:
        execute = loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            for patch in patches:
                patch(module)

        loader.exec_module = exec_module


_finder = _PatchOnImport()


def patch_on_import(patches: Mapping[str, Patch]) -> None:
    """Patch modules: now those that are there already, the others when they are imported."""
    for name, patch in patches.items():
        if name in sys.modules:
            patch(sys.modules[name])
        _finder.patches.setdefault(name, []).append(patch)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def install_driver_checks(fence: Fence) -> None:
    """Check what the drivers open, whoever asks them to."""

    def bound(patch: Callable[[Any, Fence], None]) -> Patch:
        return lambda module: patch(module, fence)

    patch_on_import({name: bound(patch) for name, patch in DRIVER_PATCHES.items()})


def install_sqlalchemy_checks(fence: Fence) -> None:
    """Check what SQLAlchemy opens, whichever driver it uses."""
    import sqlalchemy.event
    from sqlalchemy.engine import Engine
    from sqlalchemy.pool import Pool

    def before_connect(dialect: Any, record: Any, arguments: Any, parameters: Any) -> None:
        if dialect.name != "postgresql":
            address = {key: parameters.get(key) for key in ("host", "port", "database", "user")}
            fence.stop(f"{dialect.name}+{dialect.driver}", address, f"not a PostgreSQL database but {dialect.name}")
        if record is not None:
            record.info["rehearsal.opening"] = (dialect, tuple(arguments), parameters)

    def connected(dbapi_connection: Any, record: Any) -> None:
        driver_connection = getattr(record, "driver_connection", None) or dbapi_connection
        driver = type(driver_connection).__module__.split(".")[0]
        number = fence.number_of(driver_connection)
        if number is None:
            try:
                cursor = dbapi_connection.cursor()
                cursor.execute(CHECK_SQL)
                row = cursor.fetchone()
                cursor.close()
                dbapi_connection.rollback()
            except Exception as error:
                _refuse_on_error(fence, driver, {}, error)
            number = fence.admit(driver, driver_connection, {"host": None, "port": None}, row, "sqlalchemy")
        else:
            fence.report_pooled(number, driver)
        record.info["rehearsal.connection"] = number
        if "rehearsal.opening" in record.info:
            fence.openings[number] = record.info["rehearsal.opening"]

    sqlalchemy.event.listen(Engine, "do_connect", before_connect)
    sqlalchemy.event.listen(Pool, "connect", connected, insert=True)
