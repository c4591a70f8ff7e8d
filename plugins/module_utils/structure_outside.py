# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What on the copy could act on the world outside it: triggers, event triggers, subscriptions, foreign servers, scheduled jobs.

NOTIFY is told, and does not count as reaching out: it is heard in the same database only, and nobody listens on a copy.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Pattern

from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import INFO
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.structure_touched import Finding, Touched, finding
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import text

CODE = "outside-world"

_SCHEDULERS = ("pg_cron", "pgagent", "pg_timetable", "timescaledb")
_SENDS = re.compile(
    r"\b(dblink\w*|lo_export|pg_background_launch|aws_lambda\.\w+|net\.http\w*|http|http_(?:get|post|put|patch|delete|head)|urlencode)\s*\("
    r"|\b(COPY)\b[^;]*\b(?:PROGRAM|TO\s+')",
    re.IGNORECASE,
)
_NOTIFIES = re.compile(r"\b(pg_notify)\s*\(|\b(NOTIFY)\s+[\w\"]", re.IGNORECASE)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
# Wrappers that open no connection for a role without a user mapping.
_MAPPED_ONLY = ("postgres_fdw", "dblink_fdw")
_CALL = re.compile(r"([A-Za-z_][\w$]*)\s*\(")


def check(snapshot: Mapping[str, Any], touched: Touched) -> Iterator[Finding]:
    reaching = senders(snapshot["functions"])
    heard = {name: reason for name, reason in notifiers(snapshot["functions"]).items() if name not in reaching}
    for relations in (snapshot["tables"], snapshot["views"]):
        for name, relation in relations.items():
            for trigger, record in relation["triggers"].items():
                if record["enabled"] not in ("origin", "always"):
                    continue
                reason = reaching.get(record["function"])
                is_new = touched.part("trigger", name, column_name(name, trigger)) or touched.object("function", record["function"])
                if reason:
                    yield finding(
                        CODE, column_name(name, trigger), is_new,
                        text("trigger on {table} is enabled and runs {function}: {reason}", table=name, function=record["function"], reason=reason),
                        f"ALTER TABLE {name} DISABLE TRIGGER {trigger} on the copy before it is migrated",
                    )  # fmt: skip
                elif record["function"] in heard:
                    said = text(
                        "trigger on {table} runs {function}: {reason}", table=name, function=record["function"], reason=heard[record["function"]]
                    )
                    yield finding(CODE, column_name(name, trigger), is_new, _unheard(said), "nothing, as long as nobody listens on the copy", INFO)
    for name, record in snapshot["event_triggers"].items():
        if record["enabled"] in ("origin", "always"):
            reason = reaching.get(record["function"])
            notifies = heard.get(record["function"])
            runs = text("event trigger on {event} is enabled and runs {function}", event=record["event"], function=record["function"])
            yield finding(
                CODE, name, touched.object("event trigger", name),
                text("{runs}: {reason}", runs=runs, reason=reason) if reason
                else _unheard(text("{runs}: {reason}", runs=runs, reason=notifies)) if notifies else runs,
                f"ALTER EVENT TRIGGER {name} DISABLE on the copy, unless the migrations need it",
                None if reason or not notifies else INFO,
            )  # fmt: skip
    for name, record in snapshot["subscriptions"].items():
        if record["enabled"]:
            yield finding(
                CODE, name, touched.object("subscription", name),
                text("subscription is enabled: it takes rows, and a replication slot, from its publisher"),
                f"ALTER SUBSCRIPTION {name} DISABLE, then SET (slot_name = NONE), on the copy",
            )  # fmt: skip
    for name, record in snapshot["foreign_servers"].items():
        if not record["user_mappings"] and record["wrapper"] in _MAPPED_ONLY:
            continue
        mapped = ", ".join(record["user_mappings"]) or text("nobody")
        yield finding(
            CODE, name, touched.object("foreign server", name),
            text("foreign server ({wrapper}) is there; user mappings: {mapped}", wrapper=record["wrapper"], mapped=mapped),
            "drop its user mappings on the copy, or keep the copy's server from reaching it",
        )  # fmt: skip
    for name in _SCHEDULERS:
        if name in snapshot["extensions"]:
            yield finding(
                CODE, name, touched.object("extension", name),
                text("extension {name} is installed: it may run scheduled jobs", name=name),
                "keep its background worker from starting on the server of the copy",
            )  # fmt: skip


def _unheard(said: str) -> str:
    return text("{said}; only listeners of the copy's own database would hear it, so it stays enabled", said=said)


def senders(functions: Mapping[str, Mapping[str, Any]]) -> Dict[str, str]:
    """Functions that could reach beyond the database, with the reason; also those that call one of them."""
    return _with_callers(functions, _reason)


def notifiers(functions: Mapping[str, Mapping[str, Any]]) -> Dict[str, str]:
    """Functions that send a NOTIFY, with the reason; also those that call one of them."""
    return _with_callers(functions, lambda _record, body: _uses(_NOTIFIES, body))


def _with_callers(functions: Mapping[str, Mapping[str, Any]], reason_of: Callable[[Mapping[str, Any], str], Optional[str]]) -> Dict[str, str]:
    found: Dict[str, str] = {}
    calls = {}
    for name, record in functions.items():
        body = _COMMENT.sub("", record["definition"])
        calls[name] = set(_CALL.findall(body))
        reason = reason_of(record, body)
        if reason:
            found[name] = reason
    while True:
        named = {functions[name]["name"]: name for name in sorted(found)}
        new = {name: sorted(called & named.keys()) for name, called in calls.items() if name not in found and called & named.keys()}
        if not new:
            return found
        found.update((name, text("calls {function}", function=named[called[0]])) for name, called in new.items())


def _reason(record: Mapping[str, Any], body: str) -> Optional[str]:
    if not record["trusted"] and record["language"] != "internal" and record["kind"] != "aggregate":
        return text("language {language} may do anything", language=record["language"])
    return _uses(_SENDS, body)


def _uses(words: Pattern[str], body: str) -> Optional[str]:
    match = words.search(body)
    return text("uses {word}", word=next(word for word in match.groups() if word)) if match else None
