"""Statistics gathered in several sessions are those of one ANALYZE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import planner_statistics
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session, quote_identifier

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


def test_a_table_that_cannot_be_read_fails_it(postgres_server: Any, database: str) -> None:
    with Session(postgres_server.server, database, "tests") as session:
        session.execute("CREATE TABLE held (id int)")
        session.execute(f"ALTER DATABASE {quote_identifier(database)} SET lock_timeout = '100ms'")
        session.execute("BEGIN")
        session.execute("LOCK TABLE held")
        with pytest.raises(PostgresError, match="lock timeout"):
            planner_statistics.gather(postgres_server.server, database, new_id(), 2, 60)
