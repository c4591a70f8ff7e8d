"""Backups of a database that is being written to: what the manifest says is what the dump holds."""

from __future__ import annotations

import os
import random
import re
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import files
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import BackupBlocked
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory
from backing_up import TABLES, Work, connect, execute, require_nothing_left, rows_of

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("backup")]


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


@pytest.fixture
def restored(postgres_server: Any, tmp_path: Path) -> Iterator[Callable[[WorkDirectory], str]]:
    """Restores the dump of a backup with nothing but pg_restore; the name of the database."""
    made: list[str] = []

    def restore(work: WorkDirectory) -> str:
        name = postgres_server.create_database(f"restored_{new_id()}")
        made.append(name)
        place = tmp_path / f"unpacked-{len(made)}"
        with tarfile.open(work.file("backup.tar")) as archive:
            for member in archive:
                target = place / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                content = archive.extractfile(member)
                assert content is not None
                # A dump of one file comes in pieces, each a member of that name.
                with open(target, "ab") as file:
                    file.write(content.read())
        address = ["-h", postgres_server.host, "-p", str(postgres_server.port), "-U", postgres_server.user, "-d", name]
        subprocess.run([postgres_server.bin_dir / "pg_restore", "--exit-on-error", *address, place / "dump"], check=True)
        return str(name)

    yield restore
    for name in made:
        postgres_server.drop_database(name)


@contextmanager
def writers(server: Any, database: str, *steps: Callable[[psycopg.Connection[Any], random.Random], None]) -> Iterator[list[int]]:
    """Each step again and again in a session of its own; a list with the number of transactions so far."""
    ended = threading.Event()
    done = [0] * len(steps)
    failures: list[BaseException] = []

    def write(number: int) -> None:
        dice = random.Random(number)
        try:
            with connect(server, database) as connection:
                while not ended.is_set():
                    with connection.transaction():
                        steps[number](connection, dice)
                    done[number] += 1
        except psycopg.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(len(steps))]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 10
    while not all(done) and not failures and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield done
    finally:
        ended.set()
        for thread in threads:
            thread.join(30)
    assert not failures, failures


def transfer(connection: psycopg.Connection[Any], dice: random.Random) -> None:
    one, other = dice.randint(1, 20000), dice.randint(1, 20000)
    connection.execute("UPDATE accounts SET balance = balance - 1 WHERE id = %s", (one,))
    connection.execute("UPDATE accounts SET balance = balance + 1 WHERE id = %s", (other,))
    connection.execute("INSERT INTO log (text) VALUES ('moved')")


def order(connection: psycopg.Connection[Any], dice: random.Random) -> None:
    connection.execute(
        "WITH o AS (INSERT INTO orders (note) SELECT 'new' FROM generate_series(1, %s) RETURNING id) "
        "INSERT INTO items (order_id) SELECT id FROM o, generate_series(1, 2)",
        (dice.randint(1, 20),),
    )


def cancel(connection: psycopg.Connection[Any], dice: random.Random) -> None:
    connection.execute("DELETE FROM orders WHERE id IN (SELECT id FROM orders ORDER BY id LIMIT %s)", (dice.randint(1, 20),))


@pytest.mark.parametrize("prefix", [(), ("env", "LC_ALL=C")], ids=["native", "behind a prefix"])
def test_the_manifest_counts_what_the_dump_holds_while_production_is_written_to(
    postgres_server: Any, database: str, tmp_path: Path, restored: Callable[[WorkDirectory], str], prefix: tuple[str, ...]
) -> None:
    execute(postgres_server, database, TABLES)
    server = Server(prefix, str(postgres_server.bin_dir), postgres_server.host, postgres_server.port, postgres_server.user)
    counts = []
    with writers(postgres_server, database, transfer, order, order, cancel) as done:
        for moment in range(3):
            time.sleep(0.1 * moment)
            work, before = Work(tmp_path), sum(done)
            manifest = work.back_up(server, database)
            assert sum(done) > before + 5, "nobody wrote while the backup was taken: the test proves nothing"
            copy = restored(work.directory)
            assert rows_of(postgres_server, copy) == manifest["rows"]
            counts.append(manifest["rows"])
            with connect(postgres_server, copy) as connection:
                # Transactions are in it whole or not at all.
                assert connection.execute("SELECT sum(balance) FROM accounts").fetchone() == (2_000_000,)
            assert manifest["rows"]["items"] == 2 * manifest["rows"]["orders"]
    assert len({one["log"] for one in counts}) == 3
    assert all(one["idle"] == 0 and one["accounts"] == 20000 for one in counts)


