"""The store of past rehearsals: what is kept, what a damaged or missing file costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import files, history
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.rehearsal_directory import RehearsalDirectory

from migration_rehearsal import cli


def at(record: dict[str, Any], id_: str, **changes: Any) -> dict[str, Any]:
    return {**record, "id": id_, "started_at": f"2026-11-2{id_[-1]}T00:00:00Z", **changes}


def test_an_entry_is_made_of_the_record(record: dict[str, Any]) -> None:
    entry = history.entry(record)
    assert (entry["production_host"], entry["database"], entry["dev_host"]) == ("prod1", "shop", "dev1")
    assert entry["verdict"] == record["verdict"] and entry["seconds"] == record["seconds"]
    assert entry["stages"]["backup"] == 2.0
    (row,) = entry["revisions"]["upgrade"]
    assert (row["revision"], row["seconds"]) == ("b2", 0.002)
    assert entry["revisions"]["downgrade"][0]["revision"] == "b2"


def test_stages_of_one_name_are_added_up(record: dict[str, Any]) -> None:
    record["stages"] = [{"name": "preflight", "seconds": 1.25}, {"name": "preflight", "seconds": 0.5}]
    assert history.entry(record)["stages"] == {"preflight": 1.75}


def test_codes_of_what_weighs_are_kept(record: dict[str, Any]) -> None:
    record["findings"] = [{"severity": severity, "code": code} for severity, code in (("blocker", "orphans"), ("warning", "parity"), ("info", "x"))]
    entry = history.entry(record)
    assert (entry["blocker"], entry["warning"]) == (["orphans"], ["parity"])


def test_what_was_remembered_is_read_in_order_of_time(tmp_path: Path, record: dict[str, Any]) -> None:
    for id_ in ("b3", "a1", "c2"):
        history.remember(str(tmp_path), at(record, id_))
    found = history.read(str(tmp_path))
    assert [entry["id"] for entry in found.entries] == ["a1", "c2", "b3"] and found.problems == []


def test_a_rehearsal_that_is_reported_again_counts_once(tmp_path: Path, record: dict[str, Any]) -> None:
    history.remember(str(tmp_path), at(record, "a1", verdict="INCOMPLETE"))
    history.remember(str(tmp_path), at(record, "a1", verdict="GO"))
    assert [entry["verdict"] for entry in history.read(str(tmp_path)).entries] == ["GO"]


def test_history_outlives_the_directories_and_knows_those_that_are_older_than_itself(tmp_path: Path, record: dict[str, Any]) -> None:
    history.remember(str(tmp_path), at(record, "a2"))
    (tmp_path / "a1").mkdir()
    files.write_json(str(tmp_path / "a1/record.json"), at(record, "a1"))
    (tmp_path / "latest").symlink_to("a1")
    (tmp_path / "a3").mkdir()
    found = history.read(str(tmp_path))
    assert [entry["id"] for entry in found.entries] == ["a1", "a2"] and found.problems == []


def test_no_report_directory_is_an_empty_history(tmp_path: Path) -> None:
    assert history.read(str(tmp_path / "none")) == history.History([], [])


@pytest.mark.parametrize("damage", ["not json", "[1]", '{"format": 99, "id": "x"}', '{"format": 1, "id": "x"}', '{"for'])
def test_a_damaged_line_is_told_and_costs_that_line_alone(tmp_path: Path, record: dict[str, Any], damage: str) -> None:
    history.remember(str(tmp_path), at(record, "a1"))
    with open(tmp_path / history.HISTORY, "a") as file:
        file.write(damage)  # no line end: the machine was full
    history.remember(str(tmp_path), at(record, "a2"))
    found = history.read(str(tmp_path))
    assert [entry["id"] for entry in found.entries] == ["a1", "a2"]
    assert len(found.problems) == 1 and "line 2 is damaged" in found.problems[0]


def test_a_damaged_record_is_told(tmp_path: Path, record: dict[str, Any]) -> None:
    (tmp_path / "a1").mkdir()
    (tmp_path / "a1/record.json").write_text('{"id": "a1"}')
    found = history.read(str(tmp_path))
    assert found.entries == [] and "a1/record.json is damaged" in found.problems[0]


def test_a_line_is_one_line_and_private(tmp_path: Path, record: dict[str, Any]) -> None:
    record["revisions"][0]["message"] = "two\nlines"
    RehearsalDirectory(str(tmp_path / record["id"])).remember(record)
    path = tmp_path / history.HISTORY
    assert path.stat().st_mode & 0o777 == 0o600
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["revisions"]["upgrade"][0]["message"] == "two\nlines"


@pytest.mark.parametrize(
    "spoiled",
    [{"seconds": None}, {"revisions": {"upgrade": [{"revision": "b2"}]}}, {"revisions": {"upgrade": None}}, {"stages": []}, {"format": 2}],
)
def test_a_line_that_lacks_something_is_told_and_left_out(
    tmp_path: Path, record: dict[str, Any], spoiled: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    history.remember(str(tmp_path), at(record, "a1"))
    with open(tmp_path / history.HISTORY, "a") as file:
        file.write(json.dumps({**history.entry(at(record, "a2")), **spoiled}) + "\n")
    found = history.read(str(tmp_path))
    assert [entry["id"] for entry in found.entries] == ["a1"] and len(found.problems) == 1
    assert cli.main(["history", "--report-dir", str(tmp_path)]) == 0
    assert "line 2 is damaged" in capsys.readouterr().err
