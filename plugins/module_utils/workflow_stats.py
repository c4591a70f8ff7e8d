# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run hands to what follows it: the next node of a workflow, a notification."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import report_figures, report_text
from ansible_collections.migrations.rehearsal.plugins.module_utils.verdict import GO, GO_WITH_WARNINGS, INCOMPLETE, NO_GO

# A NO-GO was measured; it says more than a rehearsal that could not be carried out.
WORST_FIRST = (NO_GO, INCOMPLETE, GO_WITH_WARNINGS, GO)


def stats(rehearsed: Sequence[Mapping[str, Any]], hosts: Sequence[str]) -> Dict[str, Any]:
    """The four variables rehearsal_verdict, rehearsal_summary, rehearsal_downtime_ms and rehearsal_report.

    `rehearsed`: {"record": …, "report": path} of each; `hosts`: the dev hosts that were to rehearse. In English, because programs read it.
    """
    ordered = sorted(rehearsed, key=lambda one: WORST_FIRST.index(one["record"]["verdict"]))
    not_begun = missing([one["record"] for one in rehearsed], hosts)
    verdicts = [one["record"]["verdict"] for one in ordered] + [INCOMPLETE] * len(not_begun)
    lines: List[str] = [_line(one["record"]) for one in ordered]
    lines += [f"{INCOMPLETE}  {host}: nothing was rehearsed" for host in not_begun]
    measured = [one["record"]["downtime_ms"] for one in rehearsed if one["record"]["downtime_ms"] is not None]
    return {
        "rehearsal_verdict": min(verdicts, key=WORST_FIRST.index) if verdicts else INCOMPLETE,
        "rehearsal_summary": "\n".join(lines) or f"{INCOMPLETE}: nothing was rehearsed",
        # A number that leaves one of them out would say less than it seems to.
        "rehearsal_downtime_ms": max(measured) if measured and len(measured) == len(verdicts) else None,
        "rehearsal_report": str(ordered[0]["report"]) if ordered else "",
    }


def missing(records: Sequence[Mapping[str, Any]], hosts: Sequence[str]) -> List[str]:
    """Of the dev hosts that were to rehearse, those without a record."""
    return sorted(set(hosts) - {record["copy"]["host"] for record in records})


def _line(record: Mapping[str, Any]) -> str:
    return f"{record['verdict']}  {report_figures.source(record)} on {record['copy']['host']}: {report_text.first(record)}"
