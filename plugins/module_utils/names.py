# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What objects of a database are called in evidence, expectations and reports."""

from __future__ import annotations

import re

DEFAULT_SCHEMA = "public"


def _part(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if "." in name or '"' in name else name


def object_name(schema: str, name: str) -> str:
    """`shifts` for a relation in public, `billing.invoices` elsewhere."""
    return _part(name) if schema == DEFAULT_SCHEMA else f"{_part(schema)}.{_part(name)}"


def own_name(name: str) -> str:
    """The last part of an object name, as the catalog has it: `invoices` of billing.invoices."""
    found = re.search(r'"((?:[^"]|"")*)"$|[^."]*$', name)
    if found is None:
        raise AssertionError("the pattern fits every text")
    return found[1].replace('""', '"') if found[1] is not None else found[0]


def column_name(table: str, column: str) -> str:
    """`shifts.planned_start`; `table` is already an object name."""
    return f"{table}.{_part(column)}"
