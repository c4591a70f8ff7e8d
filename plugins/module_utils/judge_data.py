# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the differences between two fingerprints mean, given what was declared. Pure."""

from __future__ import annotations

import dataclasses
from typing import Any, Collection, Dict, Iterator, List, Mapping, Optional, Set, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import data_diff
from ansible_collections.migrations.rehearsal.plugins.module_utils.data_diff import DataChange
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Change, Expectations
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import INFO
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.renames import NONE, Renames
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import text

# (code, object, message, severity if another than the code's)
Said = Tuple[str, str, str, Optional[str]]


def changes_between(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    expectations: Expectations,
    version_tables: Collection[str],
    rows: Optional[Mapping[str, Any]] = None,
    renames: Renames = NONE,
) -> List[DataChange]:
    """All data changes but those of Alembic's own version tables. `rows`: the evidence file `rows-MOMENT.json`, if there is one."""
    found = data_diff.compare(before, after, expectations.declared_expressions(), (rows or {}).get("tables"), renames)
    if rows and rows.get("error"):
        why = rows["error"]
        found = [dataclasses.replace(change, text=_not_counted(change, why)) if _uncounted(change) else change for change in found]
    return [change for change in found if not any(_within(change.object, table) for table in version_tables)]


def _not_counted(change: DataChange, why: str) -> str:
    return text("{change}; in how many rows exactly could not be measured: {why:heard}", change=change.text, why=why)


def _uncounted(change: DataChange) -> bool:
    if change.kind in ("rows-added", "rows-lost"):
        return change.rows_added is None
    return change.kind in ("column-changed", "rows-changed", "column-not-comparable") and change.rows_changed is None


def of_upgrade(changes: List[DataChange], expectations: Expectations, tables: Optional[Collection[str]] = None) -> Iterator[Said]:
    """What the upgrade did to existing data. `tables`: those that were compared; rows declared for them must have been added or lost."""
    emptied = _emptied(changes)
    for change in changes:
        if change.kind == "column-not-comparable" and change.object.rpartition(".")[0] in emptied:
            continue  # told with its table: there is no row left to compare
        if change.kind in ("column-moved", "table-moved"):
            # Equal values are no proof that it is the same thing: who reads it must be able to see it.
            yield "data-lost", change.object, change.text, INFO
            continue
        declared = expectations.changes.get(change.object)
        table = expectations.changes.get(change.object.rpartition(".")[0])
        said = _JUDGED.get(change.kind)
        if said is None or (said == "data-lost" and not (change.rows_before if change.kind == "table-dropped" else change.values_before)):
            continue
        if _declared(change, declared):
            yield said, change.object, text("{change}, as declared{reason}", change=change.text, reason=_reason(declared or table)), INFO
        elif change.kind in _ROWS and declared and declared.rows and change.rows_added is None:
            values = {"change": change.text, "what": _what(declared)}
            yield (
                "data-not-compared",
                change.object,
                text("{change}; declared: {what}; how many were added and how many lost is not known", **values),
                None,
            )
        elif declared and declared.kind == "changed" and change.kind in ("column-changed", "column-not-comparable"):
            values = {"change": change.text, "reason": _reason(declared)}
            yield said, change.object, text("{change}; declared as changed, so its new values were not proved{reason}", **values), INFO
        else:
            yield said, change.object, text("{change}; declared: {what}", change=change.text, what=_what(declared)), None
    untold = (*_RENAMED, "column-moved", "table-moved", "column-added", "column-type-changed")
    told = {change.object for change in changes if change.kind not in untold}
    for name, declared in expectations.changes.items():
        if declared.kind == "expect" and not {name, name.rpartition(".")[0]} & told:
            said = text(
                "{name} is not there any more by that name, so it was not held against what was declared: {what}", name=name, what=_what(declared)
            )
            yield "data-not-compared", name, said, None
        if name in (tables or ()) and name not in told and declared.rows and (declared.rows.added or declared.rows.removed):
            yield "rows-changed", name, text("{name}: no row was added or lost; declared: {what}", name=name, what=_what(declared)), None


# Kinds of change that are not here are no change of existing data.
_JUDGED: Dict[str, str] = {
    "rows-added": "rows-changed",
    "rows-lost": "rows-changed",
    "rows-changed": "data-changed",
    "column-changed": "data-changed",
    "table-dropped": "data-lost",
    "column-dropped": "data-lost",
    "table-not-comparable": "data-not-compared",
    "rows-not-comparable": "data-not-compared",
    "column-not-comparable": "data-not-compared",
}


