# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write files so that a reader finds a whole one or none."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from typing import IO, Any, BinaryIO, Iterable, Iterator

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700
_CHUNK = 1 << 20


def write_bytes(path: str, content: bytes, flush: bool = True) -> None:
    """Write `path.partial` (0600), flush it to disk, rename it.

    Without `flush` for what means nothing once the machine has gone down: where a copy is being written, each flush waits for the disk.
    """
    with _whole(path, flush) as file:
        file.write(content)


def write_json(path: str, value: Any, flush: bool = True) -> None:
    """`write_bytes` for one JSON document, in sorted order so that equal values make equal files. Its text is never in memory as a whole."""
    with _whole(path, flush) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
        json.dump(value, text, ensure_ascii=False, sort_keys=True, indent=1)
        text.write("\n")
        text.flush()
        text.detach()


@contextlib.contextmanager
def _whole(path: str, flush: bool) -> Iterator[BinaryIO]:
    partial = f"{path}.partial"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        yield file
        if flush:
            file.flush()
            os.fsync(file.fileno())
    os.replace(partial, path)


def open_private(path: str) -> IO[str]:
    """A text file to append to, 0600 whatever the umask."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE), "a", encoding="utf-8")


def read_json(path: str) -> Any:
    """One JSON document."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def append_json_line(path: str, value: Any) -> None:
    """Append one line in a single write, so that concurrent writers never mix."""
    line = (json.dumps(value, ensure_ascii=False, sort_keys=True) + "\n").encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def read_json_lines(path: str) -> Iterable[Any]:
    """The documents of a JSON lines file, one at a time; a last line cut short (a killed writer) is left out."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def sha256(path: str) -> str:
    """Hexadecimal SHA-256 of a file, read in chunks."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


class Hashing:
    """A file that is read once, from its begin to its end, and hashed on the way. Use as a context manager."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "rb", buffering=0)
        self._digest = hashlib.sha256()

    def __enter__(self) -> Hashing:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        """At most `size` bytes."""
        chunk = self._file.read(size)
        self._digest.update(chunk)
        return chunk

    def finish(self) -> str:
        """Hexadecimal SHA-256 of the whole file; what nobody wanted to read is read now."""
        while self.read(_CHUNK):
            pass
        return self._digest.hexdigest()
