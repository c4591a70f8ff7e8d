"""Snapshots of real servers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import snapshot as module
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session, tool_environment
from ansible_collections.migrations.rehearsal.plugins.module_utils.schema_diff import diff
from ansible_collections.migrations.rehearsal.plugins.module_utils.snapshot import take_snapshot

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def rich(postgres_server: Any, fill_richly: Callable[[str], None]) -> Iterator[str]:
    """A database with every kind of object; tests leave it as it is."""
    name = postgres_server.create_database("snapshot_rich")
    fill_richly(name)
    yield name
    postgres_server.drop_database(name)


@pytest.fixture
def take(postgres_server: Any) -> Callable[..., dict[str, Any]]:
    def take(database: str, settings: dict[str, str] | None = None) -> dict[str, Any]:
        with Session(postgres_server.server, database, "tests", settings) as session:
            return take_snapshot(session)

    return take


def test_every_kind_of_object_is_there(rich: str, take: Any, postgres_server: Any) -> None:
    catalog = take(rich)
    assert {name: list(catalog[name]) for name in ("schemas", "sequences", "views", "types", "event_triggers", "publications")} == {
        "schemas": ["Odd.Name", "billing", "public"],
        "sequences": ["shifts_id_seq", "ticket", "users_id_seq"],
        "views": ["billing.small", "open_shifts", "totals"],
        "types": ["mood", "pair", "positive", "span"],
        "event_triggers": ["watcher"],
        "publications": ["everything", "part"],
    }
    assert list(catalog["functions"]) == ["close_day(date)", "product(integer)", "tariff(date, integer)", "tariff(text)", "touch()", "watch()"]
    assert {name: one["kind"] for name, one in catalog["tables"].items() if one["kind"] != "table"} == {
        "events": "partitioned table",
        "events_rest": "partitioned table",
        "far_away": "foreign table",
    }
    assert '"Odd.Name"."Table ""x"""' in catalog["tables"]
    assert list(catalog["others"]) == [
        "cast (public.pair AS public.mood)",
        "collation public.german",
        "foreign-data wrapper nothing",
        "operator public.===(integer,integer)",
        "text search configuration public.plain",
    ]
    assert catalog["server_version_num"] // 10000 == postgres_server.major
    assert catalog["server_version"].split(".")[0] == str(postgres_server.major)


def test_what_is_known_of_a_table(rich: str, take: Any) -> None:
    catalog = take(rich)
    shifts, users = catalog["tables"]["shifts"], catalog["tables"]["users"]
    assert users["columns"]["email"]["comment"] == 'where we write to; "quoted"'
    assert [users["columns"][name]["position"] for name in ("id", "email", "feeling")] == [1, 2, 3]
    assert users["columns"]["id"]["identity"] == "always"
    assert users["columns"]["name"]["collation"] == '"C"'
    assert users["columns"]["price"]["default"] == "'$12.50'::money"
    assert users["columns"]["since"]["default"] == "'2020-02-03 04:05:06+00'::timestamp with time zone"
    assert users["column_grants"] == {"email": {"snapshot_reader": ["SELECT"]}, "name": {"snapshot_reader": ["UPDATE"]}}
    assert (users["row_security"], users["force_row_security"]) == (True, True)
    assert users["policies"]["own"]["roles"] == ["snapshot_reader"]
    assert shifts["columns"]["twice"] == {
        **{"position": 6, "type": "integer", "nullable": True, "default": "(hours * 2)", "identity": None, "generated": "stored"},
        **{"collation": None, "storage": "plain", "compression": None, "statistics": None, "options": None, "comment": None},
    }
    assert shifts["columns"]["note"]["storage"] == "external"
    assert shifts["columns"]["note"]["statistics"] == 500
    assert shifts["options"] == ["autovacuum_enabled=false", "fillfactor=70", "toast.autovacuum_enabled=false"]
    assert shifts["grants"] == {"snapshot_reader": ["INSERT", "SELECT", "UPDATE WITH GRANT OPTION"]}
    assert shifts["replica_identity"] == "full"
    assert list(shifts["constraints"]) == ["fk_boss", "hours_check", "note_check", "shifts_pkey", "shifts_user_id_fkey"]
    assert shifts["constraints"]["shifts_user_id_fkey"] == {
        **{"kind": "foreign key", "definition": "FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE SET NULL", "validated": True},
        **{"columns": ["user_id"], "references": "users", "referenced_columns": ["id"], "on_delete": "set null", "on_update": "no action"},
        **{"on_delete_columns": None, "enabled": "origin", "inherited": False, "comment": None},
    }
    assert shifts["constraints"]["note_check"]["validated"] is False
    assert shifts["indexes"]["ix_shifts_user"]["keys"] == ["user_id DESC NULLS LAST", "day"]
    assert shifts["indexes"]["ix_shifts_user"]["columns"] == ["user_id", "day"]
    assert shifts["indexes"]["ix_shifts_user"]["include"] == ["note"]
    assert shifts["indexes"]["ix_shifts_user"]["predicate"] == "(hours > 0)"
    assert shifts["indexes"]["ix_shifts_lower"]["keys"] == ['lower(note) COLLATE "C" text_pattern_ops']
    assert shifts["indexes"]["shifts_pkey"]["constraint"] == "shifts_pkey"
    assert {name: one["enabled"] for name, one in shifts["triggers"].items()} == {"sleeping": "disabled", "touch_shift": "origin"}
    assert shifts["triggers"]["touch_shift"]["function"] == "touch()"


