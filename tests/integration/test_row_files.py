"""A dump that is carried with the rows of large tables in files of their own: the copy equals production, and what goes wrong is told."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import backup, clean_up, copying, files, inside, large_tables, old_rows, row_files
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import BackupBlocked, Limits
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.production_guard import ProductionBusy
from ansible_collections.migrations.rehearsal.plugins.module_utils.snapshot import take_snapshot
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory
from contained import container, possible
from pulling import ODDITIES, Make, Rehearsal, rehearsals, run, when

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("row files")]

ORDERS = [
    "CREATE TABLE orders AS SELECT n AS id, repeat('x', 500) AS note FROM generate_series(1, 4000) AS n",
    # A page without a row, in the middle and at the end, and rows in another order than they were made.
    "DELETE FROM orders WHERE id BETWEEN 1000 AND 2000 OR id > 3900",
    "UPDATE orders SET note = 'changed' WHERE id % 7 = 0",
    "ALTER TABLE orders ADD PRIMARY KEY (id)",
]


@pytest.fixture(autouse=True)
def every_table_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_tables, "LEAST_BYTES", 0)
    monkeypatch.setattr(row_files, "_PART_BYTES", 300_000)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    (tmp_path / "work").mkdir()
    yield from rehearsals(tmp_path / "work")


@dataclasses.dataclass
class Carried:
    """A rehearsal whose backup lies on production until it is restored."""

    rehearsal: Rehearsal
    there: WorkDirectory

    def back_up(self, form: row_files.Form | None, prove: bool = True, **limits: Any) -> dict[str, Any]:
        one = self.rehearsal
        return backup.take_backup(one.production, one.source, one.id, self.there, Limits(**limits), with_fingerprint=prove, row_form=form)

    def restore(self) -> copying.Made:
        manifest = files.sha256(self.there.file(backup.MANIFEST))
        return copying.from_dump(self.rehearsal.order, backup.unpack(self.rehearsal.order.work, self.there.file(backup.ARCHIVE), manifest))


Begin = Callable[..., Carried]


@pytest.fixture
def begin(make: Make, tmp_path: Path, postgres_server: Any, database: str) -> Iterator[Begin]:
    begun: list[WorkDirectory] = []

    def carried(production: Server | None = None, source: str = "", dev: Server | None = None) -> Carried:
        rehearsal = make(production or postgres_server.server, source or database, dev or postgres_server.server)
        there = WorkDirectory.at(str(tmp_path / "work"), rehearsal.id, "production")
        there.create(rehearsal.order.marker)
        begun.append(there)
        return Carried(rehearsal, there)

    yield carried
    for work in begun:
        work.remove()


def major(server: Server) -> int:
    with Session(server, "postgres", "tests") as session:
        return int(session.value("SELECT current_setting('server_version_num')")) // 10000


def in_order(server: Server, database: str, table: str) -> list[int]:
    with Session(server, database, "tests") as session:
        return [row["id"] for row in session.rows(f"SELECT id FROM {table} ORDER BY ctid")]


def snapshot(server: Server, database: str) -> dict[str, Any]:
    with Session(server, database, "tests") as session:
        return dict(take_snapshot(session))


def leftovers(carried: Carried) -> list[str]:
    """Sessions and processes of the rehearsal's that are at work still."""
    one = carried.rehearsal
    with Session(one.production, "postgres", "tests") as session:
        named = f"SELECT query FROM pg_stat_activity WHERE application_name = '{application_name(one.id)}'"
        sessions = [row["query"] for row in session.rows(named)]
    return [*sessions, *os.listdir(carried.there.file("running")), *os.listdir(one.order.work.file("running"))]


def partly_binary(manifest: dict[str, Any]) -> dict[str, tuple[bool, int]]:
    return {entry["table"]["name"]: (entry["binary"], len(entry["files"])) for entry in manifest["row_files"]}


