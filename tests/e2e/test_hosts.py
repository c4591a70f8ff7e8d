"""A whole rehearsal between two hosts behind real sshd's: other users, other home directories, sudo and become."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pwd
import re
import signal
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import quote_identifier
from hosts import BECOME_PASSWORD, DATABASE, Host, Hosts
from playbook import ROOT, Played, finish, wait_for_record

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("hosts")]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="the tests do not run as root: without users of their own there is nothing to become")


@dataclasses.dataclass(frozen=True)
class Watched:
    played: Played
    record: dict[str, Any]
    # Everything that was seen in the work directories while it ran: path → (mode, owner).
    seen: dict[Path, tuple[int, int]]


@dataclasses.dataclass(frozen=True)
class Twice:
    """A rehearsal that kept its copy as a template, what was left then, and another go from it."""

    first: Watched
    left: list[str]
    again: Played


def work_directories(host: Host) -> list[Path]:
    return [home / ".migrations-rehearsal" for home in {host.home, Path(pwd.getpwnam(host.owner).pw_dir)}]


def watch(hosts: Hosts, cwd: Path, **variables: Any) -> Watched:
    """Rehearse, and note the mode of every file that appears meanwhile on both hosts and on the controller."""
    process = hosts.start(cwd, **variables)
    seen: dict[Path, tuple[int, int]] = {}
    roots = [*work_directories(hosts.production), *work_directories(hosts.dev)]
    while process.poll() is None:
        # os.walk passes over a directory that is removed while it is read; Path.rglob (Python 3.11) raises.
        for root in [*roots, *(cwd / "rehearsals").glob("2*")]:
            for path in (Path(top, name) for top, directories, files in os.walk(root) for name in [".", *directories, *files]):
                try:
                    status = path.lstat()
                except OSError:
                    continue
                if not stat.S_ISLNK(status.st_mode):
                    seen[path] = (status.st_mode, status.st_uid)
        time.sleep(0.02)
    played = finish(process, cwd)
    assert played.record is not None, played.stdout + played.stderr
    return Watched(played, played.record, seen)


@pytest.fixture(scope="module")
def twice(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Twice:
    """The usual case: production's server belongs to another user, reached by sudo; dev's to the one who logs in."""
    cwd = tmp_path_factory.mktemp("ssh")
    keep = {"rehearsal_keep": "template"}
    first = watch(hosts, cwd, dev=keep)
    template = f"{first.record['copy']['database']}_template"
    left = hosts.left(first.played.report_dir, kept=template)
    try:
        again = finish(hosts.start(cwd, dev=keep, program=("ansible-playbook", str(ROOT / "playbooks" / "again.yml"))), cwd)
    finally:
        hosts.execute(hosts.dev, f"DROP DATABASE IF EXISTS {quote_identifier(template)} WITH (FORCE)")
    return Twice(first, left, again)


@pytest.fixture(scope="module")
def run(twice: Twice) -> Watched:
    return twice.first


def test_rehearsal_over_ssh_is_go(hosts: Hosts, run: Watched, twice: Twice) -> None:
    assert run.played.rc == 0, run.played.stdout + run.played.stderr
    assert run.record["verdict"] == "GO with warnings"
    assert run.record["copy"]["differences"] == [] and {line["status"] for line in run.record["checklist"]} == {"ok"}
    assert twice.left == []


def test_another_go_over_ssh_needs_no_backup(hosts: Hosts, twice: Twice) -> None:
    record = twice.again.record
    assert twice.again.rc == 0 and record is not None, twice.again.stdout + twice.again.stderr
    assert record["verdict"] == "GO with warnings" and record["again"]["id"] == twice.first.record["id"]
    assert not {"backup", "transfer"} & {stage["name"] for stage in record["stages"]}
    assert record["copy"]["differences"] == [] and record["copy"]["rows"] == twice.first.record["copy"]["rows"]
    assert hosts.left(twice.again.report_dir) == []


def test_both_hosts_were_logged_in_to_with_a_key(hosts: Hosts, run: Watched) -> None:
    for host in (hosts.production, hosts.dev):
        assert f"Accepted publickey for {host.user} " in host.log
    assert hosts.dev.user not in hosts.production.log.replace(hosts.production.user, "") or not hosts.root


def test_no_file_was_ever_open_to_others(hosts: Hosts, run: Watched) -> None:
    names = {path.name for path in run.seen}
    assert {"backup.tar", "manifest.json", "rehearsal.json", "evidence"} <= names, "the dump was seen on its way"
    open_to_others = {str(path): oct(mode) for path, (mode, _owner) in run.seen.items() if stat.S_IMODE(mode) & 0o077}
    assert open_to_others == {}
    for path, (mode, _owner) in run.seen.items():
        assert stat.S_IMODE(mode) == (0o700 if stat.S_ISDIR(mode) else 0o600), path
    # Ansible sent the stages to dev once; those that followed were run with what Python had compiled there. Nothing of it was on production.
    code = [path for path in run.seen if "code" in path.parts]
    assert {"evidence", "alembic_migrate", "collect"} <= {path.name.split(".")[0] for path in code if path.suffix == ".pyc"}
    assert all(path.is_relative_to(hosts.dev.home) for path in code)
    for host in (hosts.production, hosts.dev):
        owners = {owner for path, (_mode, owner) in run.seen.items() if str(path).startswith(str(host.home))}
        assert owners == {host.home.stat().st_uid}


def commands() -> list[str]:
    """What runs on this machine, each as one line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip())
    return found


