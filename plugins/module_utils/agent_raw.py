# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See what goes to the server past SQLAlchemy: raw DBAPI cursors, connections of the driver itself, programs.

Runs inside the application's Python: standard library and the application's drivers.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Callable, Dict, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_fence import patch_on_import

# (driver connection, SQL, began in ms, whether the connection can be asked right now)
Report = Callable[[Any, Any, float, bool], None]
Clock = Callable[[], float]


def install_raw_tracking(report: Report, now: Clock) -> None:
    """Call `report` after every statement that a driver is given, SQLAlchemy's own included."""
    patch_on_import(
        {
            "psycopg": lambda module: _psycopg(module, report, now),
            "psycopg2": lambda module: _psycopg2(module, report, now),
            "asyncpg.connection": lambda module: _asyncpg(module, report, now),
            "pg8000.core": lambda module: _pg8000(module, report, now),
        }
    )


def _sync(owner: Any, name: str, report: Report, now: Clock, connection_of: Callable[[Any], Any], askable: bool) -> None:
    original = getattr(owner, name, None)
    if original is None:
        return

    def wrapper(self: Any, query: Any = None, *args: Any, **kwargs: Any) -> Any:
        t0 = now()
        result = original(self, query, *args, **kwargs)
        report(connection_of(self), query, t0, askable)
        return result

    wrapper.__name__ = name
    setattr(owner, name, wrapper)


def _async(owner: Any, name: str, report: Report, now: Clock, connection_of: Callable[[Any], Any]) -> None:
    original = getattr(owner, name, None)
    if original is None:
        return

    async def wrapper(self: Any, query: Any = None, *args: Any, **kwargs: Any) -> Any:
        t0 = now()
        result = await original(self, query, *args, **kwargs)
        report(connection_of(self), query, t0, False)
        return result

    wrapper.__name__ = name
    setattr(owner, name, wrapper)


def _psycopg(module: Any, report: Report, now: Clock) -> None:
    def connection_of(cursor: Any) -> Any:
        return cursor.connection

    for owner in (module.Cursor, module.ServerCursor):
        for name in ("execute", "executemany"):
            if name in owner.__dict__:
                _sync(owner, name, report, now, connection_of, askable=owner is module.Cursor)
    _sync(module.Cursor, "copy", report, now, connection_of, askable=False)
    for name in ("execute", "executemany"):
        _async(module.AsyncCursor, name, report, now, connection_of)
    _sync(module.AsyncCursor, "copy", report, now, connection_of, askable=False)


def _psycopg2(module: Any, report: Report, now: Clock) -> None:
    connect = module._connect

    def _connect(*args: Any, **kwargs: Any) -> Any:
        connection = connect(*args, **kwargs)
        # The cursor is a C type: it can be replaced by a subclass, not changed.
        connection.cursor_factory = tracked(connection.cursor_factory or module.extensions.cursor)
        return connection

    known: Dict[Any, Any] = {}

    def tracked(factory: Any) -> Any:
        if not isinstance(factory, type):
            return factory
        if factory not in known:
            known[factory] = type(factory.__name__, (factory,), {"__module__": factory.__module__})
            for name in ("execute", "executemany", "copy_expert"):
                _sync(known[factory], name, report, now, lambda cursor: cursor.connection, askable=name != "copy_expert")
            for name in ("copy_from", "copy_to"):
                _copy(known[factory], name, report, now)
        return known[factory]

    module._connect = _connect
    module._psycopg._connect = _connect


def _copy(owner: Any, name: str, report: Report, now: Clock) -> None:
    original = getattr(owner, name)

    def wrapper(self: Any, file: Any, table: str, *args: Any, **kwargs: Any) -> Any:
        t0 = now()
        result = original(self, file, table, *args, **kwargs)
        report(self.connection, f"COPY {table} {'FROM STDIN' if name == 'copy_from' else 'TO STDOUT'}", t0, False)
        return result

    setattr(owner, name, wrapper)


def _asyncpg(module: Any, report: Report, now: Clock) -> None:
    for name in ("execute", "executemany", "fetch", "fetchrow", "fetchval", "fetchmany"):
        _async(module.Connection, name, report, now, lambda connection: connection)
    for name in ("copy_records_to_table", "copy_to_table"):
        original = getattr(module.Connection, name, None)
        if original is not None:
            setattr(module.Connection, name, _asyncpg_copy(original, report, now))


def _asyncpg_copy(original: Any, report: Report, now: Clock) -> Any:
    async def wrapper(self: Any, table_name: str, **kwargs: Any) -> Any:
        t0 = now()
        result = await original(self, table_name, **kwargs)
        report(self, f"COPY {table_name} FROM STDIN", t0, False)
        return result

    return wrapper


def _pg8000(module: Any, report: Report, now: Clock) -> None:
    for name in ("execute_simple", "execute_unnamed"):
        _sync(module.CoreConnection, name, report, now, lambda connection: connection, askable=False)


_STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn")


def install_process_tracking(report: Callable[[str], None]) -> None:
    """Call `report` with the name of every program that the application starts: the fence does not reach into them."""

    def hook(event: str, args: Tuple[Any, ...]) -> None:
        if event in _STARTS:
            try:
                report(_program(event, args))
            except Exception:
                pass

    sys.addaudithook(hook)


def _program(event: str, args: Tuple[Any, ...]) -> str:
    value = args[1] if event == "os.spawn" else args[0]
    if event == "subprocess.Popen" and args[1]:
        argv = args[1]
        value = argv if isinstance(argv, (str, bytes, os.PathLike)) else list(argv)[0]
        # A shell is not the program that matters.
        if not isinstance(argv, (str, bytes, os.PathLike)) and len(argv) > 2 and str(argv[1]) == "-c":
            value = argv[2]
    text = os.fsdecode(value)
    return os.path.basename(text.split()[0]) if text.split() else text
