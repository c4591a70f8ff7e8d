# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a driver's connection says of itself, and asking the server over it, below SQLAlchemy's events.

Runs inside the application's Python: standard library only. A connection is the driver's own (psycopg, psycopg2, pg8000) or what SQLAlchemy makes
of an async one.
"""

from __future__ import annotations

import sys
from typing import Any, Awaitable, Callable, List, Optional

IDLE, IN_TRANSACTION, FAILED = "idle", "in a transaction", "failed"

_LIBPQ_STATES = {0: IDLE, 2: IN_TRANSACTION, 3: FAILED}
_PG8000_STATES = {b"I": IDLE, b"T": IN_TRANSACTION, b"E": FAILED}
_TUPLES_OK = 2
_COMMAND_OK = 1
# psycopg2's STATUS_BEGIN: it has sent BEGIN and will not do so again before its commit() or rollback().
_PSYCOPG2_BEGUN = 2


def _own(connection: Any) -> Any:
    return getattr(connection, "driver_connection", None) or connection


def _libpq_of(connection: Any) -> Any:
    """psycopg 3's libpq connection, or None. psycopg prepares and deallocates on its own account (DEALLOCATE ALL after DDL): going below it does
    not disturb its counting. It blocks an event loop for the moment that the answer takes."""
    return getattr(_own(connection), "pgconn", None)


def state_of(connection: Any) -> Optional[str]:
    """IDLE, IN_TRANSACTION or FAILED as the server said last; None where the driver does not tell, or the connection is closed."""
    try:
        return _state(connection)
    except Exception:
        return None


def _state(connection: Any) -> Optional[str]:
    libpq = _libpq_of(connection)
    if libpq is not None:
        return _LIBPQ_STATES.get(int(libpq.transaction_status))
    own = _own(connection)
    if hasattr(own, "get_transaction_status"):
        return None if own.closed else _LIBPQ_STATES.get(own.get_transaction_status())
    if hasattr(own, "is_in_transaction"):
        return None if own.is_closed() else IN_TRANSACTION if own.is_in_transaction() else IDLE
    status = getattr(own, "_transaction_status", None)
    return _PG8000_STATES.get(bytes(status)) if status is not None else None


def is_outside(connection: Any) -> bool:
    """Whether a statement given to the connection now is a transaction of its own."""
    return is_outside_by(connection, state_of(connection))


def is_outside_by(connection: Any, state: Optional[str]) -> bool:
    """`is_outside`, of a connection whose state is known."""
    try:
        return _is_outside(connection, state)
    except Exception:
        return False


def _is_outside(connection: Any, state: Optional[str]) -> bool:
    if state in (IN_TRANSACTION, FAILED):
        return False
    if getattr(connection, "autocommit", False):
        return True
    if state is None:
        return False
    if not hasattr(connection, "autocommit"):
        # A driver that begins no transaction by itself.
        return True
    # The application ended the transaction by a statement of its own, and the driver begins no other until it is told of the end.
    own = _own(connection)
    if hasattr(own, "get_transaction_status"):
        return bool(own.status == _PSYCOPG2_BEGUN)
    return bool(getattr(connection, "_started", False))


async def waiting_for_answers(call: Callable[..., Any], *args: Any) -> Any:
    """Run what may `ask` a connection that answers in the event loop only, which goes on meanwhile."""
    from sqlalchemy.util.concurrency import greenlet_spawn

    return await greenlet_spawn(call, *args)


def can_wait_for_answers() -> bool:
    """Whether `waiting_for_answers` can: an application of one's own making may use an async driver without SQLAlchemy's means."""
    try:
        import greenlet  # type: ignore[import-untyped,unused-ignore]  # noqa: F401
    except ImportError:
        return False
    return True


def _answer(answer: Awaitable[Any]) -> Any:
    from sqlalchemy.util.concurrency import await_only

    return await_only(answer)


def answers_later(connection: Any) -> bool:
    """Whether the connection answers in the event loop only: asyncpg's own, without what SQLAlchemy makes of it."""
    return hasattr(connection, "is_in_transaction") and not hasattr(connection, "driver_connection")


def ask(connection: Any, query: str) -> List[List[Optional[str]]]:
    """The rows of a query that returns text."""
    libpq = _libpq_of(connection)
    if libpq is not None:
        result = libpq.exec_(query.encode())
        if result.status not in (_TUPLES_OK, _COMMAND_OK):
            raise RuntimeError(bytes(result.error_message).decode("utf-8", "replace"))
        cells = [[result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples)]
        return [[None if cell is None else bytes(cell).decode() for cell in row] for row in cells]
    if answers_later(connection):
        return [list(row) for row in _answer(connection.fetch(query))]
    cursor = _plain_cursor(connection)
    try:
        cursor.execute(query)
        return [list(row) for row in cursor.fetchall()] if cursor.description else []
    finally:
        cursor.close()


def _plain_cursor(connection: Any) -> Any:
    """The driver's plain cursor: the application's own kind may return rows of any form."""
    if hasattr(connection, "get_transaction_status"):
        return connection.cursor(cursor_factory=sys.modules["psycopg2.extensions"].cursor)
    return connection.cursor()
