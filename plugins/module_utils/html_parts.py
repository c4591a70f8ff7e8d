# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the HTML report, in the order in which a reader needs them."""

from __future__ import annotations

import shlex
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import html_compared, html_waits, report_chart, report_figures
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import CODES
from ansible_collections.migrations.rehearsal.plugins.module_utils.html_elements import Html, join, tag
from ansible_collections.migrations.rehearsal.plugins.module_utils.html_tables import Cell, Column, Row, duration, figure, short_list, sql, table
from ansible_collections.migrations.rehearsal.plugins.module_utils.report_figures import Record
from ansible_collections.migrations.rehearsal.plugins.module_utils.verdict import GO, GO_WITH_WARNINGS
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import Speaker

# Of more findings of one code the others are folded.
_OPEN_OF_A_CODE = 3
_OPEN_STEPS = 20
# (id, heading, content); a part without content is left out.
Part = Tuple[str, str, Html]


def parts(record: Record, say: Speaker) -> Iterator[Part]:
    """All parts that have something to say."""
    made: List[Tuple[str, str, Callable[[Record, Speaker], Html]]] = [
        ("checklist", say("Checklist"), _checklist),
        ("findings", say("Findings"), _findings),
        ("plan", say("Deploy plan"), _plan),
        ("revisions", say("Revisions"), _revisions),
        ("waits", say("Who waits during the upgrade"), html_waits.waits),
        ("sizes", say("Size of tables"), _sizes),
        ("data", say("Existing data"), _data),
        ("schema", say("Schema"), _schema),
        ("statements", say("Statements"), _statements),
        ("squawk", say("What squawk says of the executed SQL"), html_compared.squawk),
        ("expectations", say("Expectations"), _expectations),
        ("models", say("The models against the migrated copy"), html_compared.models),
        ("drift", say("Production against its own revision"), html_compared.drift),
        ("stairway", say("One revision at a time"), html_compared.stairway),
        ("confidence", say("Production and copy"), _confidence),
        ("stages", say("Stages and clean-up"), _stages),
    ]
    for name, heading, render in made:
        content = render(record, say)
        if content:
            yield name, heading, content


def _checklist(record: Record, say: Speaker) -> Html:
    return tag(
        "ul",
        *(
            tag(
                "li",
                tag("span", report_figures.SIGNS[line["status"]], class_="sign", aria_hidden="true"),
                tag("span", say.word(line["status"]) + ":", class_="unseen"),
                tag("span", tag("strong", say.of(line, "item")), tag("span", report_figures.checklist_detail(line, say), class_="detail")),
                class_=f"{line['status'].replace(' ', '-')}",
            )
            for line in record["checklist"]
        ),
        class_="checklist",
    )


def _findings(record: Record, say: Speaker) -> Html:
    loud = [finding for finding in record["findings"] if finding["severity"] != "info"]
    quiet = [finding for finding in record["findings"] if finding["severity"] == "info"]
    if not record["findings"]:
        return tag("p", say("Nothing was found."))
    # Accepted ones stay visible: somebody bears them.
    accepted = [finding for finding in quiet if finding.get("accepted")]
    rest = [finding for finding in quiet if not finding.get("accepted")]
    return join(
        *(_group(group, say) for group in report_figures.grouped([*loud, *accepted])),
        None if loud or accepted else tag("p", say("No blocker and no warning.")),
        tag(
            "details",
            tag("summary", say("{count:count more finding|more findings} for information", count=len(rest))),
            *(_group(group, say) for group in report_figures.grouped(rest)),
        )
        if rest
        else None,
    )


def _group(group: Sequence[Mapping[str, Any]], say: Speaker) -> Html:
    """Findings of one code: what they are and what is to be done stands there once."""
    first = group[0]
    count = tag("span", say("{count:count finding|findings}", count=len(group)), class_="count") if len(group) > 1 else None
    items = [_finding(finding, say) for finding in group]
    if len(items) == 1:
        content = items[0]
    else:
        shown = items if len(items) <= _OPEN_OF_A_CODE + 1 else items[:_OPEN_OF_A_CODE]
        rest = items[len(shown) :]
        listed = tag("ul", *(tag("li", item) for item in shown))
        folded = tag("details", tag("summary", say("and {more} more", more=len(rest))), tag("ul", *(tag("li", item) for item in rest)))
        content = join(listed, folded if rest else None)
    return tag(
        "article",
        tag("h3", tag("span", say.word(first["severity"]), class_="badge"), " ", say.word(_title(first)), " ", tag("code", first["code"]), count),
        content,
        tag("p", tag("span", "→ ", aria_hidden="true"), say.word(first["advice"]), class_="advice") if first["advice"] else None,
        class_=f"finding {first['severity']}",
    )


