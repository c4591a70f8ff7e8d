"""A disk that fills up while a rehearsal is under way, on either side; and a dev server that is newer than production's."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session
from playbook import Demo, findings, finish

from migration_rehearsal import embedded

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("disk")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MiB: enough for what preflight asks for."""
    place = tmp_path / "small"
    place.mkdir()
    mount = shutil.which("mount")
    if not mount or os.geteuid() != 0 or subprocess.run([mount, "-t", "tmpfs", "-o", "size=40m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("needs to mount a small file system, which only root may")
    yield place
    subprocess.run(["umount", place], check=True)


@contextlib.contextmanager
def filled(disk: Path) -> Iterator[None]:
    """All the room that there is, and what becomes free meanwhile, is somebody else's."""
    ended = threading.Event()

    def fill() -> None:
        with open(disk / "filler", "wb", buffering=0) as file:
            while not ended.is_set():
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * (1 << 20))
                ended.wait(0.01)

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("side", ["production", "dev"])
def test_a_disk_that_fills_up_is_said_and_nothing_is_left(demo: Demo, small_disk: Path, tmp_path: Path, side: str) -> None:
    work = {"rehearsal_work_dir": str(small_disk / "work")}
    inventory = demo.inventory(tmp_path / "inventory", **{side: work})
    process = demo.start(inventory, tmp_path / "run")
    while process.poll() is None and not list((small_disk / "work").glob(f"2*-{side}/rehearsal.json")):
        time.sleep(0.005)
    with filled(small_disk):
        played = finish(process, tmp_path / "run")
    assert played.rc != 0 and played.record is not None and played.record["verdict"] == "INCOMPLETE", played.stdout
    told = [finding["message"] for finding in played.record["findings"] if finding["severity"] == "blocker"]
    assert any("No space left on device" in message for message in told), told
    assert not (small_disk / "work").exists(), list((small_disk / "work").rglob("*"))
    assert demo.left(played.report_dir) == []


@dataclasses.dataclass(frozen=True)
class Older:
    server: Any
    database: str


@pytest.fixture
def production_16(demo: Demo, postgres_servers: Callable[[int], Any]) -> Iterator[Older]:
    """Production's rows on a server of version 16."""
    if demo.cluster("dev").major < 18:
        pytest.skip("needs PostgreSQL 18 for dev; the demonstration has an older one here")
    try:
        embedded.find_binaries(major=16)
    except embedded.ClusterError as error:
        pytest.skip(str(error))
    server = postgres_servers(16)
    name = server.create_database("staffprobot_16")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")} | {"PYTHONDONTWRITEBYTECODE": "1"}
    argv = [sys.executable, "-m", "staffprobot.generate", "--url", server.url(name), "--scale", "1"]
    subprocess.run(argv, cwd=demo.state.application, env=environment, check=True, capture_output=True, timeout=300)
    yield Older(server, name)
    server.drop_database(name)


def test_a_newer_dev_is_good_enough(demo: Demo, production_16: Older, tmp_path: Path) -> None:
    server = production_16.server
    postgres = {"host": server.host, "port": server.port, "user": server.user, "bin_dir": str(server.bin_dir)}
    inventory = demo.inventory(tmp_path / "inventory", production={"rehearsal_postgres": postgres, "rehearsal_database": production_16.database})
    played = demo.play(inventory, tmp_path / "run")
    assert played.rc == 0, played.stdout + played.stderr
    assert played.record is not None and played.record["verdict"] == "GO with warnings"
    assert played.record["production"]["server_version"].startswith("16.") and played.record["copy"]["server_version"].startswith("18.")
    assert played.record["copy"]["differences"] == []
    assert any("production runs PostgreSQL 16" in finding["message"] for finding in findings(played.record, "parity"))
    with Session(server.server, "postgres", "tests") as session:
        assert session.rows("SELECT pid FROM pg_stat_activity WHERE application_name ~* 'rehears'") == []


def test_only_preflight(demo: Demo, tmp_path: Path) -> None:
    """--tags preflight looks, and makes nothing: neither on the hosts nor here."""
    played = demo.play(demo.inventory(tmp_path / "inventory"), tmp_path / "run", "--tags", "preflight")
    assert played.rc == 0, played.stdout + played.stderr
    assert "Look at production" in played.stdout and "Dump production" not in played.stdout
    assert played.directories == [] and demo.left() == []
    bad = demo.inventory(
        tmp_path / "bad", production={"rehearsal_database": "no_such"}, dev={"rehearsal_application": demo.application(config="no.ini")}
    )
    played = demo.play(bad, tmp_path / "bad-run", "--tags", "preflight")
    assert played.rc != 0
    # All problems at once.
    assert "The rehearsal cannot start" in played.said and "no_such" in played.said and "no.ini" in played.said
    assert played.directories == [] and demo.left() == []


def test_check_changes_nothing(demo: Demo, tmp_path: Path) -> None:
    played = demo.play(demo.inventory(tmp_path / "inventory"), tmp_path / "run", "--check")
    assert played.rc == 0, played.stdout + played.stderr
    assert played.directories == [] and demo.left() == []
    # The playbook ends after preflight; what would come then is said.
    block = played.stdout.split("What would be done for production/staffprobot_prod on rehearsal; nothing was changed:")[1].split("\n\n")[1]
    said = " ".join(block.split())
    assert "back up production/staffprobot_prod (PostgreSQL " in said and "pg_dump with 2 connections in one snapshot" in said
    assert "carry production → controller → rehearsal; every file checked there against its SHA-256" in said
    assert re.search(r"copy database rehearsal_\w+ in dev's server \(PostgreSQL [\d.]+\), marked before a row is in it", said)
    assert re.search("migrate 7 revisions, from [0-9a-f]{12}(, [0-9a-f]{12})* to 3bcf125fefbd, behind the fence:", said)
    order = re.findall(r"^ +([0-9a-f]{12})  \S", block, re.MULTILINE)
    assert len(order) == 7 and order[0] == "c63f1b9e0d85" and order[-1] == "3bcf125fefbd"
    assert "remove the copy and the backup, with the work directories on production and rehearsal, also after a failure" in said
    bad = demo.inventory(tmp_path / "bad", production={"rehearsal_database": "no_such"})
    played = demo.play(bad, tmp_path / "bad-run", "--check")
    assert played.rc != 0 and "no_such" in played.said and "What would be done" not in played.said
    assert played.directories == [] and demo.left() == []
