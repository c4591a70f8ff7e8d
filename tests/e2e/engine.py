"""A Docker engine of the tests' own, and an image made of Debian packages: no registry is asked for anything."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

IMAGE = "rehearsal-tests:1"
# PostgreSQL for one service, Alembic with SQLAlchemy and psycopg2 for the other: whatever versions this Debian has.
PACKAGES = ("postgresql", "python3-alembic", "python3-psycopg2")
# The compiler behind JIT is half of what would be copied, and documentation most of the rest.
LEFT_OUT = ("/usr/lib/*/libLLVM*", "/usr/lib/*/libz3*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*", "/usr/share/i18n/*")
# A server in the image: it makes its cluster and stays.
SERVER = (
    "set -e; cd /tmp; printf %s '{password}' > /var/lib/postgresql/pw; "
    "initdb -D /var/lib/postgresql/data -U postgres -A scram-sha-256 --pwfile=/var/lib/postgresql/pw --no-sync --no-instructions "
    "-E UTF8 --locale=C.UTF-8 >/dev/null; rm /var/lib/postgresql/pw; "
    "exec postgres -D /var/lib/postgresql/data -p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=/tmp -c fsync=off -c jit=off"
)
NEEDED = {"dockerd": "docker.io", "docker": "docker.io", "containerd": "containerd", "runc": "runc"}
START_TIMEOUT_S = 30


class Missing(Exception):
    """What this machine lacks, in words."""


class Engine:
    """An engine that is up, reached by its own socket."""

    def __init__(self, place: Path, process: subprocess.Popen[bytes], socket: Path) -> None:
        self.place, self.process, self.socket = place, process, socket

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "DOCKER_HOST": f"unix://{self.socket}"}

    def docker(self, *args: str, given: bytes = b"", timeout_s: float = 120) -> str:
        """Output of the docker client."""
        return self.run(["docker", *args], given=given, timeout_s=timeout_s)

    def run(self, argv: list[str], given: bytes = b"", timeout_s: float = 120) -> str:
        """Output of a command that talks to this engine."""
        done = subprocess.run(argv, input=given, env=self.environment, capture_output=True, timeout=timeout_s, check=False)
        if done.returncode:
            raise RuntimeError(f"{argv}: {done.stdout.decode()}{done.stderr.decode()}")
        return done.stdout.decode()


def compose_commands() -> list[list[str]]:
    """The forms of compose that this machine has."""
    found = []
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        found.append(["docker", "compose"])
    if shutil.which("docker-compose"):
        found.append(["docker-compose"])
    return found


def image_file() -> Path:
    """The image as a tar file, made once for all runs on this machine (a minute)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "migration-rehearsal-tests"
    recipe = json.dumps([PACKAGES, LEFT_OUT, _debian()])
    path = cache / f"image-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.tar"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _make_image(path)
    return path


def _debian() -> str:
    with open("/etc/os-release") as file:
        values = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    name = values.get("VERSION_CODENAME", "")
    if values.get("ID") != "debian" or not name:
        raise Missing("images are made of Debian's packages, and this is not Debian")
    return name


def _make_image(path: Path) -> None:
    if not shutil.which("mmdebstrap"):
        raise Missing("mmdebstrap is not installed (Debian: mmdebstrap)")
    partial = path.with_name(f"partial-{path.name}")
    options = ["--mode=root", "--variant=minbase", '--aptopt=Acquire::Languages "none"', *(f"--dpkgopt=path-exclude={what}" for what in LEFT_OUT)]
    # Debian would make a cluster while it installs: the services make their own.
    hook = '--extract-hook=mkdir -p "$1/etc/postgresql-common" && echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"'
    done = subprocess.run(
        ["mmdebstrap", *options, hook, "--dpkgopt=force-confold", f"--include={','.join(PACKAGES)}", _debian(), str(partial)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if done.returncode:
        partial.unlink(missing_ok=True)
        raise Missing(f"the image could not be made: {done.stderr[-1000:]}")
    partial.rename(path)


@contextlib.contextmanager
def engine(place: Path, socket: Path) -> Iterator[Engine]:
    """An engine with the image, until the end of the block. Raises Missing, with what to install."""
    if os.geteuid() != 0:
        raise Missing("the tests do not run as root, and a Docker engine needs it")
    for program, package in NEEDED.items():
        if not shutil.which(program):
            raise Missing(f"{program} is not installed (Debian: {package})")
    if not compose_commands():
        raise Missing("neither «docker compose» nor «docker-compose» is installed (Debian: docker-compose)")
    image = image_file()
    said = ""
    for driver in ("overlay2", "vfs"):
        directory = place / driver
        process = _start(directory, driver, socket)
        found = Engine(directory, process, socket)
        try:
            if _answers(found):
                socket.chmod(0o666)
                found.docker("import", "--change", f"ENV PATH={search_path(image)}", str(image), IMAGE)
                yield found
                return
            said = (directory / "log").read_text(errors="replace")[-1500:]
        finally:
            _stop(found)
    raise Missing(f"dockerd does not start here: {said}")


def search_path(image: Path) -> str:
    """What PATH is to be in a container of the image."""
    # Debian keeps the server's programs out of the search path; the official images do not.
    names = subprocess.run(["tar", "-tf", str(image)], capture_output=True, text=True, check=True).stdout
    found = re.search(r"^\./(usr/lib/postgresql/\d+/bin)/postgres$", names, re.MULTILINE)
    assert found is not None
    return f"/{found[1]}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _start(directory: Path, driver: str, socket: Path) -> subprocess.Popen[bytes]:
    directory.mkdir(parents=True)
    namespace = f"rt-{os.getpid()}-{driver}"
    argv = [
        "dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none", f"--storage-driver={driver}", "--host", f"unix://{socket}",
        "--data-root", str(directory / "data"), "--exec-root", str(directory / "exec"), "--pidfile", str(directory / "pid"),
        "--containerd-namespace", namespace, "--containerd-plugins-namespace", f"{namespace}-plugins",
    ]  # fmt: skip
    with open(directory / "log", "wb") as log:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _answers(found: Engine) -> bool:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and found.process.poll() is None:
        with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
            found.docker("version", timeout_s=5)
            return True
        time.sleep(0.1)
    return False


def _stop(found: Engine) -> None:
    with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
        containers = found.docker("ps", "-aq").split()
        if containers:
            found.docker("rm", "-f", "-v", *containers)
    if found.process.poll() is None:
        found.process.terminate()
        try:
            found.process.wait(20)
        except subprocess.TimeoutExpired:
            found.process.kill()
            found.process.wait()
    # What dockerd leaves mounted keeps its directories from going.
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((path for path in mounts if path.startswith(f"{found.place}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
    shutil.rmtree(found.place, ignore_errors=True)


def compose_file(path: Path, services: Mapping[str, Mapping[str, object]]) -> None:
    """A compose file; JSON is YAML."""
    path.write_text(json.dumps({"version": "2.4", "services": services}, indent=1))
