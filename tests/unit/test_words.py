"""The catalogs: every text that the code says is in each of them, with the same placeholders, and nothing else is."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import reports, words, words_ru_changes, words_ru_reports
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import CODES
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import CATALOGS, Speaker, text
from evidence_builder import good, stage

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests"))

import report_records  # noqa: E402
from english_left import sentences, words_of_page  # noqa: E402


def said() -> Iterator[str]:
    """Every template in the code: the first argument of `text()` and of a `Speaker` called `say`."""
    for path in sorted((ROOT / "plugins" / "module_utils").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("say", "text"):
                assert node.args and isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}: a template must be a literal"
                if words.has_words(str(node.args[0].value)):
                    yield str(node.args[0].value)
    for known in CODES.values():
        yield from (known.title, known.meaning, known.advice)


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
    assert sorted(set(CATALOGS[language]) - set(TEMPLATES) - set(words_ru_reports.FIXED) - set(words_ru_changes.FIXED)) == []


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


def test_russian_has_one_word_for_one_thing() -> None:
    """«копия» is the throw-away database, «резервная копия» the backup, «дамп» a file of pg_dump's, «выкатка» the deploy, «плейбук» a playbook."""
    said = [text for catalog in (CATALOGS["ru"], words.HEARD["ru"]) for text in catalog.values()]
    assert [text for text in said if re.search(r"бэкап|выкладк|сценари|скрипт", text, re.IGNORECASE)] == []


def test_russian_agrees_with_what_it_speaks_of() -> None:
    """Names have no gender and lists no number: what is said of them stands apart."""
    title = text("{noun} {name}", noun=words.term("table"), name="rate_history")
    shown = [
        text("{title} removed", title=title),
        text("{title} added: {words}", title=title, words="integer"),
        text("clean-up on {side} is not proven: {error:heard}", side="production", error="x"),
        text("revision {revisions:list} started {program}: where it connects was not seen", revisions=["r1", "r2"], program="psql"),
        text("{matching:number} of {rows:number} rows", matching=1200, rows=1200),
        text("downgrade takes {ms:duration} and loses nothing that was there before, only what is in {where} by then ({now})", ms=92,
             where=text("the {count} tables and columns that it drops", count=5), now=text("nothing now")),
    ]  # fmt: skip
    assert [words.render(one, "ru") for one in shown] == [
        "удалено: таблица rate_history",
        "добавлено: таблица rate_history — integer",
        "уборка не доказана (production): x",
        "запущена программа psql (ревизии: r1, r2): куда она подключается, не видно",
        "1\u202f200 из 1\u202f200 строк",
        "откат занимает 92\u00a0мс и не теряет ничего из прежнего, только то, что к тому времени будет в таблицах и столбцах, которые он удаляет (5) "
        "(сейчас пусто)",
    ]


def test_a_text_is_its_english_and_can_be_carried() -> None:
    inner = text("{count:count row|rows} of {object}", count=3, object="shifts")
    outer = text("downgrade takes {ms:duration} and loses {lost}", ms=92, lost=inner)
    assert outer == "downgrade takes 92 ms and loses 3 rows of shifts"
    carried = words.carry({"text": outer, "other": [{"text": inner}]})
    assert carried["text"].__class__ is str
    assert words.translated(carried, "text", "ru") == "откат занимает 92\u00a0мс и теряет: 3 строки shifts"
    assert words.translated(carried["other"][0], "text", "en") == "3 rows of shifts"


def incomplete() -> dict[str, Any]:
    """A rehearsal whose stages failed, each in its own way."""
    errors = [
        ("preflight", "production: role app has no rights to dump a.b, a.c and 4 more of shop on prod1: "
                      "grant it SELECT (role pg_read_all_data has all that is needed)"),
        ("backup", "prod1 cannot be reached: not a byte was moved for 30 s"),
        ("transfer", "dump.tar should have 10 bytes, and 9 arrived"),
        ("restore", "database shop is there already and does not carry a rehearsal's marker: it was not touched; choose another name"),
        ("upgrade", "Alembic went for database shop on db:5432 (the database carries no rehearsal marker) and was stopped before its first "
                    "statement; most likely because -x db_name=… was given, but env.py does not read -x arguments (no get_x_argument in it): Alembic "
                    "ignored it; "
                    "the environment variable DATABASE_URL that the inventory declares names this database"),
        ("downgrade", "NothingRan: env.py ended without running migrations (context.run_migrations() was not called)"),
    ]  # fmt: skip
    stages = [stage(name, status="failed", error=error) for name, error in errors]
    return judge(good(stages=stages, manifest=None, copy=None, application=None, snapshots={}, fingerprints={}, checks={}, migrations={}, cleanup={}))


