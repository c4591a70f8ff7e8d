# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See what goes to the server past SQLAlchemy: raw DBAPI cursors, connections of the driver itself, programs.

Runs inside the application's Python: standard library and the application's drivers.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import sys
from typing import Any, Callable, Dict, List, Sequence, Tuple

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


_SHELLS = frozenset(["sh", "bash", "dash", "ash", "zsh", "ksh"])
# What a shell does itself, and what only starts the program that is named behind it.
_BUILTINS = frozenset(["cd", "export", "set", "unset", "umask", "test", "true", ":", ".", "source", "echo", "printf", "read", "trap", "if", "["])
_STARTERS = frozenset(["env", "exec", "command", "nohup", "time", "!", "then", "do", "else", "{", "("])
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_NAME = re.compile(r"[\w.+@-]+")


def _program(event: str, args: Tuple[Any, ...]) -> str:
    if event == "os.system":
        return _of_shell(os.fsdecode(args[0])) or "sh"
    path, argv = args[1:3] if event == "os.spawn" else args[:2]
    if isinstance(argv, (str, bytes, os.PathLike)):
        argv = [argv]
    return program_name([os.fsdecode(word) for word in (argv or [path])])


def program_name(argv: Sequence[str]) -> str:
    """The program that a command starts, without its directory and without anything of its arguments; of a shell's script, its first program."""
    words = list(argv)
    while words and (_ASSIGNMENT.match(words[0]) or os.path.basename(words[0]) in _STARTERS):
        del words[0]
    if not words:
        return ""
    name = os.path.basename(words[0])
    if name in _SHELLS:
        options = itertools.takewhile(lambda word: word.startswith("-"), words[1:-1])
        for number, word in enumerate(options, 1):
            if re.fullmatch(r"-\w*c\w*", word):
                return _of_shell(words[number + 1]) or name
    # Anything else may hold a value: a substitution, a text in quotes.
    return name if _NAME.fullmatch(name) else "a program"


def _of_shell(script: str) -> str:
    """The first program that a shell's script starts, or an empty string."""
    try:
        lexer = shlex.shlex(script.replace("\n", ";"), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        return ""
    command: List[str] = []
    for word in [*words, ";"]:
        if word and not set(word) - set(";&|"):
            name = program_name(command)
            if name and name not in _BUILTINS:
                return name
            command = []
        else:
            command.append(word)
    return ""
