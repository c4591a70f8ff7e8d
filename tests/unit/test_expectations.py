# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expectations as data, and as checks of revision and structure; what an expression over old may be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectation_checks import Check, check_existing_rows, check_structure, same_value
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import (
    Absent,
    Assertion,
    Change,
    ColumnExpectation,
    Expectations,
    RowChange,
    Structure,
    TableExpectation,
    expression_problem,
)


def column(type_: str, nullable: bool = True, default: str | None = None) -> dict[str, Any]:
    return {"type": type_, "nullable": nullable, "default": default}


def index(primary: bool = False, valid: bool = True) -> dict[str, Any]:
    return {"primary": primary, "valid": valid}


BEFORE: dict[str, Any] = {
    "tables": {
        "time_slots": {
            "columns": {"id": column("integer", False), "old_name": column("text")},
            "indexes": {"time_slots_pkey": index(primary=True), "ix_old": index()},
            "constraints": {"fk_old": {"kind": "foreign key"}},
        },
        "legacy_a": {"columns": {"id": column("integer")}, "indexes": {}, "constraints": {}},
    }
}
AFTER: dict[str, Any] = {
    "tables": {
        "time_slots": {
            "columns": {
                "id": column("integer", False),
                "penalize_late_start": column("boolean", False, "true"),
                "media_types": column("character varying(50)", True, "'photo,video'::character varying"),
            },
            "indexes": {"time_slots_pkey": index(primary=True), "ix_a": index(), "ix_b": index(), "ix_broken": index(valid=False)},
            "constraints": {"fk_a": {"kind": "foreign key"}, "fk_b": {"kind": "foreign key"}, "ck_a": {"kind": "check"}},
        }
    }
}


def after(*, absent: Absent = Absent(), **table: Any) -> Expectations:  # noqa: B008
    return Expectations(after_upgrade=Structure({"time_slots": TableExpectation(**table)} if table else {}, absent))


def last(expectations: Expectations, **snapshots: Any) -> Check:
    """The only Check about the table's parts: the first one says that the table is there."""
    checks = check_structure(expectations, {"before": BEFORE, "after": AFTER, **snapshots}, ["abc"])
    assert len(checks) <= 2
    return checks[-1]


def one_column(name: str = "penalize_late_start", **wanted: Any) -> Check:
    return last(after(columns={name: ColumnExpectation(**wanted)}))


EVERYTHING = Expectations(
    revision=("a", "b"),
    after_upgrade=Structure(
        {
            "shifts": TableExpectation(
                {"a": ColumnExpectation("integer", False, None, True), "b": ColumnExpectation(default="x", default_given=True)},
                5,
                ("fk_a", "fk_b"),
                {"a": None, "b": True, "c": 1.5, "d": "Смена"},
            ),
            "billing.invoices": TableExpectation(indexes=("ix",), foreign_keys=0),
        },
        Absent(("legacy",), {"t": ("c",)}, {"t": ("i", "j")}, {"t": ("f",)}),
    ),
    after_downgrade=Structure(absent=Absent(("shifts",))),
    downgrade_to="-2",
    changes={
        "contracts.hourly_rate": Change("expect", expression="old / 100.0", reason="roubles"),
        "users.phone": Change("changed"),
        "legacy": Change("dropped"),
        "other": Change("rows", rows=RowChange(5, None)),
        "users.mail": Change("renamed", became="email"),
    },
    assertions=(Assertion("n", "after", "equals", {"a": [1, None]}), Assertion("m", "before")),
)


def test_everything_survives_the_way_through_json() -> None:
    assert Expectations.from_json(json.loads(json.dumps(EVERYTHING.to_json()))) == EVERYTHING
    assert Expectations.from_json(Expectations().to_json()) == Expectations.from_json({}) == Expectations()
    with pytest.raises(KeyError):
        Expectations.from_json({"revision": ["a"]})


def test_json_is_plain_data_that_is_equal_after_a_trip() -> None:
    assert json.loads(json.dumps(EVERYTHING.to_json())) == EVERYTHING.to_json()


def test_rows_that_are_not_declared_may_not_change() -> None:
    assert (RowChange().added, RowChange().removed) == (0, 0)


