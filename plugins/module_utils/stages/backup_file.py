# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At the host: look at an existing backup of a database, and make it ready to be carried to dev."""

from __future__ import annotations

import os
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import arguments, backup, backup_file, files
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError

OPTIONS: Dict[str, Any] = {
    "argument_spec": dict(
        arguments.REHEARSAL,
        **arguments.MARKER,
        path=dict(type="str", required=True),
        carry_as=dict(type="str", default=""),
        checksum=dict(type="bool", default=True),
    ),
    "supports_check_mode": True,
}


def run(module: AnsibleModule) -> None:
    """Look, and make ready."""
    p = module.params
    try:
        found = backup_file.inspect(p["path"], p["checksum"])
        archive = _make_ready(p, found) if p["carry_as"] and not module.check_mode else found.path
    except RehearsalError as error:
        module.fail_json(msg=str(error), findings=error.findings())
    except OSError as error:
        module.fail_json(msg=f"cannot make {p['path']} ready to be carried: {error.strerror}")
    size = os.path.getsize(archive) if os.path.isfile(archive) else found.bytes
    compressed = f", compressed with {found.compression}" if found.compression else ""
    module.exit_json(
        changed=False,
        archive=archive,
        bytes=size,
        format=found.format,
        compression=found.compression,
        sha256=found.sha256,
        summary=f"{found.format}{compressed}, {found.bytes / 1e6:,.1f} MB",
    )


def _make_ready(p: Dict[str, Any], found: backup_file.BackupFile) -> str:
    target: str = p["carry_as"]
    if target == "work":
        if found.format != backup_file.DIRECTORY:
            return found.path
        work = arguments.work_directory(p, "production")
        work.create(arguments.marker(p))
        target = work.file(backup.ARCHIVE)
    else:
        os.makedirs(os.path.dirname(target), mode=files.PRIVATE_DIRECTORY, exist_ok=True)
    if found.format == backup_file.DIRECTORY:
        backup_file.pack(found, target)
    else:
        # What is carried is removed afterwards: the link, never the backup.
        os.symlink(found.path, target)
    return target
