"""The judge: a good rehearsal is GO, and each thing that goes wrong turns it as documented."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import json
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import findings, judge_data, judge_rows, report_markdown, report_text
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import Evidence
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Expectations
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import BLOCKER, CODES, INFO, WARNING, Finding
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Policy
from ansible_collections.migrations.rehearsal.plugins.module_utils.verdict import GO, GO_WITH_WARNINGS, INCOMPLETE, NO_GO, verdict
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import assertions, expectations_file
from evidence_builder import fingerprint, good, shifts, snapshot, stage
from snapshot_builder import column, foreign_key, index, table


def expecting(text: str) -> Expectations:
    return expectations_file.parse(text, "expectations.yml")


def spoil(evidence: Evidence, part: str, key: str, value: Any) -> Evidence:
    """Replace one document of a part; None removes it."""
    documents = dict(getattr(evidence, part))
    documents.pop(key, None)
    if value is not None:
        documents[key] = value
    return dataclasses.replace(evidence, **{part: documents})


def codes(record: dict[str, Any], *severities: str) -> list[str]:
    return [one["code"] for one in record["findings"] if not severities or one["severity"] in severities]


def test_a_good_rehearsal_is_go_with_everything_measured() -> None:
    record = judge(good(), assertions.evaluate)
    assert (record["verdict"], record["findings"]) == (GO, [])
    assert [line["status"] for line in record["checklist"]] == ["ok"] * 7
    assert [row["run"] for row in record["revisions"]] == ["upgrade", "downgrade", "again"]
    assert record["revisions"][0] | {"seconds": 0} == {
        "revision": "b2", "message": "Add a column", "run": "upgrade", "direction": "upgrade", "seconds": 0, "statements": 1, "rows": 0,
        "wal_bytes": 1000, "locks": {"shifts": "AccessExclusive"}, "blocked_reads_ms": 1.5, "blocked_writes_ms": 1.5, "rewrites": [], "scans": [],
        "start_ms": 0, "end_ms": 2.5, "file": None, "status": "ok",
    }  # fmt: skip
    assert [change["text"] for change in record["schema_changes"]["upgrade"]] == ["column shifts.note added: text"]
    assert (record["finished_at"], record["seconds"]) == ("2026-11-22T22:30:22Z", 11.0)


def test_the_same_evidence_gives_the_same_record() -> None:
    assert json.dumps(judge(good())) == json.dumps(judge(copy.deepcopy(good())))


def test_the_judge_leaves_its_evidence_alone() -> None:
    evidence = good(expecting("changes: {shifts.rate: {changed: true}}"))
    kept = copy.deepcopy(evidence)
    judge(evidence)
    assert evidence == kept


@pytest.mark.parametrize("missing", ["before", "after", "back", "again"])
@pytest.mark.parametrize("part", ["snapshots", "fingerprints"])
def test_what_was_not_measured_is_never_green(part: str, missing: str) -> None:
    record = judge(spoil(good(), part, missing, None))
    assert record["verdict"] == INCOMPLETE
    assert codes(record) == ["not-measured"]


@pytest.mark.parametrize("run", ["upgrade", "downgrade", "again"])
def test_a_run_without_a_timeline_is_never_green(run: str) -> None:
    assert judge(spoil(good(), "migrations", run, None))["verdict"] == INCOMPLETE


def test_a_failed_stage_is_incomplete_and_tells_host_and_error() -> None:
    stages = [stage("preflight"), stage("backup", "prod1", "failed", error="no room"), stage("cleanup")]
    record = judge(good(stages=stages, snapshots={}, fingerprints={}, migrations={}, checks={}, copy=None, manifest=None))
    assert record["verdict"] == INCOMPLETE
    assert codes(record) == ["stage-failed"]
    assert "backup on prod1: no room" in record["findings"][0]["message"]
    assert {line["status"] for line in record["checklist"]} == {"ok", "not measured"}


def test_a_measured_blocker_outweighs_an_incomplete_rehearsal() -> None:
    fenced = [{"code": "fence", "object": "shop_dev", "message": "Alembic went for database shop_dev"}]
    stages = [stage("upgrade", status="failed", error="x", findings=fenced), stage("cleanup", status="failed", error="gone")]
    record = judge(good(stages=stages, cleanup={}))
    assert record["verdict"] == NO_GO
    assert codes(record, BLOCKER) == ["fence", "left-behind", "left-behind"]


def test_a_copy_that_differs_from_the_manifest_is_no_go() -> None:
    difference = {"object": "shifts", "what": "rows", "production": 3, "copy": 2}
    evidence = good()
    assert evidence.copy is not None
    record = judge(dataclasses.replace(evidence, copy={**evidence.copy, "differences": [difference]}))
    assert (record["verdict"], codes(record)) == (NO_GO, ["copy-differs"])
    assert record["findings"][0]["message"] == "shifts: rows is 2 on the copy, 3 on production"


def test_an_undeclared_change_of_values_is_no_go() -> None:
    changed = spoil(good(), "fingerprints", "after", fingerprint(rate="77", note="0"))
    record = judge(spoil(changed, "fingerprints", "again", fingerprint(rate="77", note="0")))
    assert (record["verdict"], codes(record)) == (NO_GO, ["data-changed"])
    assert record["findings"][0]["object"] == "shifts.rate"


def test_a_change_declared_but_not_proved_is_information() -> None:
    changed = spoil(good(expecting("changes: {shifts.rate: {changed: true, reason: new prices}}")), "fingerprints", "after",
                    fingerprint(rate="77", note="0"))  # fmt: skip
    record = judge(spoil(changed, "fingerprints", "again", fingerprint(rate="77", note="0")))
    assert (record["verdict"], codes(record)) == (GO, ["data-changed"])
    assert "not proved" in record["findings"][0]["message"]


@pytest.mark.parametrize(("after", "found"), [("9", []), ("8", ["data-changed"])])
def test_a_declared_expression_must_be_what_the_column_holds(after: str, found: list[str]) -> None:
    before, later = fingerprint(), fingerprint(rate="77", note="0")
    before["tables"]["shifts"]["columns"]["rate"]["expected_hash"] = "9"
    later["tables"]["shifts"]["columns"]["rate"]["canonical_hash"] = after
    evidence = good(expecting('changes: {shifts.rate: {expect: "old / 100.0"}}'))
    evidence = spoil(spoil(spoil(evidence, "fingerprints", "before", before), "fingerprints", "after", later), "fingerprints", "again", later)
    assert codes(judge(evidence), BLOCKER) == found


def test_rows_lost_are_no_go_unless_declared() -> None:
    fewer = fingerprint(2, note="0")
    fewer["tables"]["shifts"]["old_rows"] = 2

    def of(expectations: Expectations | None = None) -> dict[str, Any]:
        evidence = spoil(good(expectations), "fingerprints", "after", fewer)
        return judge(spoil(evidence, "fingerprints", "again", fewer))

    assert codes(of(), BLOCKER) == ["rows-changed"]
    assert of()["verdict"] == NO_GO
    assert of(expecting("changes: {shifts: {rows: {removed: 1}}}"))["verdict"] == GO
    assert codes(of(expecting("changes: {shifts: {rows: {removed: 2}}}")), BLOCKER) == ["rows-changed"]
    assert of(expecting("changes: {shifts: {rows: {removed: any}}}"))["verdict"] == GO


@pytest.mark.parametrize(
    ("added", "removed", "declared", "found"),
    [
        (3, 2, "{added: 1}", ["rows-changed"]),
        (3, 2, "{added: any}", ["rows-changed"]),
        (3, 2, "{added: 3, removed: 2}", []),
        (3, 2, "{added: any, removed: 2}", []),
        (3, 2, "{added: 3, removed: 1}", ["rows-changed"]),
        (2, 3, "{removed: 1}", ["rows-changed"]),
        (2, 3, "{added: 2, removed: 3}", []),
        (2, 2, "{added: 1, removed: 1}", ["data-changed"]),
        (2, 2, "{added: 2, removed: 2}", []),
        (2, 2, "{added: any, removed: any}", []),
    ],
)
@pytest.mark.parametrize("keyed", [True, False])
def test_rows_added_and_rows_lost_are_both_held_against_the_declaration(
    added: int, removed: int, declared: str, found: list[str], keyed: bool
) -> None:
    # Without a key as many rows lost as added are values that changed.
    key = ["id"] if keyed or added == removed else None
    before, after = fingerprint(), fingerprint(3 + added - removed, id="9", note="0")
    after["tables"]["shifts"]["old_rows"] = 3 - removed
    rows = {"key": key, "kept": 3 - removed, "added": added, "lost": removed, "columns": {"rate": 0} if key else {}}
    for one in (before, after):
        one["tables"]["shifts"]["key"] = key

    def of(declaration: str, rows: dict[str, Any] | None) -> dict[str, Any]:
        text = f"changes: {{shifts: {{rows: {declaration}}}"
        text += "" if key else ", shifts.id: {changed: true}, shifts.rate: {changed: true}"
        evidence = good(expecting(text + "}"), rows={"after": {"tables": {"shifts": rows}}} if rows else {})
        prints = {"before": before, "after": after, "back": before, "again": after}
        return judge(dataclasses.replace(evidence, fingerprints=prints))

    record = of(declared, rows)
    assert codes(record, BLOCKER) == found
    assert f"{removed} rows are" in record["findings"][0]["message"]
    # Where only the sum of both is known, no number holds.
    unknown = of(declared, None)
    assert {one["code"] for one in unknown["findings"] if one["object"] == "shifts" and one["severity"] == BLOCKER} == (
        set() if declared == "{added: any, removed: any}" else {"data-not-compared"}
    )


def test_rows_that_were_declared_must_come() -> None:
    record = judge(good(expecting("changes: {shifts: {rows: {added: 2}}}")))
    assert codes(record, BLOCKER) == ["rows-changed"]
    assert record["findings"][0]["message"] == "shifts: no row was added or lost; declared: 2 rows added, 0 removed"
    assert judge(good(expecting("changes: {shifts: {rows: {added: 0}}}")))["verdict"] == GO


def test_what_was_declared_of_a_column_that_is_gone_is_not_proved() -> None:
    before, after = fingerprint(rate="7"), fingerprint(pay="7", note="0")
    before["tables"]["shifts"]["columns"]["rate"]["expected_hash"] = "9"
    del after["tables"]["shifts"]["columns"]["rate"]
    prints = {"before": before, "after": after, "back": before, "again": after}
    record = judge(dataclasses.replace(good(expecting('changes: {shifts.rate: {expect: "old / 100.0"}}')), fingerprints=prints))
    assert codes(record, BLOCKER) == ["data-not-compared"]
    assert "declared: «old / 100.0»" in record["findings"][0]["message"]


def test_a_column_whose_values_stand_in_another_is_told() -> None:
    before, after = fingerprint(rate="7"), fingerprint(pay="7", note="0")
    del after["tables"]["shifts"]["columns"]["rate"]
    record = judge(good(fingerprints={"before": before, "after": after, "back": before, "again": after}))
    assert (record["verdict"], codes(record)) == (GO, ["data-lost"])
    assert record["findings"][0]["message"] == "shifts.rate is gone; shifts.pay has the same value in every row"


def test_a_column_that_may_change_may_not_be_dropped() -> None:
    before, after = fingerprint(), fingerprint(note="0")
    del after["tables"]["shifts"]["columns"]["rate"]
    prints = {"before": before, "after": after, "back": before, "again": after}
    record = judge(dataclasses.replace(good(expecting("changes: {shifts.rate: {changed: true}}")), fingerprints=prints))
    assert (record["verdict"], codes(record, BLOCKER)) == (NO_GO, ["data-lost"])


def test_a_dropped_column_with_values_must_be_declared() -> None:
    def of(expectations: Expectations | None, values: int) -> dict[str, Any]:
        before, after = fingerprint(), fingerprint(note="0")
        before["tables"]["shifts"]["columns"]["rate"]["non_null"] = values
        del after["tables"]["shifts"]["columns"]["rate"]
        evidence = good(expectations)
        for moment, value in (("before", before), ("after", after), ("again", after), ("back", before)):
            evidence = spoil(evidence, "fingerprints", moment, value)
        return judge(evidence)

    assert codes(of(None, 3)) == ["data-lost"]
    assert of(None, 3)["verdict"] == NO_GO
    assert codes(of(None, 0)) == []
    declared = of(expecting("changes: {shifts.rate: {dropped: true}}"), 3)
    assert codes(declared, INFO) == ["data-lost"]
    # The snapshot still has the column: that it was declared to go is an expectation of its own.
    assert codes(declared, BLOCKER) == ["expectation-not-met"]


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


def test_values_that_were_only_counted_are_at_best_a_go_with_warnings() -> None:
    prints = copy.deepcopy(good().fingerprints)
    for one in prints.values():
        one["proof"] = one["tables"]["shifts"]["proof"] = "counts"
        for found in one["tables"]["shifts"]["columns"].values():
            found["hash"] = None
    for policy in (None, Policy({"values-not-compared": "info"})):
        record = judge(good(fingerprints=prints), policy=policy)
        assert (record["verdict"], codes(record)) == (GO_WITH_WARNINGS, ["values-not-compared"])


def test_what_the_proof_leaves_out_is_in_the_record_and_in_the_report() -> None:
    prints = copy.deepcopy(good().fingerprints)
    prints["after"]["left_out"] = {"seen": "foreign table: its rows are on another server"}
    record = judge(good(fingerprints=prints))
    assert record["data_proof"]["after"]["left_out"] == prints["after"]["left_out"]
    assert "not part of the data proof: seen (foreign table: its rows are on another server)" in report_markdown.markdown(record)


def test_the_record_says_by_what_tables_were_proved_untouched() -> None:
    prints = copy.deepcopy(good().fingerprints)
    after = prints["after"]
    after["proof"] = "changed"
    before = prints["before"]["tables"]
    for name, fields in {
        "read": {"proof": "untouched", "proved_by": "row versions"},
        "counted": {"proof": "untouched", "proved_by": "counters"},
        "grown": {"proof": "partly untouched", "proved_by": "counters"},
    }.items():
        before[name] = {**copy.deepcopy(before["shifts"]), "proof": "full"}
        after["tables"][name] = {**before[name], **fields}
    record = judge(good(fingerprints=prints))
    proof = record["data_proof"]["after"]
    assert proof["untouched_by"] == {"counters": 2, "row versions": 1} and "counters_not_used" not in proof
    assert proof["hashed"] == ["grown", "shifts"]
    detail = next(line["detail"] for line in record["checklist"] if line["item"] == "existing data undamaged")
    assert "(2 of them proved untouched, without hashing them again: 1 by the server's counters, 1 by row versions)" in detail
    after["counters_not_used"] = "the server was started anew"
    assert judge(good(fingerprints=prints))["data_proof"]["after"]["counters_not_used"] == "the server was started anew"
    assert "untouched_by" not in record["data_proof"]["before"]


def test_an_assertion_may_have_any_name() -> None:
    evidence = good(expecting("assertions: [{name: revision table is empty, query: before.tables.nothing}]"))
    assert codes(judge(evidence, assertions.evaluate)) == ["expectation-not-met"]


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


def test_orphans_are_no_go() -> None:
    orphans = {"orphans": [{"constraint": "fk_user", "table": "shifts", "rows": 12}], "existing_rows": []}
    record = judge(spoil(good(), "checks", "after", orphans))
    assert (record["verdict"], codes(record)) == (NO_GO, ["orphans"])
    assert "12 rows of shifts" in record["findings"][0]["message"]


@pytest.mark.parametrize("side", ["dev", "production"])
def test_anything_left_behind_is_said(side: str) -> None:
    found = {"copy": "left", "work_directory": "removed", "removed": [], "left": ["database rehearsal_x"], "problems": []}
    record = judge(spoil(good(), "cleanup", side, found))
    assert (record["verdict"], codes(record)) == (INCOMPLETE, ["left-behind"])
    assert judge(spoil(good(), "cleanup", side, None))["verdict"] == INCOMPLETE


def test_expectations_are_checked_and_named() -> None:
    text = """
