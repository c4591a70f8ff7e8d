# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At the host: upgrade or downgrade the copy with the application's own Alembic, fenced and timed."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    application,
    application_arguments,
    arguments,
    ephemeral,
    failure_facts,
    files,
    progress_database,
    timeline,
    words,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.application_facts import FILE, facts_of
from ansible_collections.migrations.rehearsal.plugins.module_utils.application_masking import Event
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.migration_findings import findings_of
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import registered
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Look
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import MANIFEST


def _facts(p: Dict[str, Any], outcome: application.Outcome) -> str:
    if not p["database"] or outcome.error is None:
        return ""
    try:
        manifest = files.read_json(arguments.work_directory(p, "dev").file(MANIFEST))
        roles = {*manifest["roles"], *(role["name"] for role in manifest.get("server", {}).get("roles", ()))}
    except (OSError, ValueError, KeyError):
        roles = set()
    try:
        with Session(
            arguments.server(p["postgres"], p["id"]), p["database"], f"rehearsal {p['id']}", deadline_s=2 * failure_facts.COUNT_TIMEOUT_S
        ) as session:
            return failure_facts.facts_of(session, outcome.error, roles)
    except PostgresError as error:
        return f"what stands in the way could not be looked up: {error}"


class _Seen:
    """How far the migrations are, by the agent's events. `on_plan` gets those that came until it was known what is to be run."""

    def __init__(self, what: str, on_plan: Callable[[List[Event]], None]) -> None:
        self._what, self._planned, self._begun, self._revision = what, 0, 0, ""
        self._first: List[Event] = []
        self._on_plan = on_plan

    def on_event(self, event: Event) -> None:
        if not self._begun:
            self._first.append(event)
        if event["event"] == "plan":
            self._planned = len(event["steps"])
            self._on_plan(self._first)
        elif event["event"] == "revision_begin":
            self._begun, self._revision = self._begun + 1, event["revision"]

    def look(self) -> Look:
        # One that has begun is not done; that it has ended is told with what comes after it.
        done = max(self._begun - 1, 0)
        return Look(self._what, done, self._planned, "revisions", detail=f"{self._revision} runs" if self._revision else "")


OPTIONS: Dict[str, Any] = {
    "argument_spec": {
        **arguments.REHEARSAL,
        "postgres": arguments.POSTGRES,
        "database": {"type": "str"},
        "application": application_arguments.APPLICATION,
        "direction": {"type": "str", "choices": ["upgrade", "downgrade"], "required": True},
        "target": {"type": "str", "default": "head"},
        "run": {"type": "str", "choices": ["upgrade", "downgrade", "again"], "required": True},
        "timeout": {"type": "float", "default": 3600},
    },
    "supports_check_mode": True,
}


def run(module: AnsibleModule) -> None:
    """Migrate."""
    p = module.params
    module.no_log_values = application_arguments.secrets_of(p["application"])
    if module.check_mode:
        module.exit_json(changed=True, revisions=[], heads=[], summary=f"would {p['direction']} the copy to {p['target']}")
    work = arguments.work_directory(p, "dev")
    events = work.file("evidence", f"migration-{p['run']}.jsonl")

    where = (lambda: arguments.server(p["postgres"], p["id"])) if p["database"] else None

    def note(first: List[Event]) -> None:
        # Before the first revision runs: a run that is cut off later is told of with it.
        if p["run"] == "upgrade":
            files.write_json(work.file("evidence", FILE), facts_of(first, p["target"]))

    try:
        waited = ephemeral.settle_on_disk(work, p["id"], p["timeout"])
    except RehearsalError as error:
        module.fail_json(msg=str(error), findings=error.findings())
    if waited is not None:
        files.write_json(work.file("evidence", "flush.json"), {"seconds": round(waited, 3)})

    seen = _Seen(f"{p['direction']}d", note)
    with registered(work), progress_database.migrated(work, where, p["database"], p["id"], seen.look):
        outcome = application.run(
            application_arguments.application(p["application"], p["timeout"]),
            p["direction"],
            marker_id=p["id"],
            target=p["target"],
            events_path=events,
            log_path=work.file("evidence", "application.log"),
            on_event=seen.on_event,
            pid_path=work.file("running", "application"),
        )
    ended = [event for event in outcome.events if event["event"] == "revision_end"]
    revisions = [{"revision": event["revision"], "message": event["message"], "seconds": event["ms"] / 1000} for event in ended]
    findings = findings_of(outcome, p["run"], _facts(p, outcome))
    if findings:
        module.fail_json(msg=findings[0]["message"], findings=findings, revisions=revisions)
    done = outcome.last("done") or {}
    spans = timeline.spans(outcome.events)
    took = words.duration(timeline.whole_s(spans) * 1000 if spans else 0.0)
    summary = f"{len(revisions)} revisions in {took}, now at {', '.join(done.get('heads', [])) or 'no revision'}"
    current = (outcome.last("current") or {}).get("heads", [])
    module.exit_json(changed=bool(revisions), revisions=revisions, current=current, heads=done.get("heads", []), summary=summary)
