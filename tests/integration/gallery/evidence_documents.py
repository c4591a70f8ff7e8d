"""Evidence of a case, to be altered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import files


class Documents(dict[str, Any]):
    """Evidence by the names of its files, read when it is asked for; None in the place of a file removes it."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory

    def __missing__(self, name: str) -> Any:
        path = self._directory / name
        lines = path.suffix == ".jsonl"
        self[name] = (list(files.read_json_lines(str(path))) if lines else json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
        return self[name]

    def write(self) -> None:
        for name, document in self.items():
            path = self._directory / name
            # A link to the original's.
            path.unlink(missing_ok=True)
            if document is not None:
                parts = document if path.suffix == ".jsonl" else [document]
                path.write_text("".join(json.dumps(part) + "\n" for part in parts), encoding="utf-8")


def nothing(_documents: Documents) -> None:
    """Changes nothing."""
