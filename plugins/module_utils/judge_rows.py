# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the counted rows behind keys and the positions of counters mean: orphans, sequences behind, keys near their end. Pure.

What stood before the upgrade and did not grow with it is info.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import INFO
from ansible_collections.migrations.rehearsal.plugins.module_utils.renames import NONE, Renames
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import text

# (code, object, message, severity if another than the code's)
Said = Tuple[str, str, str, Optional[str]]
Checks = Mapping[str, Any]
Snapshot = Mapping[str, Any]


def of_checks(before: Optional[Checks], after: Optional[Checks], renames: Renames = NONE) -> Iterator[Said]:
    """Everything that the evidence files `checks-before.json` and `checks-after.json` say; without the first, all is new."""
    yield from _orphans(before or {}, after or {}, renames)
    yield from _sequences_behind(before or {}, after or {}, renames)
    yield from _near_limit(before or {}, after or {}, renames)
    for found in (after or {}).get("duplicates") or []:
        if found["rows"]:
            values = {key: found[key] for key in ("index", "rows", "table", "columns")}
            message = text(
                "{index} cannot become valid: {rows:count row|rows} of {table} {rows:plural repeats|repeat} others in ({columns:list})", **values
            )
            yield "index-invalid", found["index"], message, INFO  # that it is invalid is told already, from the catalog


def of_way_back(before: Optional[Checks], back: Optional[Checks], renames: Renames = NONE) -> Iterator[Said]:
    """What the way back leaves behind that was not so before the upgrade: `checks-back.json`."""
    for part in (_orphans, _sequences_behind, _near_limit):
        for code, thing, message, severity in part(before or {}, back or {}, renames):
            if severity is None:
                yield code, thing, text("after the way back: {message}", message=message), None


def of_sequences(before: Optional[Snapshot], after: Optional[Snapshot], renames: Renames = NONE) -> Iterator[Said]:
    """Sequences of no column that were set back: no column's maximum tells that their next numbers were given already."""
    for name, old in (before or {}).get("sequences", {}).items():
        new = (after or {}).get("sequences", {}).get(renames.relation(name))
        if new is None or old["last_value"] is None or old["owned_by"] or new["owned_by"] or old["cycle"] or new["cycle"]:
            continue
        now, sign = new["last_value"], 1 if old["increment"] > 0 else -1
        if now is None or sign * now < sign * old["last_value"]:
            values = {"sequence": renames.relation(name), "before": old["last_value"], "after": new["start"] if now is None else now}
            message = text("{sequence} was set back from {before:number} to {after:number}: numbers that it has given come again", **values)
            yield "sequence-behind", values["sequence"], message, None


def _orphans(before: Checks, after: Checks, renames: Renames) -> Iterator[Said]:
    earlier: Dict[Tuple[str, str], int] = {
        (renames.relation(one["table"]), one["constraint"]): one["rows"] or 0 for one in before.get("orphans") or []
    }
    for found in after.get("orphans") or []:
        if found["rows"]:
            values = {key: found[key] for key in ("rows", "table", "constraint")}
            message = text("{rows:count row|rows} of {table} {rows:plural has|have} no parent behind foreign key {constraint}", **values)
            if found["rows"] <= earlier.get((found["table"], found["constraint"]), 0):
                yield "orphans", found["table"], _older(message), INFO
            else:
                yield "orphans", found["table"], message, None


def _sequences_behind(before: Checks, after: Checks, renames: Renames) -> Iterator[Said]:
    earlier = {(renames.relation(one["sequence"]), renames.label(one["column"])) for one in before.get("sequences_behind") or []}
    for found in after.get("sequences_behind") or []:
        values = {key: found[key] for key in ("sequence", "next_value", "column", "reached")}
        message = text("the next value of {sequence} is {next_value:number}, {column} has come to {reached:number} already", **values)
        older = (found["sequence"], found["column"]) in earlier
        yield "sequence-behind", found["column"], _older(message) if older else message, INFO if older else None


def _near_limit(before: Checks, after: Checks, renames: Renames) -> Iterator[Said]:
    earlier = {(one["kind"], renames.label(one["object"])): one["limit"] for one in before.get("near_limit") or []}
    for found in after.get("near_limit") or []:
        values = {key: found[key] for key in ("object", "reached", "limit", "share")}
        if found["kind"] == "column":
            message = text("column {object} has come to {reached:number} of {limit:number} ({share:share})", **values)
        else:
            message = text("sequence {object} has come to {reached:number} of {limit:number} ({share:share})", **values)
        # A range made smaller brings an old counter nearer to its end.
        older = earlier.get((found["kind"], found["object"])) == found["limit"]
        yield "key-near-limit", found["object"], _older(message) if older else message, INFO if older else None


def _older(message: str) -> str:
    return text("it was so before the upgrade: {message}", message=message)