revision: b2
after_upgrade:
  tables:
    shifts:
      columns: {note: text, rate: bigint}
"""
    record = judge(good(expecting(text)))
    assert (record["verdict"], codes(record)) == (NO_GO, ["expectation-not-met"])
    assert "shifts.rate" in record["findings"][0]["message"]
    assert [check["ok"] for check in record["expectations"]].count(False) == 1


def test_another_revision_than_expected_is_no_go() -> None:
    assert codes(judge(good(expecting("revision: c3")))) == ["revision-not-reached"]


def test_the_projects_head_is_expected_where_nothing_else_is() -> None:
    evidence = good()
    assert evidence.application is not None
    assert codes(judge(dataclasses.replace(evidence, application={**evidence.application, "heads": ["c3"]}))) == ["revision-not-reached"]


@pytest.mark.parametrize(
    ("target", "planned", "heads", "codes_"),
    [
        ("b2", ["b2"], ["b2", "z9"], []),
        ("label@head", ["b2"], ["b2", "y8"], []),
        ("c3", ["b2", "c3"], ["b2"], ["revision-not-reached"]),
        ("heads", ["b2"], ["b2"], ["revision-not-reached"]),
        (None, ["b2"], ["b2"], ["revision-not-reached"]),
        ("b2", [], ["b2"], []),
    ],
)
def test_a_target_of_its_own_is_what_has_to_be_reached(target: str | None, planned: list[str], heads: list[str], codes_: list[str]) -> None:
    evidence = good()
    plan = {"event": "plan", "t": 0.0, "target": target, "steps": [{"revision": name, "message": "", "direction": "upgrade"} for name in planned]}
    events = [plan, *(event for event in evidence.migrations["upgrade"] if event["event"] != "done"), {"event": "done", "t": 9.0, "heads": heads}]
    application = {**(evidence.application or {}), "heads": ["z9", "y8"]}
    migrations = {**evidence.migrations, "upgrade": events}
    record = judge(dataclasses.replace(evidence, application=application, migrations=migrations))
    assert [code for code in codes(record) if code == "revision-not-reached"] == codes_


def test_assertions_see_snapshots_and_record() -> None:
    text = """
