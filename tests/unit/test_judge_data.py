"""What became of the data that was there: what was not declared is NO-GO, and what was not compared is not praised."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import report_markdown
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Expectations
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import BLOCKER, INFO
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Policy
from ansible_collections.migrations.rehearsal.plugins.module_utils.verdict import GO, GO_WITH_WARNINGS, NO_GO
from evidence_builder import codes, expecting, fingerprint, good, spoil


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
