# SPDX-License-Identifier: GPL-3.0-or-later
"""`rehearse compare A B`: what got better or worse between two rehearsals."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from migration_rehearsal import completers, exit_codes, page, past, subcommand
from migration_rehearsal.compare import BETTER, OTHERWISE, WORSE, Difference, differences, remarks

_HEADINGS = {WORSE: ("Worse", "▲", "red"), BETTER: ("Better", "▼", "green"), OTHERWISE: ("Otherwise", "·", "dim")}
# Of what is neither better nor worse, only so much, unless all is asked for.
_MOST = 15


def add(commands: subcommand.Subparsers) -> None:
    """The parser of `rehearse compare`."""
    one = subcommand.add(
        commands,
        "compare",
        "say what got better or worse between two rehearsals",
        description="Say what got better or worse between two rehearsals: findings, times and locks of each revision, downtime, "
        "what happens to schema and data.",
        examples=[
            "rehearse compare 20261122 latest",
            "rehearse compare rehearsals/20261122-223011-9f3a2c /tmp/other/record.json",
            "rehearse compare --exit-code 20261122-223011-9f3a2c latest",
        ],
        codes={exit_codes.NO_GO: "with --exit-code: something got worse"},
    )
    for name, help_ in (("a", "the earlier one"), ("b", "the later one")):
        argument = one.add_argument(name, metavar=name.upper(), help=f"{help_}: an id or its beginning, latest, a directory or a record.json")
        completers.rehearsal(argument)
    one.add_argument("--all", action="store_true", help="also all that is neither better nor worse")
    one.add_argument("--exit-code", action="store_true", help="end with exit code 1 if something got worse")
    one.add_argument("--json", action="store_true", help="print one JSON document")
    subcommand.add_report_dir(one)
    one.set_defaults(action=lambda given: run(given.a, given.b, given.report_dir, given.all, given.exit_code, given.json))


def run(a: str, b: str, report_dir: Path, everything: bool, exit_code: bool, as_json: bool) -> int:
    """Print it; the exit code."""
    try:
        before, after = past.record(a, report_dir), past.record(b, report_dir)
        found = differences(before, after)
    except past.NotFound as error:
        print(f"rehearse: {error}", file=sys.stderr)
        return exit_codes.USAGE
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        print(f"rehearse: {a} and {b} cannot be compared: a record is of another version ({type(error).__name__}: {error})", file=sys.stderr)
        return exit_codes.USAGE
    notes = list(remarks(before, after))
    if as_json:
        grouped = {how: [dataclasses.asdict(one) for one in found if one.how == how] for how in _HEADINGS}
        print(json.dumps({"a": before["id"], "b": after["id"], "remarks": notes, **grouped}, ensure_ascii=False, indent=1))
    else:
        _show(f"{before['id']} ({before['verdict']}) → {after['id']} ({after['verdict']})", notes, found, everything)
    return exit_codes.NO_GO if exit_code and any(one.how == WORSE for one in found) else exit_codes.GO


def _show(heading: str, notes: list[str], found: list[Difference], everything: bool) -> None:
    console = page.console()
    page.show(console, Text(heading, style="bold"))
    for note in notes:
        page.show(console, Text(f"  note: {note}", style="yellow"))
    if not found:
        print("\nNothing differs by more than the machine's own pace.")
    for how, (name, sign, color) in _HEADINGS.items():
        some = [one for one in found if one.how == how]
        shown = some if everything or how != OTHERWISE else some[:_MOST]
        if not shown:
            continue
        page.show(console, Text(f"\n{name}", style="bold"))
        table = Table.grid(padding=(0, 1))
        for one in shown:
            table.add_row(Text(sign, style=color), Text(one.about, style="dim"), Text(one.text))
        page.show(console, Padding(table, (0, 0, 0, 2), expand=False))
        if len(some) > len(shown):
            print(f"  … and {len(some) - len(shown)} more (--all)")
