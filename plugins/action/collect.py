# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch the evidence from dev before clean-up removes it there."""

from __future__ import annotations

import os
import tarfile
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import files
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.rehearsal_directory import RehearsalDirectory
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.stage import StageAction


class ActionModule(StageAction):
    """The module packs, this unpacks beside the evidence that the controller has already."""

    def perform(self, variables: dict[str, Any], directory: RehearsalDirectory | None) -> dict[str, Any]:
        """One archive, whatever the number of files."""
        result: dict[str, Any] = self._execute_module(task_vars=variables)
        if result.get("failed") or not result.get("path") or directory is None:
            return result
        local = directory.file("evidence.tar.gz")
        try:
            self._connection.fetch_file(result["path"], local)
            with tarfile.open(local, mode="r:gz") as archive:
                for member in archive:
                    # Plain files with plain names only: the archive comes from another host.
                    source = archive.extractfile(member) if member.isfile() and os.path.basename(member.name) == member.name else None
                    if source is not None:
                        files.write_bytes(directory.evidence(member.name), source.read())
        finally:
            if os.path.exists(local):
                os.unlink(local)
        return result
