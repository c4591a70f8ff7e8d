"""How long a full data proof takes, beside `SELECT count(*)` of every table.

    python bench/bench_fingerprint.py --host /tmp/pg --port 5415 [--rows 200000] [--connections 1] [--serial]

Makes a database of its own and drops it. The goal is a full proof in at most 14 times the time of the counts.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "collections"))

from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session

DATABASE = "bench_fingerprint"
GOAL = 14.0
BIG = """
CREATE TABLE big AS SELECT g::bigint AS id, (g % 5000)::int AS user_id, g % 7 = 0 AS done, 'note of row ' || g AS note,
    (g % 100000 / 100.0)::numeric(12, 2) AS amount, now() - g * interval '37 s' AS created_at, now() - g * interval '31 s' AS updated_at,
    date '2020-01-01' + g % 2000 AS day, md5(g::text)::uuid AS token, jsonb_build_object('k', g % 10, 'v', 'x' || g % 100) AS extra,
    repeat('lorem ipsum ', 5 + g % 9) AS body,
    decode(md5(g::text), 'hex') AS digest
FROM generate_series(1, {rows}) AS g
"""


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
    for n in range(6):
        session.execute(f"CREATE TABLE medium_{n} AS SELECT id::int, user_id, note, amount, created_at FROM big WHERE id % 20 = {n}")
        session.execute(f"ALTER TABLE medium_{n} ADD PRIMARY KEY (id)")
    for n in range(60):
        session.execute(f"CREATE TABLE tiny_{n} (id int PRIMARY KEY, name text)")
        session.execute(f"INSERT INTO tiny_{n} SELECT g, 'name ' || g FROM generate_series(1, 20) AS g")
    session.execute("VACUUM ANALYZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", default="postgres")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of the big table (default %(default)s; 3800000 makes about 1 GB)")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--serial", action="store_true", help="without parallel workers")
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    server = Server(host=options.host, port=options.port, user=options.user)
    settings = {"max_parallel_workers_per_gather": "0"} if options.serial else {}
    with Session(server, "postgres", "bench") as session:
        session.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        session.execute(f"CREATE DATABASE {DATABASE}")
    try:
        with Session(server, DATABASE, "bench", settings) as session:
            fill(session, options.rows)
            size = session.value("SELECT pg_database_size(current_database()) AS v") / 2**20
            before = take_fingerprint(session)
            names = list(before["tables"])
            counts = timed(lambda: [session.value(f"SELECT count(*) AS v FROM {name}") for name in names], options.times)
            full = timed(lambda: take_fingerprint(session, connections=options.connections), options.times)
            since = timed(lambda: take_fingerprint(session, since=before, connections=options.connections), options.times)
            session.execute("UPDATE tiny_1 SET name = name || '!'")
            changed = timed(lambda: take_fingerprint(session, since=before, proof="changed", connections=options.connections), options.times)
        print(f"{size:.0f} MB, {len(names)} tables, {options.connections} connection(s)")
        print(f"count(*) of all tables    {counts:8.3f} s")
        print(f"full proof                {full:8.3f} s   {full / counts:5.1f} x count(*)   (goal: {GOAL:g})")
        print(f"full proof, rows told     {since:8.3f} s   {since / counts:5.1f} x count(*)")
        print(f"proof of what changed     {changed:8.3f} s   {changed / counts:5.1f} x count(*)   {changed / full:5.2f} x full")
    finally:
        with Session(server, "postgres", "bench") as session:
            session.execute(f"DROP DATABASE IF EXISTS {DATABASE}")


if __name__ == "__main__":
    main()
