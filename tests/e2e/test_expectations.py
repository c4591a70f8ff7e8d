"""Expectations that are false end in NO-GO, and the finding names each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from playbook import Demo, Played, findings

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("expectations")]


def expectations(demo: Demo) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((demo.state.application / "expectations.yml").read_text())
    return found


def one_false(demo: Demo) -> dict[str, Any]:
    changed = expectations(demo)
    changed["after_upgrade"]["tables"]["object_openings"]["indexes"] = 6
    return changed


def many_false(demo: Demo) -> dict[str, Any]:
    changed = expectations(demo)
    tables = changed["after_upgrade"]["tables"]
    tables["objects"]["existing_rows"]["inherit_telegram_chat"] = False
    tables["notifications"]["columns"]["channel"]["nullable"] = True
    del changed["after_downgrade"]["tables"]["rate_history"]
    changed["after_downgrade"]["absent"]["tables"].append("rate_history")
    changed["assertions"].append({"name": "shifts are forgotten", "query": "contains(keys(after.tables), 'shifts')", "equals": False})
    # Kopecks become roubles, not ten of them.
    changed["changes"]["contracts.hourly_rate"]["expect"] = "old / 10.0"
    return changed


@pytest.fixture(scope="module")
def played(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Played:
    directory = tmp_path_factory.mktemp("expectations")
    dev = {}
    for name, content in (("one", one_false(demo)), ("many", many_false(demo))):
        path: Path = directory / f"{name}.yml"
        path.write_text(yaml.safe_dump(content, allow_unicode=True))
        dev[name] = demo.dev_variables(rehearsal_expectations=str(path))
    inventory = demo.write_inventory(directory, prod={"production": demo.production_variables()}, dev=dev)
    return demo.play(inventory, directory / "run")


def blockers(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [finding for finding in record["findings"] if finding["severity"] == "blocker"]


def test_one_false_expectation_is_named(played: Played) -> None:
    record = played.record_of("one")
    assert played.rc != 0 and record["verdict"] == "NO-GO"
    (finding,) = blockers(record)
    assert (finding["code"], finding["stage"]) == ("expectation-not-met", "upgrade")
    assert "object_openings" in finding["object"] and "indexes" in finding["message"]
    assert "measured 5" in finding["message"] and "expected 6" in finding["message"]
    assert finding["message"] in played.stdout
    assert [check["object"] for check in record["expectations"] if not check["ok"]] == [finding["object"]]


def test_the_rest_of_the_rehearsal_was_carried_out(demo: Demo, played: Played) -> None:
    for record in played.records:
        assert {stage["status"] for stage in record["stages"]} == {"ok"}
        assert len(record["revisions"]) == 3 * 7
    failed = {line["item"] for line in played.record_of("one")["checklist"] if line["status"] != "ok"}
    assert failed == {"all tables and fields made"}
    assert demo.left(played.report_dir) == []


def test_every_kind_of_false_expectation_is_named(played: Played) -> None:
    record = played.record_of("many")
    assert record["verdict"] == "NO-GO"
    not_met = " | ".join(finding["message"] for finding in findings(record, "expectation-not-met"))
    assert len(findings(record, "expectation-not-met")) == 4
    for part in ("inherit_telegram_chat", "channel", "rate_history", "shifts are forgotten"):
        assert part in not_met
    (changed,) = [finding for finding in blockers(record) if finding["code"] == "data-changed"]
    assert changed["object"] == "contracts.hourly_rate"
    lines = {line["item"]: line["status"] for line in record["checklist"]}
    assert (lines["all tables and fields made"], lines["existing data undamaged"]) == ("failed", "failed")


def test_summary_has_a_line_for_each_database(played: Played) -> None:
    summary = played.stdout.split("TASK [Summary of all databases]")[1]
    for record in played.records:
        assert record["id"] in summary or record["copy"]["host"] in summary
    assert summary.count("NO-GO") == 2
