"""The choice of the way back, in figures and in one sentence."""

from __future__ import annotations

import dataclasses
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import report_markdown, report_text
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import Evidence
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Expectations
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from evidence_builder import fingerprint, good, stage


def back(evidence: Evidence) -> dict[str, Any]:
    found = judge(evidence)["way_back"]
    assert isinstance(found, dict)
    return found


def with_prints(**prints: dict[str, Any]) -> Evidence:
    evidence = good()
    return dataclasses.replace(evidence, fingerprints={**evidence.fingerprints, **prints})


def noted(values: int) -> dict[str, Any]:
    """After the upgrade: column note holds this many values."""
    found = fingerprint(note="5")
    found["tables"]["shifts"]["columns"]["note"]["non_null"] = values
    return found


def test_both_ways_are_told_with_time_and_price() -> None:
    found = back(with_prints(after=noted(2), again=noted(2)))
    assert (found["downgrade_seconds"], found["restore_seconds"], found["loses"]) == (0.003, 2.0, [])
    assert [(one["object"], one["count"], one["unit"]) for one in found["goes_with_it"]] == [("shifts.note", 2, "values")]
    assert found["text"] == (
        "downgrade takes 3 ms and loses nothing that was there before, only what is in shifts.note by then (now 2 values in shifts.note); "
        "restore takes 2 s (as measured on dev) and loses what was written since the backup"
    )


def test_new_columns_count_before_anything_is_in_them() -> None:
    assert "only what is in shifts.note by then (nothing now);" in back(with_prints(after=noted(0), again=noted(0)))["text"]


def test_a_new_table_goes_with_the_way_back() -> None:
    after = noted(0)
    after["tables"]["visits"] = {**fingerprint()["tables"]["shifts"], "rows": 7}
    found = back(with_prints(after=after, again=after))
    assert [(one["object"], one["count"], one["unit"]) for one in found["goes_with_it"]] == [("shifts.note", 0, "values"), ("visits", 7, "rows")]
    assert "only what is in the 2 tables and columns that it drops by then (now 7 rows of visits);" in found["text"]


def test_what_was_there_before_and_is_lost_is_counted() -> None:
    fewer = fingerprint(1)
    fewer["tables"]["shifts"]["old_rows"] = 1
    found = back(with_prints(back=fewer))
    assert [(one["object"], one["count"], one["unit"]) for one in found["loses"]] == [("shifts", 2, "rows")]
    assert "downgrade takes 3 ms and loses 2 rows of shifts" in found["text"]
    changed = back(with_prints(back=fingerprint(rate="77")))
    assert "loses at most 3 values in shifts.rate" in changed["text"]
    emptier = fingerprint(rate="77")
    emptier["tables"]["shifts"]["columns"]["rate"]["non_null"] = 1
    assert "loses at most 3 values in shifts.rate" in back(with_prints(back=emptier))["text"], "two of them are NULL now"


def test_a_downgrade_that_was_not_measured_is_not_praised() -> None:
    evidence = good()
    kept = {run: events for run, events in evidence.migrations.items() if run == "upgrade"}
    failed = dataclasses.replace(evidence, migrations=kept, stages=[*evidence.stages, stage("downgrade", status="failed", error="x")])
    assert back(failed)["text"].startswith("the downgrade fails; restore takes 2 s")
    assert back(dataclasses.replace(evidence, migrations=kept))["text"].startswith("the downgrade was not measured; ")
    cut = {**evidence.migrations, "downgrade": [event for event in evidence.migrations["downgrade"] if event["event"] != "done"]}
    assert back(dataclasses.replace(evidence, migrations=cut))["downgrade_seconds"] is None


def test_what_was_not_compared_is_not_called_nothing() -> None:
    prints = {moment: one for moment, one in good().fingerprints.items() if moment != "back"}
    assert "and loses what was not compared" in back(good(fingerprints=prints))["text"]


def test_a_shorter_way_back_is_not_held_against_before() -> None:
    found = back(good(Expectations(downgrade_to="-1"), application={"heads": ["b2"], "current": ["a0"]}))
    assert found["loses"] is None
    assert "(to -1, as asked for; what it loses was not compared)" in found["text"]


def test_nothing_was_measured_nothing_is_said() -> None:
    evidence = good(migrations={}, stages=[stage("preflight", status="failed", error="x")])
    record = judge(evidence)
    assert record["way_back"] is None
    assert "way back" not in report_text.verdict_block(record, "r").lower()


def test_both_reports_print_the_choice() -> None:
    record = judge(good())
    sentence = record["way_back"]["text"]
    assert f"Way back: {sentence}" in report_text.verdict_block(record, "r")
    assert f"## The way back\n\n{sentence}" in report_markdown.markdown(record)
