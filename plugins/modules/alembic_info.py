#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the application's Alembic knows."""

from __future__ import annotations

DOCUMENTATION = r"""
module: alembic_info
short_description: Ask the application's Alembic for its revisions, and for what is pending on the copy
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Sends the agent into the application's Python on standard input. Nothing is installed or written there.
  - Without O(connect) only the version directory is read. With it, C(env.py) runs behind the fence, and what is pending is Alembic's own answer.
extends_documentation_fragment:
  - migrations.rehearsal.rehearsal
  - migrations.rehearsal.rehearsal.application
options:
  connect:
    description: Whether to connect to the copy.
    type: bool
    default: false
  target:
    description: Revision up to which an upgrade would go, as C(alembic upgrade) takes it (V(heads), C(label@head)). Only with O(connect).
    type: str
    default: head
  production_revisions:
    description: Revisions that production stands on. One that the project does not know is a failure.
    type: list
    elements: str
    default: []
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
- name: Ask which revisions the project has
  migrations.rehearsal.alembic_info:
    id: 20261122-223011-9f3a2c
    application:
      command: [.venv/bin/python]
      chdir: /opt/staffprobot
"""

RETURN = r"""
heads:
  description: Heads of the project's revisions.
  returned: success
  type: list
  elements: str
current:
  description: Revisions that the copy stands on, with O(connect).
  returned: success
  type: list
  elements: str
pending:
  description: Revisions that an upgrade to O(target) would run, in order, with O(connect).
  returned: success
  type: list
  elements: str
pending_on_production:
  description:
    - The revisions that an upgrade from O(production_revisions) would run, in order, each with V(revision) and V(message).
    - By the version directory, without O(connect). Null where it does not tell.
  returned: success
  type: list
  elements: dict
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
from ansible_collections.migrations.rehearsal.plugins.module_utils.stages import alembic_info


def main() -> None:
    """Ask."""
    process.end_in_order()
    alembic_info.run(AnsibleModule(**alembic_info.OPTIONS))


if __name__ == "__main__":
    main()
