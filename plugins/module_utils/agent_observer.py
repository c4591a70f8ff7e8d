# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second connection to the copy: sees what the first one cannot say about itself.

Runs inside the application's Python: standard library and the application's SQLAlchemy. It is opened with the arguments of the application's own
engine, through the fence like every other, and works in a thread: the application's may be busy in a statement or in an event loop.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_channel import Channel

# Without a pause at first, so that quick statements are seen too.
EAGER_MS = 50
SAMPLE_S = 0.005

LOCKS_OF_SQL = """
SELECT coalesce(pg_catalog.string_agg(l.relation || ' ' || l.mode || ' ' || l.granted, ','), '')
FROM pg_catalog.pg_lock_status() l WHERE l.pid = {pid} AND l.locktype = 'relation' AND l.relation >= 16384
"""

# We never wait for what the application holds, nor does it for us.
_SETTINGS_SQL = ("SET lock_timeout = '2s'", "SET statement_timeout = '60s'")


class Observer:
    """Opened at the first need; everything it does, it does in its own thread."""

    def __init__(self, channel: Channel, dialect: Any, arguments: Any, parameters: Any, mark: Callable[[], None]) -> None:
        self._channel = channel
        self._dialect = dialect
        self._arguments = arguments
        self._parameters = parameters
        self._mark = mark
        self._jobs: queue.Queue[Any] = queue.Queue()
        self._sampling = threading.Event()
        self._looked = threading.Event()
        self._failure: Optional[BaseException] = None
        self._thread: Optional[threading.Thread] = None

    def rows(self, sql: str) -> List[Any]:
        """The rows of a query, each in a transaction of its own."""
        result: List[Any] = self._call(lambda cursor: self._fetch(cursor, sql))
        return result

    def start_sampling(self, backend_pid: int) -> None:
        """Look at the locks of a backend again and again, until `stop_sampling`."""
        self._call(lambda _cursor: None)
        self._sampling.set()
        self._looked.clear()
        self._answer: queue.Queue[Any] = queue.Queue()
        self._jobs.put((lambda cursor: self._sample(cursor, backend_pid), self._answer))
        self._looked.wait(timeout=5)

    def stop_sampling(self) -> Dict[Tuple[int, str, bool], Tuple[float, float]]:
        """(relation, mode, granted) → (first seen, last seen) in milliseconds since the agent's start."""
        self._sampling.clear()
        result, error = self._answer.get()
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def _sample(self, cursor: Any, backend_pid: int) -> Dict[Tuple[int, str, bool], Tuple[float, float]]:
        seen: Dict[Tuple[int, str, bool], Tuple[float, float]] = {}
        sql = LOCKS_OF_SQL.format(pid=int(backend_pid))
        began = self._channel.now()
        while self._sampling.is_set():
            cursor.execute(sql)
            text = cursor.fetchone()[0]
            now = self._channel.now()
            for part in text.split(",") if text else ():
                relation, mode, granted = part.split(" ")
                key = (int(relation), mode, granted == "true")
                seen[key] = (seen.get(key, (now, now))[0], now)
            self._looked.set()
            if now - began > EAGER_MS:
                time.sleep(SAMPLE_S)
        return seen

    @staticmethod
    def _fetch(cursor: Any, sql: str) -> List[Any]:
        cursor.execute(sql)
        return [tuple(row) for row in cursor.fetchall()]

    def _call(self, job: Callable[[Any], Any]) -> Any:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="rehearsal-observer", daemon=True)
            self._thread.start()
        answer: queue.Queue[Any] = queue.Queue()
        self._jobs.put((job, answer))
        result, error = answer.get()
        if error is not None:
            raise error
        return result

    def _work(self) -> None:
        if getattr(self._dialect, "is_async", False):
            import asyncio

            from sqlalchemy.util.concurrency import greenlet_spawn

            async def in_loop() -> None:
                await greenlet_spawn(self._serve)

            asyncio.new_event_loop().run_until_complete(in_loop())
        else:
            self._serve()

    def _serve(self) -> None:
        connection: Any = None
        failure: Optional[BaseException] = None
        self._mark()
        try:
            connection = self._dialect.connect(*self._arguments, **self._parameters)
            connection.autocommit = True
            cursor = connection.cursor()
            for setting in _SETTINGS_SQL:
                cursor.execute(setting)
            cursor.close()
        except Exception as error:
            failure = error
        while True:
            job, answer = self._jobs.get()
            if failure is not None:
                answer.put((None, failure))
                continue
            cursor = connection.cursor()
            try:
                answer.put((job(cursor), None))
            except Exception as error:
                answer.put((None, error))
            finally:
                cursor.close()
