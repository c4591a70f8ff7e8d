"""What the way back leaves behind or loses, and what a second upgrade makes otherwise."""

from __future__ import annotations

import dataclasses
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import judge_data
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Policy
from ansible_collections.migrations.rehearsal.plugins.module_utils.verdict import GO, GO_WITH_WARNINGS, NO_GO
from evidence_builder import codes, expecting, fingerprint, good, shifts, snapshot, spoil
from snapshot_builder import column


def test_a_way_back_that_leaves_something_is_no_go() -> None:
    record = judge(spoil(good(), "snapshots", "back", snapshot(shifts(other=column("text")))))
    assert (record["verdict"], codes(record)) == (NO_GO, ["downgrade-leaves-trace"])
    assert record["checklist"][5]["status"] == "failed"


def test_a_way_back_that_undoes_nothing_is_told_once() -> None:
    made = snapshot(shifts(note=column("text"), other=column("text")))
    evidence = spoil(spoil(spoil(good(), "snapshots", "back", made), "snapshots", "after", made), "snapshots", "again", made)
    record = judge(evidence)
    assert (record["verdict"], codes(record)) == (NO_GO, ["downgrade-noop"])
    assert record["findings"][0]["message"] == (
        "1 revision was taken back, and of 2 changes of the schema none was undone: column shifts.note added: text and 1 more"
    )
    assert record["checklist"][5]["status"] == "failed"
    nothing_ran = [event for event in evidence.migrations["downgrade"] if event["event"] != "revision_end"]
    assert codes(judge(spoil(evidence, "migrations", "downgrade", nothing_ran))) == ["downgrade-leaves-trace", "downgrade-leaves-trace"]


def test_an_upgrade_that_changes_no_schema_has_no_noop_of_a_way_back() -> None:
    same = dict.fromkeys(("before", "after", "back", "again"), snapshot(shifts()))
    assert judge(good(snapshots=same))["verdict"] == GO


def test_a_way_back_that_was_asked_to_stop_earlier_is_not_held_against_before() -> None:
    evidence = spoil(good(expecting('downgrade_to: "-1"')), "snapshots", "back", snapshot(shifts(note=column("text"))))
    # Here one step is the whole way.
    assert codes(judge(evidence)) == ["downgrade-noop"]
    farther = judge(dataclasses.replace(evidence, application={**(evidence.application or {}), "current": ["a0"]}))
    assert (farther["verdict"], codes(farther)) == (GO_WITH_WARNINGS, ["way-back-not-compared"])
    assert farther["checklist"][5]["status"] == "not measured"
    lowered = judge(evidence, policy=Policy({"way-back-not-compared": "info", "values-not-compared": "info"}))
    assert lowered["verdict"] == NO_GO


def test_what_the_way_back_loses_is_a_warning_with_numbers() -> None:
    record = judge(spoil(good(), "fingerprints", "back", fingerprint(rate="77")))
    assert (record["verdict"], codes(record)) == (GO_WITH_WARNINGS, ["downgrade-loses-data"])


def test_an_emptied_table_is_told_once() -> None:
    empty = fingerprint(0)
    empty["tables"]["shifts"]["old_rows"] = 0
    record = judge(spoil(good(), "fingerprints", "back", empty))
    assert [one["message"] for one in record["findings"]][0].startswith("shifts has 3 rows less")
    assert codes(record) == ["downgrade-loses-data"]


def test_a_second_upgrade_with_another_schema_is_no_go() -> None:
    record = judge(spoil(good(), "snapshots", "again", snapshot(shifts(note=column("varchar(5)")))))
    assert (record["verdict"], codes(record)) == (NO_GO, ["again-differs"])


def test_a_second_upgrade_with_other_data_is_a_warning() -> None:
    record = judge(spoil(good(), "fingerprints", "again", fingerprint(note="5")))
    assert (record["verdict"], codes(record)) == (GO_WITH_WARNINGS, ["again-differs-data"])


def test_rows_under_other_numbers_hide_no_earlier_row_that_differs() -> None:
    def prints(**entries: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Of before, after and again; those of the latter two are what is known of the earlier rows."""
        found: list[dict[str, Any]] = [{"tables": {"t": {"rows": 3, "old_rows": 2, "key": ["id"]}}}]
        return found + [{"tables": {"t": {"rows": 4, "old_rows": 2, "key": ["id"], **(more or {})}}} for more in entries.values()]

    one = {"earlier": {"rows": 3, "columns": {"id": "1", "rate": "2"}}}
    other = {"earlier": {"rows": 3, "columns": {"id": "1", "rate": "3"}}}
    found = judge_data.only_new_rows_differ
    assert found(*prints(after=one, again=one), behind=()) == ["t"]
    assert found(*prints(after=one, again=other), behind=()) == [], "an earlier row differs"
    assert found(*prints(after=one, again=None), behind=()) == found(*prints(after=None, again=None), behind=()) == [], "nobody knows"
    assert found(*prints(after=one, again={**one, "rows": 5}), behind=()) == [], "not as many were added"
    assert found(*prints(after=one, again=one), behind=["t.id"]) == [], "an earlier row may have any number"
    assert found(*prints(after=one, again=one)) == [], "nor is that known"