@pytest.mark.parametrize("name", ["html", "md", "text", "junit", "sarif"])
@pytest.mark.parametrize("made", [report_records.rich, report_records.go, report_records.failed, incomplete])
def test_a_russian_report_has_no_english_sentence_of_ours(made: Callable[[], dict[str, Any]], name: str) -> None:
    record = made()
    english, russian = (reports.render(record, name, language) for language in ("en", "ru"))
    if name == "html":
        english, russian = (words_of_page(page) for page in (english, russian))
    if name == "junit":
        english, russian = (re.sub(r"<[^>]*?>", lambda found: " ".join(re.findall('"(.*?)"', found[0])), page) for page in (english, russian))
    assert sentences(russian) == []
    # The same look finds them where they are.
    assert sentences(english)
    assert re.search("[а-я]{5}", russian)


# Modules whose errors end a run before there is a record, or that are no part of one, or of no report; and the judge's own, which have templates.
_NOT_HEARD = re.compile(
    r"words|report|html_|findings|judge|snapshot|hash_sql|schema_|data_diff|compared_table|expectations"
    r"|policy_file|inventory_values|yaml_nodes|prepare|added_tasks"
    r"|declared_variables|copy_values|postgres_place|masking|application_masking|column_forms|history|sweep|workflow_stats|changed_rows"
    r"|untouched|row_counters|structure_|timeline|record|places"
    r"|progress|statement_fold|verdict|server_settings|watch|agent_probe|inside|files|hook|stage|plan_text|deploy_plan|identity"
)
_CODE = re.compile(
    r"\b(SELECT|FROM|WHERE|CREATE|ALTER|DROP|GRANT|REVOKE|BEGIN|SET|UNION|AND|NOT|INSERT|UPDATE|COPY|LOCK|COMMENT|DESC|ROLE|AS|ANY|SAVEPOINT)\b|[;&|"
    r"$\\]|^would |::"
)
# For programmers, in check mode, or parts that the whole sentence brings along.
_NOBODY_READS = (
    "a PostgreSQL string cannot contain NUL", "expected one row, got", "proof is ", "proof «changed» needs", "could not change directory",
    "local all all trust", "rehearsal clean-up", "is not the id of a rehearsal", "it is no JSON object, or an empty one", "no such operation",
    "of the connection", "of tables read", "beside the primary key", "the search path", "pg_catalog.", "such user as", "user postgres or nobody",
    "not among the tables asked for", "among the tables asked for", "tar archive", "(the rest", "dumped, of a database of",
    "is there already, owned by 4", "sum(least(", "sum(greatest(", "COALESCE(", "columns and 3 rows",
    "there is no such column2", "other sessions active, 5", "replace(lower(", "on production and 3 on dev", "is of 3: text may sort",
    "pip install jmespath", "in place of x.*.a.b", 'the query begins with "1"3', "a JMESPath expression", "(), which JMESPath does not have3",
    "the default of 1", "this module is run by the others",
)  # fmt: skip


