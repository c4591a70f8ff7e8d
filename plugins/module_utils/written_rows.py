# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which statements of a timeline write rows of the project's own tables, by their text. Pure.

A driver counts the rows that a SELECT read as well, and Alembic notes every revision in a table of its own: neither is the migrations' work.
"""

from __future__ import annotations

import re
from typing import Any, Collection, Mapping

from ansible_collections.migrations.rehearsal.plugins.module_utils.names import DEFAULT_SCHEMA, object_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.statement_names import NAME, bare

_COMMENTS = r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_TABLE = re.compile(
    rf"{_COMMENTS}(?:insert\s+into|update(?:\s+only)?|delete\s+from(?:\s+only)?|merge\s+into(?:\s+only)?|copy)\s+({NAME})", re.I | re.S
)
# Rows that a query leaves in a new table, or that a statement after WITH writes.
_OTHERS = re.compile(
    rf"{_COMMENTS}(?:create\s+.*?\bas\b|select\b.*?\binto\s|with\b.*?\b(?:insert\s+into|update|delete\s+from|merge\s+into)\b)", re.I | re.S
)


def written_rows(event: Mapping[str, Any], own: Collection[str]) -> int:
    """Rows that a statement inserted, updated or deleted; 0 where it only read, or wrote in one of `own`, Alembic's tables."""
    rows = event.get("rows") or 0
    if not rows or is_bookkeeping(event, own):
        return 0
    sql = str(event.get("sql") or "")
    return int(rows) if _TABLE.match(sql) or _OTHERS.match(sql) else 0


def is_bookkeeping(event: Mapping[str, Any], own: Collection[str]) -> bool:
    """Alembic notes where it is. `own`: names of its tables, with their schema unless that is public."""
    found = _TABLE.match(str(event.get("sql") or ""))
    return found is not None and _called(found.group(1)) in own


def _called(name: str) -> str:
    parts = [bare(part) for part in re.findall(r'"(?:[^"]|"")+"|[^.\s]+', name)]
    return object_name(parts[-2] if len(parts) > 1 else DEFAULT_SCHEMA, parts[-1])
