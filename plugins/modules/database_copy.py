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
  - migrations.rehearsal.rehearsal
options:
  state:
    description: Whether the copy shall exist.
    type: str
    choices: [present, absent]
    default: present
  database:
    description: Name of the copy.
    type: str
    required: true
  archive:
    description: The backup, as M(migrations.rehearsal.backup) made it, on this host. It is unpacked and removed. Needed with O(state=present).
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
differences:
  description: What differs from the manifest. Empty means that the copy equals production.
  returned: O(state=present)
  type: list
  elements: dict
summary:
  description: The outcome in one line.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import arguments, backup, copy_database, progress
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError


def main() -> None:
    """Make or drop it."""
    module = AnsibleModule(
        argument_spec={
            **arguments.REHEARSAL,
            "postgres": arguments.POSTGRES,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "database": {"type": "str", "required": True},
            "archive": {"type": "path", "default": ""},
            "manifest_sha256": {"type": "str", "default": ""},
            "source": {"type": "str", "default": ""},
            "created": {"type": "str", "default": ""},
            "expires": {"type": "str", "default": ""},
            "jobs": {"type": "int", "default": 2},
            "timeout": {"type": "float", "default": 3600},
        },
        required_if=[("state", "present", ("archive", "manifest_sha256", "source", "created", "expires"))],
        supports_check_mode=True,
    )
    p = module.params
    if module.check_mode:
        module.exit_json(changed=True, database=p["database"], differences=[], summary=f"would make {p['database']} {p['state']}")
    try:
        server = arguments.server(p["postgres"], p["id"])
        if p["state"] == "absent":
            outcome = copy_database.drop_copy(server, p["database"], p["id"], p["timeout"])
            module.exit_json(changed=outcome == "dropped", database=p["database"], summary=f"{p['database']}: {outcome}")
        work = arguments.work_directory(p, "dev")
        work.create(arguments.marker(p))
        manifest = backup.unpack(work, p["archive"], p["manifest_sha256"])
        with progress.database_size(work.file(progress.FILE), server, p["database"], p["id"], manifest["size_bytes"]):
            copy = copy_database.make_copy(server, p["database"], arguments.marker(p), manifest, work, jobs=p["jobs"], deadline_s=p["timeout"])
    except RehearsalError as error:
        module.fail_json(msg=str(error), findings=error.findings(), database=p["database"])
    differences = copy["differences"]
    module.exit_json(
        changed=True,
        database=p["database"],
        differences=differences,
        summary=f"{copy['tables']} tables, {copy['rows']:,} rows, " + (f"{len(differences)} differences" if differences else "equal to the manifest"),
        evidence={"copy.json": copy},
    )


if __name__ == "__main__":
    main()
