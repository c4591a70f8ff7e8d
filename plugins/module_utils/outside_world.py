# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop what on a fresh copy could act on the world outside it: event triggers, subscriptions, triggers, scheduled jobs.

A rehearsal must not send what production sends. Only what reaches out is stopped: a trigger that keeps another table in step is part of what is
rehearsed. The jobs of pgAgent and pg_timetable are disabled in their tables, before the first fingerprint is taken. pg_cron never gets as far:
PostgreSQL makes it in one database of a server only, whose jobs its launcher then runs, so it stays out of the copy with all that is in its schema.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, List, Mapping, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import structure_outside
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name, object_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session, quote_identifier, quote_literal

Stopped = Dict[str, Any]

_ENABLED = ("origin", "always")

# Extensions that no copy gets, with the schema that goes with each.
KEPT_OUT: Dict[str, str] = {"pg_cron": "cron"}

# (schema, table, column that is true for a job that runs, columns that the table's own trigger changes with it)
_JOBS: Tuple[Tuple[str, str, str, Tuple[str, ...]], ...] = (
    ("pgagent", "pga_job", "jobenabled", ("jobnextrun",)),
    ("timetable", "chain", "live", ()),
    ("cron", "job", "active", ()),
)


def stop(session: Session, catalog: Mapping[str, Any]) -> List[Stopped]:
    """Disable it in the session's database, of which `catalog` is what `snapshot.take_outward` read.

    One entry for each: {"kind", "object", "reason", "error"}; `error` is the server's word where it could not be stopped, else null.
    """
    stopped: List[Stopped] = []
    for entry in to_stop(catalog):
        entry["error"] = None
        try:
            for statement in entry.pop("statements"):
                session.execute(statement)
        except PostgresError as error:
            entry["error"] = error.message
        stopped.append(entry)
    return stopped


def stop_jobs(session: Session) -> List[Stopped]:
    """Disable scheduled jobs: entries as `stop` gives them, with `changed`: the columns that differ from production's because of it."""
    stopped: List[Stopped] = []
    for schema, table, column, others in _JOBS:
        name = object_name(schema, table)
        there = session.value(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid "
            "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
            f"WHERE n.nspname = {quote_literal(schema)} AND c.relname = {quote_literal(table)} AND a.attname = {quote_literal(column)} "
            "AND a.atttypid = 'pg_catalog.bool'::regtype AND c.relkind = 'r')"
        )
        enabled = f"SELECT count(*) AS v FROM {schema}.{table} WHERE {column}"
        jobs = session.value(enabled) if there else 0
        if not jobs:
            continue
        entry: Stopped = {"kind": "scheduled jobs", "object": name, "reason": f"{jobs} would run by the clock", "error": None, "changed": []}
        try:
            _disable(session, f"UPDATE {schema}.{table} SET {column} = false WHERE {column}")
            left = session.value(enabled)
            # A policy, or a trigger, may keep rows from an UPDATE without an error.
            entry["error"] = f"{left} of them are enabled still" if left else None
        except PostgresError as error:
            entry["error"] = error.message
        entry["changed"] = [column_name(name, one) for one in (column, *others)]
        stopped.append(entry)
    return stopped


def _disable(session: Session, statement: str) -> None:
    try:
        session.execute(statement)
    except PostgresError:
        # pg_cron's own trigger fails in a server that does not preload it; a physical copy has the trigger, and its server never preloads it.
        session.execute("SET session_replication_role = replica")
        try:
            session.execute(statement)
        finally:
            session.execute("SET session_replication_role = DEFAULT")


def kept_out(extensions: Iterable[str]) -> List[Stopped]:
    """The extensions of production that the copy does not have, in the form of `stop`."""
    return [
        {"kind": "extension", "object": name, "reason": "its launcher would run production's jobs", "error": None, "schema": KEPT_OUT[name]}
        for name in sorted(extensions)
        if name in KEPT_OUT
    ]


def to_stop(catalog: Mapping[str, Any]) -> Iterator[Dict[str, Any]]:
    """What reaches out, with the statement that stops it; event triggers first, for they see the others being stopped."""
    senders = structure_outside.senders(catalog["functions"])
    for name, record in catalog["event_triggers"].items():
        if record["enabled"] in _ENABLED and record["function"] in senders:
            reason = f"runs {record['function']}: {senders[record['function']]}"
            yield _entry("event trigger", name, reason, f"ALTER EVENT TRIGGER {quote_identifier(name)} DISABLE")
    for name, record in catalog["subscriptions"].items():
        if record["enabled"]:
            yield _entry("subscription", name, "takes rows from its publisher", f"ALTER SUBSCRIPTION {quote_identifier(name)} DISABLE")
    for name, table in catalog["tables"].items():
        for trigger, record in table["triggers"].items():
            if record["enabled"] in _ENABLED and record["function"] in senders and not record["inherited"]:
                relation = f"{quote_identifier(table['schema'])}.{quote_identifier(table['name'])}"
                reason = f"runs {record['function']}: {senders[record['function']]}"
                yield _entry("trigger", column_name(name, trigger), reason, f"ALTER TABLE {relation} DISABLE TRIGGER {quote_identifier(trigger)}")
    for name, record in catalog["foreign_servers"].items():
        if record["user_mappings"]:
            # Without one there is no connection, be it of a superuser. An option of the server can differ with every wrapper; this does not.
            drops = [f"DROP USER MAPPING FOR {_mapped(user)} SERVER {quote_identifier(name)}" for user in record["user_mappings"]]
            yield _entry("foreign server", name, "its user mappings open a connection to another server", *drops)


def _mapped(user: str) -> str:
    # The view's word for all roles; no role can be called so.
    return "PUBLIC" if user == "public" else quote_identifier(user)


def _entry(kind: str, name: str, reason: str, *statements: str) -> Dict[str, Any]:
    return {"kind": kind, "object": name, "reason": reason, "statements": statements}
