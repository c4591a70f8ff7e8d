# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the definitions in an archive of pg_dump's say, without restoring anything."""

from __future__ import annotations

import subprocess
from typing import IO, Callable, List, Tuple, TypeVar

from ansible_collections.migrations.rehearsal.plugins.module_utils import ending, role_statements, sql_lexer
from ansible_collections.migrations.rehearsal.plugins.module_utils.dump_outlets import DUMP
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, tool_environment
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.reach import Reach
from ansible_collections.migrations.rehearsal.plugins.module_utils.role_statements import Statement

Read = TypeVar("Read")


def definitions(server: Server, reach: Reach, deadline_s: float, read: Callable[[IO[bytes]], Read]) -> Read:
    """What `read` makes of the SQL of the archive's definitions. `server` need not run. ToolFailed where pg_restore cannot read it."""
    return definitions_of(server, reach.path(DUMP), deadline_s, read)


def definitions_of(server: Server, path: str, deadline_s: float, read: Callable[[IO[bytes]], Read]) -> Read:
    """The same of an archive at a path as the tools see it."""
    argv = server.tool("pg_restore", "--schema-only", "--create", "--file=-", path)
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=tool_environment())
    if process.stdout is None:
        raise AssertionError("it was started with a pipe")
    try:
        found = read(process.stdout)
        code = ending.wait(process, deadline_s)
    finally:
        process.stdout.close()
        if process.poll() is None:
            process.kill()
            process.wait()
    if code != 0:
        raise ToolFailed(f"pg_restore cannot read the backup's definitions (exit code {code})")
    return found


def role_statements_of(server: Server, reach: Reach, deadline_s: float) -> List[Tuple[bytes, Statement]]:
    """Each statement of it that names a role, but those about the database itself."""

    def read(stream: IO[bytes]) -> List[Tuple[bytes, Statement]]:
        found: List[Tuple[bytes, Statement]] = []
        for chunk in sql_lexer.chunks(stream, "the backup"):
            statement = None if chunk.command else role_statements.read(chunk.text)
            if statement and not chunk.text.startswith(b"ALTER DATABASE ") and b" ON DATABASE " not in chunk.text:
                found.append((chunk.text, statement))
            elif role_statements.is_reset(chunk.text):
                found.append((chunk.text, Statement(role_statements.SESSION, ())))
        return found

    return definitions(server, reach, deadline_s, read)
