"""Applications of every kind that is promised: interpreter, SQLAlchemy, Alembic, driver, and the templates of `alembic init`.

One project that has each kind of operation is made by the application's own `alembic init`, and reached by what an inventory can say:
its env.py takes the URL from Alembic's configuration, and the inventory sets that as an option.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import application
from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Application, Outcome

sys.path.append(str(Path(__file__).parent))

from agent_project import application_python, dump, mark, sql, url_of  # noqa: E402

pytestmark = pytest.mark.integration

REHEARSAL = "20261122-223011-9f3a2c"


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of application. `python` None: the interpreter that runs the tests. `configure`: what its env.py says further."""

    python: str | None
    sqlalchemy: str
    alembic: str
    template: str
    driver: str
    configure: str = ""

    def __str__(self) -> str:
        return f"python{self.python or ''}-sqlalchemy{self.sqlalchemy}-alembic{self.alembic}-{self.template}-{self.driver}"


KINDS = (
    Kind("3.8", "1.4.*", "1.8.*", "generic", "psycopg2"),
    Kind("3.9", "1.4.*", "1.12.*", "async", "asyncpg", "transaction_per_migration=True"),
    Kind("3.10", "2.0.*", "1.13.*", "multidb", "psycopg"),
    Kind("3.11", "2.0.*", "1.12.*", "generic", "pg8000", "version_table='schema_version'"),
    Kind("3.12", "2.0.*", "1.16.*", "pyproject", "psycopg", "version_table_schema='meta'"),
    Kind("3.13", "2.1.*", ">=1.20", "async", "psycopg_async", "version_table='v', version_table_schema='meta', transaction_per_migration=True"),
    Kind(None, ">=2.0", ">=1.13", "pyproject_async", "asyncpg", "transaction_per_migration=True"),
    Kind(None, "1.4.*", "1.12.*", "generic", "psycopg2", "transaction_per_migration=True, version_table_schema='meta'"),
)

HEADER = """
import io
import sqlalchemy as sa
from alembic import op
revision = {revision!r}
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = {depends!r}

def upgrade(engine_name=None):
{upgrade}

def downgrade(engine_name=None):
{downgrade}
"""

TABLE = "t = sa.table('t', sa.column('id', sa.Integer), sa.column('s', sa.String), schema='app')\n"
COPY = {
    "psycopg2": "op.get_bind().connection.cursor().copy_expert('COPY app.t (id, s) FROM STDIN', io.StringIO('100\\tcopied\\n'))",
    "psycopg": "with op.get_bind().connection.cursor().copy('COPY app.t (id, s) FROM STDIN') as copy:\n    copy.write('100\\tcopied\\n')",
    "psycopg_async": "async def go(connection):\n    async with connection.cursor() as cursor:\n"
    "        async with cursor.copy('COPY app.t (id, s) FROM STDIN') as copy:\n            await copy.write('100\\tcopied\\n')\n"
    "op.get_bind().connection.dbapi_connection.run_async(go)",
    "asyncpg": "async def go(connection):\n"
    "    await connection.copy_records_to_table('t', schema_name='app', columns=['id', 's'], records=[(100, 'copied')])\n"
    "op.get_bind().connection.dbapi_connection.run_async(go)",
    "pg8000": "op.get_bind().connection.cursor().execute('COPY app.t (id, s) FROM STDIN', stream=io.StringIO('100\\tcopied\\n'))",
}
# name → (upgrade, downgrade, what else the script says). In this order, each upon the one before unless it says otherwise.
REVISIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "create": (
        "op.create_table('t', sa.Column('id', sa.Integer(), primary_key=True), sa.Column('s', sa.String(50)), schema='app')\n"
        "op.create_table('p', sa.Column('id', sa.Integer(), primary_key=True), sa.Column('n', sa.Integer()))",
        "op.drop_table('p')\nop.drop_table('t', schema='app')",
        {},
    ),
    "bulk_insert": (TABLE + "op.bulk_insert(t, [{'id': n, 's': 'x'} for n in range(20)])", "op.execute('DELETE FROM app.t')", {}),
    "read": (
        "for row in op.get_bind().execute(sa.text('SELECT id FROM app.t WHERE id < 3')).fetchall():\n"
        "    op.get_bind().execute(sa.text('INSERT INTO p (id, n) VALUES (:id, :n)'), {'id': row[0], 'n': row[0] * 10})",
        "op.execute('DELETE FROM p')",
        {},
    ),
    "orm": (
        "from sqlalchemy.orm import Session, declarative_base\n"
        "class Row(declarative_base()):\n    __tablename__ = 'p'\n"
        "    id = sa.Column(sa.Integer, primary_key=True)\n    n = sa.Column(sa.Integer)\n"
        "session = Session(bind=op.get_bind())\n"
        "for row in session.query(Row).filter(Row.n > 5):\n    row.n += 1\n"
        "session.add(Row(id=50, n=50))\nsession.flush()",
        "op.execute('DELETE FROM p WHERE id = 50')",
        {},
    ),
    "raw": ("op.get_bind().connection.cursor().execute(\"UPDATE app.t SET s = 'raw' WHERE id = 1\")", "", {}),
    "copy": ("", "op.execute('DELETE FROM app.t WHERE id = 100')", {}),
    "left": ("op.add_column('p', sa.Column('l', sa.Integer()))", "op.drop_column('p', 'l')", {"labels": ("left_branch",)}),
    "right": (
        "op.execute('UPDATE p SET l = 1')",
        "op.execute('UPDATE p SET l = NULL')",
        {"down": "copy", "labels": ("right_branch",), "depends": "left"},
    ),
    "merge": ("", "", {"down": ("left", "right")}),
    "batch": (
        "with op.batch_alter_table('p') as batch:\n"
        "    batch.add_column(sa.Column('b', sa.Integer(), server_default='7', nullable=False))\n    batch.alter_column('n', nullable=True)",
        "with op.batch_alter_table('p') as batch:\n    batch.drop_column('b')",
        {},
    ),
    "concurrently": (
        "with op.get_context().autocommit_block():\n    op.create_index('p_n', 'p', ['n'], postgresql_concurrently=True)",
        "with op.get_context().autocommit_block():\n    op.drop_index('p_n', 'p', postgresql_concurrently=True)",
        {},
    ),
    "last": ("op.alter_column('t', 's', type_=sa.Text(), schema='app')", "op.alter_column('t', 's', type_=sa.String(50), schema='app')", {}),
}


