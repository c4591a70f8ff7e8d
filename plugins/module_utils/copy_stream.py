# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of one table on their way from a sender to a receiver: COPY of one psql, in production's own snapshot, into COPY of another."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import threading
import time
from typing import IO, Callable, Dict, List, Optional, Protocol, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import hash_sql
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import CLEAN_UP_NAME, application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.large_tables import Table
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import object_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.pipes import NamedPipe, PipePlace, Receiving, StandardInput, move_all, pipe
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server, Session, quote_literal
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool, ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

# Text means the same on both sides whatever is set for the role or the database; and the rows come in the order in which they lie.
_SETTINGS = {**hash_sql.SETTINGS, "extra_float_digits": "3"}
_SENDING = {"synchronize_seqscans": "off"}
_END_S = 10.0
_PSQL = ("--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password", "--set=ON_ERROR_STOP=1")


class Throttle:
    """Bytes a second that all streams together may move; 0: as fast as it goes."""

    def __init__(self, rate: float) -> None:
        self._rate, self._free_at, self._lock = rate, 0.0, threading.Lock()

    def wait(self, count: int) -> None:
        """Until so many bytes more are within the rate."""
        if self._rate:
            with self._lock:
                now = time.monotonic()
                self._free_at = max(self._free_at, now) + count / self._rate
                delay = self._free_at - now
            time.sleep(delay)


@dataclasses.dataclass(frozen=True)
class End:
    """A database as one end of a stream has it: `name` is what its sessions are called, `settings` are theirs beside those of every stream.

    `niceness`: words that its psql is started behind, where the tools run. `pipes`: where its server reads named pipes of ours; None if it cannot.
    """

    server: Server
    database: str
    name: str
    encoding: str
    settings: Dict[str, str] = dataclasses.field(default_factory=dict)
    niceness: Tuple[str, ...] = ()
    pipes: Optional[PipePlace] = None

    def psql(self, *words: str, **settings: str) -> List[str]:
        """The argv of a psql that reads and writes rows as they are."""
        together = {**_SETTINGS, "client_encoding": self.encoding, **settings, **self.settings}
        conninfo = self.server.conninfo(self.database, self.name, together)
        return self.server.tool("psql", *_PSQL, f"--dbname={conninfo}", *words, behind=self.niceness)

    def describe(self) -> str:
        """For errors."""
        return self.server.describe(self.database)

    def end(self, copying: str) -> None:
        """End the sessions of ours whose statement begins so, where ending the client ends nothing.

        Behind a prefix psql goes on then: on production it reads what nobody takes any more, and on the copy it would take this for the end of the
        rows, and commit those that are there.
        """
        if not self.server.prefix:
            return
        # What the server does not end now, clean-up does, and tells.
        with contextlib.suppress(PostgresError), Session(self.server, self.database, CLEAN_UP_NAME, deadline_s=_END_S) as session:
            session.rows(
                "SELECT pg_catalog.pg_terminate_backend(pid) AS ended FROM pg_catalog.pg_stat_activity WHERE datname = current_database() "
                f"AND application_name = {quote_literal(self.name)} AND pg_catalog.left(query, {len(copying)}) = {quote_literal(copying)}"
            )


def copy_end(server: Server, database: str, rehearsal_id: str, encoding: str, pipes: Optional[PipePlace] = None) -> End:
    """A copy, to which rows come in that encoding."""
    return End(server, database, application_name(rehearsal_id), encoding, {"synchronous_commit": "off"}, pipes=pipes)


class Sending(Protocol):
    """The rows of one table that are being sent."""

    def carry(self, into: Callable[[], IO[bytes]], moved: Callable[[int], None]) -> None:
        """All of them to what `into` opens, telling how many bytes have gone on. Raises OSError where nobody takes them, or not any more."""

    def wait(self, deadline_s: float) -> None:
        """Until all was sent. Raises ToolFailed."""

    def stop(self) -> None:
        """End it, whatever it does."""


class Sender(Protocol):
    """Where the rows of one table come from."""

    def describe(self) -> str:
        """For errors."""

    def start(self, work: WorkDirectory) -> Sending:
        """Begin to send them."""


class Receiver(Protocol):
    """Where the rows of one table go to. It takes no more than it was given when nothing more comes."""

    def describe(self) -> str:
        """For errors."""

    def start(self, work: WorkDirectory) -> Receiving:
        """A program that takes them."""

    def end(self) -> None:
        """What the program leaves at work when it is killed."""


