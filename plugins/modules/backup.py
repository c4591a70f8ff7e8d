#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a backup of a database, with a manifest from the dump's own snapshot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Back up a database with a manifest of what it looked like
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Dumps a database with C(pg_dump) in an exported snapshot, and counts every table's rows in that same snapshot.
  - The database is only read, in read-only sessions with timeouts. It may be written to meanwhile.
  - The result is one archive in the rehearsal's work directory, with the SHA-256 of every file in it.
extends_documentation_fragment:
  - migrations.rehearsal.postgres
  - migrations.rehearsal.rehearsal
  - migrations.rehearsal.rehearsal.marker
options:
  database:
    description: The database to back up.
    type: str
    required: true
  jobs:
    description: Connections that C(pg_dump) may use, beside the one that counts.
    type: int
    default: 2
  prove:
    description: V(fingerprint) hashes every value in the dump's snapshot, for the copy to be held against; V(counts) counts rows only.
    type: str
    choices: [counts, fingerprint]
    default: counts
  lock_timeout:
    description: Seconds to wait for a table that somebody holds exclusively.
    type: float
    default: 5
  timeout:
    description: Seconds that the whole backup may take.
    type: float
    default: 3600
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Back up production
  migrations.rehearsal.backup:
    id: 20261122-223011-9f3a2c
    source: production/staffprobot_prod
    created: "2026-11-22T22:30:11Z"
    expires: "2026-11-23T22:30:11Z"
    database: staffprobot_prod
    postgres:
      user: postgres
"""

RETURN = r"""
archive:
  description: Path of the archive on this host.
  returned: success
  type: str
manifest_sha256:
  description: SHA-256 of the manifest in the archive, which holds those of all other files.
  returned: success
  type: str
bytes:
  description: Size of the archive.
  returned: success
  type: int
tables:
  description: Number of tables whose rows were counted.
  returned: success
  type: int
rows:
  description: Number of rows in all of them.
  returned: success
  type: int
summary:
  description: The above in one line.
  returned: success
  type: str
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import arguments, backup, files
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError


def main() -> None:
    """Take the backup."""
    module = AnsibleModule(
        argument_spec={
            **arguments.REHEARSAL,
            **arguments.MARKER,
            "postgres": arguments.POSTGRES,
            "database": {"type": "str", "required": True},
            "jobs": {"type": "int", "default": 2},
            "prove": {"type": "str", "choices": ["counts", "fingerprint"], "default": "counts"},
            "lock_timeout": {"type": "float", "default": 5},
            "timeout": {"type": "float", "default": 3600},
        },
        supports_check_mode=True,
    )
    p = module.params
    work = arguments.work_directory(p, "production")
    archive = work.file(backup.ARCHIVE)
    if module.check_mode:
        module.exit_json(changed=True, archive=archive, summary=f"would dump {p['database']} to {archive}")
    limits = backup.Limits(jobs=p["jobs"], lock_timeout_s=p["lock_timeout"], statement_timeout_s=p["timeout"])
    try:
        work.create(arguments.marker(p))
        server = arguments.server(p["postgres"], p["id"])
        manifest = backup.take_backup(server, p["database"], p["id"], work, limits, with_fingerprint=p["prove"] == "fingerprint")
    except RehearsalError as error:
        module.fail_json(msg=str(error), findings=error.findings())
    rows = sum(manifest["rows"].values())
    size = os.path.getsize(archive)
    module.exit_json(
        changed=True,
        archive=archive,
        manifest_sha256=files.sha256(work.file(backup.MANIFEST)),
        bytes=size,
        tables=len(manifest["rows"]),
        rows=rows,
        summary=f"{len(manifest['rows'])} tables, {rows:,} rows, {size / 1e6:,.1f} MB",
        evidence={"manifest.json": manifest},
    )


if __name__ == "__main__":
    main()
