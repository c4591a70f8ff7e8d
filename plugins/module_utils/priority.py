# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let what works for us on production step back behind production's own work: nice for its processor, ionice for its disks.

Both are started where the tool is, behind the prefix: in front of `docker compose exec` they would lower the client, and the tool in the container
would run as before.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, List, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import inside
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server

IDLE = "idle"
# The disk only while nobody else wants it, or a level of «best effort», of which 7 waits longest.
IONICE = ("", IDLE, "0", "1", "2", "3", "4", "5", "6", "7")
_BEST_EFFORT_CLASS, _IDLE_CLASS = 2, 3
_MISSING = 'for p in "$@"; do command -v "$p" >/dev/null 2>&1 || echo "$p"; done'


@dataclasses.dataclass(frozen=True)
class Lowered:
    """`words`: what stands between the prefix and the tool. `load`: what was done, in numbers. `missing`: programs that are not there."""

    words: Tuple[str, ...] = ()
    load: Dict[str, int] = dataclasses.field(default_factory=dict)
    missing: Tuple[str, ...] = ()


def lower(server: Server, nice: int = 0, ionice: str = "") -> Lowered:
    """What can be had where the tools run. `nice`: as of `nice -n`, 0 leaves it alone; `ionice`: one of IONICE. Nothing fails by it."""
    asked = [name for name, value in (("nice", nice), ("ionice", ionice)) if value]
    missing = _not_there(server, asked) if asked else []
    words: List[str] = []
    load: Dict[str, int] = {}
    if nice and "nice" not in missing:
        load["nice"] = nice
        words += ["nice", "-n", str(nice)]
    if ionice and "ionice" not in missing:
        load["ionice_class"] = _IDLE_CLASS if ionice == IDLE else _BEST_EFFORT_CLASS
        words += ["ionice", "-c", str(load["ionice_class"])]
        if ionice != IDLE:
            load["ionice_level"] = int(ionice)
            words += ["-n", ionice]
    return Lowered(tuple(words), load, tuple(missing))


def _not_there(server: Server, names: List[str]) -> List[str]:
    try:
        return inside.run(server, ["sh", "-c", _MISSING, "sh", *names]).decode().split()
    except PostgresError:
        # Behind a prefix that starts PostgreSQL's programs and nothing else.
        return names