@pytest.mark.parametrize("program", ["zstd", "gzip"])
def test_no_value_is_damaged_in_either_form(begin: Begin, postgres_server: Any, database: str, program: str) -> None:
    if program not in row_files.programs():
        pytest.skip(f"{program} is not installed")
    server = postgres_server.server
    run(server, database, [*ODDITIES, *ORDERS])
    carried, plain = begin(), begin()
    manifest = carried.back_up(row_files.Form(program, major(server)))
    forms = partly_binary(manifest)
    assert {name: binary for name, (binary, _count) in forms.items()} == {
        "numbers": True, "texts": False, "catalog_names": False, "orders": True,
    }  # fmt: skip
    assert forms["orders"][1] > 3 and forms["numbers"][1] == 1
    assert not {"dump", "rows", "backup.tar.partial"} & set(os.listdir(carried.there.path))
    assert (manifest["load"]["compression"], manifest["load"]["connections"]) == (program, 5)
    made = carried.restore()
    assert (made.copy["proved_by"], made.copy["differences"]) == ("fingerprint", [])
    assert in_order(server, carried.rehearsal.database, "orders") == in_order(server, database, "orders")
    plain.back_up(None)
    assert "row_files" not in plain.restore().manifest
    assert snapshot(server, carried.rehearsal.database) == snapshot(server, plain.rehearsal.database)
    assert leftovers(carried) == []


def test_it_equals_the_copy_that_a_dump_makes(begin: Begin, postgres_server: Any, database: str, fill_richly: Callable[[str], None]) -> None:
    fill_richly(database)
    run(postgres_server.server, database, [ORDERS[0], ORDERS[-1]])
    carried, plain = begin(), begin()
    assert carried.back_up(row_files.Form("gzip", major(postgres_server.server)))["row_files"]
    plain.back_up(None)
    made, other = carried.restore(), plain.restore()
    assert (made.copy["differences"], made.copy["rows"]) == ([], other.copy["rows"])
    assert snapshot(postgres_server.server, carried.rehearsal.database) == snapshot(postgres_server.server, plain.rehearsal.database)


def test_parts_of_text_become_one_table_again(begin: Begin, postgres_server: Any, database: str) -> None:
    run(postgres_server.server, database, ORDERS)
    carried = begin()
    # Nobody knows the version of the copy's server.
    assert partly_binary(carried.back_up(row_files.Form("gzip"), jobs=3))["orders"][0] is False
    made = carried.restore()
    assert made.copy["differences"] == []
    assert in_order(made.server, carried.rehearsal.database, "orders") == in_order(made.server, database, "orders")


def test_another_major_version_gets_text(postgres_servers: Callable[[int], Any], postgres_server: Any, begin: Begin) -> None:
    old = postgres_servers(15)
    source = old.create_database("carried_from")
    try:
        run(old.server, source, [*ODDITIES, *ORDERS])
        production = dataclasses.replace(old.server, bin_dir=postgres_server.server.bin_dir)
        carried = begin(production, source)
        manifest = carried.back_up(row_files.Form("gzip", major(postgres_server.server)))
        assert not any(binary for binary, _count in partly_binary(manifest).values())
        differences = carried.restore().copy["differences"]
        assert [found for found in differences if found["what"] not in ("locale_provider", "collate", "ctype")] == []
        # One that was made for production's own version is refused by another.
        wrong = begin(production, source)
        wrong.back_up(row_files.Form("gzip", 15))
        with pytest.raises(RehearsalError, match=r"is PostgreSQL \d+, and the backup was made for a copy in version 15: rehearse anew"):
            wrong.restore()
    finally:
        old.drop_database(source)


