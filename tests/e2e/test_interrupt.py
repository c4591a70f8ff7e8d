"""Whatever ends a rehearsal early, nothing of it is left on either side, and the record says that it was not carried out."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.migrations.rehearsal.plugins.module_utils import history
from playbook import PROGRAMS, Demo, Played, findings, finish, wait_for_record
from shims import application_with, programs_with

from migration_rehearsal import embedded

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("interrupt")]

# A stage that is held up stays so for much longer than anybody waits for clean-up.
HELD_S = 600


def held_up(demo: Demo, place: Path, stage: str) -> tuple[Path, Callable[[], bool]]:
    """An inventory in which a stage does not end by itself, and a question that is true once it is in the middle of that stage."""
    place.mkdir(parents=True, exist_ok=True)
    reached = place / "reached"
    hold = f'"$REAL" "$@" && touch {reached} && sleep {HELD_S}'
    if stage == "backup":
        return demo.inventory(place, production={"rehearsal_postgres": programs_with(demo, place, "production", {"pg_dump": hold})}), reached.exists
    if stage == "restore":
        return demo.inventory(place, dev={"rehearsal_postgres": programs_with(demo, place, "dev", {"pg_restore": hold})}), reached.exists
    application = application_with(demo, place, f'op.execute("SELECT pg_sleep({HELD_S})")')

    def sleeping() -> bool:
        found = demo.rows("dev", "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(%' AND wait_event = 'PgSleep'")
        return bool(found)

    return demo.inventory(place, dev={"rehearsal_application": application, "rehearsal_expectations": None}), sleeping


def vaulted(demo: Demo, place: Path) -> list[str]:
    """Options that take production's variables from an encrypted file."""
    password = place / "vault-password"
    password.write_text("opensesame-7f1c\n")
    secret = place / "secret.yml"
    secret.write_text(yaml.safe_dump({"rehearsal_database": demo.state.production.database}))
    argv = [str(PROGRAMS / "ansible-vault"), "encrypt", "--vault-password-file", str(password), str(secret)]
    subprocess.run(argv, check=True, capture_output=True, env=demo.environment())
    return ["--extra-vars", f"@{secret}", "--vault-password-file", str(password)]


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str], cwd: Path, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert process.poll() is None, (cwd / "stdout.txt").read_text() + (cwd / "stderr.txt").read_text()
        assert time.monotonic() < deadline, "the stage was not reached"
        time.sleep(0.1)


def copies(demo: Demo) -> list[str]:
    return [row["datname"] for row in demo.rows("dev", "SELECT datname FROM pg_database WHERE datname LIKE 'rehearsal%'")]


# Ctrl-C during a migration: test_terminal.py.
CASES = [
    ("backup", signal.SIGINT),
    ("restore", signal.SIGTERM),
    ("migration", signal.SIGKILL),
]


