"""What the renderers decide: which comes first, what is loud, what is folded, and that each figure is the record's."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    findings,
    html_compared,
    html_parts,
    html_tables,
    report_chart,
    report_figures,
    report_text,
    reports,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import Speaker
from markdown_it import MarkdownIt

sys.path.append(str(Path(__file__).parents[1]))

import report_records  # noqa: E402
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Change, Expectations  # noqa: E402
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge  # noqa: E402
from evidence_builder import good  # noqa: E402

SAY = Speaker()


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    return {"rich": report_records.rich(), "no_go": report_records.no_go(), "go": report_records.go()}


@pytest.fixture
def rich(kept: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(kept["rich"])


@pytest.fixture
def no_go(kept: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(kept["no_go"])


@pytest.fixture
def go(kept: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(kept["go"])


def part(record: dict[str, Any], name: str) -> str:
    """The HTML of one part; empty where there is none."""
    return next((str(content) for called, _heading, content in html_parts.parts(record, SAY) if called == name), "")


def cells(html: str) -> list[list[str]]:
    """The texts of the first table's rows."""
    body = re.search("<tbody>(.*?)</tbody>", html, re.DOTALL)
    rows = re.findall("<tr>(.*?)</tr>", body[1] if body else "", re.DOTALL)
    return [[re.sub("<[^>]+>", " ", cell).strip() for cell in re.findall("<td[^>]*>(.*?)</td>", row, re.DOTALL)] for row in rows]


def test_a_failed_upgrade_predicts_nothing_and_hides_no_revision() -> None:
    failed = report_records.failed()
    assert failed["verdict"] == "NO-GO"
    told = [row for row in failed["revisions"] if row["run"] == "upgrade"]
    assert [row["status"] for row in told] == ["ok", "ok", "failed", *["not run"] * 9]
    assert told[2]["statements"] == 1 and told[2]["seconds"] > 0 and told[3]["seconds"] is None
    assert (failed["downtime_ms"], failed["longest_window"], failed["deploy_plan"]) == (None, None, None)
    number = report_figures.downtime(failed, SAY)
    assert (number["value"], number["mood"]) == ("not measured", "unknown") and number["detail"].startswith("until the upgrade failed: ")
    shown = cells(part(failed, "revisions"))
    assert [" ".join(row[1].split()[1:3]) for row in shown[1:4]] == ["Change of", "failed Change", "not run"]
    assert shown[3][2] == shown[3][4] == shown[3][7] == "–"
    assert "12 pending revisions" in reports.render(failed, "html") and "predicted downtime, if nothing else" not in reports.render(failed, "html")
    assert "the upgrade failed after 2 of 12 revisions" in reports.render(failed, "text")
    markdown = reports.render(failed, "md")
    assert markdown.count("– **not run**") == 9 and markdown.count("**failed** |") == 1


def test_what_is_pending_is_told_where_it_is_known(go: dict[str, Any]) -> None:
    assert "1 pending revision" in reports.render(go, "html")
    assert "pending" not in reports.render(report_records.incomplete(), "html")


# The three numbers.


def test_each_verdict_has_its_sentence_and_its_colour(go: dict[str, Any]) -> None:
    said = set()
    for verdict, mood in (("GO", "good"), ("GO with warnings", "doubtful"), ("NO-GO", "bad"), ("INCOMPLETE", "unknown")):
        record = {**go, "verdict": verdict}
        sentence = report_figures.sentence(record, SAY)
        said.add(sentence)
        assert sentence.startswith("Do not deploy") == (verdict in ("NO-GO", "INCOMPLETE"))
        page = reports.render(record, "html")
        assert f'class="band {mood}"' in page and sentence in page
        assert ("this plan is not to be carried out" in page) == (verdict in ("NO-GO", "INCOMPLETE"))
        assert ("Deploy plan" in reports.render(record, "md")) == verdict.startswith("GO")
    assert len(said) == 4


