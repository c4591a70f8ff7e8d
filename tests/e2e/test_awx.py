"""A checkout as AWX takes it: its own way of running a project, and what comes out of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fake_awx
import pytest
import yaml
from ansible_package import collections
from jinja2.sandbox import ImmutableSandboxedEnvironment
from playbook import PROGRAMS, ROOT, TIMEOUT_S, Demo
from sample_application import NOT_UNIQUE, with_revision

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("other")]

RUNNER = str(PROGRAMS / "ansible-runner")
DEMO_VARIABLES = ("rehearsal_verdict", "rehearsal_summary", "rehearsal_downtime_ms", "rehearsal_report")


@pytest.fixture
def private(demo: Demo, tmp_path: Path) -> Path:
    """A private data directory: the project is the checkout, links and all; the reports are to be stored on dev."""
    if not (ROOT / ".git").exists():
        pytest.skip("which files belong to the project is known in a git checkout only")
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    directory = tmp_path / "private"
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists() and not name.startswith(("tests/", "bench/")):
            (directory / "project" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, directory / "project" / name, follow_symlinks=False)
    demo.inventory(directory / "inventory", dev={"rehearsal_report_store": str(tmp_path / "store")})
    return directory


def artifact_data(private: Path) -> dict[str, Any]:
    """What AWX keeps as the job's artifacts."""
    events = [json.loads(path.read_text()) for path in private.glob("artifacts/**/job_events/*.json")]
    (last,) = [event for event in events if event["event"] == "playbook_on_stats"]
    return dict(last["event_data"]["artifact_data"])


def assert_rehearsed(demo: Demo, private: Path, store: Path, verdict: str = "GO with warnings") -> dict[str, Any]:
    """What AWX shows and hands on, and what was stored; the artifacts of the job."""
    found = artifact_data(private)
    assert set(found) == set(DEMO_VARIABLES)
    assert found["rehearsal_verdict"] == verdict
    (stored,) = store.iterdir()
    assert json.loads((stored / "record.json").read_text())["verdict"] == verdict
    assert demo.left() == []
    return found


def environment(demo: Demo) -> dict[str, str]:
    kept = demo.environment()
    # Nothing but what is in the project: no configuration from elsewhere hides its own.
    kept.pop("ANSIBLE_CONFIG")
    return kept | {"PATH": f"{PROGRAMS}:{kept['PATH']}"}


def as_awx_does(demo: Demo, private: Path, work: Path) -> list[int]:
    """The exit codes of its three stages, each of which reads what the one before it has written."""
    work.mkdir()
    codes, data = [], b""
    for words in (["transmit", private, "--playbook", "rehearse.yml"], ["worker", "--private-data-dir", work], ["process", private]):
        argv = [RUNNER, *map(str, words)]
        done = subprocess.run(argv, input=data, env=environment(demo), cwd=work.parent, capture_output=True, check=False, timeout=TIMEOUT_S)
        data = done.stdout
        codes.append(done.returncode)
    return codes


def test_transmit_worker_process(demo: Demo, private: Path, tmp_path: Path) -> None:
    assert as_awx_does(demo, private, tmp_path / "work") == [0, 0, 0]
    assert assert_rehearsed(demo, private, tmp_path / "store")["rehearsal_downtime_ms"] > 0


def test_no_go_fails_the_job_and_says_why(demo: Demo, private: Path, tmp_path: Path) -> None:
    application = demo.application(chdir=str(with_revision(tmp_path / "application", NOT_UNIQUE)))
    demo.inventory(private / "inventory", dev={"rehearsal_application": application, "rehearsal_report_store": str(tmp_path / "store")})
    codes = as_awx_does(demo, private, tmp_path / "work")
    # The worker is what ends with Ansible's code; to AWX the status says it, which `process` takes out of what it reads.
    assert codes[0] == 0 and codes[1] != 0, codes
    found = assert_rehearsed(demo, private, tmp_path / "store", "NO-GO")
    assert found["rehearsal_downtime_ms"] is None and "migration-failed" in found["rehearsal_summary"]
    assert Path(found["rehearsal_report"]).name == "report.html"
    (status,), (rc,) = private.glob("artifacts/**/status"), private.glob("artifacts/**/rc")
    assert (status.read_text(), rc.read_text()) == ("failed", str(codes[1]))


