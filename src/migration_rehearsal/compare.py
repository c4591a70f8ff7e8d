# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between two rehearsals, from their records alone: worse, better, or otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import report_figures, timeline, verdict
from ansible_collections.migrations.rehearsal.plugins.module_utils.report_text import one_line

from migration_rehearsal.times import changed, seconds

Record = Mapping[str, Any]
WORSE, BETTER, OTHERWISE = "worse", "better", "otherwise"
NOT_MEASURED = "not measured"
_RANKS = (verdict.GO, verdict.GO_WITH_WARNINGS, verdict.INCOMPLETE, verdict.NO_GO)
_WEIGHTS = {"info": 0, "warning": 1, "blocker": 2}
_RUNS = (("upgrade", "upgrade"), ("downgrade", "way back"))


@dataclasses.dataclass(frozen=True)
class Difference:
    """`how`: WORSE, BETTER or OTHERWISE; `about`: what kind of thing; `text`: for a person, with both values."""

    how: str
    about: str
    object: str
    text: str


def differences(a: Record, b: Record) -> list[Difference]:
    """Everything that `b` has otherwise than `a`, in the order of the report."""
    return [
        *_verdict(a, b),
        *_findings(a, b),
        *_revisions(a, b),
        *_times(a, b),
        *_texts("schema", a["schema_changes"], b["schema_changes"]),
        *_texts("data", a["data_changes"], b["data_changes"]),
        *_production(a, b),
    ]


def remarks(a: Record, b: Record) -> Iterator[str]:
    """Why the two may not be comparable."""
    sources = [f"{one['production']['host']}/{one['production']['database']}" for one in (a, b)]
    if sources[0] != sources[1]:
        yield f"these are rehearsals of two databases: {sources[0]} and {sources[1]}"
    formats = [one.get("schema_version") for one in (a, b)]
    if formats[0] != formats[1]:
        yield f"records of version {formats[0]} and {formats[1]}: some numbers are measured otherwise; `rehearse judge` makes both anew"
    versions = [(one["production"].get("server_version"), one["copy"].get("server_version")) for one in (a, b)]
    if versions[0] != versions[1] and all(all(one) for one in versions):
        yield f"PostgreSQL differs (production, dev): {' and '.join(versions[0])}, now {' and '.join(versions[1])}"
    if a["copy"].get("host") != b["copy"].get("host"):
        yield f"made on two dev hosts, {a['copy'].get('host')} and {b['copy'].get('host')}: their times need not be comparable"


def _verdict(a: Record, b: Record) -> Iterator[Difference]:
    if a["verdict"] != b["verdict"]:
        worse = _RANKS.index(b["verdict"]) > _RANKS.index(a["verdict"])
        yield Difference(WORSE if worse else BETTER, "verdict", "", f"{a['verdict']}, now {b['verdict']}")


def _findings(a: Record, b: Record) -> Iterator[Difference]:
    pairs = _paired(a["findings"], b["findings"])
    for old, finding in pairs:
        if finding is None:
            continue
        text = _weighed(finding)
        if old is None:
            known = _complete(a)
            how = WORSE if known and finding["severity"] != "info" else OTHERWISE
            yield Difference(how, "finding", finding["object"], f"{'new' if known else 'not known before'}: {text}")
        elif old["severity"] != finding["severity"]:
            worse = _WEIGHTS[finding["severity"]] > _WEIGHTS[old["severity"]]
            yield Difference(WORSE if worse else BETTER, "finding", finding["object"], f"was {old['severity'].upper()}, now {text}")
    for old in (old for old, finding in pairs if old is not None and finding is None):
        known = _complete(b)
        how = BETTER if known and old["severity"] != "info" else OTHERWISE
        yield Difference(how, "finding", old["object"], f"{'gone' if known else 'not known any more'}: {_weighed(old)}")


def _paired(before: Sequence[Record], after: Sequence[Record]) -> list[tuple[Record | None, Record | None]]:
    """Each finding of `after` with the one of `before` that says the same of the same thing, and those that have none, in order.

    Several may say so: both ways lock a table, two revisions rewrite it. Of these the same revision's go together, then whichever are left.
    """
    left = list(before)
    found: dict[int, Record] = {}
    for key in (("code", "object", "stage", "revision"), ("code", "object", "stage")):
        for number, finding in enumerate(after):
            match = next((one for one in left if all(one.get(name) == finding.get(name) for name in key)), None) if number not in found else None
            if match is not None:
                left = [one for one in left if one is not match]
                found[number] = match
    return [*((found.get(number), finding) for number, finding in enumerate(after)), *((one, None) for one in left)]


def _weighed(finding: Record) -> str:
    return f"{finding['severity'].upper()} {finding['code']}: {one_line(finding['message'])}"


def _complete(record: Record) -> bool:
    """It came to its end: what it does not find is not there. Of one that ended early nothing is known of what comes after."""
    return all(line["status"] != NOT_MEASURED for line in record["checklist"])


