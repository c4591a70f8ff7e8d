# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened to the data between two fingerprints of one database. Pure: works offline, on evidence files.

Each column gets one answer (see `compared_table`).

Rows. Where the later fingerprint could tell rows written since (`old_rows`), pure additions and pure deletions are proved as such, and "at most" is
said of the rows that changed; an UPDATE that wrote the same values counts there. Elsewhere only the difference of the two counts is known.
Where rows were followed one by one (`changed_rows`: their numbers are given as `rows`), they are exact: how many were added, lost and changed, and
rows that were added stand in the way of nothing.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Collection, Dict, Iterator, List, Mapping, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import large_objects
from ansible_collections.migrations.rehearsal.plugins.module_utils.compared_table import (
    AS_DECLARED,
    CHANGED,
    COUNTED,
    DROPPED,
    MOVED,
    NOT_COMPARABLE,
    OTHER_KEYS,
    ROWS_DIFFER,
    UNCHANGED,
    ComparedTable,
    Entry,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.renames import NONE, Renames
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import Text, text


@dataclasses.dataclass(frozen=True)
class DataChange:
    """One thing that happened to the data of a table or column.

    `kind`: table-added, table-dropped, table-moved, table-renamed, table-not-comparable, rows-added, rows-lost, rows-changed, rows-not-comparable,
    column-added, column-dropped, column-moved, column-renamed, column-changed, column-as-declared, column-type-changed, column-not-comparable.
    `values_*` are non-null values. `rows_changed` is exact, and None where that is not known; `rows_changed_at_most` is then None where nothing but
    the number of rows of the table bounds it. `keys`: the first keys of the rows that the text speaks of, where the user allows them.
    `rows_added` and `rows_lost` are both exact, of a change of rows; None where only their difference is known.
    """

    kind: str
    object: str
    text: str
    rows_before: Optional[int] = None
    rows_after: Optional[int] = None
    values_before: Optional[int] = None
    values_after: Optional[int] = None
    rows_changed_at_most: Optional[int] = None
    other: Optional[str] = None  # where the values are now
    rows_changed: Optional[int] = None
    keys: Optional[List[List[Optional[str]]]] = None
    rows_added: Optional[int] = None
    rows_lost: Optional[int] = None

    def to_json(self) -> Dict[str, Any]:
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


def compare(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    declared: Optional[Mapping[str, str]] = None,
    rows: Optional[Mapping[str, Any]] = None,
    renames: Renames = NONE,
) -> List[DataChange]:
    """Everything that differs, in the order of names; an empty list with `proof` "full" means: every value is what it was.

    `rows`: what `changed_rows.measure` found for the tables that `to_follow` named, by table. `renames`: what is compared under another name than
    it has after; changes, `declared` and `rows` have the name from before.
    """
    after = renames.inverse().of_fingerprint(after) if renames else after
    moved = _moved_tables(before, after)
    changes: List[DataChange] = []
    for name in sorted({*before["tables"], *after["tables"]}):
        found = list(_compare_table(name, before, after, declared or {}, moved, (rows or {}).get(name)))
        changes += [*_renamed(name, before, after, renames), *(_by_both_names(change, renames) for change in found)] if renames else found
    return changes


def _renamed(table: str, before: Mapping[str, Any], after: Mapping[str, Any], renames: Renames) -> Iterator[DataChange]:
    if table not in before["tables"] or table not in after["tables"]:
        return
    rows = after["tables"][table]["rows"]
    if renames.relation(table) != table:
        said = text("{name} is called {other} now", name=table, other=renames.relation(table))
        yield DataChange("table-renamed", table, said, rows_after=rows, other=renames.relation(table))
    for column in before["tables"][table]["columns"]:
        label = column_name(table, column)
        if renames.column(table, column) != column:
            said = text("{name} is called {other} now", name=label, other=renames.label(label))
            yield DataChange("column-renamed", label, said, rows_after=rows, other=renames.label(label))


def _by_both_names(change: DataChange, renames: Renames) -> DataChange:
    other = renames.label(change.object)
    if other == change.object:
        return change
    return dataclasses.replace(change, text=text("{change} ({name} is called {other} now)", change=change.text, name=change.object, other=other))


def to_follow(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    declared: Mapping[str, str],
    accepted: Collection[str] = (),
    with_keys: bool = False,
    renames: Renames = NONE,
) -> Dict[str, List[str]]:
    """Tables whose rows must be followed one by one to say how many changed, each with the columns to be compared.

    `accepted` are columns of which any new value is accepted; `with_keys`: also where only the keys of rows are not known.
    """
    after = renames.inverse().of_fingerprint(after) if renames else after
    found: Dict[str, List[str]] = {}
    for name, old in before["tables"].items():
        new = after["tables"].get(name)
        if name == large_objects.NAME or new is None or not old["rows"] or not new["rows"] or "counts" in (old["proof"], new["proof"]):
            continue
        table = ComparedTable(name, old, new, declared)
        if table.obstacle not in ("", ROWS_DIFFER, OTHER_KEYS):
            continue
        columns = [
            column
            for column in old["columns"]
            if column_name(name, column) not in accepted
            and column not in (old["key"] or ())
            and table.can_follow(column)
            and table.answer(column)[0] in (CHANGED, NOT_COMPARABLE)
            and (with_keys or not table.all_gone(column))
        ]
        rows_differ = table.obstacle == ROWS_DIFFER and (with_keys or not (table.only_added or table.only_lost))
        if columns or rows_differ or table.obstacle == OTHER_KEYS or table.values_moved():
            found[name] = columns
    return found


def answers(before: Mapping[str, Any], after: Mapping[str, Any], declared: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    """The answer for every column of `before`, by its name."""
    moved = _moved_tables(before, after)
    result: Dict[str, str] = {}
    for name, old in before["tables"].items():
        new = after["tables"].get(name)
        if new is None:
            answer = MOVED if name in moved else NOT_COMPARABLE if name in after["left_out"] else DROPPED
            result.update({column_name(name, column): answer for column in old["columns"]})
        else:
            table = ComparedTable(name, old, new, declared or {})
            result.update({column_name(name, column): table.answer(column)[0] for column in old["columns"]})
    return result


def _signature(entry: Entry) -> Tuple[Any, ...]:
    columns = sorted((name, column["by"], column["non_null"], column["hash"]) for name, column in entry["columns"].items())
    return entry["rows"], tuple(entry["key"] or ()), tuple(columns)


def _moved_tables(before: Mapping[str, Any], after: Mapping[str, Any]) -> Dict[str, str]:
    """Tables that are gone, and whose every value is in a table that was not there before: {old name: new name}."""
    added: Dict[Tuple[Any, ...], List[str]] = {}
    for name, entry in after["tables"].items():
        if name not in before["tables"] and entry["rows"] and entry["proof"] != "counts":
            added.setdefault(_signature(entry), []).append(name)
    moved: Dict[str, str] = {}
    for name, entry in before["tables"].items():
        if name not in after["tables"] and entry["rows"] and entry["proof"] != "counts":
            found = added.get(_signature(entry), [])
            if len(found) == 1:
                moved[name] = found[0]
    return moved


def _compare_table(
    name: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    declared: Mapping[str, str],
    moved: Mapping[str, str],
    rows: Optional[Entry],
) -> Iterator[DataChange]:
    old, new = before["tables"].get(name), after["tables"].get(name)
    if old is None:
        if name in moved.values():
            return
        if name in before["left_out"]:
            why = text("{name} was not fingerprinted before: {reason:heard}", name=name, reason=before["left_out"][name])
            yield DataChange("table-not-comparable", name, why, rows_after=new["rows"])
            return
        said = text("{name} is new, with {rows:count row|rows}", name=name, rows=new["rows"])
        yield DataChange("table-added", name, said, rows_after=new["rows"])
    elif new is None:
        yield _gone_table(name, old, after, moved)
    else:
        table = ComparedTable(name, old, new, declared, rows)
        yield from _row_changes(table)
        yield from _column_changes(table)


def _gone_table(name: str, old: Entry, after: Mapping[str, Any], moved: Mapping[str, str]) -> DataChange:
    rows = old["rows"]
    values = sum(column["non_null"] for column in old["columns"].values())
    if name in moved:
        said = text("{name} is gone; each of its {rows:count row|rows} is in {other}", name=name, rows=rows, other=moved[name])
        return DataChange("table-moved", name, said, rows_before=rows, values_before=values, other=moved[name])
    if name in after["left_out"]:
        said = text("{name} was not fingerprinted after: {reason:heard}", name=name, reason=after["left_out"][name])
        return DataChange("table-not-comparable", name, said, rows_before=rows, values_before=values)
    said = text("{name} is gone, with {rows:count row|rows} ({values:count non-null value|non-null values})", name=name, rows=rows, values=values)
    return DataChange("table-dropped", name, said, rows_before=rows, values_before=values)


def _row_changes(table: ComparedTable) -> Iterator[DataChange]:
    name, before, after, rows = table.name, table.old["rows"], table.new["rows"], table.rows
    added, lost = table.added_and_lost()
    counts = {"rows_before": before, "rows_after": after, "rows_added": added, "rows_lost": lost, "rows_changed_at_most": table.at_most}
    numbers: Dict[str, Any] = {"name": name, "before": before, "after": after}
    if rows and added and lost and (table.old["key"] or before != after):
        counts["rows_changed_at_most"] = None
        both = (
            text("{name}: {lost:count row is|rows are} gone and {added:count is|are} new, by their keys", name=name, lost=lost, added=added)
            if table.old["key"]
            else text(
                "{name}: {lost:count row is|rows are} no longer there as before, and {added:count other is|others are}",
                **numbers,
                lost=lost,
                added=added,
            )
        )
        if before == after:
            said = text("{both}: keys were changed, or rows lost and as many added{keys}", both=both, keys=_keys_text(rows, "lost"))
            yield DataChange("rows-changed", name, said, rows_changed=rows["lost"], keys=_keys(rows, "lost"), **counts)
        else:
            kind, shown = ("rows-added", "added") if after > before else ("rows-lost", "lost")
            said = text("{both}{keys}: {before:number} rows, now {after:number}", both=both, keys=_keys_text(rows, shown), before=before, after=after)
            yield DataChange(kind, name, said, keys=_keys(rows, shown), **counts)
    elif after > before:
        proved = text("; every earlier row is untouched") if table.only_added else ""
        said = text(
            "{name} has {more:count row|rows} more{keys}: {before:number}, now {after:number}{proved}",
            more=after - before,
            keys=_keys_text(rows, "added"),
            proved=proved,
            **numbers,
        )
        yield DataChange("rows-added", name, said, keys=_keys(rows, "added"), **counts)
    elif after < before:
        proved = text("; every row that is left is untouched") if table.only_lost else ""
        said = text(
            "{name} has {less:count row|rows} less{keys}: {before:number}, now {after:number}{proved}",
            less=before - after,
            keys=_keys_text(rows, "lost"),
            proved=proved,
            **numbers,
        )
        yield DataChange("rows-lost", name, said, keys=_keys(rows, "lost"), **counts)
    elif table.obstacle == OTHER_KEYS:
        said = text("{name}: rows have other keys than before: keys were changed, or rows lost and as many added", name=name)
        yield DataChange("rows-changed", name, said, **counts)
    if table.old["key"] is None and before == after and not table.only_added:
        yield from _moved_values(table, counts)


def _keys(rows: Optional[Entry], what: str) -> Optional[List[List[Optional[str]]]]:
    """Keys of rows that were "added" or "lost", or in which the column `what` changed; None where they are not shown."""
    if not rows or not rows.get("keys"):
        return None
    keys = rows["keys"]
    found: Optional[List[List[Optional[str]]]] = keys[what] if what in ("added", "lost") else keys["columns"].get(what[len("column ") :])
    return found or None


def _keys_text(rows: Optional[Entry], what: str, number: int = 0) -> str:
    """` (id 1, 2, 3, …)`; "" where keys are not shown."""
    keys = _keys(rows, what)
    if not rows or not keys:
        return ""
    total = number or rows.get(what, 0)
    names = rows["key"]
    shown = [str(key[0]) if len(key) == 1 else f"({', '.join(map(str, key))})" for key in keys]
    label = names[0] if len(names) == 1 else f"({', '.join(names)})"
    return f" ({label} {', '.join(shown)}{', …' if total > len(keys) else ''})"


def _moved_values(table: ComparedTable, counts: Mapping[str, Any]) -> Iterator[DataChange]:
    """A table without a primary key whose columns hold what they held."""
    if any(table.answer(column)[0] != UNCHANGED for column in table.old["columns"] if column in table.new["columns"]):
        return
    old, new = table.old.get("row_hash"), table.new.get("row_hash")
    if old is None or new is None or len(old["columns"]) < 2:
        return
    if old["columns"] != new["columns"]:
        said = text("{name} has no primary key and lost a column: whether values moved from row to row could not be measured", name=table.name)
        yield DataChange("rows-not-comparable", table.name, said, **counts)
    elif table.values_moved():
        changed = table.rows["lost"] if table.rows else None
        many = text(" ({rows:count row|rows})", rows=changed) if changed else ""
        said = text("{name}: every column holds the values that it held, but in other rows{many}", name=table.name, many=many)
        yield DataChange("rows-changed", table.name, said, rows_changed=changed, **counts)


def _column_changes(table: ComparedTable) -> Iterator[DataChange]:
    twins = set()
    for column, old in table.old["columns"].items():
        new = table.new["columns"].get(column)
        label = column_name(table.name, column)
        answer, why = table.answer(column)
        numbers: Dict[str, Any] = {"rows_before": table.old["rows"], "rows_after": table.new["rows"], "values_before": old["non_null"]}
        if new is not None:
            numbers["values_after"] = new["non_null"]
        if answer == DROPPED:
            said = text("{name} is gone, with {values:count non-null value|non-null values}", name=label, values=old["non_null"])
            yield DataChange("column-dropped", label, said, **numbers)
        elif answer == MOVED:
            twins.add(why)
            other = column_name(table.name, why)
            said = text("{name} is gone; {other} has the same value in every row", name=label, other=other)
            yield DataChange("column-moved", label, said, other=other, **numbers)
        elif answer == AS_DECLARED:
            rows = table.old["rows"] if table.rows is None else table.rows["kept"]
            values = {"name": label, "rows": rows, "declared": table.declared[label]}
            said = text("{name}: each of {rows:count row|rows} has the declared value ({declared})", **values)
            yield DataChange("column-as-declared", label, said, **numbers)
        elif answer == CHANGED:
            changed = table.changed_rows(column)
            yield DataChange(
                "column-changed",
                label,
                _changed_text(table, column, label, numbers),
                rows_changed_at_most=table.at_most if changed is None else None,
                rows_changed=changed,
                keys=_keys(table.rows, f"column {column}"),
                **numbers,
            )
        elif answer == NOT_COMPARABLE:
            yield DataChange("column-not-comparable", label, text("{name}: could not be compared: {why}", name=label, why=why), **numbers)
        elif new is not None and old["type"] != new["type"]:
            how = text("counted only") if answer == COUNTED else text("every value compared as {form} and the same", form=new["by"])
            types = {"name": label, "old": old["type"], "new": new["type"], "how": how}
            yield DataChange("column-type-changed", label, text("{name}: type changed from {old} to {new}, {how}", **types), **numbers)
    for column, new in table.new["columns"].items():
        if column not in table.old["columns"] and column not in twins:
            label = column_name(table.name, column)
            counted = {"name": label, "values": new["non_null"], "rows": table.new["rows"]}
            said = text("{name} is new, with {values:count non-null value|non-null values} in {rows:count row|rows}", **counted)
            yield DataChange("column-added", label, said, rows_after=table.new["rows"], values_after=new["non_null"])


def _changed_text(table: ComparedTable, column: str, label: str, numbers: Mapping[str, Any]) -> Text:
    parts = [text("{name} changed", name=label)]
    if label in table.declared:
        parts = [text("{name} is not what was declared ({declared})", name=label, declared=table.declared[label])]
    changed = table.changed_rows(column)
    if changed is not None and table.rows is not None and table.old["key"] is None:
        parts.append(
            text(": {count:count of its values is|of its values are} no longer there (without a primary key rows cannot be followed)", count=changed)
        )
    elif changed is not None:
        parts.append(text(", in {rows:count row|rows}{keys}", rows=changed, keys=_keys_text(table.rows, f"column {column}", changed)))
    # A column that was dropped and made again lost its values without a row being written.
    elif table.at_most is not None and table.at_most >= max(1, abs(numbers["values_before"] - numbers["values_after"])):
        parts.append(text(", in {rows:count row|rows} at most", rows=table.at_most))
    types = {"old": table.old["columns"][column]["type"], "new": table.new["columns"][column]["type"]}
    if types["old"] != types["new"] and label not in table.declared:
        parts.append(text("; its type changed from {old} to {new}: declare «old» if every value was kept", **types))
    if numbers["values_before"] != numbers["values_after"]:
        before, after = numbers["values_before"], numbers["values_after"]
        parts.append(text("; non-null values: {before:number}, now {after:number}", before=before, after=after))
    return text("{parts:joined}", parts=parts)
