# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reach a PostgreSQL server through its own tools, whatever stands in front of them.

Everything goes through `psql`: a host (or a container) that runs PostgreSQL has it, so production needs nothing installed.
A `Session` is one `psql` process that stays open, which is what an exported snapshot needs. All rows come back as JSON.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import secrets
import selectors
import subprocess
import tempfile
import time
from typing import Any, Dict, Iterator, List, Mapping, NoReturn, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import ending
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.masking import mask_secrets, mask_values

Row = Dict[str, Any]

CONNECT_TIMEOUT_S = 10


class PostgresError(RehearsalError):
    """A server refused something, or could not be reached. `sqlstate` is None when no server answered."""

    def __init__(self, message: str, sqlstate: Optional[str] = None) -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate


@dataclasses.dataclass(frozen=True)
class Server:
    """Where a PostgreSQL server is, and how its tools are started there.

    `prefix` is an argv prefix such as ("docker", "compose", "exec", "-T", "postgres"); `host` may be a socket directory.
    Empty values are left to libpq's defaults. `passfile` is a path where the tools run (inside the container, with a prefix).
    """

    prefix: Tuple[str, ...] = ()
    bin_dir: str = ""
    host: str = ""
    port: Optional[int] = None
    user: str = ""
    passfile: str = ""
    maintenance_database: str = "postgres"
    # A directory where the tools run that dumps may be put into; empty: nothing is written there but a password file for the moment.
    scratch: str = ""

    def tool(self, name: str, *args: str, behind: Sequence[str] = ()) -> List[str]:
        """The argv of one of PostgreSQL's client programs. `behind`: words that start it where it is, such as `nice`."""
        return [*self.prefix, *behind, os.path.join(self.bin_dir, name), *args]

    def conninfo(self, database: str, application_name: str, settings: Optional[Mapping[str, str]] = None) -> str:
        """A libpq connection string; it passes through every prefix, as environment variables would not."""
        values = {
            "host": self.host,
            "port": str(self.port) if self.port else "",
            "user": self.user,
            "dbname": database,
            "passfile": self.passfile,
            "application_name": application_name,
            "connect_timeout": str(CONNECT_TIMEOUT_S),
            "options": " ".join(f"-c {name}={_escape_option(value)}" for name, value in (settings or {}).items()),
        }
        return " ".join(f"{key}={_quote_conninfo(value)}" for key, value in values.items() if value)

    def describe(self, database: str) -> str:
        """The address as a person writes it, for messages."""
        where = self.host or "local socket"
        if self.port:
            where = f"{where}:{self.port}"
        through = f" through «{' '.join(self.prefix)}»" if self.prefix else ""
        return f"database {database} on {where}{through}"


READ_ONLY = {"default_transaction_read_only": "on"}


def tool_environment() -> Dict[str, str]:
    """The environment for PostgreSQL's tools: nothing set on the host may lead them elsewhere."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    env["LC_ALL"] = "C"
    return env


def _quote_conninfo(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _escape_option(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def quote_identifier(name: str) -> str:
    """An SQL identifier, always quoted."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(value: str) -> str:
    """An SQL string literal; NUL cannot be part of one."""
    if "\0" in value:
        raise ValueError("a PostgreSQL string cannot contain NUL")
    if "\\" in value:
        return " E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
    return "'" + value.replace("'", "''") + "'"


