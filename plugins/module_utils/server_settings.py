# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings and roles of production's server, read there, and given to a server that is made for the copy.

Only what decides how migrations run: plans, locks, time zones and formats, durability, memory. What reaches out of the server (replication,
archiving, certificates, addresses) is never among it.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session, quote_identifier, quote_literal
from ansible_collections.migrations.rehearsal.plugins.module_utils.setting_text import setting_clause

# Grouped as in PostgreSQL's documentation.
_PLANS = """
effective_cache_size effective_io_concurrency maintenance_io_concurrency random_page_cost seq_page_cost cpu_tuple_cost cpu_index_tuple_cost
cpu_operator_cost parallel_setup_cost parallel_tuple_cost min_parallel_table_scan_size min_parallel_index_scan_size max_parallel_workers
max_parallel_workers_per_gather max_parallel_maintenance_workers max_worker_processes parallel_leader_participation default_statistics_target
constraint_exclusion cursor_tuple_fraction from_collapse_limit join_collapse_limit plan_cache_mode recursive_worktable_factor geqo geqo_threshold
geqo_effort jit jit_above_cost jit_inline_above_cost jit_optimize_above_cost enable_async_append enable_bitmapscan enable_gathermerge
enable_hashagg enable_hashjoin enable_incremental_sort enable_indexonlyscan enable_indexscan enable_material enable_memoize enable_mergejoin
enable_nestloop enable_parallel_append enable_parallel_hash enable_partition_pruning enable_partitionwise_aggregate enable_partitionwise_join
enable_presorted_aggregate enable_seqscan enable_sort enable_tidscan
"""
_MEMORY = "shared_buffers temp_buffers work_mem maintenance_work_mem hash_mem_multiplier logical_decoding_work_mem max_stack_depth"
_LOCKS = """
lock_timeout statement_timeout idle_in_transaction_session_timeout transaction_timeout deadlock_timeout max_locks_per_transaction
max_pred_locks_per_transaction max_pred_locks_per_relation max_pred_locks_per_page max_connections max_prepared_transactions
default_transaction_isolation default_transaction_deferrable
"""
_WRITING = """
wal_level full_page_writes synchronous_commit commit_delay commit_siblings wal_compression wal_log_hints wal_skip_threshold checkpoint_timeout
checkpoint_completion_target max_wal_size min_wal_size bgwriter_delay bgwriter_lru_maxpages default_toast_compression vacuum_cost_delay
vacuum_cost_limit vacuum_freeze_min_age vacuum_freeze_table_age autovacuum autovacuum_naptime autovacuum_max_workers autovacuum_vacuum_threshold
autovacuum_vacuum_scale_factor autovacuum_analyze_threshold autovacuum_analyze_scale_factor autovacuum_vacuum_cost_delay
autovacuum_vacuum_cost_limit
"""
_FORMATS = """
TimeZone timezone_abbreviations DateStyle IntervalStyle lc_monetary lc_numeric lc_time default_text_search_config extra_float_digits bytea_output
xmlbinary xmloption search_path row_security check_function_bodies standard_conforming_strings backslash_quote escape_string_warning array_nulls
transform_null_equals quote_all_identifiers password_encryption default_table_access_method default_tablespace
"""
REPLAYED = frozenset(f"{_PLANS} {_MEMORY} {_LOCKS} {_WRITING} {_FORMATS}".split())
# The first major version that has event triggers for logins, and a setting that keeps all of them still.
LOGIN_TRIGGERS_SINCE = 17
# What starts with the server. These act on their own: they run jobs, or carry rows elsewhere.
PRELOADED = "shared_preload_libraries"
ACTING_LIBRARIES = frozenset(["pg_cron", "pglogical", "bdr", "pg_partman_bgw", "pg_failover_slots", "repmgr", "patroni", "pgactive", "pg_net"])
# A value from here is the server's own; others are of the role or the database, and are replayed as such.
_SERVER_SOURCES = ("configuration file", "command line", "environment variable", "override", "global", "default")

