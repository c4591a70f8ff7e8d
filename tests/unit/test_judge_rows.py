"""What the judge says of the checks of rows, of sequences, and of data that is told with something else already."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import judge_data, judge_rows
from ansible_collections.migrations.rehearsal.plugins.module_utils.data_diff import DataChange
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Expectations


@pytest.mark.parametrize(("kind", "said"), [("column", "column bills.id has come to"), ("sequence", "sequence bills.id has come to")])
def test_what_nears_its_end_is_named_by_its_kind(kind: str, said: str) -> None:
    near = {"kind": kind, "object": "bills.id", "reached": 2_000_000_000, "limit": 2**31 - 1, "share": 0.93}
    ((code, thing, message, severity),) = judge_rows.of_checks({}, {"near_limit": [near]})
    assert (code, thing, severity) == ("key-near-limit", "bills.id", None)
    assert message.startswith(said)


@pytest.mark.parametrize("rows", [0, 2])
def test_an_invalid_index_is_explained_only_where_rows_repeat_others(rows: int) -> None:
    duplicates = {"index": "users_email", "table": "users", "columns": ["email"], "rows": rows}
    found = [message for _code, _object, message, _severity in judge_rows.of_checks({}, {"duplicates": [duplicates]})]
    assert found == ["users_email cannot become valid: 2 rows of users repeat others in (email)"] * bool(rows)


@pytest.mark.parametrize("left", [0, 3])
def test_columns_of_an_emptied_table_are_told_with_it(left: int) -> None:
    changes: list[Any] = [
        DataChange("rows-lost", "users", "users lost rows", rows_before=5, rows_after=left),
        DataChange("column-not-comparable", "users.email", "users.email could not be compared", rows_before=5, values_before=5),
    ]
    told = [thing for _code, thing, _message, _severity in judge_data.of_upgrade(changes, Expectations())]
    assert told == (["users", "users.email"] if left else ["users"])


def _counter(last_value: int | None, increment: int = 1, **more: Any) -> dict[str, Any]:
    record = {"schema": "public", "name": "bills", "increment": increment, "start": 1, "last_value": last_value, "owned_by": None, "cycle": False}
    return {"sequences": {"bills": {**record, **more}}}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (_counter(100), _counter(100), ""),
        (_counter(100), _counter(101), ""),
        (_counter(None), _counter(None), ""),
        (_counter(100), {"sequences": {}}, ""),
        (_counter(100, cycle=True), _counter(5, cycle=True), ""),
        (_counter(100, owned_by="bills.id"), _counter(5, owned_by="bills.id"), ""),
        (_counter(-5, -1), _counter(-6, -1), ""),
        (_counter(1000), _counter(5), "bills was set back from 1,000 to 5: numbers that it has given come again"),
        (_counter(100), _counter(None), "bills was set back from 100 to 1"),
        (_counter(-5, -1), _counter(-4, -1), "bills was set back from -5 to -4"),
    ],
)
def test_a_sequence_of_no_column_must_not_go_back(before: dict[str, Any], after: dict[str, Any], said: str) -> None:
    found = [message for _code, _object, message, _severity in judge_rows.of_sequences(before, after)]
    assert len(found) == bool(said) and all(message.startswith(said) for message in found)
