"""What production's pg_dump writes, dev's pg_restore can read: known before anything is dumped, and written into the record."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import backup, copy_database, dump_compression, dump_size, preflight
from ansible_collections.migrations.rehearsal.plugins.module_utils.files import sha256
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session, tool_version
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("compression")]


def looked(production: Server, dev: Server, database: str, place: Path) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    rehearsal_id = new_id()
    facts, problems = preflight.look_at_production(production, database, rehearsal_id, str(place), 30)
    assert problems == []
    here, problems, _findings = preflight.look_at_dev(dev, "copy_x", rehearsal_id, str(place), facts, database, 30)
    return facts, here, problems


def test_a_newer_pg_dump_than_pg_restore_is_said_before_anything_is_dumped(postgres_servers: Callable[[int], Any], tmp_path: Path) -> None:
    old, new = postgres_servers(15), postgres_servers(18)
    database = old.create_database(f"old_{new_id()[-6:]}")
    try:
        newer = Server(bin_dir=str(new.bin_dir), host=old.host, port=old.port, user=old.user)
        _facts, _here, problems = looked(newer, old.server, database, tmp_path)
        assert len(problems) == 1 and "pg_restore is version 15 and cannot read what production's pg_dump 18 writes" in problems[0]
        (problem,) = looked(old.server, newer, database, tmp_path)[2]
        assert "pg_restore is version 18 and sets transaction_timeout, which dev's PostgreSQL 15 does not know" in problem
        assert looked(old.server, new.server, database, tmp_path)[2] == []
    finally:
        old.drop_database(database)


def test_what_both_programs_can_do_is_tried_and_used(postgres_server: Any, database: str, tmp_path: Path) -> None:
    server = postgres_server.server
    with Session(server, database, "tests") as session:
        session.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n")
    facts, here, problems = looked(server, server, database, tmp_path)
    assert problems == [] and facts["pg_dump"]["major"] == postgres_server.major
    # One build: what it writes it reads.
    assert facts["pg_dump"]["compressions"] == dump_compression.reads(server, 30)
    assert here["compression"] == dump_compression.choose(facts["pg_dump"]["compressions"], dump_compression.reads(server, 30))
    marker = Marker(new_id(), "production/t", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
    there, arrived = (WorkDirectory.at(str(tmp_path), marker.id, side) for side in ("production", "dev"))
    there.create(marker)
    arrived.create(marker)
    manifest = backup.take_backup(server, database, marker.id, there, backup.Limits(), compression=here["compression"])
    assert manifest["load"]["compression"] == here["compression"]
    backup.unpack(arrived, there.file(backup.ARCHIVE), sha256(there.file(backup.MANIFEST)))
    try:
        assert copy_database.make_copy(server, f"copy_{marker.id}", marker, manifest, arrived, jobs=1, deadline_s=60)["rows"] == 1000
    finally:
        postgres_server.drop_database(f"copy_{marker.id}")


def test_a_pg_restore_that_cannot_read_it_gets_gzip(postgres_server: Any, database: str, tmp_path: Path) -> None:
    """Such as the embedded ones, which are built with gzip alone."""
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("psql", "pg_restore", "pg_dump"):
        program = bare / name
        real = postgres_server.bin_dir / name
        # A pg_dump of another build, which finds nothing wrong with zstd.
        program.write_text(f'#!/bin/sh\ncase "$*" in *--compress=zstd*) exit 0;; *--compress=*) exit 1;; esac\nexec {real} "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    production = Server(bin_dir=str(bare), host=postgres_server.host, port=postgres_server.port, user=postgres_server.user)
    facts, here, _problems = looked(production, postgres_server.server, database, tmp_path)
    assert facts["pg_dump"]["compressions"] == ["zstd:1"]
    can = dump_compression.reads(postgres_server.server, 30)
    assert here["compression"] == ("zstd:1" if "zstd:1" in can else dump_compression.GZIP)
    assert (dump_compression.option("zstd:1"), dump_compression.option(dump_compression.GZIP)) == ("--compress=zstd:1", "--compress=1")


def test_the_samples_are_archives_that_are_looked_at(postgres_servers: Callable[[int], Any], tmp_path: Path) -> None:
    """An old pg_restore refuses both; one that is given rubbish by its build would take them for good."""
    assert dump_compression.reads(postgres_servers(15).server, 30) == []
    assert dump_compression.reads(Server(bin_dir=str(tmp_path)), 30) == []


@pytest.mark.parametrize(
    ("dump", "restore", "can"), [(15, 15, True), (15, 13, True), (16, 15, False), (17, 16, False), (18, 17, True), (19, 18, False), (0, 15, True)]
)
def test_formats_of_archives(dump: int, restore: int, can: bool) -> None:
    assert dump_compression.reads_format(dump, restore) is can


def test_a_program_that_says_something_else_is_told(tmp_path: Path) -> None:
    odd = tmp_path / "psql"
    odd.write_text("#!/bin/sh\necho hello\n")
    odd.chmod(0o755)
    with pytest.raises(Exception, match="does not tell its version"):
        tool_version(Server(bin_dir=str(tmp_path)), "psql")


def test_room_for_what_cannot_be_compressed(postgres_server: Any, database: str, tmp_path: Path) -> None:
    """Half of the database is not enough for it."""
    server = postgres_server.server
    with Session(server, database, "tests") as session:
        session.execute("CREATE TABLE blobs (id int, b bytea)")
        session.execute("ALTER TABLE blobs ALTER b SET STORAGE EXTERNAL")
        random = "(SELECT decode(string_agg(md5(random()::text || n || k), ''), 'hex') FROM generate_series(1, 600) k)"
        session.execute(f"INSERT INTO blobs SELECT n, {random} FROM generate_series(1, 1500) n")
        size = session.value("SELECT pg_database_size(current_database())")
        most = dump_size.most_bytes(session, size)
    marker = Marker(new_id(), "production/t", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
    work = WorkDirectory.at(str(tmp_path), marker.id, "production")
    work.create(marker)
    dumped = backup.take_backup(server, database, marker.id, work, backup.Limits())["load"]["bytes"]
    assert size // 2 < dumped < most
    facts, _here, _problems = looked(server, server, database, tmp_path)
    assert facts["dump_bytes"] >= dumped
