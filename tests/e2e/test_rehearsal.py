"""The main run: the demonstration, rehearsed from another directory, without any configuration, with secrets in its inventory."""

from __future__ import annotations

import dataclasses
import json
import re
import stat
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.migrations.rehearsal.plugins.module_utils import reports
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import parse_time
from playbook import Demo, Played, findings, finish, telling_words

from migration_rehearsal import demo_servers, judge_command

sys.path.append(str(Path(__file__).parents[1]))

from english_left import sentences, words_of_page  # noqa: E402

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("rehearsal")]

PASSWORD = "p4ss-in-the-url-73c1"
TOKEN = "t0ken-in-the-environment-b52e"
PASSFILE_WORD = "w0rd-in-the-passfile-9d07"
SECRETS = (PASSWORD, TOKEN, PASSFILE_WORD)

STAGES = [
    "preflight", "backup", "transfer", "restore", "upgrade", "structure", "models", "drift", "data", "downgrade", "back", "again",
    "stairway", "cleanup",
]  # fmt: skip
RECORD = {
    "schema_version": int,
    "id": str,
    "verdict": str,
    "started_at": str,
    "finished_at": str,
    "seconds": float,
    "production": dict,
    "copy": dict,
    "application": dict,
    "stages": list,
    "revisions": list,
    "findings": list,
    "checklist": list,
    "cleanup": dict,
}
ENTRIES = {
    "stages": {"name": str, "host": str, "status": str, "seconds": float},
    "revisions": {"revision": str, "message": str, "direction": str, "seconds": float, "statements": int},
    "findings": {"code": str, "severity": str, "stage": str, "object": str, "message": str, "advice": str},
    "checklist": {"item": str, "status": str, "detail": str},
}


@dataclasses.dataclass(frozen=True)
class MainRun:
    played: Played
    record: dict[str, Any]
    # Command lines in which a secret was seen while it ran.
    told: set[str]


