# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry the backup from production to the controller, or from the controller to dev, over Ansible's own connections."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import files
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.rehearsal_directory import RehearsalDirectory
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.stage import StageAction


class ActionModule(StageAction):
    """The file goes through the connection's own file transfer: never through memory."""

    def perform(self, variables: dict[str, Any], directory: RehearsalDirectory | None) -> dict[str, Any]:
        """Fetch from, or send to, the task's host."""
        arguments = self._task.args
        local = os.path.abspath(arguments["local"])
        if self._play_context.check_mode:
            return {"changed": True, "path": local}
        if arguments["direction"] == "fetch":
            os.makedirs(os.path.dirname(local), mode=files.PRIVATE_DIRECTORY, exist_ok=True)
            self._connection.fetch_file(arguments["remote"], f"{local}.partial")
            os.chmod(f"{local}.partial", files.PRIVATE_FILE)
            os.replace(f"{local}.partial", local)
            return {"changed": True, "path": local, "bytes": os.path.getsize(local), "summary": f"{os.path.getsize(local) / 1e6:,.1f} MB fetched"}
        # The module makes and marks the work directory, so that the dump is in a place that clean-up and sweep know before it arrives.
        result: dict[str, Any] = self._execute_module(task_vars=variables)
        if result.get("failed"):
            return result
        self._connection.put_file(local, result["path"])
        size = os.path.getsize(local)
        os.unlink(local)
        return {**result, "bytes": size, "summary": f"{size / 1e6:,.1f} MB sent"}
