# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML report: one file that needs nothing else, made of the record alone."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import List, Mapping, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import html_parts, report_figures
from ansible_collections.migrations.rehearsal.plugins.module_utils.html_elements import Html, join, tag
from ansible_collections.migrations.rehearsal.plugins.module_utils.report_figures import Record
from ansible_collections.migrations.rehearsal.plugins.module_utils.verdict import GO, GO_WITH_WARNINGS, INCOMPLETE, NO_GO
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import ENGLISH, Speaker

_PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "report_page")
_STYLES = ("base.css", "parts.css", "tables.css", "print.css")
_SCRIPTS = ("tables.js",)
_MOODS: Mapping[str, str] = {GO: "good", GO_WITH_WARNINGS: "doubtful", NO_GO: "bad", INCOMPLETE: "unknown"}


def html(record: Record, language: str = ENGLISH) -> str:
    """The whole file. Everything that the record holds is escaped; the page may load nothing and run nothing but its own script."""
    say = Speaker(language)
    style, script = _read(_STYLES), _read(_SCRIPTS)
    parts = list(html_parts.parts(record, say))
    title = f"{say.word(record['verdict'])}: {report_figures.source(record)}"
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="robots", content="noindex"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", style),
    )
    body = tag(
        "body",
        tag("a", say("To the report"), href="#report", class_="skip"),
        _band(record, say),
        tag(
            "main",
            tag("nav", tag("ul", *(tag("li", tag("a", heading, href=f"#{name}")) for name, heading, _content in parts)), aria_label=say("Parts")),
            *(_section(name, heading, content) for name, heading, content in parts),
            id="report",
        ),
        tag("footer", tag("p", _told_by(record, say))),
        tag("script", script),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang=language) + "\n"


def _band(record: Record, say: Speaker) -> Html:
    numbers: List[Html] = [
        tag(
            "li",
            tag("span", number["title"], class_="title"),
            tag("span", number["value"], class_="value"),
            tag("span", number["detail"], class_="detail"),
            class_=number["mood"],
        )
        for number in report_figures.numbers(record, say)
    ]
    verdict = tag("span", say.word(record["verdict"]), class_="verdict")
    reason = report_figures.reason(record, say)
    return tag(
        "header",
        tag(
            "div",
            tag("h1", verdict, tag("span", report_figures.source(record), class_="source")),
            tag("p", report_figures.sentence(record, say), class_="sentence"),
            tag("p", tag("a", reason, href="#findings"), class_="reason") if reason else None,
            tag("p", _counted(record, say), class_="faint"),
            tag("ul", *numbers, class_="numbers"),
        ),
        class_=f"band {_MOODS[record['verdict']]}",
    )


def _counted(record: Record, say: Speaker) -> str:
    counts = {severity: sum(finding["severity"] == severity for finding in record["findings"]) for severity in ("blocker", "warning")}
    pending = record["application"].get("pending")
    parts = [
        say("{count:count blocker|blockers}", count=counts["blocker"]),
        say("{count:count warning|warnings}", count=counts["warning"]),
        *([] if pending is None else [say("{count:count pending revision|pending revisions}", count=len(pending))]),
        record["started_at"].replace("T", " ").replace("Z", " UTC"),
    ]
    return " · ".join(parts)


def _section(name: str, heading: str, content: Html) -> Html:
    return tag("section", tag("h2", heading, id=f"{name}-heading"), content, id=name, aria_labelledby=f"{name}-heading")


def _told_by(record: Record, say: Speaker) -> str:
    return say(
        "Rehearsal {id}, {ms:duration} in all. Made from record.json alone; no row value is in it.", id=record["id"], ms=record["seconds"] * 1000
    )


def _read(names: Sequence[str]) -> Html:
    found = []
    for name in names:
        with open(os.path.join(_PAGE, name), encoding="utf-8") as file:
            found.append(file.read())
    return Html("\n" + join(*map(Html, found)))


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"
