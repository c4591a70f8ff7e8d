"""What all tests share: private PostgreSQL servers, and the proof that none of them outlives the run."""

from __future__ import annotations

import dataclasses
import itertools
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import hypothesis
import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session, quote_identifier

from migration_rehearsal import embedded

sys.path.append(str(Path(__file__).parent))

# Whoever starts the tests by nohup means the tests, not the modules whose end by that signal is tried.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Every process that the run starts inherits this; so a server that is left can be told from all others on the machine.
RUN = "REHEARSAL_TEST_RUN"
_ROOT = pytest.StashKey[Path]()
_LEFT = pytest.StashKey[list[str]]()


@dataclasses.dataclass(frozen=True)
class PostgresServer:
    """A server for tests, and what is needed to reach it."""

    cluster: embedded.Cluster

    @property
    def server(self) -> Server:
        return Server(bin_dir=str(self.bin_dir), host=self.host, port=self.port, user=self.user)

    @property
    def bin_dir(self) -> Path:
        return self.cluster.bin_dir

    @property
    def host(self) -> str:
        return str(self.cluster.socket_directory)

    @property
    def port(self) -> int:
        return self.cluster.port

    @property
    def user(self) -> str:
        return self.cluster.user

    @property
    def major(self) -> int:
        return self.cluster.major

    def url(self, database: str, driver: str = "psycopg") -> str:
        return f"postgresql+{driver}://{self.user}@/{quote(database, safe='')}?host={quote(self.host, safe='')}&port={self.port}"

    def create_database(self, name: str) -> str:
        with Session(self.server, "postgres", "tests") as session:
            session.execute(f"CREATE DATABASE {quote_identifier(name)} TEMPLATE template0")
        return name

    def drop_database(self, name: str) -> None:
        with Session(self.server, "postgres", "tests") as session:
            session.execute(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgres_servers() -> Iterator[Callable[[int], PostgresServer]]:
    """`postgres_servers(16)`: a server of that major version, started once a worker; skips where its binaries cannot be had."""
    started: dict[int, PostgresServer] = {}
    # Unit tests are run without what lies beside this file, too.
    import postgres_versions

    def server(major: int) -> PostgresServer:
        if major not in started:
            started[major] = _start(postgres_versions.find(major))
        return started[major]

    yield server
    for running in started.values():
        embedded.remove_cluster(running.cluster)


@pytest.fixture(scope="session")
def postgres_server(postgres_servers: Callable[[int], PostgresServer]) -> Iterator[PostgresServer]:
    """A server of the newest embedded version, or of the one in REHEARSAL_TEST_PG_BIN."""
    named = os.environ.get("REHEARSAL_TEST_PG_BIN")
    if not named:
        yield postgres_servers(embedded.find_binaries().major)
        return
    running = _start(embedded.find_binaries(named))
    yield running
    embedded.remove_cluster(running.cluster)


def _start(binaries: embedded.Binaries) -> PostgresServer:
    directory = Path(tempfile.mkdtemp(prefix="server-"))
    return PostgresServer(embedded.start_cluster(directory, binaries))


_numbers = itertools.count(1)


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    """The name of a fresh, empty database."""
    name = postgres_server.create_database(f"test_{next(_numbers)}")
    yield name
    postgres_server.drop_database(name)


# A busy machine is no failure of what is tested.
hypothesis.settings.register_profile("rehearsal", deadline=None)
hypothesis.settings.load_profile("rehearsal")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "integration: needs a PostgreSQL server, which the test starts itself")
    config.addinivalue_line("markers", "e2e: runs a whole playbook, command or installation")
    if not hasattr(config, "workerinput"):
        os.environ[RUN] = secrets.token_hex(8)
        root = Path(tempfile.mkdtemp(prefix="rt-"))
        # Others must get through it: the servers run as another user when the tests run as root.
        root.chmod(0o711)
        config.stash[_ROOT] = root
        os.environ["TMPDIR"] = str(root)
        tempfile.tempdir = None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # One worker runs a whole file: what takes longest is begun first, so that none is alone with it in the end.
    items.sort(key=lambda item: item.path.name != "test_gallery.py")


def _postmasters_of_this_run() -> dict[int, str]:
    """Process ids of servers that the run started, with their data directories (Linux only)."""
    mark = f"{RUN}={os.environ[RUN]}".encode()
    found = {}
    for path in Path("/proc").glob("[0-9]*/environ"):
        process = path.parent
        try:
            if mark in path.read_bytes().split(b"\0") and (process / "comm").read_text().strip() == "postgres":
                found[int(process.name)] = os.readlink(process / "cwd")
        except OSError:
            continue
    return found


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    root = session.config.stash.get(_ROOT, None)
    if root is None:
        return
    left = _postmasters_of_this_run()
    for pid in left:
        os.kill(pid, signal.SIGQUIT)
    session.config.stash[_LEFT] = [f"process {pid} in {directory}" for pid, directory in left.items()]
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    shutil.rmtree(root, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left = config.stash.get(_LEFT, [])
    if left:
        terminalreporter.section("PostgreSQL servers were left running", red=True, bold=True)
        for line in left:
            terminalreporter.line(line)
        terminalreporter.line("They were stopped now. The run counts as failed.")
