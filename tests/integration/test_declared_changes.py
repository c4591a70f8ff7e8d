"""A declared change is proved row by row, and a declaration that cannot be used names its column."""

from __future__ import annotations

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import data_diff
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import check_expression, take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session

pytestmark = pytest.mark.integration

DECLARED = {"contracts.hourly_rate": "old / 100.0"}


def convert(session: Session) -> None:
    session.execute("ALTER TABLE contracts ALTER COLUMN hourly_rate TYPE numeric(10, 2) USING hourly_rate / 100.0")


def test_a_declared_change_is_proved_for_every_row(contracts: Session) -> None:
    before = take_fingerprint(contracts, declared=DECLARED)
    convert(contracts)
    after = take_fingerprint(contracts, canonical=DECLARED, since=before)
    assert [(change.kind, change.object) for change in data_diff.compare(before, after, DECLARED)] == [
        ("column-as-declared", "contracts.hourly_rate")
    ]
    undeclared = data_diff.compare(before, after)
    assert [(change.kind, change.object) for change in undeclared] == [("column-not-comparable", "contracts.hourly_rate")]


@pytest.mark.parametrize(
    "deviation",
    [
        "hourly_rate = hourly_rate + 0.01 WHERE id = 4321",
        "hourly_rate = NULL WHERE id = 4321",
        "hourly_rate = 0 WHERE id = 4320",
        "hourly_rate = -hourly_rate WHERE id = 4321",
        "hourly_rate = CASE id WHEN 1 THEN 0.14 ELSE 0.07 END WHERE id IN (1, 2)",
    ],
)
def test_one_row_of_ten_thousand_is_not_as_declared(contracts: Session, deviation: str) -> None:
    before = take_fingerprint(contracts, declared=DECLARED)
    convert(contracts)
    contracts.execute(f"UPDATE contracts SET {deviation}")
    after = take_fingerprint(contracts, canonical=DECLARED, since=before)
    (change,) = data_diff.compare(before, after, DECLARED)
    assert change.kind == "column-changed"
    assert "not what was declared (old / 100.0)" in change.text


@pytest.mark.parametrize(
    ("kind", "expression", "value"),
    [
        ("integer", "old", "bigint"),
        ("integer", "old", "numeric(10,2)"),
        ("integer", "old", "double precision"),
        ("integer", "old", "text"),
        ("numeric(8,3)", "round(old, 1)", "numeric(8,1)"),
        ("double precision", "old", "numeric"),
        ("real", "old", "real"),
        ("integer", "old > 3", "boolean"),
        ("boolean", "CASE WHEN old THEN 'yes' ELSE 'no' END", "text"),
        ("text", "nullif(old, '')", "text"),
        ("timestamp", "old AT TIME ZONE 'Europe/Moscow'", "timestamptz"),
        ("json", "old", "jsonb"),
        ("date", "old + 1", "date"),
        ("text", "upper(old) || other", "text"),
        ("integer[]", "old[1]", "integer"),
        ("bytea", "encode(old, 'hex')", "text"),
        ("uuid", "old", "text"),
    ],
)
def test_declared_changes_do_not_depend_on_the_type(own: Session, kind: str, expression: str, value: str) -> None:
    examples = {
        "integer[]": "ARRAY[g, 2]",
        "json": "'{\"a\":  1}'",
        "timestamp": "'2024-06-01'::timestamp + g * interval '1 h'",
        "date": "'2024-01-01'::date + g",
        "uuid": "md5(g::text)::uuid",
        "boolean": "g % 2 = 0",
        "text": "CASE g WHEN 1 THEN '' ELSE 'x' || g END",
        "bytea": "decode('0a', 'hex')",
    }
    own.execute(f"CREATE TABLE t (id integer PRIMARY KEY, v {kind}, other text DEFAULT 'o')")
    own.execute(f"INSERT INTO t SELECT g, ({examples.get(kind, 'g + 0.25 * g')})::{kind} FROM generate_series(1, 5) AS g")
    declared = {"t.v": expression}
    before = take_fingerprint(own, declared=declared)
    using = expression.replace("old", "v").replace("vv", "v")
    own.execute(f"ALTER TABLE t ALTER COLUMN v TYPE {value} USING ({using})::{value}")
    after = take_fingerprint(own, canonical=declared, since=before)
    assert data_diff.answers(before, after, declared)["t.v"] == "as declared"


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("old; DROP TABLE contracts", "semicolon"),
        ("old \\! ls", "backslash"),
        ("old -- x", "comment"),
        ("(old", "not closed"),
        ("old)+(1", "not closed"),
        ("'x", "not closed"),
        ("", "empty"),
        ("nothing + 1", "is refused"),
        ("old + 'x'::text[]", "is refused"),
        ("generate_series(1, 2)", "20,?000 values"),
    ],
)
def test_a_bad_declaration_names_its_column(contracts: Session, expression: str, error: str) -> None:
    with pytest.raises(ValueError, match=rf"contracts\.hourly_rate.*{error}"):
        take_fingerprint(contracts, declared={"contracts.hourly_rate": expression})
    assert contracts.value("SELECT count(*) AS v FROM contracts") == 10000


def test_a_declaration_that_fails_on_a_row_names_its_column(contracts: Session) -> None:
    with pytest.raises(PostgresError, match=r"fingerprint of contracts\.hourly_rate: .*division by zero"):
        take_fingerprint(contracts, declared={"contracts.hourly_rate": "old / (id - 77)"})
    with pytest.raises(ValueError, match=r"contracts\.rate: .*no such column"):
        take_fingerprint(contracts, declared={"contracts.rate": "old"})
    with pytest.raises(PostgresError, match="read-only"):
        take_fingerprint(contracts, declared={"contracts.hourly_rate": "setval('s', 1)"} if _sequence(contracts) else {})


def _sequence(session: Session) -> bool:
    session.execute("CREATE SEQUENCE s")
    return True


def test_quotes_and_parentheses_in_text_are_no_structure() -> None:
    check_expression("t.c", "replace(old, '(', ')))') || \"x\"")
