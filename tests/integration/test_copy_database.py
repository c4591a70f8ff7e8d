"""The copy: marked and closed before a row arrives, equal to production, and never somebody else's database."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import backup, clean_up, copy_database, database_facts, files, server_facts
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import BackupDamaged, Limits, take_backup, unpack
from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_database import CopyRefused, drop_copy, make_copy
from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_marker import read_marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, copy_database_name, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import (
    PostgresError,
    Server,
    Session,
    quote_identifier,
    quote_literal,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("copy")]

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


@pytest.fixture
def begin(postgres_server: Any, tmp_path: Path) -> Iterator[Begin]:
    """Back a database up; its copies are dropped after the test, whoever made them."""
    made: list[tuple[Server, str]] = []

    def start(database: str, source: Server | None = None, target: Server | None = None, name: str = "") -> Rehearsal:
        marker = marker_of(new_id())
        work = WorkDirectory.at(str(tmp_path / "work"), marker.id, "dev")
        work.create(marker)
        manifest = take_backup(source or postgres_server.server, database, marker.id, work, Limits())
        name = name or f"copy_{marker.id}"
        made.append((target or postgres_server.server, name))
        return Rehearsal(marker, work, manifest, files.sha256(work.file(backup.MANIFEST)), name)

    yield start
    for server, name in made:
        with Session(server, "postgres", "tests") as session:
            session.execute(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")


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


def require_clean_up_takes_all(server: Server, rehearsal: Rehearsal) -> None:
    cleaned = clean_up.clean_up(server, rehearsal.name, rehearsal.marker.id, rehearsal.work, "none", 30)
    assert (cleaned["left"], cleaned["problems"]) == ([], [])
    assert not exists(server, rehearsal.name)
    assert not os.path.exists(rehearsal.work.path)


# -- Equal ----------------------------------------------------------------------------------------------------------------------


def test_the_copy_of_everything_dumps_as_production_does(
    postgres_server: Any, database: str, fill_richly: Callable[[str], None], begin: Begin
) -> None:
    fill_richly(database)
    execute(postgres_server.server, database, "DROP TABLE IF EXISTS people, parts CASCADE; DROP MATERIALIZED VIEW IF EXISTS totals")
    execute(postgres_server.server, database, EVERYTHING)
    rehearsal = begin(database)
    copy = rehearsal.copy_to(postgres_server.server)
    assert (copy["differences"], copy["settings_not_replayed"], copy["missing_roles"]) == ([], [], [])
    # All but what would lead to another server.
    execute(postgres_server.server, database, "DROP USER MAPPING FOR snapshot_reader SERVER far")
    assert dump(postgres_server.server, rehearsal.name) == dump(postgres_server.server, database)
    counted = rehearsal.manifest["rows"]
    assert counted["people"] == 50 and counted["parts_1"] == 31 and counted["scratch"] == 9
    assert counted["Заказы"] == 2 and counted['"Upper.Case \'q\'"."Order""s"'] == 3
    assert copy["rows"] == sum(counted.values())
    require_clean_up_takes_all(postgres_server.server, rehearsal)


@pytest.mark.parametrize("name", ['Прод "1".x', "it's", "back\\slash", "host=x dbname=y", "postgresql://x", "$(id)"])
def test_databases_may_have_any_name(postgres_server: Any, begin: Begin, name: str) -> None:
    source = postgres_server.create_database(f"src {name}")
    try:
        execute(postgres_server.server, source, "CREATE TABLE t AS SELECT 1 AS id")
        rehearsal = begin(source, name=f"{name} copy")
        copy = rehearsal.copy_to(postgres_server.server)
        assert copy["differences"] == [] and copy["rows"] == 1
        require_clean_up_takes_all(postgres_server.server, rehearsal)
    finally:
        postgres_server.drop_database(source)


def test_objects_of_an_extension_come_with_it(postgres_server: Any, database: str, begin: Begin) -> None:
    if not value(postgres_server.server, "postgres", "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'"):
        pytest.skip("extension vector is not installed")
    execute(
        postgres_server.server,
        database,
        "CREATE SCHEMA ext; CREATE EXTENSION vector SCHEMA ext; CREATE TABLE v (e ext.vector(3)); INSERT INTO v VALUES ('[1,2,3]'), ('[4,5,6]');"
        "CREATE INDEX ON v USING hnsw (e ext.vector_l2_ops)",
    )
    rehearsal = begin(database)
    copy = rehearsal.copy_to(postgres_server.server)
    assert copy["differences"] == [] and "vector" in copy["facts"]["extensions"]
    assert dump(postgres_server.server, rehearsal.name) == dump(postgres_server.server, database)


@pytest.mark.parametrize(
    ("major", "locale"),
    [
        (18, "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"),
        (18, "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"),
        (16, "ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C'"),
        (15, "LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'"),
        # Debian's: the embedded servers are built without ICU.
        (15, "LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'"),
        (18, "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"),
        (18, "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'PG_UNICODE_FAST'"),
    ],
)
def test_encoding_and_collation_are_productions(postgres_servers: Callable[[int], Any], begin: Begin, major: int, locale: str) -> None:
    server = postgres_servers(major).server
    source = f"source {new_id()}"
    try:
        execute(server, "postgres", f"CREATE DATABASE {quote_identifier(source)} TEMPLATE template0 {locale}")
    except psycopg.Error as error:
        pytest.skip(f"PostgreSQL {major} here: {error.diag.message_primary}")
    try:
        execute(server, source, "CREATE TABLE words AS VALUES ('a'), ('B'), ('b')")
        rehearsal = begin(source, server, server)
        copy = rehearsal.copy_to(server)
        assert copy["differences"] == []
        others = "{oid,datname,datfrozenxid,datminmxid,datacl}"
        locales = f"SELECT (to_jsonb(d) - '{others}'::text[])::text FROM pg_database d WHERE datname = "
        facts = [json.loads(value(server, "postgres", locales + quote_literal(name))) for name in (source, rehearsal.name)]
        assert facts[0] == facts[1]
    finally:
        execute(server, "postgres", f"DROP DATABASE {quote_identifier(source)}")


def test_a_newer_server_on_dev(postgres_servers: Callable[[int], Any], begin: Begin) -> None:
    old, new = postgres_servers(16).server, postgres_servers(18).server
    source = postgres_servers(16).create_database(f"source {new_id()}")
    role = f"only_there_{new_id().replace('-', '_')}"
    try:
        execute(old, source, EVERYTHING)
        execute(old, source, f"CREATE ROLE {role}; ALTER TABLE people OWNER TO {role}; GRANT SELECT ON parts TO {role}")
        # The older pg_dump on production, the newer pg_restore on dev.
        rehearsal = begin(source, old, new)
        copy = rehearsal.copy_to(new)
        assert copy["missing_roles"] == [role]
        assert copy["differences"] == []
    finally:
        postgres_servers(16).drop_database(source)
        execute(old, "postgres", f"DROP ROLE {role}")


def test_production_whose_superuser_has_another_name(postgres_servers: Callable[[int], Any], begin: Begin) -> None:
    """As in containers, where POSTGRES_USER names it: PostgreSQL keeps no dependencies on its first role."""
    there, here = postgres_servers(16), postgres_servers(18)
    source = there.create_database(f"source {new_id()}")
    execute(there.server, source, "CREATE TABLE t AS SELECT 1 AS id; CREATE ROLE other SUPERUSER LOGIN")
    as_other = dataclasses.replace(there.server, user="other")
    try:
        execute(as_other, "postgres", f"ALTER ROLE {there.user} RENAME TO staffprobot_boss")
        rehearsal = begin(source, as_other, here.server)
        copy = rehearsal.copy_to(here.server)
        assert copy["missing_roles"] == ["staffprobot_boss"]
        assert copy["differences"] == []
    finally:
        execute(as_other, "postgres", f"ALTER ROLE staffprobot_boss RENAME TO {there.user}")
        there.drop_database(source)
        execute(there.server, "postgres", "DROP ROLE other")


def test_a_subscription_of_production_is_not_taken_up_and_does_not_hold_the_copy(postgres_server: Any, database: str, begin: Begin) -> None:
    execute(postgres_server.server, database, "CREATE TABLE t (id int)")
    execute(postgres_server.server, database, "CREATE SUBSCRIPTION feed CONNECTION 'host=production.invalid' PUBLICATION news WITH (connect = false)")
    try:
        rehearsal = begin(database)
        copy = rehearsal.copy_to(postgres_server.server)
        assert copy["differences"] == []
        require_clean_up_takes_all(postgres_server.server, rehearsal)
    finally:
        for statement in ("ALTER SUBSCRIPTION feed DISABLE", "ALTER SUBSCRIPTION feed SET (slot_name = NONE)", "DROP SUBSCRIPTION feed"):
            execute(postgres_server.server, database, statement)


def test_a_trigger_that_fires_at_a_login_does_not_fire_before_it_is_disabled(postgres_servers: Callable[[int], Any], begin: Begin) -> None:
    """It would run in the first session that looks for what has to be disabled."""
    server = postgres_servers(18)
    place = Path(tempfile.mkdtemp(prefix="login-"))
    place.chmod(0o711)
    told = place / "told"
    told.touch()
    told.chmod(0o666)
    source = server.create_database(f"source {new_id()}")
    body = f"BEGIN COPY (SELECT current_database()) TO PROGRAM 'cat >> {told}'; END"
    try:
        execute(server.server, source, f"CREATE FUNCTION tell() RETURNS event_trigger LANGUAGE plpgsql AS $f$ {body} $f$")
        execute(server.server, source, "CREATE EVENT TRIGGER telling ON login EXECUTE FUNCTION tell()")
        execute(server.server, source, "CREATE TABLE t AS SELECT 1 AS id")
        rehearsal = begin(source, server.server, server.server)
        copy = rehearsal.copy_to(server.server)
        assert [(entry["object"], entry["error"]) for entry in copy["stopped"]] == [("telling", None)]
        assert copy["differences"] == []
        with Session(server.server, rehearsal.name, "tests") as session:
            assert session.value("SELECT current_setting('event_triggers')") == "on", "others fire in what is rehearsed"
            assert session.value("SELECT count(*) FROM pg_event_trigger WHERE evtenabled = 'D'") == 1
        assert set(told.read_text().splitlines()) == {source}, "in production, and never in the copy"
    finally:
        shutil.rmtree(place)
        server.drop_database(source)


def test_who_may_not_switch_event_triggers_off_makes_a_copy_all_the_same(postgres_servers: Callable[[int], Any], begin: Begin) -> None:
    server = postgres_servers(18)
    source, role = server.create_database(f"source {new_id()}"), f"maker_{new_id().replace('-', '_')}"
    execute(server.server, "postgres", f"CREATE ROLE {role} LOGIN CREATEDB")
    rehearsal = begin(source, server.server, server.server)
    try:
        rehearsal.copy_to(dataclasses.replace(server.server, user=role))
        assert exists(server.server, rehearsal.name)
    finally:
        server.drop_database(rehearsal.name)
        server.drop_database(source)
        execute(server.server, "postgres", f"DROP ROLE {role}")


def test_tablespaces_that_dev_lacks(postgres_server: Any, database: str, begin: Begin, tmp_path: Path) -> None:
    server, place = postgres_server.server, Path(tempfile.mkdtemp(prefix="tablespace-"))
    if postgres_server.cluster.system_user:
        shutil.chown(place, postgres_server.cluster.system_user)
    execute(server, "postgres", f"CREATE TABLESPACE fast LOCATION '{place}'")
    try:
        execute(server, database, "CREATE TABLE t (id int PRIMARY KEY USING INDEX TABLESPACE fast) TABLESPACE fast; INSERT INTO t VALUES (1)")
        with Session(server, database, "tests") as session:
            production = {**database_facts.read_facts(session), **server_facts.read(session)}
            assert server_facts.differences(session, production) == [
                ("fast", "production has tables in 1 tablespaces of its own; on the copy all are in one place")
            ]
        rehearsal = begin(database)
        execute(server, database, "DROP TABLE t")
    finally:
        execute(server, "postgres", "DROP TABLESPACE fast")
    with Session(server, database, "tests") as session:
        assert [message for _thing, message in server_facts.differences(session, production)][1].startswith("dev has no such tablespace")
    copy = rehearsal.copy_to(server)
    assert (copy["differences"], copy["rows"]) == ([], 1)


# -- Settings -------------------------------------------------------------------------------------------------------------------

SETTINGS = {
    "TimeZone": "Europe/Moscow",
    "search_path": '"$user", "Odd.Schema", public',
    "DateStyle": "ISO, DMY",
    "work_mem": "7MB",
    "app.greeting": 'it\'s "fine" \\ here,  there',
    "app.empty": "",
    "App.Mixed": "x",
    "statement_timeout": "50min",
    "default_transaction_isolation": "repeatable read",
    "lc_monetary": "C",
}


def test_settings_of_the_database_and_of_roles_in_it_are_replayed(postgres_server: Any, database: str, begin: Begin) -> None:
    server = postgres_server.server
    role = f"Odd role {new_id()}"
    execute(server, database, f'CREATE SCHEMA "Odd.Schema"; CREATE ROLE {quote_identifier(role)} LOGIN')
    try:
        for target in (f"DATABASE {database}", f"ROLE {quote_identifier(role)} IN DATABASE {database}"):
            for name, content in SETTINGS.items():
                # Lists of names are given as a list; everything else as one literal.
                rendered = content if name == "search_path" else quote_literal(content)
                if name == "search_path" and "ROLE" in target:
                    rendered = "''"
                execute(server, "postgres", f"ALTER {target} SET {name} = {rendered}")
        # Another database's settings are nobody's business.
        execute(server, "postgres", f"ALTER ROLE {quote_identifier(role)} IN DATABASE postgres SET work_mem = '9MB'")
        rehearsal = begin(database)
        copy = rehearsal.copy_to(server)
        assert (copy["settings_not_replayed"], copy["differences"]) == ([], [])
        query = "SELECT json_agg(setconfig ORDER BY setrole) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase AND datname = "
        original, replayed = (value(server, "postgres", query + quote_literal(name)) for name in (database, rehearsal.name))
        assert len(original) == 2 and len(original[0]) == len(SETTINGS)
        assert [sorted(one) for one in replayed] == [sorted(one) for one in original]
        for user in (server.user, role):
            if user == role:
                execute(server, "postgres", f"GRANT CONNECT ON DATABASE {quote_identifier(rehearsal.name)} TO {quote_identifier(role)}")
            with connect(server, database, user) as there, connect(server, rehearsal.name, user) as here:
                for name in SETTINGS:
                    shown = [connection.execute(f"SHOW {name}").fetchone() for connection in (there, here)]  # type: ignore[call-overload]
                    assert shown[0] == shown[1], name
    finally:
        postgres_server.drop_database(database)
        execute(server, "postgres", f"ALTER ROLE {quote_identifier(role)} IN DATABASE postgres RESET ALL")
        if "rehearsal" in locals():
            postgres_server.drop_database(rehearsal.name)
        execute(server, "postgres", f"DROP ROLE {quote_identifier(role)}")


def test_a_setting_that_cannot_be_replayed_is_said(postgres_server: Any, database: str, begin: Begin) -> None:
    rehearsal = begin(database)
    rehearsal.copy_to(postgres_server.server)
    with Session(postgres_server.server, rehearsal.name, "tests") as session:
        failures = copy_database.replay_settings(session, rehearsal.name, {"": ["work_mem=lots"], "nobody at all": ["work_mem=7MB"]})
    assert len(failures) == 2
    assert failures[0].startswith("work_mem: ") and "nobody at all" in failures[1]


def test_production_that_is_read_only_by_a_setting_can_be_copied(postgres_server: Any, database: str, begin: Begin) -> None:
    execute(postgres_server.server, database, "CREATE TABLE t AS SELECT 1 AS id")
    execute(postgres_server.server, "postgres", f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    rehearsal = begin(database)
    assert rehearsal.copy_to(postgres_server.server)["differences"] == []
    require_clean_up_takes_all(postgres_server.server, rehearsal)


# -- Closed and marked ----------------------------------------------------------------------------------------------------------


def test_nobody_gets_in_before_the_marker_is_on(postgres_server: Any, database: str, begin: Begin) -> None:
    """The comment is held up by a lock: what is there until then is closed."""
    server = postgres_server.server
    execute(server, database, "CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n")
    rehearsal = begin(database)
    made: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: made.append(rehearsal.copy_to(server)))
    state = "SELECT datallowconn, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = " + quote_literal(rehearsal.name)
    with connect(server, "postgres") as holder, connect(server, "postgres") as looking:
        holder.execute("BEGIN; LOCK TABLE pg_shdescription IN SHARE MODE")
        thread.start()
        deadline = time.monotonic() + 20
        while not exists(server, rehearsal.name) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        assert looking.execute(state).fetchone() == (False, None)  # type: ignore[call-overload]
        with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
            connect(server, rehearsal.name)
        holder.execute("ROLLBACK")
        seen = set()
        while thread.is_alive():
            seen.add(looking.execute(state).fetchone())  # type: ignore[call-overload]
    thread.join()
    assert made and made[0]["differences"] == []
    assert all(comment is not None for allowed, comment in seen if allowed), "open, and without a marker"
    assert {Marker.from_text(comment) for allowed, comment in seen if allowed} == {rehearsal.marker}


def test_only_its_owner_may_connect(postgres_server: Any, database: str, begin: Begin) -> None:
    server = postgres_server.server
    rehearsal = begin(database)
    rehearsal.copy_to(server)
    execute(server, "postgres", "CREATE ROLE passer_by LOGIN")
    try:
        connect(server, database, "passer_by").close()
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            connect(server, rehearsal.name, "passer_by")
    finally:
        execute(server, "postgres", "DROP ROLE passer_by")


# -- Whose ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("comment", [None, "Alice's, do not touch", '{"rehearsal": {"id": "mine"}}', marker_of("20200101-000000-aaaaaa").to_text()])
def test_a_database_that_is_not_this_rehearsals_is_never_touched(postgres_server: Any, database: str, begin: Begin, comment: str | None) -> None:
    server = postgres_server.server
    execute(server, database, "CREATE TABLE t AS SELECT 1 AS id")
    rehearsal = begin(database)
    postgres_server.create_database(rehearsal.name)
    execute(server, rehearsal.name, "CREATE TABLE theirs AS SELECT 42 AS answer")
    if comment is not None:
        execute(server, rehearsal.name, f"COMMENT ON DATABASE {quote_identifier(rehearsal.name)} IS {quote_literal(comment)}")
    oid = f"SELECT oid::int FROM pg_database WHERE datname = {quote_literal(rehearsal.name)}"
    before = (dump(server, rehearsal.name), value(server, "postgres", oid))
    with connect(server, rehearsal.name) as theirs:
        with pytest.raises(CopyRefused, match="it was not touched"):
            rehearsal.copy_to(server)
        with pytest.raises(CopyRefused):
            drop_copy(server, rehearsal.name, rehearsal.marker.id, 30)
        cleaned = clean_up.clean_up(server, rehearsal.name, rehearsal.marker.id, rehearsal.work, "none", 30)
        # Whoever is connected to it stays so.
        assert theirs.execute("SELECT answer FROM theirs").fetchone() == (42,)
    assert (cleaned["copy"], cleaned["left"], cleaned["problems"]) == ("absent", [], [])
    assert (dump(server, rehearsal.name), value(server, "postgres", oid)) == before


def test_its_own_from_an_earlier_try_is_made_anew(postgres_server: Any, database: str, begin: Begin) -> None:
    server = postgres_server.server
    execute(server, database, "CREATE TABLE t AS SELECT 1 AS id")
    rehearsal = begin(database)
    copy_database.create_copy(server, rehearsal.name, rehearsal.marker, rehearsal.manifest, 30)
    execute(server, rehearsal.name, "CREATE TABLE half AS SELECT 1 AS id")
    assert rehearsal.copy_to(server)["differences"] == []
    with Session(server, "postgres", "tests") as session:
        assert read_marker(session, rehearsal.name) == rehearsal.marker
    assert drop_copy(server, rehearsal.name, rehearsal.marker.id, 30) == "dropped"
    assert drop_copy(server, rehearsal.name, rehearsal.marker.id, 30) == "absent"


# -- Damaged --------------------------------------------------------------------------------------------------------------------


def members_of(path: str) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(path) as archive:
        return [(member, archive.extractfile(member).read()) for member in archive]  # type: ignore[union-attr]


def pack(path: str, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    with tarfile.open(path, "w") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def damage_data(members: list[tuple[tarfile.TarInfo, bytes]]) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [(info, flipped(content) if info.name.endswith(".gz") else content) for info, content in members]


DAMAGES: dict[str, Callable[[list[tuple[tarfile.TarInfo, bytes]]], list[tuple[tarfile.TarInfo, bytes]]]] = {
    "one bit of the data": damage_data,
    "one bit of the table of contents": lambda m: [(i, flipped(c) if i.name.endswith("toc.dat") else c) for i, c in m],
    "one bit of the manifest": lambda m: [(i, flipped(c) if i.name == "manifest.json" else c) for i, c in m],
    "a file missing": lambda m: [one for one in m if not one[0].name.endswith(".gz")],
    "a file cut short": lambda m: [(i, c[:-1] if i.name.endswith(".gz") else c) for i, c in m],
    "a file twice": lambda m: [*m, *damage_data([one for one in m if one[0].name.endswith(".gz")])],
    "a file too many": lambda m: [*m, (entry("dump/9999.dat"), b"x")],
    "no manifest": lambda m: [one for one in m if one[0].name != "manifest.json"],
    "nothing": lambda _m: [],
    "a path out of it": lambda m: [*m, (entry("dump/../../escaped"), b"x")],
    "an absolute path": lambda m: [*m, (entry("/tmp/escaped-from-backup"), b"x")],
    "a symbolic link": lambda m: [*m, (entry("dump/link", tarfile.SYMTYPE, "/etc/passwd"), b"")],
    "a hard link": lambda m: [*m, (entry("dump/link", tarfile.LNKTYPE, "manifest.json"), b"")],
    "a device": lambda m: [*m, (entry("dump/null", tarfile.CHRTYPE), b"")],
    "another directory": lambda m: [*m, (entry("evidence/manifest.json"), b"{}")],
}


@pytest.fixture
def packed(postgres_server: Any, database: str, begin: Begin) -> Rehearsal:
    execute(postgres_server.server, database, "CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n")
    return begin(database)


@pytest.fixture(scope="module")
def pristine(postgres_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rehearsal, bytes]]:
    """A good backup, as bytes."""
    source = postgres_server.create_database("to_be_damaged")
    marker = marker_of(new_id())
    work = WorkDirectory.at(str(tmp_path_factory.mktemp("pristine")), marker.id, "production")
    work.create(marker)
    execute(postgres_server.server, source, "CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n")
    manifest = take_backup(postgres_server.server, source, marker.id, work, Limits())
    yield Rehearsal(marker, work, manifest, files.sha256(work.file(backup.MANIFEST)), ""), Path(work.file(backup.ARCHIVE)).read_bytes()
    postgres_server.drop_database(source)


@pytest.fixture
def arrived(pristine: tuple[Rehearsal, bytes], tmp_path: Path) -> Rehearsal:
    """The good backup in a work directory on dev."""
    rehearsal, content = pristine
    work = WorkDirectory.at(str(tmp_path / "work"), rehearsal.marker.id, "dev")
    work.create(rehearsal.marker)
    Path(work.file(backup.ARCHIVE)).write_bytes(content)
    return dataclasses.replace(rehearsal, work=work)


def test_a_backup_that_arrived_as_it_was_taken_is_unpacked(arrived: Rehearsal) -> None:
    assert arrived.unpack() == arrived.manifest
    assert not os.path.exists(arrived.archive)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_backup_that_did_not_arrive_as_it_was_taken_is_refused(arrived: Rehearsal, tmp_path: Path, damage: str) -> None:
    pack(arrived.archive, DAMAGES[damage](members_of(arrived.archive)))
    with pytest.raises(BackupDamaged) as refused:
        arrived.unpack()
    assert refused.value.code == "copy-differs"
    assert not (tmp_path / "work/escaped").exists() and not Path("/tmp/escaped-from-backup").exists()
    assert [path for path in Path(arrived.work.path).rglob("*") if path.is_symlink()] == []


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 1])
def test_a_backup_cut_short_on_its_way_is_refused(arrived: Rehearsal, share: float) -> None:
    with tarfile.open(arrived.archive) as archive:
        last = max(member.offset_data + member.size for member in archive)
    os.truncate(arrived.archive, int((last - 1) * share))
    with pytest.raises(BackupDamaged):
        arrived.unpack()


def test_a_backup_that_never_arrived_is_refused(arrived: Rehearsal) -> None:
    os.unlink(arrived.archive)
    with pytest.raises(BackupDamaged):
        arrived.unpack()


def test_a_backup_of_one_custom_format_file_is_checked_too(postgres_server: Any, database: str, begin: Begin) -> None:
    server = dataclasses.replace(postgres_server.server, prefix=("env", "LC_ALL=C"))
    execute(postgres_server.server, database, EVERYTHING)
    rehearsal = begin(database, server)
    pack(rehearsal.archive, [(i, flipped(c) if i.name == "dump" else c) for i, c in members_of(rehearsal.archive)])
    with pytest.raises(BackupDamaged, match="dump is not what was taken"):
        rehearsal.unpack()
    again = begin(database, server)
    assert again.copy_to(server)["differences"] == []
    require_clean_up_takes_all(server, again)


# -- Failing and differing ------------------------------------------------------------------------------------------------------


@pytest.fixture
def shim(postgres_server: Any, tmp_path: Path) -> Callable[[str], Server]:
    """The server with a pg_restore that is a script; `$REAL` is the real one."""

    def make(script: str) -> Server:
        place = tmp_path / "shims"
        place.mkdir()
        (place / "psql").symlink_to(postgres_server.bin_dir / "psql")
        (place / "pg_restore").write_text(
            f'#!/bin/sh\nREAL="{postgres_server.bin_dir}/pg_restore"\n'
            'for word; do case "$word" in --dbname=*) target="${word#--dbname=}";; esac; done\n'
            f'sql() {{ "{postgres_server.bin_dir}/psql" -X -q -d "$target" -c "$1"; }}\n{script}\n'
        )
        (place / "pg_restore").chmod(0o755)
        return dataclasses.replace(postgres_server.server, bin_dir=str(place))

    return make


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("DELETE FROM t WHERE n = 500", {"object": "t", "what": "rows", "production": 1000, "copy": 999}),
        ("INSERT INTO t VALUES (0)", {"object": "t", "what": "rows", "production": 1000, "copy": 1001}),
        ("DROP TABLE t", {"object": "t", "what": "rows", "production": 1000, "copy": None}),
        ("CREATE TABLE u ()", {"object": "u", "what": "rows", "production": None, "copy": 0}),
        ("UPDATE alembic_version SET version_num = 'b'", {"object": "database", "what": "revisions"}),
        ("DROP EXTENSION plpgsql", {"object": "plpgsql", "what": "extension version"}),
    ],
)
def test_any_difference_from_the_manifest_is_told(
    postgres_server: Any, database: str, begin: Begin, shim: Callable[[str], Server], sql: str, expected: dict[str, Any]
) -> None:
    execute(
        postgres_server.server,
        database,
        "CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n;"
        "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('a')",
    )
    copy = begin(database).copy_to(shim(f'"$REAL" "$@" && sql "{sql}"'))
    assert len(copy["differences"]) == 1
    assert expected.items() <= copy["differences"][0].items()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ('"$REAL" "$@"; exit 1', "ended with exit code 1"),
        ('"$REAL" "$@"; kill -9 $$', "SIGKILL"),
        ("exit 0", None),
    ],
    ids=["fails late", "killed", "did nothing and said it was well"],
)
def test_a_pg_restore_that_fails_is_an_error(packed: Rehearsal, shim: Callable[[str], Server], script: str, message: str | None) -> None:
    server = shim(script)
    if message is None:
        assert {difference["object"] for difference in packed.copy_to(server)["differences"]} == {"t"}
    else:
        with pytest.raises(ToolFailed, match=message):
            packed.copy_to(server)
    require_clean_up_takes_all(server, packed)


def test_a_restore_that_fails_midway_is_an_error_and_names_no_row(postgres_server: Any, database: str, begin: Begin) -> None:
    """A check that asks another table: true where it was written, and not while pg_restore fills one table after the other."""
    execute(
        postgres_server.server,
        database,
        """CREATE TABLE a_first (id int PRIMARY KEY); CREATE TABLE limits (most int); INSERT INTO limits VALUES (1000);
        CREATE FUNCTION within(n int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT n < (SELECT max(most) FROM public.limits)';
        CREATE TABLE b_second (secret text, n int CONSTRAINT in_limits CHECK (coalesce(within(n), false)));
        INSERT INTO a_first SELECT generate_series(1, 5000); INSERT INTO b_second VALUES ('tell nobody', 7)""",
    )
    rehearsal = begin(database)
    server = postgres_server.server
    # One table after the other in the order of their names: limits is still empty.
    with pytest.raises(ToolFailed, match="pg_restore.*in_limits") as failure:
        make_copy(server, rehearsal.name, rehearsal.marker, rehearsal.unpack(), rehearsal.work, jobs=1, deadline_s=60)
    assert "tell nobody" not in str(failure.value)
    # It stopped there: what would have come next did not.
    assert value(server, rehearsal.name, "SELECT count(*) FROM limits") == 0
    require_clean_up_takes_all(server, rehearsal)


def test_the_copy_goes_even_while_somebody_works_in_it(packed: Rehearsal, postgres_server: Any) -> None:
    server = postgres_server.server
    packed.copy_to(server)
    busy = connect(server, packed.name)
    busy.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
    require_clean_up_takes_all(server, packed)
    with pytest.raises(psycopg.OperationalError):
        busy.execute("SELECT 1")
    busy.close()


def test_clean_up_on_a_server_that_is_gone_is_not_silent(packed: Rehearsal) -> None:
    nowhere = Server(host="/nowhere", port=1, user="x", bin_dir="")
    cleaned = clean_up.clean_up(nowhere, packed.name, packed.marker.id, packed.work, "none", 30)
    assert cleaned["copy"] == "left" and cleaned["problems"]
    assert isinstance(cleaned["problems"][0], str)
    with pytest.raises(PostgresError):
        drop_copy(nowhere, packed.name, packed.marker.id, 30)


@pytest.mark.parametrize("keep", ["copy", "backup"])
def test_what_is_not_there_is_not_said_to_be_kept(postgres_server: Any, tmp_path: Path, keep: str) -> None:
    marker = marker_of(new_id())
    work = WorkDirectory.at(str(tmp_path), marker.id, "dev")
    work.create(marker)
    cleaned = clean_up.clean_up(postgres_server.server, f"copy_{marker.id}", marker.id, work, keep, 30)
    assert (cleaned["copy"], cleaned["work_directory"]) == ("absent", "removed")
    assert (cleaned["left"], cleaned["problems"]) == ([], [])
    assert not os.path.exists(work.path)


def test_a_kept_backup_is_the_backup_alone(packed: Rehearsal, postgres_server: Any) -> None:
    packed.copy_to(postgres_server.server)
    Path(packed.work.file("evidence.tar.gz")).write_text("")
    cleaned = clean_up.clean_up(postgres_server.server, packed.name, packed.marker.id, packed.work, "backup", 30)
    assert (cleaned["copy"], cleaned["work_directory"], cleaned["left"], cleaned["problems"]) == ("dropped", "kept", [], [])
    assert sorted(os.listdir(packed.work.path)) == ["dump", "manifest.json", "rehearsal.json"]


def test_a_kept_copy_stays_alone(packed: Rehearsal, postgres_server: Any) -> None:
    packed.copy_to(postgres_server.server)
    cleaned = clean_up.clean_up(postgres_server.server, packed.name, packed.marker.id, packed.work, "copy", 30)
    assert (cleaned["copy"], cleaned["work_directory"], cleaned["left"], cleaned["problems"]) == ("kept", "removed", [], [])
    assert exists(postgres_server.server, packed.name)


def test_two_clean_ups_at_once_do_not_end_each_other(packed: Rehearsal, postgres_server: Any) -> None:
    """Two inventory names of one host and server are swept side by side."""
    server, late = postgres_server.server, datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    base = os.path.dirname(packed.work.path)
    for _time in range(4):
        packed.work.create(packed.marker)
        copy_database.create_copy(server, packed.name, packed.marker, packed.manifest, 30)
        for number in range(200):
            Path(packed.work.file("evidence", str(number))).write_text("")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _number: clean_up.sweep(server, True, base, late, 30, False), range(4)))
        assert [result["problems"] for result in results] == [[]] * 4
        assert sum(f"database {packed.name}" in result["removed"] for result in results) == 1
        assert not exists(server, packed.name) and not os.path.exists(packed.work.path)


def test_one_that_could_not_be_marked_is_told_and_left_alone(postgres_server: Any, tmp_path: Path) -> None:
    """The process ended between making and marking it: nobody else has such a name, and still it carries no marker."""
    marker = marker_of(new_id())
    work = WorkDirectory.at(str(tmp_path), marker.id, "dev")
    work.create(marker)
    name = postgres_server.create_database(copy_database_name(marker.id))
    try:
        cleaned = clean_up.clean_up(postgres_server.server, name, marker.id, work, "none", 30)
        assert cleaned["copy"] == "left" and name in cleaned["problems"][0]
        assert exists(postgres_server.server, name)
    finally:
        postgres_server.drop_database(name)
