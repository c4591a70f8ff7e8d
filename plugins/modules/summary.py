#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: summary
short_description: Print one line for each database that was rehearsed
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Reads the records, prints a table of the verdicts where there are several, and returns what a workflow needs to know.
options:
  directories:
    description: The rehearsals' directories on the controller.
    type: list
    elements: path
    required: true
  hosts:
    description: The dev hosts that were to rehearse. One of them without a record counts as V(INCOMPLETE).
    type: list
    elements: str
    default: []
  language:
    description: The language of what is printed.
    type: str
    choices: [en, ru]
    default: en
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Summary
  migrations.rehearsal.summary:
    directories: [rehearsals/20261122-223011-9f3a2c, rehearsals/20261122-223011-77aa01]
"""

RETURN = r"""
verdicts:
  description: Verdict by rehearsal id.
  returned: success
  type: dict
stats:
  description: What a workflow passes on, for M(ansible.builtin.set_stats).
  returned: success
  type: dict
  contains:
    rehearsal_verdict:
      description: The verdict; of several databases the worst.
      type: str
    rehearsal_summary:
      description: The verdict in one line for each database, with its first finding.
      type: str
    rehearsal_downtime_ms:
      description: Milliseconds during which reads or writes of some table wait; of several databases the longest. Null where it was not measured.
      type: float
    rehearsal_report:
      description: Path of the report on the controller; of several databases that of the worst.
      type: str
"""
