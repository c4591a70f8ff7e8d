"""How far a long stage is: what a module notes, and what a person sees."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import progress, progress_database
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Look, Note
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import carry, progress_display

MB = 1_000_000


@pytest.mark.parametrize(
    "note, line",
    [
        (Note("restored", 120 * MB, 546 * MB, rate=12 * MB), "120 of 546 MB restored, 12 MB/s, about 36 s left"),
        (Note("dumped", 50 * MB, rate=12.5 * MB), "50 MB dumped, 12 MB/s"),
        (Note("dumped", 50 * MB, 100 * MB, about=True, rate=12.5 * MB), "50 of about 100 MB dumped, 12 MB/s, about 4 s left"),
        # An estimate that was too low is none any more.
        (Note("dumped", 101 * MB, 100 * MB, about=True, rate=12.5 * MB), "101 MB dumped, 12 MB/s"),
        (Note("compared", 3, 12, "tables", rate=0.5), "3 of 12 tables compared, 0.5 tables/s, about 18 s left"),
        (
            Note("upgraded", 1, 7, "revisions", detail="2e7b5d8c1f46 runs", rate=0.1),
            "1 of 7 revisions upgraded (2e7b5d8c1f46 runs), 0.1 revisions/s, about 60 s left",
        ),
        (Note("upgraded", 0, 7, "revisions"), "0 of 7 revisions upgraded"),
        (Note("read for an index", 1200, 4000, "blocks", rate=100), "1,200 of 4,000 blocks read for an index, 100 blocks/s, about 28 s left"),
        (Note("restored", 0, 10), "0.00 of 0.00 MB restored"),
    ],
)
def test_one_line_says_how_much_how_fast_and_how_long(note: Note, line: str) -> None:
    assert note.text() == line
    assert Note.from_json(json.loads(json.dumps(note.to_json()))) == note


def test_the_rate_is_that_of_what_goes_on_now(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    pace = progress.Pace()
    clock[0] = 110.0
    assert pace.note(Look("restored", 500)).rate == 50
    # What comes after it begins with its first look, wherever that finds it.
    clock[0] = 120.0
    assert pace.note(Look("read for an index", 70, 100, "blocks")).rate == 0
    clock[0] = 122.0
    assert pace.note(Look("read for an index", 80, 100, "blocks")).rate == 5
    # A transfer that is taken up again has not moved what was there.
    clock[0] = 200.0
    resumed = progress.Pace(1000)
    clock[0] = 210.0
    assert resumed.note(Look("carried", 1500, 2000)).seconds_left == 10


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkDirectory:
    monkeypatch.setattr(progress, "_EVERY_S", 0.01)
    return WorkDirectory(str(tmp_path))


def notes(work: WorkDirectory) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(work.file(progress.FILE)).read_text().splitlines()]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_progress_is_noted_until_the_end_and_no_longer(work: WorkDirectory) -> None:
    path = Path(work.file(progress.FILE))
    path.write_text("what a killed stage had noted\n")
    numbers = itertools.count(1)
    with progress.shown(work, lambda: Look("dumped", next(numbers), 100)):
        until(lambda: path.exists() and len(path.read_text().splitlines()) > 2)
        seen = notes(work)
        assert [line["done"] for line in seen] == list(range(1, len(seen) + 1))
        assert {key: seen[0][key] for key in ("what", "done", "total", "unit")} == {"what": "dumped", "done": 1, "total": 100, "unit": "bytes"}
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists(), "the next stage of this directory would be shown with it"


def test_progress_never_fails_a_stage(work: WorkDirectory) -> None:
    asked = []

    def broken() -> Look:
        asked.append(1)
        raise OSError("gone")

    with progress.shown(WorkDirectory(work.file("not", "there")), lambda: Look("dumped", 1)), progress.shown(work, broken):
        until(lambda: len(asked) > 2)
    assert not Path(work.file(progress.FILE)).exists()


@pytest.mark.parametrize(
    "row, look",
    [
        ((0, 0, 0, 0, 0), None),
        ((1, 10, 40, 0, 0), Look("read for an index", 10, 40, "blocks")),
        ((1, 40, 40, 300, 900), Look("put into an index", 300, 900, "rows")),
        ((2, 50, 80, 300, 900), Look("read for 2 indexes", 50, 80, "blocks")),
    ],
)
def test_index_builds_are_told_together(row: tuple[int, ...], look: Look | None) -> None:
    names = ("builds", "blocks_done", "blocks_total", "tuples_done", "tuples_total")
    assert progress_database.builds_look(dict(zip(names, row, strict=True))) == look


@pytest.mark.parametrize("json_wanted", [False, True])
def test_a_line_for_a_person_or_for_the_command(monkeypatch: pytest.MonkeyPatch, json_wanted: bool) -> None:
    said: list[str] = []
    monkeypatch.setattr(progress_display, "Display", lambda: type("D", (), {"display": staticmethod(said.append)}))
    monkeypatch.setenv(progress.ENVIRONMENT, "json" if json_wanted else "")
    progress_display.teller("rehearsal", "production → controller")(Note("carried", 50 * MB, 100 * MB, rate=10 * MB))
    (line,) = said
    if json_wanted:
        told = json.loads(line)[progress.KEY]
        assert (told["dev_host"], told["where"], told["done"]) == ("rehearsal", "production → controller", 50 * MB)
    else:
        assert line == "  production → controller: 50 of 100 MB carried, 10 MB/s, about 5 s left"


def test_the_pace_is_held_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of our own: 10 MB at 2 MB/s are 5 s."""
    clock = [100.0]
    monkeypatch.setattr(carry.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(carry.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    said: list[Note] = []
    meter = carry.Meter(said.append, 10_000_000, 2e6)
    for _chunk in range(10):
        meter.moved(1_000_000)
    assert clock[0] == pytest.approx(105.0)
    assert (said[0].total, said[0].rate) == (10_000_000, pytest.approx(2e6))
