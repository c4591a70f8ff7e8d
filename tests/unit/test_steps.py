"""What the steps of a run make of Ansible's events, without Ansible."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import files, history, progress
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Note
from rich.console import Console

from migration_rehearsal import steps as stepping
from migration_rehearsal import views
from migration_rehearsal.live_view import LiveView
from migration_rehearsal.steps import FAILED, LEFT_OUT, OK, RUNNING, STEPS, WAITING, Ended, Steps
from migration_rehearsal.times import duration
from migration_rehearsal.views import Concluded, JsonView, PlainView

ROOT = Path(__file__).resolve().parents[2]


class Run:
    """Speaks as ansible-runner does."""

    def __init__(self, report_dir: Path) -> None:
        self.steps = Steps(report_dir)
        self.report_dir = report_dir

    def prepare(self, host: str = "dev") -> None:
        begun = {"id": f"id-{host}", "directory": str(self.report_dir / f"id-{host}"), "production_host": "prod", "database": "shop"}
        self.event("runner_on_ok", host, "prepare", "prepare", {"rehearsal": begun})

    def begin(self, role: str, host: str = "dev", action: str = "migrations.rehearsal.x") -> None:
        data = {"host": host, "role": role, "task": f"Do {role}", "resolved_action": action}
        self.steps.on_event({"event": "runner_on_start", "event_data": data})

    def end(self, role: str, module: str, host: str = "dev", failed: bool = False, **result: Any) -> list[Any]:
        return self.event("runner_on_failed" if failed else "runner_on_ok", host, role, module, result)

    def event(self, kind: str, host: str, role: str, module: str, result: dict[str, Any]) -> list[Any]:
        data = {"host": host, "role": role, "task": f"Do {role}", "resolved_action": f"migrations.rehearsal.{module}", "res": result, "duration": 1.5}
        return self.steps.on_event({"event": kind, "event_data": data})

    def move(self, what: str, done: float, total: float, host: str = "dev", **more: Any) -> list[Any]:
        """A line of progress, as runner hands on what Ansible displays."""
        note = Note(what, done, total, rate=5e6, **more)
        told = {progress.KEY: {"dev_host": host, "where": "prod", **note.to_json()}}
        return self.steps.on_event({"event": "verbose", "stdout": f"{json.dumps(told)}\r\n", "event_data": {"task": "x"}})

    def statuses(self, host: str = "dev") -> list[str]:
        return [self.steps.rehearsals[host].steps[step.name].status for step in STEPS]

    def shown(self, width: int = 100) -> str:
        """What the live list looks like once it stands still."""
        console = Console(file=io.StringIO(), width=width, height=30, force_terminal=True, color_system=None)
        view = LiveView(console)
        view._steps = self.steps
        console.print(view._render())
        return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_every_role_of_the_playbook_belongs_to_a_step() -> None:
    # Added tasks belong to the step that they are added to.
    roles = {path.name for path in (ROOT / "roles").iterdir()} - {"prepare", "sweep", "hook"}
    assert {role for step in STEPS for role in step.roles} == roles


def test_every_stage_belongs_to_the_step_of_its_role() -> None:
    """The names that the roles write into stages.jsonl."""
    for step in STEPS:
        named = set()
        for role in step.roles:
            for path in [*(ROOT / "roles" / role / "vars").glob("*.yml"), *(ROOT / "roles" / role / "tasks").glob("*.yml")]:
                named |= {line.split(":", 1)[1].strip() for line in path.read_text().splitlines() if line.strip().startswith("__rehearsal_stage:")}
        assert set(step.stages) == named, step.name


def test_a_step_runs_from_its_first_task_to_the_next_steps(run: Run) -> None:
    run.prepare()
    assert run.statuses() == [WAITING] * 9
    run.begin("preflight")
    run.end("preflight", "preflight")
    assert run.statuses()[0] == RUNNING
    run.begin("backup")
    assert run.statuses()[:3] == [OK, RUNNING, WAITING]
    run.begin("transfer")
    run.begin("restore")
    assert run.statuses()[:4] == [OK, OK, RUNNING, WAITING]


def test_what_a_failure_leaves_out_is_told_apart(run: Run) -> None:
    run.prepare()
    run.begin("backup")
    run.begin("restore")
    (ended,) = run.end("restore", "database_copy", failed=True, msg="pg_restore\n failed", host="dev")
    assert isinstance(ended, Ended) and (ended.ok, ended.text, ended.step) == (False, "pg_restore failed", "restore")
    run.begin("cleanup")
    assert run.statuses() == [LEFT_OUT, OK, FAILED, LEFT_OUT, LEFT_OUT, LEFT_OUT, LEFT_OUT, RUNNING, WAITING]
    assert run.steps.rehearsals["dev"].failed()


def test_what_has_failed_is_seen_at_once(run: Run) -> None:
    """Though Ansible goes on with the next task only when the other databases have come so far."""
    for host in ("dev", "other"):
        run.prepare(host)
        run.begin("upgrade", host)
    run.end("upgrade", "alembic_migrate", failed=True, msg="no", findings=[{"code": "fence", "message": "elsewhere"}])
    (line,) = [line for line in run.shown().splitlines() if " on dev " in line]
    assert line.startswith("  ✘ ") and "–––✘·····" in line
    assert "dev: BLOCKER fence: elsewhere" in run.shown()


def test_a_failure_is_not_made_good_by_the_next_task_of_its_step(run: Run) -> None:
    run.prepare()
    run.begin("cleanup")
    run.end("cleanup", "sweep", failed=True, msg="dev is gone")
    run.begin("cleanup")
    run.end("cleanup", "sweep", summary="/work")
    run.begin("report")
    run.end("report", "report", verdict="INCOMPLETE")
    # Tasks of the role that come after the verdict do not open it again.
    run.begin("report", action="ansible.builtin.set_fact")
    run.steps.close()
    assert run.statuses()[-2:] == [FAILED, OK]


def test_an_interruption_cuts_off_what_runs_and_takes_clean_up_from_its_stages(run: Run) -> None:
    run.prepare()
    run.begin("upgrade")
    run.steps.close()
    assert run.statuses()[3:] == [FAILED, *[LEFT_OUT] * 5]
    stages = [
        {"name": "upgrade", "status": "ok", "seconds": 9.0},
        {"name": "evidence", "status": "ok", "seconds": 1.0},
        {"name": "cleanup", "status": "ok", "seconds": 0.5, "summary": "database x"},
        {"name": "cleanup", "status": "ok", "seconds": 0.5, "summary": "/work"},
    ]
    run.steps.take_stages(run.steps.rehearsals["dev"], stages)
    one = run.steps.rehearsals["dev"].steps["cleanup"]
    assert (one.status, one.seconds, one.text) == (OK, 2.0, "database x, /work")
    run.steps.take_stages(run.steps.rehearsals["dev"], [*stages, {"name": "cleanup", "status": "unreachable", "seconds": 0.0, "error": "gone"}])
    assert one.status == FAILED


def test_findings_are_kept_once(run: Run) -> None:
    run.prepare()
    run.begin("preflight")
    found = {"code": "parity", "object": "", "message": "dev lacks\n a role"}
    (first,) = run.end("preflight", "preflight", findings=[found])
    run.end("preflight", "preflight", findings=[found])
    assert [(one.severity, one.code, one.message) for one in first.early] == [("warning", "parity", "dev lacks a role")]
    assert len(run.steps.rehearsals["dev"].early) == 1
    assert "WARNING parity: dev lacks a role" in run.shown()


def test_an_inventory_that_cannot_be_used_begins_nothing(run: Run) -> None:
    run.event("runner_on_failed", "dev", "prepare", "prepare", {"failed": True, "msg": "dev: rehearsal_application is not set"})
    assert run.steps.rehearsals == {} and run.steps.usage_problems == ["dev: rehearsal_application is not set"]


def test_share_follows_the_times_of_the_last_rehearsal(run: Run, record: dict[str, Any]) -> None:
    run.prepare()
    assert run.steps.rehearsals["dev"].expected == {}
    run.begin("upgrade")
    assert run.steps.rehearsals["dev"].share(0.0) == pytest.approx(3.5 / 9)

    stages = {"backup": 6.0, "restore": 2.0, "evidence before": 1.0, "upgrade": 10.0, "evidence again": 1.0}
    entry = {**history.entry(record), "production_host": "prod", "database": "shop", "dev_host": "dev", "stages": stages}
    files.append_json_line(str(run.report_dir / history.HISTORY), entry)
    known = Run(run.report_dir)
    known.prepare()
    rehearsal = known.steps.rehearsals["dev"]
    assert rehearsal.expected == {"backup": 6.0, "restore": 3.0, "upgrade": 10.0, "downgrade": 1.0}
    known.begin("restore")
    known.begin("upgrade")
    running = rehearsal.steps["upgrade"]
    begun = rehearsal.share(running.since)
    # preflight, structure, data, cleanup and report count for little: nothing is known of them.
    assert begun == pytest.approx((0.5 + 6 + 3) / 22.5)
    assert rehearsal.share(running.since + 5) == pytest.approx(begun + 5 / 22.5)
    assert rehearsal.share(running.since + 500) < (0.5 + 6 + 3 + 10) / 22.5
    assert "of about 10.0 s" in known.shown()


def test_progress_reaches_the_live_list(run: Run) -> None:
    run.prepare()
    run.begin("backup")
    (moved,) = run.move("dumped", 40e6, 80e6, about=True)
    assert (moved.step, moved.where, moved.note.seconds_left) == ("backup", "prod", 8)
    (line,) = [line for line in run.shown(120).splitlines() if "Back up production" in line]
    # Half of the bar.
    assert f"{'━' * 8}{' ' * 9}40 of about 80 MB dumped, 5.0 MB/s, about 8 s left" in line
    # The task has ended: what it was at says nothing of the next one.
    run.end("backup", "backup", summary="25 tables")
    assert "dumped" not in run.shown(120)
    run.begin("restore")
    run.move("restored", 10e6, 0)
    assert "10 MB restored, 5.0 MB/s" in run.shown(120)
    run.begin("upgrade")
    assert "restored" not in run.shown(120)


def test_progress_of_several_is_that_of_each(run: Run) -> None:
    for host in ("dev", "other"):
        run.prepare(host)
        run.begin("restore", host)
    run.move("restored", 30e6, 60e6, "other")
    lines = {host: line for line in run.shown(140).splitlines() for host in ("dev", "other") if f" on {host} " in line}
    assert "Restore a copy on dev: 30 of 60 MB restored, 5.0 MB/s, about 6 s left" in lines["other"] and "restored" not in lines["dev"]


@pytest.mark.parametrize(
    "line", ["  prod: 40 MB dumped", '{"rehearsal_progress": {}}', '{"rehearsal_progress": ', '{"rehearsal_progress": {"dev_host": "no"}}']
)
def test_other_lines_are_no_progress(run: Run, line: str) -> None:
    run.prepare()
    run.begin("backup")
    assert run.steps.on_event({"event": "verbose", "stdout": line}) == []


def test_plain_lines_come_at_once_and_then_in_a_while(run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(views.time, "monotonic", lambda: clock[0])
    view = PlainView()
    view.start(run.steps)
    run.prepare()
    run.begin("backup")
    for seconds in range(0, 66, 3):
        clock[0] = 1000.0 + seconds
        for change in run.move("dumped", seconds * 1e6, 100e6):
            view.change(change)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[1].split(" of")[0].strip() for line in lines] == ["0.00", "30", "60"]
    assert lines[1] == "           prod: 30 of 100 MB dumped, 5.0 MB/s, about 14 s left"


def test_json_lines_have_the_numbers(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.prepare()
    run.begin("backup")
    for change in run.move("dumped", 40e6, 80e6, about=True):
        JsonView().change(change)
    assert json.loads(capsys.readouterr().out) == {
        "event": "progress", "id": "id-dev", "step": "backup", "task": "Do backup", "where": "prod", "what": "dumped", "done": 40e6, "total": 80e6,
        "unit": "bytes", "estimated": True, "rate": 5e6, "seconds_left": 8.0, "text": "40 of about 80 MB dumped, 5.0 MB/s, about 8 s left",
    }  # fmt: skip


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(run: Run, width: int) -> None:
    for host in ("dev", "dev-with-a-long-name-that-does-not-end-soon"):
        run.prepare(host)
        run.begin("backup", host)
        run.end("backup", "backup", host, summary="a text " * 40)
        run.end("backup", "backup", host, findings=[{"code": "parity", "message": "a message " * 40}])
        run.begin("restore", host)
        run.move("restored", 30e6, 60e6, host)
        lines = run.shown(width).splitlines()
        assert max(map(len, lines)) <= width and len(lines) <= 13, lines


def test_many_databases_fit_the_terminal(run: Run) -> None:
    for number in range(60):
        run.prepare(f"dev-{number}")
        run.begin("backup", f"dev-{number}")
        if number < 55:
            run.begin("report", f"dev-{number}")
            run.end("report", "report", f"dev-{number}", verdict="GO")
    console = Console(file=io.StringIO(), width=100, height=20, force_terminal=True, color_system=None)
    view = LiveView(console)
    view.start(run.steps)
    try:
        lines = ["".join(part.text for part in line) for line in console.render_lines(view._render())]
    finally:
        view.stop()
    assert len(lines) < 20
    moving = "\n".join(lines)
    for number in range(55, 60):
        assert f"on dev-{number} " in moving, "what still runs is shown first"
    assert "more" in moving


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_summary_of_several_has_every_verdict(tmp_path: Path, record: dict[str, Any], width: int) -> None:
    told = {"code": "fence", "severity": "blocker", "stage": "upgrade", "object": "", "message": "a long message " * 30, "advice": "Look."}
    bad = {**record, "verdict": "NO-GO", "findings": [told]}
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    LiveView(console).verdicts([Concluded(tmp_path, record), Concluded(tmp_path, bad)])
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    lines = shown.split("Rehearsed 2 databases:")[1].splitlines()[1:]
    assert lines[0].startswith("GO     prod1/shop on dev1") and lines[1].startswith("NO-GO  prod1/shop on dev1  fence: a long")
    assert max(map(len, lines)) <= width and shown.count("╭─") == 1


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "1:00 min"), (187, "3:07 min"), (3599.7, "1:00 h"), (7320, "2:02 h")]
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_one_line() -> None:
    assert stepping.one_line("a\n  b\tc ") == "a b c"
