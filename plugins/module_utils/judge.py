# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge: evidence and expectations in, record out. Pure: the same evidence gives the same record, offline and on any machine."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    expectation_checks,
    judge_copy,
    judge_data,
    judge_drift,
    judge_rows,
    judge_squawk,
    judge_stairway,
    judge_template,
    judge_timeline,
    judge_way_back,
    record,
    schema_diff,
    structure_checks,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import (
    MOMENTS,
    RUNS,
    Evidence,
    version_tables,
    whole_way_back,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectation_checks import Check
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Assertion, Expectations
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import CODES, INFO, SEVERITIES, Finding, rank
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge_bench import Bench
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Policy
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import term, text

# Evaluates the free assertions over a document; given by the controller, because JMESPath is there.
Evaluate = Callable[[Sequence[Assertion], Mapping[str, Any]], List[Check]]

# More findings of one code than this are folded into the last one: nobody reads the two hundredth table.
_MOST_OF_A_CODE = 20


def judge(evidence: Evidence, evaluate: Optional[Evaluate] = None, policy: Optional[Policy] = None) -> Dict[str, Any]:
    """The record of a rehearsal. `policy` replaces the one that lies with the evidence."""
    bench = Bench(evidence.policy if policy is None else policy, evidence.context["created"][:10])
    _stages(bench, evidence)
    # Before what could not be checked because of it, which is folded when there is much of it.
    _missing(bench, evidence)
    judge_copy.of_copy(bench, evidence)
    judge_copy.of_template(bench, evidence)
    _timelines(bench, evidence)
    checks = _expectations(bench, evidence)
    changes = _schema(bench, evidence)
    data = _data(bench, evidence)
    _rows(bench, evidence)
    claims = _squawk(bench, evidence)
    _asked_for(bench, evidence, changes)
    judge_copy.of_clean_up(bench, evidence)
    back = judge_way_back.way_back(evidence, version_tables(evidence))
    budgets = bench.policy.budgets
    if evaluate and evidence.expectations.assertions and "after" in evidence.snapshots:
        draft = record.build(evidence, _ordered(bench.findings), checks, changes, data, back, budgets, claims)
        asserted = evaluate(evidence.expectations.assertions, {**evidence.snapshots, "record": draft})
        _say_checks(bench, asserted)
        checks = [*checks, *asserted]
    if not evidence.failed_stages():
        for entry in list(bench.unused()):
            values = {"code": entry.code, "until": entry.until, "object": entry.object or text("the whole")}
            message = text("the policy accepts {code} of {object} until {until}; there is no such finding", **values)
            bench.say("acceptance-unused", "report", entry.object, message)
    return record.build(evidence, _ordered(bench.findings), checks, changes, data, back, budgets, claims)


def _ordered(findings: Iterable[Finding]) -> List[Finding]:
    """Blockers first, then what people fear most, then in the order of the stages; too many of one code are folded."""
    kept: List[Finding] = []
    counts: Dict[str, int] = {}
    for finding in sorted(findings, key=lambda one: (SEVERITIES.index(one.severity), rank(one.code))):
        if finding.accepted:
            kept.append(finding)  # stays visible, however many there are
            continue
        key = f"{finding.code} {finding.severity}"
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= _MOST_OF_A_CODE:
            kept.append(finding)
    for key, count in counts.items():
        code, severity = key.split()
        if count > _MOST_OF_A_CODE:
            more = text("{count} more like these; all are in the evidence", count=count - _MOST_OF_A_CODE)
            position = max(number for number, one in enumerate(kept) if (one.code, one.severity) == (code, severity))
            kept.insert(position + 1, Finding(code, severity, kept[position].stage, "", more, CODES[code].advice))
    return kept


def _stages(bench: Bench, evidence: Evidence) -> None:
    interrupted = False
    for stage in evidence.stages:
        # What a worker that outlived its controller notes then is the doing of clean-up, which ended its tools.
        if interrupted and stage["name"] not in ("cleanup", "evidence"):
            continue
        interrupted = interrupted or stage["name"] == "interrupted"
        for found in stage.get("findings") or []:
            bench.say(found["code"], stage["name"], found.get("object", ""), text("{message:heard}", message=found["message"]))
        # A stage whose clean-up evidence is there is judged by that; see _clean_up.
        if stage["status"] != "ok" and not stage.get("findings") and stage["name"] != "cleanup":
            values = {"stage": term(stage["name"]), "host": stage["host"], "error": stage.get("error", "no message")}
            bench.say("stage-failed", stage["name"], stage["host"], text("{stage} on {host}: {error:heard}", **values))


def _timelines(bench: Bench, evidence: Evidence) -> None:
    """What the runs lock, rewrite and read; the second upgrade repeats the first."""
    own, rows = version_tables(evidence), _rows_before(evidence)
    for run in ("upgrade", "downgrade"):
        events = evidence.migrations.get(run, [])
        if run == "upgrade":
            alike = SEVERITIES.index(bench.severity("lock-blocks-reads")) <= SEVERITIES.index(bench.severity("lock-blocks-writes"))
            known = judge_timeline.sizes(events, rows)
            told = list(judge_timeline.of_upgrade(events, known, bench.policy.budgets, own, alike))
            told += [] if "after" in evidence.snapshots else list(judge_timeline.left_by_failure(events))
        else:
            told = list(judge_timeline.of_way_back(events, bench.policy.budgets))
        for code, thing, message, severity in told:
            bench.say(code, run, thing, message, severity)
    for code, thing, message, severity in judge_timeline.fence(evidence.migrations):
        bench.say(code, "upgrade", thing, message, severity)


def _squawk(bench: Bench, evidence: Evidence) -> List[judge_squawk.Answer]:
    """What the linter claims of the upgrade's SQL, held against what was measured. It is no part of what a GO promises."""
    squawk, events = evidence.squawk, evidence.migrations.get("upgrade", [])
    if squawk is None:
        return []
    if squawk["status"] == "failed":
        bench.say("squawk-failed", "upgrade", "", text("squawk did not look at the upgrade's SQL: {reason:heard}", reason=squawk["reason"]))
    rows = _rows_before(evidence)
    before = evidence.snapshots.get("before", {}).get("tables", rows)
    found = judge_squawk.answers(squawk, events, judge_timeline.sizes(events, rows), bench.policy.budgets, before)
    for code, thing, message, severity in judge_squawk.findings(found):
        bench.say(code, "upgrade", thing, message, severity)
    return found


def _rows_before(evidence: Evidence) -> Dict[str, int]:
    """Rows of each table before the upgrade, as far as they were counted."""
    return _rows_at(evidence, "before") or dict((evidence.manifest or {}).get("rows") or {})


def _rows_at(evidence: Evidence, moment: str) -> Dict[str, int]:
    return {name: table["rows"] for name, table in evidence.fingerprints.get(moment, {}).get("tables", {}).items()}


def _expectations(bench: Bench, evidence: Evidence) -> List[Check]:
    """Every expectation, checked; one finding if none could be, because the stage before them failed."""
    wanted = evidence.expectations
    heads = _heads_after(evidence, "upgrade")
    renames = evidence.renames("before", "after") if {"before", "after"} <= evidence.identities.keys() else None
    structure = expectation_checks.check_structure(wanted, evidence.snapshots, heads, renames)
    rows = expectation_checks.check_existing_rows(wanted, evidence.checks.get("after") or {})
    checks = [*structure, *rows]
    measured = [check for check in checks if check.measured != expectation_checks.NOT_MEASURED]
    _say_checks(bench, measured)
    if len(measured) < len(checks) and not evidence.failed_stages():
        for check in checks:
            if check.measured == expectation_checks.NOT_MEASURED:
                bench.say("not-measured", check.stage, check.object, text("{item}: not measured", item=check.item))
    _say_where_it_ended(bench, evidence, heads)
    if heads is not None and not _revisions(evidence, "upgrade"):
        bench.say("nothing-pending", "upgrade", "", text("production already stands at {heads}", heads=", ".join(heads) or text("no revision")))
    return checks


def _say_where_it_ended(bench: Bench, evidence: Evidence, heads: Optional[List[str]]) -> None:
    """Whether the upgrade ended where it was to go, if the expectations do not say that."""
    script_heads = (evidence.application or {}).get("heads")
    if heads is None or evidence.expectations.revision or script_heads is None:
        return
    plan = next((event for event in reversed(evidence.migrations["upgrade"]) if event["event"] == "plan"), {})
    target, steps = plan.get("target") or "head", plan.get("steps") or []
    ended = text("{heads:list}", heads=heads) if heads else text("no revision")
    if target in ("head", "heads"):
        if set(heads) != set(script_heads):
            message = text("the upgrade ended at {ended}; the project's head is {heads:list}", ended=ended, heads=list(script_heads))
            bench.say("revision-not-reached", "upgrade", "", message)
    elif steps and steps[-1]["revision"] not in heads:
        message = text("the upgrade ended at {ended}; it was to go to {target}", ended=ended, target=target)
        bench.say("revision-not-reached", "upgrade", "", message)


def _say_checks(bench: Bench, checks: Sequence[Check]) -> None:
    for check in checks:
        if not check.ok:
            bench.say(check.code, check.stage, check.object, _missed(check), check.severity)


def _missed(check: Check) -> str:
    return text("{item}: measured {measured}, expected {expected}", item=check.item, measured=check.measured, expected=check.expected)


def _heads_after(evidence: Evidence, run: str) -> Optional[List[str]]:
    done = [event for event in evidence.migrations.get(run, []) if event["event"] == "done"]
    return list(done[-1]["heads"]) if done else None


def _revisions(evidence: Evidence, run: str) -> List[Dict[str, Any]]:
    return [event for event in evidence.migrations.get(run, []) if event["event"] == "revision_end"]


def _schema(bench: Bench, evidence: Evidence) -> Dict[str, List[Dict[str, Any]]]:
    """Differences between the snapshots, as they stand in the record."""
    snapshots = evidence.snapshots
    own = version_tables(evidence)
    found: Dict[str, List[Dict[str, Any]]] = {}

    def between(first: str, second: str) -> Iterator[schema_diff.Change]:
        for change in schema_diff.diff(snapshots[first], snapshots[second], renames=evidence.renames(first, second)):
            if not any(change.object == table or change.object.startswith(f"{table}.") for table in own):
                yield change

    if "before" in snapshots and "after" in snapshots:
        changes = list(between("before", "after"))
        found["upgrade"] = [change.to_json() for change in changes]
        rows = _rows_at(evidence, "after")
        sizes = judge_timeline.sizes(evidence.migrations.get("upgrade", []), rows)
        checked = structure_checks.check(snapshots["after"], changes, rows, lambda table: sizes.is_small(table, bench.policy.budgets))
        _say_structure(bench, checked)
    if "before" in snapshots and "back" in snapshots and whole_way_back(evidence):
        changes = list(between("before", "back"))
        found["way_back"] = [change.to_json() for change in changes]
        if _undid_nothing(evidence, changes, list(between("after", "back")) if "after" in snapshots else None):
            revisions = len(_revisions(evidence, "downgrade"))
            message = text(
                "{count:count revision was|revisions were} taken back, and of {changes} changes of the schema none was undone: {texts:list 1}",
                count=revisions,
                changes=len(changes),
                texts=[change.text for change in changes],
            )
            bench.say("downgrade-noop", "downgrade", "", message)
        else:
            for change in changes:
                bench.say("downgrade-leaves-trace", "downgrade", change.object, change.text)
    if "after" in snapshots and "again" in snapshots:
        changes = list(between("after", "again"))
        found["again"] = [change.to_json() for change in changes]
        for change in changes:
            bench.say("again-differs", "again", change.object, change.text)
    return found


def _undid_nothing(evidence: Evidence, left: Sequence[schema_diff.Change], undone: Optional[Sequence[schema_diff.Change]]) -> bool:
    """The downgrades ran, and what they left is exactly what the upgrade had made."""
    return bool(_revisions(evidence, "downgrade")) and bool(left) and undone is not None and not undone


def _say_structure(bench: Bench, found: Sequence[Mapping[str, Any]]) -> None:
    """What the migrations added or touched, one by one; what was so before is told once a code."""
    older: Dict[str, List[str]] = {}
    for check in found:
        if check["touched"]:
            message = text("{object}: {measured}", object=check["object"], measured=check["measured"])
            bench.say(check["code"], "structure", check["object"], message, check["severity"])
        else:
            older.setdefault(check["code"], []).append(check["object"])
    for code, objects in older.items():
        message = text("it was so before the upgrade: {objects:list 8}", objects=objects)
        bench.say(code, "structure", objects[0] if len(objects) == 1 else "", message, INFO)


def _data(bench: Bench, evidence: Evidence) -> Dict[str, List[Dict[str, Any]]]:
    prints, own, wanted = evidence.fingerprints, version_tables(evidence), evidence.expectations
    found: Dict[str, List[Dict[str, Any]]] = {}
    renames = evidence.renames("before", "after")
    if "before" in prints and "after" in prints:
        changes = judge_data.changes_between(prints["before"], prints["after"], wanted, own, evidence.rows.get("after"), renames)
        found["upgrade"] = [change.to_json() for change in changes]
        if "counts" in (prints["before"]["proof"], prints["after"]["proof"]):
            bench.say("values-not-compared", "data", "", text("rows and non-null values were counted; no value was compared"))
        compared = prints["before"]["tables"].keys() & renames.inverse().of_fingerprint(prints["after"])["tables"].keys()
        for code, thing, message, severity in judge_data.of_upgrade(changes, wanted, compared):
            # To declare it is the advice.
            bench.say(code, "data", thing, message, severity, "" if severity == INFO else None)
    if "back" in prints and not whole_way_back(evidence):
        message = text(
            "the downgrade went to {revision}, as asked for: what it leaves and loses on the way to production's revision was not compared",
            revision=wanted.downgrade_to,
        )
        bench.say("way-back-not-compared", "downgrade", "", message)
    if "before" in prints and "back" in prints and whole_way_back(evidence):
        changes = judge_data.changes_between(
            prints["before"], prints["back"], Expectations(), own, evidence.rows.get("back"), evidence.renames("before", "back")
        )
        found["way_back"] = [change.to_json() for change in changes]
        for code, thing, message, severity in judge_data.of_way_back(changes, wanted):
            bench.say(code, "downgrade", thing, message, severity)
    if "after" in prints and "again" in prints:
        lost = {renames.label(name) for change in found.get("way_back", []) for name in (change["object"], change["object"].rpartition(".")[0])}
        changes = judge_data.changes_between(prints["after"], prints["again"], Expectations(), own)
        earlier = renames.of_fingerprint(prints["before"]) if "before" in prints else None
        checks = evidence.checks.get("before")
        behind = None if checks is None else {renames.label(one["column"]) for one in checks["sequences_behind"]}
        only_new = judge_data.only_new_rows_differ(earlier, prints["after"], prints["again"], behind) if earlier else []
        found["again"] = [change.to_json() for change in changes]
        for code, thing, message, severity in judge_data.of_second_upgrade(changes, only_new):
            if thing not in lost:
                bench.say(code, "again", thing, message, severity)
    return found


def _rows(bench: Bench, evidence: Evidence) -> None:
    for code, thing, message, severity in judge_rows.of_checks(
        evidence.checks.get("before"), evidence.checks.get("after"), evidence.renames("before", "after")
    ):
        bench.say(code, "data", thing, message, severity)
    snapshots = evidence.snapshots
    for code, thing, message, severity in judge_rows.of_sequences(
        snapshots.get("before"), snapshots.get("after"), evidence.renames("before", "after")
    ):
        bench.say(code, "data", thing, message, severity)
    if whole_way_back(evidence):
        renames = evidence.renames("before", "back")
        for code, thing, message, severity in judge_rows.of_sequences(snapshots.get("before"), snapshots.get("back"), renames):
            bench.say(code, "downgrade", thing, text("after the way back: {message}", message=message), severity)
        for code, thing, message, severity in judge_rows.of_way_back(
            evidence.checks.get("before"), evidence.checks.get("back"), evidence.renames("before", "back")
        ):
            bench.say(code, "downgrade", thing, message, severity)


def _asked_for(bench: Bench, evidence: Evidence, changes: Mapping[str, List[Dict[str, Any]]]) -> None:
    """What is measured only where the inventory asks for it."""
    own = version_tables(evidence)
    for code, thing, message, severity in judge_drift.of_drift(evidence.drift, changes.get("upgrade") or [], own):
        bench.say(code, "structure", thing, message, severity)
    for code, thing, message, severity in judge_drift.of_models(evidence.models):
        bench.say(code, "structure", thing, message, severity)
    for code, thing, message, severity in judge_stairway.of_stairway(evidence.stairway, own):
        bench.say(code, "stairway", thing, message, severity)


def _missing(bench: Bench, evidence: Evidence) -> None:
    """No failed stage explains a gap: then the gap itself is a finding, for green means measured."""
    for name in evidence.missing:
        bench.say("not-measured", "evidence", name, text("the evidence lacks {name}, and with it what it said", name=name))
    if evidence.failed_stages():
        return
    wanted: Dict[str, Any] = {
        text("the stages"): evidence.stages or None,
        text("the manifest"): evidence.manifest,
        text("the copy"): evidence.copy,
        **{
            text("«{what}» of the kept template", what=what): evidence.kept.get(what)
            for what in (judge_template.FILES if judge_template.made_from_it(evidence) else ())
        },
        text("the application's heads"): (evidence.application or {}).get("heads"),
        **{text("snapshot «{moment}»", moment=moment): evidence.snapshots.get(moment) for moment in MOMENTS},
        **{text("fingerprint «{moment}»", moment=moment): evidence.fingerprints.get(moment) for moment in MOMENTS},
        **{text("the end of migration «{run}»", run=run): _heads_after(evidence, run) for run in RUNS},
        text("the checks after the upgrade"): evidence.checks.get("after"),
        text("the checks after the way back"): evidence.checks.get("back"),
        **{
            text("the evidence of «{name}», which was asked for,", name=name): getattr(evidence, name) for name in evidence.context.get("asked") or ()
        },
    }
    for what, found in wanted.items():
        if found is None:
            bench.say("not-measured", "evidence", str(what), text("the evidence lacks {name}", name=what))
