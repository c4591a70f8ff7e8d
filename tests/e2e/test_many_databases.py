"""Several databases in one inventory: side by side, a record and a verdict each, one summary, and red if one of them is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.migrations.rehearsal.plugins.module_utils.files import read_json
from playbook import Demo, Played, findings

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("many")]

SECOND = "Второй.магазин"


def expectations_with(demo: Demo, place: Path, **changes: Any) -> str:
    """The sample's expectations with other values at the top."""
    document = yaml.safe_load((demo.state.application / "expectations.yml").read_text())
    path = place / "expectations.yml"
    path.write_text(yaml.safe_dump({**document, **changes}, allow_unicode=True))
    return str(path)


@pytest.fixture(scope="module")
def played(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Two productions. Of the dev hosts, one is well, one has a false expectation, one does not say which production is its own."""
    place = tmp_path_factory.mktemp("many")
    with demo.another_database("production", SECOND, template=demo.state.production.database):
        # The two differ, so that each record can be told to be of the right one.
        demo.execute("production", "CREATE TABLE only_in_second AS SELECT n FROM generate_series(1, 11) n", database=SECOND)
        inventory = demo.write_inventory(
            place / "inventory",
            prod={"shop-a": demo.production_variables(), "shop-b": demo.production_variables(rehearsal_database=SECOND)},
            dev={
                "dev-a": demo.dev_variables(rehearsal_production="shop-a", rehearsal_target="heads"),
                "dev-b": demo.dev_variables(
                    rehearsal_production="shop-b",
                    rehearsal_expectations=expectations_with(demo, place, revision="96bcb588d0c8"),
                    rehearsal_language="ru",
                    rehearsal_report_formats=["json", "md"],
                ),
                "dev-c": demo.dev_variables(),
            },
        )
        yield demo.play(inventory, place)


def test_each_has_a_record_of_its_own_production(demo: Demo, played: Played) -> None:
    assert len(played.directories) == 2
    one, other = played.record_of("dev-a"), played.record_of("dev-b")
    assert (one["production"]["host"], one["production"]["database"]) == ("shop-a", demo.state.production.database)
    assert (other["production"]["host"], other["production"]["database"]) == ("shop-b", SECOND)
    assert other["production"]["rows"] == one["production"]["rows"] + 11
    assert one["copy"]["database"] != other["copy"]["database"]
    assert {record["id"] for record in (one, other)} == {path.name for path in played.directories}


def test_each_has_a_verdict_of_its_own(played: Played) -> None:
    one, other = played.record_of("dev-a"), played.record_of("dev-b")
    assert one["verdict"].startswith("GO"), one["findings"]
    assert (one["application"]["target"], other["application"]["target"]) == ("heads", "head")
    assert not findings(one, "revision-not-reached")
    assert other["verdict"] == "NO-GO"
    (found,) = findings(other, "revision-not-reached")
    assert "96bcb588d0c8" in found["message"]


def test_one_that_is_not_go_makes_the_whole_red(played: Played) -> None:
    assert played.rc != 0


def test_one_has_its_reports_in_the_language_and_formats_that_it_asked_for(played: Played) -> None:
    one, other = (
        next(path for path in played.directories if read_json(str(path / "record.json"))["copy"]["host"] == host) for host in ("dev-a", "dev-b")
    )
    assert {path.name for path in other.glob("*.*")} == {"record.json", "report.md", "state.json"}
    assert {path.name for path in one.glob("report.*")} == {"report.html", "report.md", "report.sarif", "report.txt"}
    assert "## Чек-лист" in (other / "report.md").read_text() and "## Checklist" in (one / "report.md").read_text()
    # The verdict on the screen as well, which leads to what was written.
    assert f"Отчёт: {other}/report.md" in played.stdout and f"Report: {one}/report.html" in played.stdout
    assert "Выкатывать" not in (one / "report.md").read_text()


def test_they_ran_side_by_side(played: Played) -> None:
    def times(record: dict[str, Any], name: str) -> list[str]:
        return [stage["started_at"] for stage in record["stages"] if stage["name"] == name]

    one, other = played.record_of("dev-a"), played.record_of("dev-b")
    for record, than in ((one, other), (other, one)):
        assert times(record, "backup")[0] < times(than, "cleanup")[0], "the second began after the first had ended"


def test_the_summary_has_a_line_for_each_and_comes_once(played: Played) -> None:
    assert played.stdout.count("Rehearsed 2 databases:") == 1
    summary = played.stdout.split("Rehearsed 2 databases:")[1].splitlines()[1:3]
    ones = [line for line in summary if "dev-a" in line]
    others = [line for line in summary if "dev-b" in line]
    # One that could not begin is not passed over.
    assert "INCOMPLETE" in "".join(line for line in played.stdout.split("Rehearsed 2 databases:")[1].splitlines()[1:4] if "dev-c" in line)
    assert len(ones) == 1 and ones[0].strip().startswith("GO") and "shop-a/" in ones[0]
    assert len(others) == 1 and others[0].strip().startswith("NO-GO") and f"shop-b/{SECOND} " in others[0] and "revision-not-reached" in others[0]


def test_a_production_that_is_not_named_is_a_clear_error_for_that_host_alone(played: Played) -> None:
    assert "dev-c: rehearsal_production is not set, and group prod has 2 hosts: shop-a, shop-b" in played.said
    assert not any(record["copy"]["host"] == "dev-c" for record in played.records)


def test_latest_is_the_newest(played: Played) -> None:
    latest = played.report_dir / "latest"
    assert os.readlink(latest) == max(path.name for path in played.directories)


def test_nothing_is_left(demo: Demo, played: Played) -> None:
    assert demo.left(played.report_dir, expected={"production": {SECOND}}) == []


def test_two_productions_and_none_named_touches_nothing(demo: Demo, tmp_path: Path) -> None:
    inventory = demo.write_inventory(
        tmp_path / "inventory",
        prod={"shop-a": demo.production_variables(), "shop-b": demo.production_variables()},
        dev={"dev": demo.dev_variables()},
    )
    before = demo.left()
    played = demo.rehearse(tmp_path, "run", "-i", str(inventory))
    assert played.rc == 2
    assert "dev: rehearsal_production is not set, and group prod has 2 hosts: shop-a, shop-b" in played.said
    assert not played.report_dir.exists()
    assert demo.left() == before
