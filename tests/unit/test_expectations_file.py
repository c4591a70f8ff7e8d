# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The expectations file as a whole: what it may hold, and that every error is told with its line."""

from __future__ import annotations

import pathlib
import re

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import (
    Absent,
    Assertion,
    Change,
    ColumnExpectation,
    Expectations,
    RowChange,
    Structure,
    TableExpectation,
)
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.expectations_file import ExpectationsError, load, parse
from expectations_reader import error, errors, read
from hypothesis import given, settings
from hypothesis import strategies as st

EVERYTHING = """\
revision: 3bcf125fefbd
after_upgrade:
  tables:
    object_openings:
      columns:
        opened_by: {type: integer, nullable: false, default: null}
        closed_by: integer
        closed_at:
      indexes: 5
      foreign_keys: [fk_a, fk_b]
      existing_rows: {penalize_late_start: true, shift_tasks: null}
    billing.invoices:
  absent:
    tables: [legacy_a]
    columns: {some_table: [some_column]}
    indexes: {some_table: [ix_name]}
    foreign_keys: {some_table: [fk_name]}
after_downgrade:
  tables: {a: {columns: {b: text}, indexes: [i], foreign_keys: 0}}
  absent: {tables: [object_openings]}
downgrade_to: "-2"
changes:
  contracts.hourly_rate: {expect: "old / 100.0", reason: "kopecks become roubles"}
  users.phone: {changed: true, reason: cleaned}
  legacy_a: {dropped: true}
  some_table.some_column: {dropped: true}
  billing.invoices.amount: {changed: true}
  other_table: {rows: {added: 5, removed: any}}
assertions:
  - name: object_openings goes with its object
    query: after.tables.object_openings.constraints.*.on_delete
    contains: CASCADE
  - {name: six, query: length(after.tables), equals: 6}
  - {name: there, query: before.tables}
"""


def test_everything() -> None:
    assert read(EVERYTHING) == Expectations(
        revision=("3bcf125fefbd",),
        after_upgrade=Structure(
            {
                "object_openings": TableExpectation(
                    columns={
                        "opened_by": ColumnExpectation("integer", False, None, True),
                        "closed_by": ColumnExpectation("integer"),
                        "closed_at": ColumnExpectation(),
                    },
                    indexes=5,
                    foreign_keys=("fk_a", "fk_b"),
                    existing_rows={"penalize_late_start": True, "shift_tasks": None},
                ),
                "billing.invoices": TableExpectation(),
            },
            Absent(("legacy_a",), {"some_table": ("some_column",)}, {"some_table": ("ix_name",)}, {"some_table": ("fk_name",)}),
        ),
        after_downgrade=Structure(
            {"a": TableExpectation({"b": ColumnExpectation("text")}, ("i",), 0)},
            Absent(("object_openings",)),
        ),
        downgrade_to="-2",
        changes={
            "contracts.hourly_rate": Change("expect", "old / 100.0", None, "kopecks become roubles"),
            "users.phone": Change("changed", reason="cleaned"),
            "legacy_a": Change("dropped"),
            "some_table.some_column": Change("dropped"),
            "billing.invoices.amount": Change("changed"),
            "other_table": Change("rows", rows=RowChange(5, None)),
        },
        assertions=(
            Assertion("object_openings goes with its object", "after.tables.object_openings.constraints.*.on_delete", "contains", "CASCADE"),
            Assertion("six", "length(after.tables)", "equals", 6),
            Assertion("there", "before.tables"),
        ),
    )


def test_what_was_read_survives_the_way_to_the_dev_host() -> None:
    assert Expectations.from_json(read(EVERYTHING).to_json()) == read(EVERYTHING)


def test_a_file_may_say_little() -> None:
    assert read("revision: abc") == Expectations(revision=("abc",))
    assert read("revision: abc").downgrade_to == "production"
    assert read("revision: abc\nafter_upgrade:\nchanges:\nassertions:\nafter_downgrade: {tables: , absent: {tables: }}") == read("revision: abc")


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "{}", "null", "~"])
def test_an_empty_file_is_an_error(text: str) -> None:
    assert error(text).startswith("x.yml:1: the file is empty — at least one of revision, after_upgrade")


