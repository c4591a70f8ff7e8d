"""Very many quick statements in one transaction: measured together, where nothing can be lost by it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import agent_probe, application, judge_timeline, timeline
from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Application, Outcome
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Budgets

sys.path.append(str(Path(__file__).parent))

from agent_project import Project, mark, sql  # noqa: E402

pytestmark = pytest.mark.integration

REHEARSAL = "20261122-223011-9f3a2c"
MANY = 20


real_source = application._source


def with_limits(module: ModuleType) -> str:
    """The agent with a lower limit, on which no statement counts as slow: a busy machine must not change what is tested."""
    text = real_source(module)
    if module is not agent_probe:
        return text
    for old, new in ((f"EXACT_STATEMENTS = {agent_probe.EXACT_STATEMENTS}", f"EXACT_STATEMENTS = {MANY}"), ("SLOW_MS = 5.0", "SLOW_MS = 5e6")):
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.fixture
def outcome(postgres_server: Any, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Many revisions in one transaction; the first one uses up what is measured statement by statement."""
    monkeypatch.setattr(application, "_source", with_limits)
    mark(postgres_server, database, REHEARSAL)
    for table in ("busy", "late", "parent", "looped"):
        sql(postgres_server, database, f"CREATE TABLE {table} (id int PRIMARY KEY, v text)")
    project = Project(tmp_path)
    project.revision("a1", f"for n in range({MANY}):\n    op.execute(f'COMMENT ON TABLE busy IS {{chr(39)}}{{n}}{{chr(39)}}')")
    project.revision("a2", "op.execute('ALTER TABLE busy ADD COLUMN a int')")
    project.revision("a3", "op.execute('CREATE TABLE fresh (id int PRIMARY KEY)')")
    project.revision("a4", "op.execute('ALTER TABLE busy ADD COLUMN b int')")
    project.revision("a5", "op.execute('ALTER TABLE late ADD COLUMN a int')")
    project.revision("a6", "op.execute('ALTER TABLE busy ADD COLUMN c int')")
    project.revision("a7", "op.execute('CREATE TABLE child (id int REFERENCES \"parent\")')")
    project.revision("a8", "op.execute('DO $$ BEGIN EXECUTE chr(65) || $q$LTER TABLE looped ADD COLUMN a int$q$; END $$')")
    project.revision("a9", "op.execute('ALTER TABLE busy ADD COLUMN d timestamptz DEFAULT clock_timestamp()')")
    app = Application((sys.executable,), str(tmp_path), environment={"DATABASE_URL": postgres_server.url(database)}, deadline_s=60)
    found = application.run(app, "upgrade", marker_id=REHEARSAL, log_path=str(tmp_path / "log"), events_path=str(tmp_path / "events"))
    assert found.succeeded, found.error
    return found


def together(outcome: Outcome) -> list[dict[str, Any]]:
    return [event for event in outcome.events if event["event"] == "untracked"]


def test_every_lock_on_another_table_belongs_to_the_revision_that_took_it(outcome: Outcome) -> None:
    strongest = {
        hold.table: hold.revision
        for hold in timeline.holds(outcome.events)
        if hold.kind == "r" and hold.mode in ("AccessExclusive", "ShareRowExclusive") and hold.table != "busy"
    }
    assert strongest == {"late": "a5", "parent": "a7", "looped": "a8"}


def test_what_cannot_lock_anything_new_is_told_at_its_revisions_end(outcome: Outcome) -> None:
    """The table is held already, or it is new. What locks another is measured by itself."""
    by_itself = {event["revision"] for event in outcome.events if event["event"] == "statement" and "wal" in event}
    assert by_itself & {"a3", "a4", "a6", "a9"} == set()
    assert {"a5", "a7", "a8"} <= by_itself


def test_a_rewrite_is_not_lost(outcome: Outcome) -> None:
    (rewrite,) = [(event["revision"], found) for event in together(outcome) for found in event.get("rewrites", ())]
    assert rewrite == ("a9", {"relation": "busy", "kind": "table", "reason": "default"})


def test_it_is_not_called_untracked(outcome: Outcome) -> None:
    """Every statement is known; only its share is not."""
    known = judge_timeline.Sizes({}, {})
    codes = {said[0] for said in judge_timeline.of_upgrade(outcome.events, known, Budgets(), ["alembic_version"], False)}
    assert "untracked-sql" not in codes


def test_what_is_told_late_is_told_when_the_process_ends_itself(postgres_server: Any, database: str, tmp_path: Path) -> None:
    """Events of quick statements wait a moment for company; os._exit in a revision must not swallow them."""
    mark(postgres_server, database, REHEARSAL)
    project = Project(tmp_path)
    project.revision("a1", "import os\nop.execute('CREATE TABLE t (id int)')\nos._exit(3)")
    app = Application((sys.executable,), str(tmp_path), environment={"DATABASE_URL": postgres_server.url(database)}, deadline_s=60)
    ended = application.run(app, "upgrade", marker_id=REHEARSAL)
    assert ended.error is not None
    assert ended.exit_code == 3
    assert [event["sql"] for event in ended.events if event["event"] == "statement"][-1] == "CREATE TABLE t (id int)"


def test_a_forked_child_does_not_tell_its_parents_events_again(postgres_server: Any, database: str, tmp_path: Path) -> None:
    mark(postgres_server, database, REHEARSAL)
    project = Project(tmp_path)
    child = "import os\nop.execute('CREATE TABLE t (id int)')\nif os.fork() == 0:\n    os._exit(0)\nos.wait()"
    project.revision("a1", child)
    app = Application((sys.executable,), str(tmp_path), environment={"DATABASE_URL": postgres_server.url(database)}, deadline_s=60)
    ended = application.run(app, "upgrade", marker_id=REHEARSAL)
    assert ended.succeeded, ended.error
    assert sum(event["event"] == "statement" and event["sql"] == "CREATE TABLE t (id int)" for event in ended.events) == 1


def test_the_way_is_free_when_nobody_reads_any_more(tmp_path: Path) -> None:
    """The starter has been killed: the agent ends instead of migrating unwatched."""
    script = (
        "from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_channel import Channel\n"
        "import sys, time\nchannel = Channel('n')\nchannel.emit('hello')\nsys.stdin.readline()\n"
        "channel.emit_soon('statement')\ntime.sleep(20)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path)
    assert process.stdin is not None and process.stdout is not None
    assert b"hello" in process.stdout.readline()
    process.stdout.close()
    process.stdin.write(b"\n")
    process.stdin.close()
    assert process.wait(timeout=10) != 0
