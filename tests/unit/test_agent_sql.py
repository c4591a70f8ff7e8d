"""What a text for the server consists of: nothing may hide behind its first word."""

from __future__ import annotations

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_sql import read_text, rewrite_reason


def words(sql: str) -> list[str]:
    return [statement.word for statement in read_text(sql).statements]


@pytest.mark.parametrize(
    "sql, expected",
    [
        ("SET lock_timeout = '5s'; ALTER TABLE t ALTER n TYPE bigint", ["set", "alter"]),
        ("BEGIN;\n-- a; b\nALTER TABLE t ADD x int;\nCOMMIT;", ["begin", "alter", "commit"]),
        ("/* one /* two */ ; */ (SELECT 1)", ["select"]),
        ("SELECT 'a;b', E'\\';', \"c;d\"; DROP TABLE t", ["select", "drop"]),
        ("SELECT $1, a$b$c FROM t; DROP TABLE t", ["select", "drop"]),
        ("DO $x$ BEGIN ALTER TABLE t ADD x int; COMMIT; END $x$", ["do"]),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; DROP TABLE t",
            ["create", "drop"],
        ),
        ("CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO a VALUES (1); DELETE FROM b); SELECT 1", ["create", "select"]),
        (" ; ;-- nothing", []),
        ("SELECT 'never closed; DROP TABLE t", ["select", "drop"]),
    ],
)
def test_a_text_is_split_where_the_server_splits_it(sql: str, expected: list[str]) -> None:
    assert words(sql) == expected


@pytest.mark.parametrize(
    "sql, acts, ends, nothing",
    [
        ("SET lock_timeout = '5s'", False, False, True),
        ("SET lock_timeout = '5s'; ALTER TABLE t ADD x int", True, False, False),
        ("SELECT 1; ALTER TABLE t ADD x int", True, False, False),
        ("SELECT 1", False, False, False),
        ("UPDATE t SET x = 1", False, False, False),
        ("COMMIT", False, True, False),
        ("ROLLBACK", False, True, False),
        ("END; SELECT 1", False, True, False),
        ("ABORT", False, True, False),
        ("ROLLBACK TO SAVEPOINT a", True, False, False),
        ("rollback work to a", True, False, False),
        ("PREPARE TRANSACTION 'x'", False, True, False),
        ("PREPARE x AS SELECT 1", False, False, True),
        ("LOCK TABLE t", True, False, False),
        ("-- nothing", False, False, True),
    ],
)
def test_what_a_text_may_do(sql: str, acts: bool, ends: bool, nothing: bool) -> None:
    text = read_text(sql)
    assert (text.acts, text.ends, text.nothing) == (acts, ends, nothing)


@pytest.mark.parametrize(
    "sql, unasked",
    [
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", True),
        ("SET LOCAL TRANSACTION READ ONLY; ALTER TABLE t ADD x int", True),
        ("ROLLBACK TO a", True),
        ("SET lock_timeout = '5s'; ALTER TABLE t ADD x int", False),
    ],
)
def test_nothing_may_come_before_some_texts(sql: str, unasked: bool) -> None:
    assert read_text(sql).unasked_before is unasked


@pytest.mark.parametrize(
    "sql, name, reason",
    [
        ("TRUNCATE log; ALTER TABLE big ALTER COLUMN n TYPE bigint", "big", "type"),
        ("TRUNCATE log; ALTER TABLE big ALTER COLUMN n TYPE bigint", "log", "truncate"),
        ("TRUNCATE big; ALTER TABLE big ALTER COLUMN n TYPE bigint", "big", "unknown"),
        ("TRUNCATE log; ALTER TABLE big ALTER COLUMN n TYPE bigint", "other", "unknown"),
        ("-- reindex later\nALTER TABLE big ALTER n TYPE bigint", "big", "type"),
        ("ALTER TABLE big ADD COLUMN vacuum uuid DEFAULT gen_random_uuid()", "big", "default"),
        ("ALTER TABLE big ALTER COLUMN truncate TYPE bigint", "big", "type"),
        ("TRUNCATE parent CASCADE", "child", "truncate"),
        ("REINDEX TABLE t", "t_pkey", "reindex"),
        ("DO $$ BEGIN IF true THEN TRUNCATE log; END IF; END $$", "log", "truncate"),
        ("DO $$ BEGIN EXECUTE 'TRUNCATE log'; END $$", "log", "truncate"),
        ("DO $$ BEGIN ALTER TABLE t ALTER COLUMN n TYPE bigint; END $$", "t", "type"),
        ("ALTER TABLE t SET UNLOGGED", "t", "persistence"),
        ("SELECT f('truncate')", "t", "unknown"),
    ],
)
def test_a_rewrites_reason_is_that_of_the_statement_that_names_the_relation(sql: str, name: str, reason: str) -> None:
    assert rewrite_reason(read_text(sql).statements, name) == reason


@pytest.mark.parametrize(
    "sql, names",
    [
        ("ALTER TABLE t ADD x int", {"t"}),
        ('SET a = 1; CREATE TABLE x (id int REFERENCES "Parent"); ALTER TABLE t ADD y int', {"t", "x", "Parent"}),
        ("DO $$ BEGIN END $$", None),
        ("DROP TABLE t CASCADE", None),
        ("ALTER TABLE t ADD x int; DROP TABLE u", None),
        ("UPDATE t SET x = 1; ROLLBACK TO a", set()),
    ],
)
def test_what_can_be_locked_is_what_is_named(sql: str, names: set[str] | None) -> None:
    found = read_text(sql).may_lock
    assert (found is None) if names is None else (found is not None and found >= names)


def test_texts_that_differ_in_their_values_have_one_shape() -> None:
    one, other = "INSERT INTO t (a, b) VALUES (1, 'x'), (2, NULL)", "INSERT INTO t (a, b) VALUES (-3.5, 'it''s')"
    assert read_text(one).shape == read_text(other).shape
    assert read_text("UPDATE t SET a = 1").shape != read_text("UPDATE u SET a = 1").shape