class Stream:
    """The rows of one table on their way. They have arrived (on a copy: they are committed) only if all of them were sent."""

    def __init__(self, table: Table, sender: Sender, receiver: Receiver, work: WorkDirectory, throttle: Throttle) -> None:
        self._table, self._sender, self._receiver, self._throttle = table, sender, receiver, throttle
        self.moved = 0
        self._broken, self._carried = False, False
        self._receiving = receiver.start(work)
        try:
            self._sending = sender.start(work)
        except BaseException:
            self._receiver.end()
            self._receiving.tool.stop()
            self._receiving.close()
            raise
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def _carry(self) -> None:
        try:
            self._sending.carry(self._receiving.into, self._moved_on)
            self._carried = True
        except OSError:
            self._broken = True

    def _moved_on(self, count: int) -> None:
        self.moved += count
        self._throttle.wait(count)

    def wait(self, deadline_s: float) -> None:
        """Until all of it has arrived. Raises ToolFailed."""
        deadline = time.monotonic() + deadline_s

        def left() -> float:
            return max(deadline - time.monotonic(), 1.0)

        try:
            try:
                self._sending.wait(deadline_s)
            except ToolFailed as error:
                self._thread.join(_END_S)
                if not self._broken:
                    raise self._failed(self._sender.describe(), error) from None
            self._thread.join(left())
            if self._carried:
                self._receiving.close()
            try:
                # Otherwise it must not take this for the end; it says why, if it has ended by itself.
                self._receiving.tool.wait(left() if self._carried else _END_S)
            except ToolFailed as error:
                raise self._failed(self._receiver.describe(), error) from None
            if not self._carried:
                raise self._failed(self._receiver.describe(), ToolFailed("its rows did not arrive"))
        except BaseException:
            self.stop()
            raise

    def _failed(self, where: str, why: ToolFailed) -> ToolFailed:
        table = object_name(self._table.schema, self._table.name)
        return ToolFailed(f"{where}: table {table} could not be copied: {why}", why.exit_code)

    def stop(self) -> None:
        """End both sides, whatever they do; what has arrived on a copy is rolled back."""
        self._receiver.end()
        self._receiving.tool.stop()
        self._sending.stop()
        self._thread.join()
        self._receiving.close()


# -- A server as either end -------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class FromServer:
    """A table of production's, in the snapshot that is copied; its COPY is `binary` or text. `pages`: a part of it only, from the first up to
    the last without that; None: to its end.
    """

    table: Table
    source: End
    snapshot: str
    binary: bool
    pages: Optional[Tuple[int, Optional[int]]] = None

    def describe(self) -> str:
        """For errors."""
        return self.source.describe()

    def start(self, work: WorkDirectory) -> _FromPsql:
        """Of a psql."""
        # A lock that is waited for fails by its SQLSTATE alone, in whatever language the server speaks.
        script = (
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n"
            f"SET TRANSACTION SNAPSHOT {quote_literal(self.snapshot)};\n"
            f"\\set VERBOSITY sqlstate\nLOCK TABLE ONLY {self.table.sql} IN ACCESS SHARE MODE;\n\\set VERBOSITY terse\n"
            f"{self._begin()}{self._rows()} TO STDOUT WITH ({_form(self.binary)});\nCOMMIT;\n"
        )
        leaving, sent = pipe()
        with sent, tempfile.TemporaryFile() as said:
            said.write(script.encode())
            said.seek(0)
            try:
                tool = Tool(self.source.psql(**_SENDING), work, stdin=said, stdout=sent)
            except BaseException:
                leaving.close()
                raise
        return _FromPsql(tool, leaving, lambda: self.source.end(self._begin()))

    def _begin(self) -> str:
        """By which its statement is known on the server."""
        return f"COPY {self.table.sql} (" if self.pages is None else f"COPY /* {self.table.oid} from page {self.pages[0]} */ ("

    def _rows(self) -> str:
        if self.pages is None:
            return f"{self.table.listed})"
        first, end = self.pages
        until = "" if end is None else f" AND ctid < '({end},0)'"
        return f"SELECT {self.table.listed} FROM ONLY {self.table.sql} WHERE ctid >= '({first},0)'{until})"


class _FromPsql:
    def __init__(self, tool: Tool, leaving: IO[bytes], end: Callable[[], None]) -> None:
        self._tool, self._leaving, self._end = tool, leaving, end

    def carry(self, into: Callable[[], IO[bytes]], moved: Callable[[int], None]) -> None:
        # psql ends by itself when nobody reads any more.
        with self._leaving:
            move_all(self._leaving, into(), moved)

    def wait(self, deadline_s: float) -> None:
        self._tool.wait(deadline_s)

    def stop(self) -> None:
        self._end()
        self._tool.stop()


@dataclasses.dataclass(frozen=True)
class ToServer:
    """An empty table of the copy's."""

    table: Table
    target: End
    binary: bool

    def describe(self) -> str:
        """For errors."""
        return self.target.describe()

    def start(self, work: WorkDirectory) -> Receiving:
        """psql, in one transaction. Ended before it has seen the end of the rows it commits none of them, whatever its server has read."""
        path = self.target.pipes.make(f"{self.table.oid}.rows") if self.target.pipes else ""
        if not path:
            return StandardInput(lambda stdin: Tool(self._psql("STDIN"), work, stdin=stdin))
        return NamedPipe(path, lambda: Tool(self._psql(quote_literal(path)), work))

    def _psql(self, source: str) -> List[str]:
        # Of a table that the transaction has emptied nothing needs to be logged, and its rows need no second writing when they are first read.
        copy = f"{self._begin()}{self.table.listed}) FROM {source} WITH ({_form(self.binary)}, FREEZE)"
        commands = ("\\set VERBOSITY terse", "BEGIN", f"TRUNCATE ONLY {self.table.sql}", copy, "COMMIT")
        return self.target.psql(*(f"--command={command}" for command in commands))

    def end(self) -> None:
        """Its session, where ending psql does not."""
        self.target.end(self._begin())

    def _begin(self) -> str:
        return f"COPY {self.table.sql} ("


def _form(binary: bool) -> str:
    return "FORMAT binary" if binary else "FORMAT text"
