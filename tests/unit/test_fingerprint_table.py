"""What a table's fingerprint asks, and what it makes of the answers."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint_table import Job, added_up
from ansible_collections.migrations.rehearsal.plugins.module_utils.hash_sql import ColumnType
from ansible_collections.migrations.rehearsal.plugins.module_utils.relations import Column, Relation
from hypothesis import given
from hypothesis import strategies as st

_INTEGER = ColumnType(("pg_catalog", "int4"), "pg_catalog.int4out")
_OWN = ColumnType(("public", "mine"), "public.mine_out")


def job(*kinds: ColumnType, size: int = 8192, name: str = "t", declared: Any = None) -> Job:
    columns = tuple(Column(f"c{number}", "any", kind, False, True, number + 1) for number, kind in enumerate(kinds))
    return Job(Relation(name, f"{name} AS t", columns, None, size, ["1:1"]), declared or {}, (), None, None, "full")


@given(st.integers(-(1 << 90), 1 << 90).filter(bool), st.integers(1, 10**13))
def test_the_sum_and_the_average_tell_how_many_there_are(total: int, number: int) -> None:
    with localcontext() as context:
        # As PostgreSQL divides: 16 digits that count, at least.
        context.prec = 16
        average = Decimal(total) / Decimal(number)
    assert added_up(str(total), f"{average:f}") == number


@pytest.mark.parametrize(("total", "average", "number"), [(None, None, 0), ("0", "0.00000000000000000000", None), ("10", "4", None)])
def test_where_they_do_not_tell_nothing_is_made_up(total: Any, average: Any, number: Any) -> None:
    assert added_up(total, average) == number


def test_values_are_counted_where_their_hashes_add_up_to_nothing() -> None:
    asking = job(_INTEGER, _INTEGER).questions()
    first = next(asking)
    assert first.values[2].startswith("avg(") and first.values[4].startswith("avg(")
    # rows, old rows, then number and sum of each column, then the sum of whole rows.
    counted = asking.send(["3", None, "0.0", "0", "-4", "-8", "9"])
    assert counted.values == ('count(t."c0")',)
    with pytest.raises(StopIteration) as end:
        asking.send(["2"])
    assert {name: column["non_null"] for name, column in end.value.value["columns"].items()} == {"c0": 2, "c1": 2}
    assert [column["hash"] for column in end.value.value["columns"].values()] == ["0", "-8"]


def test_values_of_a_type_of_ones_own_are_counted() -> None:
    """Its output function need not be strict: a NULL could have a text, and that a hash."""
    asking = job(_OWN).questions()
    assert next(asking).values[2] == 'count(t."c0")'
    with pytest.raises(StopIteration) as end:
        asking.send(["3", None, "2", "77", "9"])
    assert end.value.value["columns"]["c0"]["non_null"] == 2


def test_large_tables_are_read_alone_and_first() -> None:
    jobs = [job(_INTEGER, size=size, name=f"t{size}") for size in (5, 1 << 30, 1 << 40, *range(100, 160))]
    jobs.append(job(_INTEGER, size=7, name="declared", declared={"declared.c0": "old"}))
    found = [[one.relation.name for one in batch] for batch in fingerprint.batches(jobs)]
    assert found[:3] == [[f"t{1 << 40}"], [f"t{1 << 30}"], ["declared"]]
    assert [len(batch) for batch in found[3:]] == [40, 21]
