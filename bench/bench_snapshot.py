"""Snapshot of a database with many tables: seconds, and the peak memory of the process that takes it.

    PYTHONPATH=collections python bench/bench_snapshot.py --host /var/run/postgresql --user postgres [--tables 5000]

Makes a database of its own on that server and drops it at the end. Each table has eight columns, a primary key, three indexes, a
foreign key, a check, a serial column and a comment. Exit code 1 if a limit is passed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time

from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.schema_diff import diff
from ansible_collections.migrations.rehearsal.plugins.module_utils.snapshot import take_snapshot
from ansible_collections.migrations.rehearsal.plugins.module_utils.structure_checks import check

MOST_SECONDS = 10.0
MOST_MEGABYTES = 150
# One transaction for all would need more locks than a server has.
TABLES_PER_TRANSACTION = 250

TABLE = """
CREATE TABLE t{n} (
    id bigserial PRIMARY KEY, parent bigint REFERENCES t{parent} ON DELETE CASCADE, name varchar(100) NOT NULL,
    at timestamptz NOT NULL DEFAULT now(), amount numeric(12,2) DEFAULT 0, active boolean NOT NULL DEFAULT true, doc jsonb, note text,
    CONSTRAINT t{n}_amount CHECK (amount >= 0), UNIQUE (name));
CREATE INDEX ix_t{n}_parent ON t{n} (parent, at DESC);
CREATE INDEX ix_t{n}_active ON t{n} (at) WHERE active;
COMMENT ON TABLE t{n} IS 'table number {n}';
"""


def fill(server: Server, database: str, tables: int) -> None:
    with Session(server, database, "bench") as session:
        for first in range(0, tables, TABLES_PER_TRANSACTION):
            numbers = range(first, min(first + TABLES_PER_TRANSACTION, tables))
            session.execute("BEGIN;" + "".join(TABLE.format(n=n, parent=max(n - 1, 0)) for n in numbers) + "COMMIT")


def measure(server: Server, database: str) -> int:
    with Session(server, database, "bench") as session:
        started = time.monotonic()
        first = take_snapshot(session)
        seconds = time.monotonic() - started
        # Linux counts kilobytes.
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = len(json.dumps(first)) / 1e6
        session.execute("ALTER TABLE t1 ADD COLUMN more integer")
        second = take_snapshot(session)
    print(f"snapshot: {len(first['tables'])} tables in {seconds:.1f} s, peak memory {megabytes:.0f} MB, {size:.0f} MB as JSON")
    started = time.monotonic()
    changes = diff(first, second)
    print(f"difference: {[change.text for change in changes]} in {time.monotonic() - started:.2f} s")
    started = time.monotonic()
    found = check(second, changes)
    print(f"structure checks: {len(found)} findings in {time.monotonic() - started:.2f} s")
    return int(seconds > MOST_SECONDS or megabytes > MOST_MEGABYTES)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin-dir", default="")
    parser.add_argument("--host", default="")
    parser.add_argument("--port", type=int)
    parser.add_argument("--user", default="")
    parser.add_argument("--tables", type=int, default=5000)
    parser.add_argument("--measure", metavar="DATABASE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    server = Server(bin_dir=options.bin_dir, host=options.host, port=options.port, user=options.user)
    if options.measure:
        return measure(server, options.measure)
    database = f"bench_snapshot_{os.getpid()}"
    with Session(server, "postgres", "bench") as session:
        session.execute(f"CREATE DATABASE {database} TEMPLATE template0")
        try:
            started = time.monotonic()
            fill(server, database, options.tables)
            print(f"{options.tables} tables made in {time.monotonic() - started:.1f} s")
            # A process of its own: what it took to fill the database is not counted.
            return subprocess.run([sys.executable, *sys.argv, "--measure", database], check=False).returncode
        finally:
            session.execute(f"DROP DATABASE {database} WITH (FORCE)")


if __name__ == "__main__":
    sys.exit(main())
