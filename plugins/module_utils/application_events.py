# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what comes out of the application's process: the agent's events, and what else is printed there."""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from typing import IO, Callable, List, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import ending, files
from ansible_collections.migrations.rehearsal.plugins.module_utils.application_masking import Event, Log, mask_event

# While events come in, they are let gather: waking us for each costs the application more than writing it.
_PAUSE_S = 0.03
# Linux's own number, which Python has a name for since 3.10; and as much as a pipe of anybody's may hold there.
_SET_PIPE_SIZE = 1031
_PIPE_BYTES = 1 << 20
# The pipe may be full by now if it is the smallest.
_MUCH_BYTES = 1 << 15

_encode = json.JSONEncoder(ensure_ascii=False).encode


class Told:
    """The agent's events, masked; each is written to `path` and given to `on_event` as it comes. Lines without the nonce are the application's."""

    def __init__(self, nonce: str, hidden: Sequence[str], log: Log, path: Optional[str], on_event: Optional[Callable[[Event], None]]) -> None:
        self._nonce = nonce
        self._hidden = hidden
        self._log = log
        self._path = path
        self._file: Optional[IO[str]] = None
        self._on_event = on_event
        self.events: List[Event] = []

    def open(self) -> None:
        """The process is there: from now on there is a file."""
        if self._path:
            self._file = files.open_private(self._path)

    def take(self, line: str) -> None:
        """One line, without its end."""
        nonce, _space, text = line.partition(" ")
        if nonce != self._nonce:
            if line.strip():
                self._log.add(line + "\n")
            return
        try:
            told = json.loads(text)
        except ValueError:
            # A child of the application's wrote into the middle of a line. What is lost may have been a lock.
            self._log.add(text + "\n")
            at = self.events[-1]["t"] if self.events else 0.0
            said = "a line of the agent came torn"
            told = [{"event": "measuring_failed", "t": at, "kind": "ProtocolError", "message": said, "revision": self.revision_running()}]
        for one in told:
            # There may be a hundred thousand: one text of each name is enough for all.
            event = {sys.intern(name): value for name, value in mask_event(one, self._hidden).items()}
            self.events.append(event)
            if self._file:
                self._file.write(_encode(event) + "\n")
            if self._on_event:
                self._on_event(event)

    def flush(self) -> None:
        """Whoever reads the file sees everything so far."""
        if self._file:
            self._file.flush()

    def close(self) -> None:
        """Nothing comes any more."""
        if self._file:
            self._file.close()

    def last(self, name: str) -> Optional[Event]:
        """The last event of a name, or None."""
        return next((event for event in reversed(self.events) if event["event"] == name), None)

    def revision_running(self) -> Optional[str]:
        """The revision that had begun and not ended."""
        last = next((event for event in reversed(self.events) if event["event"] in ("revision_begin", "revision_end")), {})
        return last.get("revision") if last.get("event") == "revision_begin" else None

    def statement_running(self) -> Optional[str]:
        """The statement that had begun and not ended, if the agent came to tell of it."""
        running = self.last("running")
        if running is None:
            return None
        # The two threads that tell of its time and of its end do not wait for each other.
        later = (event for event in self.events if event.get("connection") == running["connection"] and event["event"] != "running")
        return None if any(event.get("t0", 0.0) >= running["t0"] for event in later) else str(running["sql"])


def read_events(process: subprocess.Popen[bytes], told: Told, errors: threading.Thread, deadline: float) -> bool:
    """Read standard output to its end; False when the deadline (of `time.monotonic`) came first. `errors` reads standard error to its end."""
    if process.stdout is None:
        raise AssertionError("it was started with a pipe")
    _widen(process.stdout.fileno())
    buffer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if not selector.select(timeout=min(left, 1.0)):
                # A grandchild may hold the pipe open after the agent has ended.
                if process.poll() is not None:
                    return True
                continue
            chunk = os.read(process.stdout.fileno(), _PIPE_BYTES)
            if not chunk:
                return _ends(process, deadline)
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                told.take(line.decode("utf-8", "replace"))
            told.flush()
            if len(chunk) < _MUCH_BYTES:
                # Not a mere sleep: it ends with the process.
                errors.join(timeout=_PAUSE_S)


def _widen(pipe: int) -> None:
    """Events that gather must not stop their writer."""
    if sys.platform == "linux":
        try:
            fcntl.fcntl(pipe, _SET_PIPE_SIZE, _PIPE_BYTES)
        except OSError:
            pass


def _ends(process: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        ending.wait(process, deadline - time.monotonic())
    except subprocess.TimeoutExpired:
        return False
    return True
