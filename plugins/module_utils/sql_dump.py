# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain SQL as pg_dump writes it: looked through before it runs, so that it can reach nothing but the copy.

psql obeys what a file says: a dump made with --create connects to another database, and a backslash outside quotes can start a program. So every
command of psql is refused, and every statement that is about the whole server; the rest runs in one transaction on the copy.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
from typing import IO, Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import role_statements, sql_lexer
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup_file import BackupFileError
from ansible_collections.migrations.rehearsal.plugins.module_utils.role_statements import Roles
from ansible_collections.migrations.rehearsal.plugins.module_utils.sql_lexer import Chunk

# pg_dump's own guard against commands of psql, in its minor releases since August 2025. It is left out: here every command is refused.
_GUARD = re.compile(rb"\\(un)?restrict [A-Za-z0-9]+\s*")
_IDENTIFIER = role_statements.IDENTIFIER
_DATABASE = re.compile(rb"(CREATE|DROP|ALTER|COMMENT\s+ON)\s+DATABASE\b", re.IGNORECASE)
_COPY = re.compile(rb"COPY\b", re.IGNORECASE)
_OF_THE_SERVER = re.compile(
    rb"(?:CREATE|DROP|ALTER|COMMENT\s+ON)\s+(?:ROLE|USER(?!\s+MAPPING)|GROUP|TABLESPACE)\b|ALTER\s+SYSTEM\b|(?:DROP|REASSIGN)\s+OWNED\b"
    rb"|(?:GRANT|REVOKE)\b(?:(?!\bON\b).)*$",
    re.IGNORECASE | re.DOTALL,
)
_BEGINS, _ENDS = b"-- PostgreSQL database dump\n", b"-- PostgreSQL database dump complete\n"
# What pg_dump --create says of the database itself; only read, never run.
_CREATE = re.compile(rb"^CREATE DATABASE .* WITH TEMPLATE = template0 (.*);\s*$")
_OPTION = re.compile(rb"(\w+) = (?:'((?:[^']|'')*)'|(\w+))")
_SETTING = re.compile(rb"^ALTER (?:DATABASE |ROLE " + _IDENTIFIER + rb" IN DATABASE ).* SET (\S+) TO (.*);\s*$")
_EXTENSION = re.compile(rb"^CREATE EXTENSION (?:IF NOT EXISTS )?" + _IDENTIFIER)
_VERSION = re.compile(rb"^-- Dumped from database version (\d+)")
# Tablespaces are of the server: dev need not have any of that name.
_TABLESPACE = re.compile(rb"SET default_tablespace = ")
# The first minor release of each major version whose psql knows \restrict.
_RESTRICTS = {13: 22, 14: 19, 15: 14, 16: 10, 17: 6}


@dataclasses.dataclass
class Scan:
    """What a dump needs: roles that own or may use its objects, extensions; and as far as it says, what the database was like that it came from.

    `database` has the options of its CREATE DATABASE (`ENCODING`, `LOCALE`, …), `settings` is as in the manifest.
    """

    roles: Set[str] = dataclasses.field(default_factory=set)
    extensions: Set[str] = dataclasses.field(default_factory=set)
    server_major: Optional[int] = None
    database: Dict[str, str] = dataclasses.field(default_factory=dict)
    settings: Dict[str, List[str]] = dataclasses.field(default_factory=dict)

    def look(self, text: bytes) -> None:
        """Take up what one statement or comment says."""
        of_roles = role_statements.read(text)
        if of_roles:
            self.roles |= set(of_roles.roles)
        extension = _EXTENSION.match(text)
        if extension:
            self.extensions.add(role_statements.name_of(extension.group(1)))
        version = _VERSION.match(text)
        if version and self.server_major is None:
            self.server_major = int(version.group(1))
        created = _CREATE.match(text)
        if created:
            for name, quoted, bare in _OPTION.findall(created.group(1)):
                self.database[name.decode()] = (quoted.replace(b"''", b"'") or bare).decode(errors="replace")
        setting = _SETTING.match(text)
        if setting:
            of_role = role_statements.name_of(setting.group(1)) if setting.group(1) else ""
            name = setting.group(2).decode(errors="replace").strip('"')
            self.settings.setdefault(of_role, []).append(f"{name}={_value(setting.group(3).decode(errors='replace'))}")


