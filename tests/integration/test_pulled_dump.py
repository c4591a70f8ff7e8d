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
    copy_stream,
    copying,
    files,
    filling,
    large_tables,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import BackupBlocked, Limits
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.production_guard import ProductionBusy
from ansible_collections.migrations.rehearsal.plugins.module_utils.snapshot import take_snapshot
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory
from copy_rehearsal import PARTITIONED, require_attached_alone
from pulling import ODDITIES, REFUSED, Make, Rehearsal, rehearsals, run, when

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("pulled dump")]


@pytest.fixture(autouse=True)
def every_table_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_tables, "LEAST_BYTES", 0)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    yield from rehearsals(tmp_path)


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

    def note(stream: Any, table: Any, sender: Any, receiver: Any, *args: Any) -> None:
        assert sender.binary == receiver.binary
        forms[table.name] = sender.binary
        init(stream, table, sender, receiver, *args)

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
    run(odd.production, odd.source, REFUSED)
    with pytest.raises(ToolFailed, match="table held could not be copied: .*violates check constraint") as told:
        odd.pull()
    assert "secret" not in str(told.value)


def test_a_busy_production_ends_it(large: Rehearsal, busy: Any) -> None:
    with busy(large.production, large.source, 3), pytest.raises(ProductionBusy, match="3 other sessions are active, 2 are allowed"):
        large.pull(max_active=2)
    assert large.ours(large.source) == large.ours(large.database) == 0


def test_a_table_that_somebody_waits_for_is_not_held_up(large: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    take = filling.Filling.take
    where = {"host": large.production.host, "port": large.production.port, "user": large.production.user, "dbname": large.source}
    altering: list[threading.Thread] = []

    def alter() -> None:
        with psycopg.connect(**where, autocommit=True) as connection:  # type: ignore[arg-type]
            connection.execute("ALTER TABLE orders ADD COLUMN more text")

    def waits() -> bool:
        with Session(large.production, "postgres", "tests") as session:
            return bool(session.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"))

    def others_come(*args: Any) -> None:
        altering.append(threading.Thread(target=alter))
        altering[0].start()
        when(waits, lambda: None).join()
        take(*args)

    monkeypatch.setattr(filling.Filling, "take", others_come)
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
    monkeypatch.setattr(large_tables, "LEAST_BYTES", 1 << 40)
    assert odd.pull().manifest["load"]["compression"] == "gzip:1"


def test_all_streams_together_keep_to_the_rate() -> None:
    throttle, started = copy_stream.Throttle(1_000_000), time.monotonic()
    streams = [threading.Thread(target=throttle.wait, args=(200_000,)) for _number in range(3)]
    for stream in streams:
        stream.start()
    for stream in streams:
        stream.join()
    assert time.monotonic() - started >= 0.6
