"""A production whose server would do something to the world wherever it starts, and one physical copy of it."""

from __future__ import annotations

import dataclasses
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import basebackup, copying
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import ARCHIVE, Limits
from ansible_collections.migrations.rehearsal.plugins.module_utils.copying import Made, Order
from ansible_collections.migrations.rehearsal.plugins.module_utils.ephemeral import Wish
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

from migration_rehearsal import embedded

PASSWORD = "only-of-the-copy"


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


def reaching_out() -> Iterator[Production]:
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


def rehearsed(production: Production) -> Iterator[Rehearsal]:
    marker = Marker(new_id(), "production/shop", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
    there, here = (work_directory(production.place, marker, side) for side in ("production", "dev"))
    wish = Wish(directory=str(production.place / "servers"), bin_dir=production.server.bin_dir, listen=("127.0.0.1",), password=PASSWORD)
    found = Rehearsal(production, marker, there, Order("copy", marker, here, None, wish, deadline_s=120.0))
    (production.place / "servers").mkdir(mode=0o711, exist_ok=True)
    yield found
    found.stop()
