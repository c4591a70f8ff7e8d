# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At the host: take the snapshot and the fingerprint of the copy at one moment."""

from __future__ import annotations

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import arguments, evidence
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Expectations
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import registered

_KINDS = [evidence.SNAPSHOT, evidence.FINGERPRINT, evidence.CHECKS]
OPTIONS: Dict[str, Any] = {
    "argument_spec": {
        **arguments.REHEARSAL,
        "postgres": arguments.POSTGRES,
        "database": {"type": "str", "required": True},
        "moment": {"type": "str", "choices": list(evidence.MOMENTS), "required": True},
        "collect": {"type": "list", "elements": "str", "choices": _KINDS, "default": _KINDS},
        "expectations": {"type": "dict", "default": {}},
        "data_proof": {"type": "str", "choices": ["full", "changed", "counts"], "default": "full"},
        "show_keys": {"type": "bool", "default": False},
        "follow_rows": {"type": "bool", "default": True},
        "only_migrations": {"type": "bool", "default": True},
        "connections": {"type": "int", "default": 2},
        "statistics": {"type": "int", "default": 0},
        "timeout": {"type": "float", "default": 3600},
    },
    "supports_check_mode": True,
}


def run(module: AnsibleModule) -> None:
    """Gather."""
    p = module.params
    if module.check_mode:
        module.exit_json(changed=False, summary=f"would gather {', '.join(p['collect'])}")
    work = arguments.work_directory(p, "dev")
    try:
        with registered(work):
            said = evidence.gather(
                arguments.server(p["postgres"], p["id"]),
                p["database"],
                p["id"],
                work,
                moment=p["moment"],
                what=p["collect"],
                expectations=Expectations.from_json(p["expectations"]),
                proof=p["data_proof"],
                connections=p["connections"],
                deadline_s=p["timeout"],
                show_keys=p["show_keys"],
                follow_rows=p["follow_rows"],
                only_migrations=p["only_migrations"],
                statistics=p["statistics"],
            )
    except RehearsalError as error:
        module.fail_json(msg=str(error), findings=error.findings())
    module.exit_json(changed=False, summary=", ".join(said))
