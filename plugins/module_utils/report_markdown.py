# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Markdown report: short enough for the discussion of a merge request; what is long is folded or left to the HTML report."""

from __future__ import annotations

import re
from typing import Any, Callable, List, Mapping, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import html_compared, html_parts, report_figures
from ansible_collections.migrations.rehearsal.plugins.module_utils.html_elements import clean
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge_timeline import shorten
from ansible_collections.migrations.rehearsal.plugins.module_utils.report_figures import Record
from ansible_collections.migrations.rehearsal.plugins.module_utils.verdict import GO, GO_WITH_WARNINGS
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import ENGLISH, Speaker

# GitHub takes 65,536 characters for a comment.
MOST_CHARACTERS = 65_000
_MOST_REVISIONS = 30
_MOST_CHANGES = 40
_MOST_TABLES = 20
_MOST_FINDINGS = 40
# What Markdown, and the HTML in it, would take for more than text. Underscores within words are text to all that render it today.
_SPECIAL = re.compile(r"([\\`*\[\]|])")


def markdown(record: Record, language: str = ENGLISH) -> str:
    """The verdict and the three numbers, the runbook's checklist, findings, one row a revision; the rest folded."""
    say = Speaker(language)
    lines = [f"# {say.word(record['verdict'])}: {_text(report_figures.source(record))}", "", report_figures.sentence(record, say), ""]
    reason = report_figures.reason(record, say)
    lines += [f"**{_text(reason)}**", ""] if reason else []
    numbers = report_figures.numbers(record, say)
    lines += _grid([number["title"] for number in numbers], [[f"**{_text(number['value'])}**" for number in numbers],
                                                             [_text(number["detail"]) for number in numbers]])  # fmt: skip
    lines += ["", f"## {say('Checklist')}", ""]
    lines += [_checklist_line(line, say) for line in record["checklist"]]
    lines += _findings(record, say)
    lines += _revisions(record, say)
    lines += _way_back(record, say)
    folded = {
        say("For information"): _informed(record, say),
        say("Deploy plan"): _plan(record, say),
        say("Who waits during the upgrade"): _waits(record, say),
        say("Size of tables"): _sizes(record, say),
        say("What squawk says of the executed SQL"): _squawk(record, say),
        say("Expectations"): _expectations(record, say),
        say("What the upgrade does to the schema"): _changes(record["schema_changes"].get("upgrade"), say),
        say("What the upgrade does to existing data"): _changes(record["data_changes"].get("upgrade"), say),
        say("What the way back loses"): _changes(record["data_changes"].get("way_back"), say),
        say("Production and copy"): _sides(record, say),
        say("Stages"): _stages(record, say),
        say("Clean-up"): [f"- {_text(line)}" for line in html_parts.clean_up_lines(record["cleanup"], say)],
    }
    end = say("Rehearsal {id}, {ms:duration} in all.", id=record["id"], ms=record["seconds"] * 1000)
    return _fitted(lines, folded, end, say)


def _fitted(lines: Sequence[str], folded: Mapping[str, Sequence[str]], end: str, say: Speaker) -> str:
    """All of it where it is short enough for a comment; else without the longest of the folded parts, and what then is too long is cut."""
    kept = {heading: content for heading, content in folded.items() if content}
    left_out: List[str] = []
    while True:
        last = [*(["", say("Left out here, for it is long: {parts:list}. The other reports have it.", parts=left_out)] if left_out else []), "", end]
        parts = [line for heading, content in kept.items() for line in _fold(heading, content)]
        text = "\n".join([*lines, *parts, *last]) + "\n"
        if len(text) <= MOST_CHARACTERS:
            return text
        if kept:
            longest = max(kept, key=lambda heading: len("\n".join(kept[heading])))
            left_out.append(longest)
            del kept[longest]
            continue
        room = MOST_CHARACTERS - len("\n".join(["", "", "…", *last])) - 1
        whole = "\n".join(lines)[:room].rpartition("\n")[0]
        return "\n".join([whole, "", "…", *last]) + "\n"


def _checklist_line(line: Mapping[str, Any], say: Speaker) -> str:
    said = filter(None, (f"**{_text(say.of(line, 'item'))}**", _text(report_figures.checklist_detail(line, say))))
    return f"- {report_figures.SIGNS[line['status']]} " + " — ".join(said)


def _findings(record: Record, say: Speaker) -> List[str]:
    lines: List[str] = []
    for severity, heading in (("blocker", say("Blockers")), ("warning", say("Warnings"))):
        found = [finding for finding in record["findings"] if finding["severity"] == severity]
        if found:
            lines += ["", f"## {heading}", ""]
        for group in report_figures.grouped(found[:_MOST_FINDINGS]):
            lines += _group(group, say)
        if len(found) > _MOST_FINDINGS:
            lines.append("- " + say("and {more} more", more=len(found) - _MOST_FINDINGS))
    return lines