@pytest.mark.skipif(not possible(), reason="no other view of the files can be had here (unshare)")
@pytest.mark.parametrize("sides", [("dev",), ("production",), ("dev", "production")], ids=" and ".join)
def test_it_is_carried_between_containers(
    begin: Begin, postgres_server: Any, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sides: tuple[str, ...]
) -> None:
    monkeypatch.setattr(inside, "TEMPORARY", str(tmp_path / "there"))
    run(postgres_server.server, database, [*ODDITIES, *ORDERS])
    containers = {side: container(tmp_path, side, tmp_path / "work") for side in sides}
    reached = {side: place.around(postgres_server.server) for side, place in containers.items()}
    carried = begin(reached.get("production"), dev=reached.get("dev"))
    manifest = carried.back_up(row_files.Form("gzip", major(postgres_server.server)), nice=5)
    assert manifest["dump_piped"] == ("production" in sides) and len(manifest["row_files"]) == 4
    assert carried.restore().copy["differences"] == []
    for side, place in containers.items():
        assert place.files == []
        assert ("COPY" in place.said, "nice" in place.said) == (side == "dev", side == "production")
    assert leftovers(carried) == []


def test_what_compresses_tells_why_it_failed(
    begin: Begin, postgres_server: Any, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(postgres_server.server, database, ORDERS)
    bad = tmp_path / "bin" / "gzip"
    bad.parent.mkdir()
    bad.write_text("#!/bin/sh\nhead -c 1000 > /dev/null\necho 'gzip: stdout: No space left on device' >&2\nexit 1\n")
    bad.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bad.parent}:{os.environ['PATH']}")
    carried = begin()
    with pytest.raises(ToolFailed, match=r"rows/\d+-\d+.gz: table orders could not be copied: «gzip» ended with exit code 1: .*No space left"):
        carried.back_up(row_files.Form("gzip"))
    assert leftovers(carried) == []


@pytest.mark.parametrize("what", ["cut short", "of other bytes", "too long"])
@pytest.mark.parametrize("form", ["binary", "text"])
def test_a_file_that_is_not_what_was_written_fills_nothing(begin: Begin, postgres_server: Any, database: str, what: str, form: str) -> None:
    """The archive's checksums would have told it before; what was unpacked can be damaged still."""
    server = postgres_server.server
    run(server, database, ORDERS)
    carried = begin()
    one = carried.rehearsal
    carried.back_up(row_files.Form("gzip", major(server) if form == "binary" else 0))
    manifest = backup.unpack(one.order.work, carried.there.file(backup.ARCHIVE), files.sha256(carried.there.file(backup.MANIFEST)))
    entry = manifest["row_files"][0]["files"][1]
    path = Path(one.order.work.file(entry["name"]))
    if what == "of other bytes":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        entry["bytes"] += 7 if what == "cut short" else -7
    with pytest.raises(ToolFailed, match="table orders could not be copied: ") as told:
        copying.from_dump(one.order, manifest)
    assert {"cut short": "fewer bytes", "of other bytes": "gzip", "too long": "not what COPY writes"}[what] in str(told.value)
    with Session(server, one.database, "tests") as session:
        assert session.value("SELECT count(*) FROM orders") == 0
    assert leftovers(carried) == []


