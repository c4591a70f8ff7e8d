# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run looks like without a terminal: one line a stage for people, one JSON object a line for machines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ansible_collections.migrations.rehearsal.plugins.module_utils import report_text, reports, words

from migration_rehearsal.steps import Ended, Moved, Rehearsal, Steps

_MOVED_EVERY_S = 30.0
INTERRUPTED = "interrupted: cleaning up on production and dev …"


class Concluded(NamedTuple):
    """A rehearsal that has come to a record."""

    directory: Path
    record: Mapping[str, Any]
    language: str = words.ENGLISH

    @property
    def report(self) -> str:
        """The file for people, of those that were written."""
        written = [name for name in reports.FORMATS if (self.directory / reports.FILES[name]).exists()]
        return str(self.directory / reports.for_people(written))


class View(Protocol):
    """Shows a run while it goes on, and its end."""

    def start(self, steps: Steps) -> None:
        """Before Ansible is started."""

    def change(self, change: Rehearsal | Ended | Moved) -> None:
        """A rehearsal has begun, or a task has come further or has ended."""

    def interrupted(self) -> None:
        """Ctrl-C: from now on somebody else cleans up, and this command waits for it."""

    def stop(self) -> None:
        """Ansible has ended, and so has what cleans up in its place. May be called again."""

    def verdicts(self, concluded: Sequence[Concluded]) -> None:
        """The end of rehearsals that have a record."""

    def end(self, exit_code: int, concluded: Sequence[Concluded], error: str) -> None:
        """The last thing. `error`: why there is no record, or not of all that was asked; empty otherwise."""


class PlainView:
    """One line a stage. With several databases each line says whose it is."""

    def __init__(self, quiet: bool = False) -> None:
        """`quiet`: Ansible's own output is shown instead of the lines."""
        self._quiet = quiet
        self._steps: Steps | None = None
        self._moved: dict[tuple[str, str, str], float] = {}

    def start(self, steps: Steps) -> None:
        self._steps = steps

    def change(self, change: Rehearsal | Ended | Moved) -> None:
        if isinstance(change, Rehearsal) or self._quiet:
            return
        several = self._steps is not None and len(self._steps.rehearsals) > 1
        if isinstance(change, Moved):
            self._move(change, f"[{change.rehearsal.dev_host}] " if several else "")
            return
        whose = f"[{change.dev_host}] " if several else ""
        sign, text = "✔" if change.ok else "✘", f" — {change.text}" if change.text else ""
        print(f"{sign} {change.seconds:6.1f} s  {whose}{change.host}: {change.task}{text}", flush=True)
        if change.ok:
            for early in change.early:
                print(f"           {early.severity.upper()} {early.code}: {early.message}", flush=True)

    def _move(self, moved: Moved, whose: str) -> None:
        """The first word of each task, and then one in a while: what is no terminal is a log."""
        about, now = (moved.rehearsal.id, moved.task, moved.note.what), time.monotonic()
        if now - self._moved.get(about, -_MOVED_EVERY_S) >= _MOVED_EVERY_S:
            self._moved[about] = now
            print(f"           {whose}{moved.where}: {moved.note.text()}", flush=True)

    def interrupted(self) -> None:
        print(INTERRUPTED, flush=True)

    def stop(self) -> None:
        pass

    def verdicts(self, concluded: Sequence[Concluded]) -> None:
        for one in concluded:
            print(f"\n{report_text.verdict_block(one.record, one.report, one.language)}")
        if len(concluded) > 1:
            print(f"\n{report_text.summary_table([one.record for one in concluded], concluded[0].language)}")

    def end(self, exit_code: int, concluded: Sequence[Concluded], error: str) -> None:
        if error:
            print(f"rehearse: {error}", file=sys.stderr)


class JsonView:
    """JSON lines; the last one has everything that a pipeline needs. docs/command.md has the shapes."""

    def start(self, steps: Steps) -> None:
        pass

    def change(self, change: Rehearsal | Ended | Moved) -> None:
        if isinstance(change, Moved):
            note = change.note
            self._say(
                "progress",
                id=change.rehearsal.id,
                step=change.step,
                task=change.task,
                where=change.where,
                what=note.what,
                done=note.done,
                total=note.total or None,
                unit=note.unit,
                estimated=note.about,
                rate=round(note.rate, 3),
                seconds_left=None if note.seconds_left is None else round(note.seconds_left, 1),
                text=note.text(),
            )
            return
        if isinstance(change, Rehearsal):
            self._say("rehearsal", id=change.id, production=change.source, dev_host=change.dev_host, directory=str(change.directory))
            return
        whose = change.rehearsal.id if change.rehearsal else None
        stage = {"step": change.step, "host": change.host, "task": change.task, "ok": change.ok, "seconds": round(change.seconds, 3)}
        self._say("stage", id=whose, **stage, text=change.text)
        for early in change.early:
            self._say("finding", id=whose, code=early.code, severity=early.severity, message=early.message)

    def interrupted(self) -> None:
        self._say("interrupted")

    def stop(self) -> None:
        pass

    def verdicts(self, concluded: Sequence[Concluded]) -> None:
        pass

    def end(self, exit_code: int, concluded: Sequence[Concluded], error: str) -> None:
        self._say("end", exit_code=exit_code, error=error or None, rehearsals=[_in_short(one) for one in concluded])
        if error:
            print(f"rehearse: {error}", file=sys.stderr)

    @staticmethod
    def _say(event: str, **what: Any) -> None:
        print(json.dumps({"event": event, **what}, ensure_ascii=False), flush=True)


def _in_short(one: Concluded) -> dict[str, Any]:
    record = one.record
    return {
        "id": record["id"],
        "verdict": record["verdict"],
        "production": f"{record['production']['host']}/{record['production']['database']}",
        "dev_host": record["copy"]["host"],
        "seconds": record["seconds"],
        "downtime_ms": record["downtime_ms"],
        "findings": record["findings"],
        "record": str(one.directory / "record.json"),
        "report": one.report,
    }
