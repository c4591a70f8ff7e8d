"""The policy file: what it may say, what is refused and where, and what it does to findings and verdict."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import report_markdown, report_text
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import Evidence
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import BLOCKER, CODES, INFO, SEVERITIES, WARNING
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Accepted, Budgets, Policy
from ansible_collections.migrations.rehearsal.plugins.module_utils.verdict import GO, GO_WITH_WARNINGS, NO_GO
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import expectations_file, policy_file
from evidence_builder import fingerprint, good, stage

TEXT = """\
severities:
  fk-without-index: info
  lock-blocks-writes: blocker
budgets:
  blocked_writes_ms: 500
  small_table_mb: 0
accepted:
  - {code: fk-without-index, object: shifts.fk_user, reason: few rows, until: 2026-12-31}
  - {code: no-lock-timeout, object: "", reason: "a night window", until: "2027-01-01"}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(policy_file.PolicyError) as error:
        policy_file.parse(text, "policy.yml")
    return list(error.value.problems)


def test_a_file_is_read_and_travels_as_json() -> None:
    policy = policy_file.parse(TEXT, "policy.yml")
    assert policy == Policy(
        {"fk-without-index": INFO, "lock-blocks-writes": BLOCKER},
        Budgets(blocked_writes_ms=500, small_table_mb=0),
        (
            Accepted("fk-without-index", "shifts.fk_user", "few rows", "2026-12-31"),
            Accepted("no-lock-timeout", "", "a night window", "2027-01-01"),
        ),
    )
    assert Policy.from_json(policy.to_json()) == policy
    assert Policy.from_json({}) == Policy() == Policy.from_json(Policy().to_json())


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("severity: {}", 1, 'unknown key "severity" in the file; did you mean "severities"?'),
        ("severities:\n  fk-without-indices: info", 2, '"fk-without-indices" is no code; did you mean "fk-without-index"?'),
        ("severities:\n  orphans: error", 2, 'severities.orphans is "error"'),
        ("severities:\n  orphans: [info]", 2, "severities.orphans is a list"),
        ("severities:\n  not-measured: info", 2, "severities.not-measured is info: what it says keeps the rehearsal from proving the rest — blocker"),
        ("severities:\n  downgrade-failed: info", 2, "— blocker or warning"),
        ("budgets:\n  blocked_ms: 5", 2, 'unknown key "blocked_ms" in budgets'),
        ("budgets:\n  blocked_reads_ms: 1 s", 2, 'budgets.blocked_reads_ms is "1 s" — a whole number of milliseconds from 0'),
        ("budgets:\n  small_table_rows: -1", 2, "a whole number of rows from 0"),
        ("accepted: {}", 1, "accepted is a mapping"),
        ("accepted:\n  - orphans", 2, "accepted 1 is text"),
        ("accepted:\n  - {code: orphans, object: t}", 2, "accepted 1 has no reason, until"),
        ("accepted:\n  - {code: orphan, object: t, reason: r, until: 2026-01-01}", 2, '"orphan" is no code; did you mean "orphans"?'),
        ("accepted:\n  - {code: orphans, object: t, reason: r, until: tomorrow}", 2, "accepted 1.until is tomorrow — the last day"),
        ("accepted:\n  - {code: orphans, object: t, reason: r, until: 2026-02-30}", 2, "a day that there is not"),
        ("accepted:\n  - {code: orphans, object: t, reason: r, until: 2026-2-3}", 2, "accepted 1.until is 2026-2-3"),
        ("accepted:\n  - {code: orphans, object: t, reason: '', until: 2026-01-01}", 2, "accepted 1.reason is empty"),
        ("accepted:\n  - {code: orphans, object: 5, reason: r, until: 2026-01-01}", 2, "accepted 1.object is 5, which YAML reads as a number"),
        ("accepted:\n  - {code: fence, object: t, reason: r, until: 2026-01-01}", 2, "fence cannot be accepted"),
        ("accepted:\n  - {code: orphans, object: t, reason: r, until: 2026-01-01}\n"
         "  - {code: orphans, object: t, reason: s, until: 2027-01-01}", 3, "names orphans of t again"),
        ("", 1, "the file is empty"),
        ("a: [", 1, "this is not YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, said: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith(f"policy.yml:{line}:")
    assert said in problem
    assert " — " in problem


def test_everything_is_told_at_once() -> None:
    assert len(problems("severities: {orphan: info}\nbudgets: {x: 1}\naccepted: [1]")) == 3


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Any) -> None:
    with pytest.raises(policy_file.PolicyError, match=r"none.yml:1: cannot be read: No such file"):
        policy_file.load(str(tmp_path / "none.yml"))
    (tmp_path / "latin.yml").write_bytes("accepted:\n# é".encode("latin-1"))
    with pytest.raises(policy_file.PolicyError, match="latin.yml:2: this is not UTF-8"):
        policy_file.load(str(tmp_path / "latin.yml"))


def lossy() -> Evidence:
    """A rehearsal whose way back loses values of shifts.rate: one warning."""
    return good(fingerprints={**good().fingerprints, "back": fingerprint(rate="77")})


def accepting(until: str, code: str = "downgrade-loses-data", thing: str = "shifts.rate") -> Policy:
    return Policy(accepted=(Accepted(code, thing, "known", until),))


def test_an_accepted_finding_stays_visible_and_does_not_count() -> None:
    record = judge(lossy(), policy=accepting("2026-11-22"))
    (finding,) = record["findings"]
    assert (record["verdict"], finding["severity"]) == (GO, INFO)
    assert finding["accepted"] == {"reason": "known", "until": "2026-11-22", "severity": WARNING, "expired": False}
    block = report_text.verdict_block(record, "r")
    assert "ACCEPTED downgrade-loses-data: shifts.rate changed" in block
    assert "warning, accepted until 2026-11-22: known" in block
    assert "more for information" not in block
    assert "warning, accepted until 2026-11-22: known" in report_markdown.markdown(record)


