#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: hook
short_description: Note how the tasks went that an inventory adds to a rehearsal
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Used by the role P(migrations.rehearsal.hook#role), before and after the tasks of the file.
  - Notes a stage, with a finding if a task failed. The finding names the file and the task, never what the task said.
options:
  moment:
    description: When in the rehearsal the tasks run.
    type: str
    choices: [after_restore, before_upgrade, after_upgrade]
    required: true
  file:
    description: The file of tasks on the controller.
    type: path
    required: true
  state:
    description: V(begun) before the tasks, V(done) after them, V(failed) where one of them failed; then the module fails too.
    type: str
    choices: [begun, done, failed]
    required: true
  started:
    description: When the tasks began, as RV(started) said. Required unless O(state=begun).
    type: str
  task:
    description: Name of the task that failed.
    type: str
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Note when the added tasks begin
  migrations.rehearsal.hook:
    moment: after_restore
    file: /etc/rehearsal/masking.yml
    state: begun
  register: begun

- name: Note that they went well
  migrations.rehearsal.hook:
    moment: after_restore
    file: /etc/rehearsal/masking.yml
    state: done
    started: "{{ begun.started }}"
"""

RETURN = r"""
started:
  description: When the tasks began.
  returned: O(state=begun)
  type: str
summary:
  description: How they went, in one line.
  returned: O(state=done)
  type: str
"""
