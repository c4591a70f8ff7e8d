"""What is expected of the rows that were there: it holds for every one of them, or it is not met."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectation_checks import Check, check_existing_rows
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Expectations, Structure, TableExpectation


def rows(value: Any, checks: Any) -> Check:
    expectations = Expectations(after_upgrade=Structure({"t": TableExpectation(existing_rows={"c": value})}))
    (check,) = check_existing_rows(expectations, checks)
    return check


def measured_rows(**changed: Any) -> dict[str, Any]:
    return {"existing_rows": [{"table": "t", "column": "c", "expected": True, "rows": 200, "matching": 200, **changed}]}


def test_a_value_that_no_row_can_hold_is_measured() -> None:
    check = rows(True, {"existing_rows": [{"table": "t", "column": "c", "expected": True, "no_value_of": "integer"}]})
    assert (check.ok, check.measured) == (False, "no value of type integer")


def test_existing_rows_that_all_hold_the_value() -> None:
    assert rows(True, measured_rows()) == Check("every existing row holds t.c = true", "upgrade", "t.c", True, "200 of 200 rows", "true in every row")
    assert rows(None, measured_rows(expected=None)).ok
    assert rows("Смена", measured_rows(expected="Смена")).item == 'every existing row holds t.c = "Смена"'
    assert rows(True, measured_rows(rows=0, matching=0)).ok


@pytest.mark.parametrize("matching", [199, 0])
def test_one_other_row_is_enough(matching: int) -> None:
    check = rows(True, measured_rows(matching=matching))
    assert (check.ok, check.measured) == (False, f"{matching} of 200 rows")


@pytest.mark.parametrize(
    "checks",
    [
        {},
        {"existing_rows": None},
        {"existing_rows": []},
        measured_rows(table="u"),
        measured_rows(column="d"),
        measured_rows(expected=False),
        measured_rows(expected=1),
        measured_rows(matching=None),
        measured_rows(rows=None),
        {"existing_rows": [{"table": "t", "column": "c", "rows": 1, "matching": 1}]},
    ],
)
def test_what_was_not_measured_is_not_ok(checks: dict[str, Any]) -> None:
    check = rows(True, checks)
    assert (check.ok, check.measured) == (False, "not measured")


def test_a_measurement_without_a_value_is_not_one_of_null() -> None:
    assert rows(None, {"existing_rows": [{"table": "t", "column": "c", "rows": 1, "matching": 1}]}).measured == "not measured"


def test_the_worst_of_two_measurements_counts() -> None:
    entries = measured_rows()["existing_rows"] + measured_rows(matching=3)["existing_rows"]
    assert rows(True, {"existing_rows": entries}).measured == "3 of 200 rows"
    assert not rows(True, {"existing_rows": entries}).ok


def test_rows_that_cannot_be_told_apart_accuse_nobody() -> None:
    wanted = Expectations(after_upgrade=Structure({"t": TableExpectation(existing_rows={"c": 1})}))

    def checked(**more: Any) -> tuple[bool, str, str | None]:
        entry = {"table": "t", "column": "c", "expected": 1, "rows": 5, "matching": 5, **more}
        (check,) = check_existing_rows(wanted, {"existing_rows": [entry]})
        return check.ok, check.code, check.severity

    assert checked() == checked(unclear=0, reason="") == (True, "expectation-not-met", None)
    assert checked(unclear=2, reason="no backup") == (False, "data-not-compared", "warning")
    assert checked(unclear=2, reason="no backup", matching=4) == (False, "expectation-not-met", None)