def test_downtime_is_the_records_and_doubtful_over_the_budget(go: dict[str, Any], no_go: dict[str, Any]) -> None:
    assert report_figures.downtime(go, SAY)["mood"] == "good"
    told = report_figures.downtime(no_go, SAY)
    assert (told["value"], told["mood"]) == (SAY.duration(no_go["downtime_ms"]), "doubtful")
    over = [finding for finding in no_go["findings"] if finding["code"].startswith("lock-blocks")]
    over[0]["severity"] = "blocker"
    assert report_figures.downtime(no_go, SAY)["mood"] == "bad"
    over[0]["severity"] = "warning"
    assert told["detail"] == f"longest: reads and writes of {no_go['longest_window']['table']} wait {SAY.duration(no_go['longest_window']['ms'])}"
    no_go["longest_window"]["what"] = "writes"
    assert report_figures.downtime(no_go, SAY)["detail"].startswith("longest: writes of ")
    for finding in no_go["findings"]:
        finding["severity"] = "info" if finding["code"].startswith("lock-blocks") else finding["severity"]
    assert report_figures.downtime(no_go, SAY)["mood"] == "good"
    none = {**no_go, "longest_window": None, "downtime_ms": 0.0}
    assert report_figures.downtime(none, SAY)["value"] == "none"
    assert report_figures.downtime({**no_go, "downtime_ms": None}, SAY)["mood"] == "unknown"


def test_the_way_back_is_priced(rich: dict[str, Any], go: dict[str, Any]) -> None:
    assert (
        report_figures.way_back(rich, SAY)["mood"] == "doubtful" and "loses data of 1 table or column" in report_figures.way_back(rich, SAY)["detail"]
    )
    assert report_figures.way_back(go, SAY)["mood"] == "good"
    back = go["way_back"]
    assert report_figures.way_back({**go, "way_back": {**back, "loses": None}}, SAY)["mood"] == "unknown"
    broken = {**go, "findings": [{"code": "downgrade-failed", "severity": "blocker"}]}
    unmeasured = {**back, "downgrade_seconds": None}
    failed = report_figures.way_back({**broken, "way_back": unmeasured}, SAY)
    assert report_figures.way_back({**go, "way_back": unmeasured}, SAY)["mood"] == "unknown"
    assert failed["mood"] == "bad" and failed["detail"] == f"restoring the backup: {SAY.duration(back['restore_seconds'] * 1000)}"
    bare = report_figures.way_back({**go, "way_back": {**back, "downgrade_seconds": None, "restore_seconds": None}}, SAY)
    assert bare["detail"] == ""
    assert report_figures.way_back({**go, "way_back": None}, SAY)["mood"] == "unknown"


def test_existing_data_is_bad_where_a_change_was_not_declared(rich: dict[str, Any], go: dict[str, Any]) -> None:
    compared = rich["data_compared"]
    undeclared = [one for one in rich["findings"] if one["code"] in ("data-changed", "data-lost", "rows-changed", "data-not-compared")]
    assert report_figures.data_changed(rich, SAY) == {
        "title": "Existing data changed", "value": f"{len(undeclared)} undeclared changes", "mood": "bad",
        "detail": f"1 of them drops a table or column; {compared['values']:,} values in {compared['tables']} tables compared",
    }  # fmt: skip
    for finding in undeclared:
        finding.update(severity="info", advice="")
    assert (report_figures.data_changed(rich, SAY)["value"], report_figures.data_changed(rich, SAY)["mood"]) == ("3 declared changes", "good")
    # What a policy lets pass is not what somebody declared.
    undeclared[0]["advice"] = "Declare it."
    told = report_figures.data_changed(rich, SAY)
    assert (told["value"], told["mood"]) == ("3 changes: 2 declared, 1 accepted", "doubtful")
    assert report_figures.data_changed(go, SAY)["value"] == "none"
    assert report_figures.data_changed({**go, "data_compared": None}, SAY)["mood"] == "unknown"
    assert report_figures.data_changed({**go, "data_changes": {}}, SAY)["mood"] == "unknown"


def test_rows_that_were_counted_only_are_no_values_that_were_compared() -> None:
    evidence = good()
    for taken in evidence.fingerprints.values():
        taken["proof"] = taken["tables"]["shifts"]["proof"] = "counts"
    counted = judge(evidence)
    assert (counted["verdict"], counted["data_proof"]["after"]["asked"]) == ("GO with warnings", "counts")
    told = report_figures.data_changed(counted, SAY)
    assert (told["value"], told["mood"]) == ("no row gained or lost", "unknown")
    assert told["detail"] == "3 rows of 1 table counted; values were not compared"
    assert "everything was measured" not in report_figures.sentence(counted, SAY)


