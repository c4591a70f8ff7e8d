"""The agent on small projects: operations, branches, transactions, what goes wrong, and every supported driver."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import application
from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Application, Outcome

sys.path.append(str(Path(__file__).parent))

from agent_project import ASYNC_DRIVERS, MATRIX, Project, application_python, mark, sql, url_of  # noqa: E402

pytestmark = pytest.mark.integration

REHEARSAL = "20261122-223011-9f3a2c"


class Place:
    """A copy, a project, and runs of the agent on them."""

    def __init__(self, server: Any, copy: str, directory: Path) -> None:
        self.server = server
        self.copy = copy
        self.directory = directory
        self.python = sys.executable
        self.environment = {"DATABASE_URL": server.url(copy)}

    def run(self, operation: str = "upgrade", target: str | None = None, marker: str | None = REHEARSAL, **kwargs: Any) -> Outcome:
        kwargs = {"command": (self.python,), "chdir": str(self.directory), "environment": self.environment, "deadline_s": 60, **kwargs}
        log, events = str(self.directory / "application.log"), str(self.directory / "events.jsonl")
        return application.run(Application(**kwargs), operation, marker_id=marker, target=target, log_path=log, events_path=events)

    def sql(self, statement: str) -> list[str]:
        return sql(self.server, self.copy, statement)

    @property
    def log(self) -> str:
        return (self.directory / "application.log").read_text()


@pytest.fixture
def place(postgres_server: Any, database: str, tmp_path: Path) -> Place:
    mark(postgres_server, database, REHEARSAL)
    return Place(postgres_server, database, tmp_path)


def events(outcome: Outcome, name: str) -> list[dict[str, Any]]:
    return [event for event in outcome.events if event["event"] == name]


def branches(project: Project) -> None:
    """a1 → b1, c1 (two branches) → m1 merges them."""
    project.revision("a1", "op.create_table('a', sa.Column('id', sa.Integer()))", "op.drop_table('a')")
    project.revision("b1", "op.create_table('b', sa.Column('id', sa.Integer()))", "op.drop_table('b')", down="a1", labels="left")
    project.revision("c1", "op.create_table('c', sa.Column('id', sa.Integer()))", "op.drop_table('c')", down="a1")
    project.revision("m1", down=("b1", "c1"))


def test_info_needs_neither_env_nor_database(place: Place) -> None:
    project = Project(place.directory)
    branches(project)
    project.write("migrations/env.py", "raise SystemExit('must not run')")
    outcome = place.run("info", marker=None, environment={})
    assert outcome.succeeded, outcome.error
    (script,) = events(outcome, "script")
    assert script["heads"] == ["m1"] and script["bases"] == ["a1"]
    by_id = {entry["revision"]: entry for entry in script["revisions"]}
    assert by_id["m1"]["down_revisions"] == ["b1", "c1"] and by_id["b1"]["branch_labels"] == ["left"]
    assert by_id["a1"]["file"] == "migrations/versions/a1.py" and by_id["a1"]["message"] == "revision a1"


def test_current_reports_what_is_pending_and_changes_nothing(place: Place) -> None:
    branches(Project(place.directory, configure="version_table='v', version_table_schema='meta', transaction_per_migration=True"))
    place.sql("CREATE SCHEMA meta")
    outcome = place.run("current")
    assert outcome.succeeded, outcome.error
    current = events(outcome, "current")[0]
    assert (current["heads"], current["version_table"], current["version_table_schema"], current["transaction_per_migration"]) == (
        [],
        "v",
        "meta",
        True,
    )
    assert {step["revision"] for step in events(outcome, "plan")[0]["steps"]} == {"a1", "b1", "c1", "m1"}
    assert place.sql("SELECT count(*) FROM pg_class WHERE relkind = 'r' AND oid >= 16384") == ["0"]


def test_up_down_to_two_branches_and_up_again(place: Place) -> None:
    branches(Project(place.directory))
    assert place.run().succeeded
    outcome = place.run("downgrade", "b1,c1")
    assert outcome.succeeded, outcome.error
    assert (outcome.last("done") or {})["heads"] in (["b1", "c1"], ["c1", "b1"])
    assert place.sql("SELECT version_num FROM alembic_version ORDER BY 1") == ["b1", "c1"]
    assert place.run("downgrade", "a1").succeeded
    assert place.sql("SELECT to_regclass('a') IS NOT NULL AND to_regclass('b') IS NULL AND to_regclass('c') IS NULL") == ["t"]
    assert place.run().succeeded
    assert place.run("downgrade", "base").succeeded
    assert place.sql("SELECT count(*) FROM alembic_version") == ["0"]


def test_a_downgrade_to_two_branches_keeps_what_each_needs(place: Place) -> None:
    project = Project(place.directory)
    branches(project)
    project.revision("d1", "op.create_table('d', sa.Column('id', sa.Integer()))", "op.drop_table('d')", down="m1")
    place.run("upgrade")
    # Production stood on c1 and b1; another time on a branch whose dependency lies on the other one.
    project.revision("e1", down="c1", depends="b1")
    outcome = place.run("downgrade", "c1,b1")
    assert outcome.succeeded, outcome.error
    assert [step["revision"] for step in events(outcome, "plan")[0]["steps"]] == ["d1", "m1"]
    assert place.sql("SELECT to_regclass('d') IS NULL AND to_regclass('b') IS NOT NULL AND to_regclass('c') IS NOT NULL") == ["t"]


def test_several_heads_are_named(place: Place) -> None:
    project = Project(place.directory)
    project.revision("a1")
    project.revision("b1", down="a1")
    project.revision("c1", down="a1")
    for operation in ("current", "upgrade"):
        outcome = place.run(operation)
        assert outcome.error is not None and outcome.error["kind"] == "MultipleHeads"
        assert outcome.error["heads"] == ["b1", "c1"] and "b1, c1" in outcome.error["message"]
    assert place.run("upgrade", "heads").succeeded


def test_a_revision_that_the_project_does_not_have_is_named(place: Place) -> None:
    Project(place.directory).revision("a1")
    place.sql("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    place.sql("INSERT INTO alembic_version VALUES ('fffff1')")
    for operation, target in (("current", None), ("upgrade", None), ("downgrade", "base")):
        outcome = place.run(operation, target)
        assert outcome.error is not None and outcome.error["kind"] == "RevisionUnknown", outcome.error
        assert outcome.error["revisions"] == ["fffff1"] and "fffff1" in outcome.error["message"]


def test_a_failing_statement_is_told_with_everything_but_values(place: Place) -> None:
    project = Project(place.directory)
    project.revision("a1", "op.execute('CREATE TABLE t (id int PRIMARY KEY, name text)')\nop.execute(\"INSERT INTO t VALUES (7, 'Иванов')\")")
    project.revision("a2", "op.execute(\n    \"INSERT INTO t VALUES (7, 'Петров')\")")
    outcome = place.run()
    error = outcome.error
    assert error is not None and outcome.exit_code == 1
    assert (error["sqlstate"], error["revision"], error["kind"]) == ("23505", "a2", "UniqueViolation")
    assert (error["table_name"], error["constraint_name"], error["schema_name"]) == ("t", "t_pkey", "public")
    assert error["file"] == "migrations/versions/a2.py" and "Петров" in (place.directory / error["file"]).read_text().splitlines()[error["line"]]
    assert error["statement"] == "INSERT INTO t VALUES (?, '***')"
    assert events(outcome, "statement")[-1]["failed"] and events(outcome, "objects")
    everything = json.dumps(outcome.events, ensure_ascii=False) + place.log + (place.directory / "events.jsonl").read_text()
    assert "Петров" not in everything and "Иванов" not in everything


@pytest.mark.parametrize(
    "body, kind, says",
    [
        ("import sys; sys.exit(3)", "SystemExit", "exit code 3"),
        ("import sys; sys.exit()", "SystemExit", "ended the process"),
        ("import os; print('last words', flush=True); os._exit(0)", "ProcessEnded", "exit code 0"),
        ("import os; os.kill(os.getpid(), 9)", "ProcessEnded", "signal 9"),
        ("raise KeyError('setting')", "KeyError", "setting"),
        ("import not_there", "ModuleNotFoundError", "not_there"),
        ("def broken(:", "SyntaxError", "syntax"),
    ],
)
@pytest.mark.parametrize("where", ["env.py", "revision"])
def test_every_end_is_told(place: Place, where: str, body: str, kind: str, says: str) -> None:
    project = Project(place.directory)
    project.revision("a1", body if where == "revision" else "pass")
    if where == "env.py":
        project.write("migrations/env.py", body)
    outcome = place.run()
    assert not outcome.succeeded and outcome.error is not None
    assert outcome.error["kind"] == kind and says in outcome.error["message"]
    if kind == "KeyError":
        assert outcome.error["file"] == ("migrations/env.py" if where == "env.py" else "migrations/versions/a1.py")


def test_what_was_printed_is_kept_however_the_process_ends(place: Place) -> None:
    child = "subprocess.run([sys.executable, '-c', 'import os; print(42 * 10); os._exit(0)'], check=True)"
    says = "sys.stdout.write('to the end'); sys.__stdout__.write(' of output'); sys.stderr.write(' and of errors'); print(' überall')"
    Project(place.directory).revision("a1", f"import os, subprocess, sys\n{child}\n{says}\nos.kill(os.getpid(), 9)")
    outcome = place.run()
    assert outcome.error is not None and outcome.error["kind"] == "ProcessEnded"
    assert "420" in place.log and "to the end of output and of errors überall" in place.log


def test_output_may_go_through_what_the_site_puts_before_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(place.directory)
    before = "class Before:\n    def write(self, text):\n        sys.__stdout__.write(text.upper())\n    def flush(self):\n        pass\n"
    project.write("site/sitecustomize.py", f"import sys\n{before}sys.stdout = Before()\n")
    project.revision("a1", "import os\nprint('said')\nos.kill(os.getpid(), 9)")
    monkeypatch.setenv("PYTHONPATH", str(place.directory / "site"))
    outcome = place.run()
    assert outcome.error is not None and outcome.error["kind"] == "ProcessEnded"
    assert "SAID" in place.log


@pytest.mark.parametrize(
    "body, kind",
    [
        ("threading.Timer(1.0, lambda: os.kill(os.getpid(), 9)).start()\nop.execute('SELECT pg_sleep(30)')", "ProcessEnded"),
        ("threading.Timer(1.0, lambda: os._exit(3)).start()\nop.execute('SELECT pg_sleep(30)')", "ProcessEnded"),
        ("op.execute('SELECT pg_sleep(30)')", "Deadline"),
        ("op.get_bind().connection.cursor().execute('SELECT pg_sleep(30)')", "Deadline"),
    ],
)
def test_a_process_that_ends_within_a_statement_ends_with_that_statement_named(place: Place, body: str, kind: str) -> None:
    Project(place.directory).revision("a1", f"import os, threading\nop.execute('CREATE TABLE t (id int)')\n{body}")
    outcome = place.run(deadline_s=4)
    assert outcome.error is not None
    assert (outcome.error["kind"], outcome.error["revision"], outcome.error["statement"]) == (kind, "a1", "SELECT pg_sleep(?)")
    (running,) = events(outcome, "running")
    assert running["t"] - running["t0"] >= 100


def test_a_hang_ends_at_the_deadline_with_everything_it_started(place: Place) -> None:
    project = Project(place.directory)
    project.revision("a1", "import subprocess, time\nprint(subprocess.Popen(['sleep', '300']).pid, flush=True)\ntime.sleep(300)")
    began = time.monotonic()
    outcome = place.run(deadline_s=4)
    assert outcome.timed_out and outcome.error is not None and outcome.error["kind"] == "Deadline"
    assert time.monotonic() - began < 20
    child = int(place.log.split()[-1])
    time.sleep(0.2)
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(child)], capture_output=True, text=True, check=False).stdout.strip()
    assert state[:1] in ("", "Z"), "what the application started is left running"


@pytest.mark.parametrize(
    "changes, kind",
    [
        ({"command": ("/nowhere/python",)}, "CommandMissing"),
        ({"command": ()}, "CommandMissing"),
        ({"chdir": "/nowhere"}, "DirectoryMissing"),
        ({"command": ("false",)}, "NotStarted"),
        ({"config": "other.ini"}, "ConfigMissing"),
        ({"command": (sys.executable, "-I", "-S")}, "AlembicMissing"),
    ],
)
def test_a_wrong_inventory_is_a_clear_error(place: Place, changes: dict[str, Any], kind: str) -> None:
    Project(place.directory).revision("a1")
    outcome = place.run("info", **changes)
    assert outcome.error is not None and outcome.error["kind"] == kind, outcome.error
    assert "Traceback" not in outcome.error["message"]


def test_env_that_runs_no_migrations_is_not_taken_for_success(place: Place) -> None:
    Project(place.directory).revision("a1")
    (place.directory / "migrations" / "env.py").write_text("print('nothing')")
    outcome = place.run()
    assert outcome.error is not None and outcome.error["kind"] == "NothingRan"


def test_nothing_that_is_printed_disturbs_or_imitates_the_protocol(place: Place) -> None:
    project = Project(place.directory)
    fake = '0123456789abcdef {"event": "done", "t": 1, "heads": ["fake"]}'
    project.revision(
        "a1",
        f"import os, sys, subprocess\nprint({fake!r})\nos.write(1, b'\\xff\\xfe no newline')\nprint('x' * 100000)\n"
        "subprocess.run(['echo', 'from a program'])\nprint('password=hunter22', file=sys.stderr)",
    )
    outcome = place.run()
    assert outcome.succeeded and [event["heads"] for event in events(outcome, "done")] == [["a1"]]
    assert "from a program" in place.log and "hunter22" not in place.log


def test_a_raw_cursor_is_seen_and_its_locks_are_its_own(place: Place) -> None:
    place.sql("CREATE TABLE t (id int)")
    place.sql("CREATE TABLE u (id int)")
    project = Project(place.directory)
    project.revision(
        "a1",
        "raw = op.get_bind().connection.cursor()\nraw.execute('ALTER TABLE t ADD COLUMN x int')\n"
        "with raw.copy('COPY t (id) FROM STDIN') as copy:\n    copy.write('1\\n')\nop.add_column('u', sa.Column('x', sa.Integer()))",
    )
    outcome = place.run()
    assert outcome.succeeded, outcome.error
    own = [event for event in events(outcome, "statement") if event["revision"] == "a1" and event["sql"].startswith(("ALTER", "COPY"))]
    assert [(event.get("raw", False), event["sql"].split()[0], {lock["relation"] for lock in event["locks"]}) for event in own] == [
        (True, "ALTER", {"t"}),
        (True, "COPY", {"t"}),
        (False, "ALTER", {"u"}),
    ]
    assert [lock for event in events(outcome, "untracked") for lock in event["locks"] if lock["mode"] != "RowExclusive"] == []
    source = (place.directory / "migrations" / "versions" / "a1.py").read_text().splitlines()
    for event, asked in zip(own, ("raw.execute", "raw.copy", "op.add_column"), strict=True):
        assert asked in source[event["line"] - 1]
    # Alembic's own bookkeeping is in no line of the revision.
    assert not [event for event in events(outcome, "statement") if "alembic_version" in event["sql"] and "line" in event]


def test_ddl_in_a_function_called_by_select_is_found_at_the_latest_at_commit(place: Place) -> None:
    place.sql("CREATE TABLE t (id int)")
    place.sql("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'ALTER TABLE t ADD COLUMN x int'")
    Project(place.directory, configure="transaction_per_migration=True").revision("a1", "op.execute('SELECT f()')")
    outcome = place.run()
    assert outcome.succeeded, outcome.error
    found = [lock for event in outcome.events for lock in event.get("locks", ()) if lock["relation"] == "t" and lock["mode"] == "AccessExclusive"]
    assert len(found) == 1


REVISIONS = {
    "create": "op.create_table('t', sa.Column('id', sa.Integer(), primary_key=True), sa.Column('s', sa.String(50)))",
    "bulk": "t = sa.table('t', sa.column('id', sa.Integer), sa.column('s', sa.String))\nop.bulk_insert(t, [{'id': n, 's': 'x'} for n in range(20)])",
    "bind": "assert op.get_bind().execute(sa.text('SELECT count(*) FROM t')).scalar() == 20",
    "orm": "from sqlalchemy.orm import Session\nsession = Session(bind=op.get_bind())\n"
    "session.execute(sa.text(\"UPDATE t SET s = 'y' WHERE id < 3\"))\nsession.flush()",
    "batch": "with op.batch_alter_table('t') as batch:\n"
    "    batch.add_column(sa.Column('n', sa.Integer()))\n    batch.alter_column('s', nullable=True)",
    "schema": "op.execute('CREATE SCHEMA other')\nop.create_table('o', sa.Column('id', sa.Integer()), schema='other')",
    "concurrently": "with op.get_context().autocommit_block():\n    op.create_index('t_s', 't', ['s'], postgresql_concurrently=True)",
    "savepoint": "try:\n    with op.get_bind().begin_nested():\n"
    "        op.execute('ALTER TABLE t ADD COLUMN n int')\nexcept sa.exc.DBAPIError:\n    pass\n"
    "else:\n    raise AssertionError",
}


# SQLAlchemy 1.4 has no psycopg 3.
DRIVEN = [
    (versions, driver)
    for versions in MATRIX
    for driver in ("psycopg2", "psycopg", "psycopg_async", "asyncpg", "pg8000")
    if not (versions[1].startswith("1.4") and driver in ("psycopg", "psycopg_async"))
]


@pytest.mark.parametrize("versions, driver", DRIVEN, ids=["-".join((*versions, driver)) for versions, driver in DRIVEN])
def test_every_driver_on_every_version(place: Place, versions: tuple[str, str, str], driver: str) -> None:
    place.python = application_python(*versions)
    place.environment = {"DATABASE_URL": url_of(place.server, place.copy, driver)}
    project = Project(place.directory, asynchronous=driver in ASYNC_DRIVERS)
    # Plain Alembic cannot do autocommit_block() with pg8000 either.
    revisions = {name: body for name, body in REVISIONS.items() if driver != "pg8000" or name != "concurrently"}
    for name, body in revisions.items():
        project.revision(name, body, "op.drop_table('t')" if name == "create" else "")
    outcome = place.run()
    assert outcome.succeeded, outcome.error
    assert [event["revision"] for event in events(outcome, "revision_end")] == list(revisions)
    assert events(outcome, "hello")[0]["python"].startswith(versions[0])
    assert events(outcome, "measuring")[0]["complete"], events(outcome, "measuring_failed")
    assert {event["revision"] for event in events(outcome, "statement") if event["autocommit"]} == {"concurrently"} & set(revisions)
    assert [event for event in events(outcome, "statement") if event.get("raw")] == []
    assert place.sql("SELECT count(*) FROM t WHERE s = 'y'") == ["3"]

    place.sql("ALTER TABLE t ADD COLUMN marker int")
    project.revision("last", "op.alter_column('t', 's', type_=sa.Text())\nop.alter_column('t', 'id', type_=sa.BigInteger())")
    outcome = place.run()
    assert outcome.succeeded, outcome.error
    alters = [event for event in events(outcome, "statement") if event["sql"].startswith("ALTER")]
    assert ("t", "AccessExclusive") in [(lock["relation"], lock["mode"]) for lock in alters[0]["locks"]]
    assert alters[0]["lock_timeout"] == "0"
    source = (place.directory / "migrations" / "versions" / "last.py").read_text().splitlines()
    assert ["'s'" in source[alters[0]["line"] - 1], "'id'" in source[alters[1]["line"] - 1]] == [True, True]
    assert source[events(outcome, "plan")[0]["steps"][-1]["line"] - 1] == "def upgrade():"
    assert [rewrite["reason"] for rewrite in alters[1]["rewrites"]] == ["type"]

    outcome = place.run("downgrade", "base")
    assert outcome.succeeded, outcome.error
    assert place.sql("SELECT to_regclass('t') IS NULL") == ["t"]


def test_nothing_is_written_into_the_project(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    project = Project(place.directory)
    project.write("helper.py", "")
    # Neither by this Python nor by one that it starts.
    imports = "import os, subprocess, sys\nsys.path.insert(0, os.getcwd())\nimport helper"
    project.revision("a1", "subprocess.run([sys.executable, '-c', 'import helper'], check=True)", imports=imports)
    log, events_file = place.directory / "application.log", place.directory / "events.jsonl"
    before = set(place.directory.rglob("*"))
    outcome = place.run()
    assert outcome.succeeded, outcome.error
    after = set(place.directory.rglob("*")) - {log, events_file}
    assert after == before
    assert os.path.getsize(events_file) > 0


def test_a_long_transaction_is_measured_once_a_revision_and_loses_no_lock(place: Place) -> None:
    for number in range(4):
        place.sql(f"CREATE TABLE t{number} (id int)")
    project = Project(place.directory)
    project.revision("a1", "for n in range(320):\n    op.execute(f'CREATE TABLE n{n} (id int)')")
    project.revision(
        "a2", "op.execute('CREATE TABLE o (id int)')\nop.execute('ALTER TABLE t1 ADD COLUMN x int')\nop.execute('ALTER TABLE t2 ADD COLUMN x int')"
    )
    project.revision("a3", "op.execute('ALTER TABLE t3 ADD COLUMN x int')")
    outcome = place.run()
    assert outcome.succeeded, outcome.error
    taken = {lock["relation"]: event["revision"] for event in outcome.events for lock in event.get("locks", ()) if lock["mode"] == "AccessExclusive"}
    assert taken == {"t1": "a2", "t2": "a2", "t3": "a3"}
    # A statement that takes 5 ms on a busy machine is measured by itself; then this says less, never something wrong.
    made = [event["t1"] for event in events(outcome, "statement") if event["sql"].startswith("CREATE TABLE n")]
    starts = [event["t0"] for event in outcome.events if any(lock["relation"] == "t2" for lock in event.get("locks", ()))]
    assert len(starts) == 1 and starts[0] >= max(made)
