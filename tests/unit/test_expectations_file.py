# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib
import re
import textwrap

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
from hypothesis import given, settings
from hypothesis import strategies as st


def read(text: str) -> Expectations:
    return parse(textwrap.dedent(text), "x.yml")


def errors(text: str) -> list[str]:
    with pytest.raises(ExpectationsError) as caught:
        read(text)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


def error(text: str) -> str:
    """The only error."""
    found = errors(text)
    assert len(found) == 1, found
    return found[0]


def table(text: str) -> TableExpectation:
    return read("after_upgrade: {tables: {t: {" + text + "}}}").after_upgrade.tables["t"]


def column(text: str) -> ColumnExpectation:
    return table("columns: {c: " + text + "}").columns["c"]


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
    ("text", "revisions"),
    [
        ("3bcf125fefbd", ("3bcf125fefbd",)),
        ("[a, b]", ("a", "b")),
        ("'96588'", ("96588",)),
        ('"1e5"', ("1e5",)),
        ("96bcb588d0c8", ("96bcb588d0c8",)),
        ("add_openings_2025", ("add_openings_2025",)),
        ("'yes'", ("yes",)),
    ],
)
def test_revision(text: str, revisions: tuple[str, ...]) -> None:
    assert read(f"revision: {text}").revision == revisions