def test_the_checklist_counts_what_was_there_before(go: dict[str, Any]) -> None:
    evidence = good()
    prints, new = evidence.fingerprints, {"rows": 60, "key": None, "columns": {}, "proof": "full", "old_rows": 0, "files": []}
    for moment in ("before", "back"):
        prints[moment]["tables"]["gone"] = {**new, "rows": 5}
    for moment in ("after", "again"):
        prints[moment]["tables"]["made"] = new
    record = judge(evidence)
    (line,) = [line for line in judge(good())["checklist"] if line["item"] == "existing data undamaged"]
    assert line["detail"] == "3 rows of 1 table compared"
    assert record["data_compared"]["rows"] == 3
    (finding,) = [finding for finding in record["findings"] if finding["code"] == "data-lost"]
    evidence = dataclasses.replace(evidence, expectations=Expectations(changes={"gone": Change(kind="dropped")}))
    record = judge(evidence)
    (line,) = [line for line in record["checklist"] if line["item"] == "existing data undamaged"]
    assert line["detail"] == "3 rows of 1 table compared; 5 rows of 1 table dropped"
    # To declare it is no advice where it is declared.
    (declared,) = [finding for finding in record["findings"] if finding["code"] == "data-lost"]
    assert (declared["severity"], declared["advice"]) == ("info", "") and finding["advice"]
    assert "If it is intended" not in reports.render(record, "sarif").split('"results"')[1]
    assert "<article" in part(record, "findings") and "→" not in part(record, "findings")


# Findings.


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
    from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
    from ansible_collections.migrations.rehearsal.plugins.plugin_utils import expectations_file
    from evidence_builder import good

    wanted = "".join(f"    t{number}: {{}}\n" for number in range(30))
    evidence = good(expectations_file.parse(f"after_upgrade:\n  tables:\n{wanted}", "expectations.yml"))
    del evidence.snapshots["after"]
    messages = [finding["message"] for finding in judge(evidence)["findings"] if finding["code"] == "not-measured"]
    assert messages[0] == "the evidence lacks snapshot «after»"
    assert messages[-1].endswith("more like these; all are in the evidence")


# Revisions, who waits, the chart, statements.


def test_a_revisions_row_is_the_records(rich: dict[str, Any]) -> None:
    rows = cells(part(rich, "revisions"))
    told = [row for row in rich["revisions"] if row["run"] == "upgrade"]
    down = {row["revision"]: row for row in rich["revisions"] if row["run"] == "downgrade"}
    assert len(rows) == len(told) == 12
    for shown, row in zip(rows, told, strict=True):
        assert row["revision"] in shown[1] and row["message"] in shown[1] and row["file"] in shown[1]
        assert shown[2] == SAY.duration(row["seconds"] * 1000)
        assert shown[4:6] == [SAY.duration(row["blocked_reads_ms"]), SAY.duration(row["blocked_writes_ms"])]
        assert shown[7:9] == [SAY.number(row["rows"]), SAY.size(row["wal_bytes"])]
        assert shown[9] == SAY.duration(down[row["revision"]]["seconds"] * 1000)
    assert any("(type)" in shown[6] for shown in rows)
    assert "(тип)" in reports.render(rich, "html", "ru") and "(type)" not in reports.render(rich, "html", "ru")
    rich["revisions"] = [row for row in rich["revisions"] if row["run"] != "downgrade"]
    assert {shown[9] for shown in cells(part(rich, "revisions"))} == {"–"}


def test_locks_that_keep_nobody_waiting_are_not_told() -> None:
    row = {"locks": {"b": "Share", "a": "AccessExclusive", "c": "ShareUpdateExclusive", "d": "AccessExclusive"}}
    assert report_figures.telling_locks(row) == ["a AccessExclusive", "d AccessExclusive", "b Share"]


