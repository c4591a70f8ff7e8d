"""A program on a terminal of its own (a real pty), and what a person would see there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pexpect
import pyte

TIMEOUT_S = 300


class Terminal:
    """Starts a program; `read` lets time pass. `frames`: every screen that differed from the one before, as text."""

    def __init__(self, argv: list[str], cwd: Path, environment: Mapping[str, str], columns: int = 110, lines: int = 40) -> None:
        cwd.mkdir(parents=True, exist_ok=True)
        env = {"TERM": "xterm-256color", **environment}
        self.process = pexpect.spawn(argv[0], argv[1:], cwd=str(cwd), env=env, dimensions=(lines, columns), encoding="utf-8", echo=False)
        self.screen = pyte.HistoryScreen(columns, lines, history=2000)
        self._stream = pyte.Stream(self.screen)
        self.raw = ""
        self.frames: list[str] = []

    def read(self, until: Callable[[], bool] | None = None, timeout_s: float = TIMEOUT_S) -> None:
        """Until something is true, or until the program has ended."""
        deadline = time.monotonic() + timeout_s
        while until is None or not until():
            assert time.monotonic() < deadline, f"timed out; the screen:\n{self.shown()}"
            # Taking in every single frame costs more than the program that is looked at.
            time.sleep(0.1)
            try:
                text = self.process.read_nonblocking(1 << 16, timeout=0.1)
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                break
            self.raw += text
            self._stream.feed(text)
            shown = self.shown()
            if not self.frames or self.frames[-1] != shown:
                self.frames.append(shown)

    def shown(self) -> str:
        """What is on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def everything(self) -> str:
        """What is on the screen and what has scrolled away above it."""
        above = ["".join(line[column].data for column in range(self.screen.columns)).rstrip() for line in self.screen.history.top]
        return "\n".join([*above, self.shown()])

    def type(self, keys: str) -> None:
        self.process.send(keys)

    def exit_code(self) -> int:
        """Wait for the end."""
        self.read()
        self.process.wait()
        assert self.process.exitstatus is not None, f"ended by signal {self.process.signalstatus}"
        return int(self.process.exitstatus)

    def close(self) -> None:
        """Whatever still runs is ended."""
        self.process.close(force=True)
