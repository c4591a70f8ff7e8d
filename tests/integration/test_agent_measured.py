"""What is measured is true: nothing that a revision does to a table goes unmeasured, or is taken for another statement's, without being said."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import agent_folding, application, judge_timeline, timeline
from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Application, Outcome
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Budgets

sys.path.append(str(Path(__file__).parent))

from agent_project import ASYNC_DRIVERS, Project, application_python, mark, sql, url_of  # noqa: E402

pytestmark = pytest.mark.integration

REHEARSAL = "20261122-223011-9f3a2c"
ROWS = 20_000
LARGE = judge_timeline.Sizes({"t": 2_000_000, "log": 2_000_000}, {})
REWRITE = "ALTER TABLE t ALTER COLUMN n TYPE bigint"


class Place:
    """A copy with a table `t`, and a project."""

    def __init__(self, server: Any, copy: str, directory: Path) -> None:
        self.server = server
        self.copy = copy
        self.directory = directory
        mark(server, copy, REHEARSAL)
        self.sql(f"CREATE TABLE t AS SELECT g AS id, g AS n FROM generate_series(1, {ROWS}) g")
        self.sql("CREATE TABLE log (id int)")

    def sql(self, statement: str) -> list[str]:
        return sql(self.server, self.copy, statement)

    def run(self, driver: str = "psycopg", **environment: str) -> Outcome:
        python = sys.executable if driver == "psycopg" else application_python("3.13", "2.1.*", ">=1.20")
        environment = {
            "DATABASE_URL": url_of(self.server, self.copy, driver),
            "DIRECT": self.server.url(self.copy).replace("+psycopg", ""),
            **environment,
        }
        app = Application((python,), str(self.directory), environment=environment, deadline_s=60)
        return application.run(app, "upgrade", marker_id=REHEARSAL, log_path=str(self.directory / "log"))

    def succeeds(self, driver: str = "psycopg") -> Outcome:
        outcome = self.run(driver)
        assert outcome.succeeded, outcome.error or outcome.fence
        measured = outcome.last("measuring")
        assert measured is not None and measured["complete"], outcome.last("measuring_failed")
        return outcome


def statements(outcome: Outcome, sql: str) -> list[dict[str, Any]]:
    """Those whose text begins so."""
    return [event for event in outcome.events if event["event"] == "statement" and event["sql"].startswith(sql)]


@pytest.fixture
def place(postgres_server: Any, database: str, tmp_path: Path) -> Place:
    return Place(postgres_server, database, tmp_path)


def rewriting(outcome: Outcome, table: str = "t") -> list[dict[str, Any]]:
    """The events of any kind that rewrote the table."""
    return [event for event in outcome.events if any(rewrite["relation"] == table for rewrite in event.get("rewrites", ()))]


def said(outcome: Outcome) -> dict[str, str]:
    return {code: str(message) for code, _, message, _ in judge_timeline.of_upgrade(outcome.events, LARGE, Budgets(), ["alembic_version"], True)}


def exclusive(outcome: Outcome, table: str = "t") -> list[timeline.Hold]:
    return [hold for hold in timeline.holds(outcome.events) if (hold.table, hold.kind, hold.mode) == (table, "r", "AccessExclusive")]


BEHIND = {
    "a setting first": f"SET lock_timeout = '5s'; {REWRITE}",
    "a local setting, as files have it": f"-- made by hand\nSET LOCAL lock_timeout = '5s';\n{REWRITE};\n",
    "a savepoint": f"SAVEPOINT a; {REWRITE}; RELEASE a",
    "a read": f"SELECT 1; {REWRITE}",
    "rows": f"INSERT INTO log VALUES (1); {REWRITE}",
    "another rewrite": f"TRUNCATE log; {REWRITE}",
}


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
@pytest.mark.parametrize("text", BEHIND.values(), ids=BEHIND)
def test_nothing_hides_behind_the_first_word(place: Place, driver: str, text: str) -> None:
    """Neither as a run's first statement, nor in its middle, nor as its last."""
    place.sql("CREATE TABLE t2 AS SELECT * FROM t")
    place.sql("CREATE TABLE t3 AS SELECT * FROM t")
    project = Project(place.directory)
    for number, table in enumerate(("t", "t2", "t3")):
        project.revision(f"a{number}", f"op.execute({text.replace('TABLE t ', f'TABLE {table} ')!r})")
    outcome = place.succeeds(driver)
    for number, table in enumerate(("t", "t2", "t3")):
        (event,) = rewriting(outcome, table)
        assert (event["event"], event["revision"]) == ("statement", f"a{number}")
        assert {rewrite["reason"] for rewrite in event["rewrites"] if rewrite["relation"] == table} == {"type"}
        (hold,) = exclusive(outcome, table)
        assert (hold.revision, hold.start) == (f"a{number}", event["t0"])
    assert "table-rewrite" in said(outcome) and "untracked-sql" not in said(outcome)


