"""What the agent costs: an upgrade driven by it against plain `alembic upgrade head`.

Usage: python bench/bench_agent.py [--revisions 300] [--rounds 5] [--driver psycopg]. Ends with 1 when a budget is passed.

Two projects: many small revisions (about 2,000 statements), and one revision that moves many rows. Both run on fresh databases of a private server,
in turns, plain and with the agent; the best of the rounds counts, since everything else on the machine only adds. Budgets: 1.15 and 1.02.

Databases with very many files stay until the end: whenever ext4 makes a file, it looks at the inodes that were deleted within the last minutes, so
that each run would be slower than the one before it, and the agent's, which come second, slower than the plain ones.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "collections"), str(ROOT / "src")]

from ansible_collections.migrations.rehearsal.plugins.module_utils import application  # noqa: E402
from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Application  # noqa: E402
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session  # noqa: E402

from migration_rehearsal import embedded  # noqa: E402

ENV = """
import os
from alembic import context
from sqlalchemy import create_engine
with create_engine(os.environ["DATABASE_URL"]).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
ASYNC_ENV = """
import asyncio, os
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine
def migrate(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
async def run():
    engine = create_async_engine(os.environ["DATABASE_URL"])
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()
asyncio.run(run())
"""
TABLES = 30
BUDGETS = {"many revisions": 1.15, "one heavy revision": 1.02}


def small_revision(number: int) -> list[str]:
    """What revisions are made of: columns, a backfill, constraints, an index, rows, and a table now and then."""
    table = f"t{number % TABLES}"
    return [
        f"op.add_column('{table}', sa.Column('c{number}', sa.Integer()))",
        f"op.execute('UPDATE {table} SET c{number} = id')",
        f"op.alter_column('{table}', 'c{number}', nullable=False)",
        f"op.create_index('i{number}', '{table}', ['c{number}'])",
        f"op.bulk_insert(sa.table('notes', sa.column('text')), [{{'text': 'revision {number}'}}])",
        f"op.create_table('n{number}', sa.Column('id', sa.Integer(), primary_key=True), sa.Column('v', sa.String(20)))",
    ]


HEAVY = [
    "op.execute('CREATE TABLE big AS SELECT g AS id, g % 1000 AS n, md5(g::text) AS s FROM generate_series(1, 1500000) g')",
    "op.execute('ALTER TABLE big ADD PRIMARY KEY (id)')",
    "op.execute('UPDATE big SET n = n + 1')",
    "op.execute('CREATE INDEX big_n ON big (n)')",
]


def write_project(directory: Path, revisions: list[list[str]], env: str = ENV) -> None:
    (directory / "migrations" / "versions").mkdir(parents=True)
    (directory / "alembic.ini").write_text("[alembic]\nscript_location = migrations\n")
    (directory / "migrations" / "env.py").write_text(env)
    for number, lines in enumerate(revisions):
        head = f"import sqlalchemy as sa\nfrom alembic import op\nrevision = 'r{number:04}'\n"
        head += f"down_revision = {f'r{number - 1:04}' if number else None!r}\n"
        body = "\n".join(f"    {line}" for line in lines)
        (directory / "migrations" / "versions" / f"r{number:04}.py").write_text(f"{head}def upgrade():\n{body}\ndef downgrade():\n    pass\n")


