# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record: the one JSON document of a rehearsal, from which every report is rendered."""

from __future__ import annotations

import datetime
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import judge_squawk, judge_timeline, timeline
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import RUNS, SIDES, Evidence
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import NOT_MEASURED, Check
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import BLOCKER, Finding
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import format_time, parse_time
from ansible_collections.migrations.rehearsal.plugins.module_utils.verdict import verdict

SCHEMA_VERSION = 1
OK, FAILED, UNKNOWN = "ok", "failed", "not measured"

Changes = Mapping[str, List[Dict[str, Any]]]


def build(
    evidence: Evidence,
    findings: Sequence[Finding],
    checks: Sequence[Check],
    schema: Changes,
    data: Changes,
    way_back: Optional[Dict[str, Any]],
    claims: Sequence[judge_squawk.Answer],
) -> Dict[str, Any]:
    """The record, from evidence and from what the judge said of it."""
    context = evidence.context
    stages = [{key: stage.get(key) for key in ("name", "host", "status", "started_at", "seconds", "summary", "error")} for stage in evidence.stages]
    finished = _finished(context["created"], evidence.stages)
    timelines = {run: judge_timeline.record_of(evidence.migrations[run]) for run in RUNS if run in evidence.migrations}
    return {
        "schema_version": SCHEMA_VERSION,
        "id": context["id"],
        "verdict": verdict(findings),
        "started_at": context["created"],
        "finished_at": finished,
        "seconds": (parse_time(finished) - parse_time(context["created"])).total_seconds(),
        "production": {"host": context["production_host"], "database": context["database"], **_production(evidence.manifest)},
        "copy": {"host": context["dev_host"], "database": context["copy_database"], **_copy(evidence.copy)},
        "application": {**context["application"], **(evidence.application or {})},
        "stages": stages,
        "revisions": [revision for run in RUNS for revision in _revisions(evidence, run)],
        "downtime_ms": timelines.get("upgrade", {}).get("downtime_ms"),
        "longest_window": timelines.get("upgrade", {}).get("longest_window"),
        "timelines": timelines,
        "way_back": way_back,
        "findings": [finding.to_json() for finding in findings],
        "checklist": _checklist(evidence, findings, checks),
        "expectations": [
            {"item": check.item, "stage": check.stage, "object": check.object, "ok": check.ok, "measured": check.measured, "expected": check.expected}
            for check in checks
        ],
        "schema_changes": {name: list(found) for name, found in schema.items()},
        "data_changes": {name: list(found) for name, found in data.items()},
        "data_proof": {moment: _data_proof(taken) for moment, taken in evidence.fingerprints.items()},
        "squawk": judge_squawk.record_of(evidence.squawk, claims),
        "cleanup": {side: evidence.cleanup.get(side) for side in SIDES},
    }


def _data_proof(taken: Mapping[str, Any]) -> Dict[str, Any]:
    """How a fingerprint was made: {"asked", "tables": {"full" | "untouched" | "partly untouched" | "counts": number}, "hashed": tables read in full}.

    `hashed` only where something else was spared.
    """
    kinds: Dict[str, int] = {}
    for table in taken["tables"].values():
        kinds[table["proof"]] = kinds.get(table["proof"], 0) + 1
    proof: Dict[str, Any] = {"asked": taken["proof"], "tables": dict(sorted(kinds.items()))}
    if taken["proof"] == "changed":
        proof["hashed"] = sorted(name for name, table in taken["tables"].items() if table["proof"] != "untouched")
    return proof


def _how_proved(taken: Mapping[str, Any]) -> str:
    if taken["proof"] == "counts":
        return " (counted only: values were not compared)"
    untouched = _data_proof(taken)["tables"].get("untouched", 0)
    return f" ({untouched} of them proved untouched, without hashing them again)" if untouched else ""


def _finished(started: str, stages: Sequence[Mapping[str, Any]]) -> str:
    ends = [parse_time(stage["started_at"]) + datetime.timedelta(seconds=stage["seconds"]) for stage in stages]
    return format_time(max([parse_time(started), *ends]))


