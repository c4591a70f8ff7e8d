# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comment on a database by which a copy is known."""

from __future__ import annotations

from typing import Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session, quote_literal


def read_marker(session: Session, database: str) -> Optional[Marker]:
    """The marker of a database on the session's server; None if it has none. PostgresError if there is no such database."""
    return Marker.from_text(session.value(f"SELECT {comment_of(database)} AS comment"))


def comment_of(database: str) -> str:
    """SQL for the comment on a database; NULL where it has none."""
    return f"(SELECT pg_catalog.shobj_description(d.oid, 'pg_database') FROM pg_catalog.pg_database d WHERE d.datname = {quote_literal(database)})"
