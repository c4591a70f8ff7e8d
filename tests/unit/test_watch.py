"""What the watch takes over from the controller, and how others see that it is at work. How it cleans up: e2e/test_interrupt.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import ansible_runner
import pytest
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import watch


@pytest.fixture
def of_runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment in which ansible-runner would start ansible-playbook here."""
    monkeypatch.delenv("ANSIBLE_STDOUT_CALLBACK", raising=False)
    config = ansible_runner.RunnerConfig(private_data_dir=str(tmp_path), playbook="rehearse.yml", project_dir=str(tmp_path), ident="one")
    config.prepare()
    environment: dict[str, str] = {**config.env, "KEPT": "yes"}
    assert environment["AWX_ISOLATED_DATA_DIR"].startswith(str(tmp_path))
    return environment


def test_nothing_of_runner_s_own_directory_is_left(of_runner: dict[str, str], tmp_path: Path) -> None:
    kept = watch.environment(of_runner)
    assert kept["KEPT"] == "yes" and "PATH" in kept
    assert [name for name, value in kept.items() if str(tmp_path) in value and name != "PWD"] == []
    assert "ANSIBLE_STDOUT_CALLBACK" not in kept
    assert not any(name.startswith(("RUNNER_", "AWX_ISOLATED")) for name in kept)
    assert "ansible_runner" in of_runner["ANSIBLE_CALLBACK_PLUGINS"] and "ANSIBLE_CALLBACK_PLUGINS" not in kept
    assert (
        watch.environment({**of_runner, "ANSIBLE_CALLBACK_PLUGINS": f"/mine:{of_runner['ANSIBLE_CALLBACK_PLUGINS']}"})["ANSIBLE_CALLBACK_PLUGINS"]
        == "/mine"
    )
    # How hosts are trusted is to be the same as in the run.
    assert kept["ANSIBLE_HOST_KEY_CHECKING"] == of_runner["ANSIBLE_HOST_KEY_CHECKING"]


def test_a_callback_of_the_user_s_is_taken_up_again(of_runner: dict[str, str]) -> None:
    assert watch.environment({**of_runner, "ORIGINAL_STDOUT_CALLBACK": "minimal"})["ANSIBLE_STDOUT_CALLBACK"] == "minimal"


def test_without_runner_everything_stays() -> None:
    found = {"ANSIBLE_STDOUT_CALLBACK": "minimal", "ANSIBLE_CACHE_PLUGIN": "jsonfile", "PATH": "/bin"}
    assert watch.environment(found) == found


def test_a_directory_is_watched_as_long_as_the_watch_lives(tmp_path: Path) -> None:
    holder = f"""
import sys
sys.path[:] = {sys.path!r}
from {watch.__name__} import hold
hold({str(tmp_path)!r})
print(flush=True)
sys.stdin.read()
"""
    assert not watch.is_watched(str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdout.readline() == b"\n"
        assert watch.is_watched(str(tmp_path)) and watch.is_watched(str(tmp_path))
    finally:
        process.communicate(timeout=30)
    assert not watch.is_watched(str(tmp_path))
    assert not watch.is_watched(str(tmp_path / "gone"))
