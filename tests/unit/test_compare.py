"""`rehearse compare` and `rehearse history`: what is said of two, and of many, records."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import files, history

from migration_rehearsal import cli, exit_codes
from migration_rehearsal.compare import BETTER, OTHERWISE, WORSE, differences, remarks
from migration_rehearsal.times import changed, sparkline

sys.path.append(str(Path(__file__).parents[1]))

import report_records  # noqa: E402

FINDING = {"code": "orphans", "severity": "blocker", "stage": "data", "object": "fk", "message": "3 rows", "advice": "Repair them."}


@pytest.fixture
def later(record: dict[str, Any]) -> dict[str, Any]:
    """The same rehearsal, made again; tests change what is to differ."""
    return {**copy.deepcopy(record), "id": "20261123-080000-000001"}


def told(a: dict[str, Any], b: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one.how, one.about, one.text) for one in differences(a, b)]


def upgrade(record: dict[str, Any]) -> dict[str, Any]:
    (row,) = [row for row in record["revisions"] if row["run"] == "upgrade"]
    return row  # type: ignore[no-any-return]


def test_equal_rehearsals_do_not_differ(record: dict[str, Any], later: dict[str, Any]) -> None:
    assert told(record, later) == [] and list(remarks(record, later)) == []


def test_new_and_gone_findings(record: dict[str, Any], later: dict[str, Any]) -> None:
    later.update(verdict="NO-GO", findings=[*later["findings"], FINDING])
    assert told(record, later) == [(WORSE, "verdict", "GO, now NO-GO"), (WORSE, "finding", "new: BLOCKER orphans: 3 rows")]
    assert told(later, record) == [(BETTER, "verdict", "NO-GO, now GO"), (BETTER, "finding", "gone: BLOCKER orphans: 3 rows")]


def test_information_is_neither_better_nor_worse(record: dict[str, Any], later: dict[str, Any]) -> None:
    later["findings"] = [*later["findings"], {**FINDING, "severity": "info"}]
    assert [one[0] for one in told(record, later)] == [OTHERWISE]


def test_a_finding_that_weighs_otherwise(record: dict[str, Any], later: dict[str, Any]) -> None:
    record["findings"] = [{**FINDING, "severity": "warning"}]
    later["findings"] = [FINDING]
    assert told(record, later) == [(WORSE, "finding", "was WARNING, now BLOCKER orphans: 3 rows")]
    assert told(later, record)[0][0] == BETTER


def test_no_finding_hides_behind_another_of_the_same_thing(record: dict[str, Any], later: dict[str, Any]) -> None:
    record["findings"] = [{**FINDING, "stage": "upgrade", "revision": "a1"}]
    later["findings"] = [{**FINDING, "stage": "upgrade", "revision": "a2", "message": "new"}, {**FINDING, "stage": "upgrade", "revision": "a1"}]
    assert told(record, later) == [(WORSE, "finding", "new: BLOCKER orphans: new")]
    later["findings"] = [{**FINDING, "stage": "downgrade", "revision": "a1"}]
    assert [one[0] for one in told(record, later)] == [WORSE, BETTER]
    # A migration that was written anew has another revision, and the same defect.
    later["findings"] = [{**FINDING, "stage": "upgrade", "revision": "a3"}]
    assert told(record, later) == []


def test_a_run_that_failed_has_no_times_to_compare() -> None:
    failed, whole = report_records.failed(), report_records.no_go()
    for one in (told(failed, whole), told(whole, failed)):
        assert {how for how, about, _text in one if about in ("time", "downtime") and how != OTHERWISE} == set()
        assert not [text for _how, about, text in one if about in ("time", "lock") and ("r002" in text or "r007" in text or "in all" in text)]


def test_the_machines_own_pace_makes_nothing_worse(record: dict[str, Any], later: dict[str, Any]) -> None:
    later["seconds"] = record["seconds"] * 2
    assert [(how, about) for how, about, _text in told(record, later)] == [(OTHERWISE, "time")]


@pytest.mark.parametrize("verdict", ["INCOMPLETE", "NO-GO"])
def test_what_a_rehearsal_that_ended_early_does_not_say_is_no_progress(record: dict[str, Any], later: dict[str, Any], verdict: str) -> None:
    """It did not come as far as the check: that its finding is not there proves nothing."""
    record["findings"] = [FINDING]
    later.update(verdict=verdict, findings=[])
    later["checklist"][-1]["status"] = "not measured"
    assert [one for one in told(record, later) if one[1] == "finding"] == [(OTHERWISE, "finding", "not known any more: BLOCKER orphans: 3 rows")]
    assert [one for one in told(later, record) if one[1] == "finding"] == [(OTHERWISE, "finding", "not known before: BLOCKER orphans: 3 rows")]


def test_times_beyond_the_machines_own_pace(record: dict[str, Any], later: dict[str, Any]) -> None:
    upgrade(record)["seconds"], upgrade(later)["seconds"] = 1.0, 3.0
    record["downtime_ms"], later["downtime_ms"] = 4000.0, 1000.0
    said = told(record, later)
    assert (WORSE, "time", "b2, upgrade: takes 3.00 s, was 1.00 s") in said
    assert (BETTER, "downtime", "predicted downtime: 1.00 s, was 4.00 s") in said
    upgrade(later)["seconds"] = 1.2
    assert not [one for one in told(record, later) if one[1] == "time"]


def test_locks_and_rewrites(record: dict[str, Any], later: dict[str, Any]) -> None:
    row = upgrade(later)
    row["locks"] = {"shifts": "Share", "users": "AccessExclusive"}
    row["rewrites"] = [{"relation": "shifts", "kind": "table", "reason": "type"}]
    row["blocked_reads_ms"] = row["blocked_writes_ms"] = 2000.0
    assert upgrade(record)["locks"] == {"shifts": "AccessExclusive"}
    assert told(record, later) == [
        (WORSE, "lock", "b2, upgrade: keeps reads and writes waiting for 2.00 s, was 0.002 s"),
        (BETTER, "lock", "b2, upgrade: locks shifts in Share, was AccessExclusive"),
        (WORSE, "lock", "b2, upgrade: locks users in AccessExclusive, was not locked"),
        (WORSE, "rewrite", "b2, upgrade: rewrites shifts (type)"),
    ]
    assert (BETTER, "rewrite", "b2, upgrade: does not rewrite shifts any more") in told(later, record)


def test_revisions_schema_and_data_of_one_of_the_two(record: dict[str, Any], later: dict[str, Any]) -> None:
    later["revisions"].append({**copy.deepcopy(upgrade(later)), "revision": "c3", "message": "Drop it", "seconds": 0.01})
    later["schema_changes"]["upgrade"].append({"text": "table old removed", "object": "old"})
    later["data_changes"]["upgrade"] = [{"text": "old is gone, with 5 rows", "object": "old"}]
    said = told(record, later)
    assert (OTHERWISE, "revision", "c3 is new: Drop it (0.010 s)") in said
    assert (OTHERWISE, "schema", "new in the upgrade: table old removed") in said
    assert (OTHERWISE, "data", "new in the upgrade: old is gone, with 5 rows") in said
    assert (OTHERWISE, "schema", "not any more in the upgrade: table old removed") in told(later, record)


def test_what_makes_two_rehearsals_hard_to_compare(record: dict[str, Any], later: dict[str, Any]) -> None:
    later["production"].update(database="other", server_version="18.1")
    later["copy"]["host"] = "dev2"
    later["schema_version"] = 0
    said = " ".join(remarks(record, later))
    assert "two databases: prod1/shop and prod1/other" in said and "now 18.1 and 16.4" in said and "dev1 and dev2" in said


# -- The commands --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def report_dir(tmp_path: Path, record: dict[str, Any], later: dict[str, Any]) -> Path:
    """Two rehearsals of shop, the later one worse; one of another database."""
    for one, seconds in ((record, 1.0), (later, 3.0)):
        upgrade(one)["seconds"] = one["timelines"]["upgrade"]["seconds"] = seconds
    later.update(verdict="NO-GO", findings=[FINDING], started_at="2026-11-23T08:00:00Z")
    other = {**copy.deepcopy(record), "id": "20261121-000000-000001", "started_at": "2026-11-21T00:00:00Z"}
    other["production"]["database"] = "billing"
    for one in (record, later, other):
        (tmp_path / one["id"]).mkdir()
        files.write_json(str(tmp_path / one["id"] / "record.json"), one)
        history.remember(str(tmp_path), one)
    (tmp_path / "latest").symlink_to(later["id"])
    return tmp_path


def test_compare_says_it_in_groups(report_dir: Path, record: dict[str, Any], later: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", "20261122", "latest", "--report-dir", str(report_dir)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{record['id']} (GO) → {later['id']} (NO-GO)\n\nWorse\n")
    assert "\n  ▲ finding new: BLOCKER orphans: 3 rows\n" in said and "Better" not in said
    assert not [line for line in said.splitlines() if line != line.rstrip()]


def test_compare_for_machines(report_dir: Path, record: dict[str, Any], later: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", "--json", str(report_dir / record["id"] / "record.json"), str(report_dir / later["id"])]
    assert cli.main([*words, "--exit-code"]) == exit_codes.NO_GO
    document = json.loads(capsys.readouterr().out)
    assert (document["a"], document["b"]) == (record["id"], later["id"])
    assert {"how": WORSE, "about": "verdict", "object": "", "text": "GO, now NO-GO"} in document["worse"] and document["better"] == []
    assert cli.main([*words[:2], *reversed(words[2:]), "--exit-code"]) == exit_codes.GO


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), ("{", "is damaged"), ("{}", "is no record of this version"), ("[]", "no record")]
)
def test_compare_with_what_is_no_record(report_dir: Path, content: str | None, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    (report_dir / "broken").mkdir()
    if content is not None:
        (report_dir / "broken/record.json").write_text(content)
    assert cli.main(["compare", "broken", "latest", "--report-dir", str(report_dir)]) == exit_codes.USAGE
    error = capsys.readouterr().err
    assert said in error and "broken/record.json" in error


def test_history_lists_and_draws_the_trend(
    report_dir: Path, record: dict[str, Any], later: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["history", "--report-dir", str(report_dir)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["20261121-000000-000001", record["id"], later["id"]]
    assert "NO-GO" in lines[3] and "orphans" in lines[3] and "3.00 s" in lines[3]
    (trend,) = [line for line in lines if line.startswith("b2")]
    assert trend.split()[:7] == ["b2", "▃█", "1.00", "s", "3.00", "s", "slower"] and "(3.0 times)" in trend
    # Of billing there is one rehearsal: that is no trend.
    assert not [line for line in lines if line.startswith("prod1/billing: trend")]


@pytest.mark.parametrize("name", ["shop", "prod1/shop"])
def test_history_of_one_database(report_dir: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["history", "--report-dir", str(report_dir), "-d", name, "--json"]) == 0
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [entry["database"] for entry in entries] == ["shop", "shop"]


def test_history_of_the_newest(report_dir: Path, later: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["history", "--report-dir", str(report_dir), "-n", "1", "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["id"] == later["id"]


def test_history_of_nothing_says_what_there_is(report_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["history", "--report-dir", str(report_dir), "-d", "nothing"]) == exit_codes.USAGE
    assert "there is no rehearsal of nothing" in (said := capsys.readouterr().err) and "prod1/billing, prod1/shop" in said
    assert cli.main(["history", "--report-dir", str(tmp_path / "none")]) == exit_codes.USAGE


def test_history_tells_what_it_could_not_read(report_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open(report_dir / history.HISTORY, "a") as file:
        file.write("nonsense\n")
    assert cli.main(["history", "--report-dir", str(report_dir)]) == 0
    assert "line 4 is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("before", "now", "said"), [(1.0, 1.2, ""), (1.0, 2.0, "slower (2.0 times)"), (2.0, 1.0, "faster"), (0.001, 0.05, ""), (0.0, 1.0, "slower")]
)
def test_changed(before: float, now: float, said: str) -> None:
    assert changed(before, now)[0] == said


def test_sparkline() -> None:
    assert sparkline([0, 0.5, 1]) == "▁▅█" and sparkline([0, 0]) == "▁▁"
