"""Fingerprints differ if and only if data differ: shown on a real server."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import data_diff, fingerprint, fingerprint_table, hash_sql, large_objects
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import check_expression, proof_transaction, take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session, quote_identifier
from ansible_collections.migrations.rehearsal.plugins.module_utils.relations import read_relations
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.integration

# Values of each type, every one of them another stored value. Many pairs have one hash in PostgreSQL's own functions, or are equal to its operators.
VALUES = {
    "smallint": ["0", "1", "-1", "32767"],
    "integer": ["0", "1", "-1", "2147483647", "-2147483648"],
    "bigint": ["0", "1", "-1", "4294967296", "4294967297", "-4294967296", "-4294967297", "9223372036854775807", "-9223372036854775808"],
    "boolean": ["true", "false"],
    "numeric": ["0", "0.0", "1", "1.0", "1.00", "-1", "NaN", "0.1", "100000000000000000000", "-100000000000000000000"],
    "real": ["0", "-0", "1", "-1", "NaN", "Infinity", "-Infinity", "0.1", "0.10000001"],
    "double precision": ["0", "-0", "1", "-1", "NaN", "Infinity", "-Infinity", "0.1", "0.30000000000000004", "0.3"],
    "text": ["", " ", "a", "A", "a ", "NULL", "\\", "'", "ä", "a\nb"],
    "varchar(9)": ["", "a", "a ", "A"],
    "bpchar": ["", "a", "a ", "A"],
    "char(4)": ["", "a", "A", " a"],
    '"char"': ["", "a", "A"],
    "name": ["", "a", "A"],
    "bytea": ["", "\\x00", "\\x0000", "\\xff", "\\x6162"],
    "date": ["infinity", "-infinity", "2000-01-01", "2000-01-02", "1999-12-31", "4713-01-01 BC", "5874897-12-31"],
    "time": ["00:00", "24:00", "12:00", "12:00:00.000001"],
    "timetz": ["12:00+00", "13:00+01", "12:00+01"],
    "timestamp": ["infinity", "-infinity", "2000-01-01", "2000-01-01 00:00:00.000001", "1999-12-31", "2024-06-01"],
    "timestamptz": ["infinity", "-infinity", "2000-01-01+00", "2000-01-01+01", "2024-06-01 12:00+03"],
    "interval": ["0", "1 mon", "30 days", "720:00", "1 day", "24:00", "-1 day +24:00"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001", "10000000-0000-0000-0000-000000000000"],
    "json": ['{"a":1}', '{"a": 1}', '{"a":1,"a":1}', "null", "1", "1.0", '"1"'],
    "jsonb": ["[[1],2]", "[[1,2]]", "[1,2]", "[2,1]", "1", "1.0", "null", '"1"', '{"a":1,"b":2}', '{"a":2,"b":1}', "[]", "{}"],
    "integer[]": ["{}", "{NULL}", "{0}", "{1,2,3,4}", "{{1,2},{3,4}}", "{{1},{2},{3},{4}}", "[0:3]={1,2,3,4}", "{4,3,2,1}"],
    "text[]": ["{}", "{NULL}", '{"NULL"}', '{""}', "{a,b}", '{"a,b"}'],
    "numeric[]": ["{1}", "{1.0}", "{-1}"],
    "float8[]": ["{0}", "{-0}"],
    "timestamptz[]": ["{2000-01-01+00}", "{2000-01-01+01}"],
    "int4range": ["empty", "[1,3)", "(,3)", "[1,)", "(,)"],
    "numrange": ["[1,2)", "[1.0,2)", "[1,2]", "empty"],
    "tstzrange": ["[2000-01-01+00,)", "[2000-01-01+01,)"],
    "inet": ["1.2.3.4", "1.2.3.4/24", "::1"],
    "cidr": ["1.2.3.0/24", "1.2.3.0/25"],
    "macaddr": ["08:00:2b:01:02:03", "08:00:2b:01:02:04"],
    "bit(3)": ["000", "001", "100"],
    "varbit": ["", "0", "00", "1"],
    "money": ["0", "12.34", "-12.34"],
    "point": ["(0,0)", "(-0,0)", "(0,1)", "(1,0)", "(NaN,0)"],
    "box": ["(2,2),(0,0)", "(4,1),(0,0)"],
    "circle": ["<(0,0),1>", "<(1,0),1>"],
    "polygon": ["((0,0),(1,1))", "((1,1),(0,0))"],
    "tsvector": ["", "a", "a:1", "b"],
    "pg_lsn": ["0/0", "0/1", "1/0"],
    "jsonpath": ["$", "$.a"],
    "mood": ["low", "high"],
    "pair": ["(,)", "(1,)", "(,1)", '(,"")', "(1,1)"],
    "pair[]": ["{}", '{"(,)"}', '{"(1,)"}'],
    "cents": ["1", "1.0", "-1"],
    "day": ["2000-01-01", "infinity"],
    "bytes": ["\\x00", "\\x0000"],
}


def table_of(kind: str) -> str:
    return "of " + kind.replace('"', "")


@pytest.fixture(scope="module")
def session(postgres_server) -> Iterator[Session]:
    """A session of a database with a table (id, v) for each type."""
    name = postgres_server.create_database("test_fingerprint")
    with Session(postgres_server.server, name, "tests") as session:
        session.execute("CREATE TYPE mood AS ENUM ('low', 'high')")
        session.execute("CREATE TYPE pair AS (a integer, b text)")
        session.execute("CREATE DOMAIN cents AS numeric")
        session.execute("CREATE DOMAIN day AS date CHECK (VALUE IS NOT NULL)")
        session.execute("CREATE DOMAIN bytes AS bytea")
        for kind in VALUES:
            session.execute(f"CREATE TABLE {quote_identifier(table_of(kind))} (id integer PRIMARY KEY, v {kind})")
        session.execute('CREATE TABLE keyless (a integer, b text, c "char"[])')
        yield session
    postgres_server.drop_database(name)


@pytest.fixture
def own(postgres_server, database) -> Iterator[Session]:
    """A session of an empty database."""
    with Session(postgres_server.server, database, "tests") as session:
        yield session


def literal(value: str | None) -> str:
    if value is None:
        return "NULL"
    return " E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def fill(session: Session, kind: str, rows: dict[int, str | None]) -> None:
    table = quote_identifier(table_of(kind))
    session.execute(f"DELETE FROM {table}")
    if rows:
        session.execute(f"INSERT INTO {table} VALUES " + ", ".join(f"({key}, {literal(value)})" for key, value in rows.items()))


def proved(fingerprint: dict) -> dict:
    """What a fingerprint says of the data, without what says how and where."""
    return {name: (entry["rows"], entry["key"], entry["columns"], entry.get("row_hash")) for name, entry in fingerprint["tables"].items()}


@pytest.mark.parametrize("kind", VALUES)
def test_every_value_of_a_type_has_its_own_hash(session: Session, kind: str) -> None:
    fill(session, kind, dict(enumerate(VALUES[kind])))
    with proof_transaction(session):
        (relation,) = [found for found in read_relations(session)[0] if found.name == table_of(kind)]
        column = relation.by_name["v"]
        # One seed for all: values must differ by themselves.
        hashes = session.value(f"SELECT array_agg({hash_sql.hash_value(column.value, column.kind, '7::bigint')}::text) AS v FROM {relation.source}")
    assert len(set(hashes)) == len(VALUES[kind])
    assert None not in hashes


@st.composite
def two_states(draw: st.DrawFn) -> tuple[str, dict[int, str | None], dict[int, str | None]]:
    """A type, and two contents of its table; the second is mostly a small edit of the first."""
    kind = draw(st.sampled_from(list(VALUES)))
    value = st.sampled_from(VALUES[kind] if kind == "day" else [None, *VALUES[kind]])
    before = draw(st.dictionaries(st.integers(-2, 5), value, max_size=6))
    after = dict(before)
    edit = draw(st.sampled_from(["none", "swap", "change", "lose", "add", "rekey", "new"]))
    keys = list(before)
    if edit == "swap" and len(keys) > 1:
        after[keys[0]], after[keys[-1]] = after[keys[-1]], after[keys[0]]
    elif edit == "change" and keys:
        after[draw(st.sampled_from(keys))] = draw(value)
    elif edit == "lose" and keys:
        del after[keys[0]]
    elif edit == "add":
        after[99] = draw(value)
    elif edit == "rekey" and keys:
        after[100] = after.pop(keys[0])
    elif edit == "new":
        after = draw(st.dictionaries(st.integers(-2, 5), value, max_size=6))
    return kind, before, after


@given(states=two_states())
@example(states=("integer", {1: "0", 2: "1"}, {1: "1", 2: "0"}))
@example(states=("bigint", {1: "4294967296", 2: None}, {1: None, 2: "4294967296"}))
@example(states=("text", {1: "", 2: None}, {1: None, 2: ""}))
@example(states=("text", {1: "a", 2: "a", 3: "b"}, {1: "b", 2: "b", 3: "b"}))
@example(states=("double precision", {1: "0", 2: "-0"}, {1: "-0", 2: "0"}))
@example(states=("numeric", {1: "0", 2: "NaN"}, {1: "NaN", 2: "0"}))
@example(states=("date", {1: None}, {1: "infinity"}))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_fingerprints_differ_if_and_only_if_data_differ(session: Session, states) -> None:
    kind, before, after = states
    fill(session, kind, before)
    first = take_fingerprint(session, tables=[table_of(kind)])
    fill(session, kind, dict(reversed(after.items())))
    second = take_fingerprint(session, tables=[table_of(kind)])
    assert (proved(first) == proved(second)) == (before == after)
    assert (data_diff.compare(first, second) == []) == (before == after)
    assert first["tables"][table_of(kind)]["columns"]["v"]["non_null"] == sum(value is not None for value in before.values())


_rows = st.lists(st.tuples(st.sampled_from(["1", "2", None]), st.sampled_from(["", "x", "y", None]), st.sampled_from(["{a}", None])), max_size=5)


@given(before=_rows, after=_rows, shuffle=st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_without_a_key_rows_are_a_multiset(session: Session, before: list, after: list, shuffle: bool) -> None:
    after = list(reversed(before)) if shuffle else after
    found = []
    for rows in (before, after):
        session.execute("DELETE FROM keyless")
        for row in rows:
            session.execute(f"INSERT INTO keyless VALUES ({', '.join(literal(value) for value in row)})")
        found.append(take_fingerprint(session, tables=["keyless"]))
    assert (proved(found[0]) == proved(found[1])) == (Counter(before) == Counter(after))
    assert (data_diff.compare(*found) == []) == (Counter(before) == Counter(after))


def test_a_table_with_duplicates_and_no_key_shows_an_equal_pair(own: Session) -> None:
    own.execute("CREATE TABLE t (a integer)")
    own.execute("INSERT INTO t VALUES (1), (1), (2), (2), (3)")
    before = take_fingerprint(own)
    # With xor, a pair of equal hashes is nothing, and so is another pair.
    own.execute("UPDATE t SET a = 4 WHERE a = 1")
    assert [change.kind for change in data_diff.compare(before, take_fingerprint(own))] == ["column-changed"]


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz"])
def test_moments_have_hashes_of_their_own(own: Session, kind: str) -> None:
    own.execute(
        f"CREATE TABLE t AS SELECT ({kind} '2000-01-01' + random() * interval '25 years')::{kind} AS v FROM generate_series(1, 300000) AS g"
        f" UNION ALL SELECT {kind} '9000-01-01' + g * interval '1 microsecond' FROM generate_series(1, 1000) AS g"
        f" UNION ALL VALUES ({kind} 'infinity'), ({kind} '-infinity'), ({kind} '4000-01-01 BC')"
    )
    with proof_transaction(own):
        (relation,) = read_relations(own)[0]
        hashed = hash_sql.hash_value(relation.columns[0].value, relation.columns[0].kind, hash_sql.NO_SEED)
        assert own.value(f"SELECT count(DISTINCT v) = count(DISTINCT {hashed}) AS v FROM {relation.source}")


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz"])
def test_the_epoch_is_bound_to_its_row(own: Session, kind: str) -> None:
    own.execute(f"CREATE TABLE t (id integer PRIMARY KEY, v {kind})")
    own.execute("INSERT INTO t VALUES (1, '1970-01-01 00:00+00'), (2, NULL), (3, NULL), (4, '1970-01-01 00:00+00')")
    before = take_fingerprint(own)
    own.execute("UPDATE t SET v = CASE WHEN v IS NULL THEN '1970-01-01 00:00+00'::timestamptz END")
    assert [change.object for change in data_diff.compare(before, take_fingerprint(own))] == ["t.v"]


def test_large_numbers_moved_along_rows_show(own: Session) -> None:
    """Keys are seeds as they are: the upper halves of the values must not cancel with them."""
    own.execute("CREATE TABLE turns (id integer PRIMARY KEY, value bigint)")
    own.execute("INSERT INTO turns SELECT k, 7 + (u::bigint << 31) FROM (VALUES (1, 2), (2, 3), (3, 1)) AS q (k, u)")
    before = take_fingerprint(own)
    own.execute("UPDATE turns SET value = 7 + (((id + 1) % 3 + 1)::bigint << 31)")
    assert own.value("SELECT array_agg(value >> 31 ORDER BY id) AS v FROM turns") == [3, 1, 2]
    after = take_fingerprint(own)
    assert [change.object for change in data_diff.compare(before, after)] == ["turns.value"]
    own.execute("UPDATE turns SET value = 7 + ((id % 3 + 1)::bigint << 31)")
    assert not data_diff.compare(before, take_fingerprint(own))


def test_large_keys_show_and_need_not_be_the_key_any_more(own: Session) -> None:
    """A key of one bigint is hashed with itself as the seed."""
    own.execute("CREATE TABLE large (id bigint PRIMARY KEY)")
    keys = [f"{high}::bigint << 32 | {low}" for high in (-3, -1, 0, 1, 2, 2147483647) for low in (0, 1, 2147483647, 4294967295)]
    seen = []
    for key in keys:
        own.execute(f"TRUNCATE large; INSERT INTO large VALUES ({key})")
        seen.append(take_fingerprint(own)["tables"]["large"]["columns"]["id"]["hash"])
    assert len(set(seen)) == len(keys)
    own.execute("TRUNCATE large")
    own.execute(f"INSERT INTO large VALUES ({'), ('.join(keys)})")
    before = take_fingerprint(own)
    own.execute("ALTER TABLE large DROP CONSTRAINT large_pkey")
    own.execute("ALTER TABLE large ALTER id DROP NOT NULL")
    assert data_diff.compare(before, take_fingerprint(own, since=before)) == []
    own.execute("UPDATE large SET id = id + (1::bigint << 32) WHERE id = 1")
    assert "large.id" in {change.object for change in data_diff.compare(before, take_fingerprint(own, since=before))}


def test_bytes_of_any_length_show(own: Session) -> None:
    """Short ones are hashed in another way than long ones; neither ends at a NUL, and NULL is none of them."""
    own.execute("CREATE TABLE files (id integer PRIMARY KEY, body bytea)")
    lengths = [0, 1, 1999, 2000, 2001, 5000]
    for number, length in enumerate(lengths):
        own.execute(f"INSERT INTO files VALUES ({number}, decode(repeat('00', {length}), 'hex'))")
    own.execute("INSERT INTO files VALUES (99, NULL)")
    seen = [take_fingerprint(own)]
    assert seen[0]["tables"]["files"]["columns"]["body"]["non_null"] == len(lengths)
    for number, length in enumerate(lengths[1:], start=1):
        own.execute(f"UPDATE files SET body = set_byte(body, {length - 1}, 1) WHERE id = {number}")
        seen.append(take_fingerprint(own))
    own.execute("UPDATE files SET body = '' WHERE id = 99")
    seen.append(take_fingerprint(own))
    hashes = [one["tables"]["files"]["columns"]["body"]["hash"] for one in seen]
    assert len(set(hashes)) == len(seen)


@pytest.mark.parametrize("types", ["smallint bigint", "boolean integer", "bigint integer", "boolean smallint"])
def test_a_key_may_change_to_another_number(own: Session, types: str) -> None:
    first, second = types.split()
    own.execute(f"CREATE TABLE turns (id {first} PRIMARY KEY, value text, size bigint)")
    own.execute(f"INSERT INTO turns SELECT k::integer::{first}, 'text ' || k, (k + 5) * 10000000000 FROM generate_series(0, 1) AS k")
    before = take_fingerprint(own)
    own.execute(f"ALTER TABLE turns ALTER id TYPE {second} USING id::integer::{second}")
    assert {change.kind for change in data_diff.compare(before, take_fingerprint(own, since=before))} == {"column-type-changed"}
    own.execute("UPDATE turns SET value = 'text ' || 1 - id::integer")
    assert "turns.value" in {change.object for change in data_diff.compare(before, take_fingerprint(own, since=before))}


def test_the_session_does_not_matter(own: Session, postgres_server) -> None:
    own.execute("CREATE SCHEMA other")
    own.execute("CREATE TYPE other.pair AS (at timestamptz, span interval)")
    own.execute(
        """CREATE TABLE t (id integer PRIMARY KEY, at timestamptz, day date, span interval, number float8, small real, bytes bytea, price money,
        place point, pairs other.pair[], spans tstzrange, relation regclass, words text)"""
    )
    own.execute(
        """INSERT INTO t SELECT g, now(), '2024-01-02', '1 year 2 mons -3 days 04:05:06', float8 '0.1' + float8 '0.2', 1.0 / 3,
        '\\xdead', 1234.5, '(0.3,0.1)',
        ARRAY[ROW(now(), interval '1 day')::other.pair], tstzrange(now(), NULL), 't', 'x' FROM generate_series(1, 3) AS g"""
    )
    plain = take_fingerprint(own)
    session_settings = {
        "TimeZone": "Asia/Kathmandu",
        "DateStyle": "German",
        "IntervalStyle": "sql_standard",
        "extra_float_digits": "-5",
        "bytea_output": "escape",
        "search_path": "other",
        "default_transaction_isolation": "serializable",
        "quote_all_identifiers": "on",
        "max_parallel_workers_per_gather": "0",
        "statement_timeout": "60000",
    }
    with Session(postgres_server.server, own.database, "tests", session_settings) as strange:
        assert proved(take_fingerprint(strange)) == proved(plain)
        # What was set for the proof ends with it.
        assert strange.value("SELECT current_setting('TimeZone') AS v") == "Asia/Kathmandu"


def test_a_row_policy_does_not_hide_rows(own: Session, postgres_server) -> None:
    # Asked together with another one, and named all the same.
    own.execute("CREATE TABLE calm (id integer PRIMARY KEY)")
    own.execute("CREATE TABLE t (id integer PRIMARY KEY)")
    own.execute("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    own.execute(f"DROP ROLE IF EXISTS proof_{own.database}")
    own.execute(f"CREATE ROLE proof_{own.database}")
    try:
        own.execute(f"GRANT SELECT ON calm, t TO proof_{own.database}")
        own.execute(f"SET ROLE proof_{own.database}")
        with pytest.raises(PostgresError, match="fingerprint of t: .*row-level security"):
            take_fingerprint(own)
    finally:
        own.execute("RESET ROLE")
        own.execute(f"DROP OWNED BY proof_{own.database}")
        own.execute(f"DROP ROLE proof_{own.database}")


def test_collations_that_take_other_text_for_the_same(installed: Session) -> None:
    own = installed
    own.execute("CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level1', deterministic = false)")
    own.execute("CREATE TABLE t (id text COLLATE blind PRIMARY KEY, v text COLLATE blind)")
    own.execute("INSERT INTO t VALUES ('k', 'a')")
    before = take_fingerprint(own)
    own.execute("UPDATE t SET v = 'A'")
    assert [change.kind for change in data_diff.compare(before, take_fingerprint(own))] == ["column-changed"]


def test_names_dropped_columns_and_many_columns(own: Session) -> None:
    own.execute('CREATE SCHEMA "od.d"')
    own.execute('CREATE TABLE "od.d"."t ""x"";\\y:z" ("k;1" integer, gone text, "old" text, "t" integer, "$1" text, PRIMARY KEY ("k;1", "t"))')
    own.execute('ALTER TABLE "od.d"."t ""x"";\\y:z" DROP COLUMN gone')
    own.execute('INSERT INTO "od.d"."t ""x"";\\y:z" VALUES (1, \'v\', 2, NULL)')
    own.execute(f"CREATE TABLE wide ({', '.join(f'c{number} integer' for number in range(1500))})")
    own.execute("INSERT INTO wide (c1, c1499) VALUES (1, 2)")
    own.execute("CREATE TABLE nothing ()")
    own.execute("INSERT INTO nothing DEFAULT VALUES")
    tables = take_fingerprint(own)["tables"]
    odd = tables['"od.d"."t ""x"";\\y:z"']
    assert odd["key"] == ["k;1", "t"]
    assert {name: column["non_null"] for name, column in odd["columns"].items()} == {"k;1": 1, "old": 1, "t": 1, "$1": 0}
    assert tables["wide"]["columns"]["c1499"]["non_null"] == 1
    assert tables["nothing"]["rows"] == 1 and tables["nothing"]["columns"] == {}


def test_partitions_inheritance_and_what_is_left_out(own: Session) -> None:
    own.execute("CREATE TABLE p (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id)")
    own.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)")
    own.execute("CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)")
    own.execute("INSERT INTO p VALUES (1, 'a'), (11, 'b')")
    own.execute("CREATE TABLE parent (id integer)")
    own.execute("CREATE TABLE child (extra text) INHERITS (parent)")
    own.execute("INSERT INTO parent VALUES (1)")
    own.execute("INSERT INTO child VALUES (2, 'x')")
    own.execute("CREATE MATERIALIZED VIEW seen AS SELECT * FROM p")
    own.execute("CREATE VIEW looked AS SELECT * FROM p")
    own.execute("CREATE TEMPORARY TABLE own_thing (id integer)")
    before = take_fingerprint(own)
    assert {name: entry["rows"] for name, entry in before["tables"].items()} == {"p": 2, "parent": 1, "child": 1}
    assert list(before["left_out"]) == ["seen"]
    # Other bounds, the same rows.
    own.execute("ALTER TABLE p DETACH PARTITION p1")
    own.execute("CREATE TABLE p0 PARTITION OF p FOR VALUES FROM (-10) TO (10)")
    own.execute("INSERT INTO p SELECT * FROM p1")
    own.execute("DROP TABLE p1")
    for proof in ("full", "changed"):
        after = take_fingerprint(own, since=before, proof=proof)
        assert after["tables"]["p"]["proof"] == "full"
        assert data_diff.compare(before, after) == []


def test_a_foreign_partition_is_not_read(installed: Session) -> None:
    own = installed
    own.execute("CREATE EXTENSION postgres_fdw")
    own.execute("CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/nowhere')")
    own.execute("CREATE USER MAPPING FOR CURRENT_USER SERVER elsewhere")
    own.execute("CREATE TABLE p (id integer) PARTITION BY RANGE (id)")
    own.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)")
    own.execute("CREATE FOREIGN TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) SERVER elsewhere")
    own.execute("CREATE FOREIGN TABLE f (id integer) SERVER elsewhere")
    own.execute("INSERT INTO p1 VALUES (1)")
    found = take_fingerprint(own)
    assert {name: entry["rows"] for name, entry in found["tables"].items()} == {"p1": 1}
    assert set(found["left_out"]) == {"p", "f"}


def test_several_sessions_see_one_snapshot(own: Session, postgres_server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "_TOGETHER", 1)
    for number in range(8):
        own.execute(f"CREATE TABLE t{number} (id integer PRIMARY KEY, v text)")
        own.execute(f"INSERT INTO t{number} SELECT g, g::text FROM generate_series(1, {10 * number}) AS g")
    alone = take_fingerprint(own)
    with Session(postgres_server.server, own.database, "tests") as holder:
        holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        snapshot = holder.value("SELECT pg_export_snapshot() AS v")
        own.execute("UPDATE t7 SET v = 'later'")
        together = take_fingerprint(own, snapshot_id=snapshot, connections=3)
        holder.execute("COMMIT")
    assert proved(together) == proved(alone)
    assert list(together["tables"]) == list(alone["tables"])
    assert proved(take_fingerprint(own, connections=3)) != proved(alone)
    with pytest.raises(ValueError, match=r"t3\.id: a change of a primary key"):
        take_fingerprint(own, declared={"t3.id": "old + 1"}, connections=3)


@pytest.mark.parametrize(
    ("kind", "values", "other"),
    [
        ("xml", ["'<a/>'", "'<a></a>'", "'text only'", "'<?xml version=\"1.0\"?><a/>'"], "'<a b=\"1\"/>'"),
        ("geometry", ["'SRID=4326;POINT(37.6 55.7)'", "'POINT(37.6 55.7)'", "'POINT EMPTY'"], "'POINT(37.6 55.70000000000001)'"),
        ("geography", ["'POINT(37.6 55.7)'"], "'POINT(37.6 55.8)'"),
        ("hstore", ["'a=>1, b=>NULL'"], "'a=>1, b=>\"NULL\"'"),
        ("citext", ["'a'"], "'A'"),
    ],
)
def test_types_of_extensions_and_xml(installed: Session, kind: str, values: list[str], other: str) -> None:
    extension = {"xml": "", "geometry": "postgis", "geography": "postgis"}.get(kind, kind)
    if extension:
        if not installed.value(f"SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = '{extension}') AS v"):
            pytest.skip(f"{extension} is not installed")
        installed.execute(f"CREATE EXTENSION {extension}")
    installed.execute(f"CREATE TABLE x (id serial PRIMARY KEY, v {kind})")
    installed.execute(f"INSERT INTO x (v) VALUES {', '.join(f'({value})' for value in [*values, 'NULL'])}")
    before = take_fingerprint(installed, tables=["x"])
    installed.execute("UPDATE x SET v = v")
    assert data_diff.compare(before, take_fingerprint(installed, tables=["x"], since=before)) == []
    installed.execute(f"UPDATE x SET v = {other} WHERE id = 1")
    (change,) = data_diff.compare(before, take_fingerprint(installed, tables=["x"], since=before))
    assert (change.kind, change.object) == ("column-changed", "x.v")


def test_large_objects_are_counted_and_hashed(own: Session) -> None:
    assert large_objects.NAME not in take_fingerprint(own)["tables"]
    for number in (4711, 4712):
        own.execute(f"SELECT lo_from_bytea({number}, decode(repeat('ab', 3000), 'hex'))")
    before = take_fingerprint(own)

    def found() -> list[tuple[str, str]]:
        return [(change.kind, change.object) for change in data_diff.compare(before, take_fingerprint(own, since=before))]

    assert found() == []
    # The same bytes on another page, and the same length.
    own.execute("SELECT lo_put(4711, 2500, '\\xcd'::bytea)")
    assert found() == [("column-changed", "pg_catalog.pg_largeobject.data")]
    assert data_diff.to_follow(before, take_fingerprint(own, since=before), {}) == {}
    own.execute("SELECT lo_put(4711, 2500, '\\xab'::bytea)")
    assert found() == []
    own.execute("SELECT lo_unlink(4711)")
    assert ("rows-lost", "pg_catalog.pg_largeobject") in found()
    own.execute("SELECT lo_from_bytea(4713, decode(repeat('ab', 3000), 'hex'))")
    assert ("rows-changed", "pg_catalog.pg_largeobject") in found()
    own.execute("SELECT lo_unlink(4713), lo_unlink(4712)")
    assert ("rows-lost", "pg_catalog.pg_largeobject") in found()
    assert take_fingerprint(own, since=before, proof="counts")["tables"][large_objects.NAME]["rows"] == 0


def test_large_objects_that_may_not_be_read_are_counted_and_said(own: Session) -> None:
    own.execute("SELECT lo_from_bytea(4711, '\\xab'::bytea)")
    before = take_fingerprint(own)
    own.execute("CREATE ROLE counts_only")
    own.execute("SET ROLE counts_only")
    counted = take_fingerprint(own)
    own.execute("RESET ROLE")
    own.execute("DROP ROLE counts_only")
    assert counted["left_out"] == {large_objects.NAME: large_objects.NOT_READ}
    assert data_diff.compare(counted, before) == []


def test_a_helper_that_fails_takes_no_table_along(own: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        own.execute(f"CREATE TABLE t{number} AS SELECT g AS id FROM generate_series(1, 1000) AS g")
    prove = fingerprint.prove

    def broken(jobs: Any, session: Session) -> Any:
        if threading.current_thread() is not threading.main_thread():
            raise OSError("broken pipe")
        time.sleep(0.05)
        return prove(jobs, session)

    monkeypatch.setattr(fingerprint, "_TOGETHER", 1)
    monkeypatch.setattr(fingerprint, "prove", broken)
    with pytest.raises(OSError, match="broken pipe"):
        take_fingerprint(own, connections=2)


@pytest.fixture
def contracts(own: Session) -> Session:
    own.execute("CREATE TABLE contracts (id integer PRIMARY KEY, hourly_rate integer, note varchar(50))")
    own.execute("INSERT INTO contracts SELECT g, CASE WHEN g % 10 = 0 THEN NULL ELSE g * 7 END, 'note ' || g FROM generate_series(1, 10000) AS g")
    return own


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


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ("ALTER TABLE contracts ALTER note TYPE text", ["column-type-changed"]),
        ("ALTER TABLE contracts ALTER hourly_rate TYPE bigint", ["column-type-changed"]),
        ("ALTER TABLE contracts ALTER id TYPE bigint", ["column-type-changed"]),
        ("ALTER TABLE contracts RENAME note TO remark", ["column-moved"]),
        ("ALTER TABLE contracts RENAME TO agreements", ["table-moved"]),
        ("ALTER TABLE contracts DROP note", ["column-dropped"]),
        ("ALTER TABLE contracts ADD paid boolean NOT NULL DEFAULT true", ["column-added"]),
        ("DROP TABLE contracts", ["table-dropped"]),
        ("CREATE TABLE more AS SELECT 1 AS a", ["table-added"]),
        ("VACUUM FULL contracts", []),
        ("VACUUM FREEZE contracts", []),
        ("ALTER TABLE contracts DROP CONSTRAINT contracts_pkey", []),
        ("UPDATE contracts SET id = -id WHERE id = 1", ["rows-changed", "column-changed", "column-not-comparable", "column-not-comparable"]),
        ("UPDATE contracts SET note = CASE id WHEN 1 THEN 'note 2' ELSE 'note 1' END WHERE id < 3", ["column-changed"]),
        ("INSERT INTO contracts VALUES (0, 1, 'x')", ["rows-added"]),
        ("DELETE FROM contracts WHERE id = 1", ["rows-lost"]),
        ("UPDATE contracts SET note = note WHERE id = 1", []),
        ("TRUNCATE contracts", ["rows-lost", "column-not-comparable", "column-not-comparable", "column-not-comparable"]),
    ],
)
@pytest.mark.parametrize("proof", ["full", "changed"])
def test_what_a_change_is_called(contracts: Session, change: str, kinds: list[str], proof: str) -> None:
    before = take_fingerprint(contracts)
    contracts.execute(change)
    after = take_fingerprint(contracts, since=before, proof=proof)
    assert [found.kind for found in data_diff.compare(before, after)] == kinds


def test_what_was_not_touched_is_not_hashed_again(contracts: Session) -> None:
    contracts.execute("CREATE TABLE quiet AS SELECT * FROM contracts")
    before = take_fingerprint(contracts)
    contracts.execute("UPDATE contracts SET note = 'x' WHERE id < 4")
    contracts.execute("ALTER TABLE quiet ADD extra integer DEFAULT 5")
    changed = take_fingerprint(contracts, since=before, proof="changed")
    assert {name: entry["proof"] for name, entry in changed["tables"].items()} == {"contracts": "full", "quiet": "partly untouched"}
    full = take_fingerprint(contracts, since=before)
    assert proved(changed) == proved(full)
    found = {change.object: change for change in data_diff.compare(before, changed)}
    assert found["contracts.note"].rows_changed_at_most == 3
    assert set(found) == {"contracts.note", "quiet.extra"}


def test_a_transaction_that_was_open_at_the_mark_is_not_overlooked(contracts: Session, postgres_server) -> None:
    with Session(postgres_server.server, contracts.database, "tests") as other:
        other.execute("BEGIN")
        other.execute("SAVEPOINT s")
        other.execute("UPDATE contracts SET note = 'late' WHERE id = 1")
        contracts.execute("CREATE TABLE later (a integer)")
        before = take_fingerprint(contracts)
        other.execute("COMMIT")
    after = take_fingerprint(contracts, since=before, proof="changed")
    assert after["tables"]["contracts"]["proof"] == "full"
    assert [found.kind for found in data_diff.compare(before, after)] == ["column-changed"]


def test_a_renamed_label_shows_though_no_row_was_touched(own: Session) -> None:
    own.execute("CREATE TYPE mood AS ENUM ('low', 'high')")
    own.execute("CREATE TABLE t (id integer PRIMARY KEY, mood mood, moods mood[], n integer)")
    own.execute("INSERT INTO t VALUES (1, 'low', '{high}', 1)")
    before = take_fingerprint(own)
    own.execute("ALTER TYPE mood RENAME VALUE 'low' TO 'bad'")
    after = take_fingerprint(own, since=before, proof="changed")
    assert data_diff.answers(before, after) == {"t.id": "unchanged", "t.mood": "changed", "t.moods": "unchanged", "t.n": "unchanged"}


def test_counts_only(contracts: Session) -> None:
    before = take_fingerprint(contracts, proof="counts")
    assert before["tables"]["contracts"]["columns"]["hourly_rate"] == {
        "type": "integer",
        "number": 2,
        "by": "int",
        "non_null": 9000,
        "hash": None,
    }
    contracts.execute("DELETE FROM contracts WHERE id <= 10")
    after = take_fingerprint(contracts, since=before, proof="counts")
    assert [change.kind for change in data_diff.compare(before, after)] == ["rows-lost"]
    contracts.execute("UPDATE contracts SET hourly_rate = NULL")
    again = take_fingerprint(contracts, proof="counts")
    assert data_diff.answers(after, again) == {"contracts.id": "counted", "contracts.hourly_rate": "changed", "contracts.note": "counted"}
    with pytest.raises(ValueError, match="needs the fingerprint"):
        take_fingerprint(contracts, proof="changed")


def test_a_column_made_anew_is_hashed_again_though_no_row_was_written(contracts: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    # A small table that got a TOAST table with the column would be hashed without asking for its rows.
    monkeypatch.setattr(fingerprint_table, "_SMALL_BYTES", -1)
    before = take_fingerprint(contracts)
    contracts.execute("ALTER TABLE contracts DROP COLUMN note")
    contracts.execute("ALTER TABLE contracts ADD COLUMN note text")
    after = take_fingerprint(contracts, since=before, proof="changed")
    assert after["tables"]["contracts"]["proof"] == "partly untouched"
    assert data_diff.answers(before, after)["contracts.note"] == "changed"
    contracts.execute("INSERT INTO contracts SELECT max(id) + 1 FROM contracts")
    grown = take_fingerprint(contracts, since=before)
    assert data_diff.answers(before, grown)["contracts.note"] == "not comparable"
