# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record: the one JSON document of a rehearsal, from which every report is rendered."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    deploy_plan,
    judge_squawk,
    judge_stairway,
    judge_template,
    places,
    statement_fold,
    timeline,
    timeline_record,
    timeline_summary,
    words,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import (
    RUNS,
    SIDES,
    Evidence,
    how_it_was_copied,
    version_tables,
    whole_way_back,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectation_checks import NOT_MEASURED, Check
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import BLOCKER, Finding
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import format_time, parse_time
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge_drift import blind_spots
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Budgets
from ansible_collections.migrations.rehearsal.plugins.module_utils.verdict import verdict
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import text

# Of docs/record.schema.json. It goes up when a key is taken away or means something else; a report of another version is refused.
SCHEMA_VERSION = 3
OK, FAILED, UNKNOWN = "ok", "failed", "not measured"
# Of a revision, beside OK and FAILED.
NOT_RUN = "not run"

Changes = Mapping[str, List[Dict[str, Any]]]


def build(
    evidence: Evidence,
    findings: Sequence[Finding],
    checks: Sequence[Check],
    schema: Changes,
    data: Changes,
    way_back: Optional[Dict[str, Any]],
    budgets: Budgets,
    claims: Sequence[judge_squawk.Answer],
) -> Dict[str, Any]:
    """The record, from evidence and from what the judge said of it."""
    context = evidence.context
    stages = [_stage(stage) for stage in evidence.stages]
    finished = _finished(context["created"], evidence.stages)
    summaries = {run: timeline_summary.summarise(evidence.migrations[run]) for run in RUNS if run in evidence.migrations}
    timelines = {run: timeline_record.record_of(summary) for run, summary in summaries.items()}
    located = places.Places(evidence, places.touched_objects(schema.get("upgrade", [])))
    record: Dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "id": context["id"],
        "verdict": verdict(findings),
        "started_at": context["created"],
        "finished_at": finished,
        "seconds": (parse_time(finished) - parse_time(context["created"])).total_seconds(),
        "production": {"host": context["production_host"], "database": context["database"], **_production(evidence.manifest)},
        "copy": {"host": context["dev_host"], "database": context["copy_database"], **how_it_was_copied(evidence), **_copy(evidence)},
        "again": judge_template.record_of(evidence),
        "application": {**context["application"], **(evidence.application or {})},
        "stages": stages,
        "revisions": [revision for run in summaries for revision in _revisions(evidence.migrations[run], run, located.files, summaries[run])],
        # A prediction is made of a whole upgrade only; how far one came that failed stands in its timeline.
        "downtime_ms": timelines["upgrade"]["downtime_ms"] if _completed(evidence, "upgrade") else None,
        "longest_window": timelines["upgrade"]["longest_window"] if _completed(evidence, "upgrade") else None,
        "timelines": timelines,
        "statements": {run: statement_fold.fold(evidence.migrations[run]) for run in ("upgrade", "downgrade") if run in evidence.migrations},
        "way_back": way_back,
        "deploy_plan": deploy_plan.deploy_plan(evidence, {finding.code for finding in findings}, way_back, _setting_names(evidence.manifest or {})),
        "budgets": dataclasses.asdict(budgets),
        "findings": [located.located(finding).to_json() for finding in findings],
        "checklist": _checklist(evidence, findings, checks),
        "expectations": [
            {"item": check.item, "stage": check.stage, "object": check.object, "ok": check.ok, "measured": check.measured, "expected": check.expected}
            for check in checks
        ],
        "schema_changes": {name: list(found) for name, found in schema.items()},
        "data_changes": {name: list(found) for name, found in data.items()},
        "data_proof": {moment: _data_proof(taken) for moment, taken in evidence.fingerprints.items()},
        "squawk": judge_squawk.record_of(evidence.squawk, claims),
        "data_compared": _data_compared(evidence),
        "models": _models(evidence.models),
        "drift": evidence.drift,
        "stairway": judge_stairway.summary(evidence.stairway, version_tables(evidence)),
        "cleanup": {side: evidence.cleanup.get(side) for side in SIDES},
    }
    carried: Dict[str, Any] = words.carry(record)
    return carried


