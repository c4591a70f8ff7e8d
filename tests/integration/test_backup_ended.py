"""Backups that cannot be made: soon and clearly over, with nothing left behind, and nobody on production kept waiting."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import BackupBlocked
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from backing_up import TABLES, Work, connect, execute, require_nothing_left, shims

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("backup ended")]


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


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