def test_every_table_that_waits_has_its_row_and_its_lane(rich: dict[str, Any]) -> None:
    run = rich["timelines"]["upgrade"]
    rows = cells(part(rich, "waits"))
    assert [(row[0], row[1]) for row in rows] == [(one["table"], what) for one in run["tables"] for what in ("reads", "writes") if what in one]
    first = run["tables"][0]["reads"]
    assert rows[0][2:5] == [SAY.duration(first[key]) for key in ("longest_ms", "total_ms", "other_mode_ms")]
    chart = str(report_chart.timeline(rich, SAY))
    assert [chart.count(f'class="{what}"') >= sum(len(one[what]["windows"]) for one in run["tables"] if what in one) for what in ("reads", "writes")]
    assert sorted(re.findall(r'class="table">([^<]+)<', chart)) == sorted(one["table"] for one in run["tables"])
    run["tables_left_out"] = 3
    assert "3 more tables in the evidence" in part(rich, "waits")


def test_who_took_and_kept_the_longest_window_is_told_with_the_statement(rich: dict[str, Any]) -> None:
    entry = rich["timelines"]["upgrade"]["tables"][0]["reads"]

    def window(name: str) -> dict[str, Any]:
        return {"took": [{"revision": "r1", "sql": f"ALTER {name}"}], "kept": [{"revision": "r2", "sql": f"UPDATE {name}", "ms": 41.0}]}

    entry.update(windows=[[0.0, 5.0], [10.0, 60.0], [70.0, 71.0]], longest_ms=50.0, owners=[window("first"), window("longest"), window("last")])
    row = cells(part(rich, "waits"))[0]
    assert "ALTER longest" in row[5] and "UPDATE longest" in row[6] and "41 ms" in row[6]
    assert not [name for name in ("first", "last") if name in " ".join(row)]
    # It is not among those that the record tells one by one.
    entry["longest_ms"] = 900.0
    assert "ALTER" not in " ".join(cells(part(rich, "waits"))[0])


def test_statements_are_told_with_their_figures(rich: dict[str, Any]) -> None:
    folded = rich["statements"]["upgrade"]
    rows = cells(part(rich, "statements"))
    assert [row[1] for row in rows] == [SAY.number(entry["calls"]) for entry in folded["statements"]]
    assert [row[2:5] for row in rows] == [[SAY.duration(entry[key]) for key in ("total_ms", "max_ms", "mean_ms")] for entry in folded["statements"]]
    entry = {"histogram": [1, 0, 4], "sql": ""}
    picture = str(report_chart.histogram(entry, [1.0, 10.0], SAY))
    assert "up to 1 ms: 1, above 10 ms: 4" in picture and picture.count("<rect") == 2
    assert re.findall(r'height="(\d+)" class="bar"', picture) == ["4", "18"]
    long = html_tables.sql("x" * 161)
    assert long.startswith("<details>") and not html_tables.sql("x" * 160).startswith("<details>")


# Tables.


def test_long_lists_and_long_tables_fold() -> None:
    assert "<details>" not in html_tables.short_list(list("abcd"), SAY)
    folded = html_tables.short_list(list("abcde"), SAY)
    assert folded.index("<code>c</code>") < folded.index("and 2 more") < folded.index("<code>d</code>")
    column = [html_tables.Column("x")]
    assert "<input" not in html_tables.table("t", column, [("a",)] * 7, SAY)
    assert "<input" in html_tables.table("t", column, [("a",)] * 8, SAY)
    assert html_tables.table("t", column, [], SAY) == ""
    plain, numeric, wide = (html_tables.table("t", [one], [("a",)], SAY) for one in (
        html_tables.Column("x"), html_tables.Column("x", numeric=True), html_tables.Column("x", wide=True)
    ))  # fmt: skip
    assert ["class" in page.partition("<td")[2].partition(">")[0] for page in (plain, numeric, wide)] == [False, True, True]
    assert 'data-fold="20"' in html_tables.table("t", column, [("a",)], SAY)


def test_a_row_of_many_cells_says_on_a_phone_what_they_are() -> None:
    wide = html_tables.table("t", [html_tables.Column(name) for name in ("a", "b", "", "d")], [("1", html_tables.Cell(2, 2), "3", "4")], SAY)
    assert '<table class="cards">' in wide
    assert re.findall("<td[^>]*>", wide) == ['<td data-label="a">', '<td data-order="2" data-label="b">', "<td>", '<td data-label="d">']
    assert "data-label" not in html_tables.table("t", [html_tables.Column(name) for name in "ab"], [("1", "2")], SAY)


# Data.