def test_what_a_manifest_says(postgres_server: Any, database: str, work: Work) -> None:
    execute(
        postgres_server,
        database,
        f"""CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
        INSERT INTO alembic_version VALUES ('96bcb588d0c8');
        CREATE SCHEMA "Odd.Name"; CREATE TABLE "Odd.Name"."say ""hi"" now" AS VALUES (1), (2);
        ALTER DATABASE "{database}" SET "TimeZone" = 'Europe/Moscow';
        ALTER ROLE {postgres_server.user} IN DATABASE "{database}" SET work_mem = '7MB';""",
    )
    manifest = work.back_up(postgres_server.server, database)
    assert manifest["rows"] == {"alembic_version": 1, '"Odd.Name"."say ""hi"" now"': 2}
    assert manifest["revisions"] == {"alembic_version": ["96bcb588d0c8"]}
    assert manifest["settings"] == {"": ["TimeZone=Europe/Moscow"], postgres_server.user: ["work_mem=7MB"]}
    assert (manifest["time_zone"], manifest["encoding"], manifest["extensions"]) == ("Europe/Moscow", "UTF8", {"plpgsql": "1.0"})
    assert manifest["server_version_num"] // 10000 == postgres_server.major
    assert manifest["size_bytes"] > 1_000_000
    with tarfile.open(work.directory.file("backup.tar")) as archive:
        archive.extractall(work.directory.file("look"), filter="data")
    for path, facts in manifest["files"].items():
        assert os.path.getsize(work.directory.file("look", path)) == facts["bytes"]
        assert files.sha256(work.directory.file("look", path)) == facts["sha256"]
    assert files.read_json(work.directory.file("look/manifest.json")) == manifest
    assert os.stat(work.directory.file("backup.tar")).st_mode & 0o777 == 0o600
    assert not os.path.exists(work.directory.file("dump"))
    assert os.listdir(work.directory.file("running")) == []


def test_rows_that_only_a_dump_carries_are_counted_once(
    postgres_server: Any, database: str, work: Work, restored: Callable[[WorkDirectory], str]
) -> None:
    """Partitions, children, unlogged tables and views: each row where pg_dump puts it."""
    execute(
        postgres_server,
        database,
        """CREATE TABLE parts (id int, kind text) PARTITION BY LIST (kind);
        CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
        CREATE TABLE parts_rest PARTITION OF parts DEFAULT;
        INSERT INTO parts SELECT n, CASE WHEN n % 3 = 0 THEN 'a' ELSE 'b' END FROM generate_series(1, 30) n;
        CREATE TABLE parent (id int); CREATE TABLE child () INHERITS (parent);
        INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2), (3);
        CREATE UNLOGGED TABLE scratch AS SELECT 1 AS one;
        CREATE MATERIALIZED VIEW many AS SELECT * FROM parts;
        CREATE VIEW few AS SELECT * FROM parts_a""",
    )
    manifest = work.back_up(postgres_server.server, database)
    assert manifest["rows"] == {"parts_a": 10, "parts_rest": 20, "parent": 1, "child": 2, "scratch": 1}
    copy = Session(postgres_server.server, restored(work.directory), "tests")
    with copy:
        assert copy.value("SELECT count(*) FROM ONLY parent") == 1
        assert copy.value("SELECT count(*) FROM scratch") == 1


def test_tables_that_come_and_go_meanwhile(postgres_server: Any, database: str, tmp_path: Path, restored: Callable[[WorkDirectory], str]) -> None:
    execute(postgres_server, database, TABLES)

    def come_and_go(connection: psycopg.Connection[Any], dice: random.Random) -> None:
        time.sleep(0.3 * dice.random())
        name = f"fleeting_{dice.randint(1, 3)}"
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} AS SELECT 1 AS one FROM generate_series(1, {dice.randint(1, 50)})")  # type: ignore[call-overload]
        connection.execute(f"DROP TABLE IF EXISTS fleeting_{dice.randint(1, 3)}")  # type: ignore[call-overload]

    backed_up = 0
    with writers(postgres_server, database, come_and_go):
        for _moment in range(6):
            work = Work(tmp_path)
            try:
                manifest = work.back_up(postgres_server.server, database, lock_timeout_s=1)
            except (PostgresError, ToolFailed, BackupBlocked) as error:
                assert re.search(r"fleeting_|held by another session", str(error)), error
                assert not os.path.exists(work.directory.file("backup.tar"))
                require_nothing_left(postgres_server, work)
            else:
                backed_up += 1
                assert rows_of(postgres_server, restored(work.directory)) == manifest["rows"]
    assert backed_up, "not one backup in six: DDL beside it would make the rehearsal useless"