class Session:
    """One open connection: a `psql` process that is fed statements and answers in JSON.

    Use as a context manager. `deadline_s` bounds every single call. Errors are `PostgresError` with the SQLSTATE and the
    primary message with its literals masked: DETAIL lines, which carry row values, are never read.
    """

    def __init__(
        self,
        server: Server,
        database: str,
        application_name: str,
        settings: Optional[Mapping[str, str]] = None,
        deadline_s: float = 3600.0,
    ) -> None:
        self.server = server
        self.database = database
        self.deadline_s = deadline_s
        self._address = server.describe(database)
        argv = server.tool(
            "psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password",
            "--dbname", server.conninfo(database, application_name, settings),
        )  # fmt: skip
        # A file, not a pipe: whatever psql says beside its answers can never block it. It is read when psql has ended early.
        self._stderr = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, env=tool_environment())
        except OSError as error:
            self._stderr.close()
            raise PostgresError(f"cannot start «{argv[0]}»: {error.strerror}") from None
        self._buffer = b""
        try:
            self._send("\\set VERBOSITY terse\n\\set ON_ERROR_ROLLBACK off\n")
            self.execute("SET client_min_messages = error")
            self.execute("SET client_encoding = 'UTF8'")
        except PostgresError:
            self.close()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session; what was not committed is rolled back by the server."""
        process = self._process
        if process.stdin and not process.stdin.closed:
            try:
                process.stdin.close()
            except OSError:
                pass
        try:
            ending.wait(process, 5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is None:
            raise AssertionError("it was started with a pipe")
        process.stdout.close()
        self._stderr.close()

    def execute(self, sql: str) -> List[str]:
        """Run one statement; its output lines, if any, as text."""
        nonce = secrets.token_hex(8)
        self._send(f"{sql}\n;\n\\echo {nonce} :ERROR :SQLSTATE\n\\echo :LAST_ERROR_MESSAGE\n\\echo {nonce}\n")
        lines: List[str] = []
        marker = f"{nonce} "
        deadline = time.monotonic() + self.deadline_s
        while True:
            line = self._read_line(deadline)
            if line.startswith(marker):
                break
            lines.append(line)
        _nonce, error, sqlstate = line.split(" ", 2)
        message: List[str] = []
        while True:
            line = self._read_line(deadline)
            if line == nonce:
                break
            message.append(line)
        if error == "true":
            raise PostgresError(f"{self._address}: {mask_values(' '.join(message))} (SQLSTATE {sqlstate})", sqlstate)
        return lines

    def rows(self, query: str) -> List[Row]:
        """The rows of a SELECT (or VALUES, WITH …), each as a dict of JSON values."""
        return list(self.iterate(query))

    def iterate(self, query: str) -> Iterator[Row]:
        """As `rows`, decoded one at a time."""
        for line in self.execute(f"SELECT to_jsonb(q)::text FROM (\n{query}\n) AS q"):
            yield json.loads(line)

    def row(self, query: str) -> Row:
        """The only row of a query."""
        rows = self.rows(query)
        if len(rows) != 1:
            raise PostgresError(f"{self._address}: expected one row, got {len(rows)}")
        return rows[0]

    def value(self, query: str) -> Any:
        """The only column of the only row of a query."""
        (result,) = self.row(query).values()
        return result

    def _send(self, text: str) -> None:
        if self._process.stdin is None:
            raise AssertionError("it was started with a pipe")
        try:
            self._process.stdin.write(text.encode())
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            self._raise_ended()

    def _read_line(self, deadline: float) -> str:
        while b"\n" not in self._buffer:
            self._read_more(deadline)
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode()

    def _read_more(self, deadline: float) -> None:
        if self._process.stdout is None:
            raise AssertionError("it was started with a pipe")
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(timeout=max(deadline - time.monotonic(), 0)):
                self._process.kill()
                raise PostgresError(f"{self._address}: no answer within {self.deadline_s:g} s")
        chunk = os.read(self._process.stdout.fileno(), 1 << 20)
        if not chunk:
            self._raise_ended()
        self._buffer += chunk

    def _raise_ended(self) -> NoReturn:
        self._process.wait()
        self._stderr.seek(0)
        lines = self._stderr.read(8192).decode(errors="replace").splitlines()
        # Behind sudo, psql complains about the home directory that it is started in, and goes on.
        said = mask_secrets(" ".join(" ".join(line for line in lines if not line.startswith("could not change directory")).split()))
        raise PostgresError(f"{self._address}: {said or 'psql ended without a word'}")


@contextlib.contextmanager
def locks_let_go(session: Session) -> Iterator[None]:
    """Within a transaction: what is read here keeps its locks until the end of this alone. A table has one for each of its indexes too, and a
    server has room for some thousand in all."""
    session.execute("SAVEPOINT locks")
    try:
        yield
    finally:
        # A session that has ended has nothing to go back to, and must not hide the first error.
        with contextlib.suppress(PostgresError):
            session.execute("ROLLBACK TO SAVEPOINT locks")
            session.execute("RELEASE SAVEPOINT locks")


def tool_version(server: Server, name: str, timeout_s: float = 30.0) -> Sequence[int]:
    """Version of a client program, as (major, minor)."""
    argv = server.tool(name, "--version")
    try:
        done = subprocess.run(argv, capture_output=True, timeout=timeout_s, env=tool_environment(), check=False)
    except OSError as error:
        raise PostgresError(f"cannot start «{' '.join(argv)}»: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise PostgresError(f"«{' '.join(argv)}» did not answer within {timeout_s:g} s") from None
    if done.returncode != 0:
        raise PostgresError(f"«{' '.join(argv)}» ended with exit code {done.returncode}")
    # "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "psql (PostgreSQL) 19devel"
    found = re.search(rb"\(PostgreSQL\) (\d+)(?:\.(\d+))?", done.stdout)
    if found is None:
        raise PostgresError(f"«{' '.join(argv)}» does not tell its version")
    return int(found[1]), int(found[2] or 0)