def test_what_happens_to_data_that_was_there_comes_first() -> None:
    changes = [{"kind": kind, "object": thing} for kind, thing in (
        ("column-added", "t.a"), ("rows-lost", "u"), ("column-not-comparable", "u.x"), ("column-not-comparable", "v.x"), ("table-dropped", "w"),
    )]  # fmt: skip
    assert [change["object"] for change in report_figures.telling_changes(changes)] == ["u", "v.x", "w", "t.a"]
    assert report_figures.kind(changes[2], SAY) == "column not comparable" and report_figures.kind(changes[1], Speaker("ru")) == "строки пропали"


# What was compared on top.


def test_parts_are_there_only_where_something_was_measured(rich: dict[str, Any], go: dict[str, Any]) -> None:
    for name in ("squawk", "models", "drift", "stairway"):
        assert part(rich, name), name
        assert name not in [called for called, _heading, _content in html_parts.parts(go, SAY)]


def test_squawks_claims_are_told_with_their_answers(rich: dict[str, Any]) -> None:
    rows = cells(part(rich, "squawk"))
    assert [(row[0], row[1]) for row in rows] == [
        ("confirmed", "adding-not-nullable-field"), ("not measured", "require-statement-timeout"), ("not measured", "ban-drop-column"),
        ("refuted", "changing-column-type"),
    ]  # fmt: skip
    assert "<strong>confirmed</strong>" in part(rich, "squawk") and "confirmed: 1 · refuted: 1 · not measured: 2" in part(rich, "squawk")
    assert "it could not read 1 of them" in part(rich, "squawk")
    rich["squawk"]["claims"][0]["matters"] = False
    harmless = [row for row in cells(part(rich, "squawk")) if row[0].startswith("confirmed")]
    assert harmless and "harmless here" in harmless[0][0] and "<strong>confirmed" not in part(rich, "squawk")
    rich["squawk"].update(claims=[], not_read=0)
    assert "It claims nothing." in part(rich, "squawk") and "could not read" not in part(rich, "squawk")
    rich["squawk"].update(status="missing", reason="not there")
    assert html_compared.squawk_note(rich, SAY) == "It did not look: not there."


def test_drift_says_what_the_upgrade_touches(rich: dict[str, Any]) -> None:
    changes = rich["drift"]["changes"]
    assert [row[0] for row in cells(part(rich, "drift"))] == [change["object"] for change in changes]
    assert {row[3] for row in cells(part(rich, "drift"))} == {"yes"}
    changes.append({**changes[0], "object": "elsewhere", "table": None})
    changes.append({**changes[0], "object": "alembic_version", "table": None})
    rows = cells(part(rich, "drift"))
    assert (rows[-1][0], rows[-1][3]) == ("elsewhere", "no")
    rich["drift"]["changes"] = []
    assert "Production is exactly what its revision says." in part(rich, "drift") and "7 revisions were run from nothing up to a1" in part(
        rich, "drift"
    )
    rich["drift"]["reason"] = "no way"
    assert "could not be measured: no way" in part(rich, "drift")


def test_models_tell_first_what_the_copy_lacks(rich: dict[str, Any]) -> None:
    rows = cells(part(rich, "models"))
    assert [row[0] for row in rows] == ["t001", "t002", "t003"] and rows[2][1] == "only in the database"
    assert "compare_server_default is off" in part(rich, "models") and "compare_type is off" not in part(rich, "models")
    (one,) = rich["models"]["databases"]
    one["differences"].reverse()
    assert [row[0] for row in cells(part(rich, "models"))] == ["t001", "t002", "t003"]
    one["differences"] = []
    assert "The models are what the migrations make." in part(rich, "models")
    one["reason"] = "env.py names no models"
    page = part(rich, "models")
    assert "were not compared: env.py names no models" in page and "are what the migrations make" not in page and "alembic check" not in page


