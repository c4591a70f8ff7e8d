"""The report in Markdown: short enough for a comment, and whole in its syntax whatever the names are."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import report_markdown, reports
from markdown_it import MarkdownIt

sys.path.append(str(Path(__file__).parents[1]))

import report_records  # noqa: E402
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge  # noqa: E402
from evidence_builder import good, stage  # noqa: E402


def test_markdown_is_short_and_says_what_it_leaves_out() -> None:
    record = report_records.large(60, 50, 900.0)
    shown = reports.render(record, "md")
    revisions = shown[shown.index("## Revisions") :]
    assert len(re.findall(r"^\| `r\d+`", revisions, re.MULTILINE)) == 30 and "and 30 more" in revisions
    changes = shown[shown.index("What the upgrade does to the schema") :]
    assert changes[: changes.index("</details>")].count("\n- ") == 41 and "and 10 more" in changes


def rendered(text: str) -> str:
    """HTML, as GitHub and GitLab make it: CommonMark with tables."""
    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


@pytest.mark.parametrize("language", ["en", "ru"])
def test_markdown_is_short_enough_for_a_comment_whatever_happened(language: str) -> None:
    shown = reports.render(report_records.large(), "md", language)
    assert len(shown) <= 65_536 and len(report_records.large()["revisions"]) >= 400
    assert ("Left out here" if language == "en" else "Здесь опущено") in shown
    page = rendered(shown)
    assert page.count("<details>") == page.count("</details>") >= 3


def test_markdown_is_cut_where_even_its_first_parts_are_too_long(rich: dict[str, Any]) -> None:
    for finding in rich["findings"]:
        finding["message"] = "long " * 1000
        finding.pop("said", None)
    shown = reports.render(rich, "md")
    assert len(shown) <= 65_536 and "\n…\n" in shown and shown.rstrip().endswith("in all.")
    assert "Way back" in shown and "## Blockers" in shown and "<details>" not in shown


def test_markdown_renders(rich: dict[str, Any]) -> None:
    page = rendered(reports.render(rich, "md"))
    heads = [len(re.findall("<th", head)) for head in re.findall("<thead>(.*?)</thead>", page, re.DOTALL)]
    bodies = [re.findall("<tr>(.*?)</tr>", body, re.DOTALL) for body in re.findall("<tbody>(.*?)</tbody>", page, re.DOTALL)]
    # Every row of every table has its cells: the numbers, revisions, who waits, squawk, expectations, facts, stages.
    assert len(heads) == len(bodies) == 7
    assert all(len(re.findall("<td", row)) == cells for cells, rows in zip(heads, bodies, strict=True) for row in rows)
    assert len(bodies[1]) == 12
    assert page.count("<summary>") == page.count("<details>") == page.count("</details>") >= 8
    # Nothing of its syntax is left over.
    text = re.sub("<(pre|code).*?</\\1>|<[^>]+>", "", page, flags=re.DOTALL)
    assert "**" not in text and "| ---" not in text and "## " not in text


def test_names_that_mean_harm_break_no_row_of_markdown() -> None:
    page = rendered(reports.render(report_records.hostile(), "md"))
    plain = rendered(reports.render(report_records.no_go(), "md"))
    assert "<img" not in page and "<script" not in page and "</script" not in page and "<a " not in page
    for element in ("table", "tr", "td", "details", "summary"):
        assert page.count(f"<{element}>") == plain.count(f"<{element}>"), element


def test_a_pipe_in_a_message_does_not_break_a_table() -> None:
    evidence = good()
    stages = [*evidence.stages, stage("upgrade", status="failed", error="a | b\nc")]
    assert "a \\| b c |" in report_markdown.markdown(judge(dataclasses.replace(evidence, stages=stages)))