def test_a_text_with_a_transaction_of_its_own_is_watched_from_outside(place: Place) -> None:
    Project(place.directory).revision("a1", f"op.execute('COMMIT; BEGIN; {REWRITE}; SELECT pg_sleep(0.05); COMMIT; BEGIN')")
    outcome = place.succeeds("psycopg2")
    (event,) = rewriting(outcome)
    assert event["sampled"] and REWRITE in event["sql"]
    assert [hold.revision for hold in exclusive(outcome)] == ["a1"]


IMPORT = "import os\nurl = os.environ['DIRECT']\n"
RAW = {
    "psycopg": f"import psycopg\n{IMPORT}with psycopg.connect(url) as own:\n    own.execute('{REWRITE}')\n    own.execute('SELECT pg_sleep(0.3)')",
    "psycopg with a block": f"import psycopg\n{IMPORT}with psycopg.connect(url, autocommit=True) as own, own.transaction():\n"
    f"    own.execute('{REWRITE}')\n    own.execute('SELECT pg_sleep(0.3)')",
    "psycopg2": f"import psycopg2\n{IMPORT}with psycopg2.connect(url) as own:\n    cursor = own.cursor()\n"
    f"    cursor.execute('{REWRITE}')\n    cursor.execute('SELECT pg_sleep(0.3)')",
    "psycopg2 with a connection and a cursor of its own": "import psycopg2\nfrom psycopg2.extras import DictConnection\n"
    f"{IMPORT}own = psycopg2.connect(url, connection_factory=DictConnection)\ncursor = own.cursor()\n"
    f"cursor.execute('{REWRITE}')\ncursor.execute('SELECT 1 AS one')\nassert cursor.fetchone()['one'] == 1\n"
    "cursor.execute('SELECT pg_sleep(0.3)')\nown.commit()",
    "a raw connection of the engine": "own = op.get_bind().engine.raw_connection()\ncursor = own.cursor()\n"
    f"cursor.execute('{REWRITE}')\ncursor.execute('SELECT pg_sleep(0.3)')\nown.commit()",
}


@pytest.mark.parametrize("way", RAW)
def test_a_connection_of_the_drivers_own_is_measured(place: Place, way: str) -> None:
    Project(place.directory).revision("a1", RAW[way])
    outcome = place.succeeds("psycopg" if "psycopg2" not in way else "psycopg2")
    (event,) = rewriting(outcome)
    assert event["raw"] and event["revision"] == "a1"
    (blocked,) = [entry for entry in timeline.blocked(outcome.events) if (entry.table, entry.what) == ("t", "reads")]
    assert blocked.longest_ms > 300
    assert "table-rewrite" in said(outcome) and "untracked-sql" not in said(outcome)


def test_a_cursor_of_another_kind_is_measured(place: Place) -> None:
    body = "from psycopg2.extras import DictCursor\nraw = op.get_bind().connection.cursor(cursor_factory=DictCursor)\n"
    Project(place.directory).revision("a1", f"{body}raw.execute('{REWRITE}')\nraw.execute('SELECT 1 AS one')\nassert raw.fetchone()['one'] == 1")
    (event,) = rewriting(place.succeeds("psycopg2"))
    assert event["raw"] and event["sql"] == REWRITE


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_a_raw_cursor_outside_a_transaction_is_measured(place: Place, driver: str) -> None:
    body = f"with op.get_context().autocommit_block():\n    op.get_bind().connection.cursor().execute('{REWRITE}')"
    Project(place.directory).revision("a1", body)
    outcome = place.succeeds(driver)
    (event,) = rewriting(outcome)
    assert event["raw"] and event["autocommit"] and event["sampled"] and event["lock_timeout"] == "0"
    assert {"table-rewrite", "no-lock-timeout"} <= said(outcome).keys()