@pytest.mark.parametrize(("text", "what"), [("- a\n- b", "a list"), ("revision", "text"), ("5", "a number")])
def test_a_file_that_is_no_mapping(text: str, what: str) -> None:
    assert error(text).startswith(f"x.yml:1: the file is {what} — a mapping with revision")


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("revision: [a\nchanges: {}", "x.yml:2: this is not YAML: expected ',' or ']'"),
        ("revision: a\n\tchanges: {}", "x.yml:2: this is not YAML: found character '\\t'"),
        ("revision: 'a", "x.yml:1: this is not YAML: found unexpected end of stream"),
        ("revision: a\nb", "x.yml:2: this is not YAML: could not find expected ':'"),
        ("revision: a: b", "x.yml:1: this is not YAML: mapping values are not allowed here"),
        ("revision: a\n---\nrevision: b", "x.yml:2: this is not YAML: but found another document"),
        ("revision: a\nx: \x07", "x.yml:2: this is not YAML: the character U+0007"),
        ("a: &x 1\nb: *x\nc: *y", 'x.yml:2: the alias "*x"'),
        ("revision: *x", 'x.yml:1: the alias "*x" — write the value out'),
        ("[" * 3000, "x.yml:1: this is nested more than 50 deep"),
    ],
)
def test_bad_yaml(text: str, start: str) -> None:
    assert errors(text)[0].startswith(start)


def test_all_errors_come_at_once_in_the_order_of_the_file() -> None:
    found = errors(
        """\
        assertions:
          - {name: a, query: "after."}
        revison: abc
        after_upgrade:
          tables:
            t:
              columns: {c: {nulable: false, type: 5}}
              indexes: many
        after_downgrade: []
        """
    )
    assert [text.split(":")[1] for text in found] == ["2", "3", "7", "7", "8", "9"]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("revison: a", '1: unknown key "revison" in the file; did you mean "revision"? — allowed: revision, after_upgrade, after_downgrade'),
        ("after_upgrade:\n  table: {}", '2: unknown key "table" in after_upgrade; did you mean "tables"? — allowed: tables, absent'),
        ("after_upgrade:\n  zzz: {}", '2: unknown key "zzz" in after_upgrade — allowed: tables, absent'),
        (
            "after_upgrade: {tables: {t: {index: 5}}}",
            '1: unknown key "index" in after_upgrade.tables.t; did you mean "indexes"? — allowed: columns, indexes, foreign_keys, existing_rows',
        ),
        (
            "after_upgrade: {tables: {t: {columns: {c: {nulable: true}}}}}",
            '1: unknown key "nulable" in after_upgrade.tables.t.columns.c; did you mean "nullable"? — allowed: type, nullable, default',
        ),
        (
            "after_downgrade: {tables: {t: {existing_rows: {a: 1}}}}",
            '1: unknown key "existing_rows" in after_downgrade.tables.t — allowed: columns, indexes, foreign_keys',
        ),
        (
            "after_upgrade: {absent: {rows: {}}}",
            '1: unknown key "rows" in after_upgrade.absent — allowed: tables, columns, indexes, foreign_keys',
        ),
        (
            "changes: {a.b: {changd: true}}",
            '1: unknown key "changd" in changes.a.b; did you mean "changed"? — allowed: expect, changed, dropped, rows, was, reason',
        ),
        ("changes: {a: {rows: {add: 5}}}", '1: unknown key "add" in changes.a.rows; did you mean "added"? — allowed: added, removed'),
        (
            "assertions: [{name: a, query: after, equal: 5}]",
            '1: unknown key "equal" in assertion 1; did you mean "equals"? — allowed: name, query, contains, equals',
        ),
        ("<<: {a: b}", '1: unknown key "<<" in the file'),
    ],
)
def test_unknown_keys(text: str, start: str) -> None:
    assert any(found.startswith("x.yml:" + start) for found in errors(text))


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("revision: a\n\nrevision: b", '3: duplicate key "revision" in the file, first in line 1 — each key once'),
        ("after_upgrade:\n  tables:\n    t:\n    u:\n    t:", '5: duplicate key "t" in after_upgrade.tables, first in line 3'),
        ("after_upgrade:\n  tables:\n    t:\n    public.t:", '4: "public.t" is the table of line 3 again'),
        ("changes:\n  a.b: {changed: true}\n  a.b: {dropped: true}", '3: duplicate key "a.b" in changes, first in line 2'),
        ("changes:\n  a.b: {changed: true}\n  public.a.b: {dropped: true}", '3: "public.a.b" is declared in line 2 already'),
        ("assertions: [{name: a, query: after}, {name: a, query: before}]", '1: the name "a" is used already'),
        ("after_upgrade: {absent: {tables: [a, a]}}", '1: "a" is twice in after_upgrade.absent.tables'),
        ("after_upgrade: {tables: {t: {indexes: [a, a]}}}", '1: "a" is twice in after_upgrade.tables.t.indexes'),
        ("revision: [a, a]", '1: "a" is twice in revision'),
        ("{? [a] : b}", "1: a key in the file is a list"),
        ("{'': b}", "1: a key in the file is empty"),
    ],
)
def test_keys_come_once(text: str, start: str) -> None:
    assert error(text).startswith("x.yml:" + start)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("after_upgrade: true", "after_upgrade is true or false — a mapping with tables, absent"),
        ("after_upgrade: {tables: [t]}", "after_upgrade.tables is a list — a mapping (name: …)"),
        ("after_upgrade: {tables: {t: 5}}", "after_upgrade.tables.t is a number — a mapping with columns, indexes, foreign_keys, existing_rows"),
        ("after_upgrade: {tables: {t: {columns: [c]}}}", "after_upgrade.tables.t.columns is a list — a mapping"),
        ("after_upgrade: {absent: [t]}", "after_upgrade.absent is a list — a mapping with tables, columns, indexes, foreign_keys"),
        ("after_upgrade: {absent: {tables: t}}", "after_upgrade.absent.tables is text — a list of names"),
        ("after_upgrade: {absent: {columns: [t]}}", "after_upgrade.absent.columns is a list — a mapping"),
        ("after_downgrade: {absent: {indexes: {t: i}}}", "after_downgrade.absent.indexes.t is text — a list of names"),
        ("changes: [a]", "changes is a list — a mapping"),
        ("changes: {a.b: true}", "changes.a.b is true or false — a mapping with expect, changed, dropped, rows, was, reason"),
        ("assertions: {a: b}", "assertions is a mapping — a list of assertions"),
        ("assertions: [after]", "assertion 1 is text — a mapping with name, query, contains, equals"),
        ("assertions: [~]", "assertion 1 is nothing"),
    ],
)
def test_wrong_kinds(text: str, what: str) -> None:
    assert errors(text)[0].startswith(f"x.yml:1: {what}")


