# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run looks like on a terminal: the steps as a live list, findings as they appear, the verdict in a box."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import report_text, verdict, words
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Note
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from migration_rehearsal.steps import FAILED, LEFT_OUT, OK, RUNNING, STEPS, WAITING, Early, Ended, Moved, Rehearsal, Step, Steps
from migration_rehearsal.times import duration
from migration_rehearsal.views import INTERRUPTED, Concluded

COLORS = {verdict.GO: "green", verdict.GO_WITH_WARNINGS: "yellow", verdict.NO_GO: "red", verdict.INCOMPLETE: "magenta"}
_SIGNS = {OK: ("✔", "green"), FAILED: ("✘", "red"), WAITING: ("·", "dim"), LEFT_OUT: ("–", "dim")}
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAMES_A_SECOND = 8
_BAR = 16
_MOST_FINDINGS = 6
# Lines that the live part needs beside its rows: heading, bar, findings.
_OTHER_LINES = 5
_SEVERITIES = {"blocker": "red", "warning": "yellow", "info": "cyan"}
_WORD_COLORS = {"blocker": "bold red", "warning": "bold yellow", "accepted": "bold cyan"}


class LiveView:
    """For one reader at a terminal; everything that stays is printed in full, everything that moves is as short as the terminal is wide."""

    def __init__(self, console: Console | None = None, moving: bool = True) -> None:
        """`moving`: with the live list; without it there is only the end."""
        self._moving = moving
        self._console = console or Console(highlight=False)
        self._steps: Steps | None = None
        self._live: Live | None = None
        self._interrupted = False
        self._begun = time.monotonic()

    # -- While it goes on ----------------------------------------------------------------------------------------------------

    def start(self, steps: Steps) -> None:
        self._steps = steps
        if not self._moving:
            return
        self._live = Live(get_renderable=self._render, console=self._console, refresh_per_second=_FRAMES_A_SECOND, vertical_overflow="crop")
        self._live.start()

    def change(self, change: Rehearsal | Ended | Moved) -> None:
        """Nothing: the next frame shows it."""

    def interrupted(self) -> None:
        self._interrupted = True
        if not self._moving:
            self._console.print(INTERRUPTED, style="magenta")

    def stop(self) -> None:
        """Leave the last frame standing."""
        live, self._live = self._live, None
        if live is None:
            return
        live.stop()
        if self._interrupted:
            self._console.print(INTERRUPTED, style="magenta")

    def _render(self) -> RenderableType:
        now = time.monotonic()
        if self._steps is None or not self._steps.rehearsals:
            return Text("") if self._live is None else Text(f"{_spinner(now)} Reading the inventory …", style="dim")
        with self._steps.lock:
            rehearsals = list(self._steps.rehearsals.values())
            return self._one(rehearsals[0], now) if len(rehearsals) == 1 else self._several(rehearsals, now)

    def _one(self, rehearsal: Rehearsal, now: float) -> RenderableType:
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(width=1)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True, min_width=7)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        for step in STEPS:
            one = rehearsal.steps[step.name]
            idle = one.status in (WAITING, LEFT_OUT)
            took = "" if idle else duration(one.elapsed(now))
            table.add_row(_sign(one.shown(), now), Text(step.title, style="dim" if idle else ""), took, self._doing(rehearsal, step, now))
        parts: list[RenderableType] = [self._heading(rehearsal), Padding(table, (0, 0, 0, 2))]
        parts += [self._overall([rehearsal], now)] if self._live else []
        return Group(*parts, *self._early([rehearsal]))

    def _heading(self, rehearsal: Rehearsal) -> RenderableType:
        named = (f"rehearsal {rehearsal.id}", "dim")
        return Text.assemble((rehearsal.source, "bold"), f" on {rehearsal.dev_host}  ", named, no_wrap=True, overflow="ellipsis")

    @staticmethod
    def _doing(rehearsal: Rehearsal, step: Step, now: float) -> RenderableType:
        one = rehearsal.steps[step.name]
        if one.status != RUNNING:
            return Text(one.text, style="red" if one.status == FAILED else "dim")
        expected, elapsed = rehearsal.expected.get(step.name), one.elapsed(now)
        row = Table.grid(padding=(0, 1))
        row.add_column(width=_BAR)
        row.add_column(no_wrap=True, overflow="ellipsis")
        if one.note is not None:
            drawn = _note_bar(one.note, now)
            text = Text(one.note.text())
        elif expected is None:
            drawn = ProgressBar(total=None, pulse=True, width=_BAR, animation_time=now)
            text = Text(one.task, style="dim")
        else:
            drawn = ProgressBar(total=expected, completed=min(elapsed, expected), width=_BAR)
            text = Text(f"of about {duration(expected)}: {one.task}", style="dim")
        row.add_row(drawn, text)
        return row

    def _several(self, rehearsals: Sequence[Rehearsal], now: float) -> RenderableType:
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(width=1)
        table.add_column(no_wrap=True, overflow="ellipsis", min_width=12)
        table.add_column(no_wrap=True, width=len(STEPS))
        table.add_column(justify="right", no_wrap=True, min_width=7)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        room = max(self._console.height - _OTHER_LINES - len(list(self._early(rehearsals))), 3) if self._live else len(rehearsals)
        # What has ended well is what a reader can do without first.
        shown = sorted(rehearsals, key=lambda one: one.current() is None and not one.failed())[:room]
        for rehearsal in (one for one in rehearsals if one in shown):
            table.add_row(*self._row(rehearsal, now))
        more = len(rehearsals) - len(shown)
        parts: list[RenderableType] = [Text(f"{len(rehearsals)} databases", style="bold"), Padding(table, (0, 0, 0, 2))]
        parts += [Text(f"    … and {more} more", style="dim")] if more else []
        parts += [self._overall(rehearsals, now)] if self._live else []
        return Group(*parts, *self._early(rehearsals))

    @staticmethod
    def _row(rehearsal: Rehearsal, now: float) -> Iterator[RenderableType]:
        current = rehearsal.current()
        status = FAILED if rehearsal.failed() else RUNNING if current else OK
        yield _sign(status, now)
        yield Text.assemble(rehearsal.source, (f" on {rehearsal.dev_host}", "dim"))
        yield Text.assemble(*(_sign(rehearsal.steps[step.name].shown(), now) for step in STEPS))
        yield duration(sum(one.elapsed(now) for one in rehearsal.steps.values()))
        if rehearsal.verdict and not current:
            yield Text(rehearsal.verdict, style=COLORS.get(rehearsal.verdict, ""))
        else:
            note = rehearsal.steps[current.name].note if current else None
            yield Text(current.title if current else "", style="dim") + Text(f": {note.text()}" if note else "")

    def _overall(self, rehearsals: Sequence[Rehearsal], now: float) -> RenderableType:
        share = sum(one.share(now) for one in rehearsals) / len(rehearsals)
        known = all(one.expected for one in rehearsals)
        if self._interrupted:
            said = Text(INTERRUPTED, style="magenta")
        else:
            done, of = sum(one.done() for one in rehearsals), len(STEPS) * len(rehearsals)
            left = max(sum(one.expected.values()) * (1 - one.share(now)) for one in rehearsals)
            said = Text(f"{done} of {of} steps, {duration(now - self._begun)}" + (f", about {duration(left)} to go" if known else ""), style="dim")
        row = Table.grid(padding=(0, 1))
        row.add_column(width=2 * _BAR)
        row.add_column(no_wrap=True, overflow="ellipsis")
        row.add_row(ProgressBar(total=1.0, completed=share, width=2 * _BAR), said)
        return Padding(row, (0, 0, 0, 2))

    @staticmethod
    def _early(rehearsals: Sequence[Rehearsal]) -> Iterator[RenderableType]:
        found = [(rehearsal, one) for rehearsal in rehearsals for one in rehearsal.early]
        for rehearsal, one in found[:_MOST_FINDINGS]:
            whose = f"{rehearsal.dev_host}: " if len(rehearsals) > 1 else ""
            yield Padding(_finding(whose, one), (0, 0, 0, 2))
        if len(found) > _MOST_FINDINGS:
            yield Text(f"  … and {len(found) - _MOST_FINDINGS} more", style="dim")

    # -- The end -------------------------------------------------------------------------------------------------------------

    def verdicts(self, concluded: Sequence[Concluded]) -> None:
        """A box for each; of several databases, those that are simply GO have their line in the summary."""
        several = len(concluded) > 1
        for one in concluded:
            if not several or one.record["verdict"] != verdict.GO:
                self._console.print()
                print_verdict(self._console, one)
        if several:
            self._console.print()
            self._console.print(_summary(concluded))

    def end(self, exit_code: int, concluded: Sequence[Concluded], error: str) -> None:
        if error:
            print(f"rehearse: {error}", file=sys.stderr)


