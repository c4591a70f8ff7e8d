"""The runbook's own layout over SSH: production and dev each a compose project, PostgreSQL and the application in services of it."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    arguments,
    basebackup,
    clean_up,
    copy_database,
    copying,
    files,
    inside,
    large_tables,
    pipes,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import Limits, take_backup, unpack
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, copy_database_name, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.server_programs import find_programs
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory
from engine import IMAGE, SERVER, Engine, compose_commands, compose_file
from hosts import DATABASE, Hosts, fill, free_port
from playbook import PROGRAMS, ROOT, Played, finish, wait_for_record

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("hosts")]

PASSWORD = "pass-of-production-8e1f"
DEV_PASSWORD = "pass-of-dev-77aa"


@dataclasses.dataclass(frozen=True)
class Project:
    """A compose project on one of the hosts."""

    engine: Engine
    command: list[str]
    directory: Path
    file: str
    port: int
    password: str

    def compose(self, *args: str, given: bytes = b"") -> str:
        return self.engine.run([*self.command, "--file", str(self.directory / self.file), *args], given=given)

    def inside(self, *words: str, given: bytes = b"") -> str:
        """Output of a command in the service of PostgreSQL."""
        return self.compose("exec", "-T", "postgres", *words, given=given)

    def query(self, sql: str) -> str:
        return self.inside("sh", "-c", f"PGPASSWORD={self.password} psql -XAtqU postgres -h /tmp -p {self.port}", given=sql.encode()).strip()

    def postgres(self, **more: Any) -> dict[str, Any]:
        """rehearsal_postgres."""
        compose = {"project_directory": str(self.directory), "file": self.file, "service": "postgres", "command": self.command, "user": "postgres"}
        return {"compose": compose, "user": "postgres", "host": "/tmp", "port": self.port, "password": self.password} | more

    def by_container(self, **more: Any) -> dict[str, Any]:
        """The same without the compose file: `docker exec` in its container."""
        container = {"name": self.compose("ps", "-q", "postgres").strip(), "user": "postgres"}
        return {"container": container, "user": "postgres", "host": "/tmp", "port": self.port, "password": self.password} | more


@pytest.fixture(scope="module")
def projects(hosts: Hosts, engine: Engine) -> Any:
    forms = compose_commands()
    found = []
    for number, (host, password) in enumerate(((hosts.production, PASSWORD), (hosts.dev, DEV_PASSWORD))):
        # Its name is the project's, and here both are on one engine.
        directory = host.home / f"staffprobot-{host.name}"
        directory.mkdir()
        # Each form of compose on one of the hosts, where this machine has both.
        project = Project(engine, forms[number % len(forms)], directory, f"docker-compose.{host.name}.yml", free_port(), password)
        postgres = {
            "image": IMAGE, "user": "postgres", "network_mode": "host", "command": ["sh", "-c", SERVER.format(port=project.port, password=password)],
        }  # fmt: skip
        web = {
            "image": IMAGE, "network_mode": "host", "command": ["sleep", "infinity"], "working_dir": "/app", "volumes": [f"{host.home}/app:/app:ro"],
        }  # fmt: skip
        compose_file(directory / project.file, {"postgres": postgres} | ({"web": web} if host is hosts.dev else {}))
        for path in (directory, directory / project.file):
            shutil.chown(path, host.user)
        project.compose("up", "-d")
        found.append(project)
    for project in found:
        wait_for(project)
    production = found[0]
    production.query(f"CREATE DATABASE {DATABASE} TEMPLATE template0;")
    fill(f"postgresql+psycopg://postgres:{PASSWORD}@127.0.0.1:{production.port}/{DATABASE}")
    yield found
    for project in found:
        project.compose("down", "-t", "0")
        shutil.rmtree(project.directory)


def wait_for(project: Project) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            project.query("SELECT 1")
            return
        except RuntimeError:
            if time.monotonic() > deadline:
                raise RuntimeError(project.compose("logs")) from None
            time.sleep(0.3)


def left(hosts: Hosts, projects: list[Project], played: Played, kept: str = "") -> list[str]:
    """What a rehearsal left on the hosts and in the containers. `kept`: a database that is meant to be in dev's."""
    found = hosts.left(played.report_dir)
    for project, databases in zip(projects, ({DATABASE}, {kept} - {""}), strict=True):
        names = set(project.query("SELECT datname FROM pg_database").splitlines()) - {"postgres", "template0", "template1"}
        found += [f"{project.file}: database {name}" for name in names ^ databases]
        sessions = project.query("SELECT application_name FROM pg_stat_activity WHERE application_name ~* 'rehears'")
        found += [f"{project.file}: session {name}" for name in sessions.splitlines()]
        for place in ("/tmp", "/var/lib/postgresql"):
            found += [
                f"{project.file}: {line}" for line in project.inside("find", place, "-newer", "/etc/hostname", "-name", "*rehears*").splitlines()
            ]
    return found


