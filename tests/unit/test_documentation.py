"""The documents say what the code says."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def spoken() -> str:
    """Every text in the code, one a line, with … where a value is put in; and the messages of the playbooks and roles."""
    found = []
    for folder in ("plugins", "src"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            found += [_text(node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, (ast.Constant, ast.JoinedStr))]
    for folder in ("playbooks", "roles"):
        for path in sorted((ROOT / folder).rglob("*.yml")):
            found.append(re.sub(r"\{\{.*?\}\}", "…", " ".join(path.read_text().split())))
    return "\n".join(found)


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "…"


HEADINGS = re.findall(r"^### `(.+)`$", (DOCS / "troubleshooting.md").read_text(), re.MULTILINE)
SPOKEN = spoken()


@pytest.mark.parametrize("message", HEADINGS)
def test_each_message_is_one_of_the_code(message: str) -> None:
    # A … of the heading stands for whatever the code puts in, and for nothing that would join two messages.
    pattern = ".{1,60}?".join(re.escape(part.strip()) for part in message.split("…"))
    assert re.search(pattern, SPOKEN), message


def test_there_are_messages() -> None:
    assert len(HEADINGS) > 30 and len(set(HEADINGS)) == len(HEADINGS)


def test_every_document_is_in_the_site() -> None:
    def pages(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        return [page for part in (entry if isinstance(entry, list) else entry.values()) for page in pages(part)]  # type: ignore[attr-defined]

    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert sorted(pages(site["nav"])) == sorted(path.name for path in DOCS.glob("*.md"))


def table(path: Path) -> dict[str, list[str]]:
    """The first row of each variable in the tables of a page: its other cells."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if line.startswith("| `rehearsal_"):
            name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            found.setdefault(name.strip("`"), cells)
    return found


def roles() -> dict[str, dict[str, dict[str, Any]]]:
    """The options of each role's argument spec."""
    specs = {path.parts[-3]: yaml.safe_load(path.read_text())["argument_specs"]["main"] for path in ROOT.glob("roles/*/meta/argument_specs.yml")}
    return {role: spec.get("options") or {} for role, spec in specs.items()}


def plain(text: str) -> str:
    """Without marks, without links that only lead elsewhere, and of other links the words."""
    text = re.sub(r"\s*\(\[[^]]*\]\([^)]*\)\)|;\s*\[[^]]*\]\([^)]*\)(?=\))", "", text)
    return re.sub(r"[\s`]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", text))


@pytest.mark.parametrize("role", roles())
def test_a_role_s_variables_are_described_alike_everywhere(role: str) -> None:
    everywhere, here = table(DOCS / "variables.md"), table(ROOT / "roles" / role / "README.md")
    defaults_file = ROOT / "roles" / role / "defaults/main.yml"
    defaults = yaml.safe_load(defaults_file.read_text()) if defaults_file.exists() else {}
    options = roles()[role]
    assert set(here) == set(options), "its README has what its spec has"
    for name, option in options.items():
        assert plain(everywhere[name][-1]) == plain(option["description"]), name
        if name in defaults:
            assert defaults[name] == option["default"], name
    unspoken = {name for name in defaults if name not in options}
    assert unspoken <= {"rehearsal_copy_database", "rehearsal_copy_address", "rehearsal_copy_postgres"}


def test_every_variable_is_a_role_s() -> None:
    assert set(table(DOCS / "variables.md")) - {"rehearsal_copy_address", "rehearsal_copy_postgres"} == {
        name for spec in roles().values() for name in spec
    }


def test_a_variable_is_the_same_in_every_role() -> None:
    seen: dict[str, dict[str, Any]] = {}
    for role, spec in roles().items():
        for name, option in spec.items():
            assert seen.setdefault(name, option) == option, f"{name} of {role}"
