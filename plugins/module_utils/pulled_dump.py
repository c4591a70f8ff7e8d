# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A logical copy that dev pulls: production is still read while what has arrived is being indexed.

pg_dump writes definitions, sequences, large objects and small tables into a file on dev. Large tables go straight from server to server, in the
same snapshot. Whatever is odd about a database is so left to pg_dump and pg_restore; what is large is copied once and never lies in a file.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import os
import threading
from concurrent.futures import Future
from typing import Any, Callable, Dict, List, Set, Tuple, Union

from ansible_collections.migrations.rehearsal.plugins.module_utils import copy_stream, files, outside_world
from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_stream import End, Stream, Table, Throttle
from ansible_collections.migrations.rehearsal.plugins.module_utils.dump_outlets import DUMP, Outlet
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool, ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Look
from ansible_collections.migrations.rehearsal.plugins.module_utils.reach import Reach
from ansible_collections.migrations.rehearsal.plugins.module_utils.restoring import Restoring, explained, numbers
from ansible_collections.migrations.rehearsal.plugins.module_utils.role_statements import Roles
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

# Numbers of the catalogs pg_class and pg_constraint, the same on every server.
_INDEX, _CONSTRAINT = 1259, 2606
_Running = Union[Tool, Stream]


@dataclasses.dataclass(frozen=True)
class Target:
    """The empty copy's server, its version as a number, how it stands to the roles of the dump, and the extensions that stay out."""

    server: Server
    version: int
    roles: Roles
    without: Tuple[str, ...]


