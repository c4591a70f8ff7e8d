# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy that was made from the template that an earlier rehearsal had kept: is it what that rehearsal began with? Pure."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import data_diff, schema_diff
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import Evidence
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import text

# The evidence that the rehearsal took over, as `Evidence.kept` has it.
FILES = ("template", "snapshot", "fingerprint")


def made_from_it(evidence: Evidence) -> bool:
    """Whether this rehearsal began with a kept template."""
    return bool((evidence.context.get("origin") or {}).get("source") == "template")


def differences(evidence: Evidence) -> Iterator[Tuple[str, str]]:
    """(object, message) for everything in which the copy is not what the template was made of, as far as both were measured."""
    snapshots = evidence.kept.get("snapshot"), evidence.snapshots.get("before")
    if snapshots[0] is not None and snapshots[1] is not None:
        for change in schema_diff.diff(snapshots[0], snapshots[1]):
            yield change.object, text("{change}, since the template was kept", change=change.text)
    prints = evidence.kept.get("fingerprint"), evidence.fingerprints.get("before")
    if prints[0] is not None and prints[1] is not None:
        yield from _values(prints[0], prints[1])


def _values(kept: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Tuple[str, str]]:
    if "counts" not in (kept["proof"], now["proof"]):
        for change in data_diff.compare(kept, now):
            yield change.object, text("{change}, since the template was kept", change=change.text)
        return
    for name, table in kept["tables"].items():
        rows = now["tables"].get(name, {}).get("rows", table["rows"])
        if rows != table["rows"]:
            yield (
                name,
                text("{table}: {rows:count row|rows}, and {before:number} when the template was kept", table=name, rows=rows, before=table["rows"]),
            )


def record_of(evidence: Evidence) -> Optional[Dict[str, Any]]:
    """What the record says of the template; None where the copy came from a backup."""
    kept = evidence.kept.get("template")
    if not made_from_it(evidence) or kept is None:
        return None
    there = {"directory": kept["directory"]} if kept.get("directory") else {}
    return {"id": kept["id"], "database": kept["database"], **there, "expires": kept["expires"], "taken_at": kept["taken_at"]}
