"""Every format of every kind of record: valid by its schema, with everything in it, and unmoved by hostile names."""

from __future__ import annotations

import html.parser
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
import xmlschema
from ansible_collections.migrations.rehearsal.plugins.action import report as report_action
from ansible_collections.migrations.rehearsal.plugins.module_utils import reports, words
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import CODES
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import rehearsal_directory
from evidence_builder import good

from migration_rehearsal import cli

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests"))

import report_records  # noqa: E402

SCHEMAS = ROOT / "tests" / "schemas"
SARIF = jsonschema.Draft4Validator(json.loads((SCHEMAS / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8")))
JUNIT = xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd"))
SCHEMA = json.loads((ROOT / "docs" / "record.schema.json").read_text(encoding="utf-8"))


MAKERS = {
    "go": report_records.go,
    "no_go": report_records.no_go,
    "failed": report_records.failed,
    "incomplete": report_records.incomplete,
    "large": lambda: report_records.large(30, 40),
    "hostile": report_records.hostile,
}


@pytest.fixture(scope="module", params=MAKERS)
def record(request: pytest.FixtureRequest) -> dict[str, Any]:
    made: dict[str, Any] = MAKERS[request.param]()
    return made


def errors(document: Any) -> list[str]:
    found = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker()).iter_errors(document)
    return [f"{'/'.join(map(str, error.path))}: {error.message}"[:300] for error in found]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_record_is_what_the_schema_says(record: dict[str, Any]) -> None:
    assert errors(json.loads(reports.render(record, "json"))) == []


@pytest.mark.parametrize("path", [(), ("revisions", 0), ("findings", 0), ("timelines", "upgrade"), ("deploy_plan", "steps", 0)])
def test_the_schema_knows_every_key(path: tuple[Any, ...]) -> None:
    document = json.loads(reports.render(report_records.no_go(), "json"))
    place = document
    for step in path:
        place = place[step]
    place["more"] = 1
    assert len(errors(document)) == 1
    del place["more"]
    place.pop(next(iter(place)))
    assert errors(document) != [], "every key of these is required"


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_junit_is_valid_and_red_exactly_where_the_verdict_is(record: dict[str, Any], language: str) -> None:
    text = reports.render(record, "junit", language)
    JUNIT.validate(text)
    root = ElementTree.fromstring(text)
    cases = root.findall("testsuite[@name='rehearsal.checks']/testcase")
    red = {str(case.get("name")).partition(":")[0] for case in cases if case.find("failure") is not None or case.find("error") is not None}
    assert red == {finding["code"] for finding in record["findings"] if finding["severity"] == "blocker"}
    assert len(cases) == len(CODES)
    assert (red == set()) == (record["verdict"] in ("GO", "GO with warnings"))
    expectations = root.findall("testsuite[@name='rehearsal.expectations']/testcase")
    assert len(expectations) == len(record["expectations"])
    assert int(root.get("tests", "0")) == len(root.findall("testsuite/testcase"))


def test_an_error_is_what_could_not_be_carried_out() -> None:
    root = ElementTree.fromstring(reports.render(report_records.incomplete(), "junit"))
    (suite,) = root.findall("testsuite[@name='rehearsal.checks']")
    assert suite.get("failures") == "0"
    assert int(suite.get("errors", "0")) > 0


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_sarif_is_valid_and_leads_to_the_revision(record: dict[str, Any], language: str) -> None:
    log = json.loads(reports.render(record, "sarif", language))
    assert [error.message for error in SARIF.iter_errors(log)] == []
    (run,) = log["runs"]
    assert len(run["results"]) == len(record["findings"])
    rules = run["tool"]["driver"]["rules"]
    for result, finding in zip(run["results"], record["findings"], strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding["code"]
        assert result["level"] == {"blocker": "error", "warning": "warning", "info": "note"}[finding["severity"]]
        # GitHub refuses a whole file for one result without a place.
        (place,) = (one["physicalLocation"] for one in result["locations"])
        assert place["region"]["startLine"] == (finding.get("line") or 1)
        assert not re.search(r"[\s<>]", place["artifactLocation"]["uri"])
        if not finding.get("file"):
            assert place["artifactLocation"] == {"uri": "alembic.ini", "uriBaseId": "%SRCROOT%"}


def test_the_schemas_refuse_what_is_wrong() -> None:
    for spoil in ({"level": "blocker"}, {"ruleIndex": -5}, {"more": 1}, {"suppressions": [{"kind": "weird"}]}):
        log = json.loads(reports.render(report_records.no_go(), "sarif"))
        log["runs"][0]["results"][0].update(spoil)
        assert list(SARIF.iter_errors(log)), spoil
    text = reports.render(report_records.no_go(), "junit")
    for wrong in (text.replace("<testcase classname", "<testcase file"), text.replace("<failure", "<fault").replace("</failure", "</fault")):
        assert wrong != text and not JUNIT.is_valid(wrong)


def test_paths_in_sarif_begin_where_the_repository_does() -> None:
    record = report_records.no_go()
    record["application"]["config"] = "conf/alembic.ini"
    for given, prefix in (("", ""), (".", ""), ("apps/back end/", "apps/back%20end/")):
        uris = set(re.findall(r'"uri": "([^"]+)"', reports.render(record, "sarif", source_root=given)))
        assert f"{prefix}migrations/versions/r000.py" in uris and f"{prefix}conf/alembic.ini" in uris
        assert all(uri.startswith(prefix) for uri in uris)
    assert reports.problem_of_source_root("apps/backend") is None
    assert reports.problem_of_source_root("/apps") and reports.problem_of_source_root("a/../b")


def test_a_code_that_is_not_known_here_breaks_nothing() -> None:
    record = report_records.no_go()
    record["findings"][0]["code"] = "of-a-later-version"
    for name in reports.FORMATS:
        assert "of-a-later-version" in reports.render(record, name), name


def test_a_measured_finding_names_the_revision_that_did_it() -> None:
    record = report_records.no_go()
    locks = [finding for finding in record["findings"] if finding["code"].startswith("lock-blocks") and finding["stage"] == "upgrade"]
    assert len(locks) >= 8
    assert all(f"taken by revision {finding['revision']} with" in finding["message"] for finding in locks)
    waits = next(finding for finding in record["findings"] if finding["code"] == "lock-blocks-reads")
    took = next(entry for entry in record["timelines"]["upgrade"]["tables"] if entry["table"] == waits["object"])["reads"]["took"]
    assert waits["revision"] == took[0]
    assert waits["file"] == f"migrations/versions/{took[0]}.py"
    uris = re.findall(r'"uri": "([^"]+)"', reports.render(record, "sarif"))
    assert waits["file"] in uris


class _Page(html.parser.HTMLParser):
    """What a browser would make of it: elements, attributes, text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_hostile_names_stay_text() -> None:
    plain, page = (_Page(reports.render(made(), "html")) for made in (report_records.no_go, report_records.hostile))
    assert report_records.HOSTILE.split("\x07")[0] in "".join(page.text)
    kinds = {name for name, _attributes in plain.elements}
    assert {name for name, _attributes in page.elements} == kinds
    assert "img" not in kinds and [name for name, _attributes in page.elements].count("script") == 1
    for _name, attributes in page.elements:
        assert not [key for key in attributes if key.startswith("on") or key in ("src", "style")]
        assert (attributes.get("href") or "#").startswith(("#", "data:,"))


def test_hostile_names_load_nothing_in_markdown() -> None:
    text = reports.render(report_records.hostile(), "md")
    outside = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    assert "<img" not in outside and "</script>" not in outside
    assert not re.search(r"(?<!\\)\]\(", outside)
    assert "http://" not in outside


def test_the_page_needs_nothing_else(record: dict[str, Any]) -> None:
    text = reports.render(record, "html")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy and policy[1].startswith("default-src &#39;none&#39;;")
    assert "unsafe" not in policy[1]
    assert not re.search(r"url\(|@import|<[^>]*\ssrc=", text)


def test_the_page_has_everything() -> None:
    record = report_records.no_go()
    text = reports.render(record, "html")
    for part in ("checklist", "findings", "plan", "revisions", "waits", "data", "schema", "statements", "expectations", "confidence", "stages"):
        assert text.count(f'<section id="{part}"') == 1, part
        assert f'href="#{part}"' in text
    assert text.index("NO-GO") < text.index("Predicted downtime") < text.index("Way back") < text.index("Existing data changed")
    loud = [finding["message"] for finding in record["findings"] if finding["severity"] == "blocker"]
    assert all(_escaped(message) in text for message in loud)
    assert text.count('<tr><td class="number" data-order=') >= 12
    # Production's clock is not the copy's: said where the facts are.
    assert "time zone is Europe/Moscow on the copy, UTC on production" in text
    assert "this plan is not to be carried out" in text
    assert "PGOPTIONS=" in text and "lock_timeout=5s" in text


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;").replace("'", "&#39;")


def test_a_report_is_a_function_of_the_record(record: dict[str, Any]) -> None:
    again = json.loads(reports.render(record, "json"))
    for name in reports.FORMATS:
        for language in words.LANGUAGES:
            assert reports.render(again, name, language) == reports.render(record, name, language)


def test_another_version_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps({**report_records.go(), "schema_version": 1}))
    assert cli.main(["report", str(path), "--format", "html"]) == 2
    assert "version 1" in capsys.readouterr().err


def test_the_command_writes_each_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps(report_records.go()))
    for name in reports.FORMATS:
        output = tmp_path / "out" / name
        output.parent.mkdir(exist_ok=True)
        assert cli.main(["report", str(path), "--format", name, "--output", str(output), "--language", "ru"]) == 0
        assert output.read_text(encoding="utf-8").strip()
    assert capsys.readouterr().out == ""


def test_the_command_leads_to_the_report_beside_the_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps(report_records.go()))
    assert cli.main(["report", str(path)]) == 0
    assert f"Report: {path}\n" in capsys.readouterr().out
    (tmp_path / "report.html").touch()
    assert cli.main(["report", str(path)]) == 0
    assert f"Report: {tmp_path}/report.html\n" in capsys.readouterr().out
    assert cli.main(["report", str(path), "--format", "sarif", "--source-root", "../up"]) == 2
    assert "source root is «../up»" in capsys.readouterr().err


def test_a_stream_that_knows_no_russian_gets_what_it_can_show(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps(report_records.go()))
    argv = [sys.executable, "-c", "from migration_rehearsal import entry; entry.main()", "report", str(path), "--language", "ru"]
    # The command need not be installed where these tests run.
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(argv, capture_output=True, timeout=60, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"shop" in done.stdout and b"???" in done.stdout


def action(directory: Path, **arguments: Any) -> Any:
    """The action plugin `report`, of a task with these arguments."""
    task = SimpleNamespace(args={"directory": str(directory), **arguments}, async_val=0, check_mode=False, diff=False)
    return report_action.ActionModule(
        task, SimpleNamespace(_shell=SimpleNamespace(tmpdir="/nowhere")), SimpleNamespace(check_mode=False), None, None, None
    )


def test_a_renderer_that_breaks_loses_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = rehearsal_directory.RehearsalDirectory.create(str(tmp_path), "20260101-000000-abcdef")
    directory.write_state({"id": "x"})
    monkeypatch.setattr(report_action.evidence_files, "load", lambda place: good())
    warned: list[str] = []
    monkeypatch.setattr(report_action.Display, "warning", lambda self, message, *rest: warned.append(message))

    def broken(record: Any, language: str) -> str:
        raise IndexError("no such thing")

    monkeypatch.setitem(reports._RENDERERS, "html", broken)
    result = action(Path(directory.path)).run(task_vars={})
    assert result["verdict"] == "GO" and "failed" not in result
    assert sorted(result["reports"]) == sorted(set(reports.FORMATS) - {"html"})
    assert all(Path(file).stat().st_size for file in result["reports"].values())
    assert result["report"].endswith("report.md")
    assert len(warned) == 1 and "report.html could not be made (IndexError: no such thing)" in warned[0]
    assert (tmp_path / "history.jsonl").read_text().count("\n") == 1 and (tmp_path / "latest").is_symlink()
    assert directory.read_state()["cleaned"] is True
    refused = action(Path(directory.path), source_root="/x").run(task_vars={})
    assert refused["failed"] and "source root" in refused["msg"]


def test_the_documented_formats_are_those_that_there_are() -> None:
    page = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \| `([\w.]+)` \|", page, re.MULTILINE)) == set(reports.FILES.items())


def test_junit_has_a_red_case_for_what_is_red(rich: dict[str, Any]) -> None:
    root = ElementTree.fromstring(reports.render(rich, "junit"))
    missed = root.find("testsuite[@name='rehearsal.expectations']/testcase/failure")
    assert missed is not None and missed.get("message") == "measured no table nowhere, expected present"
    for finding in rich["findings"]:
        finding["severity"] = "warning" if finding["code"] == "expectation-not-met" else finding["severity"]
    root = ElementTree.fromstring(reports.render(rich, "junit"))
    assert root.find("testsuite[@name='rehearsal.expectations']/testcase/failure") is None
    assert root.find("testsuite[@name='rehearsal.expectations']/testcase/skipped") is not None
    (case,) = [one for one in root.iter("testcase") if str(one.get("name")).startswith("expectation-not-met:")]
    assert "table nowhere" in str(case.findtext("system-out"))
    checklist = {case.get("name"): case.find("failure") is not None for case in root.iterfind("testsuite[@name='rehearsal.checklist']/testcase")}
    assert checklist == {line["item"]: line["status"] == "failed" for line in rich["checklist"]}


def test_sarif_leads_to_the_line_and_knows_what_is_accepted(rich: dict[str, Any]) -> None:
    finding = rich["findings"][0]
    finding.update(file="versions/a b.py", line=7, accepted={"reason": "known", "until": "2027-01-01", "severity": "warning", "expired": False})
    (run,) = json.loads(reports.render(rich, "sarif"))["runs"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("versions/a%20b.py", 7)
    assert run["results"][0]["suppressions"][0]["status"] == "accepted"
    assert run["invocations"][0]["executionSuccessful"] is True
    finding["accepted"]["expired"] = True
    finding["file"] = "/opt/versions/a.py"
    del finding["line"]
    result = json.loads(reports.render({**rich, "verdict": "INCOMPLETE"}, "sarif"))["runs"][0]
    assert "suppressions" not in result["results"][0] and result["invocations"][0]["executionSuccessful"] is False
    place = result["results"][0]["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"], place["region"]["startLine"]) == ({"uri": "file:///opt/versions/a.py"}, 1)
