# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choice for the night of the deploy: how long each way back takes, and what it loses. Pure."""

from __future__ import annotations

from typing import Any, Collection, Dict, List, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import judge_data, judge_template, timeline
from ansible_collections.migrations.rehearsal.plugins.module_utils.data_diff import DataChange
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import Evidence, whole_way_back
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Expectations
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import Text, text

_MOST_NAMED = 3
# What is lost, as `_counted` has it; None where it was not compared.
Entries = Optional[List[Dict[str, Any]]]


def way_back(evidence: Evidence, own: Collection[str]) -> Optional[Dict[str, Any]]:
    """Both ways in figures and in one sentence; None where neither was measured. `own`: Alembic's tables.

    `loses`: what was there before the upgrade and is not what it was; `goes_with_it`: what the upgrade brought, with what is written there
    until the way back is taken. Both are None where they were not compared.
    """
    downgrade = _downgrade_seconds(evidence)
    # A copy of a template takes no longer than its files; what a restore takes, the rehearsal that kept it has measured.
    again = judge_template.made_from_it(evidence)
    restore = evidence.kept.get("template", {}).get("restore_seconds") if again else _seconds(evidence, "restore")
    if downgrade is None and restore is None:
        return None
    whole = whole_way_back(evidence)
    loses = _losses(evidence, own) if downgrade is not None and whole else None
    goes = _brought(evidence, own) if downgrade is not None and whole else None
    downgrade_text, restore_text = _downgrade_text(evidence, downgrade, loses, goes), _restore_text(restore)
    return {
        "downgrade_seconds": downgrade,
        "downgrade_to": evidence.expectations.downgrade_to,
        "restore_seconds": restore,
        "loses": loses,
        "goes_with_it": goes,
        "downgrade_text": downgrade_text,
        "restore_text": restore_text,
        "text": text("{ways:semicolons}", ways=[downgrade_text, restore_text]),
    }


def _seconds(evidence: Evidence, name: str) -> Optional[float]:
    found = [stage["seconds"] for stage in evidence.stages if stage["name"] == name and stage["status"] == "ok"]
    return float(sum(found)) if found else None


def _downgrade_seconds(evidence: Evidence) -> Optional[float]:
    """From the first revision's begin to the last commit; None unless all of it ran."""
    events = evidence.migrations.get("downgrade", [])
    spans = timeline.spans(events)
    if not spans or not any(event["event"] == "done" for event in events):
        return None
    return timeline.whole_s(spans)


def _losses(evidence: Evidence, own: Collection[str]) -> Optional[List[Dict[str, Any]]]:
    prints = evidence.fingerprints
    if "before" not in prints or "back" not in prints:
        return None
    renames = evidence.renames("before", "back")
    changes = judge_data.changes_between(prints["before"], prints["back"], Expectations(), own, evidence.rows.get("back"), renames)
    return [_counted(change) for change in judge_data.lost_by_way_back(changes)]


def _brought(evidence: Evidence, own: Collection[str]) -> Optional[List[Dict[str, Any]]]:
    prints = evidence.fingerprints
    if "after" not in prints or "back" not in prints:
        return None
    changes = judge_data.changes_between(prints["after"], prints["back"], Expectations(), own, renames=evidence.renames("after", "back"))
    return [_counted(change) for change in changes if change.kind in ("table-dropped", "column-dropped")]


def _counted(change: DataChange) -> Dict[str, Any]:
    """`count` of `unit` (rows or values), `exact` or at most; null where only the text says it."""
    before, after = change.rows_before or 0, change.rows_after or 0
    unit, count, exact = "rows", None, change.kind != "column-changed" or change.rows_changed is not None
    if change.kind == "table-dropped":
        count = before
    elif change.kind == "rows-lost":
        count = before - after if change.rows_lost is None else change.rows_lost
    elif change.kind == "column-dropped":
        unit, count = "values", change.values_before
    elif change.kind == "rows-changed":
        count = change.rows_changed
    elif change.kind == "column-changed" and exact:
        unit, count = "values", change.rows_changed
    elif change.kind == "column-changed":
        # Where the rows that were written are known, no more values than rows can have changed; else all of them may.
        unit, count = (
            "values",
            max(change.values_before or 0, change.values_after or 0) if not change.rows_changed_at_most else change.rows_changed_at_most,
        )
    return {"object": change.object, "kind": change.kind, "count": count, "unit": unit, "exact": exact, "text": change.text}


def _named(entries: Sequence[Dict[str, Any]]) -> Text:
    """`300 rows of rate_history, at most 480 values in contracts.hourly_rate`."""
    named: List[str] = []
    for entry in sorted(entries, key=lambda one: -(one["count"] or 0))[:_MOST_NAMED]:
        if entry["count"] is None:
            named.append(entry["text"])
        else:
            values = {"count": entry["count"], "object": entry["object"]}
            if not entry["exact"]:
                named.append(text("at most {count:count value|values} in {object}", **values))
            elif entry["unit"] == "rows":
                named.append(text("{count:count row|rows} of {object}", **values))
            else:
                named.append(text("{count:count value|values} in {object}", **values))
    left = len(entries) - _MOST_NAMED
    return text("{named:list} and {more} more", named=named, more=left) if left > 0 else text("{named:list}", named=named)


def _downgrade_text(evidence: Evidence, seconds: Optional[float], loses: Entries, goes: Entries) -> Text:
    if seconds is None:
        failed = any(stage["name"] == "downgrade" for stage in evidence.failed_stages())
        return text("the downgrade fails") if failed else text("the downgrade was not measured")
    ms = seconds * 1000
    if not whole_way_back(evidence):
        return text(
            "downgrade takes {ms:duration} (to {revision}, as asked for; what it loses was not compared)",
            ms=ms,
            revision=evidence.expectations.downgrade_to,
        )
    nothing = loses is not None and not loses
    lost = _named(loses) if loses else text("what was not compared")
    if not goes:
        if nothing:
            return text("downgrade takes {ms:duration} and loses nothing that was there before", ms=ms)
        return text("downgrade takes {ms:duration} and loses {lost}", ms=ms, lost=lost)
    where = text("the {count} tables and columns that it drops", count=len(goes)) if len(goes) > 1 else goes[0]["object"]
    full = [entry for entry in goes if entry["count"]]
    now = text("now {named}", named=_named(full)) if full else text("nothing now")
    values = {"ms": ms, "where": where, "now": now}
    if nothing:
        return text("downgrade takes {ms:duration} and loses nothing that was there before, only what is in {where} by then ({now})", **values)
    return text("downgrade takes {ms:duration} and loses {lost}, and whatever is in {where} by then ({now})", lost=lost, **values)


def _restore_text(seconds: Optional[float]) -> Text:
    if seconds is None:
        return text("the restore was not measured")
    return text("restore takes {ms:duration} (as measured on dev) and loses what was written since the backup", ms=seconds * 1000)
