# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration: a production server full of data, and a dev server beside it, on this machine.

Everything lies in one directory: a cluster each in `production/` and `dev/`, the work directories of rehearsals, and
`demo.json`, from which `inventory/demo` reads where everything is. Removing works from the directory alone.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO
from urllib.parse import quote

from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session, quote_identifier

from migration_rehearsal import embedded

STATE_FILE = "demo.json"
# What `inventory/demo` looks at before it takes `.demo` in the checkout.
DIRECTORY_VARIABLE = "REHEARSAL_DEMO"
DATABASES: Mapping[str, str] = {"production": "staffprobot_prod", "dev": "staffprobot_dev"}
APPLICATION_PACKAGES = ("alembic", "sqlalchemy", "psycopg")
FILL_TIMEOUT_S = 3600
# Dev has the tables of production's revision, and no rows.
MIGRATE = "import sys, sqlalchemy; from staffprobot.generate import migrate; migrate(sqlalchemy.make_url(sys.argv[1]))"
STATE_FORMAT = 1

_PACKAGE = Path(__file__).resolve().parent


class DemoError(Exception):
    """The demonstration could not be set up or removed; the message says what to do."""


@dataclasses.dataclass(frozen=True)
class DemoServer:
    """One of the two servers, and what the inventory says of it."""

    cluster: embedded.Cluster
    database: str
    work_dir: Path

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of its database."""
        host = quote(str(self.cluster.socket_directory), safe="/")
        return f"postgresql+psycopg://{self.cluster.user}@/{self.database}?host={host}&port={self.cluster.port}"


@dataclasses.dataclass(frozen=True)
class DemoState:
    """A demonstration that is up. `application` is the sample project's directory, `python` what runs it."""

    directory: Path
    production: DemoServer
    dev: DemoServer
    python: Path
    application: Path
    inventory: Path


def _shipped(in_checkout: str, in_package: str) -> Path:
    """A directory of the checkout, or what the wheel carries of it."""
    checkout = _PACKAGE.parents[1] / in_checkout
    packaged = _PACKAGE / in_package
    for path in (packaged, checkout):
        if path.is_dir():
            return path
    raise DemoError(f"the demonstration is not part of this installation: neither {packaged} nor {checkout} exists")


def application_directory() -> Path:
    """The sample application, in a checkout or an installed wheel."""
    return _shipped("examples/staffprobot", "_examples/staffprobot")


def inventory_directory() -> Path:
    """`inventory/demo`, in a checkout or an installed wheel."""
    return _shipped("inventory/demo", "_inventory/demo")


def default_directory() -> Path:
    """Where `inventory/demo` looks: REHEARSAL_DEMO, else `.demo` in the checkout, else in the current directory."""
    if os.environ.get(DIRECTORY_VARIABLE):
        return Path(os.environ[DIRECTORY_VARIABLE])
    checkout = _PACKAGE.parents[1]
    return (checkout if (checkout / "inventory" / "demo").is_dir() else Path.cwd()) / ".demo"


