"""What a program reads from a named pipe: it sees the end when we say so, and nobody waits for somebody who never comes."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.pipes import NamedPipe, PipePlace, StandardInput, move_all, pipe
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool, ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory


@pytest.fixture
def work(tmp_path: Path) -> WorkDirectory:
    marker = Marker(new_id(), "prod/shop", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
    made = WorkDirectory.at(str(tmp_path / "work"), marker.id, "dev")
    made.create(marker)
    return made


def reading(work: WorkDirectory, place: Path, script: str, name: str = "rows") -> NamedPipe:
    """A program of one script, to which the pipe is `$0` and a file to write to `$1`."""
    path = PipePlace(str(place), "").make(name)
    return NamedPipe(path, lambda: Tool(["sh", "-c", script, path, str(place / "taken")], work))


def test_what_is_written_is_read_up_to_its_end(work: WorkDirectory, tmp_path: Path) -> None:
    receiving = reading(work, tmp_path, 'sleep 0.2; cat "$0" > "$1"')
    assert os.stat(tmp_path / "rows").st_mode & 0o777 == 0o600
    leaving, sent = pipe()
    with sent:
        sent.write(b"one row after the other")
    with leaving:
        move_all(leaving, receiving.into(), lambda _count: None)
    receiving.close()
    receiving.tool.wait(10)
    assert (tmp_path / "taken").read_text() == "one row after the other"
    assert not (tmp_path / "rows").exists()


def test_a_program_that_ends_without_reading_is_waited_for_no_longer(work: WorkDirectory, tmp_path: Path) -> None:
    receiving = reading(work, tmp_path, "exit 3")
    with pytest.raises(BrokenPipeError):
        receiving.into()
    receiving.close()
    with pytest.raises(ToolFailed, match="«sh» ended with exit code 3"):
        receiving.tool.wait(10)
    assert not (tmp_path / "rows").exists()


def test_who_has_stopped_reading_is_noticed(work: WorkDirectory, tmp_path: Path) -> None:
    receiving = reading(work, tmp_path, 'head -c 1 "$0" > "$1"')
    into = receiving.into()
    with pytest.raises(BrokenPipeError):
        while True:
            into.write(bytes(1 << 16))
    receiving.close()
    receiving.tool.wait(10)


def test_whoever_waits_at_its_other_end_is_let_go(work: WorkDirectory, tmp_path: Path) -> None:
    """A server that opens it waits for us, and for nothing else, not even for its own end."""
    receiving = reading(work, tmp_path, 'echo there > "$1"; cat "$0" >> "$1"; echo gone >> "$1"')
    while not (tmp_path / "taken").exists():
        time.sleep(0.01)
    time.sleep(0.2)
    receiving.close()
    receiving.tool.wait(10)
    assert (tmp_path / "taken").read_text() == "there\ngone\n"


def test_a_program_that_does_not_start_leaves_no_pipe(work: WorkDirectory, tmp_path: Path) -> None:
    path = PipePlace(str(tmp_path), "").make("rows")
    with pytest.raises(ToolFailed, match="cannot start"):
        NamedPipe(path, lambda: Tool([str(tmp_path / "none")], work))
    assert not (tmp_path / "rows").exists()
    open_before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(ToolFailed, match="cannot start"):
        StandardInput(lambda stdin: Tool([str(tmp_path / "none")], work, stdin=stdin))
    assert set(os.listdir("/proc/self/fd")) == open_before


def test_one_that_an_earlier_try_has_left_is_made_anew(tmp_path: Path) -> None:
    place = PipePlace(str(tmp_path), "")
    (tmp_path / "rows").write_text("left")
    assert Path(place.make("rows")).is_fifo()
    assert Path(place.make("rows")).is_fifo()


def test_what_waits_for_a_reader_goes_on_once_there_is_one(work: WorkDirectory, tmp_path: Path) -> None:
    receiving = reading(work, tmp_path, 'while ! [ -e "$1" ]; do sleep 0.01; done; cat "$0" > "$1"')
    opened: list[bool] = []
    waiting = threading.Thread(target=lambda: opened.append(not receiving.into().closed))
    waiting.start()
    time.sleep(0.1)
    assert opened == []
    (tmp_path / "taken").touch()
    waiting.join(10)
    assert opened == [True]
    receiving.close()
    receiving.tool.wait(10)
