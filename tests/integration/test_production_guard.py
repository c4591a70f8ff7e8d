"""What production is asked to do is limited and noted; a backup ends when production is busy, and leaves nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import socket
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    backup,
    database_facts,
    dump_outlets,
    ephemeral,
    files,
    inside,
    preflight,
    preflight_own_server,
    server_facts,
    server_settings,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import Limits, take_backup, unpack
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, application_name, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import READ_ONLY, PostgresError, Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.production_guard import ProductionBusy
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

from migration_rehearsal import embedded

pytestmark = pytest.mark.integration


@pytest.fixture
def shop(postgres_server: Any, database: str) -> str:
    with Session(postgres_server.server, database, "tests") as session:
        # What does not compress: a dump of several pieces.
        note = " || ".join(["md5(random()::text)"] * 4)
        session.execute(f"CREATE TABLE orders AS SELECT n AS id, {note} AS note FROM generate_series(1, 20000) n")
    return database


def work_directory(base: Path, side: str = "production") -> tuple[str, WorkDirectory]:
    rehearsal_id = new_id()
    work = WorkDirectory.at(str(base), rehearsal_id, side)
    work.create(Marker(rehearsal_id, "production/shop", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z"))
    return rehearsal_id, work


def test_the_load_is_noted(postgres_server: Any, shop: str, tmp_path: Path) -> None:
    rehearsal_id, work = work_directory(tmp_path)
    load = take_backup(postgres_server.server, shop, rehearsal_id, work, Limits(jobs=2))["load"]
    # One that counts, one that leads pg_dump, two that copy.
    assert load["connections"] == 4
    assert load["bytes"] > 0 and load["seconds"] >= load["snapshot_seconds"] > 0


@pytest.mark.parametrize("with_fingerprint", [True, False])
def test_the_load_is_no_more_than_noted(
    postgres_server: Any, shop: str, tmp_path: Path, with_fingerprint: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted on the server while it runs: no connection more than the record says, and no lock that is in anybody's way."""
    read = server_settings.read

    def read_slowly(session: Session) -> dict[str, Any]:
        time.sleep(0.5)  # pg_dump of a large database would be at work by then
        return read(session)

    monkeypatch.setattr(server_settings, "read", read_slowly)
    rehearsal_id, work = work_directory(tmp_path)
    most, modes, done = [0], set(), threading.Event()

    def count() -> None:
        with Session(postgres_server.server, "postgres", "tests") as session:
            while not done.is_set():
                name = application_name(rehearsal_id)
                most[0] = max(
                    most[0],
                    session.value(f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}' AND backend_type = 'client backend'"),
                )
                ours = f"pid IN (SELECT pid FROM pg_stat_activity WHERE application_name = '{name}')"
                modes.update(row["mode"] for row in session.rows(f"SELECT DISTINCT mode FROM pg_locks WHERE locktype = 'relation' AND {ours}"))

    thread = threading.Thread(target=count)
    thread.start()
    try:
        load = take_backup(postgres_server.server, shop, rehearsal_id, work, Limits(jobs=2, max_active=50), with_fingerprint)["load"]
    finally:
        done.set()
        thread.join()
    assert 2 <= most[0] <= load["connections"]
    assert modes == {"AccessShareLock"}


def test_a_busy_production_ends_the_backup(postgres_server: Any, shop: str, tmp_path: Path, busy: Any) -> None:
    """Even one that would have been done before anybody looks again."""
    rehearsal_id, work = work_directory(tmp_path)
    message = r"3 other sessions are active, 2 are allowed \(rehearsal_production_max_active_sessions\)"
    with busy(postgres_server.server, shop, 3), pytest.raises(ProductionBusy, match=message):
        take_backup(postgres_server.server, shop, rehearsal_id, work, Limits(max_active=2))
    with Session(postgres_server.server, "postgres", "tests") as session:
        assert session.rows(f"SELECT pid FROM pg_stat_activity WHERE application_name = '{application_name(rehearsal_id)}'") == []


