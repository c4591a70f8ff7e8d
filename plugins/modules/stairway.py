#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take each pending revision up, down and up again."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stairway
short_description: Take each pending revision up, down and up again, and compare after each step
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Goes back to production's revision first, and ends where the copy stood. Schema and data are compared after each step, so that what the way back
    leaves or loses has the name of a revision. Of the data only what a step touched is read again.
  - What it finds is in C(stairway.json) of the evidence.
extends_documentation_fragment:
  - migrations.rehearsal.postgres
  - migrations.rehearsal.rehearsal
  - migrations.rehearsal.rehearsal.application
options:
  database:
    description: Name of the copy.
    type: str
    required: true
  data_proof:
    description: V(counts) compares numbers of rows and values only.
    type: str
    choices: [full, changed, counts]
    default: full
  timeout:
    description: Seconds that one run of the application may take.
    type: float
    default: 3600
  evidence_timeout:
    description: Seconds that one statement of the proof may take.
    type: float
    default: 3600
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: One revision at a time
  migrations.rehearsal.stairway:
    id: 20261122-223011-9f3a2c
    database: rehearsal_20261122_223011_9f3a2c
    application:
      command: [.venv/bin/python]
      chdir: /opt/staffprobot
    postgres:
      user: postgres
"""

RETURN = r"""
summary:
  description: What came of it, in one line.
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
from ansible_collections.migrations.rehearsal.plugins.module_utils.stages import stairway


def main() -> None:
    """Walk."""
    process.end_in_order()
    stairway.run(AnsibleModule(**stairway.OPTIONS))


if __name__ == "__main__":
    main()