def test_the_stairway_tells_each_step(rich: dict[str, Any]) -> None:
    rows = cells(part(rich, "stairway"))
    assert [row[2:5] for row in rows] == [["200 ms"] * 3, ["200 ms"] * 3, ["200 ms", "failed", "not tried"]]
    assert "Deadline: not finished within 5 s" in rows[2][5] and "down:" in rows[0][5]
    many = len(rich["stairway"]["steps"][1]["down"]["data"])
    assert many > 4 and f"and {many - 3} more" in rows[1][5] and "more" not in rows[0][5]
    page = part(rich, "stairway")
    assert "It ended before the last revision" in page and "2 revisions were taken up, down and up again" in page
    change = {"object": "t", "kind": "added", "text": "t is another"}
    rich["stairway"].update(complete=True, end=[change])
    page = part(rich, "stairway")
    assert "It ended before" not in page and "in another schema than all at once" in page and "t is another" in page
    rich["stairway"].update(complete=False, end=None, error="x y z")
    page = part(rich, "stairway")
    assert "failed: x y z" in page and "It ended before" not in page


# Expectations, facts, clean-up.


def test_what_is_not_met_comes_first(rich: dict[str, Any]) -> None:
    met = [check["ok"] for check in rich["expectations"]]
    assert met == [True, False]
    assert [row[0] for row in cells(part(rich, "expectations"))] == ["✘", "✔"]
    rich["expectations"].append({**rich["expectations"][0], "stage": "back"})
    assert [row[1] for row in cells(part(rich, "expectations"))] == ["upgrade", "upgrade", "back"]
    assert "| back | " in reports.render({**rich, "expectations": [{**rich["expectations"][0], "stage": "back", "ok": False}]}, "md")
    rich["expectations"].pop()
    assert "1 of 2 expectations met" in part(rich, "expectations")
    assert "No expectations file was given" in part({**rich, "expectations": []}, "expectations")


def test_facts_that_differ_are_marked_and_sizes_are_not(rich: dict[str, Any]) -> None:
    rich["copy"].update(encoding="LATIN1", size_bytes=1)
    differs = {row["name"] for row in report_figures.fact_rows(rich, SAY) if row["differs"]}
    assert "encoding" in differs and "size" not in differs and "PostgreSQL" not in differs
    assert part(rich, "confidence").count("<strong>differs</strong>") == len(differs)
    del rich["copy"]["encoding"]
    assert "encoding" not in {row["name"] for row in report_figures.fact_rows(rich, SAY) if row["differs"]}


def test_every_weakness_is_told_once(rich: dict[str, Any], go: dict[str, Any]) -> None:
    said = report_figures.weaknesses(rich, SAY)
    assert "shop: time zone is Europe/Moscow on the copy, UTC on production" in said
    assert any("trigger shifts.tell" in line for line in said) and any("work_mem of role app" in line for line in said)
    assert len(said) == len(set(said)) and all(
        f"<li>{line}</li>".replace("'", "&#39;") in part(rich, "confidence") for line in said if '"' not in line
    )
    go["copy"].update(proved_by="fingerprint", differences=[], stopped=[])
    go["findings"] = []
    assert report_figures.weaknesses(go, SAY) == []
    assert "Nothing is known that makes the verdict less certain." in part(go, "confidence")
    go["copy"].update(proved_by="counts", missing_roles=["reader"])
    go["data_proof"]["after"]["asked"] = "counts"
    assert len(report_figures.weaknesses(go, SAY)) == 3


def test_clean_up_is_told_for_each_side(rich: dict[str, Any]) -> None:
    kept = {"removed": [], "left": [], "copy": "kept"}
    assert html_parts.clean_up_lines({"dev": kept, "production": None}, SAY) == [
        "dev: removed nothing; a look afterwards found nothing; the copy is kept until it expires",
        "production: nothing was made there, or clean-up is not proven (see the findings)",
    ]
    assert "still there: database rehearsal_x" in part(rich, "stages")


def test_a_stage_tells_its_summary_or_its_error() -> None:
    assert html_parts.stage_note({"summary": "done", "error": None}, SAY) == "done"
    assert html_parts.stage_note({"summary": None, "error": "broken"}, SAY) == "broken"
    assert html_parts.stage_note({"summary": None, "error": None}, SAY) == ""


def test_commands_can_be_copied_into_a_shell() -> None:
    command = ["python", "-m", "alembic", "-x", "db=…", "a b"]
    step = {"environment": {"PGOPTIONS": "-c lock_timeout=5s"}, "command": command, "input": None, "output": None}
    assert html_parts.command_line(step) == "PGOPTIONS='-c lock_timeout=5s' python -m alembic -x db=… 'a b'"


