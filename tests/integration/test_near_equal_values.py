"""Values that look alike, pair by pair: the proof says "changed" if and only if PostgreSQL calls the two distinct or writes them differently."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import data_diff
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.hash_sql import SETTINGS
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session
from following import followed

pytestmark = pytest.mark.integration

TYPES = """
CREATE TYPE pair AS (a integer, b text);
CREATE TYPE mood AS ENUM ('', 'NULL', 'null', ' ');
CREATE DOMAIN label AS text;
CREATE DOMAIN code AS char(3);
CREATE DOMAIN cents AS numeric CHECK (VALUE IS NULL OR VALUE < 1000 OR VALUE = 'NaN');
CREATE DOMAIN coded AS code;
CREATE DOMAIN couple AS pair;
"""

# Values as they are written, `None` for NULL. Many are one value, or equal to the type's own operators.
NEAR: dict[str, list[str | None]] = {
    "text": [None, "", " ", "NULL", "null", "\\N", "0", "é", "e\u0301", "a", "a ", "a\n"],
    "varchar(4)": [None, "", " ", "NULL", "a", "a "],
    "char(4)": [None, "", " ", "    ", "NULL", "a", "a  ", " a"],
    "bpchar": [None, "", " ", "a", "a "],
    '"char"': [None, "", " ", "0"],
    "name": [None, "", " ", "NULL"],
    "bytea": [None, "", "\\x", "\\x00", "\\x0000", "\\x20", "\\x4e554c4c", "\\x" + "00" * 2000, "\\x" + "00" * 2001, "\\x" + "00" * 2002],
    "integer": [None, "0", "-0", "1", "01", "-1"],
    "bigint": [None, "0", "-0", "1", "4294967296", "4294967297", "-4294967296", "-4294967295"],
    "boolean": [None, "false", "f", "0", "true", "1"],
    "numeric": [None, "0", "-0", "0.0", "1", "1.0", "1.00", "1e0", "NaN", "Infinity", "-Infinity"],
    "numeric(6, 2)": [None, "0", "-0", "0.00", "1", "1.0", "1.004", "NaN"],
    "double precision": [None, "0", "-0", "1", "1.0", "NaN", "-NaN", "Infinity", "inf", "-Infinity", "0.1", "0.10000000000000001"],
    "real": [None, "0", "-0", "0.1", "0.100000001", "NaN", "infinity"],
    "json": [None, "null", '""', "{}", "{ }", '{"a":1,"b":2}', '{"b":2,"a":1}', '{"a": 1, "b": 2}', "1", "1.0", '{"a":1,"a":1}'],
    "jsonb": [None, "null", '""', "{}", "{ }", '{"a":1,"b":2}', '{"b":2,"a":1}', '{"a": 1, "b": 2}', "1", "1.0", "1.00", "[]", "[null]", '"1"'],
    "timestamptz": [
        None,
        "2024-06-01 12:00+03",
        "2024-06-01 09:00+00",
        "2024-06-01 12:00+00",
        "infinity",
        "-infinity",
        "epoch",
        "2000-01-01 00:00+00",
    ],
    "timestamp": [
        None,
        "2024-06-01 12:00",
        "2024-06-01 12:00:00.000000",
        "2024-06-01 12:00:00.000001",
        "infinity",
        "-infinity",
        "epoch",
        "2000-01-01",
    ],
    "date": [None, "2000-01-01", "1970-01-01", "epoch", "infinity", "-infinity"],
    "time": [None, "00:00", "24:00", "00:00:00.000"],
    "timetz": [None, "12:00+00", "15:00+03", "00:00+00"],
    "interval": [None, "0", "1 mon", "30 days", "720:00", "1 day", "24:00", "-1 day +24:00"],
    "text[]": [None, "{}", "{NULL}", '{"NULL"}', '{""}', '{" "}', "{{}}", "{NULL,NULL}", "{{NULL}}", "[0:0]={NULL}"],
    "integer[]": [None, "{}", "{NULL}", "{0}", "{{0}}", "[0:0]={0}", "{0,NULL}", "{NULL,0}"],
    "pair": [None, "(,)", '(,"")', "(0,)", '("0",)', '(0,"")', '(,"(,)")'],
    "pair[]": [None, "{}", "{NULL}", '{"(,)"}'],
    "int4range": [None, "empty", "[1,1)", "(,)", "[1,2)", "[1,1]", "(0,2)"],
    "numrange": [None, "empty", "(1,1)", "(,)", "[1,2)", "[1.0,2)", "(1,2]"],
    "int4multirange": [None, "{}", "{empty}", "{(,)}", "{[1,2),[2,3)}", "{[1,3)}"],
    "uuid": [None, "00000000-0000-0000-0000-000000000000", "{00000000000000000000000000000000}", "A0000000-0000-0000-0000-000000000000"],
    "inet": [None, "10.0.0.1", "10.0.0.1/32", "10.0.0.1/24", "::ffff:10.0.0.1"],
    "bit varying": [None, "", "0", "00"],
    "point": [None, "(0,0)", "(-0,0)", "(0,-0)", "(NaN,0)"],
    "money": [None, "0", "-0", "0.00"],
    "tsvector": [None, "", "a", "a:1", "a:1A"],
    "mood": [None, "", "NULL", "null", " "],
    "label": [None, "", " ", "NULL"],
    "code": [None, "", " ", "   ", "a", "a "],
    "coded": [None, "", "a", "a "],
    "cents": [None, "0", "1", "1.0", "1.00", "NaN"],
    "couple": [None, "(,)", '(,"")', "(0,)"],
}


TABLES = ["written", "swapped", "loose"]


@pytest.fixture(scope="module")
def own(postgres_server: Any) -> Iterator[Session]:
    name = postgres_server.create_database("test_near_equal_values")
    with Session(postgres_server.server, name, "tests") as session:
        for statement in filter(str.strip, TYPES.split(";\n")):
            session.execute(statement)
        session.execute("CREATE SCHEMA was")
        yield session
    postgres_server.drop_database(name)


@pytest.fixture
def session(own: Session) -> Session:
    """In a database that has the types, and no table."""
    own.execute("SET client_min_messages = error")
    own.execute(f"DROP TABLE IF EXISTS t, was.sent, {', '.join(f'{table}, was.{table}' for table in TABLES)}")
    return own


def literal(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def distinct(session: Session, columns: int, has_equality: bool) -> list[bool]:
    """PostgreSQL's own word: of row 1 of each column, as it was and as it is."""
    # `IS NULL` holds for a composite of NULLs; and `format` writes as the type's output function does, where a cast of char(n) cuts its blanks.
    asked = [
        f"num_nonnulls(o.p{n}) <> num_nonnulls(n.p{n}) OR format('%s', o.p{n}) COLLATE \"C\" <> format('%s', n.p{n})"
        + (f" OR o.p{n} IS DISTINCT FROM n.p{n}" if has_equality else "")
        for n in range(columns)
    ]
    for name in ("TimeZone", "DateStyle", "IntervalStyle", "extra_float_digits", "bytea_output"):
        session.execute(f"SET {name} = '{SETTINGS[name]}'")
    found: list[bool] = session.value(f"SELECT to_jsonb(ARRAY[{', '.join(asked)}]) AS v FROM was.written AS o JOIN written AS n ON n.id = o.id")
    return found


