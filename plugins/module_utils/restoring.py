# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put what an archive of pg_dump's holds into the copy: all of it at once or part after part, without what stays out."""

from __future__ import annotations

import re
import tempfile
from typing import Any, Collection, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import archive, outside_world, role_statements
from ansible_collections.migrations.rehearsal.plugins.module_utils.dump_outlets import DUMP
from ansible_collections.migrations.rehearsal.plugins.module_utils.files import write_bytes
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool, ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.reach import Reach
from ansible_collections.migrations.rehearsal.plugins.module_utils.role_statements import Roles, Statement
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

# An entry of a dump's table of contents: what kind of thing, in which schema ("-" for none), and its name.
_ENTRY = re.compile(r"\d+; \d+ \d+ [A-Z ]+ (-|\S+) (.*)")
_NUMBERS = re.compile(r"\d+; (\d+ \d+) ")
_CONTENTS = "restore.list"
_ATTACH = re.compile(r"\d+; 0 0 INDEX ATTACH ")
# A dump's constraints and indexes are made anew from its rows, and what production's catalog only claims is refused then.
_BROKEN = ("violates foreign", "create unique", "violated by")
BROKEN_BEFORE = (
    "rows of production break this already, though its catalog has it: clean them there, or copy with rehearsal_source: basebackup, which takes them "
    "as they are"
)


class Restoring:
    """One archive and the empty copy that it goes into. `without`: extensions that stay out (`outside_world.KEPT_OUT`)."""

    def __init__(
        self,
        server: Server,
        database: str,
        rehearsal_id: str,
        work: WorkDirectory,
        reach: Reach,
        roles: Roles,
        without: Collection[str],
        deadline_s: float,
    ) -> None:
        self._server, self._database, self._id, self._work, self._reach = server, database, rehearsal_id, work, reach
        self._roles, self._deadline_s = roles, deadline_s
        # For keys that are checked once, compiling is most of the work.
        conninfo = server.conninfo(database, application_name(rehearsal_id), {"synchronous_commit": "off", "jit": "off"})
        # A subscription would want rows from production's own source, and no database that has one can be dropped.
        # Tablespaces are of the server: dev need not have any of that name.
        self._options = ["--exit-on-error", "--no-password", "--no-subscriptions", "--no-tablespaces", f"--dbname={conninfo}"]
        if not roles.all_usable:
            self._options += ["--no-owner", "--no-privileges"]
        self._statements = [] if roles.all_usable else archive.role_statements_of(server, reach, deadline_s)
        self._without = without
        self._left_out = [begin for text, statement in self._statements for begin in role_statements.entry(text, statement, roles)]

    def entries(self) -> List[str]:
        """The lines of the archive's table of contents that are restored."""
        return _kept_entries(self._server, self._work, self._reach, self._without, self._deadline_s, self._left_out)

    def start(self, *, jobs: int, section: str = "", entries: Optional[Sequence[str]] = None, name: str = _CONTENTS) -> Tool:
        """pg_restore, which ends with another code than 0 at the first error of any kind. Wait for it.

        `section` and `entries` name a part; `name`: of the file that lists it, which no other that runs meanwhile may have.
        """
        options = [*self._options, f"--jobs={jobs}"]
        if section:
            options.append(f"--section={section}")
        if entries is None and (self._without or self._left_out):
            entries = self.entries()
        if entries is not None:
            write_bytes(self._work.file(name), _written(entries), flush=False)
            options.append(f"--use-list={self._reach.path(name)}")
        return Tool(self._server.tool("pg_restore", *options, self._reach.path(DUMP)), self._work)

    def rounds(self, *, jobs: int, section: str = "", entries: Optional[Sequence[str]] = None) -> Iterator[Tool]:
        """As `start`, one pg_restore after the other as `rounds` has them. Wait for each before the next."""
        if jobs == 1:
            yield self.start(jobs=1, section=section, entries=entries)
            return
        for part, several in rounds(self.entries() if entries is None else entries):
            yield self.start(jobs=jobs if several else 1, section=section, entries=part)

    def give_to_roles(self) -> List[Dict[str, Any]]:
        """Owners and grants that pg_restore left out, once all is there; what could not be given, counted (`role_statements.Count`)."""
        if not self._statements:
            return []
        with Session(self._server, self._database, application_name(self._id), deadline_s=self._deadline_s) as session:
            return give(session, self._statements, self._roles)


def explained(error: ToolFailed) -> ToolFailed:
    """What pg_restore said, and why where that is known."""
    broken = any(sign in str(error) for sign in _BROKEN)
    return ToolFailed(f"{error} · {BROKEN_BEFORE}", error.exit_code) if broken else error


