# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listen to everything SQLAlchemy does and tell it as events.

Runs inside the application's Python: standard library and the application's SQLAlchemy.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_channel import Channel

MOST_SQL = 20_000


class Watcher:
    """Knows which revision is running, and reports statements and ends of transactions."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.revision: Optional[str] = None
        self.direction: Optional[str] = None
        self.failed_sql: Optional[str] = None
        self._began: Dict[int, float] = {}

    def install(self) -> None:
        """Hook into SQLAlchemy at class level: engines that do not exist yet are covered too."""
        import sqlalchemy.event
        from sqlalchemy.engine import Engine
        from sqlalchemy.engine.default import DefaultDialect

        sqlalchemy.event.listen(Engine, "before_cursor_execute", self._before)
        sqlalchemy.event.listen(Engine, "after_cursor_execute", self._after)
        sqlalchemy.event.listen(Engine, "handle_error", self._failed)
        # The events "commit" and "rollback" come before the work is done; locks are held until after it.
        for name in ("commit", "rollback"):
            original = getattr(DefaultDialect, f"do_{name}")
            setattr(DefaultDialect, f"do_{name}", self._ending(name, original))

    def _ending(self, name: str, original: Any) -> Any:
        def end(dialect: Any, dbapi_connection: Any) -> None:
            t0 = self._channel.now()
            original(dialect, dbapi_connection)
            info = getattr(dbapi_connection, "info", None)
            number = info.get("rehearsal.connection") if isinstance(info, dict) else None
            self._channel.emit(name, connection=number, t0=t0, t1=self._channel.now(), revision=self.revision)

        return end

    def _before(self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        self._began[id(cursor)] = self._channel.now()

    def _after(self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        t1 = self._channel.now()
        t0 = self._began.pop(id(cursor), t1)
        proxy = connection.connection
        rows = cursor.rowcount
        self._channel.emit(
            "statement",
            revision=self.revision,
            connection=proxy.info.get("rehearsal.connection"),
            t0=t0,
            t1=t1,
            sql=statement[:MOST_SQL],
            truncated=len(statement) > MOST_SQL,
            rows=rows if isinstance(rows, int) and rows >= 0 else None,
            autocommit=bool(getattr(proxy.dbapi_connection, "autocommit", False)),
            locks=[],
        )

    def _failed(self, context: Any) -> None:
        if context.statement:
            self.failed_sql = str(context.statement)[:MOST_SQL]