def up(directory: str | os.PathLike[str], scale: int, pg_bin: str | os.PathLike[str] | None = None) -> DemoState:
    """Start both servers and fill production (`scale` 1: the sizes of a small company).

    Leaves nothing when it fails. What an interrupted demonstration left in the directory is removed first; one that is up is not.
    """
    place = Path(directory).absolute()
    missing = [name for name in APPLICATION_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise DemoError(f"the sample application needs {', '.join(missing)} in {sys.executable}: pip install 'migration-rehearsal[demo]'")
    application = application_directory()
    inventory = inventory_directory()
    binaries = embedded.find_binaries(pg_bin)
    if any(embedded.is_running(cluster) for cluster in _clusters(place)):
        raise DemoError(f"demonstration servers run already in {place}; stop them first: rehearse demo --down")
    down(place)
    place.mkdir(parents=True, exist_ok=True)
    try:
        # Both at once: most of the time goes into waiting for initdb.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            started = {name: pool.submit(_start, place, name, binaries) for name in DATABASES}
            servers = {name: future.result() for name, future in started.items()}
        _fill(servers, application, scale)
        state = DemoState(place, servers["production"], servers["dev"], Path(sys.executable), application, inventory)
        _save(state)
    except BaseException:
        down(place)
        raise
    return state


def down(directory: str | os.PathLike[str]) -> None:
    """Stop both servers and delete what belongs to the demonstration; nothing happens where there is none."""
    place = Path(directory).absolute()
    failed = []
    for cluster in _clusters(place):
        try:
            embedded.remove_cluster(cluster)
        except embedded.ClusterError as error:
            failed.append(str(error))
    if failed:
        raise DemoError("; ".join(failed))
    ours = [place / STATE_FILE, place / f"{STATE_FILE}.partial", *(path for name in DATABASES for path in (place / name, _work_dir(place, name)))]
    for path in ours:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    left = [str(path) for path in ours if path.exists()]
    if left:
        raise DemoError(f"could not remove {', '.join(left)}")
    # A directory that holds anything of somebody else's stays.
    if place.is_dir() and not any(place.iterdir()):
        place.rmdir()


def load(directory: str | os.PathLike[str]) -> DemoState:
    """The demonstration that is up in a directory. Raises DemoError when there is none, or when a server has died."""
    place = Path(directory).absolute()
    try:
        state = json.loads((place / STATE_FILE).read_text(encoding="utf-8"))
        servers = {name: DemoServer(embedded.load_cluster(place / name), DATABASES[name], _work_dir(place, name)) for name in DATABASES}
        found = DemoState(place, servers["production"], servers["dev"], *(Path(state[key]) for key in ("python", "application", "inventory")))
    except FileNotFoundError:
        raise DemoError(f"no demonstration servers in {place}; start them first: rehearse demo --up") from None
    except (ValueError, KeyError, TypeError, embedded.ClusterError) as error:
        raise DemoError(f"the state of the demonstration in {place} cannot be read ({error}); remove it: rehearse demo --down") from None
    dead = [name for name, server in servers.items() if not embedded.is_running(server.cluster)]
    if dead:
        raise DemoError(f"the demonstration server {' and '.join(dead)} in {place} does not run any more; remove it: rehearse demo --down")
    return found


def _clusters(place: Path) -> list[embedded.Cluster]:
    return [embedded.load_cluster(place / name) for name in DATABASES if (place / name / embedded.STATE_FILE).exists()]


def _work_dir(place: Path, name: str) -> Path:
    return place / f"work-{name}"


def _start(place: Path, name: str, binaries: embedded.Binaries) -> DemoServer:
    server = DemoServer(embedded.start_cluster(place / name, binaries), DATABASES[name], _work_dir(place, name))
    address = Server(
        bin_dir=str(server.cluster.bin_dir),
        host=str(server.cluster.socket_directory),
        port=server.cluster.port,
        user=server.cluster.user,
    )
    with Session(address, "postgres", "rehearse demo") as session:
        session.execute(f"CREATE DATABASE {quote_identifier(server.database)} TEMPLATE template0")
    return server


def _fill(servers: Mapping[str, DemoServer], application: Path, scale: int) -> None:
    """Bring both databases to production's revision, and production's rows into the one of production."""
    programs = {
        "production": ["-m", "staffprobot.generate", "--url", servers["production"].url, "--scale", str(scale)],
        "dev": ["-c", MIGRATE, servers["dev"].url],
    }
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "POSTGRES_")) and key != "DATABASE_URL"}
    # The sample may lie in site-packages or in a checkout: nothing is written into either.
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    running: list[tuple[str, subprocess.Popen[bytes], IO[bytes]]] = []
    try:
        for name, program in programs.items():
            # A file, not a pipe: neither has to wait for the other to be read.
            said: IO[bytes] = tempfile.TemporaryFile()
            argv = [sys.executable, *program]
            process = subprocess.Popen(argv, cwd=application, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
            running.append((name, process, said))
        for name, process, output in running:
            if process.wait(FILL_TIMEOUT_S) != 0:
                output.seek(0)
                lines = output.read().decode(errors="replace").rstrip().splitlines()[-15:]
                raise DemoError(f"filling {DATABASES[name]} ended with exit code {process.returncode}:\n" + "\n".join(f"  {line}" for line in lines))
    except subprocess.TimeoutExpired:
        raise DemoError(f"filling the databases took more than {FILL_TIMEOUT_S} s") from None
    finally:
        for _name, process, output in running:
            if process.poll() is None:
                process.kill()
                process.wait()
            output.close()


def _save(state: DemoState) -> None:
    def of(server: DemoServer) -> dict[str, object]:
        cluster = server.cluster
        return {
            "host": str(cluster.socket_directory),
            "port": cluster.port,
            "user": cluster.user,
            "bin_dir": str(cluster.bin_dir),
            "major": cluster.major,
            "database": server.database,
            "work_dir": str(server.work_dir),
        }

    document = {
        "format": STATE_FORMAT,
        "production": of(state.production),
        "dev": of(state.dev),
        "python": str(state.python),
        "application": str(state.application),
        "inventory": str(state.inventory),
    }
    partial = state.directory / f"{STATE_FILE}.partial"
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
    partial.replace(state.directory / STATE_FILE)
