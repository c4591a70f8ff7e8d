# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks of the schema beside the migrations: production against its own revision, and the models against the migrated copy. Pure."""

from __future__ import annotations

from typing import Any, Collection, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import INFO
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import Said as Told
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import Text, said, text

# (code, object, message, severity if another than the code's)
Said = Tuple[str, str, str, Optional[str]]


def of_drift(drift: Optional[Mapping[str, Any]], upgrade: Sequence[Mapping[str, Any]], own: Collection[str]) -> Iterator[Said]:
    """`upgrade` are the schema's changes by the upgrade: drift of what they touch is told one by one, all other once. `own`: Alembic's tables."""
    if drift is None:
        return
    if drift["reason"]:
        message = text("whether production is what its revision says could not be measured: {reason:heard}", reason=drift["reason"])
        yield "drift-not-measured", "", message, None
        return
    revision = ", ".join(drift["revisions"])
    touched: Set[str] = {name for change in upgrade for name in (change["object"], change["table"]) if name}
    older: List[Told] = []
    for change in drift["changes"]:
        if change["object"] in own or change["table"] in own:
            continue
        told = said(change, "text")
        if change["object"] in touched or change["table"] in touched:
            message = text("production is not what revision {revision} says, and the upgrade touches it: {change}", revision=revision, change=told)
            yield "schema-drift", change["object"], message, None
        else:
            older.append(told)
    if older:
        message = text(
            "production is not what revision {revision} says, where the upgrade touches nothing: {changes:semicolons 8}",
            revision=revision,
            changes=older,
        )
        yield "schema-drift", "", message, INFO


def of_models(models: Optional[Mapping[str, Any]]) -> Iterator[Said]:
    """One finding for each table whose models are not what the migrated copy has; what only the copy has is info."""
    if models is None:
        return
    for reason in dict.fromkeys(found["reason"] for found in models["databases"] if found["reason"]):
        yield "models-not-compared", "", text("the models were not compared with the migrated copy: {reason:heard}", reason=reason), None
    blind: Optional[Text] = blind_spots(models["databases"])
    by_table: Dict[Tuple[str, bool], List[Mapping[str, Any]]] = {}
    for found in models["databases"]:
        for difference in found["differences"]:
            by_table.setdefault((difference["table"], difference["where"] == "only in the database"), []).append(difference)
    for (table, extra), differences in sorted(by_table.items()):
        found_here = [text("{difference:heard}", difference=difference["text"]) for difference in differences]
        message = text("the models are not what the migrations make: {differences:semicolons 8}", differences=found_here)
        if blind is not None:
            message = text("{message} ({blind})", message=message, blind=blind)
        yield "models-differ", table, message, INFO if extra else None
        blind = None


def blind_spots(compared: Sequence[Mapping[str, Any]]) -> Text:
    """What `alembic check` does not see, as this project has configured it."""
    unseen = list(_UNSEEN)
    done = [found for found in compared if not found["reason"]]
    if not all(found["compare_type"] for found in done):
        unseen.append(text("types of columns (compare_type is off in env.py)"))
    if not all(found["compare_server_default"] for found in done):
        unseen.append(text("defaults (compare_server_default is off in env.py)"))
    return text("alembic check does not see {what:list}", what=unseen)


_UNSEEN = (
    text("renames (it sees one thing gone and one new)"),
    text("CHECK and EXCLUDE constraints"),
    text("primary keys"),
    text("sequences"),
    text("labels of enums"),
    text("conditions and methods of indexes"),
    text("expressions of generated columns"),
    text("grants, owners, policies and extensions"),
    text("views, functions and triggers"),
    text("constraints without a name"),
)
