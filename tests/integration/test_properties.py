"""Random tables, rows and edits: a model in Python says what changed, and the fingerprints, the followed rows and the snapshots must say the same."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import data_diff
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.schema_diff import diff
from ansible_collections.migrations.rehearsal.plugins.module_utils.snapshot import take_snapshot
from following import followed
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.integration

# No two of a type are the same value.
VALUES = {
    "integer": ["0", "1", "-7", "2147483647", "2", "3", "4", "5"],
    "bigint": ["0", "1", "4294967296", "-1", "8589934592", "2", "3"],
    "boolean": ["false", "true"],
    "numeric": ["0", "1.0", "1.00", "NaN"],
    "double precision": ["0", "-0", "1.5", "NaN"],
    "text": ["", "a", "A", "a ", "ж", "b", "c"],
    "date": ["1970-01-01", "infinity"],
    "timestamp": ["1970-01-01 00:00:00", "1970-01-01 00:00:01", "2500-01-01 00:00:00.000001"],
    "timestamptz": ["1970-01-01 00:00:00+00", "2024-05-01 10:00:00+00", "infinity", "2024-05-01 10:00:00.000001+00", "1200-01-01 00:00:00+00"],
    "jsonb": ["{}", '{"a": 1}', "null"],
    "integer[]": ["{}", "{1,2}", "{{1,2}}"],
}
KEYS = ["integer", "bigint", "text", "timestamptz"]
NAMES = ("one", "two", "three")

Row = dict[str, "str | None"]


@dataclasses.dataclass
class Table:
    """`key`: names of columns, which come first in `columns` (name → type)."""

    key: list[str]
    columns: dict[str, str]
    rows: list[Row]

    def place(self, row: Row) -> tuple[str | None, ...]:
        return tuple(row[name] for name in self.key)


Model = dict[str, Table]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    key = {f"k{number}": kind for number, kind in enumerate(draw(st.lists(st.sampled_from(KEYS), max_size=2)))}
    others = {f"c{number}": kind for number, kind in enumerate(draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=3)))}
    table = Table(list(key), {**key, **others}, [])
    for row in draw(st.lists(st.fixed_dictionaries({**values(key, False), **values(others, True)}), min_size=2, max_size=5)):
        if not key or table.place(row) not in {table.place(other) for other in table.rows}:
            table.rows.append(row)
    return table


def values(columns: dict[str, str], nulls: bool) -> dict[str, Any]:
    return {name: st.sampled_from([*([None] if nulls else []), *VALUES[kind]]) for name, kind in columns.items()}


ROWS = ["write", "swap", "touch", "delete", "insert", "rekey", "back"]
EDITS = [*ROWS, *ROWS, "delete", "insert", "add column", "drop column", "make bigint", "drop table", "create table"]
_edits = st.lists(st.tuples(st.sampled_from(EDITS), *[st.integers(0, 60)] * 3), min_size=1, max_size=6)


def literal(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def created(name: str, table: Table) -> list[str]:
    columns = [f"{column} {kind}" for column, kind in table.columns.items()]
    columns += [f"PRIMARY KEY ({', '.join(table.key)})"] if table.key else []
    return [f"CREATE TABLE {name} ({', '.join(columns)})", *(inserted(name, row) for row in table.rows)]


def inserted(name: str, row: Row) -> str:
    return f"INSERT INTO {name} ({', '.join(row)}) VALUES ({', '.join(map(literal, row.values()))})"


def written(name: str, table: Table, row: Row, column: str, value: str | None) -> str:
    """Without a key every row that is like this one is written: none can be told apart."""
    like = [one for one in table.rows if one == row]
    where = [f"{one}::text IS NOT DISTINCT FROM {literal(row[one])}::{table.columns[one]}::text" for one in table.key or table.columns]
    for one in like if not table.key else [row]:
        one[column] = value
    return f"UPDATE {name} SET {column} = {literal(value)} WHERE {' AND '.join(where)}"


def edited(model: Model, edit: tuple[str, int, int, int]) -> list[str]:
    """Change the model; the SQL that does the same."""
    kind, first, second, third = edit
    names = sorted(model)
    if kind == "create table" and len(names) < len(NAMES):
        name = next(name for name in NAMES if name not in model)
        model[name] = Table([], {"c0": "text"}, [{"c0": "a"}])
        return created(name, model[name])
    if not names:
        return []
    name = names[first % len(names)]
    table = model[name]
    others = [column for column in table.columns if column not in table.key]
    row = table.rows[second % len(table.rows)] if table.rows else None
    column = others[third % len(others)] if others else None
    if kind == "drop table":
        del model[name]
        return [f"DROP TABLE {name}"]
    if kind == "add column":
        new = f"n{third}"
        if new in table.columns:
            return []
        table.columns[new] = "integer"
        for one in table.rows:
            one[new] = "7"
        return [f"ALTER TABLE {name} ADD COLUMN {new} integer DEFAULT 7", f"ALTER TABLE {name} ALTER {new} DROP DEFAULT"]
    if kind == "drop column" and column and len(table.columns) > 1:
        del table.columns[column]
        for one in table.rows:
            del one[column]
        return [f"ALTER TABLE {name} DROP COLUMN {column}"]
    if kind == "make bigint" and column and table.columns[column] == "integer":
        table.columns[column] = "bigint"
        return [f"ALTER TABLE {name} ALTER {column} TYPE bigint"]
    if kind == "insert":
        new_row: Row = {one: VALUES[of][(second + third) % len(VALUES[of])] for one, of in table.columns.items()}
        if table.key and table.place(new_row) in {table.place(one) for one in table.rows}:
            return []
        table.rows.append(new_row)
        return [inserted(name, new_row)]
    if row is None:
        return []
    if kind == "touch" and column:
        return [f"UPDATE {name} SET {column} = {column}"]
    if kind in ("write", "back") and column:
        value = [None, *VALUES[table.columns[column]]][second % (len(VALUES[table.columns[column]]) + 1)]
        old = row[column]
        done = [written(name, table, row, column, value)]
        # There and back: the rows are others, the values are not. (Without a key it may meet rows that had the value before.)
        return [*done, written(name, table, row, column, old)] if kind == "back" else done
    if not table.key:
        return []
    where = " AND ".join(f"{key} = {literal(row[key])}" for key in table.key)
    if kind == "delete":
        table.rows.remove(row)
        return [f"DELETE FROM {name} WHERE {where}"]
    if kind == "swap" and column and len(table.rows) > 1:
        other = table.rows[(second + 1) % len(table.rows)]
        one_value, other_value = row[column], other[column]
        return [written(name, table, row, column, other_value), written(name, table, other, column, one_value)]
    if kind == "rekey":
        key = table.key[third % len(table.key)]
        moved = {**row, key: VALUES[table.columns[key]][third % len(VALUES[table.columns[key]])]}
        if table.place(moved) in {table.place(one) for one in table.rows}:
            return []
        value = moved[key]
        row[key] = value
        return [f"UPDATE {name} SET {key} = {literal(value)} WHERE {where}"]
    return []


def shape(model: Model) -> Any:
    """What a snapshot sees."""
    return {name: (table.key, table.columns) for name, table in model.items()}


def content(model: Model) -> Any:
    """What fingerprints see."""
    return {name: (table.key, table.columns, Counter(tuple(sorted(row.items())) for row in table.rows)) for name, table in model.items()}


def oracle(before: Table, after: Table) -> dict[str, Any]:
    """How many rows were added, lost, kept, and in how many of these each column changed; of a table with a key."""
    old, new = ({table.place(row): row for row in table.rows} for table in (before, after))
    kept = old.keys() & new.keys()
    both = [name for name in before.columns if name in after.columns]
    return {
        "added": len(new.keys() - old.keys()),
        "lost": len(old.keys() - new.keys()),
        "kept": len(kept),
        "columns": {name: sum(old[place][name] != new[place][name] for place in kept) for name in both},
    }


def rows_of(key: str, *places: dict[str, str | None]) -> Model:
    """One table of a text column c0, with an integer as key or none."""
    kinds = {key: "integer", "c0": "text"} if key else {"c0": "text"}
    return {"one": Table([key] if key else [], kinds, [dict(place) for place in places])}


def every_type() -> Model:
    """One row with a value of each type."""
    columns = {"k0": "integer", **{f"c{number}": kind for number, kind in enumerate(VALUES)}}
    return {"one": Table(["k0"], columns, [{name: VALUES[kind][0] for name, kind in columns.items()}])}


# What a proof is most easily blind to. `second` chooses the row, and of `write` the value too: NULL, then those of VALUES.
_EQUAL_PAIR = rows_of("", {"c0": "a"}, {"c0": "a"})
_TWO_ROWS = rows_of("k0", {"k0": "1", "c0": "a"}, {"k0": "2", "c0": "b"})
_WITHOUT_KEY: Model = {"one": Table([], {"c0": "text", "c1": "text", "c2": "text"}, [{"c0": "a", "c1": "b", "c2": "c"}])}
_NULL_AND_EMPTY = rows_of("k0", {"k0": "1", "c0": None}, {"k0": "2", "c0": ""})


@example(_EQUAL_PAIR, [("write", 0, 3, 0)])
@example(_TWO_ROWS, [("swap", 0, 0, 0)])
@example(_TWO_ROWS, [("delete", 0, 0, 0), ("insert", 0, 3, 4)])
@example(_TWO_ROWS, [("delete", 0, 0, 0), ("insert", 0, 3, 4), ("insert", 0, 3, 5)])
@example(_NULL_AND_EMPTY, [("swap", 0, 0, 0)])
@example(rows_of("k0", {"k0": "1", "c0": None}), [("write", 0, 1, 0)])
@example(_WITHOUT_KEY, [("drop column", 0, 0, 0)])
@example(every_type(), [("write", 0, 2, 0)])
@example(every_type(), [("write", 0, 2, number) for number in range(len(VALUES))])
@example(every_type(), [("write", 0, 0, number) for number in range(len(VALUES))])
@given(model=st.dictionaries(st.sampled_from(NAMES[:2]), tables(), min_size=1), edits=_edits)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_what_is_proved_is_what_the_model_says(postgres_server: Any, database: str, model: Model, edits: list[tuple[str, int, int, int]]) -> None:
    before = copy.deepcopy(model)
    with Session(postgres_server.server, database, "tests") as session:
        session.execute("SET client_min_messages = error")
        session.execute("DROP SCHEMA public CASCADE")
        session.execute("DROP SCHEMA IF EXISTS was CASCADE")
        session.execute("CREATE SCHEMA public")
        for name, table in model.items():
            for statement in created(name, table):
                session.execute(statement)
        schema = take_snapshot(session)
        session.execute("CREATE SCHEMA was")
        for name in model:
            session.execute(f"CREATE TABLE was.{name} AS TABLE {name}")
        first = take_fingerprint(session, tables=NAMES)
        statements = [statement for edit in edits for statement in edited(model, edit)]
        for statement in statements:
            session.execute(statement)
        full = take_fingerprint(session, tables=NAMES, since=first)
        changed = take_fingerprint(session, tables=NAMES, since=first, proof="changed")
        wanted = data_diff.to_follow(first, full, {})
        rows = followed(session, wanted, first)
        session.execute("DROP SCHEMA was CASCADE")
        schema_now = take_snapshot(session)

    # Fingerprints differ if and only if the data differ, and looking only where something was touched says the same.
    same = content(before) == content(model)
    said = data_diff.compare(first, full)
    assert (said == []) == same, statements
    assert [(one.kind, one.object) for one in said] == [(one.kind, one.object) for one in data_diff.compare(first, changed)]
    assert {name: proved(table) for name, table in full["tables"].items()} == {name: proved(table) for name, table in changed["tables"].items()}
    assert (diff(schema, schema_now) == []) == (shape(before) == shape(model)), statements
    # What is counted is what happened.
    for name in wanted:
        if before[name].key:
            counts = oracle(before[name], model[name])
            found = {**rows[name], "columns": {column: rows[name]["columns"][column] for column in rows[name]["columns"]}}
            assert {key: found[key] for key in ("added", "lost", "kept")} == {key: counts[key] for key in ("added", "lost", "kept")}, statements
            assert found["columns"] == {column: counts["columns"][column] for column in found["columns"]}, statements
    # And where it happened: these columns, and no others.
    for name, table in before.items():
        if table.key and name in model and {table.place(row) for row in table.rows} == {table.place(row) for row in model[name].rows}:
            written_to = {f"{name}.{column}" for column, rows_changed in oracle(table, model[name])["columns"].items() if rows_changed}
            for one_proof in (full, changed):
                told_of = {one.object for one in data_diff.compare(first, one_proof) if one.kind == "column-changed"}
                assert {one for one in told_of if one.startswith(f"{name}.")} == written_to, statements
    for one in data_diff.compare(first, full, {}, rows):
        table = before.get(one.object)
        if table is not None and one.object in model and table.key and one.rows_added is not None:
            counts = oracle(table, model[one.object])
            assert (one.rows_added, one.rows_lost) == (counts["added"], counts["lost"]), statements
    # Whatever was lost is told, also behind rows that were added.
    for name, table in before.items():
        if table.key and name in model and set(table.key) <= set(model[name].columns) and oracle(table, model[name])["lost"]:
            told = [one for one in data_diff.compare(first, full, {}, rows) if one.object == name]
            assert any(one.rows_lost for one in told), statements


def proved(table: dict[str, Any]) -> Any:
    return table["rows"], table["key"], table["columns"], table.get("row_hash")
