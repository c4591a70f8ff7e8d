# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the migrations touched, as the structure checks ask for it, and the shape of what they find."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.schema_diff import Change

Finding = Dict[str, Any]


def finding(code: str, object_: str, touched: bool, measured: str, advice: str, severity: Optional[str] = None) -> Finding:
    """`severity`: another than that of the code, where what was measured says so."""
    return {"code": code, "object": object_, "touched": touched, "measured": measured, "advice": advice, "severity": severity}


class Touched:
    """Looked up by what was added or changed; a part of an added table is touched with it."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self._relations: Set[str] = set()
        self._objects: Set[Tuple[str, str]] = set()
        self._columns: Dict[str, Set[str]] = {}
        self._lost_indexes: Set[Tuple[str, Tuple[str, ...]]] = set()
        for change in changes:
            if change.kind != "added" and change.before and "columns" in change.before and change.table:
                # A primary key or unique constraint takes its index along.
                self._lost_indexes.add((change.table, tuple(change.before["columns"])))
            if change.kind == "renamed" and change.object_kind in ("index", "constraint"):
                # It may have been made anew.
                self._objects.add((change.object_kind, change.after["name"]))
            if change.kind in ("removed", "renamed"):
                continue
            self._objects.add((change.object_kind, change.object))
            if change.kind == "added" and change.object_kind in ("table", "view"):
                self._relations.add(change.object)
            if change.object_kind == "column":
                before = change.before or {}
                self._columns[change.object] = {field for field, value in change.after.items() if field not in before or before[field] != value}

    def relation(self, name: str) -> bool:
        """A table or view was added."""
        return name in self._relations

    def part(self, kind: str, relation: str, object_: str) -> bool:
        """A constraint, index, trigger … was added or changed."""
        return relation in self._relations or (kind, object_) in self._objects

    def constraint(self, relation: str, name: str) -> bool:
        return self.part("constraint", relation, column_name(relation, name))

    def object(self, kind: str, object_: str) -> bool:
        """Something that belongs to no table was added or changed."""
        return (kind, object_) in self._objects

    def column(self, relation: str, column: str, fields: Sequence[str]) -> bool:
        """A column was added, or one of these fields of it changed."""
        return relation in self._relations or any(field in self._columns.get(column_name(relation, column), ()) for field in fields)

    def lost_index(self, relation: str, columns: List[str]) -> bool:
        """An index that begins with these columns, in any order, was removed or changed."""
        return any(table == relation and set(lost[: len(columns)]) == set(columns) for table, lost in self._lost_indexes)
