"""Documents that are much alike take the memory of one, and are what they would be otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import evidence_files, files, shared_json
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import MOMENTS
from ansible_collections.migrations.rehearsal.plugins.module_utils.shared_json import Shared
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

# Few of each, so that many are equal, and those among them that are equal to Python alone.
_scalars = st.sampled_from([None, True, False, 0, 1, 1.0, 0.0, -17, 1e300, 12345678901234567890, "", "a", "ж", '"', "\\", "]", "}", "1"])
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "{", "ж"]), inner, max_size=3), max_leaves=25
)


@pytest.fixture(params=[1, 3, 1 << 16])
def characters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much is read at a time."""
    monkeypatch.setattr(shared_json, "_CHARACTERS", request.param)


@pytest.mark.usefixtures("characters")
@given(documents=st.lists(_values, min_size=1, max_size=3), indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
@example([{"a": True, "b": [1]}, {"a": 1, "b": [True]}, {"a": 1.0, "b": [1.0]}], 1, False)
@example([{"a": {"a": {"a": 12}}}, 12, -1.5, "12"], None, False)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_read_is_what_was_written(tmp_path: Path, documents: list[Any], indent: int | None, ascii_only: bool) -> None:
    shared = Shared()
    for number, document in enumerate(documents):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(document, indent=indent, ensure_ascii=ascii_only) + "\n", encoding="utf-8")
    # All of them first: what is read later must not change what was read before.
    read = [shared.read(str(tmp_path / f"{number}.json")) for number in range(len(documents))]
    # As text, for 1 and True are equal.
    assert [json.dumps(one) for one in read] == [json.dumps(one) for one in documents]


def test_what_is_equal_is_there_once(tmp_path: Path) -> None:
    column = {"type": "bigint", "nullable": False, "grants": {"reader": ["SELECT"]}}
    snapshot = {"tables": {name: {"name": name, "columns": {"id": column, name: column}, "key": ["id"]} for name in ("a", "b")}}
    for moment in ("before", "after"):
        (tmp_path / moment).write_text(json.dumps(snapshot), encoding="utf-8")
    shared = Shared()
    before, after = (shared.read(str(tmp_path / moment))["tables"] for moment in ("before", "after"))
    assert before["a"] is after["a"] and before["b"] is after["b"] and before["a"] is not before["b"]
    assert before["a"]["columns"]["id"] is before["b"]["columns"]["b"]
    assert before["a"]["key"] is after["b"]["key"]
    assert list(before["a"]["columns"])[1] is after["a"]["name"], "texts and names of entries too"


@pytest.mark.usefixtures("characters")
@pytest.mark.parametrize(
    "text",
    ["", " ", "{", '{"a"', '{"a": 1', '{"a": 1,}', '{"a": {"b": 1 "c": 2}}', "{1: 2}", '{"a" 1}', "{} {}", "[1, 2", "nul", '{"a": {"b": [}}', "1 2"],
)
def test_what_is_no_json_is_refused_as_everywhere(tmp_path: Path, text: str) -> None:
    path = tmp_path / "damaged.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError) as otherwise:
        json.loads(text)
    with pytest.raises(ValueError) as refused:
        Shared().read(str(path))
    assert str(refused.value) == str(otherwise.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "damaged.json"
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ValueError):
        Shared().read(str(path))


def test_the_evidence_of_four_moments_is_hardly_more_than_that_of_one(tmp_path: Path) -> None:
    files.write_json(str(tmp_path / "context.json"), {"id": "x"})
    for moment in MOMENTS:
        files.write_json(str(tmp_path / f"snapshot-{moment}.json"), {"tables": {"a": {"columns": {"id": {"type": "bigint"}}}}})
        files.write_json(str(tmp_path / f"fingerprint-{moment}.json"), {"tables": {"a": {"rows": 1, "columns": {"id": {"hash": "17"}}}}})
    loaded = evidence_files.load(str(tmp_path))
    for kind in (loaded.snapshots, loaded.fingerprints):
        assert {id(kind[moment]["tables"]["a"]) for moment in MOMENTS} == {id(kind["before"]["tables"]["a"])}
