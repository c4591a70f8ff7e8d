#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make or remove the copy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: database_copy
short_description: Make the marked copy of a database from a backup, or drop it
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Creates a database from C(template0) with production's encoding and collation, marks it, closes it to the public, restores the backup into it,
    replays production's settings, and holds the result against the manifest.
  - A database of that name without this rehearsal's marker is never touched.
extends_documentation_fragment:
  - migrations.rehearsal.postgres
  - migrations.rehearsal.postgres.production
  - migrations.rehearsal.postgres.ephemeral
  - migrations.rehearsal.rehearsal
options:
  place:
    description: Whether the copy is made in the server of O(postgres), or in one of its own that is made for it (O(ephemeral)).
    type: str
    choices: [existing, ephemeral]
    default: existing
  state:
    description:
      - Whether the copy shall exist. With V(template), the copy is there and a template of it is made beside it, marked, which nobody can connect to.
    type: str
    choices: [present, absent, template]
    default: present
  origin:
    description:
      - Where the copy comes from. V(dump) is the archive of M(migrations.rehearsal.backup), V(file) an existing backup of any form, which is only
        read, V(basebackup) a physical copy, V(template) a copy that an earlier rehearsal kept unmigrated. With V(pull) it is read from
        O(production) straight into the copy.
    type: str
    choices: [dump, file, basebackup, template, pull]
    default: dump
  manifest:
    description:
      - The manifest that M(migrations.rehearsal.backup) made with a physical copy, or of the earlier rehearsal. Needed with O(origin=basebackup),
        O(origin=pull) and O(origin=template).
    type: dict
    default: {}
  template:
    description: What is known of the kept template, and of the copy it was made of. Needed with O(origin=template).
    type: dict
    default: {}
  source_database:
    description: Name of the production database.
    type: str
    default: ""
  database:
    description: Name of the copy.
    type: str
    required: true
  archive:
    description: The backup, as M(migrations.rehearsal.backup) made it, on this host. It is unpacked and removed. Needed with O(origin=dump) and
      O(origin=file).
    type: path
    default: ""
  manifest_sha256:
    description: RV(migrations.rehearsal.backup#module:manifest_sha256). Needed with O(state=present).
    type: str
    default: ""
  source:
    description: What the copy is made from, for the marker. Needed with O(state=present).
    type: str
    default: ""
  created:
    description: When the rehearsal began, for the marker. Needed with O(state=present).
    type: str
    default: ""
  expires:
    description: When the copy may be swept, for the marker. Needed with O(state=present).
    type: str
    default: ""
  production_jobs:
    description: Connections that may read O(production) with O(origin=pull), beside the one that counts.
    type: int
    default: 2
  lock_timeout:
    description: Seconds to wait with O(origin=pull) for a table that somebody holds exclusively on O(production).
    type: float
    default: 5
  prove:
    description: With O(origin=pull), V(fingerprint) hashes every value in production's snapshot, for the copy to be held against.
    type: str
    choices: [counts, fingerprint]
    default: counts
  max_replication_lag:
    description: End a copy that is pulled from O(production) when replication there is more seconds behind. 0 is no limit.
    type: float
    default: 0
  max_active_sessions:
    description: End it when more sessions of others are active there. 0 is no limit.
    type: int
    default: 0
  limit:
    description: Megabytes a second that may be read from O(production) for it. 0 is no limit.
    type: float
    default: 0
  jobs:
    description: Connections that C(pg_restore) may use.
    type: int
    default: 2
  timeout:
    description: Seconds that any single step may take.
    type: float
    default: 3600
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Drop the copy
  migrations.rehearsal.database_copy:
    state: absent
    id: 20261122-223011-9f3a2c
    database: rehearsal_20261122_223011_9f3a2c
    postgres:
      user: postgres
"""

RETURN = r"""
database:
  description: Name of the copy.
  returned: always
  type: str
postgres:
  description: Where the copy is reached (C(host), C(port), C(user), C(bin_dir)), in a server of its own.
  returned: O(place=ephemeral)
  type: dict
address:
  description: The copy's URL after the scheme, for the application.
  returned: O(place=ephemeral)
  type: str
differences:
  description: What differs from the manifest. Empty means that the copy equals production.
  returned: O(state=present)
  type: list
  elements: dict
summary:
  description: The outcome in one line.
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
from ansible_collections.migrations.rehearsal.plugins.module_utils.stages import database_copy


def main() -> None:
    """Make or drop it."""
    process.end_in_order()
    database_copy.run(AnsibleModule(**database_copy.OPTIONS))


if __name__ == "__main__":
    main()