class Place:
    """The copy, another database beside it, and the project."""

    def __init__(self, server: Any, copy: str, dev: str, directory: Path, kind: Kind) -> None:
        self.server = server
        self.copy = copy
        self.dev = dev
        self.directory = directory
        self.kind = kind
        self.python = application_python(kind.python, kind.sqlalchemy, kind.alembic)
        # The env.py of multidb begins the transaction itself, and Alembic cannot leave one that it did not begin. With pg8000, plain
        # `alembic upgrade` of this project fails there too («cannot run inside a transaction block»).
        concurrently = kind.template != "multidb" and kind.driver != "pg8000"
        self.revisions = [name for name in REVISIONS if name != "concurrently" or concurrently]
        self._init()

    def _init(self) -> None:
        argv = [self.python, "-m", "alembic", "init", "--template", self.kind.template, "migrations"]
        done = subprocess.run(argv, cwd=self.directory, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        if self.kind.configure:
            path = self.directory / "migrations" / "env.py"
            text = path.read_text()
            assert "connection=connection, target_metadata" in text
            path.write_text(text.replace("connection=connection, target_metadata", f"connection=connection, {self.kind.configure}, target_metadata"))
        down: Any = None
        for name in self.revisions:
            upgrade, downgrade, more = REVISIONS[name]
            text = HEADER.format(
                revision=name,
                down=more.get("down", down),
                labels=more.get("labels"),
                depends=more.get("depends"),
                upgrade=textwrap.indent((COPY[self.kind.driver] if name == "copy" else upgrade) or "pass", "    "),
                downgrade=textwrap.indent(downgrade or "pass", "    "),
            )
            (self.directory / "migrations" / "versions" / f"{name}.py").write_text(text)
            down = name

    def run(self, operation: str, target: str | None = None, database: str | None = None) -> Outcome:
        kind = self.kind
        url = url_of(self.server, database or self.copy, kind.driver)
        options: dict[str, Any] = {"sqlalchemy.url": url}
        if kind.template == "multidb":
            # One database of several is rehearsed at a time.
            options = {"databases": "engine1", "engine1": {"sqlalchemy.url": url}}
        config = "pyproject.toml" if kind.template.startswith("pyproject") else "alembic.ini"
        app = Application((self.python,), str(self.directory), config=config, options=options, deadline_s=120)
        return application.run(app, operation, marker_id=REHEARSAL, target=target, log_path=str(self.directory / "application.log"))

    def succeeds(self, operation: str, target: str | None = None) -> Outcome:
        outcome = self.run(operation, target)
        log = self.directory / "application.log"
        assert outcome.succeeded, (outcome.error, outcome.fence, log.read_text() if log.exists() else "")
        return outcome

    def sql(self, statement: str) -> list[str]:
        return sql(self.server, self.copy, statement)


@pytest.fixture(params=KINDS, ids=str)
def place(request: pytest.FixtureRequest, postgres_server: Any, database: str, tmp_path: Path) -> Iterator[Place]:
    dev = postgres_server.create_database(f"{database}_dev")
    mark(postgres_server, database, REHEARSAL)
    for name in (database, dev):
        for schema in ("app", "meta"):
            sql(postgres_server, name, f"CREATE SCHEMA {schema}")
    sql(postgres_server, dev, "CREATE TABLE precious AS SELECT generate_series(1, 50) AS n")
    try:
        yield Place(postgres_server, database, dev, tmp_path, request.param)
    finally:
        postgres_server.drop_database(dev)


def events(outcome: Outcome, name: str) -> list[dict[str, Any]]:
    return [event for event in outcome.events if event["event"] == name]


def test_every_operation_on_every_kind_of_application(place: Place) -> None:
    kind = place.kind
    script = events(place.succeeds("info"), "script")[0]
    assert script["heads"] == ["last"] and len(script["revisions"]) == len(place.revisions)
    labelled = {entry["revision"]: entry["branch_labels"] for entry in script["revisions"]}
    assert "left_branch" in labelled["left"] and "right_branch" in labelled["right"]

    # The fence: the other database is as it was, byte for byte.
    before = dump(place.server, place.dev)
    outcome = place.run("upgrade", database=place.dev)
    assert outcome.fence is not None and outcome.exit_code == 70, outcome.error
    assert outcome.fence["address"]["database"] == place.dev
    assert any("rehearsal_application.options names this database" in text for text in outcome.fence["suspects"])
    assert dump(place.server, place.dev) == before

    # The version table is missing: everything is pending, and asking changes nothing.
    outcome = place.succeeds("current")
    current = events(outcome, "current")[0]
    assert (current["heads"], len(events(outcome, "plan")[0]["steps"])) == ([], len(place.revisions))
    assert (current["version_table"], current["version_table_schema"]) == version_table(kind)
    assert current["transaction_per_migration"] == ("transaction_per_migration" in kind.configure)
    assert place.sql("SELECT count(*) FROM pg_class WHERE relkind = 'r' AND oid >= 16384") == ["0"]

    outcome = place.succeeds("upgrade")
    assert events(outcome, "hello")[0]["python"].startswith(kind.python or "")
    assert [event["revision"] for event in events(outcome, "revision_end")] == place.revisions
    assert events(outcome, "measuring")[0]["complete"], events(outcome, "measuring_failed")
    # What goes past SQLAlchemy to asyncpg, goes before SQLAlchemy has begun a transaction.
    begun = {event["revision"] for event in events(outcome, "statement") if event["autocommit"] and not event.get("raw")}
    assert begun == ({"concurrently"} if "concurrently" in place.revisions else set())
    assert place.sql("SELECT string_agg(concat_ws(':', id, n, l, b), ' ' ORDER BY id) FROM p") == ["0:0:1:7 1:11:1:7 2:21:1:7 50:50:1:7"]
    assert place.sql("SELECT string_agg(s, ' ' ORDER BY id) FROM app.t WHERE id IN (0, 1, 100)") == ["x raw copied"]
    name, schema = version_table(kind)
    assert place.sql(f"SELECT version_num FROM {schema or 'public'}.{name}") == ["last"]

    # Locks are those on tables that were there before.
    place.succeeds("downgrade", "merge")
    outcome = place.succeeds("upgrade")
    alters = [event for event in events(outcome, "statement") if event["revision"] == "last" and event["sql"].startswith("ALTER")]
    assert [lock["mode"] for lock in alters[0]["locks"] if lock["relation"] == "app.t"] == ["AccessExclusive"]

    # Down into the branches. Right depends on left; Alembic up to 1.12 notes left beside it, and cannot go up from there (nor could it without us).
    outcome = place.succeeds("downgrade", "right")
    heads = place.sql(f"SELECT version_num FROM {schema or 'public'}.{name} ORDER BY 1")
    assert sorted((outcome.last("done") or {})["heads"]) == heads
    assert heads == (["left", "right"] if kind.alembic in ("1.8.*", "1.12.*") else ["right"])
    assert place.sql("SELECT string_agg(concat_ws(':', id, n, l), ' ' ORDER BY id) FROM p") == ["0:0:1 1:11:1 2:21:1 50:50:1"]
    place.succeeds("downgrade", "base")
    # The version table is there, and empty.
    assert place.sql(f"SELECT count(*) FROM {schema or 'public'}.{name}") == ["0"]
    assert place.sql("SELECT to_regclass('p') IS NULL AND to_regclass('app.t') IS NULL") == ["t"]
    outcome = place.succeeds("current")
    assert (events(outcome, "current")[0]["heads"], len(events(outcome, "plan")[0]["steps"])) == ([], len(place.revisions))
    assert [event["revision"] for event in events(place.succeeds("upgrade"), "revision_end")] == place.revisions


def version_table(kind: Kind) -> tuple[str, str | None]:
    """What the kind's env.py says, or Alembic's own."""
    said: dict[str, Any] = eval(f"dict({kind.configure})")
    return said.get("version_table", "alembic_version"), said.get("version_table_schema")
