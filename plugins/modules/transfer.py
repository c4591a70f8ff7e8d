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
    description:
      - Whether to V(fetch) from the host to the controller, or to V(send) from there to the host.
      - V(receive) makes the place on dev and no more, and V(push) lets production send to it without the controller.
    type: str
    choices: [fetch, send, receive, push]
    required: true
  local:
    description: The archive on the controller, with O(direction=fetch) and O(direction=send). It is removed once it was sent.
    type: path
    default: ""
  remote:
    description: The archive on the host, with O(direction=fetch) and O(direction=push).
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
  to:
    description: Where it goes on dev, with O(direction=push) - RV(path) of O(direction=receive).
    type: path
    default: ""
  direct:
    description: How this host reaches dev by ssh, with O(direction=push). What is left out is in ssh's own configuration.
    type: dict
    suboptions:
      host:
        description: Address of dev, as seen from here.
        type: str
        required: true
      port:
        description: Port of its ssh.
        type: int
      user:
        description: The user that Ansible is on dev.
        type: str
        default: ""
      identity_file:
        description: Private key, on this host.
        type: path
        default: ""
      options:
        description: Further options of ssh, such as V(UserKnownHostsFile=/etc/ssh/dev_known_hosts).
        type: list
        elements: str
        default: []
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
findings:
  description:
    - What went wrong, for the judge, where the stage failed for a reason that has a code of its own
      (C(code), C(object), C(message)). Empty otherwise.
  returned: failure
  type: list
  elements: dict
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
from ansible_collections.migrations.rehearsal.plugins.module_utils.stages import transfer


def main() -> None:
    """Make the place; the action plugin carries the file."""
    process.end_in_order()
    transfer.run(AnsibleModule(**transfer.OPTIONS))


if __name__ == "__main__":
    main()
