"""What the watch takes over from the controller, and how others see that it is at work. How it cleans up: e2e/test_interrupt.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ansible_runner
import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
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


def test_clean_up_opens_the_vaults_that_the_run_had_opened_and_asks_nobody(tmp_path: Path) -> None:
    secrets = [("prod", b"first-9d21"), ("dev", b"second-0b7e")]
    vault = VaultLib([(label, VaultSecret(password)) for label, password in secrets])
    hidden = {f"of_{label}": f"value of {label}" for label, _password in secrets}
    for (label, password), (name, value) in zip(secrets, hidden.items(), strict=True):
        encrypted = vault.encrypt(value, VaultSecret(password), vault_id=label).decode()
        (tmp_path / f"{name}.yml").write_text(f"{name}: !vault |\n" + "".join(f"  {line}\n" for line in encrypted.splitlines()))
    (tmp_path / "ansible.cfg").write_text("[defaults]\nask_vault_pass = true\nask_pass = true\n[privilege_escalation]\nbecome_ask_pass = true\n")
    (tmp_path / "play.yml").write_text("- hosts: localhost\n  gather_facts: false\n  tasks:\n    - debug: {msg: '{{ of_prod }} and {{ of_dev }}'}\n")
    argv = [sys.executable, "-c", "from ansible.cli.playbook import main; main()", "play.yml"]
    argv += [word for name in hidden for word in ("-e", f"@{name}.yml")]
    with watch.with_passwords([(label, password.decode()) for label, password in secrets], {"become": "third-55aa"}) as passwords:
        files = [Path(part.rsplit("@", 1)[-1]) for value in passwords.values() for part in value.split(",") if "/" in part]
        assert len(files) == 3 and all(path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700 for path in files)
        done = subprocess.run(
            argv, cwd=tmp_path, env={**os.environ, "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"), **passwords},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert "value of prod and value of dev" in done.stdout, done.stdout + done.stderr
    assert not any(path.parent.exists() for path in files)


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
