"""The sample application: its generator, and its pending revisions there and back on generated rows."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectation_checks import check_structure
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.snapshot import take_snapshot
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import assertions, expectations_file

pytestmark = pytest.mark.integration

APPLICATION = Path(__file__).resolve().parents[2] / "examples" / "staffprobot"
PRODUCTION_REVISION = "1f6d83b2c5a9"
HEAD = "3bcf125fefbd"
PENDING = {"8a5c0e7d942f", "c63f1b9e0d85", "d92e4a7b36f0", "2e7b5d8c1f46", "b05d9f3e7a61", "96bcb588d0c8", HEAD}
LEGACY_TABLES = ("rate_history", "bot_dialog_states", "shift_imports")
RUNBOOK_SIZES = {"users": 60, "objects": 25, "time_slots": 200, "shifts": 1200, "contracts": 80}


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program of the application, which sees no database but the one that is given."""
    clean = {key: value for key, value in os.environ.items() if key != "DATABASE_URL" and not key.startswith(("PG", "POSTGRES_"))}
    clean.update(environment, PYTHONDONTWRITEBYTECODE="1", PYTHONPATH="")
    return subprocess.run([sys.executable, "-m", *command], cwd=APPLICATION, env=clean, capture_output=True, text=True, timeout=300)


def alembic(url: str, *arguments: str) -> str:
    done = run("alembic", *arguments, DATABASE_URL=url)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def generate(url: str, *arguments: str) -> str:
    done = run("staffprobot.generate", "--url", url, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dump(server: Any, database: str, *arguments: str) -> str:
    """pg_dump's text, without the lines that differ from one run to the next."""
    argv = [os.path.join(server.bin_dir, "pg_dump"), "-h", server.host, "-p", str(server.port), "-U", server.user, *arguments, database]
    text = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=300).stdout
    return "\n".join(line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def connect(server: Any, database: str) -> psycopg.Connection[Any]:
    return psycopg.connect(host=server.host, port=server.port, user=server.user, dbname=database, autocommit=True)


def rows(server: Any, database: str, query: str) -> list[tuple[Any, ...]]:
    with connect(server, database) as connection:
        return connection.execute(query.encode()).fetchall()


def columns(server: Any, database: str) -> dict[str, list[str]]:
    """The columns of each table, in their order."""
    found: dict[str, list[str]] = {}
    query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"
    for table, column in rows(server, database, query):
        found.setdefault(table, []).append(column)
    return found


@dataclasses.dataclass
class Moment:
    """The database at one moment."""

    catalog: str
    snapshot: dict[str, Any]
    columns: dict[str, list[str]]
    rates: dict[int, Any]
    counts: dict[str, int]
    # Of the columns that production had, and nobody means to change.
    kept: dict[str, list[tuple[Any, ...]]]


def look(server: Any, database: str, before: Moment | None) -> Moment:
    with Session(server.server, database, "tests") as session:
        snapshot = take_snapshot(session)
    now = columns(server, database)
    meant_to_change = {("contracts", "hourly_rate"), ("objects", "legacy_code")}
    kept = {}
    for table, names in (before.columns if before else now).items():
        if table not in (*LEGACY_TABLES, "alembic_version"):
            listed = ", ".join(f'"{name}"' for name in names if (table, name) not in meant_to_change)
            kept[table] = rows(server, database, f"SELECT {listed} FROM {table} ORDER BY {names[0]}, {names[1]}")
    return Moment(
        catalog=dump(server, database, "--schema-only"),
        snapshot=snapshot,
        columns=now,
        rates=dict(rows(server, database, "SELECT id, hourly_rate FROM contracts")),
        counts={table: rows(server, database, f"SELECT count(*) FROM {table}")[0][0] for table in now},
        kept=kept,
    )


@pytest.fixture(scope="module")
def journey(postgres_server: Any) -> Iterator[dict[str, Any]]:
    """Production as generated, and what two upgrades and a downgrade between them made of it."""
    database = postgres_server.create_database("staffprobot_journey")
    url = postgres_server.url(database)
    said = {"generate": generate(url)}
    data = dump(postgres_server, database, "--data-only")
    moments = {"before": look(postgres_server, database, None)}
    for moment, arguments in {
        "after": ("upgrade", "head"),
        "back": ("downgrade", PRODUCTION_REVISION),
        "again": ("upgrade", "head"),
    }.items():
        said[moment] = alembic(url, *arguments)
        moments[moment] = look(postgres_server, database, moments["before"])
    yield {"database": database, "url": url, "said": said, "data": data, **moments}
    postgres_server.drop_database(database)


def test_scale_one_has_the_sizes_of_the_runbook(journey: dict[str, Any]) -> None:
    counts = journey["before"].counts
    assert {table: counts[table] for table in RUNBOOK_SIZES} == RUNBOOK_SIZES
    assert min(counts.values()) > 0
    assert "1,200 shifts" in journey["said"]["generate"]


def test_every_pending_revision_runs(journey: dict[str, Any], postgres_server: Any) -> None:
    ran = {revision for revision in PENDING if f"-> {revision}," in journey["said"]["after"]}
    assert ran == PENDING
    assert journey["said"]["after"].count("Running upgrade") == len(PENDING)
    assert rows(postgres_server, journey["database"], "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_the_downgrade_leaves_the_catalog_of_before(journey: dict[str, Any]) -> None:
    assert journey["after"].catalog != journey["before"].catalog
    assert journey["back"].catalog == journey["before"].catalog
    assert journey["back"].columns == journey["before"].columns


def test_the_second_upgrade_gives_the_catalog_of_the_first(journey: dict[str, Any]) -> None:
    assert journey["again"].catalog == journey["after"].catalog


def test_contract_rates_become_roubles_and_kopecks_again(journey: dict[str, Any]) -> None:
    kopecks = journey["before"].rates
    roubles = {key: None if rate is None else Decimal(rate) / 100 for key, rate in kopecks.items()}
    assert None in kopecks.values()
    assert any(rate is not None and rate % 100 for rate in kopecks.values())
    assert journey["after"].rates == journey["again"].rates == roubles
    assert journey["back"].rates == kopecks
    assert {type(rate) for rate in journey["back"].rates.values()} == {int, type(None)}


@pytest.mark.parametrize("moment", ["after", "back", "again"])
def test_all_other_rows_stay_as_they_are(journey: dict[str, Any], moment: str) -> None:
    for table, kept in journey["before"].kept.items():
        assert journey[moment].kept[table] == kept, table


def test_the_legacy_tables_go_and_come_back_empty(journey: dict[str, Any]) -> None:
    for table in LEGACY_TABLES:
        assert journey["before"].counts[table] > 0
        assert table not in journey["after"].counts
        assert journey["back"].counts[table] == 0


def test_models_agree_with_the_migrations(journey: dict[str, Any]) -> None:
    assert "No new upgrade operations detected." in alembic(journey["url"], "check")


def test_the_expectations_hold(journey: dict[str, Any], postgres_server: Any) -> None:
    expectations = expectations_file.load(str(APPLICATION / "expectations.yml"))
    snapshots = {moment: journey[moment].snapshot for moment in ("before", "after", "back", "again")}
    checks = [*check_structure(expectations, snapshots, [HEAD]), *assertions.evaluate(expectations.assertions, {**snapshots, "record": {}})]
    assert [check for check in checks if not check.ok] == []
    nothing_ran = {moment: journey["before"].snapshot for moment in snapshots}
    assert sum(not check.ok for check in check_structure(expectations, nothing_ran, [PRODUCTION_REVISION])) > 40

    # The generated rows are all from before the upgrade.
    held = 0
    for table, expected in expectations.after_upgrade.tables.items():
        for column, value in expected.existing_rows.items():
            literal = "NULL" if value is None else f"'{value}'"
            assert rows(postgres_server, journey["database"], f"SELECT count(*) FROM {table} WHERE {column} IS DISTINCT FROM {literal}") == [(0,)]
            held += 1
    assert held == 13


def test_deleting_who_opened_an_object_fails(journey: dict[str, Any], postgres_server: Any) -> None:
    """The runbook's defect, which its eye passes over, is still there to be found."""
    with connect(postgres_server, journey["database"]) as connection, connection.transaction(force_rollback=True):
        connection.execute("INSERT INTO users (telegram_id, first_name) VALUES (1, 'Вера')")
        connection.execute("INSERT INTO object_openings (object_id, opened_by, opened_at) SELECT 1, max(id), now() FROM users")
        with pytest.raises(psycopg.errors.NotNullViolation):
            connection.execute("DELETE FROM users WHERE telegram_id = 1")


@pytest.fixture(scope="module")
def twin(postgres_server: Any) -> Iterator[tuple[str, str]]:
    """A second database, generated as the first one was, and its rows at that moment."""
    database = postgres_server.create_database("staffprobot_twin")
    generate(postgres_server.url(database))
    yield database, dump(postgres_server, database, "--data-only")
    postgres_server.drop_database(database)


def test_the_same_seed_and_scale_give_the_same_rows(journey: dict[str, Any], twin: tuple[str, str], postgres_server: Any) -> None:
    # Not an assert of the texts themselves: pytest would compare thousands of lines.
    assert journey["data"].count("\n") > 3000
    assert (twin[1] == journey["data"]) is True
    assert rows(postgres_server, twin[0], "SHOW timezone") == [("Europe/Moscow",)]


def test_another_seed_and_scale_give_others(journey: dict[str, Any], postgres_server: Any, database: str) -> None:
    generate(postgres_server.url(database), "--scale", "2", "--seed", "2", "--no-with-settings")
    assert rows(postgres_server, database, "SELECT count(*) FROM shifts") == [(2400,)]
    ((distinct,),) = rows(postgres_server, database, "SELECT count(DISTINCT (user_id, object_id, start_time)) FROM shifts")
    assert distinct > 2390
    theirs = set(rows(postgres_server, database, "SELECT id, start_time FROM shifts"))
    ours = {(row[0], row[4]) for row in journey["before"].kept["shifts"]}
    assert len(theirs & ours) < 10
    settings = "SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = current_database()"
    assert rows(postgres_server, database, settings) == [(0,)]


def test_a_database_is_not_filled_twice(twin: tuple[str, str], postgres_server: Any) -> None:
    twice = run("staffprobot.generate", DATABASE_URL=postgres_server.url(twin[0]))
    assert (twice.returncode, "has rows already" in twice.stderr) == (2, True)


def test_the_next_rows_get_ids_of_their_own(twin: tuple[str, str], postgres_server: Any) -> None:
    for table, last, insert in (
        ("users", 60, "(telegram_id, first_name) VALUES (1, 'Вера')"),
        ("payment_systems", 3, "(code, name) VALUES ('x', 'x')"),
        ("audit_log", 250, "(action) VALUES ('x')"),
    ):
        assert rows(postgres_server, twin[0], f"INSERT INTO {table} {insert} RETURNING id") == [(last + 1,)], table


def test_rows_are_of_many_kinds(journey: dict[str, Any], postgres_server: Any) -> None:
    def one(query: str) -> Any:
        return rows(postgres_server, journey["database"], query)[0][0]

    assert one("SELECT count(DISTINCT timezone) FROM objects") > 3
    assert one("SELECT count(*) FROM users WHERE settings ? 'язык'") > 10
    assert one("SELECT count(*) FROM payroll_adjustments WHERE amount < 0 AND amount <> trunc(amount)") > 10
    assert one("SELECT count(*) FROM reviews WHERE array_position(tags, NULL) > 0") > 10
    for table, column in {"users": "last_name", "shifts": "end_time", "media_files": "preview", "notifications": "data"}.items():
        assert 0 < one(f"SELECT count(*) FROM {table} WHERE {column} IS NULL") < one(f"SELECT count(*) FROM {table}"), column


def test_an_owner_of_tables_only_fills_and_is_told_about_the_setting(postgres_server: Any, database: str) -> None:
    with connect(postgres_server, database) as connection:
        connection.execute("CREATE ROLE staffprobot_clerk LOGIN")
        connection.execute("GRANT CREATE ON SCHEMA public TO staffprobot_clerk")
    try:
        said = generate(postgres_server.url(database).replace(f"//{postgres_server.user}@", "//staffprobot_clerk@"))
        assert "note: the database's time zone was not set: must be owner" in said
        assert rows(postgres_server, database, "SELECT count(*) FROM shifts") == [(1200,)]
    finally:
        with connect(postgres_server, database) as connection:
            connection.execute("DROP OWNED BY staffprobot_clerk CASCADE")
            connection.execute("DROP ROLE staffprobot_clerk")


def test_the_generator_leaves_any_other_database_alone(journey: dict[str, Any], postgres_server: Any, database: str) -> None:
    filled = run("staffprobot.generate", "--url", journey["url"])
    assert (filled.returncode, "neither empty nor at revision" in filled.stderr) == (2, True)

    with connect(postgres_server, database) as connection:
        connection.execute("CREATE TABLE somebody_elses (id int)")
    foreign = run("staffprobot.generate", "--url", postgres_server.url(database))
    assert (foreign.returncode, "neither empty nor at revision" in foreign.stderr) == (2, True)
    assert list(columns(postgres_server, database)) == ["somebody_elses"]

    nothing = run("staffprobot.generate")
    assert (nothing.returncode, "--url, or DATABASE_URL" in nothing.stderr) == (2, True)


def test_the_environment_alone_names_the_database(postgres_server: Any, database: str) -> None:
    """`-x db_name=…` is ignored, and without a name the dev database is taken: what the fence exists for."""
    dev = postgres_server.create_database("staffprobot_dev")
    try:
        done = run(
            *("alembic", "-x", f"db_name={database}", "upgrade", "4f8a2c6e1d37"),
            **{"POSTGRES_HOST": postgres_server.host, "POSTGRES_PORT": str(postgres_server.port), "POSTGRES_USER": postgres_server.user},
        )
        assert done.returncode == 0, done.stderr
        assert columns(postgres_server, database) == {}
        assert "users" in columns(postgres_server, dev)
    finally:
        postgres_server.drop_database(dev)
