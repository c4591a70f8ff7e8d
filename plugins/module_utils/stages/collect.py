# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At the host: fetch the evidence of a rehearsal to the controller."""

from __future__ import annotations

import os
import tarfile
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import arguments, files

OPTIONS: Dict[str, Any] = {"argument_spec": dict(arguments.REHEARSAL, squawk=dict(type="str", default="auto")), "supports_check_mode": True}


def run(module: AnsibleModule) -> None:
    """Pack what is there."""
    work = arguments.work_directory(module.params, "dev")
    if module.check_mode or not os.path.isdir(work.evidence):
        module.exit_json(changed=False, path="", bytes=0)
    path = work.file("evidence.tar.gz")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, files.PRIVATE_FILE), "wb") as output, tarfile.open(
        fileobj=output, mode="w:gz", compresslevel=1
    ) as archive:
        for name in sorted(os.listdir(work.evidence)):
            if not name.endswith(".partial"):
                archive.add(os.path.join(work.evidence, name), arcname=name)
    module.exit_json(changed=False, path=path, bytes=os.path.getsize(path))
