"""Files that are whole or not there."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import files


def test_a_document_is_written_in_sorted_order_and_private(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    value = {"b": [1, None, True], "a": {"ж": "é\\n\u2028"}}
    files.write_json(str(path), value)
    assert path.read_bytes() == (json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode()
    assert files.read_json(str(path)) == value and path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["x.json"]


def test_what_is_no_json_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    files.write_json(str(path), 1)
    with pytest.raises(TypeError):
        files.write_json(str(path), {"a": object()})
    assert files.read_json(str(path)) == 1


def test_a_large_document_is_not_held_in_memory_a_second_time(tmp_path: Path) -> None:
    value = {f"table {number}": {"columns": list(range(20))} for number in range(20_000)}
    path = tmp_path / "x.json"
    tracemalloc.start()
    try:
        files.write_json(str(path), value)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < path.stat().st_size / 2


def test_only_what_outlives_the_machine_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(files.os, "fsync", flushed.append)
    files.write_bytes(str(tmp_path / "a"), b"1", flush=False)
    files.write_json(str(tmp_path / "b"), 1, flush=False)
    assert flushed == [] and (tmp_path / "a").read_bytes() == b"1" and files.read_json(str(tmp_path / "b")) == 1
    files.write_bytes(str(tmp_path / "a"), b"2")
    files.write_json(str(tmp_path / "b"), 2)
    assert len(flushed) == 2 and sorted(one.name for one in tmp_path.iterdir()) == ["a", "b"]
