# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch the evidence from dev before clean-up removes it there; let squawk look at the SQL in it."""

from __future__ import annotations

import os
import tarfile
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import files
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import carry, squawk
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.rehearsal_directory import RehearsalDirectory
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.stage import StageAction


class ActionModule(StageAction):
    """The module packs, this unpacks beside the evidence that the controller has already."""

    code_is_kept = True

    def perform(self, variables: dict[str, Any], directory: RehearsalDirectory | None) -> dict[str, Any]:
        """One archive, whatever the number of files."""
        result: dict[str, Any] = self._execute_module(task_vars=variables)
        if result.get("failed") or not result.get("path") or directory is None:
            return result
        local = directory.file("evidence.tar.gz")
        try:
            carry.fetch(self, result["path"], local, result["bytes"], self.teller(variables, "evidence"), carry.Terms())
            with tarfile.open(local, mode="r:gz") as archive:
                for member in archive:
                    # Plain files with plain names only: the archive comes from another host.
                    source = archive.extractfile(member) if member.isfile() and os.path.basename(member.name) == member.name else None
                    if source is not None:
                        files.write_bytes(directory.evidence(member.name), source.read())
        finally:
            for path in (local, f"{local}.partial"):
                if os.path.exists(path):
                    os.unlink(path)
        self._lint(directory)
        return result

    def _lint(self, directory: RehearsalDirectory) -> None:
        """Here and not before the judge: what squawk says is evidence, and is collected once."""
        timeline, manifest = directory.evidence("migration-upgrade.jsonl"), directory.evidence("manifest.json")
        if not os.path.exists(timeline):
            return
        version = files.read_json(manifest)["server_version_num"] if os.path.exists(manifest) else None
        setting = str(self._task.args.get("squawk") or squawk.AUTO)
        directory.write_evidence(squawk.EVIDENCE, squawk.examine(setting, files.read_json_lines(timeline), version))