@dataclasses.dataclass(frozen=True)
class Run:
    played: Played
    record: dict[str, Any]
    # Command lines and environments in which a password was seen.
    told: set[str]
    # What was left, but for the template that was kept, and another go from that.
    left: list[str]
    again: Played


def start(hosts: Hosts, projects: list[Project], cwd: Path, *options: str, playbook: str = "rehearse.yml", **production_more: Any) -> Any:
    """The playbook between the two projects, running."""
    production, dev = projects
    url = f"postgresql+psycopg2://postgres:{DEV_PASSWORD}@127.0.0.1:{dev.port}/{{{{ rehearsal_copy_database }}}}"
    application = {
        "command": [*dev.command, "--file", str(dev.directory / dev.file), "exec", "-T", "web", "python3"],
        "environment": {"DATABASE_URL": url},
    }
    return hosts.start(
        cwd,
        *options,
        production={"rehearsal_postgres": production.postgres(), **production_more},
        dev={"rehearsal_postgres": dev.postgres(), "rehearsal_application": application, "rehearsal_keep": "template"},
        program=("ansible-playbook", str(ROOT / playbook)),
    )


def rehearse(hosts: Hosts, projects: list[Project], cwd: Path) -> Run:
    """The whole of it, while every process of the machine is looked at for the passwords, inside the containers too."""
    process = start(hosts, projects, cwd)
    told = set()
    while process.poll() is None:
        for path in [*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")]:
            try:
                words = path.read_text(errors="replace")
            except OSError:
                continue
            # The services' own command line, which starts the server and stands in the compose file.
            if any(secret in words for secret in (PASSWORD, DEV_PASSWORD)) and "initdb" not in words:
                told.add(f"{path}: {words[:500]}".replace("\0", " "))
        time.sleep(0.1)
    played = finish(process, cwd)
    record = played.record
    assert record is not None, played.stdout + played.stderr
    template = f"{record['copy']['database']}_template"
    left_then = left(hosts, projects, played, kept=template)
    try:
        again = finish(start(hosts, projects, cwd, playbook="playbooks/again.yml"), cwd)
    finally:
        projects[1].query(f'DROP DATABASE IF EXISTS "{template}" WITH (FORCE)')
    return Run(played, record, told, left_then, again)


@pytest.fixture(scope="module")
def run(hosts: Hosts, projects: list[Project], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return rehearse(hosts, projects, tmp_path_factory.mktemp("compose"))


def test_the_runbooks_layout_is_rehearsed(hosts: Hosts, projects: list[Project], run: Run) -> None:
    assert run.played.rc == 0, run.played.stdout + run.played.stderr
    assert run.record["verdict"] == "GO with warnings"
    assert run.record["copy"]["differences"] == [] and {line["status"] for line in run.record["checklist"]} == {"ok"}
    assert run.left == []


def test_another_go_needs_no_backup(hosts: Hosts, projects: list[Project], run: Run) -> None:
    record = run.again.record
    assert run.again.rc == 0 and record is not None, run.again.stdout + run.again.stderr
    assert record["verdict"] == "GO with warnings" and record["again"]["id"] == run.record["id"]
    assert not {"backup", "transfer"} & {stage["name"] for stage in record["stages"]}
    assert record["copy"]["differences"] == [] and left(hosts, projects, run.again) == []


def test_an_inventory_that_init_writes_passes_preflight(hosts: Hosts, projects: list[Project], tmp_path: Path) -> None:
    """Over SSH as ssh itself is configured, through the compose service of each side; the passwords are variables, as from a vault."""
    words, ssh = ["--database", DATABASE], ["Host *", f"  IdentityFile {hosts.place}/key", f"  UserKnownHostsFile {hosts.place}/known_hosts"]
    for side, host, project in zip(("production", "dev"), (hosts.production, hosts.dev), projects, strict=True):
        ssh += [
            f"Host {side}.example",
            "  HostName 127.0.0.1",
            f"  Port {host.port}",
            f"  User {host.user}",
            f"  HostKeyAlias [127.0.0.1]:{host.port}",
        ]
        words += [f"--{side}", f"{side}.example", f"--{side}-user", host.user, f"--{side}-compose", str(project.directory / project.file)]
        for pair in ("user=postgres", "host=/tmp", f"port={project.port}", "password=vault"):
            words += [f"--{side}-postgres", pair]
        words += [f"--{side}-service", "postgres", f"--{side}-compose-command", " ".join(project.command)]
    dev = projects[1]
    # Both services are on the host's network here, so that the server is not called like its own.
    where = f"postgres:{{{{ vault_rehearsal_dev_password }}}}@127.0.0.1:{dev.port}/{{{{ rehearsal_copy_database }}}}"
    words += ["--app-command", " ".join([*dev.command, "--file", str(dev.directory / dev.file), "exec -T web python3"])]
    words += ["--environment", f"DATABASE_URL=postgresql+psycopg2://{where}"]
    (tmp_path / "ssh_config").write_text("\n".join([*ssh, ""]))
    environment = hosts.environment() | {"ANSIBLE_SSH_ARGS": f"-F {tmp_path}/ssh_config -o StrictHostKeyChecking=yes"}

    def call(*argv: str) -> subprocess.CompletedProcess[str]:
        argv = (str(PROGRAMS / argv[0]), *argv[1:])
        return subprocess.run(argv, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200, check=False)

    written = call("rehearse", "init", "inventory", *words)
    assert written.returncode == 0, written.stderr
    vault = tmp_path / "inventory" / "group_vars" / "all" / "vault.yml"
    vault.parent.mkdir(parents=True)
    vault.write_text(f"vault_rehearsal_production_password: {PASSWORD}\nvault_rehearsal_dev_password: {DEV_PASSWORD}\n")
    played = call("ansible-playbook", str(ROOT / "playbooks/preflight.yml"), "-i", "inventory")
    assert played.returncode == 0, played.stdout + played.stderr
    assert hosts.left() == []
    vault.write_text(f"vault_rehearsal_production_password: {PASSWORD}\nvault_rehearsal_dev_password: wrong\n")
    refused = call("ansible-playbook", str(ROOT / "playbooks/preflight.yml"), "-i", "inventory")
    assert refused.returncode != 0 and "password authentication failed" in refused.stdout


# In place of pg_dump: it hangs in the server as a long COPY does, in a session of the rehearsal's.
HANGING = """#!/bin/bash
case "$1" in --version) exec {real}/pg_dump "$@";; esac
for word; do case "$word" in --dbname=*) exec -a pg_dump {real}/psql -XAtq "$word" -c "SELECT pg_sleep(600)";; esac; done
"""


def test_a_killed_controller_leaves_no_dump_running_in_a_container(hosts: Hosts, projects: list[Project], tmp_path: Path) -> None:
    """Over SSH and through `docker exec`, neither of which ends what it has started there when it is killed itself."""
    production = projects[0]
    name = production.compose("ps", "-q", "postgres").strip()
    real = production.inside("sh", "-c", "dirname $(command -v pg_dump)").strip()
    slow = "/var/lib/postgresql/slow"
    fill_in = f"mkdir {slow} && ln -s {real}/psql {slow}/psql && cat > {slow}/pg_dump && chmod 755 {slow}/pg_dump"
    production.inside("sh", "-c", fill_in, given=HANGING.format(real=real).encode())
    hanging = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND application_name ~ 'rehears'"
    process = start(hosts, projects, tmp_path, rehearsal_postgres=production.by_container(bin_dir=slow))
    try:
        deadline = time.monotonic() + 200
        while production.query(hanging) != "1":
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "stdout.txt").read_text()
            time.sleep(0.3)
        assert "pg_dump" in production.engine.docker("top", name, "-eo", "pid,args")
        os.kill(process.pid, signal.SIGKILL)
        played = finish(process, tmp_path)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    record = wait_for_record(played.directory)
    assert record["verdict"] == "INCOMPLETE" and [finding["code"] for finding in record["findings"]] == ["interrupted"], record["findings"]
    assert production.query(hanging) == "0"
    assert "pg_dump" not in production.engine.docker("top", name, "-eo", "pid,args")
    assert record["cleanup"]["production"]["left"] == [] and record["cleanup"]["production"]["problems"] == []
    assert left(hosts, projects, played) == []
    production.inside("rm", "-r", slow)


def test_no_password_is_told(run: Run) -> None:
    assert run.told == set()
    files = [path for path in run.played.report_dir.rglob("*") if path.is_file()]
    text = run.played.stdout + run.played.stderr + "".join(path.read_text() for path in files)
    assert "DATABASE_URL" in json.dumps(run.record) or "DATABASE_URL" in text
    assert [secret for secret in (PASSWORD, DEV_PASSWORD) if secret in text] == []


def test_a_parallel_dump_is_made_in_the_container_and_leaves_nothing(
    engine: Engine, projects: list[Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stages themselves, without the play around them: a directory out of one container, restored by several jobs in the other."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{engine.socket}")
    rehearsal_id = new_id()
    marker = Marker(rehearsal_id, "production/staffprobot_prod", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
    # By docker exec, as where there is no compose file.
    production, dev = (arguments.server(project.by_container(scratch="/var/lib/postgresql"), rehearsal_id) for project in projects)
    work = WorkDirectory.at(str(tmp_path), rehearsal_id, "production")
    work.create(marker)
    manifest = take_backup(production, DATABASE, rehearsal_id, work, Limits(jobs=2))
    assert len([name for name in manifest["files"] if name.startswith("dump/")]) > 20, "a directory, one file a table"
    assert manifest["load"]["connections"] == 4
    assert inside.directories(production, rehearsal_id) == [os.path.dirname(production.passfile)]
    arrived = WorkDirectory.at(str(tmp_path), rehearsal_id, "dev")
    arrived.create(marker)
    unpack(arrived, work.file("backup.tar"), files.sha256(work.file("manifest.json")))
    name = copy_database_name(rehearsal_id)
    copy = copy_database.make_copy(dev, name, marker, manifest, arrived, jobs=2, deadline_s=120)
    assert copy["differences"] == [] and copy["rows"] == sum(manifest["rows"].values())
    # A killed process could not remove what it had made: clean-up does, and proves it.
    abandoned = inside.make_directory(dev, rehearsal_id)
    cleaned = clean_up.clean_up(dev, name, rehearsal_id, arrived, clean_up.KEEP_NONE, 60)
    assert (cleaned["left"], cleaned["problems"], cleaned["copy"]) == ([], [], "dropped") and abandoned in cleaned["removed"]
    for server in (production, dev):
        inside.remove_directory(server, os.path.dirname(server.passfile))
        assert inside.directories(server) == []


@pytest.mark.parametrize("way", ["by its port", "through its container"])
def test_dev_pulls_into_its_container(engine: Engine, projects: list[Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """The stages themselves: each large table through `docker exec` into dev's server, from production's port or out of its container."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{engine.socket}")
    monkeypatch.setattr(large_tables, "LEAST_BYTES", 0)
    rehearsal_id = new_id()
    marker = Marker(rehearsal_id, "production/staffprobot_prod", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
    dev = arguments.server(projects[1].by_container(), rehearsal_id)
    if way == "by its port":
        # By a client whose dumps the one in the container can read.
        major = int(projects[0].query("SHOW server_version_num")) // 10000
        reached = {"host": "127.0.0.1", "port": projects[0].port, "user": "postgres", "password": PASSWORD, "bin_dir": find_programs(major)}
    else:
        reached = projects[0].by_container()
    production = arguments.server(reached, rehearsal_id)
    work = WorkDirectory.at(str(tmp_path), rehearsal_id, "dev")
    work.create(marker)
    order = copying.Order(copy_database_name(rehearsal_id), marker, work, dev, deadline_s=120)
    facts = basebackup.manifest_of(production, DATABASE, rehearsal_id, Limits())

    def pull(**limits: Any) -> copying.Made:
        return copying.from_production(order, facts, production, Limits(**limits), with_fingerprint=True)

    made = pull()
    assert (made.copy["differences"], made.copy["proved_by"]) == ([], "fingerprint")
    assert made.copy["rows"] == sum(made.manifest["rows"].values()) > 0
    if production.prefix:
        assert copy_database.drop_copy(dev, order.database, rehearsal_id, 60) == "dropped"

    def fail(*_args: Any) -> None:
        raise OSError("it is cut")

    if production.prefix:
        # Nobody takes production's rows any more: what sends them in there is ended.
        monkeypatch.setattr(pipes, "_splice", fail)
        with pytest.raises(ToolFailed, match="could not be copied: ") as told:
            pull()
        assert PASSWORD not in str(told.value) and DEV_PASSWORD not in str(told.value)
    cleaned = clean_up.clean_up(dev, order.database, rehearsal_id, work, clean_up.KEEP_NONE, 60)
    assert (cleaned["left"], cleaned["problems"], cleaned["copy"]) == ([], [], "dropped")
    for project in projects:
        running = project.engine.docker("top", project.compose("ps", "-q", "postgres").strip(), "-eo", "pid,args")
        assert [line for line in running.splitlines() if f"rehearsal {rehearsal_id}" in line] == []
    for server in (production, dev):
        if server.prefix:
            inside.remove_directory(server, os.path.dirname(server.passfile))
            assert inside.directories(server) == []
