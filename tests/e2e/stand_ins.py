"""What the documents name and this machine has not: an installation of its own, production behind SSH, Galaxy, AWX, an engine of containers."""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import fake_awx
import galaxy_server
import sshd
from ansible_package import collections
from hosts import free_port
from playbook import PROGRAMS, ROOT, Demo

ADDRESS = "db1.example.com"
DATABASE = "shop"
# What an installation brings of its own; all else it shares with the one that runs the tests.
_OWN = re.compile(r"migration_rehearsal|__editable__|_editable|squawk|__pycache__")
# No Pythons of the one who runs the tests, which Ansible would take for those of the machine.
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TOOLS = ("psql", "pg_dump", "pg_restore", "createdb")
# It takes the context for built when everything is there that the steps of the image take from it.
_ENGINE = """#!/bin/sh
[ "$1" = build ] || exit 64
for word; do context=$word; done
cd "$context" && exec grep -q "^FROM" Containerfile && test -s _build/requirements.yml && test -s _build/collection/*.tar.gz
"""


@dataclasses.dataclass(frozen=True)
class Machine:
    """`checkout`: a clone; `programs`: what is on PATH before all else; `collections`: those of Galaxy."""

    demo: Demo
    place: Path
    awx: fake_awx.Awx
    galaxy: str

    @property
    def home(self) -> Path:
        return self.place / "home"

    @property
    def checkout(self) -> Path:
        return self.place / "checkout"

    @property
    def application(self) -> Path:
        """The application's checkout, with its Python."""
        return self.home / "shop"

    @property
    def work_dirs(self) -> list[Path]:
        """Where rehearsals keep their files on both hosts."""
        return [self.place / side / ".migrations-rehearsal" for side in ("home", "production")]

    def environment(self, runner: Path | None = None) -> dict[str, str]:
        """What a user's shell has; `runner`: the home directory of a CI's runner, whose key and known hosts its job brings along."""
        kept = self.demo.environment(HOME=str(runner or self.home))
        # The project's own configuration is read where it is found.
        kept.pop("ANSIBLE_CONFIG")
        ssh = f"-F {self.place}/{'runner' if runner else 'ssh'}_config -o ControlMaster=auto -o ControlPersist=20s"
        return kept | {
            "PATH": f"{self.place}/programs:{self.place}/venv/bin:{_PATH}",
            "PIP_FIND_LINKS": str(self.place / "wheels"), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore",
            "ANSIBLE_SSH_ARGS": ssh, "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.place / "cp"), "ANSIBLE_GALAXY_SERVER": self.galaxy,
            "REHEARSAL_SSH_KEY": str(self.place / "key"), "REHEARSAL_KNOWN_HOSTS": str(self.place / "known_hosts"),
        }  # fmt: skip


@contextlib.contextmanager
def machine(demo: Demo, place: Path) -> Iterator[Machine]:
    """All of it, beside a demonstration: what is named db1.example.com is its production server, this machine's own is its dev server."""
    place.chmod(0o711)
    for name in ("home", "production", "programs", "cp", "wheels"):
        (place / name).mkdir(mode=0o700)
    _install(place)
    _clone(place / "checkout")
    _tools(demo, "dev", place / "programs")
    _tools(demo, "production", place / "production/bin")
    _application(place / "home/shop")
    _fill_in(place, demo.cluster("dev").socket_directory)
    (place / "sshd").mkdir(mode=0o711)
    port = free_port()
    with contextlib.ExitStack() as stack:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / "key")], check=True)
        shutil.copy(place / "key.pub", place / "authorized_keys")
        there = {"HOME": str(place / "production"), "PATH": f"{place}/production/bin:{_PATH}"}
        stack.callback(sshd.stop, sshd.start(place / "sshd", port, place, [getpass.getuser()], there))
        stack.callback(_close_connections, place / "cp")
        _ssh_configurations(place, port)
        stack.enter_context(demo.another_database("production", DATABASE, demo.state.production.database))
        galaxy = stack.enter_context(galaxy_server.galaxy(collections() / "ansible_collections"))
        yield Machine(demo, place, stack.enter_context(fake_awx.awx()), galaxy)


