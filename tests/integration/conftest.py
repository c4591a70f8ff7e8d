"""What integration tests of several modules share."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session


@pytest.fixture(scope="session")
def fill_richly(postgres_server: Any) -> Callable[[str], None]:
    """Gives a database every kind of object (rich_schema.sql), and the server the role that some of them name."""
    text = (Path(__file__).parent / "rich_schema.sql").read_text()
    statements = [paragraph for paragraph in text.strip().split("\n\n") if not paragraph.startswith("--")]
    with Session(postgres_server.server, "postgres", "tests") as session:
        session.execute("CREATE ROLE snapshot_reader")

    def fill(database: str) -> None:
        with Session(postgres_server.server, database, "tests") as session:
            for statement in statements:
                session.execute(statement)

    return fill


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
