"""Findings in a report: which comes first, what is loud, what is folded, and what is said once."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import findings, report_figures, report_text, reports

sys.path.append(str(Path(__file__).parents[1]))

import report_records  # noqa: E402
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge  # noqa: E402
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import expectations_file  # noqa: E402
from evidence_builder import good  # noqa: E402
from report_reading import SAY, part  # noqa: E402


@pytest.mark.parametrize("name", ["html", "md", "text"])
def test_blockers_come_before_warnings_and_those_before_information(rich: dict[str, Any], name: str) -> None:
    page = part(rich, "findings") if name == "html" else reports.render(rich, name)
    loud = [finding for finding in rich["findings"] if finding["severity"] != "info"]
    assert {finding["severity"] for finding in loud} == {"blocker", "warning"}
    plain = page.replace("&#39;", "'").replace("&amp;", "&").replace("\\", "")
    places = [plain.find(finding["message"].splitlines()[0]) for finding in loud if "«" not in finding["message"] and "`" not in finding["message"]]
    assert -1 not in places and len(places) > 20
    severities = [finding["severity"] for finding in loud]
    assert severities == sorted(severities)
    if name == "html":
        page = page.replace("<details><summary>and ", "")
        quiet = [finding for finding in rich["findings"] if finding["severity"] == "info"]
        folded = page[page.index("<details>") :]
        assert f"{len(quiet)} more findings for information" in folded and folded.count('class="message"') == len(quiet)
        for severity in ("blocker", "warning"):
            articles = re.findall(f'<article class="finding {severity}">(.*?)</article>', page, re.DOTALL)
            assert "".join(articles).count('class="message"') == severities.count(severity)
            assert len(articles) == len({finding["code"] for finding in loud if finding["severity"] == severity})


def test_what_was_accepted_stays_in_sight(go: dict[str, Any]) -> None:
    finding = {"code": "json-not-jsonb", "severity": "info", "stage": "structure", "object": "t.x", "message": "as it is", "advice": "Use jsonb."}
    entry = {"reason": "known", "until": "2027-01-01", "severity": "warning", "expired": False}
    go["findings"] = [finding, {**finding, "object": "t.y", "accepted": entry}]
    page = part(go, "findings")
    assert page.index("accepted until 2027-01-01: known") < page.index("<details>") < page.rindex("as it is")
    assert "1 more finding for information" in page
    text = report_text.verdict_block(go, "report.html")
    assert "ACCEPTED json-not-jsonb: as it is" in text and "1 more for information" in text
    go["findings"][1]["accepted"] = {**entry, "expired": True}
    assert "was accepted, which ended on 2027-01-01" in part(go, "findings")
    go["findings"] = []
    assert part(go, "findings") == "<p>Nothing was found.</p>"
    go["findings"] = [finding]
    assert "No blocker and no warning." in part(go, "findings")


def test_a_finding_tells_where_it_comes_from() -> None:
    assert report_figures.where({"file": "versions/a.py", "line": 12}) == "versions/a.py:12"
    assert report_figures.where({"file": "versions/a.py"}) == "versions/a.py"
    assert report_figures.where({"line": 12}) is None


def test_the_more_telling_of_what_was_not_measured_comes_first(go: dict[str, Any]) -> None:
    wanted = "".join(f"    t{number}: {{}}\n" for number in range(30))
    evidence = good(expectations_file.parse(f"after_upgrade:\n  tables:\n{wanted}", "expectations.yml"))
    del evidence.snapshots["after"]
    messages = [finding["message"] for finding in judge(evidence)["findings"] if finding["code"] == "not-measured"]
    assert messages[0] == "the evidence lacks snapshot «after»"
    assert messages[-1].endswith("more like these; all are in the evidence")


def test_what_people_fear_comes_first_and_what_was_not_measured_last() -> None:
    assert sorted(["lock-blocks-reads", "not-measured", "again-differs", "data-changed", "orphans", "migration-failed"], key=findings.rank) == [
        "migration-failed", "data-changed", "orphans", "again-differs", "lock-blocks-reads", "not-measured",
    ]  # fmt: skip
    record = report_records.rich()
    assert record["findings"][0]["code"] == "data-changed"
    codes = [finding["code"] for finding in record["findings"] if finding["severity"] == "blocker"]
    assert codes == sorted(codes, key=findings.rank)


def test_the_reason_stands_beside_the_verdict(rich: dict[str, Any], go: dict[str, Any]) -> None:
    blockers = sum(finding["severity"] == "blocker" for finding in rich["findings"])
    said = report_figures.reason(rich, SAY)
    assert said.startswith("Existing values changed unexpectedly: shifts.rate ") and said.endswith(f"and {blockers - 1} more blockers")
    assert report_figures.reason(go, SAY) == ""
    rich["findings"] = [{**rich["findings"][0], "message": "x" * 400, "said": {}}]
    assert len(report_figures.reason(rich, SAY)) < 230 and report_figures.reason(rich, SAY).endswith("x…")
    assert report_figures.reason(rich, SAY) in reports.render(rich, "md")


def test_what_is_to_be_done_is_said_once_for_findings_of_one_code(rich: dict[str, Any]) -> None:
    again = [finding for finding in rich["findings"] if finding["code"] == "again-differs"]
    assert len(again) > 3
    for name in ("md", "text"):
        shown = reports.render(rich, name)
        assert shown.count(again[0]["advice"]) == 1
        assert all(finding["message"].replace("_", "") in shown.replace("_", "") for finding in again)


def test_what_was_not_measured_says_so(go: dict[str, Any]) -> None:
    go["checklist"][0].update(status="not measured", detail="", said={})
    for name in ("html", "md", "text"):
        assert "not measured" in reports.render(go, name), name
