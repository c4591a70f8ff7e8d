# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the copy is, as an application is told it. Apart from what makes the copy, so that the controller need not load that to know it."""

from __future__ import annotations

from typing import Any, Mapping
from urllib.parse import quote


def address(database: str, postgres: Mapping[str, Any]) -> str:
    """A database's URL after the scheme, so that it fits every driver: `user@/name?host=/run/postgresql&port=5432`. Never with a password."""
    user = f"{quote(str(postgres['user']), safe='')}@" if postgres.get("user") else ""
    query = "&".join(f"{name}={quote(str(postgres[name]), safe='')}" for name in ("host", "port") if postgres.get(name))
    return f"{user}/{quote(database, safe='')}{f'?{query}' if query else ''}"
