"""What a full proof of the data costs, beside `SELECT count(*)` of every table and beside the restore of the same database.

    PYTHONPATH=src:collections python bench/bench_fingerprint.py [--rows 3800000] [--connections 2] [--times 3] [--no-restore]

Starts a server of its own and removes it. 3,800,000 rows make about 2 GB with indexes: one table with half of it, six of medium size, 300 tiny ones.
A line a figure; with --rows 3000000 or more exit code 1 if a limit is passed (below that, fixed costs decide). Needs three times the room of the
database in the directory for temporary files.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.migrations.rehearsal.plugins.module_utils import backup, copy_database, files
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.snapshot import take_snapshot
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

from migration_rehearsal import embedded

SOURCE, COPY = "bench_source", "bench_copy"
ID = "20260101-000000-bbbbbb"
TINY = 300
LIMITS = {"full proof / count(*)": 14.0, "full proof / restore": 0.10, "proof with 95 % untouched / full proof": 0.25, "memory (MB)": 150.0}
# As a server on dev is that nobody has tuned.
STOCK = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "128MB"}
# Below this the start of a statement costs more than its rows.
ROWS_FOR_LIMITS = 3_000_000
BIG = """
CREATE TABLE big AS SELECT g::bigint AS id, (g % 5000)::int AS user_id, g % 7 = 0 AS done, 'note of row ' || g AS note,
    (g % 100000 / 100.0)::numeric(12, 2) AS amount, timestamptz '2026-01-01' - g * interval '37 s' AS created_at,
    timestamptz '2026-01-01' - g * interval '31 s' AS updated_at, date '2020-01-01' + g % 2000 AS day, md5(g::text)::uuid AS token,
    jsonb_build_object('k', g % 10, 'v', 'x' || g % 100) AS extra, repeat('lorem ipsum ', 5 + g % 9) AS body, decode(md5(g::text), 'hex') AS digest
FROM generate_series(1, {rows}) AS g
"""


def touch(session: Session) -> float:
    """What an upgrade does: to one table of medium size and all tiny ones; their part of the bytes."""
    session.execute("UPDATE medium_3 SET amount = amount + 1 WHERE id % 10 = 3")
    for n in range(TINY):
        session.execute(f"UPDATE tiny_{n} SET name = name || '!' WHERE id = 1")
    return float(
        session.value(
            "SELECT sum(pg_table_size(c.oid)) FILTER (WHERE relname ~ 'medium_3|tiny')::float8 / sum(pg_table_size(c.oid)) AS v "
            "FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
    )


def timed(call: Callable[[], object], times: int) -> float:
    """Median seconds."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def fill(session: Session, rows: int) -> None:
    session.execute(BIG.format(rows=rows))
    session.execute("ALTER TABLE big ADD PRIMARY KEY (id)")
    session.execute("CREATE INDEX big_user ON big (user_id)")
    session.execute("CREATE INDEX big_created ON big (created_at)")
    session.execute("CREATE UNIQUE INDEX big_token ON big (token)")
    for n in range(6):
        session.execute(f"CREATE TABLE medium_{n} AS SELECT id, user_id, note, amount, created_at, extra, body FROM big WHERE id % 11 = {n}")
        session.execute(f"ALTER TABLE medium_{n} ADD PRIMARY KEY (id)")
        session.execute(f"CREATE INDEX medium_{n}_user ON medium_{n} (user_id, created_at)")
    for n in range(TINY):
        session.execute(f"CREATE TABLE tiny_{n} (id int PRIMARY KEY, name text UNIQUE, parent int REFERENCES tiny_{max(n - 1, 0)})")
        session.execute(f"INSERT INTO tiny_{n} SELECT g, 'name ' || g, 1 FROM generate_series(1, 20) AS g")
    session.execute("VACUUM ANALYZE")


