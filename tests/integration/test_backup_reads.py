"""A backup only reads production, with no more of it than it was given."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import database_facts
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import Limits
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server, Session
from backing_up import TABLES, Work, connect, execute, rows_of, shims

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("backup reads")]


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


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
