# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server brings to its databases: collations, time zone, and how busy it is. Read before a rehearsal, compared between production and dev."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session, quote_literal

_INVALID_VALUE = "22023"

# to_jsonb(d): the column is there from version 15 on.
_SERVER = """
SELECT to_jsonb(d) ->> 'datcollversion' AS collation_version,
       (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'TimeZone') AS server_time_zone,
       (SELECT coalesce(array_agg(t.spcname::text ORDER BY t.spcname), '{}') FROM pg_catalog.pg_tablespace t
        WHERE t.oid >= 16384 AND (t.oid = d.dattablespace OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.reltablespace = t.oid))) AS tablespaces
FROM pg_catalog.pg_database d WHERE d.datname = current_database()"""

# pg_dump dumps what no extension brings; an extension itself says whether it needs a superuser.
_NEEDS_SUPERUSER = """
SELECT what FROM (
    SELECT 'event trigger ' || evtname AS what, 'pg_catalog.pg_event_trigger'::regclass AS classid, oid FROM pg_catalog.pg_event_trigger
    UNION ALL SELECT 'foreign data wrapper ' || fdwname, 'pg_catalog.pg_foreign_data_wrapper'::regclass, oid FROM pg_catalog.pg_foreign_data_wrapper
    UNION ALL SELECT 'publication ' || pubname, 'pg_catalog.pg_publication'::regclass, oid FROM pg_catalog.pg_publication WHERE puballtables
    UNION ALL SELECT 'function ' || p.oid::regprocedure, 'pg_catalog.pg_proc'::regclass, p.oid
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang WHERE p.oid >= 16384 AND NOT l.lanpltrusted
) AS made
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = made.classid AND d.objid = made.oid AND d.deptype = 'e')
ORDER BY 1"""

# Others than this rehearsal's own. Of them, and of replicas, a role sees nothing without pg_read_all_stats: what would be none is null then.
# On a primary, how far its replicas are behind; on a replica, how far it is behind itself: 0 where nothing is left to replay. One that is fed
# from an archive has received nothing, and the time since its last transaction may be idle time.
_LOAD = """
WITH r AS (SELECT pg_catalog.pg_is_in_recovery() AS in_recovery, pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS sees,
                  CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn() END AS received),
     others AS (SELECT xact_start, state FROM pg_catalog.pg_stat_activity
                WHERE backend_type = 'client backend' AND application_name <> current_setting('application_name'))
SELECT r.in_recovery,
       CASE WHEN r.sees THEN (SELECT coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0) FROM others) END::float8
         AS longest_transaction_seconds,
       CASE WHEN r.sees THEN (SELECT count(*) FROM others WHERE state = 'active') END AS active_sessions,
       CASE WHEN r.in_recovery THEN
              CASE WHEN r.received <= pg_catalog.pg_last_wal_replay_lsn() THEN 0
                   WHEN r.received IS NOT NULL THEN extract(epoch FROM clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp()) END
            WHEN r.sees THEN (SELECT coalesce(extract(epoch FROM max(replay_lag)), 0) FROM pg_catalog.pg_stat_replication) END::float8
         AS replication_lag_seconds
FROM r"""


def read(session: Session) -> Dict[str, Any]:
    """`collation_version` (null before version 15, and of collations that have none), `server_time_zone`, the `tablespaces` of its tables,
    and `needs_superuser`: what in the database only a superuser can make.
    """
    needed = [row["what"] for row in session.rows(_NEEDS_SUPERUSER)]
    return {**session.row(_SERVER), "needs_superuser": needed}


def read_load(session: Session) -> Dict[str, Any]:
    """`longest_transaction_seconds`, `active_sessions`, `replication_lag_seconds` and `in_recovery` of the whole server.

    None for what the session's role, or nobody, can see. Sessions that have this one's application_name do not count.
    """
    return session.row(_LOAD)


def describe_load(load: Dict[str, Any]) -> str:
    """The same for a person, in one line."""
    active, lag = load["active_sessions"], load["replication_lag_seconds"]
    others = (
        "other sessions" if active is None else f"longest transaction {load['longest_transaction_seconds']:,.0f} s, {active} other sessions active"
    )
    behind = "replication lag" if lag is None else f"replication {lag:,.1f} s behind"
    if active is None and lag is None:
        return "other sessions and replication lag are not measured: the role lacks pg_read_all_stats"
    if active is None:
        return f"{behind}; {others} are not measured: the role lacks pg_read_all_stats"
    return f"{others}, {behind}" + (" is not measured" if lag is None else "")


