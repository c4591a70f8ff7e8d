# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's own line to us: JSON lines that nothing in the application can disturb or imitate.

Runs inside the application's Python: standard library only.
"""

from __future__ import annotations

import collections
import io
import json
import os
import signal
import sys
import threading
import time
from typing import Any, Deque, Dict, List, NoReturn, Optional

EXIT_ERROR = 1
EXIT_FENCE = 70
EXIT_DEADLINE = 75

WAIT_S = 0.02
_encode = json.JSONEncoder(default=str).encode


def _print_at_once() -> None:
    """As with `python -u`, here and in what the application starts: the process may be killed, and what it said is not to be lost.

    It was not started so, since then it would have read its program, which comes on standard input, byte by byte."""
    os.environ["PYTHONUNBUFFERED"] = "1"
    for name in ("stdout", "stderr"):
        stream = getattr(sys, f"__{name}__")
        if getattr(sys, name) is not stream:
            # What the site's own code put before it goes on writing to it.
            stream.reconfigure(line_buffering=True)
            continue
        raw: Any = io.FileIO(stream.fileno(), "w", closefd=False)
        at_once = io.TextIOWrapper(raw, encoding=stream.encoding, errors=stream.errors, newline="\n", write_through=True)
        setattr(sys, name, at_once)
        setattr(sys, f"__{name}__", at_once)


class Channel:
    """Takes standard output away from the application and writes events to it.

    Each line is `NONCE [event, …]`; the nonce comes on standard input and is known to nobody else. Whatever the application
    prints goes to standard error from here on.
    """

    def __init__(self, nonce: str) -> None:
        self._nonce = nonce
        self._descriptor = os.dup(1)
        os.dup2(2, 1)
        _print_at_once()
        self._lock = threading.Lock()
        self._started = time.monotonic_ns()
        self._waiting: Deque[Dict[str, Any]] = collections.deque()
        self._late = threading.Event()
        self._writer: Optional[threading.Thread] = None
        # A child of the application's has a copy of what waits here; its parent tells it.
        os.register_at_fork(after_in_child=self._forked)
        exit_now = os._exit

        def tell_and_exit(status: int) -> NoReturn:
            self.flush()
            exit_now(status)

        os._exit = tell_and_exit

    def now(self) -> float:
        """Milliseconds since the agent's start."""
        return (time.monotonic_ns() - self._started) // 1000 / 1000

    def emit(self, event: str, **fields: Any) -> None:
        """Write one event, with those that wait. When nobody reads any more, the process ends."""
        self._waiting.append({"event": event, "t": self.now(), **fields})
        self.flush()

    def emit_soon(self, event: str, **fields: Any) -> None:
        """Write one event within WAIT_S, with others: waking the reader for each of many quick statements costs more than measuring them."""
        self._waiting.append({"event": event, "t": self.now(), **fields})
        if self._writer is None:
            self._writer = threading.Thread(target=self._write_late, name="rehearsal-events", daemon=True)
            self._writer.start()
        if not self._late.is_set():
            self._late.set()

    def _take(self) -> List[Dict[str, Any]]:
        """What waits now. Others may go on adding to it."""
        return [self._waiting.popleft() for _number in range(len(self._waiting))]

    def flush(self) -> None:
        """Write what waits, encoded together: that is what encoding costs least."""
        with self._lock:
            events = self._take()
            lines = f"{self._nonce} {_encode(events)}\n".encode("ascii") if events else b""
            try:
                while lines:
                    lines = lines[os.write(self._descriptor, lines) :]
            except OSError:
                os.kill(os.getpid(), signal.SIGKILL)

    def _write_late(self) -> None:
        while True:
            self._late.wait()
            self._late.clear()
            time.sleep(WAIT_S)
            self.flush()

    def _forked(self) -> None:
        self._lock = threading.Lock()
        self._waiting = collections.deque()
        self._writer = None

    def stop(self, code: int) -> NoReturn:
        """End the process at once: no `finally`, no `atexit`, nothing that could still reach a database."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass
        os._exit(code)
