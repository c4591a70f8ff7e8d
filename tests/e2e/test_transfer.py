"""The ways of the backup to dev, over real sshd's: resumed when the network is cut, straight from host to host, without a file on production."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hosts import Host, Hosts
from playbook import Played, finish
from proxy import Proxy

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("hosts")]

# The backup of the demonstration takes a few seconds at this pace: long enough to cut the network in the middle.
SLOW = {"rehearsal_transfer_limit": 0.06}
ENOUGH = 60_000


@contextlib.contextmanager
def behind_proxy(hosts: Hosts, host: Host, tmp_path: Path) -> Iterator[tuple[Proxy, Path]]:
    """A network in front of a host that can be cut, and the known hosts with its address."""
    proxy = Proxy(host.port)
    known = tmp_path / f"known-{host.name}"
    lines = (hosts.place / "known_hosts").read_text().splitlines()
    key = next(line for line in lines if line.startswith(f"[127.0.0.1]:{host.port} ")).split(" ", 1)[1]
    known.write_text("\n".join([*lines, f"[127.0.0.1]:{proxy.port} {key}"]) + "\n")
    try:
        yield proxy, known
    finally:
        proxy.close()


def seen(root: Path, name: str) -> int:
    """Size of a file of that name anywhere below; 0 where there is none."""
    for path in root.rglob(name) if root.exists() else ():
        with contextlib.suppress(OSError):
            return path.stat().st_size
    return 0


def summaries(played: Played) -> dict[str, str]:
    """What the transfer stages say, by host."""
    assert played.record is not None
    return {stage["host"]: stage.get("summary", "") for stage in played.record["stages"] if stage["name"] == "transfer"}


def test_a_cut_network_on_both_ways_is_taken_up_again(hosts: Hosts, tmp_path: Path) -> None:
    with behind_proxy(hosts, hosts.production, tmp_path) as (far, known_far), behind_proxy(hosts, hosts.dev, tmp_path) as (near, known_near):
        process = hosts.start(
            tmp_path,
            production=hosts.connection(hosts.production, known_far) | {"ansible_port": far.port},
            dev=hosts.connection(hosts.dev, known_near) | {"ansible_port": near.port} | SLOW,
        )
        cut = {"fetch": 0, "send": 0}
        while process.poll() is None:
            if not cut["fetch"] and seen(tmp_path / "rehearsals", "backup.tar.partial") > ENOUGH:
                cut["fetch"] = far.cut()
            if not cut["send"] and seen(hosts.dev.work_dir, "backup.tar.partial") > ENOUGH:
                cut["send"] = near.cut()
            time.sleep(0.02)
        played = finish(process, tmp_path)
    assert cut["fetch"] and cut["send"], "the network was cut in the middle of either way"
    assert played.rc == 0, played.stdout + played.stderr
    assert played.record is not None and played.record["verdict"] == "GO with warnings"
    assert all("resumed 1 times" in said for said in summaries(played).values()) and len(summaries(played)) == 2, summaries(played)
    assert "resumed after" in played.stdout
    assert hosts.left(played.report_dir) == []


def test_straight_from_production_to_dev(hosts: Hosts, tmp_path: Path) -> None:
    """The backup never is on the controller; the network between the hosts is cut in the middle."""
    ssh = hosts.production.home / ".ssh"
    ssh.mkdir(mode=0o700)
    with behind_proxy(hosts, hosts.dev, tmp_path) as (between, known):
        for source, name in ((hosts.place / "key", "key"), (known, "known_hosts")):
            shutil.copy(source, ssh / name)
        for path in (ssh, *ssh.iterdir()):
            shutil.chown(path, hosts.production.user)
        direct = {
            "host": "127.0.0.1",
            "port": between.port,
            "user": hosts.dev.user,
            "identity_file": str(ssh / "key"),
            "options": [f"UserKnownHostsFile={ssh}/known_hosts", "StrictHostKeyChecking=yes"],
        }
        process = hosts.start(tmp_path, dev={"rehearsal_transfer": "direct", "rehearsal_transfer_direct": direct} | SLOW)
        cut, on_controller = 0, 0
        while process.poll() is None:
            if not cut and seen(hosts.dev.work_dir, "backup.tar.partial") > ENOUGH:
                cut = between.cut()
            on_controller = max(on_controller, seen(tmp_path / "rehearsals", "backup.tar*"))
            time.sleep(0.02)
        played = finish(process, tmp_path)
    shutil.rmtree(ssh)
    assert cut == 1 and on_controller == 0
    assert played.rc == 0, played.stdout + played.stderr
    assert "resumed 1 times" in summaries(played)["production"]
    assert hosts.left(played.report_dir) == []


def files_on_production(hosts: Hosts, process: Any) -> set[str]:
    found: set[str] = set()
    while process.poll() is None:
        with contextlib.suppress(OSError):
            found |= {path.name for path in hosts.production.work_dir.rglob("*") if path.is_file()}
        time.sleep(0.01)
    return found


def test_nothing_of_the_dump_is_written_on_production(hosts: Hosts, tmp_path: Path) -> None:
    process = hosts.start(tmp_path, dev={"rehearsal_transfer": "stream"})
    written = files_on_production(hosts, process)
    played = finish(process, tmp_path)
    assert played.rc == 0, played.stdout + played.stderr
    assert played.record is not None and played.record["copy"]["differences"] == []
    assert "rehearsal.json" in written, "the work directory was watched"
    assert not any(name.startswith(("dump", "backup", "toc")) or name.endswith((".dat", ".gz")) for name in written), written
    assert hosts.left(played.report_dir) == []
    load = played.record["production"]["load"]
    assert load["bytes"] == played.record["production"]["dump_bytes"] > 0
    assert load["connections"] == 2 and load["seconds"] >= load["snapshot_seconds"] > 0


def test_a_cut_stream_fails_and_leaves_nothing(hosts: Hosts, tmp_path: Path) -> None:
    """There is no file that it could be resumed from."""
    with behind_proxy(hosts, hosts.production, tmp_path) as (far, known):
        process = hosts.start(
            tmp_path,
            production=hosts.connection(hosts.production, known) | {"ansible_port": far.port},
            dev={"rehearsal_transfer": "stream"} | SLOW,
        )
        cut = 0
        while process.poll() is None:
            if not cut and seen(tmp_path / "rehearsals", "backup.tar.partial") > ENOUGH:
                cut = far.cut()
            time.sleep(0.02)
        played = finish(process, tmp_path)
    assert cut
    assert played.rc != 0 and played.record is not None and played.record["verdict"] == "INCOMPLETE", played.stdout
    assert hosts.left(played.report_dir) == []
