"""The `rehearse` command: its exit codes, its lines, and the demonstration from beginning to end."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playbook import ROOT, Demo, Played, findings, telling_words
from sample_application import NOT_UNIQUE, with_revision

from migration_rehearsal import demo_servers, embedded

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("command")]

# Of several databases each line says whose it is.
STAGE_LINE = re.compile(r"^([✔✘]) +\d+\.\d s  (?:\[([\w-]+)\] )?([\w-]+): (.+)$", re.MULTILINE)


# -- Exit code 1: migrations that fail -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def failing(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Two projects side by side: one whose upgrade fails, one whose downgrade does."""
    directory = tmp_path_factory.mktemp("failing")
    came_from = ('op.add_column("users", sa.Column("came_from", sa.Text))', 'op.execute("UPDATE users SET came_from = last_name::integer")')
    projects = {
        "upgrade": with_revision(directory / "upgrade", NOT_UNIQUE),
        "downgrade": with_revision(directory / "downgrade", *came_from, name="bad1bad1bad1", message="Note where a user came from"),
    }
    dev = {}
    for name, project in projects.items():
        dev[name] = demo.dev_variables(rehearsal_application=demo.application(chdir=str(project)), rehearsal_expectations=None)
    inventory = demo.write_inventory(directory, prod={"production": demo.production_variables()}, dev=dev)
    return demo.rehearse(directory / "run", "run", "-i", str(inventory))


def test_failing_migration_is_no_go_and_exit_code_1(failing: Played) -> None:
    assert failing.rc == 1, failing.stdout + failing.stderr
    record = failing.record_of("upgrade")
    assert record["verdict"] == "NO-GO"
    (finding,) = findings(record, "migration-failed")
    assert (finding["object"], finding["stage"]) == ("bad0bad0bad0", "upgrade")
    # What stands in the way was counted on the copy.
    for part in ("SQLSTATE 23505", "uq_users_last_name", "bad0bad0bad0.py:", "on the copy: ", "rows of users (last_name) share"):
        assert part in finding["message"]
    assert finding["message"] in failing.stdout
    # One transaction for all revisions: none of them holds.
    assert "again" not in {stage["name"] for stage in record["stages"]}


def test_failing_way_back_is_no_go(failing: Played) -> None:
    record = failing.record_of("downgrade")
    assert record["verdict"] == "NO-GO"
    (finding,) = findings(record, "downgrade-failed")
    assert finding["object"] == "bad1bad1bad1"
    assert "SQLSTATE 22P02" in finding["message"] and "invalid input syntax for type integer" in finding["message"]
    assert len([row for row in record["revisions"] if row["run"] == "upgrade"]) == 8


@pytest.mark.parametrize("host", ["upgrade", "downgrade"])
def test_failing_migration_is_cleaned_up(demo: Demo, failing: Played, host: str) -> None:
    cleaned = failing.record_of(host)["cleanup"]
    assert f"database {failing.record_of(host)['copy']['database']}" in cleaned["dev"]["removed"]
    assert cleaned["production"]["work_directory"] == "removed"
    assert demo.left(failing.report_dir) == []


def test_error_of_the_database_tells_no_row_value(demo: Demo, failing: Played) -> None:
    """PostgreSQL says in DETAIL which last name is there twice, and in the message itself which one is no number."""
    told = "\n".join([failing.stdout, failing.stderr, *(path.read_text() for path in failing.report_dir.rglob("*") if path.is_file())])
    assert demo.row_values("production", "staffprobot_prod") & telling_words(told) == set()


def test_every_stage_has_a_line(failing: Played) -> None:
    lines = STAGE_LINE.findall(failing.stdout)
    dumped = {(sign, whose, host) for sign, whose, host, text in lines if text.startswith("Dump production and count its rows in one snapshot")}
    assert dumped == {("✔", "upgrade", "production"), ("✔", "downgrade", "production")}
    failed = {(whose, host, text.split(" — ")[0]) for sign, whose, host, text in lines if sign == "✘"}
    assert failed == {("upgrade", "upgrade", "Apply the pending revisions"), ("downgrade", "downgrade", "Go back")}
    assert "TASK [" not in failing.stdout


# -- Exit code 2: nothing that could be rehearsed ------------------------------------------------------------------------------