def print_verdict(console: Console, one: Concluded) -> None:
    """The verdict block in a box, and below it where the report is: whole, to be copied."""
    say = words.Speaker(one.language)
    verdict_ = say.word(one.record["verdict"])
    heading, *lines = report_text.verdict_block(one.record, one.report, one.language).splitlines()
    color = COLORS.get(one.record["verdict"], "white")
    below = [line.strip() for line in lines if one.report in line]
    inside = [line for line in lines if one.report not in line]
    while inside and not inside[0].strip():
        inside.pop(0)
    title = Text.assemble((f" {verdict_} ", f"bold reverse {color}"), heading.removeprefix(verdict_), " ")
    colors = {(say(word) if word == "accepted" else say.word(word)).upper(): style for word, style in _WORD_COLORS.items()}
    console.print(Panel(Group(*(_line(line, colors) for line in inside)), title=title, title_align="left", border_style=color, padding=(1, 1)))
    for line in below:
        console.print(line, soft_wrap=True)


def _line(line: str, colors: Mapping[str, str]) -> RenderableType:
    """A line of the block, which keeps its indent where it is broken. `colors`: of the words that a line may begin with."""
    bare = line.lstrip()
    indent = max(len(line) - len(bare) - 2, 0)
    first, _space, rest = bare.partition(" ")
    if first in ("✔", "✘", "–", "→"):
        row = Table.grid(padding=(0, 1))
        row.add_row(Text(first, style={"✔": "green", "✘": "red"}.get(first, "dim")), Text(rest, style="dim" if first == "→" else ""))
        return Padding(row, (0, 0, 0, indent))
    return Padding(Text.assemble((first, colors.get(first, "")), " " if rest else "", rest), (0, 0, 0, indent))


