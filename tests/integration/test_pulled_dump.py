"""A logical copy that dev pulls equals production and the copy that a dump makes, and what goes wrong leaves nothing half done."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    backup,
    basebackup,
    copy_database,
    copy_stream,
    copying,
    files,
    pulled_dump,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import BackupBlocked, Limits
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, application_name, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.production_guard import ProductionBusy
from ansible_collections.migrations.rehearsal.plugins.module_utils.snapshot import take_snapshot
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory
from copy_rehearsal import PARTITIONED, require_attached_alone

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("pulled dump")]

# What one form of a value or the other could damage, and what names rows of the catalogs.
ODDITIES = [
    "CREATE TYPE colour AS ENUM ('red', 'it''s green')",
    "CREATE TYPE place AS (x integer, label text)",
    "CREATE DOMAIN small AS integer CHECK (VALUE < 100)",
    "CREATE TABLE numbers (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n numeric, f float8, r real, m money, i interval, at timestamptz,"
    " t time, twice numeric GENERATED ALWAYS AS (n * 2) STORED, b bytea, j jsonb, js json, u uuid, net inet, bits bit varying, span int4range,"
    " small small)",
    "INSERT INTO numbers (n, f, r, m, i, at, t, b, j, js, u, net, bits, span, small) VALUES"
    " ('NaN', '-0', 'Infinity', '-12.34', '-1 year 3 days -00:00:00.000001', 'infinity', '24:00', '\\x00ff5c2e0a', '{\"a\": \"\\u00e9\\\\n\"}',"
    " '{ \"b\" :1}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '10.0.0.1/8', B'0101', '(,5)', 1),"
    " (12345678901234567890.123456789012345678901234567890, 0.1::float8 + 0.2, 1e-40, 0, '1 mon', '0044-03-15 00:00:00 BC', '12:00:00.000001', '',"
    " 'null', 'null', NULL, '::1', '', 'empty', 99),"
    " (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "CREATE TABLE texts (id integer PRIMARY KEY, words text, tags text[], colour colour, colours colour[])",
    "INSERT INTO texts VALUES (1, E'\\\\.\\n\\\\N\\t\"quoted\" \\r\\n\\\\', '[2:3]={a,NULL}', 'it''s green', '{red,\"it''s green\"}'),"
    " (2, '', '{}', NULL, '{}'), (3, 'Ünï 漢字 😀', ARRAY[['a', 'b'], ['', ',']], 'red', NULL), (4, repeat('long ', 5000), NULL, 'red', '{red}')",
    "CREATE TABLE catalog_names (id integer, relation regclass, kind regtype, place place, places place[])",
    "INSERT INTO catalog_names VALUES (1, 'texts', 'colour', '(1,\"a, b\")', ARRAY['(2,)'::place])",
    "CREATE INDEX texts_words ON texts (left(words, 20)) WHERE colour = 'red'",
    "CREATE SEQUENCE tickets START 7",
    "SELECT nextval('tickets'), lo_from_bytea(4711, 'large')",
    "CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n FROM numbers",
]


@dataclasses.dataclass
class Rehearsal:
    production: Server
    source: str
    order: copying.Order

    @property
    def id(self) -> str:
        return self.order.marker.id

    @property
    def database(self) -> str:
        return self.order.database

    def pull(self, with_fingerprint: bool = False, **limits: Any) -> copying.Made:
        facts = basebackup.manifest_of(self.production, self.source, self.id, Limits())
        return copying.from_production(self.order, facts, self.production, Limits(**limits), with_fingerprint)

    def ours(self, database: str) -> int:
        """Sessions of the rehearsal's, and of nobody else's, that are in a database."""
        server = self.production if database == self.source else self.order.server
        assert server is not None
        with Session(server, "postgres", "tests") as session:
            return int(
                session.value(
                    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
                    f"AND datname = '{database}' AND application_name = '{application_name(self.id)}'"
                )
            )


def run(server: Server, database: str, statements: list[str]) -> None:
    with Session(server, database, "tests") as session:
        for statement in statements:
            session.execute(statement)


@pytest.fixture(autouse=True)
def every_table_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy_stream, "LEAST_BYTES", 0)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[Server, str, Server], Rehearsal]]:
    made: list[Rehearsal] = []

    def rehearsal(production: Server, source: str, dev: Server) -> Rehearsal:
        marker = Marker(new_id(), f"prod/{source}", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
        work = WorkDirectory.at(str(tmp_path), marker.id, "dev")
        work.create(marker)
        name = f"copy_{marker.id[-6:]}"
        made.append(Rehearsal(production, source, copying.Order(name, marker, work, dev, deadline_s=60)))
        return made[-1]

    yield rehearsal
    for one in made:
        assert one.order.server is not None
        copy_database.drop_copy(one.order.server, one.database, one.id, 60)
        one.order.work.remove()


@pytest.fixture
def odd(postgres_server: Any, database: str, make: Any) -> Rehearsal:
    run(postgres_server.server, database, ODDITIES)
    rehearsal: Rehearsal = make(postgres_server.server, database, postgres_server.server)
    return rehearsal


@pytest.fixture
def large(postgres_server: Any, database: str, make: Any) -> Rehearsal:
    """One whose first table takes seconds at the rate that the tests allow."""
    run(postgres_server.server, database, ["CREATE TABLE orders AS SELECT n AS id, repeat('x', 500) AS note FROM generate_series(1, 4000) AS n"])
    rehearsal: Rehearsal = make(postgres_server.server, database, postgres_server.server)
    return rehearsal


def snapshot(server: Server, database: str) -> dict[str, Any]:
    with Session(server, database, "tests") as session:
        return dict(take_snapshot(session))


def test_it_equals_the_copy_that_a_dump_makes(
    postgres_server: Any, database: str, fill_richly: Callable[[str], None], make: Any, tmp_path: Path
) -> None:
    fill_richly(database)
    server = postgres_server.server
    run(
        server,
        database,
        [
            "INSERT INTO users (email, twin, tags, rank) VALUES ('a@b', '(1,x,2.5)', '{a,\"b,c\"}', 3), ('c@d', NULL, '{}', 4)",
            "INSERT INTO shifts (user_id, day, note) SELECT 1, date '2026-01-01' + n, 'note ' || n FROM generate_series(1, 300) AS n",
            "INSERT INTO parent SELECT n, 'p' FROM generate_series(1, 3) AS n",
            "INSERT INTO child SELECT n, 'c', n FROM generate_series(1, 4) AS n",
            "INSERT INTO events VALUES (1, '2020-05-05', 'a'), (2, '2021-05-05', 'b')",
            "INSERT INTO cache VALUES ('k', '{}')",
            "REFRESH MATERIALIZED VIEW totals",
        ],
    )
    pulled, dumped = (make(server, database, server) for _way in range(2))
    made = pulled.pull(with_fingerprint=True)
    assert (made.copy["proved_by"], made.copy["differences"], made.copy["place"]) == ("fingerprint", [], "existing")
    there = WorkDirectory.at(str(tmp_path), dumped.id, "production")
    there.create(dumped.order.marker)
    backup.take_backup(server, database, dumped.id, there, Limits(), with_fingerprint=True)
    other = copying.from_dump(dumped.order, backup.unpack(dumped.order.work, there.file(backup.ARCHIVE), files.sha256(there.file(backup.MANIFEST))))
    there.remove()
    assert snapshot(server, pulled.database) == snapshot(server, dumped.database)
    assert made.manifest["fingerprint"]["tables"] == other.manifest["fingerprint"]["tables"]
    assert made.manifest["rows"] == other.manifest["rows"]
    assert {key for key in other.copy if key not in made.copy} == set()
    assert {key for key in other.manifest if key not in made.manifest} == set()
    assert not os.path.exists(pulled.order.work.file(backup.DUMP))


def test_indexes_of_partitions_are_attached_while_no_other_job_of_pg_restore_is_at_work(
    postgres_server: Any, database: str, make: Any, restores: list[tuple[int, str]]
) -> None:
    run(postgres_server.server, database, [statement for statement in PARTITIONED.split(";\n") if statement.strip()])
    rehearsal = make(postgres_server.server, database, postgres_server.server)
    assert rehearsal.pull().copy["differences"] == []
    parts = [(jobs, entries) for jobs, entries in restores if " TABLE " not in entries]
    require_attached_alone(parts, jobs=rehearsal.order.jobs)
    assert snapshot(postgres_server.server, rehearsal.database) == snapshot(postgres_server.server, database)


def test_no_value_is_damaged_in_either_form(odd: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    forms: dict[str, bool] = {}
    init = copy_stream.Stream.__init__

    def note(stream: Any, table: Any, source: Any, target: Any, snapshot: str, binary: bool, *args: Any) -> None:
        forms[table.name] = binary
        init(stream, table, source, target, snapshot, binary, *args)

    monkeypatch.setattr(copy_stream.Stream, "__init__", note)
    made = odd.pull(with_fingerprint=True)
    assert made.copy["differences"] == []
    assert forms == {"numbers": True, "texts": False, "catalog_names": False}
    with Session(made.server, odd.database, "tests") as session:
        rest = session.row("SELECT (SELECT n FROM total) AS n, encode(lo_get(4711), 'escape') AS lo, (SELECT last_value FROM tickets) AS last")
        assert rest == {"n": 3, "lo": "large", "last": 7}
        assert session.value("SELECT relation::text || ' ' || kind::text FROM catalog_names") == "texts colour"
        assert session.value("SELECT id FROM numbers WHERE twice = 24691357802469135780.246913578024691357802469135780") == 2


def test_another_major_version_gets_text(
    postgres_servers: Callable[[int], Any], postgres_server: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = postgres_servers(15)
    source = old.create_database("pulled_from")
    try:
        run(old.server, source, ODDITIES)
        production = dataclasses.replace(old.server, bin_dir=postgres_server.server.bin_dir)
        rehearsal = make(production, source, postgres_server.server)
        made = rehearsal.pull(with_fingerprint=True)
        assert [found for found in made.copy["differences"] if found["what"] not in ("locale_provider", "collate", "ctype")] == []
        assert made.copy["rows"] == 8
    finally:
        old.drop_database(source)


def when(seen: Callable[[], bool], then: Callable[[], None]) -> threading.Thread:
    """Do something as soon as something is seen, beside what the test does."""

    def wait() -> None:
        deadline = time.monotonic() + 30
        while not seen():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        then()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.parametrize("side", ["production", "copy"])
def test_a_cut_in_the_middle_leaves_nothing_half_done(large: Rehearsal, side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The side that was cut tells it, not the other, whose pipe has closed."""
    stop = copy_stream.Stream.stop

    def stop_late(stream: Any) -> None:
        time.sleep(1)  # the copy would commit what has arrived, if it took it for all there is
        stop(stream)

    monkeypatch.setattr(copy_stream.Stream, "stop", stop_late)
    where = large.source if side == "production" else large.database
    copying_now = f"FROM pg_stat_activity WHERE datname = '{where}' AND query LIKE 'COPY %' AND state = 'active'"

    def seen() -> bool:
        with Session(large.production, "postgres", "tests") as session:
            return bool(session.value(f"SELECT count(*) {copying_now}"))

    def cut() -> None:
        with Session(large.production, "postgres", "tests") as session:
            session.rows(f"SELECT pg_terminate_backend(pid) AS ended {copying_now}")

    cutting = when(seen, cut)
    with pytest.raises(ToolFailed, match="table orders could not be copied: «.*psql» ended with exit code"):
        large.pull(max_rate=100_000)
    cutting.join()
    assert large.ours(large.source) == large.ours(large.database) == 0
    with Session(large.production, large.database, "tests") as session:
        assert session.value("SELECT count(*) FROM orders") == 0
    assert os.listdir(large.order.work.file("running")) == []


