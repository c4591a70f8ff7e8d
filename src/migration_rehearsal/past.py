# SPDX-License-Identifier: GPL-3.0-or-later
"""Find a past rehearsal by what a person calls it: its id, the beginning of it, `latest`, a directory, a record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import files

LATEST = "latest"
RECORD = "record.json"
_NEEDED = ("id", "verdict", "production", "copy", "findings", "checklist", "revisions", "stages", "schema_changes", "data_changes")


class NotFound(Exception):
    """There is no such rehearsal. The message says what was looked for, and where."""


def directory(name: str, report_dir: Path) -> Path:
    """The directory of a rehearsal. Raises NotFound."""
    given = Path(name)
    if given.name == RECORD and given.is_file():
        return given.parent
    for place in (report_dir / name, given):
        if place.is_dir():
            # Under its own name: `latest` is another one tomorrow.
            return place.parent / place.readlink() if place.is_symlink() else place
    # The beginning of an id is no path.
    begun = report_dir.glob(f"{_plain(name)}*") if name and given.name == name else ()
    found = sorted(place for place in begun if place.is_dir() and not place.is_symlink())
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFound(f"{name} is the beginning of {len(found)} rehearsals in {report_dir}: {', '.join(place.name for place in found[:5])}")
    raise NotFound(f"there is no rehearsal {name} in {report_dir}, and no directory of that name")


def place(name: str, report_dir: Path) -> Path:
    """A file as it is given, such as a record that was sent; else the directory of a rehearsal. Raises NotFound."""
    return Path(name) if Path(name).is_file() else directory(name, report_dir)


def _plain(name: str) -> str:
    """A name in which nothing is a pattern."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def record(name: str, report_dir: Path) -> dict[str, Any]:
    """The record of a rehearsal. Raises NotFound, also where it has none or a damaged one."""
    path = directory(name, report_dir) / RECORD
    try:
        found: dict[str, Any] = files.read_json(str(path))
    except OSError as error:
        raise NotFound(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise NotFound(f"{path} is damaged: {error}") from error
    if not isinstance(found, dict) or any(key not in found for key in _NEEDED):
        raise NotFound(f"{path} is no record of this version")
    return found


def ids(report_dir: Path) -> list[str]:
    """The rehearsals that have a record, oldest first."""
    return sorted(path.parent.name for path in report_dir.glob(f"*/{RECORD}") if not path.parent.is_symlink())
