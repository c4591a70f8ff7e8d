"""A checkout as AWX takes it: its own way of running a project, and what comes out of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from playbook import PROGRAMS, ROOT, TIMEOUT_S, Demo

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


def assert_rehearsed(demo: Demo, private: Path, store: Path) -> None:
    found = artifact_data(private)
    assert set(found) == set(DEMO_VARIABLES)
    assert found["rehearsal_verdict"] == "GO with warnings" and found["rehearsal_downtime_ms"] > 0
    (stored,) = store.iterdir()
    assert json.loads((stored / "record.json").read_text())["verdict"] == "GO with warnings"
    assert demo.left() == []


def environment(demo: Demo) -> dict[str, str]:
    kept = demo.environment()
    # Nothing but what is in the project: no configuration from elsewhere hides its own.
    kept.pop("ANSIBLE_CONFIG")
    return kept | {"PATH": f"{PROGRAMS}:{kept['PATH']}"}


def test_transmit_worker_process(demo: Demo, private: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    stages = [
        [RUNNER, "transmit", str(private), "--playbook", "rehearse.yml"],
        [RUNNER, "worker", "--private-data-dir", str(tmp_path / "work")],
        [RUNNER, "process", str(private)],
    ]
    data = b""
    for argv in stages:
        done = subprocess.run(argv, input=data, env=environment(demo), cwd=tmp_path, capture_output=True, check=False, timeout=TIMEOUT_S)
        data = done.stdout
        assert done.returncode == 0, f"{argv}: {done.stderr.decode()} {done.stdout.decode(errors='replace')[-3000:]}"
    assert_rehearsed(demo, private, tmp_path / "store")


def test_run_in_a_private_data_directory(demo: Demo, private: Path, tmp_path: Path) -> None:
    argv = [RUNNER, "run", str(private), "--playbook", "rehearse.yml"]
    done = subprocess.run(argv, env=environment(demo), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert_rehearsed(demo, private, tmp_path / "store")


def test_awx_offers_the_root_playbook() -> None:
    # AWX takes a file for a playbook by this line, and never a name of a collection.
    assert re.search(r"^\s*(- )?(hosts|include|(ansible\.builtin\.)?import_playbook):", (ROOT / "rehearse.yml").read_text(), re.MULTILINE)


def test_the_configuration_as_code_names_what_the_project_has() -> None:
    (play,) = yaml.load((ROOT / "extensions/awx/configure.yml").read_text(), Loader=_Loader)
    (templates,) = [task for task in play["tasks"] if "awx.awx.job_template" in task]
    for item in templates["loop"]:
        assert (ROOT / item["playbook"]).is_file()
    known = (ROOT / "docs/variables.md").read_text()
    for question in templates["vars"]["awx_survey"]["spec"]:
        assert f"`{question['variable']}`" in known
    assert (ROOT / play["vars"]["awx_inventory_path"]).is_file()
    (notification,) = [task for task in play["tasks"] if "awx.awx.notification_template" in task]
    assert set(re.findall(r"job\.artifacts\.(\w+)", notification["vars"]["awx_notification_body"])) <= set(DEMO_VARIABLES)


class _Loader(yaml.SafeLoader):
    """Knows !unsafe, which is Ansible's."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))