ASYNC = "import asyncpg\nraw = op.get_bind().connection.dbapi_connection\n"


@pytest.mark.parametrize(
    "body",
    [
        f"{ASYNC}op.execute('SELECT 1')\nraw.run_async(lambda own: own.execute('{REWRITE}'))",
        f"{ASYNC}op.execute('SELECT 1')\nasync def go(own):\n    await (await own.prepare('{REWRITE}')).fetch()\nraw.run_async(go)",
    ],
    ids=["execute", "prepare"],
)
def test_what_asyncpg_is_given_past_sqlalchemy_is_told_with_its_own_statement(place: Place, body: str) -> None:
    Project(place.directory, asynchronous=True).revision("a1", body)
    outcome = place.succeeds("asyncpg")
    (event,) = rewriting(outcome)
    assert (event["revision"], event["sql"], event["rewrites"][0]["reason"]) == ("a1", REWRITE, "type")
    assert "untracked-sql" not in said(outcome)


OWN = "import asyncio, asyncpg, os\nasync def go():\n    own = await asyncpg.connect(os.environ['DIRECT'])\n    async with own.transaction():\n"
OWN += f"        await own.execute('{REWRITE}')\n        await asyncio.sleep(0.3)\n    await own.close()\n"


@pytest.mark.parametrize(
    ("driver", "body"),
    [("asyncpg", "op.get_bind().connection.dbapi_connection.run_async(lambda _: go())"), ("psycopg2", "asyncio.run(go())")],
    ids=["in the loop of env.py", "in a loop of its own"],
)
def test_a_connection_of_asyncpgs_own_is_measured(place: Place, driver: str, body: str) -> None:
    Project(place.directory, asynchronous=driver == "asyncpg").revision("a1", OWN + body)
    outcome = place.succeeds(driver)
    (event,) = rewriting(outcome)
    assert event["raw"] and (event["revision"], event["sql"], event["rewrites"][0]["reason"]) == ("a1", REWRITE, "type")
    (blocked,) = [entry for entry in timeline.blocked(outcome.events) if (entry.table, entry.what) == ("t", "reads")]
    assert blocked.longest_ms > 300
    assert "table-rewrite" in said(outcome) and "untracked-sql" not in said(outcome)


def test_a_connection_that_cannot_be_asked_is_said(place: Place) -> None:
    """Nothing waits for an answer of the event loop's there."""
    Project(place.directory, extra="import sys\nsys.modules['greenlet'] = None").revision("a1", f"{OWN}asyncio.run(go())")
    assert REWRITE in said(place.succeeds("psycopg2"))["untracked-sql"]


def test_what_no_statement_accounts_for_is_said_and_held_from_when_it_may_have_begun(place: Place) -> None:
    """libpq below the driver: nobody sees it, but the server is asked at the revision's end."""
    body = f"op.execute('SELECT 1')\nop.get_bind().connection.dbapi_connection.pgconn.exec_(b'{REWRITE}')\nimport time\ntime.sleep(0.2)"
    project = Project(place.directory)
    project.revision("a1", body)
    project.revision("a2", "op.execute('ALTER TABLE log ADD COLUMN x int')")
    outcome = place.succeeds()
    (event,) = rewriting(outcome)
    assert (event["event"], event["revision"], event["unseen"]) == ("untracked", "a1", True)
    (hold,) = exclusive(outcome)
    assert hold.ms > 200
    assert "revision a1" in said(outcome)["untracked-sql"]


HIDDEN = f"op.get_bind().connection.dbapi_connection.pgconn.exec_(b'{REWRITE}')"


