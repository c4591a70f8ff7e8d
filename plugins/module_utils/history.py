# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered of each rehearsal in `history.jsonl` of the report directory: one JSON object a line, made of the record alone.

It outlives the rehearsals' own directories, which people delete. A rehearsal that is reported twice has two lines; the later one holds.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Mapping, NamedTuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import files

HISTORY = "history.jsonl"
RECORD = "record.json"
FORMAT = 1
# The runs of which a rehearsal's times are kept; `again` repeats `upgrade`.
RUNS = ("upgrade", "downgrade")

Entry = Dict[str, Any]


class History(NamedTuple):
    """Entries in the order in which the rehearsals began, and what could not be read, for a person."""

    entries: List[Entry]
    problems: List[str]


def entry(record: Mapping[str, Any]) -> Entry:
    """What is kept of a record. Times in seconds, of locks in milliseconds; no row value, as in the record itself."""
    stages: Dict[str, float] = {}
    for stage in record["stages"]:
        stages[stage["name"]] = round(stages.get(stage["name"], 0.0) + stage["seconds"], 3)
    codes: Dict[str, List[str]] = {"blocker": [], "warning": []}
    for finding in record["findings"]:
        if finding["severity"] in codes:
            codes[finding["severity"]].append(finding["code"])
    return {
        "format": FORMAT,
        "id": record["id"],
        "verdict": record["verdict"],
        "production_host": record["production"]["host"],
        "database": record["production"]["database"],
        "dev_host": record["copy"]["host"],
        "started_at": record["started_at"],
        "seconds": record["seconds"],
        "downtime_ms": record["downtime_ms"],
        "stages": stages,
        "runs": {run: record["timelines"][run]["seconds"] for run in RUNS if run in record["timelines"]},
        "revisions": {run: [_revision(row) for row in record["revisions"] if row["run"] == run and row["status"] == "ok"] for run in RUNS},
        **codes,
    }


def _revision(row: Mapping[str, Any]) -> Dict[str, Any]:
    return {key: row[key] for key in ("revision", "message", "seconds", "blocked_reads_ms", "blocked_writes_ms")}


def remember(report_dir: str, record: Mapping[str, Any]) -> None:
    """Add a record to the history of a report directory. Raises OSError."""
    path = os.path.join(report_dir, HISTORY)
    _end_last_line(path)
    files.append_json_line(path, entry(record))


def _end_last_line(path: str) -> None:
    """A line that a killed or full machine cut short must not swallow the next one."""
    try:
        with open(path, "rb+") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
    except FileNotFoundError:
        return


def read(report_dir: str) -> History:
    """All that is known of a report directory: its history, and the records in it of which the history knows nothing."""
    problems: List[str] = []
    found: Dict[str, Entry] = {}
    path = os.path.join(report_dir, HISTORY)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                one = _parsed(line)
                if one is None:
                    problems.append(f"{path}: line {number} is damaged, or of another version: it is left out")
                else:
                    found[one["id"]] = one
    except FileNotFoundError:
        pass
    except OSError as error:
        problems.append(f"{path}: {error.strerror}")
    for name in _directories(report_dir):
        if name not in found:
            record = os.path.join(report_dir, name, RECORD)
            try:
                found[name] = entry(files.read_json(record))
            except FileNotFoundError:
                continue  # it runs just now, or came to no record
            except OSError as error:
                problems.append(f"{record}: {error.strerror}")
            except (KeyError, TypeError, ValueError, AttributeError):
                problems.append(f"{record} is damaged, or of another version: it is left out")
    return History(sorted(found.values(), key=lambda one: (one["started_at"], one["id"])), problems)


_NUMBER = (int, float)
_SHAPE: Mapping[str, Any] = {
    **dict.fromkeys(("id", "verdict", "production_host", "database", "dev_host", "started_at"), str),
    "seconds": _NUMBER,
    "stages": dict,
    "revisions": dict,
}
_ROW_SHAPE: Mapping[str, Any] = {"revision": str, "seconds": _NUMBER, "blocked_reads_ms": _NUMBER, "blocked_writes_ms": _NUMBER}


def _parsed(line: str) -> Any:
    try:
        one = json.loads(line)
    except ValueError:
        return None
    if not isinstance(one, dict) or one.get("format") != FORMAT or not _has(one, _SHAPE):
        return None
    rows = [row for run in one["revisions"].values() for row in (run if isinstance(run, list) else [None])]
    return one if all(isinstance(row, dict) and _has(row, _ROW_SHAPE) for row in rows) else None


def _has(one: Mapping[str, Any], shape: Mapping[str, Any]) -> bool:
    return all(isinstance(one.get(key), kind) for key, kind in shape.items())


def _directories(report_dir: str) -> List[str]:
    try:
        return sorted(one.name for one in os.scandir(report_dir) if one.is_dir(follow_symlinks=False))
    except OSError:
        return []