def _stage(stage: Mapping[str, Any]) -> Dict[str, Any]:
    """A stage's line, without the findings, which the judge has told; `said` where its summary is known in other languages."""
    shown = {key: stage.get(key) for key in ("name", "host", "status", "started_at", "seconds", "summary", "error")}
    return {**shown, words.SAID: stage[words.SAID]} if stage.get(words.SAID) else shown


def _data_compared(evidence: Evidence) -> Optional[Dict[str, int]]:
    """What was there before the upgrade and was looked at again after it: tables, rows, columns, non-null values; None where it was not."""
    before, after = evidence.fingerprints.get("before"), evidence.fingerprints.get("after")
    if before is None or after is None:
        return None
    renames = evidence.renames("before", "after")
    tables = {name: table for name, table in before["tables"].items() if renames.relation(name) in after["tables"]}
    columns = [column for table in tables.values() for column in table["columns"].values()]
    return {
        "tables": len(tables),
        "rows": sum(table["rows"] for table in tables.values()),
        "columns": len(columns),
        "values": sum(column["non_null"] for column in columns),
    }


def _data_proof(taken: Mapping[str, Any]) -> Dict[str, Any]:
    """How a fingerprint was made: {"asked", "tables": {"full" | "untouched" | "partly untouched" | "counts": number}, "left_out", "hashed",
    "untouched_by": {"counters" | "row versions": number}, "counters_not_used"}.

    `left_out`: reasons by name. The others only where what was not touched was spared: `hashed` are tables that were read; `untouched_by` says what
    the others, and those read in part, were proved untouched by, and `counters_not_used` why the server's counters were not believed.
    """
    kinds: Dict[str, int] = {}
    for table in taken["tables"].values():
        kinds[table["proof"]] = kinds.get(table["proof"], 0) + 1
    proof: Dict[str, Any] = {"asked": taken["proof"], "tables": dict(sorted(kinds.items())), "left_out": dict(taken["left_out"])}
    if taken["proof"] == "changed":
        proof["hashed"] = sorted(name for name, table in taken["tables"].items() if table["proof"] != "untouched")
        ways: Dict[str, int] = {}
        for table in taken["tables"].values():
            if "proved_by" in table:
                ways[table["proved_by"]] = ways.get(table["proved_by"], 0) + 1
        proof["untouched_by"] = dict(sorted(ways.items()))
        if "counters_not_used" in taken:
            proof["counters_not_used"] = taken["counters_not_used"]
    return proof


def _compared(evidence: Evidence) -> str:
    """What was there before and was looked at again, and what is gone since; "" where it was not."""
    compared = _data_compared(evidence)
    if compared is None:
        return ""
    before = evidence.renames("before", "after").of_fingerprint(evidence.fingerprints["before"])["tables"]
    after = evidence.fingerprints["after"]
    values: Dict[str, Any] = {"rows": compared["rows"], "tables": compared["tables"]}
    spared = [table for name, table in after["tables"].items() if name in before and table["proof"] == "untouched"]
    untouched, counted = len(spared), sum(table.get("proved_by") == "counters" for table in spared)
    if after["proof"] == "counts":
        said = text("{rows:count row|rows} of {tables:count table|tables} compared (counted only: values were not compared)", **values)
    elif counted:
        said = text(
            "{rows:count row|rows} of {tables:count table|tables} compared ({untouched} of them proved untouched, without hashing them again: "
            "{counted} by the server's counters, {others} by row versions)",
            untouched=untouched,
            counted=counted,
            others=untouched - counted,
            **values,
        )
    elif untouched:
        said = text(
            "{rows:count row|rows} of {tables:count table|tables} compared ({untouched} of them proved untouched, without hashing them again)",
            untouched=untouched,
            **values,
        )
    else:
        said = text("{rows:count row|rows} of {tables:count table|tables} compared", **values)
    gone = [table["rows"] for name, table in before.items() if name not in after["tables"]]
    if not gone:
        return said
    return text("{said}; {rows:count row|rows} of {tables:count table|tables} dropped", said=said, rows=sum(gone), tables=len(gone))


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
        "settings": _setting_names(manifest),
        # What production was asked to do.
        "load": manifest.get("load", {}),
    }


