"""The difference of two snapshots, in words."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.schema_diff import OBJECT_KINDS, diff
from snapshot_builder import EMPTY, column, constraint, foreign_key, function, index, snapshot, table


def sample() -> dict[str, Any]:
    shifts = table(
        "shifts",
        {"id": column(nullable=False), "user_id": column(), "rate": column("integer"), "note": column("text", default="''::text")},
        indexes={"ix_user": index("shifts", "user_id")},
        constraints={"fk_user": foreign_key("user_id", "users")},
        triggers={"audit": {"definition": "CREATE TRIGGER audit", "enabled": "origin", "function": "f()", "inherited": False, "comment": None}},
        grants={"reader": ["SELECT"]},
    )
    view = {**table("open_shifts", {"id": column()}, primary_key=None), "kind": "view", "definition": "SELECT id FROM public.shifts"}
    return snapshot(
        table("users", {"id": column(nullable=False)}),
        shifts,
        views={"open_shifts": view},
        types={"mood": {"kind": "enum", "schema": "public", "name": "mood", "owner": "app", "values": ["sad", "ok"], "grants": {}}},
        sequences={"shifts_id_seq": {"type": "bigint", "owned_by": "shifts.id", "identity": False, "owner": "app", "last_value": 5, "grants": {}}},
        functions={"f()": function("f", "begin\nend")},
        schemas={"public": {"owner": "app", "comment": None, "grants": {}}},
        extensions={"pg_trgm": {"version": "1.5", "schema": "public"}},
        default_privileges={"tables of app": {"reader": ["SELECT"]}},
        settings={"*": {"TimeZone": "UTC"}},
    )


def put(path: str, value: Any) -> Any:
    """An edit: a value at a place; None takes away what is there, unless the place is a field."""

    def edit(catalog: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        for part in parents:
            catalog = catalog[part]
        catalog[last] = value

    return edit


def drop(path: str) -> Any:
    def edit(catalog: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        for part in parents:
            catalog = catalog[part]
        del catalog[last]

    return edit


SHIFTS = "tables/shifts"
CASES = [
    (
        put(f"{SHIFTS}/columns/penalize_late_start", column("boolean", nullable=False, default="true")),
        "column shifts.penalize_late_start added: boolean not null default true",
    ),
    (drop(f"{SHIFTS}/indexes/ix_user"), "index ix_user on shifts removed"),
    (put(f"{SHIFTS}/columns/rate", column("numeric(10,2)", storage="main")), "column shifts.rate changed: type integer became numeric(10,2)"),
    (put(f"{SHIFTS}/columns/user_id/nullable", False), "column shifts.user_id changed: now not null"),
    (put(f"{SHIFTS}/columns/id/nullable", True), "column shifts.id changed: now nullable"),
    (put(f"{SHIFTS}/columns/note/default", None), "column shifts.note changed: default ''::text removed"),
    (put(f"{SHIFTS}/columns/rate/default", "7"), "column shifts.rate changed: default 7 added"),
    (put(f"{SHIFTS}/columns/note/default", "'x'::text"), "column shifts.note changed: default ''::text became 'x'::text"),
    (put(f"{SHIFTS}/columns/note/collation", '"C"'), 'column shifts.note changed: collation "C" added'),
    (put(f"{SHIFTS}/columns/id/identity", "always"), "column shifts.id changed: identity always added"),
    (
        put(f"{SHIFTS}/columns/sum", column("integer", default="(rate * 2)", generated="stored")),
        "column shifts.sum added: integer generated always as (rate * 2) stored",
    ),
    (
        put(f"{SHIFTS}/indexes/uq", index("shifts", "note", unique=True)),
        "index uq on shifts added: unique btree (note)",
    ),
    (put(f"{SHIFTS}/indexes/ix_user/valid", False), "index ix_user on shifts changed: no longer valid"),
    (
        put(f"{SHIFTS}/constraints/fk_user", {**foreign_key("user_id", "users", "set null"), "definition": "FOREIGN KEY … ON DELETE SET NULL"}),
        "foreign key fk_user on shifts changed: definition FOREIGN KEY (user_id) REFERENCES public.users(id) became FOREIGN KEY … ON DELETE SET NULL",
    ),
    (
        put(f"{SHIFTS}/constraints/rate_check", constraint("check", ["rate"], "CHECK ((rate > 0))")),
        "check rate_check on shifts added: CHECK ((rate > 0))",
    ),
    (put(f"{SHIFTS}/triggers/audit/enabled", "disabled"), "trigger audit on shifts changed: now disabled"),
    (put(f"{SHIFTS}/comment", "who works when"), "table shifts changed: comment who works when added"),
    (put(f"{SHIFTS}/owner", "boss"), "table shifts changed: owner app became boss"),
    (put(f"{SHIFTS}/row_security", True), "table shifts changed: now row security"),
    (put(f"{SHIFTS}/grants/reader", ["INSERT"]), "grant on shifts to reader changed: SELECT removed; INSERT added"),
    (put(f"{SHIFTS}/grants/PUBLIC", ["SELECT"]), "grant on shifts to PUBLIC added: SELECT"),
    (put(f"{SHIFTS}/column_grants/rate", {"reader": ["UPDATE"]}), "grant on shifts.rate to reader added: UPDATE"),
    (put("tables/days", table("days", {"id": column(), "x": column()})), "table days added: 2 columns, 1 primary key"),
    (put("types/mood/values", ["sad", "ok", "glad"]), "enum mood changed: values: glad added"),
    (put("types/mood/values", ["ok", "sad"]), "enum mood changed: values: reordered to ok, sad"),
    (put("views/open_shifts/definition", "SELECT 1\nAS id"), "view open_shifts changed: definition changed"),
    (put("functions/f()/definition", "begin\n\nend"), "function f() changed: definition changed"),
    (put("sequences/shifts_id_seq/owned_by", None), "sequence shifts_id_seq changed: owned by shifts.id removed"),
    (drop("schemas/public"), "schema public removed"),
    (put("extensions/pg_trgm/version", "1.6"), "extension pg_trgm changed: version 1.5 became 1.6"),
    (drop("default_privileges/tables of app"), "default privileges for tables of app to reader removed"),
    (put("settings/*/TimeZone", "Europe/Prague"), "setting TimeZone of the database changed: UTC became Europe/Prague"),
]


@pytest.mark.parametrize(("edit", "text"), CASES, ids=[text for _edit, text in CASES])
def test_one_edit_is_one_change_and_back(edit: Any, text: str) -> None:
    before, after = sample(), sample()
    edit(after)
    assert [change.text for change in diff(before, after)] == [text]
    (back,) = diff(after, before)
    (there,) = diff(before, after)
    assert (back.before, back.after, back.object, back.object_kind) == (there.after, there.before, there.object, there.object_kind)
    assert back.kind == {"added": "removed", "removed": "added", "changed": "changed"}[there.kind]


def test_equal_snapshots_have_no_difference() -> None:
    assert diff(sample(), sample()) == []
    assert diff(EMPTY, EMPTY) == []


def test_neither_snapshot_is_changed() -> None:
    before, after = sample(), snapshot()
    kept = copy.deepcopy((before, after))
    diff(before, after)
    assert (before, after) == kept


def test_a_removed_table_takes_its_parts_and_its_sequence_along() -> None:
    after = sample()
    del after["tables"]["shifts"], after["sequences"]["shifts_id_seq"]
    assert [change.text for change in diff(sample(), after)] == ["table shifts removed"]


def test_a_sequence_that_stays_behind_is_seen() -> None:
    before, after = sample(), sample()
    del before["tables"]["shifts"], after["tables"]["shifts"], before["sequences"]["shifts_id_seq"]
    assert [change.text for change in diff(before, after)] == ["sequence shifts_id_seq added: bigint"]


def test_the_index_behind_a_constraint_is_not_said_twice() -> None:
    after = sample()
    after["tables"]["shifts"]["constraints"]["uq"] = constraint("unique", ["note"], "UNIQUE (note)")
    after["tables"]["shifts"]["indexes"]["uq"] = index("shifts", "note", unique=True, constraint="uq")
    assert [change.text for change in diff(sample(), after)] == ["unique uq on shifts added: UNIQUE (note)"]


def test_an_index_that_loses_its_constraint_is_seen() -> None:
    before, after = sample(), sample()
    del after["tables"]["shifts"]["constraints"]["shifts_pkey"]
    after["tables"]["shifts"]["indexes"]["shifts_pkey"].update(constraint=None, primary=False)
    assert [(change.kind, change.object) for change in diff(before, after)] == [("removed", "shifts.shifts_pkey"), ("changed", "shifts_pkey")]


def named_index(table_: str, name: str, *columns: str, **more: Any) -> dict[str, Any]:
    found = index(table_, *columns, **more)
    return {**found, "definition": found["definition"].replace(" INDEX x ", f" INDEX {name} ")}


def test_an_index_or_constraint_under_another_name_is_renamed_and_back() -> None:
    before, after = sample(), sample()
    indexes, constraints = (after["tables"]["shifts"][part] for part in ("indexes", "constraints"))
    indexes["ix_shifts_user"] = named_index("shifts", "ix_shifts_user", "user_id")
    del indexes["ix_user"]
    constraints["shifts_user_fk"] = constraints.pop("fk_user")
    there, back = diff(before, after), diff(after, before)
    assert [(one.kind, one.object, one.text) for one in there] == [
        ("renamed", "shifts.fk_user", "foreign key fk_user on shifts renamed to shifts_user_fk"),
        ("renamed", "ix_user", "index ix_user on shifts renamed to ix_shifts_user"),
    ]
    assert [(one.before, one.after, one.table) for one in there] == [
        ({"name": "shifts.fk_user"}, {"name": "shifts.shifts_user_fk"}, "shifts"),
        ({"name": "ix_user"}, {"name": "ix_shifts_user"}, "shifts"),
    ]
    # Of the way back it is as much of a trace as any other difference.
    assert [one.text for one in back] == [
        "foreign key shifts_user_fk on shifts renamed to fk_user",
        "index ix_shifts_user on shifts renamed to ix_user",
    ]


def test_the_index_of_a_renamed_constraint_is_not_said_twice() -> None:
    def with_key(name: str) -> dict[str, Any]:
        found = table("t", {"id": column(nullable=False), "mail": column("text")})
        found["constraints"][name] = constraint("unique", ["mail"], "UNIQUE (mail)")
        found["indexes"][name] = {**named_index("t", name, "mail", unique=True), "constraint": name}
        return snapshot(found)

    assert [one.text for one in diff(with_key("a"), with_key("b"))] == ["unique a on t renamed to b"]


@pytest.mark.parametrize(
    "others",
    [
        {"ix_b": {"unique": True}},
        {"ix_b": {"valid": False}},
        {"ix_b": {"comment": "why"}},
        {"ix_b": {"predicate": "(id > 0)"}},
        {"ix_b": {}, "ix_c": {}},
    ],
)
def test_what_differs_in_more_than_its_name_is_not_renamed(others: dict[str, Any]) -> None:
    """Nor is one of two that are alike: nobody knows which."""
    columns = {"id": column(nullable=False)}
    before = snapshot(table("t", columns, indexes={"ix_a": named_index("t", "ix_a", "id")}))
    after = snapshot(table("t", columns, indexes={name: {**named_index("t", name, "id"), **more} for name, more in others.items()}))
    assert sorted((one.kind, one.object) for one in diff(before, after)) == [*(("added", name) for name in others), ("removed", "ix_a")]
    assert sorted((one.kind, one.object) for one in diff(after, before)) == [("added", "ix_a"), *(("removed", name) for name in others)]


def test_an_index_of_another_table_is_another() -> None:
    columns = {"id": column(nullable=False)}
    before = snapshot(table("t", columns, indexes={"ix_a": named_index("t", "ix_a", "id")}), table("u", columns))
    after = snapshot(table("t", columns), table("u", columns, indexes={"ix_b": named_index("u", "ix_b", "id")}))
    assert sorted(one.kind for one in diff(before, after)) == ["added", "removed"]


def test_a_validated_constraint_is_said_in_one_word() -> None:
    before, after = sample(), sample()
    before["tables"]["shifts"]["constraints"]["fk_user"].update(validated=False, definition="FOREIGN KEY (user_id) NOT VALID")
    after["tables"]["shifts"]["constraints"]["fk_user"].update(definition="FOREIGN KEY (user_id)")
    assert [change.text for change in diff(before, after)] == ["foreign key fk_user on shifts changed: now validated"]


def test_positions_owners_and_sequence_values_are_options() -> None:
    after = sample()
    after["tables"]["shifts"]["columns"]["rate"]["position"] = 9
    after["tables"]["shifts"]["owner"] = "boss"
    after["sequences"]["shifts_id_seq"]["last_value"] = 6
    assert [change.object for change in diff(sample(), after)] == ["shifts"]
    assert diff(sample(), after, owners=False) == []
    assert [change.object for change in diff(sample(), after, owners=False, positions=True)] == ["shifts.rate"]
    assert [change.object for change in diff(sample(), after, owners=False, sequence_values=True)] == ["shifts_id_seq"]


def test_changes_are_ordered_and_json() -> None:
    changes = diff(EMPTY, sample())
    kinds = [OBJECT_KINDS.index(change.object_kind) for change in changes]
    assert kinds == sorted(kinds)
    assert len(changes) > 8
    for change in changes:
        assert json.loads(json.dumps(change.to_json()))["text"] == change.text
    assert changes == diff(EMPTY, json.loads(json.dumps(sample())))


def test_a_part_in_another_schema_has_the_name_of_that_schema() -> None:
    there = {**table("x", {"id": column()}, primary_key=None), "schema": "billing"}
    before, after = snapshot(tables={"billing.x": there}), snapshot(tables={"billing.x": copy.deepcopy(there)})
    after["tables"]["billing.x"]["indexes"]["ix"] = index("x", "id")
    after["tables"]["billing.x"]["columns"]["a.b"] = column("text")
    assert [change.object for change in diff(before, after)] == ['billing.x."a.b"', "billing.ix"]
