"""The figures at the head of a report, and how certain they are: each is the record's, and is loud where it should be."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import report_figures, reports
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import Speaker

sys.path.append(str(Path(__file__).parents[1]))

import report_records  # noqa: E402
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Change, Expectations  # noqa: E402
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge  # noqa: E402
from evidence_builder import good  # noqa: E402
from report_reading import SAY, cells, part  # noqa: E402


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


def test_what_happens_to_data_that_was_there_comes_first() -> None:
    changes = [{"kind": kind, "object": thing} for kind, thing in (
        ("column-added", "t.a"), ("rows-lost", "u"), ("column-not-comparable", "u.x"), ("column-not-comparable", "v.x"), ("table-dropped", "w"),
    )]  # fmt: skip
    assert [change["object"] for change in report_figures.telling_changes(changes)] == ["u", "v.x", "w", "t.a"]
    assert report_figures.kind(changes[2], SAY) == "column not comparable" and report_figures.kind(changes[1], Speaker("ru")) == "строки пропали"


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
