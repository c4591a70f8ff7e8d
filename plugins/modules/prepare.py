#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: prepare
short_description: Check the inventory and give a rehearsal its id and its directory
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Reads what the inventory says of production and dev, and reports everything that is missing or wrong at once.
  - Makes the rehearsal's directory on the controller and starts the watch that cleans up if the controller dies.
options:
  record:
    description: Whether to make a directory and start the watch. Without it the rehearsal cannot go beyond preflight.
    type: bool
    default: true
  application:
    description: Whether C(rehearsal_application) must be there. A backup alone needs none.
    type: bool
    default: true
  again:
    description:
      - The id of a rehearsal that kept a template (C(rehearsal_keep=template)), or V(latest). The copy is then made from that template, and what was
        found out about the backup and its restore is taken over. Empty means a rehearsal from the beginning.
    type: str
    default: ""
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Check the inventory and name the rehearsal
  migrations.rehearsal.prepare:
  register: prepared
"""

RETURN = r"""
rehearsal:
  description: Everything that later steps need to know.
  returned: success
  type: dict
problems:
  description: What is missing or wrong.
  returned: failure
  type: list
  elements: str
"""