def _revisions(a: Record, b: Record) -> Iterator[Difference]:
    for run, name in _RUNS:
        before, after = ({row["revision"]: row for row in record["revisions"] if row["run"] == run} for record in (a, b))
        if run == "upgrade":
            yield from (Difference(OTHERWISE, "revision", one, f"{one} is new: {_title(after[one])}") for one in after if one not in before)
            yield from (
                Difference(OTHERWISE, "revision", one, f"{one} is not run any more: {_title(before[one])}") for one in before if one not in after
            )
        for revision in (one for one in after if one in before):
            # Of one that failed or was not run there is nothing to hold against another; the findings say why.
            if before[revision]["status"] == after[revision]["status"] == "ok":
                yield from _revision(name, before[revision], after[revision])


def _title(row: Record) -> str:
    return f"{row['message'] or 'no message'} ({seconds(row['seconds']) if row['status'] == 'ok' else row['status']})"


def _revision(run: str, old: Record, new: Record) -> Iterator[Difference]:
    named = f"{new['revision']}, {run}"
    timed = {"takes": ("time", old["seconds"], new["seconds"])}
    blocked = {what: (old[f"blocked_{what}_ms"] / 1000, new[f"blocked_{what}_ms"] / 1000) for what in ("reads", "writes")}
    if blocked["reads"] == blocked["writes"]:
        timed["keeps reads and writes waiting for"] = ("lock", *blocked["reads"])
    else:
        timed.update({f"keeps {what} waiting for": ("lock", *values) for what, values in blocked.items()})
    for what, (about, before, after) in timed.items():
        if changed(before, after)[0]:
            text = f"{named}: {what} {seconds(after)}, was {seconds(before)}"
            yield Difference(WORSE if after > before else BETTER, about, new["revision"], text)
    for table in sorted({*old["locks"], *new["locks"]}):
        modes = [row["locks"].get(table) for row in (old, new)]
        if modes[0] != modes[1]:
            worse = _strength(modes[1]) > _strength(modes[0])
            text = f"{named}: locks {table} in {modes[1] or 'no mode that blocks'}, was {modes[0] or 'not locked'}"
            yield Difference(WORSE if worse else BETTER, "lock", new["revision"], text)
    rewritten = [{one["relation"]: one["reason"] for one in row["rewrites"]} for row in (old, new)]
    for relation in sorted(rewritten[1].keys() - rewritten[0].keys()):
        yield Difference(WORSE, "rewrite", new["revision"], f"{named}: rewrites {relation} ({rewritten[1][relation]})")
    for relation in sorted(rewritten[0].keys() - rewritten[1].keys()):
        yield Difference(BETTER, "rewrite", new["revision"], f"{named}: does not rewrite {relation} any more")


def _strength(mode: str | None) -> int:
    return timeline.MODES.index(mode) if mode in timeline.MODES else -1


def _times(a: Record, b: Record) -> Iterator[Difference]:
    if a["downtime_ms"] is not None and b["downtime_ms"] is not None:
        yield from _time("downtime", "predicted downtime", a["downtime_ms"] / 1000, b["downtime_ms"] / 1000)
    for run, name in _RUNS:
        ran = [report_figures.ran(record, run) for record in (a, b)]
        if all(one["all"] and one["count"] == one["all"] for one in ran):
            yield from _time("time", f"{name} in all", *(one["ms"] / 1000 for one in ran))
    # A busy machine, or more data: no migration's doing.
    yield from (dataclasses.replace(one, how=OTHERWISE) for one in _time("time", "the rehearsal itself", a["seconds"], b["seconds"]))


def _time(about: str, name: str, before: float, after: float) -> Iterator[Difference]:
    if changed(before, after)[0]:
        yield Difference(WORSE if after > before else BETTER, about, "", f"{name}: {seconds(after)}, was {seconds(before)}")


_PHASES = {"upgrade": "the upgrade", "way_back": "the way back", "again": "the second upgrade"}


def _texts(about: str, a: Mapping[str, Sequence[Record]], b: Mapping[str, Sequence[Record]]) -> Iterator[Difference]:
    """What the migrations do to schema and data; whether that is good, only people know."""
    for phase in dict.fromkeys([*a, *b]):
        before, after = ({one["text"]: one for one in side.get(phase) or ()} for side in (a, b))
        named = _PHASES.get(phase, phase)
        yield from (Difference(OTHERWISE, about, after[one]["object"], f"new in {named}: {one_line(one)}") for one in after if one not in before)
        yield from (
            Difference(OTHERWISE, about, before[one]["object"], f"not any more in {named}: {one_line(one)}") for one in before if one not in after
        )


def _production(a: Record, b: Record) -> Iterator[Difference]:
    before, after = a["production"], b["production"]
    for key, name in (("rows", "rows"), ("tables", "tables")):
        if before.get(key) != after.get(key) and None not in (before.get(key), after.get(key)):
            yield Difference(OTHERWISE, "production", "", f"production has {after[key]:,} {name}, had {before[key]:,}")