def _setting_names(facts: Mapping[str, Any]) -> List[str]:
    """Names of what ALTER DATABASE and ALTER ROLE … IN DATABASE set; never a value, which may be a secret of the application's."""
    found = []
    for role, settings in sorted((facts.get("settings") or {}).items()):
        found += [entry.partition("=")[0] + (f" ({role})" if role else "") for entry in settings]
    return found


def _copy(evidence: Evidence) -> Dict[str, Any]:
    copy = evidence.copy
    if copy is None:
        return {}
    facts = {key: copy["facts"][key] for key in ("server_version", "encoding", "collate", "ctype", "time_zone", "size_bytes", "extensions")}
    proof = {"proved_by": copy.get("proved_by", "counts"), "stopped": copy.get("stopped", [])}
    sums = {"tables": copy.get("tables"), "rows": copy.get("rows"), "settings": _setting_names(copy["facts"])}
    told = {key: copy[key] for key in ("marker", "differences", "missing_roles")}
    told["roles_not_given"] = copy.get("roles_not_given", [])
    if evidence.flush is not None:
        told["flush_seconds"] = evidence.flush["seconds"]
    return {**facts, **sums, **told, "settings_not_replayed": copy.get("settings_not_replayed", []), **proof}


def _revisions(events: Sequence[timeline.Event], run: str, files: Mapping[str, str], summary: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """One row for each revision of a run, in order: those that ended, the one in which it failed, and those that were not run because of it."""
    rows = [
        {
            "revision": row["revision"],
            "message": row["message"],
            "file": files.get(row["revision"]),
            "start_ms": row["start_ms"],
            "end_ms": row["end_ms"],
            "run": run,
            "direction": row["direction"],
            "status": OK if row["ended"] else FAILED,
            "seconds": round(row["ms"] / 1000, 6),
            "statements": row["statements"],
            "rows": row["rows"],
            "wal_bytes": row["wal_bytes"],
            "locks": row["locks"],
            "blocked_reads_ms": row["blocked"][timeline.READS],
            "blocked_writes_ms": row["blocked"][timeline.WRITES],
            "rewrites": row["rewrites"],
            "scans": row["scans"],
        }
        for row in summary["revisions"]
    ]
    begun = {row["revision"] for row in rows}
    planned = [step for event in events if event["event"] == "plan" for step in event["steps"]]
    return rows + [_not_run(run, step, files) for step in planned if step["revision"] not in begun]


def _not_run(run: str, step: Mapping[str, Any], files: Mapping[str, str]) -> Dict[str, Any]:
    unknown = dict.fromkeys(("start_ms", "end_ms", "seconds", "statements", "rows", "wal_bytes", "blocked_reads_ms", "blocked_writes_ms"))
    told = {"revision": step["revision"], "message": step["message"], "file": files.get(step["revision"], step.get("file"))}
    return {**told, "run": run, "direction": step["direction"], "status": NOT_RUN, "locks": {}, "rewrites": [], "scans": [], **unknown}


# The runbook's criteria of success, in its order: what stands for each, and the findings that speak against it.
_CRITERIA = (
    ("backup", text("backup made and copy equal to production"), ("copy",), {"copy-differs"}),
    (
        "migrations",
        text("migrations applied without errors"),
        ("upgrade",),
        {"migration-failed", "fence", "revision-unknown", "multiple-heads", "revision-not-reached"},
    ),
    ("structure", text("all tables and fields made"), ("snapshot",), {"expectation-not-met"}),
    ("keys", text("indexes and foreign keys work"), ("checks",), {"orphans", "index-invalid"}),
    (
        "data",
        text("existing data undamaged"),
        ("fingerprint",),
        {"data-changed", "data-lost", "rows-changed", "data-not-compared"},
    ),
    (
        "downgrade",
        text("downgrade works"),
        ("downgrade", "again"),
        {"downgrade-failed", "downgrade-noop", "downgrade-leaves-trace", "again-failed", "again-differs"},
    ),
    ("cleanup", text("test database removed, nothing left behind"), ("cleanup",), {"left-behind"}),
)


def _checklist(evidence: Evidence, findings: Sequence[Finding], checks: Sequence[Check]) -> List[Dict[str, Any]]:
    measured = {
        "copy": evidence.copy is not None and evidence.copy.get("proved_by") != "nothing",
        "upgrade": _completed(evidence, "upgrade"),
        "downgrade": _completed(evidence, "downgrade") and "back" in evidence.snapshots and whole_way_back(evidence),
        "again": _completed(evidence, "again") and "again" in evidence.snapshots,
        "snapshot": "after" in evidence.snapshots,
        "checks": "after" in evidence.checks,
        "fingerprint": _data_compared(evidence) is not None,
        "cleanup": all(side in evidence.cleanup for side in evidence.context.get("sides", SIDES)),
    }
    lines: List[Dict[str, Any]] = []
    for name, item, needs, codes in _CRITERIA:
        against = [finding for finding in findings if finding.code in codes and finding.severity == BLOCKER]
        status = FAILED if against else OK if all(measured[need] for need in needs) else UNKNOWN
        lines.append({"item": item, "status": status, "detail": against[0].message if against else _detail(name, evidence, checks)})
    return lines


def _completed(evidence: Evidence, run: str) -> bool:
    return any(event["event"] == "done" for event in evidence.migrations.get(run, []))


def _ran(evidence: Evidence, run: str) -> Dict[str, Any]:
    """How many revisions of a run ended, and how long it took in all."""
    events = evidence.migrations.get(run, [])
    spans = timeline.spans(events)
    return {"count": sum(event["event"] == "revision_end" for event in events), "ms": timeline.whole_s(spans) * 1000 if spans else 0.0}


def _detail(name: str, evidence: Evidence, checks: Sequence[Check]) -> str:
    if name == "backup" and evidence.copy and evidence.copy.get("proved_by") == "nothing":
        return text("an existing backup of {rows:count row|rows}, not held against production", rows=evidence.copy["rows"])
    if name == "backup" and evidence.manifest:
        rows = evidence.manifest["rows"]
        sums = {"tables": len(rows), "rows": sum(rows.values())}
        again = judge_template.record_of(evidence)
        if again:
            return text(
                "{tables:count table|tables}, {rows:count row|rows}; production as of {taken_at}, from the template of rehearsal {id}",
                **sums,
                **again,
            )
        return text("{tables:count table|tables}, {rows:count row|rows}", **sums)
    if name == "migrations":
        ran = _ran(evidence, "upgrade")
        return text("{count:count revision|revisions} in {ms:duration}", **ran) if ran["count"] else ""
    measured = [check for check in checks if check.measured != NOT_MEASURED]
    if name == "structure" and measured:
        return text("{met} of {all} expectations met", met=sum(check.ok for check in measured), all=len(measured))
    if name == "keys" and "after" in evidence.checks and "after" in evidence.snapshots:
        tables = evidence.snapshots["after"]["tables"].values()
        keys = [one for table in tables for one in table["constraints"].values() if one["kind"] == "foreign key" and not one["inherited"]]
        return text("{count:count foreign key|foreign keys}, no row without its parent", count=len(keys))
    if name == "data":
        return _compared(evidence)
    if name == "downgrade":
        ran = _ran(evidence, "downgrade")
        return text("{count:count revision|revisions} back in {ms:duration}", **ran) if ran["count"] else ""
    if name == "cleanup":
        return _stays(evidence)
    return ""


def _stays(evidence: Evidence) -> str:
    """What was left on purpose, and until when."""
    kept = [entry for found in evidence.cleanup.values() for entry in found.get("kept") or ()]
    again = judge_template.record_of(evidence)
    if again:
        kept.append({"thing": again.get("directory") or f"database {again['database']}", "expires": again["expires"]})
    return text("kept until {expires}: {things:list}", expires=kept[0]["expires"], things=[entry["thing"] for entry in kept]) if kept else ""


def _models(found: Optional[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """With what the comparison could not see (`unseen`), where there was one: no difference found is not the same as none there."""
    compared = [one for one in (found or {}).get("databases", []) if not one["reason"]]
    return {**found, "unseen": blind_spots(compared)} if found and compared else found
