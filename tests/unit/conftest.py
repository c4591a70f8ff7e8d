"""Lets unit tests import the builders that lie beside them, and gives them records."""

from __future__ import annotations

import copy
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


@pytest.fixture(scope="session")
def kept_records() -> dict[str, Any]:
    # It lies beside this folder, and what is tested without it asks for none of these.
    import report_records

    return {"rich": report_records.rich(), "no_go": report_records.no_go(), "go": report_records.go()}


@pytest.fixture
def rich(kept_records: dict[str, Any]) -> dict[str, Any]:
    """The record of a rehearsal in which there is something of everything, to be altered at will."""
    return copy.deepcopy(kept_records["rich"])


@pytest.fixture
def no_go(kept_records: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(kept_records["no_go"])


@pytest.fixture
def go(kept_records: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(kept_records["go"])