@pytest.mark.parametrize("kind", NEAR)
def test_the_proof_tells_apart_what_postgresql_does(session: Session, kind: str) -> None:
    pairs = [*((value, value) for value in NEAR[kind]), *itertools.combinations(NEAR[kind], 2)]
    columns = ", ".join(f"p{number} {kind}" for number in range(len(pairs)))
    old, new = (", ".join(literal(pair[side]) for pair in pairs) for side in (0, 1))
    # One row that is written; two rows that change places, so that every number of the column stays; and one without a key.
    session.execute(f"CREATE TABLE written (id integer PRIMARY KEY, {columns})")
    session.execute(f"CREATE TABLE swapped (id integer PRIMARY KEY, {columns})")
    session.execute(f"CREATE TABLE loose ({columns})")
    session.execute(f"INSERT INTO written VALUES (1, {old})")
    session.execute(f"INSERT INTO swapped VALUES (1, {old}), (2, {new})")
    session.execute(f"INSERT INTO loose VALUES ({old})")
    for table in TABLES:
        session.execute(f"CREATE TABLE was.{table} AS TABLE {table}")
    before = take_fingerprint(session, tables=TABLES)
    session.execute("DELETE FROM written")
    session.execute(f"INSERT INTO written VALUES (1, {new})")
    session.execute("DELETE FROM swapped")
    session.execute(f"INSERT INTO swapped VALUES (1, {new}), (2, {old})")
    session.execute("DELETE FROM loose")
    session.execute(f"INSERT INTO loose VALUES ({new})")

    try:
        session.value(f"SELECT to_jsonb(NULL::{kind} = NULL::{kind}) AS v")
        has_equality = True
    except PostgresError:
        has_equality = False
    differ = distinct(session, len(pairs), has_equality)
    expected = {pairs[number] for number, one in enumerate(differ) if one}
    assert 0 < len(expected) < len(pairs)
    assert all((None, value) in expected for value in NEAR[kind] if value is not None), "the first of each list is NULL, and nothing is equal to it"

    for proof in ("full", "changed"):
        after = take_fingerprint(session, tables=TABLES, since=before, proof=proof)
        answers = data_diff.answers(before, after)
        for table in TABLES:
            said = {pair for number, pair in enumerate(pairs) if answers[f"{table}.p{number}"] == data_diff.CHANGED}
            assert {answers[f"{table}.p{number}"] for number in range(len(pairs))} <= {data_diff.CHANGED, data_diff.UNCHANGED}
            assert said == expected, (table, proof)
            for number, (one, other) in enumerate(pairs):
                sides = [fingerprint["tables"][table]["columns"][f"p{number}"]["non_null"] for fingerprint in (before, after)]
                both = (one is not None) + (other is not None)
                assert sides == ([both, both] if table == "swapped" else [one is not None, other is not None])

    # Followed one by one, the rows say the same.
    everything = [f"p{number}" for number in range(len(pairs))]
    rows = followed(session, {"written": everything, "swapped": everything}, before)
    for table, times in (("written", 1), ("swapped", 2)):
        assert rows[table]["columns"] == {f"p{number}": times * one for number, one in enumerate(differ)}
        assert (rows[table]["kept"], rows[table]["added"], rows[table]["lost"]) == (times, 0, 0)


