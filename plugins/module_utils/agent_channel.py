# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's own line to us: JSON lines that nothing in the application can disturb or imitate.

Runs inside the application's Python: standard library only.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any, NoReturn

EXIT_ERROR = 1
EXIT_FENCE = 70
EXIT_DEADLINE = 75


class Channel:
    """Takes standard output away from the application and writes events to it.

    Each line is `NONCE {json}`; the nonce comes on standard input and is known to nobody else. Whatever the application
    prints goes to standard error from here on.
    """

    def __init__(self, nonce: str) -> None:
        self._nonce = nonce
        self._descriptor = os.dup(1)
        os.dup2(2, 1)
        self._lock = threading.Lock()
        self._started = time.monotonic()

    def now(self) -> float:
        """Milliseconds since the agent's start."""
        return round((time.monotonic() - self._started) * 1000, 3)

    def emit(self, event: str, **fields: Any) -> None:
        """Write one event. When nobody reads any more, the process ends."""
        line = f"{self._nonce} {json.dumps({'event': event, 't': self.now(), **fields}, default=str)}\n".encode()
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except OSError:
                os._exit(EXIT_ERROR)

    def stop(self, code: int) -> NoReturn:
        """End the process at once: no `finally`, no `atexit`, nothing that could still reach a database."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass
        os._exit(code)
