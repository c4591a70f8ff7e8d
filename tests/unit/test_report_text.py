"""The verdict in a terminal: right in number, and no name is obeyed."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import report_markdown, report_text

sys.path.append(str(Path(__file__).parents[1]))

import report_records  # noqa: E402
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge  # noqa: E402
from evidence_builder import good, shifts, snapshot, spoil  # noqa: E402
from snapshot_builder import column  # noqa: E402


def test_one_of_several_is_said_rightly(go: dict[str, Any], no_go: dict[str, Any]) -> None:
    assert report_text.summary_table([go]).splitlines()[0] == "Rehearsed 1 database:"
    shown = report_text.summary_table([go, no_go]).splitlines()
    assert shown[0] == "Rehearsed 2 databases:" and shown[1].startswith("  GO     ") and shown[2].startswith("  NO-GO  ")
    assert "(1 revision)" in report_text.verdict_block(go, "x") and "(1 revisions)" not in report_text.verdict_block(go, "x")
    first = next(finding for finding in no_go["findings"] if finding["severity"] == "blocker")
    assert report_text.first(no_go).startswith(f"{first['code']}: ")
    assert "in all" in report_text.first(go)


def test_a_terminal_obeys_no_name() -> None:
    record = report_records.hostile()
    for finding in record["findings"]:
        finding["message"] += " \x1b[2J\r\n\t\x9b1m"
        finding.pop("said", None)
    record["production"]["database"] = "a\x1b]0;b\x07\nGO"
    shown = report_text.verdict_block(record, "report.html") + report_text.summary_table([record]) + report_text.first(record)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)
    assert not [line for line in shown.splitlines() if line.startswith("GO")]
    # The two blanks between the verdict, the database and the rehearsal are ours.
    assert re.match(r"NO-GO  \S", shown)


def test_reports_say_verdict_checklist_findings_and_path() -> None:
    record = judge(spoil(good(), "snapshots", "back", snapshot(shifts(other=column("text")))))
    block = report_text.verdict_block(record, "/r/report.md")
    assert block.startswith("NO-GO  prod1/shop")
    assert "BLOCKER downgrade-leaves-trace: column shifts.other added: text" in block
    assert block.endswith("Report: /r/report.md")
    text = report_markdown.markdown(record)
    assert text.startswith("# NO-GO: prod1/shop\n")
    assert text.index("## Checklist") < text.index("## Blockers") < text.index("## Revisions") < text.index("<b>Clean-up</b>")


def test_the_summary_has_one_line_a_database() -> None:
    records = [judge(good()), judge(spoil(good(), "cleanup", "dev", None))]
    lines = report_text.summary_table(records).splitlines()
    assert len(lines) == 3
    assert lines[1].split()[0] == "GO"
    assert "left-behind" in lines[2]
