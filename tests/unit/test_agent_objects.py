"""How tables and indexes before a run are held against those after it."""

from __future__ import annotations

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_database import LARGE_BYTES, ObjectRow, compare_objects
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge_timeline import sizes
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Budgets
from ansible_collections.migrations.rehearsal.plugins.module_utils.timeline_summary import summarise


def table(size: int | None) -> list[ObjectRow]:
    return [("table", "billing", "t", "billing", "t", True, size)]


@pytest.mark.parametrize(
    ("before", "after", "told", "changed"),
    [
        (table(8192), table(8192), [], 0),
        (table(8192), table(16384), [{"before": 8192, "after": 16384}], 1),
        ([], table(8192), [{"before": None, "after": 8192}], 1),
        (table(8192), [], [{"before": 8192, "after": None}], 1),
        # A large one is told all the same: nothing else says that it is large.
        (table(LARGE_BYTES), table(LARGE_BYTES), [{"before": LARGE_BYTES, "after": LARGE_BYTES}], 0),
        (table(LARGE_BYTES - 1), table(LARGE_BYTES - 1), [], 0),
        # One whose size could not be asked is not gone.
        (table(8192), table(None), [{"before": 8192, "after": None, "held": True}], 0),
    ],
)
def test_sizes(before: list[ObjectRow], after: list[ObjectRow], told: list[dict[str, object]], changed: int) -> None:
    event = {"event": "objects", "t": 1.0, **compare_objects(before, after)}
    assert event["sizes"] == [{"relation": "billing.t", **size} for size in told]
    assert len(summarise([event])["objects"]["sizes"]) == changed


def test_a_large_table_that_did_not_change_is_not_small() -> None:
    event = {"event": "objects", "t": 1.0, **compare_objects(table(5_000_000_000), table(5_000_000_000))}
    assert not sizes([event], {"billing.t": 10}).is_small("billing.t", Budgets())
