# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Note how the tasks went that an inventory adds to a rehearsal."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import format_time, parse_time, utc_now
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.rehearsal_directory import RehearsalDirectory

# Smoke tests measure the migrated copy: that they fail speaks against the migrations. The others come before anything is migrated.
CODES = {"after_restore": "hook-failed", "before_upgrade": "hook-failed", "after_upgrade": "smoke-test-failed"}
STAGES = {moment: moment.replace("_", " ") + " tasks" for moment in CODES}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller alone. Of the failure it takes the task's name and not its message, which may hold what is in the rows."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """For V(begun) the time; for V(done) and V(failed) the stage is noted."""
        super().run(tmp, task_vars)
        moment, file, state = (str(self._task.args[name]) for name in ("moment", "file", "state"))
        if state == "begun":
            return {"changed": False, "started": format_time(utc_now())}
        variables = task_vars or {}
        host = str(variables.get("inventory_hostname"))
        started = str(self._task.args["started"])
        note: dict[str, Any] = {
            "name": STAGES[moment],
            "host": host,
            "status": "ok" if state == "done" else "failed",
            "started_at": started,
            "seconds": max(0.0, (utc_now() - parse_time(started)).total_seconds()),
        }
        result: dict[str, Any] = {"changed": False, "failed": state == "failed", "host": host}
        if state == "failed":
            message = f"task «{self._task.args.get('task') or 'without a name'}» of rehearsal_{moment}_tasks ({file}) failed on {host}"
            note["error"] = result["msg"] = message
            note["findings"] = result["findings"] = [{"code": CODES[moment], "object": file, "message": message}]
        else:
            note["summary"] = result["summary"] = f"the tasks of {file} went well"
        directory = dict(self._templar.template(variables.get("__rehearsal") or {})).get("directory")
        if directory:
            RehearsalDirectory(directory).add_stage(note)
        return result
