#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look, before anything is touched, whether a rehearsal can be carried out."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Check that a rehearsal can be carried out
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Checks connections, rights, versions, names and disk space on production or on dev. It only reads.
  - Reports all problems at once.
extends_documentation_fragment:
  - migrations.rehearsal.postgres
  - migrations.rehearsal.postgres.ephemeral
  - migrations.rehearsal.postgres.from_dev
  - migrations.rehearsal.rehearsal
options:
  source:
    description: Where the copy will come from. With V(basebackup) and V(auto) it is looked whether a physical copy can be taken.
    type: str
    choices: [dump, file, basebackup, auto, template]
    default: dump
  template:
    description:
      - With O(source=template), what is known of the template that was kept. It must be there, marked, and of the production that is there now.
    type: dict
    default: {}
  keep:
    description: What the rehearsal will leave. A template needs as much room as the copy.
    type: str
    choices: [copy, backup, template, none]
    default: none
  place:
    description: Where the copy will be on dev, in the server of O(postgres) or in one of its own (O(ephemeral)).
    type: str
    choices: [existing, ephemeral]
    default: existing
  side:
    description: Which side this host is.
    type: str
    choices: [production, dev]
    required: true
  database:
    description: The production database, by its name on production.
    type: str
    required: true
  copy_database:
    description: Name that the copy will have. Needed on dev.
    type: str
    default: ""
  production:
    description: RV(facts) of the run on production, for the checks on dev that compare.
    type: dict
    default: {}
  transfer:
    description: How the backup will get to dev. With V(stream) production needs no room for it, with V(pull) no C(pg_dump) either.
    type: str
    choices: [controller, direct, stream, pull]
    default: controller
  direct:
    description: How production reaches dev by ssh, with O(transfer=direct), as M(migrations.rehearsal.transfer) takes it. It is tried on production.
    type: dict
    default: {}
  backup_file:
    description: With O(source=file), what M(migrations.rehearsal.backup_file) found, for the checks on dev.
    type: dict
    default: {}
  backup_file_on:
    description: Where that file lies, V(controller), V(dev) or V(production).
    type: str
    default: ""
  controller_dir:
    description: Directory on the controller that the backup is carried through; the free room there is looked at on production's run.
    type: path
    default: ""
  pulled:
    description: Whether dev pulls a physical copy from production itself, so that none is written or streamed on production.
    type: bool
    default: false
  max_replication_lag:
    description: Seconds that replication on production may be behind; 0 is no limit.
    type: float
    default: 0
  max_active_sessions:
    description: Sessions of others that may be active on production; 0 is no limit.
    type: int
    default: 0
  timeout:
    description: Seconds that any single question may take.
    type: float
    default: 60
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Look at production
  migrations.rehearsal.preflight:
    side: production
    id: 20261122-223011-9f3a2c
    database: staffprobot_prod
    postgres:
      user: postgres
"""

RETURN = r"""
no_basebackup:
  description: What stands in the way of a physical copy, with O(source=basebackup) and O(source=auto).
  returned: always
  type: list
  elements: str
facts:
  description: What was found out about the server, and on production about the database.
  returned: always
  type: dict
problems:
  description: What stands in the way, one sentence each. Empty means that the rehearsal can start.
  returned: always
  type: list
  elements: str
findings:
  description: Problems and differences, for the judge.
  returned: always
  type: list
  elements: dict
host:
  description: Inventory name of the host that it ran on.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import process
from ansible_collections.migrations.rehearsal.plugins.module_utils.stages import preflight


def main() -> None:
    """Look, and fail with every problem."""
    process.end_in_order()
    preflight.run(AnsibleModule(**preflight.OPTIONS))


if __name__ == "__main__":
    main()
