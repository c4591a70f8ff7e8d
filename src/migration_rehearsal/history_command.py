# SPDX-License-Identifier: GPL-3.0-or-later
"""`rehearse history`: the last rehearsals, and how the times of each revision have gone."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import history, verdict
from ansible_collections.migrations.rehearsal.plugins.module_utils.history import Entry
from rich.table import Table
from rich.text import Text

from migration_rehearsal import exit_codes, page, subcommand
from migration_rehearsal.live_view import COLORS
from migration_rehearsal.times import changed, duration, seconds, sparkline

# A trend is drawn from this many rehearsals at the most.
_SERIES = 12


def add(commands: subcommand.Subparsers) -> None:
    """The parser of `rehearse history`."""
    one = subcommand.add(
        commands,
        "history",
        "list the last rehearsals: verdict, times, trend of each revision",
        examples=["rehearse history", "rehearse history --database shop -n 50", "rehearse history --all-revisions --report-dir /srv/rehearsals"],
    )
    one.add_argument("-d", "--database", metavar="NAME", help="only this one: database, production/database, production host or dev host")
    one.add_argument("-n", "--number", type=_number, default=10, help="how many rehearsals, the newest (default: %(default)s)")
    one.add_argument("--all-revisions", action="store_true", help="the trend of every revision (default: the ten slowest)")
    one.add_argument("--json", action="store_true", help="print the entries as JSON lines")
    subcommand.add_report_dir(one)
    one.set_defaults(action=lambda given: run(given.report_dir, given.database, given.number, given.all_revisions, given.json))


def _number(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def run(report_dir: Path, database: str | None, number: int, all_revisions: bool, as_json: bool) -> int:
    """Print it; the exit code."""
    found = history.read(str(report_dir))
    for problem in found.problems:
        print(f"rehearse: {problem}", file=sys.stderr)
    known = [entry for entry in found.entries if database is None or database in _names(entry)]
    entries = known[-number:]
    if not entries:
        of = f" of {database}" if database else ""
        others = sorted({_source(entry) for entry in found.entries})
        hint = f"; there are rehearsals of {', '.join(others)}" if others else ""
        print(f"rehearse: there is no rehearsal{of} in {report_dir}{hint}", file=sys.stderr)
        return exit_codes.USAGE
    if as_json:
        for entry in entries:
            print(json.dumps(entry, ensure_ascii=False, sort_keys=True))
        return exit_codes.GO
    console = page.console()
    page.show(console, _rehearsals(entries))
    for source in dict.fromkeys(_source(entry) for entry in entries):
        table = _trends(source, [entry for entry in known if _source(entry) == source], all_revisions)
        if table is not None:
            print()
            page.show(console, table)
    return exit_codes.GO


def _names(entry: Entry) -> set[str]:
    return {entry["database"], entry["production_host"], entry["dev_host"], _source(entry)}


def _source(entry: Entry) -> str:
    return f"{entry['production_host']}/{entry['database']}"


def _rehearsals(entries: Sequence[Entry]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name, right in (("rehearsal", 0), ("database", 0), ("on", 0), ("verdict", 0), ("took", 1), ("upgrade", 1), ("blocked", 1), ("way back", 1)):
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    table.add_column("because of", overflow="fold")
    for entry in entries:
        blocked = entry.get("downtime_ms")
        table.add_row(
            entry["id"],
            _source(entry),
            entry["dev_host"],
            Text(entry["verdict"], style=COLORS.get(entry["verdict"], "")),
            duration(entry["seconds"]),
            _in_all(entry, "upgrade"),
            "–" if blocked is None else seconds(blocked / 1000),
            _in_all(entry, "downgrade"),
            _because(entry),
        )
    return table


def _because(entry: Entry) -> str:
    """The codes that made the verdict: blockers, or warnings where there are none."""
    codes = entry.get("blocker") or (entry.get("warning") if entry["verdict"] != verdict.GO else []) or []
    return ", ".join(dict.fromkeys(codes))


def _in_all(entry: Entry, run_: str) -> str:
    rows = entry["revisions"].get(run_) or []
    # Lines of earlier versions have the revisions' own times alone.
    return seconds(entry.get("runs", {}).get(run_, sum(row["seconds"] for row in rows))) if rows else "–"


def _trends(source: str, entries: Sequence[Entry], all_revisions: bool) -> Table | None:
    """One row for each revision of the newest rehearsal that has been rehearsed before."""
    newest = next((entry for entry in reversed(entries) if entry["revisions"].get("upgrade")), None)
    if newest is None:
        return None
    rows = []
    for revision in newest["revisions"]["upgrade"]:
        series = [_of(entry, revision["revision"]) for entry in entries]
        times = [one["seconds"] for one in series if one is not None][-_SERIES:]
        if len(times) > 1:
            rows.append((revision, times))
    if not rows:
        return None
    shown = rows if all_revisions else sorted(rows, key=lambda row: -row[1][-1])[:10]
    rows = [row for row in rows if row in shown]
    left_out = len(newest["revisions"]["upgrade"]) - len(rows)
    caption = f"… and {left_out} more revisions (--all-revisions, or rehearsed once only)" if left_out else None
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", title=f"{source}: trend", title_justify="left", caption=caption)
    table.caption_justify = "left"
    for name, right in (("revision", 0), ("", 0), ("before", 1), ("now", 1), ("", 0), ("writes blocked", 1)):
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    table.add_column("", overflow="ellipsis", no_wrap=True)
    for revision, times in rows:
        before, now = statistics.median(times[:-1]), times[-1]
        word, style = changed(before, now)
        table.add_row(
            revision["revision"],
            sparkline(times),
            seconds(before),
            seconds(now),
            Text(word, style=style),
            seconds(revision["blocked_writes_ms"] / 1000),
            Text(revision["message"] or "", style="dim"),
        )
    return table


def _of(entry: Entry, revision: str) -> dict[str, Any] | None:
    return next((row for row in entry["revisions"].get("upgrade") or [] if row["revision"] == revision), None)