def test_what_is_known_of_partitions_sequences_and_the_rest(rich: str, take: Any) -> None:
    catalog = take(rich)
    assert catalog["tables"]["events"]["partition_key"] == "RANGE (at)"
    assert catalog["tables"]["events_rest_a"]["partition_of"] == "events_rest"
    assert catalog["tables"]["events_rest_a"]["partition_bound"] == "FOR VALUES IN ('a', 'b')"
    assert catalog["tables"]["events_rest_a"]["triggers"]["on_event"]["inherited"] is True
    assert list(catalog["tables"]["event_notes"]["constraints"]) == ["event_notes_event_at_kind_fkey"]
    assert catalog["tables"]["child"]["inherits"] == ["parent"]
    assert catalog["tables"]["cache"]["persistence"] == "unlogged"
    assert catalog["tables"]["typed"]["of_type"] == "public.pair"
    assert catalog["tables"]["parent"]["rules"]["no_delete"]["enabled"] == "origin"
    sequence = catalog["sequences"]["shifts_id_seq"]
    assert (sequence["owned_by"], sequence["identity"], sequence["last_value"]) == ("shifts.id", False, 2)
    assert catalog["sequences"]["ticket"]["last_value"] is None
    assert catalog["sequences"]["users_id_seq"]["identity"] is True
    assert catalog["types"]["mood"]["values"] == ["sad", "ok", 'it\'s "fine"']
    assert catalog["types"]["positive"]["constraints"] == {"above_zero": {"definition": "CHECK ((VALUE > 0))", "validated": True}}
    assert catalog["types"]["positive"]["nullable"] is False
    assert catalog["views"]["totals"]["indexes"]["ix_totals"]["unique"] is True
    assert catalog["default_privileges"]["tables of postgres in schema billing"] == {"snapshot_reader": ["SELECT"]}
    assert catalog["event_triggers"]["watcher"]["enabled"] == "disabled"
    assert catalog["publications"]["part"]["operations"] == ["insert", "update"]
    assert list(catalog["publications"]["part"]["tables"]) == ["shifts", "users"]


def test_no_secret_is_read(rich: str, take: Any, postgres_server: Any) -> None:
    with Session(postgres_server.server, rich, "tests") as session:
        session.execute(f"ALTER DATABASE {rich} SET app.token = 'hunter2'")
        session.execute("CREATE SUBSCRIPTION sub CONNECTION 'dbname=x password=hunter2' PUBLICATION p WITH (connect = false)")
        try:
            catalog = take_snapshot(session)
        finally:
            session.execute("ALTER SUBSCRIPTION sub SET (slot_name = NONE)")
            session.execute("DROP SUBSCRIPTION sub")
            session.execute(f"ALTER DATABASE {rich} RESET ALL")
    assert "hunter2" not in json.dumps(catalog)
    assert catalog["subscriptions"] == {"sub": {"enabled": False, "owner": "postgres"}}
    assert catalog["foreign_servers"]["far"]["options"] == ["host=far.example.org", "password=***"]
    assert catalog["foreign_servers"]["far"]["user_mappings"] == ["snapshot_reader"]
    assert list(catalog["settings"]["*"]) == ["app.token"]


def test_two_databases_made_the_same_way_are_equal(rich: str, database: str, take: Any, fill_richly: Any) -> None:
    fill_richly(database)
    first, second = take(rich), take(database)
    assert diff(first, second) == []
    assert first == second
    assert json.dumps(first) == json.dumps(second)


def test_a_restored_dump_is_equal(rich: str, database: str, take: Any, postgres_server: Any) -> None:
    server = postgres_server.server
    pipe = subprocess.run(
        server.tool("pg_dump", "--dbname", server.conninfo(rich, "tests")), stdout=subprocess.PIPE, env=tool_environment(), check=True
    )
    subprocess.run(
        server.tool("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", server.conninfo(database, "tests")),
        input=pipe.stdout, stdout=subprocess.DEVNULL, env=tool_environment(), check=True,
    )  # fmt: skip
    assert [change.text for change in diff(take(rich), take(database), positions=True, sequence_values=True)] == []