class Pulled(Outlet):
    """The way out of production. `target` waits until the empty copy is there.

    `jobs` connections read production at most, `restore_jobs` build on the copy; `settings` are those of the sessions on production, and `rate`
    the bytes a second that may be read, 0 for no limit. `finish` it when production is done with.
    """

    in_files = False

    def __init__(
        self,
        server: Server,
        source: str,
        database: str,
        rehearsal_id: str,
        work: WorkDirectory,
        target: Callable[[], Target],
        *,
        jobs: int,
        restore_jobs: int,
        settings: Dict[str, str],
        rate: float,
        deadline_s: float,
    ) -> None:
        super().__init__(server, rehearsal_id, work, jobs=jobs)
        self._source, self._database, self._wait_for_target = source, database, target
        self._restore_jobs, self._settings, self._deadline_s = restore_jobs, settings, deadline_s
        self._throttle = Throttle(rate)
        self._snapshot, self._encoding, self._version = "", "", 0
        self._tables: List[Table] = []
        self._waiting: List[Table] = []
        self._entries: List[str] = []
        self._by_object: Dict[Tuple[int, int], str] = {}
        self._done: Set[str] = set()
        self._lock = threading.Lock()
        self._running: Set[_Running] = set()
        self._streams: List[Stream] = []
        self._failure: List[BaseException] = []
        self._stopped = False
        self._reading = concurrent.futures.ThreadPoolExecutor(1 + jobs)
        self._building = concurrent.futures.ThreadPoolExecutor(restore_jobs)
        self._built: List[Future[None]] = []
        self._whole: Future[None]
        self._held = contextlib.ExitStack()
        self._restoring: Restoring

    @property
    def connections(self) -> int:
        """Those of the streams: pg_dump has ended when the first of them begins."""
        return max(self.jobs, 1)

    def prepare(self, session: Session, snapshot: str) -> None:
        self._snapshot = snapshot
        facts = session.row(
            "SELECT pg_catalog.pg_encoding_to_char(encoding) AS encoding, current_setting('server_version_num')::int AS version "
            "FROM pg_catalog.pg_database WHERE datname = current_database()"
        )
        self._encoding, self._version = facts["encoding"], facts["version"]
        self._tables = copy_stream.large_tables(session, list(outside_world.KEPT_OUT.values()))
        self._waiting = list(self._tables)

    def compressed(self, asked: str) -> str:
        """Large tables leave as they are, and are nearly all of what does."""
        return "none" if self._tables else asked

    def start(self, options: List[str]) -> None:
        excluded = [f"--exclude-table-data={table.sql}" for table in self._tables]
        descriptor = os.open(self.work.file(DUMP), os.O_WRONLY | os.O_CREAT | os.O_EXCL, files.PRIVATE_FILE)
        with os.fdopen(descriptor, "wb") as output:
            tool = Tool(self._dump("--format=custom", *options, *excluded), self.work, stdout=output)
        self._whole = self._reading.submit(self._guarded, self._read_all, tool)

    def wait(self, deadline_s: float) -> None:
        """Until production has been read: its snapshot is not needed any more."""
        try:
            self._whole.result(deadline_s)
        except concurrent.futures.TimeoutError:
            self.stop()
            raise ToolFailed(f"the copy was stopped: production was not read within {deadline_s:g} s") from None
        except BaseException as error:
            self.stop()
            raise (self._failure or [error])[0] from None

    def stop(self) -> None:
        self._halt()
        self._reading.shutdown()
        self._building.shutdown()
        self._held.close()

    def finish(self) -> List[Dict[str, Any]]:
        """Build what production is not needed for; what stayed out for its roles, as `Restoring.give_to_roles` tells it."""
        try:
            for built in self._built:
                built.result()
            for part in self._restoring.rounds(jobs=self._restore_jobs, section="post-data", entries=self._left()):
                self._restore(part)
            os.unlink(self.work.file(DUMP))
            return self._restoring.give_to_roles()
        except BaseException as error:
            raise (self._failure or [error])[0] from None
        finally:
            self.stop()

    def bytes_so_far(self) -> int:
        return super().bytes_so_far() + sum(stream.moved for stream in self._streams)

    def look(self, expected: float) -> Look:
        total = sum(table.bytes for table in self._tables)
        return Look("copied", self.bytes_so_far(), max(total, 1), about=True)

    # -- In threads of its own ----------------------------------------------------------------------------------------------

    def _guarded(self, call: Callable[..., None], *args: Any) -> None:
        """The first failure ends everything else, and is the one that is told."""
        try:
            call(*args)
        except BaseException as error:
            with self._lock:
                self._failure.append(error)
            self._halt()
            raise

    def _halt(self) -> None:
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for one in running:
            one.stop()

    def _run(self, one: _Running) -> None:
        with self._lock:
            self._running.add(one)
            stopped = self._stopped
        try:
            if stopped:
                one.stop()
            one.wait(self._deadline_s)
        finally:
            with self._lock:
                self._running.discard(one)

    def _restore(self, restoring: Tool) -> None:
        try:
            self._run(restoring)
        except ToolFailed as error:
            raise explained(error) from None

    def _read_all(self, dumping: Tool) -> None:
        self._run(dumping)
        target = self._wait_for_target()
        reach = self._held.enter_context(Reach(target.server, self.rehearsal_id, self.work, self._deadline_s))
        self._restoring = Restoring(
            target.server, self._database, self.rehearsal_id, self.work, reach, target.roles, target.without, self._deadline_s
        )
        self._entries = self._restoring.entries()
        self._by_object = {numbers(line): line for line in self._entries}
        self._restore(self._restoring.start(jobs=1, section="pre-data", entries=self._entries))
        self._build(self._restore_small)
        reading = [self._reading.submit(self._guarded, self._read_tables, target) for _number in range(max(self.jobs, 1))]
        for done in reading:
            done.result()

    def _read_tables(self, target: Target) -> None:
        name = application_name(self.rehearsal_id)
        source = End(self.server, self._source, name, self._encoding, self._settings)
        into = End(target.server, self._database, name, self._encoding, {"synchronous_commit": "off"})
        same = self._version // 10000 == target.version // 10000
        while True:
            with self._lock:
                if not self._waiting or self._stopped:
                    return
                table = self._waiting.pop(0)
            stream = Stream(table, source, into, self._snapshot, table.plain and same, self.work, self._throttle)
            self._streams.append(stream)
            self._run(stream)
            self._build(self._index, table)

    def _build(self, call: Callable[..., None], *args: Any) -> None:
        with self._lock:
            if not self._stopped:
                self._built.append(self._building.submit(self._guarded, call, *args))

    def _restore_small(self) -> None:
        # What came through a pipe has no directory of its parts, which several jobs would need.
        jobs = 1 if self.server.prefix else self._restore_jobs
        self._restore(self._restoring.start(jobs=jobs, section="data", entries=self._entries, name="restore-data.list"))

    def _index(self, table: Table) -> None:
        """Its indexes, while other tables are still on their way."""
        own = [*((_INDEX, number) for number in table.indexes), *((_CONSTRAINT, number) for number in table.constraints)]
        entries = [self._by_object[one] for one in own if one in self._by_object]
        if entries:
            self._restore(self._restoring.start(jobs=self._restore_jobs, section="post-data", entries=entries, name=f"restore-{table.oid}.list"))
            self._done.update(entries)

    def _left(self) -> List[str]:
        return [line for line in self._entries if line not in self._done]