assertions:
  - {name: note is text, query: after.tables.shifts.columns.note.type, equals: text}
  - {name: no revision is slow, query: "length(record.revisions[?seconds > `100`])", equals: 0}
  - {name: nonsense holds, query: before.tables.shifts.columns.note}
"""
    record = judge(good(expecting(text)), assertions.evaluate)
    assert codes(record) == ["expectation-not-met"]
    assert "nonsense holds" in record["findings"][0]["message"]
    assert [check["ok"] for check in record["expectations"]] == [True, True, False]


def test_a_structural_defect_is_a_warning_where_touched_and_information_where_old() -> None:
    users = table("users", {"id": column("integer", nullable=False)})
    bad = shifts(user_id=column("integer", nullable=False))
    bad["constraints"]["fk_user"] = foreign_key("user_id", "users", "set null")
    new = spoil(spoil(good(), "snapshots", "after", snapshot(users, bad)), "snapshots", "again", snapshot(users, bad))
    new = spoil(spoil(new, "snapshots", "before", snapshot(users, shifts())), "snapshots", "back", snapshot(users, shifts()))
    assert "fk-set-null-not-null" in codes(judge(new), WARNING)
    old = good(snapshots=dict.fromkeys(("before", "after", "back", "again"), snapshot(users, bad)))
    assert "fk-set-null-not-null" in codes(judge(old), INFO)
    assert [one["message"] for one in judge(old)["findings"] if one["code"] == "fk-set-null-not-null"] == [
        "it was so before the upgrade: shifts.fk_user"
    ]
    assert judge(old)["verdict"] == GO


def test_alembics_own_table_is_nobodys_data() -> None:
    def with_version(print_: dict[str, Any], hash_: str) -> dict[str, Any]:
        result = copy.deepcopy(print_)
        column_ = {"by": "text", "type": "character varying(32)", "hash": hash_, "non_null": 1}
        result["tables"]["alembic_version"] = {
            **result["tables"]["shifts"],
            "rows": 1,
            "old_rows": 0,
            "columns": {"version_num": column_},
            "key": None,
        }
        return result

    evidence = good()
    prints = {name: with_version(one, "1" if name in ("before", "back") else "2") for name, one in evidence.fingerprints.items()}
    assert judge(dataclasses.replace(evidence, fingerprints=prints))["verdict"] == GO


def test_many_findings_of_one_code_are_folded() -> None:
    orphans = {"orphans": [{"constraint": f"fk{number}", "table": f"t{number}", "rows": 1} for number in range(45)], "existing_rows": []}
    found = judge(spoil(good(), "checks", "after", orphans))["findings"]
    assert len(found) == 21
    assert found[-1]["message"].startswith("25 more")


def test_a_policy_changes_severities() -> None:
    back = spoil(good(), "fingerprints", "back", fingerprint(rate="77"))
    assert judge(back, policy=Policy({"downgrade-loses-data": BLOCKER}))["verdict"] == NO_GO
    assert judge(back, policy=Policy({"downgrade-loses-data": INFO}))["verdict"] == GO


def test_every_combination_of_severities_has_its_verdict() -> None:
    kinds = {
        "measured": Finding("data-changed", BLOCKER, "", "", "", ""),
        "tool": Finding("stage-failed", BLOCKER, "", "", "", ""),
        "warning": Finding("parity", WARNING, "", "", "", ""),
        "info": Finding("nothing-pending", INFO, "", "", "", ""),
    }
    for size in range(len(kinds) + 1):
        for names in itertools.permutations(kinds, size):
            wanted = NO_GO if "measured" in names else INCOMPLETE if "tool" in names else GO_WITH_WARNINGS if "warning" in names else GO
            assert verdict([kinds[name] for name in names]) == wanted


def test_every_pair_of_codes_and_severities_has_its_verdict() -> None:
    """The rules once more, in other words: the worse of what each of the two says alone."""
    order = (NO_GO, INCOMPLETE, GO_WITH_WARNINGS, GO)

    def alone(code: str, severity: str) -> str:
        if severity == BLOCKER:
            return INCOMPLETE if CODES[code].rehearsal_failed else NO_GO
        return GO_WITH_WARNINGS if severity == WARNING else GO

    said = [(Finding(code, severity, "", "", "", ""), alone(code, severity)) for code in CODES for severity in findings.SEVERITIES]
    for first, one in said:
        assert verdict([first]) == one
        for second, other in said:
            assert verdict([first, second]) == min(one, other, key=order.index)


def test_every_code_is_complete() -> None:
    for code, known in CODES.items():
        assert known.severity in findings.SEVERITIES, code
        assert all(text.strip() for text in (known.title, known.meaning, known.advice)), code


def test_reports_say_verdict_checklist_findings_and_path() -> None:
    record = judge(spoil(good(), "snapshots", "back", snapshot(shifts(other=column("text")))))
    block = report_text.verdict_block(record, "/r/report.md")
    assert block.startswith("NO-GO  prod1/shop")
    assert "BLOCKER downgrade-leaves-trace: column shifts.other added: text" in block
    assert block.endswith("Report: /r/report.md")
    text = report_markdown.markdown(record)
    assert text.startswith("# NO-GO: prod1/shop\n")
    assert text.index("## Checklist") < text.index("## Blockers") < text.index("## Revisions") < text.index("<b>Clean-up</b>")


def test_a_pipe_in_a_message_does_not_break_a_table() -> None:
    evidence = good()
    stages = [*evidence.stages, stage("upgrade", status="failed", error="a | b\nc")]
    assert "a \\| b c |" in report_markdown.markdown(judge(dataclasses.replace(evidence, stages=stages)))


def test_the_summary_has_one_line_a_database() -> None:
    records = [judge(good()), judge(spoil(good(), "cleanup", "dev", None))]
    lines = report_text.summary_table(records).splitlines()
    assert len(lines) == 3
    assert lines[1].split()[0] == "GO"
    assert "left-behind" in lines[2]


def test_what_is_noted_after_an_interruption_is_the_doing_of_clean_up() -> None:
    def found(code: str) -> list[dict[str, Any]]:
        return [{"code": code, "object": "", "message": "ended by a signal"}]

    ended = stage("upgrade", status="failed", error="killed", findings=found("migration-failed"))
    interrupted = stage("interrupted", "controller", "failed", error="x", findings=found("interrupted"))
    assert judge(good(stages=[stage("restore"), interrupted, ended]))["verdict"] == INCOMPLETE
    assert judge(good(stages=[stage("restore"), ended, interrupted]))["verdict"] == NO_GO


def test_the_checklist_says_that_an_existing_backup_was_not_held_against_production() -> None:
    evidence = good()
    assert evidence.copy is not None
    record = judge(dataclasses.replace(evidence, copy={**evidence.copy, "proved_by": "nothing", "rows": 1234}))
    assert record["checklist"][0]["detail"] == "an existing backup of 1,234 rows, not held against production"
    assert "existing backup" not in str(judge(evidence)["checklist"])


def test_what_auto_chose_is_said_with_its_reasons() -> None:
    evidence = good()
    asked = dataclasses.replace(evidence, context={**evidence.context, "origin": {"source": "auto"}})
    looked = {"production": {"no_basebackup": ["wal_level is minimal there, and a base backup needs replica"]}, "dev": {"no_basebackup": []}}
    fell_back = judge(dataclasses.replace(asked, preflight=looked))
    assert fell_back["copy"]["source"] == "dump"
    assert fell_back["copy"]["why_not_physical"] == ["production: wal_level is minimal there, and a base backup needs replica"]
    assert codes(fell_back) == ["dump-chosen"] and "wal_level is minimal" in fell_back["findings"][0]["message"]
    assert evidence.copy is not None
    taken = judge(dataclasses.replace(asked, copy={**evidence.copy, "proved_by": "checksums", "others_left": ["billing: it is in use"]}))
    assert (taken["copy"]["source"], taken["copy"]["why_not_physical"]) == ("basebackup", [])
    assert [(one["code"], one["severity"], one["object"]) for one in taken["findings"]] == [("outside-world", WARNING, "billing")]
    assert "billing: it is in use" in taken["findings"][0]["message"]


def test_an_invalid_index_of_production_is_missed_on_a_dump_only() -> None:
    evidence = good()
    assert evidence.manifest is not None
    evidence.manifest["invalid_indexes"] = ["ix_half"]
    record = judge(evidence)
    assert [(found["code"], found["object"]) for found in record["findings"] if found["severity"] == "warning"] == [("parity", "ix_half")]
    evidence.snapshots["before"]["tables"]["shifts"]["indexes"]["ix_half"] = index("shifts", "id", valid=False)
    assert not [found for found in judge(evidence)["findings"] if found["code"] == "parity"]


def _counter(last_value: int | None, increment: int = 1, **more: Any) -> dict[str, Any]:
    record = {"schema": "public", "name": "bills", "increment": increment, "start": 1, "last_value": last_value, "owned_by": None, "cycle": False}
    return {"sequences": {"bills": {**record, **more}}}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (_counter(100), _counter(100), ""),
        (_counter(100), _counter(101), ""),
        (_counter(None), _counter(None), ""),
        (_counter(100), {"sequences": {}}, ""),
        (_counter(100, cycle=True), _counter(5, cycle=True), ""),
        (_counter(100, owned_by="bills.id"), _counter(5, owned_by="bills.id"), ""),
        (_counter(-5, -1), _counter(-6, -1), ""),
        (_counter(1000), _counter(5), "bills was set back from 1,000 to 5: numbers that it has given come again"),
        (_counter(100), _counter(None), "bills was set back from 100 to 1"),
        (_counter(-5, -1), _counter(-4, -1), "bills was set back from -5 to -4"),
    ],
)
def test_a_sequence_of_no_column_must_not_go_back(before: dict[str, Any], after: dict[str, Any], said: str) -> None:
    found = [message for _code, _object, message, _severity in judge_rows.of_sequences(before, after)]
    assert len(found) == bool(said) and all(message.startswith(said) for message in found)
