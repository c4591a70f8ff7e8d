#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a stage with the code that an earlier one has kept in the rehearsal's work directory."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kept_stage
short_description: Run a stage of a rehearsal with code that is at the host already
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Not for playbooks. The other modules of this collection are run by it once their code is in the rehearsal's work directory.
  - Nothing but the arguments goes to the host, and what Python has compiled there once is not compiled again.
options:
  stage:
    description: The module of this collection to run. Its own options stand beside this one.
    type: str
    required: true
  code:
    description: Where its code is. If it is not there, or others could have written it, the result says so, and nothing was done.
    type: path
    required: true
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Gather the evidence of the way back, as the module evidence does
  migrations.rehearsal.kept_stage:
    stage: evidence
    code: ~/.migrations-rehearsal/20261128-090000-5d2c1a-dev/code
    id: 20261128-090000-5d2c1a
    database: rehearsal_20261128_090000_5d2c1a
    moment: back
"""

RETURN = r"""
code_missing:
  description: That there is no such code. Otherwise the result is what the module of that stage returns.
  returned: when the stage was not begun
  type: bool
"""

import gc
import importlib
import inspect
import json
import os
import pwd
import sys

# Ansible puts the arguments here, and packs nothing: this module must not be seen to import anything of Ansible's.
ARGUMENTS = r"""<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>"""
CARRIER = "ansible_collections.migrations.rehearsal.plugins.modules.stage"
OPTIONS = {"stage": {"type": "str", "required": True}, "code": {"type": "path", "required": True}}
# Not in the code, so that it need not be imported to be known.
MARKER_FILE = "rehearsal.json"


def is_ours(code: str) -> bool:
    """Whether nobody but this user could have written it: in a marked work directory, both private."""
    work = os.path.dirname(code)
    try:
        found = [os.lstat(path) for path in (work, code, os.path.join(work, MARKER_FILE))]
    except OSError:
        return False
    private = all(one.st_uid == os.geteuid() and not one.st_mode & 0o022 for one in found)
    return private and not any(os.path.islink(path) for path in (work, code)) and os.path.isdir(code)


def main() -> None:
    """Run the stage as Ansible runs a module that it has unpacked."""
    if ARGUMENTS.startswith("<<"):
        # Not sent by Ansible: for those who want to know what may be given.
        basic = importlib.import_module("ansible.module_utils.basic")
        basic.AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True).exit_json(code_missing=True)
    arguments = json.loads(ARGUMENTS)
    code = os.path.expandvars(arguments.pop("code"))
    if code.startswith("~/"):
        # As Python finds it. Where another way of writing leads to it, it is taken for missing.
        code = (os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir) + code[1:]
    code = os.path.abspath(code)
    if not is_ours(code):
        sys.stdout.write(json.dumps({"code_missing": True}))
        return
    gc.disable()
    # As with a module that is unpacked: nothing of the directory that this happens to be started in is imported.
    sys.path[:] = [code, *(path for path in sys.path if path not in ("", "."))]
    given = {
        "json_params": json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode(),
        "profile": "legacy",
        "module_fqn": CARRIER,
        "modlib_path": code,
        "extensions": {},
    }
    try:
        run_module = importlib.import_module("ansible.module_utils._internal._ansiballz._loader").run_module
        inspect.signature(run_module).bind(**given)
    except (ImportError, AttributeError, TypeError):
        # Ansible's own way into a module, which another version may have changed: then it is sent whole.
        sys.stdout.write(json.dumps({"code_missing": True}))
        return
    run_module(**given)


if __name__ == "__main__":
    main()
