"""The copy: marked and closed before a row arrives, equal to production, and never somebody else's database."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import clean_up, copy_database, database_facts, server_facts
from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_database import CopyRefused, drop_copy
from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_marker import read_marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session, quote_identifier, quote_literal
from copy_rehearsal import (
    EVERYTHING,
    PARTITIONED,
    Begin,
    connect,
    dump,
    execute,
    exists,
    marker_of,
    require_attached_alone,
    require_clean_up_takes_all,
    value,
)

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("copy")]

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


def test_indexes_of_partitions_are_attached_while_no_other_job_of_pg_restore_is_at_work(
    postgres_server: Any, database: str, begin: Begin, restores: list[tuple[int, str]]
) -> None:
    execute(postgres_server.server, database, PARTITIONED)
    copy = (rehearsal := begin(database)).copy_to(postgres_server.server)
    assert copy["differences"] == []
    require_attached_alone(restores, jobs=2)
    assert dump(postgres_server.server, rehearsal.name) == dump(postgres_server.server, database)
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
        with Session(server, source, "tests") as session:
            session.execute("CREATE TABLE wörter AS VALUES ('a'), ('B'), ('b')")
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
