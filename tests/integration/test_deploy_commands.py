"""PostgreSQL's commands of the deploy plan do what they say, typed into a shell as they are printed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import database_facts, deploy_commands, html_parts
from ansible_collections.migrations.rehearsal.plugins.module_utils.deploy_commands import Production
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session

pytestmark = pytest.mark.integration
KEPT = ("encoding", "collate", "ctype", "owner")
LIMITS = (("lock_timeout", "5s"), ("statement_timeout", "60s"))


def typed(directory: Path, command: list[str], **files: str) -> None:
    line = html_parts.command_line({"environment": {}, "input": None, "output": None, "command": command, **files})
    subprocess.run(["sh", "-c", line], cwd=directory, check=True, timeout=60)


def test_the_backup_comes_back_and_the_limits_go(postgres_server: Any, database: str, tmp_path: Path) -> None:
    known = postgres_server
    place = deploy_commands.noted({"host": known.host, "port": known.port, "user": known.user, "bin_dir": str(known.bin_dir)})
    production, restored = Production(place, database), f"{database}_restored"
    with Session(known.server, database, "test") as session:
        session.execute("CREATE TABLE shifts AS SELECT 1 AS id")
        facts = database_facts.read_facts(session)
    try:
        typed(tmp_path, production.dump(), output="a b.dump")
        typed(tmp_path, production.create(restored, facts))
        typed(tmp_path, production.restore(restored), input="a b.dump")
        with Session(known.server, restored, "test") as session:
            assert session.value("SELECT id FROM shifts") == 1
            again = database_facts.read_facts(session)
        assert {key: again[key] for key in ("encoding", "collate", "ctype", "owner")} == {
            key: facts[key] for key in ("encoding", "collate", "ctype", "owner")
        }
    finally:
        known.drop_database(restored)
    typed(tmp_path, production.limit(known.user, LIMITS))
    with Session(known.server, database, "test") as session:
        assert [session.value(f"SELECT current_setting('{name}')") for name in ("lock_timeout", "statement_timeout")] == ["5s", "1min"]
    typed(tmp_path, production.unlimit(known.user, LIMITS))
    with Session(known.server, database, "test") as session:
        assert session.value("SELECT current_setting('lock_timeout')") == "0"
