"""Which program compresses rows, which parts a table is read in, and what the manifest keeps of them."""

from __future__ import annotations

import json
import threading

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.large_tables import Table
from ansible_collections.migrations.rehearsal.plugins.module_utils.preflight import row_form
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.row_files import RowFile, TableRows, choose, parts, programs
from ansible_collections.migrations.rehearsal.plugins.module_utils.together import Together

MB = 1 << 20
# What both sides have where both are this machine.
PROGRAM = choose(programs(), programs())


def table(size: int, pages: int) -> Table:
    return Table(16385, "public", "orders", size, pages, ("id", "note"), True, (16390,), (16391,))


@pytest.mark.parametrize(
    ("written", "read", "chosen"),
    [
        (["zstd", "gzip"], ["zstd", "gzip"], "zstd"),
        (["gzip", "zstd"], ["zstd"], "zstd"),
        (["zstd", "gzip"], ["gzip"], "gzip"),
        (["zstd"], ["gzip"], ""),
        ([], ["zstd"], ""),
    ],
)
def test_both_sides_have_to_have_the_program(written: list[str], read: list[str], chosen: str) -> None:
    assert choose(written, read) == chosen


def test_parts_cover_every_page_once_and_the_last_has_no_end() -> None:
    found = parts(table(1200 * MB, 150_000), 150000)
    assert len(found) == 9
    assert found[0] is not None and found[0][0] == 0 and found[-1] is not None and found[-1][1] is None
    for one, after in zip(found, found[1:], strict=False):
        assert one is not None and after is not None and one[1] == after[0] and one[0] < after[0]


@pytest.mark.parametrize(
    ("size", "pages", "version", "count"),
    [
        (200 * MB, 25_000, 150000, 1),
        (256 * MB, 32_000, 150000, 2),
        (256 * MB, 32_000, 130000, 1),
        # Nearly all of it is stored out of line.
        (1000 * MB, 3, 150000, 3),
        (1 << 40, 1 << 27, 150000, 64),
        (1 << 40, 0, 150000, 1),
    ],
)
def test_a_table_is_parted_by_its_size_where_the_server_finds_a_part_quickly(size: int, pages: int, version: int, count: int) -> None:
    found = parts(table(size, pages), version)
    assert len(found) == count
    assert (found == [None]) == (count == 1)


def test_the_manifest_keeps_all_that_the_restore_needs() -> None:
    rows = TableRows(table(5, 1), "zstd", True, (RowFile("rows/16385-0.zst", 21), RowFile("rows/16385-1.zst", 99)))
    assert TableRows.from_json(json.loads(json.dumps(rows.to_json()))) == rows


class Endless:
    """Ends when it is told to."""

    def __init__(self) -> None:
        self.told = threading.Event()

    def wait(self, deadline_s: float) -> None:
        assert self.told.wait(deadline_s)
        raise RuntimeError("it was stopped")

    def stop(self) -> None:
        self.told.set()


def test_the_first_failure_ends_the_others_and_is_told() -> None:
    together, running, begun = Together(30.0), Endless(), []

    def work(item: int) -> None:
        begun.append(item)
        if item == 0:
            together.run(running)
        raise ValueError("the first")

    with pytest.raises((ValueError, RuntimeError)) as error:
        together.each(range(5), work, 2)
    assert str(together.first(error.value)) == "the first"
    assert running.told.is_set() and together.halted and sorted(begun) == [0, 1]


def test_nothing_new_runs_after_a_failure() -> None:
    together = Together(30.0)
    together.halt()
    with pytest.raises(RuntimeError, match="it was stopped"):
        together.run(Endless())
    with pytest.raises(ToolFailed, match="it was stopped"):
        together.each([1], lambda _item: pytest.fail("it was begun"), 1)


@pytest.mark.parametrize(("keep", "program"), [("none", PROGRAM), ("template", PROGRAM), ("backup", "")])
def test_a_backup_that_is_kept_is_left_to_pg_dump(keep: str, program: str) -> None:
    assert row_form({"pg_dump": {"programs": programs()}}, 17, keep) == {"program": program, "major": 17}


def test_a_production_that_was_not_looked_at_has_no_program() -> None:
    assert row_form({}, 17, "none")["program"] == ""
