"""Production and dev as two hosts behind real sshd's on loopback: users, home directories, clusters and ports of their own."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sshd
import yaml
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session
from playbook import PROGRAMS, ROOT, Played, finish
from sshd import Missing

from migration_rehearsal import demo_servers, embedded

DATABASE = "staffprobot_prod"
BECOME_PASSWORD = "pass-of-the-sudo-user-51c0"
_SYSTEM_PYTHON = "/usr/bin/python3"


@dataclasses.dataclass
class Host:
    """One machine as Ansible sees it. `owner` is the system user of its PostgreSQL server."""

    name: str
    user: str
    owner: str
    home: Path
    directory: Path
    port: int
    postgres_port: int
    bin_dir: Path
    sshd: subprocess.Popen[bytes] | None = None

    @property
    def socket_directory(self) -> Path:
        return self.directory / "socket"

    @property
    def work_dir(self) -> Path:
        return self.home / ".migrations-rehearsal"

    @property
    def log(self) -> str:
        """What its sshd has said."""
        return (self.directory / "sshd.log").read_text(errors="replace")


@dataclasses.dataclass(frozen=True)
class Hosts:
    """Both hosts, up. `asks` is a user of production whose sudo asks for a password; empty where the tests do not run as root."""

    place: Path
    production: Host
    dev: Host
    asks: str

    @property
    def root(self) -> bool:
        return os.geteuid() == 0

    @property
    def docker_socket(self) -> Path:
        """What the docker client on both hosts talks to, where a test has an engine there."""
        return self.place / "docker.sock"

    def connection(self, host: Host, known_hosts: Path | None = None) -> dict[str, Any]:
        """How Ansible reaches a host: no key is taken on trust."""
        known_hosts = known_hosts or self.place / "known_hosts"
        options = f"-F /dev/null -o UserKnownHostsFile={known_hosts} -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes"
        return {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": host.port,
            "ansible_user": host.user,
            "ansible_ssh_private_key_file": str(self.place / "key"),
            "ansible_ssh_common_args": options,
            "ansible_python_interpreter": _SYSTEM_PYTHON,
        }

    def postgres(self, host: Host, **more: Any) -> dict[str, Any]:
        """rehearsal_postgres of a host."""
        return {"host": str(host.socket_directory), "port": host.postgres_port, "user": "postgres", "bin_dir": str(host.bin_dir)} | more

    def production_variables(self, **changes: Any) -> dict[str, Any]:
        """The host variables of production, whose server belongs to another user than the one that logs in."""
        prefix = ["sudo", "-n", "-u", self.production.owner] if self.root else []
        return self.connection(self.production) | {
            "rehearsal_postgres": self.postgres(self.production, prefix=prefix),
            "rehearsal_database": DATABASE,
        } | self._home(self.production) | changes  # fmt: skip

    def dev_variables(self, **changes: Any) -> dict[str, Any]:
        """The host variables of dev, whose server belongs to the user that logs in."""
        reachable = _starts(self.dev.user, [sys.executable, "-c", "import alembic, sqlalchemy, psycopg"])
        socket_directory = quote(str(self.dev.socket_directory), safe="")
        url = f"postgresql+psycopg://postgres@/{{{{ rehearsal_copy_database }}}}?host={socket_directory}&port={self.dev.postgres_port}"
        return self.connection(self.dev) | {
            "rehearsal_postgres": self.postgres(self.dev),
            "rehearsal_application": {
                # A Python below /root is out of reach for anybody else.
                "command": [sys.executable] if reachable else ["sudo", "-n", "--preserve-env", sys.executable],
                "chdir": str(self.dev.home / "app"),
                "environment": {"DATABASE_URL": url},
            },
            "rehearsal_expectations": str(demo_servers.application_directory() / "expectations.yml"),
        } | self._home(self.dev) | changes  # fmt: skip

    def _home(self, host: Host) -> dict[str, Any]:
        # Without users of their own, both would have the same home directory.
        return {} if self.root else {"rehearsal_work_dir": str(host.work_dir)}

    def play(self, cwd: Path, *options: str, production: Mapping[str, Any] | None = None, dev: Mapping[str, Any] | None = None) -> Played:
        """Rehearse, and wait for the end."""
        return finish(self.start(cwd, *options, production=production, dev=dev), cwd)

    def start(
        self,
        cwd: Path,
        *options: str,
        production: Mapping[str, Any] | None = None,
        dev: Mapping[str, Any] | None = None,
        program: tuple[str, ...] = ("ansible-playbook", str(ROOT / "rehearse.yml")),
    ) -> subprocess.Popen[str]:
        """The playbook, or another program that takes the inventory by -i, running."""
        cwd.mkdir(parents=True, exist_ok=True)
        groups = {
            "prod": {"hosts": {"production": self.production_variables(**(production or {}))}},
            "dev": {"hosts": {"rehearsal": self.dev_variables(**(dev or {}))}},
        }
        inventory = cwd / "hosts.yml"
        inventory.write_text(yaml.safe_dump({"all": {"children": groups}}, allow_unicode=True))
        argv = [str(PROGRAMS / program[0]), *program[1:], "-i", str(inventory), *options]
        with open(cwd / "stdout.txt", "w") as out, open(cwd / "stderr.txt", "w") as err:
            return subprocess.Popen(
                argv, cwd=cwd, env=self.environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=err, text=True, start_new_session=True
            )

    def environment(self) -> dict[str, str]:
        """No configuration of the machine's."""
        ours = ("ANSIBLE_", "PG", "POSTGRES_", "DATABASE_URL", "PYTHONPATH", "REHEARSAL_DEMO", "SSH_")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        empty = self.place / "empty.cfg"
        empty.touch()
        home = self.place / "controller"
        home.mkdir(exist_ok=True)
        return kept | {
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(empty),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.place / "cp"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "collections"), str(ROOT / "src")]),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        }

    def rows(self, host: Host, query: str, database: str = "postgres") -> list[dict[str, Any]]:
        """The rows of a query, asked as the server's own user on this machine."""
        with Session(admin(host), database, "tests") as session:
            return session.rows(query)

    def execute(self, host: Host, *statements: str, database: str = "postgres") -> None:
        """Statements, each in a transaction of its own."""
        with Session(admin(host), database, "tests") as session:
            for statement in statements:
                session.execute(statement)

    def left(self, *report_dirs: Path, kept: str = "") -> list[str]:
        """What rehearsals left on either host or on the controller. `kept`: a database that is meant to be on dev."""
        found = []
        expected = {"production": {DATABASE}, "dev": {kept} - {""}}
        for host in (self.production, self.dev):
            names = {row["datname"] for row in self.rows(host, "SELECT datname FROM pg_database")} - {"postgres", "template0", "template1"}
            found += [f"{host.name}: database {name}" for name in sorted(names ^ expected[host.name])]
            sessions = self.rows(host, "SELECT application_name AS name FROM pg_stat_activity WHERE application_name ~* 'rehears'")
            found += [f"{host.name}: session {row['name']}" for row in sessions]
            for home in {host.home, Path(pwd.getpwnam(host.owner).pw_dir)}:
                work = home / ".migrations-rehearsal"
                found += [f"{host.name}: {path}" for path in ([work, *work.rglob("*")] if work.exists() else [])]
                found += [f"{host.name}: {path}" for path in (home / ".ansible" / "tmp").glob("*")]
            if self.root:
                found += [f"{host.name}: {path}" for path in self._unpacked_modules(host)]
        for directory in report_dirs:
            found += [f"controller: {path}" for name in ("transfer", "evidence.tar.gz", "*.partial") for path in directory.rglob(name)]
        return found

    def _unpacked_modules(self, host: Host) -> list[Path]:
        """What Ansible has unpacked for the host's user since it is there: an earlier one may have had the same number."""
        since, uid = (self.place / "key").stat().st_mtime, pwd.getpwnam(host.user).pw_uid
        found = []
        for path in Path("/tmp").glob("ansible_*_payload_*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                found += [path] if status.st_uid == uid and status.st_mtime > since else []
        return found


def admin(host: Host) -> Server:
    """The server as the tests themselves reach it."""
    return Server(bin_dir=str(host.bin_dir), host="127.0.0.1", port=host.postgres_port, user="tests")


def _as_user(user: str, argv: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run something as a user of this machine."""
    entry = pwd.getpwnam(user)
    if os.geteuid() == 0:
        options |= {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    return subprocess.run(argv, cwd="/", capture_output=True, text=True, check=False, timeout=120, **options)


def _starts(user: str, argv: list[str]) -> bool:
    try:
        return _as_user(user, argv).returncode == 0
    except PermissionError:
        return False


def _must(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise RuntimeError(f"{done.args}: {done.stdout}{done.stderr}")


def _root_run(*argv: str, given: str | None = None) -> None:
    # useradd and its like lock the files that they change; another worker may be at it.
    for attempt in range(20):
        done = subprocess.run(argv, input=given, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode == 0:
            return
        if "lock" not in done.stderr:
            break
        time.sleep(0.1 * (attempt + 1))
    raise RuntimeError(f"{argv}: {done.stderr}")


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _cluster(host: Host, users: list[str]) -> None:
    """A cluster of the host's owner, in its own directory, that believes the system users' names and nothing else."""
    data = host.directory / "data"
    for path in (host.directory / "pg", host.socket_directory):
        path.mkdir()
        if os.geteuid() == 0:
            shutil.chown(path, host.owner)
    data = host.directory / "pg" / "data"
    _must(_as_user(host.owner, [str(host.bin_dir / "initdb"), "-D", str(data), "-U", "postgres", "-A", "peer", "-E", "UTF8", "--locale=C.UTF-8",
                                "--no-sync", "--no-instructions"], umask=0o077))  # fmt: skip
    (data / "pg_hba.conf").write_text("local all postgres peer map=ours\nlocal all all peer\nhost all tests 127.0.0.1/32 trust\n")
    (data / "pg_ident.conf").write_text("".join(f"ours {user} postgres\n" for user in users))
    settings = {
        **embedded.SETTINGS,
        "listen_addresses": "127.0.0.1",
        "port": str(host.postgres_port),
        "unix_socket_directories": str(host.socket_directory),
    }
    with open(data / "postgresql.conf", "a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    pg_ctl = [str(host.bin_dir / "pg_ctl"), "-w", "-s", "-D", str(data), "-l", str(host.directory / "pg" / "log")]
    _must(_as_user(host.owner, [*pg_ctl, "start"]))
    psql = [str(host.bin_dir / "psql"), "-X", "-q", "-h", str(host.socket_directory), "-p", str(host.postgres_port), "-U", "postgres"]
    _must(_as_user(host.owner, [*psql, "-c", "CREATE ROLE tests SUPERUSER LOGIN"]))


def _stop_cluster(host: Host) -> None:
    data = host.directory / "pg" / "data"
    if (data / "postmaster.pid").exists():
        _as_user(host.owner, [str(host.bin_dir / "pg_ctl"), "-w", "-s", "-m", "immediate", "-D", str(data), "stop"])


def _remove_user(name: str) -> None:
    """End what the user still runs, and remove the account; nothing happens where there is none."""
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError:
        return
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        running = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if path.stat().st_uid == uid:
                    running.append(int(path.name))
        if not running:
            break
        for pid in running:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    _root_run("userdel", name)


def _fill(host: Host) -> None:
    with Session(admin(host), "postgres", "tests") as session:
        session.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0 OWNER postgres")
    fill(f"postgresql+psycopg://tests@127.0.0.1:{host.postgres_port}/{DATABASE}?options=-c%20role%3Dpostgres")


def _remove_stale() -> None:
    """The users of a run that was killed; its process is named in its sudoers file."""
    for path in Path("/etc/sudoers.d").glob("rt-*"):
        with contextlib.suppress(OSError, ValueError):
            owner = int(path.read_text().splitlines()[0].lstrip("# "))
            if not Path(f"/proc/{owner}").exists():
                for name in ("prod", "dev", "asks"):
                    _remove_user(f"rt-{name}-{path.name[3:]}")
                path.unlink(missing_ok=True)


def fill(url: str) -> None:
    """Production's rows: the sample application's own generator."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")} | {"PYTHONDONTWRITEBYTECODE": "1"}
    argv = [sys.executable, "-m", "staffprobot.generate", "--url", url, "--scale", "1"]
    subprocess.run(argv, cwd=demo_servers.application_directory(), env=environment, check=True, capture_output=True, timeout=300)


