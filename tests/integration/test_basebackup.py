"""A physical copy: what production's server would do to the world is taken out of it before it starts, and it is proved file by file."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    backup,
    basebackup,
    copy_database,
    copying,
    dump_outlets,
    durable,
    ephemeral,
    files,
    progress,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import ARCHIVE, Limits
from ansible_collections.migrations.rehearsal.plugins.module_utils.basebackup import BasebackupError
from ansible_collections.migrations.rehearsal.plugins.module_utils.copying import Made, Order
from ansible_collections.migrations.rehearsal.plugins.module_utils.ephemeral import Wish
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, application_name, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.production_guard import ProductionBusy
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

from migration_rehearsal import embedded

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("basebackup")]

PASSWORD = "only-of-the-copy"
# Before and after the server is made like production: what it says of itself then.
PHASE = "SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages, current_setting('listen_addresses') AS listens"


class Outside:
    """What a server that is still production's would reach: a file that its archiver writes, an address that it connects to."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.calls = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                self._listener.accept()[0].close()
            except OSError:
                return
            self.calls += 1

    @property
    def archivers(self) -> set[str]:
        """The data directories of the servers that have archived anything."""
        path = self.place / "archived"
        return set(path.read_text().split()) if path.exists() else set()

    def close(self) -> None:
        self._listener.close()


@dataclasses.dataclass(frozen=True)
class Production:
    server: Server
    data: Path
    outside: Outside
    place: Path
    scheduled: bool

    def run(self, database: str, *statements: str) -> None:
        with Session(self.server, database, "tests") as session:
            for statement in statements:
                session.execute(statement)


def reaching(settings: dict[str, str], binaries: embedded.Binaries, place: Path) -> Iterator[Production]:
    outside = Outside(place)
    (place / "archived").touch()
    (place / "archived").chmod(0o666)
    cluster = embedded.start_cluster(
        place / "production", binaries,
        settings={"archive_mode": "on", "archive_command": f"pwd >> {place}/archived", "max_prepared_transactions": "5", "wal_level": "logical",
                  # Its own subscription must not disturb: every call that is heard is a copy's.
                  "max_logical_replication_workers": "0", "max_wal_senders": "6", "log_statement": "all", "full_page_writes": "on", **settings},
    )  # fmt: skip
    server = Server(bin_dir=str(cluster.bin_dir), host=str(cluster.socket_directory), port=cluster.port, user=cluster.user)
    production = Production(server, cluster.data_directory, outside, place, "pg_cron" in settings.get("shared_preload_libraries", ""))
    elsewhere = f"host=127.0.0.1 port={outside.port} user=nobody dbname=nowhere"
    subscription = f"CREATE SUBSCRIPTION {{}} CONNECTION '{elsewhere}' PUBLICATION p WITH (connect = false, slot_name = 's')"
    try:
        production.run(
            "postgres", "CREATE DATABASE shop", "CREATE DATABASE billing", "CREATE DATABASE closed ALLOW_CONNECTIONS false",
            "SELECT pg_create_physical_replication_slot('replica', true)",
            # Before the prepared transactions, for whose end it would wait.
            "SELECT pg_create_logical_replication_slot('stream', 'test_decoding')",
        )  # fmt: skip
        production.run(
            "shop", "CREATE TABLE orders AS SELECT n AS id FROM generate_series(1, 1000) n", subscription.format("taking"),
            "ALTER SUBSCRIPTION taking ENABLE", "BEGIN", "DELETE FROM orders WHERE id = 1", "PREPARE TRANSACTION 'shop 1'",
        )  # fmt: skip
        production.run(
            "billing", "CREATE TABLE bills (id int)", subscription.format("also"), "ALTER SUBSCRIPTION also ENABLE",
            "BEGIN", "INSERT INTO bills VALUES (1)", "PREPARE TRANSACTION 'it''s billing'",
        )  # fmt: skip
        if production.scheduled:
            production.run("shop", "CREATE EXTENSION pg_cron", "SELECT cron.schedule('always', '* * * * *', 'DELETE FROM orders')")
        production.run(
            "postgres", f"ALTER SYSTEM SET primary_conninfo = '{elsewhere}'", "ALTER SYSTEM SET primary_slot_name = 'replica'",
            "ALTER SYSTEM SET ssl = on", "ALTER SYSTEM SET ssl_cert_file = '/nowhere/server.crt'", "ALTER SYSTEM SET random_page_cost = 1.7",
            "SELECT pg_reload_conf()",
        )  # fmt: skip
        # A server that was a replica once, and would be one again: it reads these only when it starts.
        for name in ("standby.signal", "server.key", "server.crt"):
            (cluster.data_directory / name).write_text("")
            shutil.chown(cluster.data_directory / name, cluster.system_user or None)
        yield production
    finally:
        embedded.remove_cluster(cluster)
        outside.close()


