#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Judge the evidence of a rehearsal and write its record and report
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Runs the judge, which is a pure function of the evidence, and renders C(record.json) and C(report.md).
options:
  directory:
    description: The rehearsal's directory on the controller.
    type: path
    required: true
  failed_task:
    description: Name of the task that failed, if one did.
    type: str
    default: ""
  failed_message:
    description: What it said.
    type: raw
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Judge the evidence
  migrations.rehearsal.report:
    directory: rehearsals/20261122-223011-9f3a2c
"""

RETURN = r"""
verdict:
  description: The verdict.
  returned: success
  type: str
record:
  description: Path of the record.
  returned: success
  type: str
report:
  description: Path of the Markdown report.
  returned: success
  type: str
findings:
  description: All findings.
  returned: success
  type: list
  elements: dict
"""
