# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry the backup from production to the controller, or from the controller to dev, over Ansible's own connections."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.plugin_utils import carry
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.carry import Terms
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.rehearsal_directory import RehearsalDirectory
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.stage import StageAction


class ActionModule(StageAction):
    """The file goes through pipes on the controller: never through memory, and as the user that the task becomes."""

    def perform(self, variables: dict[str, Any], directory: RehearsalDirectory | None) -> dict[str, Any]:
        """Fetch from, or send to, the task's host."""
        arguments = self._task.args
        if arguments["direction"] == "push":
            self.progress_side = "production"
        if arguments["direction"] in ("receive", "push"):
            return super().perform(variables, directory)
        local = os.path.abspath(arguments["local"])
        host = self.target_host(variables)
        if self._play_context.check_mode:
            return {"changed": True, "path": local}
        terms = Terms(limit=float(arguments.get("limit") or 0) * 1e6)
        if arguments["direction"] == "fetch":
            resumed = carry.fetch(self, arguments["remote"], local, int(arguments["bytes"]), self.teller(variables, f"{host} → controller"), terms)
            return self._told({"changed": True, "path": local, "bytes": os.path.getsize(local)}, "fetched", resumed)
        # The module makes and marks the work directory, so that the dump is in a place that clean-up and sweep know before it arrives.
        result: dict[str, Any] = self._execute_module(task_vars=variables)
        if result.get("failed"):
            return result
        size = os.path.getsize(local)
        resumed = carry.send(self, local, result["path"], self.teller(variables, f"controller → {host}"), terms)
        os.unlink(local)
        return self._told({**result, "bytes": size}, "sent", resumed)

    @staticmethod
    def _told(result: dict[str, Any], done: str, resumed: int) -> dict[str, Any]:
        again = f", resumed {resumed} times" if resumed else ""
        return {**result, "resumed": resumed, "summary": f"{result['bytes'] / 1e6:,.1f} MB {done}{again}"}