def test_wrong_usage_is_exit_code_2(demo: Demo, tmp_path: Path) -> None:
    good = demo.inventory(tmp_path / "good")
    broken = tmp_path / "broken.yml"
    broken.write_text("all:\n  hosts: [\n")
    without_hosts = tmp_path / "without_hosts.yml"
    without_hosts.write_text("all:\n  hosts:\n    somewhere:\n")
    cases: dict[str, tuple[list[str], str]] = {
        "none": ([], "required: -i/--inventory"),
        "missing": (["-i", "nowhere"], "there is no inventory nowhere"),
        "broken": (["-i", str(broken)], "broken.yml:3:1"),
        "one of two broken": (["-i", str(good), "-i", str(broken)], "broken.yml:3:1"),
        "empty": (["-i", str(without_hosts)], "the inventory has no host in group dev"),
        "limit to production": (["-i", str(good), "--limit", "production"], "no host of group dev"),
        "limit": (["-i", str(good), "--limit", "nobody"], "no hosts to target"),
        "form": (["-i", str(ROOT / "inventory/prod")], "production: rehearsal_database is not set"),
    }
    found = {}
    for name, (options, wanted) in cases.items():
        played = demo.rehearse(tmp_path / name, "run", *options)
        found[name] = (played.rc, wanted in played.stderr or played.stderr)
        assert not played.report_dir.exists()
    assert found == dict.fromkeys(cases, (2, True))
    assert demo.left() == []


# -- Exit code 3: a rehearsal that cannot be carried out -----------------------------------------------------------------------


def test_unreachable_production_is_exit_code_3(demo: Demo, tmp_path: Path) -> None:
    inventory = demo.inventory(tmp_path, production={"rehearsal_postgres": demo.postgres("production", host="/nonexistent/socket")})
    played = demo.rehearse(tmp_path, "run", "-i", str(inventory), "--report-dir", "elsewhere")
    assert played.rc == 3, played.stdout + played.stderr
    assert "INCOMPLETE" in played.stdout and "/nonexistent/socket" in played.stdout
    assert not played.report_dir.exists() and len(list((tmp_path / "elsewhere").glob("2*/record.json"))) == 1
    assert demo.left() == []


# -- The demonstration ---------------------------------------------------------------------------------------------------------


def own_processes(mark: str) -> list[str]:
    """Processes whose environment says that this test started them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes().split(b"\0") and (path.parent / "cmdline").read_bytes():
                found.append((path.parent / "cmdline").read_text(errors="replace").replace("\0", " "))
        except OSError:
            continue
    return found


def test_demonstration_from_beginning_to_end(demo: Demo, tmp_path: Path) -> None:
    temporary = Path(os.environ["TMPDIR"]) / "once"
    temporary.mkdir(mode=0o711)
    played = demo.rehearse(tmp_path, "demo", environment={"TMPDIR": str(temporary), "REHEARSE_TEST": "once"})
    assert played.rc == 0, played.stdout + played.stderr
    assert "GO with warnings" in played.stdout and str(played.directory / "report.html") in played.stdout
    assert len(STAGE_LINE.findall(played.stdout)) >= 17 and "✘" not in played.stdout
    assert played.record is not None and played.record["cleanup"]["dev"]["left"] == []
    # Whatever it shows is to be measured: the drift needs an address of its own.
    assert "not measured" not in played.stdout, played.stdout
    assert played.record["drift"]["reason"] is None and played.record["drift"]["ran"] > 0
    assert demo.left(played.report_dir) == []
    assert list(temporary.iterdir()) == [], "the temporary directory is as before"
    assert own_processes("REHEARSE_TEST=once") == []


def test_demonstration_up_and_down(demo: Demo, tmp_path: Path) -> None:
    """--up starts it where inventory/demo looks, prints the line to try, and --down removes it all."""
    place = tmp_path / "place"
    place.mkdir()
    environment = {"REHEARSE_TEST": "up", "REHEARSAL_DEMO": str(place / "demo")}
    try:
        up = demo.rehearse(tmp_path / "up", "demo", "--up", environment=environment)
        assert up.rc == 0, up.stdout + up.stderr
        assert "ansible-playbook" in up.stdout and "rehearse demo --down" in up.stdout
        state = demo_servers.load(place / "demo")
        assert embedded.is_running(state.production.cluster) and embedded.is_running(state.dev.cluster)
        again = demo.rehearse(tmp_path / "again", "demo", "--up", environment=environment)
        assert again.rc == 3 and "rehearse demo --down" in again.stderr
        assert embedded.is_running(state.dev.cluster)
        looked = demo.play(ROOT / "inventory/demo", tmp_path / "looked", playbook="playbooks/preflight.yml", environment=environment)
        assert looked.rc == 0, looked.stdout + looked.stderr
        down = demo.rehearse(tmp_path / "down", "demo", "--down", environment=environment)
        assert down.rc == 0, down.stdout + down.stderr
    finally:
        demo_servers.down(place / "demo")
    assert list(place.iterdir()) == []
    assert own_processes("REHEARSE_TEST=up") == []
    nothing = demo.rehearse(tmp_path / "nothing", "demo", "--down", environment=environment)
    assert nothing.rc == 0
