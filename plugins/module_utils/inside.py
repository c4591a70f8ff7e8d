# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to lie where PostgreSQL's tools run, behind a prefix: a password for the moment, a parallel dump on its way out.

Each such thing has a directory of its own (0700) whose name begins with `rehearsal-` and the rehearsal's id, so that clean-up finds what a
killed process could not remove itself.
"""

from __future__ import annotations

import atexit
import os
import re
import subprocess
import tempfile
from typing import List

from ansible_collections.migrations.rehearsal.plugins.module_utils.masking import mask_secrets
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server, tool_environment

TEMPORARY = "/tmp"
_NAME = re.compile(r"rehearsal-(\d{8}-\d{6}-[0-9a-f]{6})\.\w+")
_TIMEOUT_S = 60.0
_MAKE = 'umask 077 && mktemp -d "$1/rehearsal-$2.XXXXXX"'
_KEEP_SECRET = 'umask 077 && d=$(mktemp -d "$1/rehearsal-$2.XXXXXX") && cat > "$d/passfile" && echo "$d"'
_LIST = 'for d in "$1"/rehearsal-*; do if [ -e "$d" ]; then echo "$d"; fi; done'


def run(server: Server, words: List[str], given: bytes = b"", timeout_s: float = _TIMEOUT_S) -> bytes:
    """A short command where the tools run; what it prints. Raises PostgresError."""
    argv = [*server.prefix, *words]
    try:
        done = subprocess.run(argv, input=given, capture_output=True, timeout=timeout_s, env=tool_environment(), check=False)
    except OSError as error:
        raise PostgresError(f"cannot start «{argv[0]}»: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise PostgresError(f"«{' '.join(argv)}» did not answer within {timeout_s:g} s") from None
    if done.returncode != 0:
        said = mask_secrets(" ".join(done.stderr[-1000:].decode(errors="replace").split()))
        raise PostgresError(f"«{' '.join(argv)}» ended with exit code {done.returncode}: {said or 'no message'}")
    return done.stdout


def make_directory(server: Server, rehearsal_id: str) -> str:
    """A new directory (0700) below the server's scratch directory."""
    return run(server, ["sh", "-c", _MAKE, "sh", server.scratch or TEMPORARY, rehearsal_id]).decode().strip()


def remove_directory(server: Server, path: str) -> None:
    """Remove one of ours, with all that is in it."""
    if not _NAME.fullmatch(os.path.basename(path)):
        raise ValueError(f"{path} is not a rehearsal's")
    run(server, ["rm", "-rf", path])


def directories(server: Server, rehearsal_id: str = "") -> List[str]:
    """Those that are there: of one rehearsal, or of all. Without a prefix there are none: then everything is in the work directory."""
    if not server.prefix:
        return []
    found: List[str] = []
    for base in sorted({TEMPORARY, server.scratch or TEMPORARY}):
        found += run(server, ["sh", "-c", _LIST, "sh", base]).decode().splitlines()
    names = [(path, _NAME.fullmatch(os.path.basename(path))) for path in found]
    return [path for path, name in names if name and (not rehearsal_id or name[1] == rehearsal_id)]


def rehearsal_of(path: str) -> str:
    """The id of the rehearsal that a directory belongs to."""
    name = _NAME.fullmatch(os.path.basename(path))
    if name is None:
        raise ValueError(f"{path} is not a rehearsal's")
    return name[1]


def passfile(server: Server, password: str, rehearsal_id: str) -> str:
    """The path of a password file that lives no longer than this process; the password never is an argument or in an environment."""
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    line = f"*:*:*:*:{escaped}\n".encode()
    if server.prefix:
        # The shell there reads it from standard input, and libpq from nothing but a plain file.
        directory = run(server, ["sh", "-c", _KEEP_SECRET, "sh", TEMPORARY, rehearsal_id], line).decode().strip()
        atexit.register(_forget, server, directory)
        return f"{directory}/passfile"
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("rehearsal")
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, line)
        # Nothing on any disk; the tools that we start open it through us.
        return f"/proc/{os.getpid()}/fd/{descriptor}"
    descriptor, path = tempfile.mkstemp(prefix=f"rehearsal-{rehearsal_id}.")
    atexit.register(os.unlink, path)
    os.write(descriptor, line)
    os.close(descriptor)
    return path


def _forget(server: Server, directory: str) -> None:
    try:
        remove_directory(server, directory)
    except PostgresError:
        pass  # clean-up looks for it, and says so
