"""What integration tests of several modules share."""

from __future__ import annotations

import contextlib
import functools
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import backup, files, restoring
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import Limits, take_backup
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session, quote_identifier
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

sys.path.append(str(Path(__file__).parent))

import rich_schema  # noqa: E402
from copy_rehearsal import Begin, Rehearsal, execute, marker_of  # noqa: E402


@pytest.fixture(scope="session")
def fill_richly(postgres_server: Any) -> Callable[[str], None]:
    """Gives a database every kind of object."""
    return functools.partial(rich_schema.fill, postgres_server)


@pytest.fixture
def installed(postgres_servers: Callable[[int], Any]) -> Iterator[Session]:
    """A session in a fresh database of an installed PostgreSQL 15: the embedded ones are built without ICU and without postgres_fdw."""
    server = postgres_servers(15)
    name = server.create_database(f"installed_{secrets.token_hex(4)}")
    try:
        with Session(server.server, name, "test", deadline_s=60) as session:
            yield session
    finally:
        server.drop_database(name)


@pytest.fixture
def own(postgres_server: Any, database: str) -> Iterator[Session]:
    """A session of an empty database."""
    with Session(postgres_server.server, database, "tests") as session:
        yield session


@pytest.fixture
def contracts(own: Session) -> Session:
    own.execute("CREATE TABLE contracts (id integer PRIMARY KEY, hourly_rate integer, note varchar(50))")
    own.execute("INSERT INTO contracts SELECT g, CASE WHEN g % 10 = 0 THEN NULL ELSE g * 7 END, 'note ' || g FROM generate_series(1, 10000) AS g")
    return own


@pytest.fixture
def begin(postgres_server: Any, tmp_path: Path) -> Iterator[Begin]:
    """Back a database up; its copies are dropped after the test, whoever made them."""
    made: list[tuple[Server, str]] = []

    def start(database: str, source: Server | None = None, target: Server | None = None, name: str = "") -> Rehearsal:
        marker = marker_of(new_id())
        work = WorkDirectory.at(str(tmp_path / "work"), marker.id, "dev")
        work.create(marker)
        manifest = take_backup(source or postgres_server.server, database, marker.id, work, Limits())
        name = name or f"copy_{marker.id}"
        made.append((target or postgres_server.server, name))
        return Rehearsal(marker, work, manifest, files.sha256(work.file(backup.MANIFEST)), name)

    yield start
    for server, name in made:
        with Session(server, "postgres", "tests") as session:
            session.execute(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")


@pytest.fixture
def restores(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """Of each pg_restore that was told what to restore, how many jobs it had, and which entries."""
    seen: list[tuple[int, str]] = []

    def start(argv: list[str], work: WorkDirectory, **streams: Any) -> Tool:
        given = dict(word.split("=", 1) for word in argv if word.startswith(("--jobs=", "--use-list=")))
        if "--use-list" in given:
            seen.append((int(given["--jobs"]), Path(given["--use-list"]).read_text()))
        return Tool(argv, work, **streams)

    monkeypatch.setattr(restoring, "Tool", start)
    return seen


@pytest.fixture
def packed(postgres_server: Any, database: str, begin: Begin) -> Rehearsal:
    execute(postgres_server.server, database, "CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n")
    return begin(database)


@pytest.fixture
def busy() -> Callable[..., contextlib.AbstractContextManager[None]]:
    """`with busy(server, database, count):` that many sessions of somebody else's are at work; they are when it begins."""
    return _busy


@contextlib.contextmanager
def _busy(server: Any, database: str, count: int) -> Iterator[None]:
    where = {"host": server.host, "port": server.port, "user": server.user, "dbname": database}
    others = [psycopg.connect(**where, autocommit=True) for _number in range(count)]  # type: ignore[arg-type]
    threads = [threading.Thread(target=_sleep, args=(connection,)) for connection in others]
    for thread in threads:
        thread.start()
    try:
        pids = ", ".join(str(connection.info.backend_pid) for connection in others)
        deadline = time.monotonic() + 60
        with Session(server, database, "tests") as session:
            while session.value(f"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid IN ({pids})") < count:
                assert time.monotonic() < deadline, "the sessions did not begin"
                time.sleep(0.01)
        yield
    finally:
        for connection, thread in zip(others, threads, strict=True):
            connection.cancel_safe()
            thread.join()
            connection.close()


def _sleep(connection: psycopg.Connection[Any]) -> None:
    with contextlib.suppress(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(60)")
