# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shell offers for an argument when Tab is pressed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from migration_rehearsal import past


def rehearsal(argument: argparse.Action) -> None:
    """Ids of rehearsals in the report directory that is given, newest first, and `latest`."""
    argument.completer = _rehearsals  # type: ignore[attr-defined]


def _rehearsals(prefix: str, parsed_args: argparse.Namespace, **_more: Any) -> list[str]:
    report_dir = getattr(parsed_args, "report_dir", None) or Path("rehearsals")
    return [name for name in (past.LATEST, *reversed(past.ids(report_dir))) if name.startswith(prefix)]
