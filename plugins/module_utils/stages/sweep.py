# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At the host: remove what a rehearsal left behind, and prove that it is gone."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import arguments, clean_up
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import is_id, new_id, utc_now
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server

OPTIONS: Dict[str, Any] = {
    "argument_spec": {
        "id": {"type": "str", "default": ""},
        "work_dir": arguments.REHEARSAL["work_dir"],
        "postgres": arguments.POSTGRES,
        "production": arguments.POSTGRES,
        "side": {"type": "str", "choices": ["production", "dev"], "required": True},
        "place": {"type": "str", "choices": ["existing", "ephemeral", "none"], "default": "existing"},
        "database": {"type": "str", "default": ""},
        "keep": {"type": "str", "choices": ["copy", "backup", "template", "none"], "default": "none"},
        "timeout": {"type": "float", "default": 300},
    },
    "supports_check_mode": True,
}


def _server(options: Dict[str, Any], rehearsal_id: str) -> Server:
    try:
        return arguments.server(options, rehearsal_id or new_id())
    except RehearsalError:
        # What it says is said again, and more to the point, when clean-up asks that server; the files here go all the same.
        return arguments.server({**options, "password": ""}, rehearsal_id)


def run(module: AnsibleModule) -> None:
    """Remove and look."""
    p = module.params
    server = _server(p["postgres"], p["id"])
    on_dev = p["side"] == "dev"
    asked = server if p["place"] == "existing" else None
    if not p["id"]:
        # No session is opened there: its password would only be one more thing that lies about.
        beyond = arguments.server({**p["production"], "password": ""}, "") if on_dev else None
        result = clean_up.sweep(asked, on_dev, p["work_dir"], utc_now(), p["timeout"], module.check_mode, beyond)
    else:
        if not is_id(p["id"]):
            module.fail_json(msg=f"«{p['id']}» is not the id of a rehearsal")
        if module.check_mode:
            module.exit_json(changed=True, removed=[], left=[], problems=[])
        work = arguments.work_directory(p, p["side"])
        if asked and not on_dev and p["database"]:
            asked = dataclasses.replace(asked, maintenance_database=p["database"])
        result = clean_up.clean_up(asked, p["database"] if on_dev else None, p["id"], work, p["keep"], p["timeout"])
        beyond = _server(p["production"], p["id"])
        if on_dev and beyond.prefix:
            clean_up.clean_up_beyond(beyond, p["id"], p["timeout"], result)
        result["evidence"] = {f"cleanup-{p['side']}.json": dict(result)}
    problems = [*result["problems"], *(f"still there: {thing}" for thing in result.get("left", []))]
    if problems:
        module.fail_json(msg="\n".join(problems), changed=bool(result["removed"]), **result)
    module.exit_json(changed=bool(result["removed"]), summary=", ".join(result["removed"]) or "nothing was there", **result)
