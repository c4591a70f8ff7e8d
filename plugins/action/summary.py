# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print one line for each database that was rehearsed, and say in few words what a workflow needs to know."""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.migrations.rehearsal.plugins.module_utils import files, report_text, reports, words, workflow_stats
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.rehearsal_directory import RehearsalDirectory


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller alone."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The verdicts by rehearsal id; a table where there are several."""
        super().run(tmp, task_vars)
        hosts = [str(host) for host in self._task.args.get("hosts") or []]
        directories = [RehearsalDirectory(directory) for directory in self._task.args["directories"] if directory]
        directories = [directory for directory in directories if os.path.exists(directory.file(reports.RECORD))]
        records = [files.read_json(directory.file(reports.RECORD)) for directory in directories]
        if records and max(len(records), len(hosts)) > 1:
            missing = workflow_stats.missing(records, hosts)
            Display().display(report_text.summary_table(records, str(self._task.args.get("language") or words.ENGLISH), missing))
        rehearsed = [{"record": record, "report": self._report(directory)} for record, directory in zip(records, directories, strict=True)]
        return {
            "changed": False,
            "verdicts": {record["id"]: record["verdict"] for record in records},
            "stats": workflow_stats.stats(rehearsed, hosts),
        }

    @staticmethod
    def _report(directory: RehearsalDirectory) -> str:
        return directory.file(reports.for_people(reports.beside(directory.path)))
