# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pipes that rows go through: into a program's standard input, or by name into a server itself, which spares a program in between."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import os
import time
from typing import IO, Any, Callable, Optional, Protocol, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import files, system_owner
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool

_CHUNK = 1 << 20
# F_SETPIPE_SZ of Linux, which Python names since 3.10.
_SET_PIPE_SIZE = 1031
# Four times the usual: whoever writes goes on meanwhile, and it stays within a processor's own cache, as a megabyte would not.
_PIPE_BYTES = 1 << 18
_LOOK_EVERY_S = 0.005


class Receiving(Protocol):
    """A program that takes rows."""

    tool: Tool

    def into(self) -> IO[bytes]:
        """Where they go to, once somebody reads there. Raises OSError where nobody ever will."""

    def close(self) -> None:
        """Nothing more comes."""


class StandardInput:
    """A program that reads them from its standard input."""

    def __init__(self, start: Callable[[IO[bytes]], Tool]) -> None:
        received, self._into = pipe()
        with received:
            try:
                self.tool = start(received)
            except BaseException:
                self.close()
                raise

    def into(self) -> IO[bytes]:
        return self._into

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._into.close()


@dataclasses.dataclass(frozen=True)
class PipePlace:
    """A directory where a server finds named pipes of ours: its system user, empty for our own, and nobody else gets there."""

    directory: str
    owner: str

    def make(self, name: str) -> str:
        """The path of a new one; "" where the file system has none."""
        path = os.path.join(self.directory, name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        try:
            os.mkfifo(path, files.PRIVATE_FILE)
        except OSError:
            return ""
        return system_owner.own(self.owner, path)


class NamedPipe:
    """A program whose server reads them from a named pipe."""

    def __init__(self, path: str, start: Callable[[], Tool]) -> None:
        self._path, self._into = path, None  # type: str, Optional[IO[bytes]]
        try:
            self.tool = start()
        except BaseException:
            os.unlink(path)
            raise

    def into(self) -> IO[bytes]:
        while True:
            ended = self.tool.ended
            found = self._open()
            if found is not None:
                self._into = found
                return found
            if ended:
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE), self._path)
            time.sleep(_LOOK_EVERY_S)

    def _open(self) -> Optional[IO[bytes]]:
        """None while there is nobody at its other end: whoever comes first there waits for us."""
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return None
            raise
        os.set_blocking(descriptor, True)
        return _enlarged(os.fdopen(descriptor, "wb", buffering=0))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            # A server that has opened it and has never met us would wait for ever, whoever wants to end it.
            if self._into is None:
                self._into = self._open()
            if self._into is not None:
                self._into.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)


def pipe() -> Tuple[IO[bytes], IO[bytes]]:
    """Its end to read from and its end to write to."""
    reading, writing = os.pipe()
    return os.fdopen(reading, "rb", buffering=0), _enlarged(os.fdopen(writing, "wb", buffering=0))


def _enlarged(writing: IO[bytes]) -> IO[bytes]:
    # Where the kernel gives no such room, less does.
    with contextlib.suppress(OSError):
        fcntl.fcntl(writing, _SET_PIPE_SIZE, _PIPE_BYTES)
    return writing


def move_all(source: IO[bytes], into: IO[bytes], moved: Callable[[int], None]) -> None:
    """Everything, up to the source's end. Raises OSError where nobody takes it any more."""
    while move(source, into, _CHUNK, moved):
        pass


def move(source: IO[bytes], into: IO[bytes], most: int, moved: Callable[[int], None]) -> int:
    """As much as there is, and no more than `most` bytes: how many; 0 at the source's end."""
    count = (_splice if hasattr(os, "splice") else _read_and_write)(source.fileno(), into.fileno(), min(most, _CHUNK))
    moved(count)
    return count


def _splice(source: int, target: int, most: int) -> int:
    """Within the kernel."""
    splice: Any = os.splice  # type: ignore[attr-defined,unused-ignore]
    return int(splice(source, target, most))


def _read_and_write(source: int, target: int, most: int) -> int:
    chunk = os.read(source, most)
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(target, rest) :]
    return len(chunk)
