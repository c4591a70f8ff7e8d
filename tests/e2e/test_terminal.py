"""`rehearse run` as people and machines see it: on a real terminal, on one that can do nothing, in a pipe."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playbook import PROGRAMS, Demo, findings
from sample_application import NOT_UNIQUE, with_revision
from terminal import Terminal

from migration_rehearsal.steps import STEPS

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("terminal")]

# As `duration` writes it; a busy machine takes minutes.
TIME = r"\d+(?:\.\d s|:\d\d min)"
RUNNING = re.compile(rf"^ *[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] (.+?) +{TIME}", re.MULTILINE)


def on_terminal(demo: Demo, cwd: Path, *arguments: str, columns: int = 110, lines: int = 40, **more: str) -> Terminal:
    """As from a person's shell: with a terminal that can do everything, unless `more` says otherwise."""
    environment = {key: value for key, value in demo.environment().items() if key not in ("NO_COLOR", "TERM", "COLUMNS", "LINES")}
    return Terminal([str(PROGRAMS / "rehearse"), *arguments], cwd, {**environment, **more}, columns, lines)


# -- One database --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("terminal")


@pytest.fixture(scope="module")
def one(demo: Demo, place: Path) -> Iterator[Terminal]:
    terminal = on_terminal(demo, place, "run", "-i", str(demo.inventory(place / "one")))
    try:
        assert terminal.exit_code() == 0, terminal.everything()
        yield terminal
    finally:
        terminal.close()


def test_each_step_of_the_runbook_runs_before_ones_eyes(one: Terminal) -> None:
    seen = [title for frame in one.frames for title in RUNNING.findall(frame)]
    in_order = list(dict.fromkeys(seen))
    titles = [step.title for step in STEPS]
    assert in_order == [title for title in titles if title in in_order]
    # A step may be over within one frame; those that take longer cannot be missed.
    assert {"Look at both sides", "Restore a copy on dev", "Apply the migrations to the copy", "Test the downgrade, and up again"} <= set(in_order)
    done = [int(found) for frame in one.frames for found in re.findall(r"(\d) of 9 steps", frame)]
    assert done == sorted(done) and {1, 3, 6} <= set(done)


def test_the_end_is_the_list_with_times_and_a_box(one: Terminal) -> None:
    end = one.everything()
    for step in STEPS:
        assert re.search(rf"^  ✔ {re.escape(step.title)} +{TIME}", end, re.MULTILINE), step.title
    assert end.count("✔ Look at both sides") == 1, "the moving list leaves one copy of itself"
    assert re.search(r"^╭─  GO with warnings   production/staffprobot_prod  rehearsal \S+ +─+╮$", end, re.MULTILINE)
    assert "│ ✔ existing data undamaged: 3,243 rows of 22 tables compared; 360 rows of 3 tables dropped" in end
    # A long path is broken by the terminal, wherever its edge is.
    assert re.search(r"Report: /\S+/report\.html", end.replace("\n", ""))
    assert not one.screen.cursor.hidden
    assert "of 9 steps" not in end


def test_nothing_wider_than_the_terminal(demo: Demo, one: Terminal) -> None:
    """A line that is broken by the terminal moves everything below it: frames would be left standing."""
    assert not [frame for frame in one.frames if frame.count("Look at both sides") > 1]


# -- Several databases at once -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def several(demo: Demo, place: Path, one: Terminal) -> Iterator[Terminal]:
    """After `one`, whose times are known by now. One is well, one fails in the upgrade, one is stopped by the fence."""
    failing = demo.application(chdir=str(with_revision(place / "failing", NOT_UNIQUE)))
    elsewhere = demo.application(environment={"DATABASE_URL": demo.state.dev.url})
    inventory = demo.write_inventory(
        place / "several",
        prod={"production": demo.production_variables()},
        dev={
            "rehearsal": demo.dev_variables(),
            "failing": demo.dev_variables(rehearsal_application=failing, rehearsal_expectations=None),
            "elsewhere": demo.dev_variables(rehearsal_application=elsewhere),
        },
    )
    terminal = on_terminal(demo, place, "run", "-i", str(inventory), columns=100, lines=24)
    try:
        assert terminal.exit_code() == 1, terminal.everything()
        yield terminal
    finally:
        terminal.close()


