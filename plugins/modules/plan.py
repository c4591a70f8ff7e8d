#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Print what a rehearsal would do
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Prints what would be backed up, how it would be carried, where the copy would be, which revisions would run, and what would be removed.
  - Does nothing of it. The role C(preflight) runs it in check mode, once nothing stands in the way.
options:
  rehearsal:
    description: The rehearsal as M(migrations.rehearsal.prepare) describes it.
    type: dict
    required: true
  source:
    description: Where the copy would come from, as it was chosen.
    type: str
    choices: [dump, file, basebackup, template]
    required: true
  production:
    description: The facts that M(migrations.rehearsal.preflight) found on production; empty where it did not look.
    type: dict
    default: {}
  dev:
    description: The facts that it found on dev.
    type: dict
    default: {}
  pending:
    description: The revisions that would run, in order, each with V(revision) and V(message). Not set where only the copy can tell.
    type: list
    elements: dict
  heads:
    description: The heads of the application's revisions.
    type: list
    elements: str
    default: []
  transfer:
    description: The way of the backup to dev.
    type: str
    choices: [controller, direct, stream, pull]
    default: controller
  jobs:
    description: Connections that C(pg_dump) would use.
    type: int
    default: 2
  data_proof:
    description: How the data would be proved.
    type: str
    choices: [full, changed, counts]
    default: full
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Say what would be done
  migrations.rehearsal.plan:
    rehearsal: "{{ prepared.rehearsal }}"
    source: dump
    production: "{{ looked_at.facts }}"
    pending: "{{ application.pending_on_production }}"
"""

RETURN = r"""
text:
  description: What was printed.
  returned: always
  type: str
"""
