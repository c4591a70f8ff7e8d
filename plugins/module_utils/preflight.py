# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look, before anything is touched, whether a rehearsal can be carried out. All problems at once."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    copy_database,
    database_facts,
    disk,
    dump_compression,
    dump_size,
    inside,
    kept_template,
    outside_world,
    preflight_file,
    role_statements,
    row_files,
    server_facts,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import (
    READ_ONLY,
    PostgresError,
    Server,
    Session,
    quote_literal,
    tool_version,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.preflight_file import File
from ansible_collections.migrations.rehearsal.plugins.module_utils.role_statements import Roles
from ansible_collections.migrations.rehearsal.plugins.module_utils.sql_dump import Scan

_MIB = 1 << 20
# The restored copy is about as large as its original; WAL and sort files of index builds come on top.
_COPY_SHARE = 1.3
_ROOM_FOR_FILES = 16 * _MIB

_UNREADABLE = """
SELECT n.nspname || '.' || c.relname AS name
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'S', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND
           CASE WHEN c.relkind = 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT') ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END)
ORDER BY 1"""


class Preflight(RehearsalError):
    """What stands in the way of a rehearsal."""

    code = "preflight"

    def __init__(self, problems: List[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems

    def findings(self) -> List[Dict[str, Any]]:
        """One finding a problem."""
        return [{"code": self.code, "object": "", "message": problem} for problem in self.problems]


def look_at_production(
    server: Server,
    database: str,
    rehearsal_id: str,
    work_base: str,
    timeout_s: float,
    *,
    with_dump: bool = True,
    with_file: bool = True,
    max_lag_s: float = 0.0,
    max_active: int = 0,
) -> Tuple[Dict[str, Any], List[str]]:
    """Facts of production (empty if it cannot be reached) and problems. Reads only.

    `with_dump`: pg_dump runs on production; `with_file`: what it writes stays there; `max_lag_s`, `max_active`: the limits of the backup, 0 is none.
    """
    problems: List[str] = []
    facts: Dict[str, Any] = {}
    settings = {**READ_ONLY, "statement_timeout": str(int(timeout_s * 1000)), "lock_timeout": "5000"}
    try:
        with Session(server, database, f"rehearsal {rehearsal_id}", settings, timeout_s) as session:
            unreadable = [row["name"] for row in session.rows(_UNREADABLE)]
            role = session.value("SELECT current_user::text")
            try:
                facts = {**database_facts.read_facts(session), **server_facts.read(session), "load": server_facts.read_load(session)}
                facts["dump_bytes"] = dump_size.most_bytes(session, facts["size_bytes"])
            except PostgresError:
                # The version table is one of what cannot be read: then the list below says more than this error.
                if not unreadable:
                    raise
    except PostgresError as error:
        problems.append(f"production: {error.message}")
        return facts, problems
    if unreadable:
        problems.append(_unreadable_problem("production", unreadable, role, server.describe(database)))
    if not facts:
        return facts, problems
    if with_dump:
        major, tool_problems = _tool(server, "pg_dump", facts["server_version_num"], "production")
        problems += tool_problems
        written = dump_compression.writes(server, major, database, rehearsal_id, timeout_s) if major and not problems else []
        facts["pg_dump"] = {"major": major, "compressions": written, "programs": row_files.programs()}
    limits = server_facts.limit_problems(facts["load"], role, max_lag_s, max_active)
    problems += [f"production: {problem}" for problem in limits]
    if with_file:
        needed = facts["dump_bytes"] + _ROOM_FOR_FILES
        # On one disk with the container's, the largest file of the dump is in there and out here at once, and may be nearly all of it.
        shared = bool(server.prefix and server.scratch) and disk.is_shared(server, server.scratch, work_base)
        problems += disk_problem(disk.free_here(work_base), work_base, needed * (2 if shared else 1), "production", "the dump")
        if server.prefix and server.scratch:
            problems += disk_problem(disk.free_inside(server, server.scratch), server.scratch, needed, "production", "the dump in the container")
    return facts, problems


def look_from_dev(server: Server, database: str, rehearsal_id: str, production: Mapping[str, Any], timeout_s: float) -> Tuple[int, List[str]]:
    """Whether dev itself can pull a dump from production, which is `server` there: the major version of dev's pg_dump, and problems. Reads only."""
    where = server.describe(database)
    try:
        with Session(server, database, f"rehearsal {rehearsal_id}", READ_ONLY, timeout_s) as session:
            identifier = database_facts.read_system_identifier(session)
            if identifier and production.get("system_identifier") and identifier != production["system_identifier"]:
                return 0, [f"dev: rehearsal_production_from_dev leads to another server than production's ({where})"]
            unreadable = [row["name"] for row in session.rows(_UNREADABLE)]
            role = session.value("SELECT current_user::text")
    except PostgresError as error:
        return 0, [f"dev does not reach production by rehearsal_production_from_dev: {error.message}"]
    major, problems = _tool(server, "pg_dump", production["server_version_num"], "dev", "rehearsal_production_from_dev")
    return major, problems + ([_unreadable_problem("dev", unreadable, role, where)] if unreadable else [])


def _unreadable_problem(side: str, unreadable: List[str], role: str, where: str) -> str:
    more = f" and {len(unreadable) - 5} more" if len(unreadable) > 5 else ""
    return (
        f"{side}: role {role} has no rights to dump {', '.join(unreadable[:5])}{more} of {where}: "
        "grant it SELECT (role pg_read_all_data has all that is needed)"
    )


def look_at_dev(
    server: Server,
    copy: str,
    rehearsal_id: str,
    work_base: str,
    production: Dict[str, Any],
    production_database: str,
    timeout_s: float,
    *,
    kept: Optional[Mapping[str, Any]] = None,
    keep: str = "none",
    file: Optional[File] = None,
) -> Tuple[Dict[str, Any], List[str], List[Dict[str, Any]]]:
    """Facts of dev, problems, and findings that are no problems (parity). `production` may be empty. Reads only.

    `kept`: the template that the copy will be made from, where it is; `keep`: what will be left; `file`: the existing backup
    that it will be made from, where it is.
    """
    problems: List[str] = []
    findings: List[Dict[str, Any]] = []
    facts: Dict[str, Any] = {}
    try:
        with Session(server, server.maintenance_database, f"rehearsal {rehearsal_id}", READ_ONLY, timeout_s) as session:
            facts = session.row(
                "SELECT current_setting('server_version') AS server_version, current_setting('server_version_num')::int AS server_version_num, "
                "current_user::text AS role, r.rolsuper AS superuser, r.rolsuper OR r.rolcreatedb AS may_create "
                "FROM pg_catalog.pg_roles r WHERE r.rolname = current_user"
            )
            facts["system_identifier"] = database_facts.read_system_identifier(session)
            facts["data_directory"] = session.value(
                "SELECT CASE WHEN pg_catalog.pg_has_role('pg_read_all_settings', 'USAGE') THEN current_setting('data_directory') END"
            )
            problems += _name_problem(session, server, copy, rehearsal_id, facts, production, production_database)
            extension_problems, extension_findings = _extensions(session, facts, production)
            problems += extension_problems
            findings += extension_findings
            if production:
                findings += [_parity(*found) for found in server_facts.differences(session, production)]
                problems += locale_problems(server_facts.missing_locales(session, production))
            if kept:
                problems += [f"dev: {problem}" for problem in kept_template.refusals(session, kept)]
            needs, file_problems = preflight_file.needs(file, server, timeout_s) if file else (None, [])
            problems += file_problems
            if needs:
                problems += _extensions_of_file(session, needs)
            roles = role_statements.look(session, sorted(needs.roles) if needs else production.get("roles") or [])
    except PostgresError as error:
        problems.append(f"dev: {error.message}")
        return facts, problems, findings
    if not facts["may_create"]:
        problems.append(
            f"dev: role {facts['role']} may not create databases on {server.describe(server.maintenance_database)}: ALTER ROLE … CREATEDB"
        )
    data = facts["data_directory"]
    # A server on another machine has its data where we cannot look.
    free = disk.free_where_it_is(server, data) if data else None
    if file:
        problems += preflight_file.problems(file, work_base, server)
        problems += preflight_file.room(free, data or "", file.least_copy, "the copy")
        findings += [_parity(*found) for found in _roles(roles, facts["role"])]
    if not production:
        return facts, problems, findings
    major, tool_problems = _tool(server, "pg_restore", max(production["server_version_num"], facts["server_version_num"]), "dev")
    problems += tool_problems
    if major and not tool_problems and not kept:
        problems += archive_problems(production, major)
        facts["compression"] = compression(server, production, timeout_s)
        facts["row_files"] = row_form(production, facts["server_version_num"] // 10000, keep)
    if facts["server_version_num"] // 10000 < production["server_version_num"] // 10000:
        problems.append(
            f"dev: PostgreSQL {facts['server_version']} is older than production's {production['server_version']}: "
            "a dump cannot be restored into an older server; give dev production's major version"
        )
    else:
        # Where the server is too old anyway, another client would not help: that is one problem, not two.
        if major and not tool_problems and not kept:
            problems += _too_new(major, facts["server_version_num"])
        if facts["server_version_num"] // 10000 != production["server_version_num"] // 10000:
            findings.append(_parity("server", f"production runs PostgreSQL {production['server_version']}, dev {facts['server_version']}"))
    findings += [_parity(*found) for found in _roles(roles, facts["role"])]
    if not facts["superuser"]:
        problems += superuser_problems(production, facts["role"])
    needed = (0 if kept else room_for_backup(production)) + _ROOM_FOR_FILES
    problems += disk_problem(disk.free_here(work_base), work_base, needed, "dev", "the backup with its unpacked dump")
    if server.prefix and not kept:
        problems += _room_in_container(server, production)
    if free is not None:
        share, what = (_COPY_SHARE + 1, "the copy with its template") if keep == "template" else (_COPY_SHARE, "the copy")
        problems += disk_problem(free, data, int(production["size_bytes"] * share), "dev", what)
    return facts, problems, findings


def _room_in_container(server: Server, production: Mapping[str, Any]) -> List[str]:
    """What is missing where the dump is put for the container's own tools, in one sentence, or nothing."""
    place = server.scratch or inside.TEMPORARY
    free = disk.free_inside(server, place)
    return [] if free is None else disk_problem(free, place, room_for_backup(production) // 2 + _ROOM_FOR_FILES, "dev", "the dump in the container")


def _extensions_of_file(session: Session, needs: Scan) -> List[str]:
    there = {row["name"] for row in session.rows("SELECT name FROM pg_catalog.pg_available_extensions")}
    missing = sorted(needs.extensions - there - set(outside_world.KEPT_OUT))
    return [f"dev: extension {name}, which the backup needs, is not installed on dev's server" for name in missing]


def _name_problem(
    session: Session, server: Server, copy: str, rehearsal_id: str, facts: Dict[str, Any], production: Dict[str, Any], production_database: str
) -> List[str]:
    same_server = production and production["system_identifier"] and production["system_identifier"] == facts["system_identifier"]
    if same_server and copy == production_database:
        return [f"dev: the copy would be {copy}, which is production's own database on the same server: it was not touched; choose another name"]
    try:
        copy_database.require_free_or_ours(session, copy, rehearsal_id)
    except copy_database.CopyRefused as error:
        return [f"dev: {error} ({server.describe(copy)})"]
    return []


def _extensions(session: Session, facts: Dict[str, Any], production: Dict[str, Any]) -> Tuple[List[str], List[Dict[str, Any]]]:
    problems: List[str] = []
    findings: List[Dict[str, Any]] = []
    for name, version in (production.get("extensions") or {}).items():
        if name in outside_world.KEPT_OUT:
            continue
        available = session.rows(
            "SELECT version, superuser AND NOT coalesce((to_jsonb(v) ->> 'trusted')::boolean, false) AS superuser "
            f"FROM pg_catalog.pg_available_extension_versions v WHERE name = {quote_literal(name)}"
        )
        default = session.rows(f"SELECT default_version FROM pg_catalog.pg_available_extensions WHERE name = {quote_literal(name)}")
        if not available:
            problems.append(f"dev: extension {name}, which production has in version {version}, is not installed on dev's server")
        elif not facts["superuser"] and name != "plpgsql" and all(row["superuser"] for row in available):
            problems += superuser_problems({"needs_superuser": [f"extension {name}"]}, facts["role"])
        elif default and default[0]["default_version"] != version:
            findings.append(_parity(name, f"extension {name} is {version} on production; a restore on dev makes {default[0]['default_version']}"))
    return problems, findings


def _roles(roles: Roles, role: str) -> List[Tuple[str, str]]:
    found: List[Tuple[str, str]] = []
    if roles.missing:
        found.append(
            (
                ", ".join(sorted(roles.missing)),
                f"dev lacks {len(roles.missing)} of the roles that own or may use production's objects: on the copy what they own is {role}'s, and "
                "what is granted to them is left out; a migration that names one fails for that reason alone. CREATE ROLE … NOLOGIN on dev, or "
                "rehearsal_copy: ephemeral",
            )
        )
    if roles.others and not roles.superuser:
        found.append(
            (
                ", ".join(sorted(roles.others)),
                f"role {role} of dev is no superuser: on the copy it owns what it may not give to production's owners",
            )
        )
    return found


def superuser_problems(production: Mapping[str, Any], role: str) -> List[str]:
    """What of production only a superuser can make on dev, where the role is none."""
    needed: List[str] = production.get("needs_superuser") or []
    if not needed:
        return []
    more = f" and {len(needed) - 5} more" if len(needed) > 5 else ""
    return [
        f"dev: only a superuser can make {', '.join(needed[:5])}{more}, and role {role} is none: name one in rehearsal_postgres, or have "
        "rehearsal_copy: ephemeral"
    ]


def _parity(thing: str, message: str) -> Dict[str, Any]:
    return {"code": "parity", "object": thing, "message": message}


def archive_problems(production: Mapping[str, Any], restore_major: int) -> List[str]:
    """Whether pg_restore of that major version knows what production's pg_dump writes."""
    dump_major = (production.get("pg_dump") or {}).get("major") or 0
    if dump_compression.reads_format(dump_major, restore_major):
        return []
    return [
        f"dev: pg_restore is version {restore_major} and cannot read what production's pg_dump {dump_major} writes: install the newer client on "
        "dev, or name an older pg_dump in production's rehearsal_postgres.bin_dir"
    ]


def _too_new(restore_major: int, server_version_num: int) -> List[str]:
    """pg_restore sets transaction_timeout since version 17, whatever the server, and ends where that is unknown."""
    if restore_major < 17 or server_version_num >= 170000:
        return []
    return [
        f"dev: pg_restore is version {restore_major} and sets transaction_timeout, which dev's PostgreSQL {server_version_num // 10000} does not "
        "know: name the directory of a client of version 16 or older in dev's rehearsal_postgres.bin_dir"
    ]


def compression(server: Server, production: Mapping[str, Any], timeout_s: float) -> str:
    """What the dump is made with, so that pg_restore of `server` can read it."""
    written = (production.get("pg_dump") or {}).get("compressions")
    return dump_compression.choose(written, dump_compression.reads(server, timeout_s)) if written else dump_compression.GZIP


def row_form(production: Mapping[str, Any], major: int, keep: str) -> Dict[str, Any]:
    """How the rows of large tables are carried to a copy in a server of that major version, as module `backup` takes it."""
    # A backup that is kept is one for pg_restore.
    written = [] if keep == "backup" else (production.get("pg_dump") or {}).get("programs") or []
    return {"program": row_files.choose(written, row_files.programs()), "major": major}


def _tool(server: Server, tool: str, server_version_num: int, side: str, variable: str = "rehearsal_postgres") -> Tuple[int, List[str]]:
    """Its major version, 0 where it cannot be started, and what is wrong with it. `variable`: that says where it is."""
    try:
        version = tool_version(server, tool)
    except PostgresError as error:
        return 0, [f"{side}: {error.message}"]
    if version[0] < server_version_num // 10000:
        return version[0], [
            f"{side}: {tool} is version {version[0]}, older than the server's {server_version_num // 10000}: "
            f"it would refuse; install the newer client and name its directory in {variable}.bin_dir"
        ]
    return version[0], []


def locale_problems(missing: List[str]) -> List[str]:
    """Locales of production's database that dev's system lacks, in one sentence, or nothing."""
    if not missing:
        return []
    return [
        f"dev: its system has no locale {', '.join(missing)}, which production's database is made with: generate it there (locale-gen, localedef)"
    ]


def room_for_backup(production: Mapping[str, Any]) -> int:
    """Bytes that the backup needs on dev: each of its files is there twice while it is unpacked."""
    return 2 * int(production.get("dump_bytes") or production["size_bytes"] // 2)


def disk_problem(free: Optional[int], path: str, needed: int, side: str, what: str) -> List[str]:
    """What is missing of the bytes that are needed below a path, in one sentence, or nothing. `free` is None where it cannot be made."""
    if free is None:
        return [f"{side}: {path} does not exist and cannot be made"]
    if free < needed:
        return [f"{side}: {what} needs about {needed // _MIB} MiB below {path}, and {free // _MIB} MiB are free"]
    return []
