"""A physical copy: what production's server would do to the world is taken out of it before it starts, and production is spared."""

from __future__ import annotations

import dataclasses
import errno
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    backup,
    basebackup,
    copy_database,
    copying,
    database_facts,
    dump_outlets,
    durable,
    ephemeral,
    files,
    inside,
    neutralising,
    replication_way,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import ARCHIVE, Limits
from ansible_collections.migrations.rehearsal.plugins.module_utils.copying import Order
from ansible_collections.migrations.rehearsal.plugins.module_utils.ephemeral import Wish
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import EphemeralError, RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, application_name, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.production_guard import ProductionBusy
from contained import Container, container, possible
from reaching_production import PASSWORD, Production, Rehearsal, reaching_out, rehearsed, work_directory

from migration_rehearsal import embedded

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("basebackup")]

# Before and after the server is made like production: what it says of itself then.
PHASE = "SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages, current_setting('listen_addresses') AS listens"


@pytest.fixture(scope="module")
def production() -> Iterator[Production]:
    yield from reaching_out()


@pytest.fixture
def rehearsal(production: Production) -> Iterator[Rehearsal]:
    yield from rehearsed(production)


@pytest.fixture
def phases(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the copy's server says of itself when it is up for the first time, before it is given to anybody."""
    told: list[dict[str, Any]] = []

    def first(own: Any, *args: Any) -> Any:
        with Session(own.server, "template1", "tests") as session:
            told.append(session.row(PHASE))
        return take_over(own, *args)

    take_over = neutralising.take_over
    monkeypatch.setattr(neutralising, "take_over", first)
    return told


def test_nothing_of_production_wakes_up_with_the_copy(rehearsal: Rehearsal, phases: list[dict[str, Any]]) -> None:
    outside = rehearsal.production.outside
    made = rehearsal.make(rehearsal.take())
    copy, expected = made.copy, ["pg_cron"] if rehearsal.production.scheduled else []
    assert (copy["proved_by"], copy["differences"], copy["others_left"], copy["rows"] > 0) == ("checksums", [], [], True)
    stopped = {entry["object"]: entry["error"] for entry in copy["stopped"]}
    assert stopped["taking"] is None and set(stopped.values()) == {None}, stopped
    assert [line for line in copy["settings_not_replayed"] if "pg_cron" not in line] == []
    assert [line for line in copy["settings_not_replayed"] if "pg_cron" in line] == [
        f"shared_preload_libraries: {name} was left out: it acts on its own" for name in expected
    ]
    with Session(made.server, "copy", "tests") as session:
        settings = {row["name"]: row["value"] for row in session.rows("SELECT name, setting AS value FROM pg_settings")}
        assert {name: settings[name] for name in ("archive_mode", "ssl", "primary_conninfo", "primary_slot_name", "shared_preload_libraries")} == {
            "archive_mode": "off", "ssl": "off", "primary_conninfo": "", "primary_slot_name": "", "shared_preload_libraries": "",
        }  # fmt: skip
        assert (settings["max_wal_senders"], settings["max_logical_replication_workers"], settings["log_statement"]) == ("0", "0", "none")
        assert settings["random_page_cost"] == "1.7" and settings["archive_command"] in ("", "(disabled)")
        assert session.rows("SELECT slot_name FROM pg_replication_slots") == session.rows("SELECT gid FROM pg_prepared_xacts") == []
        assert session.rows("SELECT backend_type FROM pg_stat_activity WHERE backend_type ~ 'cron|logical|walreceiver|archiver'") == []
        assert session.row("SELECT pg_is_in_recovery() AS replica, count(*) AS rows FROM orders") == {"replica": False, "rows": 1000}
        assert session.rows("SELECT subname FROM pg_subscription WHERE subenabled") == []
        if rehearsal.production.scheduled:
            assert session.value("SELECT array_agg(active) FROM cron.job") == [False]
        names = [row["datname"] for row in session.rows("SELECT datname FROM pg_database ORDER BY 1")]
        assert names == ["copy", "postgres", "template0", "template1"]
        # The archiver, if there were one, would have something to do now.
        session.execute("SELECT pg_switch_wal()")
        session.execute("CHECKPOINT")
    assert phases == [{"fsync": "off", "pages": "off", "listens": ""}]
    with Session(rehearsal.production.server, "shop", "tests") as session:
        assert session.value("SELECT count(*) FROM pg_prepared_xacts") == 2, "production's own are untouched"
    assert outside.calls == 0
    assert outside.archivers <= {str(rehearsal.production.data)}


def test_before_migrations_are_measured_all_of_it_is_on_the_disk(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    finish, flushed = durable.finish, []

    def failing(_directory: str) -> None:
        raise OSError(errno.EIO, "Input/output error")

    def noting(directory: str) -> None:
        with Session(made.server, "copy", "tests") as session:
            unwritten = session.value("SELECT count(*) FROM pg_buffercache WHERE isdirty AND relfilenode = pg_relation_filenode('orders')")
            flushed.append((directory, unwritten, session.value("SELECT current_setting('fsync')")))
        finish(directory)

    monkeypatch.setattr(durable, "finish", noting)
    made = rehearsal.make(rehearsal.take())
    own = ephemeral.load(rehearsal.order.work)
    assert own is not None
    assert flushed == [], "the restore waits for no disk"
    with Session(made.server, "copy", "tests") as session:
        session.execute("CREATE EXTENSION pg_buffercache")
        session.execute("UPDATE orders SET id = id")
    monkeypatch.setattr(durable, "finish", failing)
    with pytest.raises(EphemeralError, match="could not be flushed to disk: Input/output error"):
        ephemeral.settle_on_disk(own.work, "tests", 60)
    monkeypatch.setattr(durable, "finish", noting)
    # What could not be flushed is waited for again; what has been is not.
    waited = ephemeral.settle_on_disk(own.work, "tests", 60)
    assert waited is not None and waited >= 0
    assert flushed == [(own.data, 0, "on")]
    assert ephemeral.settle_on_disk(own.work, "tests", 60) is None
    assert len(flushed) == 1


def test_while_migrations_are_measured_it_is_as_durable_as_production_and_asks_for_the_password(rehearsal: Rehearsal) -> None:
    made = rehearsal.make(rehearsal.take())
    with Session(made.server, "copy", "tests") as session:
        assert session.row(PHASE) == {"fsync": "on", "pages": "on", "listens": "127.0.0.1"}
    passfile = rehearsal.order.work.file("passfile")
    files.write_bytes(passfile, f"*:*:*:*:{PASSWORD}\n".encode())
    network = dataclasses.replace(made.server, host="127.0.0.1")
    with Session(dataclasses.replace(network, passfile=passfile), "copy", "tests") as session:
        assert session.value("SELECT count(*) FROM orders") == 1000
    with pytest.raises(PostgresError, match="no password supplied"):
        Session(network, "copy", "tests")
    other = made.server.port
    rehearsal.stop()
    with pytest.raises(PostgresError, match="refused"):
        Session(dataclasses.replace(network, port=other, passfile=passfile), "copy", "tests")


# So slow that its end never comes first.
SLOW = 32 * 1024


@pytest.mark.parametrize("way", ["streamed", "pulled"])
def test_a_busy_production_ends_it(rehearsal: Rehearsal, way: str, busy: Any) -> None:
    message = r"2 other sessions are active, 1 are allowed \(rehearsal_production_max_active_sessions\)"
    server = rehearsal.production.server
    with busy(server, "shop", 2), pytest.raises(ProductionBusy, match=message):
        if way == "streamed":
            rehearsal.take(max_active=1, max_rate=SLOW)
        else:
            manifest = basebackup.manifest_of(server, "shop", rehearsal.marker.id, Limits())
            copying.from_basebackup(rehearsal.order, manifest, "", server, Limits(max_active=1, max_rate=SLOW))
    with Session(server, "postgres", "tests") as session:
        name = application_name(rehearsal.marker.id)
        assert session.rows(f"SELECT pid FROM pg_stat_activity WHERE application_name = '{name}'") == []


def test_what_production_is_asked_for_is_limited_and_noted(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """The tool is started niced and with the rate; the record has no connection less than the server saw."""
    server, noted = rehearsal.production.server, tmp_path / "noted"
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "psql").symlink_to(Path(server.bin_dir, "psql"))
    shim = programs / "pg_basebackup"
    shim.write_text(f'#!/bin/sh\nnice > {noted}\necho "$@" >> {noted}\nexec {server.bin_dir}/pg_basebackup "$@"\n')
    shim.chmod(0o755)
    told = dataclasses.replace(server, bin_dir=str(programs))
    limits = Limits(nice=7, max_rate=500e6, max_lag_s=60)
    manifest = basebackup.take(told, "shop", rehearsal.marker.id, rehearsal.there, limits)
    niceness, arguments = noted.read_text().splitlines()
    assert niceness == "7" and "--max-rate=488281 " in arguments
    load = manifest["load"]
    # One that streams, one that watches.
    assert (load["connections"], load["bytes"], load["seconds"] > 0) == (2, manifest["files"][ARCHIVE]["bytes"], True)


def test_pulled_it_is_noted_too(rehearsal: Rehearsal) -> None:
    server = rehearsal.production.server
    manifest = basebackup.manifest_of(server, "shop", rehearsal.marker.id, Limits())
    made = copying.from_basebackup(rehearsal.order, manifest, "", server)
    load = made.manifest["load"]
    assert (load["connections"], load["seconds"] > 0) == (2, True) and load["bytes"] > made.copy["facts"]["size_bytes"]
    assert (made.copy["proved_by"], made.copy["differences"]) == ("checksums", [])


@pytest.fixture
def behind_prefix(rehearsal: Rehearsal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    """Where production is for dev: nothing in there sees the copy's data directory."""
    if not possible():
        pytest.skip("no other view of the files can be had here (unshare)")
    monkeypatch.setattr(inside, "TEMPORARY", str(tmp_path / "there"))
    return container(tmp_path, "production", rehearsal.production.place / "servers")


def test_pulled_through_a_prefix_it_is_whole(rehearsal: Rehearsal, behind_prefix: Container) -> None:
    server = behind_prefix.around(rehearsal.production.server)
    with Session(server, "shop", "tests") as session:
        told = {"system_identifier": database_facts.read_system_identifier(session), "server_version_num": 150000}
    assert replication_way.from_dev_problems(server, told, rehearsal.marker.id, 30) == []
    manifest = basebackup.manifest_of(server, "shop", rehearsal.marker.id, Limits())
    made = copying.from_basebackup(rehearsal.order, manifest, "", server)
    load = made.manifest["load"]
    assert load["connections"] == 1 and load["bytes"] > made.copy["facts"]["size_bytes"]
    assert (made.copy["proved_by"], made.copy["differences"], made.copy["rows"]) == ("checksums", [], 1000)
    assert behind_prefix.files == []


def test_a_full_disk_is_told_where_the_copy_comes_through_a_prefix(
    rehearsal: Rehearsal, behind_prefix: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = behind_prefix.around(rehearsal.production.server)
    manifest = basebackup.manifest_of(server, "shop", rehearsal.marker.id, Limits())

    def full(*_args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(basebackup, "_unpack_member", full)
    with pytest.raises(RehearsalError, match="cannot unpack the base backup into .*: No space left on device"):
        copying.from_basebackup(rehearsal.order, manifest, "", server)


def test_a_cut_is_told_where_the_copy_comes_through_a_prefix(rehearsal: Rehearsal, behind_prefix: Container) -> None:
    server, direct = behind_prefix.around(rehearsal.production.server), rehearsal.production.server
    manifest = basebackup.manifest_of(server, "shop", rehearsal.marker.id, Limits())
    sender = f"FROM pg_stat_replication WHERE application_name = '{application_name(rehearsal.marker.id)}'"

    def cut() -> None:
        with Session(direct, "postgres", "tests") as session:
            while not session.rows(f"SELECT pg_terminate_backend(pid) AS ended {sender} AND state = 'backup'"):
                time.sleep(0.02)

    cutting = threading.Thread(target=cut)
    cutting.start()
    with pytest.raises(ToolFailed, match="«pg_basebackup» ended with exit code 1"):
        copying.from_basebackup(rehearsal.order, manifest, "", server, Limits(max_rate=SLOW))
    cutting.join()
    with Session(direct, "postgres", "tests") as session:
        assert session.rows(f"SELECT pid {sender}") == []


def test_through_a_pipe_nothing_is_written_on_production(rehearsal: Rehearsal) -> None:
    received = rehearsal.order.work.file(ARCHIVE)

    def read(most: int) -> None:
        with open(rehearsal.there.file(dump_outlets.PIPE), "rb") as source, open(received, "wb") as target:
            while most > 0 and (chunk := source.read(1 << 16)):
                target.write(chunk)
                most -= len(chunk)

    def through(most: int) -> dict[str, Any]:
        reader = threading.Timer(0.5, read, [most])
        reader.start()
        try:
            return basebackup.take(rehearsal.production.server, "shop", rehearsal.marker.id, rehearsal.there, Limits(), through_pipe=True)
        finally:
            reader.join()

    manifest = through(1 << 40)
    assert [path.name for path in Path(rehearsal.there.path).rglob("backup*")] == []
    made = copying.from_basebackup(rehearsal.order, manifest, received, None)
    assert (made.copy["proved_by"], made.copy["differences"]) == ("checksums", [])
    with pytest.raises(ToolFailed, match="could not be handed on: the connection broke"):
        through(1 << 20)


def test_a_dump_is_restored_without_waiting_for_the_disk_and_migrated_with(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same server of its own, filled by pg_restore: the two phases are told apart by what it says of itself."""
    told: list[dict[str, Any]] = []
    restore = copy_database.restore

    def noting(server: Server, database: str, *args: Any, **more: Any) -> None:
        with Session(server, database, "tests") as session:
            told.append(session.row(PHASE))
        restore(server, database, *args, **more)

    monkeypatch.setattr(copy_database, "restore", noting)
    backup.take_backup(rehearsal.production.server, "billing", rehearsal.marker.id, rehearsal.there, Limits())
    sha256 = files.sha256(rehearsal.there.file(backup.MANIFEST))
    made = copying.from_dump(rehearsal.order, backup.unpack(rehearsal.order.work, rehearsal.there.file(ARCHIVE), sha256))
    assert (made.copy["differences"], made.copy["rows"]) == ([], 0)
    with Session(made.server, "copy", "tests") as session:
        told.append(session.row(PHASE))
    assert told == [{"fsync": "off", "pages": "off", "listens": ""}, {"fsync": "on", "pages": "on", "listens": "127.0.0.1"}]


def test_a_trigger_that_fires_at_a_login_does_not_fire_before_it_is_disabled() -> None:
    """It would run in the first session that looks for what has to be disabled."""
    place = Path(tempfile.mkdtemp(prefix="login-"))
    place.chmod(0o711)
    (place / "said").touch()
    (place / "said").chmod(0o666)
    (place / "servers").mkdir(mode=0o711)
    binaries = embedded.find_binaries(major=18)
    cluster = embedded.start_cluster(place / "cluster", binaries)
    marker = Marker(new_id(), "production/postgres", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
    work = work_directory(place, marker, "dev")
    try:
        server = Server(bin_dir=str(cluster.server_bin_dir), host=str(cluster.socket_directory), port=cluster.port, user=cluster.user)
        with Session(server, "postgres", "tests") as session:
            session.execute("CREATE DATABASE shop")
        with Session(server, "shop", "tests") as session:
            body = f"BEGIN COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; pwd >> {place}/said'; END"
            session.execute(f"CREATE FUNCTION tell() RETURNS event_trigger LANGUAGE plpgsql AS $f$ {body} $f$")
            session.execute("CREATE EVENT TRIGGER telling ON login EXECUTE FUNCTION tell()")
            session.execute("ALTER EVENT TRIGGER telling ENABLE ALWAYS")
        manifest = basebackup.manifest_of(server, "shop", marker.id, Limits())
        wish = Wish(directory=str(place / "servers"), bin_dir=server.bin_dir)
        made = copying.from_basebackup(Order("copy", marker, work, None, wish, deadline_s=120.0), manifest, "", server)
        assert [(entry["object"], entry["error"]) for entry in made.copy["stopped"]] == [("telling", None)]
        with Session(made.server, "copy", "tests") as session:
            assert session.value("SELECT current_setting('event_triggers')") == "on"
        assert set((place / "said").read_text().split()) == {str(cluster.data_directory)}
    finally:
        work.remove()
        embedded.remove_cluster(cluster)
