# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the files of a directory durable while they are still being written, so that little is left to wait for when they have to be."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import stat
import threading
from typing import Dict, Iterator, List, Optional, Tuple

_EVERY_S = 0.5
_THREADS = 4

# What every write to a file changes: which file it is, its size, and when it was written last.
_Stamp = Tuple[int, int, int]


class Flusher:
    """Knows which files of a directory are on the disk as they are now. The directory need not be there yet."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._seen: Dict[str, _Stamp] = {}
        self._durable: Dict[str, _Stamp] = {}
        self._failure: Optional[OSError] = None

    @contextlib.contextmanager
    def ahead(self) -> Iterator[None]:
        """Flush beside the block, whatever it writes there. What fails is told by `finish`."""
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(_EVERY_S):
                self._flush_files()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def finish(self) -> None:
        """Flush what has been written since it was flushed last, and all directories. Nobody may write there meanwhile. Raises OSError."""
        self._flush_files()
        for place, _names, _files in os.walk(self._directory):
            self._flush(place)
        if self._failure is not None:
            raise self._failure

    def _flush_files(self) -> None:
        found: List[Tuple[str, _Stamp]] = []
        for place, _names, files in os.walk(self._directory):
            for name in files:
                path = os.path.join(place, name)
                stamp = _stamp(path)
                if stamp is not None and self._durable.get(path) != stamp:
                    found.append((path, stamp))
        with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda one: self._flush(one[0]), found))
        for path, stamp in found:
            # Two writes at one tick of the clock leave one time: only what has it in two rounds was not written after the first of them.
            if self._seen.get(path) == stamp:
                self._durable[path] = stamp
            self._seen[path] = stamp

    def _flush(self, path: str) -> None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            pass
        except OSError as error:
            # Linux tells of a failed write once: whoever asks later hears nothing of it.
            self._failure = self._failure or error


def _stamp(path: str) -> Optional[_Stamp]:
    """None for what is no file, or not there any more."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None
