"""The work directory: private, marked, and removed with all that works in it, but never anything of others."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import work_directory
from ansible_collections.migrations.rehearsal.plugins.module_utils.files import read_json, write_json
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import (
    WorkDirectory,
    WorkDirectoryError,
    find_work_directories,
    process_start,
)

ID = "20261122-120000-0a1b2c"
OTHER_ID = "20261122-120000-ffffff"
MARKER = Marker(id=ID, source="production/shop", created="2026-11-22T12:00:00Z", expires="2026-11-23T12:00:00Z")
SLEEP = "import time; time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def base(tmp_path: Path) -> str:
    return str(tmp_path / "work")


@pytest.fixture
def work(base: str) -> WorkDirectory:
    directory = WorkDirectory.at(base, ID, "dev")
    directory.create(MARKER)
    return directory


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a Python program; it is ended after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(program: str, *, group: bool = False, wait_for_line: bool = False) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=group)
        started.append(process)
        if wait_for_line:
            assert process.stdout is not None
            process.stdout.readline()
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_it_is_private(work: WorkDirectory, base: str) -> None:
    assert work.path == os.path.join(base, f"{ID}-dev")
    assert [mode(path) for path in (base, work.path, work.evidence, work.file("running"))] == [0o700] * 4
    assert mode(work.file("rehearsal.json")) == 0o600
    assert work.marker() == MARKER


def test_its_place_may_be_relative_to_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert WorkDirectory.at("~/x", ID, "dev").path == str(tmp_path / f"x/{ID}-dev")
    assert WorkDirectory.at("", ID, "production").path == str(tmp_path / f".migrations-rehearsal/{ID}-production")


def test_its_own_is_taken_over_with_what_is_in_it(work: WorkDirectory) -> None:
    Path(work.file("backup.tar")).write_text("half")
    work.create(MARKER)
    assert Path(work.file("backup.tar")).read_text() == "half"


def test_somebody_elses_directory_is_refused_untouched(base: str) -> None:
    directory = WorkDirectory.at(base, ID, "dev")
    os.makedirs(directory.path)
    Path(directory.file("thesis.txt")).write_text("years of work")
    with pytest.raises(WorkDirectoryError, match="not a rehearsal's"):
        directory.create(MARKER)
    with pytest.raises(WorkDirectoryError, match="left alone"):
        directory.remove()
    assert os.listdir(directory.path) == ["thesis.txt"]


def test_another_rehearsals_directory_is_refused_untouched(base: str, work: WorkDirectory) -> None:
    with pytest.raises(WorkDirectoryError, match=f"belongs to rehearsal {ID}"):
        work.create(Marker(OTHER_ID, MARKER.source, MARKER.created, MARKER.expires))
    assert work.marker() == MARKER


@pytest.mark.parametrize("marked", [True, False])
def test_a_link_in_its_place_is_neither_used_nor_followed(base: str, tmp_path: Path, marked: bool) -> None:
    target = tmp_path / "elsewhere"
    if marked:
        WorkDirectory(str(target)).create(MARKER)
    else:
        target.mkdir()
    before = sorted(os.listdir(target))
    directory = WorkDirectory.at(base, ID, "dev")
    os.makedirs(base)
    os.symlink(target, directory.path)
    assert directory.marker() is None
    assert find_work_directories(base) == []
    with pytest.raises(WorkDirectoryError):
        directory.create(MARKER)
    with pytest.raises(WorkDirectoryError):
        directory.remove()
    assert sorted(os.listdir(target)) == before


def test_a_place_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkDirectoryError, match="cannot make the work directory .*file/x"):
        WorkDirectory.at(str(tmp_path / "file/x"), ID, "dev").create(MARKER)


def test_removing_takes_all_of_it_and_the_empty_base(work: WorkDirectory, base: str) -> None:
    os.makedirs(work.file("dump/deep"))
    Path(work.file("dump/deep/toc.dat")).write_text("x")
    Path(work.file("backup.tar.partial")).write_text("x")
    assert work.remove()
    assert not os.path.exists(base)
    assert not work.remove()


def test_removing_leaves_the_base_to_others(work: WorkDirectory, base: str) -> None:
    other = WorkDirectory.at(base, OTHER_ID, "dev")
    other.create(Marker(OTHER_ID, MARKER.source, MARKER.created, MARKER.expires))
    work.remove()
    assert [found.path for found in find_work_directories(base)] == [other.path]


def test_removing_does_not_follow_links_out_of_it(work: WorkDirectory, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    os.symlink(outside, work.file("link"))
    os.makedirs(work.file("dump"))
    os.symlink(outside, work.file("dump/link"))
    os.symlink(outside / "precious", work.file("dump/file"))
    assert work.remove()
    assert (outside / "precious").read_text() == "x"


def test_a_removal_that_is_cut_short_can_be_gone_on_with(work: WorkDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    os.makedirs(work.file("dump"))
    Path(work.file("dump/toc.dat")).write_text("x")
    unlink = os.unlink

    def refuse(path: str, **options: int) -> None:
        if str(path).endswith("toc.dat"):
            raise PermissionError(13, "Permission denied", path)
        unlink(path, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refuse)
        with pytest.raises(WorkDirectoryError, match="cannot remove .*toc.dat"):
            work.remove()
    assert work.marker() == MARKER
    assert work.remove()


def test_only_marked_directories_are_found(work: WorkDirectory, base: str) -> None:
    os.makedirs(os.path.join(base, f"{OTHER_ID}-dev"))
    Path(base, "file").write_text("")
    Path(base, f"{ID}-production").mkdir()
    Path(base, f"{ID}-production", "rehearsal.json").write_text('{"rehearsal": {"id": "mine"}}')
    assert [found.path for found in find_work_directories(base)] == [work.path]
    assert find_work_directories(base + "-absent") == []


def test_removing_ends_what_works_there(work: WorkDirectory, start: Start) -> None:
    process = start(SLEEP)
    bystander = start(SLEEP)
    work.register_process(process.pid, group=False)
    assert work.remove()
    assert process.wait(5) == -signal.SIGTERM
    assert bystander.poll() is None


def test_a_group_ends_with_its_leader(work: WorkDirectory, start: Start) -> None:
    leader = start(
        "import os, time\npid = os.fork()\nif pid: print(pid, flush=True)\ntime.sleep(600)",
        group=True,
    )
    assert leader.stdout is not None
    child = int(leader.stdout.readline())
    work.register_process(leader.pid, group=True)
    assert work.stop_processes() == [leader.pid]
    leader.wait(5)
    deadline = time.monotonic() + 5
    while process_start(child) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process_start(child) is None


def test_one_that_will_not_end_is_killed(work: WorkDirectory, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_directory, "_TERMINATE_WAIT_S", 0.3)
    process = start(STUBBORN, wait_for_line=True)
    work.register_process(process.pid, group=False)
    work.stop_processes()
    assert process.wait(5) == -signal.SIGKILL


def test_all_have_the_same_time_to_end(work: WorkDirectory, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_directory, "_TERMINATE_WAIT_S", 0.6)
    for process in [start(STUBBORN, wait_for_line=True) for _once in range(4)]:
        work.register_process(process.pid, group=False)
    began = time.monotonic()
    assert len(work.stop_processes()) == 4
    assert time.monotonic() - began < 1.5


# As Ansible's own wrapper does with a module: unpacked into a temporary directory, which is removed at the end.
MODULE = """
import os, shutil, sys, time
from ansible_collections.migrations.rehearsal.plugins.module_utils import process
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory
payload, work = sys.argv[1], WorkDirectory(sys.argv[2])
_modlib_path = os.path.join(payload, "module.zip")
os.mkdir(payload)
try:
    process.end_in_order()
    with process.registered(work):
        print("ready", flush=True)
        tool = process.Tool(["sleep", "600"], work)
        tool.wait(600)
