"""The line that asks for a statement is the innermost one of the revision's file, whatever way the last one came."""

from __future__ import annotations

import itertools
import random
import sys
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import agent_lines
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_lines import Lines

# What a revision does: directly, through a helper of its own, through a library that calls it back, deeper and deeper.
REVISION = """\
def direct(library):
    return library.execute()
def helper(library):
    return direct(library)
def called_back(library):
    return library.run(lambda: direct(library))
def deeper(library, depth):
    if depth:
        return deeper(library, depth - 1)
    return library.add_column()
def nested(library, depth):
    return nested(library, depth - 1) if depth else direct(library)
def in_a_loop(library):
    return [library.execute()
            for _one in "ab"] + [library.add_column()]
"""
LIBRARY = """\
class Library:
    def __init__(self, ask):
        self.ask = ask
    def execute(self):
        return self.ask()
    def add_column(self):
        return self.invoke()
    def invoke(self):
        return self.execute()
    def run(self, call):
        return call()
"""
FILE = "versions/r1.py"


def walked() -> int | None:
    """What walking over all frames finds."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == FILE:
            return int(frame.f_lineno)
        frame = frame.f_back
    return None


def names(text: str, file: str) -> dict[str, Any]:
    space: dict[str, Any] = {}
    exec(compile(text, file, "exec"), space)
    return space


def test_it_is_what_walking_finds() -> None:
    lines, told = Lines(), []

    def ask() -> list[int | None]:
        told.append((lines.find(FILE), walked()))
        return []

    library, revision = names(LIBRARY, "library.py")["Library"](ask), names(REVISION, FILE)
    calls = [(name,) for name in ("direct", "helper", "called_back", "in_a_loop")] + [
        (name, depth) for name in ("deeper", "nested") for depth in range(30)
    ]
    for name, *more in itertools.chain(calls, calls[::-1], random.Random(1).choices(calls, k=300)):
        revision[name](library, *more)
    assert {line for line, _walked in told} == {2, 10, 14, 15}
    assert [one for one in told if one[0] != one[1]] == []
    assert len(lines._ways) <= agent_lines._MOST_WAYS


def test_known_ways_are_not_walked_again(monkeypatch: Any) -> None:
    lines, found = Lines(), []
    library, revision = names(LIBRARY, "library.py")["Library"](lambda: found.append(lines.find(FILE))), names(REVISION, FILE)
    for name in ("direct", "helper", "called_back"):
        revision[name](library)
    monkeypatch.setattr(agent_lines, "_MOST_FRAMES", 0)
    for name in ("called_back", "direct", "helper"):
        revision[name](library)
    revision["deeper"](library, 3)
    assert found == [2] * 6 + [None]


def test_out_of_sight_there_is_none() -> None:
    lines = Lines()
    assert lines.find(FILE) is None
    names(REVISION, FILE)["deeper"](names(LIBRARY, "library.py")["Library"](lambda: lines.find(FILE)), 100)
    # A way that is longer than the stack is now.
    assert lines.find(FILE) is None
