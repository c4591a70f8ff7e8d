# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a restored copy the statistics that a dump does not carry, in several sessions at once.

Neither the copy's rows nor the evidence of them depend on it, only how statements are planned: so it is done while the evidence before the upgrade
is gathered, which reads the same rows.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
from typing import Iterator, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session

# What ANALYZE without a name takes, the largest first. A partitioned table takes its partitions with it.
_TABLES = """
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' AND n.nspname <> 'pg_toast'
ORDER BY c.relkind = 'p' DESC, pg_catalog.pg_relation_size(c.oid) DESC, 1"""

# Production's own settings of the database are the copy's too by then: none of these may keep it from being done.
_SETTINGS = {"default_transaction_read_only": "off", "lock_timeout": "0", "statement_timeout": "0", "synchronous_commit": "off"}


@contextlib.contextmanager
def gathered_meanwhile(server: Server, database: str, rehearsal_id: str, sessions: int, deadline_s: float) -> Iterator[None]:
    """All of it is there when the block is left, unless it is left by an error. 0 `sessions`: nothing is gathered. Raises PostgresError."""
    if not sessions:
        yield
        return
    over = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        gathered = pool.submit(gather, server, database, rehearsal_id, sessions, deadline_s, over)
        try:
            yield
        except BaseException:
            over.set()
            raise
        gathered.result()


def gather(server: Server, database: str, rehearsal_id: str, sessions: int, deadline_s: float, over: Optional[threading.Event] = None) -> None:
    """ANALYZE everything in the database, or what has been begun when `over` is set. Raises PostgresError."""
    with Session(server, database, application_name(rehearsal_id), _SETTINGS, deadline_s) as session:
        waiting = iter([row["name"] for row in session.rows(_TABLES)])
    lock = threading.Lock()

    def names() -> Iterator[str]:
        while True:
            with lock:
                name = next(waiting, None)
            if name is None or (over and over.is_set()):
                return
            yield name

    def work() -> None:
        with Session(server, database, application_name(rehearsal_id), _SETTINGS, deadline_s) as session:
            for name in names():
                session.execute(f"ANALYZE {name}")

    with concurrent.futures.ThreadPoolExecutor(sessions) as pool:
        for done in [pool.submit(work) for _number in range(sessions)]:
            done.result()
