# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render the record for a terminal: the verdict block, and the summary of several rehearsals."""

from __future__ import annotations

import re
from typing import List, Mapping, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import report_figures
from ansible_collections.migrations.rehearsal.plugins.module_utils.html_elements import clean
from ansible_collections.migrations.rehearsal.plugins.module_utils.report_figures import Record
from ansible_collections.migrations.rehearsal.plugins.module_utils.verdict import INCOMPLETE
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import ENGLISH, Speaker

# What a terminal would obey, or turn round, beside control characters.
_OBEYED = re.compile("[\x09\x0d\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def verdict_block(record: Record, report: Optional[str], language: str = ENGLISH) -> str:
    """What the last task prints: the verdict, the checklist, the findings, the path of the report where there is one to name."""
    say = Speaker(language)
    called = say("rehearsal {id}", id=record["id"])
    lines = [f"{say.word(record['verdict'])}  {report_figures.source(record)}  {called}", ""]
    for line in record["checklist"]:
        said = filter(None, (say.of(line, "item"), one_line(report_figures.checklist_detail(line, say))))
        lines.append(f"  {report_figures.SIGNS[line['status']]} " + ": ".join(said))
    shown = [finding for finding in record["findings"] if finding["severity"] != "info"]
    if any(finding["severity"] != "info" or finding.get("accepted") for finding in record["findings"]):
        lines.append("")
    for group in report_figures.grouped(shown):
        for finding in group:
            lines.append(f"  {say.word(finding['severity']).upper()} {_told(finding, say)}")
            lines += [f"    {report_figures.acceptance(finding, say)}"] if finding.get("accepted") else []
        lines += [f"    → {say.word(group[0]['advice'])}"] if group[0]["advice"] else []
    accepted = [finding for finding in record["findings"] if finding not in shown and finding.get("accepted")]
    for finding in accepted:
        lines.append(f"  {say('accepted').upper()} {_told(finding, say)}")
        lines.append(f"    {report_figures.acceptance(finding, say)}")
    informed = len(record["findings"]) - len(shown) - len(accepted)
    if informed:
        lines += ["", "  " + say("{count} more for information, in the report", count=informed)]
    lines += ["", f"  {_timing(record, say)}"]
    lines += ["  " + say("Way back: {text}", text=one_line(say.of(record["way_back"], "text")))] if record["way_back"] else []
    lines += ["  " + say("Report: {path}", path=report)] if report else []
    return "\n".join(map(_safe, lines))


def _told(finding: Mapping[str, object], say: Speaker) -> str:
    return f"{finding['code']}: {one_line(say.of(finding, 'message'))}"


def _timing(record: Record, say: Speaker) -> str:
    parts: List[str] = [say("{seconds:whole} in all", seconds=record["seconds"])]
    upgrade, downgrade = (report_figures.ran(record, run) for run in ("upgrade", "downgrade"))
    if upgrade["count"] < upgrade["all"]:
        parts.append(say("the upgrade failed after {count} of {all:count revision|revisions}", **upgrade))
    elif upgrade["count"]:
        parts.append(say("upgrade {ms:duration} ({count:count revision|revisions})", **upgrade))
    if downgrade["count"] and downgrade["count"] == downgrade["all"]:
        parts.append(say("way back {ms:duration} ({count:count revision|revisions})", **downgrade))
    if record["longest_window"]:
        parts.append(report_figures.longest_wait(record["longest_window"], say))
    return ", ".join(parts)


def summary_table(records: Sequence[Record], language: str = ENGLISH, missing: Sequence[str] = ()) -> str:
    """One line a rehearsal, below a heading; see `summary_rows`."""
    rows = summary_rows(records, language, missing)
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip() for row in rows]
    return "\n".join([summary_heading(records, language), *lines])


def summary_heading(records: Sequence[Record], language: str = ENGLISH) -> str:
    """How many were rehearsed."""
    say = Speaker(language)
    return say("Rehearsed {count:count database|databases}:", count=len(records))


def summary_rows(records: Sequence[Record], language: str = ENGLISH, missing: Sequence[str] = ()) -> List[List[str]]:
    """The verdict, whose, with its dev host (several may rehearse one database), and what matters most.

    `missing`: dev hosts whose rehearsal never began.
    """
    say = Speaker(language)
    rows = [[say.word(record["verdict"]), _rehearsed(record, say), first(record, language)] for record in records]
    rows += [[say.word(INCOMPLETE), host, say("nothing was rehearsed")] for host in missing]
    return [[_safe(cell) for cell in row] for row in rows]


def _rehearsed(record: Record, say: Speaker) -> str:
    return say("{source} on {host}", source=report_figures.source(record), host=record["copy"]["host"])


def first(record: Record, language: str = ENGLISH) -> str:
    """What matters most, in one line: the first finding, or how long it took."""
    say = Speaker(language)
    findings = [finding for finding in record["findings"] if finding["severity"] != "info"]
    return _told(findings[0], say) if findings else _timing(record, say)


def one_line(text: str) -> str:
    """What others said, for a terminal: on one line, without runs of blanks."""
    return _safe(" ".join(text.split()))


def _safe(line: str) -> str:
    """Without anything that a terminal would obey."""
    return clean(_OBEYED.sub("\ufffd", line.replace("\n", " ")))