def _production(manifest: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    if manifest is None:
        return {}
    wanted = ("server_version", "encoding", "collate", "ctype", "time_zone", "size_bytes", "extensions", "revisions", "taken_at")
    return {
        **{key: manifest[key] for key in wanted},
        "tables": len(manifest["rows"]),
        "rows": sum(manifest["rows"].values()),
        "dump_bytes": sum(file["bytes"] for file in manifest["files"].values()),
    }


def _copy(copy: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    if copy is None:
        return {}
    facts = {key: copy["facts"][key] for key in ("server_version", "encoding", "collate", "ctype", "time_zone", "size_bytes", "extensions")}
    proof = {"proved_by": copy.get("proved_by", "counts"), "stopped": copy.get("stopped", [])}
    return {**facts, "marker": copy["marker"], "differences": copy["differences"], "missing_roles": copy["missing_roles"], **proof}


def _revisions(evidence: Evidence, run: str) -> List[Dict[str, Any]]:
    """One row for each revision that was run and ended, in order."""
    events = evidence.migrations.get(run, [])
    ended = {event["revision"] for event in events if event["event"] == "revision_end"}
    statements: Dict[str, int] = {}
    for event in events:
        if event["event"] == "statement" and event.get("revision"):
            statements[event["revision"]] = statements.get(event["revision"], 0) + 1
    held = timeline.holds(events)
    return [
        {
            "revision": row["revision"],
            "message": row["message"],
            "run": run,
            "direction": row["direction"],
            "seconds": row["ms"] / 1000,
            "statements": statements.get(row["revision"], 0),
            "rows": row["rows"],
            "wal_bytes": row["wal_bytes"],
            "locks": _locks(held, row["revision"]),
            "blocked_reads_ms": row["blocked"][timeline.READS],
            "blocked_writes_ms": row["blocked"][timeline.WRITES],
            "rewrites": row["rewrites"],
            "scans": row["scans"],
        }
        for row in timeline.summarise(events)["revisions"]
        if row["revision"] in ended
    ]


def _locks(held: Sequence[timeline.Hold], revision: str) -> Dict[str, str]:
    """By table, the strongest mode that a revision took on it."""
    strongest: Dict[str, str] = {}
    for hold in held:
        if hold.revision == revision and hold.relation == hold.table and hold.kind != "S":
            now = strongest.get(hold.table)
            if now is None or _MODES.index(hold.mode) > _MODES.index(now):
                strongest[hold.table] = hold.mode
    return dict(sorted(strongest.items()))


# As PostgreSQL's documentation orders them, from what keeps least waiting to what keeps most.
_MODES = ("AccessShare", "RowShare", "RowExclusive", "ShareUpdateExclusive", "Share", "ShareRowExclusive", "Exclusive", "AccessExclusive")


# The runbook's criteria of success, in its order: what stands for each, and the findings that speak against it.
_CRITERIA = (
    ("backup made and copy equal to production", ("copy",), {"copy-differs"}),
    ("migrations applied without errors", ("upgrade",), {"migration-failed", "fence", "revision-unknown", "multiple-heads", "revision-not-reached"}),
    ("all tables and fields made", ("snapshot",), {"expectation-not-met"}),
    ("indexes and foreign keys work", ("checks",), {"orphans", "index-invalid"}),
    ("existing data undamaged", ("fingerprint",), {"data-changed", "data-lost", "rows-changed", "data-not-compared"}),
    ("downgrade works", ("downgrade", "again"), {"downgrade-failed", "downgrade-noop", "downgrade-leaves-trace", "again-failed", "again-differs"}),
    ("test database removed, nothing left behind", ("cleanup",), {"left-behind"}),
)


def _checklist(evidence: Evidence, findings: Sequence[Finding], checks: Sequence[Check]) -> List[Dict[str, Any]]:
    measured = {
        "copy": evidence.copy is not None,
        "upgrade": _completed(evidence, "upgrade"),
        "downgrade": _completed(evidence, "downgrade") and "back" in evidence.snapshots,
        "again": _completed(evidence, "again") and "again" in evidence.snapshots,
        "snapshot": "after" in evidence.snapshots,
        "checks": "after" in evidence.checks,
        "fingerprint": "after" in evidence.fingerprints,
        "cleanup": all(side in evidence.cleanup for side in SIDES),
    }
    lines: List[Dict[str, Any]] = []
    for item, needs, codes in _CRITERIA:
        against = [finding for finding in findings if finding.code in codes and finding.severity == BLOCKER]
        status = FAILED if against else OK if all(measured[need] for need in needs) else UNKNOWN
        lines.append({"item": item, "status": status, "detail": against[0].message if against else _detail(item, evidence, checks)})
    return lines


def _completed(evidence: Evidence, run: str) -> bool:
    return any(event["event"] == "done" for event in evidence.migrations.get(run, []))


def _detail(item: str, evidence: Evidence, checks: Sequence[Check]) -> str:
    if item.startswith("backup") and evidence.manifest:
        return f"{len(evidence.manifest['rows'])} tables, {sum(evidence.manifest['rows'].values()):,} rows"
    if item.startswith("migrations"):
        rows = _revisions(evidence, "upgrade")
        return f"{len(rows)} revisions in {sum(row['seconds'] for row in rows):.2f} s" if rows else ""
    measured = [check for check in checks if check.measured != NOT_MEASURED]
    if item.startswith("all tables") and measured:
        return f"{sum(check.ok for check in measured)} of {len(measured)} expectations met"
    if item.startswith("indexes") and "after" in evidence.checks:
        return f"{len(evidence.checks['after']['orphans'])} foreign keys, no row without its parent"
    if item.startswith("existing") and "after" in evidence.fingerprints:
        tables, how = evidence.fingerprints["after"]["tables"], _how_proved(evidence.fingerprints["after"])
        return f"{sum(table['rows'] for table in tables.values()):,} rows of {len(tables)} tables compared{how}"
    if item.startswith("downgrade"):
        rows = _revisions(evidence, "downgrade")
        return f"{len(rows)} revisions back in {sum(row['seconds'] for row in rows):.2f} s" if rows else ""
    return ""
