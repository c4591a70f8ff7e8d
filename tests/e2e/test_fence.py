"""The runbook's own mistake: Alembic goes for another database than the copy. It is stopped, and that database stays as it was."""

from __future__ import annotations

import dataclasses

import pytest
from playbook import Demo, Played, findings

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("fence")]

WRONG = {"ignoring": "staffprobot_dev", "strayed": "staffprobot_prod"}


@dataclasses.dataclass(frozen=True)
class FenceRun:
    played: Played
    before: dict[str, str]
    after: dict[str, str]


@pytest.fixture(scope="module")
def run(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> FenceRun:
    directory = tmp_path_factory.mktemp("fence")
    cluster = demo.cluster("dev")
    # What the runbook did: the copy's name is an -x argument, and env.py reads the environment of the dev database only.
    ignored = demo.application(
        x={"db_name": "{{ rehearsal_copy_database }}"},
        environment={"POSTGRES_HOST": str(cluster.socket_directory), "POSTGRES_PORT": str(cluster.port)},
    )
    # Worse: it is production's.
    strayed = demo.application(environment={"DATABASE_URL": demo.state.production.url})
    inventory = demo.write_inventory(
        directory,
        prod={"production": demo.production_variables()},
        dev={
            "ignoring": demo.dev_variables(rehearsal_application=ignored),
            "strayed": demo.dev_variables(rehearsal_application=strayed),
        },
    )

    def dumps() -> dict[str, str]:
        return {"ignoring": demo.dump("dev", "staffprobot_dev"), "strayed": demo.dump("production", "staffprobot_prod")}

    before = dumps()
    played = demo.play(inventory, directory / "run")
    return FenceRun(played, before, dumps())


@pytest.mark.parametrize("host", WRONG)
def test_wrong_database_is_unchanged(run: FenceRun, host: str) -> None:
    # That the dump says something is seen by what is in it.
    assert "CREATE TABLE public.shifts" in run.before[host] and "1f6d83b2c5a9" in run.before[host]
    assert run.after[host] == run.before[host]


@pytest.mark.parametrize("host", WRONG)
def test_verdict_names_the_database_that_alembic_went_for(run: FenceRun, host: str) -> None:
    record = run.played.record_of(host)
    assert run.played.rc != 0 and record["verdict"] == "NO-GO"
    (finding,) = findings(record, "fence")
    assert finding["severity"] == "blocker" and finding["object"] == WRONG[host]
    assert f"went for database {WRONG[host]}" in finding["message"] and "stopped before its first statement" in finding["message"]
    assert finding["message"] in run.played.stdout
    report = (run.played.report_dir / record["id"] / "report.txt").read_text()
    assert finding["message"] in report


def test_verdict_names_the_ignored_argument(run: FenceRun) -> None:
    (finding,) = findings(run.played.record_of("ignoring"), "fence")
    assert "db_name" in finding["message"]


@pytest.mark.parametrize("host", WRONG)
def test_nothing_was_migrated(run: FenceRun, host: str) -> None:
    record = run.played.record_of(host)
    assert record["revisions"] == []
    stages = {stage["name"]: stage["status"] for stage in record["stages"]}
    assert stages["upgrade"] == "failed"
    assert not {"structure", "data", "downgrade", "again"} & set(stages)
    lines = {line["item"]: line["status"] for line in record["checklist"]}
    assert lines["migrations applied without errors"] == "failed" and "ok" not in (lines["downgrade works"], lines["existing data undamaged"])


@pytest.mark.parametrize("host", WRONG)
def test_copy_is_cleaned_up(demo: Demo, run: FenceRun, host: str) -> None:
    record = run.played.record_of(host)
    assert f"database {record['copy']['database']}" in record["cleanup"]["dev"]["removed"]
    assert record["cleanup"]["production"]["work_directory"] == "removed"
    assert demo.left(run.played.report_dir) == []