def _finding(finding: Mapping[str, Any], say: Speaker) -> Html:
    place = report_figures.where(finding)
    acceptance = report_figures.acceptance(finding, say)
    facts = [tag("span", say("stage {stage}", stage=say.word(finding["stage"])))]
    if finding.get("revision"):
        facts.append(tag("span", say("revision"), " ", tag("code", finding["revision"])))
    if place:
        facts.append(tag("code", place))
    return join(
        tag("p", say.of(finding, "message"), class_="message"),
        tag("p", acceptance, class_="acceptance") if acceptance else None,
        tag("p", *facts, class_="facts"),
    )


def _title(finding: Mapping[str, Any]) -> str:
    known = CODES.get(finding["code"])
    return known.title if known else finding["code"]


def _plan(record: Record, say: Speaker) -> Html:
    plan = record["deploy_plan"]
    if plan is None:
        return Html("")
    stopped = record["verdict"] not in (GO, GO_WITH_WARNINGS)
    warning = say("The verdict is {verdict}: this plan is not to be carried out.", verdict=say.word(record["verdict"]))
    return join(
        tag("p", warning, class_="stop") if stopped else None,
        tag("ol", *(_step(step, say) for step in plan["steps"][:_OPEN_STEPS]), class_="plan"),
        tag(
            "details",
            tag("summary", say("and {more} more", more=len(plan["steps"]) - _OPEN_STEPS)),
            tag("ol", *(_step(step, say) for step in plan["steps"][_OPEN_STEPS:]), class_="plan", start=_OPEN_STEPS + 1),
        )
        if len(plan["steps"]) > _OPEN_STEPS
        else None,
        tag("h3", say("The way back")) if plan["ways_back"] else None,
        tag("ul", *(_step(step, say) for step in plan["ways_back"]), class_="plan") if plan["ways_back"] else None,
        tag("ul", *(tag("li", note) for note in notes(plan, say)), class_="notes"),
    )


def notes(plan: Mapping[str, Any], say: Speaker) -> List[str]:
    """What is to be known about the plan's commands."""
    return [say.of(note, "text") for note in plan["notes"]]


def command_line(step: Mapping[str, Any]) -> str:
    """A step's command as a shell takes it. What stands for a value to be filled in is not quoted."""
    said = [f"{name}={shlex.quote(value)}" for name, value in step["environment"].items()]
    said += [word if word.endswith("=…") else shlex.quote(word) for word in step["command"]]
    return " ".join(said + [f"{sign} {shlex.quote(step[way])}" for sign, way in (("<", "input"), (">", "output")) if step[way]])


def _step(step: Mapping[str, Any], say: Speaker) -> Html:
    facts = []
    if step["seconds"] is not None:
        facts.append(say("expected: {ms:duration}", ms=step["seconds"] * 1000))
    if step["blocked_ms"]:
        facts.append(say("traffic waits: {ms:duration}", ms=step["blocked_ms"]))
    if step["expect"]:
        facts.append(say.of(step, "expect"))
    return tag(
        "li",
        tag("p", tag("strong", say.of(step, "title"))),
        tag("pre", tag("code", command_line(step)), tabindex=0, role="region", aria_label=say("command")) if step["command"] else None,
        tag("p", *(tag("span", fact) for fact in facts), class_="facts") if facts else None,
    )


def _revisions(record: Record, say: Speaker) -> Html:
    rows = report_figures.revision_rows(record)
    if not rows:
        return Html("")
    columns = [
        Column("#", numeric=True), Column(say("revision"), wide=True), Column(say("time"), numeric=True), Column(say("locks")),
        Column(say("reads wait"), numeric=True), Column(say("writes wait"), numeric=True), Column(say("written anew")),
        Column(say("rows"), numeric=True), Column(say("WAL"), numeric=True), Column(say("way down"), numeric=True),
    ]  # fmt: skip
    shown = [
        (
            Cell(number, number),
            join(
                tag("code", row["revision"]),
                tag("strong", " ", say.word(row["status"]), class_="status") if row["status"] != "ok" else None,
                tag("div", row["message"]),
                tag("div", row["file"], class_="faint") if row["file"] else None,
            ),
            duration(report_figures.ms(row["seconds"]), say),
            short_list(report_figures.telling_locks(row), say),
            duration(row["blocked_reads_ms"], say),
            duration(row["blocked_writes_ms"], say),
            short_list(report_figures.rewritten(row, say), say),
            figure(row["rows"], say.number),
            figure(row["wal_bytes"], say.size),
            duration(report_figures.ms(row["back"]["seconds"]) if row["back"] else None, say),
        )
        for number, row in enumerate(rows, 1)
    ]
    whose = say("What waits is told of the locks that a revision took itself: the longest of them, to the end of its transaction.")
    return join(report_chart.timeline(record, say), tag("p", whose, class_="faint"), table(say("Revisions"), columns, shown, say))


