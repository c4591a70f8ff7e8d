"""The documents say what the code says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

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
