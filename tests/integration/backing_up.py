"""A backup of a database of a test's own: what it is made of, what makes it, and what must not be left of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psycopg
from ansible_collections.migrations.rehearsal.plugins.module_utils import clean_up
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import Limits, take_backup
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, application_name, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

TABLES = """
CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL);
INSERT INTO accounts SELECT n, 100 FROM generate_series(1, 20000) n;
CREATE TABLE orders (id bigserial PRIMARY KEY, note text);
CREATE TABLE items (id bigserial PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE, text text);
INSERT INTO orders (note) SELECT repeat('x', 100) FROM generate_series(1, 10000);
INSERT INTO items (order_id, text) SELECT o.id, repeat('y', 50) FROM orders o, generate_series(1, 2);
CREATE TABLE log (at timestamptz DEFAULT now(), text text);
CREATE TABLE idle (id int);
"""


class Work:
    """A rehearsal's id and its work directory on production."""

    def __init__(self, base: Path) -> None:
        self.id = new_id()
        self.directory = WorkDirectory.at(str(base / "work"), self.id, "production")
        self.directory.create(Marker(self.id, "production/shop", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z"))

    def back_up(self, server: Server, database: str, **limits: Any) -> dict[str, Any]:
        return take_backup(server, database, self.id, self.directory, Limits(**limits))


def connect(server: Any, database: str, **options: Any) -> psycopg.Connection[Any]:
    return psycopg.connect(host=server.host, port=server.port, user=server.user, dbname=database, autocommit=True, **options)


def execute(server: Any, database: str, sql: str) -> None:
    with connect(server, database) as connection:
        connection.execute(sql)  # type: ignore[call-overload]


def rows_of(server: Any, database: str) -> dict[str, int]:
    """Counted in the plainest way, table by table."""
    with connect(server, database) as connection:
        names = [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        counts = {}
        for name in names:
            counted = connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()  # type: ignore[call-overload]
            assert counted is not None
            counts[name] = counted[0]
        return counts


def sessions_of(server: Any, rehearsal_id: str) -> int:
    with connect(server, "postgres") as connection:
        found = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", (application_name(rehearsal_id),)).fetchone()
    assert found is not None
    return int(found[0])


def require_nothing_left(server: Any, work: Work) -> None:
    """Clean-up after a failed backup takes all, and there is nobody left to make more."""
    cleaned = clean_up.clean_up(server.server, None, work.id, work.directory, "none", 30)
    assert (cleaned["left"], cleaned["problems"]) == ([], [])
    assert not os.path.exists(work.directory.path)
    assert sessions_of(server, work.id) == 0


def shims(tmp_path: Path, postgres_server: Any, script: str) -> str:
    """A directory of programs in which pg_dump is a script; `$REAL` is the real one."""
    place = tmp_path / "shims"
    place.mkdir()
    for tool in ("psql", "pg_restore"):
        (place / tool).symlink_to(postgres_server.bin_dir / tool)
    (place / "pg_dump").write_text(f'#!/bin/sh\nREAL="{postgres_server.bin_dir}/pg_dump"\nBIN="{postgres_server.bin_dir}"\n{script}')
    (place / "pg_dump").chmod(0o755)
    return str(place)
