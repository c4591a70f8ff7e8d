# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Free room, on this host and where PostgreSQL's tools run."""

from __future__ import annotations

import os
from typing import Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils import inside
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server


def free_here(path: str) -> Optional[int]:
    """Bytes that may be written below a path of this host, which need not exist yet; None where it cannot be made."""
    place = _existing(path)
    if not os.path.isdir(place):
        return None
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


def same_file_system(one: str, other: str) -> bool:
    """Whether what is written below the two paths, which need not exist yet, takes the same room."""
    return os.stat(_existing(one)).st_dev == os.stat(_existing(other)).st_dev


def _existing(path: str) -> str:
    place = os.path.abspath(os.path.expanduser(path))
    while not os.path.isdir(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    return place


def free_inside(server: Server, path: str) -> Optional[int]:
    """The same for a directory where the server's tools run, behind its prefix; None where it is not to be seen there."""
    try:
        lines = inside.run(server, ["df", "-Pk", path]).decode(errors="replace").splitlines()
        # "Filesystem 1024-blocks Used Available Capacity Mounted on"
        return int(lines[-1].split()[3]) * 1024
    except (PostgresError, IndexError, ValueError):
        return None


def is_shared(server: Server, inside_path: str, path: str) -> bool:
    """Whether a directory where the server's tools run seems to be on the same disk as one here: both say the same of their size."""
    place = _existing(path)
    if not os.path.isdir(place):
        return False
    status = os.statvfs(place)
    try:
        lines = inside.run(server, ["df", "-Pk", inside_path]).decode(errors="replace").splitlines()
        return int(lines[-1].split()[1]) == status.f_blocks * status.f_frsize // 1024
    except (PostgresError, IndexError, ValueError):
        return False


def free_where_it_is(server: Server, path: str) -> Optional[int]:
    """The same for a directory of the server's own; None where neither this host nor the tools behind the prefix see it."""
    if server.prefix:
        return free_inside(server, path)
    return free_here(path) if os.path.isdir(os.path.dirname(path)) else None
