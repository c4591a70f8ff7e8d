# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JUnit report: one case for each check, so that a CI server shows what was looked at and what did not hold."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping
from xml.etree import ElementTree

from ansible_collections.migrations.rehearsal.plugins.module_utils import report_figures
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import BLOCKER, CODES, INFO
from ansible_collections.migrations.rehearsal.plugins.module_utils.html_elements import clean
from ansible_collections.migrations.rehearsal.plugins.module_utils.report_figures import Record
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import ENGLISH, Speaker

_EXPECTATION_CODES = ("expectation-not-met", "revision-not-reached")


def junit(record: Record, language: str = ENGLISH) -> str:
    """XML as Jenkins, GitLab and GitHub's actions read it.

    Suites: the checklist, every code that a finding can have, every expectation, every pending revision with its time. A blocker is a `failure`,
    one that says that the rehearsal could not be carried out an `error`; warnings pass, and are told in the case's output.
    """
    say = Speaker(language)
    suites = [_checklist(record, say), _checks(record, say), _expectations(record, say), _revisions(record, say)]
    # Every parser knows these numbers, none of them adds them up itself.
    root = ElementTree.Element("testsuites", name=clean(f"rehearsal {report_figures.source(record)}"), time=_seconds(record["seconds"]))
    for suite in suites:
        if len(suite):
            _count(suite, record)
            root.append(suite)
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(name: str) -> ElementTree.Element:
    return ElementTree.Element("testsuite", name=f"rehearsal.{name}")


def _count(suite: ElementTree.Element, record: Record) -> None:
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for name, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(element) is not None for case in cases)))
    suite.set("time", _seconds(sum(float(case.get("time", "0")) for case in cases)))
    suite.set("timestamp", record["started_at"].rstrip("Z"))
    suite.set("hostname", clean(record["copy"]["host"]))


def _case(suite: ElementTree.Element, name: str, seconds: float = 0.0) -> ElementTree.Element:
    # No attribute `file`: Jenkins' schema has none. The text of a failure names it.
    return ElementTree.SubElement(suite, "testcase", classname=suite.get("name", ""), name=clean(name), time=_seconds(seconds))


def _say(case: ElementTree.Element, element: str, kind: str, message: str, text: str = "") -> None:
    added = ElementTree.SubElement(case, element, message=clean(message))
    if element != "skipped":
        added.set("type", kind)
    added.text = clean(text) or None


def _checklist(record: Record, say: Speaker) -> ElementTree.Element:
    suite = _suite("checklist")
    for line in record["checklist"]:
        case = _case(suite, say.of(line, "item"))
        if line["status"] == "failed":
            _say(case, "failure", "failed", say.of(line, "detail"))
        elif line["status"] == "not measured":
            _say(case, "skipped", "", say.word("not measured"))
    return suite


def _checks(record: Record, say: Speaker) -> ElementTree.Element:
    suite = _suite("checks")
    found: Dict[str, List[Mapping[str, Any]]] = {}
    for finding in record["findings"]:
        found.setdefault(finding["code"], []).append(finding)
    # A record of a later version may have codes that are not known here.
    for code in {**CODES, **found}:
        known = CODES.get(code)
        case = _case(suite, f"{code}: {say.word(known.title)}" if known else code)
        findings = found.get(code, [])
        blockers = [finding for finding in findings if finding["severity"] == BLOCKER]
        if blockers:
            _say(case, "error" if known and known.rehearsal_failed else "failure", code, say.of(blockers[0], "message"), _lines(blockers, say))
        others = [finding for finding in findings if finding["severity"] not in (BLOCKER, INFO) or finding.get("accepted")]
        if others:
            ElementTree.SubElement(case, "system-out").text = clean(_lines(others, say))
    return suite


def _lines(findings: List[Mapping[str, Any]], say: Speaker) -> str:
    lines: List[str] = []
    for finding in findings:
        place = report_figures.where(finding)
        lines.append(
            f"{say.word(finding['severity'])} ({say.word(finding['stage'])}): {say.of(finding, 'message')}" + (f" [{place}]" if place else "")
        )
        lines += [f"→ {say.word(finding['advice'])}"] if finding["advice"] else []
        lines += filter(None, [report_figures.acceptance(finding, say)])
    return "\n".join(lines)


def _expectations(record: Record, say: Speaker) -> ElementTree.Element:
    suite = _suite("expectations")
    blocking = {(one["stage"], one["object"]) for one in record["findings"] if one["code"] in _EXPECTATION_CODES and one["severity"] == BLOCKER}
    for check in record["expectations"]:
        case = _case(suite, f"{say.word(check['stage'])}: {say.of(check, 'item')}")
        message = say("measured {measured}, expected {expected}", measured=say.of(check, "measured"), expected=say.of(check, "expected"))
        if not check["ok"] and (check["stage"], check["object"]) in blocking:
            _say(case, "failure", "expectation-not-met", message)
        elif not check["ok"]:
            # Not measured, or what a policy lets pass: a verdict that is not red has no red case.
            _say(case, "skipped", "", message)
    return suite


def _revisions(record: Record, say: Speaker) -> ElementTree.Element:
    suite = _suite("revisions")
    failures = {finding.get("revision") or finding["object"]: finding for finding in record["findings"] if finding["code"] == "migration-failed"}
    for row in report_figures.revision_rows(record):
        case = _case(suite, f"{row['revision']}: {row['message']}", row["seconds"] or 0.0)
        finding = failures.pop(row["revision"], None)
        if finding:
            _say(case, "failure", finding["code"], say.of(finding, "message"), report_figures.where(finding) or "")
        elif row["status"] == "failed":
            _say(case, "error", "", say("the upgrade ended in this revision"))
        elif row["status"] != "ok":
            _say(case, "skipped", "", say.word(row["status"]))
    for revision, finding in failures.items():
        case = _case(suite, revision or say.word("upgrade"))
        _say(case, "failure", finding["code"], say.of(finding, "message"), report_figures.where(finding) or "")
    return suite


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"
