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

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import arguments, backup, direct, process, progress
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import registered


def main() -> None:
    """Make the place; the action plugin carries the file."""
    process.end_in_order()
    module = AnsibleModule(
        argument_spec={
            **arguments.REHEARSAL,
            **arguments.MARKER,
            "direction": {"type": "str", "choices": ["fetch", "send", "receive", "push"], "required": True},
            "local": {"type": "path", "default": ""},
            "remote": {"type": "path", "default": ""},
            "bytes": {"type": "int", "default": 0},
            "limit": {"type": "float", "default": 0},
            "to": {"type": "path", "default": ""},
            "direct": {
                "type": "dict",
                "options": {
                    "host": {"type": "str", "required": True},
                    "port": {"type": "int"},
                    "user": {"type": "str", "default": ""},
                    "identity_file": {"type": "path", "default": ""},
                    "options": {"type": "list", "elements": "str", "default": []},
                },
            },
        },
        required_if=[
            ("direction", "fetch", ("local", "remote", "bytes")),
            ("direction", "send", ("local",)),
            ("direction", "push", ("remote", "to", "direct")),
        ],
        supports_check_mode=True,
    )
    p = module.params
    if p["direction"] == "push":
        push(module)
    work = arguments.work_directory(p, "dev")
    try:
        if not module.check_mode:
            work.create(arguments.marker(p))
    except RehearsalError as error:
        module.fail_json(msg=str(error), findings=error.findings())
    module.exit_json(changed=True, path=work.file(backup.ARCHIVE))


def push(module: AnsibleModule) -> None:
    """From this host straight to dev."""
    p = module.params
    if module.check_mode:
        module.exit_json(changed=True, path=p["to"])
    try:
        work = arguments.work_directory(p, "production")
        size = os.path.getsize(p["remote"])
        with registered(work), progress.counted(work, "sent", size) as counter:
            resumed = direct.push(p["remote"], direct.Target.from_options(p["direct"]), p["to"], limit=p["limit"] * 1e6, counter=counter)
    except RehearsalError as error:
        module.fail_json(msg=str(error), findings=error.findings())
    except OSError as error:
        module.fail_json(msg=f"{p['remote']}: {error.strerror}")
    again = f", resumed {resumed} times" if resumed else ""
    module.exit_json(changed=True, path=p["to"], bytes=size, resumed=resumed, summary=f"{size / 1e6:,.1f} MB sent to {p['direct']['host']}{again}")


if __name__ == "__main__":
    main()