@contextlib.contextmanager
def hosts(place: Path) -> Iterator[Hosts]:
    """Both hosts, until the end of the block. Raises Missing, with what to install."""
    sshd.require()
    if not Path(_SYSTEM_PYTHON).exists():
        raise Missing(f"there is no {_SYSTEM_PYTHON}, which every user of this machine could start")
    root = os.geteuid() == 0
    binaries = next((found for found in embedded.available_binaries() if str(found.bin_dir).startswith(embedded.SYSTEM_BINARIES)), None)
    if binaries is None and root:
        raise Missing(f"no PostgreSQL in {embedded.SYSTEM_BINARIES}, which every user of this machine could start (Debian: postgresql)")
    if root and not shutil.which("sudo"):
        raise Missing("sudo is not installed")
    bin_dir = (binaries or embedded.find_binaries()).bin_dir
    if root:
        _remove_stale()
    me = pwd.getpwuid(os.geteuid()).pw_name
    mark = secrets.token_hex(3)
    users = {name: f"rt-{name}-{mark}" if root else me for name in ("prod", "dev", "asks")}
    owners = {"production": "postgres" if root else me, "dev": users["dev"]}
    place.chmod(0o711)
    (place / "cp").mkdir(mode=0o700)
    made: list[Host] = []
    sudoers = Path(f"/etc/sudoers.d/rt-{mark}")
    try:
        for name, user in (("production", users["prod"]), ("dev", users["dev"])):
            directory = place / name
            home = directory / "home"
            directory.mkdir(mode=0o711)
            home.mkdir(mode=0o700)
            made.append(Host(name, user, owners[name], home, directory, free_port(), free_port(), bin_dir))
        if root:
            asks_home = place / "asks"
            asks_home.mkdir(mode=0o700)
            for user, home in ((users["prod"], made[0].home), (users["dev"], made[1].home), (users["asks"], asks_home)):
                # A password of «*» fits nothing; the usual «!» would lock the account for keys too.
                _root_run("useradd", "--home-dir", str(home), "--no-create-home", "--shell", "/bin/sh", "--password", "*", user)
                shutil.chown(home, user, user)
            _root_run("chpasswd", given=f"{users['asks']}:{BECOME_PASSWORD}\n")
            sudoers.write_text(
                f"# {os.getpid()}\n"
                f"{users['prod']} ALL=(postgres) NOPASSWD: ALL\n{users['asks']} ALL=(postgres) ALL\n{users['dev']} ALL=(root) NOPASSWD:SETENV: ALL\n"
            )
            sudoers.chmod(0o440)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / "key")], check=True)
        shutil.copy(place / "key.pub", place / "authorized_keys")
        (place / "authorized_keys").chmod(0o644)
        for host, logins, peers in (
            (made[0], [users["prod"], users["asks"]], [owners["production"]]),
            (made[1], [users["dev"]], [users["dev"], "root"]),
        ):
            _cluster(host, sorted(set(peers)))
            environment = {"DOCKER_HOST": f"unix://{place}/docker.sock"}
            host.sshd = sshd.start(host.directory, host.port, place, sorted(set(logins)), environment)
        _fill(made[0])
        shutil.copytree(demo_servers.application_directory(), made[1].home / "app")
        for path in [made[1].home / "app", *(made[1].home / "app").rglob("*")]:
            shutil.chown(path, users["dev"])
        yield Hosts(place, made[0], made[1], users["asks"] if root else "")
    finally:
        for control in (place / "cp").glob("*"):
            subprocess.run(["ssh", "-F", "/dev/null", "-o", f"ControlPath={control}", "-O", "exit", "x"], capture_output=True, check=False)
        for host in made:
            if host.sshd is not None:
                sshd.stop(host.sshd)
            _stop_cluster(host)
        if root:
            sudoers.unlink(missing_ok=True)
            for user in users.values():
                _remove_user(user)
        shutil.rmtree(place, ignore_errors=True)