class Bench:
    def __init__(self, cluster: embedded.Cluster, directory: Path, python: str, driver: str, prefix: str, keeps: bool) -> None:
        self.cluster = cluster
        self.directory = directory
        self.python = python
        self.driver = driver
        # What its databases' names begin with.
        self.prefix = prefix
        # Whether databases stay until the end.
        self.keeps = keeps
        self.runs = 0

    def fresh(self) -> str:
        server = Server(bin_dir=str(self.cluster.bin_dir), host=str(self.cluster.socket_directory), port=self.cluster.port, user=self.cluster.user)
        with Session(server, "postgres", "bench") as session:
            if not self.keeps:
                session.execute(f"DROP DATABASE IF EXISTS {self.prefix}_{self.runs} WITH (FORCE)")
            self.runs += 1
            name = f"{self.prefix}_{self.runs}"
            session.execute(f"CREATE DATABASE {name} TEMPLATE template0")
            session.execute(f'COMMENT ON DATABASE {name} IS \'{{"rehearsal": {{"id": "bench"}}}}\'')
        with Session(server, name, "bench") as session:
            session.execute("CREATE TABLE notes (text text)")
            for number in range(TABLES):
                session.execute(f"CREATE TABLE t{number} AS SELECT g AS id, md5(g::text) AS s FROM generate_series(1, 100) g")
        with Session(server, "postgres", "bench") as session:
            session.execute("CHECKPOINT")
        socket = f"{self.cluster.socket_directory}/.s.PGSQL.{self.cluster.port}"
        where = f"unix_sock={socket}" if self.driver == "pg8000" else f"host={self.cluster.socket_directory}&port={self.cluster.port}"
        return f"postgresql+{self.driver}://{self.cluster.user}@/{name}?{where}"

    def plain(self) -> float:
        url = self.fresh()
        began = time.perf_counter()
        subprocess.run(
            [self.python, "-m", "alembic", "upgrade", "head"],
            cwd=self.directory, env={**os.environ, "DATABASE_URL": url}, check=True, capture_output=True,
        )  # fmt: skip
        return time.perf_counter() - began

    def agent(self) -> tuple[float, int, float]:
        url = self.fresh()
        app = Application((self.python,), str(self.directory), environment={"DATABASE_URL": url})
        with tempfile.TemporaryDirectory() as work:
            began = time.perf_counter()
            outcome = application.run(app, "upgrade", marker_id="bench", events_path=f"{work}/events", log_path=f"{work}/log")
            seconds = time.perf_counter() - began
        if not outcome.succeeded:
            raise SystemExit(f"the upgrade failed: {outcome.error or outcome.fence}")
        statements = sum(event.get("calls", 1) for event in outcome.events if event["event"] == "statement")
        return seconds, statements, (outcome.last("measuring") or {})["ms"] / 1000

    def compare(self, name: str, rounds: int) -> dict[str, object]:
        plain, agent, statements, measuring = [], [], 0, 0.0
        self.plain()
        for _round in range(rounds):
            plain.append(self.plain())
            seconds, statements, measuring = self.agent()
            agent.append(seconds)
        ratio = min(agent) / min(plain)
        return {
            "what": name, "driver": self.driver, "statements": statements, "plain_s": round(min(plain), 3), "agent_s": round(min(agent), 3),
            "measuring_s": round(measuring, 3), "ratio": round(ratio, 3), "budget": BUDGETS[name], "within": ratio <= BUDGETS[name],
        }  # fmt: skip


def main() -> int:
    """0, or 1 when a budget was passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--revisions", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--driver", default="psycopg", choices=["psycopg", "psycopg2", "pg8000", "asyncpg"])
    parser.add_argument("--python", default=sys.executable, help="the application's Python")
    options = parser.parse_args()
    # The server goes with us, also when somebody else ends the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    projects = {"many revisions": [small_revision(number) for number in range(options.revisions)], "one heavy revision": [HEAVY]}
    within = True
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        Path(work).chmod(0o711)
        cluster = embedded.start_cluster(Path(work) / "server", embedded.find_binaries())
        try:
            for name, revisions in projects.items():
                directory = Path(work) / name.replace(" ", "-")
                write_project(directory, revisions, ASYNC_ENV if options.driver == "asyncpg" else ENV)
                prefix = name.replace(" ", "_")
                bench = Bench(cluster, directory, options.python, options.driver, prefix, keeps=len(revisions) > 1)
                compared = bench.compare(name, options.rounds)
                print(json.dumps(compared), flush=True)
                within = within and bool(compared["within"])
        finally:
            embedded.remove_cluster(cluster)
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
