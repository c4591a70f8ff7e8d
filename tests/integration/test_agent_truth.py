"""The timeline against the truth: sessions that really wait, and the transaction mode that was really used."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import application, timeline
from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Application, Outcome

sys.path.append(str(Path(__file__).parent))

from agent_project import Project, mark, sql  # noqa: E402

pytestmark = pytest.mark.integration


class Bystander(threading.Thread):
    """Traffic: runs one short statement after the other and remembers the longest wait."""

    def __init__(self, conninfo: str, statement: str) -> None:
        super().__init__(daemon=True)
        self._connection = psycopg.connect(conninfo, autocommit=True)
        self._statement = statement.encode()
        self._ended = threading.Event()
        self.longest_ms = 0.0

    def run(self) -> None:
        # Below psycopg, which would change with the table what it has prepared.
        connection = self._connection.pgconn
        while not self._ended.is_set():
            began = time.perf_counter()
            connection.exec_(self._statement)
            self.longest_ms = max(self.longest_ms, (time.perf_counter() - began) * 1000)

    def stop(self) -> float:
        self._ended.set()
        self.join()
        self._connection.close()
        return self.longest_ms


def migrate(server: Any, database: str, directory: Path) -> Outcome:
    app = Application((sys.executable,), str(directory), environment={"DATABASE_URL": server.url(database)}, deadline_s=60)
    outcome = application.run(app, "upgrade", marker_id="truth")
    assert outcome.succeeded, outcome.error
    return outcome


def close(computed: float, measured: float) -> bool:
    return abs(computed - measured) <= max(10, 0.05 * measured)


WORK = "op.execute('SELECT pg_sleep(0.4)')"


@pytest.mark.parametrize(
    "revision, what, statement",
    [
        (f"op.add_column('t', sa.Column('x', sa.Integer()))\n{WORK}", "reads", "SELECT 1 FROM t WHERE id = 1"),
        (f"op.create_index('i', 't', ['n'])\n{WORK}", "writes", "UPDATE t SET n = n WHERE id = 1"),
        ("op.alter_column('t', 'n', type_=sa.BigInteger())", "writes", "UPDATE t SET n = n WHERE id = 1"),
        (
            "with op.get_context().autocommit_block():\n    op.execute('ALTER TABLE t ALTER COLUMN n TYPE bigint')",
            "reads",
            "SELECT 1 FROM t WHERE id = 1",
        ),
    ],
    ids=["a column and work after it", "an index and work after it", "a rewrite", "a rewrite outside a transaction"],
)
def test_a_session_that_waits_measures_the_same(
    postgres_server: Any, database: str, tmp_path: Path, revision: str, what: str, statement: str
) -> None:
    mark(postgres_server, database, "truth")
    sql(postgres_server, database, "CREATE TABLE t AS SELECT g AS id, g AS n FROM generate_series(1, 200000) g")
    sql(postgres_server, database, "ALTER TABLE t ADD PRIMARY KEY (id)")
    Project(tmp_path).revision("a1", revision)
    conninfo = f"host={postgres_server.host} port={postgres_server.port} user={postgres_server.user} dbname={database}"
    # On a busy machine anything else can come in between: the closest of twenty counts, and it has to be close.
    seen = []
    for attempt in range(20):
        if attempt:
            sql(postgres_server, database, "DROP INDEX IF EXISTS i")
            sql(postgres_server, database, "ALTER TABLE t DROP COLUMN IF EXISTS x")
            sql(postgres_server, database, "ALTER TABLE t ALTER COLUMN n TYPE int")
            sql(postgres_server, database, "DELETE FROM alembic_version")
        bystander = Bystander(conninfo, statement)
        bystander.start()
        outcome = migrate(postgres_server, database, tmp_path)
        measured = bystander.stop()
        (computed,) = [entry.longest_ms for entry in timeline.blocked(outcome.events) if (entry.table, entry.what) == ("t", what)]
        seen.append((computed, measured))
        if close(computed, measured):
            break
    assert any(close(*pair) for pair in seen), seen


def test_what_the_other_transaction_mode_changes_is_what_it_then_does(postgres_server: Any, tmp_path: Path) -> None:
    def blocked(per_migration: bool) -> tuple[float, float, Outcome]:
        name = postgres_server.create_database(f"mode_{per_migration}".lower())
        directory = Path(tempfile.mkdtemp(prefix=name, dir=tmp_path))
        try:
            mark(postgres_server, name, "truth")
            sql(postgres_server, name, "CREATE TABLE t (id int)")
            project = Project(directory, configure=f"transaction_per_migration={per_migration}")
            project.revision("a1", "op.add_column('t', sa.Column('x', sa.Integer()))")
            project.revision("a2", "op.execute('SELECT pg_sleep(0.5)')")
            project.revision("a3", "with op.get_context().autocommit_block():\n    op.create_index('i', 't', ['id'], postgresql_concurrently=True)")
            project.revision("a4", "op.execute('SELECT pg_sleep(0.1)')")
            outcome = migrate(postgres_server, name, directory)
        finally:
            postgres_server.drop_database(name)
        (entry,) = [entry for entry in timeline.compare_modes(outcome.events) if (entry.table, entry.what) == ("t", "reads")]
        return entry.measured_ms, entry.other_ms, outcome

    # Two runs are never equal: what one would have measured is foretold to within a tenth, or what a commit may take. The best of five counts.
    seen = []
    for _attempt in range(5):
        one, one_computed, _outcome = blocked(False)
        each, each_computed, outcome = blocked(True)
        assert timeline.transaction_mode(outcome.events) == timeline.PER_MIGRATION
        # The second revision alone sleeps for 500 ms: only the one transaction can block for that long.
        assert one > 500 > each
        seen.append((each_computed, one, one_computed, each))
        if abs(each_computed - one) <= max(0.1 * one, 40) and abs(one_computed - each) <= 40:
            return
    pytest.fail(f"foretold and measured, in milliseconds: {seen}")