_SETTINGS = f"""
SELECT s.name, s.reset_val AS value FROM pg_catalog.pg_settings s
WHERE s.source IN ({", ".join(map(quote_literal, _SERVER_SOURCES))}) AND s.reset_val IS DISTINCT FROM s.boot_val AND s.name IN (%s)
ORDER BY 1"""

_ROLES = """
SELECT r.rolname AS name, r.oid = 10 AS first, r.rolsuper AS superuser, r.rolinherit AS inherit, r.rolcreaterole AS createrole,
       r.rolcreatedb AS createdb, r.rolcanlogin AS login, r.rolbypassrls AS bypassrls,
       coalesce((SELECT array_agg(c) FROM unnest(r.rolconfig) AS c WHERE split_part(c, '=', 1) !~ '[.]'), '{}') AS settings,
       coalesce((SELECT jsonb_agg(jsonb_build_object('role', g.rolname, 'admin', m.admin_option, 'inherit', to_jsonb(m) -> 'inherit_option',
                                                     'set', to_jsonb(m) -> 'set_option') ORDER BY g.rolname)
                 FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid), '[]') AS member_of
FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1"""


def read(session: Session) -> Dict[str, Any]:
    """Settings that differ from PostgreSQL's own, and all roles without their passwords: {"settings": {NAME: value}, "roles": [...]}.

    The session must have none of these settings of its own: what it sets itself hides what the server has.
    An application's own settings (with a dot in their name) can hold secrets, and are left out.
    """
    names = ", ".join(quote_literal(name) for name in sorted({*REPLAYED, PRELOADED}))
    return {
        "settings": {row["name"]: row["value"] for row in session.rows(_SETTINGS % names)},
        "roles": session.rows(_ROLES),
        "first_role": next((row["name"] for row in session.rows(_ROLES) if row["first"]), "postgres"),
    }


def create_roles(session: Session, roles: List[Mapping[str, Any]]) -> List[str]:
    """Production's roles, without their passwords, on a server that has only its first one; what could not be done, in words."""
    known = {row["rolname"] for row in session.rows("SELECT rolname FROM pg_catalog.pg_roles")}
    for role in roles:
        verb = "ALTER" if role["name"] in known else "CREATE"
        if not role["first"]:
            session.execute(f"{verb} ROLE {quote_identifier(role['name'])} {' '.join(_attributes(role))}")
    failures: List[str] = []
    for role in roles:
        member = quote_identifier(role["name"])
        for granted in role["member_of"]:
            statements = [f"GRANT {quote_identifier(granted['role'])} TO {member}{_grant_options(granted)}"]
            failures += _try(session, statements, f"membership of {role['name']} in {granted['role']}")
        for assignment in role["settings"]:
            failures += _try(session, [f"ALTER ROLE {member} SET {setting_clause(*assignment.split('=', 1))}"], f"setting of role {role['name']}")
    return failures


def _attributes(role: Mapping[str, Any]) -> List[str]:
    names = ("superuser", "inherit", "createrole", "createdb", "login", "bypassrls")
    return [name.upper() if role[name] else f"NO{name.upper()}" for name in names]


def _grant_options(granted: Mapping[str, Any]) -> str:
    options = ["ADMIN TRUE"] if granted["admin"] else []
    options += [f"{name.upper()} {'TRUE' if granted[name] else 'FALSE'}" for name in ("inherit", "set") if granted.get(name) is not None]
    if granted.get("inherit") is None:
        return " WITH ADMIN OPTION" if granted["admin"] else ""
    return f" WITH {', '.join(options)}"


def _try(session: Session, statements: List[str], what: str) -> List[str]:
    try:
        for statement in statements:
            session.execute(statement)
    except PostgresError as error:
        return [f"{what}: {error.message}"]
    return []
