# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is pending by the version directory alone, before there is a copy that Alembic could be asked about."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Set

Revision = Mapping[str, Any]


def pending(revisions: Sequence[Revision], heads: Sequence[str], applied: Sequence[str], target: str = "head") -> Optional[List[Dict[str, str]]]:
    """The revisions that an upgrade would run, in order: {"revision", "message"}; None where `target` is more than a name.

    `revisions`: as the agent reports them, from the heads down to the bases. `applied`: what the database stands on.
    """
    known = {str(one["revision"]): one for one in revisions}
    wanted = list(heads) if target in ("head", "heads") else [name for name in known if target and name.startswith(target)]
    if not wanted or (target not in ("head", "heads") and len(wanted) > 1):
        return None
    run = _below(known, wanted) - _below(known, applied)
    return [{"revision": str(one["revision"]), "message": str(one["message"])} for one in reversed(revisions) if one["revision"] in run]


def _below(known: Mapping[str, Revision], names: Sequence[str]) -> Set[str]:
    """These revisions and all that they need."""
    found: Set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name in known and name not in found:
            found.add(name)
            left += [*known[name]["down_revisions"], *known[name]["depends_on"]]
    return found