SETTINGS = [
    {"search_path": "public, billing"},
    {"search_path": '"$user", pg_temp, public'},
    {"quote_all_identifiers": "on"},
    {"TimeZone": "Asia/Kathmandu"},
    {"DateStyle": "SQL, DMY", "IntervalStyle": "sql_standard"},
    {"bytea_output": "escape"},
    {"extra_float_digits": "-15"},
    {"lc_monetary": "C.UTF-8"},
    {"standard_conforming_strings": "off", "escape_string_warning": "off"},
    {"default_transaction_read_only": "on", "default_transaction_isolation": "serializable"},
    {"enable_hashjoin": "off", "enable_seqscan": "off", "work_mem": "64kB"},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=[", ".join(one) for one in SETTINGS])
def test_settings_of_the_session_do_not_show(rich: str, take: Any, settings: dict[str, str]) -> None:
    assert json.dumps(take(rich)) == json.dumps(take(rich, settings))


def test_the_session_is_left_as_it_was(rich: str, postgres_server: Any) -> None:
    with Session(postgres_server.server, rich, "tests", {"search_path": "billing"}) as session:
        take_snapshot(session)
        assert session.execute("SHOW search_path") == ["billing"]
        assert session.value("SELECT now() <> statement_timestamp() OR pg_current_xact_id_if_assigned() IS NOT NULL AS inside") is False
        session.execute("CREATE TEMPORARY TABLE writes_again (a integer)")


def test_an_error_ends_the_transaction(rich: str, postgres_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with Session(postgres_server.server, rich, "tests") as session:
        monkeypatch.setitem(module._SETTINGS, "no_such_setting", "1")
        with pytest.raises(PostgresError, match="no_such_setting"):
            take_snapshot(session)
        assert session.value("SELECT 1 AS one") == 1


def test_batches_and_chunks_make_no_difference(rich: str, take: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = take(rich)
    monkeypatch.setattr(module, "SEQUENCES_PER_TRANSACTION", 1)
    for rows in (1, 7):
        monkeypatch.setattr(module, "BATCH_ROWS", rows)
        assert take(rich) == whole


def test_a_role_without_rights_sees_the_same_catalog(rich: str, take: Any, postgres_server: Any) -> None:
    with Session(postgres_server.server, rich, "tests") as session:
        session.execute("SET ROLE snapshot_reader")
        seen = take_snapshot(session)
    assert diff(take(rich), seen) == []
    assert seen["sequences"]["shifts_id_seq"]["last_value"] is None


def test_temporary_objects_and_those_of_extensions_are_left_out(database: str, postgres_server: Any) -> None:
    with Session(postgres_server.server, database, "tests") as session:
        before = take_snapshot(session)
        available = {row["name"] for row in session.rows("SELECT name FROM pg_available_extensions")}
        extension = next((name for name in ("vector", "hstore", "citext") if name in available), None)
        if extension is None:
            pytest.skip("the server offers none of the extensions that the test knows")
        session.execute("CREATE TEMPORARY TABLE t (id serial PRIMARY KEY)")
        session.execute("CREATE TEMPORARY VIEW v AS SELECT 1 AS one")
        session.execute(f"CREATE EXTENSION {extension}")
        (change,) = diff(before, take_snapshot(session))
        assert (change.kind, change.object, change.object_kind) == ("added", extension, "extension")
        assert change.after["version"]


def test_a_long_list_of_sequences_does_not_fill_the_lock_table(database: str, postgres_server: Any) -> None:
    with Session(postgres_server.server, database, "tests") as session:
        for first in range(0, 1500, 500):
            session.execute(f"DO $$ BEGIN FOR i IN {first + 1}..{first + 500} LOOP EXECUTE format('CREATE SEQUENCE s%s', i); END LOOP; END $$")
        session.execute("SELECT nextval('s1500')")
        catalog = take_snapshot(session)
    assert len(catalog["sequences"]) == 1500
    assert catalog["sequences"]["s1500"]["last_value"] == 1
    assert sum(one["last_value"] is not None for one in catalog["sequences"].values()) == 1


def test_what_the_server_notes_for_itself_is_no_option(database: str, postgres_server: Any) -> None:
    """Late minor versions keep a column's version, a WAL position, among its options: no two databases have the same."""
    with Session(postgres_server.server, database, "tests") as session:
        session.execute("CREATE TABLE shifts (id int, note text)")
        session.execute("SET allow_system_table_mods = on")
        where = "attrelid = 'shifts'::regclass AND attname ="
        session.execute(f"UPDATE pg_attribute SET attoptions = ARRAY['pg_attver=26523104'] WHERE {where} 'id'")
        session.execute(f"UPDATE pg_attribute SET attoptions = ARRAY['pg_attver=26523104', 'n_distinct=5'] WHERE {where} 'note'")
        columns = take_snapshot(session)["tables"]["shifts"]["columns"]
    assert columns["id"]["options"] is None and columns["note"]["options"] == ["n_distinct=5"]
