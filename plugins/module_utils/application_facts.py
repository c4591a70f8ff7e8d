# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent tells of an application before the first revision runs: its Python, its heads, where the copy stands and what is pending on it."""

from __future__ import annotations

from typing import Any, Dict, Iterable

from ansible_collections.migrations.rehearsal.plugins.module_utils.application_masking import Event

FILE = "application.json"


def facts_of(events: Iterable[Event], target: str) -> Dict[str, Any]:
    """The content of `application.json`. Where `env.py` runs migrations several times, the last one tells."""
    last = {event["event"]: event for event in events}
    hello, script, current = last.get("hello") or {}, last.get("script") or {}, last.get("current") or {}
    return {
        **{key: hello.get(key) for key in ("python", "alembic", "sqlalchemy", "open_ways")},
        "heads": script.get("heads", []),
        "target": target,
        "revisions": len(script.get("revisions", [])),
        "current": current.get("heads", []),
        "transaction_per_migration": current.get("transaction_per_migration"),
        "pending": (last.get("plan") or {}).get("steps", []),
    }