def _informed(record: Record, say: Speaker) -> List[str]:
    informed = [finding for finding in record["findings"] if finding["severity"] == "info"]
    said = [line for finding in informed[:_MOST_FINDINGS] for line in _finding(finding, say)]
    if len(informed) > _MOST_FINDINGS:
        said.append("- " + say("and {more} more", more=len(informed) - _MOST_FINDINGS))
    return said


def _group(group: Sequence[Mapping[str, Any]], say: Speaker) -> List[str]:
    """Findings that ask for the same."""
    advice = _text(say.word(group[0]["advice"]))
    if len(group) == 1:
        first, *rest = _finding(group[0], say)
        return [first, *([f"  - {advice}"] if advice else []), *rest]
    lines = [f"- **{group[0]['code']}**" + (f": {advice}" if advice else "")]
    for finding in group:
        lines += [f"  {line}" for line in _finding(finding, say, named=False)]
    return lines


def _finding(finding: Mapping[str, Any], say: Speaker, named: bool = True) -> List[str]:
    place = report_figures.where(finding)
    where = f" ({_code(place)})" if place else ""
    code = f"**{finding['code']}** " if named else ""
    lines = [f"- {code}({say.word(finding['stage'])}){where}: {_text(say.of(finding, 'message'))}"]
    acceptance = report_figures.acceptance(finding, say)
    return [*lines, f"  - {_text(acceptance)}"] if acceptance else lines


def _revisions(record: Record, say: Speaker) -> List[str]:
    rows = report_figures.revision_rows(record)
    if not rows:
        return []
    columns = [say("revision"), "", say("time"), say("locks"), say("reads wait"), say("writes wait"), say("written anew"), say("rows"), say("WAL"),
               say("way down")]  # fmt: skip
    cells = [
        [
            _code(row["revision"]), _text(row["message"]),
            _or_dash(report_figures.ms(row["seconds"]), say.duration) + (f" **{say.word(row['status'])}**" if row["status"] != "ok" else ""),
            _text(_few(report_figures.telling_locks(row), say, 3)),
            _or_dash(row["blocked_reads_ms"], say.duration), _or_dash(row["blocked_writes_ms"], say.duration),
            _text(_few(report_figures.rewritten(row, say), say, 3)), _or_dash(row["rows"], say.number), _or_dash(row["wal_bytes"], say.size),
            _or_dash(report_figures.ms(row["back"]["seconds"]) if row["back"] else None, say.duration),
        ]
        for row in rows
    ]  # fmt: skip
    shown, rest = cells[:_MOST_REVISIONS], cells[_MOST_REVISIONS:]
    lines = ["", f"## {say('Revisions')}", "", *_grid(columns, shown)]
    return lines + (["", say("and {more} more", more=len(rest))] if rest else [])


def _way_back(record: Record, say: Speaker) -> List[str]:
    back = record["way_back"]
    return ["", f"## {say('The way back')}", "", _text(say.of(back, "text"))] if back else []


def _plan(record: Record, say: Speaker) -> List[str]:
    plan = record["deploy_plan"]
    if plan is None or record["verdict"] not in (GO, GO_WITH_WARNINGS):
        return []
    steps: List[str] = []
    for number, step in enumerate([*plan["steps"], *plan["ways_back"]], 1):
        facts = [say("expected: {ms:duration}", ms=step["seconds"] * 1000)] if step["seconds"] is not None else []
        facts += [_text(say.of(step, "expect"))] if step["expect"] else []
        steps.append(f"{number}. {_text(say.of(step, 'title'))}" + (f" ({'; '.join(facts)})" if facts else ""))
        if step["command"]:
            # A fence that is longer than any in the command.
            command = clean(html_parts.command_line(step)).replace("\n", " ")
            fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", command)), default=0))
            steps += ["", f"   {fence}sh", f"   {command}", f"   {fence}", ""]
    steps += [f"- {_text(note)}" for note in html_parts.notes(plan, say)]
    return steps