@pytest.mark.parametrize("text", ["96588", "1e5", "12e456789012", "0123", "1_000", "1.5", "+5", "[a, 96588]"])
def test_a_revision_that_reads_as_a_number_must_be_quoted(text: str) -> None:
    number = text.strip("[]").split(", ")[-1]
    assert error(f"\nrevision: {text}") == f"x.yml:2: revision {number} reads as a number — put it in quotes: '{number}'"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "yes",
            "revision is yes, which YAML reads as true or false — a revision is text as in the migration's file, such as 3bcf125fefbd, in quotes",
        ),
        ("2025-10-12", "revision is 2025-10-12, which YAML reads as a date"),
        ("0x1F", "revision is 0x1F, which YAML reads as a number"),
        ("1:30", "revision is 1:30, which YAML reads as a number"),
        ("", "revision is nothing"),
        ("''", "revision is empty"),
        ("{a: b}", "revision is a mapping"),
        ("[]", "revision is an empty list"),
        ("[[a]]", "revision is a list"),
        ("head", '"head" is not a revision'),
        ("a@head", '"a@head" cannot be a revision'),
        ("a-1", '"a-1" cannot be a revision'),
        ("a b", '"a b" cannot be a revision'),
        ("!vault abc", 'the tag "!vault" — write the value without a tag'),
        ("!!str 5", 'the tag "!!str"'),
        ("=", "revision is =, which YAML reads as a special mark"),
    ],
)
def test_what_is_no_revision(text: str, what: str) -> None:
    assert error(f"revision: {text}").startswith(f"x.yml:1: {what}")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("production", "production"),
        ("-2", "-2"),
        ("'-2'", "-2"),
        ("base", "base"),
        ("3bcf125fefbd", "3bcf125fefbd"),
        ("'96588'", "96588"),
        ("introduction", "introduction"),
    ],
)
def test_downgrade_to(text: str, target: str) -> None:
    assert read(f"downgrade_to: {text}").downgrade_to == target


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Production", 'downgrade_to is "Production"; did you mean "production"? — production (its revision), a number of steps such as -2'),
        ("prod", 'downgrade_to is "prod"; did you mean "production"?'),
        ("productoin", 'downgrade_to is "productoin"; did you mean "production"?'),
        ("head", 'downgrade_to is "head"'),
        ("+1", "downgrade_to +1 reads as a number"),
        ("'+1'", 'downgrade_to is "+1"'),
        ("a-1", 'downgrade_to is "a-1"'),
        ("-0", "downgrade_to -0 reads as a number"),
        ("2", "downgrade_to 2 reads as a number"),
        ("[a]", "downgrade_to is a list"),
        ("", "downgrade_to is nothing"),
    ],
)
def test_bad_downgrade_to(text: str, what: str) -> None:
    assert error(f"downgrade_to: {text}").startswith(f"x.yml:1: {what}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("integer", ColumnExpectation("integer")),
        ("timestamp with time zone", ColumnExpectation("timestamp with time zone")),
        ("'numeric(10,2)'", ColumnExpectation("numeric(10,2)")),
        ("", ColumnExpectation()),
        ("{}", ColumnExpectation()),
        ("{nullable: no}", ColumnExpectation(nullable=False)),
        ("{nullable: yes}", ColumnExpectation(nullable=True)),
        ("{nullable: on}", ColumnExpectation(nullable=True)),
        ("{nullable: False}", ColumnExpectation(nullable=False)),
        ("{default: null}", ColumnExpectation(default=None, default_given=True)),
        ("{default: }", ColumnExpectation(default=None, default_given=True)),
        ("{default: true}", ColumnExpectation(default=True, default_given=True)),
        ("{default: FALSE}", ColumnExpectation(default=False, default_given=True)),
        ("{default: 0}", ColumnExpectation(default=0, default_given=True)),
        ("{default: -1.50}", ColumnExpectation(default=-1.5, default_given=True)),
        ("{default: 'photo,video'}", ColumnExpectation(default="photo,video", default_given=True)),
        ("{default: now()}", ColumnExpectation(default="now()", default_given=True)),
        ("{default: 2025-10-12}", ColumnExpectation(default="2025-10-12", default_given=True)),
        ("{default: '{}'}", ColumnExpectation(default="{}", default_given=True)),
        ("{default: 'on'}", ColumnExpectation(default="on", default_given=True)),
        ("{default: ''}", ColumnExpectation(default="", default_given=True)),
    ],
)
def test_column(text: str, expected: ColumnExpectation) -> None:
    found = column(text)
    assert found == expected
    assert type(found.default) is type(expected.default)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("5", "columns.c is 5, which YAML reads as a number — a type of PostgreSQL"),
        ("no", "columns.c is no, which YAML reads as true or false"),
        ("[integer]", "columns.c is a list — a mapping with type, nullable, default"),
        ("''", "columns.c is empty — a type of PostgreSQL"),
        ("{type: 5}", "columns.c.type is 5, which YAML reads as a number"),
        ("{type: }", "columns.c.type is nothing"),
        ("{nullable: 'false'}", "columns.c.nullable is text — true or false"),
        ("{nullable: 0}", "columns.c.nullable is 0, which YAML reads as a number — true or false"),
        ("{nullable: n}", 'columns.c.nullable is "n" — true or false'),
        ("{nullable: }", "columns.c.nullable is nothing — true or false"),
        ("{nullable: []}", "columns.c.nullable is a list — true or false"),
        ("{default: {}}", "columns.c.default is a mapping — null, true, false, a number or text; SQL and JSON in quotes"),
        ("{default: []}", "columns.c.default is a list"),
        (
            "{default: off}",
            "columns.c.default is off, which YAML reads as true or false — write true, false or a plain number, or text in quotes: 'off'",
        ),
        ("{default: 010}", "columns.c.default is 010, which YAML reads as a number"),
        ("{default: 1:30}", "columns.c.default is 1:30, which YAML reads as a number"),
        ("{default: 0x10}", "columns.c.default is 0x10, which YAML reads as a number"),
        ("{default: 1_000}", "columns.c.default is 1_000, which YAML reads as a number"),
        ("{default: .inf}", "columns.c.default is .inf, which YAML reads as a number"),
        ("{default: 1234567890123.123456}", "columns.c.default is a number with more digits than are kept — in quotes: '1234567890123.123456'"),
        ("{default: =}", "columns.c.default is =, which YAML reads as a special mark"),
    ],
)
def test_bad_column(text: str, what: str) -> None:
    assert error("after_upgrade: {tables: {t: {columns: {c: " + text + "}}}}").startswith(f"x.yml:1: after_upgrade.tables.t.{what}")


def test_words_of_yaml_are_names_where_names_stand() -> None:
    found = read("after_upgrade: {tables: {on: {columns: {no: text, 5: text, null: text}, indexes: [off, 1]}}, absent: {tables: [yes, 010]}}")
    assert list(found.after_upgrade.tables) == ["on"]
    assert list(found.after_upgrade.tables["on"].columns) == ["no", "5", "null"]
    assert found.after_upgrade.tables["on"].indexes == ("off", "1")
    assert found.after_upgrade.absent.tables == ("yes", "010")