def test_load_names_the_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "expectations.yml"
    path.write_text("\ufeffrevision: 'a'\n# Смена\n", encoding="utf-8")
    assert load(str(path)) == Expectations(revision=("a",))
    path.write_text("\nrevison: a\n", encoding="utf-8")
    with pytest.raises(ExpectationsError, match="expectations.yml:2: unknown key"):
        load(str(path))


def test_a_file_that_cannot_be_read(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ExpectationsError, match=r"none.yml:1: cannot be read: No such file or directory — "):
        load(str(tmp_path / "none.yml"))
    with pytest.raises(ExpectationsError, match="cannot be read: Is a directory"):
        load(str(tmp_path))
    (tmp_path / "latin.yml").write_bytes(b"revision: a\n# \xe9\n")
    with pytest.raises(ExpectationsError, match=r"latin.yml:2: this is not UTF-8"):
        load(str(tmp_path / "latin.yml"))


def test_the_documentation_shows_what_the_parser_says() -> None:
    page = (pathlib.Path(__file__).parents[2] / "docs" / "expectations.md").read_text(encoding="utf-8")
    good, bad = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (shown,) = re.findall(r"```text\n(.*?)\n```", page, re.DOTALL)
    assert parse(good, "expectations.yml").declared_expressions() == {"contracts.hourly_rate": "old / 100.0"}
    with pytest.raises(ExpectationsError) as caught:
        parse(bad, "expectations.yml")
    assert str(caught.value) == shown


_WORDS = st.sampled_from(
    ["revision", "after_upgrade", "tables", "absent", "changes", "assertions", "name", "query", "after", "t", "a.b", "columns", "expect"]
)
_YAML = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), _WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_WORDS, inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=50, deadline=None)
@given(_YAML)
def test_whatever_the_file_holds_the_answer_is_expectations_or_errors_with_lines(content: object) -> None:
    import yaml

    try:
        parse(yaml.safe_dump(content), "x.yml")
    except ExpectationsError as caught:
        assert caught.problems
        assert all(text.startswith("x.yml:") and " — " in text for text in caught.problems)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=30))
def test_any_text_at_all_is_answered(text: str) -> None:
    try:
        parse(text, "x.yml")
    except ExpectationsError as caught:
        assert caught.problems
