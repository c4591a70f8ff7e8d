# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An existing backup as the source: what it is, by its content and never by its name, and what is in it. It is only read.

Known forms: pg_dump's plain SQL, custom, directory and tar; any of them (a directory as a tar of it) also compressed with gzip, bzip2, xz, zstd
or lz4.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import os
import shutil
import subprocess
import tarfile
import zlib
from typing import IO, Any, Callable, Dict, Iterator, List, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils import files
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError

PLAIN, CUSTOM, DIRECTORY, TAR = "plain", "custom", "directory", "tar"
# A directory in the custom format's clothes: pg_dump's directory, packed with tar.
PACKED = "packed directory"
_CHUNK = 1 << 20
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4"}
_TOC = "toc.dat"
# The format byte in the header of an archive (pg_backup_archiver.h): 1 custom; 3 tar, which a directory's table of contents says too.
_ARCHIVE, _HEADER_BYTES = b"PGDMP", 11
_FORMATS = {1: CUSTOM, 3: DIRECTORY}


class BackupFileError(RehearsalError):
    """The backup file cannot be used; the message says why and what to do."""

    code = "preflight"


@dataclasses.dataclass(frozen=True)
class BackupFile:
    """`compression` is "" for none. `bytes` on disk; `sha256` of the file, of a directory over its files by name."""

    path: str
    format: str
    compression: str
    bytes: int
    sha256: str

    def to_json(self) -> Dict[str, Any]:
        """As it stands in the manifest."""
        return dataclasses.asdict(self)


def inspect(path: str, checksum: bool = True) -> BackupFile:
    """What a backup file is. Raises BackupFileError if it is missing, cannot be read, or is nothing that can be restored."""
    path = os.path.abspath(os.path.expanduser(path))
    try:
        if os.path.isdir(path):
            return _inspect_directory(path, checksum)
        with open(path, "rb") as file:
            compression = _compression(file.read(8))
        return BackupFile(path, _format(path, compression), compression, os.path.getsize(path), files.sha256(path) if checksum else "")
    except FileNotFoundError:
        raise BackupFileError(f"there is no backup file {path}") from None
    except OSError as error:
        raise BackupFileError(f"the backup file {path} cannot be read: {error.strerror or error}") from None


def _inspect_directory(path: str, checksum: bool) -> BackupFile:
    names = sorted(os.listdir(path))
    if _TOC not in names:
        raise BackupFileError(f"{path} is a directory without {_TOC}: it is no backup in pg_dump's directory format")
    with open(os.path.join(path, _TOC), "rb") as file:
        if _of_header(file.read(_HEADER_BYTES)) != DIRECTORY:
            raise BackupFileError(f"{os.path.join(path, _TOC)} is not the table of contents of a directory that pg_dump made")
    digest, size = hashlib.sha256(), 0
    for name in names:
        one = os.path.join(path, name)
        digest.update(f"{name}\0{files.sha256(one) if checksum else ''}\n".encode())
        size += os.path.getsize(one)
    return BackupFile(path, DIRECTORY, "", size, digest.hexdigest() if checksum else "")


def _compression(start: bytes) -> str:
    return next((name for magic, name in _MAGIC.items() if start.startswith(magic)), "")


def _of_header(start: bytes) -> Optional[str]:
    """The format in an archive's header: magic, version (3 bytes), size of int, size of offset, format."""
    if not start.startswith(_ARCHIVE) or len(start) < _HEADER_BYTES:
        return None
    return _FORMATS.get(start[10])


def _format(path: str, compression: str) -> str:
    with reading(path, compression) as stream:
        start = stream.read(1 << 16)
    found = _of_header(start)
    if found == CUSTOM:
        return CUSTOM
    if start[257:262] == b"ustar":
        return _tar_format(path, compression)
    if found:
        raise BackupFileError(f"{path} is one file of a backup in pg_dump's {found} format: name the whole of it")
    if b"PostgreSQL database cluster dump" in start[:4096]:
        raise BackupFileError(f"{path} is a dump of a whole cluster (pg_dumpall): a rehearsal needs one database, dumped with pg_dump")
    if not start.strip():
        raise BackupFileError(f"{path} is empty")
    if b"\0" in start:
        raise BackupFileError(f"{path} is neither SQL nor an archive of pg_dump's")
    return PLAIN


