# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways a dump leaves production: into the work directory, out of a container, or through a named pipe, without a file at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import tarfile
import threading
import time
from typing import IO, Any, Dict, List, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import files, inside
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool, ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Look
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

DUMP = "dump"
ARCHIVE = "backup.tar"
PIPE = "backup.pipe"
_CHUNK = 1 << 20
# Where its tar can, each file is gone as soon as it is on its way: the dump never takes its room in there and out here together.
_BRING_OUT = 'if tar --remove-files --version >/dev/null 2>&1; then exec tar --remove-files -C "$1" -cf - "$2"; fi; exec tar -C "$1" -cf - "$2"'
_READER_WAIT_S = 60.0
# Each time something is started in the container.
_ASK_EVERY_S = 3.0


class Outlet:
    """A dump that is under way. `start` it with pg_dump's options, `wait` for it, or `stop` it; then `names` says what it is made of."""

    def __init__(self, server: Server, rehearsal_id: str, work: WorkDirectory, *, jobs: int, niceness: Sequence[str] = ()) -> None:
        self.server, self.rehearsal_id, self.work, self.jobs = server, rehearsal_id, work, jobs
        self._niceness = list(niceness)
        self._tool: Optional[Tool] = None

    # Whether the dump is there as files to be carried, once it is whole.
    in_files = True

    # Connections of pg_dump: one to lead, and one for each job of a directory.
    @property
    def connections(self) -> int:
        return 1

    def prepare(self, session: Session, snapshot: str) -> None:
        """What there is to know of production in the snapshot that is dumped; `session` is in it."""

    def compressed(self, asked: str) -> str:
        """In which form what leaves production is compressed, where pg_dump was asked for this one."""
        return asked

    def start(self, options: List[str]) -> None:
        raise NotImplementedError

    def wait(self, deadline_s: float) -> None:
        """Raise ToolFailed unless the dump is whole within the deadline."""
        if self._tool is None:
            raise AssertionError("it was started")
        self._tool.wait(deadline_s)

    def stop(self) -> None:
        """End it, whatever it does."""
        if self._tool is not None:
            self._tool.stop()

    def bytes_so_far(self) -> int:
        """How much has been written; 0 where nobody knows."""
        path = self.work.file(DUMP)
        with contextlib.suppress(OSError):
            if os.path.isdir(path):
                return sum(entry.stat().st_size for entry in os.scandir(path))
            return os.path.getsize(path)
        return 0

    def look(self, expected: float) -> Look:
        """How far it is; `expected`: how large it will probably be."""
        return Look("dumped", self.bytes_so_far(), expected, about=True)

    def names(self) -> List[str]:
        """Every file of the dump, below the work directory."""
        path = self.work.file(DUMP)
        return [DUMP] if os.path.isfile(path) else sorted(f"{DUMP}/{name}" for name in os.listdir(path))

    def about(self) -> Dict[str, Any]:
        """What the manifest has to say of it, for the restore."""
        return {}

    def _dump(self, *options: str) -> List[str]:
        return self.server.tool("pg_dump", *options, behind=self._niceness)

    def _dump_in_parallel(self, place: str, options: Sequence[str]) -> Tool:
        return Tool(self._dump("--format=directory", f"--jobs={self.jobs}", f"--file={place}", *options), self.work)


class Directory(Outlet):
    """In parallel, where the tools see the same files as we do."""

    @property
    def connections(self) -> int:
        return 1 + self.jobs

    def start(self, options: List[str]) -> None:
        self._tool = self._dump_in_parallel(self.work.file(DUMP), options)


class Inside(Outlet):
    """In parallel into the container's scratch directory, from where it leaves as one archive and is removed at once."""

    _place = ""
    _inside = 0
    _asked = 0.0
    _whole = False

    @property
    def connections(self) -> int:
        return 1 + self.jobs

    def start(self, options: List[str]) -> None:
        self._place = inside.make_directory(self.server, self.rehearsal_id)
        self._tool = self._dump_in_parallel(f"{self._place}/{DUMP}", options)

    def wait(self, deadline_s: float) -> None:
        try:
            super().wait(deadline_s)
            self._whole = True
            self._bring_out(deadline_s)
        finally:
            self._remove()

    def stop(self) -> None:
        super().stop()
        self._remove()

    def look(self, expected: float) -> Look:
        now = time.monotonic()
        if not self._whole and self._place and now - self._asked >= _ASK_EVERY_S:
            self._asked = now
            self._inside = 1024 * int(inside.run(self.server, ["du", "-sk", self._place]).split()[0])
        if self._whole:
            return Look("brought out", self.bytes_so_far(), self._inside, about=True)
        return Look("dumped", self._inside, expected, about=True)

    def _remove(self) -> None:
        # One that cannot be removed now is found, and told, by clean-up.
        with contextlib.suppress(PostgresError):
            if self._place:
                inside.remove_directory(self.server, self._place)

    def _bring_out(self, deadline_s: float) -> None:
        os.mkdir(self.work.file(DUMP), files.PRIVATE_DIRECTORY)
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as source:
            with os.fdopen(writing, "wb") as target:
                tool = Tool([*self.server.prefix, "sh", "-c", _BRING_OUT, "sh", self._place, DUMP], self.work, stdout=target)
            try:
                with tarfile.open(fileobj=source, mode="r|") as archive:
                    for member in archive:
                        if member.isfile() and os.path.dirname(member.name) == DUMP:
                            content = archive.extractfile(member)
                            if content is None:
                                raise AssertionError("it is a regular file")
                            _write(content, self.work.file(DUMP, os.path.basename(member.name)))
            except tarfile.TarError as error:
                tool.stop()
                raise ToolFailed(f"the dump could not be brought out of «{' '.join(self.server.prefix)}»: {error}") from None
        tool.wait(deadline_s)


