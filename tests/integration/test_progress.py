"""How far a server is: what the progress of a restore, of a kept template and of index builds is made of, asked of a real one."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    basebackup,
    clean_up,
    copying,
    dump_size,
    files,
    progress,
    progress_database,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import Limits, take_backup, unpack
from ansible_collections.migrations.rehearsal.plugins.module_utils.ephemeral import Wish
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, copy_database_name, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Look
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("progress")]


@pytest.fixture
def database(postgres_server: Any) -> Iterator[str]:
    name = postgres_server.create_database(f"shop_{secrets.token_hex(4)}")
    with Session(postgres_server.server, name, "tests") as session:
        session.execute("CREATE TABLE orders (id int, note text)")
        session.execute("INSERT INTO orders SELECT n, repeat('x', 100) FROM generate_series(1, 20000) AS n")
    yield name
    postgres_server.drop_database(name)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkDirectory:
    monkeypatch.setattr(progress, "_EVERY_S", 0.05)
    return WorkDirectory(str(tmp_path))


def noted(work: WorkDirectory, what: str) -> dict[str, Any]:
    """The first note of that kind."""
    path, deadline = Path(work.file(progress.FILE)), time.monotonic() + 30
    while time.monotonic() < deadline:
        for line in path.read_text().splitlines() if path.exists() else ():
            if json.loads(line)["what"] == what:
                return json.loads(line)  # type: ignore[no-any-return]
        time.sleep(0.02)
    raise AssertionError(f"nothing was noted of «{what}»")


@pytest.fixture
def building(postgres_server: Any, database: str) -> Iterator[None]:
    """An index build that waits for a transaction, for as long as the test takes."""
    where = {"host": postgres_server.host, "port": postgres_server.port, "user": postgres_server.user, "dbname": database}
    with psycopg.connect(**where) as writer, psycopg.connect(**where, autocommit=True) as builder:
        writer.execute("INSERT INTO orders VALUES (0, 'held')")
        builder.pgconn.send_query(b"CREATE INDEX CONCURRENTLY orders_note ON orders (note)")
        yield
        writer.rollback()
        while builder.pgconn.get_result() is not None:
            pass


def test_a_restore_is_as_large_as_its_database(postgres_server: Any, work: WorkDirectory, database: str) -> None:
    with progress_database.filled(work, postgres_server.server, database, new_id(), 50_000_000):
        note = noted(work, "restored")
    assert 2_000_000 < note["done"] < 50_000_000 == note["total"] and note["unit"] == "bytes"


@pytest.mark.usefixtures("building")
def test_index_builds_are_told_while_a_restore_waits_for_them(postgres_server: Any, work: WorkDirectory, database: str) -> None:
    with progress_database.filled(work, postgres_server.server, database, new_id(), 50_000_000):
        note = noted(work, "read for an index")
    assert note["unit"] == "blocks"


@pytest.mark.usefixtures("building")
def test_index_builds_of_a_migration_are_told(postgres_server: Any, work: WorkDirectory, database: str) -> None:
    server: Server = postgres_server.server
    look: Callable[[], Look] = lambda: Look("upgraded", 1, 7, "revisions")  # noqa: E731
    with progress_database.migrated(work, lambda: server, database, new_id(), look):
        assert noted(work, "read for an index")["unit"] == "blocks"
    # Another database's are not.
    with progress_database.migrated(work, lambda: server, "postgres", new_id(), look):
        assert noted(work, "upgraded")["total"] == 7


def test_revisions_are_told_where_the_server_does_not_answer(work: WorkDirectory) -> None:
    nowhere = Server(host="/nowhere")
    with progress_database.migrated(work, lambda: nowhere, "shop", new_id(), lambda: Look("upgraded", 1, 7, "revisions")):
        assert noted(work, "upgraded")["done"] == 1


def test_files_of_a_database_that_is_not_whole_yet_are_counted(postgres_server: Any, work: WorkDirectory, database: str) -> None:
    """CREATE DATABASE shows nothing of the new one before it commits, but for its directory."""
    base = Path(postgres_server.cluster.data_directory) / "base"
    copied = base / "4000000000"
    copied.mkdir()
    try:
        (copied / "1249").write_bytes(b"\0" * 8192)
        (copied / "1249_fsm").write_bytes(b"\0" * 16384)
        for path in (copied, *copied.iterdir()):
            path.chmod(0o755)
        with progress_database.files_copied(work, postgres_server.server, database, new_id()):
            note = noted(work, "copied")
    finally:
        for path in copied.iterdir():
            path.unlink()
        copied.rmdir()
    assert note["done"] == 24576 and note["total"] > 2_000_000


def test_the_size_of_a_dump_is_estimated(postgres_server: Any, database: str) -> None:
    with Session(postgres_server.server, database, "tests") as session:
        size = int(session.value("SELECT pg_database_size(current_database())"))
        session.execute("ANALYZE")
        pages = int(session.value("SELECT pg_relation_size('orders')"))
        assert dump_size.expected_bytes(session, size) == pytest.approx(0.35 * pages)
        # The last dump knows better.
        assert dump_size.expected_bytes(session, size, 0.1) == 0.1 * size
        session.execute("DROP TABLE orders")
        assert 0 < dump_size.expected_bytes(session, size) < size


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Look]:
    """What each phase sees when it is done."""
    seen: list[Look] = []

    @contextlib.contextmanager
    def shown(_work: WorkDirectory, look: Callable[[], Look | None]) -> Iterator[None]:
        yield
        last = look()
        if last is not None:
            seen.append(last)

    monkeypatch.setattr(progress, "shown", shown)
    return seen


def prepared(base: Path) -> tuple[Marker, WorkDirectory, WorkDirectory]:
    """A rehearsal's work directories on production and dev."""
    marker = Marker(new_id(), "production/shop", "2026-11-22T12:00:00Z", "2099-11-23T12:00:00Z")
    both = [WorkDirectory.at(str(base), marker.id, side) for side in ("production", "dev")]
    for one in both:
        one.create(marker)
    return marker, both[0], both[1]


