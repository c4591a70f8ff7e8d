# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of one table straight from server to server: COPY of one psql into COPY of another, in production's own snapshot."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
import threading
import time
from typing import IO, Any, Callable, Dict, List, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import hash_sql
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import CLEAN_UP_NAME
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import object_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import (
    PostgresError,
    Row,
    Server,
    Session,
    quote_identifier,
    quote_literal,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool, ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

# What is below the first goes with the dump: starting two programs costs more. And no more than the second, one argument of pg_dump each.
LEAST_BYTES, MOST_TABLES = 4 << 20, 1000
# What the dump of all the rest may need in a file.
ROOM_FOR_REST = 64 << 20
_CHUNK = 1 << 20
# Built-in types whose binary form is their value and nothing else. That of an object identifier type or of a composite one names rows of
# production's catalogs, which the copy has under other numbers; of a type of an extension nobody knows.
_PLAIN_TYPES = (
    "bool", "int2", "int4", "int8", "oid", "float4", "float8", "numeric", "money", "text", "varchar", "bpchar", "char", "name", "bytea",
    "date", "time", "timetz", "timestamp", "timestamptz", "interval", "uuid", "json", "jsonb", "inet", "cidr", "macaddr", "macaddr8",
    "bit", "varbit", "point", "lseg", "path", "box", "polygon", "line", "circle", "tsvector",
    "int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange",
)  # fmt: skip
# Text means the same on both sides whatever is set for the role or the database; and the rows come in the order in which they lie.
_SETTINGS = {**hash_sql.SETTINGS, "extra_float_digits": "3"}
_SENDING = {"synchronize_seqscans": "off"}
_END_S = 30.0
_PSQL = ("--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password", "--set=ON_ERROR_STOP=1")

# An ordinary table that pg_dump would carry, the largest first. to_jsonb(a) reads a column that only some versions have.
_TABLES = """
SELECT q.* FROM (
    SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, pg_catalog.pg_table_size(c.oid) AS bytes,
           ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                 AND coalesce(to_jsonb(a) ->> 'attgenerated', '') = '' ORDER BY a.attnum) AS columns,
           NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                       LEFT JOIN pg_catalog.pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
                       LEFT JOIN pg_catalog.pg_type e ON e.oid = coalesce(b.typelem, t.typelem) AND coalesce(b.typcategory, t.typcategory) = 'A'
                       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND coalesce(b.typtype, t.typtype) <> 'e'
                       AND NOT (coalesce(e.typname, b.typname, t.typname)::text = ANY ({plain})
                                AND coalesce(e.typnamespace, b.typnamespace, t.typnamespace) = 'pg_catalog'::regnamespace)) AS plain,
           ARRAY(SELECT i.indexrelid::bigint FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid) AS indexes,
           ARRAY(SELECT k.oid::bigint FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')) AS constraints
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT n.nspname::text = ANY ({without})
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')) AS q
WHERE q.bytes >= {least} AND cardinality(q.columns) > 0
ORDER BY q.bytes DESC, q.oid LIMIT {most}"""


@dataclasses.dataclass(frozen=True)
class Table:
    """One on production. `plain`: all its values have the same binary form on every server of the same version. Numbers are production's."""

    oid: int
    schema: str
    name: str
    bytes: int
    columns: Tuple[str, ...]
    plain: bool
    indexes: Tuple[int, ...]
    constraints: Tuple[int, ...]

    @property
    def sql(self) -> str:
        """Its name in a statement, and in pg_dump's patterns, where quotes make everything literal too."""
        return f"{quote_identifier(self.schema)}.{quote_identifier(self.name)}"

    @property
    def listed(self) -> str:
        """The columns that hold values of their own."""
        return ", ".join(map(quote_identifier, self.columns))


def large_tables(session: Session, without_schemas: Sequence[str]) -> List[Table]:
    """Those whose rows are worth a stream of their own, the largest first; `session` is in the snapshot that is copied."""
    query = _TABLES.format(plain=_array(_PLAIN_TYPES), without=_array(without_schemas), least=LEAST_BYTES, most=MOST_TABLES)
    return [_table(row) for row in session.rows(query)]


def _table(row: Row) -> Table:
    columns, indexes, constraints = (tuple(row[name]) for name in ("columns", "indexes", "constraints"))
    return Table(row["oid"], row["schema"], row["name"], row["bytes"], columns, row["plain"], indexes, constraints)


def _array(words: Sequence[str]) -> str:
    return f"ARRAY[{', '.join(map(quote_literal, words))}]::text[]"


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
    """A database as one end of a stream has it: `name` is what its sessions are called, `settings` are theirs beside those of every stream."""

    server: Server
    database: str
    name: str
    encoding: str
    settings: Dict[str, str] = dataclasses.field(default_factory=dict)

    def psql(self, *words: str, **settings: str) -> List[str]:
        """The argv of a psql that reads and writes rows as they are."""
        together = {**_SETTINGS, "client_encoding": self.encoding, **settings, **self.settings}
        return self.server.tool("psql", *_PSQL, f"--dbname={self.server.conninfo(self.database, self.name, together)}", *words)

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


class Stream:
    """One table on its way. Nothing of it is committed on the copy before all of it has left production."""

    def __init__(self, table: Table, source: End, target: End, snapshot: str, binary: bool, work: WorkDirectory, throttle: Throttle) -> None:
        self._table, self._source, self._target, self._throttle = table, source, target, throttle
        self.moved = 0
        self._broken = False
        form = "FORMAT binary" if binary else "FORMAT text"
        # A lock that is waited for fails by its SQLSTATE alone, in whatever language the server speaks.
        script = (
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n"
            f"SET TRANSACTION SNAPSHOT {quote_literal(snapshot)};\n"
            f"\\set VERBOSITY sqlstate\nLOCK TABLE ONLY {table.sql} IN ACCESS SHARE MODE;\n\\set VERBOSITY terse\n"
            f"COPY {table.sql} ({table.listed}) TO STDOUT WITH ({form});\nCOMMIT;\n"
        )
        # Of a table that the transaction has emptied nothing needs to be logged, and its rows need no second writing when they are first read.
        copy = f"COPY {table.sql} ({table.listed}) FROM STDIN WITH ({form}, FREEZE)"
        commands = ("\\set VERBOSITY terse", "BEGIN", f"TRUNCATE ONLY {table.sql}", copy, "COMMIT")
        leaving, sent = _pipe()
        received, arriving = _pipe()
        self._from, self._into = leaving, arriving
        with sent, received, tempfile.TemporaryFile() as said:
            said.write(script.encode())
            said.seek(0)
            self._receiving = Tool(target.psql(*(f"--command={command}" for command in commands)), work, stdin=received)
            try:
                self._sending = Tool(source.psql(**_SENDING), work, stdin=said, stdout=sent)
            except BaseException:
                self._receiving.stop()
                raise
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def _carry(self) -> None:
        move: Callable[[int, int], int] = _splice if hasattr(os, "splice") else _read_and_write
        try:
            while True:
                count = move(self._from.fileno(), self._into.fileno())
                if not count:
                    return
                self.moved += count
                self._throttle.wait(count)
        except OSError:
            self._broken = True
        finally:
            # The sender ends by itself when nobody reads any more.
            self._from.close()

    def wait(self, deadline_s: float) -> None:
        """Until all of it is on the copy. Raises ToolFailed."""
        deadline = time.monotonic() + deadline_s
        try:
            try:
                self._sending.wait(deadline_s)
                self._thread.join()
            except ToolFailed as error:
                self._thread.join()
                if not self._broken:
                    raise self._failed(self._source, error) from None
            self._close()
            try:
                self._receiving.wait(max(deadline - time.monotonic(), 1.0))
            except ToolFailed as error:
                raise self._failed(self._target, error) from None
            if self._broken:
                raise self._failed(self._target, ToolFailed("its rows did not arrive"))
        except BaseException:
            self.stop()
            raise

    def _failed(self, end: End, why: ToolFailed) -> ToolFailed:
        table = object_name(self._table.schema, self._table.name)
        return ToolFailed(f"{end.server.describe(end.database)}: table {table} could not be copied: {why}", why.exit_code)

    def stop(self) -> None:
        """End both sides, whatever they do; what has arrived is rolled back."""
        for end in (self._target, self._source):
            end.end(f"COPY {self._table.sql} (")
        self._receiving.stop()
        self._sending.stop()
        self._thread.join()
        self._close()

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            self._into.close()


def _pipe() -> Tuple[IO[bytes], IO[bytes]]:
    reading, writing = os.pipe()
    return os.fdopen(reading, "rb", buffering=0), os.fdopen(writing, "wb", buffering=0)


def _splice(source: int, target: int) -> int:
    """Within the kernel, from pipe to pipe."""
    splice: Any = os.splice  # type: ignore[attr-defined,unused-ignore]
    return int(splice(source, target, _CHUNK))


def _read_and_write(source: int, target: int) -> int:
    chunk = os.read(source, _CHUNK)
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(target, rest) :]
    return len(chunk)