def test_several_databases_have_a_line_each(several: Terminal) -> None:
    frame = next(frame for frame in several.frames if "failing: BLOCKER migration-failed" in frame)
    for host in ("rehearsal", "failing", "elsewhere"):
        (line,) = [line for line in frame.splitlines() if f"production/staffprobot_prod on {host} " in line]
        assert re.search(rf"[✔✘–·⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]{{9}} +{TIME}", line), line
    assert re.search(r"\d+ of 27 steps", frame)


def test_a_finding_is_seen_before_the_end(several: Terminal) -> None:
    """Of what was found in the upgrade, before the databases beside it have come to their end."""
    early = [frame for frame in several.frames if "╭─" not in frame]
    assert any("failing: BLOCKER migration-failed" in frame and "✔✔✔✘" in frame for frame in early)
    assert any("elsewhere: BLOCKER fence" in frame for frame in early)


def test_the_end_of_several(several: Terminal) -> None:
    end = several.everything()
    assert end.count("╭─") == 3
    assert re.search(r"^Rehearsed 3 databases:$", end, re.MULTILINE)
    summary = end.split("Rehearsed 3 databases:")[1]
    assert re.search(r"^GO with warnings +production/staffprobot_prod on rehearsal", summary, re.MULTILINE)
    assert re.search(r"^NO-GO +production/staffprobot_prod on failing +migration-failed:", summary, re.MULTILINE)
    assert re.search(r"^NO-GO +production/staffprobot_prod on elsewhere +fence:", summary, re.MULTILINE)


def test_known_times_say_how_long_it_will_take(several: Terminal) -> None:
    """Only where each of the databases was rehearsed before; here two were not."""
    # A line of its own: a frame may be read while it is drawn, with this line as it was before the others had begun.
    complete = [line for frame in several.frames for line in frame.splitlines() if re.search(r"\d+ of 27 steps", line)]
    assert complete
    assert not [line for line in complete if "to go" in line]


# -- Ctrl-C --------------------------------------------------------------------------------------------------------------------


def test_ctrl_c_cleans_up_and_gives_the_terminal_back(demo: Demo, place: Path, one: Terminal) -> None:
    """After `one`: with the times of the last rehearsal."""
    held = demo.application(chdir=str(with_revision(place / "held", 'op.execute("SELECT pg_sleep(600)")')))
    inventory = demo.inventory(place / "interrupted", dev={"rehearsal_application": held, "rehearsal_expectations": None})
    terminal = on_terminal(demo, place, "run", "-i", str(inventory))
    try:

        def sleeping() -> bool:
            return bool(demo.rows("dev", "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(%' AND wait_event = 'PgSleep'"))

        terminal.read(until=sleeping)
        assert re.search(rf"about {TIME} to go", terminal.shown()), terminal.shown()
        assert re.search(rf"Apply the migrations to the copy +{TIME} .* of about {TIME}: Apply the pending", terminal.shown()), terminal.shown()
        terminal.type("\x03")
        terminal.read(until=lambda: "interrupted: cleaning up on production and dev" in terminal.shown(), timeout_s=20)
        assert terminal.exit_code() == 3
    finally:
        terminal.close()
    end = terminal.everything()
    assert re.search(r"^  ✘ Apply the migrations to the copy", end, re.MULTILINE)
    assert re.search(r"^  – Validate the structure$", end, re.MULTILINE)
    assert re.search(rf"^  ✔ Clean up +{TIME} database rehearsal_", end, re.MULTILINE)
    assert "╭─  INCOMPLETE " in end and "BLOCKER interrupted" in end
    assert not terminal.screen.cursor.hidden
    assert demo.left(place / "rehearsals") == []


