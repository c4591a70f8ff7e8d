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
  - Reads the records and prints a table of the verdicts.
options:
  directories:
    description: The rehearsals' directories on the controller.
    type: list
    elements: path
    required: true
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
"""
