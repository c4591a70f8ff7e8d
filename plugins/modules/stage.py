#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry all stages to a host as one module."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stage
short_description: Carry the stages of a rehearsal to a host as one module
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Not for playbooks. The other modules of this collection are run by this one, each with the options that it documents.
  - Ansible packs a module with all that it imports once in a run, which takes a third of a second for each. So one is packed for all of them.
options:
  stage:
    description: The module of this collection to run. Its own options stand beside this one.
    type: str
    required: true
    choices:
      - alembic_check
      - alembic_info
      - alembic_migrate
      - backup
      - backup_file
      - collect
      - database_copy
      - evidence
      - preflight
      - schema_drift
      - stairway
      - sweep
      - transfer
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Remove what has expired, as the module sweep does
  migrations.rehearsal.stage:
    stage: sweep
    side: dev
    postgres:
      user: postgres
"""

RETURN = r"""
summary:
  description: What came of it, in one line, beside all that the module of that stage returns.
  returned: success
  type: str
"""

import gc
import importlib
from typing import TYPE_CHECKING

from ansible.module_utils import basic
from ansible_collections.migrations.rehearsal.plugins.module_utils import arguments, kept_code, process

if TYPE_CHECKING:
    # Ansible packs whatever is imported anywhere. At the host, a stage is loaded without the others.
    from ansible_collections.migrations.rehearsal.plugins.module_utils.stages import (  # noqa: F401
        alembic_check,
        alembic_info,
        alembic_migrate,
        backup,
        backup_file,
        collect,
        database_copy,
        evidence,
        preflight,
        schema_drift,
        stairway,
        sweep,
        transfer,
    )

PLACE = "ansible_collections.migrations.rehearsal.plugins.module_utils.stages"
STAGES = (
    "alembic_check",
    "alembic_info",
    "alembic_migrate",
    "backup",
    "backup_file",
    "collect",
    "database_copy",
    "evidence",
    "preflight",
    "schema_drift",
    "stairway",
    "sweep",
    "transfer",
)
# Those that make dev's work directory: what was sent for them is kept there for those that follow.
MAKING_ROOM = ("transfer", "database_copy")


def main() -> None:
    """Find the stage, and run it with its own options."""
    process.end_in_order()
    spec = {"stage": {"type": "str", "required": True, "choices": list(STAGES)}}
    # What AnsibleModule itself reads: which options there are depends on one of them.
    name = (basic._load_params() or {}).get("stage")
    if name not in STAGES:
        basic.AnsibleModule(argument_spec=spec, supports_check_mode=True)
    # What is imported stays: looking for garbage in it would take a tenth of the time.
    gc.disable()
    stage = importlib.import_module(f"{PLACE}.{name}")
    gc.freeze()
    gc.enable()
    module = basic.AnsibleModule(**{**stage.OPTIONS, "argument_spec": {**stage.OPTIONS["argument_spec"], **spec}})
    try:
        stage.run(module)
    except SystemExit as end:
        if not end.code and name in MAKING_ROOM and not module.check_mode:
            kept_code.keep(globals().get("_modlib_path", ""), arguments.work_directory(module.params, "dev"))
        raise


if __name__ == "__main__":
    main()
