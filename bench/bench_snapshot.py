"""A database with many tables: seconds and peak memory of a snapshot, of gathering each moment's evidence, and of judging it.

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
import tempfile
import time

from ansible_collections.migrations.rehearsal.plugins.module_utils import evidence, evidence_files, files, identity
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Expectations
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session, quote_literal
from ansible_collections.migrations.rehearsal.plugins.module_utils.schema_diff import diff
from ansible_collections.migrations.rehearsal.plugins.module_utils.snapshot import take_snapshot
from ansible_collections.migrations.rehearsal.plugins.module_utils.structure_checks import check
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

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


def peak_megabytes() -> float:
    """Of this process so far. Linux counts kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(server: Server, database: str) -> int:
    with Session(server, database, "bench") as session:
        started = time.monotonic()
        first = take_snapshot(session)
        seconds = time.monotonic() - started
        megabytes = peak_megabytes()
        size = len(json.dumps(first)) / 1e6
        session.execute("ALTER TABLE t1 ADD COLUMN more integer")
        second = take_snapshot(session)
        session.execute("ALTER TABLE t1 DROP COLUMN more")
    print(f"snapshot: {len(first['tables'])} tables in {seconds:.1f} s, peak memory {megabytes:.0f} MB, {size:.0f} MB as JSON")
    started = time.monotonic()
    changes = diff(first, second)
    print(f"difference: {[change.text for change in changes]} in {time.monotonic() - started:.2f} s")
    started = time.monotonic()
    found = check(second, changes)
    print(f"structure checks: {len(found)} findings in {time.monotonic() - started:.2f} s")
    return int(seconds > MOST_SECONDS or megabytes > MOST_MEGABYTES)


# What the migrations of each moment did.
MOMENTS = {
    "before": "SELECT 1",
    "after": "ALTER TABLE t1 ADD COLUMN more integer",
    "back": "ALTER TABLE t1 DROP COLUMN more",
    "again": "ALTER TABLE t1 ADD COLUMN more integer",
}


def prepare(server: Server, database: str, root: str) -> str:
    """Mark the database, and make the work directory that evidence goes to; the rehearsal's id."""
    now = identity.format_time(identity.utc_now())
    marker = Marker(id=identity.new_id(), source=f"bench/{database}", created=now, expires=now)
    work = WorkDirectory.at(root, marker.id, "dev")
    work.create(marker)
    with Session(server, database, "bench") as session:
        session.execute(f"COMMENT ON DATABASE {database} IS {quote_literal(marker.to_text())}")
    context = {
        "id": marker.id, "production_host": "prod", "dev_host": "dev", "database": database, "copy_database": database, "keep": "none",
        "created": now, "expires": now, "application": {"command": ["python"], "chdir": "", "config": "alembic.ini", "environment": [], "x": []},
    }  # fmt: skip
    gone = {"copy": "dropped", "work_directory": "removed", "removed": [], "left": [], "problems": []}
    for name, document in {"context": context, "cleanup-dev": gone, "cleanup-production": gone}.items():
        files.write_json(work.file("evidence", f"{name}.json"), document)
    for stage in ("restore", "evidence"):
        line = {"name": stage, "host": "dev", "status": "ok", "started_at": now, "seconds": 1.0}
        files.append_json_line(work.file("evidence", "stages.jsonl"), line)
    return marker.id


def gather(server: Server, database: str, root: str, rehearsal_id: str, moment: str) -> int:
    """As the module does for each moment, in a process of its own."""
    work = WorkDirectory.at(root, rehearsal_id, "dev")
    what = [evidence.SNAPSHOT, evidence.FINGERPRINT, *([] if moment == "again" else [evidence.CHECKS])]
    started = time.monotonic()
    evidence.gather(
        server, database, rehearsal_id, work, moment=moment, what=what, expectations=Expectations(), proof="changed", connections=2, deadline_s=600,
    )  # fmt: skip
    megabytes = peak_megabytes()
    print(f"evidence {moment}: {time.monotonic() - started:.1f} s, peak memory {megabytes:.0f} MB")
    return int(megabytes > MOST_MEGABYTES)


def judge_all(root: str, rehearsal_id: str) -> int:
    """As the controller does with the evidence of all moments."""
    directory = WorkDirectory.at(root, rehearsal_id, "dev").evidence
    started = time.monotonic()
    loaded = evidence_files.load(directory)
    read = time.monotonic() - started
    record = judge(loaded)
    megabytes = peak_megabytes()
    seconds = time.monotonic() - started
    print(f"judge: {len(record['findings'])} findings in {seconds:.1f} s ({read:.1f} s to read the evidence), peak memory {megabytes:.0f} MB")
    assert {moment for moment in MOMENTS if moment in loaded.snapshots and moment in loaded.fingerprints} == MOMENTS.keys()
    return int(megabytes > MOST_MEGABYTES)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin-dir", default="")
    parser.add_argument("--host", default="")
    parser.add_argument("--port", type=int)
    parser.add_argument("--user", default="")
    parser.add_argument("--tables", type=int, default=5000)
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    server = Server(bin_dir=options.bin_dir, host=options.host, port=options.port, user=options.user)
    if options.step:
        step, *words = options.step
        if step == "snapshot":
            return measure(server, *words)
        return gather(server, *words) if step == "gather" else judge_all(*words)
    database = f"bench_snapshot_{os.getpid()}"
    with Session(server, "postgres", "bench") as session, tempfile.TemporaryDirectory(prefix="bench-") as root:
        session.execute(f"CREATE DATABASE {database} TEMPLATE template0")
        try:
            started = time.monotonic()
            fill(server, database, options.tables)
            print(f"{options.tables} tables made in {time.monotonic() - started:.1f} s", flush=True)
            failed = own_process("snapshot", database)
            rehearsal_id = prepare(server, database, root)
            for moment, statement in MOMENTS.items():
                with Session(server, database, "bench") as migrating:
                    migrating.execute(statement)
                failed |= own_process("gather", database, root, rehearsal_id, moment)
            return failed | own_process("judge", root, rehearsal_id)
        finally:
            session.execute(f"DROP DATABASE {database} WITH (FORCE)")


def own_process(*words: str) -> int:
    """Else the memory of what was done before would be counted."""
    return subprocess.run([sys.executable, *sys.argv, "--step", *words], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