# The other formats.


def test_one_of_several_is_said_rightly(go: dict[str, Any], no_go: dict[str, Any]) -> None:
    assert report_text.summary_table([go]).splitlines()[0] == "Rehearsed 1 database:"
    shown = report_text.summary_table([go, no_go]).splitlines()
    assert shown[0] == "Rehearsed 2 databases:" and shown[1].startswith("  GO     ") and shown[2].startswith("  NO-GO  ")
    assert "(1 revision)" in report_text.verdict_block(go, "x") and "(1 revisions)" not in report_text.verdict_block(go, "x")
    first = next(finding for finding in no_go["findings"] if finding["severity"] == "blocker")
    assert report_text.first(no_go).startswith(f"{first['code']}: ")
    assert "in all" in report_text.first(go)


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


# What comes first.


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


def test_junit_has_a_red_case_for_what_is_red(rich: dict[str, Any]) -> None:
    root = ElementTree.fromstring(reports.render(rich, "junit"))
    missed = root.find("testsuite[@name='rehearsal.expectations']/testcase/failure")
    assert missed is not None and missed.get("message") == "measured no table nowhere, expected present"
    for finding in rich["findings"]:
        finding["severity"] = "warning" if finding["code"] == "expectation-not-met" else finding["severity"]
    root = ElementTree.fromstring(reports.render(rich, "junit"))
    assert root.find("testsuite[@name='rehearsal.expectations']/testcase/failure") is None
    assert root.find("testsuite[@name='rehearsal.expectations']/testcase/skipped") is not None
    (case,) = [one for one in root.iter("testcase") if str(one.get("name")).startswith("expectation-not-met:")]
    assert "table nowhere" in str(case.findtext("system-out"))
    checklist = {case.get("name"): case.find("failure") is not None for case in root.iterfind("testsuite[@name='rehearsal.checklist']/testcase")}
    assert checklist == {line["item"]: line["status"] == "failed" for line in rich["checklist"]}


def test_sarif_leads_to_the_line_and_knows_what_is_accepted(rich: dict[str, Any]) -> None:
    finding = rich["findings"][0]
    finding.update(file="versions/a b.py", line=7, accepted={"reason": "known", "until": "2027-01-01", "severity": "warning", "expired": False})
    (run,) = json.loads(reports.render(rich, "sarif"))["runs"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("versions/a%20b.py", 7)
    assert run["results"][0]["suppressions"][0]["status"] == "accepted"
    assert run["invocations"][0]["executionSuccessful"] is True
    finding["accepted"]["expired"] = True
    finding["file"] = "/opt/versions/a.py"
    del finding["line"]
    result = json.loads(reports.render({**rich, "verdict": "INCOMPLETE"}, "sarif"))["runs"][0]
    assert "suppressions" not in result["results"][0] and result["invocations"][0]["executionSuccessful"] is False
    place = result["results"][0]["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"], place["region"]["startLine"]) == ({"uri": "file:///opt/versions/a.py"}, 1)


def test_schema_changes_that_wait_longer_than_traffic_are_told_and_so_are_sizes(rich: dict[str, Any]) -> None:
    rich = json.loads(json.dumps(rich))
    run = rich["timelines"]["upgrade"]
    waiting = {**run["tables"][0]["writes"], "longest_ms": 5000.0, "total_ms": 5000.0}
    run["ddl"] = [{"table": "only_written", **waiting}, {"table": "briefly", **waiting, "longest_ms": 1000.0}]
    run["objects"]["sizes"] = [{"table": "new_one", "before_bytes": None, "after_bytes": 8192},
                               {"table": "gone", "before_bytes": 3_000_000, "after_bytes": None}]  # fmt: skip
    rows = report_figures.waiting_rows(rich)
    assert [(table, what) for table, what, _entry in rows if what == "schema changes"] == [("only_written", "schema changes")]
    page, markdown = part(rich, "waits"), reports.render(rich, "md")
    assert "only_written" in page and "schema changes" in page and "briefly" not in page
    assert "| only_written | schema changes | 5 s | 5 s |" in markdown
    sizes = part(rich, "sizes")
    assert "new_one" in sizes and "−3 MB" in sizes
    assert "| gone | 3 MB | – |" in markdown
