"""The copy is held against production value by value, and what it could send is stopped before anything is migrated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    backup,
    copy_database,
    dump_outlets,
    fingerprint,
    outside_world,
    restoring,
    snapshot,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.files import sha256
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("copy proof")]

PRODUCTION = [
    "CREATE TABLE shifts (id bigint PRIMARY KEY, rate integer, note text)",
    "INSERT INTO shifts SELECT n, n * 10, 'заметка ' || n FROM generate_series(1, 50) AS n",
    "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM dblink_exec('host=mail', NEW.note); RETURN NEW; END $$",
    "CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM tell_all(); RETURN OLD; END $$",
    "CREATE FUNCTION tell_all() RETURNS void LANGUAGE sql AS $$ SELECT pg_notify('shifts', '') $$",
    "CREATE FUNCTION copy_all() RETURNS void LANGUAGE plpgsql AS $$ BEGIN COPY shifts TO PROGRAM 'mail'; END $$",
    "CREATE FUNCTION post() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM copy_all(); RETURN NEW; END $$",
    "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
    "CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN IF false THEN PERFORM dblink('', tg_tag); END IF; END $$",
    "CREATE FUNCTION on_any() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('ddl', tg_tag); END $$",
    "CREATE FUNCTION on_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$",
    'CREATE TRIGGER "Tell" BEFORE UPDATE ON shifts FOR EACH ROW EXECUTE FUNCTION tell()',
    "CREATE TRIGGER pass BEFORE DELETE ON shifts FOR EACH ROW EXECUTE FUNCTION pass()",
    "CREATE TRIGGER post BEFORE DELETE ON shifts FOR EACH ROW EXECUTE FUNCTION post()",
    "CREATE TRIGGER keep BEFORE UPDATE ON shifts FOR EACH ROW EXECUTE FUNCTION keep()",
    "CREATE EVENT TRIGGER ddl ON ddl_command_end EXECUTE FUNCTION on_ddl()",
    "CREATE EVENT TRIGGER told ON ddl_command_end EXECUTE FUNCTION on_any()",
    "CREATE EVENT TRIGGER drops ON sql_drop EXECUTE FUNCTION on_drop()",
]
TRIGGERS = "SELECT tgname AS name FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'D' ORDER BY 1"
EVENT_TRIGGERS = "SELECT evtname AS name FROM pg_event_trigger WHERE evtenabled = 'D' ORDER BY 1"


def run(server: Any, database: str, *statements: str) -> None:
    with Session(server.server, database, "tests") as session:
        for statement in statements:
            session.execute(statement)


def names(server: Any, database: str, query: str) -> list[str]:
    with Session(server.server, database, "tests") as session:
        return [row["name"] for row in session.rows(query)]


@pytest.fixture
def production(postgres_server: Any, database: str) -> str:
    run(postgres_server, database, *PRODUCTION)
    return database


def rehearse(server: Any, production: str, base: Path, with_fingerprint: bool) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """(name of the copy, manifest, copy.json)."""
    marker = Marker(new_id(), f"prod/{production}", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
    there, here = (WorkDirectory.at(str(base), marker.id, side) for side in ("production", "dev"))
    there.create(marker)
    here.create(marker)
    manifest = backup.take_backup(server.server, production, marker.id, there, backup.Limits(), with_fingerprint)
    arrived = backup.unpack(here, there.file(backup.ARCHIVE), sha256(there.file(backup.MANIFEST)))
    name = f"copy_{marker.id.replace('-', '_')}"
    try:
        return name, manifest, copy_database.make_copy(server.server, name, marker, arrived, here, jobs=1, deadline_s=60)
    except BaseException:
        server.drop_database(name)
        raise


def test_what_reaches_out_is_stopped_on_the_copy_and_said(postgres_server: Any, production: str, tmp_path: Path) -> None:
    name, manifest, copy = rehearse(postgres_server, production, tmp_path, False)
    try:
        assert names(postgres_server, name, TRIGGERS) == ["Tell", "post"], "NOTIFY stays: nobody listens on a copy"
        assert names(postgres_server, name, EVENT_TRIGGERS) == ["ddl"]
        assert names(postgres_server, production, TRIGGERS) == names(postgres_server, production, EVENT_TRIGGERS) == []
        said = {(entry["kind"], entry["object"]): entry for entry in copy["stopped"]}
        assert list(said) == [("event trigger", "ddl"), ("trigger", "shifts.Tell"), ("trigger", "shifts.post")]
        assert all(entry["error"] is None and entry["reason"] for entry in said.values())
        assert (copy["proved_by"], copy["differences"], "fingerprint" in manifest) == ("counts", [], False)
    finally:
        postgres_server.drop_database(name)


def test_what_is_asked_of_the_catalog_is_enough(postgres_server: Any, production: str) -> None:
    run(postgres_server, production,
        "CREATE SCHEMA other", "CREATE TABLE other.parts (id int) PARTITION BY LIST (id)",
        "CREATE TABLE other.part PARTITION OF other.parts DEFAULT",
        "CREATE TRIGGER told AFTER INSERT ON other.parts FOR EACH ROW EXECUTE FUNCTION post()",
        "CREATE VIEW seen AS SELECT * FROM shifts",
        "CREATE TRIGGER instead INSTEAD OF INSERT ON seen FOR EACH ROW EXECUTE FUNCTION post()",
        "CREATE FOREIGN DATA WRAPPER far", "CREATE SERVER away FOREIGN DATA WRAPPER far", "CREATE USER MAPPING FOR PUBLIC SERVER away",
        "CREATE SUBSCRIPTION late CONNECTION 'host=/nowhere dbname=x' PUBLICATION p WITH (connect = false)",
        "ALTER SUBSCRIPTION late ENABLE")  # fmt: skip
    try:
        with Session(postgres_server.server, production, "tests") as session:
            whole, asked = snapshot.take_snapshot(session), snapshot.take_outward(session)
        expected = [(entry["kind"], entry["object"]) for entry in outside_world.to_stop(whole)]
        assert expected == [
            ("event trigger", "ddl"), ("subscription", "late"), ("trigger", "other.parts.told"), ("trigger", "shifts.Tell"),
            ("trigger", "shifts.post"), ("foreign server", "away"),
        ]  # fmt: skip
        assert list(outside_world.to_stop(asked)) == list(outside_world.to_stop(whole))
        assert sorted(asked["tables"]) == ["other.part", "other.parts", "shifts"]
    finally:
        run(postgres_server, production, "ALTER SUBSCRIPTION late DISABLE", "ALTER SUBSCRIPTION late SET (slot_name = NONE)",
            "DROP SUBSCRIPTION late")  # fmt: skip


def test_a_subscription_is_stopped(postgres_server: Any, database: str) -> None:
    run(postgres_server, database, "CREATE SUBSCRIPTION news CONNECTION 'host=/nowhere dbname=x' PUBLICATION p WITH (connect = false)",
        "ALTER SUBSCRIPTION news ENABLE")  # fmt: skip
    try:
        with Session(postgres_server.server, database, "tests") as session:
            stopped = outside_world.stop(session, snapshot.take_outward(session))
            assert session.value("SELECT subenabled AS v FROM pg_subscription WHERE subname = 'news'") is False
            assert not list(outside_world.to_stop(snapshot.take_snapshot(session)))
        assert [(entry["kind"], entry["object"], entry["error"]) for entry in stopped] == [("subscription", "news", None)]
    finally:
        run(postgres_server, database, "ALTER SUBSCRIPTION news DISABLE", "ALTER SUBSCRIPTION news SET (slot_name = NONE)", "DROP SUBSCRIPTION news")


def test_nothing_is_written_through_a_foreign_server(postgres_servers: Any, tmp_path: Path) -> None:
    server = postgres_servers(15)  # Debian's: the embedded ones have no postgres_fdw
    billing, production = (server.create_database(f"{name}_{new_id()[-6:]}") for name in ("billing", "production"))
    run(server, billing, "CREATE TABLE bills (id int)")
    run(
        server, production, "CREATE EXTENSION postgres_fdw",
        f"CREATE SERVER \"Billing\" FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{server.host}', port '{server.port}', dbname '{billing}')",
        f"CREATE USER MAPPING FOR CURRENT_USER SERVER \"Billing\" OPTIONS (user '{server.user}')",
        "CREATE USER MAPPING FOR PUBLIC SERVER \"Billing\" OPTIONS (user 'nobody')",
        "CREATE FOREIGN TABLE bills (id int) SERVER \"Billing\" OPTIONS (table_name 'bills')", "INSERT INTO bills VALUES (1)",
    )  # fmt: skip
    name = ""
    try:
        name, _manifest, copy = rehearse(server, production, tmp_path, False)
        assert [(entry["kind"], entry["object"], entry["error"]) for entry in copy["stopped"]] == [("foreign server", "Billing", None)]
        with pytest.raises(PostgresError, match="user mapping not found"):
            run(server, name, "INSERT INTO bills VALUES (2)")
        with Session(server.server, name, "tests") as session:
            catalog = snapshot.take_snapshot(session)
            assert catalog["foreign_servers"]["Billing"]["user_mappings"] == [] and not list(outside_world.to_stop(catalog))
        with Session(server.server, billing, "tests") as session:
            assert session.value("SELECT count(*) AS n FROM bills") == 1
        run(server, production, "INSERT INTO bills VALUES (3)")
    finally:
        for database in (name, production, billing):
            server.drop_database(database)


def test_what_cannot_be_stopped_is_said_with_its_reason(postgres_server: Any, production: str) -> None:
    run(postgres_server, production, "DROP EVENT TRIGGER ddl", "DROP EVENT TRIGGER drops", "DROP EVENT TRIGGER told", "CREATE ROLE weak LOGIN")
    try:
        with Session(postgres_server.server, production, "tests") as session:
            catalog = snapshot.take_snapshot(session)
        weak = Server(bin_dir=str(postgres_server.bin_dir), host=postgres_server.host, port=postgres_server.port, user="weak")
        with Session(weak, production, "tests") as session:
            stopped = outside_world.stop(session, catalog)
        assert len(stopped) == 2 and all("must be owner" in entry["error"] for entry in stopped)
        assert names(postgres_server, production, TRIGGERS) == []
    finally:
        run(postgres_server, production, "DROP ROLE weak")


def test_every_value_of_the_copy_is_held_against_production(postgres_server: Any, production: str, tmp_path: Path) -> None:
    name, manifest, copy = rehearse(postgres_server, production, tmp_path, True)
    try:
        assert (copy["proved_by"], copy["differences"]) == ("fingerprint", [])
        assert manifest["fingerprint"]["tables"]["shifts"]["columns"]["rate"]["non_null"] == 50
        run(postgres_server, name, "UPDATE shifts SET rate = 3 WHERE id = 1")
        with Session(postgres_server.server, name, "tests") as session:
            found = copy_database.compare_values(manifest["fingerprint"], fingerprint.take_fingerprint(session))
        assert [(entry["object"], entry["what"]) for entry in found] == [("shifts.rate", "values")]
        run(postgres_server, name, "DELETE FROM shifts WHERE id = 2")
        with Session(postgres_server.server, name, "tests") as session:
            assert copy_database.compare_values(manifest["fingerprint"], fingerprint.take_fingerprint(session)) == []
    finally:
        postgres_server.drop_database(name)


def test_what_production_writes_meanwhile_does_not_count(postgres_server: Any, production: str, tmp_path: Path, monkeypatch: Any) -> None:
    start = dump_outlets.Directory.start
    begun = []

    def write_then_start(outlet: Any, options: list[str]) -> None:
        begun.append(outlet)
        run(postgres_server, production, "UPDATE shifts SET rate = -1 WHERE id > 40")
        start(outlet, options)

    run(postgres_server, production, 'DROP TRIGGER "Tell" ON shifts')
    monkeypatch.setattr(dump_outlets.Directory, "start", write_then_start)
    name, _manifest, copy = rehearse(postgres_server, production, tmp_path, True)
    try:
        assert begun
        assert (copy["proved_by"], copy["differences"]) == ("fingerprint", [])
    finally:
        postgres_server.drop_database(name)


_BROKEN = {
    "a foreign key": (
        "CREATE TABLE p (id int PRIMARY KEY)", "CREATE TABLE c (p int CONSTRAINT c_p REFERENCES p)", "SET session_replication_role = replica",
        "INSERT INTO c VALUES (777)",
    ),
    "a unique index": (
        "CREATE TABLE p (v text)", "CREATE INDEX c_p ON p (v)", "INSERT INTO p VALUES ('777'), ('777')",
        "UPDATE pg_index SET indisunique = true WHERE indexrelid = 'c_p'::regclass",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", _BROKEN)
def test_what_production_only_claims_is_refused_with_a_way_out(postgres_server: Any, database: str, tmp_path: Path, what: str) -> None:
    run(postgres_server, database, *_BROKEN[what])
    with pytest.raises(ToolFailed) as caught:
        rehearse(postgres_server, database, tmp_path, False)
    assert "c_p" in str(caught.value) and str(caught.value).endswith(restoring.BROKEN_BEFORE) and "777" not in str(caught.value)


def test_an_index_that_a_dump_leaves_out_is_known(postgres_server: Any, database: str, tmp_path: Path) -> None:
    run(postgres_server, database, "CREATE TABLE p (v text)", "CREATE INDEX good ON p (v)", 'CREATE INDEX "half.made" ON p (v)',
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '\"half.made\"'::regclass")  # fmt: skip
    name, manifest, copy = rehearse(postgres_server, database, tmp_path, False)
    try:
        assert manifest["invalid_indexes"] == ['"half.made"'] and copy["facts"]["invalid_indexes"] == copy["differences"] == []
    finally:
        postgres_server.drop_database(name)
