# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the verdict of a rehearsal, and end red unless it is GO."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.migrations.rehearsal.plugins.module_utils import files, report_text, reports, words
from ansible_collections.migrations.rehearsal.plugins.module_utils.verdict import GO, GO_WITH_WARNINGS
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.rehearsal_directory import RehearsalDirectory

_COLORS = {GO: "green", GO_WITH_WARNINGS: "yellow"}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller alone. Printed as it is: a result's message would be shown escaped, and only where it failed."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The result says in one line what the block says in full."""
        super().run(tmp, task_vars)
        directory = RehearsalDirectory(self._task.args["directory"])
        record = files.read_json(directory.file(reports.RECORD))
        language = str(self._task.args.get("language") or words.ENGLISH)
        report = directory.file(reports.for_people(reports.beside(directory.path)))
        Display().display(report_text.verdict_block(record, report, language), color=_COLORS.get(record["verdict"], "red"))
        blockers = [finding for finding in record["findings"] if finding["severity"] == "blocker"]
        message = f"{record['verdict']}: " + (f"{blockers[0]['code']}: {blockers[0]['message']}" if blockers else f"see {report}")
        return {
            "changed": False,
            "failed": record["verdict"] not in _COLORS,
            "msg": message,
            "verdict": record["verdict"],
            "report": report,
        }
