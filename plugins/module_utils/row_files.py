# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of large tables in files of their own, beside the dump: each written by COPY, and compressed by a program that both sides have.

So a dump that is carried is made and restored as one that dev pulls: several tables at once, whatever leads to production's tools, in binary form
where the copy's server is of production's version, and indexed while others are on their way. pg_restore gets the rest. A very large table is
read in parts, which become one COPY again.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import os
import shutil
import threading
from concurrent.futures import Future
from typing import IO, Any, Callable, Collection, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import files
from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_stream import (
    End,
    FromServer,
    Stream,
    Throttle,
    ToServer,
    copy_end,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.dump_outlets import DUMP
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.filling import Filling, Target
from ansible_collections.migrations.rehearsal.plugins.module_utils.large_tables import Table
from ansible_collections.migrations.rehearsal.plugins.module_utils.parted_dump import Parted
from ansible_collections.migrations.rehearsal.plugins.module_utils.pipes import StandardInput, move, pipe
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool, ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.together import Together
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

ROWS = "rows"
# In order of preference, and what they write with: zstd makes a file that is no larger than gzip's in a quarter of the time, and reads it in a sixth.
_PROGRAMS: Dict[str, Sequence[str]] = {"zstd": ("-1", "-q", "-c"), "gzip": ("-1", "-c")}
_END_S = 10.0
_ENDINGS = {"zstd": "zst", "gzip": "gz"}
# Of a table, with what is stored out of line. Older servers read all of it for each part.
_PART_BYTES, _MOST_PARTS, _PARTS_SINCE = 128 << 20, 64, 140000
# What COPY BINARY writes before the first row and behind the last (PostgreSQL's manual, COPY, «Binary Format»).
_HEADER, _TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"


@dataclasses.dataclass(frozen=True)
class Form:
    """How rows are written. `major`: the version of the copy's server, 0 where nobody knows it; only the same one surely reads their binary form."""

    program: str
    major: int = 0


def programs() -> List[str]:
    """Those that this host has."""
    return [name for name in _PROGRAMS if shutil.which(name)]


def choose(written: Sequence[str], read: Sequence[str]) -> str:
    """The program that both sides have; "" where there is none, and the dump has to be pg_dump's alone."""
    return next((name for name in _PROGRAMS if name in written and name in read), "")


@dataclasses.dataclass(frozen=True)
class RowFile:
    """One of them: its name below the work directory, and how many bytes it holds."""

    name: str
    bytes: int


@dataclasses.dataclass(frozen=True)
class TableRows:
    """A table whose rows are in files, in the order in which they lie on production."""

    table: Table
    program: str
    binary: bool
    files: Tuple[RowFile, ...]

    def to_json(self) -> Dict[str, Any]:
        """As the manifest has it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> TableRows:
        """The reverse."""
        fields: Dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in entry["table"].items()}
        return cls(Table(**fields), entry["program"], entry["binary"], tuple(RowFile(**one) for one in entry["files"]))


# -- On production ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Piece:
    """What goes into one file."""

    name: str
    table: Table
    binary: bool
    pages: Optional[Tuple[int, Optional[int]]]


class RowFiles(Parted):
    """The way out of production. Nothing is written where its tools run, if that is behind a prefix."""

    def __init__(
        self, server: Server, source: str, rehearsal_id: str, work: WorkDirectory, form: Form, *,
        jobs: int, settings: Dict[str, str], niceness: Sequence[str], deadline_s: float,
    ) -> None:  # fmt: skip
        super().__init__(server, source, rehearsal_id, work, jobs=jobs, settings=settings, niceness=niceness)
        self._form = form
        self._together = Together(deadline_s)
        self._threads = concurrent.futures.ThreadPoolExecutor(2)
        self._under_way: List[Future[None]] = []
        self._pieces: List[_Piece] = []
        self._bytes: Dict[str, int] = {}

    @property
    def connections(self) -> int:
        """pg_dump's, and those of the streams; or those of a pg_dump that has it all to do."""
        return super().connections + 1

    @property
    def _piped(self) -> bool:
        """Whether the dump comes through a pipe, from tools that see other files than we do."""
        return bool(self.server.prefix)

    def prepare(self, session: Session, snapshot: str) -> None:
        super().prepare(session, snapshot)
        all_bytes = session.value(_ALL_BYTES)
        if 2 * sum(table.bytes for table in self.tables) < all_bytes:
            # pg_dump has several connections for many small tables; beside the streams it has one.
            self.tables = []
        self._pieces = [
            _Piece(f"{ROWS}/{table.oid}-{number}.{_ENDINGS[self._form.program]}", table, self._binary(table), pages)
            for table in self.tables
            for number, pages in enumerate(parts(table, self.version))
        ]

    def _binary(self, table: Table) -> bool:
        return table.plain and self._form.major == self.version // 10000

    def compressed(self, asked: str) -> str:
        return self._form.program if self.tables else asked

    def start(self, options: List[str]) -> None:
        os.mkdir(self.work.file(ROWS), files.PRIVATE_DIRECTORY)
        self._under_way = [
            self._threads.submit(self._together.guarded, self._together.run, self.dump_rest(options)),
            self._threads.submit(self._together.guarded, self._write_rows),
        ]

    def dump_rest(self, options: List[str]) -> Tool:
        if self.tables or self._piped:
            return super().dump_rest(options)
        return self._dump_in_parallel(self.work.file(DUMP), options)

    def wait(self, deadline_s: float) -> None:
        try:
            for one in self._under_way:
                one.result(deadline_s)
        except concurrent.futures.TimeoutError:
            self.stop()
            raise ToolFailed(f"the dump was stopped: not done within {deadline_s:g} s") from None
        except BaseException as error:
            self.stop()
            raise self._together.first(error) from None

    def stop(self) -> None:
        self._together.halt()
        # What is started after this ends at once.
        concurrent.futures.wait(self._under_way)

    def bytes_so_far(self) -> int:
        return super().bytes_so_far() + sum(_size(self.work.file(piece.name)) for piece in self._pieces)

    def names(self) -> List[str]:
        return [*super().names(), *(piece.name for piece in self._pieces)]

    def about(self) -> Dict[str, Any]:
        rows = [
            TableRows(
                table, self._form.program, self._binary(table),
                tuple(RowFile(piece.name, self._bytes[piece.name]) for piece in self._pieces if piece.table is table),
            )
            for table in self.tables
        ]  # fmt: skip
        return {"row_files": [one.to_json() for one in rows], "dump_piped": self._piped}

    def _write_rows(self) -> None:
        source = self.end()

        def write(piece: _Piece) -> None:
            sender = FromServer(piece.table, source, self.snapshot, piece.binary, piece.pages)
            stream = Stream(piece.table, sender, _ToFile(self.work.file(piece.name), self._form.program), self.work, Throttle(0))
            self._together.run(stream)
            self._bytes[piece.name] = stream.moved

        self._together.each(self._pieces, write, self.jobs)


def parts(table: Table, version: int) -> List[Optional[Tuple[int, Optional[int]]]]:
    """The pages of each part, as `FromServer` takes them. The last one has no end: the table may have grown since its pages were counted."""
    count = min(table.bytes // _PART_BYTES, _MOST_PARTS, table.pages)
    if version < _PARTS_SINCE or count < 2:
        return [None]
    begins = [number * table.pages // count for number in range(count)]
    ends: List[Optional[int]] = [*begins[1:], None]
    return list(zip(begins, ends))


# Of those that the dump has locked: whoever held another one exclusively would have to be waited for.
_ALL_BYTES = """
SELECT coalesce(sum(pg_catalog.pg_table_size(c.oid)), 0)::bigint AS bytes
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"""


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


@dataclasses.dataclass(frozen=True)
class _ToFile:
    path: str
    program: str

    def describe(self) -> str:
        return self.path

    def start(self, work: WorkDirectory) -> StandardInput:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, files.PRIVATE_FILE)
        with os.fdopen(descriptor, "wb") as output:
            return StandardInput(lambda stdin: Tool([self.program, *_PROGRAMS[self.program]], work, stdin=stdin, stdout=output))

    def end(self) -> None:
        """Nothing is left at work when it has ended."""


# -- On dev -----------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _FromFiles:
    rows: TableRows
    place: WorkDirectory
    deadline_s: float

    def describe(self) -> str:
        return self.place.file(ROWS)

    def start(self, work: WorkDirectory) -> _Joined:
        return _Joined(self.rows, work, self.deadline_s)


class _Joined:
    """The files of one table, each decompressed by its program, as one COPY has them."""

    def __init__(self, rows: TableRows, work: WorkDirectory, deadline_s: float) -> None:
        self._rows, self._work, self._deadline_s = rows, work, deadline_s
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._stopped, self._whole = False, False
        self._tool: Optional[Tool] = None
        self._failure: Optional[ToolFailed] = None

    def carry(self, into: Callable[[], IO[bytes]], moved: Callable[[int], None]) -> None:
        try:
            target = into()
            for one in self._rows.files:
                with self._read(one) as (tool, source):
                    self._carry(one, tool, source, target, moved)
                    tool.wait(self._deadline_s)
            self._whole = True
        except ToolFailed as error:
            self._failure = error
        finally:
            self._ended.set()

    @contextlib.contextmanager
    def _read(self, one: RowFile) -> Iterator[Tuple[Tool, IO[bytes]]]:
        leaving, sent = pipe()
        with leaving:
            with sent, self._lock:
                if self._stopped:
                    raise ToolFailed("it was stopped")
                tool = self._tool = Tool([self._rows.program, "-dc", self._work.file(one.name)], self._work, stdout=sent)
            try:
                yield tool, leaving
            except BaseException:
                tool.stop()
                raise

    def _carry(self, one: RowFile, tool: Tool, source: IO[bytes], into: IO[bytes], moved: Callable[[int], None]) -> None:
        left = one.bytes
        is_first, is_last = one is self._rows.files[0], one is self._rows.files[-1]
        if self._rows.binary and not is_first:
            left -= len(_exactly(source, _HEADER, one))
        if self._rows.binary and not is_last:
            left -= len(_TRAILER)
        while left > 0:
            count = move(source, into, left, moved)
            if not count:
                # It says more of it, if it has found the end too early itself.
                tool.wait(_END_S)
                raise ToolFailed(f"{one.name} has fewer bytes than were written to it")
            left -= count
        if self._rows.binary and not is_last:
            _exactly(source, _TRAILER, one)
        _exactly(source, b"", one)

    def wait(self, deadline_s: float) -> None:
        if not self._ended.wait(deadline_s):
            raise ToolFailed(f"its rows were not read within {deadline_s:g} s")
        if not self._whole:
            raise self._failure or ToolFailed("its rows were not read to their end")

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
        if self._tool is not None:
            self._tool.stop()


def _exactly(source: IO[bytes], expected: bytes, one: RowFile) -> bytes:
    """What is expected there, and is left out; nothing: the end."""
    found = b""
    while True:
        piece = source.read(max(len(expected) - len(found), 1))
        found += piece
        if not piece or len(found) > len(expected) or (expected and len(found) == len(expected)):
            break
    if found != expected:
        raise ToolFailed(f"{one.name} is not what COPY writes")
    return found


def restore(
    target: Target, database: str, rehearsal_id: str, work: WorkDirectory, manifest: Mapping[str, Any], *, jobs: int, deadline_s: float
) -> List[Dict[str, Any]]:
    """The dump and the rows of a work directory into the empty copy; what stayed out for its roles, counted (`role_statements.Count`).

    Raises ToolFailed, and RehearsalError where the copy's server is not the one that the files were made for.
    """
    of_table = {rows.table.oid: rows for rows in map(TableRows.from_json, manifest["row_files"])}
    of_production = int(manifest["server_version_num"]) // 10000
    if target.version // 10000 != of_production and any(rows.binary for rows in of_table.values()):
        raise RehearsalError(
            f"{target.server.describe(database)} is PostgreSQL {target.version // 10000}, and the backup was made for a copy in version "
            f"{of_production}: rehearse anew, so that preflight sees which server there is now"
        )
    together = Together(deadline_s)
    # What came through a pipe has no directory of its parts, which several jobs would need.
    small_jobs = 1 if manifest["dump_piped"] else jobs
    filling = Filling(target, database, rehearsal_id, work, together, jobs=jobs, small_jobs=small_jobs, deadline_s=deadline_s)
    into = copy_end(target.server, database, rehearsal_id, manifest["encoding"], target.pipes)

    def open_stream(table: Table) -> Stream:
        return _stream(of_table[table.oid], into, work, deadline_s)

    try:
        filling.define()
        filling.take([rows.table for rows in of_table.values()], open_stream, jobs)
        return filling.finish()
    except BaseException as error:
        raise together.first(error) from None
    finally:
        filling.stop()


def fill(
    server: Server, database: str, rehearsal_id: str, work: WorkDirectory, manifest: Mapping[str, Any], wanted: Collection[Tuple[str, str]],
    deadline_s: float,
) -> None:  # fmt: skip
    """The rows of those tables, by schema and name, whose rows are in files, into a database that has the tables, empty. Raises ToolFailed."""
    into = copy_end(server, database, rehearsal_id, manifest["encoding"])
    for rows in map(TableRows.from_json, manifest.get("row_files") or []):
        if (rows.table.schema, rows.table.name) in wanted:
            _stream(rows, into, work, deadline_s).wait(deadline_s)


def _stream(rows: TableRows, into: End, work: WorkDirectory, deadline_s: float) -> Stream:
    return Stream(rows.table, _FromFiles(rows, work, deadline_s), ToServer(rows.table, into, rows.binary), work, Throttle(0))