def with_secrets(demo: Demo, directory: Path) -> Path:
    """An inventory to lie over inventory/demo: the same values, and secrets beside them."""
    passfile = directory / "pgpass"
    passfile.write_text(f"*:*:*:*:{PASSFILE_WORD}\n")
    passfile.chmod(0o600)
    variables = {
        "demo-production": {"rehearsal_postgres": demo.postgres("production", passfile=str(passfile))},
        "demo-dev": {
            "rehearsal_postgres": demo.postgres("dev", passfile=str(passfile)),
            "rehearsal_application": demo.application(environment={"DATABASE_URL": demo.copy_url(PASSWORD), "TOKEN": TOKEN}),
        },
    }
    (directory / "host_vars").mkdir()
    for host, values in variables.items():
        (directory / "host_vars" / f"{host}.yml").write_text(yaml.safe_dump(values))
    (directory / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": dict.fromkeys(variables)}}))
    return directory


@pytest.fixture(scope="module")
def run(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> MainRun:
    overlay = with_secrets(demo, tmp_path_factory.mktemp("overlay"))
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    process = demo.start(
        demo_servers.inventory_directory(), elsewhere, "-i", str(overlay), "-e", "rehearsal_stairway=true", "-e", "rehearsal_show_keys=true"
    )
    told = set()
    while process.poll() is None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_text(errors="replace")
            except OSError:
                continue
            if any(secret in words for secret in SECRETS):
                told.add(words.replace("\0", " "))
        time.sleep(0.2)
    played = finish(process, elsewhere)
    assert played.record is not None, played.stdout + played.stderr
    return MainRun(played, played.record, told)


def test_verdict_is_go_with_warnings(run: MainRun) -> None:
    assert run.played.rc == 0, run.played.stdout + run.played.stderr
    assert run.record["verdict"] == "GO with warnings"
    assert {finding["severity"] for finding in run.record["findings"]} <= {"warning", "info"}
    # The defect that the sample's head revision has, in both its foreign keys.
    defects = {finding["object"] for finding in findings(run.record, "fk-set-null-not-null")}
    assert "object_openings.object_openings_opened_by_fkey" in defects


def test_the_conversion_is_proved_as_declared_and_dropped_rows_are_counted(run: MainRun) -> None:
    changes = {change["object"]: change for change in run.record["data_changes"]["upgrade"]}
    assert changes["contracts.hourly_rate"]["kind"] == "column-as-declared"
    dropped = {name: changes[name]["rows_before"] for name in ("rate_history", "bot_dialog_states", "shift_imports")}
    assert dropped == {"rate_history": 70, "bot_dialog_states": 110, "shift_imports": 180}
    assert {changes[name]["kind"] for name in dropped} == {"table-dropped"}


def test_what_was_declared_would_stop_the_deploy_if_it_were_not(run: MainRun) -> None:
    evidence = judge_command.load_evidence(run.played.directory)
    undeclared = dataclasses.replace(evidence, expectations=dataclasses.replace(evidence.expectations, changes={}))
    record = judge_command.record_of(undeclared)
    assert record["verdict"] == "NO-GO"
    assert {(finding["code"], finding["object"]) for finding in record["findings"] if finding["severity"] == "blocker"} == {
        ("data-not-compared", "contracts.hourly_rate"),
        *(("data-lost", name) for name in ("objects.legacy_code", "rate_history", "bot_dialog_states", "shift_imports")),
    }


def test_record_has_every_key_with_its_type(run: MainRun) -> None:
    for key, kind in RECORD.items():
        assert type(run.record[key]) is kind, key
    for key, fields in ENTRIES.items():
        assert run.record[key], f"{key} is empty"
        for entry in run.record[key]:
            for field, kind in fields.items():
                assert type(entry[field]) is kind, f"{key}: {field} in {entry}"
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{6}", run.record["id"]) and run.record["id"] == run.played.directory.name
    begin, end = parse_time(run.record["started_at"]), parse_time(run.record["finished_at"])
    assert (end - begin).total_seconds() == run.record["seconds"] > 0
    assert (run.record["production"]["host"], run.record["production"]["database"]) == ("demo-production", "staffprobot_prod")
    assert run.record["production"]["revisions"] == {"alembic_version": ["1f6d83b2c5a9"]}
    assert run.record["copy"]["differences"] == []
    assert run.record["application"]["heads"] == ["3bcf125fefbd"]


def test_stages_are_in_order(run: MainRun) -> None:
    order = dict.fromkeys(stage["name"] for stage in run.record["stages"] if stage["name"] in STAGES)
    assert list(order) == STAGES
    assert {stage["status"] for stage in run.record["stages"]} == {"ok"}
    hosts = {(stage["name"], stage["host"]) for stage in run.record["stages"]}
    both = {(name, host) for name in ("preflight", "transfer", "cleanup") for host in ("demo-production", "demo-dev")}
    assert both | {("backup", "demo-production"), ("restore", "demo-dev"), ("upgrade", "demo-dev")} <= hosts
    assert ("restore", "demo-production") not in hosts and ("backup", "demo-dev") not in hosts


def test_checklist_and_expectations_are_met(run: MainRun) -> None:
    assert len(run.record["checklist"]) == 7
    assert {line["status"] for line in run.record["checklist"]} == {"ok"}
    assert len(run.record["expectations"]) > 100 and all(check["ok"] for check in run.record["expectations"])


def test_both_upgrades_run_the_same_revisions(run: MainRun) -> None:
    runs = {name: [row["revision"] for row in run.record["revisions"] if row["run"] == name] for name in ("upgrade", "downgrade", "again")}
    assert len(runs["upgrade"]) >= 6 and runs["upgrade"][-2:] == ["96bcb588d0c8", "3bcf125fefbd"]
    assert runs["again"] == runs["upgrade"]
    assert sorted(runs["downgrade"]) == sorted(runs["upgrade"]) and runs["downgrade"][:2] == ["3bcf125fefbd", "96bcb588d0c8"]
    assert {row["direction"] for row in run.record["revisions"] if row["run"] == "downgrade"} == {"downgrade"}
    # A merge has no statement of its own but the version table's, all others have.
    assert sum(row["statements"] > 0 for row in run.record["revisions"]) >= 3 * (len(runs["upgrade"]) - 1)


def test_models_drift_and_stairway_are_measured(run: MainRun) -> None:
    (models,) = run.record["models"]["databases"]
    assert models["reason"] is None and models["compare_type"]
    assert (run.record["drift"]["reason"], run.record["drift"]["revisions"]) == (None, ["1f6d83b2c5a9"])
    assert run.record["drift"]["ran"] > 0
    revisions = [row["revision"] for row in run.record["revisions"] if row["run"] == "upgrade"]
    assert (run.record["stairway"]["revisions"], run.record["stairway"]["complete"], run.record["stairway"]["end"]) == (len(revisions), True, [])
    assert [step["revision"] for step in run.record["stairway"]["steps"]] == revisions
    unmeasured = [finding["code"] for finding in run.record["findings"] if finding["code"] in ("models-not-compared", "drift-not-measured")]
    assert unmeasured == [] and findings(run.record, "stairway-failed") == []


def test_nothing_is_left_and_the_record_proves_it(demo: Demo, run: MainRun) -> None:
    assert demo.left(run.played.report_dir) == []
    for side in ("production", "dev"):
        cleaned = run.record["cleanup"][side]
        assert (cleaned["left"], cleaned["problems"], cleaned["work_directory"]) == ([], [], "removed")
    assert f"database {run.record['copy']['database']}" in run.record["cleanup"]["dev"]["removed"]


def test_files_are_private_and_latest_points_at_them(run: MainRun) -> None:
    latest = run.played.report_dir / "latest"
    assert latest.is_symlink() and latest.resolve() == run.played.directory
    assert run.played.report_dir.parent == latest.parent.parent
    for path in [run.played.directory, *run.played.directory.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_report_follows_the_checklist(run: MainRun) -> None:
    # Markdown escapes what stands in a message; the text report has it as it is.
    report = (run.played.directory / "report.txt").read_text()
    assert run.record["verdict"] in report.split("\n\n")[0]
    places = [report.index(line["item"]) for line in run.record["checklist"]]
    assert places == sorted(places)
    for finding in run.record["findings"]:
        assert finding["severity"] == "info" or finding["message"] in report


@pytest.mark.parametrize("name", ["html", "md", "text"])
def test_in_russian_all_of_it_is_russian(demo: Demo, run: MainRun, name: str) -> None:
    """What the stages really said, too. Left as they are: the project's own messages, reasons and names of checks."""
    shown = reports.render(run.record, name, "ru")
    left = sentences(words_of_page(shown) if name == "html" else shown)
    project = demo.state.application
    own = " ".join(path.read_text() for path in [project / "expectations.yml", *(project / "migrations" / "versions").glob("*.py")])
    assert [found for found in left if found not in own] == []
    assert "Ожидаемый простой" in shown or name == "text"


def test_end_of_the_output_says_it_all(run: MainRun) -> None:
    end = run.played.stdout.split("TASK [Verdict]")[1]
    assert "GO with warnings" in end and str(run.played.directory / "report.html") in end
    for finding in run.record["findings"]:
        assert finding["severity"] == "info" or (finding["code"] in end and finding["message"] in end)


def everything_told(played: Played) -> str:
    files = [path for path in played.report_dir.rglob("*") if path.is_file()]
    assert {"record.json", "report.md", "report.html", "state.json", "manifest.json", "fingerprint-after.json", "migration-upgrade.jsonl"} <= {
        path.name for path in files
    }
    return "\n".join([played.stdout, played.stderr, *(path.read_text() for path in files)])


def test_the_rehearsal_is_remembered(run: MainRun) -> None:
    """Also where nobody used the command."""
    (line,) = (run.played.report_dir / "history.jsonl").read_text().splitlines()
    entry = json.loads(line)
    assert (entry["id"], entry["verdict"]) == (run.record["id"], run.record["verdict"])
    assert {row["revision"] for row in entry["revisions"]["upgrade"]} == {row["revision"] for row in run.record["revisions"]}
    assert entry["stages"].keys() == {stage["name"] for stage in run.record["stages"]}


def test_no_secret_is_told(run: MainRun) -> None:
    told = everything_told(run.played)
    assert "DATABASE_URL" in told, "the names of what is in the environment are told"
    assert [secret for secret in SECRETS if secret in told] == []
    assert run.told == set(), "a secret was among the arguments of a process"


def test_no_row_value_is_told(demo: Demo, run: MainRun) -> None:
    values = demo.row_values("production", "staffprobot_prod")
    assert {"Анна", "Вымыть", "Кузьмина"} <= values and len(values) > 2000
    assert values & telling_words(everything_told(run.played)) == set()
