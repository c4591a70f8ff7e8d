# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a setting of PostgreSQL is written in a statement: what the catalog holds of it is another form."""

from __future__ import annotations

import re
from typing import List

from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import quote_identifier, quote_literal

# Settings whose value is a list of names, quoted where they need it; every other one is a single literal (pg_dump's variable_is_guc_list_quote).
_LIST_SETTINGS = frozenset(
    ["local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries", "temp_tablespaces", "unix_socket_directories"]
)
_LIST_ITEM = re.compile(r'"((?:[^"]|"")*)"|([^",\s][^",]*)')


def setting_clause(name: str, value: str) -> str:
    """What follows SET: `search_path = '$user', 'public'`."""
    rendered = ", ".join(map(quote_literal, list_items(value))) if name in _LIST_SETTINGS else quote_literal(value)
    return f"{'.'.join(quote_identifier(part) for part in name.split('.'))} = {rendered or quote_literal('')}"


def list_items(value: str) -> List[str]:
    """The names in a list as the catalog holds it: `"$user", public` → `$user`, `public`; an empty name stands for an empty list."""
    return [bare or quoted.replace('""', '"') for quoted, bare in _LIST_ITEM.findall(value)]
