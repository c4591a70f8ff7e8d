# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for the deploy: the commands in order, what limits each, how long each takes by what was measured, and the ways back. Pure."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Collection, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import other_mode, timeline
from ansible_collections.migrations.rehearsal.plugins.module_utils.deploy_commands import Production
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import Evidence
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import PRODUCTION
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import text

# A lock that is not free within this is tried for again rather than waited for: what waits behind it is traffic.
_LOCK_TIMEOUT_S = 5
# A statement that takes so many times what it took on the copy is ended; one that is quick may take this long.
_STATEMENT_SHARE, _STATEMENT_TIMEOUT_S = 10, 60
# Drivers that give libpq's variables to the server; others do not read PGOPTIONS.
_LIBPQ = ("psycopg", "psycopg2")
# What starts a process elsewhere, without the environment that is given here.
_CONTAINERS = ("docker", "podman", "docker-compose", "podman-compose", "kubectl", "nerdctl")


def deploy_plan(
    evidence: Evidence, codes: Collection[str], way_back: Optional[Mapping[str, Any]], settings: Sequence[str] = ()
) -> Optional[Dict[str, Any]]:
    """{"steps": [step, …], "ways_back": [step, …], "notes": [{"text"}, …]}; None where the upgrade did not come to its end.

    A step: {"what", "title", "command": argv or null, "environment", "input", "output", "revision", "seconds", "blocked_ms", "expect"}; `what` is
    "backup", "look", "limit", "upgrade", "unlimit", "verify", "downgrade", "create" or "restore"; `input` and `output` are files for standard input
    and output, or null. `codes` are those of the findings, `settings` the names of what ALTER DATABASE set. Alembic's commands are those of the
    rehearsal on dev, with the values of -x left out: the record never has them.
    """
    events = evidence.migrations.get("upgrade", [])
    heads, spans = _heads(events), timeline.spans(events)
    if heads is None or not spans:
        return None
    before = _revisions_before(evidence)
    production = Production(evidence.context.get("production_postgres") or {}, evidence.context["database"])
    limits = _limits(evidence, "upgrade")
    each = "one-transaction-holds-all" in codes
    upgrade = _each(evidence, spans, limits) if each else [_all_at_once(evidence, spans, heads, limits)]
    steps = [
        _backup(evidence, production),
        _step("look", text("See that production is where it was"), _alembic(evidence, "current"), expect=_at(before)),
        *_within(limits, production, upgrade),
        _step("verify", text("See that production is where it should be"), _alembic(evidence, "current"), expect=_at(heads)),
    ]
    notes = [*_notes(evidence, production, limits), *_when_a_limit_strikes(events, each)]
    if way_back is not None and way_back["restore_seconds"] is not None and settings:
        notes.append(text("The restored database lacks what ALTER DATABASE set for it; set it there too: {settings:list}.", settings=list(settings)))
    return {
        "steps": steps,
        "ways_back": _ways_back(evidence, before, way_back, production) if way_back else [],
        "notes": [{"text": note} for note in notes],
    }


def _step(
    what: str,
    title: str,
    command: Optional[List[str]],
    *,
    environment: Optional[Mapping[str, str]] = None,
    from_file: Optional[str] = None,
    to_file: Optional[str] = None,
    revision: Optional[str] = None,
    seconds: Optional[float] = None,
    blocked_ms: Optional[float] = None,
    expect: Optional[str] = None,
) -> Dict[str, Any]:
    return {
        "what": what,
        "title": title,
        "command": command,
        "environment": dict(environment or {}),
        "input": from_file,
        "output": to_file,
        "revision": revision,
        "seconds": seconds,
        "blocked_ms": blocked_ms,
        "expect": expect,
    }


def _alembic(evidence: Evidence, *words: str) -> List[str]:
    """Alembic's command line as the inventory describes it."""
    application = evidence.context["application"]
    section = ["-n", application["section"]] if application.get("section") else []
    alone = application.get("x_alone") or ()
    given = [word for name in application.get("x") or () for word in ("-x", name if name in alone else f"{name}=…")]
    config = ["-c", application["config"]] if application.get("config") else []
    return [*application["command"], "-m", "alembic", *config, *section, *given, *words]


