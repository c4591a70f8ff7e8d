# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for the deploy: the commands in order, what limits each, how long each takes by what was measured, and the ways back. Pure."""

from __future__ import annotations

import math
from typing import Any, Collection, Dict, List, Mapping, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import timeline
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import Evidence
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import PRODUCTION
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import text

# A lock that is not free within this is tried for again rather than waited for: what waits behind it is traffic.
_LOCK_TIMEOUT_S = 5
# A statement that takes so many times what it took on the copy is ended; one that is quick may take this long.
_STATEMENT_SHARE, _STATEMENT_TIMEOUT_S = 10, 60
# Drivers that give libpq's variables to the server; others do not read PGOPTIONS.
_LIBPQ = ("psycopg", "psycopg2")
_CONTAINERS = ("docker", "podman", "docker-compose", "podman-compose", "kubectl", "nerdctl")


def deploy_plan(evidence: Evidence, codes: Collection[str], way_back: Optional[Mapping[str, Any]]) -> Optional[Dict[str, Any]]:
    """{"steps": [step, …], "ways_back": [step, …], "notes": [{"text"}, …]}; None where the upgrade did not come to its end.

    A step: {"what", "title", "command": argv or null, "environment", "revision", "seconds", "blocked_ms", "expect"}; `what` is "backup", "look",
    "upgrade", "verify", "downgrade" or "restore". `codes` are those of the findings. Commands are those of the rehearsal on dev, with the
    values of -x left out: the record never has them.
    """
    events = evidence.migrations.get("upgrade", [])
    heads = _heads(events)
    spans = timeline.spans(events)
    if heads is None or not spans:
        return None
    before = _revisions_before(evidence)
    environment, notes = _limits(evidence, events)
    steps = [_backup(evidence), _step("look", text("See that production is where it was"), _alembic(evidence, "current"), expect=_at(before))]
    if "one-transaction-holds-all" in codes:
        notes.append(text("One command for each revision: in one transaction every lock would be held to its end."))
        steps += [
            _step(
                "upgrade",
                text("Apply revision {revision}: {message}", revision=span.revision, message=span.message),
                _alembic(evidence, "upgrade", span.revision),
                environment=environment,
                revision=span.revision,
                seconds=round(span.ms / 1000, 3),
            )
            for span in spans
        ]
    else:
        steps.append(
            _step(
                "upgrade",
                text("Apply {count:count revision|revisions}", count=len(spans)),
                _alembic(evidence, "upgrade", *(heads if len(heads) == 1 else ["heads"])),
                environment=environment,
                seconds=_whole(spans),
                blocked_ms=timeline.downtime_ms(timeline.blocked(events)),
            )
        )
    steps.append(_step("verify", text("See that production is where it should be"), _alembic(evidence, "current"), expect=_at(heads)))
    return {"steps": steps, "ways_back": _ways_back(evidence, before, way_back, environment), "notes": [{"text": note} for note in notes]}


def _step(
    what: str,
    title: str,
    command: Optional[List[str]],
    *,
    environment: Optional[Mapping[str, str]] = None,
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
        "revision": revision,
        "seconds": seconds,
        "blocked_ms": blocked_ms,
        "expect": expect,
    }


def _alembic(evidence: Evidence, *words: str) -> List[str]:
    """Alembic's command line as the inventory describes it."""
    application = evidence.context["application"]
    section = ["-n", application["section"]] if application.get("section") else []
    given = [word for name in application.get("x") or () for word in ("-x", f"{name}=…")]
    config = ["-c", application["config"]] if application.get("config") else []
    return [*application["command"], "-m", "alembic", *config, *section, *given, *words]


def _dump_file(evidence: Evidence) -> str:
    return f"{evidence.context['database']}-before-{(_heads(evidence.migrations['upgrade']) or ['upgrade'])[0]}.dump"


def _backup(evidence: Evidence) -> Dict[str, Any]:
    manifest = evidence.manifest or {}
    taken = [stage["seconds"] for stage in evidence.stages if stage["name"] == "backup" and stage["status"] == "ok"]
    packed = sum(file["bytes"] for file in (manifest.get("files") or {}).values())
    return _step(
        "backup",
        text("Back up production"),
        ["pg_dump", "--format=custom", f"--file={_dump_file(evidence)}", evidence.context["database"]],
        seconds=round(float(sum(taken)), 3) if taken else None,
        expect=text("about {bytes:size}", bytes=packed) if packed else None,
    )