@pytest.fixture(scope="module")
def production() -> Iterator[Production]:
    """A server that archives, replicates, subscribes, preloads, encrypts, and has transactions prepared."""
    binaries = embedded.find_binaries(major=15)
    scheduled = (binaries.bin_dir.parent / "lib" / "pg_cron.so").exists()
    preloaded = {"shared_preload_libraries": "pg_cron", "cron.database_name": "shop", "cron.use_background_workers": "on"} if scheduled else {}
    place = Path(tempfile.mkdtemp(prefix="reaching-"))
    place.chmod(0o711)
    yield from reaching(preloaded, binaries, place)


def work_directory(place: Path, marker: Marker, side: str) -> WorkDirectory:
    work = WorkDirectory.at(str(place / "work"), marker.id, side)
    work.create(marker)
    return work


@dataclasses.dataclass
class Rehearsal:
    """One physical copy under way."""

    production: Production
    marker: Marker
    there: WorkDirectory
    order: Order

    def take(self, proof: str = basebackup.CRC, **limits: Any) -> dict[str, Any]:
        return basebackup.take(self.production.server, "shop", self.marker.id, self.there, Limits(**limits), proof=proof)

    def make(self, manifest: dict[str, Any]) -> Made:
        return copying.from_basebackup(self.order, manifest, self.there.file(ARCHIVE), None)

    def stop(self) -> None:
        self.there.remove()
        self.order.work.remove()


