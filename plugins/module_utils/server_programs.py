# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PostgreSQL server programs that are installed on a host, by major version. Nothing is downloaded."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
from typing import Iterator, List, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import tool_environment

PROGRAMS = ("initdb", "pg_ctl", "postgres", "psql", "pg_restore")
# Debian, Red Hat, Homebrew; then whatever is on the search path.
_PLACES = ("/usr/lib/postgresql/{major}/bin", "/usr/pgsql-{major}/bin", "/opt/homebrew/opt/postgresql@{major}/bin")


class ProgramsMissing(RehearsalError):
    """No server programs of that major version are on this host."""

    code = "preflight"


def find_programs(major: int, bin_dir: str = "") -> str:
    """The directory of the server programs of a major version: `bin_dir` if it is given, else an installed one. Raises ProgramsMissing."""
    tried: List[str] = []
    for directory in [bin_dir] if bin_dir else _candidates(major):
        found = server_major(directory)
        if found == major:
            return directory
        if found is not None:
            tried.append(f"{directory} has version {found}")
        elif bin_dir:
            lacking = [name for name in PROGRAMS if not os.access(os.path.join(directory, name), os.X_OK)]
            tried.append(f"{directory} lacks {', '.join(lacking)}" if lacking else f"{directory}/postgres does not answer")
    raise ProgramsMissing(
        f"a server of its own for the copy needs the server programs of PostgreSQL {major}, production's major version, and they are not on this "
        f"host{' (' + '; '.join(tried) + ')' if tried else ''}: install postgresql-{major}, or name their directory in rehearsal_ephemeral.bin_dir"
    )


def server_major(bin_dir: str) -> Optional[int]:
    """The major version of a directory of server programs; None if it is none that can be used."""
    if not all(os.access(os.path.join(bin_dir, name), os.X_OK) for name in PROGRAMS):
        return None
    try:
        done = subprocess.run(
            [os.path.join(bin_dir, "postgres"), "--version"], capture_output=True, timeout=30, env=tool_environment(), cwd="/", check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(rb"\(PostgreSQL\) (\d+)", done.stdout)
    return int(found.group(1)) if done.returncode == 0 and found else None


def answers(bin_dir: str, program: str) -> bool:
    """Whether a program beside the server's can be run."""
    try:
        done = subprocess.run(
            [os.path.join(bin_dir, program), "--version"], capture_output=True, timeout=30, env=tool_environment(), cwd="/", check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def library_directory(bin_dir: str) -> Optional[str]:
    """Where the server looks for loadable libraries; None if it cannot be told."""
    return _configured(bin_dir, "--pkglibdir")


def extension_directory(bin_dir: str) -> Optional[str]:
    """Where the control files of extensions are; None if it cannot be told."""
    share = _configured(bin_dir, "--sharedir")
    return os.path.join(share, "extension") if share else None


def _configured(bin_dir: str, option: str) -> Optional[str]:
    program = os.path.join(bin_dir, "pg_config")
    try:
        done = subprocess.run([program, option], capture_output=True, timeout=30, env=tool_environment(), cwd="/", check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    path = done.stdout.decode(errors="replace").strip()
    return path if done.returncode == 0 and os.path.isdir(path) else None


def _candidates(major: int) -> Iterator[str]:
    for place in _PLACES:
        yield from sorted(glob.glob(place.format(major=major)))
    for name in (f"postgres-{major}", "postgres"):
        program = shutil.which(name)
        if program:
            yield os.path.dirname(os.path.realpath(program))


def newest() -> str:
    """The directory of the newest installed server programs. Raises ProgramsMissing."""
    found = {server_major(directory): directory for place in _PLACES for directory in glob.glob(place.format(major="*"))}
    found.update({server_major(directory): directory for directory in _candidates(0)})
    known = [major for major in found if major is not None]
    if not known:
        raise ProgramsMissing(
            "a server of its own for the copy needs the server programs of PostgreSQL, and there are none on this host: install postgresql, or name "
            "their directory in rehearsal_ephemeral.bin_dir"
        )
    return found[max(known)]
