# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One table in two fingerprints of one database: what can be said of its columns and rows, and why not more. Pure.

Each column gets one answer:

unchanged        every row has the value that it had
as declared      every row has the value of the declared expression
changed          neither: at least one value differs
not comparable   it could not be measured (another key, another form, rows added and changed at once): this is no proof of anything
counted          only rows and non-null values were counted, and are equal
dropped, moved   the column is gone; moved: another column of the table has the same value in every row (a rename)
"""

from __future__ import annotations

from typing import Any, Mapping, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import text

Entry = Mapping[str, Any]

UNCHANGED = "unchanged"
AS_DECLARED = "as declared"
CHANGED = "changed"
NOT_COMPARABLE = "not comparable"
COUNTED = "counted"
DROPPED = "dropped"
MOVED = "moved"

OTHER_KEYS = text("the rows have other keys than before")
ROWS_DIFFER = text("rows were added or lost, and others may have changed")


class ComparedTable:
    """One table that both fingerprints have."""

    def __init__(self, name: str, old: Entry, new: Entry, declared: Mapping[str, str], rows: Optional[Entry] = None) -> None:
        self.name = name
        self.old = old
        self.new = new
        self.declared = declared
        self.rows = rows
        old_rows: Optional[int] = new.get("old_rows")
        self.old_rows = old_rows
        # The rows that are there now and were there before are the same physical tuples.
        self.only_added = old_rows is not None and old_rows == old["rows"]
        self.only_lost = old_rows is not None and old_rows == new["rows"]
        self.obstacle = self._obstacle()

    def _obstacle(self) -> str:
        """Why the hashes of two fingerprints of this table cannot be compared; "" if they can."""
        old, new = self.old, self.new
        if old["key"] != new["key"]:
            return text("the primary key changed from {old} to {new}", old=_key(old), new=_key(new))
        for name in old["key"] or ():
            if old["columns"][name]["by"] != new["columns"][name]["by"]:
                types = {"old": old["columns"][name]["type"], "new": new["columns"][name]["type"]}
                return text("the key column {name} changed its type from {old} to {new}", name=name, **types)
        if old["rows"] != new["rows"]:
            return ROWS_DIFFER
        for name in old["key"] or ():
            digests = (old["columns"][name]["hash"], new["columns"][name]["hash"])
            if None not in digests and digests[0] != digests[1]:
                return OTHER_KEYS
        return ""

    @property
    def at_most(self) -> Optional[int]:
        if self.old_rows is None:
            return None
        return max(int(self.old["rows"]) - self.old_rows, 0)

    def added_and_lost(self) -> Tuple[Optional[int], Optional[int]]:
        """How many rows were added, and how many lost; None where only the difference is known. Without a key a changed row is one of each."""
        if self.rows is not None:
            return self.rows["added"], self.rows["lost"]
        before, after = self.old["rows"], self.new["rows"]
        if self.only_added or self.only_lost or not before or not after:
            return max(after - before, 0), max(before - after, 0)
        return None, None

    def can_follow(self, column: str) -> bool:
        """Its values before and after can be compared row by row."""
        old, new = self.old["columns"][column], self.new["columns"].get(column)
        if new is None:
            return False
        if column_name(self.name, column) in self.declared:
            return old.get("expected_hash") is not None and new.get("canonical_hash") is not None
        return old["by"] == new["by"] and old["hash"] is not None and new["hash"] is not None

    def all_gone(self, column: str) -> bool:
        """Every value has become NULL: then it is known in how many rows."""
        nothing_now = not self.new["columns"][column]["non_null"] and column_name(self.name, column) not in self.declared
        return nothing_now and not self.obstacle

    def values_moved(self) -> bool:
        """Without a primary key a column's hash does not see a value that moved to another row; the hash of whole rows does."""
        hashes = [(entry.get("row_hash") or {"columns": []}) for entry in (self.old, self.new)]
        same = self.old["key"] is None and self.old["rows"] == self.new["rows"] and hashes[0]["columns"] == hashes[1]["columns"]
        return same and len(hashes[0]["columns"]) > 1 and hashes[0]["hash"] != hashes[1]["hash"] and not self.only_added

    def changed_rows(self, column: str) -> Optional[int]:
        """In how many rows a column has another value than it had, or should have; None where that is not known."""
        if self.rows is not None and column in self.rows["columns"]:
            return int(self.rows["columns"][column])
        if column in self.new["columns"] and self.all_gone(column):
            return int(self.old["columns"][column]["non_null"])
        return None

    def answer(self, column: str) -> Tuple[str, str]:
        """(answer, why) for a column that was there before."""
        old = self.old["columns"][column]
        new = self.new["columns"].get(column)
        if new is None:
            return (MOVED, self.twin(column)) if self.twin(column) else (DROPPED, "")
        label = column_name(self.name, column)
        if self.rows is not None and self.old["key"] is not None and (column in self.rows["columns"] or column in self.old["key"]):
            # A row that is there before and after is one with the same key.
            unchanged = AS_DECLARED if label in self.declared else UNCHANGED
            return (CHANGED, "") if self.rows["columns"].get(column) else (unchanged, "")
        if self.rows is not None and self.old["key"] is None and self.obstacle == ROWS_DIFFER and column in self.rows["columns"]:
            lost, added = self.rows["lost"], self.rows["added"]
            if not (lost and added):
                return (AS_DECLARED if label in self.declared else UNCHANGED), ""
            return NOT_COMPARABLE, text(
                "it has no primary key; {lost:count row is|rows are} no longer there as before, and {added:number} others are", lost=lost, added=added
            )
        if label in self.declared:
            return self._declared_answer(old, new)
        if not self.obstacle and old["hash"] is not None and new["hash"] is not None and old["by"] == new["by"]:
            return (UNCHANGED, "") if old["hash"] == new["hash"] else (CHANGED, "")
        same = old["type"] == new["type"] and old.get("number") == new.get("number")
        if (self.only_added or self.only_lost) and same and old.get("stable_text", True):
            return UNCHANGED, ""
        if old["non_null"] == new["non_null"] == 0:
            return UNCHANGED, ""
        if self.obstacle == OTHER_KEYS and column in self.old["key"]:
            return CHANGED, ""
        if self.obstacle:
            return NOT_COMPARABLE, self.obstacle
        if old["hash"] is None or new["hash"] is None:
            return (COUNTED, "") if old["non_null"] == new["non_null"] else (CHANGED, "")
        return NOT_COMPARABLE, text(
            "its type changed from {old} to {new}; declare what became of it, «old» if every value was kept", old=old["type"], new=new["type"]
        )

    def _declared_answer(self, old: Entry, new: Entry) -> Tuple[str, str]:
        if self.obstacle:
            return NOT_COMPARABLE, self.obstacle
        if old.get("expected_hash") is None or new.get("canonical_hash") is None:
            return NOT_COMPARABLE, text("its declared value was not fingerprinted")
        return (AS_DECLARED, "") if old["expected_hash"] == new["canonical_hash"] else (CHANGED, "")

    def twin(self, column: str) -> str:
        """A new column that has the same value in every row as one that is gone; "" unless there is just one."""
        old = self.old["columns"][column]
        if self.obstacle or not old["non_null"] or old["hash"] is None:
            return ""
        found = [
            name
            for name, new in self.new["columns"].items()
            if name not in self.old["columns"] and (new["by"], new["non_null"], new["hash"]) == (old["by"], old["non_null"], old["hash"])
        ]
        return found[0] if len(found) == 1 else ""


def _key(entry: Entry) -> str:
    return f"({', '.join(entry['key'])})" if entry["key"] else text("none")
