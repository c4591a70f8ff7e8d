"""Roles that dev lacks, or that the restoring role may not act as: the copy has all that names others, and what it lacks is counted."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    backup,
    copying,
    failure_facts,
    files,
    preflight,
    server_facts,
    snapshot,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.files import sha256
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("roles")]

PRODUCTION = """
CREATE SCHEMA staff AUTHORIZATION shop_owner;
CREATE TABLE staff.people (id int PRIMARY KEY, name text);
INSERT INTO staff.people VALUES (1, 'a'), (2, 'b');
ALTER TABLE staff.people OWNER TO shop_owner;
CREATE TABLE notes (id int, text text);
ALTER TABLE notes OWNER TO "Gone Owner";
GRANT SELECT ON staff.people TO shop_reader, gone_reader;
GRANT UPDATE (name) ON staff.people TO shop_reader;
GRANT INSERT ON notes TO shop_reader WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner GRANT SELECT ON TABLES TO shop_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner GRANT SELECT ON TABLES TO gone_reader;
ALTER TABLE staff.people ENABLE ROW LEVEL SECURITY;
CREATE POLICY "own rows" ON staff.people FOR SELECT TO gone_reader, shop_reader USING (id = 1 OR name <> 'x;y');
COMMENT ON POLICY "own rows" ON staff.people IS 'theirs';
CREATE POLICY theirs ON staff.people TO gone_reader USING (true);
COMMENT ON POLICY theirs ON staff.people IS 'gone';
CREATE POLICY everyone ON staff.people FOR UPDATE USING (false);
CREATE FOREIGN DATA WRAPPER elsewhere;
CREATE SERVER billing FOREIGN DATA WRAPPER elsewhere;
CREATE USER MAPPING FOR gone_reader SERVER billing OPTIONS ("user" 'x')
"""
GONE = ('"Gone Owner"', "gone_reader")


def run(server: Server, database: str, *statements: str) -> None:
    with Session(server, database, "tests") as session:
        for statement in statements:
            session.execute(statement)


class Stand:
    """A production whose dumps were taken while all its roles were there."""

    def __init__(self, postgres: Any, place: Path) -> None:
        self.postgres, self.server, self.place = postgres, postgres.server, place
        self.database = postgres.create_database(f"roles_{new_id()[-6:]}")
        run(
            self.server, "postgres", *(f"CREATE ROLE {role}" for role in ("shop_owner", "shop_reader", *GONE)), "CREATE ROLE rehearser LOGIN CREATEDB"
        )
        run(self.server, self.database, *PRODUCTION.strip().split(";\n"))
        self.marker = Marker(new_id(), "production/shop", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
        self.there: dict[bool, WorkDirectory] = {}
        self.back_up(True)
        # What no role can make that may only create databases.
        run(self.server, self.database, "DROP FOREIGN DATA WRAPPER elsewhere CASCADE")
        self.back_up(False)
        postgres.drop_database(self.database)
        run(self.server, "postgres", *(f"DROP ROLE {role}" for role in GONE))

    def sql(self, whole: bool) -> Path:
        return self.place / f"shop-{whole}.sql"

    def back_up(self, whole: bool) -> None:
        marker = dataclasses.replace(self.marker, id=new_id())
        self.there[whole] = WorkDirectory.at(str(self.place), marker.id, "production")
        self.there[whole].create(marker)
        backup.take_backup(self.server, self.database, marker.id, self.there[whole], backup.Limits())
        conninfo = self.server.conninfo(self.database, "tests")
        subprocess.run(self.server.tool("pg_dump", f"--file={self.sql(whole)}", f"--dbname={conninfo}"), check=True)

    def remove(self) -> None:
        run(self.server, "postgres", *(f"DROP ROLE {role}" for role in ("shop_owner", "shop_reader", "rehearser")))

    def copy(self, source: str, user: str = "") -> tuple[str, dict[str, Any]]:
        """(its name, copy.json)."""
        dev = dataclasses.replace(self.server, user=user) if user else self.server
        marker = dataclasses.replace(self.marker, id=new_id())
        work = WorkDirectory.at(str(self.place), marker.id, "dev")
        work.create(marker)
        name = f"copy_{marker.id}"
        order = copying.Order(name, marker, work, dev, deadline_s=60)
        try:
            if source == "sql":
                return name, copying.from_file(order, str(self.sql(not user)), "shop").copy
            archive = Path(work.file(backup.ARCHIVE))
            archive.write_bytes(Path(self.there[not user].file(backup.ARCHIVE)).read_bytes())
            manifest = backup.unpack(work, str(archive), sha256(self.there[not user].file(backup.MANIFEST)))
            return name, copying.from_dump(order, manifest).copy
        except BaseException:
            self.postgres.drop_database(name)
            raise


@pytest.fixture(scope="module")
def stand(postgres_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    made = Stand(postgres_server, tmp_path_factory.mktemp("roles"))
    yield made
    made.remove()


@pytest.mark.parametrize("source", ["dump", "sql"])
def test_what_names_others_is_as_on_production(stand: Stand, source: str) -> None:
    name, copy = stand.copy(source)
    try:
        with Session(stand.server, name, "tests") as session:
            tables = snapshot.take_snapshot(session)["tables"]
            roles = session.value("SELECT count(*) FROM pg_roles WHERE rolname ILIKE 'gone%'")
            told = session.value("SELECT obj_description(oid, 'pg_policy') FROM pg_policy WHERE polname = 'own rows'")
            column = session.value("SELECT has_column_privilege('shop_reader', 'staff.people', 'name', 'UPDATE')")
            defaults = session.value("SELECT count(*) FROM pg_default_acl")
        people, notes = tables["staff.people"], tables["notes"]
        assert (people["owner"], notes["owner"]) == ("shop_owner", stand.server.user)
        assert "shop_reader" in str(people["grants"]) and "shop_reader" in str(notes["grants"]) and column is True and defaults == 1
        assert sorted(people["policies"]) == ["everyone", "own rows"] and people["policies"]["own rows"]["roles"] == ["shop_reader"]
        assert told == "theirs"
        # Nothing outside the copy was made for it.
        assert roles == 0
        assert copy["missing_roles"] == ["Gone Owner", "gone_reader"] and copy["rows"] == 2
        assert {(one["role"], one["what"]): one["count"] for one in copy["roles_not_given"]} == {
            ("Gone Owner", "owner"): 1, ("gone_reader", "grant"): 1, ("gone_reader", "default privileges"): 1,
            ("gone_reader", "policy"): 2, ("gone_reader", "user mapping"): 1,
        }  # fmt: skip
    finally:
        stand.postgres.drop_database(name)


@pytest.mark.parametrize("source", ["dump", "sql"])
def test_a_role_that_may_only_create_databases(stand: Stand, source: str) -> None:
    """It is a member of nobody: what others own on production is its own on the copy, and it may still grant it."""
    name, copy = stand.copy(source, "rehearser")
    try:
        with Session(stand.server, name, "tests") as session:
            people = snapshot.take_snapshot(session)["tables"]["staff.people"]
            granted = session.value("SELECT has_table_privilege('shop_reader', 'staff.people', 'SELECT')")
        assert people["owner"] == "rehearser" and granted is True and copy["rows"] == 2
        assert {"role": "shop_owner", "what": "owner", "count": 2} in copy["roles_not_given"]
        assert copy["missing_roles"] == ["Gone Owner", "gone_reader"]
    finally:
        stand.postgres.drop_database(name)


def test_preflight_says_what_follows(stand: Stand, tmp_path: Path) -> None:
    weak = dataclasses.replace(stand.server, user="rehearser")
    manifest = files.read_json(stand.there[True].file(backup.MANIFEST))
    production = {**manifest, "server_time_zone": None, "needs_superuser": ["event trigger a", "foreign data wrapper elsewhere"]}
    for server, superuser in ((stand.server, True), (weak, False)):
        _facts, problems, findings = preflight.look_at_dev(server, "copy_x", new_id(), str(tmp_path), production, "shop", 30)
        said = [one["message"] for one in findings]
        assert any("dev lacks 2 of the roles" in one and "a migration that names one fails for that reason alone" in one for one in said)
        assert any("role rehearser of dev is no superuser" in one for one in said) is not superuser
        assert any("only a superuser can make event trigger a, foreign data wrapper elsewhere" in one for one in problems) is not superuser


def test_what_only_a_superuser_can_make_is_known(stand: Stand, database: str) -> None:
    run(
        stand.server, database, "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$",
        "CREATE EVENT TRIGGER looks ON sql_drop EXECUTE FUNCTION f()", "CREATE FOREIGN DATA WRAPPER elsewhere",
        "CREATE PUBLICATION all_of_it FOR ALL TABLES",
        "CREATE FUNCTION low() RETURNS int LANGUAGE internal AS 'pg_backend_pid'",
    )  # fmt: skip
    with Session(stand.server, database, "tests") as session:
        assert server_facts.read(session)["needs_superuser"] == [
            "event trigger looks", "foreign data wrapper elsewhere", "function low()", "publication all_of_it",
        ]  # fmt: skip


def test_a_migration_that_names_a_role_of_production_is_not_blamed(stand: Stand, database: str) -> None:
    error = {"sqlstate": "42704", "message": 'role "gone_reader" does not exist', "statement": "GRANT SELECT ON t TO gone_reader"}
    with Session(stand.server, database, "tests") as session:
        assert "role gone_reader is on production and not on dev's server" in failure_facts.facts_of(session, error, {"gone_reader"})
        assert "on production" not in failure_facts.facts_of(session, error, set())