def _each(evidence: Evidence, spans: Sequence[timeline.Span], limits: Limits) -> List[Dict[str, Any]]:
    """One command for each revision."""
    events = evidence.migrations["upgrade"]
    alone = other_mode.each_alone_ms(events, timeline.holds(events))
    return [
        _step(
            "upgrade",
            text("Apply revision {revision}: {message}", revision=span.revision, message=span.message),
            _alembic(evidence, "upgrade", span.revision),
            environment=limits.environment,
            revision=span.revision,
            seconds=round(span.ms / 1000, 3),
            blocked_ms=round(alone.get(span.revision, 0.0), 3),
        )
        for span in spans
    ]


def _all_at_once(evidence: Evidence, spans: Sequence[timeline.Span], heads: List[str], limits: Limits) -> Dict[str, Any]:
    events = evidence.migrations["upgrade"]
    return _step(
        "upgrade",
        text("Apply {count:count revision|revisions}", count=len(spans)),
        _alembic(evidence, "upgrade", heads[0] if len(heads) == 1 else _target(events)),
        environment=limits.environment,
        seconds=timeline.whole_s(spans),
        blocked_ms=timeline.downtime_ms(timeline.blocked(events)),
    )


def _within(limits: Limits, production: Production, steps: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """The steps, between those that give the migrations' role its limits and take them back, where its driver takes none from the environment."""
    if limits.environment or not limits.role:
        return steps
    return [
        _step(
            "limit",
            text("Limit new sessions of role {role} in this database: those of the application too, for as long as it lasts", role=limits.role),
            production.limit(limits.role, limits.wanted),
            environment=production.environment,
        ),
        *steps,
        _step(
            "unlimit",
            text("Take the limits of role {role} back, also after a failure", role=limits.role),
            production.unlimit(limits.role, limits.wanted),
            environment=production.environment,
        ),
    ]


def _dump_file(evidence: Evidence) -> str:
    return f"{evidence.context['database']}-before-{(_heads(evidence.migrations['upgrade']) or ['upgrade'])[0]}.dump"


def _backup(evidence: Evidence, production: Production) -> Dict[str, Any]:
    manifest = evidence.manifest or {}
    taken = [stage["seconds"] for stage in evidence.stages if stage["name"] == "backup" and stage["status"] == "ok"]
    packed = sum(file["bytes"] for file in (manifest.get("files") or {}).values())
    return _step(
        "backup",
        text("Back up production"),
        production.dump(),
        environment=production.environment,
        to_file=_dump_file(evidence),
        seconds=round(float(sum(taken)), 3) if taken else None,
        expect=text("about {bytes:size}", bytes=packed) if packed else None,
    )


def _at(revisions: Sequence[str]) -> str:
    return text("at revision {revisions:list}", revisions=list(revisions)) if revisions else text("at no revision")


@dataclasses.dataclass(frozen=True)
class Limits:
    """What limits the statements of a run, and how that reaches the server: through the environment, or as settings of a role."""

    wanted: Sequence[Tuple[str, str]]
    drivers: Collection[str]
    role: str

    @property
    def environment(self) -> Dict[str, str]:
        """PGOPTIONS, where all the drivers read it."""
        if not self.drivers or not set(self.drivers) <= set(_LIBPQ):
            return {}
        return {"PGOPTIONS": " ".join(f"-c {name}={value}" for name, value in self.wanted)}


def _limits(evidence: Evidence, run: str) -> Limits:
    """By what the run itself took on the copy: a way back may take far longer than the upgrade."""
    events = evidence.migrations.get(run, [])
    longest_ms = max((float(event["t1"]) - float(event["t0"]) for event in events if event["event"] == "statement"), default=0.0)
    allowed_s = max(_STATEMENT_TIMEOUT_S, math.ceil(longest_ms / 1000 * _STATEMENT_SHARE))
    connections = [event for event in events if event["event"] == "connection" and event.get("through") != "observer"]
    roles = {str((event.get("address") or {}).get("user") or "") for event in connections} - {""}
    return Limits(
        wanted=(("lock_timeout", f"{_LOCK_TIMEOUT_S}s"), ("statement_timeout", f"{allowed_s}s")),
        drivers=sorted({str(event["driver"]) for event in connections}),
        role=roles.pop() if len(roles) == 1 else "",
    )


def _notes(evidence: Evidence, production: Production, limits: Limits) -> List[str]:
    application = evidence.context["application"]
    notes: List[str] = [text("Commands are those that dev was rehearsed with; on production, start the application's Python in its own way.")]
    if production.place:
        host = evidence.context["production_host"]
        notes.append(text("PostgreSQL's commands are for {host}, as its inventory reaches the server; they need a role that may do it.", host=host))
    else:
        notes.append(text("How production's server is reached was not part of this rehearsal: add host, port and user to PostgreSQL's commands."))
    valued = [f"-x {name}=…" for name in application.get("x") or () if name not in (application.get("x_alone") or ())]
    if valued:
        notes.append(text("The values of -x are left out: {names:list}.", names=valued))
    if application.get("options") or application.get("wrapper"):
        notes.append(text("The rehearsal set options of Alembic's configuration or wrapped env.py; production must have the same in its own way."))
    program = str(application["command"][0]).rpartition("/")[2] if application.get("command") else ""
    if limits.environment and program in _CONTAINERS:
        notes.append(text("PGOPTIONS must reach the application's own process: give it to the container too (exec -e PGOPTIONS)."))
    driver = ", ".join(limits.drivers) or "?"
    if not limits.environment and limits.role:
        values = {"driver": driver, "role": limits.role}
        notes.append(text("{driver} does not read PGOPTIONS, hence the limits of role {role}: name production's own role for it.", **values))
    elif not limits.environment:
        notes.append(
            text(
                "{driver} does not read PGOPTIONS: set the limits for the migrations' role instead, in this database: {settings:list}.",
                driver=driver,
                settings=[f"{name} = '{value}'" for name, value in limits.wanted],
            )
        )
    return notes


def _when_a_limit_strikes(events: Sequence[timeline.Event], each: bool) -> List[str]:
    """What lock_timeout and statement_timeout leave behind depends on where the commits are."""
    outside = list(dict.fromkeys(event["revision"] for event in events if event.get("autocommit") and event.get("revision")))
    notes: List[str] = []
    if each:
        notes.append(text("One command for each revision: in one transaction every lock would be held to its end."))
    if outside:
        notes.append(
            text(
                "{revisions:list} run statements outside a transaction, which stay when a limit strikes: drop an index that was left invalid, "
                "see what else is done already, then run the same command again.",
                revisions=outside,
            )
        )
    elif each or timeline.transaction_mode(events) != timeline.ONE_TRANSACTION:
        notes.append(text("When a limit strikes, the revisions before stay applied and the one that ran is not: run the same command again."))
    else:
        notes.append(text("When a limit strikes, nothing was changed: run the same command again."))
    return notes


def _ways_back(evidence: Evidence, before: Sequence[str], way_back: Mapping[str, Any], production: Production) -> List[Dict[str, Any]]:
    steps: List[Dict[str, Any]] = []
    if way_back["downgrade_seconds"] is not None and way_back["downgrade_to"] == PRODUCTION and len(before) < 2:
        limits = _limits(evidence, "downgrade")
        downgrade = _step(
            "downgrade",
            text("Go back with the downgrades"),
            _alembic(evidence, "downgrade", before[0] if before else "base"),
            environment=limits.environment,
            seconds=way_back["downgrade_seconds"],
            expect=way_back["downgrade_text"],
        )
        steps += _within(limits, production, [downgrade])
    if way_back["restore_seconds"] is not None:
        name = f"{production.database}_restored"
        steps += [
            _step(
                "create",
                text("Or make a new database for the backup"),
                production.create(name, evidence.manifest or {}),
                environment=production.environment,
            ),
            _step(
                "restore",
                text("Restore the backup into it, and let the application use that"),
                production.restore(name),
                environment=production.environment,
                from_file=_dump_file(evidence),
                seconds=way_back["restore_seconds"],
                expect=way_back["restore_text"],
            ),
        ]
    return steps


def _target(events: Sequence[timeline.Event]) -> str:
    """Where the upgrade was to go, in Alembic's words; for several heads."""
    targets = [event["target"] for event in events if event["event"] == "plan" and event.get("target")]
    return targets[-1] if targets and targets[-1] != "head" else "heads"


def _heads(events: Sequence[timeline.Event]) -> Optional[List[str]]:
    done = [event for event in events if event["event"] == "done"]
    return list(done[-1]["heads"]) if done else None


def _revisions_before(evidence: Evidence) -> List[str]:
    tables = (evidence.manifest or {}).get("revisions") or {}
    found = sorted({revision for revisions in tables.values() for revision in revisions})
    return found or list((evidence.application or {}).get("current") or [])
