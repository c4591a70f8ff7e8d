"""The table of codes, and its page in the documentation."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import findings
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import BLOCKER, CODES, INFO, WARNING

from migration_rehearsal import cli

ROOT = Path(__file__).parents[2]
_GALLERY = ROOT / "tests" / "integration"
sys.path.extend([str(_GALLERY), str(_GALLERY / "gallery")])

import every  # noqa: E402

# Whoever changes a severity changes what a verdict means to its users: it is done here too, or it was a slip.
SEVERITIES = {
    BLOCKER: {
        "preflight", "stage-failed", "interrupted", "not-measured", "left-behind", "copy-differs", "fence", "revision-unknown", "multiple-heads",
        "application-failed", "migration-failed", "downgrade-failed", "again-failed", "revision-not-reached", "expectation-not-met", "rows-changed",
        "data-changed", "data-lost", "data-not-compared", "orphans", "sequence-behind", "downgrade-leaves-trace", "downgrade-noop",
        "again-differs", "constraint-not-enforced", "index-invalid", "stairway-failed", "hook-failed", "smoke-test-failed",
    },
    WARNING: {
        "parity", "copy-not-proved", "values-not-compared", "way-back-not-compared",
        "downgrade-loses-data", "again-differs-data", "lock-blocks-reads", "lock-blocks-writes", "table-rewrite", "scan-under-lock",
        "index-not-concurrent", "no-lock-timeout", "one-transaction-holds-all", "untracked-sql", "timeline-incomplete", "program-started",
        "fk-set-null-not-null", "fk-type-mismatch", "constraint-not-valid", "fk-without-index", "index-duplicate", "key-near-limit",
        "schema-drift", "models-differ", "stairway-leaves-trace", "stairway-loses-data", "stairway-differs",
    },
    INFO: {
        "nothing-pending", "fence-open", "acceptance-unused", "index-redundant", "timestamp-without-time-zone", "json-not-jsonb",
        "integer-primary-key", "outside-world", "dump-chosen", "squawk-confirmed", "squawk-failed", "drift-not-measured", "models-not-compared",
    },
}  # fmt: skip
INCOMPLETE = {"preflight", "stage-failed", "interrupted", "not-measured", "left-behind", "application-failed", "hook-failed"}


def test_every_code_has_the_severity_that_is_documented() -> None:
    found = {severity: {code for code, known in CODES.items() if known.severity == severity} for severity in SEVERITIES}
    assert found == SEVERITIES
    assert {code for code, known in CODES.items() if known.rehearsal_failed} == INCOMPLETE


def test_what_stops_a_rehearsal_cannot_be_lowered() -> None:
    assert {code for code, known in CODES.items() if known.lowest == BLOCKER} == INCOMPLETE | {
        "copy-differs", "fence", "revision-unknown", "multiple-heads", "migration-failed", "smoke-test-failed",
    }  # fmt: skip
    assert {code for code, known in CODES.items() if known.lowest == WARNING} == {
        "downgrade-failed", "again-failed", "timeline-incomplete", "stairway-failed", "copy-not-proved",
        "values-not-compared", "way-back-not-compared",
    }  # fmt: skip


def test_the_page_is_current() -> None:
    page = ROOT / "docs" / "findings.md"
    assert page.read_text(encoding="utf-8") == findings.markdown(), "rehearse findings --markdown > docs/findings.md"


def test_every_code_that_the_code_says_is_in_the_table() -> None:
    said = set()
    for path in (ROOT / "plugins").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        said |= (
            set(re.findall(r'bench\.say\("([a-z-]+)"', text))
            | set(re.findall(r'"code": "([a-z-]+)"', text))
            | set(re.findall(r'yield "([a-z-]+)"', text))
        )
    assert len(said) > 20
    assert said <= CODES.keys()


def test_every_code_turns_the_verdict_of_a_bad_case_which_has_no_other_finding() -> None:
    alone = {code for case in every.ALL if case.verdict != "GO" and len(case.findings) == 1 for code, _object in case.findings}
    assert alone == CODES.keys()


def test_every_code_is_shown_by_a_migration_or_there_is_a_reason_why_none_can_and_a_test_of_all() -> None:
    shown = {code for case in every.ALL if case.of is None for code, _object in case.findings | case.infos}
    assert shown | every.NOT_HERE.keys() == CODES.keys(), "a case for it, or the reason why there can be none"
    assert not shown & every.NOT_HERE.keys()


@pytest.mark.parametrize("code", every.NOT_HERE)
def test_what_no_migration_of_the_gallery_can_show_another_test_does(code: str) -> None:
    reason, test = every.NOT_HERE[code]
    file, name = test.split("::")
    text = (ROOT / "tests" / file).read_text(encoding="utf-8")
    (function,) = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == name]
    assert reason and f'"{code}"' in (ast.get_source_segment(text, function) or "")


@pytest.mark.parametrize("code", CODES)
def test_a_code_has_a_paragraph_and_a_link(code: str) -> None:
    page = findings.markdown()
    assert page.count(f"\n## {code}\n") == 1
    assert f"[`{code}`](#{code}) | {CODES[code].severity} |" in page


def test_the_command_lists_the_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["findings"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(CODES)
    assert cli.main(["findings", "--markdown"]) == 0
    assert capsys.readouterr().out == findings.markdown()


def test_every_code_is_complete() -> None:
    for code, known in CODES.items():
        assert known.severity in findings.SEVERITIES, code
        assert all(text.strip() for text in (known.title, known.meaning, known.advice)), code
