# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill an empty copy from an archive without the rows of large tables, and with those from wherever they come.

What has arrived is indexed while other tables are still on their way: as soon as no other waits to be begun.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import re
import threading
from concurrent.futures import Future
from typing import Any, Callable, Deque, Dict, List, Optional, Sequence, Set, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_stream import Stream
from ansible_collections.migrations.rehearsal.plugins.module_utils.large_tables import Table
from ansible_collections.migrations.rehearsal.plugins.module_utils.pipes import PipePlace
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool, ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.reach import Reach
from ansible_collections.migrations.rehearsal.plugins.module_utils.restoring import Restoring, attaches, explained, numbers
from ansible_collections.migrations.rehearsal.plugins.module_utils.role_statements import Roles
from ansible_collections.migrations.rehearsal.plugins.module_utils.together import Together
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

# Numbers of the catalogs pg_class and pg_constraint, the same on every server.
_INDEX, _CONSTRAINT = 1259, 2606
# Of an archive's table of contents: a foreign key is none.
_KEY = re.compile(r"\d+; \d+ \d+ (INDEX|CONSTRAINT) ")
_LOOK_EVERY_S = 0.1


@dataclasses.dataclass(frozen=True)
class Target:
    """The empty copy's server, its version as a number, how it stands to the roles of the dump, the extensions that stay out, and where it
    reads named pipes of ours, if it does.
    """

    server: Server
    version: int
    roles: Roles
    without: Tuple[str, ...]
    pipes: Optional[PipePlace] = None


class Filling:
    """`define` what is to be filled, let it `take` the large tables, `finish` it; `stop` it in any case.

    `jobs` things are done at once, and `small_jobs` restore the tables that are in the archive.
    """

    def __init__(
        self, target: Target, database: str, rehearsal_id: str, work: WorkDirectory, together: Together, *,
        jobs: int, small_jobs: int, deadline_s: float,
    ) -> None:  # fmt: skip
        self._target, self._database, self._id, self._work, self._together = target, database, rehearsal_id, work, together
        self._jobs, self._small_jobs, self._deadline_s = jobs, small_jobs, deadline_s
        self._entries: List[str] = []
        self._by_object: Dict[Tuple[int, int], str] = {}
        self._done: Set[str] = set()
        self._changed = threading.Condition()
        self._large: List[Table] = []
        self._tables: Deque[Table] = collections.deque()
        self._builds: Deque[Callable[[], None]] = collections.deque()
        self._on_their_way, self._most_on_their_way = 0, 0
        self._open_stream: Callable[[Table], Stream]
        self._threads: List[concurrent.futures.ThreadPoolExecutor] = []
        self._workers: List[Future[None]] = []
        self._held = contextlib.ExitStack()
        self._restoring: Restoring

    def define(self) -> None:
        """Everything that rows need. The archive has to be there."""
        target = self._target
        reach = self._held.enter_context(Reach(target.server, self._id, self._work, self._deadline_s))
        self._restoring = Restoring(target.server, self._database, self._id, self._work, reach, target.roles, target.without, self._deadline_s)
        self._entries = self._restoring.entries()
        self._by_object = {numbers(line): line for line in self._entries}
        self._restore(self._restoring.start(jobs=1, section="pre-data", entries=self._entries))
        self._builds.append(self._restore_small)

    def take(self, tables: Sequence[Table], open_stream: Callable[[Table], Stream], streams: int) -> None:
        """So many of them at once, in their order, until all have arrived; what is built from them goes on. Raises what went wrong first."""
        self._large = list(tables)
        self._tables.extend(tables)
        self._open_stream, self._most_on_their_way = open_stream, max(streams, 1)
        workers = max(self._jobs, self._most_on_their_way)
        self._threads.append(concurrent.futures.ThreadPoolExecutor(workers))
        self._workers = [self._threads[0].submit(self._together.guarded, self._go_on) for _number in range(workers)]
        with self._changed:
            while (self._tables or self._on_their_way) and not self._together.halted:
                self._changed.wait(_LOOK_EVERY_S)
        if self._together.halted:
            self._wait_for_workers()
            self._together.require_going_on()

    def finish(self) -> List[Dict[str, Any]]:
        """Build what is left; what stayed out for its roles, as `Restoring.give_to_roles` tells it."""
        self._wait_for_workers()
        for part in self._restoring.rounds(jobs=self._jobs, section="post-data", entries=self._left()):
            self._restore(part)
        return self._restoring.give_to_roles()

    def stop(self) -> None:
        """End what is under way."""
        self._together.halt()
        for threads in self._threads:
            threads.shutdown()
        self._held.close()

    def _restore(self, restoring: Tool) -> None:
        try:
            self._together.run(restoring)
        except ToolFailed as error:
            raise explained(error) from None

    def _wait_for_workers(self) -> None:
        for worker in self._workers:
            worker.result()

    def _go_on(self) -> None:
        while True:
            task = self._next()
            if task is None:
                return
            task()

    def _next(self) -> Optional[Callable[[], None]]:
        """A table, as long as there is one that may be begun: with too few processors for both, what is on its way is what takes longest."""
        with self._changed:
            while not self._together.halted:
                if self._tables and self._on_their_way < self._most_on_their_way:
                    self._on_their_way += 1
                    return functools.partial(self._receive, self._tables.popleft())
                if self._builds:
                    return self._builds.popleft()
                if not self._tables and not self._on_their_way:
                    return None
                self._changed.wait(_LOOK_EVERY_S)
            return None

    def _receive(self, table: Table) -> None:
        self._together.run(self._open_stream(table))
        with self._changed:
            self._on_their_way -= 1
            entries = [self._by_object[one] for one in _own(table) if one in self._by_object]
            self._builds.append(functools.partial(self._index, entries, str(table.oid)))
            self._changed.notify_all()

    def _restore_small(self) -> None:
        """The small tables, with the keys and indexes of each."""
        self._restore(self._restoring.start(jobs=self._small_jobs, section="data", entries=self._entries, name="restore-data.list"))
        if any(map(attaches, self._entries)):
            # What is made on a partitioned table may have to wait for its partitions, of which one can be on its way.
            return
        large = {one for table in self._large for one in _own(table)}
        self._index([line for line in self._entries if _KEY.match(line) and numbers(line) not in large], "small")

    def _index(self, entries: List[str], name: str) -> None:
        """Indexes of what has arrived, while other tables are still on their way."""
        if entries:
            self._restore(self._restoring.start(jobs=self._jobs, section="post-data", entries=entries, name=f"restore-{name}.list"))
            self._done.update(entries)

    def _left(self) -> List[str]:
        return [line for line in self._entries if line not in self._done]


def _own(table: Table) -> List[Tuple[int, int]]:
    """What its indexes and keys are on production: the catalog and the row there."""
    return [*((_INDEX, number) for number in table.indexes), *((_CONSTRAINT, number) for number in table.constraints)]