@pytest.fixture
def rehearsal(production: Production) -> Iterator[Rehearsal]:
    marker = Marker(new_id(), "production/shop", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
    there, here = (work_directory(production.place, marker, side) for side in ("production", "dev"))
    wish = Wish(directory=str(production.place / "servers"), bin_dir=production.server.bin_dir, listen=("127.0.0.1",), password=PASSWORD)
    found = Rehearsal(production, marker, there, Order("copy", marker, here, None, wish, deadline_s=120.0))
    (production.place / "servers").mkdir(mode=0o711, exist_ok=True)
    yield found
    found.stop()


@pytest.fixture
def phases(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the copy's server says of itself when it is up for the first time, before it is given to anybody."""
    told: list[dict[str, Any]] = []

    def first(own: Any, *args: Any) -> Any:
        with Session(own.server, "template1", "tests") as session:
            told.append(session.row(PHASE))
        return take_over(own, *args)

    take_over = basebackup.take_over
    monkeypatch.setattr(basebackup, "take_over", first)
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
    with pytest.raises(ephemeral.EphemeralError, match="could not be flushed to disk: Input/output error"):
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


def flip(path: str, offset: int) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


def test_one_bit_that_changed_on_the_way_is_noticed(rehearsal: Rehearsal) -> None:
    manifest = rehearsal.take()
    archive = rehearsal.there.file(ARCHIVE)
    flip(archive, manifest["files"][ARCHIVE]["bytes"] // 2)
    with pytest.raises(BasebackupError, match="the base backup is not what was taken on production: the checksums differ"):
        rehearsal.make(manifest)


@pytest.mark.parametrize("proof", [basebackup.CRC, basebackup.SHA])
def test_how_far_the_check_is_shows(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch, proof: str) -> None:
    notes: list[dict[str, Any]] = []
    monkeypatch.setattr(progress, "_EVERY_S", 0.002)
    monkeypatch.setattr(files, "append_json_line", lambda _path, note: notes.append(note))
    rehearsal.make(rehearsal.take(proof))
    checked = [note for note in notes if note["what"] == "checked"]
    size = sum(path.stat().st_size for path in Path(rehearsal.order.work.path).parent.parent.glob("servers/*/data/base/*/*"))
    assert checked and checked[-1]["total"] > size // 2
    assert checked[-1]["total"] // 4 < checked[-1]["done"] <= checked[-1]["total"] * 1.1


@pytest.mark.parametrize(
    ("proof", "damage", "said"),
    [
        (basebackup.CRC, lambda data: flip(f"{data}/global/pg_control", 3), r"pg_control"),
        (basebackup.SHA, lambda data: flip(f"{data}/global/pg_control", 3), r"pg_control"),
        (basebackup.CRC, lambda data: Path(data, "base/1/1259").unlink(), r"1259"),
        (basebackup.SHA, lambda data: Path(data, "base/1/1259").unlink(), r"1259"),
        (basebackup.SHA, lambda data: flip(f"{data}/backup_manifest", 60), r"list of checksums"),
        (basebackup.CRC, lambda data: Path(data, "backup_manifest").unlink(), r"list of checksums"),
    ],
    ids=["a bit", "a bit, SHA-256", "a file", "a file, SHA-256", "the list", "no list"],
)
def test_what_is_not_as_productions_server_sent_it_does_not_start(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch, proof: str, damage: Any, said: str
) -> None:
    """On the way into the data directory: the archive itself is whole."""
    verify = basebackup.verify

    def damaged(own: Any) -> None:
        damage(own.data)
        verify(own)

    monkeypatch.setattr(basebackup, "verify", damaged)
    with pytest.raises(BasebackupError, match=said):
        rehearsal.make(rehearsal.take(proof))
    assert not (Path(copying.ephemeral.load(rehearsal.order.work).data) / "postmaster.pid").exists()  # type: ignore[union-attr]


def test_several_programs_share_what_is_large_and_leave_nothing_out(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    verify, run, shared = basebackup.verify, ephemeral.Ephemeral.run, []
    monkeypatch.setattr(basebackup, "_LARGE_FILE", 64 << 10)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)

    def noting(own: Any, program: str, *args: str, **how: Any) -> Any:
        shared.append([arg for arg in args if arg.startswith("--ignore=")])
        return run(own, program, *args, **how)

    def damaged(own: Any) -> None:
        monkeypatch.setattr(ephemeral.Ephemeral, "run", noting)
        verify(own)
        monkeypatch.setattr(ephemeral.Ephemeral, "run", run)
        ignored = {word.partition("=")[2] for words in shared for word in words}
        # One that each of the three checks, whose names stand with the two others, and one that all of them do.
        each = [sorted(ignored - {word.partition("=")[2] for word in words})[0] for words in shared]
        assert len(set(each)) == 3 and "PG_VERSION" not in ignored
        for name in (*each, "PG_VERSION"):
            flip(f"{own.data}/{name}", 1)
            with pytest.raises(BasebackupError, match=name):
                verify(own)
            flip(f"{own.data}/{name}", 1)
        verify(own)

    monkeypatch.setattr(basebackup, "verify", damaged)
    assert rehearsal.make(rehearsal.take()).copy["differences"] == []
    assert len(shared) == 3


def test_where_dev_cannot_check_the_cheaper_checksums_they_are_not_asked_for(production: Production, tmp_path: Path) -> None:
    assert basebackup.checksums(production.server.bin_dir) == basebackup.CRC
    assert basebackup.checksums(str(tmp_path)) == basebackup.SHA
    broken = tmp_path / "pg_verifybackup"
    broken.write_text("#!/bin/sh\nkill -SEGV $$\n")
    broken.chmod(0o755)
    assert basebackup.checksums(str(tmp_path)) == basebackup.SHA


def test_a_production_that_gives_no_physical_copy_says_why(production: Production) -> None:
    def reasons(server: Server = production.server) -> list[str]:
        return basebackup.look(server, "shop", new_id(), 30.0)[1]

    assert reasons() == []
    production.run("postgres", "CREATE ROLE reader LOGIN", "CREATE ROLE taker LOGIN REPLICATION")
    as_reader, as_taker = (dataclasses.replace(production.server, user=user) for user in ("reader", "taker"))
    try:
        assert reasons(as_reader) == ["the role has no right to take a base backup: ALTER ROLE … REPLICATION"]
        assert reasons(as_taker) == []
        hba = production.data / "pg_hba.conf"
        allowed = hba.read_text()
        hba.write_text(f"local replication taker reject\n{allowed}")
        production.run("postgres", "SELECT pg_reload_conf()")
        (refused,) = reasons(as_taker)
        assert refused.startswith("it lets no replication connection of the role in")
        hba.write_text(allowed)
        production.run("postgres", "SELECT pg_reload_conf()")
    finally:
        production.run("postgres", "DROP ROLE reader", "DROP ROLE taker")
    place = production.place / "tablespace"
    place.mkdir()
    shutil.chown(place, production.data.owner())
    production.run("postgres", f"CREATE TABLESPACE fast LOCATION '{place}'")
    try:
        assert reasons() == ["it has 1 tablespaces of its own, which do not fit into one stream"]
    finally:
        production.run("postgres", "DROP TABLESPACE fast")
    (nobody,) = reasons(dataclasses.replace(production.server, port=1))
    assert "database shop on" in nobody


def test_a_production_without_wal_senders_gives_none(tmp_path: Path) -> None:
    place = Path(tempfile.mkdtemp(prefix="minimal-"))
    place.chmod(0o711)
    binaries = embedded.find_binaries(major=15)
    cluster = embedded.start_cluster(place / "cluster", binaries, settings={"wal_level": "minimal", "max_wal_senders": "0"})
    try:
        server = Server(bin_dir=str(cluster.bin_dir), host=str(cluster.socket_directory), port=cluster.port, user=cluster.user)
        assert basebackup.look(server, "postgres", new_id(), 30.0)[1] == [
            "wal_level is minimal there, and a base backup needs replica",
            "0 of its 0 WAL senders are taken (max_wal_senders), and 1 must be free",
        ]
    finally:
        embedded.remove_cluster(cluster)


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


def test_another_c_library_would_sort_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basebackup.os, "confstr", lambda name: "glibc 2.36")
    assert basebackup.differs_from_dev({"collation_version": "2.36"}) == [] == basebackup.differs_from_dev({"collation_version": None})
    (reason,) = basebackup.differs_from_dev({"collation_version": "2.31"})
    assert "the C library 2.31, dev with 2.36" in reason