def test_declared_expressions_are_those_that_can_be_proved() -> None:
    assert EVERYTHING.declared_expressions() == {"contracts.hourly_rate": "old / 100.0"}


@pytest.mark.parametrize(
    ("wanted", "reached", "ok", "measured"),
    [
        (("abc",), ["abc"], True, "abc"),
        (("abc", "def"), ["def", "abc"], True, "def, abc"),
        (("abc",), ["abd"], False, "abd"),
        (("abc",), ["abc", "def"], False, "abc, def"),
        (("abc", "def"), ["abc"], False, "abc"),
        (("abc",), [], False, "no revision"),
        (("abc",), None, False, "not measured"),
    ],
)
def test_revision(wanted: tuple[str, ...], reached: list[str] | None, ok: bool, measured: str) -> None:
    text = ", ".join(wanted)
    assert check_structure(Expectations(revision=wanted), {}, reached) == [
        Check(f"revision {text} is reached", "upgrade", "", ok, measured, text, "revision-not-reached"),
    ]


def test_nothing_expected_gives_no_check() -> None:
    assert check_structure(Expectations(), {"after": AFTER}, None) == []
    assert check_existing_rows(Expectations(), {}) == []


def test_table() -> None:
    checks = check_structure(
        Expectations(after_upgrade=Structure({"time_slots": TableExpectation(), "time_slot": TableExpectation()})), {"after": AFTER}, None
    )
    assert checks == [
        Check("table time_slots exists", "upgrade", "time_slots", True, "present", "present"),
        Check("table time_slot exists", "upgrade", "time_slot", False, "no table time_slot (there is time_slots)", "present"),
    ]


def test_column_with_all_three_forms() -> None:
    assert one_column(type="bool", nullable=False, default=True, default_given=True) == Check(
        "column time_slots.penalize_late_start is boolean, not null, default true",
        "upgrade",
        "time_slots.penalize_late_start",
        True,
        "boolean, not null, default true",
        "boolean, not null, default true",
    )


@pytest.mark.parametrize(
    ("wanted", "ok", "measured"),
    [
        ({}, True, "present"),
        ({"type": "text"}, False, "boolean"),
        ({"nullable": True}, False, "not null"),
        ({"default": False, "default_given": True}, False, "default true"),
        ({"default": None, "default_given": True}, False, "default true"),
        ({"default": None}, True, "present"),
        ({"type": "text", "nullable": False, "default": True, "default_given": True}, False, "boolean, not null, default true"),
        ({"type": "boolean", "nullable": True, "default": True, "default_given": True}, False, "boolean, not null, default true"),
        ({"type": "boolean", "nullable": False, "default": False, "default_given": True}, False, "boolean, not null, default true"),
    ],
)
def test_each_form_of_a_column_counts(wanted: dict[str, Any], ok: bool, measured: str) -> None:
    check = one_column(**wanted)
    assert (check.ok, check.measured) == (ok, measured)


def test_column_without_default() -> None:
    check = one_column("id", nullable=False, default=None, default_given=True)
    assert (check.ok, check.measured, check.expected) == (True, "not null, no default", "not null, no default")


def test_column_default_is_shown_as_sql() -> None:
    check = one_column("media_types", type="varchar(50)", nullable=True, default="photo,video", default_given=True)
    assert check.ok
    assert check.expected == "character varying(50), nullable, default 'photo,video'"
    assert check.measured == "character varying(50), nullable, default 'photo,video'::character varying"


def test_missing_column_and_column_of_a_missing_table() -> None:
    assert one_column("penalise_late_start").measured == "no column penalise_late_start (there is penalize_late_start)"
    assert not one_column("penalise_late_start").ok
    check = check_structure(Expectations(after_upgrade=Structure({"x": TableExpectation({"c": ColumnExpectation()})})), {"after": AFTER}, None)[1]
    assert check == Check("column x.c exists", "upgrade", "x.c", False, "no table x", "present")


