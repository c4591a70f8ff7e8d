"""Equal statements are told one by one up to a number, and by their sum from there on, whatever stands between them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import agent_folding
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_folding import TOLD_ALONE, Folding
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_sql import read_text


class Told:
    """What was emitted, in place of a channel."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def emit_soon(self, _event: str, **fields: Any) -> None:
        self.events.append(fields)


def told(statements: list[tuple[str, int]], **of_all: Any) -> list[tuple[str, int]]:
    """(SQL, calls) as it is told of (SQL, line)."""
    channel: Any = Told()
    folding = Folding(channel)
    for number, (sql, line) in enumerate(statements):
        event = {"revision": "a", "connection": 1, "line": line, "autocommit": False, "t0": number, "t1": number + 1, "rows": 1, "locks": []}
        folding.tell({**event, "sql": sql, **of_all}, read_text(sql))
    folding.flush()
    return [(event["sql"], event.get("calls", 1)) for event in channel.events]


def updates(count: int, line: int = 7, table: str = "t") -> list[tuple[str, int]]:
    return [(f"UPDATE {table} SET n = {number}", line) for number in range(count)]


def test_a_long_row_is_told_by_its_sum() -> None:
    found = told(updates(TOLD_ALONE + 30))
    assert [calls for _sql, calls in found] == [1] * TOLD_ALONE + [30]
    assert found[-1][0] == f"UPDATE t SET n = {TOLD_ALONE}"


@pytest.mark.parametrize("count", [1, 2, TOLD_ALONE])
def test_few_are_told_alone(count: int) -> None:
    assert [calls for _sql, calls in told(updates(count))] == [1] * count


def test_what_differs_is_counted_apart() -> None:
    """By shape and by the line that asks."""
    mixed = [one for pair in zip(updates(TOLD_ALONE + 10), updates(TOLD_ALONE + 10, table="other"), strict=True) for one in pair]
    assert [calls for _sql, calls in told(mixed)] == [1] * (2 * TOLD_ALONE) + [10, 10]
    assert [calls for _sql, calls in told([*updates(TOLD_ALONE), *updates(TOLD_ALONE, line=8)])] == [1] * (2 * TOLD_ALONE)


def test_what_acts_is_told_alone() -> None:
    assert len(told([("CREATE TABLE t ()", 7)] * (TOLD_ALONE + 30))) == TOLD_ALONE + 30
    assert len(told(updates(TOLD_ALONE + 30), locks=[{"relation": "t"}])) == TOLD_ALONE + 30


def test_what_is_remembered_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_folding, "_MOST_SHAPES", 3)
    channel: Any = Told()
    folding = Folding(channel)
    for line in range(20):
        for sql, _line in [*updates(2, table=f"a{line}"), *updates(2, table=f"b{line}")]:
            event = {"revision": "a", "connection": 1, "line": line, "autocommit": False, "t0": 0, "t1": 1, "rows": 1, "locks": []}
            folding.tell({**event, "sql": sql}, read_text(sql))
    assert len(folding._first) <= 3 and len(folding._told) <= 3 and len(channel.events) == 80
