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
from typing import Any, Callable, Dict, List, Protocol, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_connection import can_wait_for_answers, waiting_for_answers
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_fence import patch_on_import


class Watch(Protocol):
    """Who is told of what goes to a driver."""

    def is_busy(self) -> bool:
        """Nothing is to be told now: what this thread gives to a driver is SQLAlchemy's or our own."""

    def raw_begins(self, driver_connection: Any, query: Any, askable: bool) -> Any:
        """A text is about to be sent; `askable`: once it has ended, the connection can be asked at once."""

    def raw_ends(self, running: Any) -> None:
        """It has done its work."""

    def raw_fails(self, running: Any) -> None:
        """It has come to an error."""

    def raw_transaction_ends(self, name: str, driver_connection: Any, call: Callable[[], Any]) -> Any:
        """`call` ends a transaction, by `commit` or `rollback`."""


def install_raw_tracking(watch: Watch) -> None:
    """Tell `watch` of every text that a driver is given, SQLAlchemy's own included."""
    patch_on_import(
        {
            "psycopg": lambda module: _psycopg(module, watch),
            "psycopg2": lambda module: _psycopg2(module, watch),
            "asyncpg.connection": lambda module: _asyncpg(module, watch),
            "asyncpg.prepared_stmt": lambda module: _asyncpg_prepared(module, watch),
            "pg8000.core": lambda module: _pg8000(module, watch),
        }
    )


def _of_cursor(cursor: Any, _query: Any = None) -> Any:
    return cursor.connection


def _itself(connection: Any, _query: Any = None) -> Any:
    return connection


def _given(_owner: Any, query: Any) -> Any:
    return query


def _sync(
    owner: Any, name: str, watch: Watch, connection_of: Callable[[Any], Any], askable: Callable[[Any], bool], sql: Callable[..., Any] = _given
) -> None:
    original = getattr(owner, name, None)
    if original is None:
        return

    def wrapper(self: Any, query: Any = None, *args: Any, **kwargs: Any) -> Any:
        connection = connection_of(self)
        running = watch.raw_begins(connection, sql(self, query), askable(connection))
        try:
            result = original(self, query, *args, **kwargs)
        except BaseException:
            watch.raw_fails(running)
            raise
        watch.raw_ends(running)
        return result

    wrapper.__name__ = name
    setattr(owner, name, wrapper)


async def _at_once(call: Callable[..., Any], *args: Any) -> Any:
    return call(*args)


def _async(owner: Any, name: str, watch: Watch, connection_of: Callable[[Any], Any], answers: bool, sql: Callable[..., Any] = _given) -> None:
    """`answers`: the connection can be asked without the event loop."""
    original = getattr(owner, name, None)
    if original is None:
        return
    askable = answers or can_wait_for_answers()
    tell = _at_once if answers or not askable else waiting_for_answers

    async def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if watch.is_busy():
            return await original(self, *args, **kwargs)
        running = await tell(watch.raw_begins, connection_of(self), sql(self, args[0] if args else kwargs.get("query")), askable)
        try:
            result = await original(self, *args, **kwargs)
        except BaseException:
            watch.raw_fails(running)
            raise
        await tell(watch.raw_ends, running)
        return result

    wrapper.__name__ = name
    setattr(owner, name, wrapper)


def _always(_connection: Any) -> bool:
    return True


def _psycopg(module: Any, watch: Watch) -> None:
    for owner in (module.Cursor, module.ServerCursor):
        for name in ("execute", "executemany"):
            if name in owner.__dict__:
                _sync(owner, name, watch, _of_cursor, _always)
    for name in ("execute", "executemany"):
        _async(module.AsyncCursor, name, watch, _of_cursor, answers=True)
    copy, copy_async = module.Cursor.copy, module.AsyncCursor.copy

    def copies(self: Any, statement: Any, *args: Any, **kwargs: Any) -> Any:
        return _Copying(watch, self.connection, statement, copy(self, statement, *args, **kwargs))

    def copies_async(self: Any, statement: Any, *args: Any, **kwargs: Any) -> Any:
        return _Copying(watch, self.connection, statement, copy_async(self, statement, *args, **kwargs))

    module.Cursor.copy, module.AsyncCursor.copy = copies, copies_async
    for name, meaning in (("commit", "commit"), ("rollback", "rollback"), ("close", "rollback")):
        setattr(module.Connection, name, _ending(getattr(module.Connection, name), meaning, watch))


