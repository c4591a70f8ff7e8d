# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a directory to the disk: begun while there is other work, and waited for when it matters."""

from __future__ import annotations

import concurrent.futures
import os
import re
import subprocess
import threading

from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

_THREADS = 4
# Before this version Linux does not say that something could not be written when a whole file system is flushed.
_TELLS_FAILURES_SINCE = (5, 8)


def begin(directory: str, work: WorkDirectory) -> None:
    """Have it written by a process that goes on when this one ends, and that clean-up ends. Where that cannot be, all of it is left to `finish`."""
    try:
        process = subprocess.Popen(
            ["sync", "-f", directory],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
    except OSError:
        return
    work.register_process(process.pid, group=False)

    def reap() -> None:
        process.wait()
        work.unregister_process(process.pid)

    threading.Thread(target=reap, daemon=True).start()


def finish(directory: str) -> None:
    """Wait until all that has been written there is on the disk, whoever wrote it. Raises OSError."""
    if not _flush_file_system(directory):
        _flush_each(directory)


def _flush_file_system(directory: str) -> bool:
    """One wait for everything, where each of some thousand files would cost one, also if it was there already. False: it is not known to be there."""
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if release is None or (int(release[1]), int(release[2])) < _TELLS_FAILURES_SINCE:
        return False
    try:
        import ctypes

        flush = ctypes.CDLL(None, use_errno=True).syncfs
    except (ImportError, OSError, AttributeError):
        return False
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        # What failed may be somebody else's: that is told file by file.
        return bool(flush(descriptor) == 0)
    finally:
        os.close(descriptor)


def _flush_each(directory: str) -> None:
    found = [(place, files) for place, _names, files in os.walk(directory)]
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(_flush, [os.path.join(place, name) for place, files in found for name in files]))
    for place, _files in found:
        _flush(place)


def _flush(path: str) -> None:
    if not (os.path.isfile(path) or os.path.isdir(path)) or os.path.islink(path):
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        # The server removes some while it runs.
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