@pytest.mark.parametrize("key", ["indexes", "foreign_keys"])
@pytest.mark.parametrize(("text", "expected"), [("0", 0), ("5", 5), ("[]", ()), ("[b, a]", ("b", "a"))])
def test_count_or_names(key: str, text: str, expected: object) -> None:
    assert getattr(table(f"{key}: {text}"), key) == expected


@pytest.mark.parametrize("key", ["indexes", "foreign_keys"])
@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("-1", "is -1, which YAML reads as a number — how many"),
        ("1.5", "is 1.5, which"),
        ("true", "is true, which YAML reads as true or false — how many (a whole number from 0), or a list of names that must be there"),
        ("'5'", "is text — how many"),
        ("ix_a", 'is "ix_a" — how many'),
        ("", "is nothing"),
        ("{a: b}", "is a mapping"),
        ("010", "is 010, which"),
    ],
)
def test_bad_count(key: str, text: str, what: str) -> None:
    assert error("after_upgrade: {tables: {t: {" + f"{key}: {text}" + "}}}").startswith(f"x.yml:1: after_upgrade.tables.t.{key} {what}")


@pytest.mark.parametrize(("text", "what"), [("[[a]]", "is a list"), ("['']", "is empty"), ("[~]", "is nothing"), ("[' ']", "is text")])
def test_bad_names(text: str, what: str) -> None:
    assert error("after_upgrade: {tables: {t: {indexes: " + text + "}}}").startswith(f"x.yml:1: a name in after_upgrade.tables.t.indexes {what}")


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("null", None), ("5", 5), ("1.5", 1.5), ("Смена", "Смена"), ("'5'", "5"), ("''", ""), ("[1, {on: x}]", [1, {"on": "x"}])],
)
def test_existing_rows(text: str, value: object) -> None:
    (found,) = table("existing_rows: {c: " + text + "}").existing_rows.values()
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{c: yes}", ".c is yes, which YAML reads as true or false — write true"),
        ("{c: {a: [off]}}", ".c is off, which YAML reads as true or false"),
        ("{c: 12:30}", ".c is 12:30, which YAML reads as a number"),
        ("[c]", " is a list — a mapping"),
        ("true", " is true or false — a mapping"),
    ],
)
def test_bad_existing_rows(text: str, what: str) -> None:
    assert error("after_upgrade: {tables: {t: {existing_rows: " + text + "}}}").startswith(f"x.yml:1: after_upgrade.tables.t.existing_rows{what}")


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


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("shifts", "shifts"),
        ("public.shifts", "shifts"),
        ("billing.invoices", "billing.invoices"),
        ("'\"a.b\"'", '"a.b"'),
        ("'\"a.b\".c'", '"a.b".c'),
        ('\'"say ""x"""\'', '"say ""x"""'),
        ("Order Lines", "Order Lines"),
        ("смены", "смены"),
    ],
)
def test_names_of_tables(written: str, name: str) -> None:
    text = (
        "after_upgrade: {tables: {"
        + written
        + ": {}}, absent: {columns: {"
        + written
        + ": [c]}}}\nafter_downgrade: {absent: {tables: ["
        + written
        + "]}}"
    )
    found = read(text)
    assert list(found.after_upgrade.tables) == list(found.after_upgrade.absent.columns) == [name]
    assert found.after_downgrade.absent.tables == (name,)
    assert list(read("changes: {" + written + ": {rows: {added: 1}}}").changes) == [name]


@pytest.mark.parametrize("written", ["a.b.c", "a..b", ".a", "a.", "'a\"b'", "'\"a\"b'", "'\"a'", "' a'"])
def test_what_is_no_name_of_a_table(written: str) -> None:
    name = written.strip("'")
    for text in ("after_upgrade: {tables: {%s: {}}}", "after_downgrade: {absent: {tables: [%s]}}", "changes: {%s: {rows: {added: 1}}}"):
        assert error(text % written).startswith(f'x.yml:1: "{name}" is not the name of a table — table or schema.table')