def _value(text: str) -> str:
    """`'a', 'b'` of a statement as the catalog has it: `"a", "b"`; a single literal is its text."""
    items: List[str] = [item.replace("''", "'") for item in re.findall(r"'((?:[^']|'')*)'", text)]
    if len(items) == 1:
        return items[0]
    return ", ".join('"' + item.replace('"', '""') + '"' for item in items) or text


def scan(stream: IO[bytes], name: str) -> Scan:
    """Look through a dump. Raises BackupFileError for what must not run."""
    found = Scan()
    for chunk in _allowed(sql_lexer.chunks(stream, name), name):
        found.look(chunk.text)
    return found


def read_definitions(stream: IO[bytes]) -> Scan:
    """What pg_restore says of an archive that it lists with --schema-only --create. Nothing of it runs."""
    found = Scan()
    for chunk in sql_lexer.chunks(stream, "the backup"):
        found.look(chunk.text)
    return found


def restricts(version: Sequence[int]) -> bool:
    """Whether psql of that version can be told to refuse every command of its own, whatever it takes for one."""
    return version[0] > max(_RESTRICTS) or version[1] >= _RESTRICTS.get(version[0], 1 << 30)


def pour(stream: IO[bytes], name: str, target: IO[bytes], roles: Roles, restricted: bool) -> List[Dict[str, Any]]:
    """Write what may run to psql, without tablespaces and what names a role that cannot be used; that, counted (`role_statements.Count`).

    `restricted`: psql itself shall refuse its commands too.
    """
    out = role_statements.Count()
    unmade: Set[Tuple[bytes, ...]] = set()
    buffer: List[bytes] = []
    size = 0

    def write(text: bytes) -> None:
        nonlocal size
        buffer.append(text)
        size += len(text)
        if size > 1 << 20:
            target.write(b"".join(buffer))
            buffer.clear()
            size = 0

    if restricted:
        write(f"\\restrict {secrets.token_hex(16)}\n".encode())
    for chunk in _allowed(sql_lexer.chunks(stream, name, write), name):
        statement = role_statements.read(chunk.text)
        fitting = role_statements.fit(chunk.text, statement, roles)
        if statement and statement.kind == role_statements.POLICY and fitting is None:
            unmade.add(role_statements.policy(chunk.text))
        if statement and statement.kind == role_statements.COMMENT and role_statements.policy(chunk.text) in unmade:
            continue
        if statement and fitting != chunk.text:
            out.add(statement, roles)
        if fitting is not None and not _TABLESPACE.match(chunk.text):
            write(fitting)
    target.write(b"".join(buffer))
    return out.told()


def _allowed(chunks: Iterator[Chunk], name: str) -> Iterator[Chunk]:
    """Those that may run; BackupFileError at the first that may not, and at the end of a dump that is not whole."""
    begun, complete = False, False
    for chunk in chunks:
        if chunk.command:
            if _GUARD.fullmatch(chunk.text):
                continue
            raise BackupFileError(
                f"{name}, line {chunk.line}: a command of psql («{chunk.command.decode(errors='replace')}»), which could lead to another database: "
                "make the dump with pg_dump without --create and --clean, or in the custom format"
            )
        for statement in chunk.statements:
            if _DATABASE.match(statement):
                raise BackupFileError(
                    f"{name}, line {chunk.line}: it creates, drops or alters a database: make the dump with pg_dump without --create and --clean, or "
                    "in the custom format"
                )
            if _COPY.match(statement) and not sql_lexer.brings_rows(statement):
                raise BackupFileError(f"{name}, line {chunk.line}: a COPY to or from a file or a program, which pg_dump does not write")
            if _OF_THE_SERVER.match(statement):
                words = " ".join(statement.decode(errors="replace").split()[:2])
                raise BackupFileError(
                    f"{name}, line {chunk.line}: «{words}» is about the whole server, not about the copy: make the dump with pg_dump, and have the "
                    "roles that it needs on dev's server before"
                )
        begun, complete = begun or chunk.text == _BEGINS, complete or chunk.text == _ENDS
        yield chunk
    if begun and not complete:
        raise BackupFileError(f"{name} is cut short: its last line is missing")
