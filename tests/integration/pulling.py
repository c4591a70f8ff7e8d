"""A copy that dev pulls: a rehearsal of one, and what tests of it share."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import basebackup, copy_database, copying, ephemeral
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import Limits
from ansible_collections.migrations.rehearsal.plugins.module_utils.ephemeral import Wish
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, application_name, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

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


# What the copy refuses: a condition that has changed since the rows were written.
REFUSED = [
    "CREATE FUNCTION fits(word text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true'",
    "CREATE TABLE held (word text CHECK (public.fits(word)))",
    # More than a pipe holds.
    "INSERT INTO held SELECT 'secret' FROM generate_series(1, 200000)",
    "CREATE OR REPLACE FUNCTION fits(word text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT word <> ''secret'' '",
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

    @property
    def dev(self) -> Server:
        """The copy's server."""
        own = ephemeral.load(self.order.work)
        server = own.server if own else self.order.server
        assert server is not None
        return server

    def pull(self, with_fingerprint: bool = False, **limits: Any) -> copying.Made:
        facts = basebackup.manifest_of(self.production, self.source, self.id, Limits())
        return copying.from_production(self.order, facts, self.production, Limits(**limits), with_fingerprint)

    def ours(self, database: str) -> int:
        """Sessions of the rehearsal's, and of nobody else's, that are in a database."""
        server = self.production if database == self.source else self.dev
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


# Without a server of dev's the copy gets one of its own, by programs that its system user reaches.
Make = Callable[..., Rehearsal]


def rehearsals(place: Path) -> Iterator[Make]:
    """Makes them with work directories below `place`; what they made is removed after the test."""
    made: list[Rehearsal] = []

    def rehearsal(production: Server, source: str, dev: Server | None, server_bin_dir: str = "") -> Rehearsal:
        marker = Marker(new_id(), f"prod/{source}", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
        work = WorkDirectory.at(str(place), marker.id, "dev")
        work.create(marker)
        name = f"copy_{marker.id[-6:]}"
        made.append(Rehearsal(production, source, copying.Order(name, marker, work, dev, Wish(bin_dir=server_bin_dir), deadline_s=60)))
        return made[-1]

    yield rehearsal
    for one in made:
        if one.order.server is not None:
            copy_database.drop_copy(one.order.server, one.database, one.id, 60)
        one.order.work.remove()


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