def _waits(record: Record, say: Speaker) -> List[str]:
    """Which tables the upgrade keeps waiting, the longest first."""
    run = record["timelines"].get("upgrade")
    if not run or not report_figures.waiting_rows(record):
        return []
    other = say("in one transaction") if run["mode"] == "transaction_per_migration" else say("with transaction_per_migration")
    columns = [say("table"), say("what waits"), say("at a stretch"), say("in all"), say("{mode} (computed)", mode=other), say("locked by")]
    rows = [
        [
            _text(name),
            say.word(what),
            *(say.duration(entry[key]) for key in ("longest_ms", "total_ms", "other_mode_ms")),
            _text(_few(entry["took"], say, 3)),
        ]
        for name, what, entry in report_figures.waiting_rows(record, _MOST_TABLES)
    ]
    lines = _grid(columns, rows)
    more = len(run["tables"]) + run["tables_left_out"] - _MOST_TABLES
    lines += ["", say("and {more} more", more=more)] if more > 0 else []
    return [*lines, "", report_figures.waiting(record, say)]


def _sizes(record: Record, say: Speaker) -> List[str]:
    rows = [[_text(name), before, after] for name, before, after, _grown in report_figures.size_rows(record, say, _MOST_TABLES)]
    return _grid([say("table"), say("before"), say("after")], rows) if rows else []


def _squawk(record: Record, say: Speaker) -> List[str]:
    claims = html_compared.squawk_claims(record)
    rows = [
        [say.word(claim["answer"]), _text(claim["rule"]), _code(claim["revision"]), _text(shorten(claim["sql"])), _text(say.of(claim, "measured"))]
        for claim in claims[:_MOST_CHANGES]
    ]
    lines = _grid(["", say("claim"), say("revision"), say("statement"), say("measured")], rows) + [""] if rows else []
    more = [say("and {more} more", more=len(claims) - _MOST_CHANGES), ""] if len(claims) > _MOST_CHANGES else []
    return [*lines, *more, _text(html_compared.squawk_note(record, say))]


def _expectations(record: Record, say: Speaker) -> List[str]:
    checks = record["expectations"]
    if not checks:
        return []
    missed = [check for check in checks if not check["ok"]]
    lines = [say("{met} of {all} expectations met", met=len(checks) - len(missed), all=len(checks))]
    if missed:
        columns = [say("stage"), say("expectation"), say("measured"), say("expected")]
        rows = [
            [say.word(check["stage"]), *(_text(say.of(check, field)) for field in ("item", "measured", "expected"))]
            for check in missed[:_MOST_CHANGES]
        ]
        lines += ["", *_grid(columns, rows)]
        lines += ["", say("and {more} more", more=len(missed) - _MOST_CHANGES)] if len(missed) > _MOST_CHANGES else []
    return lines


def _changes(changes: Optional[Sequence[Mapping[str, Any]]], say: Speaker) -> List[str]:
    if not changes:
        return []
    more = len(changes) - _MOST_CHANGES
    shown = [f"- {_text(say.of(change, 'text'))}" for change in changes[:_MOST_CHANGES]]
    return shown + (["- " + say("and {more} more", more=more)] if more > 0 else [])


def _sides(record: Record, say: Speaker) -> List[str]:
    rows = [[row["name"], _text(row["production"]), _text(row["copy"]) + (" ✘" if row["differs"] else "")]
            for row in report_figures.fact_rows(record, say)]  # fmt: skip
    lines = _grid(["", say("production"), say("copy")], rows) if rows else []
    weak = report_figures.weaknesses(record, say)
    return lines + (["", f"{say('What makes the verdict less certain')}:", "", *(f"- {_text(line)}" for line in weak)] if weak else [])


def _stages(record: Record, say: Speaker) -> List[str]:
    rows = [
        [say.word(stage["name"]), _text(stage["host"]), say.word(stage["status"]), say.duration(stage["seconds"] * 1000),
         _text(html_parts.stage_note(stage, say))]
        for stage in record["stages"]
    ]  # fmt: skip
    return _grid([say("stage"), say("host"), say("status"), say("time"), ""], rows) if rows else []


def _fold(heading: str, lines: Sequence[str]) -> List[str]:
    return ["", "<details>", f"<summary><b>{heading}</b></summary>", "", *lines, "", "</details>"]


def _grid(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> List[str]:
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    return lines + [f"| {' | '.join(str(value) for value in row)} |" for row in rows]


def _or_dash(value: Optional[float], said: Callable[[float], str]) -> str:
    return "–" if value is None else said(value)


def _few(items: Sequence[str], say: Speaker, most: int) -> str:
    more = len(items) - most
    return ", ".join(items[:most]) + (" " + say("and {more} more", more=more) if more > 0 else "")


def _code(value: Any) -> str:
    """A name as code; one that has a backtick in it would end that early."""
    line = " ".join(clean(value).split()).replace("|", "\\|")
    return _text(value) if "`" in line or not line else f"`{line}`"


def _text(value: Any) -> str:
    """Untrusted text on one line that Markdown shows as it is."""
    line = " ".join(clean(value).split())
    return _SPECIAL.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;")).replace("://", ":\u200b//")
