# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a long stage is, as JSON lines in the work directory: the controller looks at the last one and shows it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
from typing import Callable, Iterator, List

from ansible_collections.migrations.rehearsal.plugins.module_utils import files
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import READ_ONLY, Server, Session, quote_literal

FILE = "progress.jsonl"
_EVERY_S = 1.0
_ANSWER_S = 30.0


@contextlib.contextmanager
def shown(path: str, what: str, total: Callable[[], int], done: Callable[[], int], unit: str = "bytes") -> Iterator[None]:
    """Note `{"what", "done", "total", "unit"}` once a second until the block ends; the total is 0 where nobody knows it.

    `done` is asked in a thread of its own. Where it fails, nothing is noted: progress never is what a stage fails by.
    """
    ended = threading.Event()
    # What an earlier stage had noted.
    with contextlib.suppress(OSError):
        os.unlink(path)

    def note() -> None:
        while not ended.wait(_EVERY_S):
            with contextlib.suppress(Exception):
                files.append_json_line(path, {"what": what, "done": int(done()), "total": int(total()), "unit": unit})

    thread = threading.Thread(target=note, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_EVERY_S)


@dataclasses.dataclass
class Counter:
    """What a stage counts itself, by whatever threads it has."""

    done: int = 0
    total: int = 0


@contextlib.contextmanager
def counted(path: str, what: str) -> Iterator[Counter]:
    """`shown` for bytes that the stage counts; their total may be known only when it has begun."""
    counter = Counter()
    with shown(path, what, lambda: counter.total, lambda: counter.done):
        yield counter


@contextlib.contextmanager
def database_size(path: str, server: Server, database: str, rehearsal_id: str, total: int) -> Iterator[None]:
    """`shown` for a database that is being filled; asked in one session of its own, which is opened when the first second is over."""
    sessions: List[Session] = []

    def size() -> int:
        if not sessions:
            sessions.append(Session(server, server.maintenance_database, application_name(rehearsal_id), READ_ONLY, _ANSWER_S))
        size_of = "SELECT coalesce(max(pg_catalog.pg_database_size(oid)), 0) AS size FROM pg_catalog.pg_database"
        return int(sessions[0].value(f"{size_of} WHERE datname = {quote_literal(database)}"))

    try:
        with shown(path, "restored", lambda: total, size):
            yield
    finally:
        for session in sessions:
            session.close()
