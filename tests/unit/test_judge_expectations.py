"""Expectations, revisions and assertions: what is not met is NO-GO, and is named."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from ansible_collections.migrations.rehearsal.plugins.module_utils.verdict import NO_GO
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import assertions
from evidence_builder import codes, expecting, good


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


def test_an_assertion_may_have_any_name() -> None:
    evidence = good(expecting("assertions: [{name: revision table is empty, query: before.tables.nothing}]"))
    assert codes(judge(evidence, assertions.evaluate)) == ["expectation-not-met"]
