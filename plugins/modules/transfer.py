#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry the backup from production to dev."""

from __future__ import annotations

DOCUMENTATION = r"""
module: transfer
short_description: Carry a backup between a host and the controller
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Fetches the archive of M(migrations.rehearsal.backup) to the controller, or sends it to dev, where it makes and marks the work directory first.
  - Whether it arrived as it was taken is checked by M(migrations.rehearsal.database_copy), file by file.
extends_documentation_fragment:
  - migrations.rehearsal.rehearsal
  - migrations.rehearsal.rehearsal.marker
options:
  direction:
    description: Whether to fetch from the host or to send to it.
    type: str
    choices: [fetch, send]
    required: true
  local:
    description: The archive on the controller. It is removed once it was sent.
    type: path
    required: true
  remote:
    description: The archive on the host, with O(direction=fetch).
    type: path
    default: ""
  bytes:
    description: Size of the archive, with O(direction=fetch).
    type: int
    default: 0
  limit:
    description: Megabytes a second that may be moved; 0 is no limit.
    type: float
    default: 0
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Fetch the backup from production
  migrations.rehearsal.transfer:
    direction: fetch
    remote: /home/ops/.migrations-rehearsal/20261122-223011-9f3a2c-production/backup.tar
    bytes: 320411
    local: rehearsals/20261122-223011-9f3a2c/transfer/backup.tar
    id: 20261122-223011-9f3a2c
    source: production/staffprobot_prod
    created: "2026-11-22T22:30:11Z"
    expires: "2026-11-23T22:30:11Z"
"""

RETURN = r"""
path:
  description: Where the archive is now.
  returned: success
  type: str
bytes:
  description: Its size.
  returned: success
  type: int
resumed:
  description: How often it was resumed after the connection broke.
  returned: success
  type: int
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import arguments, backup
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError


def main() -> None:
    """Make the place; the action plugin carries the file."""
    module = AnsibleModule(
        argument_spec={
            **arguments.REHEARSAL,
            **arguments.MARKER,
            "direction": {"type": "str", "choices": ["fetch", "send"], "required": True},
            "local": {"type": "path", "required": True},
            "remote": {"type": "path", "default": ""},
            "bytes": {"type": "int", "default": 0},
            "limit": {"type": "float", "default": 0},
        },
        supports_check_mode=True,
    )
    p = module.params
    work = arguments.work_directory(p, "dev")
    try:
        if not module.check_mode:
            work.create(arguments.marker(p))
    except RehearsalError as error:
        module.fail_json(msg=str(error), findings=error.findings())
    module.exit_json(changed=True, path=work.file(backup.ARCHIVE))


if __name__ == "__main__":
    main()
