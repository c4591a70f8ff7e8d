# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server brings to its databases: collations, time zone, and how busy it is. Read before a rehearsal, compared between production and dev."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session, quote_literal

# to_jsonb(d): the column is there from version 15 on.
_SERVER = """
SELECT to_jsonb(d) ->> 'datcollversion' AS collation_version,
       (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'TimeZone') AS server_time_zone
FROM pg_catalog.pg_database d WHERE d.datname = current_database()"""

# Other sessions: the role's own, or all where it may see them (pg_read_all_stats).
_LOAD = """
SELECT coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0)::float8 AS longest_transaction_seconds,
       count(*) FILTER (WHERE state = 'active') AS active_sessions,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN
         CASE WHEN pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() THEN 0
              ELSE coalesce(extract(epoch FROM clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp()), 0) END
       ELSE coalesce((SELECT extract(epoch FROM max(replay_lag)) FROM pg_catalog.pg_stat_replication), 0) END::float8 AS replication_lag_seconds
FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid()"""


def read(session: Session) -> Dict[str, Any]:
    """`collation_version` (null before version 15, and of collations that have none) and `server_time_zone`."""
    return session.row(_SERVER)


def read_load(session: Session) -> Dict[str, Any]:
    """`longest_transaction_seconds`, `active_sessions`, `replication_lag_seconds` and `in_recovery` of the whole server."""
    return session.row(_LOAD)


def describe_load(load: Dict[str, Any]) -> str:
    """The same for a person, in one line."""
    lag = f"replication {load['replication_lag_seconds']:,.1f} s behind"
    return f"longest transaction {load['longest_transaction_seconds']:,.0f} s, {load['active_sessions']} other sessions active, {lag}"


def differences(session: Session, production: Dict[str, Any]) -> List[Tuple[str, str]]:
    """In what dev's server, asked now, will differ from production's: (object, message)."""
    return _collation(session, production) + _time_zone(session, production)


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


def _libc_collation(session: Session, collate: str) -> Tuple[bool, Optional[str]]:
    # en_US.UTF-8 and en_US.utf8 are one collation; PostgreSQL lists it under both names or one of them.
    plain = "replace(lower({}), '-', '')"
    rows = session.rows(
        "SELECT pg_catalog.pg_collation_actual_version(c.oid) AS version FROM pg_catalog.pg_collation c "
        f"WHERE c.collprovider = 'c' AND {plain.format('c.collcollate')} = {plain.format(quote_literal(collate))} ORDER BY 1 LIMIT 1"
    )
    return bool(rows), rows[0]["version"] if rows else None
