# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats of a report: each is a pure function of the record, and a file beside it."""

from __future__ import annotations

import json
import os
from typing import Callable, Dict, List, Mapping, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import report_html, report_junit, report_markdown, report_sarif, report_text
from ansible_collections.migrations.rehearsal.plugins.module_utils.record import SCHEMA_VERSION
from ansible_collections.migrations.rehearsal.plugins.module_utils.report_figures import Record
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import ENGLISH

RECORD = "record.json"


class RecordOfAnotherVersion(ValueError):
    """The record cannot be rendered; the message says what to do."""


def _json(record: Record, language: str = ENGLISH) -> str:
    """The record itself: it has the texts of every language in it."""
    return json.dumps(record, ensure_ascii=False, sort_keys=True, indent=1) + "\n"


def _text(record: Record, language: str = ENGLISH) -> str:
    """Without the path of a report: this is one, wherever it stands."""
    return report_text.verdict_block(record, None, language) + "\n"


# Format → its file in the rehearsal's directory, and what renders it.
FILES: Mapping[str, str] = {
    "json": RECORD,
    "text": "report.txt",
    "html": "report.html",
    "md": "report.md",
    "junit": "junit.xml",
    "sarif": "report.sarif",
}
_RENDERERS: Dict[str, Callable[[Record, str], str]] = {
    "json": _json,
    "text": _text,
    "html": report_html.html,
    "md": report_markdown.markdown,
    "junit": report_junit.junit,
}
FORMATS: Tuple[str, ...] = tuple(FILES)
# The one that a person is sent to, of those that were written.
_READABLE = ("html", "md", "text", "json")


def render(record: Record, format_: str, language: str = ENGLISH, source_root: str = "") -> str:
    """A record in a format; `source_root`: see `report_sarif.sarif`. Raises RecordOfAnotherVersion."""
    version = record.get("schema_version")
    if version != SCHEMA_VERSION:
        raise RecordOfAnotherVersion(
            f"it is a record of version {version}, and reports are made of version {SCHEMA_VERSION}: judge its evidence again (rehearse judge)"
        )
    if format_ == "sarif":
        return report_sarif.sarif(record, language, source_root)
    return _RENDERERS[format_](record, language)


def problem_of_source_root(source_root: str) -> Optional[str]:
    """Why a path cannot be the application's place in its repository; None: it can."""
    steps = source_root.split("/")
    if source_root.startswith("/") or ".." in steps:
        return f"the source root is «{source_root}»: it must be the path of the application's directory within its repository, such as apps/backend"
    return None


def beside(directory: str) -> List[str]:
    """The formats whose files are in a rehearsal's directory."""
    return [name for name, file in FILES.items() if os.path.exists(os.path.join(directory, file))]


def for_people(formats: List[str]) -> str:
    """The file that a person is sent to when these formats are written; the record is always there."""
    return FILES[next((name for name in _READABLE if name in formats), "json")]