_ROWS = ("rows-added", "rows-lost", "rows-changed")
# The same thing under another name: what became of its values is a change of its own.
_RENAMED = ("table-renamed", "column-renamed")


def _declared(change: DataChange, declared: Optional[Change]) -> bool:
    if change.kind in ("table-dropped", "column-dropped"):
        return declared is not None and declared.kind == "dropped"
    if change.kind in _ROWS and declared is not None and declared.rows is not None:
        # Both: more rows that were added must not hide those that are gone.
        pairs = ((declared.rows.added, change.rows_added), (declared.rows.removed, change.rows_lost))
        return all(allowed is None or allowed == found for allowed, found in pairs)
    return False


def _reason(declared: Optional[Change]) -> str:
    return f" ({declared.reason})" if declared and declared.reason else ""


def _what(declared: Optional[Change]) -> str:
    if declared is None:
        return text("nothing")
    if declared.kind == "expect":
        return f"«{declared.expression}»"
    if declared.rows:
        added, removed = (text("any") if number is None else number for number in (declared.rows.added, declared.rows.removed))
        return text("{added} rows added, {removed} removed", added=added, removed=removed)
    return declared.kind


def lost_by_way_back(changes: List[DataChange]) -> List[DataChange]:
    """Those of the changes between "before" and "back" that are losses, each told once."""
    emptied = {change.object for change in changes if change.kind == "rows-lost" and not change.rows_after}
    return [
        change
        for change in changes
        if change.kind not in ("table-added", "column-added", "column-type-changed", "column-as-declared", *_RENAMED)
        # Told with its table: there is no row left to compare.
        and not (change.kind == "column-not-comparable" and change.object.rpartition(".")[0] in emptied)
    ]


def of_way_back(changes: List[DataChange], expectations: Expectations) -> Iterator[Said]:
    """Which values and rows the way back loses: `changes` are between "before" and "back"."""
    for change in lost_by_way_back(changes):
        dropped = [expectations.changes.get(name) for name in (change.object, change.object.rpartition(".")[0])]
        if any(declared is not None and declared.kind == "dropped" for declared in dropped):
            said = text("{change} (dropped as declared: the way back cannot bring it back)", change=change.text)
            yield "downgrade-loses-data", change.object, said, INFO
        else:
            yield "downgrade-loses-data", change.object, change.text, None


def of_second_upgrade(changes: List[DataChange], only_new: Collection[str] = ()) -> Iterator[Said]:
    """What the second upgrade made of the data differently: `changes` are between "after" and "again"; `only_new` as from `only_new_rows_differ`."""
    told: Set[str] = set()
    for change in changes:
        if change.kind in ("column-type-changed", "column-as-declared", *_RENAMED):
            continue
        table = next((name for name in only_new if _within(change.object, name)), None)
        if table is None:
            yield "again-differs-data", change.object, change.text, None
        elif table not in told:
            told.add(table)
            said = text("{table}: only the rows that the upgrade itself adds differ (their keys come from a sequence?)", table=table)
            yield "again-differs-data", table, said, INFO


def only_new_rows_differ(
    before: Mapping[str, Any], after: Mapping[str, Any], again: Mapping[str, Any], behind: Optional[Collection[str]] = None
) -> List[str]:
    """Tables that gain the same number of rows both times, while every earlier row is proved to be the same: the same physical tuple, or equal.

    `behind`: the columns that their sequence had not come to before, so that its numbers tell no rows apart; None where that was not measured.
    """
    found: List[str] = []
    for name, table in before["tables"].items():
        first, second = after["tables"].get(name), again["tables"].get(name)
        if not first or not second:
            continue
        untouched = table["rows"] == first.get("old_rows") == second.get("old_rows") and table["rows"] < first["rows"] == second["rows"]
        told_apart = behind is not None and not any(column_name(name, column) in behind for column in table["key"] or ())
        equal = bool(first.get("earlier")) and first["earlier"] == second.get("earlier") and first["rows"] == second["rows"]
        if untouched or (told_apart and equal):
            found.append(name)
    return found


def _emptied(changes: List[DataChange]) -> Set[str]:
    return {change.object for change in changes if change.kind == "rows-lost" and not change.rows_after}


def _within(name: str, table: str) -> bool:
    return name == table or name.startswith(f"{table}.")
