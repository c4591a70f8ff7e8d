#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold production's schema against what its own revision says."""

from __future__ import annotations

DOCUMENTATION = r"""
module: schema_drift
short_description: Hold production's schema against what its own revision says
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Makes an empty, marked database beside the copy, runs the application's migrations there up to production's revision, behind a fence that lets no
    other database pass, and compares its catalog with the one that the copy had before the upgrade. The database is dropped again.
  - The application must take its address from C(rehearsal_copy_database), which is the name of that database here.
  - What it finds is in C(drift.json) of the evidence, also the reason where the migrations do not run from nothing.
extends_documentation_fragment:
  - migrations.rehearsal.postgres
  - migrations.rehearsal.rehearsal
  - migrations.rehearsal.rehearsal.application
options:
  copy:
    description: Name of the copy.
    type: str
    required: true
  revisions:
    description: Revisions that production stands on.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds that the migrations may take.
    type: float
    default: 300
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Compare production with its revision
  migrations.rehearsal.schema_drift:
    id: 20261122-223011-9f3a2c
    copy: rehearsal_20261122_223011_9f3a2c
    revisions: [96bcb588d0c8]
    application:
      command: [.venv/bin/python]
      chdir: /opt/staffprobot
      environment:
        DATABASE_URL: postgresql:///rehearsal_20261122_223011_9f3a2c_empty
    postgres:
      user: postgres
"""

RETURN = r"""
summary:
  description: What came of it, in one line.
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
from ansible_collections.migrations.rehearsal.plugins.module_utils.stages import schema_drift


def main() -> None:
    """Build it from nothing and compare."""
    process.end_in_order()
    schema_drift.run(AnsibleModule(**schema_drift.OPTIONS))


if __name__ == "__main__":
    main()
