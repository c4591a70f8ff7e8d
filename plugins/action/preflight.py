# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs M(migrations.rehearsal.preflight) as a stage of the rehearsal; looks at the room on the controller, too."""

from __future__ import annotations

from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import disk, preflight
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.rehearsal_directory import RehearsalDirectory
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.stage import StageAction


class ActionModule(StageAction):
    """What a backup needs where it is carried through is known once production was looked at."""

    def perform(self, variables: dict[str, Any], directory: RehearsalDirectory | None) -> dict[str, Any]:
        """The module; then the controller's disk."""
        result = super().perform(variables, directory)
        add_problems(result, controller_problems(self._task.args, result.get("facts") or {}))
        return result


def controller_problems(arguments: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    """What is missing of the room on the controller, in one sentence, or nothing. `facts`: of production."""
    where, source = arguments.get("controller_dir"), arguments.get("source")
    carried = arguments.get("side") == "production" and arguments.get("transfer", "controller") in ("controller", "stream")
    if not where or not carried or source in ("file", "template") or (arguments.get("pulled") and source == "basebackup"):
        return []
    needed = (facts.get("basebackup") or {}).get("bytes") if source == "basebackup" else facts.get("dump_bytes")
    return preflight.disk_problem(disk.free_here(where), where, int(needed or 0), "controller", "the backup on its way to dev")


def add_problems(result: dict[str, Any], problems: list[str]) -> None:
    """Tell them as if the module had found them."""
    if not problems:
        return
    told = [*(result.get("problems") or []), *problems]
    findings = preflight.Preflight(problems).findings()
    result.update(failed=True, problems=told, msg="\n".join(filter(None, [str(result.get("msg") or ""), *problems])))
    result["findings"] = [*(result.get("findings") or []), *findings]
    for evidence in (result.get("evidence") or {}).values():
        evidence["problems"] = told
