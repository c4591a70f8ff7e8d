# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the rehearsals of a run have come: Ansible's events, as the steps of the runbook.

The one model behind the live list, the plain lines and the JSON lines. It prints nothing.
"""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import findings, history, progress, words
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Note
from ansible_collections.migrations.rehearsal.plugins.module_utils.report_text import one_line

WAITING, RUNNING, OK, FAILED, LEFT_OUT = "waiting", "running", "ok", "failed", "left out"
_MODULES = "migrations.rehearsal."
# Tasks that are no stage of their own.
_QUIET = {"prepare", "plan", "report", "verdict", "summary", "collect", "hook"}


@dataclasses.dataclass(frozen=True)
class Step:
    """A step of the runbook. `roles`: the roles whose tasks belong to it; `stages`: the names in stages.jsonl."""

    name: str
    title: str
    roles: tuple[str, ...]
    stages: tuple[str, ...]


STEPS = (
    Step("preflight", "Look at both sides", ("preflight",), ("preflight",)),
    Step("backup", "Back up production", ("backup",), ("backup",)),
    Step("restore", "Restore a copy on dev", ("transfer", "restore"), ("transfer", "restore", "evidence before", "template")),
    Step("upgrade", "Apply the migrations to the copy", ("upgrade",), ("upgrade",)),
    Step("structure", "Validate the structure", ("structure",), ("structure", "models", "drift")),
    Step("data", "Check the existing data", ("data",), ("data",)),
    Step("downgrade", "Test the downgrade, and up again", ("downgrade",), ("downgrade", "back", "again", "evidence again", "stairway")),
    Step("cleanup", "Clean up", ("cleanup",), ("evidence", "cleanup")),
    Step("report", "Judge the evidence", ("report",), ()),
)
# What a step counts for whose time is not known.
_LEAST_S = 0.5
_OF_ROLE = {role: step.name for step in STEPS for role in step.roles}
_OF_STAGE = {stage: step.name for step in STEPS for stage in step.stages}


@dataclasses.dataclass
class Progress:
    """One step of one rehearsal. Times in seconds; `since` by the monotonic clock."""

    status: str = WAITING
    since: float = 0.0
    seconds: float = 0.0
    # A task of it failed; what comes after it in the same step may go well.
    broken: bool = False
    # What it runs just now, and what it last had to say.
    task: str = ""
    text: str = ""
    # How far that task is, where it tells.
    note: Note | None = None

    def say(self, text: str, module: str, failed: bool) -> None:
        """The text of a task that has ended. What was made says more than that it was looked at; of clean-up all is of interest."""
        if module == "sweep" and self.text and not failed:
            self.text = f"{self.text}, {text}"
        elif failed or not (module == "evidence" and self.text):
            self.text = text

    def shown(self) -> str:
        """The status for a person: what has failed is told at once, though the step is over only when the other databases have come so far."""
        return FAILED if self.broken else self.status

    def elapsed(self, now: float) -> float:
        """So far, or in all."""
        return now - self.since if self.status == RUNNING else self.seconds


@dataclasses.dataclass(frozen=True)
class Early:
    """A finding as a stage tells it, before the judge has seen it."""

    code: str
    message: str

    @property
    def severity(self) -> str:
        """What it weighs without a policy."""
        known = findings.CODES.get(self.code)
        return known.severity if known else findings.BLOCKER


@dataclasses.dataclass
class Rehearsal:
    """One dev host's rehearsal. `expected`: seconds that each step took the last time, where that is known."""

    dev_host: str
    id: str
    directory: Path
    source: str
    expected: Mapping[str, float]
    steps: dict[str, Progress] = dataclasses.field(default_factory=lambda: {step.name: Progress() for step in STEPS})
    early: list[Early] = dataclasses.field(default_factory=list)
    verdict: str = ""
    # Of its reports, as the inventory wants it.
    language: str = words.ENGLISH

    def current(self) -> Step | None:
        """The step that runs."""
        return next((step for step in STEPS if self.steps[step.name].status == RUNNING), None)

    def failed(self) -> bool:
        """Something went wrong, be it in a step that still runs."""
        return any(one.broken for one in self.steps.values())

    def done(self) -> int:
        """Steps that will not run any more."""
        return sum(one.status in (OK, FAILED, LEFT_OUT) for one in self.steps.values())

    def share(self, now: float) -> float:
        """How much is behind us, from 0 to 1: by the times of the last rehearsal where they are known, else by steps."""
        weights = {step.name: self.expected.get(step.name, _LEAST_S) for step in STEPS}
        gone = 0.0
        for name, weight in weights.items():
            one = self.steps[name]
            if one.status == RUNNING:
                # It is not done before it is done, however long it takes.
                gone += min(one.elapsed(now), weight * 0.95) if self.expected else weight / 2
            elif one.status != WAITING:
                gone += weight
        return gone / sum(weights.values())


