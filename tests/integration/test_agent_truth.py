"""The timeline against the truth: sessions that really wait."""

from __future__ import annotations

import sys
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


# Until so many runs agree, at most so many are made.
AGREE = 5
RUNS = 25
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
    # What else runs on the machine comes between the two clocks: mostly between a lock's release and the moment when the application is told of its
    # commit, which no client can place better. A bias would let no run agree, and would not be explained by the time of the commit.
    seen = []
    for attempt in range(RUNS):
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
        commit = sum(event["t1"] - event["t0"] for event in outcome.events if event["event"] == "commit")
        seen.append((computed, measured, commit))
        if sum(close(*pair) for *pair, _commit in seen) >= AGREE:
            break
    said = f"computed, measured and the commit, in milliseconds: {seen}"
    assert sum(close(*pair) for *pair, _commit in seen) >= AGREE, said
    explained = [close(min(max(measured, computed - commit), computed), measured) for computed, measured, commit in seen]
    assert sum(explained) > len(seen) // 2 or "autocommit" in revision, said
