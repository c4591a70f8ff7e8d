"""Private clusters: started, reached, stopped, and gone."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session

from migration_rehearsal import embedded

pytestmark = pytest.mark.integration

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run the server as another user")


@pytest.fixture
def binaries() -> embedded.Binaries:
    return embedded.find_binaries()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Temporary files of this test alone, where every user can reach them; none may be left."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        monkeypatch.setattr(tempfile, "tempdir", directory)
        monkeypatch.setenv("TMPDIR", directory)
        yield Path(directory)
        assert os.listdir(directory) == []


@pytest.fixture
def place(tmp_path: Path, temporary: Path) -> Iterator[Path]:
    """Where a test may start a cluster; none survives the test."""
    yield tmp_path / "cluster"
    if (tmp_path / "cluster" / embedded.STATE_FILE).exists():
        embedded.remove_cluster(tmp_path / "cluster")


def ask(cluster: embedded.Cluster, query: str, host: str = "") -> object:
    server = Server(bin_dir=str(cluster.bin_dir), host=host or str(cluster.socket_directory), port=cluster.port, user=cluster.user)
    with Session(server, "postgres", "tests") as session:
        return session.value(query)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def assert_ended(pid: int) -> None:
    """Gone, or a zombie that init has yet to collect."""
    try:
        assert Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        pass


def assert_gone(cluster: embedded.Cluster) -> None:
    assert_ended(cluster.pid)
    assert not cluster.directory.exists()
    assert not cluster.data_directory.exists()
    assert not cluster.socket_directory.exists()
    assert not any(path.exists() for path in cluster.temporary)


def test_started_reached_and_removed(place: Path, binaries: embedded.Binaries) -> None:
    cluster = embedded.start_cluster(place, binaries)
    assert embedded.is_running(cluster)
    assert ask(cluster, "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'postgres'") == "UTF8"
    assert ask(cluster, "SELECT current_setting('listen_addresses') AS v") == ""
    assert ask(cluster, "SELECT current_setting('server_version_num')::int / 10000 AS v") == binaries.major
    for directory in (cluster.data_directory, cluster.socket_directory, place):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((place / embedded.STATE_FILE).stat().st_mode) == 0o600
    assert embedded.load_cluster(place) == cluster
    embedded.remove_cluster(cluster)
    assert_gone(cluster)


@pytest.mark.parametrize("major", [15, 16, 18])
def test_every_version(postgres_servers: Callable[[int], object], major: int) -> None:
    running = postgres_servers(major)
    assert ask(running.cluster, "SELECT current_setting('server_version_num')::int / 10000 AS v") == major  # type: ignore[attr-defined]


def test_tcp_on_loopback_only(place: Path, binaries: embedded.Binaries) -> None:
    cluster = embedded.start_cluster(place, binaries, tcp_port=free_port(), settings={"work_mem": "5MB"})
    assert ask(cluster, "SELECT current_setting('work_mem') || ' ' || host(inet_server_addr()) AS v", host="127.0.0.1") == "5MB 127.0.0.1"
    assert ask(cluster, "SELECT current_setting('listen_addresses') AS v") == "127.0.0.1"


def test_path_too_long_for_a_socket(tmp_path: Path, binaries: embedded.Binaries) -> None:
    place = tmp_path / ("d" * 100)
    cluster = embedded.start_cluster(place, binaries)
    assert cluster.temporary and ask(cluster, "SELECT 1 AS v") == 1
    embedded.remove_cluster(place)
    assert_gone(cluster)


def test_two_at_a_time_do_not_meet(tmp_path: Path, binaries: embedded.Binaries) -> None:
    one, two = (embedded.start_cluster(tmp_path / name, binaries) for name in ("one", "two"))
    assert one.port == two.port and one.pid != two.pid
    embedded.remove_cluster(one)
    assert not embedded.is_running(one) and embedded.is_running(two)
    embedded.remove_cluster(two)


@as_root
def test_root_starts_it_as_another_user(place: Path, binaries: embedded.Binaries) -> None:
    # Below tmp_path nobody but root can enter, as in a checkout in root's home.
    cluster = embedded.start_cluster(place, binaries)
    assert Path(f"/proc/{cluster.pid}").stat().st_uid != 0
    assert cluster.system_user in ("postgres", "nobody")
    assert cluster.temporary, "the data cannot lie where the server's user has no way to"
    embedded.remove_cluster(cluster)
    assert_gone(cluster)


@as_root
def test_binaries_that_the_user_cannot_reach(place: Path, tmp_path: Path, binaries: embedded.Binaries) -> None:
    prefix = binaries.bin_dir.parent
    hidden = tmp_path / prefix.parent.name / prefix.name
    shutil.copytree(prefix, hidden, ignore=shutil.ignore_patterns("include"))
    libraries = prefix.parent.with_name(f"{prefix.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, tmp_path / libraries.name)
    cluster = embedded.start_cluster(place, embedded.find_binaries(hidden / "bin"))
    assert cluster.bin_dir == hidden / "bin" and cluster.server_bin_dir != cluster.bin_dir
    assert ask(cluster, "SELECT 1 AS v") == 1
    embedded.remove_cluster(place)
    assert_gone(cluster)
    assert not cluster.server_bin_dir.exists()


def test_stopped_by_its_directory_after_its_starter_was_killed(place: Path, binaries: embedded.Binaries) -> None:
    code = (
        "import os, signal, sys; from migration_rehearsal import embedded\n"
        "embedded.start_cluster(sys.argv[1], embedded.find_binaries(sys.argv[2])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, place, binaries.bin_dir], env=env, check=False)
    assert done.returncode == -signal.SIGKILL
    cluster = embedded.load_cluster(place)
    assert embedded.is_running(cluster)
    embedded.stop_cluster(place)
    assert not embedded.is_running(cluster) and cluster.data_directory.exists()
    embedded.stop_cluster(place)
    embedded.remove_cluster(place)
    assert_gone(cluster)


def test_killed_while_it_is_being_made(place: Path, binaries: embedded.Binaries) -> None:
    code = (
        "import os, signal, sys; from migration_rehearsal import embedded\n"
        "embedded._configure = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "embedded.start_cluster(sys.argv[1], embedded.find_binaries(sys.argv[2]))"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, place, binaries.bin_dir], env=env, check=False)
    cluster = embedded.load_cluster(place)
    assert cluster.data_directory.exists()
    embedded.remove_cluster(place)
    assert_gone(cluster)


def test_failed_start_quotes_the_log_and_leaves_nothing(place: Path, binaries: embedded.Binaries) -> None:
    with pytest.raises(embedded.ClusterError, match="(?s)did not start.*no_such_setting"):
        embedded.start_cluster(place, binaries, settings={"no_such_setting": "1"})
    assert not place.exists()


def test_a_server_that_does_not_stop_fast(place: Path, binaries: embedded.Binaries, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = embedded.start_cluster(place, binaries)
    monkeypatch.setattr(embedded, "FAST_STOP_S", 1)
    # A stopped child makes the fast shutdown wait for ever; the immediate one kills it.
    server = Server(bin_dir=str(cluster.bin_dir), host=str(cluster.socket_directory), port=cluster.port, user=cluster.user)
    with Session(server, "postgres", "tests") as session:
        backend = session.value("SELECT pg_backend_pid() AS v")
        os.kill(backend, signal.SIGSTOP)
        embedded.remove_cluster(cluster)
    assert_gone(cluster)
    assert_ended(backend)


def test_another_process_with_the_old_number_is_left_alone(place: Path, binaries: embedded.Binaries) -> None:
    cluster = embedded.start_cluster(place, binaries)
    embedded.stop_cluster(cluster)
    with subprocess.Popen(["sleep", "60"]) as other:
        (cluster.data_directory / "postmaster.pid").write_text(f"{other.pid}\n{cluster.data_directory}\n")
        assert not embedded.is_running(cluster)
        embedded.remove_cluster(cluster)
        assert other.poll() is None
        other.kill()


def test_database_fixture_is_fresh_and_empty(postgres_server: object, database: str) -> None:
    server: Server = postgres_server.server  # type: ignore[attr-defined]
    with Session(server, database, "tests") as session:
        assert session.value("SELECT current_database()::text AS v") == database
        assert session.value("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == 0
