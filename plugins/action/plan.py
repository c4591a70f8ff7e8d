# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what a rehearsal would do, and do nothing."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import plan_text


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller alone. Printed as it is: a result's message would be shown escaped."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The result has the same text."""
        super().run(tmp, task_vars)
        given = self._task.args
        known = given.get("pending")
        plan = plan_text.Plan(
            rehearsal=given["rehearsal"],
            source=given["source"],
            production=given.get("production") or {},
            dev=given.get("dev") or {},
            pending=list(known) if isinstance(known, list) else None,
            heads=list(given.get("heads") or []),
            transfer=given.get("transfer") or "controller",
            jobs=int(given.get("jobs") or 2),
            data_proof=given.get("data_proof") or "full",
        )
        text = plan_text.text(plan)
        Display().display(f"\n{text}\n")
        return {"changed": False, "text": text}