@pytest.mark.parametrize(
    ("wanted", "item", "ok", "measured"),
    [
        ({"indexes": 2}, "table time_slots has 2 indexes beside the primary key", True, "2: ix_a, ix_b; not valid: ix_broken"),
        ({"indexes": 3}, "table time_slots has 3 indexes beside the primary key", False, "2: ix_a, ix_b; not valid: ix_broken"),
        ({"indexes": 1}, "table time_slots has 1 index beside the primary key", False, "2: ix_a, ix_b; not valid: ix_broken"),
        ({"foreign_keys": 2}, "table time_slots has 2 foreign keys", True, "2: fk_a, fk_b"),
        ({"foreign_keys": 3}, "table time_slots has 3 foreign keys", False, "2: fk_a, fk_b"),
        ({"foreign_keys": 1}, "table time_slots has 1 foreign key", False, "2: fk_a, fk_b"),
        ({"indexes": ("ix_a",)}, "index ix_a on time_slots exists", True, "present"),
        ({"indexes": ("time_slots_pkey",)}, "index time_slots_pkey on time_slots exists", True, "present"),
        ({"indexes": ("ix_zz",)}, "index ix_zz on time_slots exists", False, "no index ix_zz"),
        ({"indexes": ("ix_broken",)}, "index ix_broken on time_slots exists", False, "present, but not valid"),
        ({"foreign_keys": ("fk_b",)}, "foreign key fk_b on time_slots exists", True, "present"),
        ({"foreign_keys": ("ck_a",)}, "foreign key ck_a on time_slots exists", False, "no foreign key ck_a (there is fk_a)"),
    ],
)
def test_indexes_and_foreign_keys(wanted: dict[str, Any], item: str, ok: bool, measured: str) -> None:
    check = last(after(**wanted))
    assert (check.item, check.object, check.ok, check.measured) == (item, "time_slots", ok, measured)


def test_zero_is_an_expectation_and_none_is_not() -> None:
    legacy = Expectations(after_upgrade=Structure({"legacy_a": TableExpectation(indexes=0, foreign_keys=None)}))
    checks = check_structure(legacy, {"after": BEFORE}, None)
    assert [(check.item, check.ok, check.measured) for check in checks[1:]] == [
        ("table legacy_a has 0 indexes beside the primary key", True, "0"),
    ]


@pytest.mark.parametrize("wanted", [{"indexes": 1}, {"foreign_keys": 0}, {"indexes": ("a",)}, {"foreign_keys": ("a",)}])
def test_keys_of_a_missing_table_are_not_ok(wanted: dict[str, Any]) -> None:
    checks = check_structure(Expectations(after_upgrade=Structure({"x": TableExpectation(**wanted)})), {"after": AFTER}, None)
    assert [(check.ok, check.measured) for check in checks] == [(False, "no table x")] * 2


@pytest.mark.parametrize(
    ("absent", "item", "object_", "ok", "measured"),
    [
        (Absent(tables=("legacy_a",)), "table legacy_a is absent", "legacy_a", True, "absent"),
        (Absent(tables=("time_slots",)), "table time_slots is absent", "time_slots", False, "present"),
        (Absent(tables=("legacy_b",)), "table legacy_b is absent", "legacy_b", True, "absent, and it was not there earlier either"),
        (
            Absent(columns={"time_slots": ("old_name",)}),
            *("column time_slots.old_name is absent", "time_slots.old_name", True, "absent"),
        ),
        (Absent(columns={"time_slots": ("id",)}), "column time_slots.id is absent", "time_slots.id", False, "present"),
        (
            Absent(columns={"time_slotz": ("id",)}),
            *("column time_slotz.id is absent", "time_slotz.id", True, "absent, and it was not there earlier either"),
        ),
        (Absent(indexes={"time_slots": ("ix_old",)}), "index ix_old on time_slots is absent", "time_slots", True, "absent"),
        (Absent(indexes={"time_slots": ("ix_broken",)}), "index ix_broken on time_slots is absent", "time_slots", False, "present"),
        (Absent(foreign_keys={"time_slots": ("fk_old",)}), "foreign key fk_old on time_slots is absent", "time_slots", True, "absent"),
        (Absent(foreign_keys={"time_slots": ("fk_a",)}), "foreign key fk_a on time_slots is absent", "time_slots", False, "present"),
    ],
)
def test_absent(absent: Absent, item: str, object_: str, ok: bool, measured: str) -> None:
    assert last(after(absent=absent)) == Check(item, "upgrade", object_, ok, measured, "absent")