def test_declared_as_kept_no_value_is_taken_for_null(session: Session) -> None:
    """What a declared change is proved by goes by another text (5 and 5.0 are one there), and must know NULL all the same."""
    typed = [(kind, value) for kind, values in NEAR.items() for value in values if value is not None]
    columns = ", ".join(f"p{number} {kind}" for number, (kind, _value) in enumerate(typed))
    session.execute(f"CREATE TABLE t (id integer PRIMARY KEY, {columns})")
    row, nothing = ", ".join(literal(value) for _kind, value in typed), ", ".join(["NULL"] * len(typed))
    session.execute(f"INSERT INTO t VALUES (1, {row}), (2, {nothing})")
    names = [f"t.p{number}" for number in range(len(typed))]
    declared = dict.fromkeys(names, "old")
    before = take_fingerprint(session, tables=["t"], declared=declared)

    def answers() -> dict[str, str]:
        found = data_diff.answers(before, take_fingerprint(session, tables=["t"], canonical=names, since=before), declared)
        return {name: found[name] for name in names}

    assert answers() == dict.fromkeys(names, data_diff.AS_DECLARED)
    session.execute("DELETE FROM t")
    session.execute(f"INSERT INTO t VALUES (1, {nothing}), (2, {row})")
    assert answers() == dict.fromkeys(names, data_diff.CHANGED)
