# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unmigrated copy of a rehearsal, kept as a template: another rehearsal takes a copy of it in place of a backup and a restore.

It is a database beside the copy with a marker of its own, which nobody can connect to and which `sweep` removes when it has expired. CREATE DATABASE
copies a database's files: tables keep their files' numbers, rows their transaction ids, and the planner its statistics. What it does not copy
(settings of the database, its grants, its comment) the new copy is given again.
"""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any, Dict, List, Mapping, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils import copy_database
from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_marker import read_marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import (
    CLEAN_UP_NAME,
    TEMPLATE,
    Marker,
    application_name,
    side_database_name,
    utc_now,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server, Session, quote_identifier, quote_literal

# In the work directory of a rehearsal whose copy was made from a template: which one it was.
NOTE = "template.json"

# Since this version CREATE DATABASE writes all pages into the WAL unless it is told to copy files.
_STRATEGY_SINCE, _STRATEGY = 150000, "FILE_COPY"
# Since this one the kernel can be asked to copy them: it shares blocks where the file system can.
_METHOD_SINCE = 180000


class TemplateRefused(RehearsalError):
    """The kept template cannot be used: it is gone, expired, or not the one that was kept. Nothing was touched."""


@dataclasses.dataclass(frozen=True)
class Kept:
    """A template that is there, and when it may be swept."""

    database: str
    expires: str


def place_of(kept: Mapping[str, Any]) -> str:
    """Where it was kept: `existing`, a database in dev's server, or `ephemeral`, the files of a server of its own (kept_server.py)."""
    return str(kept.get("place") or "existing")


def look(server: Server, rehearsal_id: str, deadline_s: float) -> Optional[Kept]:
    """The template of a rehearsal; None where there is none that carries its marker. Raises PostgresError."""
    database = side_database_name(rehearsal_id, TEMPLATE)
    with Session(server, server.maintenance_database, CLEAN_UP_NAME, deadline_s=deadline_s) as session:
        if not copy_database.database_exists(session, database):
            return None
        marker = read_marker(session, database)
    return Kept(database, marker.expires) if marker is not None and (marker.id, marker.part) == (rehearsal_id, TEMPLATE) else None


def keep(server: Server, copy: str, marker: Marker, deadline_s: float) -> Dict[str, Any]:
    """Make a template of this rehearsal's copy, which nobody may be connected to; the content of evidence file `template.json`.

    Raises CopyRefused where `copy` is not this rehearsal's, and PostgresError. A template that was left from an earlier try is made anew.
    """
    database = side_database_name(marker.id, TEMPLATE)
    with Session(server, server.maintenance_database, application_name(marker.id), deadline_s=deadline_s) as session:
        if not copy_database.require_free_or_ours(session, copy, marker.id):
            raise copy_database.CopyRefused(f"there is no copy {copy} to make a template of")
        if copy_database.require_free_or_ours(session, database, marker.id):
            session.execute(f"DROP DATABASE {quote_identifier(database)} WITH (FORCE)")
        _copy_files(session, copy, database, marker.beside(TEMPLATE))
        facts = session.row(
            f"SELECT pg_catalog.pg_database_size({quote_literal(database)}) AS bytes, "
            "current_setting('server_version_num')::int AS server_version_num"
        )
    return {"id": marker.id, "database": database, "source": marker.source, "created": marker.created, "expires": marker.expires, **facts}


def refusals(session: Session, kept: Mapping[str, Any], now: Optional[datetime.datetime] = None) -> List[str]:
    """Why the template on the session's server is not the one that was kept, in words. `kept`: the content of template.json. Raises PostgresError."""
    database = kept["database"]
    if not copy_database.database_exists(session, database):
        return [f"the template {database} is not there (any more): rehearse from the beginning"]
    marker = read_marker(session, database)
    if marker is None or (marker.id, marker.part, marker.source) != (kept["id"], TEMPLATE, kept["source"]):
        return [f"database {database} does not carry the marker of the template that rehearsal {kept['id']} kept: it was not touched"]
    if marker.expired(now or utc_now()):
        return [f"the template {database} has expired ({marker.expires}): rehearse from the beginning"]
    problems: List[str] = []
    version = int(session.value("SELECT current_setting('server_version_num')"))
    if version // 10000 != kept["server_version_num"] // 10000:
        problems.append(
            f"the template {database} was kept on PostgreSQL {kept['server_version_num'] // 10000}, and this server is {version // 10000}: "
            "rehearse from the beginning"
        )
    if session.value(f"SELECT datallowconn FROM pg_catalog.pg_database WHERE datname = {quote_literal(database)}"):
        problems.append(
            f"the template {database} has been opened to connections since it was kept: what is in it is not known; rehearse from the beginning"
        )
    return problems


