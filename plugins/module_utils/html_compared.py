# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the HTML report that are there only if something more was measured: squawk's claims, drift, the models, the stairway."""

from __future__ import annotations

from typing import Any, Collection, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.html_elements import Html, join, tag
from ansible_collections.migrations.rehearsal.plugins.module_utils.html_tables import Cell, Column, Row, sql, table
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge_drift import blind_spots
from ansible_collections.migrations.rehearsal.plugins.module_utils.report_figures import Record
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import Speaker, render

_ANSWERS = ("confirmed", "refuted", "not measured")
_WAYS = ("up", "down", "again")


def squawk_claims(record: Record) -> List[Mapping[str, Any]]:
    """The linter's claims, those that were confirmed and matter first."""
    order = {"confirmed": 0, "not measured": 1, "refuted": 2}
    return sorted(record["squawk"]["claims"], key=lambda claim: (not claim["matters"], order[claim["answer"]]))


def squawk_note(record: Record, say: Speaker) -> str:
    """What the linter looked at, or why it did not."""
    squawk = record["squawk"]
    if squawk["status"] != "ran":
        return say("It did not look: {reason}.", reason=say.of(squawk, "reason"))
    values = {key: squawk[key] for key in ("version", "statements", "not_read")}
    if squawk["not_read"]:
        return say("squawk {version} looked at {statements:count statement|statements}; it could not read {not_read} of them.", **values)
    return say("squawk {version} looked at {statements:count statement|statements}.", **values)


def squawk(record: Record, say: Speaker) -> Html:
    """Every claim with its answer; nothing where the linter did not look."""
    if record["squawk"]["status"] != "ran":
        return Html("")
    claims = squawk_claims(record)
    counts: List[str] = [
        say("{answer}: {count:number}", answer=say.word(answer), count=sum(claim["answer"] == answer for claim in claims)) for answer in _ANSWERS
    ]
    columns = [
        Column(say("answer")), Column(say("claim")), Column(say("table")), Column(say("revision")), Column(say("statement"), wide=True),
        Column(say("measured"), wide=True),
    ]  # fmt: skip
    rows: List[Row] = [
        (
            Cell(_answer(claim, say), _ANSWERS.index(claim["answer"])), tag("code", claim["rule"]),
            tag("code", claim["object"]) if claim["object"] else "",
            tag("code", claim["revision"]), sql(claim["sql"]), say.of(claim, "measured"),
        )
        for claim in claims
    ]  # fmt: skip
    counted = tag("p", " · ".join(counts)) if claims else tag("p", say("It claims nothing."))
    return join(tag("p", squawk_note(record, say)), counted, table(say("What squawk says of the executed SQL"), columns, rows, say))


def _answer(claim: Mapping[str, Any], say: Speaker) -> Html:
    said = tag("strong", say.word(claim["answer"])) if claim["matters"] else join(say.word(claim["answer"]))
    # Confirmed of a table that is small or new: true, and harmless.
    harmless = claim["answer"] == "confirmed" and not claim["matters"]
    return join(said, tag("div", say("harmless here"), class_="faint") if harmless else None)


def drift(record: Record, say: Speaker) -> Html:
    """Production against its own revision."""
    found = record["drift"]
    if found is None:
        return Html("")
    revisions = ", ".join(found["revisions"])
    if found["reason"]:
        return tag("p", say("Whether production is what its revision says could not be measured: {reason:heard}", reason=found["reason"]))
    changes = drift_changes(record)
    ran = say(
        "{ran:count revision was|revisions were} run from nothing up to {revisions}, production's own, and the two schemas compared.",
        ran=found["ran"],
        revisions=revisions,
    )
    if not changes:
        return join(tag("p", ran), tag("p", say("Production is exactly what its revision says.")))
    upgrade = record["schema_changes"].get("upgrade") or []
    touched = {name for change in upgrade for name in (change["object"], change["table"]) if name}
    columns = [Column(say("object")), Column(say("kind")), Column(say("what production has"), wide=True), Column(say("the upgrade touches it"))]
    rows: List[Row] = []
    for change in changes:
        is_touched = change["object"] in touched or change.get("table") in touched
        cell = Cell(tag("strong", say.word("yes")) if is_touched else say.word("no"), int(is_touched))
        rows.append((tag("code", change["object"]), say.word(change["object_kind"]), say.of(change, "text"), cell))
    return join(tag("p", ran), table(say("Production against its own revision"), columns, rows, say))


