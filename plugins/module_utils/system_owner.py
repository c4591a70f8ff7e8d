# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The system user that a server of the copy's own runs as: who it is, where it gets to, what is given to it, what is run as it.

An empty name is our own user.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from typing import Callable, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import EphemeralError
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import tool_environment


def system_user(wanted: str) -> str:
    """The system user that runs the server; empty: we ourselves. PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return ""
    for name in filter(None, [wanted] if wanted else ["postgres", "nobody"]):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return name
    raise EphemeralError(
        f"PostgreSQL does not run as root, and dev has no {f'such user as {wanted}' if wanted else 'user postgres or nobody'}: "
        "name a system user in rehearsal_ephemeral.owner, or connect as another user than root"
    )


def reaches(owner: str, path: str) -> bool:
    """Whether that system user can enter a directory."""
    return not owner or run(owner, "/bin/sh", "-c", 'cd -- "$1"', "sh", path, timeout_s=30)[0] == 0


def own(owner: str, path: str) -> str:
    """Give a file or a directory to the server's system user."""
    if owner:
        entry = pwd.getpwnam(owner)
        os.chown(path, entry.pw_uid, entry.pw_gid)
    return path


def own_all(owner: str, path: str) -> None:
    """Give a directory with all that is in it to the server's system user."""
    own(owner, path)
    for directory, names, others in os.walk(path) if owner else ():
        for name in [*names, *others]:
            own(owner, os.path.join(directory, name))


def run(owner: str, program: str, *args: str, timeout_s: float, started: Optional[Callable[[int], None]] = None) -> Tuple[int, str]:
    """Run a program as that user: exit code and what it said. `started` is told its pid. Raises EphemeralError."""
    # A file, not a pipe: the server inherits it, and would hold a pipe open.
    with tempfile.TemporaryFile() as said:
        try:
            with subprocess.Popen(
                [program, *args],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=tool_environment(),
                # One that every user can enter.
                cwd="/",
                preexec_fn=become(owner),
                start_new_session=True,
            ) as process:
                if started is not None:
                    started(process.pid)
                try:
                    process.wait(timeout_s)
                except BaseException:
                    process.kill()
                    raise
        except (OSError, subprocess.SubprocessError) as error:
            raise EphemeralError(f"«{os.path.basename(program)}» could not be run: {getattr(error, 'strerror', None) or error}") from None
        said.seek(0)
        return process.returncode, said.read().decode(errors="replace")


def become(owner: str) -> Callable[[], None]:
    """For a process that was just made: it is that user's from then on."""
    entry = pwd.getpwnam(owner) if owner else None

    def change() -> None:
        os.umask(0o077)
        if entry is not None:
            os.setgroups([])
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)

    return change