def test_after_the_downgrade_is_looked_up_in_the_moment_back() -> None:
    expectations = Expectations(
        after_downgrade=Structure({"legacy_a": TableExpectation()}, Absent(columns={"time_slots": ("penalize_late_start", "typo")}))
    )
    checks = check_structure(expectations, {"before": AFTER, "after": AFTER, "back": BEFORE}, None)
    assert [(check.stage, check.ok, check.measured) for check in checks] == [
        ("downgrade", True, "present"),
        ("downgrade", True, "absent"),
        ("downgrade", True, "absent, and it was not there earlier either"),
    ]


@pytest.mark.parametrize("snapshots", [{}, {"after": {}}, {"before": BEFORE}])
def test_without_the_snapshot_nothing_is_ok(snapshots: dict[str, Any]) -> None:
    expectations = Expectations(
        after_upgrade=EVERYTHING.after_upgrade, after_downgrade=EVERYTHING.after_downgrade, changes={"legacy": Change("dropped")}
    )
    checks = check_structure(expectations, snapshots, None)
    assert len(checks) == 2 + 2 + 1 + 2 + 1 + 1 + 5 + 1 + 1
    assert {(check.ok, check.measured) for check in checks} == {(False, "not measured")}


@pytest.mark.parametrize(
    ("name", "ok", "measured"),
    [
        ("legacy_a", True, "absent"),
        ("time_slots.old_name", True, "absent"),
        ("time_slots", False, "present"),
        ("time_slots.id", False, "present"),
        ("legacy_b", True, "absent, and it was not there earlier either"),
    ],
)
def test_what_is_declared_as_dropped_must_be_gone(name: str, ok: bool, measured: str) -> None:
    expectations = Expectations(changes={name: Change("dropped"), "users.phone": Change("changed")})
    assert check_structure(expectations, {"before": BEFORE, "after": AFTER}, None) == [
        Check(f"{name} is dropped", "upgrade", name, ok, measured, "absent"),
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "old",
        "old / 100.0",
        "OLD",
        "round(old * (1 + 2), 2)",
        "coalesce(old, ')')",
        "replace(old, '''', '\"')",
        '"old"::text',
        "old #>> '{a,$.b}'",
        "CASE WHEN old < 0 THEN 0 ELSE old END",
    ],
)
def test_expressions_over_old(expression: str) -> None:
    assert expression_problem(expression) is None


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("old; DROP TABLE x", "it holds ';'"),
        ("old \\g", "it holds a backslash"),
        ("old -- x", "it holds '--'"),
        ("old /* x", "it holds '/*'"),
        ("1 / 100", "it does not use the word old"),
        ("older", "it does not use the word old"),
        ("'old'", "it does not use the word old"),
        ("old || 'x", "a quote is not closed"),
        ('old || "x', "a quote is not closed"),
        ("old || $$x$$", "it holds '$' outside quotes"),
        ("(old", "its parentheses do not match"),
        ("old)", "its parentheses do not match"),
        ("old), (old", "its parentheses do not match"),
        ("old || '('))", "its parentheses do not match"),
    ],
)
def test_expressions_that_cannot_be_used(expression: str, problem: str) -> None:
    assert expression_problem(expression) == problem


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, 1.0, True),
        (True, True, True),
        (None, None, True),
        ("a", "a", True),
        ([1, {"a": None}], [1.0, {"a": None}], True),
        ((1, 2), [1, 2], True),
        (True, 1, False),
        (0, False, False),
        (None, False, False),
        ("1", 1, False),
        ([1], [1, 2], False),
        (["a", "b"], "ab", False),
        ([True], [1], False),
        ({"a": True}, {"a": 1}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": None}, {}, False),
    ],
)
def test_same_value_is_the_equality_of_json(left: Any, right: Any, same: bool) -> None:
    assert same_value(left, right) is same
    assert same_value(right, left) is same