def test_a_cancelled_rehearsal_shows_its_progress_and_ends_its_work_on_the_host(hosts: Hosts, tmp_path: Path) -> None:
    """Killed, so that nothing but the watch cleans up; the dump runs as another user, through sudo."""
    production, endless = hosts.production, "sleep 6137"
    programs = production.directory / "programs"
    programs.mkdir(mode=0o755)
    (programs / "psql").symlink_to(production.bin_dir / "psql")
    real = f'"{production.bin_dir}/pg_dump" "$@"'
    (programs / "pg_dump").write_text(f'#!/bin/sh\ncase "$1" in --version|-V) exec {real};; esac\n{real} && exec {endless}\n')
    (programs / "pg_dump").chmod(0o755)
    process = hosts.start(
        tmp_path, production={"rehearsal_postgres": hosts.production_variables()["rehearsal_postgres"] | {"bin_dir": str(programs)}}
    )
    try:
        deadline = time.monotonic() + 120
        said = tmp_path / "stdout.txt"
        while not re.search(r"^  production: [\d,.]+ of about [\d,.]+ MB dumped|^  production: [\d,.]+ MB dumped", said.read_text(), re.MULTILINE):
            assert process.poll() is None and time.monotonic() < deadline, said.read_text()
            time.sleep(0.1)
        assert endless in commands()
        os.kill(process.pid, signal.SIGKILL)
        played = finish(process, tmp_path)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    record = wait_for_record(played.directory)
    assert record["verdict"] == "INCOMPLETE" and [finding["code"] for finding in record["findings"]] == ["interrupted"], record["findings"]
    assert endless not in commands()
    assert hosts.left(played.report_dir) == []


@needs_root
def test_becoming_the_servers_user_with_a_password(hosts: Hosts, tmp_path: Path) -> None:
    """Files of the user that the task becomes cannot be read by the one that logs in: sftp would fail."""
    done = watch(
        hosts,
        tmp_path,
        production={
            "ansible_user": hosts.asks,
            "ansible_become": True,
            "ansible_become_user": hosts.production.owner,
            "ansible_become_password": BECOME_PASSWORD,
            "rehearsal_postgres": hosts.postgres(hosts.production),
        },
    )
    assert done.played.rc == 0, done.played.stdout + done.played.stderr
    assert done.record["verdict"] == "GO with warnings"
    home = next(path for path in work_directories(hosts.production) if not str(path).startswith(str(hosts.place)))
    assert [path for path in done.seen if path.name == "backup.tar" and str(path).startswith(str(home))]
    assert hosts.left(done.played.report_dir) == []
    told = done.played.stdout + done.played.stderr + "".join(path.read_text() for path in done.played.report_dir.rglob("*") if path.is_file())
    assert BECOME_PASSWORD not in told


@pytest.mark.parametrize("program", [("ansible-playbook", str(ROOT / "rehearse.yml")), ("rehearse", "run")], ids=["ansible-playbook", "rehearse run"])
def test_another_host_key_is_not_trusted(hosts: Hosts, tmp_path: Path, program: tuple[str, ...]) -> None:
    known = tmp_path / "known_hosts"
    lines = (hosts.place / "known_hosts").read_text().splitlines()
    ports = [line.split()[0] for line in lines]
    # Each host's address with the other one's key.
    known.write_text("".join(f"{port} {line.split(' ', 1)[1]}\n" for port, line in zip(ports, reversed(lines), strict=True)))
    connection = hosts.connection(hosts.production, known)
    # A connection that the test before has left open would be used without a look at any key.
    connection["ansible_ssh_common_args"] += " -o ControlMaster=no -o ControlPath=none"
    done = finish(hosts.start(tmp_path, production=connection, program=program), tmp_path)
    assert done.rc != 0 and done.record is not None and done.record["verdict"] == "INCOMPLETE"
    assert any("production cannot be reached" in finding["message"] for finding in done.record["findings"]), done.record["findings"]
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in done.said or "Host key verification failed" in done.said


def test_a_large_table_is_carried_in_files_of_its_own(hosts: Hosts, tmp_path: Path) -> None:
    """Its rows leave through sudo, compressed on the host, and come to dev in production's order."""
    hosts.execute(hosts.production, "CREATE SCHEMA archive", database=DATABASE)
    try:
        hosts.execute(
            hosts.production,
            "CREATE TABLE archive.rows AS SELECT n AS id, repeat(md5(n::text), 8) AS text FROM generate_series(1, 40000) AS n",
            database=DATABASE,
        )
        played = finish(hosts.start(tmp_path, dev={"rehearsal_prove_backup": "fingerprint"}), tmp_path)
    finally:
        hosts.execute(hosts.production, "DROP SCHEMA archive CASCADE", database=DATABASE)
    assert played.rc == 0 and played.record is not None, played.stdout + played.stderr
    assert (played.record["copy"]["proved_by"], played.record["copy"]["differences"]) == ("fingerprint", [])
    manifest = json.loads((played.directory / "evidence" / "manifest.json").read_text())
    (rows,) = manifest["row_files"]
    assert (rows["table"]["schema"], rows["table"]["name"], rows["binary"], manifest["dump_piped"]) == ("archive", "rows", True, hosts.root)
    assert played.record["production"]["load"]["compression"] == rows["program"] in ("zstd", "gzip")
    assert rows["files"][0]["bytes"] > 40000 * 256 > manifest["files"][rows["files"][0]["name"]]["bytes"] > 0
    assert hosts.left(played.report_dir) == []
