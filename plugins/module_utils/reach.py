# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a dump where PostgreSQL's tools can read it: behind a prefix they see other files than we do."""

from __future__ import annotations

import contextlib
import os
import tarfile
from typing import IO, Dict, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import inside
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool, ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory


class Reach:
    """Use as a context manager: what was brought inside is removed at its end. Without a prefix everything is within reach already."""

    def __init__(self, server: Server, rehearsal_id: str, work: WorkDirectory, deadline_s: float) -> None:
        self._server, self._id, self._work, self._deadline_s = server, rehearsal_id, work, deadline_s
        self._place = ""
        self._brought: Dict[str, Tuple[int, int, int]] = {}

    def __enter__(self) -> Reach:
        return self

    def __exit__(self, *exc: object) -> None:
        # One that cannot be removed now is found, and told, by clean-up.
        with contextlib.suppress(PostgresError):
            if self._place:
                inside.remove_directory(self._server, self._place)

    def path(self, name: str) -> str:
        """Where the tools see a file or directory of the work directory. PostgresError and ToolFailed if it cannot be brought there."""
        if not self._server.prefix:
            return self._work.file(name)
        if not self._place:
            self._place = inside.make_directory(self._server, self._id)
        # A list of what to restore is written anew for each part, under one name.
        found = os.stat(self._work.file(name))
        version = (found.st_ino, found.st_mtime_ns, found.st_size)
        if self._brought.get(name) != version:
            self._bring(name)
            self._brought[name] = version
        return f"{self._place}/{name}"

    def _bring(self, name: str) -> None:
        """As one stream, however many files it is."""
        reading, writing = os.pipe()
        with os.fdopen(writing, "wb") as target:
            with os.fdopen(reading, "rb") as source:
                # No owners: whoever the tools run as shall be able to read it.
                tool = Tool([*self._server.prefix, "tar", "-C", self._place, "-xof", "-"], self._work, stdin=source)
            try:
                self._pack(name, target)
            except BrokenPipeError:
                pass  # what tar says tells why
            except BaseException:
                tool.stop()
                raise
            finally:
                with contextlib.suppress(BrokenPipeError):
                    target.close()
        try:
            tool.wait(self._deadline_s)
        except ToolFailed as error:
            raise ToolFailed(f"the dump could not be brought to where «{' '.join(self._server.prefix)}» runs: {error}") from None

    def _pack(self, name: str, target: IO[bytes]) -> None:
        with tarfile.open(fileobj=target, mode="w|", bufsize=1 << 20) as archive:
            archive.add(self._work.file(name), arcname=name)
