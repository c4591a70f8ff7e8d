#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gather evidence from the copy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence
short_description: Take the snapshot and the fingerprint of the copy at one moment
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Writes facts about the copy to the rehearsal's work directory - the catalog, counts and hashes computed inside PostgreSQL. No row travels.
  - Only reads rows, and only this rehearsal's copy. Where values changed and the fingerprints do not say in how many rows, the old rows of those
    tables are restored from the backup into a marked database beside the copy, and counted against.
extends_documentation_fragment:
  - migrations.rehearsal.postgres
  - migrations.rehearsal.rehearsal
options:
  database:
    description: Name of the copy.
    type: str
    required: true
  moment:
    description: Which moment this is.
    type: str
    choices: [before, after, back, again]
    required: true
  collect:
    description: What to gather. V(checks) needs V(snapshot) of the same moment.
    type: list
    elements: str
    choices: [snapshot, fingerprint, checks]
    default: [snapshot, fingerprint, checks]
  expectations:
    description: The expectations, as M(migrations.rehearsal.prepare) read them.
    type: dict
    default: {}
  data_proof:
    description: V(full) hashes every value, V(changed) skips what provably was not touched, V(counts) counts only.
    type: str
    choices: [full, changed, counts]
    default: full
  show_keys:
    description:
      - Whether the keys of rows that changed unexpectedly may be written down, the first 20 of each kind.
      - Without it only their number is.
    type: bool
    default: false
  follow_rows:
    description:
      - Whether changed rows may be counted by holding them against the backup.
      - Not where the copy was changed after it had been restored, as by masking.
    type: bool
    default: true
  only_migrations:
    description:
      - Whether nothing but the migrations ran on the copy since the moment V(before).
      - Where something else did (added tasks), V(changed) does not ask the server's counters which tables were written to, but reads the header of
        every row.
    type: bool
    default: true
  connections:
    description: Sessions that may read at a time.
    type: int
    default: 2
  statistics:
    description:
      - Sessions that gather the planner's statistics meanwhile (C(ANALYZE)), which a dump does not carry. V(0) gathers none.
      - A physical copy has production's, and one that is made from a kept template has those of the template.
    type: int
    default: 0
  timeout:
    description: Seconds that any single statement may take.
    type: float
    default: 3600
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Take the fingerprint after the upgrade
  migrations.rehearsal.evidence:
    id: 20261122-223011-9f3a2c
    database: rehearsal_20261122_223011_9f3a2c
    moment: after
    collect: [fingerprint]
    postgres:
      user: postgres
"""

RETURN = r"""
summary:
  description: What was gathered, in one line.
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
from ansible_collections.migrations.rehearsal.plugins.module_utils.stages import evidence


def main() -> None:
    """Gather."""
    process.end_in_order()
    evidence.run(AnsibleModule(**evidence.OPTIONS))


if __name__ == "__main__":
    main()