def test_expected_and_absent_at_once() -> None:
    assert error("after_upgrade:\n  tables: {t: {}}\n  absent: {tables: [public.t]}").startswith('x.yml:3: table "public.t" is expected and absent')
    for kind, there in (("columns", "{c: text}"), ("indexes", "[c]"), ("foreign_keys", "[c]")):
        text = "after_upgrade:\n  tables: {t: {" + f"{kind}: {there}" + "}}\n  absent: {" + kind + ": {t: [b, c]}}"
        assert error(text) == 'x.yml:3: "c" of t is expected and absent — one of the two'
    read("after_upgrade: {tables: {t: {}, u: {indexes: 5}}, absent: {columns: {t: [c]}, indexes: {u: [i]}}}")
    read("after_upgrade: {tables: {t: {}}}\nafter_downgrade: {absent: {tables: [t]}}")


@pytest.mark.parametrize(
    ("written", "kind", "name"),
    [
        ("a.b", "changed: true", "a.b"),
        ("s.a.b", "changed: true", "s.a.b"),
        ("public.a.b", "expect: old", "a.b"),
        ("'a.\"b.c\"'", "changed: true", 'a."b.c"'),
        ("a", "dropped: true", "a"),
        ("public.a", "dropped: true", "a"),
        ("s.a", "dropped: true", "s.a"),
        ("public.a.b", "dropped: true", "a.b"),
    ],
)
def test_names_of_what_changes(written: str, kind: str, name: str) -> None:
    assert list(read("changes: {" + written + ": {" + kind + "}}").changes) == [name]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: {changed: true}", '"a" is not the name of a column — table.column or schema.table.column'),
        ("a: {expect: old}", '"a" is not the name of a column'),
        ("public.a: {changed: true}", '"public.a" is not the name of a column'),
        ("a.b.c.d: {changed: true}", '"a.b.c.d" is not the name of a column'),
        ("a.b.c.d: {dropped: true}", '"a.b.c.d" is not the name of a table or column — table.column or schema.table.column, or a table'),
        ("a.b: {}", "changes.a.b says not what changes — exactly one of expect, changed, dropped, rows"),
        ("a.b: ", "changes.a.b says not what changes"),
        ("a.b: {reason: x}", "changes.a.b says not what changes"),
        ("a.b: {changed: true, dropped: true}", "changes.a.b says changed and dropped — exactly one of"),
        ("a.b: {changed: false}", "changes.a.b.changed is false — true; without the entry nothing may change"),
        ("a.b: {dropped: no}", "changes.a.b.dropped is false"),
        ("a.b: {changed: maybe}", 'changes.a.b.changed is "maybe" — true or false'),
        ("a.b: {dropped: }", "changes.a.b.dropped is nothing — true or false"),
        ("a.b: {changed: true, reason: 5}", "changes.a.b.reason is 5, which YAML reads as a number — text, in quotes: reason: '5'"),
        ("a.b: {changed: true, reason: }", "changes.a.b.reason is nothing"),
        ("a.b: {expect: 5}", "changes.a.b.expect is 5, which YAML reads as a number — SQL over old"),
        ("a.b: {expect: }", "changes.a.b.expect is nothing — SQL over old"),
        ("a.b: {expect: 'old; drop'}", "changes.a.b.expect cannot be used: it holds ';' — SQL over old"),
        ("a.b: {expect: 'old \\d'}", "changes.a.b.expect cannot be used: it holds a backslash"),
        ("a.b: {expect: new}", "changes.a.b.expect cannot be used: it does not use the word old"),
        ("a: {rows: }", "changes.a.rows is empty — added, removed: a number or any"),
        ("a: {rows: {}}", "changes.a.rows is empty"),
        ("a: {rows: 5}", "changes.a.rows is a number — a mapping with added, removed"),
        ("a: {rows: {added: -1}}", "changes.a.rows.added is -1, which YAML reads as a number — a whole number from 0, or any"),
        ("a: {rows: {removed: all}}", 'changes.a.rows.removed is "all" — a whole number from 0, or any'),
        ("a: {rows: {removed: true}}", "changes.a.rows.removed is true, which"),
    ],
)
def test_bad_changes(text: str, what: str) -> None:
    assert error("changes:\n  " + text).startswith(f"x.yml:2: {what}")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("{added: 5}", RowChange(5, 0)),
        ("{removed: 3}", RowChange(0, 3)),
        ("{added: any}", RowChange(None, 0)),
        ("{added: 0, removed: any}", RowChange(0, None)),
    ],
)
def test_rows_that_are_not_named_stay(text: str, rows: RowChange) -> None:
    assert read("changes: {a: {rows: " + text + "}}").changes["a"].rows == rows