def _sizes(record: Record, say: Speaker) -> Html:
    columns = [Column(say("table")), *(Column(label, numeric=True) for label in (say("before"), say("after"), say("grew by")))]
    rows: List[Row] = [
        (tag("code", name), before, after, Cell(("−" if grown < 0 else "") + say.size(abs(grown)), grown))
        for name, before, after, grown in report_figures.size_rows(record, say)
    ]
    return table(say("Size of tables"), columns, rows, say)


def _data(record: Record, say: Speaker) -> Html:
    found = [
        _data_changes(say("What the upgrade does to data"), record["data_changes"].get("upgrade"), record, say),
        _data_changes(say("What the way back loses"), record["data_changes"].get("way_back"), record, say),
        _data_changes(say("What the second upgrade does differently"), record["data_changes"].get("again"), record, say),
    ]
    compared = record["data_compared"]
    if compared is None:
        return join(tag("p", say("Existing data was not compared.")), *found)
    said = say(
        "{rows:count row|rows}, {columns:count column|columns} and {values:count value|values} of {tables:count table|tables} "
        "were there before and were looked at again after the upgrade.",
        **compared,
    )
    return join(tag("p", said), *found)


def _data_changes(heading: str, changes: Optional[List[Mapping[str, Any]]], record: Record, say: Speaker) -> Html:
    if not changes:
        return Html("")
    verdicts = {finding["object"]: finding["severity"] for finding in record["findings"] if finding["stage"] == "data"}
    columns = [Column(say("object")), Column(say("what")), Column(say("rows before"), numeric=True), Column(say("rows after"), numeric=True),
               Column(say("in words"), wide=True), Column(say("severity"))]  # fmt: skip
    rows = [
        (
            tag("code", change["object"]), report_figures.kind(change, say),
            _count(change.get("rows_before"), say), _count(change.get("rows_after"), say),
            say.of(change, "text"), say.word(verdicts.get(change["object"], "")),
        )
        for change in report_figures.telling_changes(changes)
    ]  # fmt: skip
    return join(tag("h3", heading), table(heading, columns, rows, say))


def _count(value: Optional[int], say: Speaker) -> Cell:
    return Cell("", -1) if value is None else Cell(say.number(value), value)


def _schema(record: Record, say: Speaker) -> Html:
    headings = (
        ("upgrade", say("What the upgrade changes")),
        ("way_back", say("What the way back leaves different")),
        ("again", say("What the second upgrade makes different")),
    )
    columns = [Column(say("what")), Column(say("kind")), Column(say("object")), Column(say("in words"), wide=True)]
    found = []
    for moment, heading in headings:
        changes = record["schema_changes"].get(moment)
        if changes:
            rows = [
                (say.word(change["kind"]), say.word(change["object_kind"]), tag("code", change["object"]), say.of(change, "text"))
                for change in changes
            ]
            found += [tag("h3", heading), table(heading, columns, rows, say)]
    return join(*found)


def _statements(record: Record, say: Speaker) -> Html:
    folded = record["statements"].get("upgrade")
    if not folded or not folded["statements"]:
        return Html("")
    columns = [
        Column(say("statement"), wide=True), Column(say("calls"), numeric=True), Column(say("in all"), numeric=True),
        Column(say("longest"), numeric=True), Column(say("mean"), numeric=True), Column(say("rows"), numeric=True),
        Column(say("how long how often")), Column(say("revision")),
    ]  # fmt: skip
    rows: List[Row] = [
        (
            sql(entry["sql"]), Cell(say.number(entry["calls"]), entry["calls"]),
            *(duration(entry[key], say) for key in ("total_ms", "max_ms", "mean_ms")),
            Cell(say.number(entry["rows"]), entry["rows"]), report_chart.histogram(entry, folded["bounds_ms"], say),
            short_list(entry["revisions"], say),
        )
        for entry in folded["statements"]
    ]  # fmt: skip
    said = say("Statements of the upgrade that differ only in their values are one; values are masked.")
    left = tag("p", say("{count:count more statement|more statements} in the evidence", count=folded["left_out"])) if folded["left_out"] else None
    return join(tag("p", said), table(say("Statements"), columns, rows, say), left)


