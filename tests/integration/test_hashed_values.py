"""Values have hashes of their own, bound to their rows: fingerprints differ if and only if data differ, as is shown for every type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import data_diff, hash_sql
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import proof_transaction, take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session, quote_identifier
from ansible_collections.migrations.rehearsal.plugins.module_utils.relations import read_relations
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typed_values import VALUES, fill, literal, proved, table_of

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def session(postgres_server) -> Iterator[Session]:
    """A session of a database with a table (id, v) for each type."""
    name = postgres_server.create_database("test_hashed_values")
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


def test_collations_that_take_other_text_for_the_same(installed: Session) -> None:
    own = installed
    own.execute("CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level1', deterministic = false)")
    own.execute("CREATE TABLE t (id text COLLATE blind PRIMARY KEY, v text COLLATE blind)")
    own.execute("INSERT INTO t VALUES ('k', 'a')")
    before = take_fingerprint(own)
    own.execute("UPDATE t SET v = 'A'")
    assert [change.kind for change in data_diff.compare(before, take_fingerprint(own))] == ["column-changed"]


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
