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
  method:
    description:
      - V(dump) is C(pg_dump) in an exported snapshot. V(basebackup) streams a physical copy of the whole server with C(pg_basebackup).
      - V(facts) only asks what production looks like, for a copy that dev pulls itself.
    type: str
    choices: [dump, basebackup, facts]
    default: dump
  checksums:
    description:
      - What production's server makes of every file with O(method=basebackup). V(CRC32C) costs it less, and needs C(pg_verifybackup) of its
        version on dev, to be checked there. M(migrations.rehearsal.preflight) says whether it has that.
    type: str
    choices: [SHA256, CRC32C]
    default: SHA256
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
  nice:
    description: Lowers the priority of C(pg_dump), which compresses, by C(nice -n) where it runs; 0 leaves it alone.
    type: int
    default: 0
  ionice:
    description:
      - Lowers the priority of C(pg_dump) at the disks by C(ionice) where it runs. V(idle) reads only while nobody else wants to.
      - A number is a level of «best effort», of which V(7) waits longest. Empty leaves it alone.
      - It takes effect where the kernel's I/O scheduler knows priorities, on what C(pg_dump) writes; the server reads for it as for any client.
    type: str
    choices: ["", idle, "0", "1", "2", "3", "4", "5", "6", "7"]
    default: ""
  max_replication_lag:
    description: End the backup when a replica of this server, or this replica, is more seconds behind. 0 is no limit.
    type: float
    default: 0
  max_active_sessions:
    description: End the backup when more sessions of others are active. 0 is no limit.
    type: int
    default: 0
  compression:
    description: How the dump is compressed, as RV(migrations.rehearsal.preflight#module:facts) on dev found it possible on both sides.
    type: str
    choices: ["zstd:1", lz4, "gzip:1"]
    default: "gzip:1"
  row_files:
    description:
      - How the rows of large tables lie in the archive in files of their own, as RV(migrations.rehearsal.preflight#module:facts) on dev found it
        possible on both sides. Such an archive is for M(migrations.rehearsal.database_copy); C(pg_restore) alone finds those tables empty.
    type: dict
    default: {}
    suboptions:
      program:
        description: What compresses them. Without one the archive is what C(pg_dump) makes.
        type: str
        choices: ["", zstd, gzip]
        default: ""
      major:
        description: Major version of the copy's server. Where it is production's, rows lie there in binary form.
        type: int
        default: 0
  last_share:
    description: What part of the database's size its last dump had; the time that this one takes is estimated by it. 0 where that is not known.
    type: float
    default: 0
  output:
    description:
      - V(file) makes an archive in the work directory.
      - With V(pipe) no file is written on this host. The archive goes through a named pipe to O(local) on the controller while it is made.
    type: str
    choices: [file, pipe]
    default: file
  local:
    description: The archive on the controller, with O(output=pipe).
    type: path
    default: ""
  limit:
    description: Megabytes a second that may be moved, with O(output=pipe), and read from production with O(method=basebackup). 0 is no limit.
    type: float
    default: 0
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
  description: Path of the archive on this host; empty with O(output=pipe).
  returned: success
  type: str
manifest_sha256:
  description: SHA-256 of the manifest in the archive, which holds those of all other files.
  returned: success
  type: str
load:
  description: What the server was asked to do - seconds, bytes, connections, and the seconds that the snapshot was held.
  returned: success
  type: dict
bytes:
  description: Size of the archive; with O(output=pipe), of the dump in it.
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
from ansible_collections.migrations.rehearsal.plugins.module_utils.stages import backup


def main() -> None:
    """Take the backup."""
    process.end_in_order()
    backup.run(AnsibleModule(**backup.OPTIONS))


if __name__ == "__main__":
    main()
