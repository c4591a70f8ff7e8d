"""Each structure check, with what it must find and what it must leave alone."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import outside_world
from ansible_collections.migrations.rehearsal.plugins.module_utils.schema_diff import diff
from ansible_collections.migrations.rehearsal.plugins.module_utils.structure_checks import check
from snapshot_builder import EMPTY, column, constraint, foreign_key, function, index, snapshot, table

KEY = column(nullable=False)
USERS = table("users", {"id": KEY})


def shifts(user: dict[str, Any] | None = None, key: dict[str, Any] | None = None, *, indexed: bool = True, **more: Any) -> dict[str, Any]:
    return table(
        "shifts",
        {"id": KEY, "user_id": user or column(), "note": column("text")},
        **{"constraints": {"fk": key or foreign_key("user_id", "users")}, "indexes": {"ix": index("shifts", "user_id")} if indexed else {}, **more},
    )


def with_indexes(**indexes: dict[str, Any]) -> dict[str, Any]:
    return table("t", {"id": KEY, "a": column("text"), "b": column("text")}, indexes=indexes)


def with_constraint(one: dict[str, Any], name: str, record: dict[str, Any]) -> dict[str, Any]:
    one["constraints"][name] = record
    return one


def with_trigger(function_: dict[str, Any], enabled: str = "origin", *others: dict[str, Any]) -> dict[str, Any]:
    trigger = {"definition": "", "enabled": enabled, "function": f"{function_['name']}()", "inherited": False, "comment": None}
    return snapshot(table("t", {"id": KEY}, triggers={"tr": trigger}), functions={f"{one['name']}()": one for one in (function_, *others)})


def domain(base: str, **more: Any) -> dict[str, Any]:
    return {"kind": "domain", "schema": "public", "name": "d", "type": "public.d", "base": base, "grants": {}, "constraints": {}, **more}


BAD = {
    "fk-set-null-not-null: on delete": (
        "fk-set-null-not-null", "shifts.fk", snapshot(USERS, shifts(KEY, foreign_key("user_id", "users", "set null"))),
    ),
    "fk-set-null-not-null: on update": (
        "fk-set-null-not-null", "shifts.fk", snapshot(USERS, shifts(KEY, foreign_key("user_id", "users", on_update="set null"))),
    ),
    "fk-set-null-not-null: no default": (
        "fk-set-null-not-null", "shifts.fk", snapshot(USERS, shifts(KEY, foreign_key("user_id", "users", "set default"))),
    ),
    "fk-type-mismatch": ("fk-type-mismatch", "shifts.fk", snapshot(USERS, shifts(column("integer")))),
    "fk-set-null-not-null: by the domain": (
        "fk-set-null-not-null", "shifts.fk",
        snapshot(USERS, shifts(column("public.d"), foreign_key("user_id", "users", "set null")), types={"d": domain("bigint", nullable=False)}),
    ),
    "fk-without-index: none": ("fk-without-index", "shifts.fk", snapshot(USERS, shifts(indexed=False))),
    "fk-without-index: not the first column": (
        "fk-without-index", "shifts.fk", snapshot(USERS, shifts(indexes={"ix": index("shifts", "id DESC", "user_id")})),
    ),
    "fk-without-index: partial": (
        "fk-without-index", "shifts.fk", snapshot(USERS, shifts(indexes={"ix": index("shifts", "user_id", predicate="(id > 7)")})),
    ),
    "fk-without-index: brin": ("fk-without-index", "shifts.fk", snapshot(USERS, shifts(indexes={"ix": index("shifts", "user_id", method="brin")}))),
    "index-duplicate: two alike": ("index-duplicate", "i2", snapshot(with_indexes(i1=index("t", "a"), i2=index("t", "a")))),
    "index-duplicate: of the primary key": ("index-duplicate", "ix_t_id", snapshot(with_indexes(ix_t_id=index("t", "id")))),
    "index-duplicate: unique stays": ("index-duplicate", "a1", snapshot(with_indexes(a1=index("t", "a"), u2=index("t", "a", unique=True)))),
    "index-redundant: beginning": ("index-redundant", "i1", snapshot(with_indexes(i1=index("t", "a"), i2=index("t", "a", "b")))),
    "index-redundant: include": ("index-redundant", "i1", snapshot(with_indexes(i1=index("t", "a"), i2=index("t", "a", include=["b"])))),
    "index-redundant: same predicate": (
        "index-redundant", "i1",
        snapshot(with_indexes(i1=index("t", "a", predicate="(b > 1)"), i2=index("t", "a", "b", predicate="(b > 1)"))),
    ),
    "timestamp": ("timestamp-without-time-zone", "t.at", snapshot(table("t", {"id": KEY, "at": column("timestamp without time zone")}))),
    "timestamp: precision, array": (
        "timestamp-without-time-zone", "t.at", snapshot(table("t", {"id": KEY, "at": column("timestamp(3) without time zone[]")})),
    ),
    "timestamp: domain": (
        "timestamp-without-time-zone", "t.at",
        snapshot(table("t", {"id": KEY, "at": column("public.d")}), types={"d": domain("timestamp without time zone")}),
    ),
    "json": ("json-not-jsonb", "t.doc", snapshot(table("t", {"id": KEY, "doc": column("json")}))),
    "integer key": ("integer-primary-key", "t.id", snapshot(table("t", {"id": column("integer", nullable=False)}))),
    "smallint key": ("integer-primary-key", "t.id", snapshot(table("t", {"id": column("smallint", nullable=False)}))),
    "invalid": ("index-invalid", "i1", snapshot(with_indexes(i1=index("t", "a", valid=False)))),
    "not valid": (
        "constraint-not-valid", "t.c",
        snapshot(with_constraint(table("t", {"id": KEY}), "c", constraint("check", ["id"], "CHECK ((id > 0)) NOT VALID", validated=False))),
    ),
    "not enforced": (
        "constraint-not-valid", "t.c",
        snapshot(with_constraint(table("t", {"id": KEY}), "c", constraint("check", ["id"], "CHECK ((id > 0)) NOT ENFORCED", validated=False))),
    ),
    "triggers disabled": (
        "constraint-not-enforced", "t.c",
        snapshot(with_constraint(table("t", {"id": KEY}), "c", constraint("unique", ["id"], "UNIQUE (id) DEFERRABLE", enabled="disabled"))),
    ),
    "not valid: domain": (
        "constraint-not-valid", "d.c",
        snapshot(types={"d": domain("text", constraints={"c": {"definition": "CHECK (true) NOT VALID", "validated": False}})}),
    ),
    "trigger sends": ("outside-world", "t.tr", with_trigger(function("f", "begin perform pg_notify('x', new.id::text); end"))),
    "trigger sends, by a call": (
        "outside-world", "t.tr", with_trigger(function("f", "begin perform g(); end"), "origin", function("g", 'notify "Any"')),
    ),
    "trigger: copy program": ("outside-world", "t.tr", with_trigger(function("f", "begin COPY t TO PROGRAM 'curl x'; end"))),
    "trigger: untrusted language": ("outside-world", "t.tr", with_trigger(function("f", "import os", "plpython3u"))),
    "trigger: through another function": (
        "outside-world", "t.tr", with_trigger(function("f", "begin perform g(); end"), "always", function("g", "select dblink_exec('x')", "sql")),
    ),
    "event trigger": (
        "outside-world", "ev",
        snapshot(event_triggers={"ev": {"event": "ddl_command_end", "enabled": "origin", "tags": [], "function": "f()", "owner": "app"}}),
    ),
    "subscription": ("outside-world", "sub", snapshot(subscriptions={"sub": {"enabled": True, "owner": "app"}})),
    "foreign server": (
        "outside-world", "far", snapshot(foreign_servers={"far": {"wrapper": "postgres_fdw", "user_mappings": ["app"], "grants": {}}}),
    ),
    "scheduler": ("outside-world", "pg_cron", snapshot(extensions={"pg_cron": {"version": "1.6", "schema": "pg_catalog"}})),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_defect_is_found_once_and_called_new_only_if_it_is(name: str) -> None:
    code, object_, catalog = BAD[name]
    old = check(catalog, [])
    assert [(one["code"], one["object"], one["touched"]) for one in old] == [(code, object_, False)]
    new = check(catalog, diff(EMPTY, catalog))
    assert [(one["code"], one["object"], one["touched"]) for one in new] == [(code, object_, True)]
    assert set(new[0]) == {"code", "object", "touched", "measured", "advice", "severity"}
    assert new[0]["measured"] and new[0]["advice"]


def test_a_notification_is_told_and_no_more() -> None:
    notify, dblink = "perform pg_notify('x', 'y');", "perform dblink_exec('host=x', 'y');"
    event = {"event": "ddl_command_end", "enabled": "origin", "tags": [], "function": "f()", "owner": "app"}
    for body, severity, stays in ((notify, "info", True), (notify + dblink, None, False)):
        catalog = with_trigger(function("f", f"begin {body} end"))
        catalog["event_triggers"] = {"ev": event}
        found = check(catalog, diff(EMPTY, catalog))
        assert [(one["object"], one["severity"], "stays enabled" in one["measured"]) for one in found] == [
            ("ev", severity, stays),
            ("t.tr", severity, stays),
        ]
        assert bool(list(outside_world.to_stop(catalog))) is not stays


GOOD = {
    "nullable": snapshot(USERS, shifts(column(), foreign_key("user_id", "users", "set null"))),
    "cascade": snapshot(USERS, shifts(KEY, foreign_key("user_id", "users", "cascade"))),
    "set null of another column": snapshot(USERS, shifts(KEY, foreign_key("user_id", "users", "set null", on_delete_columns=["note"]))),
    "set default with a default": snapshot(USERS, shifts(column(nullable=False, default="0"), foreign_key("user_id", "users", "set default"))),
    "domain over the same type": snapshot(USERS, shifts(column("public.d")), types={"d": domain("bigint")}),
    "index with more columns": snapshot(USERS, shifts(indexes={"ix": index("shifts", "user_id DESC", "id")})),
    "index where not null": snapshot(USERS, shifts(indexes={"ix": index("shifts", "user_id", predicate="(user_id IS NOT NULL)")})),
    "index of another spelling where not null": snapshot(
        USERS,
        table(
            "shifts",
            {"id": KEY, "userId": column()},
            constraints={"fk": foreign_key("userId", "users")},
            indexes={"ix": index("shifts", "userId", predicate='("userId" IS NOT NULL)')},
        ),
    ),
    "index where neither is null": snapshot(
        table("users", {"id": KEY, "code": KEY}, None),
        shifts(
            key={**foreign_key("user_id", "users"), "columns": ["user_id", "id"], "referenced_columns": ["id", "code"]},
            indexes={"ix": index("shifts", "user_id", "id", predicate="((user_id IS NOT NULL) AND (id IS NOT NULL))")},
        ),
    ),
    "other length": snapshot(table("users", {"id": column("character varying(50)", nullable=False)}), shifts(column("character varying(20)"))),
    "other precision": snapshot(table("users", {"id": column("numeric(12,2)", nullable=False)}), shifts(column("numeric(10)"))),
    "hash index": snapshot(USERS, shifts(indexes={"ix": index("shifts", "user_id", method="hash")})),
    "key of a partition": snapshot(USERS, shifts(indexed=False, key=foreign_key("user_id", "users", inherited=True))),
    "other order": snapshot(with_indexes(i1=index("t", "a"), i2=index("t", "b", "a"))),
    "other direction": snapshot(with_indexes(i1=index("t", "a"), i2=index("t", "a DESC"))),
    "other operator class": snapshot(with_indexes(i1=index("t", "a"), i2=index("t", "a text_pattern_ops"))),
    "other method": snapshot(with_indexes(i1=index("t", "a"), i2=index("t", "a", method="gin"))),
    "partial beside whole": snapshot(with_indexes(i1=index("t", "a", predicate="(b > 1)"), i2=index("t", "a", "b"))),
    "unique beginning": snapshot(with_indexes(i1=index("t", "a", unique=True), i2=index("t", "a", "b"))),
    "nulls not distinct": snapshot(with_indexes(i1=index("t", "a", unique=True), i2=index("t", "a", unique=True, nulls_not_distinct=True))),
    "timestamptz": snapshot(table("t", {"id": KEY, "at": column("timestamp with time zone")})),
    "jsonb": snapshot(table("t", {"id": KEY, "doc": column("jsonb")})),
    "key that is a foreign key": snapshot(
        table("users", {"id": KEY}),
        table("profiles", {"id": KEY}, constraints={"fk": foreign_key("id", "users")}),
    ),
    "integer key that is a foreign key to elsewhere": snapshot(
        table("profiles", {"id": column("integer", nullable=False)}, constraints={"fk": foreign_key("id", "an_extensions_table")}),
    ),
    "disabled trigger": with_trigger(function("f", "begin perform pg_notify('x', 'y'); end"), "disabled"),
    "replica trigger": with_trigger(function("f", "begin perform pg_notify('x', 'y'); end"), "replica"),
    "trigger that stays inside": with_trigger(function("f", "begin new.at := now(); return new; end -- no NOTIFY here")),
    "disabled event trigger": snapshot(
        event_triggers={"ev": {"event": "ddl_command_end", "enabled": "disabled", "tags": [], "function": "f()", "owner": "app"}}
    ),
    "disabled subscription": snapshot(subscriptions={"sub": {"enabled": False, "owner": "app"}}),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_in_order_is_left_alone(name: str) -> None:
    assert check(GOOD[name], diff(EMPTY, GOOD[name])) == []


def codes(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(one["code"], one["touched"]) for one in check(after, diff(before, after))]


def test_a_key_without_an_index_is_told_with_its_rows() -> None:
    after = snapshot(USERS, shifts(indexed=False))
    (found,) = check(after, diff(EMPTY, after), {"shifts": 1200, "users": 60, "others": 1})
    assert found["measured"].endswith("on users reads the whole of shifts (shifts: 1,200 rows; users: 60 rows)")
    (found,) = check(after, diff(EMPTY, after))
    assert found["measured"].endswith("reads the whole of shifts")


def test_a_small_table_may_be_read_whole() -> None:
    after = snapshot(USERS, shifts(indexed=False))
    severities = {table: check(after, diff(EMPTY, after), is_small=table.__eq__)[0]["severity"] for table in ("shifts", "users")}
    assert severities == {"shifts": "info", "users": None}, "the referencing table is what is read"


def test_a_partial_index_on_more_than_the_keys_is_none() -> None:
    predicate = "((user_id IS NOT NULL) AND (note IS NOT NULL))"
    after = snapshot(USERS, shifts(indexes={"ix": index("shifts", "user_id", predicate=predicate)}))
    assert codes(EMPTY, after) == [("fk-without-index", True)]


def test_another_change_of_the_table_does_not_make_an_old_defect_new() -> None:
    before = snapshot(USERS, shifts(column("integer"), indexed=False))
    after = snapshot(USERS, shifts(column("integer", comment="seen"), indexed=False))
    after["tables"]["shifts"]["columns"]["more"] = column("text")
    assert codes(before, after) == [("fk-type-mismatch", False), ("fk-without-index", False)]


def test_a_migration_that_drops_the_index_has_touched_the_key() -> None:
    assert codes(snapshot(USERS, shifts()), snapshot(USERS, shifts(indexed=False))) == [("fk-without-index", True)]


def test_a_dropped_unique_constraint_takes_its_index_from_the_key() -> None:
    after = snapshot(USERS, shifts(indexed=False))
    before = snapshot(USERS, shifts(indexed=False))
    before["tables"]["shifts"]["indexes"]["uq"] = index("shifts", "user_id", unique=True, constraint="uq")
    before["tables"]["shifts"]["constraints"]["uq"] = constraint("unique", ["user_id"], "UNIQUE (user_id)")
    assert codes(before, after) == [("fk-without-index", True)]


def test_what_came_under_another_name_is_touched() -> None:
    """It may have been made anew, and as it was is what the migration chose."""
    old = snapshot(USERS, shifts(indexed=False))
    new = snapshot(USERS, shifts(indexed=False, constraints={"other": foreign_key("user_id", "users")}))
    assert [one.kind for one in diff(old, new)] == ["renamed"]
    assert [(one["object"], one["touched"]) for one in check(new, diff(old, new)) if one["code"] == "fk-without-index"] == [("shifts.other", True)]


def test_not_null_on_the_column_of_an_old_key_is_touched() -> None:
    key = foreign_key("user_id", "users", "set null")
    assert codes(snapshot(USERS, shifts(column(), key)), snapshot(USERS, shifts(KEY, key))) == [("fk-set-null-not-null", True)]


def test_a_changed_type_on_the_referenced_side_is_touched() -> None:
    before = snapshot(table("users", {"id": column("integer", nullable=False)}), shifts(column("integer")))
    after = snapshot(USERS, shifts(column("integer")))
    assert codes(before, after) == [("fk-type-mismatch", True)]


def test_a_constraint_that_duplicates_an_old_index_is_touched() -> None:
    before, after = snapshot(with_indexes(i1=index("t", "a"))), snapshot(with_indexes(i1=index("t", "a")))
    after["tables"]["t"]["indexes"]["uq"] = index("t", "a", unique=True, constraint="uq")
    after["tables"]["t"]["constraints"]["uq"] = constraint("unique", ["a"], "UNIQUE (a)")
    (found,) = check(after, diff(before, after))
    assert (found["code"], found["object"], found["touched"]) == ("index-duplicate", "i1", True)


def test_a_function_that_starts_to_send_makes_its_trigger_touched() -> None:
    before, after = with_trigger(function("f", "begin end")), with_trigger(function("f", "begin notify x; end"))
    assert codes(before, after) == [("outside-world", True)]


def test_partitions_are_not_reported_beside_their_table() -> None:
    columns = {"id": column("integer", nullable=False), "at": column("timestamp without time zone"), "user_id": column()}
    parent = table("days", columns, kind="partitioned table", partition_key="RANGE (id)")
    part = table("days_1", columns, partition_of="days", partition_bound="FOR VALUES FROM (1) TO (2)")
    part["constraints"]["days_1_pkey"]["inherited"] = part["indexes"]["days_1_pkey"]["inherited"] = True
    found = check(snapshot(parent, part), [])
    assert [one["object"] for one in found] == ["days.id", "days.at"]
