#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verdict
short_description: Print the verdict of a rehearsal and fail unless it is GO
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Prints the verdict, the checklist, the findings and the path of the report.
  - Fails for V(NO-GO) and V(INCOMPLETE).
options:
  directory:
    description: The rehearsal's directory on the controller.
    type: path
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
- name: Verdict
  migrations.rehearsal.verdict:
    directory: rehearsals/20261122-223011-9f3a2c
"""

RETURN = r"""
verdict:
  description: The verdict.
  returned: always
  type: str
report:
  description: Path of the Markdown report.
  returned: always
  type: str
"""