def limit_problems(load: Dict[str, Any], role: str, max_lag_s: float, max_active: int) -> List[str]:
    """What stands against limits of production (0 is none): one that is passed, or one that cannot be watched."""
    problems: List[str] = []
    lag_s, active = load["replication_lag_seconds"], load["active_sessions"]
    for limit, measured, name in (
        (max_lag_s, lag_s, "rehearsal_production_max_replication_lag"),
        (max_active, active, "rehearsal_production_max_active_sessions"),
    ):
        if not limit or measured is not None:
            continue
        if load["in_recovery"] and name.endswith("lag"):
            problems.append(f"{name} is set, and how far a replica is behind that streams from no primary cannot be told: set it to 0")
        else:
            problems.append(f"{name} is set, and role {role} cannot see what it limits: GRANT pg_read_all_stats TO it, or set it to 0")
    if max_lag_s and lag_s is not None and lag_s > max_lag_s:
        problems.append(f"replication is {lag_s:,.1f} s behind, {max_lag_s:g} s are allowed (rehearsal_production_max_replication_lag)")
    if max_active and active is not None and active > max_active:
        problems.append(f"{active} other sessions are active, {max_active} are allowed (rehearsal_production_max_active_sessions)")
    return problems


def missing_locales(session: Session, production: Dict[str, Any]) -> List[str]:
    """Those of production's locales that the system of the session's server lacks: no database can be made with them."""
    missing: List[str] = []
    for name in sorted({production["collate"], production["ctype"]}):
        try:
            # Any category will do: the server asks its system.
            session.execute(f"SET lc_time = {quote_literal(name)}")
        except PostgresError as error:
            if error.sqlstate != _INVALID_VALUE:
                raise
            missing.append(name)
    session.execute("SET lc_time TO DEFAULT")
    return missing


def differences(session: Session, production: Dict[str, Any]) -> List[Tuple[str, str]]:
    """In what dev's server, asked now, will differ from production's: (object, message)."""
    return _collation(session, production) + _time_zone(session, production) + _tablespaces(session, production)


def _collation(session: Session, production: Dict[str, Any]) -> List[Tuple[str, str]]:
    collate = production["collate"]
    # Those sort by code point on every system.
    if production["locale_provider"] != "c" or collate.upper().replace("-", "") in ("C", "POSIX", "C.UTF8"):
        return []
    known, version = _libc_collation(session, collate)
    if not known:
        return [(collate, f"production sorts by collation {collate}, which dev's server does not list: the copy can be made if its system has it")]
    if version and production.get("collation_version") and version != production["collation_version"]:
        versions = f"version {production['collation_version']} on production and {version} on dev"
        return [(collate, f"collation {collate} is of {versions}: text may sort otherwise")]
    return []


def _time_zone(session: Session, production: Dict[str, Any]) -> List[Tuple[str, str]]:
    if any(setting.startswith("TimeZone=") for setting in production["settings"].get("", [])):
        return []
    here, there = read(session)["server_time_zone"], production.get("server_time_zone")
    if not there or here == there:
        return []
    return [("TimeZone", f"production's server is in time zone {there}, dev's in {here}, and the database does not set its own")]


def _tablespaces(session: Session, production: Dict[str, Any]) -> List[Tuple[str, str]]:
    wanted: List[str] = production.get("tablespaces") or []
    if not wanted:
        return []
    known = {row["spcname"] for row in session.rows("SELECT spcname FROM pg_catalog.pg_tablespace")}
    found = [(", ".join(wanted), f"production has tables in {len(wanted)} tablespaces of its own; on the copy all are in one place")]
    missing = [name for name in wanted if name not in known]
    if missing:
        found.append((", ".join(missing), "dev has no such tablespace: a migration that names it fails on the copy for that reason alone"))
    return found


def _libc_collation(session: Session, collate: str) -> Tuple[bool, Optional[str]]:
    # en_US.UTF-8 and en_US.utf8 are one collation; PostgreSQL lists it under both names or one of them.
    plain = "replace(lower({}), '-', '')"
    rows = session.rows(
        "SELECT pg_catalog.pg_collation_actual_version(c.oid) AS version FROM pg_catalog.pg_collation c "
        f"WHERE c.collprovider = 'c' AND {plain.format('c.collcollate')} = {plain.format(quote_literal(collate))} ORDER BY 1 LIMIT 1"
    )
    return bool(rows), rows[0]["version"] if rows else None