def _expectations(record: Record, say: Speaker) -> Html:
    checks = record["expectations"]
    if not checks:
        return tag("p", say("No expectations file was given: what must be true after the upgrade was not checked beyond the project's head."))
    met = sum(check["ok"] for check in checks)
    # The same thing may be asked for after the upgrade, and its opposite after the way back.
    columns = [Column(""), Column(say("stage")), Column(say("expectation"), wide=True), Column(say("measured")), Column(say("expected"))]
    rows = [
        (
            Cell(report_figures.SIGNS["ok" if check["ok"] else "failed"], 1 if check["ok"] else 0),
            say.word(check["stage"]),
            say.of(check, "item"),
            say.of(check, "measured"),
            say.of(check, "expected"),
        )
        # Those that are not met are what is looked for.
        for check in sorted(checks, key=lambda one: bool(one["ok"]))
    ]
    return join(
        tag("p", say("{met} of {all} expectations met", met=met, all=len(checks))), table(say("Expectations"), columns, rows, say, fold_after=10)
    )


def _confidence(record: Record, say: Speaker) -> Html:
    facts = report_figures.fact_rows(record, say)
    columns = [Column(say("fact")), Column(say("production")), Column(say("copy")), Column("")]
    rows = [(row["name"], row["production"], row["copy"], tag("strong", say("differs")) if row["differs"] else "") for row in facts]
    weak = report_figures.weaknesses(record, say)
    proved = say("What makes the verdict less certain") if weak else say("Nothing is known that makes the verdict less certain.")
    return join(
        table(say("Production and copy"), columns, rows, say) if facts else None,
        tag("h3", proved) if weak else tag("p", proved),
        tag("ul", *(tag("li", weakness) for weakness in weak)) if weak else None,
        _application(record, say),
    )


def _application(record: Record, say: Speaker) -> Html:
    application = record["application"]
    facts: Dict[str, Any] = {
        "Python": application.get("python"),
        "Alembic": application.get("alembic"),
        "SQLAlchemy": application.get("sqlalchemy"),
        say("stood at"): ", ".join(application.get("current") or []),
        say("head"): ", ".join(application.get("heads") or []),
        say("command"): " ".join(application.get("command") or []),
        say("directory"): application.get("chdir"),
        say("environment (names)"): ", ".join(application.get("environment") or []),
    }
    shown = [join(tag("dt", name), tag("dd", tag("code", value))) for name, value in facts.items() if value]
    return join(tag("h3", say("Application")), tag("dl", *shown)) if shown else Html("")


def _stages(record: Record, say: Speaker) -> Html:
    columns = [Column(say("stage")), Column(say("host")), Column(say("status")), Column(say("time"), numeric=True), Column("", wide=True)]
    rows = [
        (say.word(stage["name"]), stage["host"], say.word(stage["status"]), duration(stage["seconds"] * 1000, say), stage_note(stage, say))
        for stage in record["stages"]
    ]
    lines = [tag("li", line) for line in clean_up_lines(record["cleanup"], say)]
    return join(table(say("Stages"), columns, rows, say, fold_after=30), tag("h3", say("Clean-up")), tag("ul", *lines))


def stage_note(stage: Mapping[str, Any], say: Speaker) -> str:
    """What a stage said of itself: its summary, or its error."""
    return say.of(stage, "summary") if stage["summary"] else say.heard(stage["error"] or "")


def clean_up_lines(cleanup: Mapping[str, Any], say: Speaker) -> List[str]:
    """What was removed on each side, and what a look afterwards found."""
    lines: List[str] = []
    for side, found in cleanup.items():
        values = {"side": say.word(side)}
        if found is None:
            lines.append(say("{side}: nothing was made there, or clean-up is not proven (see the findings)", **values))
            continue
        removed = say("{things:list}", things=[say.heard(thing) for thing in found["removed"]]) if found["removed"] else say("nothing")
        left = (
            say("still there: {things:list}", things=[say.heard(thing) for thing in found["left"]])
            if found["left"]
            else say("a look afterwards found nothing")
        )
        said = say("{side}: removed {removed}; {left}", removed=removed, left=left, **values)
        said += say("; the copy is kept until it expires") if found["copy"] == "kept" else ""
        for kept in found.get("kept") or ():
            said += say("; {thing} is kept until {expires}", **kept)
        lines.append(said)
    return lines
