# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render the record for a terminal: the verdict block, and the summary of several rehearsals."""

from __future__ import annotations

from typing import List, Mapping, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import report_figures
from ansible_collections.migrations.rehearsal.plugins.module_utils.report_figures import Record
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import ENGLISH, Speaker

_SIGNS = {"ok": "✔", "failed": "✘", "not measured": "–"}


def verdict_block(record: Record, report: Optional[str], language: str = ENGLISH) -> str:
    """What the last task prints: the verdict, the checklist, the findings, the path of the report where there is one to name."""
    say = Speaker(language)
    called = say("rehearsal {id}", id=record["id"])
    lines = [f"{say.word(record['verdict'])}  {report_figures.source(record)}  {called}", ""]
    for line in record["checklist"]:
        lines.append(f"  {_SIGNS[line['status']]} " + ": ".join(filter(None, (say.of(line, "item"), _one_line(say.of(line, "detail"))))))
    shown = [finding for finding in record["findings"] if finding["severity"] != "info"]
    if any(finding["severity"] != "info" or finding.get("accepted") for finding in record["findings"]):
        lines.append("")
    for finding in shown:
        lines.append(f"  {say.word(finding['severity']).upper()} {_told(finding, say)}")
        lines.append(f"    → {say.word(finding['advice'])}")
        lines += [f"    {report_figures.acceptance(finding, say)}"] if finding.get("accepted") else []
    accepted = [finding for finding in record["findings"] if finding not in shown and finding.get("accepted")]
    for finding in accepted:
        lines.append(f"  {say('accepted').upper()} {_told(finding, say)}")
        lines.append(f"    {report_figures.acceptance(finding, say)}")
    informed = len(record["findings"]) - len(shown) - len(accepted)
    if informed:
        lines += ["", "  " + say("{count} more for information, in the report", count=informed)]
    lines += ["", f"  {_timing(record, say)}"]
    lines += ["  " + say("Way back: {text}", text=_one_line(say.of(record["way_back"], "text")))] if record["way_back"] else []
    lines += ["  " + say("Report: {path}", path=report)] if report else []
    return "\n".join(lines)


def _told(finding: Mapping[str, object], say: Speaker) -> str:
    return f"{finding['code']}: {_one_line(say.of(finding, 'message'))}"


def _timing(record: Record, say: Speaker) -> str:
    parts: List[str] = [say("{seconds:whole} in all", seconds=record["seconds"])]
    ran = {run: report_figures.times(record, run) for run in ("upgrade", "downgrade")}
    pending = [row for row in record["revisions"] if row["run"] == "upgrade"]
    if len(ran["upgrade"]) < len(pending):
        parts.append(say("the upgrade failed after {count} of {all:count revision|revisions}", count=len(ran["upgrade"]), all=len(pending)))
    elif ran["upgrade"]:
        parts.append(say("upgrade {seconds:seconds} ({count:count revision|revisions})", seconds=sum(ran["upgrade"]), count=len(ran["upgrade"])))
    if ran["downgrade"]:
        parts.append(say("way back {seconds:seconds} ({count:count revision|revisions})", seconds=sum(ran["downgrade"]), count=len(ran["downgrade"])))
    longest = record.get("longest_window")
    if longest:
        values = {"what": say.word(longest["what"]), "table": longest["table"], "seconds": longest["ms"] / 1000}
        parts.append(say("{what} of {table} blocked for {seconds:seconds} at a stretch", **values))
    return ", ".join(parts)


def summary_table(records: Sequence[Record], language: str = ENGLISH) -> str:
    """One line a rehearsal, with its dev host: several may rehearse one database."""
    say = Speaker(language)
    lines = [say("Rehearsed {count:count database|databases}:", count=len(records))]
    rows = [[say.word(record["verdict"]), _rehearsed(record, say), first(record, say.language)] for record in records]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines += [f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip() for row in rows]
    return "\n".join(lines)


def _rehearsed(record: Record, say: Speaker) -> str:
    return say("{source} on {host}", source=report_figures.source(record), host=record["copy"]["host"])


def first(record: Record, language: str = ENGLISH) -> str:
    """What matters most, in one line: the first finding, or how long it took."""
    say = Speaker(language)
    findings = [finding for finding in record["findings"] if finding["severity"] != "info"]
    return _told(findings[0], say) if findings else _timing(record, say)


def _one_line(text: str) -> str:
    return " ".join(text.split())
