"""Checks that look at rows, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import number_checks, row_checks
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session

pytestmark = pytest.mark.integration


@pytest.fixture
def session(postgres_server, database) -> Iterator[Session]:
    with Session(postgres_server.server, database, "tests") as session:
        yield session


def counted(session: Session, **options: Any) -> dict[str, int]:
    return {entry["constraint"]: entry["rows"] for entry in row_checks.orphans(session, **options)}


def without_triggers(session: Session, table: str, statement: str) -> None:
    session.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    session.execute(statement)
    session.execute(f"ALTER TABLE {table} ENABLE TRIGGER ALL")


def test_orphans_also_behind_not_valid_and_disabled_triggers(session: Session) -> None:
    session.execute("CREATE TABLE users (id integer PRIMARY KEY)")
    session.execute("INSERT INTO users VALUES (1)")
    session.execute('CREATE TABLE "my notes" (id integer PRIMARY KEY, "user" bigint, other integer, third integer REFERENCES users)')
    session.execute('INSERT INTO "my notes" VALUES (1, 1, 1, 1), (2, 7, 1, NULL), (3, NULL, NULL, NULL), (4, 8, 9, 1)')
    session.execute('ALTER TABLE "my notes" ADD CONSTRAINT late FOREIGN KEY ("user") REFERENCES users NOT VALID')
    without_triggers(session, '"my notes"', 'UPDATE "my notes" SET third = 5 WHERE id = 4')
    late, third = row_checks.orphans(session)
    assert late == {
        "constraint": "late",
        "table": "my notes",
        "references": "users",
        "rows": 2,
        "validated": False,
        "enforced": True,
        "triggers_disabled": False,
    }
    assert (third["rows"], third["validated"], third["triggers_disabled"]) == (1, True, False)
    both = {"users", "my notes"}
    assert counted(session, untouched=both) == {"late": 2}
    foreign = [name for name, _rows in sorted(counted(session, untouched={"users"}).items())]
    assert len(foreign) == 2
    session.execute('ALTER TABLE "my notes" DISABLE TRIGGER ALL')
    assert [entry["triggers_disabled"] for entry in row_checks.orphans(session, both)] == [True, True]


@pytest.mark.parametrize(("match", "orphans"), [("SIMPLE", 1), ("FULL", 3)])
def test_composite_keys(session: Session, match: str, orphans: int) -> None:
    session.execute("CREATE TABLE p (a integer, b text, PRIMARY KEY (b, a))")
    session.execute("INSERT INTO p VALUES (1, 'x'), (2, 'y')")
    session.execute("CREATE TABLE c (b text, a integer)")
    session.execute("INSERT INTO c VALUES ('x', 1), ('y', 1), (NULL, 1), ('x', NULL), (NULL, NULL)")
    session.execute(f"ALTER TABLE c ADD CONSTRAINT fk FOREIGN KEY (a, b) REFERENCES p (a, b) MATCH {match} NOT VALID")
    assert counted(session) == {"fk": orphans}


def test_partitioned_tables_have_one_entry(session: Session) -> None:
    session.execute("CREATE TABLE p (id integer PRIMARY KEY) PARTITION BY RANGE (id)")
    session.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100)")
    session.execute("INSERT INTO p VALUES (1)")
    session.execute("CREATE TABLE c (p integer CONSTRAINT fk REFERENCES p) PARTITION BY RANGE (p)")
    session.execute("CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (0) TO (100)")
    session.execute("INSERT INTO c VALUES (1)")
    assert counted(session) == {"fk": 0}
    without_triggers(session, "c1", "INSERT INTO c1 VALUES (2), (3)")
    assert counted(session) == {"fk": 2}
    session.execute("ALTER TABLE c1 DISABLE TRIGGER ALL")
    assert [entry["triggers_disabled"] for entry in row_checks.orphans(session)] == [True]


def test_rows_of_children_by_inheritance_are_no_parents(session: Session) -> None:
    session.execute("CREATE TABLE p (id integer PRIMARY KEY)")
    session.execute("CREATE TABLE heir () INHERITS (p)")
    session.execute("INSERT INTO heir VALUES (5)")
    session.execute("CREATE TABLE c (p integer)")
    session.execute("INSERT INTO c VALUES (5)")
    session.execute("ALTER TABLE c ADD CONSTRAINT fk FOREIGN KEY (p) REFERENCES p NOT VALID")
    assert counted(session) == {"fk": 1}


def test_a_temporal_key_is_said_not_to_be_looked_at(session: Session, postgres_server) -> None:
    if postgres_server.major < 18:
        pytest.skip("temporal keys came with PostgreSQL 18")
    session.execute("CREATE TABLE p (id int4range, valid daterange, PRIMARY KEY (id, valid WITHOUT OVERLAPS))")
    session.execute("CREATE TABLE c (id int4range, valid daterange, CONSTRAINT fk FOREIGN KEY (id, PERIOD valid) REFERENCES p (id, PERIOD valid))")
    session.execute("CREATE TABLE d (a integer PRIMARY KEY, b integer CONSTRAINT loose REFERENCES d NOT ENFORCED)")
    session.execute("INSERT INTO d VALUES (1, 7)")
    assert counted(session) == {"fk": None, "loose": 1}


@pytest.mark.parametrize(
    ("kind", "expected", "stored", "others"),
    [
        ("boolean", False, "false", ["true", "NULL"]),
        ("integer", 5, "5", ["6", "NULL"]),
        ("integer", "5", "5", ["6"]),
        ("numeric(6,2)", 1.5, "1.50", ["1.51"]),
        ("numeric(6,2)", 1.504, "1.51", ["1.50"]),
        ("varchar(3)", "abc", "'abc'", ["'abC'", "''", "NULL"]),
        ("varchar(3)", "abcd", "NULL", ["'abc'"]),
        ("char(4)", "ab", "'ab'", ["'a'"]),
        ("text", None, "NULL", ["''"]),
        ("text", "", "''", ["NULL", "' '"]),
        ("text", 'it\'s \\ "q"', "E'it''s \\\\ \"q\"'", ["'x'"]),
        ("text", True, "'true'", ["'t'"]),
        ("jsonb", {"a": [1, None]}, "'{\"a\": [1.0, null]}'", ["'{}'", "NULL"]),
        ("jsonb", [], "'[]'", ["'{}'"]),
        ("jsonb", "x", "'\"x\"'", ["'[\"x\"]'"]),
        ("jsonb", False, "'false'", ["'\"false\"'"]),
        ("jsonb", None, "NULL", ["'null'"]),
        ("json", {"a": 1}, "'{\"a\":   1}'", ["'{\"a\": 2}'"]),
        ("integer[]", [1, 2], "'{1,2}'", ["'{2,1}'"]),
        ("integer[]", [], "'{}'", ["NULL"]),
        ("text[]", "{a}", "'{a}'", ["'{b}'"]),
        ("date", "2024-01-02", "'2024-01-02'", ["'2024-01-03'"]),
        ("timestamptz", "2024-01-02T03:00:00+03:00", "'2024-01-02 00:00+00'", ["'2024-01-02 03:00+00'"]),
        ("mood", "low", "'low'", ["'high'"]),
        ("cents", 7, "7", ["8"]),
        ("point", "(1,2)", "'(1,2)'", ["'(2,1)'"]),
        ("box", "(2,2),(0,0)", "'(2,2),(0,0)'", ["'(4,1),(0,0)'"]),
        ("bit(3)", "101", "'101'", ["'100'"]),
        ("double precision", 0.1, "0.1", ["0.2"]),
        ("pair", None, "NULL", ["ROW(NULL, NULL)::pair"]),
    ],
)
def test_existing_rows(session: Session, kind: str, expected: Any, stored: str, others: list[str]) -> None:
    session.execute("CREATE TYPE mood AS ENUM ('low', 'high')")
    session.execute("CREATE TYPE pair AS (a integer, b integer)")
    session.execute("CREATE DOMAIN cents AS bigint")
    session.execute(f'CREATE TABLE "a.b" (id serial, "the value" {kind})')
    wanted = 0 if expected == "abcd" or expected == 1.504 else 2
    session.execute(f'INSERT INTO "a.b" ("the value") VALUES {", ".join(f"({value})" for value in [stored, stored, *others])}')
    answer = row_checks.existing_rows(session, '"a.b"', {"the value": expected})
    assert answer == [{"table": '"a.b"', "column": "the value", "expected": expected, "rows": 2 + len(others), "matching": wanted}]


def test_existing_rows_leaves_out_what_is_not_there_or_not_meant(session: Session) -> None:
    session.execute("CREATE TABLE t (id integer, paid boolean, note text)")
    session.execute("INSERT INTO t VALUES (1, true, 'x'), (2, true, NULL), (9, false, 'new')")
    assert row_checks.existing_rows(session, "nothing", {"a": 1}) == []
    assert row_checks.existing_rows(session, "t", {"nothing": 1}) == []
    found = row_checks.existing_rows(session, "t", {"paid": True, "nothing": 1, "note": None}, new_rows_condition="id > 5")
    assert [(entry["column"], entry["rows"], entry["matching"]) for entry in found] == [("paid", 2, 2), ("note", 2, 1)]


def test_a_value_that_is_none_of_the_type_does_not_hide_the_others(session: Session) -> None:
    session.execute("CREATE TABLE t (id integer, paid boolean, note text)")
    session.execute("INSERT INTO t VALUES (1, true, 'x')")
    found = row_checks.existing_rows(session, "t", {"id": "many", "paid": True, "note": ["x"]})
    assert found == [
        {"table": "t", "column": "id", "expected": "many", "no_value_of": "integer"},
        {"table": "t", "column": "paid", "expected": True, "rows": 1, "matching": 1},
        {"table": "t", "column": "note", "expected": ["x"], "no_value_of": "text"},
    ]
    session.execute("CREATE ROLE nobody_reads")
    session.execute("SET ROLE nobody_reads")
    with pytest.raises(PostgresError, match="permission denied"):
        row_checks.existing_rows(session, "t", {"paid": True})
    session.execute("RESET ROLE")
    session.execute("DROP ROLE nobody_reads")


def test_existing_rows_counts_partitions_and_no_heirs(session: Session) -> None:
    session.execute("CREATE TABLE p (id integer) PARTITION BY LIST (id)")
    session.execute("CREATE TABLE p1 PARTITION OF p DEFAULT")
    session.execute("INSERT INTO p VALUES (1), (1)")
    session.execute("CREATE TABLE t (id integer)")
    session.execute("CREATE TABLE heir () INHERITS (t)")
    session.execute("INSERT INTO heir VALUES (1)")
    assert [row_checks.existing_rows(session, table, {"id": 1})[0]["rows"] for table in ("p", "t", "heir")] == [2, 0, 1]


def test_a_collation_that_ignores_case_does_not_match_other_text(installed: Session) -> None:
    session = installed
    session.execute("CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level1', deterministic = false)")
    session.execute("CREATE TABLE t (v text COLLATE blind)")
    session.execute("INSERT INTO t VALUES ('a'), ('A')")
    assert row_checks.existing_rows(session, "t", {"v": "a"})[0]["matching"] == 1


def test_duplicates(session: Session) -> None:
    session.execute("CREATE TABLE t (a integer, b text)")
    session.execute("INSERT INTO t VALUES (1, 'x'), (1, 'x'), (1, 'x'), (2, 'y'), (2, 'y'), (3, NULL), (3, NULL), (4, 'z')")
    assert row_checks.duplicates(session, "t", ["a", "b"]) == {"table": "t", "columns": ["a", "b"], "groups": 2, "rows": 3}
    assert row_checks.duplicates(session, "t", ["a"], where="b IS NULL")["rows"] == 1
    assert row_checks.duplicates(session, "t", ["b"], where="a = 4") == {"table": "t", "columns": ["b"], "groups": 0, "rows": 0}
    assert row_checks.duplicates(session, "t", ["b"], nulls_clash=True) == {"table": "t", "columns": ["b"], "groups": 3, "rows": 4}
    assert row_checks.duplicates(session, "t", ["(a % 2)", "b"])["rows"] == 3
    with pytest.raises(ValueError, match="no table x"):
        row_checks.duplicates(session, "x", ["a"])


def test_sequences_behind_their_column(session: Session) -> None:
    session.execute("CREATE TABLE fresh (id serial PRIMARY KEY)")
    session.execute("CREATE TABLE fine (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY)")
    session.execute("INSERT INTO fine DEFAULT VALUES")
    session.execute('CREATE TABLE "be hind" (id bigserial PRIMARY KEY, v text)')
    session.execute('INSERT INTO "be hind" VALUES (7)')
    session.execute("CREATE SEQUENCE shared INCREMENT BY -1 START WITH -1")
    session.execute("CREATE TABLE down (id integer DEFAULT nextval('shared'), label text DEFAULT 'x' || nextval('shared'))")
    session.execute("INSERT INTO down (id) VALUES (-5)")
    assert number_checks.sequences_behind(session) == [
        {"sequence": "be hind_id_seq", "column": "be hind.id", "next_value": 1, "reached": 7},
        {"sequence": "shared", "column": "down.id", "next_value": -2, "reached": -5},
    ]
    session.execute("SELECT setval('\"be hind_id_seq\"', 7, false)")
    assert [entry["next_value"] for entry in number_checks.sequences_behind(session)] == [7, -2]
    session.execute("SELECT setval('\"be hind_id_seq\"', 7)")
    assert [entry["sequence"] for entry in number_checks.sequences_behind(session)] == ["shared"]


def test_numbers_near_their_end(session: Session) -> None:
    session.execute("CREATE TABLE old (id serial PRIMARY KEY)")
    session.execute("SELECT setval('old_id_seq', 1800000000)")
    session.execute("INSERT INTO old VALUES (1800000000)")
    session.execute("CREATE TABLE young (id bigserial PRIMARY KEY)")
    session.execute("INSERT INTO young VALUES (3000000000)")
    # A sequence made for bigint behind a column that is an integer.
    session.execute("CREATE SEQUENCE wide")
    session.execute("CREATE TABLE narrow (id integer DEFAULT nextval('wide'))")
    session.execute("SELECT setval('wide', 1200000000)")
    session.execute("CREATE SEQUENCE again MAXVALUE 10 CYCLE")
    session.execute("SELECT setval('again', 10)")
    found = {(entry["kind"], entry["object"]): entry for entry in number_checks.near_limit(session)}
    assert set(found) == {("sequence", "old_id_seq"), ("column", "old.id"), ("sequence", "wide")}
    assert found[("sequence", "old_id_seq")]["share"] == 0.838
    assert found[("sequence", "wide")] == {"kind": "sequence", "object": "wide", "reached": 1200000000, "limit": 2147483647, "share": 0.559}
    assert {entry["object"] for entry in number_checks.near_limit(session, share=0.8)} == {"old_id_seq", "old.id"}