def memory() -> float:
    """Peak of this process and of any that it started and that has ended, in MB; the server is not among them. Linux counts kilobytes."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024


class Bench:
    def __init__(self, server: Server, base: Path, options: argparse.Namespace) -> None:
        self.server = server
        self.base = base
        self.options = options
        self.figures: dict[str, float] = {}

    def say(self, name: str, value: float, unit: str = "s") -> None:
        self.figures[name] = value
        print(f"{name:45}{value:10.3f} {unit}", flush=True)

    def ratio(self, over: str, under: str) -> None:
        name = f"{over} / {under}"
        value = self.figures[over] / self.figures[under]
        limit = LIMITS.get(name)
        self.figures[name] = value
        print(f"{name:45}{value:10.3f}" + (f"   (at most {limit:g})" if limit else ""), flush=True)

    def restore(self) -> str:
        """A copy of the source by way of a backup, as a rehearsal makes it; its name."""
        marker = Marker(ID, f"bench/{SOURCE}", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
        there, here = (WorkDirectory.at(str(self.base / side), ID, side) for side in ("production", "dev"))
        there.create(marker)
        here.create(marker)
        start = time.perf_counter()
        backup.take_backup(self.server, SOURCE, ID, there, backup.Limits())
        self.say("backup", time.perf_counter() - start)
        manifest = backup.unpack(here, there.file(backup.ARCHIVE), files.sha256(there.file(backup.MANIFEST)))
        with Session(self.server, "postgres", "bench") as session:
            session.execute("CHECKPOINT")
        start = time.perf_counter()
        copy = copy_database.make_copy(self.server, COPY, marker, manifest, here, jobs=2, deadline_s=3600)
        self.say("restore", time.perf_counter() - start)
        assert copy["differences"] == [], copy["differences"]
        return COPY

    def prove(self, database: str) -> None:
        times, connections = self.options.times, self.options.connections
        with Session(self.server, database, "bench", deadline_s=3600) as session:
            session.execute("VACUUM ANALYZE")
            session.execute("CHECKPOINT")
            size = session.value("SELECT pg_database_size(current_database()) AS v") / 1e6
            before = take_fingerprint(session, connections=connections)
            rows = sum(table["rows"] for table in before["tables"].values())
            print(f"{size:,.0f} MB, {len(before['tables'])} tables, {rows:,} rows; {connections} sessions")
            names = list(before["tables"])
            self.say("count(*)", timed(lambda: [session.value(f"SELECT count(*) AS v FROM {name}") for name in names], times))
            self.say("full proof", timed(lambda: take_fingerprint(session, connections=connections), times))
            self.ratio("full proof", "count(*)")
            if "restore" in self.figures:
                self.ratio("full proof", "restore")
            touched = touch(session)
            print(f"then {touched:.1%} of the bytes are touched")
            name = "proof with 95 % untouched"
            self.say(name, timed(lambda: take_fingerprint(session, since=before, proof="changed", connections=connections), times))
            self.ratio(name, "full proof")
            self.say("full proof, rows told", timed(lambda: take_fingerprint(session, since=before, connections=connections), times))
            self.say("snapshot of the catalog", timed(lambda: take_snapshot(session), times))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=3_800_000, help="rows of the big table (default %(default)s)")
    parser.add_argument("--connections", type=int, default=2)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--no-restore", action="store_true", help="prove the source itself; no backup, no restore")
    parser.add_argument("--unsafe", action="store_true", help="a server that never waits for its disk, as the demonstration's")
    parser.add_argument("--bin-dir", help="programs of PostgreSQL (default: the newest that the embedded demonstration finds)")
    options = parser.parse_args()
    # The server goes with us, also when somebody else ends the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        Path(work).chmod(0o711)
        cluster = embedded.start_cluster(Path(work) / "server", embedded.find_binaries(options.bin_dir), settings={} if options.unsafe else STOCK)
        try:
            server = Server(bin_dir=str(cluster.bin_dir), host=str(cluster.socket_directory), port=cluster.port, user=cluster.user)
            print(f"PostgreSQL {cluster.major}, Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
            with Session(server, "postgres", "bench") as session:
                session.execute(f"CREATE DATABASE {SOURCE} TEMPLATE template0")
            with Session(server, SOURCE, "bench", deadline_s=3600) as session:
                start = time.perf_counter()
                fill(session, options.rows)
                print(f"filled in {time.perf_counter() - start:.0f} s", flush=True)
            bench = Bench(server, Path(work), options)
            bench.prove(SOURCE if options.no_restore else bench.restore())
            bench.say("memory (MB)", memory(), "MB")
        finally:
            embedded.remove_cluster(cluster)
    passed = {name: value for name, value in bench.figures.items() if name in LIMITS and value > LIMITS[name]}
    if options.rows >= ROWS_FOR_LIMITS and passed:
        print(json.dumps({"passed": passed}), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