@pytest.mark.parametrize(
    ("text", "operator", "value"),
    [
        ("contains: CASCADE", "contains", "CASCADE"),
        ("contains: null", "contains", None),
        ("equals: 5", "equals", 5),
        ("equals: false", "equals", False),
        ("equals: ", "equals", None),
        ("equals: [1, {on: 'x'}]", "equals", [1, {"on": "x"}]),
        ("equals: {}", "equals", {}),
    ],
)
def test_assertion(text: str, operator: str, value: object) -> None:
    (assertion,) = read("assertions: [{name: n, query: after, " + text + "}]").assertions
    assert assertion == Assertion("n", "after", operator, value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{query: after}", "assertion 1 has no name — name and query are needed"),
        ("{name: a}", "assertion 1 has no query"),
        ("{name: a, query: after, contains: 1, equals: 1}", "assertion 1 has contains and equals — one of the two"),
        ("{name: 5, query: after}", "assertion 1.name is 5, which YAML reads as a number — text, in quotes: name: '5'"),
        ("{name: '', query: after}", "assertion 1.name is empty"),
        ("{name: a, query: ''}", "assertion 1.query is empty"),
        ("{name: a, query: [after]}", "assertion 1.query is a list"),
        ("{name: a, query: after.}", "the query 'after.' cannot be read: Expecting"),
        (
            "{name: a, query: aftr.tables}",
            'the query begins with "aftr"; did you mean "after"? — a query begins with before, after, back, again, record',
        ),
        ("{name: a, query: lenght(after)}", 'the query calls lenght(), which JMESPath does not have; did you mean "length"?'),
        ("{name: a, query: after, equals: [yes]}", "assertion 1.equals is yes, which YAML reads as true or false"),
        ("{name: a, query: after, equals: {b: 010}}", "assertion 1.equals is 010, which"),
    ],
)
def test_bad_assertions(text: str, what: str) -> None:
    assert error("assertions:\n  - " + text).startswith(f"x.yml:2: {what}")


def test_a_value_may_be_a_deep_one() -> None:
    deep = "[" * 40 + "]" * 40
    assert read("assertions: [{name: n, query: after, equals: " + deep + "}]").assertions[0].value is not None


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


@pytest.mark.parametrize(
    ("text", "name", "kind", "became"),
    [
        ("contracts.price: {was: rate}", "contracts.rate", "renamed", "price"),
        ("contracts.price: {was: rate, expect: old / 100.0}", "contracts.rate", "expect", "price"),
        ("billing.contracts.price: {was: rate, changed: true}", "billing.contracts.rate", "changed", "price"),
        ("plans: {was: tariffs}", "tariffs", "renamed", "plans"),
        ("plans: {was: old.tariffs, rows: {added: 1}}", "old.tariffs", "rows", "plans"),
        ("billing.plans: {was: public.tariffs}", "tariffs", "renamed", "billing.plans"),
    ],
)
def test_what_something_was(text: str, name: str, kind: str, became: str) -> None:
    found = read(f"changes: {{{text}}}")
    ((label, change),) = found.changes.items()
    assert (label, change.kind, change.became) == (name, kind, became)
    assert found.told_renames() == {name: became} and Expectations.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("t.b: {was: a, dropped: true}", "changes.t.b says was and dropped — was alone, or with one of"),
        ("t.b: {was: a, changed: true, expect: old}", "changes.t.b says was and expect and changed"),
        ("t.b: {was: x.y.z}", '"x.y.z" is not the name of a column'),
        ("t: {was: x.y.z}", '"x.y.z" is not the name of a table'),
        ("t.b: {was: a}, t.c: {was: a}", '"t.a" is declared in line 1 already'),
    ],
)
def test_what_something_cannot_have_been(text: str, what: str) -> None:
    assert error(f"changes: {{{text}}}").startswith(f"x.yml:1: {what}")
