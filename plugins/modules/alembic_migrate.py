#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrate the copy with the application's Alembic."""

from __future__ import annotations

DOCUMENTATION = r"""
module: alembic_migrate
short_description: Upgrade or downgrade the copy with the application's own Alembic, fenced and timed
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Sends the agent into the application's Python on standard input. Nothing is installed or written there.
  - Every connection that the application opens must be the copy. Anything else ends its process before the first statement.
  - What was seen is written to C(migration-RUN.jsonl) in the evidence; with O(run=upgrade), what was pending to C(application.json).
extends_documentation_fragment:
  - migrations.rehearsal.rehearsal
  - migrations.rehearsal.rehearsal.application
  - migrations.rehearsal.postgres
options:
  direction:
    description: Which way.
    type: str
    choices: [upgrade, downgrade]
    required: true
  target:
    description: Where to - a revision, C(head), C(base), C(-2), or several revisions separated by commas.
    type: str
    default: head
  run:
    description: What the run is called in the evidence.
    type: str
    choices: [upgrade, downgrade, again]
    required: true
  database:
    description:
      - Name of the copy. With it, what stands in the way of a failed migration is looked up and counted there, read-only (rows with NULL,
        duplicates, orphans, types of both sides, what exists already), and told with the failure.
    type: str
  timeout:
    description: Seconds that the migrations may take.
    type: float
    default: 3600
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Apply what is pending to the copy
  migrations.rehearsal.alembic_migrate:
    id: 20261122-223011-9f3a2c
    direction: upgrade
    run: upgrade
    application:
      command: [.venv/bin/python]
      chdir: /opt/staffprobot
    database: rehearsal_20261122_223011_9f3a2c
    postgres:
      user: postgres
"""

RETURN = r"""
revisions:
  description: Revisions that were run, with their seconds.
  returned: always
  type: list
  elements: dict
current:
  description: Revisions that the copy stood on before.
  returned: success
  type: list
  elements: str
heads:
  description: Revisions that the copy stands on afterwards.
  returned: success
  type: list
  elements: str
summary:
  description: The above in one line.
  returned: success
  type: str
findings:
  description:
    - What went wrong, for the judge, where the stage failed for a reason that has a code of its own
      (C(code), C(object), C(message)). Empty otherwise.
  returned: failure
  type: list
  elements: dict
host:
  description: Inventory name of the host that it ran on.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import process
from ansible_collections.migrations.rehearsal.plugins.module_utils.stages import alembic_migrate


def main() -> None:
    """Migrate."""
    process.end_in_order()
    alembic_migrate.run(AnsibleModule(**alembic_migrate.OPTIONS))


if __name__ == "__main__":
    main()
