"""What is changed, and who has to notice: found in the code, so that a new rule is among it without being written down."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULE_UTILS = ROOT / "plugins" / "module_utils"
UNIT = ROOT / "tests" / "unit"
_PACKAGE = "ansible_collections.migrations.rehearsal.plugins."

# What the judge imports and no rule of its own is in, with the reason.
NO_RULES = {
    "deploy_commands.py": "commands for the night of the deploy, which say nothing for or against it",
    "deploy_plan.py": "steps for the night of the deploy, which say nothing for or against it",
    "ending.py": "waits for a program to end",
    "errors.py": "the error that all modules share",
    "files.py": "reads and writes",
    "identity.py": "reads and writes the marker",
    "masking.py": "takes secrets out of text",
    "names.py": "how objects are called",
    "places.py": "where databases are",
    "postgres.py": "speaks with the server",
    "postgres_place.py": "where a server is",
    "schema_words.py": "text for people",
    "shared_json.py": "reads",
    "words.py": "text for people",
    "words_heard.py": "text for people",
}
RENDERERS = [
    "html_compared.py", "html_parts.py", "html_tables.py", "html_waits.py", "report_chart.py", "report_figures.py", "report_html.py",
    "report_junit.py", "report_markdown.py", "report_sarif.py", "report_text.py",
]  # fmt: skip
RENDERER_TESTS = [
    "test_html_parts.py", "test_report_figures.py", "test_report_findings.py", "test_report_markdown.py", "test_report_text.py", "test_reports.py",
]  # fmt: skip
# "file:function": text for people, and how much of it; and what only tests ask.
NOT_RULES = {
    "data_diff.py:answers",
    *(f"judge_timeline.py:{name}" for name in ("shorten", "_lock_message", "text")),
    *(f"structure_indexes.py:{name}" for name in ("_columns", "_how_to_drop")),
    "findings.py:markdown",
    "judge_way_back.py:_named",
    "judge_copy.py:_clean_up_error",
}
# Mutants that change nothing that can be seen, as they are printed but for the line, with the reason.
EQUIVALENT: dict[str, str] = {
    "other_mode.py:_taken_again: if (id(hold), event['revision'], weaker) in told: → if False:": (
        "the same lock, taken again later and held to the same end, is within the first: told twice it lengthens no window"
    ),
    "judge_timeline.py:of_upgrade: if over: → if True:": "_one_transaction itself speaks only of what is over its budget; this spares the work",
    **dict.fromkeys(
        (f"judge_squawk.py:{name}: False → True" for name in ("_read", "_written", "_lock_timeout", "_outside_transaction", "_of_event", "answers")),
        "whether a claim matters is of no account unless it was confirmed, which these answers are not",
    ),
}


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """Names of the collection's module_utils files that a file imports itself."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_PACKAGE):
            last = (node.module or "").rpartition(".")[2]
            found.update(f"{alias.name}.py" for alias in node.names) if last == "module_utils" else found.add(f"{last}.py")
    return frozenset(name for name in found if (MODULE_UTILS / name).exists())


def judged_by() -> set[str]:
    """The judge and all that it imports, directly or not."""
    found: set[str] = set()
    waiting = {"judge.py"}
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= imported(MODULE_UTILS / name) - found
    return found


def files() -> list[str]:
    """Where the judge's rules are."""
    return sorted(judged_by() - NO_RULES.keys())


def unit_tests(file: str | None = None) -> list[str]:
    """Unit tests of the rules; those that import this file themselves come first."""
    known = set(files())
    tests = {path.name: imported(path) for path in UNIT.glob("test_*.py")}
    return sorted((name for name, used in tests.items() if used & known), key=lambda name: (file not in tests[name], name))
