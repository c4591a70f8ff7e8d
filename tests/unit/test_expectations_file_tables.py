"""Tables in the expectations file: columns, indexes, foreign keys, existing rows, and how tables are called."""

from __future__ import annotations

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import ColumnExpectation, TableExpectation
from expectations_reader import error, read


def table(text: str) -> TableExpectation:
    return read("after_upgrade: {tables: {t: {" + text + "}}}").after_upgrade.tables["t"]


def column(text: str) -> ColumnExpectation:
    return table("columns: {c: " + text + "}").columns["c"]


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