def plain_texts() -> Iterator[tuple[str, str]]:
    """(where, text) of each sentence that a stage, the agent or its driver can say in plain English, a number in each gap."""
    plugins = ROOT / "plugins"
    for path in sorted(path for name in ("module_utils", "modules", "action", "plugin_utils") for path in (plugins / name).glob("*.py")):
        if _NOT_HEARD.match(path.stem) and path.parent.name != "modules":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        passed: set[int] = set()
        for node in ast.walk(tree):
            documented = (
                isinstance(node, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
                and node.body
                and isinstance(node.body[0], ast.Expr)
            )
            if documented:
                passed |= {id(inner) for inner in ast.walk(node.body[0])}
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("DOCUMENTATION", "EXAMPLES", "RETURN"):
                passed |= {id(inner) for inner in ast.walk(node)}
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("text", "say", "AssertionError"):
                passed |= {id(inner) for inner in ast.walk(node)}
            if isinstance(node, ast.JoinedStr):
                passed |= {id(part) for part in node.values if isinstance(part, ast.Constant)}
            if isinstance(node, ast.BinOp):  # a sentence in parts: the test of the reports looks at those
                passed |= {id(inner) for inner in ast.walk(node)}
        for node in ast.walk(tree):
            if id(node) in passed:
                continue
            if isinstance(node, ast.JoinedStr):
                yield (
                    f"{path.name}:{node.lineno}",
                    "".join(str(part.value) if isinstance(part, ast.Constant) else str(n) for n, part in enumerate(node.values)),
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path.name}:{node.lineno}", node.value


@pytest.mark.parametrize("language", words.HEARD)
def test_what_the_hosts_and_the_agent_say_is_known(language: str) -> None:
    unknown = []
    looked_at = 0
    for where, said in plain_texts():
        wordy = len(re.findall(r"[A-Za-z']{2,}", said)) >= 3 and " " in said.strip()
        if not wordy or _CODE.search(said) or any(part in said for part in _NOBODY_READS) or "\n" in said:
            continue
        looked_at += 1
        if words.heard(said, language) == said and words.heard(said.strip(" ;,:·"), language) == said.strip(" ;,:·"):
            unknown.append(f"{where}: {said}")
    assert looked_at > 200
    assert unknown == []


def test_an_ear_takes_what_fits_best_and_leaves_what_is_not_ours() -> None:
    assert words.heard("dev: server x: no answer within 5 s", "ru") == "dev: server x: нет ответа за 5 с"
    assert words.heard("stairway", "ru") == "лестница ревизий"
    assert words.heard('ProgrammingError: relation "x" does not exist', "ru") == 'ProgrammingError: relation "x" does not exist'
    assert words.heard("25 tables, 3,603 rows, 0.2 MB", "ru") == "таблиц: 25, строк: 3\u202f603, 0,2 МБ"
    assert words.heard("7 revisions in 105 ms, now at b2", "ru") == "ревизий: 7, за 105\u00a0мс, теперь на b2"
    assert words.heard("7 revisions in 2 min 5 s, now at b2", "ru") == "ревизий: 7, за 2\u00a0мин\u00a05\u00a0с, теперь на b2"
    said = "25 tables in the catalog, 3,603 rows of 25 tables fingerprinted, 35 foreign keys checked for orphans"
    assert words.heard(said, "ru") == (
        "таблиц в каталоге: 25, сняты отпечатки строк: 3\u202f603, таблиц: 25, внешних ключей проверено на строки без родителя: 35"
    )
    assert words.heard("database x, /tmp/y", "ru") == "база x, /tmp/y"
    assert words.heard("5 revisions from nothing, no difference", "ru") == "ревизий с пустой базы: 5, различий нет"
    assert words.heard("5 revisions from nothing, 3 differences", "ru") == "ревизий с пустой базы: 5, различий: 3"
    # Half a list in another language would be worse than none.
    assert words.heard("database x, something else", "ru") == "database x, something else"
    assert words.heard("anything", "en") == "anything"


@pytest.mark.parametrize("unit", ["a: b; c (d), ", "a; b, ", "the ", ": ", 'column "x" of relation y: '])
def test_an_ear_gives_up_where_listening_would_take_minutes(unit: str) -> None:
    said = unit * 20_000
    assert words.heard(said, "ru") == said
    assert words.heard(f"dev: server x: no answer within 5 s · statement: {said}", "ru").startswith("dev: server x: нет ответа за 5 с · ")


def test_no_module_carries_a_catalog_to_a_host() -> None:
    """Ansible ships what import statements name, wherever they stand."""
    for path in (ROOT / "plugins").rglob("*.py"):
        if path.stem.startswith("words_ru"):
            continue
        imported = re.findall(r"^\s*(?:from|import) .*$", path.read_text(), re.MULTILINE)
        assert not any("words_ru" in line for line in imported), path