@pytest.mark.parametrize(
    ("configure", "body", "revision"),
    [
        ("", HIDDEN, "a1"),
        ("transaction_per_migration=True", HIDDEN, "a1"),
        # What committed at once, before anybody could be asked, shows by its new files when all is over.
        ("", f"with op.get_context().autocommit_block():\n    {HIDDEN}", None),
    ],
    ids=["one transaction", "a transaction each", "no transaction"],
)
def test_a_revision_of_which_no_statement_is_seen_is_told(place: Place, configure: str, body: str, revision: str | None) -> None:
    """Not even one of Alembic's own that would act came before it."""
    project = Project(place.directory, configure=configure)
    project.revision("a0", "pass")
    place.succeeds()
    project.revision("a1", body)
    project.revision("a2", "op.execute('ALTER TABLE log ADD COLUMN x int')")
    outcome = place.succeeds()
    (event,) = rewriting(outcome)
    assert (event["event"], event["revision"], event["unseen"]) == ("untracked", revision, True)
    assert "untracked-sql" in said(outcome)


def test_a_rewrite_that_was_rolled_back_is_no_surprise(place: Place) -> None:
    body = "import sqlalchemy\nbind = op.get_bind()\nfor _number in range(2):\n    nested = bind.begin_nested()\n"
    Project(place.directory).revision("a1", f"{body}    bind.execute(sqlalchemy.text('{REWRITE}'))\n    nested.rollback()")
    assert "untracked-sql" not in said(place.succeeds())