def test_what_the_copy_refuses_is_told_without_a_value(odd: Rehearsal) -> None:
    run(
        odd.production,
        odd.source,
        [
            "CREATE FUNCTION fits(word text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true'",
            "CREATE TABLE held (word text CHECK (public.fits(word)))",
            "INSERT INTO held VALUES ('secret')",
            "CREATE OR REPLACE FUNCTION fits(word text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT word <> ''secret'' '",
        ],
    )
    with pytest.raises(ToolFailed, match="table held could not be copied: .*violates check constraint") as told:
        odd.pull()
    assert "secret" not in str(told.value)


def test_a_busy_production_ends_it(large: Rehearsal, busy: Any) -> None:
    with busy(large.production, large.source, 3), pytest.raises(ProductionBusy, match="3 other sessions are active, 2 are allowed"):
        large.pull(max_active=2)
    assert large.ours(large.source) == large.ours(large.database) == 0


def test_a_table_that_somebody_waits_for_is_not_held_up(large: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    read = pulled_dump.Pulled._read_tables
    where = {"host": large.production.host, "port": large.production.port, "user": large.production.user, "dbname": large.source}
    altering: list[threading.Thread] = []

    def alter() -> None:
        with psycopg.connect(**where, autocommit=True) as connection:  # type: ignore[arg-type]
            connection.execute("ALTER TABLE orders ADD COLUMN more text")

    def waits() -> bool:
        with Session(large.production, "postgres", "tests") as session:
            return bool(session.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"))

    def others_come(pulled: Any, target: Any) -> None:
        altering.append(threading.Thread(target=alter))
        altering[0].start()
        when(waits, lambda: None).join()
        read(pulled, target)

    monkeypatch.setattr(pulled_dump.Pulled, "_read_tables", others_come)
    with pytest.raises(BackupBlocked, match="a table is held by another session, or one waits to alter it"):
        large.pull(jobs=1, lock_timeout_s=0.3)
    altering[0].join()


def test_production_gives_no_more_than_the_record_says(large: Rehearsal) -> None:
    run(large.production, large.source, [f"CREATE TABLE t{n} AS SELECT * FROM orders" for n in range(3)])
    most, done = [0], threading.Event()

    def count() -> None:
        while not done.is_set():
            most[0] = max(most[0], large.ours(large.source))

    thread = threading.Thread(target=count)
    thread.start()
    try:
        load = large.pull().manifest["load"]
    finally:
        done.set()
        thread.join()
    assert 2 <= most[0] <= load["connections"] == 3
    assert 8_000_000 < load["bytes"] < 10_000_000
    assert load["compression"] == "none"


def test_what_has_no_large_table_leaves_as_a_dump_alone(odd: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy_stream, "LEAST_BYTES", 1 << 40)
    assert odd.pull().manifest["load"]["compression"] == "gzip:1"


def test_all_streams_together_keep_to_the_rate() -> None:
    throttle, started = copy_stream.Throttle(1_000_000), time.monotonic()
    streams = [threading.Thread(target=throttle.wait, args=(200_000,)) for _number in range(3)]
    for stream in streams:
        stream.start()
    for stream in streams:
        stream.join()
    assert time.monotonic() - started >= 0.6
