"""Every module describes all that it returns."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in ROOT.glob("plugins/modules/*.py"))
# Of every module of Ansible's; and what the action plugin takes out again.
NOT_DESCRIBED = {"changed", "failed", "msg", "exception", "evidence"}


def returned(module: str) -> set[str]:
    """The names that a module or its action plugin gives to what it returns, where they stand in the code."""
    found: set[str] = set()
    for folder in ("modules", "module_utils/stages", "action"):
        path = ROOT / "plugins" / folder / f"{module}.py"
        if not path.exists():
            continue
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("exit_json", "fail_json"):
                found |= {keyword.arg for keyword in node.keywords if keyword.arg}
            if isinstance(node, ast.ClassDef) and any(isinstance(base, ast.Name) and base.id == "StageAction" for base in node.bases):
                found.add("host")
    return found - NOT_DESCRIBED


@pytest.mark.parametrize("module", MODULES)
def test_what_a_module_returns_is_described(module: str) -> None:
    tree = ast.parse((ROOT / "plugins" / "modules" / f"{module}.py").read_text())
    (text,) = [
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "RETURN" and isinstance(node.value, ast.Constant)
    ]
    described = yaml.safe_load(str(text)) or {}
    assert returned(module) - set(described) == set()
    assert all(entry.get("description") and entry.get("returned") and entry.get("type") for entry in described.values())
