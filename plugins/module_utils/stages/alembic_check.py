# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At the host: hold the application's models against the migrated copy, as alembic check does."""

from __future__ import annotations

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import application, application_arguments, arguments, files
from ansible_collections.migrations.rehearsal.plugins.module_utils.migration_findings import error_text, findings_of
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import registered

OPTIONS: Dict[str, Any] = {
    "argument_spec": {
        **arguments.REHEARSAL,
        "application": application_arguments.APPLICATION,
        "timeout": {"type": "float", "default": 300},
    },
    "supports_check_mode": True,
}


def run(module: AnsibleModule) -> None:
    """Compare."""
    p = module.params
    module.no_log_values = application_arguments.secrets_of(p["application"])
    if module.check_mode:
        module.exit_json(changed=False, summary="would compare the models with the copy")
    work = arguments.work_directory(p, "dev")
    with registered(work):
        outcome = application.run(
            application_arguments.application(p["application"], p["timeout"]),
            "check",
            marker_id=p["id"],
            log_path=work.file("evidence", "application.log"),
            pid_path=work.file("running", "application"),
            measured=False,
        )
    if outcome.fence:
        findings = findings_of(outcome, "current")
        module.fail_json(msg=findings[0]["message"], findings=findings)
    found = [{name: value for name, value in event.items() if name not in ("event", "t")} for event in outcome.events if event["event"] == "models"]
    if not outcome.succeeded:
        reason = error_text(outcome.error) if outcome.error else f"the application's process ended with exit code {outcome.exit_code}"
        found.append({"reason": reason, "differences": [], "compare_type": False, "compare_server_default": False})
    files.write_json(work.file("evidence", "models.json"), {"databases": found})
    reasons = [entry["reason"] for entry in found if entry["reason"]]
    differences = sum(len(entry["differences"]) for entry in found)
    summary = f"not compared: {reasons[0]}" if reasons else f"{differences} differences" if differences else "no difference"
    module.exit_json(changed=False, summary=summary)
