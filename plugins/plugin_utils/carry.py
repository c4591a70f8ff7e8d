# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry one file between a host and the controller: resumed after a broken connection, limited on request, told while it goes on."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.migrations.rehearsal.plugins.module_utils import files
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Look, Note, Pace, megabytes
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import host_pipe
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.host_pipe import HostPipe, PipeError

CHUNK = 1 << 18
# From this size on, the time for a connection of its own is well spent.
_BULK = 4_000_000
_TELL_EVERY_S = 3.0
# As root, and where nothing else is said, a file is made for its owner alone.
_APPEND = 'umask 077 && exec cat >> "$1"'
_SIZE = 'if [ -e "$1" ]; then wc -c < "$1"; else echo 0; fi'


@dataclasses.dataclass(frozen=True)
class Terms:
    """How to carry. `limit` in bytes a second, 0 is none; `attempts` counts those that follow each other without a byte moved."""

    limit: float = 0.0
    attempts: int = 5
    wait_s: float = 2.0
    silence_s: float = 60.0


class Meter:
    """Counts what was moved, holds the pace to the limit, and tells how far it is, every few seconds."""

    def __init__(self, tell: Callable[[Note], None], total: int, limit: float, done: int = 0) -> None:
        self._tell, self._total, self._limit = tell, total, limit
        self._pace = Pace(done)
        self._began = self._told = time.monotonic()
        self._moved, self._done = 0, done

    def moved(self, count: int) -> None:
        """`count` more bytes."""
        self._moved += count
        self._done += count
        if self._limit:
            time.sleep(max(0.0, self._moved / self._limit - (time.monotonic() - self._began)))
        now = time.monotonic()
        if now - self._told >= _TELL_EVERY_S:
            self._told = now
            self._tell(self._pace.note(Look("carried", self._done, self._total)))


def fetch(action: ActionBase, remote: str, local: str, size: int, tell: Callable[[Note], None], terms: Terms) -> int:
    """Bring a file of `size` bytes to the controller (0600, renamed when it is whole); how often it was resumed."""
    partial = f"{local}.partial"
    os.makedirs(os.path.dirname(local), mode=files.PRIVATE_DIRECTORY, exist_ok=True)
    if not host_pipe.usable(action):
        _refuse_become(action)
        action._connection.fetch_file(remote, partial)
        os.chmod(partial, files.PRIVATE_FILE)
        os.replace(partial, local)
        return 0
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, files.PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as output:

        def once() -> None:
            meter = Meter(tell, size, terms.limit, output.tell())
            pipe = HostPipe(action, ["tail", "-c", f"+{output.tell() + 1}", remote], silence_s=terms.silence_s, bulk=size > _BULK)
            try:
                while chunk := pipe.read(CHUNK):
                    output.write(chunk)
                    meter.moved(len(chunk))
                pipe.finish()
            finally:
                pipe.stop()
            if output.tell() < size:
                raise AnsibleConnectionFailure(f"it ended after {output.tell():,} of {size:,} bytes")

        resumed = _resume(action, terms, once, output.tell)
    if os.path.getsize(partial) != size:
        raise PipeError(f"{remote} should have {size:,} bytes, and {os.path.getsize(partial):,} arrived")
    os.replace(partial, local)
    return resumed


def send(action: ActionBase, local: str, remote: str, tell: Callable[[Note], None], terms: Terms) -> int:
    """Send a file to the host (0600, renamed when it is whole); how often it was resumed."""
    size = os.path.getsize(local)
    if not host_pipe.usable(action):
        _refuse_become(action)
        action._connection.put_file(local, remote)
        return 0
    partial = f"{remote}.partial"
    arrived = 0
    with open(local, "rb") as source:

        def once() -> None:
            nonlocal arrived
            arrived = _remote_size(action, partial, terms)
            if arrived > size:
                # What a broken connection had still under way came after we had looked.
                run(action, ["rm", "-f", partial], terms)
                arrived = 0
            source.seek(arrived)
            _send_from(action, source, partial, Meter(tell, size, terms.limit, arrived), terms, bulk=size > _BULK)
            arrived = _remote_size(action, partial, terms)
            if arrived != size:
                raise AnsibleConnectionFailure(f"{arrived:,} of {size:,} bytes are there")

        resumed = _resume(action, terms, once, lambda: arrived)
    run(action, ["mv", "-f", partial, remote], terms)
    return resumed


def _send_from(action: ActionBase, source: Any, partial: str, meter: Meter, terms: Terms, bulk: bool) -> None:
    pipe = HostPipe(action, ["sh", "-c", _APPEND, "sh", partial], silence_s=terms.silence_s, bulk=bulk)
    try:
        while chunk := source.read(CHUNK):
            if not pipe.write(chunk):
                break
            meter.moved(len(chunk))
        pipe.finish()
    finally:
        pipe.stop()


def run(action: ActionBase, words: list[str], terms: Terms) -> bytes:
    """A short command on the host; what it prints."""
    pipe = HostPipe(action, words, silence_s=terms.silence_s)
    said = b""
    try:
        while chunk := pipe.read(4096):
            said += chunk
        pipe.finish()
    finally:
        pipe.stop()
    return said


def _remote_size(action: ActionBase, path: str, terms: Terms) -> int:
    return int(run(action, ["sh", "-c", _SIZE, "sh", path], terms))


def _resume(action: ActionBase, terms: Terms, once: Callable[[], None], progress: Callable[[], int]) -> int:
    """Do it again after each broken connection, as long as bytes move; how often it was done again."""
    again, vain, reached = 0, 0, progress()
    while True:
        try:
            once()
            return again
        except AnsibleConnectionFailure as error:
            vain = 0 if progress() > reached else vain + 1
            reached = progress()
            if vain >= terms.attempts:
                raise
            again += 1
            Display().display(f"  {error.message}; resumed after {megabytes(reached)} MB")
            # A connection that ssh keeps open for the next command may be the one that broke.
            with contextlib.suppress(Exception):
                action._connection.reset()
            time.sleep(terms.wait_s * max(vain, 1))


def _refuse_become(action: ActionBase) -> None:
    if action._connection.become:
        raise PipeError(
            f"files of {action._connection.become.get_option('become_user')} cannot be carried over connection {action._connection.transport}: "
            "use the ssh connection, or log in as that user"
        )
