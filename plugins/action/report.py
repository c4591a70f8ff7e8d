# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the evidence of a rehearsal; write its record and its reports."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.migrations.rehearsal.plugins.module_utils import evidence_files, files, identity, reports, words
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import assertions
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.rehearsal_directory import RehearsalDirectory


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller alone."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The verdict and where the files are."""
        super().run(tmp, task_vars)
        formats, language = list(self._task.args.get("formats") or reports.FORMATS), str(self._task.args.get("language") or words.ENGLISH)
        unknown = sorted(set(formats) - set(reports.FORMATS))
        if unknown or language not in words.LANGUAGES:
            wrong = [f"format {name}" for name in unknown] + ([f"language {language}"] if language not in words.LANGUAGES else [])
            known = f"formats {', '.join(reports.FORMATS)}; languages {', '.join(words.LANGUAGES)}"
            return {"failed": True, "msg": f"there is no {', no '.join(wrong)}; there are {known}"}
        source_root = str(self._task.args.get("source_root") or "")
        problem = reports.problem_of_source_root(source_root)
        if problem:
            return {"failed": True, "msg": problem}
        directory = RehearsalDirectory(self._task.args["directory"])
        self._note_failure(directory)
        self._clean_controller(directory)
        record = judge(evidence_files.load(directory.evidence()), assertions.evaluate)
        # First what nothing else can be made of again: a renderer that breaks takes nothing of it along.
        self._write(directory, record, reports.RECORD, "json", language, source_root)
        self._remember(directory, record)
        directory.point_latest()
        directory.write_state({**directory.read_state(), "cleaned": True})
        written = [name for name in formats if name == "json" or self._rendered(directory, record, name, language, source_root)]
        return {
            "changed": False,
            "verdict": record["verdict"],
            "language": language,
            "record": directory.file(reports.RECORD),
            "report": directory.file(reports.for_people(written)),
            "reports": {name: directory.file(reports.FILES[name]) for name in written},
            "findings": record["findings"],
        }

    @staticmethod
    def _write(directory: RehearsalDirectory, record: dict[str, Any], file: str, name: str, language: str, source_root: str) -> None:
        files.write_bytes(directory.file(file), reports.render(record, name, language, source_root).encode("utf-8", "replace"))

    def _rendered(self, directory: RehearsalDirectory, record: dict[str, Any], name: str, language: str, source_root: str) -> bool:
        """One report; an error in it is told, and neither the verdict nor the other reports are lost by it."""
        try:
            self._write(directory, record, reports.FILES[name], name, language, source_root)
        except Exception as error:
            said = f"{directory.file(reports.FILES[name])} could not be made ({type(error).__name__}: {error})"
            Display().warning(f"{said}; the record is whole: rehearse report {directory.path} --format {name}")
            return False
        return True

    @staticmethod
    def _remember(directory: RehearsalDirectory, record: dict[str, Any]) -> None:
        """The history is a convenience: one that cannot be written is told, and makes no rehearsal red."""
        try:
            directory.remember(record)
        except OSError as error:
            Display().warning(f"this rehearsal is not in the history: {error.filename}: {error.strerror}")

    def _note_failure(self, directory: RehearsalDirectory) -> None:
        """A failure that no stage noted itself (a template, an argument) is still one."""
        message = self._task.args.get("failed_message")
        if not message:
            return
        stages = evidence_files.load(directory.evidence()).stages
        if any(stage["status"] != "ok" for stage in stages):
            return
        text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False, default=str)
        directory.add_stage(
            {
                "name": self._task.args.get("failed_task") or "playbook",
                "host": "controller",
                "status": "failed",
                "started_at": identity.format_time(identity.utc_now()),
                "seconds": 0.0,
                "error": text,
            }
        )

    @staticmethod
    def _clean_controller(directory: RehearsalDirectory) -> None:
        """The dump passes through here; after a failure it may still be."""
        transfer = directory.file("transfer")
        if os.path.isdir(transfer):
            for name in os.listdir(transfer):
                os.unlink(os.path.join(transfer, name))
            os.rmdir(transfer)
