# SPDX-License-Identifier: GPL-3.0-or-later
"""Print tables: for a terminal as wide as it is, for a file in full."""

from __future__ import annotations

import sys

from rich.console import Console, RenderableType

from migration_rehearsal import terminal

_ENDLESS = 10_000


def console() -> Console:
    """Where tables go: as wide as the terminal, and without colours and line breaks where there is none."""
    return Console(highlight=False, no_color=not terminal.is_live(), width=None if sys.stdout.isatty() else _ENDLESS)


def show(on: Console, what: RenderableType) -> None:
    """Print without the blanks that pad a table's last column."""
    with on.capture() as captured:
        on.print(what)
    for line in captured.get().splitlines():
        print(line.rstrip())
