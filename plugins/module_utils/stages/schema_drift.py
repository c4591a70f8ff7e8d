# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At the host: hold production's schema against what its own revision says."""

from __future__ import annotations

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import application_arguments, arguments, drift, files
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import registered

OPTIONS: Dict[str, Any] = {
    "argument_spec": {
        **arguments.REHEARSAL,
        "postgres": arguments.POSTGRES,
        "application": application_arguments.APPLICATION,
        "copy": {"type": "str", "required": True},
        "revisions": {"type": "list", "elements": "str", "required": True},
        "timeout": {"type": "float", "default": 300},
    },
    "supports_check_mode": True,
}


def run(module: AnsibleModule) -> None:
    """Build it from nothing and compare."""
    p = module.params
    module.no_log_values = application_arguments.secrets_of(p["application"])
    if module.check_mode:
        module.exit_json(changed=False, summary="would compare production with its revision")
    work = arguments.work_directory(p, "dev")
    server = arguments.server(p["postgres"], p["id"])
    project = application_arguments.application(p["application"], p["timeout"])
    try:
        with registered(work):
            found = drift.measure(server, p["copy"], p["id"], work, project, p["revisions"], p["timeout"])
    except RehearsalError as error:
        module.fail_json(msg=str(error), findings=error.findings())
    files.write_json(work.file("evidence", "drift.json"), found)
    number = len(found["changes"])
    if found["reason"]:
        summary = f"not measured: {found['reason']}"
    elif number:
        summary = f"{found['ran']} revisions from nothing, {number} differences"
    else:
        summary = f"{found['ran']} revisions from nothing, no difference"
    module.exit_json(changed=False, summary=summary)
