# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the copy on dev: marked before a row arrives, restored, given production's settings, and held against the manifest."""

from __future__ import annotations

from typing import Any, Collection, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    data_diff,
    database_facts,
    outside_world,
    progress,
    progress_database,
    role_statements,
    row_files,
    server_settings,
    words,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.copy_marker import comment_of
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.filling import Target
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import CLEAN_UP_NAME, Marker, application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.pipes import PipePlace
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import (
    READ_ONLY,
    PostgresError,
    Server,
    Session,
    quote_identifier,
    quote_literal,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed, registered
from ansible_collections.migrations.rehearsal.plugins.module_utils.reach import Reach
from ansible_collections.migrations.rehearsal.plugins.module_utils.restoring import Restoring, explained
from ansible_collections.migrations.rehearsal.plugins.module_utils.role_statements import Roles
from ansible_collections.migrations.rehearsal.plugins.module_utils.setting_text import setting_clause
from ansible_collections.migrations.rehearsal.plugins.module_utils.snapshot import take_outward
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

_INSUFFICIENT_PRIVILEGE = "42501"
# Of what counts rows once, compiling is most of the work.
_COUNTING = {"jit": "off"}


class CopyRefused(RehearsalError):
    """A database of that name is there and is not this rehearsal's copy: nothing was touched."""


def database_exists(session: Session, database: str) -> bool:
    """Whether the session's server has a database of that name."""
    return bool(session.value(f"SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = {quote_literal(database)})"))


def require_free_or_ours(session: Session, database: str, marker_id: str) -> bool:
    """True if the copy is there already; CopyRefused if the name belongs to anything else."""
    # One question: between two, somebody else's clean-up could drop it.
    rows = session.rows(f"SELECT {comment_of(database)} AS comment FROM pg_catalog.pg_database WHERE datname = {quote_literal(database)}")
    if not rows:
        return False
    found = Marker.from_text(rows[0]["comment"])
    if found is None:
        raise CopyRefused(f"database {database} is there already and does not carry a rehearsal's marker: it was not touched; choose another name")
    if found.id != marker_id:
        raise CopyRefused(f"database {database} is the copy of rehearsal {found.id}: it was not touched; sweep it or choose another name")
    return True


def create_copy(server: Server, database: str, marker: Marker, manifest: Dict[str, Any], deadline_s: float, quiet: bool = True) -> None:
    """An empty, marked database with production's encoding and collation that only its owner can connect to.

    `quiet`: no event trigger fires in it, not even one for a login, until `settle` has looked at them.

    Raises CopyRefused and PostgresError. The copy of this rehearsal, left from an earlier try, is made anew.
    """
    with Session(server, server.maintenance_database, application_name(marker.id), deadline_s=deadline_s) as session:
        if require_free_or_ours(session, database, marker.id):
            session.execute(f"DROP DATABASE {quote_identifier(database)} WITH (FORCE)")
        name = quote_identifier(database)
        # Closed until it is marked: at no time is there a database that somebody could fill or migrate and that carries no marker.
        session.execute(f"CREATE DATABASE {name} TEMPLATE template0 ALLOW_CONNECTIONS false {_locale_clause(session, manifest)}")
        session.execute(f"COMMENT ON DATABASE {name} IS {quote_literal(marker.to_text())}")
        session.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC")
        if quiet:
            _event_triggers(session, database, False)
        session.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def _event_triggers(session: Session, database: str, fire: bool) -> None:
    # Whoever may not say so is no superuser, and makes no event trigger either.
    if int(session.value("SELECT current_setting('server_version_num') AS v")) < server_settings.LOGIN_TRIGGERS_SINCE * 10000:
        return
    try:
        session.execute(f"ALTER DATABASE {quote_identifier(database)} SET event_triggers = {'DEFAULT' if fire else 'off'}")
    except PostgresError as error:
        if error.sqlstate != _INSUFFICIENT_PRIVILEGE:
            raise


def _locale_clause(session: Session, manifest: Dict[str, Any]) -> str:
    parts = [
        f"ENCODING {quote_literal(manifest['encoding'])}",
        f"LC_COLLATE {quote_literal(manifest['collate'])}",
        f"LC_CTYPE {quote_literal(manifest['ctype'])}",
    ]
    version = int(session.value("SELECT current_setting('server_version_num')"))
    provider = {"i": "icu", "b": "builtin"}.get(manifest["locale_provider"])
    if provider and version >= 150000:
        parts.append(f"LOCALE_PROVIDER {provider}")
        if manifest["locale"]:
            parts.append(f"{'BUILTIN' if provider == 'builtin' else 'ICU'}_LOCALE {quote_literal(manifest['locale'])}")
    return " ".join(parts)


def restore(
    server: Server,
    database: str,
    rehearsal_id: str,
    work: WorkDirectory,
    *,
    jobs: int,
    roles: Roles,
    deadline_s: float,
    without: Collection[str] = (),
    size: int = 0,
) -> List[Dict[str, Any]]:
    """pg_restore into the empty copy; ToolFailed at the first error of any kind. What stayed out for its roles, counted (`role_statements.Count`).

    `without`: extensions that stay out (`outside_world.KEPT_OUT`). `size`: how large the copy will be, in bytes, if that is known.
    """
    with registered(work), Reach(server, rehearsal_id, work, deadline_s) as reach:
        restoring = Restoring(server, database, rehearsal_id, work, reach, roles, without, deadline_s)
        with progress_database.filled(work, server, database, rehearsal_id, size):
            try:
                for part in restoring.rounds(jobs=jobs):
                    part.wait(deadline_s)
            except ToolFailed as error:
                raise explained(error) from None
    return restoring.give_to_roles()


def replay_settings(session: Session, database: str, settings: Dict[str, List[str]]) -> List[str]:
    """Give the copy production's database settings and role-in-database settings; what could not be set, in words."""
    failures: List[str] = []
    for role, assignments in sorted(settings.items()):
        for assignment in assignments:
            name, value = assignment.split("=", 1)
            target = f"ROLE {quote_identifier(role)} IN DATABASE {quote_identifier(database)}" if role else f"DATABASE {quote_identifier(database)}"
            try:
                session.execute(f"ALTER {target} SET {setting_clause(name, value)}")
            except PostgresError as error:
                failures.append(f"{name}{f' of role {role}' if role else ''}: {error.message}")
    return failures


def compare(manifest: Dict[str, Any], facts: Dict[str, Any], rows: Dict[str, int]) -> List[Dict[str, Any]]:
    """Every difference between the copy and the manifest: {"object", "what", "production", "copy"}. Empty means equal."""
    differences: List[Dict[str, Any]] = []

    def differ(thing: str, what: str, production: Any, copy: Any) -> None:
        if production != copy:
            differences.append({"object": thing, "what": what, "production": production, "copy": copy})

    for table in sorted({*manifest["rows"], *rows}):
        differ(table, "rows", manifest["rows"].get(table), rows.get(table))
    for what in ("encoding", "collate", "ctype", "locale_provider", "locale", "time_zone", "revisions"):
        differ("database", what, manifest[what], facts[what])
    for extension in sorted({*manifest["extensions"], *facts["extensions"]}):
        differ(extension, "extension version", manifest["extensions"].get(extension), facts["extensions"].get(extension))
    for role in sorted({*manifest["settings"], *facts["settings"]}):
        differ(f"role {role}" if role else "database", "settings", _sorted(manifest["settings"].get(role)), _sorted(facts["settings"].get(role)))
    return differences


def compare_values(production: Dict[str, Any], copy: Dict[str, Any], stopped: Sequence[Dict[str, Any]] = ()) -> List[Dict[str, Any]]:
    """Differences between two fingerprints, in the form of `compare`. Where the rows differ that is told there, and values cannot be compared.

    Left out is exactly what differs because something was stopped: columns of scheduled jobs, tables of an extension that stayed out.
    """
    meant = {column for entry in stopped for column in entry.get("changed") or ()}
    schemas = tuple(f"{entry['schema']}." for entry in stopped if entry.get("schema"))
    changes = [change for change in data_diff.compare(production, copy) if change.object not in meant and not change.object.startswith(schemas)]
    other_rows = {change.object for change in changes if change.kind in ("rows-added", "rows-lost")}
    return [
        words.carry({"object": change.object, "what": "values", "production": "as dumped", "copy": change.text})
        for change in changes
        if not other_rows & {change.object, change.object.rpartition(".")[0]}
    ]


def _sorted(values: Optional[Sequence[str]]) -> List[str]:
    return sorted(values or [])


def make_copy(
    server: Server,
    database: str,
    marker: Marker,
    manifest: Dict[str, Any],
    work: WorkDirectory,
    *,
    jobs: int,
    deadline_s: float,
    pipes: Optional[PipePlace] = None,
) -> Dict[str, Any]:
    """Create, restore, replay, count and compare; the content of evidence file `copy.json`. `pipes`: where the server reads named pipes of ours.

    Raises CopyRefused, PostgresError and ToolFailed. Differences are facts here: what they mean is the judge's.
    """
    kept_out = outside_world.kept_out(manifest["extensions"])
    target = empty_copy(server, database, marker, manifest, kept_out, deadline_s, pipes)
    size = manifest["size_bytes"]
    if manifest.get("row_files"):
        with registered(work), progress_database.filled(work, server, database, marker.id, size):
            not_given = row_files.restore(target, database, marker.id, work, manifest, jobs=jobs, deadline_s=deadline_s)
    else:
        not_given = restore(
            server, database, marker.id, work, jobs=jobs, roles=target.roles, deadline_s=deadline_s, without=target.without, size=size
        )
    told = {"missing_roles": sorted(target.roles.missing), "roles_not_given": not_given}
    return {**finish_copy(server, database, marker, manifest, work, kept_out, deadline_s), **told}


def empty_copy(
    server: Server,
    database: str,
    marker: Marker,
    manifest: Dict[str, Any],
    kept_out: Sequence[Dict[str, Any]],
    deadline_s: float,
    pipes: Optional[PipePlace] = None,
) -> Target:
    """Create it, and say what it is to be filled by. Raises CopyRefused and PostgresError."""
    create_copy(server, database, marker, manifest, deadline_s)
    with Session(server, server.maintenance_database, application_name(marker.id), deadline_s=deadline_s) as session:
        roles = role_statements.look(session, manifest["roles"])
        version = int(session.value("SELECT current_setting('server_version_num') AS v"))
    return Target(server, version, roles, tuple(entry["object"] for entry in kept_out), pipes)


def finish_copy(
    server: Server,
    database: str,
    marker: Marker,
    manifest: Dict[str, Any],
    work: WorkDirectory,
    kept_out: Sequence[Dict[str, Any]],
    deadline_s: float,
) -> Dict[str, Any]:
    """Settle what is restored, count and compare; the content of copy.json but for what is said of roles."""
    settled = settle(server, database, marker.id, manifest["settings"], kept_out, deadline_s, restored=True)
    with progress.counted(work, "of tables read") as counter:
        described = describe(server, database, marker, manifest, settled["stopped"], deadline_s, counter)
    return {**described, **settled}


def roles_there(server: Server, rehearsal_id: str, wanted: Sequence[str], deadline_s: float) -> Roles:
    """How the server stands to the roles that a dump names."""
    with Session(server, server.maintenance_database, application_name(rehearsal_id), deadline_s=deadline_s) as session:
        return role_statements.look(session, wanted)


def settle(
    server: Server,
    database: str,
    rehearsal_id: str,
    settings: Dict[str, List[str]],
    kept_out: Sequence[Dict[str, Any]],
    deadline_s: float,
    restored: bool,
) -> Dict[str, Any]:
    """Quieten a filled copy and give it production's settings; `stopped` and `settings_not_replayed` of copy.json.

    `restored`: it is no physical copy, and no event trigger has fired in it until now.
    """
    with Session(server, database, application_name(rehearsal_id), deadline_s=deadline_s) as session:
        # Before anything else connects: what production sends, a rehearsal must not send.
        stopped = [*kept_out, *outside_world.stop_jobs(session)]
        stopped += outside_world.stop(session, take_outward(session))
        if restored:
            _event_triggers(session, database, True)
        return {"stopped": stopped, "settings_not_replayed": replay_settings(session, database, settings)}


def describe(
    server: Server,
    database: str,
    marker: Marker,
    manifest: Dict[str, Any],
    stopped: Sequence[Dict[str, Any]],
    deadline_s: float,
    counter: progress.Counter,
) -> Dict[str, Any]:
    """Count a settled copy and hold it against the manifest: the rest of copy.json. `counter` is told what has been read."""
    facts, rows = measure(server, database, marker.id, deadline_s)
    fingerprint = None
    if manifest.get("fingerprint"):
        with Session(server, database, application_name(marker.id), deadline_s=deadline_s) as session:
            fingerprint = take_fingerprint(session, counter=counter)
    without = {entry["object"] for entry in outside_world.kept_out(manifest["extensions"])}
    differences = [found for found in compare(manifest, facts, rows) if found["object"] not in without]
    if fingerprint is not None:
        differences += compare_values(manifest["fingerprint"], fingerprint, stopped)
    return described(database, marker, facts, rows, differences, "counts" if fingerprint is None else "fingerprint")


def measure(server: Server, database: str, rehearsal_id: str, deadline_s: float) -> Tuple[Dict[str, Any], Dict[str, int]]:
    """Facts of a settled copy, and the rows of each of its tables."""
    # A session of its own: only a new one sees the settings that were replayed.
    with Session(server, database, application_name(rehearsal_id), _COUNTING, deadline_s) as session:
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        facts = database_facts.read_facts(session)
        rows = database_facts.count_rows(session)
        session.execute("COMMIT")
    return facts, rows


def facts_of(server: Server, database: str, rehearsal_id: str, deadline_s: float) -> Dict[str, Any]:
    """Those of a copy whose rows are known. A session of its own, as in `measure`."""
    with Session(server, database, application_name(rehearsal_id), READ_ONLY, deadline_s) as session:
        return database_facts.read_facts(session)


def described(
    database: str, marker: Marker, facts: Dict[str, Any], rows: Mapping[str, int], differences: List[Dict[str, Any]], proved_by: str
) -> Dict[str, Any]:
    """What copy.json says of a copy that was measured. `proved_by`: `counts`, `fingerprint`, `checksums`, or `nothing`."""
    return {
        "database": database,
        "marker": {"id": marker.id, "source": marker.source, "created": marker.created, "expires": marker.expires},
        "facts": facts,
        "tables": len(rows),
        "rows": sum(rows.values()),
        "differences": differences,
        "proved_by": proved_by,
    }


def is_copy(server: Server, database: str, rehearsal_id: str, deadline_s: float) -> bool:
    """Whether this rehearsal's copy is there; CopyRefused if the name belongs to anything else."""
    with Session(server, server.maintenance_database, application_name(rehearsal_id), deadline_s=deadline_s) as session:
        return require_free_or_ours(session, database, rehearsal_id)


def end_sessions(session: Session, rehearsal_id: str) -> None:
    """End every session of a rehearsal on the session's server."""
    session.rows(
        "SELECT pg_catalog.pg_terminate_backend(pid) AS ended FROM pg_catalog.pg_stat_activity "
        f"WHERE application_name = {quote_literal(application_name(rehearsal_id))}"
    )


def drop_copy(server: Server, database: str, rehearsal_id: str, deadline_s: float) -> str:
    """Drop this rehearsal's copy, whoever is connected to it: "dropped" or "absent". Anything else is refused (CopyRefused)."""
    # Another name than the rehearsal's: two clean-ups at once (two inventory names of one server are swept together) must not end each other.
    with Session(server, server.maintenance_database, CLEAN_UP_NAME, deadline_s=deadline_s) as session:
        # What still works for this rehearsal would only be in the way (a killed controller leaves its tools behind in containers).
        end_sessions(session, rehearsal_id)
        if not require_free_or_ours(session, database, rehearsal_id):
            return "absent"
        try:
            session.execute(f"DROP DATABASE {quote_identifier(database)} WITH (FORCE)")
        except PostgresError:
            # Somebody else dropped it at the same moment; what PostgreSQL says then depends on how far they were.
            if database_exists(session, database):
                raise
            return "absent"
        if database_exists(session, database):
            raise PostgresError(f"database {database} is still there after it was dropped")
        return "dropped"
