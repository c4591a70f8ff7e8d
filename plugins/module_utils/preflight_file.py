# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look, before anything is touched, whether dev can restore an existing backup: programs, room, and what its objects need."""

from __future__ import annotations

import dataclasses
from typing import Any, List, Mapping, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import archive, backup_file, disk, inside, sql_dump
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.sql_dump import Scan

_MIB = 1 << 20
# A copy with its indexes is larger than the dump that it comes from; this much at least, where that is compressed as a whole.
_LEAST_OF_COMPRESSED = 2


@dataclasses.dataclass(frozen=True)
class File:
    """The backup as M(migrations.rehearsal.backup_file) found it. `on`: where it lies, `controller`, `dev` or `production`."""

    path: str
    format: str
    compression: str
    bytes: int
    on: str

    @classmethod
    def of(cls, found: Mapping[str, Any], on: str) -> Optional[File]:
        """From the module's result; None where that failed, or there is none."""
        if not found.get("format"):
            return None
        return cls(str(found["archive"]), str(found["format"]), str(found.get("compression") or ""), int(found["bytes"]), on)

    @property
    def least_copy(self) -> int:
        """Bytes that the restored copy takes at least."""
        return self.bytes * (_LEAST_OF_COMPRESSED if self.compression else 1)

    def unpacked(self, prefixed: bool) -> int:
        """Bytes of what is unpacked for pg_restore, or copied where the tools see other files than we do; 0 where neither is needed."""
        packed = self.compression or self.format == backup_file.PACKED
        return self.least_copy if (packed or prefixed) and self.format != backup_file.PLAIN else 0


def problems(file: File, work_base: str, server: Optional[Server] = None) -> List[str]:
    """What dev lacks for it. `server`: the existing one that it goes into, where it does."""
    prefixed = bool(server and server.prefix)
    found: List[str] = []
    if backup_file.program_missing(file.compression):
        found.append(
            f"dev: the backup is compressed with {file.compression}, and dev has no program of that name: install {file.compression}, "
            "or decompress the backup"
        )
    carried = 0 if file.on == "dev" else file.bytes
    found += room(disk.free_here(work_base), work_base, carried + file.unpacked(prefixed), "the backup")
    if server and prefixed and file.format != backup_file.PLAIN:
        place = server.scratch or inside.TEMPORARY
        found += room(disk.free_inside(server, place), place, file.unpacked(prefixed), "the dump in the container")
    return found


def room(free: Optional[int], path: str, needed: int, what: str) -> List[str]:
    """What is missing of the bytes that are needed at least below a path, in one sentence, or nothing. `free` is None where nobody knows."""
    if free is None or free >= needed:
        return []
    return [f"dev: {what} needs at least {needed // _MIB} MiB below {path}, and {free // _MIB} MiB are free"]


def needs(file: File, tools: Server, deadline_s: float) -> Tuple[Optional[Scan], List[str]]:
    """Roles and extensions that the backup's objects need, and what is wrong with it. None where only a restore will tell.

    Its definitions are read where that is quick: from an archive that lies on dev as pg_restore reads it.
    """
    if file.on != "dev" or file.compression or file.format in (backup_file.PLAIN, backup_file.PACKED) or tools.prefix:
        return None, []
    try:
        return archive.definitions_of(tools, file.path, deadline_s, sql_dump.read_definitions), []
    except ToolFailed as error:
        return None, [
            f"dev: pg_restore cannot read {file.path}: it is damaged, or was made by a newer pg_dump than the pg_restore in "
            f"{tools.bin_dir or 'the search path'} ({error})"
        ]
