"""What an HTML report shows, as text: its parts, and the cells of their tables."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import html_parts
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import Speaker

SAY = Speaker()


def part(record: dict[str, Any], name: str) -> str:
    """The HTML of one part; empty where there is none."""
    return next((str(content) for called, _heading, content in html_parts.parts(record, SAY) if called == name), "")


def cells(html: str) -> list[list[str]]:
    """The texts of the first table's rows."""
    body = re.search("<tbody>(.*?)</tbody>", html, re.DOTALL)
    rows = re.findall("<tr>(.*?)</tr>", body[1] if body else "", re.DOTALL)
    return [[re.sub("<[^>]+>", " ", cell).strip() for cell in re.findall("<td[^>]*>(.*?)</td>", row, re.DOTALL)] for row in rows]
