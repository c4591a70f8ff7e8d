"""Programs that examine a collection and make an execution environment of it."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from playbook import ROOT

sys.path.insert(0, str(Path(__file__).parents[1]))
from application_venvs import venv_python  # noqa: E402


def collection_tools() -> Path:
    """The directory of the programs. One environment for all of them: they share most of what they need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return Path(venv_python(None, "galaxy-importer>=0.4.30", "ansible-builder>=3.1", *project["optional-dependencies"]["docs"])).parent
