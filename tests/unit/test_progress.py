"""How far a long stage is: what a module notes, and what a person sees."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import progress
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import carry, progress_display


@pytest.mark.parametrize(
    "note, seconds, line",
    [
        (
            {"what": "restored", "done": 120_000_000, "total": 546_000_000, "unit": "bytes"},
            10,
            "120 of 546 MB restored, 12 MB/s, about 36 s left",
        ),
        ({"what": "dumped", "done": 50_000_000, "total": 0, "unit": "bytes"}, 4, "50 MB dumped, 12 MB/s"),
        ({"what": "compared", "done": 3, "total": 12, "unit": "tables"}, 6, "3 of 12 tables compared, 0.5 tables/s, about 18 s left"),
        ({"what": "upgraded", "done": 7, "total": 0, "unit": "revisions"}, 6, "7 revisions upgraded"),
        ({"what": "restored", "done": 0, "total": 10, "unit": "bytes"}, 5, "0.00 of 0.00 MB restored, 0.00 MB/s"),
    ],
)
def test_one_line_says_how_much_how_fast_and_how_long(note: dict[str, Any], seconds: float, line: str) -> None:
    assert progress_display.render(note, seconds) == line


def test_progress_is_noted_until_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_EVERY_S", 0.01)
    path = tmp_path / progress.FILE
    path.write_text("what an earlier stage had noted\n")
    numbers = itertools.count(1)
    with progress.shown(str(path), "dumped", lambda: 100, lambda: next(numbers)):
        time.sleep(0.2)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) > 2 and [line["done"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[0] == {"what": "dumped", "done": 1, "total": 100, "unit": "bytes"}
    assert path.stat().st_mode & 0o777 == 0o600
    ended = path.stat().st_size
    time.sleep(0.05)
    assert path.stat().st_size == ended


def test_progress_never_fails_a_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_EVERY_S", 0.01)

    def broken() -> int:
        raise OSError("gone")

    with (
        progress.shown(str(tmp_path / "not" / "there"), "dumped", lambda: 100, lambda: 1),
        progress.shown(str(tmp_path / "a"), "dumped", lambda: 100, broken),
    ):
        time.sleep(0.05)
    assert not (tmp_path / "a").exists()


def test_the_pace_is_held_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of our own: 10 MB at 2 MB/s are 5 s."""
    clock = [100.0]
    monkeypatch.setattr(carry.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(carry.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    said: list[str] = []
    monkeypatch.setattr(carry, "Display", lambda: type("D", (), {"display": staticmethod(said.append)}))
    meter = carry.Meter("production → controller", 10_000_000, 2e6)
    for _chunk in range(10):
        meter.moved(1_000_000)
    assert clock[0] == pytest.approx(105.0)
    assert said[0].startswith("  production → controller: ") and "of 10 MB, 2.0 MB/s" in said[0]
