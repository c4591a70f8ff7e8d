# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a long stage is, as JSON lines in the work directory: the controller looks at the last one and shows it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
import time
from typing import Any, Callable, Dict, Iterator, Mapping, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils import files
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

FILE = "progress.jsonl"
# Of the controller: «json» makes one JSON object of each line that is displayed, under this key, for who takes them in.
ENVIRONMENT = "REHEARSAL_PROGRESS"
KEY = "rehearsal_progress"
BYTES = "bytes"
_EVERY_S = 1.0


@dataclasses.dataclass(frozen=True)
class Look:
    """How far something is at one moment: `done` of `total` `unit`, and what happens to them («restored»).

    The total is 0 where nobody knows it; `about`: it is an estimate. `detail`: what changes meanwhile, such as the revision that runs.
    """

    what: str
    done: float
    total: float = 0.0
    unit: str = BYTES
    about: bool = False
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class Note(Look):
    """A look with its pace: `rate` in units a second, 0 where it is not known yet; `seconds`: how long it has been going on."""

    rate: float = 0.0
    seconds: float = 0.0

    @property
    def seconds_left(self) -> Optional[float]:
        """None where nobody can tell: without a total or a rate, and behind an estimate that was too low."""
        if not self.total or not self.rate or (self.about and self.done >= self.total):
            return None
        return max(self.total - self.done, 0.0) / self.rate

    def to_json(self) -> Dict[str, Any]:
        """As it stands in the file, and travels to whoever shows it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Note:
        """From `to_json`; ValueError and its like for anything else."""
        return cls(
            str(values["what"]),
            float(values["done"]),
            float(values["total"]),
            str(values["unit"]),
            bool(values["about"]),
            str(values["detail"]),
            float(values["rate"]),
            float(values["seconds"]),
        )

    def text(self) -> str:
        """One line for a person: how much, how fast, and how long it will take if that is known."""
        name = "MB" if self.unit == BYTES else self.unit
        known = self.total and not (self.about and self.done >= self.total)
        of = f" of {'about ' if self.about else ''}{self._number(self.total)}" if known else ""
        rate = f", {self._number(self.rate)} {name}/s" if self.rate else ""
        left = self.seconds_left
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self._number(self.done)}{of} {name} {self.what}{detail}{rate}" + (f", about {left:,.0f} s left" if left is not None else "")

    def _number(self, count: float) -> str:
        return megabytes(count) if self.unit == BYTES else f"{count:,.0f}" if count >= 10 else f"{count:,.1f}".replace(".0", "")


def megabytes(count: float) -> str:
    """Bytes as megabytes, with as many digits as a person looks at."""
    return f"{count / 1e6:,.0f}" if count >= 1e7 else f"{count / 1e6:,.1f}" if count >= 1e6 else f"{count / 1e6:,.2f}"


class Pace:
    """Makes notes of looks. What is going on is timed from its first look, or from `began` with `done` where that is known."""

    def __init__(self, done: float = 0.0) -> None:
        self._what: Optional[str] = None
        self._began, self._first = time.monotonic(), done

    def note(self, look: Look) -> Note:
        """The look with its pace up to now."""
        now = time.monotonic()
        if look.what != self._what:
            if self._what is not None:
                self._began, self._first = now, look.done
            self._what = look.what
        seconds = now - self._began
        rate = max(look.done - self._first, 0.0) / seconds if seconds > 0 else 0.0
        return Note(look.what, look.done, look.total, look.unit, look.about, look.detail, rate, seconds)


@contextlib.contextmanager
def shown(work: WorkDirectory, look: Callable[[], Optional[Look]]) -> Iterator[None]:
    """Note what `look` sees, once a second until the block ends, in a file that lives no longer.

    It looks in a thread of its own. Where it fails or sees nothing, nothing is noted: progress never is what a stage fails by.
    """
    path = work.file(FILE)
    pace, ended = Pace(), threading.Event()

    def note() -> None:
        while not ended.wait(_EVERY_S):
            with contextlib.suppress(Exception):
                seen = look()
                if seen is not None:
                    files.append_json_line(path, pace.note(seen).to_json())

    # What a killed process could not remove.
    _remove(path)
    thread = threading.Thread(target=note, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_EVERY_S)
        _remove(path)


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


@dataclasses.dataclass
class Counter:
    """What a stage counts itself, by whatever threads it has."""

    done: int = 0
    total: int = 0


@contextlib.contextmanager
def counted(work: WorkDirectory, what: str, total: int = 0) -> Iterator[Counter]:
    """`shown` for bytes that the stage counts, once it knows how many there are."""
    counter = Counter(total=total)
    with shown(work, lambda: Look(what, counter.done, counter.total) if counter.total else None):
        yield counter