class _Copying:
    """COPY lasts until its context is left."""

    def __init__(self, watch: Watch, connection: Any, statement: Any, context: Any) -> None:
        self._watch, self._connection, self._statement, self._context = watch, connection, statement, context

    def __enter__(self) -> Any:
        self._running = self._watch.raw_begins(self._connection, self._statement, True)
        try:
            return self._context.__enter__()
        except BaseException:
            self._watch.raw_fails(self._running)
            raise

    def __exit__(self, *error: Any) -> Any:
        try:
            result = self._context.__exit__(*error)
        except BaseException:
            self._watch.raw_fails(self._running)
            raise
        self._watch.raw_ends(self._running)
        return result

    async def __aenter__(self) -> Any:
        self._running = self._watch.raw_begins(self._connection, self._statement, True)
        try:
            return await self._context.__aenter__()
        except BaseException:
            self._watch.raw_fails(self._running)
            raise

    async def __aexit__(self, *error: Any) -> Any:
        try:
            result = await self._context.__aexit__(*error)
        except BaseException:
            self._watch.raw_fails(self._running)
            raise
        self._watch.raw_ends(self._running)
        return result


def _ending(original: Any, meaning: str, watch: Watch) -> Any:
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        return watch.raw_transaction_ends(meaning, self, lambda: original(self, *args, **kwargs))

    wrapper.__name__ = original.__name__
    return wrapper


def _psycopg2(module: Any, watch: Watch) -> None:
    """Connections and cursors are C types: they can be replaced by subclasses, not changed."""
    plain: Any = module.extensions.connection
    connect = module._connect
    known: Dict[Any, Any] = {}
    kinds: Dict[Any, Any] = {}

    def tracked(factory: Any) -> Any:
        if not isinstance(factory, type) or getattr(factory, "_rehearsal", False):
            return factory
        if factory not in known:
            known[factory] = type(factory.__name__, (factory,), {"__module__": factory.__module__, "_rehearsal": True})
            for name in ("execute", "executemany", "callproc", "copy_expert"):
                _sync(known[factory], name, watch, _of_cursor, _always, _called if name == "callproc" else _given)
            for name in ("copy_from", "copy_to"):
                _psycopg2_copy(known[factory], name, watch)
        return known[factory]

    class Tracked(plain):  # type: ignore[misc]
        def cursor(self, name: Any = None, cursor_factory: Any = None, *args: Any, **kwargs: Any) -> Any:
            factory = cursor_factory or self.cursor_factory or module.extensions.cursor
            return super().cursor(name, tracked(factory), *args, **kwargs)

    for name, meaning in (("commit", "commit"), ("rollback", "rollback"), ("close", "rollback")):
        setattr(Tracked, name, _ending(getattr(plain, name), meaning, watch))

    def _connect(dsn: Any, connection_factory: Any = None, **kwargs: Any) -> Any:
        factory = connection_factory or plain
        if isinstance(factory, type) and issubclass(factory, plain):
            if factory not in kinds:
                # Beneath the application's own kind, so that what that one chooses is seen too.
                bases = (Tracked,) if factory is plain else (factory, Tracked)
                kinds[factory] = type(factory.__name__, bases, {"__module__": factory.__module__})
            factory = kinds[factory]
        return connect(dsn, connection_factory=factory, **kwargs)

    module._connect = _connect
    module._psycopg._connect = _connect


def _called(_cursor: Any, procedure: Any) -> str:
    return f"SELECT * FROM {procedure}()"


def _psycopg2_copy(owner: Any, name: str, watch: Watch) -> None:
    original = getattr(owner, name)

    def wrapper(self: Any, file: Any, table: str, *args: Any, **kwargs: Any) -> Any:
        running = watch.raw_begins(self.connection, f"COPY {table} {'FROM STDIN' if name == 'copy_from' else 'TO STDOUT'}", True)
        try:
            result = original(self, file, table, *args, **kwargs)
        except BaseException:
            watch.raw_fails(running)
            raise
        watch.raw_ends(running)
        return result

    setattr(owner, name, wrapper)


def _asyncpg(module: Any, watch: Watch) -> None:
    for name in ("execute", "executemany", "fetch", "fetchrow", "fetchval", "fetchmany"):
        _async(module.Connection, name, watch, _itself, answers=False)
    for name in ("copy_records_to_table", "copy_to_table"):
        _async(module.Connection, name, watch, _itself, answers=False, sql=lambda _connection, table: f"COPY {table} FROM STDIN")


def _asyncpg_prepared(module: Any, watch: Watch) -> None:
    for name in ("fetch", "fetchrow", "fetchval", "fetchmany", "executemany"):
        _async(module.PreparedStatement, name, watch, lambda one: one._connection, answers=False, sql=lambda one, _argument: one._query)


def _pg8000(module: Any, watch: Watch) -> None:
    for name in ("execute_simple", "execute_unnamed"):
        _sync(module.CoreConnection, name, watch, _itself, lambda connection: hasattr(connection, "autocommit"))


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
    # multiprocessing starts its children without a word.
    patch_on_import({"multiprocessing.util": lambda module: _multiprocessing(module, report)})


def _multiprocessing(module: Any, report: Callable[[str], None]) -> None:
    original = module.spawnv_passfds

    def spawnv_passfds(path: Any, *args: Any, **kwargs: Any) -> Any:
        report(os.path.basename(os.fsdecode(path)))
        return original(path, *args, **kwargs)

    module.spawnv_passfds = spawnv_passfds


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