def _summary(concluded: Sequence[Concluded]) -> RenderableType:
    records, language = [one.record for one in concluded], concluded[0].language
    # Expanded, so that the last column has what the others leave, and not the other way round.
    heading = report_text.summary_heading(records, language)
    table = Table(title=heading, title_justify="left", box=None, padding=(0, 2, 0, 0), show_header=False, expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    # What it is in full stands in its box, and in its report.
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for record, (verdict_, whose, first) in zip(records, report_text.summary_rows(records, language), strict=True):
        table.add_row(Text(verdict_, style=f"bold {COLORS.get(record['verdict'], '')}"), Text(whose), Text(first))
    return table


def _finding(whose: str, one: Early) -> RenderableType:
    """One line: the list must not outgrow the terminal. In full it stands in the box at the end."""
    named = (f"{one.severity.upper()} {one.code}", _SEVERITIES.get(one.severity, ""))
    return Text.assemble(whose, named, f": {one.message}", no_wrap=True, overflow="ellipsis")


def _sign(status: str, now: float) -> Text:
    sign, style = _SIGNS.get(status, ("", ""))
    return Text(sign, style=style) if sign else Text(_spinner(now), style="cyan")


def _note_bar(note: Note, now: float) -> ProgressBar:
    """It pulses where nobody knows how much there will be."""
    if note.seconds_left is None and note.done >= note.total:
        return ProgressBar(total=None, pulse=True, width=_BAR, animation_time=now)
    return ProgressBar(total=note.total, completed=min(note.done, note.total), width=_BAR)


def _spinner(now: float) -> str:
    return _SPINNER[int(now * _FRAMES_A_SECOND) % len(_SPINNER)]
