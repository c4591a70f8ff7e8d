# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of the agent that did not succeed means: its finding."""

from __future__ import annotations

from typing import Any, Dict, List

from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Outcome

# Kinds of error that are the project's own state, whatever was asked of it.
_OWN_CODES = {"RevisionUnknown": "revision-unknown", "MultipleHeads": "multiple-heads"}
# What an error means that came while a revision was running, by the run.
RUN_CODES = {"upgrade": "migration-failed", "downgrade": "downgrade-failed", "again": "again-failed"}


def findings_of(outcome: Outcome, run: str, facts: str = "") -> List[Dict[str, Any]]:
    """[] if it succeeded. `run` is "info", "current", "upgrade", "downgrade" or "again"; `facts` is what the copy says about the failure."""
    if outcome.succeeded:
        return []
    if outcome.fence:
        return [_fence(outcome.fence)]
    error = outcome.error or {"kind": "ProcessEnded", "message": f"the application's process ended with exit code {outcome.exit_code}"}
    code = _OWN_CODES.get(error["kind"])
    if code is None:
        code = "preflight" if run == "info" else RUN_CODES.get(run, "application-failed")
        if run == "upgrade" and outcome.last("plan") is None:
            # It did not come as far as its revisions.
            code = "application-failed"
    return [{"code": code, "object": error.get("revision") or "", "message": error_text(error) + (f" · on the copy: {facts}" if facts else "")}]


def error_text(error: Dict[str, Any]) -> str:
    """An error event in one line: what, which revision, which statement, where."""
    parts = [f"{error['kind']}: {error['message']}"]
    if error.get("sqlstate"):
        parts.append(f"SQLSTATE {error['sqlstate']}")
    if error.get("revision"):
        parts.append(f"revision {error['revision']}")
    if error.get("file"):
        parts.append(f"{error['file']}:{error.get('line', '?')}")
    if error.get("statement"):
        parts.append(f"statement: {error['statement']}")
    return " · ".join(parts)


def _fence(fence: Dict[str, Any]) -> Dict[str, Any]:
    address = fence.get("address") or {}
    database = address.get("database") or "(unknown)"
    host = address.get("host") or "local socket"
    port = f":{address['port']}" if address.get("port") else ""
    message = (
        f"Alembic went for database {database} on {host}{port} ({fence.get('reason', 'not the copy')}) and was stopped before its first statement"
    )
    if fence.get("suspects"):
        message += "; most likely because " + "; ".join(fence["suspects"])
    return {"code": "fence", "object": database, "message": message}
