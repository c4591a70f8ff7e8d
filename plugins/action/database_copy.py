# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs M(migrations.rehearsal.database_copy) as a stage of the rehearsal."""

from __future__ import annotations

from typing import Any

from ansible_collections.migrations.rehearsal.plugins.plugin_utils.rehearsal_directory import RehearsalDirectory
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.stage import StageAction


class ActionModule(StageAction):
    """Shows how much has been restored."""

    progress_side = "dev"

    def perform(self, variables: dict[str, Any], directory: RehearsalDirectory | None) -> dict[str, Any]:
        """Where no backup has been carried to dev, nothing has run in the work directory there yet."""
        self.code_is_kept = bool(self._task.args.get("archive")) or self._task.args.get("state", "present") != "present"
        return super().perform(variables, directory)