# -- Where nothing can move ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unreachable(demo: Demo, place: Path) -> Path:
    """An inventory that ends early: production does not answer."""
    return demo.inventory(place / "unreachable", production={"rehearsal_postgres": demo.postgres("production", host="/nonexistent/socket")})


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "TERM=dumb"])
def test_plain_lines_where_asked_for(demo: Demo, unreachable: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    terminal = on_terminal(demo, tmp_path, "run", "-i", str(unreachable), **environment)
    try:
        assert terminal.exit_code() == 3
    finally:
        terminal.close()
    assert "\x1b" not in terminal.raw
    assert re.search(r"^✘ +\d+\.\d s  production: Look at production — ", terminal.raw, re.MULTILINE)
    assert "INCOMPLETE  production/staffprobot_prod  rehearsal " in terminal.raw


def test_verbose_on_a_terminal_is_ansibles_own_output_and_a_box(demo: Demo, unreachable: Path, tmp_path: Path) -> None:
    terminal = on_terminal(demo, tmp_path, "run", "-v", "-i", str(unreachable))
    try:
        assert terminal.exit_code() == 3
    finally:
        terminal.close()
    end = terminal.everything()
    assert "TASK [migrations.rehearsal.preflight : Look at production]" in end and "╭─  INCOMPLETE " in end
    assert "of 9 steps" not in terminal.raw


def test_verbose_in_a_pipe_is_ansibles_own_output_and_the_block(demo: Demo, unreachable: Path, tmp_path: Path) -> None:
    played = demo.rehearse(tmp_path, "run", "-v", "-i", str(unreachable))
    assert played.rc == 3
    assert "TASK [migrations.rehearsal.preflight : Look at production]" in played.stdout
    assert "INCOMPLETE  production/staffprobot_prod  rehearsal " in played.stdout
    assert not re.search(r"^✘ +\d+\.\d s", played.stdout, re.MULTILINE)


# -- For machines --------------------------------------------------------------------------------------------------------------


def test_json_lines(demo: Demo, unreachable: Path, tmp_path: Path) -> None:
    played = demo.rehearse(tmp_path, "run", "--json", "-i", str(unreachable))
    assert played.rc == 3
    said = [json.loads(line) for line in played.stdout.splitlines()]
    assert [one["event"] for one in said][0] == "rehearsal" and [one["event"] for one in said][-1] == "end"
    begun, end = said[0], said[-1]
    assert (begun["production"], begun["dev_host"]) == ("production/staffprobot_prod", "rehearsal")
    stages = [one for one in said if one["event"] == "stage"]
    assert all(one["id"] == begun["id"] for one in stages)
    (failed,) = [one for one in stages if not one["ok"]]
    assert (failed["step"], failed["host"], failed["task"]) == ("preflight", "production", "Look at production")
    assert [one["code"] for one in said if one["event"] == "finding"] == ["preflight"]
    assert (end["exit_code"], end["error"]) == (3, None)
    (rehearsal,) = end["rehearsals"]
    assert rehearsal["verdict"] == "INCOMPLETE" and played.record is not None
    assert rehearsal["findings"] == played.record["findings"] and findings(played.record, "preflight")
    assert Path(rehearsal["record"]) == played.directory / "record.json" and Path(rehearsal["report"]).exists()


def test_json_says_what_was_wrong_with_the_call(demo: Demo, tmp_path: Path) -> None:
    played = demo.rehearse(tmp_path, "run", "--json", "-i", "nowhere")
    assert played.rc == 2
    (line,) = played.stdout.splitlines()
    assert json.loads(line) == {"event": "end", "exit_code": 2, "error": "there is no inventory nowhere", "rehearsals": []}
    assert "there is no inventory nowhere" in played.stderr
    both = demo.rehearse(tmp_path, "run", "--json", "-v", "-i", "nowhere")
    assert both.rc == 2 and "not allowed with" in both.stderr
