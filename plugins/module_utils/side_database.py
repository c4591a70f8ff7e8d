# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases beside the copy, on the same server: marked like it, dropped with it.

They are made from the manifest like the copy, so that texts sort and compare in them as they do there.
"""

from __future__ import annotations

from typing import Collection, List, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import copy_database
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import SIDE_PARTS, side_database_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server, Session


def drop_all(server: Server, rehearsal_id: str, deadline_s: float, sparing: Collection[str] = ()) -> Tuple[List[str], List[str]]:
    """Drop those of a rehearsal but for some parts, whoever is connected: (names of those that were there, what stood in the way). Never raises."""
    dropped: List[str] = []
    problems: List[str] = []
    for part in (part for part in SIDE_PARTS if part not in sparing):
        name = side_database_name(rehearsal_id, part)
        try:
            if copy_database.drop_copy(server, name, rehearsal_id, deadline_s) == "dropped":
                dropped.append(name)
        except (copy_database.CopyRefused, PostgresError) as error:
            problems.append(str(error))
    return dropped, problems


def left(session: Session, rehearsal_id: str, sparing: Collection[str] = ()) -> List[str]:
    """Those that are still there but for some parts, by a look at the server's catalog."""
    names = [side_database_name(rehearsal_id, part) for part in SIDE_PARTS if part not in sparing]
    return [name for name in names if copy_database.database_exists(session, name)]
