# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop what on a fresh copy could act on the world outside it: event triggers, subscriptions, triggers.

A rehearsal must not send what production sends. Only what reaches out is stopped: a trigger that keeps another table in step is part of what is
rehearsed. A scheduler (pg_cron, pgAgent) runs the jobs of databases by their name, and the copy's is not among them.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping

from ansible_collections.migrations.rehearsal.plugins.module_utils import structure_outside
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session, quote_identifier

Stopped = Dict[str, Any]

_ENABLED = ("origin", "always")


def stop(session: Session, catalog: Mapping[str, Any]) -> List[Stopped]:
    """Disable it in the session's database, of which `catalog` is the snapshot.

    One entry for each: {"kind", "object", "reason", "error"}; `error` is the server's word where it could not be stopped, else null.
    """
    stopped: List[Stopped] = []
    for entry in to_stop(catalog):
        entry["error"] = None
        try:
            session.execute(entry.pop("statement"))
        except PostgresError as error:
            entry["error"] = error.message
        stopped.append(entry)
    return stopped


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


def _entry(kind: str, name: str, reason: str, statement: str) -> Dict[str, Any]:
    return {"kind": kind, "object": name, "reason": reason, "statement": statement}
