"""The judge: a good rehearsal is GO, and each thing that goes wrong turns it as documented."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import BLOCKER, INFO, WARNING
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Policy
from ansible_collections.migrations.rehearsal.plugins.module_utils.verdict import GO, INCOMPLETE, NO_GO
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import assertions
from evidence_builder import codes, expecting, fingerprint, good, shifts, snapshot, spoil, stage
from snapshot_builder import column, foreign_key, index, table


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


def test_many_findings_of_one_code_are_folded() -> None:
    orphans = {"orphans": [{"constraint": f"fk{number}", "table": f"t{number}", "rows": 1} for number in range(45)], "existing_rows": []}
    found = judge(spoil(good(), "checks", "after", orphans))["findings"]
    assert len(found) == 21
    assert found[-1]["message"].startswith("25 more")


def test_a_policy_changes_severities() -> None:
    back = spoil(good(), "fingerprints", "back", fingerprint(rate="77"))
    assert judge(back, policy=Policy({"downgrade-loses-data": BLOCKER}))["verdict"] == NO_GO
    assert judge(back, policy=Policy({"downgrade-loses-data": INFO}))["verdict"] == GO


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
