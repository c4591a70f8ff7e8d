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
  - migrations.rehearsal.postgres.production
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

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import process
from ansible_collections.migrations.rehearsal.plugins.module_utils.stages import sweep


def main() -> None:
    """Remove and look."""
    process.end_in_order()
    sweep.run(AnsibleModule(**sweep.OPTIONS))


if __name__ == "__main__":
    main()
