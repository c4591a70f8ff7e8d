# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain SQL as pg_dump writes it: looked through before it runs, so that it can reach nothing but the copy.

psql obeys what a file says: a dump made with --create connects to another database, and a line with a backslash can start a program. So every
command of psql outside the rows is refused, and the rest runs in one transaction on the copy, in which no database can be made or dropped.
"""

from __future__ import annotations

import dataclasses
import re
from typing import IO, Dict, Iterator, List, Optional, Set

from ansible_collections.migrations.rehearsal.plugins.module_utils.backup_file import BackupFileError, lines

_COPY = re.compile(rb"^COPY .* FROM stdin.*;\s*$", re.IGNORECASE)
_END_OF_ROWS = (b"\\.\n", b"\\.\r\n", b"\\.")
# pg_dump's own guard against such commands since August 2025. It is left out: older psql do not know it, and here every command is refused.
_GUARD = re.compile(rb"^\\(un)?restrict\s")
_IDENTIFIER = rb'("(?:[^"]|"")+"|[A-Za-z_\x80-\xff][\w$\x80-\xff]*)'
_DATABASE = re.compile(rb"^(CREATE|DROP|ALTER|COMMENT\s+ON)\s+DATABASE\b", re.IGNORECASE)
_BEGINS, _ENDS = b"-- PostgreSQL database dump\n", b"-- PostgreSQL database dump complete\n"
# What pg_dump --create says of the database itself; only read, never run.
_CREATE = re.compile(rb"^CREATE DATABASE .* WITH TEMPLATE = template0 (.*);\s*$")
_OPTION = re.compile(rb"(\w+) = (?:'((?:[^']|'')*)'|(\w+))")
_SETTING = re.compile(rb"^ALTER (?:DATABASE |ROLE " + _IDENTIFIER + rb" IN DATABASE ).* SET (\S+) TO (.*);\s*$")
_OWNER = re.compile(rb"^ALTER .* OWNER TO " + _IDENTIFIER + rb";\s*$")
_GRANT = re.compile(rb"^(?:GRANT|REVOKE) .* (?:TO|FROM) " + _IDENTIFIER + rb"(?: WITH GRANT OPTION)?;\s*$")
_FOR_ROLE = re.compile(rb"^ALTER DEFAULT PRIVILEGES FOR ROLE " + _IDENTIFIER)
_SESSION = re.compile(rb"^SET SESSION AUTHORIZATION '?" + _IDENTIFIER + rb"'?;\s*$")
_EXTENSION = re.compile(rb"^CREATE EXTENSION (?:IF NOT EXISTS )?" + _IDENTIFIER)
_VERSION = re.compile(rb"^-- Dumped from database version (\d+)")
_NOBODY = {"public", "current_user", "session_user", "current_role"}


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

    def look(self, line: bytes) -> None:
        """Take up what one line outside the rows says."""
        for pattern in (_OWNER, _GRANT, _FOR_ROLE, _SESSION):
            role = pattern.match(line)
            if role:
                self.roles |= {_name(role.group(1))} - _NOBODY
        extension = _EXTENSION.match(line)
        if extension:
            self.extensions.add(_name(extension.group(1)))
        version = _VERSION.match(line)
        if version and self.server_major is None:
            self.server_major = int(version.group(1))
        created = _CREATE.match(line)
        if created:
            for name, quoted, bare in _OPTION.findall(created.group(1)):
                self.database[name.decode()] = (quoted.replace(b"''", b"'") or bare).decode(errors="replace")
        setting = _SETTING.match(line)
        if setting:
            of_role = _name(setting.group(1)) if setting.group(1) else ""
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
    for line in _statements(stream, name, None):
        found.look(line)
    return found


def read_definitions(stream: IO[bytes]) -> Scan:
    """What pg_restore says of an archive that it lists with --schema-only --create. Nothing of it runs."""
    found = Scan()
    for line in lines(stream):
        found.look(line)
    return found


def pour(stream: IO[bytes], name: str, target: IO[bytes], with_owners: bool) -> None:
    """Write what may run to psql; without owners, as pg_restore --no-owner --no-privileges would."""
    buffer: List[bytes] = []
    size = 0

    def write(line: bytes) -> None:
        nonlocal size
        buffer.append(line)
        size += len(line)
        if size > 1 << 20:
            target.write(b"".join(buffer))
            buffer.clear()
            size = 0

    for line in _statements(stream, name, write):
        belongs = any(pattern.match(line) for pattern in (_OWNER, _GRANT, _FOR_ROLE, _SESSION))
        if with_owners or not belongs:
            write(line)
    target.write(b"".join(buffer))


def _statements(stream: IO[bytes], name: str, rows: Optional[object]) -> Iterator[bytes]:
    """The lines outside the rows; the rows, with their ends, go to `rows`."""
    put = rows if callable(rows) else None
    in_rows, begun, complete = False, False, False
    for number, line in enumerate(lines(stream), 1):
        if in_rows:
            if put:
                put(line)
            in_rows = line not in _END_OF_ROWS
            continue
        if line.startswith(b"\\"):
            if _GUARD.match(line):
                continue
            raise BackupFileError(
                f"{name}, line {number}: a command of psql («{line.split()[0].decode(errors='replace')}»), which could lead to another database: "
                "make the dump with pg_dump without --create and --clean, or in the custom format"
            )
        if _DATABASE.match(line):
            raise BackupFileError(
                f"{name}, line {number}: it creates, drops or alters a database: make the dump with pg_dump without --create and --clean, or in the "
                "custom format"
            )
        begun, complete = begun or line == _BEGINS, complete or line == _ENDS
        yield line
        in_rows = _COPY.match(line) is not None
    if in_rows or (begun and not complete):
        raise BackupFileError(f"{name} is cut short: {'it ends within the rows of a table' if in_rows else 'its last line is missing'}")


def _name(identifier: bytes) -> str:
    text = identifier.decode(errors="replace")
    return text[1:-1].replace('""', '"') if text.startswith('"') else text.lower()