def test_run_in_a_private_data_directory(demo: Demo, private: Path, tmp_path: Path) -> None:
    argv = [RUNNER, "run", str(private), "--playbook", "rehearse.yml"]
    done = subprocess.run(argv, env=environment(demo), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert assert_rehearsed(demo, private, tmp_path / "store")["rehearsal_downtime_ms"] > 0


def test_awx_offers_the_root_playbook() -> None:
    # AWX takes a file for a playbook by this line, and never a name of a collection.
    assert re.search(r"^\s*(- )?(hosts|include|(ansible\.builtin\.)?import_playbook):", (ROOT / "rehearse.yml").read_text(), re.MULTILINE)


GIVEN = {
    "awx_project_url": "git@git.example.com:ops/rehearsals.git", "awx_execution_environment_image": "harbor.example.com/ops/ee:1",
    "awx_machine_user": "rehearsal", "awx_registry_host": "harbor.example.com", "awx_registry_user": "awx", "awx_report_dir": "/var/lib/rehearsals",
    "awx_webhook_url": "https://chat.example.com/hooks/ops",
}  # fmt: skip
SECRETS = ("awx_machine_key_file", "awx_project_key_file", "awx_registry_password_file", "awx_vault_password_file")


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[fake_awx.Awx, list[subprocess.CompletedProcess[str]]]]:
    """An AWX that configure.yml was run against twice, with everything that it can make."""
    place = tmp_path_factory.mktemp("awx")
    given = dict(GIVEN)
    for name in SECRETS:
        (place / name).write_text(f"secret of {name}")
        given[name] = str(place / name)
    (place / "values.yml").write_text(yaml.safe_dump(given))
    (place / "ansible.cfg").write_text("")
    with fake_awx.awx() as awx:
        environment = {**os.environ, "CONTROLLER_HOST": awx.address, "CONTROLLER_OAUTH_TOKEN": "t0ken", "ANSIBLE_CONFIG": str(place / "ansible.cfg"),
                       "ANSIBLE_COLLECTIONS_PATH": str(collections()), "HOME": str(place)}  # fmt: skip
        argv = [str(PROGRAMS / "ansible-playbook"), str(ROOT / "extensions/awx/configure.yml"), "-e", f"@{place / 'values.yml'}"]
        argv += ["-e", f"ansible_python_interpreter={sys.executable}"]
        runs = [
            subprocess.run(argv, env=environment, cwd=place, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
            for _once in range(2)
        ]
        yield awx, runs


def test_the_configuration_as_code_is_carried_out_by_awx_s_own_modules(configured: tuple[fake_awx.Awx, list[Any]]) -> None:
    awx, runs = configured
    assert [run.returncode for run in runs] == [0, 0], runs[0].stdout + runs[0].stderr + runs[1].stdout
    assert re.search(r"localhost\s+: ok=\d+\s+changed=0 ", runs[1].stdout), "the second time there is nothing to do"
    project, environment = awx.named("projects")["Migration rehearsal project"], awx.named("execution_environments")["Migration rehearsal"]
    credentials = awx.named("credentials")
    assert project["credential"] == credentials["Migration rehearsal project"]["id"] and project["default_environment"] == environment["id"]
    assert environment["credential"] == credentials["Migration rehearsal registry"]["id"]
    (source,) = awx.things["inventory_sources"].values()
    assert source["source_project"] == project["id"] and (ROOT / source["source_path"]).is_file()
    templates = awx.named("job_templates")
    assert {name: template["playbook"] for name, template in templates.items()} == {
        "Migration rehearsal": "rehearse.yml", "Migration rehearsal again": "playbooks/again.yml", "Migration rehearsal sweep": "playbooks/sweep.yml",
    }  # fmt: skip
    for template in templates.values():
        assert (ROOT / template["playbook"]).is_file()
        assert set(awx.names("credentials", template, "credentials")) == {"Migration rehearsal SSH", "Migration rehearsal vault"}
        assert json.loads(template["extra_vars"]) == {"rehearsal_report_dir": "/var/lib/rehearsals"}
    assert awx.names("notification_templates", templates["Migration rehearsal"], "notification_templates_error") == ["Migration rehearsal"]
    scheduled = {schedule["unified_job_template"] for schedule in awx.things["schedules"].values()}
    assert scheduled == {templates["Migration rehearsal"]["id"], templates["Migration rehearsal sweep"]["id"]}


def test_the_survey_asks_for_variables_and_insists_on_none(configured: tuple[fake_awx.Awx, list[Any]]) -> None:
    awx, _runs = configured
    known = (ROOT / "docs/variables.md").read_text()
    (survey,) = awx.surveys.values()
    for question in survey["spec"]:
        assert f"`{question['variable']}`" in known
        # What the inventory says holds, unless somebody answers.
        assert not question["required"] and question["default"] == ""


@pytest.mark.parametrize("artifacts", [{}, {"rehearsal_verdict": "NO-GO", "rehearsal_summary": 'NO-GO  shop: index "uq" on\nGO  other'}])
def test_the_notification_can_be_filled_in(configured: tuple[fake_awx.Awx, list[Any]], artifacts: dict[str, str]) -> None:
    awx, _runs = configured
    (made,) = awx.things["notification_templates"].values()
    for moment in ("success", "error"):
        filled = (
            ImmutableSandboxedEnvironment().from_string(made["messages"][moment]["body"]).render(job={"artifacts": artifacts}, url="https://a/#1")
        )
        assert json.loads(filled) == {"text": f"{artifacts.get('rehearsal_summary', 'no verdict')} https://a/#1"}


def test_no_secret_is_told_while_configuring(configured: tuple[fake_awx.Awx, list[Any]]) -> None:
    _awx, runs = configured
    assert not any("secret of" in run.stdout + run.stderr for run in runs)


def test_a_project_needs_nothing_else(tmp_path: Path) -> None:
    argv = [str(PROGRAMS / "ansible-galaxy"), "collection", "install", "-r", str(ROOT / "collections/requirements.yml"), "-p", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
