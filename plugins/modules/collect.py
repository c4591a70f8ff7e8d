#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack the evidence of a rehearsal."""

from __future__ import annotations

DOCUMENTATION = r"""
module: collect
short_description: Fetch the evidence of a rehearsal to the controller
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Packs the evidence in the rehearsal's work directory and fetches it. It holds counts, hashes and definitions, never a row value.
  - Then gives the SQL that the upgrade executed, with its literals masked, to the linter squawk on the controller.
options:
  squawk:
    description:
      - V(auto) uses squawk where the controller has it, V(never) does not; anything else is the path of the program.
    type: str
    default: auto
extends_documentation_fragment:
  - migrations.rehearsal.rehearsal
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Fetch the evidence
  migrations.rehearsal.collect:
    id: 20261122-223011-9f3a2c
"""

RETURN = r"""
path:
  description: The archive on the host; empty if there is no evidence yet.
  returned: success
  type: str
bytes:
  description: Its size.
  returned: success
  type: int
host:
  description: Inventory name of the host that it ran on.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import process
from ansible_collections.migrations.rehearsal.plugins.module_utils.stages import collect


def main() -> None:
    """Pack what is there."""
    process.end_in_order()
    collect.run(AnsibleModule(**collect.OPTIONS))


if __name__ == "__main__":
    main()
