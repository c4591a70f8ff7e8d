"""Lets unit tests import the builders that lie beside them."""

from __future__ import annotations

import sys
from pathlib import Path

# Test files are imported by path (import-mode=importlib), which leaves their folder out of the search path.
sys.path.insert(0, str(Path(__file__).parent))

from typing import Any  # noqa: E402

import pytest  # noqa: E402


@pytest.fixture
def record() -> dict[str, Any]:
    """The record of a small rehearsal that is GO, of database shop on prod1."""
    import evidence_builder
    from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge

    return judge(evidence_builder.good(), lambda *_arguments: [])
