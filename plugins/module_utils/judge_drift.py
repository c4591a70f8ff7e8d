# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks of the schema beside the migrations: production against its own revision, and the models against the migrated copy. Pure."""

from __future__ import annotations

from typing import Any, Collection, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import INFO

# (code, object, message, severity if another than the code's)
Said = Tuple[str, str, str, Optional[str]]

_MOST_NAMED = 8


def of_drift(drift: Optional[Mapping[str, Any]], upgrade: Sequence[Mapping[str, Any]], own: Collection[str]) -> Iterator[Said]:
    """`upgrade` are the schema's changes by the upgrade: drift of what they touch is told one by one, all other once. `own`: Alembic's tables."""
    if drift is None:
        return
    if drift["reason"]:
        yield "drift-not-measured", "", f"whether production is what its revision says could not be measured: {drift['reason']}", None
        return
    revision = ", ".join(drift["revisions"])
    touched: Set[str] = {name for change in upgrade for name in (change["object"], change["table"]) if name}
    older: List[str] = []
    for change in drift["changes"]:
        if change["object"] in own or change["table"] in own:
            continue
        if change["object"] in touched or change["table"] in touched:
            yield (
                "schema-drift",
                change["object"],
                f"production is not what revision {revision} says, and the upgrade touches it: {change['text']}",
                None,
            )
        else:
            older.append(change["text"])
    if older:
        more = f" and {len(older) - _MOST_NAMED} more, in drift.json" if len(older) > _MOST_NAMED else ""
        shown = "; ".join(older[:_MOST_NAMED]) + more
        yield "schema-drift", "", f"production is not what revision {revision} says, where the upgrade touches nothing: {shown}", INFO


def of_models(models: Optional[Mapping[str, Any]]) -> Iterator[Said]:
    """One finding for each table whose models are not what the migrated copy has; what only the copy has is info."""
    if models is None:
        return
    for reason in dict.fromkeys(found["reason"] for found in models["databases"] if found["reason"]):
        yield "models-not-compared", "", f"the models were not compared with the migrated copy: {reason}", None
    blind = f" ({blind_spots(models['databases'])})"
    by_table: Dict[Tuple[str, bool], List[Mapping[str, Any]]] = {}
    for found in models["databases"]:
        for difference in found["differences"]:
            by_table.setdefault((difference["table"], difference["where"] == "only in the database"), []).append(difference)
    for (table, extra), differences in sorted(by_table.items()):
        said = "; ".join(difference["text"] for difference in differences[:_MOST_NAMED])
        more = f" and {len(differences) - _MOST_NAMED} more" if len(differences) > _MOST_NAMED else ""
        yield "models-differ", table, f"the models are not what the migrations make: {said}{more}{blind}", INFO if extra else None
        blind = ""


def blind_spots(compared: Sequence[Mapping[str, Any]]) -> str:
    """What `alembic check` does not see, as this project has configured it."""
    unseen = ["renames (it sees one thing gone and one new)", "CHECK and EXCLUDE constraints", "primary keys", "sequences", "labels of enums"]
    unseen += ["views, functions and triggers", "constraints without a name"]
    done = [found for found in compared if not found["reason"]]
    if not all(found["compare_type"] for found in done):
        unseen.append("types of columns (compare_type is off in env.py)")
    if not all(found["compare_server_default"] for found in done):
        unseen.append("defaults (compare_server_default is off in env.py)")
    return f"alembic check does not see {', '.join(unseen)}"
