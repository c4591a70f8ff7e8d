"""One version, wherever it is written."""

from __future__ import annotations

from pathlib import Path

import yaml

import migration_rehearsal

ROOT = Path(__file__).parents[2]


def test_the_collection_and_the_command_have_the_same_version() -> None:
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"] == migration_rehearsal.__version__
