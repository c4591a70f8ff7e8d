#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Judge the evidence of a rehearsal and write its record and reports
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Runs the judge, which is a pure function of the evidence, and renders its record in the formats that are asked for.
  - C(record.json) is always written, and first. A report that cannot be made is a warning, and the others are made all the same.
  - The other files are C(report.html), C(report.md), C(report.txt), C(junit.xml) and C(report.sarif).
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
  formats:
    description: The formats to write. Left out, all of them.
    type: list
    elements: str
    choices: [json, text, html, md, junit, sarif]
  language:
    description: The language of the reports. The record has the texts of every language in it.
    type: str
    choices: [en, ru]
    default: en
  source_root:
    description:
      - Where the application's working directory is in its repository, such as V(apps/backend); left out, it is the root.
      - Code scanning reads the paths of C(report.sarif) from there.
    type: str
    default: ""
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Judge the evidence
  migrations.rehearsal.report:
    directory: rehearsals/20261122-223011-9f3a2c

- name: Only what the merge request shows, in Russian
  migrations.rehearsal.report:
    directory: rehearsals/20261122-223011-9f3a2c
    formats: [md, junit]
    language: ru
"""

RETURN = r"""
verdict:
  description: The verdict.
  returned: success
  type: str
language:
  description: The language of the reports that were written.
  returned: success
  type: str
  sample: en
record:
  description: Path of the record.
  returned: success
  type: str
report:
  description: Path of the report that people read best, of those that were written.
  returned: success
  type: str
reports:
  description: Path of each report by its format.
  returned: success
  type: dict
findings:
  description: All findings.
  returned: success
  type: list
  elements: dict
"""
