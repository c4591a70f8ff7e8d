# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print one line for each database that was rehearsed."""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.migrations.rehearsal.plugins.module_utils import files, report_text, words
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.rehearsal_directory import RehearsalDirectory


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller alone."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The verdicts by rehearsal id."""
        super().run(tmp, task_vars)
        paths = [RehearsalDirectory(directory).file("record.json") for directory in self._task.args["directories"]]
        records = [files.read_json(path) for path in paths if os.path.exists(path)]
        if records:
            Display().display(report_text.summary_table(records, str(self._task.args.get("language") or words.ENGLISH)))
        return {"changed": False, "verdicts": {record["id"]: record["verdict"] for record in records}}
