# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of one rehearsal on the controller: `rehearsals/<id>/` with its state, its evidence and its reports."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import files, history

EVIDENCE = "evidence"
STAGES = "stages.jsonl"
STATE = "state.json"


@dataclasses.dataclass(frozen=True)
class RehearsalDirectory:
    """Mode 0700: it names hosts, tables and revisions, though never a row value."""

    path: str

    @classmethod
    def create(cls, report_dir: str, rehearsal_id: str) -> RehearsalDirectory:
        """Make the directory of a new rehearsal below the report directory."""
        directory = cls(os.path.join(os.path.abspath(os.path.expanduser(report_dir)), rehearsal_id))
        os.makedirs(directory.evidence(), mode=files.PRIVATE_DIRECTORY)
        os.chmod(directory.path, files.PRIVATE_DIRECTORY)
        return directory

    def file(self, *names: str) -> str:
        """A path below the directory."""
        return os.path.join(self.path, *names)

    def evidence(self, *names: str) -> str:
        """A path below its evidence."""
        return self.file(EVIDENCE, *names)

    def write_evidence(self, name: str, content: Any) -> None:
        """One JSON evidence file."""
        files.write_json(self.evidence(name), content)

    def add_stage(self, stage: dict[str, Any]) -> None:
        """One line of stages.jsonl, as it ends."""
        files.append_json_line(self.evidence(STAGES), stage)

    def write_state(self, state: dict[str, Any]) -> None:
        """What a clean-up from outside needs to know."""
        files.write_json(self.file(STATE), state)

    def read_state(self) -> dict[str, Any]:
        """The content of state.json."""
        state: dict[str, Any] = files.read_json(self.file(STATE))
        return state

    def remember(self, record: dict[str, Any]) -> None:
        """One line in the report directory's history, which outlives this directory. Raises OSError."""
        history.remember(os.path.dirname(self.path), record)

    def point_latest(self) -> None:
        """Let `latest` beside this directory point at it; the newest wins when several end together."""
        link = os.path.join(os.path.dirname(self.path), "latest")
        partial = f"{link}.{os.path.basename(self.path)}.partial"
        if os.path.lexists(link) and not os.path.islink(link):
            return  # somebody's own file: not ours to replace
        if os.path.islink(link) and os.readlink(link) > os.path.basename(self.path):
            return
        os.symlink(os.path.basename(self.path), partial)
        os.replace(partial, link)
