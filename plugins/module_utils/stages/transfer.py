# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At the host: carry a backup between a host and the controller."""

from __future__ import annotations

import os
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import arguments, backup, direct, progress
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import registered

OPTIONS: Dict[str, Any] = {
    "argument_spec": {
        **arguments.REHEARSAL,
        **arguments.MARKER,
        "direction": {"type": "str", "choices": ["fetch", "send", "receive", "push"], "required": True},
        "local": {"type": "path", "default": ""},
        "remote": {"type": "path", "default": ""},
        "bytes": {"type": "int", "default": 0},
        "limit": {"type": "float", "default": 0},
        "to": {"type": "path", "default": ""},
        "direct": {
            "type": "dict",
            "options": {
                "host": {"type": "str", "required": True},
                "port": {"type": "int"},
                "user": {"type": "str", "default": ""},
                "identity_file": {"type": "path", "default": ""},
                "options": {"type": "list", "elements": "str", "default": []},
            },
        },
    },
    "required_if": [
        ("direction", "fetch", ("local", "remote", "bytes")),
        ("direction", "send", ("local",)),
        ("direction", "push", ("remote", "to", "direct")),
    ],
    "supports_check_mode": True,
}


def run(module: AnsibleModule) -> None:
    """Make the place; the action plugin carries the file."""
    p = module.params
    if p["direction"] == "push":
        push(module)
    work = arguments.work_directory(p, "dev")
    try:
        if not module.check_mode:
            work.create(arguments.marker(p))
    except RehearsalError as error:
        module.fail_json(msg=str(error), findings=error.findings())
    module.exit_json(changed=True, path=work.file(backup.ARCHIVE))


def push(module: AnsibleModule) -> None:
    """From this host straight to dev."""
    p = module.params
    if module.check_mode:
        module.exit_json(changed=True, path=p["to"])
    try:
        work = arguments.work_directory(p, "production")
        size = os.path.getsize(p["remote"])
        with registered(work), progress.counted(work, "sent", size) as counter:
            resumed = direct.push(p["remote"], direct.Target.from_options(p["direct"]), p["to"], limit=p["limit"] * 1e6, counter=counter)
    except RehearsalError as error:
        module.fail_json(msg=str(error), findings=error.findings())
    except OSError as error:
        module.fail_json(msg=f"{p['remote']}: {error.strerror}")
    again = f", resumed {resumed} times" if resumed else ""
    module.exit_json(changed=True, path=p["to"], bytes=size, resumed=resumed, summary=f"{size / 1e6:,.1f} MB sent to {p['direct']['host']}{again}")
