"""No line is longer than Ansible allows in a collection. Ruff lets a line without a space pass, whatever its length; ansible-test does not."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
# In characters: the limit of ansible-test's pep8, https://docs.ansible.com/ansible/latest/dev_guide/testing/sanity/pep8.html
LONGEST = 160


def test_no_line_is_too_long() -> None:
    sources = [path for part in ("examples", "extensions", "plugins", "src", "tests/unit") for path in sorted((ROOT / part).rglob("*.py"))]
    assert sources
    long = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > LONGEST
    ]
    assert long == []
