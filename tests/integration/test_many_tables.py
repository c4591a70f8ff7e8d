"""A server with room for few locks: proof and checks of more tables than that must not need a lock for each of them at a time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import database_facts, number_checks, row_checks
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server, Session, locks_let_go

from migration_rehearsal import embedded

pytestmark = pytest.mark.integration

TABLES = 400


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """PostgreSQL makes room for ten locks a session that may come."""
    settings = {"max_locks_per_transaction": "10", "max_connections": "12", "max_worker_processes": "2", "max_wal_senders": "0"}
    cluster = embedded.start_cluster(tmp_path_factory.mktemp("crowded") / "cluster", embedded.find_binaries(), settings=settings)
    server = Server(bin_dir=str(cluster.bin_dir), host=str(cluster.socket_directory), port=cluster.port, user=cluster.user)
    try:
        with Session(server, "postgres", "tests") as session:
            for first in range(0, TABLES, 10):
                session.execute("BEGIN")
                for n in range(first, first + 10):
                    session.execute(f"CREATE TABLE t{n} (id serial PRIMARY KEY, other integer REFERENCES t{max(n - 1, 0)}, a text UNIQUE, b text)")
                    session.execute(f"CREATE INDEX ON t{n} (other, b)")
                    session.execute(f"INSERT INTO t{n} (other, a) SELECT n, n::text FROM generate_series(1, 5) n")
                session.execute("COMMIT")
        yield server
    finally:
        embedded.remove_cluster(cluster)


def test_the_server_has_no_room_for_all_at_once(crowded: Server) -> None:
    with Session(crowded, "postgres", "tests") as session:
        session.execute("BEGIN")
        with pytest.raises(PostgresError) as refused:
            for n in range(TABLES):
                session.execute(f"SELECT count(*) FROM t{n}")
        assert refused.value.sqlstate == "53200"


@pytest.mark.parametrize("connections", [1, 2])
def test_every_table_is_proved(crowded: Server, connections: int) -> None:
    with Session(crowded, "postgres", "tests") as session:
        taken = take_fingerprint(session, connections=connections)
    assert len(taken["tables"]) == TABLES and {table["rows"] for table in taken["tables"].values()} == {5}


def test_every_table_is_looked_at(crowded: Server) -> None:
    with Session(crowded, "postgres", "tests") as session:
        assert len(row_checks.orphans(session)) == TABLES
        assert number_checks.sequences_behind(session) == []
        assert len(number_checks.near_limit(session, share=0.0)) == 2 * TABLES
        session.execute("BEGIN")
        assert sum(database_facts.count_rows(session).values()) == 5 * TABLES


def test_what_was_locked_before_stays_locked(crowded: Server) -> None:
    with Session(crowded, "postgres", "tests") as session:
        held = "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation::regclass::text ~ '^t[01](_|$)'"
        session.execute("BEGIN")
        session.execute("LOCK TABLE t0 IN ACCESS SHARE MODE")
        with locks_let_go(session):
            session.execute("SELECT count(*) FROM t1")
            assert session.value(held) > 2
        assert session.value(held) == 1
        with pytest.raises(PostgresError), locks_let_go(session):
            session.execute("SELECT 1 / 0")
        assert session.value("SELECT 1") == 1
