"""A database with every kind of object, for tests of what reads the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session

ROLE = "snapshot_reader"


def fill(server: Any, database: str) -> None:
    """What rich_schema.sql says, and the role that it names."""
    text = (Path(__file__).parent / "rich_schema.sql").read_text()
    with Session(server.server, database, "tests") as session:
        if not session.value(f"SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') AS v"):
            session.execute(f"CREATE ROLE {ROLE}")
        for paragraph in text.strip().split("\n\n"):
            if not paragraph.startswith("--"):
                session.execute(paragraph)
