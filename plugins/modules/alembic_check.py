#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the application's models against the migrated copy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: alembic_check
short_description: Hold the application's models against the migrated copy, as alembic check does
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Sends the agent into the application's Python on standard input. C(env.py) runs behind the fence, and Alembic's autogenerate compares the models
    that it names with the copy. Nothing is written, neither to the copy nor to a file of the application.
  - Works with Alembic 1.8 and later. What it finds is in C(models.json) of the evidence, also the reason where it could not compare.
extends_documentation_fragment:
  - migrations.rehearsal.rehearsal
  - migrations.rehearsal.rehearsal.application
options:
  timeout:
    description: Seconds that the application may take.
    type: float
    default: 300
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Compare models and copy
  migrations.rehearsal.alembic_check:
    id: 20261122-223011-9f3a2c
    application:
      command: [.venv/bin/python]
      chdir: /opt/staffprobot
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
from ansible_collections.migrations.rehearsal.plugins.module_utils.stages import alembic_check


def main() -> None:
    """Compare."""
    process.end_in_order()
    alembic_check.run(AnsibleModule(**alembic_check.OPTIONS))


if __name__ == "__main__":
    main()
