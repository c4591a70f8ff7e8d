"""Tests find their helpers by name alone: two of one name would be one module to a worker that runs tests of both."""

from __future__ import annotations

from collections import Counter
from pathlib import Path


def test_each_helper_has_a_name_of_its_own() -> None:
    names = Counter(path.name for path in Path(__file__).parents[1].rglob("*.py") if not path.name.startswith(("test_", "conftest")))
    assert [name for name, times in names.items() if times > 1] == []
