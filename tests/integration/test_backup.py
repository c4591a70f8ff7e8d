"""Backups of a database that is being written to: what the manifest says is what the dump holds, and production is only read."""

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
from ansible_collections.migrations.rehearsal.plugins.module_utils import clean_up, database_facts, files
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import BackupBlocked, Limits, take_backup
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, application_name, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("backup")]

TABLES = """
CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL);
INSERT INTO accounts SELECT n, 100 FROM generate_series(1, 20000) n;
CREATE TABLE orders (id bigserial PRIMARY KEY, note text);
CREATE TABLE items (id bigserial PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE, text text);
INSERT INTO orders (note) SELECT repeat('x', 100) FROM generate_series(1, 10000);
INSERT INTO items (order_id, text) SELECT o.id, repeat('y', 50) FROM orders o, generate_series(1, 2);
CREATE TABLE log (at timestamptz DEFAULT now(), text text);
CREATE TABLE idle (id int);
"""


class Work:
    """A rehearsal's id and its work directory on production."""

    def __init__(self, base: Path) -> None:
        self.id = new_id()
        self.directory = WorkDirectory.at(str(base / "work"), self.id, "production")
        self.directory.create(Marker(self.id, "production/shop", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z"))

    def back_up(self, server: Server, database: str, **limits: Any) -> dict[str, Any]:
        return take_backup(server, database, self.id, self.directory, Limits(**limits))


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def connect(server: Any, database: str, **options: Any) -> psycopg.Connection[Any]:
    return psycopg.connect(host=server.host, port=server.port, user=server.user, dbname=database, autocommit=True, **options)


def execute(server: Any, database: str, sql: str) -> None:
    with connect(server, database) as connection:
        connection.execute(sql)  # type: ignore[call-overload]


def rows_of(server: Any, database: str) -> dict[str, int]:
    """Counted in the plainest way, table by table."""
    with connect(server, database) as connection:
        names = [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        counts = {}
        for name in names:
            counted = connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()  # type: ignore[call-overload]
            assert counted is not None
            counts[name] = counted[0]
        return counts


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


def sessions_of(server: Any, rehearsal_id: str) -> int:
    with connect(server, "postgres") as connection:
        found = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", (application_name(rehearsal_id),)).fetchone()
    assert found is not None
    return int(found[0])


def require_nothing_left(server: Any, work: Work) -> None:
    """Clean-up after a failed backup takes all, and there is nobody left to make more."""
    cleaned = clean_up.clean_up(server.server, None, work.id, work.directory, "none", 30)
    assert (cleaned["left"], cleaned["problems"]) == ([], [])
    assert not os.path.exists(work.directory.path)
    assert sessions_of(server, work.id) == 0


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


def test_a_table_dropped_before_it_could_be_locked_is_a_clear_error(postgres_server: Any, database: str, work: Work) -> None:
    execute(postgres_server, database, TABLES)
    with connect(postgres_server, database) as owner:
        owner.execute("BEGIN; DROP TABLE idle")
        threading.Timer(0.5, owner.execute, ["COMMIT"]).start()
        with pytest.raises(PostgresError, match='relation "public.idle" does not exist|relation "idle" does not exist|could not open relation'):
            work.back_up(postgres_server.server, database)
    require_nothing_left(postgres_server, work)


def test_a_table_held_exclusively_ends_the_backup_soon_and_clearly(postgres_server: Any, database: str, work: Work) -> None:
    execute(postgres_server, database, TABLES)
    with connect(postgres_server, database) as owner:
        owner.execute("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        with pytest.raises(BackupBlocked, match="held by another session.*0.5 s.*rehearsal_production_lock_timeout") as failure:
            work.back_up(postgres_server.server, database, lock_timeout_s=0.5)
        assert 0.4 < time.monotonic() - started < 5
        assert database in str(failure.value)
        require_nothing_left(postgres_server, work)
        # The owner was not disturbed.
        assert owner.execute("SELECT count(*) FROM orders").fetchone() == (10000,)


def test_one_who_wants_the_table_exclusively_meanwhile_gets_it_soon(postgres_server: Any, database: str, work: Work, tmp_path: Path) -> None:
    """pg_dump queues behind a waiting ALTER TABLE, which waits for us: the backup must give way, not the other one."""
    execute(postgres_server, database, TABLES)
    slow = shims(tmp_path, postgres_server, 'sleep 0.7\nexec "$REAL" "$@"\n')
    seconds: list[float] = []

    def alter() -> None:
        time.sleep(0.3)
        started = time.monotonic()
        execute(postgres_server, database, "ALTER TABLE orders ADD COLUMN more int")
        seconds.append(time.monotonic() - started)

    thread = threading.Thread(target=alter)
    thread.start()
    with pytest.raises(BackupBlocked, match="0.5 s"):
        work.back_up(Server((), slow, postgres_server.host, postgres_server.port, postgres_server.user), database, lock_timeout_s=0.5)
    thread.join(10)
    assert seconds and seconds[0] < 5
    require_nothing_left(postgres_server, work)


def test_rows_hidden_by_a_policy_are_an_error_never_a_smaller_backup(postgres_server: Any, database: str, work: Work) -> None:
    role = f"reader_{work.id.replace('-', '_')}"
    execute(
        postgres_server,
        database,
        f"""CREATE TABLE secret (id int); INSERT INTO secret VALUES (1), (2);
        CREATE ROLE {role} LOGIN; GRANT SELECT ON secret TO {role};
        ALTER TABLE secret ENABLE ROW LEVEL SECURITY; CREATE POLICY one ON secret USING (id = 1)""",
    )
    server = Server((), str(postgres_server.bin_dir), postgres_server.host, postgres_server.port, role)
    try:
        with pytest.raises((PostgresError, ToolFailed), match="row-level security"):
            work.back_up(server, database)
        require_nothing_left(postgres_server, work)
    finally:
        execute(postgres_server, database, f"DROP OWNED BY {role}; DROP ROLE {role}")


def shims(tmp_path: Path, postgres_server: Any, script: str) -> str:
    """A directory of programs in which pg_dump is a script; `$REAL` is the real one."""
    place = tmp_path / "shims"
    place.mkdir()
    for tool in ("psql", "pg_restore"):
        (place / tool).symlink_to(postgres_server.bin_dir / tool)
    (place / "pg_dump").write_text(f'#!/bin/sh\nREAL="{postgres_server.bin_dir}/pg_dump"\nBIN="{postgres_server.bin_dir}"\n{script}')
    (place / "pg_dump").chmod(0o755)
    return str(place)


@pytest.mark.parametrize("failing", ["exit 1", "kill -9 $$", '"$REAL" "$@"; exit 3'], ids=["fails", "killed", "fails late"])
def test_a_pg_dump_that_fails_is_an_error_whatever_it_wrote(postgres_server: Any, database: str, work: Work, tmp_path: Path, failing: str) -> None:
    execute(postgres_server, database, TABLES)
    server = Server((), shims(tmp_path, postgres_server, failing + "\n"), postgres_server.host, postgres_server.port, postgres_server.user)
    with pytest.raises(ToolFailed, match="pg_dump"):
        work.back_up(server, database)
    assert not os.path.exists(work.directory.file("backup.tar"))
    require_nothing_left(postgres_server, work)


def test_a_pg_dump_that_hangs_is_stopped(postgres_server: Any, database: str, work: Work, tmp_path: Path) -> None:
    hanging = shims(tmp_path, postgres_server, f"sleep 600 & echo $! > {tmp_path}/pid; wait\n")
    server = Server((), hanging, postgres_server.host, postgres_server.port, postgres_server.user)
    with pytest.raises(ToolFailed, match="not done within 1 s"):
        work.back_up(server, database, statement_timeout_s=1)
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _alive(pid):
        time.sleep(0.02)
    assert not _alive(pid), "the child of a stopped tool lives on"
    require_nothing_left(postgres_server, work)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_sessions_cannot_write_even_if_they_would(postgres_server: Any, database: str, work: Work, tmp_path: Path) -> None:
    with (
        Session(postgres_server.server, database, "tests", Limits(lock_timeout_s=7, statement_timeout_s=70).settings()) as session,
        pytest.raises(PostgresError) as refused,
    ):
        assert session.value("SELECT current_setting('lock_timeout')") == "7s"
        assert session.value("SELECT current_setting('statement_timeout')") == "70s"
        session.execute("CREATE TABLE t (id int)")
    assert refused.value.sqlstate == "25006"
    # The very connection that pg_dump is given.
    script = (
        'for word; do case "$word" in --dbname=*) target="${word#--dbname=}";; esac; done\n'
        f'"$BIN/psql" -X -d "$target" -c "CREATE TABLE t (id int)" 2> {tmp_path}/said\n'
        'exec "$REAL" "$@"\n'
    )
    work.back_up(Server((), shims(tmp_path, postgres_server, script), postgres_server.host, postgres_server.port, postgres_server.user), database)
    assert "read-only transaction" in (tmp_path / "said").read_text()
    assert rows_of(postgres_server, database) == {}


def test_a_connection_takes_one_processor_of_production(postgres_server: Any, database: str) -> None:
    execute(postgres_server, database, TABLES)
    with connect(postgres_server, database) as connection:
        if connection.info.server_version < 180000:
            pytest.skip("PostgreSQL counts parallel workers from version 18 on")
    # Every query that can have a worker has one then.
    execute(postgres_server, database, f'ALTER DATABASE "{database}" SET debug_parallel_query = on')

    def workers() -> int:
        with connect(postgres_server, database) as connection:
            connection.execute("SET debug_parallel_query = off")
            # A session is counted when it ends, which it does some time after its client.
            others = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            deadline = time.monotonic() + 30
            while connection.execute(others).fetchone() is not None:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            counted = connection.execute("SELECT parallel_workers_launched FROM pg_stat_database WHERE datname = current_database()").fetchone()
            assert counted is not None
            return int(counted[0])

    counted = {}
    for name, settings in (("as it would", {}), ("as a backup has it", Limits().settings())):
        before = workers()
        with Session(postgres_server.server, database, "tests", settings) as session:
            take_fingerprint(session)
            session.execute("BEGIN")
            database_facts.count_rows(session)
            session.execute("COMMIT")
        counted[name] = workers() - before
    assert counted["as it would"] > 0 and counted["as a backup has it"] == 0


# What a session may say to production. pg_dump sets its own session up, and reads.
ALLOWED = re.compile(
    r"(?is)^(BEGIN|START TRANSACTION|COMMIT|ROLLBACK|SAVEPOINT\s|RELEASE SAVEPOINT\s|SET\s|SELECT\s|WITH\s|COPY .* TO stdout|"
    r"LOCK TABLE .* IN ACCESS SHARE MODE|PREPARE\s|EXECUTE\s)"
)


def test_no_statement_that_writes_reaches_production(postgres_server: Any, database: str, work: Work) -> None:
    execute(postgres_server, database, TABLES)
    execute(postgres_server, "postgres", "ALTER SYSTEM SET log_statement = 'all'")
    execute(postgres_server, "postgres", "ALTER SYSTEM SET log_line_prefix = '<<%a>>'")
    execute(postgres_server, "postgres", "SELECT pg_reload_conf()")
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with connect(postgres_server, "postgres") as connection:
                if connection.execute("SHOW log_statement").fetchone() == ("all",):
                    break
        work.back_up(postgres_server.server, database)
    finally:
        execute(postgres_server, "postgres", "ALTER SYSTEM RESET log_statement")
        execute(postgres_server, "postgres", "ALTER SYSTEM RESET log_line_prefix")
        execute(postgres_server, "postgres", "SELECT pg_reload_conf()")
    text = postgres_server.cluster.log.read_text(errors="replace")
    entries = re.findall(rf"(?ms)^<<{application_name(work.id)}>>LOG:  (?:statement|execute [^:]*): (.*?)(?=^<<|\Z)", text)
    assert len(entries) > 30 and any(entry.startswith("COPY public.orders") for entry in entries), "the log is not what the test takes it for"
    assert [entry for entry in entries if not ALLOWED.match(entry.strip())] == []
    forbidden = re.compile(r"(?i)\b(insert into|update \w+ set|delete from|truncate|create|alter|drop|grant|nextval *\(|setval *\(|vacuum|analyze)\b")
    assert [entry for entry in entries if forbidden.search(entry)] == []