def drift_changes(record: Record) -> List[Mapping[str, Any]]:
    """In what production differs from its revision, Alembic's own tables aside."""
    own: Collection[str] = record["production"].get("revisions") or ("alembic_version",)
    return [change for change in record["drift"]["changes"] if change["object"] not in own and change.get("table") not in own]


def models(record: Record, say: Speaker) -> Html:
    """The models against the migrated copy."""
    found = record["models"]
    if found is None:
        return Html("")
    parts: List[Optional[Html]] = []
    for reason in dict.fromkeys(one["reason"] for one in found["databases"] if one["reason"]):
        parts.append(tag("p", say("The models were not compared: {reason:heard}", reason=reason)))
    compared = [one for one in found["databases"] if not one["reason"]]
    differences = [difference for one in compared for difference in one["differences"]]
    if compared and not differences:
        parts.append(tag("p", say("The models are what the migrations make.")))
    columns = [Column(say("table")), Column(say("where")), Column(say("in words"), wide=True)]
    rows: List[Row] = [
        (tag("code", one["table"] or one["object"]), say.heard(one["where"]), say.heard(one["text"]))
        for one in sorted(differences, key=lambda one: (one["where"] == "only in the database", one["table"]))
    ]
    parts.append(table(say("The models against the migrated copy"), columns, rows, say))
    if compared:
        parts.append(tag("p", render(blind_spots(compared), say.language), ".", class_="faint"))
    return join(*parts)


def stairway(record: Record, say: Speaker) -> Html:
    """One revision at a time: up, down, up again."""
    found = record["stairway"]
    if found is None:
        return Html("")
    columns = [
        Column("#", numeric=True), Column(say("revision"), wide=True), Column(say("up"), numeric=True), Column(say("down"), numeric=True),
        Column(say("up again"), numeric=True), Column(say("what is not as it was"), wide=True),
    ]  # fmt: skip
    rows: List[Row] = []
    for number, step in enumerate(found["steps"], 1):
        name = join(tag("code", step["revision"]), tag("div", step["message"]) if step["message"] else None)
        rows.append((Cell(number, number), name, *(_way(step[way], say) for way in _WAYS), _not_as_it_was(step, say)))
    whole = say(
        "{count:count revision was|revisions were} taken up, down and up again, each by itself, and schema and data compared after each step.",
        count=found["revisions"],
    )
    failed = say("The first step, back to production's revision, failed: {error:heard}", error=found["error"]) if found["error"] else ""
    stopped = say("It ended before the last revision: what comes after was not tried.") if not found["complete"] and not failed else ""
    end = [say.of(change, "text") for change in found["end"] or ()]
    other = tag("p", say("One at a time the revisions end in another schema than all at once:")) if end else None
    return join(
        tag("p", whole),
        tag("p", failed or stopped, class_="stop") if failed or stopped else None,
        table(say("One revision at a time"), columns, rows, say),
        other,
        tag("ul", *(tag("li", line) for line in end)) if end else None,
    )


def _way(step: Optional[Mapping[str, Any]], say: Speaker) -> Cell:
    if step is None:
        return Cell(say("not tried"), -1)
    if step["error"]:
        return Cell(tag("strong", say.word("failed")), float("inf"))
    return Cell(say.duration((step["seconds"] or 0) * 1000), step["seconds"] or 0)


def _not_as_it_was(step: Mapping[str, Any], say: Speaker) -> Html:
    """What the way down leaves or loses, what the second time makes different, and errors."""
    said: List[Html] = []
    headings: Sequence[Tuple[str, str]] = (("up", say("up")), ("down", say("down")), ("again", say("up again")))
    for way, heading in headings:
        found: Dict[str, Any] = step[way] or {"error": None, "schema": [], "data": []}
        if found["error"]:
            said.append(tag("div", f"{heading}: ", say.heard(found["error"])))
        said += [tag("div", f"{heading}: ", say.of(change, "text")) for change in [*found["schema"], *found["data"]]]
    if len(said) <= 4:
        return join(*said)
    return join(*said[:3], tag("details", tag("summary", say("and {more} more", more=len(said) - 3)), *said[3:]))