def numbers(line: str) -> Tuple[int, int]:
    """Of an entry, what names its object on the server that it was dumped from: the catalog and the row there. (0, 0): it is no entry."""
    found = _NUMBERS.match(line)
    if found is None:
        return 0, 0
    catalog, row = found[1].split()
    return int(catalog), int(row)


def attaches(line: str) -> bool:
    """Whether an entry makes an index of a partition part of that of the partitioned table."""
    return _ATTACH.match(line) is not None


def rounds(entries: Sequence[str]) -> List[Tuple[Sequence[str], bool]]:
    """The entries for one pg_restore after the other, and whether it may have several jobs.

    Where attaching an index makes its parent whole, the server goes up from there and locks that one's own parent and the table of it. Whatever else
    has to do with a partitioned table (a foreign key to it, a trigger on it, the attaching of another index) locks from the top down. pg_restore
    knows only of the tables that each names, so with several jobs of its own they can wait for each other in a circle.
    """
    attached = [place for place, line in enumerate(entries) if attaches(line)]
    if not attached:
        return [(entries, True)]
    first, behind = attached[0], attached[-1] + 1
    # As pg_dump lists them, nothing needs what comes later, and nothing but such entries lies between the first and the last.
    return [part for part in ((entries[:first], True), (entries[first:behind], False), (entries[behind:], True)) if part[0]]


def give(session: Session, statements: Sequence[Tuple[bytes, Statement]], roles: Roles) -> List[Dict[str, Any]]:
    """Give owners and grants to those roles that are there, one statement at a time; what could not be given, counted."""
    out = role_statements.Count()
    made: List[Tuple[bytes, ...]] = []
    for text, statement in statements:
        if statement.kind == role_statements.COMMENT and role_statements.policy(text) not in made:
            continue
        # A user mapping, and a policy as it stands, came with the restore.
        fitting = role_statements.fit(text, statement, roles)
        if fitting == text and statement.kind in (role_statements.POLICY, role_statements.MAPPING):
            continue
        given = fitting == text
        try:
            if fitting is not None and statement.kind == role_statements.POLICY:
                made.append(role_statements.policy(text))
            if fitting is not None:
                session.execute(fitting.decode().rstrip().rstrip(";"))
        except PostgresError as error:
            if error.sqlstate is None:
                raise
            # Who may restore need not be allowed to give everything away.
            given = False
        if not given:
            out.add(statement, roles)
    return out.told()


def contents_without(
    server: Server, work: WorkDirectory, reach: Reach, extensions: Collection[str], deadline_s: float, left_out: Sequence[str] = ()
) -> str:
    """Path, as the tools see it, of the dump's table of contents without some extensions, what lies in their schemas, and what is said of these.

    `left_out`: how other entries begin that stay out.
    """
    write_bytes(work.file(_CONTENTS), _written(_kept_entries(server, work, reach, extensions, deadline_s, left_out)), flush=False)
    return reach.path(_CONTENTS)


def _kept_entries(
    server: Server, work: WorkDirectory, reach: Reach, extensions: Collection[str], deadline_s: float, left_out: Sequence[str]
) -> List[str]:
    with tempfile.TemporaryFile() as listed:
        Tool(server.tool("pg_restore", "--list", reach.path(DUMP)), work, stdout=listed).wait(deadline_s)
        listed.seek(0)
        # Names are in the encoding of the database that was dumped, whichever that is.
        lines = [line.decode(errors="surrogateescape") for line in listed]
    schemas = {name: outside_world.KEPT_OUT[name] for name in extensions}
    return [line for line in lines if stays(line, schemas, left_out)]


def _written(entries: Sequence[str]) -> bytes:
    return "".join(entries).encode(errors="surrogateescape")


def stays(line: str, schemas: Mapping[str, str], left_out: Sequence[str] = ()) -> bool:
    """Whether an entry of a dump's table of contents is restored; `schemas`: by extension that stays out, the schema that goes with it."""
    numbers = _NUMBERS.match(line)
    if numbers and line[numbers.end() :].startswith(tuple(left_out)):
        return False
    entry = _ENTRY.match(line)
    if entry is None:
        return True
    named = [*schemas, *(f"EXTENSION {name}" for name in schemas), *(f"SCHEMA {schema}" for schema in schemas.values())]
    return not (entry[1] in schemas.values() or (entry[1] == "-" and any(f"{entry[2].strip()} ".startswith(f"{name} ") for name in named)))