def test_every_phase_of_a_dump_is_told_to_its_end(postgres_server: Any, database: str, tmp_path: Path, told: list[Look]) -> None:
    marker, there, here = prepared(tmp_path)
    server = postgres_server.server
    manifest = take_backup(server, database, marker.id, there, Limits())
    manifest = unpack(here, there.file("backup.tar"), files.sha256(there.file("manifest.json")))
    copying.from_dump(copying.Order(copy_database_name(marker.id), marker, here, server), manifest)
    postgres_server.drop_database(copy_database_name(marker.id))
    # Values are read once more only where they were hashed on production.
    assert [look.what for look in told] == ["dumped", "packed", "unpacked", "restored"]
    dumped, packed, unpacked, restored = told
    assert dumped.done == manifest["load"]["bytes"] and dumped.about
    for look in (packed, unpacked):
        # An archive ends in zeros that nobody reads.
        assert 0 < look.total <= look.done + 20480, look
    assert restored.done > 0 and restored.total == manifest["size_bytes"]


def test_every_phase_of_a_physical_copy_is_told_to_its_end(postgres_server: Any, database: str, tmp_path: Path, told: list[Look]) -> None:
    marker, there, here = prepared(tmp_path)
    manifest = basebackup.take(postgres_server.server, database, marker.id, there, Limits())
    tmp_path.chmod(0o711)
    order = copying.Order(copy_database_name(marker.id), marker, here, None, Wish(bin_dir=str(postgres_server.cluster.server_bin_dir)))
    made = copying.from_basebackup(order, manifest, there.file("backup.tar"), None)
    try:
        assert [look.what for look in told] == ["backed up", "unpacked", "checked"]
        backed_up, unpacked, checked = told
        assert backed_up.done == manifest["load"]["bytes"] and 0 < manifest["cluster_bytes"] == backed_up.total
        assert 0 < unpacked.total <= unpacked.done + 20480
        assert 0 < checked.done == checked.total
    finally:
        clean_up.clean_up_own_server(made.copy["database"], marker.id, here, clean_up.KEEP_NONE, 60)
