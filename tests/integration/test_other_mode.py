"""What is foretold of the other transaction mode against what happens in it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import application, other_mode, timeline
from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Application

sys.path.append(str(Path(__file__).parent))

from agent_project import Project, mark, sql  # noqa: E402

pytestmark = pytest.mark.integration

SLEEP = "op.execute('SELECT pg_sleep({})')".format
# A table that several revisions change, one that only the first does, and one that a later one needs for its foreign key.
REVISIONS = (
    "op.add_column('t', sa.Column('x', sa.Integer()))\nop.add_column('once', sa.Column('x', sa.Integer()))\n"
    "op.add_column('parent', sa.Column('x', sa.Integer()))",
    SLEEP(0.5),
    "op.alter_column('t', 'n', type_=sa.BigInteger())\n" + SLEEP(0.2),
    "with op.get_context().autocommit_block():\n    op.create_index('i', 't', ['id'], postgresql_concurrently=True)",
    "op.create_index('j', 't', ['n'])\n" + SLEEP(0.1),
    "op.create_foreign_key('f', 't', 'parent', ['id'], ['id'])\n" + SLEEP(0.3),
)
LONGER = {("t", "reads"): 200, ("t", "writes"): 300, ("once", "reads"): 0, ("once", "writes"): 0, ("parent", "reads"): 0, ("parent", "writes"): 300}


def migrated(server: Any, tmp_path: Path, per_migration: bool) -> tuple[str, dict[tuple[str, str], other_mode.OtherMode]]:
    """The transaction mode, and what was measured and foretold in it by table and traffic."""
    name = server.create_database(f"mode_{per_migration}".lower())
    directory = Path(tempfile.mkdtemp(prefix=name, dir=tmp_path))
    try:
        mark(server, name, "truth")
        sql(server, name, "CREATE TABLE t AS SELECT g AS id, g AS n FROM generate_series(1, 1000) g")
        sql(server, name, "CREATE TABLE once (id int)")
        sql(server, name, "CREATE TABLE parent AS SELECT g AS id FROM generate_series(1, 1000) g")
        sql(server, name, "ALTER TABLE parent ADD PRIMARY KEY (id)")
        project = Project(directory, configure=f"transaction_per_migration={per_migration}")
        for number, upgrade in enumerate(REVISIONS, 1):
            project.revision(f"a{number}", upgrade)
        app = Application((sys.executable,), str(directory), environment={"DATABASE_URL": server.url(name)}, deadline_s=60)
        outcome = application.run(app, "upgrade", marker_id="truth")
    finally:
        server.drop_database(name)
    assert outcome.succeeded, outcome.error
    held = timeline.holds(outcome.events)
    found = other_mode.compare_modes(outcome.events, held, timeline.blocked(outcome.events, held))
    return timeline.transaction_mode(outcome.events), {(entry.table, entry.what): entry for entry in found}


def test_what_the_other_transaction_mode_changes_is_what_it_then_does(postgres_server: Any, tmp_path: Path) -> None:
    # Two runs are never equal: what one would have measured is foretold to within a tenth, or what a commit may take. The best of five counts.
    seen = []
    for _attempt in range(5):
        mode, one = migrated(postgres_server, tmp_path, False)
        assert mode == timeline.ONE_TRANSACTION
        mode, each = migrated(postgres_server, tmp_path, True)
        assert mode == timeline.PER_MIGRATION
        assert one.keys() == each.keys() == LONGER.keys()
        for key, least in LONGER.items():
            # Only the one transaction keeps a lock while the second revision sleeps.
            assert one[key].measured_ms > 500 > each[key].measured_ms > least, key
        foretold = [(one[key].other_ms, each[key].measured_ms) for key in LONGER] + [(each[key].other_ms, one[key].measured_ms) for key in LONGER]
        seen.append(foretold)
        if all(abs(computed - measured) <= max(0.1 * measured, 40) for computed, measured in foretold):
            return
    pytest.fail(f"foretold and measured, in milliseconds: {seen}")
