"""Statistics gathered in several sessions are those of one ANALYZE."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import evidence, planner_statistics
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Expectations
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session, quote_identifier
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

pytestmark = pytest.mark.integration

TABLES = [
    'CREATE SCHEMA "Own.Name"',
    'CREATE TABLE "Own.Name"."T ""x" AS SELECT n AS id FROM generate_series(1, 100) n',
    "CREATE TABLE whole (id int, at int) PARTITION BY RANGE (at)",
    "CREATE TABLE part_1 PARTITION OF whole FOR VALUES FROM (0) TO (50)",
    "CREATE TABLE part_2 PARTITION OF whole FOR VALUES FROM (50) TO (100) PARTITION BY RANGE (at)",
    "CREATE TABLE part_2_1 PARTITION OF part_2 FOR VALUES FROM (50) TO (100)",
    "INSERT INTO whole SELECT n, n % 100 FROM generate_series(1, 1000) n",
    "CREATE TABLE elder (id int)",
    "CREATE TABLE younger (name text) INHERITS (elder)",
    "INSERT INTO elder SELECT n FROM generate_series(1, 50) n",
    "INSERT INTO younger SELECT n, n::text FROM generate_series(1, 60) n",
    "CREATE MATERIALIZED VIEW sums AS SELECT count(*) AS n FROM whole",
    "CREATE STATISTICS together ON id, at FROM whole",
]
FOUND = "SELECT schemaname, tablename, attname, inherited FROM pg_stats ORDER BY 1, 2, 3, 4"


@pytest.mark.parametrize("sessions", [1, 3])
def test_everything_has_statistics(postgres_server: Any, database: str, fill_richly: Callable[[str], None], sessions: int) -> None:
    fill_richly(database)
    with Session(postgres_server.server, database, "tests") as session:
        for statement in TABLES:
            session.execute(statement)
    other = f"{database}_other"
    with Session(postgres_server.server, "postgres", "tests") as session:
        session.execute(f"CREATE DATABASE {quote_identifier(other)} TEMPLATE {quote_identifier(database)}")
    try:
        planner_statistics.gather(postgres_server.server, other, new_id(), sessions, 60)
        with Session(postgres_server.server, database, "tests") as one, Session(postgres_server.server, other, "tests") as several:
            one.execute("ANALYZE")
            assert several.rows(FOUND) == one.rows(FOUND)
            assert ("whole", True) in {(row["tablename"], row["inherited"]) for row in several.rows(FOUND)}
    finally:
        postgres_server.drop_database(other)


def test_what_production_has_set_does_not_keep_it_from_being_done(postgres_server: Any, database: str) -> None:
    with Session(postgres_server.server, database, "tests") as session:
        session.execute("CREATE TABLE shifts AS SELECT n AS id FROM generate_series(1, 100) n")
        for setting in ("default_transaction_read_only = on", "statement_timeout = '1ms'", "lock_timeout = '1ms'"):
            session.execute(f"ALTER DATABASE {quote_identifier(database)} SET {setting}")
        with planner_statistics.gathered_meanwhile(postgres_server.server, database, new_id(), 2, 60):
            pass
        assert session.value("SELECT count(*) FROM pg_stats WHERE tablename = 'shifts'") == 1


def _unreadable(session: Session) -> None:
    session.execute("CREATE FUNCTION odd(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN n; END'")
    session.execute("CREATE TABLE shifts AS SELECT n AS id FROM generate_series(1, 100) n")
    session.execute("CREATE INDEX ON shifts (odd(id))")
    session.execute("CREATE OR REPLACE FUNCTION odd(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1 / 0; END'")


def test_a_table_that_cannot_be_read_fails_it(postgres_server: Any, database: str) -> None:
    with Session(postgres_server.server, database, "tests") as session:
        _unreadable(session)
        with pytest.raises(PostgresError, match="division by zero"):
            planner_statistics.gather(postgres_server.server, database, new_id(), 2, 60)
        with (
            pytest.raises(PostgresError, match="division by zero"),
            planner_statistics.gathered_meanwhile(postgres_server.server, database, new_id(), 2, 60),
        ):
            pass


def test_what_failed_meanwhile_is_what_is_told(postgres_server: Any, database: str) -> None:
    with Session(postgres_server.server, database, "tests") as session:
        _unreadable(session)
        with (
            pytest.raises(ValueError, match="of the evidence"),
            planner_statistics.gathered_meanwhile(postgres_server.server, database, new_id(), 1, 60),
        ):
            raise ValueError("of the evidence")


def test_without_sessions_nothing_is_gathered(postgres_server: Any, database: str) -> None:
    with Session(postgres_server.server, database, "tests") as session:
        session.execute("CREATE TABLE shifts AS SELECT n AS id FROM generate_series(1, 100) n")
        with planner_statistics.gathered_meanwhile(postgres_server.server, database, new_id(), 0, 60):
            pass
        assert session.value("SELECT count(*) FROM pg_stats WHERE tablename = 'shifts'") == 0


def test_nothing_is_gathered_of_what_is_no_copy(postgres_server: Any, database: str, tmp_path: Path) -> None:
    with Session(postgres_server.server, database, "tests") as session:
        session.execute("CREATE TABLE shifts AS SELECT n AS id FROM generate_series(1, 100) n")
        rehearsal_id = new_id()
        with pytest.raises(evidence.EvidenceRefused, match="is not the copy"):
            evidence.gather(
                postgres_server.server, database, rehearsal_id, WorkDirectory.at(str(tmp_path), rehearsal_id, "dev"),
                moment="before", what=[evidence.SNAPSHOT], expectations=Expectations.from_json({}), proof="full",
                connections=1, deadline_s=60, statistics=2,
            )  # fmt: skip
        assert session.value("SELECT count(*) FROM pg_stats WHERE tablename = 'shifts'") == 0