def _at(revisions: Sequence[str]) -> str:
    return text("at revision {revisions:list}", revisions=list(revisions)) if revisions else text("at no revision")


def _limits(evidence: Evidence, events: Sequence[timeline.Event]) -> Any:
    """(environment of the upgrade, notes): how lock_timeout and statement_timeout reach the server."""
    statements = [event for event in events if event["event"] == "statement" and event.get("revision")]
    longest_s = max((float(event["t1"]) - float(event["t0"]) for event in statements), default=0.0) / 1000
    allowed_s = max(_STATEMENT_TIMEOUT_S, math.ceil(longest_s * _STATEMENT_SHARE))
    application = evidence.context["application"]
    drivers = {str(event["driver"]) for event in events if event["event"] == "connection" and event.get("through") != "observer"}
    notes: List[str] = [text("Commands are those that dev was rehearsed with; on production, start the application's Python in its own way.")]
    if application.get("x"):
        notes.append(text("The values of -x are left out: {names:list}.", names=[f"-x {name}=…" for name in application["x"]]))
    if application.get("options") or application.get("wrapper"):
        notes.append(text("The rehearsal set options of Alembic's configuration or wrapped env.py; production must have the same in its own way."))
    wanted = {"lock_timeout": f"{_LOCK_TIMEOUT_S}s", "statement_timeout": f"{allowed_s}s"}
    options = " ".join(f"-c {name}={value}" for name, value in wanted.items())
    if drivers and drivers <= set(_LIBPQ):
        program = str(application["command"][0]).rpartition("/")[2] if application.get("command") else ""
        if program in _CONTAINERS:
            notes.append(text("PGOPTIONS must reach the application's own process: give it to the container too (exec -e PGOPTIONS)."))
        notes.append(text("When lock_timeout strikes, nothing was changed: run the same command again."))
        return {"PGOPTIONS": options}, notes
    driver = ", ".join(sorted(drivers)) or "?"
    notes.append(
        text(
            "{driver} does not read PGOPTIONS: set the limits for the migrations' role instead, in this database: {settings:list}.",
            driver=driver,
            settings=[f"{name} = '{value}'" for name, value in wanted.items()],
        )
    )
    return {}, notes


def _ways_back(
    evidence: Evidence, before: Sequence[str], way_back: Optional[Mapping[str, Any]], environment: Mapping[str, str]
) -> List[Dict[str, Any]]:
    if way_back is None:
        return []
    steps: List[Dict[str, Any]] = []
    database = evidence.context["database"]
    if way_back["downgrade_seconds"] is not None and way_back["downgrade_to"] == PRODUCTION and len(before) < 2:
        steps.append(
            _step(
                "downgrade",
                text("Go back with the downgrades"),
                _alembic(evidence, "downgrade", before[0] if before else "base"),
                environment=environment,
                seconds=way_back["downgrade_seconds"],
                expect=way_back["downgrade_text"],
            )
        )
    if way_back["restore_seconds"] is not None:
        steps.append(
            _step(
                "restore",
                text("Or restore the backup into a new database, and let the application use that"),
                ["pg_restore", "--exit-on-error", f"--dbname={database}_restored", _dump_file(evidence)],
                seconds=way_back["restore_seconds"],
                expect=way_back["restore_text"],
            )
        )
    return steps


def _whole(spans: Sequence[timeline.Span]) -> float:
    return round((max(span.end for span in spans) - min(span.start for span in spans)) / 1000, 3)


def _heads(events: Sequence[timeline.Event]) -> Optional[List[str]]:
    done = [event for event in events if event["event"] == "done"]
    return list(done[-1]["heads"]) if done else None


def _revisions_before(evidence: Evidence) -> List[str]:
    tables = (evidence.manifest or {}).get("revisions") or {}
    found = sorted({revision for revisions in tables.values() for revision in revisions})
    return found or list((evidence.application or {}).get("current") or [])