@pytest.mark.parametrize(("stage", "number"), CASES, ids=[f"{number.name} during {stage}" for stage, number in CASES])
def test_an_interrupted_controller(demo: Demo, tmp_path: Path, stage: str, number: signal.Signals) -> None:
    inventory, reached = held_up(demo, tmp_path / "inventory", stage)
    cwd = tmp_path / "controller"
    # What production is called is known to the vault alone, whose password the clean-up needs as well.
    process = demo.start(inventory, cwd, *(vaulted(demo, tmp_path) if stage == "restore" else ()))
    try:
        wait_until(reached, process, cwd)
        assert demo.left() != [] and (stage == "backup" or copies(demo)), "nothing was there to be cleaned up"
        # A terminal sends Ctrl-C to all of the group; others kill the process that they know.
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        played = finish(process, cwd, 60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert played.rc != 0
    record = wait_for_record(played.directory)
    assert demo.left(played.report_dir) == []
    assert record["verdict"] == "INCOMPLETE"
    assert [finding["severity"] for finding in findings(record, "interrupted")] == ["blocker"]
    assert not findings(record, "left-behind")
    for side in ("production", "dev"):
        assert record["cleanup"][side]["left"] == [] and record["cleanup"][side]["problems"] == []
    assert (played.report_dir / "latest").resolve() == played.directory
    assert "INCOMPLETE" in (played.directory / "report.md").read_text()
    assert [entry["verdict"] for entry in history.read(str(played.report_dir)).entries] == ["INCOMPLETE"]
    assert (played.report_dir / history.HISTORY).exists()
    if stage != "backup":
        assert any(thing.startswith("database rehearsal_") for thing in record["cleanup"]["dev"]["removed"])


def test_the_command_waits_for_clean_up_and_says_so(demo: Demo, tmp_path: Path) -> None:
    inventory, reached = held_up(demo, tmp_path / "inventory", "restore")
    cwd = tmp_path / "controller"
    cwd.mkdir()
    with open(cwd / "stdout.txt", "w") as out, open(cwd / "stderr.txt", "w") as err:
        argv = [str(PROGRAMS / "rehearse"), "run", "-i", str(inventory)]
        process = subprocess.Popen(
            argv, cwd=cwd, env=demo.environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=err, text=True, start_new_session=True
        )
    try:
        wait_until(reached, process, cwd)
        os.killpg(process.pid, signal.SIGINT)
        played = finish(process, cwd, 120)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert played.rc == 3, played.said
    assert "interrupted: cleaning up on production and dev" in played.said
    assert "INCOMPLETE" in played.said
    assert played.record is not None and findings(played.record, "interrupted")
    assert demo.left(played.report_dir) == []


@pytest.fixture(scope="module")
def killed(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """One production and two dev hosts: on one pg_restore is killed midway, on the other the application's Python."""
    place = tmp_path_factory.mktemp("killed")
    restore = programs_with(demo, place, "dev", {"pg_restore": '"$REAL" "$@"; kill -9 $$'})
    application = application_with(demo, place, "os.kill(os.getpid(), signal.SIGKILL)")
    inventory = demo.write_inventory(
        place,
        prod={"production": demo.production_variables()},
        dev={
            "restore-killed": demo.dev_variables(rehearsal_postgres=restore),
            "agent-killed": demo.dev_variables(rehearsal_application=application, rehearsal_expectations=None),
        },
    )
    return demo.play(inventory, place)


def test_a_killed_pg_restore_is_told_and_cleaned_up(demo: Demo, killed: Played) -> None:
    assert killed.rc != 0
    record = killed.record_of("restore-killed")
    assert record["verdict"] == "INCOMPLETE"
    (found,) = findings(record, "stage-failed")
    assert "pg_restore" in found["message"] and "SIGKILL" in found["message"]
    assert any(thing.startswith("database ") for thing in record["cleanup"]["dev"]["removed"])
    assert record["cleanup"]["dev"]["left"] == []
    assert demo.left(killed.report_dir) == []


def test_a_killed_application_is_told_and_cleaned_up(demo: Demo, killed: Played) -> None:
    record = killed.record_of("agent-killed")
    assert record["verdict"] == "NO-GO"
    (found,) = findings(record, "migration-failed")
    assert "0123456789ab" in f"{found['object']} {found['message']}" and "signal 9" in found["message"]
    assert record["cleanup"]["dev"]["left"] == [] and record["cleanup"]["dev"]["problems"] == []
    assert demo.left(killed.report_dir) == []


@pytest.fixture
def restart(demo: Demo) -> Iterator[Callable[[], None]]:
    """Starts dev's server if it does not run; after the test it runs."""
    cluster = demo.cluster("dev")

    def start() -> None:
        if not embedded.is_running(cluster):
            done = embedded._pg_ctl(cluster, "start", 60, "-l", cluster.log)
            assert done.returncode == 0, done.stdout

    yield start
    start()


def test_a_dev_server_that_is_gone_midway_is_not_a_silent_green(demo: Demo, tmp_path: Path, restart: Callable[[], None]) -> None:
    cluster = demo.cluster("dev")
    stop = f'"$REAL" "$@" && kill -QUIT "$(head -n 1 {cluster.data_directory}/postmaster.pid)" && sleep 1'
    inventory = demo.inventory(tmp_path, dev={"rehearsal_postgres": programs_with(demo, tmp_path, "dev", {"pg_restore": stop})})
    played = demo.play(inventory, tmp_path / "controller")
    assert not embedded.is_running(cluster), "the server was to be stopped"
    assert played.rc != 0
    record = played.record
    assert record is not None
    assert record["verdict"] == "INCOMPLETE"
    assert findings(record, "left-behind"), record["findings"]
    assert record["cleanup"]["dev"]["copy"] == "left"
    # Production was within reach, and so were the files.
    assert record["cleanup"]["production"]["left"] == []

    restart()
    assert [thing for thing in demo.left(played.report_dir) if not thing.startswith("dev: database rehearsal_")] == []
    assert len(copies(demo)) == 1
    # Once it is back, the same clean-up does it.
    again = demo.play(inventory, tmp_path / "controller", "-e", f"rehearsal_resume={played.directory}", playbook="playbooks/cleanup.yml")
    assert again.rc == 0, again.said
    assert demo.left(played.report_dir) == []
    assert again.record is not None
    assert not findings(again.record, "left-behind")
    assert again.record["verdict"] == "INCOMPLETE"