class StandardOutput(Outlet):
    """On pg_dump's standard output, straight into the archive, in pieces: nothing is written where the tools run, and nothing twice here.

    It cannot be made in parallel.
    """

    in_files = False

    def __init__(self, server: Server, rehearsal_id: str, work: WorkDirectory, *, jobs: int, niceness: Sequence[str] = ()) -> None:
        super().__init__(server, rehearsal_id, work, jobs=jobs, niceness=niceness)
        self._digest = hashlib.sha256()
        self._moved = 0
        self._failure: Optional[str] = None
        self._archive: Optional[tarfile.TarFile] = None
        self._target: Optional[IO[bytes]] = None

    def start(self, options: List[str]) -> None:
        # Buffered: an unbuffered file may write a part only, when the reader goes away meanwhile, and tarfile would not notice.
        self._target = os.fdopen(self._open(), "wb")
        self._archive = tarfile.open(fileobj=self._target, mode="w|", bufsize=_CHUNK)
        reading, writing = os.pipe()
        with os.fdopen(writing, "wb") as output:
            self._tool = Tool(self._dump("--format=custom", *options), self.work, stdout=output)
        self._relay = threading.Thread(target=self._carry, args=(os.fdopen(reading, "rb", buffering=0),), daemon=True)
        self._relay.start()

    def _open(self) -> int:
        return os.open(self._place(), os.O_WRONLY | os.O_CREAT | os.O_EXCL, files.PRIVATE_FILE)

    def _place(self) -> str:
        return self.work.file(f"{ARCHIVE}.partial")

    def _done(self) -> None:
        os.replace(self._place(), self.work.file(ARCHIVE))

    def _carry(self, source: IO[bytes]) -> None:
        if self._archive is None:
            raise AssertionError("it was opened")
        with source:
            try:
                while True:
                    piece = _read_piece(source)
                    if not piece:
                        return
                    self._digest.update(piece)
                    self._moved += len(piece)
                    _add(self._archive, DUMP, piece)
            except OSError as error:
                # pg_dump ends by itself when nobody reads any more.
                self._failure = "the connection broke" if error.errno == errno.EPIPE else str(error.strerror)

    def wait(self, deadline_s: float) -> None:
        try:
            super().wait(deadline_s)
        except ToolFailed:
            self._relay.join(deadline_s)
            self._abandon()
            if self._failure:
                raise self._not_handed_on() from None
            raise
        self._relay.join(deadline_s)
        if self._failure:
            self._abandon()
            raise self._not_handed_on()

    def _not_handed_on(self) -> ToolFailed:
        return ToolFailed(f"the dump could not be written to {self._place()}: {self._failure}")

    def stop(self) -> None:
        super().stop()
        self._abandon()

    def _abandon(self) -> None:
        for stream in (self._archive, self._target):
            with contextlib.suppress(OSError, ValueError):
                if stream is not None:
                    stream.close()

    def bytes_so_far(self) -> int:
        return self._moved

    def files(self) -> Dict[str, Dict[str, Any]]:
        """Size and SHA-256 of the dump."""
        return {DUMP: {"bytes": self._moved, "sha256": self._digest.hexdigest()}}

    def finish(self, manifest: str, content: bytes) -> None:
        """The manifest goes last; then whoever reads sees the end."""
        if self._archive is None or self._target is None:
            raise AssertionError("it was opened")
        try:
            _add(self._archive, manifest, content)
            self._archive.close()
            self._target.close()
        except OSError as error:
            self._abandon()
            how = "the connection broke" if error.errno == errno.EPIPE else str(error.strerror)
            self._failure = how
            raise self._not_handed_on() from None
        self._done()


class Pipe(StandardOutput):
    """The same through a named pipe in the work directory: whoever reads it has the only copy."""

    def _open(self) -> int:
        return open_pipe(self.work)

    def _place(self) -> str:
        return self.work.file(PIPE)

    def _done(self) -> None:
        os.unlink(self._place())

    def _not_handed_on(self) -> ToolFailed:
        return ToolFailed(f"the dump could not be handed on, {self._failure}: what was not written to any file has to be dumped again")


def choose(server: Server, rehearsal_id: str, work: WorkDirectory, *, jobs: int, through_pipe: bool, niceness: Sequence[str] = ()) -> Outlet:
    """The outlet that fits: `through_pipe` where nothing may be written on this host."""
    kind = Pipe if through_pipe else Directory if not server.prefix else Inside if server.scratch else StandardOutput
    return kind(server, rehearsal_id, work, jobs=jobs, niceness=niceness)


def open_pipe(work: WorkDirectory) -> int:
    """Make the named pipe of a work directory, and wait until somebody comes to read it; its descriptor. Raises ToolFailed."""
    path = work.file(PIPE)
    os.mkfifo(path, files.PRIVATE_FILE)
    deadline = time.monotonic() + _READER_WAIT_S
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > deadline:
                raise ToolFailed(f"nobody came to read {path} within {_READER_WAIT_S:g} s") from None
            time.sleep(0.05)
            continue
        os.set_blocking(descriptor, True)
        return descriptor


def _read_piece(source: IO[bytes]) -> bytes:
    pieces: List[bytes] = []
    size = 0
    while size < _CHUNK:
        piece = source.read(_CHUNK - size)
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), files.PRIVATE_FILE
    archive.addfile(member, io.BytesIO(content))


def _write(source: IO[bytes], target: str) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, files.PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as output:
        for chunk in iter(lambda: source.read(_CHUNK), b""):
            output.write(chunk)