def test_a_table_that_somebody_holds_ends_it(begin: Begin, postgres_server: Any, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = postgres_server.server
    run(server, database, ORDERS)
    where = {"host": server.host, "port": server.port, "user": server.user, "dbname": database}
    start, altering = row_files.RowFiles.start, []

    def alter() -> None:
        with psycopg.connect(**where, autocommit=True) as connection:  # type: ignore[arg-type]
            connection.execute("ALTER TABLE orders ADD COLUMN more text")

    def waits() -> bool:
        with Session(server, "postgres", "tests") as session:
            return bool(session.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"))

    def others_come(*args: Any) -> None:
        altering.append(threading.Thread(target=alter))
        altering[0].start()
        when(waits, lambda: None).join()
        start(*args)

    monkeypatch.setattr(row_files.RowFiles, "start", others_come)
    carried = begin()
    with pytest.raises(BackupBlocked, match="a table is held by another session, or one waits to alter it"):
        carried.back_up(row_files.Form("gzip"), prove=False, lock_timeout_s=0.3)
    altering[0].join()
    assert leftovers(carried) == []


def test_a_busy_production_ends_it(begin: Begin, postgres_server: Any, database: str, busy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run(postgres_server.server, database, ORDERS)
    # Seconds for what is compressed otherwise.
    monkeypatch.setattr(row_files, "_PROGRAMS", {"gzip": ("-9", "-c")})
    carried = begin()
    with busy(postgres_server.server, database, 3), pytest.raises(ProductionBusy, match="3 other sessions are active, 2 are allowed"):
        carried.back_up(row_files.Form("gzip"), max_active=2)
    assert leftovers(carried) == []


def test_what_is_started_after_it_was_stopped_ends_at_once(
    begin: Begin, postgres_server: Any, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(postgres_server.server, database, ORDERS)
    start = row_files.RowFiles.start

    def stopped_before(outlet: Any, options: list[str]) -> None:
        outlet.stop()
        start(outlet, options)

    monkeypatch.setattr(row_files.RowFiles, "start", stopped_before)
    carried = begin()
    with pytest.raises(ToolFailed):
        carried.back_up(row_files.Form("gzip"))
    assert leftovers(carried) == []


def test_many_small_tables_are_left_to_a_pg_dump_of_several_jobs(
    begin: Begin, postgres_server: Any, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(postgres_server.server, database, [*ORDERS, *(f"CREATE TABLE t{n} AS SELECT * FROM orders" for n in range(3))])
    monkeypatch.setattr(large_tables, "LEAST_BYTES", 2_100_000)
    carried = begin()
    manifest = carried.back_up(row_files.Form("gzip"))
    assert manifest["row_files"] == [] and manifest["load"]["compression"] == "gzip:1"
    assert len([name for name in manifest["files"] if name.startswith("dump/")]) > 4
    assert carried.restore().copy["differences"] == []


def test_the_rows_as_they_were_are_found_in_the_backup(begin: Begin, postgres_server: Any, database: str) -> None:
    server = postgres_server.server
    partitioned = [
        "CREATE TABLE parts (id int, region int, PRIMARY KEY (id, region)) PARTITION BY LIST (region)",
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1)",
        "INSERT INTO parts SELECT n, 1 FROM generate_series(1, 40) AS n",
    ]
    run(server, database, [*ORDERS, *partitioned])
    carried = begin()
    one = carried.rehearsal
    assert {"orders", "parts_1"} <= set(partly_binary(carried.back_up(row_files.Form("gzip", major(server)))))
    manifest = carried.restore().manifest
    files.write_json(one.order.work.file(backup.MANIFEST), manifest)
    run(server, one.database, ["UPDATE orders SET note = 'damaged'", "DELETE FROM parts"])
    found = old_rows.prepare(server, one.order.marker, one.order.work, ["orders"], 60)
    with Session(server, found, "tests") as session:
        assert session.row("SELECT (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM parts) AS parts") == {"orders": 2899, "parts": 0}
        assert session.value("SELECT count(*) FROM orders WHERE note = 'damaged'") == 0
    assert old_rows.prepare(server, one.order.marker, one.order.work, ["orders", "parts"], 60) == found
    with Session(server, found, "tests") as session:
        assert session.row("SELECT (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM parts) AS parts") == {"orders": 2899, "parts": 40}
    cleaned = clean_up.clean_up(server, one.database, one.id, one.order.work, clean_up.KEEP_NONE, 60)
    assert (cleaned["left"], cleaned["problems"]) == ([], []) and f"database {found}" in cleaned["removed"]


def test_nobody_is_waited_for_who_holds_what_is_not_dumped(begin: Begin, postgres_server: Any, database: str) -> None:
    server = postgres_server.server
    run(server, database, [*ORDERS, "CREATE TABLE jobs (id int)", "ALTER EXTENSION plpgsql ADD TABLE jobs"])
    where = {"host": server.host, "port": server.port, "user": server.user, "dbname": database}
    carried = begin()
    with psycopg.connect(**where) as holding:  # type: ignore[arg-type]
        holding.execute("LOCK TABLE jobs")
        manifest = carried.back_up(row_files.Form("gzip"), prove=False, lock_timeout_s=0.3)
    assert set(partly_binary(manifest)) == {"orders"}