finally:
    shutil.rmtree(payload)
"""


@pytest.fixture
def module(work: WorkDirectory, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A module at work, and what Ansible has unpacked it into."""
    payload = tmp_path / "ansible_migrations.rehearsal.backup_payload_x1_y"
    argv = [sys.executable, "-c", MODULE, str(payload), work.path]
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
    assert running.stdout is not None and running.stdout.readline() == b"ready\n"
    deadline = time.monotonic() + 5
    # A note that is being written has another name until it is whole.
    while len(list(filter(str.isdigit, os.listdir(work.file("running"))))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    yield running, payload
    running.kill()
    running.wait()
    running.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_module_that_is_told_to_end_leaves_nothing(
    work: WorkDirectory, module: tuple[subprocess.Popen[bytes], Path], number: signal.Signals
) -> None:
    running, payload = module
    (tool,) = [int(name) for name in os.listdir(work.file("running")) if name != str(running.pid)]
    assert payload.exists()
    running.send_signal(number)
    assert running.wait(5) == 128 + number
    assert not payload.exists() and process_start(tool) is None and os.listdir(work.file("running")) == []


def test_what_a_killed_module_was_unpacked_into_is_removed(work: WorkDirectory, module: tuple[subprocess.Popen[bytes], Path]) -> None:
    running, payload = module
    running.kill()
    running.wait()
    assert payload.exists()
    assert work.remove()
    assert not payload.exists()


def test_only_what_ansible_names_so_is_removed(work: WorkDirectory, start: Start, tmp_path: Path) -> None:
    process = start("pass")
    process.wait()
    other, target, link = tmp_path / "documents", tmp_path / "target", tmp_path / "ansible_migrations.rehearsal.backup_payload_z"
    for place in (other, target):
        place.mkdir()
        (place / "thesis.txt").write_text("years of work")
    link.symlink_to(target)
    for number, path in enumerate((other, link)):
        write_json(work.file("running", f"{number}"), {"pid": process.pid, "group": False, "started": "1", "payload": str(path)})
    assert work.remove()
    assert (other / "thesis.txt").exists() and (target / "thesis.txt").exists() and link.is_symlink()


def test_what_a_module_at_work_needs_stays(work: WorkDirectory, tmp_path: Path) -> None:
    payload = tmp_path / "ansible_migrations.rehearsal.sweep_payload_q"
    payload.mkdir()
    work.register_process(os.getpid(), group=False)
    note = read_json(work.pid_file(os.getpid()))
    write_json(work.pid_file(os.getpid()), {**note, "payload": str(payload)})
    work.stop_processes()
    assert payload.exists()


def test_a_later_process_with_the_same_pid_is_left_alone(work: WorkDirectory, start: Start) -> None:
    process = start(SLEEP)
    work.register_process(process.pid, group=False)
    note = read_json(work.pid_file(process.pid))
    write_json(work.pid_file(process.pid), {**note, "started": str(int(note["started"]) - 1)})
    assert work.stop_processes() == []
    assert process.poll() is None


def test_what_has_ended_by_itself_is_no_matter(work: WorkDirectory, start: Start) -> None:
    process = start("pass")
    work.register_process(process.pid, group=False)
    process.wait()
    assert work.stop_processes() == []
    work.unregister_process(process.pid)
    work.unregister_process(process.pid)
    assert os.listdir(work.file("running")) == []


def test_it_never_ends_the_one_who_cleans_up(work: WorkDirectory) -> None:
    work.register_process(os.getpid(), group=False)
    assert work.stop_processes() == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"pid": "x", "group": false, "started": "1"}', '{"pid": -1, "group": true, "started": null}']
)
def test_a_damaged_note_is_passed_over(work: WorkDirectory, text: str) -> None:
    Path(work.file("running", "1")).write_text(text)
    assert work.stop_processes() == []
    assert work.remove()


def test_a_zombie_has_ended(start: Start) -> None:
    process = start("pass")
    deadline = time.monotonic() + 5
    while process_start(process.pid) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process_start(process.pid) is None
    assert process_start(os.getpid()) is not None