@pytest.mark.parametrize("end", ["COMMIT", "end", "COMMIT AND NO CHAIN", "rollback"])
def test_a_transaction_that_is_ended_by_text_is_over(place: Place, end: str) -> None:
    place.sql("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    body = f"op.add_column('t', sa.Column('x', sa.Integer()))\nop.execute('{end}')\nop.execute('SELECT pg_sleep(0.3)')\n"
    body += "op.execute('CREATE INDEX CONCURRENTLY i ON t (n)')"
    Project(place.directory).revision("a1", body)
    outcome = place.succeeds("psycopg2")
    (hold,) = exclusive(outcome)
    assert hold.ms < 300
    (built,) = statements(outcome, "CREATE INDEX")
    assert built["autocommit"] and built["sampled"]


def test_a_savepoint_that_is_rolled_back_ends_nothing(place: Place) -> None:
    body = "op.add_column('log', sa.Column('x', sa.Integer()))\nop.execute('SAVEPOINT a')\nop.add_column('t', sa.Column('x', sa.Integer()))\n"
    body += "op.execute('ROLLBACK TO SAVEPOINT a')\nop.execute('SELECT pg_sleep(0.2)')"
    Project(place.directory).revision("a1", body)
    outcome = place.succeeds()
    assert exclusive(outcome)[0].ms < 200 < exclusive(outcome, "log")[0].ms


def test_set_transaction_still_comes_first(place: Place) -> None:
    project = Project(place.directory, configure="transaction_per_migration=True")
    body = "with op.get_bind().engine.connect() as own:\n    own.execute(sa.text('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE'))\n"
    project.revision("a1", f"{body}    own.execute(sa.text('{REWRITE}'))\n    own.commit()")
    (event,) = rewriting(place.succeeds())
    assert event["sql"] == REWRITE


def test_the_first_statement_of_a_run_is_like_every_other(place: Place) -> None:
    Project(place.directory).revision("a1", "op.execute('UPDATE t SET n = n + 1')")
    (update,) = statements(place.succeeds(), "UPDATE t")
    assert update["wal"] > ROWS * 50


def test_what_was_read_before_is_not_the_next_statements_scan(place: Place) -> None:
    body = "op.get_bind().execute(sa.text('SELECT count(*) FROM t'))\nop.add_column('t', sa.Column('x', sa.Integer()))"
    Project(place.directory).revision("a1", body)
    assert not [event for event in place.succeeds().events if event.get("scans")]


def test_a_statement_timeout_of_the_applications_never_fails_the_migration_through_us(place: Place) -> None:
    tables = "FOR i IN 1..1500 LOOP EXECUTE format('CREATE TABLE x%s (id int)', i); END LOOP"
    place.sql(f"DO $$ BEGIN {tables}; END $$")
    sets = "from sqlalchemy import event\nfrom sqlalchemy.engine import Engine\n@event.listens_for(Engine, 'connect')\ndef brief(own, _record):\n"
    sets += "    cursor = own.cursor()\n    cursor.execute(\"SET statement_timeout = '15ms'\")\n    own.commit()\n"
    locks = (
        "op.execute(\"SET LOCAL statement_timeout = 0; LOCK TABLE \" + ', '.join(f'x{n}' for n in range(1, 1501)) + '; SET statement_timeout = 1')"
    )
    project = Project(place.directory, extra=sets)
    project.revision("a1", "op.add_column('t', sa.Column('x', sa.Integer()))")
    assert place.succeeds()
    # Where it is shorter than an answer takes, the measurement ends, and says so; the migration does not.
    project.revision("a2", f"{locks}\nop.execute('SET statement_timeout = 0')")
    outcome = place.run()
    assert outcome.succeeded, outcome.error
    assert outcome.last("measuring_failed") or (outcome.last("measuring") or {})["complete"]


def test_an_error_is_told_although_a_connection_still_holds_a_lock(place: Place) -> None:
    body = "global kept\nimport os\nkept = sa.create_engine(os.environ['DATABASE_URL']).connect()\n"
    Project(place.directory).revision("a1", f"{body}kept.execute(sa.text('ALTER TABLE t ADD COLUMN x int'))\nraise ValueError('nothing to do')")
    began = time.monotonic()
    outcome = place.run()
    assert outcome.error is not None and (outcome.error["kind"], outcome.error["revision"]) == ("ValueError", "a1")
    assert time.monotonic() - began < 50 and outcome.last("objects")


def test_an_error_that_explains_another_stays_what_it_is(place: Place) -> None:
    body = "try:\n    with op.get_bind().begin_nested():\n        op.execute('SELECT 1 / 0')\nexcept Exception:\n"
    body += "    raise RuntimeError('rates are missing')"
    Project(place.directory).revision("a1", body)
    outcome = place.run()
    assert outcome.error is not None and (outcome.error["kind"], outcome.error["sqlstate"]) == ("RuntimeError", None)


@pytest.mark.parametrize("driver", ["psycopg2", "pg8000", "asyncpg"])
def test_what_the_application_deallocates_is_not_ours(place: Place, driver: str) -> None:
    project = Project(place.directory, asynchronous=driver in ASYNC_DRIVERS)
    project.revision("a1", f"op.execute('CREATE TABLE u (id int)')\nop.execute('DEALLOCATE ALL')\nop.execute('{REWRITE}')")
    (event,) = rewriting(place.succeeds(driver))
    assert event["sql"] == REWRITE


def test_a_copy_lasts_until_its_end(place: Place) -> None:
    body = "import time\nwith op.get_bind().connection.cursor().copy('COPY log FROM STDIN') as copy:\n    copy.write('1\\\\n')\n    time.sleep(0.2)"
    Project(place.directory).revision("a1", body)
    (copied,) = statements(place.succeeds(), "COPY")
    assert copied["t1"] - copied["t0"] > 200


def test_a_loop_over_rows_is_one_event_with_its_calls(place: Place) -> None:
    calls = 500
    body = f"for n in range({calls}):\n    op.execute(f'UPDATE log SET id = {{n}} WHERE id = {{n}}')\n    op.get_bind().execute(sa.text('SELECT 1'))"
    Project(place.directory).revision("a1", f"op.execute('INSERT INTO log VALUES (7)')\n{body}")
    outcome = place.succeeds()
    updates = statements(outcome, "UPDATE log")
    assert sum(event.get("calls", 1) for event in updates) == calls and sum(event["rows"] for event in updates) == 1
    assert len(updates) < agent_folding.TOLD_ALONE + 20
    (row,) = timeline.spans(outcome.events)
    assert row.revision == "a1"


def test_children_of_multiprocessing_are_programs_that_were_started(place: Place) -> None:
    (place.directory / "helper.py").write_text("def go():\n    pass\n")
    body = "import multiprocessing, os, sys\nsys.path.insert(0, os.getcwd())\nimport helper\n"
    body += "child = multiprocessing.get_context('spawn').Process(target=helper.go)\nchild.start()\nchild.join()\nassert child.exitcode == 0"
    Project(place.directory).revision("a1", body)
    started = [event for event in place.succeeds().events if event["event"] == "process"]
    assert started and {event["revision"] for event in started} == {"a1"}
