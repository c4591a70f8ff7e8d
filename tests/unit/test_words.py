"""The catalogs: every text that the code says is in each of them, with the same placeholders, and nothing else is."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import reports, words, words_ru_reports
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import CODES
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import CATALOGS, Speaker, text

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests"))

import report_records  # noqa: E402


def said() -> Iterator[str]:
    """Every template in the code: the first argument of `text()` and of a `Speaker` called `say`."""
    for path in sorted((ROOT / "plugins" / "module_utils").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("say", "text"):
                assert node.args and isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}: a template must be a literal"
                if words.has_words(str(node.args[0].value)):
                    yield str(node.args[0].value)
    for known in CODES.values():
        yield from (known.title, known.advice)


TEMPLATES = sorted(set(said()))


def test_there_is_something_to_translate() -> None:
    assert len(TEMPLATES) > 350
    assert "Predicted downtime" in TEMPLATES
    assert "blocked {what} on {table} for {ms:duration}, budget {allowed:duration}" in TEMPLATES


@pytest.mark.parametrize("language", CATALOGS)
def test_a_catalog_is_complete(language: str) -> None:
    assert [template for template in TEMPLATES if template not in CATALOGS[language]] == []


@pytest.mark.parametrize("language", CATALOGS)
def test_a_catalog_has_nothing_that_nobody_says(language: str) -> None:
    assert sorted(set(CATALOGS[language]) - set(TEMPLATES) - set(words_ru_reports.FIXED)) == []


@pytest.mark.parametrize("language", CATALOGS)
def test_a_translation_has_the_same_placeholders(language: str) -> None:
    wrong = [template for template, other in CATALOGS[language].items() if set(words.placeholders(template)) != set(words.placeholders(other))]
    assert wrong == []


def test_russian_counts_have_three_forms() -> None:
    wrong = [
        forms for other in CATALOGS["ru"].values() for forms in re.findall(r"\{\w+:(?:count|plural) ([^{}]*)\}", other) if len(forms.split("|")) != 3
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("count", "shown"), [(1, "1 строка"), (2, "2 строки"), (5, "5 строк"), (11, "11 строк"), (21, "21 строка"), (112, "112 строк")]
)
def test_russian_counts(count: int, shown: str) -> None:
    assert words.plural(count, "строка|строки|строк", "ru") == shown.split()[1]


def test_russian_figures() -> None:
    say = Speaker("ru")
    assert say.duration(2449) == "2,4\u00a0с"
    assert say.number(1200000) == "1\u202f200\u202f000"
    assert say.size(12_300_000) == "12,3\u00a0МБ"


def test_a_text_is_its_english_and_can_be_carried() -> None:
    inner = text("{count:count row|rows} of {object}", count=3, object="shifts")
    outer = text("downgrade takes {ms:duration} and loses {lost}", ms=92, lost=inner)
    assert outer == "downgrade takes 92 ms and loses 3 rows of shifts"
    carried = words.carry({"text": outer, "other": [{"text": inner}]})
    assert type(carried["text"]) is str
    assert words.translated(carried, "text", "ru") == "откат занимает 92\u00a0мс и теряет: 3 строки shifts"
    assert words.translated(carried["other"][0], "text", "en") == "3 rows of shifts"


# English that is left in a Russian report: names of PostgreSQL, of the project and of what is measured are not words to translate.
_STRAY = re.compile(r"\b(the|and|with|was|were|expected|blocked|rows of|revision)\b")


@pytest.mark.parametrize("name", ["md", "text"])
def test_a_russian_report_has_no_english_sentence_of_ours(name: str) -> None:
    shown = reports.render(report_records.go(), name, "ru")
    # What is folded quotes the words of schema changes, data changes and stages, which have one language.
    lines = [line for line in shown.partition("<details>")[0].splitlines() if _STRAY.search(re.sub(r"`[^`]*`|«[^»]*»", "", line))]
    assert lines == []
    assert "Чек-лист" in shown or name == "text"
    assert "репетиция" in shown.lower()
