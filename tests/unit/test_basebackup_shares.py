"""Each large file of a physical copy is checked by exactly one of the programs that share them."""

from __future__ import annotations

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import basebackup_proof

MIB = 1 << 20


def test_they_have_about_as_much_to_read_each() -> None:
    sizes = {"a": 1024 * MIB, "b": 500 * MIB, "c": 400 * MIB, "d": 100 * MIB, "small": MIB, "": 900 * MIB}
    assert basebackup_proof.shares(sizes, 2) == [["a"], ["b", "c", "d"]]
    assert basebackup_proof.shares(sizes, 1) == [["a", "b", "c", "d"]]


def test_no_more_programs_than_files(monkeypatch: pytest.MonkeyPatch) -> None:
    assert basebackup_proof.shares({"a": 64 * MIB}, 4) == [["a"]]
    assert basebackup_proof.shares({"small": MIB}, 4) == [[]]
    # What no argument is left for is checked by all of them.
    monkeypatch.setattr(basebackup_proof, "_MOST_SHARED", 2)
    assert basebackup_proof.shares({"a": 64 * MIB, "b": 32 * MIB, "c": 16 * MIB}, 2) == [["a"], ["b"]]
