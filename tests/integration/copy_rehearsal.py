"""A rehearsal between backup and copy, and what tests do with the databases of both."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
from collections.abc import Callable
from typing import Any

import psycopg
from ansible_collections.migrations.rehearsal.plugins.module_utils import backup, clean_up
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import unpack
from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_database import make_copy
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, quote_literal
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

EVERYTHING = """
CREATE SEQUENCE tickets START 7;
SELECT setval('tickets', 41);
CREATE TABLE people (
    id bigint GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 5) PRIMARY KEY,
    name text NOT NULL, twice text GENERATED ALWAYS AS (name || name) STORED, ticket int DEFAULT nextval('tickets'), photo oid, facts jsonb
);
INSERT INTO people (name, facts) SELECT 'Имя ' || n, '{"a": [1, null]}' FROM generate_series(1, 50) n;
UPDATE people SET photo = lo_from_bytea(0, decode(repeat('00ff', 5000), 'hex')) WHERE id < 110;
CREATE TABLE parts (id int, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') PARTITION BY HASH (id);
CREATE TABLE parts_2_0 PARTITION OF parts_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parts_2_1 PARTITION OF parts_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parts SELECT n, '2026-01-01'::date + n FROM generate_series(0, 50) n;
CREATE UNLOGGED TABLE scratch AS SELECT n FROM generate_series(1, 9) n;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS people FROM people;
CREATE MATERIALIZED VIEW empty AS SELECT count(*) AS people FROM people WITH NO DATA;
CREATE TABLE "Заказы" ("Номер.1" int PRIMARY KEY, "say ""hi"" now" text);
INSERT INTO "Заказы" VALUES (1, E'a\\tb\\\\c'), (2, NULL);
CREATE SCHEMA "Upper.Case 'q'";
CREATE TABLE "Upper.Case 'q'"."Order""s" (id int);
INSERT INTO "Upper.Case 'q'"."Order""s" VALUES (1), (2), (3);
CREATE PUBLICATION news FOR TABLE people;
"""

# What locks a partitioned table from the top down, as a key to it and a trigger on it, and what goes up, as an index that makes its parents whole.
PARTITIONED = """
CREATE TABLE events (id bigint, at date, kind text, PRIMARY KEY (id, at, kind)) PARTITION BY RANGE (at);
CREATE TABLE events_rest PARTITION OF events DEFAULT PARTITION BY LIST (kind);
CREATE TABLE events_rest_a PARTITION OF events_rest DEFAULT;
CREATE INDEX events_kind ON events (kind);
INSERT INTO events VALUES (1, '2026-01-01', 'a'), (2, '2026-01-02', 'b');
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touched BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TABLE notes (event bigint, at date, kind text, CONSTRAINT of_event FOREIGN KEY (event, at, kind) REFERENCES events);
INSERT INTO notes VALUES (1, '2026-01-01', 'a');
COMMENT ON CONSTRAINT of_event ON notes IS 'what it is about';
"""


@dataclasses.dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal has in hand between backup and copy."""

    marker: Marker
    work: WorkDirectory
    manifest: dict[str, Any]
    sha256: str
    name: str

    @property
    def archive(self) -> str:
        return self.work.file(backup.ARCHIVE)

    def unpack(self) -> dict[str, Any]:
        return unpack(self.work, self.archive, self.sha256)

    def copy_to(self, server: Server) -> dict[str, Any]:
        return make_copy(server, self.name, self.marker, self.unpack(), self.work, jobs=2, deadline_s=60)


Begin = Callable[..., Rehearsal]


def marker_of(rehearsal_id: str) -> Marker:
    return Marker(rehearsal_id, "production/shop", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")


def connect(server: Server, database: str, user: str = "") -> psycopg.Connection[Any]:
    return psycopg.connect(host=server.host, port=server.port, user=user or server.user, dbname=database, autocommit=True)


def execute(server: Server, database: str, sql: str) -> None:
    with connect(server, database) as connection:
        connection.execute(sql)  # type: ignore[call-overload]


def value(server: Server, database: str, sql: str) -> Any:
    with connect(server, database) as connection:
        row = connection.execute(sql).fetchone()  # type: ignore[call-overload]
        return row[0] if row else None


def dump(server: Server, database: str) -> str:
    """All that is in a database, as text."""
    done = subprocess.run([*server.tool("pg_dump", f"--dbname={server.conninfo(database, 'tests')}")], check=True, capture_output=True, text=True)
    return re.sub(r"(?m)^(\\(un)?restrict .*|-- Dumped .*)\n", "", done.stdout)


def exists(server: Server, database: str) -> bool:
    return bool(value(server, "postgres", f"SELECT count(*) FROM pg_database WHERE datname = {quote_literal(database)}"))


def require_attached_alone(restores: list[tuple[int, str]], jobs: int) -> None:
    """Of a copy of `PARTITIONED`: indexes of partitions were attached by one job, before what several did."""
    assert [number for number, entries in restores if " INDEX ATTACH " in entries] == [1]
    place = next(place for place, (_jobs, entries) in enumerate(restores) if " INDEX ATTACH " in entries)
    number, last = restores[-1]
    assert number == jobs and place < len(restores) - 1
    for entry in (" FK CONSTRAINT ", " TRIGGER ", " CONSTRAINT of_event ON notes "):
        assert entry in last and entry not in restores[place][1]


def require_clean_up_takes_all(server: Server, rehearsal: Rehearsal) -> None:
    cleaned = clean_up.clean_up(server, rehearsal.name, rehearsal.marker.id, rehearsal.work, "none", 30)
    assert (cleaned["left"], cleaned["problems"]) == ([], [])
    assert not exists(server, rehearsal.name)
    assert not os.path.exists(rehearsal.work.path)