def test_a_production_that_becomes_busy_ends_the_backup(
    postgres_server: Any, shop: str, tmp_path: Path, busy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = database_facts.count_rows

    def others_come(session: Session) -> dict[str, int]:
        came.enter_context(busy(postgres_server.server, shop, 3))
        session.value("SELECT count(*) FROM pg_sleep(60)")
        return count(session)

    monkeypatch.setattr(database_facts, "count_rows", others_come)
    rehearsal_id, work = work_directory(tmp_path)
    with contextlib.ExitStack() as came, pytest.raises(ProductionBusy, match="3 other sessions are active, 2 are allowed"):
        take_backup(postgres_server.server, shop, rehearsal_id, work, Limits(max_active=2))


def test_within_its_limits_it_goes_on(postgres_server: Any, shop: str, tmp_path: Path) -> None:
    rehearsal_id, work = work_directory(tmp_path)
    manifest = take_backup(postgres_server.server, shop, rehearsal_id, work, Limits(max_active=1000, max_lag_s=60, nice=5))
    assert manifest["rows"]["orders"] == 20000 and manifest["load"]["connections"] == 5


def test_through_a_pipe_nothing_is_written(postgres_server: Any, shop: str, tmp_path: Path) -> None:
    rehearsal_id, work = work_directory(tmp_path / "production")
    _other, arrived = work_directory(tmp_path / "dev", "dev")
    received = tmp_path / "backup.tar"

    def read() -> None:
        with open(work.file(dump_outlets.PIPE), "rb") as source, open(received, "wb") as target:
            while chunk := source.read(1 << 16):
                target.write(chunk)

    reader = threading.Timer(0.5, read)
    reader.start()
    manifest = take_backup(postgres_server.server, shop, rehearsal_id, work, Limits(), through_pipe=True)
    reader.join()
    assert not any(name.startswith(("dump", "backup")) for name in (path.name for path in Path(work.path).rglob("*")))
    with tarfile.open(received) as archive:
        names = archive.getnames()
    assert names.count("dump") > 1 and names[-1] == "manifest.json", "a dump in pieces, and its manifest last"
    unpacked = unpack(arrived, str(received), files.sha256(work.file(backup.MANIFEST)))
    assert unpacked == manifest
    listed = inside.run(Server(), [str(postgres_server.bin_dir / "pg_restore"), "--list", arrived.file("dump")]).decode()
    assert "TABLE DATA public orders" in listed


def test_a_reader_that_goes_away_fails_the_backup(postgres_server: Any, shop: str, tmp_path: Path) -> None:
    rehearsal_id, work = work_directory(tmp_path)

    def read() -> None:
        with open(work.file(dump_outlets.PIPE), "rb") as source:
            source.read(1000)

    reader = threading.Timer(0.3, read)
    reader.start()
    with pytest.raises(ToolFailed, match="the connection broke"):
        take_backup(postgres_server.server, shop, rehearsal_id, work, Limits(), through_pipe=True)
    reader.join()


def test_the_load_before_it_begins(postgres_server: Any, shop: str) -> None:
    with psycopg.connect(host=postgres_server.host, port=postgres_server.port, user=postgres_server.user, dbname=shop) as other:
        other.execute("SELECT 1")
        other.execute("SELECT pg_sleep(1.1)")
        with Session(postgres_server.server, shop, "tests") as session:
            load = server_facts.read_load(session)
    assert load["longest_transaction_seconds"] > 1 and load["replication_lag_seconds"] == 0 and load["in_recovery"] is False
    assert server_facts.describe_load(load).startswith("longest transaction 1 s")


def test_a_role_that_does_not_see_others_has_no_limits(postgres_server: Any, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pg_read_all_data lets it dump; what others do it sees as nothing, which must not be taken for rest."""
    count = database_facts.count_rows
    # A backup that lasts until somebody has looked.
    monkeypatch.setattr(database_facts, "count_rows", lambda session: (time.sleep(2), count(session))[1])
    with Session(postgres_server.server, "postgres", "tests") as session:
        session.execute("CREATE ROLE reader LOGIN")
        session.execute("GRANT pg_read_all_data TO reader")
        reader = dataclasses.replace(postgres_server.server, user="reader")
        try:
            rehearsal_id, work = work_directory(tmp_path)
            facts, problems = preflight.look_at_production(reader, shop, rehearsal_id, str(tmp_path), 60)
            assert problems == [] and facts["load"]["active_sessions"] is facts["load"]["replication_lag_seconds"] is None
            assert server_facts.describe_load(facts["load"]).startswith("other sessions and replication lag are not measured")
            _facts, problems = preflight.look_at_production(reader, shop, rehearsal_id, str(tmp_path), 60, max_lag_s=9, max_active=9)
            assert ["role reader cannot see what it limits" in problem for problem in problems] == [True, True]
            with pytest.raises(ProductionBusy, match="role reader cannot see what it limits"):
                take_backup(reader, shop, rehearsal_id, work, Limits(max_active=9))
            session.execute("GRANT pg_read_all_stats TO reader")
            _facts, problems = preflight.look_at_production(reader, shop, rehearsal_id, str(tmp_path), 60, max_lag_s=9, max_active=99)
            assert problems == []
        finally:
            session.execute("DROP ROLE reader")


def test_a_locale_that_dev_lacks_is_a_problem(postgres_server: Any, shop: str) -> None:
    here, nowhere = {"collate": "C", "ctype": "C"}, {"collate": "C", "ctype": "xx_YY.UTF-8"}
    with Session(postgres_server.server, shop, "tests", READ_ONLY) as session:
        assert server_facts.missing_locales(session, here) == []
        assert server_facts.missing_locales(session, nowhere) == ["xx_YY.UTF-8"]
    assert "no locale xx_YY.UTF-8" in preflight.locale_problems(["xx_YY.UTF-8"])[0]
    facts = {**here, "server_version_num": postgres_server.major * 10000, "size_bytes": 0}
    wish = ephemeral.Wish(bin_dir=str(postgres_server.cluster.server_bin_dir))
    assert [problem for problem in preflight_own_server.look(wish, "/tmp", facts)[1] if "locale" in problem] == []
    assert any("no locale xx_YY" in problem for problem in preflight_own_server.look(wish, "/tmp", {**facts, **nowhere})[1])


def test_other_collations_and_time_zones_are_told(postgres_server: Any, shop: str) -> None:
    with Session(postgres_server.server, shop, "tests") as session:
        production = {**server_facts.read(session), "collate": "C.UTF-8", "locale_provider": "c", "settings": {}}
        assert server_facts.differences(session, production) == []
        ((thing, message),) = server_facts.differences(session, {**production, "server_time_zone": "Europe/Moscow"})
        assert thing == "TimeZone" and "Europe/Moscow" in message
        assert server_facts.differences(session, {**production, "server_time_zone": "X", "settings": {"": ["TimeZone=Asia/Tokyo"]}}) == []
        ((thing, message),) = server_facts.differences(session, {**production, "collate": "tlh_QO.utf8"})
        assert thing == "tlh_QO.utf8" and "does not list" in message


def test_a_password_is_in_memory_alone(postgres_server: Any, shop: str) -> None:
    """What the tools read is a file of our own process, 0600, with the password escaped as libpq wants it."""
    path = inside.passfile(Server(), "a:b\\c", new_id())
    assert path.startswith("/proc/") and Path(path).stat().st_mode & 0o777 == 0o600
    assert Path(path).read_text() == "*:*:*:*:a\\:b\\\\c\n"
    server = postgres_server.server
    with Session(server, shop, "tests") as session:
        session.execute("CREATE ROLE asked LOGIN PASSWORD 'a:b\\c'")
    try:
        connected = Server(bin_dir=server.bin_dir, host=server.host, port=server.port, user="asked", passfile=path)
        with Session(connected, shop, "tests") as session:
            assert session.value("SELECT current_user::text") == "asked"
    finally:
        with Session(server, shop, "tests") as session:
            session.execute("DROP ROLE asked")


def test_a_passfile_behind_a_prefix_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "TEMPORARY", str(tmp_path))
    rehearsal_id = new_id()
    server = Server(prefix=("env",))
    path = Path(inside.passfile(server, "w0rd", rehearsal_id))
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert inside.directories(server, rehearsal_id) == [str(path.parent)] == inside.directories(server)
    assert inside.directories(server, new_id()) == [] and inside.rehearsal_of(str(path.parent)) == rehearsal_id
    (tmp_path / "rehearsal-notes").mkdir()
    assert inside.directories(server) == [str(path.parent)], "nothing else is taken for ours"
    inside.remove_directory(server, str(path.parent))
    assert not path.parent.exists()
    with pytest.raises(ValueError):
        inside.remove_directory(server, str(tmp_path / "rehearsal-notes"))
    with pytest.raises(PostgresError, match="exit code"):
        inside.run(server, ["false"])


@pytest.fixture
def replicated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """(a primary on 127.0.0.1, its streaming replica): both are this test's own."""
    binaries = embedded.find_binaries()
    if not (binaries.bin_dir / "pg_basebackup").exists():
        pytest.skip(f"{binaries.bin_dir} has no pg_basebackup")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"wal_level": "replica", "max_wal_senders": "5", "wal_receiver_status_interval": "1s", "hot_standby": "on"}
    primary = embedded.start_cluster(tmp_path_factory.mktemp("primary") / "cluster", binaries, tcp_port=port, settings=settings)
    home = Path(tempfile.mkdtemp(prefix="replica-"))
    user = {"user": primary.system_user} if primary.system_user else {}
    if user:
        shutil.chown(home, primary.system_user)
    control = [primary.server_bin_dir / "pg_ctl", "-D", home / "data", "-w", "-s"]
    try:
        source = ["--host=127.0.0.1", f"--port={port}", f"--username={primary.user}"]
        copy = [primary.server_bin_dir / "pg_basebackup", *source, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        subprocess.run([*copy, f"--pgdata={home / 'data'}"], check=True, cwd="/", timeout=60, **user)
        options = f"-c unix_socket_directories={home} -c listen_addresses="
        log = ["-l", home / "log"]
        subprocess.run([*control, *log, "-o", options, "start"], check=True, cwd="/", timeout=60, **user)
        yield (
            Server(bin_dir=str(primary.bin_dir), host="127.0.0.1", port=port, user=primary.user),
            Server(bin_dir=str(primary.bin_dir), host=str(home), port=port, user=primary.user),
        )
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, cwd="/", timeout=60, **user)
        embedded.remove_cluster(primary)
        shutil.rmtree(home, ignore_errors=True)


def test_a_replica_that_falls_behind_ends_the_backup(replicated: tuple[Server, Server], tmp_path: Path) -> None:
    primary, replica = replicated
    with Session(primary, "postgres", "tests") as session:
        session.execute("CREATE TABLE orders AS SELECT n AS id FROM generate_series(1, 1000) n")
        within, work = work_directory(tmp_path)
        assert take_backup(primary, "postgres", within, work, Limits(max_lag_s=60))["rows"]["orders"] == 1000

        with Session(replica, "postgres", "tests") as behind:
            behind.value("SELECT count(*) AS v FROM (SELECT pg_catalog.pg_wal_replay_pause()) AS q")
        lag = "SELECT coalesce(extract(epoch FROM max(replay_lag)), 0) AS v FROM pg_catalog.pg_stat_replication"
        deadline = time.monotonic() + 30
        while float(session.value(lag)) < 0.5 and time.monotonic() < deadline:
            session.execute("INSERT INTO orders VALUES (0)")
            time.sleep(0.1)
        beyond, work = work_directory(tmp_path)
        with pytest.raises(ProductionBusy, match=r"replication is \d.* s behind, 0.4 s are allowed \(rehearsal_production_max_replication_lag\)"):
            take_backup(primary, "postgres", beyond, work, Limits(max_lag_s=0.4), with_fingerprint=True)
