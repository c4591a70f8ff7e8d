# SPDX-License-Identifier: GPL-3.0-or-later
"""`rehearse open`: look at the report of a rehearsal, in a browser where there is one."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path

from ansible_collections.migrations.rehearsal.plugins.module_utils import report_text, reports

from migration_rehearsal import completers, exit_codes, past, subcommand

HTML = reports.FILES["html"]
_TEXTS = (reports.FILES["md"], reports.FILES["text"], past.RECORD)


def add(commands: subcommand.Subparsers) -> None:
    """The parser of `rehearse open`."""
    one = subcommand.add(
        commands,
        "open",
        "open the report of a rehearsal",
        description="Open the HTML report in a browser; without a browser or a display print where it is. "
        "A rehearsal without one is printed as text.",
        examples=["rehearse open", "rehearse open 20261122-223011", "rehearse open --print rehearsals/latest"],
    )
    help_ = "an id or its beginning, or a directory (default: the newest)"
    argument = one.add_argument("rehearsal", nargs="?", default=past.LATEST, metavar="REHEARSAL", help=help_)
    completers.rehearsal(argument)
    one.add_argument("--print", action="store_true", dest="only_print", help="print the path, and open nothing")
    subcommand.add_report_dir(one)
    one.set_defaults(action=lambda given: run(given.rehearsal, given.report_dir, given.only_print))


def run(name: str, report_dir: Path, only_print: bool) -> int:
    """Open or print; the exit code."""
    try:
        directory = past.directory(name, report_dir)
        page = directory / HTML
        if page.is_file():
            print(page.absolute())
            if not only_print and has_display():
                _open(page)
            return exit_codes.GO
        record = past.record(str(directory), report_dir)
    except past.NotFound as error:
        print(f"rehearse: {error}", file=sys.stderr)
        return exit_codes.USAGE
    text = next((directory / one for one in _TEXTS if (directory / one).is_file()), directory)
    if only_print:
        print(text.absolute())
    else:
        print(report_text.verdict_block(record, str(text.absolute())))
    return exit_codes.GO


def has_display() -> bool:
    """Somebody would see a window: a browser that needs none is a terminal's, and would take this one."""
    if os.environ.get("BROWSER"):
        return True
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _open(page: Path) -> None:
    try:
        opened = webbrowser.open(page.absolute().as_uri())
    except webbrowser.Error:
        opened = False
    if not opened:
        print("rehearse: no browser could be started", file=sys.stderr)
