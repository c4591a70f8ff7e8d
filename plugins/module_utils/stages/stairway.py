# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At the host: take each pending revision up, down and up again, and compare after each step."""

from __future__ import annotations

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import application_arguments, arguments, files
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import registered
from ansible_collections.migrations.rehearsal.plugins.module_utils.stairway import Stairway

OPTIONS: Dict[str, Any] = {
    "argument_spec": {
        **arguments.REHEARSAL,
        "postgres": arguments.POSTGRES,
        "application": application_arguments.APPLICATION,
        "database": {"type": "str", "required": True},
        "data_proof": {"type": "str", "choices": ["full", "changed", "counts"], "default": "full"},
        "timeout": {"type": "float", "default": 3600},
        "evidence_timeout": {"type": "float", "default": 3600},
    },
    "supports_check_mode": True,
}


def run(module: AnsibleModule) -> None:
    """Walk."""
    p = module.params
    module.no_log_values = application_arguments.secrets_of(p["application"])
    if module.check_mode:
        module.exit_json(changed=True, summary="would take each pending revision up, down and up again")
    work = arguments.work_directory(p, "dev")
    server = arguments.server(p["postgres"], p["id"])
    project = application_arguments.application(p["application"], p["timeout"])
    try:
        with registered(work):
            walked = Stairway(server, p["database"], p["id"], work, project, p["data_proof"] == "counts", p["evidence_timeout"]).walk()
    except RehearsalError as error:
        module.fail_json(msg=str(error), findings=error.findings())
    files.write_json(work.file("evidence", "stairway.json"), walked)
    summary = f"{len(walked['steps'])} revisions, each up, down and up again" + ("" if walked["end"] is not None else ": not to the end")
    module.exit_json(changed=True, summary=summary)
