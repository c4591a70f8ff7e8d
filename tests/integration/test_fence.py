"""Nothing that the application opens gets past the fence, and the wrong database stays as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import application
from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Application, Outcome

sys.path.append(str(Path(__file__).parent))

from agent_project import ASYNC_DRIVERS, DRIVERS, Project, application_python, dump, mark, sql, url_of  # noqa: E402

pytestmark = pytest.mark.integration

REHEARSAL = "20261122-223011-9f3a2c"


class Place:
    """The copy, another database beside it, and a project."""

    def __init__(self, server: Any, copy: str, dev: str, directory: Path) -> None:
        self.server = server
        self.copy = copy
        self.dev = dev
        self.directory = directory

    def run(self, python: str, operation: str = "upgrade", **kwargs: Any) -> Outcome:
        kwargs.setdefault("environment", {})
        app = Application((python,), str(self.directory), deadline_s=60, **kwargs)
        return application.run(app, operation, marker_id=REHEARSAL, log_path=str(self.directory / "application.log"))


@pytest.fixture
def place(postgres_server: Any, database: str, tmp_path: Path) -> Iterator[Place]:
    dev = postgres_server.create_database(f"{database}_dev")
    mark(postgres_server, database, REHEARSAL)
    sql(postgres_server, dev, "CREATE TABLE precious (id int PRIMARY KEY, note text)")
    sql(postgres_server, dev, "INSERT INTO precious SELECT n, 'row ' || n FROM generate_series(1, 50) n")
    yield Place(postgres_server, database, dev, tmp_path)
    postgres_server.drop_database(dev)


@pytest.fixture(scope="session")
def python() -> str:
    return application_python(None, ">=2.0", ">=1.13")


# Each way round, as lines of a revision; the names in braces stand for connection arguments.
DIRECT = {
    "psycopg2": "import psycopg2\nc = psycopg2.connect({libpq})\nc.cursor().execute('DROP TABLE precious')\nc.commit()",
    "psycopg2 pool": "from psycopg2.pool import SimpleConnectionPool\nc = SimpleConnectionPool(1, 1, {libpq}).getconn()\n"
    "c.cursor().execute('DROP TABLE precious')\nc.commit()",
    "psycopg": "import psycopg\nwith psycopg.connect({libpq}) as c:\n    c.execute('DROP TABLE precious')",
    "psycopg class": "from psycopg import Connection\nConnection.connect({libpq}, autocommit=True).execute('DROP TABLE precious')",
    "psycopg pool": "from psycopg_pool import ConnectionPool\nwith ConnectionPool('', kwargs=dict({libpq})) as pool:\n"
    "    with pool.connection() as c:\n        c.execute('DROP TABLE precious')",
    "psycopg async": "import asyncio, psycopg\nasync def go():\n    c = await psycopg.AsyncConnection.connect({libpq}, autocommit=True)\n"
    "    await c.execute('DROP TABLE precious')\nasyncio.run(go())",
    "asyncpg": "import asyncio, asyncpg\nasync def go():\n    c = await asyncpg.connect({asyncpg})\n"
    "    await c.execute('DROP TABLE precious')\nasyncio.run(go())",
    "asyncpg pool": "import asyncio, asyncpg\nasync def go():\n    async with asyncpg.create_pool({asyncpg}) as pool:\n"
    "        await pool.execute('DROP TABLE precious')\nasyncio.run(go())",
    "pg8000": "import pg8000.dbapi\nc = pg8000.dbapi.connect({pg8000})\nc.cursor().execute('DROP TABLE precious')\nc.commit()",
    "pg8000 native": "import pg8000.native\npg8000.native.Connection({pg8000}).run('DROP TABLE precious')",
    **{
        f"second engine, {driver}": f"import sqlalchemy\nwith sqlalchemy.create_engine({{{driver}_url}}).begin() as c:\n"
        "    c.execute(sqlalchemy.text('DROP TABLE precious'))"
        for driver in ("psycopg2", "psycopg", "pg8000")
    },
    **{
        f"second engine, {driver}": "import asyncio, sqlalchemy\nfrom sqlalchemy.ext.asyncio import create_async_engine\nasync def go():\n"
        f"    async with create_async_engine({{{driver}_url}}).begin() as c:\n        await c.execute(sqlalchemy.text('DROP TABLE precious'))\n"
        "asyncio.run(go())"
        for driver in ASYNC_DRIVERS
    },
    **{
        f"engine with a creator, {driver}": f"import sqlalchemy, {module}\n"
        f"c = sqlalchemy.create_engine('postgresql+{driver}://', creator=lambda: {module}.connect({{{arguments}}})).connect()\n"
        "c.execute(sqlalchemy.text('DROP TABLE precious'))\nc.commit()"
        for driver, module, arguments in (("psycopg", "psycopg", "libpq"), ("psycopg2", "psycopg2", "libpq"), ("pg8000", "pg8000.dbapi", "pg8000"))
    },
}
FORKED = {
    "os.fork": "import os, psycopg\nchild = os.fork()\nif not child:\n    psycopg.connect({libpq}, autocommit=True).execute('DROP TABLE precious')\n"
    "    os._exit(0)\nprint('CHILD', os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))",
    "multiprocessing": "import multiprocessing, psycopg\ndef go():\n"
    "    psycopg.connect({libpq}, autocommit=True).execute('DROP TABLE precious')\n"
    "child = multiprocessing.get_context('fork').Process(target=go)\nchild.start()\nchild.join()\nprint('CHILD', child.exitcode)",
}


def lines(way: str, place: Place) -> str:
    """A way round to the other database."""
    server = place.server
    address = f"host={server.host!r}, port={server.port}, user={server.user!r}"
    return way.format(
        libpq=f"{address}, dbname={place.dev!r}",
        asyncpg=f"{address}, database={place.dev!r}",
        pg8000=f"{server.user!r}, unix_sock={f'{server.host}/.s.PGSQL.{server.port}'!r}, database={place.dev!r}",
        **{f"{driver}_url": repr(url_of(server, place.dev, driver)) for driver in (*DRIVERS, *ASYNC_DRIVERS)},
    )


@pytest.mark.parametrize("way", DIRECT)
def test_each_way_round_from_within_a_revision_is_closed(place: Place, python: str, way: str) -> None:
    server = place.server
    body = lines(DIRECT[way], place)
    Project(place.directory).revision("a1", f"op.execute('CREATE TABLE t (id int)')\n{body}\nprint('PASSED THE FENCE')")
    before = dump(server, place.dev)

    outcome = place.run(python, environment={"DATABASE_URL": server.url(place.copy)})

    assert outcome.exit_code == 70 and outcome.fence is not None, outcome.error
    assert outcome.fence["address"]["database"] == place.dev
    assert outcome.fence["reason"] == "the database carries no rehearsal marker"
    assert "PASSED" not in (place.directory / "application.log").read_text()
    assert dump(server, place.dev) == before
    assert sql(server, place.copy, "SELECT to_regclass('t') IS NULL") == ["t"], "the copy's own transaction must not have been committed"


@pytest.mark.parametrize("way", FORKED)
def test_a_forked_process_is_behind_the_fence_too(place: Place, python: str, way: str) -> None:
    Project(place.directory).revision("a1", lines(FORKED[way], place))
    before = dump(place.server, place.dev)

    outcome = place.run(python, environment={"DATABASE_URL": place.server.url(place.copy)})

    assert outcome.fence is not None and outcome.fence["address"]["database"] == place.dev and not outcome.succeeded
    assert "CHILD 70" in (place.directory / "application.log").read_text()
    assert dump(place.server, place.dev) == before


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_fresh_python_of_multiprocessing_is_recorded_as_an_open_way(place: Place, python: str, method: str) -> None:
    project = Project(place.directory)
    project.write("helper.py", "def go():\n    pass\n")
    start = f"multiprocessing.get_context({method!r}).Process(target=helper.go)"
    imports = "import multiprocessing, os, sys\nsys.path.insert(0, os.getcwd())\nimport helper"
    project.revision("a1", f"child = {start}\nchild.start()\nchild.join()", imports=imports)
    outcome = place.run(python, environment={"DATABASE_URL": place.server.url(place.copy)})
    assert outcome.succeeded, outcome.error
    started = {(event["program"], event["revision"]) for event in outcome.events if event["event"] == "process"}
    assert started == {(Path(python).name, "a1")}


@pytest.mark.parametrize("driver", [*DRIVERS, "psycopg_async"])
def test_a_wrong_url_is_stopped_before_its_first_statement(place: Place, python: str, driver: str) -> None:
    Project(place.directory, asynchronous=driver in ASYNC_DRIVERS).revision("a1", "op.execute('DROP TABLE precious')")
    before = dump(place.server, place.dev)

    outcome = place.run(python, environment={"DATABASE_URL": url_of(place.server, place.dev, driver)})

    assert outcome.exit_code == 70 and outcome.fence is not None, outcome.error
    assert outcome.fence["driver"] == driver.split("_")[0]
    assert outcome.fence["expected"] == {"id": REHEARSAL}
    assert not [event for event in outcome.events if event["event"] in ("statement", "current")]
    assert dump(place.server, place.dev) == before
    assert any("DATABASE_URL" in text for text in outcome.fence["suspects"])


@pytest.mark.parametrize("driver", [*DRIVERS, "psycopg_async"])
def test_the_copy_passes_and_the_check_leaves_no_transaction_open(place: Place, python: str, driver: str) -> None:
    # SET TRANSACTION fails when anything ran before it in the same transaction.
    first = """
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        @event.listens_for(Engine, "begin")
        def began(connection):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        """
    project = Project(place.directory, asynchronous=driver in ASYNC_DRIVERS, extra=first)
    project.revision("a1", "op.execute('CREATE TABLE t (id int)')")
    outcome = place.run(python, environment={"DATABASE_URL": url_of(place.server, place.copy, driver)})
    assert outcome.succeeded, outcome.error
    assert sql(place.server, place.copy, "SELECT version_num FROM alembic_version") == ["a1"]
    assert [event["driver"] for event in outcome.events if event["event"] == "connection"][0] == driver.split("_")[0]
    assert [event for event in outcome.events if event["event"] == "measuring"][0]["complete"]


@pytest.mark.parametrize(
    "comment, reason",
    [
        ('{"rehearsal": {"id": "another"}}', "another rehearsal (another)"),
        ('{"rehearsal": {"id": null}}', "no rehearsal marker"),
        ("[1]", "no rehearsal marker"),
        ("20261122-223011-9f3a2c", "no rehearsal marker"),
        ("", "no rehearsal marker"),
    ],
)
def test_only_this_rehearsals_marker_opens_the_fence(place: Place, python: str, comment: str, reason: str) -> None:
    sql(place.server, place.dev, f"COMMENT ON DATABASE \"{place.dev}\" IS '{comment}'")
    Project(place.directory).revision("a1", "op.execute('DROP TABLE precious')")
    outcome = place.run(python, environment={"DATABASE_URL": place.server.url(place.dev)})
    assert outcome.fence is not None and reason in outcome.fence["reason"]


def test_another_kind_of_database_is_stopped_before_it_is_opened(place: Place, python: str) -> None:
    Project(place.directory).revision("a1")
    outcome = place.run(python, environment={"DATABASE_URL": "sqlite:///other.db"})
    assert outcome.fence is not None and "sqlite" in outcome.fence["reason"]
    assert not (place.directory / "other.db").exists()


def test_env_that_ignores_x_arguments_is_said_to(place: Place, python: str) -> None:
    """The runbook's own mistake: only `-x db_name=…` names the copy, and env.py takes its URL from elsewhere."""
    default = place.server.url(place.dev)
    Project(place.directory, url=f'os.environ.get("APP_DB", {default!r})').revision("a1", "op.execute('DROP TABLE precious')")
    before = dump(place.server, place.dev)
    outcome = place.run(python, x={"db_name": place.copy})
    assert outcome.fence is not None
    assert "-x db_name=… was given, but migrations/env.py does not read -x" in outcome.fence["suspects"][0]
    assert any("the default of APP_DB in migrations/env.py" in text for text in outcome.fence["suspects"])
    assert dump(place.server, place.dev) == before


