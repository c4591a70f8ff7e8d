"""What integration tests of several modules share."""

from __future__ import annotations

from collections.abc import Callable
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