def test_an_acceptance_ends_after_its_last_day() -> None:
    record = judge(lossy(), policy=accepting("2026-11-21"))
    (finding,) = record["findings"]
    assert (record["verdict"], finding["severity"], finding["accepted"]["expired"]) == (GO_WITH_WARNINGS, WARNING, True)
    assert "was accepted, which ended on 2026-11-21: known" in report_text.verdict_block(record, "r")
    assert "was accepted, which ended on 2026-11-21: known" in report_markdown.markdown(record)


@pytest.mark.parametrize(("code", "thing"), [("downgrade-loses-data", "shifts"), ("data-changed", "shifts.rate")])
def test_an_acceptance_is_of_one_code_and_one_object(code: str, thing: str) -> None:
    record = judge(lossy(), policy=accepting("2026-11-22", code, thing))
    assert record["verdict"] == GO_WITH_WARNINGS
    assert [one["code"] for one in record["findings"]] == ["downgrade-loses-data", "acceptance-unused"]
    assert "accepted" not in record["findings"][0]


def test_what_is_only_information_needs_no_acceptance_and_gets_none() -> None:
    declared = expectations_file.parse("changes: {shifts.rate: {changed: true}}", "e.yml")
    prints = {"after": fingerprint(rate="77", note="0"), "again": fingerprint(rate="77", note="0")}
    evidence = good(declared, fingerprints={**good().fingerprints, **prints})
    (finding,) = judge(evidence, policy=accepting("2099-01-01", "data-changed"))["findings"]
    assert (finding["code"], finding["severity"]) == ("data-changed", INFO)
    assert "accepted" not in finding


def test_a_raised_severity_can_be_accepted_too() -> None:
    raised = Policy({"downgrade-loses-data": BLOCKER})
    assert judge(lossy(), policy=raised)["verdict"] == NO_GO
    both = dataclasses.replace(accepting("2026-11-22"), severities=raised.severities)
    record = judge(lossy(), policy=both)
    assert (record["verdict"], record["findings"][0]["accepted"]["severity"]) == (GO, BLOCKER)


def failed_downgrade() -> Evidence:
    found = [{"code": "downgrade-failed", "object": "b2", "message": "NotImplementedError"}]
    evidence = good()
    stages = [stage("upgrade"), stage("downgrade", status="failed", error="x", findings=found), stage("cleanup")]
    for part, keys in (("snapshots", ("back", "again")), ("fingerprints", ("back", "again")), ("migrations", ("downgrade", "again"))):
        kept = {key: value for key, value in getattr(evidence, part).items() if key not in keys}
        evidence = dataclasses.replace(evidence, **{part: kept})
    return dataclasses.replace(evidence, stages=stages)


@pytest.mark.parametrize("policy", [accepting("2026-12-31", "downgrade-failed", "b2"), Policy({"downgrade-failed": INFO})])
def test_no_downgrade_can_be_borne_but_is_never_a_plain_go(policy: Policy) -> None:
    assert judge(failed_downgrade())["verdict"] == NO_GO
    record = judge(failed_downgrade(), policy=policy)
    assert (record["verdict"], record["findings"][0]["severity"]) == (GO_WITH_WARNINGS, WARNING)
    assert record["checklist"][5]["status"] == "not measured"


@pytest.mark.parametrize("code", [code for code, known in CODES.items() if known.lowest == BLOCKER])
def test_what_keeps_the_rest_from_being_proved_is_a_blocker_in_any_case(code: str) -> None:
    found = [{"code": code, "object": "x", "message": "m"}]
    evidence = good(stages=[*good().stages, stage("upgrade", status="failed", error="e", findings=found)])
    policy = Policy({code: INFO}, accepted=(Accepted(code, "x", "r", "2099-01-01"),))
    assert judge(evidence, policy=policy)["findings"][0]["severity"] == BLOCKER


@pytest.mark.parametrize("code", [code for code, known in CODES.items() if known.rehearsal_failed])
def test_a_rehearsal_that_was_not_carried_out_cannot_be_talked_away(code: str) -> None:
    assert (CODES[code].severity, CODES[code].lowest) == (BLOCKER, BLOCKER)


def test_no_code_starts_below_its_lowest() -> None:
    assert all(SEVERITIES.index(known.severity) <= SEVERITIES.index(known.lowest) for known in CODES.values())


def test_accepted_findings_are_never_folded_away() -> None:
    orphans = [{"constraint": f"fk{number}", "table": f"t{number}", "rows": 1} for number in range(45)]
    evidence = good()
    evidence.checks["after"] = {"orphans": orphans, "existing_rows": []}
    policy = Policy(accepted=tuple(Accepted("orphans", f"t{number}", "r", "2099-01-01") for number in range(30)))
    record = judge(evidence, policy=policy)
    assert sum(bool(one.get("accepted")) for one in record["findings"]) == 30
    assert sum(one["severity"] == BLOCKER for one in record["findings"]) == 15


def test_the_page_has_every_budget_with_its_default_and_its_example_is_valid() -> None:
    page = (Path(__file__).parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
    for name, default in dataclasses.asdict(Budgets()).items():
        assert f"| `{name}` | {default} |" in page
    assert policy_file.parse(page.split("```yaml\n")[1].split("```")[0], "example").accepted[0].until == "2026-12-31"


def test_the_policy_that_lies_with_the_evidence_counts() -> None:
    assert judge(dataclasses.replace(lossy(), policy=accepting("2026-11-22")))["verdict"] == GO