def _tar_format(path: str, compression: str) -> str:
    names: List[str] = []
    with reading(path, compression) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            names.append(os.path.normpath(member.name))
            content = archive.extractfile(member) if member.isfile() and os.path.basename(member.name) == _TOC else None
            if content and _of_header(content.read(_HEADER_BYTES)) != DIRECTORY:
                raise BackupFileError(f"{path} holds a {member.name} that pg_dump did not make")
    if any(os.path.basename(name) == _TOC for name in names):
        # The tables of contents are alike; a script to restore it by is in pg_dump's own tar alone.
        return TAR if {_TOC, "restore.sql"} <= set(names) else PACKED
    raise BackupFileError(f"{path} is a tar archive without a {_TOC} of pg_dump's")


def _opener(compression: str) -> Optional[Callable[..., Any]]:
    """What of Python's own reads it; None where Python was built without it, or never knows it: then a program has to."""
    module = {"": "builtins", "gzip": "gzip", "bzip2": "bz2", "xz": "lzma"}.get(compression)
    try:
        return getattr(importlib.import_module(module), "open") if module else None  # noqa: B009 - of a module by name
    except ImportError:
        return None


def program_missing(compression: str) -> bool:
    """Whether this host has neither a Python nor a program that reads it."""
    return _opener(compression) is None and shutil.which(compression) is None


class reading:  # noqa: N801 - used as a with statement only
    """`with reading(path, compression) as stream`: the content, decompressed; it is never held in memory."""

    def __init__(self, path: str, compression: str) -> None:
        self._path, self._compression = path, compression
        self._process: Optional[subprocess.Popen[bytes]] = None

    def __enter__(self) -> IO[bytes]:
        opener = _opener(self._compression)
        if opener is not None:
            stream: IO[bytes] = opener(self._path, "rb")
            self._stream = stream
            return stream
        program = shutil.which(self._compression)
        if program is None:
            raise BackupFileError(
                f"{self._path} is compressed with {self._compression}, and this host has no program of that name: install {self._compression}"
            )
        self._process = subprocess.Popen(
            [program, "-dc", "--", self._path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        if self._process.stdout is None:
            raise AssertionError("it was started with a pipe")
        self._stream = self._process.stdout
        return self._stream

    def __exit__(self, kind: Any, error: Any, _trace: object) -> None:
        ended = not self._stream.read(1) if self._process and kind is None else False
        self._stream.close()
        # Python's decompressors raise an OSError without a number for bytes that they do not understand.
        named = type(error).__name__ == "LZMAError"
        if isinstance(error, (EOFError, zlib.error)) or named or (isinstance(error, OSError) and error.errno is None):
            raise BackupFileError(f"{self._path} is damaged: {error}") from None
        if self._process is None:
            return
        if not ended:
            # Whoever read had enough of it.
            self._process.kill()
        code = self._process.wait()
        if ended and code != 0:
            raise BackupFileError(f"{self._path} is damaged: {self._compression} ended with exit code {code}")


def unpack(backup: BackupFile, target: str) -> None:
    """What was compressed or packed, as pg_restore reads it, at a path that is free."""
    if backup.format == PACKED:
        os.makedirs(target, mode=files.PRIVATE_DIRECTORY)
        with reading(backup.path, backup.compression) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                source = archive.extractfile(member) if member.isfile() else None
                name = os.path.basename(member.name)
                if source is not None and name not in ("", ".", ".."):
                    _write(source, os.path.join(target, name))
        return
    with reading(backup.path, backup.compression) as stream:
        _write(stream, target)


def _write(source: IO[bytes], target: str) -> None:
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, files.PRIVATE_FILE), "wb") as output:
        shutil.copyfileobj(source, output, _CHUNK)


def pack(backup: BackupFile, target: str) -> None:
    """A directory as one file to carry."""
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, files.PRIVATE_FILE), "wb") as output, tarfile.open(
        fileobj=output, mode="w"
    ) as archive:
        for name in sorted(os.listdir(backup.path)):
            archive.add(os.path.join(backup.path, name), arcname=name)


def lines(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines of a stream, read in chunks: a row of a dump can be long, never unbounded in number."""
    rest = b""
    for chunk in iter(lambda: stream.read(_CHUNK), b""):
        parts = (rest + chunk).split(b"\n")
        rest = parts.pop()
        for part in parts:
            yield part + b"\n"
    if rest:
        yield rest