@dataclasses.dataclass(frozen=True)
class Ended:
    """A task of the collection that has ended. `host`: where it ran, production or dev."""

    rehearsal: Rehearsal | None
    dev_host: str
    host: str
    step: str
    task: str
    ok: bool
    seconds: float
    text: str
    early: tuple[Early, ...]


@dataclasses.dataclass(frozen=True)
class Moved:
    """How far a task is that still runs. `where`: the host that it runs on, or the way between two."""

    rehearsal: Rehearsal
    step: str
    task: str
    where: str
    note: Note


class Steps:
    """All rehearsals of one run. `report_dir`: where the times of earlier ones are looked up."""

    def __init__(self, report_dir: Path) -> None:
        self.rehearsals: dict[str, Rehearsal] = {}
        self.usage_problems: list[str] = []
        # What went wrong before any rehearsal began.
        self.failure = ""
        # Held while anything changes, so that who draws in another thread sees nothing half changed.
        self.lock = threading.RLock()
        self._report_dir = report_dir
        self._history: list[history.Entry] | None = None

    def on_event(self, event: Mapping[str, Any]) -> list[Rehearsal | Ended | Moved]:
        """Take in one event of ansible-runner; what came of it: a rehearsal that begins, a task that has come further or has ended."""
        data = event.get("event_data") or {}
        kind = event.get("event", "")
        with self.lock:
            if kind == "runner_on_start":
                self._begin(data)
            elif kind in ("runner_on_ok", "runner_on_failed", "runner_on_unreachable"):
                return list(self._end(data, kind != "runner_on_ok"))
            elif kind == "verbose":
                return list(self._move(str(event.get("stdout") or "")))
        return []

    def _move(self, line: str) -> Iterator[Moved]:
        """A line that an action plugin displayed, if it is one of progress."""
        begin = line.find("{")
        if begin < 0 or progress.KEY not in line:
            return
        try:
            told, _end = json.JSONDecoder().raw_decode(line, begin)
            told = told[progress.KEY]
            rehearsal, note = self.rehearsals.get(str(told["dev_host"])), Note.from_json(told)
        except (ValueError, KeyError, TypeError):
            return
        step = rehearsal.current() if rehearsal else None
        if rehearsal and step:
            rehearsal.steps[step.name].note = note
            yield Moved(rehearsal, step.name, rehearsal.steps[step.name].task, str(told["where"]), note)

    def _begin(self, data: Mapping[str, Any]) -> None:
        rehearsal = self.rehearsals.get(str(data.get("host")))
        step = _OF_ROLE.get(str(data.get("role") or "").rpartition(".")[2])
        if rehearsal is None or step is None or rehearsal.verdict:
            return
        # What runs after a failure runs although a step was left out.
        for name, one in rehearsal.steps.items():
            if name == step:
                if one.status != RUNNING:
                    one.status, one.since = RUNNING, time.monotonic() - one.seconds
                if str(data.get("resolved_action") or data.get("task_action") or "").startswith(_MODULES):
                    one.task = str(data.get("task"))
                return
            _close(one)

    def _end(self, data: Mapping[str, Any], failed: bool) -> Iterator[Rehearsal | Ended | Moved]:
        result = data.get("res") or {}
        action = str(data.get("resolved_action") or data.get("task_action") or "")
        dev_host = str(data.get("host"))
        module = action.removeprefix(_MODULES)
        if module == "prepare":
            yield from self._prepared(dev_host, result, failed)
        rehearsal = self.rehearsals.get(dev_host)
        step = _OF_ROLE.get(str(data.get("role") or "").rpartition(".")[2], "")
        if rehearsal and module == "hook":
            # Added tasks belong to the step in which they run.
            step = next((name for name, one in rehearsal.steps.items() if one.status == RUNNING), "")
            if step and failed:
                rehearsal.steps[step].say(one_line(str(result.get("msg"))), module, failed)
        if failed and rehearsal is None and module != "prepare":
            self.failure = self.failure or str(result.get("msg"))
        if rehearsal and step:
            rehearsal.steps[step].note = None
        if rehearsal and step and failed:
            rehearsal.steps[step].broken = True
        if rehearsal and module == "report" and result.get("verdict"):
            rehearsal.verdict = str(result["verdict"])
            rehearsal.language = str(result.get("language") or words.ENGLISH)
            _close(rehearsal.steps[step])
        if not action.startswith(_MODULES) or module in _QUIET:
            return
        said = result.get("msg") if failed else result.get("summary") or ""
        text = one_line(str(said or ""))
        early = tuple(Early(str(one.get("code")), one_line(str(one.get("message")))) for one in result.get("findings") or ())
        if rehearsal:
            if step and text:
                rehearsal.steps[step].say(text, module, failed)
            rehearsal.early += [one for one in early if one not in rehearsal.early]
        host = str(result.get("host") or dev_host)
        yield Ended(rehearsal, dev_host, host, step, str(data.get("task")), not failed, float(data.get("duration") or 0), text, early)

    def _prepared(self, dev_host: str, result: Mapping[str, Any], failed: bool) -> Iterator[Rehearsal]:
        if result.get("rehearsal"):
            begun = result["rehearsal"]
            source = f"{begun['production_host']}/{begun['database']}"
            expected = self._last_times(begun["production_host"], begun["database"], dev_host)
            self.rehearsals[dev_host] = Rehearsal(dev_host, begun["id"], Path(begun["directory"]), source, expected)
            yield self.rehearsals[dev_host]
        elif failed:
            self.usage_problems.append(str(result.get("msg")))

    def _last_times(self, production_host: str, database: str, dev_host: str) -> dict[str, float]:
        """Seconds that each step took when this database was last rehearsed to its end; {} where it never was."""
        if self._history is None:
            self._history = history.read(str(self._report_dir)).entries
        for entry in reversed(self._history):
            same = (entry["production_host"], entry["database"], entry["dev_host"]) == (production_host, database, dev_host)
            if same and "evidence again" in entry["stages"]:
                times: dict[str, float] = {}
                for stage, seconds in entry["stages"].items():
                    if stage in _OF_STAGE:
                        times[_OF_STAGE[stage]] = times.get(_OF_STAGE[stage], 0.0) + seconds
                return times
        return {}

    def close(self) -> None:
        """Nothing runs any more: what was running has been cut off."""
        with self.lock:
            for one in (one for rehearsal in self.rehearsals.values() for one in rehearsal.steps.values()):
                one.broken = one.broken or one.status == RUNNING
                _close(one)

    def take_stages(self, rehearsal: Rehearsal, stages: Sequence[Mapping[str, Any]]) -> None:
        """What clean-up from outside has noted, after an interruption: its stages as the step they belong to."""
        noted = [stage for stage in stages if _OF_STAGE.get(str(stage.get("name"))) == "cleanup"]
        if noted:
            with self.lock:
                one = rehearsal.steps["cleanup"]
                one.broken = any(stage["status"] != "ok" for stage in noted)
                one.status = FAILED if one.broken else OK
                one.seconds = sum(stage["seconds"] for stage in noted)
                told = (stage.get("error") or stage.get("summary") for stage in noted)
                one.text = one_line(", ".join(str(text) for text in told if text))


def _close(one: Progress) -> None:
    one.note = None
    if one.status == RUNNING:
        one.status, one.seconds = FAILED if one.broken else OK, time.monotonic() - one.since
    elif one.status == WAITING:
        one.status = LEFT_OUT
