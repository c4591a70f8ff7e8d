# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a long stage is, as JSON lines in the work directory: the controller looks at the last one and shows it."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import Callable, Iterator

from ansible_collections.migrations.rehearsal.plugins.module_utils import files

FILE = "progress.jsonl"
_EVERY_S = 1.0


@contextlib.contextmanager
def shown(path: str, what: str, total: int, done: Callable[[], int], unit: str = "bytes") -> Iterator[None]:
    """Note `{"what", "done", "total", "unit"}` once a second until the block ends; `total` is 0 where nobody knows it.

    `done` is asked in a thread of its own. Where it fails, nothing is noted: progress never is what a stage fails by.
    """
    ended = threading.Event()
    # What an earlier stage had noted.
    with contextlib.suppress(OSError):
        os.unlink(path)

    def note() -> None:
        while not ended.wait(_EVERY_S):
            with contextlib.suppress(Exception):
                files.append_json_line(path, {"what": what, "done": int(done()), "total": int(total), "unit": unit})

    thread = threading.Thread(target=note, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_EVERY_S)
