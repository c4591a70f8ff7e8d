#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove what rehearsals left on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep
short_description: Remove what a rehearsal left behind, and prove that it is gone
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - With O(id), removes that rehearsal from this host - the copy, the dump, the work files, its sessions and processes - and looks afterwards.
  - Without O(id), removes marked copies and work directories that have expired, and nothing else.
  - What does not carry a rehearsal's marker is never touched.
extends_documentation_fragment:
  - migrations.rehearsal.postgres
options:
  id:
    description: The rehearsal to remove. Empty means whatever has expired.
    type: str
    default: ""
  work_dir:
    description: Directory below which the work directories are.
    type: path
    default: ~/.migrations-rehearsal
  side:
    description: Which side this host is. On V(production) no database is ever dropped.
    type: str
    choices: [production, dev]
    required: true
  place:
    description:
      - Where the copy is. With V(ephemeral) it has a server of its own, which goes with the work directory. With V(none) no server is asked, because
        none had to do with the rehearsal.
    type: str
    choices: [existing, ephemeral, none]
    default: existing
  database:
    description:
      - With O(id), on dev the name of the copy. On production the database that is rehearsed, through which the server is asked; empty for that of
        O(postgres.maintenance_database), where the role need not be let in.
    type: str
    default: ""
  keep:
    description: What to leave until it expires.
    type: str
    choices: [copy, backup, template, none]
    default: none
  timeout:
    description: Seconds that any single step may take.
    type: float
    default: 300
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Remove what has expired
  migrations.rehearsal.sweep:
    side: dev
    postgres:
      user: postgres
"""

RETURN = r"""
removed:
  description: What was removed.
  returned: always
  type: list
  elements: str
left:
  description: What of the rehearsal is still there after a look, with O(id).
  returned: with O(id)
  type: list
  elements: str
problems:
  description: What could not be done.
  returned: always
  type: list
  elements: str
summary:
  description: The outcome in one line.
  returned: success
  type: str
host:
  description: Inventory name of the host that it ran on.
  returned: always
  type: str
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import arguments, clean_up, process
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import is_id, new_id, utc_now


def main() -> None:
    """Remove and look."""
    process.end_in_order()
    module = AnsibleModule(
        argument_spec={
            "id": {"type": "str", "default": ""},
            "work_dir": arguments.REHEARSAL["work_dir"],
            "postgres": arguments.POSTGRES,
            "side": {"type": "str", "choices": ["production", "dev"], "required": True},
            "place": {"type": "str", "choices": ["existing", "ephemeral", "none"], "default": "existing"},
            "database": {"type": "str", "default": ""},
            "keep": {"type": "str", "choices": ["copy", "backup", "template", "none"], "default": "none"},
            "timeout": {"type": "float", "default": 300},
        },
        supports_check_mode=True,
    )
    p = module.params
    try:
        server = arguments.server(p["postgres"], p["id"] or new_id())
    except RehearsalError:
        # What it says is said again, and more to the point, when clean-up asks that server; the files here go all the same.
        server = arguments.server({**p["postgres"], "password": ""}, p["id"])
    on_dev = p["side"] == "dev"
    asked = server if p["place"] == "existing" else None
    if not p["id"]:
        result = clean_up.sweep(asked, on_dev, p["work_dir"], utc_now(), p["timeout"], module.check_mode)
    else:
        if not is_id(p["id"]):
            module.fail_json(msg=f"«{p['id']}» is not the id of a rehearsal")
        if module.check_mode:
            module.exit_json(changed=True, removed=[], left=[], problems=[])
        work = arguments.work_directory(p, p["side"])
        if asked and not on_dev and p["database"]:
            asked = dataclasses.replace(asked, maintenance_database=p["database"])
        result = clean_up.clean_up(asked, p["database"] if on_dev else None, p["id"], work, p["keep"], p["timeout"])
        result["evidence"] = {f"cleanup-{p['side']}.json": dict(result)}
    problems = [*result["problems"], *(f"still there: {thing}" for thing in result.get("left", []))]
    if problems:
        module.fail_json(msg="\n".join(problems), changed=bool(result["removed"]), **result)
    module.exit_json(changed=bool(result["removed"]), summary=", ".join(result["removed"]) or "nothing was there", **result)


if __name__ == "__main__":
    main()