def test_what_is_set_on_the_host_does_not_lead_the_application(place: Place, python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["DATABASE_URL", "APP_DSN", "TEAM_DATABASE_URL", "SQLALCHEMY_DATABASE_URI", "ANYTHING"]
    for name in names:
        monkeypatch.setenv(name, place.server.url(place.dev))
    for name in ("PGDATABASE", "PGHOST", "PGPORT", "DB_NAME", "POSTGRES_DB"):
        monkeypatch.setenv(name, "elsewhere")
        names.append(name)
    project = Project(place.directory)
    project.revision(
        "a1",
        f"import os\nleft = [name for name in {names!r} if name in os.environ]\nassert left == ['DATABASE_URL'], left\nassert os.environ['HOME']",
    )
    outcome = place.run(python, environment={"DATABASE_URL": place.server.url(place.copy)})
    assert outcome.succeeded, outcome.error


def test_a_program_that_a_revision_starts_is_recorded_as_an_open_way(place: Place, python: str) -> None:
    psql = str(Path(place.server.bin_dir) / "psql")
    argv = [psql, "-h", place.server.host, "-p", str(place.server.port), "-U", place.server.user, "-d", place.dev, "-c", "SELECT 1"]
    Project(place.directory).revision("a1", f"import subprocess\nsubprocess.run({argv!r}, check=True)")
    outcome = place.run(python, environment={"DATABASE_URL": place.server.url(place.copy)})
    assert outcome.succeeded, outcome.error
    assert [(event["program"], event["revision"]) for event in outcome.events if event["event"] == "process"] == [("psql", "a1")]
    hello = outcome.events[0]
    assert any("psql" in way for way in hello["open_ways"])


def test_a_program_is_not_led_to_the_wrong_database_by_what_is_set_on_the_host(place: Place, python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fence does not reach into another program; it is recorded as open, and gets no address but what the inventory or the project gives it."""
    server = place.server
    for name, value in {"PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": server.user, "PGDATABASE": place.dev}.items():
        monkeypatch.setenv(name, value)
    psql = str(Path(server.bin_dir) / "psql")
    before = dump(server, place.dev)
    drop = f"subprocess.run([{psql!r}, '-X', '-c', 'DROP TABLE precious'])"
    Project(place.directory).revision("a1", f"import subprocess\nprint('EXIT', {drop}.returncode)")

    outcome = place.run(python, environment={"DATABASE_URL": server.url(place.copy)})

    assert outcome.succeeded, outcome.error
    assert "EXIT 0" not in (place.directory / "application.log").read_text()
    assert dump(server, place.dev) == before
    assert [(event["program"], event["revision"]) for event in outcome.events if event["event"] == "process"] == [("psql", "a1")]
    assert any("program" in way for way in (outcome.last("hello") or {})["open_ways"])


def test_passwords_never_leave_the_application(place: Place, python: str) -> None:
    secret = "s3cr3t-Pässword"
    project = Project(place.directory)
    project.revision(
        "a1",
        "import os, sys\nprint(os.environ['DATABASE_URL'], os.environ['API_TOKEN'], file=sys.stderr)\n"
        "print('bare', op.get_bind().engine.url.password)\nraise RuntimeError(os.environ['DATABASE_URL'])",
    )
    url = place.server.url(place.copy).replace("@", f":{secret}@")
    seen: list[str] = []

    def look(event: dict[str, Any]) -> None:
        if event["event"] == "hello":
            for name in ("cmdline", "environ"):
                seen.append(Path(f"/proc/{event['pid']}/{name}").read_bytes().decode("utf-8", "replace"))

    app = Application((python,), str(place.directory), environment={"DATABASE_URL": url, "API_TOKEN": "tok-123456"}, deadline_s=60)
    log, events = place.directory / "application.log", place.directory / "events.jsonl"
    outcome = application.run(app, "upgrade", marker_id=REHEARSAL, log_path=str(log), events_path=str(events), on_event=look)
    assert outcome.error is not None and outcome.error["kind"] == "RuntimeError"
    assert "bare ***" in log.read_text()
    everything = repr(outcome) + log.read_text() + events.read_text() + "".join(seen)
    assert len(seen) == 2 and secret not in everything and "tok-123456" not in everything
