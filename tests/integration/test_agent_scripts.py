"""Revision scripts with known behaviour: locks, rewrites and scans are those that PostgreSQL documents, on each version."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import application
from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Application, Outcome

sys.path.append(str(Path(__file__).parent))

from agent_project import Project, mark, sql  # noqa: E402

pytestmark = pytest.mark.integration

ROWS = 2000
AE, SRE, S, SUE = "AccessExclusive", "ShareRowExclusive", "Share", "ShareUpdateExclusive"
# From the weakest to the strongest; what is weaker blocks nobody but DDL.
STRENGTH = [SUE, S, SRE, "Exclusive", AE]
AUTOCOMMIT = "with op.get_context().autocommit_block():\n    "


@dataclasses.dataclass(frozen=True)
class Script:
    """A revision on table `{t}` (its own, with ROWS rows); `locks` has the strongest mode on each relation that existed.

    A table that is rewritten has its indexes rebuilt: an AccessExclusive lock on `{t}_pkey` goes without saying.
    """

    name: str
    upgrade: str
    locks: dict[str, str] = dataclasses.field(default_factory=dict)
    rewrites: dict[str, str] = dataclasses.field(default_factory=dict)
    scans: set[str] = dataclasses.field(default_factory=set)
    setup: str = ""
    # The first major version that can do it.
    since: int = 0
    # Outside a transaction only what lasts long enough is seen: there may be more locks, and those that must be there are seen.
    sampled: bool = False


LARGER = "INSERT INTO {t} SELECT g, g, g, 'text' FROM generate_series(10000, 110000) g"
PARTITIONED = (
    "CREATE TABLE {t}_all (id int NOT NULL, n int, m int NOT NULL, s varchar(50)) PARTITION BY RANGE (id);"
    "ALTER TABLE {t}_all ATTACH PARTITION {t} FOR VALUES FROM (0) TO (1000000)"
)


def ddl(statement: str) -> str:
    return f"op.execute({statement!r})"


SCRIPTS = (
    Script("add_column", "op.add_column('{t}', sa.Column('x', sa.Integer()))", {"{t}": AE}),
    Script("add_constant_default", "op.add_column('{t}', sa.Column('x', sa.Integer(), nullable=False, server_default='3'))", {"{t}": AE}),
    Script("add_stable_default", ddl("ALTER TABLE {t} ADD COLUMN x timestamptz NOT NULL DEFAULT now()"), {"{t}": AE}),
    Script("add_volatile_default", ddl("ALTER TABLE {t} ADD COLUMN x uuid DEFAULT gen_random_uuid()"), {"{t}": AE}, {"{t}": "default"}, {"{t}"}),
    Script("add_generated", ddl("ALTER TABLE {t} ADD COLUMN x int GENERATED ALWAYS AS (n * 2) STORED"), {"{t}": AE}, {"{t}": "default"}, {"{t}"}),
    Script("add_serial", ddl("ALTER TABLE {t} ADD COLUMN x serial"), {"{t}": AE}, {"{t}": "default"}, {"{t}"}),
    Script("drop_column", "op.drop_column('{t}', 's')", {"{t}": AE}),
    Script("rename_column", "op.alter_column('{t}', 's', new_column_name='s2')", {"{t}": AE}),
    Script("rename_table", "op.rename_table('{t}', '{t}_new')", {"{t}": AE}),
    Script("int_to_bigint", "op.alter_column('{t}', 'n', type_=sa.BigInteger())", {"{t}": AE}, {"{t}": "type"}, {"{t}"}),
    Script("longer_varchar", "op.alter_column('{t}', 's', type_=sa.String(100))", {"{t}": AE}),
    Script("shorter_varchar", "op.alter_column('{t}', 's', type_=sa.String(20))", {"{t}": AE}, {"{t}": "type"}, {"{t}"}),
    Script("varchar_to_text", "op.alter_column('{t}', 's', type_=sa.Text())", {"{t}": AE}),
    Script("set_not_null", "op.alter_column('{t}', 'n', nullable=False)", {"{t}": AE}, scans={"{t}"}),
    Script("drop_not_null", "op.alter_column('{t}', 'm', nullable=True)", {"{t}": AE}),
    Script("set_default", "op.alter_column('{t}', 'n', server_default='7')", {"{t}": AE}),
    Script("add_check", "op.create_check_constraint('{t}_c', '{t}', 'n >= 0')", {"{t}": AE}, scans={"{t}"}),
    Script("add_check_not_valid", ddl("ALTER TABLE {t} ADD CONSTRAINT {t}_c CHECK (n >= 0) NOT VALID"), {"{t}": AE}),
    Script(
        "validate_check", ddl("ALTER TABLE {t} VALIDATE CONSTRAINT {t}_c"), {"{t}": SUE}, scans={"{t}"},
        setup="ALTER TABLE {t} ADD CONSTRAINT {t}_c CHECK (n >= 0) NOT VALID",
    ),
    Script(
        "add_foreign_key", "op.create_foreign_key('{t}_fk', '{t}', '{t}_parent', ['n'], ['id'])", {"{t}": SRE, "{t}_parent": SRE},
        scans={"{t}", "{t}_parent"},
        setup="CREATE TABLE {t}_parent (id int PRIMARY KEY); INSERT INTO {t}_parent SELECT generate_series(0, 2000)",
    ),
    Script(
        "add_foreign_key_not_valid", ddl("ALTER TABLE {t} ADD FOREIGN KEY (n) REFERENCES {t}_parent NOT VALID"), {"{t}": SRE, "{t}_parent": SRE},
        setup="CREATE TABLE {t}_parent (id int PRIMARY KEY)",
    ),
    Script("create_index", "op.create_index('{t}_i', '{t}', ['n'])", {"{t}": S}, scans={"{t}"}),
    Script("create_unique_constraint", "op.create_unique_constraint('{t}_u', '{t}', ['n'])", {"{t}": AE}, scans={"{t}"}),
    Script("drop_index", "op.drop_index('{t}_i')", {"{t}": AE, "{t}_i": AE}, setup="CREATE INDEX {t}_i ON {t} (n)"),
    Script(
        "create_index_concurrently", AUTOCOMMIT + ddl("CREATE INDEX CONCURRENTLY {t}_i ON {t} (n)"), {"{t}": SUE},
        # Seen by sampling only, so it must last a little.
        setup="INSERT INTO {t} SELECT g, g, g, 'text' FROM generate_series(10000, 110000) g",
    ),
    Script("reindex", ddl("REINDEX TABLE {t}"), {"{t}": S, "{t}_pkey": AE}, {"{t}_pkey": "reindex"}, {"{t}"}),
    Script("truncate", ddl("TRUNCATE {t}"), {"{t}": AE, "{t}_pkey": AE}, {"{t}": "truncate"}),
    Script("cluster", ddl("CLUSTER {t} USING {t}_pkey"), {"{t}": AE, "{t}_pkey": AE}, {"{t}": "cluster"}, {"{t}"}),
    Script("set_unlogged", ddl("ALTER TABLE {t} SET UNLOGGED"), {"{t}": AE, "{t}_pkey": AE}, {"{t}": "persistence"}, {"{t}"}),
    Script("drop_table", "op.drop_table('{t}')", {"{t}": AE, "{t}_pkey": AE}),
    Script(
        "create_trigger",
        ddl("CREATE TRIGGER g BEFORE UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"), {"{t}": SRE},
    ),
    Script("disable_trigger", ddl("ALTER TABLE {t} DISABLE TRIGGER USER"), {"{t}": SRE}),
    Script("statistics_target", ddl("ALTER TABLE {t} ALTER COLUMN n SET STATISTICS 500"), {"{t}": SUE}),
    Script("storage_parameter", ddl("ALTER TABLE {t} SET (fillfactor = 80)"), {"{t}": SUE}),
    Script("enum_value", ddl("ALTER TYPE {t}_e ADD VALUE 'c'"), setup="CREATE TYPE {t}_e AS ENUM ('a', 'b')"),
    Script(
        "attach_partition", ddl("ALTER TABLE {t}_all ATTACH PARTITION {t} FOR VALUES FROM (0) TO (100000)"), {"{t}_all": SUE, "{t}": AE},
        scans={"{t}"}, setup="CREATE TABLE {t}_all (id int NOT NULL, n int, m int NOT NULL, s varchar(50)) PARTITION BY RANGE (id)",
    ),
    Script("sequence", ddl("ALTER SEQUENCE {t}_s INCREMENT BY 10"), {"{t}_s": SRE}, setup="CREATE SEQUENCE {t}_s"),
    Script(
        "new_table_only",
        "op.create_table('{t}_other', sa.Column('id', sa.Integer(), primary_key=True))\nop.create_index('{t}_oi', '{t}_other', ['id'])",
    ),
    Script("update_all", ddl("UPDATE {t} SET n = n + 1")),
    Script(
        "reads_then_alters",
        "op.get_bind().execute(sa.text('SELECT count(*) FROM {t}'))\nop.add_column('{t}', sa.Column('x', sa.Integer()))", {"{t}": AE},
    ),
    Script("block", ddl("DO $$ BEGIN ALTER TABLE {t} ALTER COLUMN n TYPE bigint; END $$"), {"{t}": AE}, {"{t}": "type"}, {"{t}"}),
    Script("drop_check", ddl("ALTER TABLE {t} DROP CONSTRAINT {t}_c"), {"{t}": AE}, setup="ALTER TABLE {t} ADD CONSTRAINT {t}_c CHECK (n >= 0)"),
    Script(
        "timestamp_under_utc", ddl("SET LOCAL TimeZone = 'UTC'; ALTER TABLE {t} ALTER COLUMN x TYPE timestamptz"), {"{t}": AE},
        setup="ALTER TABLE {t} ADD COLUMN x timestamp",
    ),
    Script(
        "timestamp_elsewhere", ddl("SET LOCAL TimeZone = 'Europe/Moscow'; ALTER TABLE {t} ALTER COLUMN x TYPE timestamptz"), {"{t}": AE},
        {"{t}": "type"}, {"{t}"}, setup="ALTER TABLE {t} ADD COLUMN x timestamp",
    ),
    Script(
        "add_primary_key", ddl("ALTER TABLE {t}_bare ADD PRIMARY KEY (id)"), {"{t}_bare": AE}, scans={"{t}_bare"},
        setup="CREATE TABLE {t}_bare AS SELECT id FROM {t}; ALTER TABLE {t}_bare ALTER COLUMN id SET NOT NULL",
    ),
    Script(
        "primary_key_using_index", ddl("ALTER TABLE {t}_bare ADD PRIMARY KEY USING INDEX {t}_u"), {"{t}_bare": AE},
        setup="CREATE TABLE {t}_bare AS SELECT id FROM {t}; ALTER TABLE {t}_bare ALTER COLUMN id SET NOT NULL; "
        "CREATE UNIQUE INDEX {t}_u ON {t}_bare (id)",
    ),
    Script("exclude", ddl("ALTER TABLE {t} ADD EXCLUDE USING btree (n WITH =)"), {"{t}": AE}, scans={"{t}"}),
    Script(
        "validate_foreign_key", ddl("ALTER TABLE {t} VALIDATE CONSTRAINT {t}_fk"), {"{t}": SUE}, scans={"{t}"},
        setup="CREATE TABLE {t}_parent (id int PRIMARY KEY); INSERT INTO {t}_parent SELECT generate_series(0, 2000);"
        "ALTER TABLE {t} ADD CONSTRAINT {t}_fk FOREIGN KEY (n) REFERENCES {t}_parent NOT VALID",
    ),
    Script("not_null_not_valid", ddl("ALTER TABLE {t} ADD CONSTRAINT {t}_nn NOT NULL n NOT VALID"), {"{t}": AE}, since=18),
    Script(
        "detach_partition", ddl("ALTER TABLE {t}_all DETACH PARTITION {t}"), {"{t}_all": AE, "{t}": AE}, setup=PARTITIONED,
    ),
    Script(
        "index_on_partitioned", ddl("CREATE INDEX {t}_i ON {t}_all (n)"), {"{t}_all": S, "{t}": S}, scans={"{t}"}, setup=PARTITIONED,
    ),
    Script(
        "refresh", ddl("REFRESH MATERIALIZED VIEW {t}_m"), {"{t}_m": AE}, {"{t}_m": "refresh"},
        setup="CREATE MATERIALIZED VIEW {t}_m AS SELECT * FROM {t}",
    ),
    Script(
        "set_logged", ddl("ALTER TABLE {t} SET LOGGED"), {"{t}": AE, "{t}_pkey": AE}, {"{t}": "persistence"}, {"{t}"},
        setup="ALTER TABLE {t} SET UNLOGGED",
    ),
    Script("set_schema", ddl("ALTER TABLE {t} SET SCHEMA other"), {"{t}": AE}),
    Script("owner", ddl("ALTER TABLE {t} OWNER TO CURRENT_USER"), {"{t}": AE}),
    Script("row_security", ddl("ALTER TABLE {t} ENABLE ROW LEVEL SECURITY"), {"{t}": AE}),
    Script("policy", ddl("CREATE POLICY p ON {t} USING (n > 0)"), {"{t}": AE}),
    Script("rename_value", ddl("ALTER TYPE {t}_e RENAME VALUE 'a' TO 'c'"), setup="CREATE TYPE {t}_e AS ENUM ('a', 'b')"),
    Script("rename_constraint", ddl("ALTER TABLE {t} RENAME CONSTRAINT {t}_pkey TO {t}_key"), {"{t}": AE, "{t}_pkey": SUE}),
    Script(
        "several_statements", ddl("SET LOCAL lock_timeout = '5s'; UPDATE {t} SET n = n + 1; ALTER TABLE {t} ALTER COLUMN n TYPE bigint"), {"{t}": AE},
        {"{t}": "type"}, {"{t}"},
    ),
    Script(
        "expression", ddl("ALTER TABLE {t} ALTER COLUMN x SET EXPRESSION AS (n * 3)"), {"{t}": AE}, {"{t}": "default"}, {"{t}"},
        setup="ALTER TABLE {t} ADD COLUMN x int GENERATED ALWAYS AS (n * 2) STORED", since=17,
    ),
    Script("access_method", ddl("ALTER TABLE {t} SET ACCESS METHOD heap2"), {"{t}": AE}, {"{t}": "access method"}, {"{t}"}),
    Script("vacuum_full", AUTOCOMMIT + ddl("VACUUM FULL {t}"), {"{t}": AE}, {"{t}": "vacuum full"}, setup=LARGER, sampled=True),
    Script(
        "drop_index_concurrently", AUTOCOMMIT + ddl("DROP INDEX CONCURRENTLY {t}_i"), setup="CREATE INDEX {t}_i ON {t} (n)", sampled=True,
    ),
    Script(
        "reindex_concurrently", AUTOCOMMIT + ddl("REINDEX INDEX CONCURRENTLY {t}_pkey"), {"{t}": SUE}, setup=LARGER, sampled=True,
    ),
    Script(
        "refresh_concurrently", AUTOCOMMIT + ddl("REFRESH MATERIALIZED VIEW CONCURRENTLY {t}_m"), {"{t}_m": "Exclusive"},
        setup=LARGER + "; CREATE MATERIALIZED VIEW {t}_m AS SELECT * FROM {t}; CREATE UNIQUE INDEX ON {t}_m (id)", sampled=True,
    ),
    Script("detach_concurrently", AUTOCOMMIT + ddl("ALTER TABLE {t}_all DETACH PARTITION {t} CONCURRENTLY"), setup=PARTITIONED, sampled=True),
)  # fmt: skip

# A table_rewrite event trigger says the reason as a number; only superusers may have one, so the agent tells it otherwise.
TRIGGER = """
CREATE TABLE rewrite_log (relation text, reason int);
CREATE FUNCTION log_rewrite() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO rewrite_log VALUES (pg_event_trigger_table_rewrite_oid()::regclass::text, pg_event_trigger_table_rewrite_reason()); END $$;
CREATE EVENT TRIGGER log_rewrite ON table_rewrite EXECUTE FUNCTION log_rewrite()
"""
REASONS = {"persistence": 1, "default": 2, "type": 4, "access method": 8}


@dataclasses.dataclass(frozen=True)
class Ran:
    outcome: Outcome
    log: dict[str, int]
    major: int
    # What became of FAILING, once the others had run.
    failed: Outcome

    def statements(self, script: Script) -> list[dict[str, Any]]:
        return [event for event in self.outcome.events if event["event"] == "statement" and event["revision"] == script.name]


MAJORS = (15, 16, 18)
FAILING = AUTOCOMMIT + "op.create_index('twice_n', 'twice', ['n'], unique=True, postgresql_concurrently=True)"


@pytest.fixture(scope="module")
def ran_on(postgres_servers: Callable[[int], Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Ran]:
    """What became of all scripts on a server of a major version; they run there once."""
    return functools.cache(lambda major: run_all(postgres_servers(major), tmp_path_factory.mktemp("scripts")))


def run_all(server: Any, directory: Path) -> Ran:
    """All scripts in one upgrade, each in its own transaction."""
    name = server.create_database("scripts")
    try:
        mark(server, name, "scripts")
        project = Project(directory, configure="transaction_per_migration=True")
        sql(server, name, TRIGGER)
        sql(server, name, "CREATE SCHEMA other; CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler")
        for script in SCRIPTS:
            if script.since > server.major:
                continue
            table = f"t_{script.name}"
            setup = f"CREATE TABLE {table} (id int PRIMARY KEY, n int, m int NOT NULL, s varchar(50));"
            setup += f"INSERT INTO {table} SELECT g, g, g, 'text' FROM generate_series(1, {ROWS}) g;{script.setup.format(t=table)}"
            sql(server, name, setup)
            project.revision(script.name, script.upgrade.replace("{t}", table))
        app = Application((sys.executable,), str(directory), environment={"DATABASE_URL": server.url(name)}, deadline_s=120)
        outcome = application.run(app, "upgrade", marker_id="scripts")
        log = dict(line.rsplit("|", 1) for line in sql(server, name, "SELECT relation || '|' || reason FROM rewrite_log"))
        # Outside a transaction only what lasts a while is seen: the two that are equal are far apart.
        sql(server, name, "CREATE TABLE twice AS SELECT g % 199999 AS n FROM generate_series(0, 199999) g")
        project.revision("failing", FAILING)
        failed = application.run(app, "upgrade", marker_id="scripts")
        return Ran(outcome, {relation: int(reason) for relation, reason in log.items()}, server.major, failed)
    finally:
        server.drop_database(name)


@pytest.mark.parametrize("major", MAJORS)
def test_all_scripts_ran(ran_on: Callable[[int], Ran], major: int) -> None:
    ran = ran_on(major)
    assert len(SCRIPTS) >= 30
    assert ran.outcome.succeeded, ran.outcome.error
    assert (ran.outcome.last("measuring") or {})["complete"]


@pytest.mark.parametrize(
    ("major", "script"),
    [pytest.param(major, script, id=f"{major}-{script.name}") for major in MAJORS for script in SCRIPTS if script.since <= major],
)
def test_locks_rewrites_and_scans_are_the_documented_ones(ran_on: Callable[[int], Ran], major: int, script: Script) -> None:
    ran = ran_on(major)
    table = f"t_{script.name}"
    locks: dict[str, str] = {}
    rewrites: dict[str, str] = {}
    scans: set[str] = set()
    for event in ran.statements(script):
        for lock in event["locks"]:
            if lock["mode"] in STRENGTH and lock["relation"] != "rewrite_log":
                locks[lock["relation"]] = max(lock["mode"], locks.get(lock["relation"], SUE), key=STRENGTH.index)
        rewrites.update({rewrite["relation"]: rewrite["reason"] for rewrite in event.get("rewrites", ())})
        scans.update(scan["relation"] for scan in event.get("scans", ()) if scan["rows"] >= ROWS)

    expected = {"{t}_pkey": AE, **script.locks} if "{t}" in script.rewrites else script.locks
    named = {relation.replace("{t}", table): mode for relation, mode in expected.items()}
    if script.sampled:
        locks = {relation: mode for relation, mode in locks.items() if relation in named}
    assert locks == named
    assert rewrites == {relation.replace("{t}", table): reason for relation, reason in script.rewrites.items()}
    assert scans == {relation.replace("{t}", table) for relation in script.scans}
    expected_log = {relation: REASONS[reason] for relation, reason in rewrites.items() if reason in REASONS}
    assert {relation: reason for relation, reason in ran.log.items() if relation == table} == expected_log


@pytest.mark.parametrize("major", MAJORS)
def test_what_a_failing_concurrent_unique_index_did_and_leaves_is_told(ran_on: Callable[[int], Ran], major: int) -> None:
    outcome = ran_on(major).failed
    assert outcome.error is not None and (outcome.error["sqlstate"], outcome.error["revision"]) == ("23505", "failing")
    (failed,) = (event for event in outcome.events if event["event"] == "statement" and event["revision"] == "failing")
    assert failed["failed"] and failed["autocommit"] and failed["sampled"]
    assert [lock["mode"] for lock in failed["locks"] if lock["relation"] == "twice" and lock["mode"] in STRENGTH] == [SUE]
    (objects,) = (event for event in outcome.events if event["event"] == "objects")
    assert objects["indexes_invalid"] == [{"name": "twice_n", "table": "twice", "new": True}]
