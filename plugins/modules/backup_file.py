#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at an existing backup, and make it ready to be carried."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_file
short_description: Look at an existing backup of a database, and make it ready to be carried to dev
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Recognises C(pg_dump)'s plain SQL, custom, directory and tar formats by their content, compressed or not, and notes the SHA-256.
  - The backup is only read, never changed and never removed.
extends_documentation_fragment:
  - migrations.rehearsal.rehearsal
  - migrations.rehearsal.rehearsal.marker
options:
  path:
    description: The backup, a file or the directory of C(pg_dump --format=directory).
    type: str
    required: true
  carry_as:
    description:
      - Where on this host the one file appears that is carried to dev. A link to the backup, or a directory packed.
      - With V(work) it is in the rehearsal's work directory on production. Empty means that the backup is used where it is.
    type: str
    default: ""
  checksum:
    description: Whether the whole backup is read to note its SHA-256.
    type: bool
    default: true
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Look at last night's backup
  migrations.rehearsal.backup_file:
    path: /var/backups/shop.dump
    id: 20261122-223011-9f3a2c
    source: production/shop
    created: "2026-11-22T22:30:11Z"
    expires: "2026-11-23T22:30:11Z"
"""

RETURN = r"""
archive:
  description: What to carry, or the backup itself.
  returned: success
  type: str
bytes:
  description: Size of what is carried.
  returned: success
  type: int
format:
  description: V(plain), V(custom), V(directory), V(tar) or V(packed directory).
  returned: success
  type: str
compression:
  description: V(gzip), V(bzip2), V(xz), V(zstd) or V(lz4); empty for none. Compression inside an archive of C(pg_dump)'s is not meant.
  returned: success
  type: str
sha256:
  description: SHA-256 of the file; of a directory, over its files.
  returned: success
  type: str
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
from ansible_collections.migrations.rehearsal.plugins.module_utils.stages import backup_file


def main() -> None:
    """Look, and make ready."""
    process.end_in_order()
    backup_file.run(AnsibleModule(**backup_file.OPTIONS))


if __name__ == "__main__":
    main()