def _install(place: Path) -> None:
    """A virtual environment in which pip finds what the project needs, and our wheel beside it: what `pip install` does is left to do."""
    venv.create(place / "venv", symlinks=True)
    libraries = place / "libraries"
    libraries.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not _OWN.search(path.name) and path.suffix != ".pth":
            (libraries / path.name).symlink_to(path)
    site_packages = Path(sysconfig.get_path("purelib", vars={"base": str(place / "venv"), "platbase": str(place / "venv")}))
    (site_packages / "libraries.pth").write_text(f"{libraries}\n")
    for program in PROGRAMS.iterdir():
        if re.fullmatch(r"pip|alembic|ansible(-[a-z]+)?", program.name) and program.name != "ansible-lint":
            text = program.read_text()
            (place / "venv/bin" / program.name).write_text(re.sub(r"\A#!.*", f"#!{place}/venv/bin/python", text))
            (place / "venv/bin" / program.name).chmod(0o755)
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place / "wheels")]
    subprocess.run(argv, check=True, cwd=ROOT, capture_output=True)
    (place / "programs/podman").write_text(_ENGINE)
    (place / "programs/podman").chmod(0o755)


def _clone(checkout: Path) -> None:
    """What git has of the project, as it is now, and nothing that runs only here."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists() and not name.startswith(("tests/", "bench/")):
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name, follow_symlinks=False)


def _tools(demo: Demo, side: str, directory: Path) -> None:
    """PostgreSQL's programs, for which the server of a demonstration is the one that a machine usually has."""
    cluster = demo.cluster(side)
    directory.mkdir(exist_ok=True)
    for name in _TOOLS:
        usual = f"PGHOST={cluster.socket_directory} PGPORT={cluster.port} PGUSER={cluster.user}"
        (directory / name).write_text(f'#!/bin/sh\n{usual} exec {cluster.bin_dir}/{name} "$@"\n')
        (directory / name).chmod(0o755)


def _application(directory: Path) -> None:
    """The sample application with a Python of its own, and a second section in its configuration."""
    shutil.copytree(ROOT / "examples/staffprobot", directory, ignore=shutil.ignore_patterns("__pycache__"))
    (directory / ".venv/bin").mkdir(parents=True)
    (directory / ".venv/bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (directory / ".venv/bin/python").chmod(0o755)
    configuration = directory / "alembic.ini"
    section = re.search(r"^\[alembic\]\n(.*?)(?=^\[)", configuration.read_text() + "[", re.MULTILINE | re.DOTALL)
    assert section
    with open(configuration, "a") as file:
        file.write(f"\n[rehearsal]\n{section[1]}\n")


def _fill_in(place: Path, socket_directory: Path) -> None:
    """inventory/prod, filled in as its remarks say."""
    inventory = place / "checkout/inventory/prod"
    for name, changes in {
        "hosts.yml": [
            (r"(production:\n +ansible_host:).*", rf"\1 {ADDRESS}"), (r"(rehearsal:\n +)ansible_host:.*", r"\1ansible_connection: local"),
        ],
        "host_vars/production.yml": [(r"rehearsal_database:", f"rehearsal_database: {DATABASE}"), ("# user: postgres .*", "user: postgres")],
        "host_vars/rehearsal.yml": [
            (r"command: #.*", "command: [.venv/bin/python]"), ("# chdir: .*", f"chdir: {place}/home/shop"), ("# environment:", "environment:"),
            (r"#   DATABASE_URL: .*", f'  DATABASE_URL: "postgresql+psycopg://postgres@/{{{{ rehearsal_copy_database }}}}?host={socket_directory}"'),
            ("# user: postgres", "user: postgres"), ("# rehearsal_expectations: .*", f"rehearsal_expectations: {place}/home/shop/expectations.yml"),
        ],
    }.items():  # fmt: skip
        text = (inventory / name).read_text()
        for pattern, replacement in changes:
            text, found = re.subn(pattern, replacement, text, count=1)
            assert found, f"{name} has no {pattern}"
        (inventory / name).write_text(text)


def _close_connections(directory: Path) -> None:
    for control in directory.glob("*"):
        subprocess.run(["ssh", "-F", "/dev/null", "-o", f"ControlPath={control}", "-O", "exit", "x"], capture_output=True, check=False)


def _ssh_configurations(place: Path, port: int) -> None:
    """A user's own, with key and known hosts, and that of a runner, which gets both from its job. ssh asks no HOME for them."""
    known = (place / "known_hosts").read_text().split(maxsplit=1)[1]
    (place / "known_hosts").write_text(f"{ADDRESS} {known}")
    for name, key, known_hosts in (("ssh", place / "key", place / "known_hosts"), ("runner", None, place / "runner/.ssh/known_hosts")):
        lines = [f"Host {ADDRESS}", "HostName 127.0.0.1", f"Port {port}", f"HostKeyAlias {ADDRESS}", "StrictHostKeyChecking yes",
                 f"UserKnownHostsFile {known_hosts}", "GlobalKnownHostsFile /dev/null", "IdentitiesOnly yes", "IdentityAgent none"]  # fmt: skip
        (place / f"{name}_config").write_text("\n".join(lines + ([f"IdentityFile {key}"] if key else [])) + "\n")
