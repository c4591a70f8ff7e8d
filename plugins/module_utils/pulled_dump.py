# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A logical copy that dev pulls: production is still read while what has arrived is being indexed.

Large tables go straight from server to server, in the snapshot of the dump of all the rest, and never lie in a file.
"""

from __future__ import annotations

import concurrent.futures
import os
from concurrent.futures import Future
from typing import Any, Callable, Dict, List

from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_stream import FromServer, Stream, Throttle, ToServer, copy_end
from ansible_collections.migrations.rehearsal.plugins.module_utils.dump_outlets import DUMP
from ansible_collections.migrations.rehearsal.plugins.module_utils.filling import Filling, Target
from ansible_collections.migrations.rehearsal.plugins.module_utils.large_tables import Table
from ansible_collections.migrations.rehearsal.plugins.module_utils.parted_dump import Parted
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool, ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Look
from ansible_collections.migrations.rehearsal.plugins.module_utils.together import Together
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory


class Pulled(Parted):
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
        super().__init__(server, source, rehearsal_id, work, jobs=jobs, settings=settings)
        self._database, self._wait_for_target = database, target
        self._restore_jobs, self._deadline_s = restore_jobs, deadline_s
        self._throttle = Throttle(rate)
        self._streams: List[Stream] = []
        self._together = Together(deadline_s)
        self._reading = concurrent.futures.ThreadPoolExecutor(1)
        self._whole: List[Future[None]] = []
        self._filling: List[Filling] = []

    def compressed(self, asked: str) -> str:
        """Large tables leave as they are, and are nearly all of what does."""
        return "none" if self.tables else asked

    def start(self, options: List[str]) -> None:
        self._whole = [self._reading.submit(self._together.guarded, self._read_all, self.dump_rest(options))]

    def wait(self, deadline_s: float) -> None:
        """Until production has been read: its snapshot is not needed any more."""
        try:
            self._whole[0].result(deadline_s)
        except concurrent.futures.TimeoutError:
            self.stop()
            raise ToolFailed(f"the copy was stopped: production was not read within {deadline_s:g} s") from None
        except BaseException as error:
            self.stop()
            raise self._together.first(error) from None

    def stop(self) -> None:
        self._together.halt()
        # What is started after this ends at once.
        concurrent.futures.wait(self._whole)
        for filling in self._filling:
            filling.stop()

    def finish(self) -> List[Dict[str, Any]]:
        """Build what production is not needed for; what stayed out for its roles, as `Restoring.give_to_roles` tells it."""
        try:
            not_given = self._filling[0].finish()
            os.unlink(self.work.file(DUMP))
            return not_given
        except BaseException as error:
            raise self._together.first(error) from None
        finally:
            self.stop()

    def bytes_so_far(self) -> int:
        return super().bytes_so_far() + sum(stream.moved for stream in self._streams)

    def look(self, expected: float) -> Look:
        total = sum(table.bytes for table in self.tables)
        return Look("copied", self.bytes_so_far(), max(total, 1), about=True)

    def _read_all(self, dumping: Tool) -> None:
        """In a thread of its own."""
        self._together.run(dumping)
        target = self._wait_for_target()
        # What came through a pipe has no directory of its parts, which several jobs would need.
        small_jobs = 1 if self.server.prefix else self._restore_jobs
        filling = Filling(
            target, self._database, self.rehearsal_id, self.work, self._together,
            jobs=self._restore_jobs, small_jobs=small_jobs, deadline_s=self._deadline_s,
        )  # fmt: skip
        self._filling.append(filling)
        filling.define()
        source, into = self.end(), copy_end(target.server, self._database, self.rehearsal_id, self.encoding, target.pipes)
        same = self.version // 10000 == target.version // 10000

        def open_stream(table: Table) -> Stream:
            binary = table.plain and same
            sender, receiver = FromServer(table, source, self.snapshot, binary), ToServer(table, into, binary)
            stream = Stream(table, sender, receiver, self.work, self._throttle)
            self._streams.append(stream)
            return stream

        filling.take(self.tables, open_stream, self.jobs)
