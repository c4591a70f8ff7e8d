"""A receiver is told the end of the rows only when all of them were handed to it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_stream import Stream, Throttle
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.large_tables import Table
from ansible_collections.migrations.rehearsal.plugins.module_utils.pipes import StandardInput
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool, ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

TABLE = Table(1, "public", "orders", 1, 1, ("id",), True, (), ())
# Writes what it was given, but only where it sees the end.
_AT_THE_END = 'rows=$(cat) && printf %s "$rows" > "$0"'


@dataclasses.dataclass
class Sending:
    """Hands on some rows, and then does as it is told."""

    then: Callable[[], None]

    def carry(self, into: Callable[[], IO[bytes]], moved: Callable[[int], None]) -> None:
        into().write(b"rows")
        moved(4)
        self.then()

    def describe(self) -> str:
        return "there"

    def start(self, _work: WorkDirectory) -> Sending:
        return self

    def wait(self, deadline_s: float) -> None:
        """It says that all is well."""

    def stop(self) -> None:
        """Nothing to end."""

    def end(self) -> None:
        """Nothing to end."""


@dataclasses.dataclass
class Receiver:
    argv: list[str]

    def describe(self) -> str:
        return "here"

    def start(self, work: WorkDirectory) -> StandardInput:
        return StandardInput(lambda stdin: Tool(self.argv, work, stdin=stdin))

    def end(self) -> None:
        """Nothing to end."""


@pytest.fixture
def work(tmp_path: Path) -> WorkDirectory:
    marker = Marker(new_id(), "prod/shop", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
    made = WorkDirectory.at(str(tmp_path), marker.id, "dev")
    made.create(marker)
    return made


def stream(work: WorkDirectory, then: Callable[[], None], *argv: str) -> Stream:
    return Stream(TABLE, Sending(then), Receiver(list(argv)), work, Throttle(0))


def test_what_has_arrived_is_taken(work: WorkDirectory, tmp_path: Path) -> None:
    one = stream(work, lambda: None, "sh", "-c", _AT_THE_END, str(tmp_path / "taken"))
    one.wait(10)
    assert (tmp_path / "taken").read_text() == "rows" and one.moved == 4


@pytest.mark.parametrize("error", [OSError("broken"), ValueError("unexpected")], ids=["broken", "unexpected"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_broke_off_is_not_taken_for_the_end(work: WorkDirectory, tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.migrations.rehearsal.plugins.module_utils.copy_stream._END_S", 0.5)

    def breaks() -> None:
        raise error

    with pytest.raises(ToolFailed, match="here: table orders could not be copied: "):
        stream(work, breaks, "sh", "-c", _AT_THE_END, str(tmp_path / "taken")).wait(10)
    assert not (tmp_path / "taken").exists()


def test_who_receives_says_why_it_ended(work: WorkDirectory) -> None:
    def broken() -> None:
        raise OSError("broken")

    with pytest.raises(ToolFailed, match="here: table orders could not be copied: «sh» ended with exit code 3: no room"):
        stream(work, broken, "sh", "-c", "echo no room >&2; exit 3").wait(10)


def test_one_that_takes_nothing_is_ended_at_the_deadline(work: WorkDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.migrations.rehearsal.plugins.module_utils.copy_stream._END_S", 0.5)
    hung = stream(work, lambda: time.sleep(3), "sleep", "6138")
    started = time.monotonic()
    with pytest.raises(ToolFailed, match="here: table orders could not be copied: "):
        hung.wait(1)
    assert time.monotonic() - started < 6
