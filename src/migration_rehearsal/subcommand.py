# SPDX-License-Identifier: GPL-3.0-or-later
"""How every subcommand of `rehearse` says what it does: a description, its own exit codes, examples."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from migration_rehearsal import exit_codes

Subparsers = Any
EXAMPLES = "examples:"


def add(
    commands: Subparsers, name: str, help_: str, *, examples: Sequence[str], description: str = "", codes: Mapping[int, str] | None = None
) -> argparse.ArgumentParser:
    """A parser below `commands` (what add_subparsers() gave). `codes`: what its exit codes mean, beside 2, which is wrong usage everywhere."""
    meanings = {exit_codes.GO: "done", **(codes or {})}
    meanings.setdefault(exit_codes.USAGE, "wrong usage, or what was given cannot be used")
    lines = ["exit codes:", *(f"  {code}  {meanings[code]}" for code in sorted(meanings)), "", EXAMPLES, *(f"  {line}" for line in examples)]
    found: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help_,
        description=description or help_[0].upper() + help_[1:] + ".",
        epilog="\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return found


def add_report_dir(parser: argparse.ArgumentParser, help_: str = "where records and reports are (default: %(default)s)") -> None:
    """The report directory, as `rehearse run` knows it."""
    parser.add_argument("--report-dir", type=Path, default=Path("rehearsals"), metavar="DIR", help=help_)
