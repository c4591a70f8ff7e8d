"""What tests/mutation changes is found in the code: no rule of the judge, and no test of it, is left out."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "mutation"))

import rules  # noqa: E402
from mutants import mutants_of  # noqa: E402


def test_every_file_of_the_judge_is_changed() -> None:
    named = {path.name for pattern in ("judge*.py", "structure_*.py") for path in rules.MODULE_UTILS.glob(pattern)}
    others = {
        "data_diff.py",
        "evidence_files.py",
        "expectation_checks.py",
        "expectations.py",
        "findings.py",
        "policy.py",
        "record.py",
        "schema_diff.py",
        "timeline.py",
        "verdict.py",
    }
    assert named | others <= set(rules.files())


def test_what_is_left_out_is_imported_and_has_a_reason() -> None:
    assert rules.NO_RULES.keys() <= rules.judged_by()
    assert all(rules.NO_RULES.values()) and all(rules.EQUIVALENT.values())


def test_every_test_of_a_rule_is_run_and_those_of_the_file_come_first() -> None:
    tests = rules.unit_tests("data_diff.py")
    known = {"test_expectations.py", "test_judge.py", "test_judge_asked.py", "test_judge_command.py", "test_judge_template.py",
             "test_judge_timeline.py", "test_judge_way_back.py", "test_outside_world.py", "test_schema_diff.py", "test_squawk.py"}  # fmt: skip
    assert known <= set(tests) and "test_data_diff.py" in tests[:5]
    assert {path.name for path in rules.UNIT.glob("test_judge*.py")} <= set(tests)


def test_what_is_named_is_there() -> None:
    """A name that leads nowhere would let a rule go unchanged, or unheld, without a word."""
    mutants = {file: list(mutants_of(file)) for file in rules.files()}
    assert rules.EQUIVALENT.keys() <= {mutant.key for found in mutants.values() for mutant in found}
    for name in rules.NOT_RULES:
        file, function = name.split(":")
        assert f"def {function}(" in (rules.MODULE_UTILS / file).read_text(encoding="utf-8"), name
    assert all((rules.MODULE_UTILS / file).exists() for file in rules.RENDERERS)
    assert len({mutant.source for mutant in mutants["verdict.py"]}) == len(mutants["verdict.py"]) > 5