def production_refusals(production: Mapping[str, Any], kept: Mapping[str, Any]) -> List[str]:
    """Why the template is not of the production that is there now. `kept`: also production's `revisions` and version when it was dumped."""
    problems: List[str] = []
    if production["revisions"] != kept["revisions"]:
        problems.append(
            f"it stands at {_revisions(production['revisions'])} now, and at {_revisions(kept['revisions'])} when the template of rehearsal "
            f"{kept['id']} was made: rehearse from the beginning"
        )
    if production["server_version_num"] // 10000 != kept["production_version_num"] // 10000:
        problems.append(
            f"it runs PostgreSQL {production['server_version_num'] // 10000} now, and {kept['production_version_num'] // 10000} when the template of "
            f"rehearsal {kept['id']} was made: rehearse from the beginning"
        )
    return problems


def _revisions(found: Mapping[str, List[str]]) -> str:
    return ", ".join(revision for table in sorted(found) for revision in found[table]) or "no revision"


def make_copy(server: Server, database: str, marker: Marker, manifest: Dict[str, Any], kept: Mapping[str, Any], deadline_s: float) -> Dict[str, Any]:
    """A new copy with a marker of its own, made from the template; the content of copy.json.

    `kept` is the content of template.json, with `copy`: what the rehearsal that kept it found out about its own copy. What only a restore can tell is
    taken over from there: rows and values held against the manifest, what was stopped, roles that were missing. Rows are not counted anew: the
    evidence before the upgrade is held against that of the template.
    Raises TemplateRefused, CopyRefused and PostgresError.
    """
    with Session(server, server.maintenance_database, application_name(marker.id), deadline_s=deadline_s) as session:
        against = refusals(session, kept)
        if against:
            raise TemplateRefused("; ".join(against))
        if copy_database.require_free_or_ours(session, database, marker.id):
            session.execute(f"DROP DATABASE {quote_identifier(database)} WITH (FORCE)")
        _copy_files(session, kept["database"], database, marker)
        session.execute(f"ALTER DATABASE {quote_identifier(database)} ALLOW_CONNECTIONS true")
    with Session(server, database, application_name(marker.id), deadline_s=deadline_s) as session:
        not_replayed = copy_database.replay_settings(session, database, manifest["settings"])
    facts = copy_database.facts_of(server, database, marker.id, deadline_s)
    earlier = kept["copy"]
    # Settings are new on this copy. All else was compared when it was restored, and added tasks may have changed it since.
    differences = [found for found in earlier["differences"] if found["what"] != "settings"]
    if earlier["proved_by"] != "nothing":
        now = copy_database.compare({**manifest, "rows": {}}, facts, {})
        differences += [found for found in now if found["what"] == "settings"]
    return {
        **copy_database.described(database, marker, facts, {}, differences, earlier["proved_by"]),
        "tables": earlier["tables"],
        "rows": earlier["rows"],
        "stopped": earlier["stopped"],
        "settings_not_replayed": not_replayed,
        "missing_roles": earlier["missing_roles"],
        "roles_not_given": earlier.get("roles_not_given", []),
        **({"not_told": earlier["not_told"]} if "not_told" in earlier else {}),
    }


def old_rows(server: Server, database: str, marker: Marker, template: str, deadline_s: float) -> None:
    """A database beside the copy with all rows as they were before the upgrade. Raises CopyRefused and PostgresError."""
    with Session(server, server.maintenance_database, application_name(marker.id), deadline_s=deadline_s) as session:
        if copy_database.require_free_or_ours(session, database, marker.id):
            session.execute(f"DROP DATABASE {quote_identifier(database)} WITH (FORCE)")
        _copy_files(session, template, database, marker)
        session.execute(f"ALTER DATABASE {quote_identifier(database)} ALLOW_CONNECTIONS true")


def _copy_files(session: Session, template: str, database: str, marker: Marker) -> None:
    """A closed and marked database with all that is in another one."""
    version = int(session.value("SELECT current_setting('server_version_num')"))
    name = quote_identifier(database)
    statement = f"CREATE DATABASE {name} TEMPLATE {quote_identifier(template)} ALLOW_CONNECTIONS false"
    if version >= _STRATEGY_SINCE:
        statement = f"{statement} STRATEGY {_STRATEGY}"
    try:
        if version < _METHOD_SINCE or not _shared(session, statement):
            session.execute(statement)
    except PostgresError as error:
        raise PostgresError(f"cannot copy database {template} to {database}: {error.message}") from None
    session.execute(f"COMMENT ON DATABASE {name} IS {quote_literal(marker.to_text())}")
    session.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC")


def _shared(session: Session, statement: str) -> bool:
    """Whether the kernel has copied the files; where it cannot, nothing is left of the try."""
    try:
        session.execute("SET file_copy_method = clone")
        session.execute(statement)
    except PostgresError as error:
        if error.sqlstate is None:
            raise
        session.execute("SET file_copy_method = copy")
        return False
    return True
