# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump in two parts: definitions, sequences, large objects and small tables by pg_dump, in one file; the rows of large tables apart from it.

Whatever is odd about a database is so left to pg_dump and pg_restore; what is large is one COPY on either side.
"""

from __future__ import annotations

import os
from typing import Dict, List, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import files, large_tables, outside_world
from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_stream import End
from ansible_collections.migrations.rehearsal.plugins.module_utils.dump_outlets import DUMP, Outlet
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.large_tables import Table
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory


class Parted(Outlet):
    """Where the rows of the large tables go is each way's own. `settings` are those of its sessions on production."""

    def __init__(
        self,
        server: Server,
        source: str,
        rehearsal_id: str,
        work: WorkDirectory,
        *,
        jobs: int,
        settings: Dict[str, str],
        niceness: Sequence[str] = (),
    ) -> None:
        super().__init__(server, rehearsal_id, work, jobs=jobs, niceness=niceness)
        self._source, self._settings = source, settings
        self.snapshot, self.encoding, self.version = "", "", 0
        self.tables: List[Table] = []

    @property
    def connections(self) -> int:
        """Those of the streams: pg_dump has ended when the first of them begins."""
        return max(self.jobs, 1)

    def prepare(self, session: Session, snapshot: str) -> None:
        self.snapshot = snapshot
        facts = session.row(
            "SELECT pg_catalog.pg_encoding_to_char(encoding) AS encoding, current_setting('server_version_num')::int AS version "
            "FROM pg_catalog.pg_database WHERE datname = current_database()"
        )
        self.encoding, self.version = facts["encoding"], facts["version"]
        self.tables = large_tables.large_tables(session, list(outside_world.KEPT_OUT.values()))

    def end(self) -> End:
        """Production as the end of a stream."""
        return End(self.server, self._source, application_name(self.rehearsal_id), self.encoding, self._settings, tuple(self._niceness))

    def dump_rest(self, options: List[str]) -> Tool:
        """pg_dump of everything but the rows of large tables, into one file."""
        excluded = [f"--exclude-table-data={table.sql}" for table in self.tables]
        descriptor = os.open(self.work.file(DUMP), os.O_WRONLY | os.O_CREAT | os.O_EXCL, files.PRIVATE_FILE)
        with os.fdopen(descriptor, "wb") as output:
            return Tool(self._dump("--format=custom", *options, *excluded), self.work, stdout=output)
