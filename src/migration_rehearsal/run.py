# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the rehearsal playbook on ansible-runner, and show how it goes on and how it ends."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import ansible_runner
from ansible import constants
from ansible_collections.migrations.rehearsal.plugins.module_utils import files, progress
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import watch

from migration_rehearsal import exit_codes, terminal
from migration_rehearsal.controller import collection_root, controller_path
from migration_rehearsal.live_view import LiveView
from migration_rehearsal.steps import Rehearsal, Steps
from migration_rehearsal.views import Concluded, JsonView, PlainView, View

PLAYBOOK = "migrations.rehearsal.rehearse"
AGAIN = "migrations.rehearsal.again"
_CLEAN_UP_S = 600.0
_COLORS = re.compile(r"\x1b\[[0-9;]*m")


@dataclasses.dataclass(frozen=True)
class RunRequest:
    """What to rehearse. Paths are relative to the current directory."""

    inventories: Sequence[str]
    report_dir: Path
    limit: str | None = None
    extra_vars: Sequence[str] = ()
    vault_password_file: str | None = None
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    verbose: bool = False
    json: bool = False
    playbook: str = PLAYBOOK
    # For the playbook alone: above what the user's own --extra-vars say.
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)


def run(request: RunRequest) -> int:
    """Rehearse; returns the exit code."""
    view = _view(request)
    for inventory in request.inventories:
        if "," not in inventory and not Path(inventory).exists():
            view.end(exit_codes.USAGE, [], f"there is no inventory {inventory}")
            return exit_codes.USAGE
    steps = Steps(request.report_dir)
    watcher = _Watcher(steps, view)
    # Runner writes what it starts, secrets among it, into its artifacts: they live no longer than the run.
    with tempfile.TemporaryDirectory(prefix="rehearse-") as private, _interruptible(watcher):
        view.start(steps)
        try:
            outcome = ansible_runner.run(
                private_data_dir=private,
                project_dir=os.getcwd(),
                playbook=request.playbook,
                cmdline=shlex.join(_options(request)),
                envvars=_environment(request),
                event_handler=watcher.on_event,
                cancel_callback=lambda: watcher.interrupted,
                quiet=not request.verbose,
                suppress_env_files=True,
            )
            steps.close()
            if watcher.interrupted:
                watcher.wait_for_clean_up()
        finally:
            view.stop()
    return watcher.conclude(outcome.rc)


def _view(request: RunRequest) -> View:
    if request.json:
        return JsonView()
    if terminal.is_live():
        # Ansible's own output and a list that moves cannot share a terminal; the end can look the same.
        return LiveView(moving=not request.verbose)
    return PlainView(quiet=request.verbose)


def _options(request: RunRequest) -> list[str]:
    options: list[str] = []
    for inventory in request.inventories:
        options += ["--inventory", inventory if "," in inventory else os.path.abspath(inventory)]
    if request.limit:
        options += ["--limit", request.limit]
    if request.vault_password_file:
        options += ["--vault-password-file", os.path.abspath(request.vault_password_file)]
    for extra in request.extra_vars:
        options += ["--extra-vars", f"@{os.path.abspath(extra[1:])}" if extra.startswith("@") else extra]
    return [*options, "--extra-vars", json.dumps({"rehearsal_report_dir": str(request.report_dir.absolute()), **request.variables})]


def _environment(request: RunRequest) -> dict[str, str]:
    paths = [str(collection_root()), os.environ.get("ANSIBLE_COLLECTIONS_PATH", "")]
    return {
        **request.environment,
        # Ansible's own output is for people, and has the lines that are meant for them.
        **({} if request.verbose else {progress.ENVIRONMENT: "json"}),
        # Runner takes the ansible-playbook that it finds on PATH: it must be the one of this Python.
        "PATH": controller_path(),
        # A stale copy below ~/.ansible would be found before the one that came with this command.
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(filter(None, paths)),
        # Ansible only warns of an inventory that it cannot read, and goes on with the others.
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        # Runner trusts any host key where nothing is said; what ansible.cfg or the environment say is to hold, as without runner.
        "ANSIBLE_HOST_KEY_CHECKING": str(constants.config.get_config_value("HOST_KEY_CHECKING")),
    }


class _interruptible:  # noqa: N801 - used as a with statement only
    """Ctrl-C asks the run to end, instead of tearing it apart; a second one is Python's own."""

    def __init__(self, watcher: _Watcher) -> None:
        self._watcher = watcher

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._interrupt) for number in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self._watcher.interrupted:
            raise KeyboardInterrupt
        self._watcher.interrupted = True


class _Watcher:
    """Hands Ansible's events to the steps and the view, and keeps what is needed at the end."""

    def __init__(self, steps: Steps, view: View) -> None:
        self.interrupted = False
        self._steps = steps
        self._view = view
        self._failure = ""
        self._warning = ""
        # Why each inventory plugin refused, and where: Ansible's error tells the file only.
        self._unparsed: list[str] = []

    def on_event(self, event: Mapping[str, Any]) -> bool:
        """Runner's event handler. False: the event is not kept in a file."""
        kind = event.get("event", "")
        if kind == "error" or (kind == "verbose" and "[ERROR]" in event.get("stdout", "")):
            self._failure = self._failure or _plain(event)
        elif kind == "warning":
            self._warning = self._warning or _plain(event)
        elif kind == "verbose" and _plain(event).startswith(("[WARNING]: Failed to parse inventory", "Origin: ")):
            self._unparsed.append(_plain(event))
        elif kind == "playbook_on_no_hosts_matched":
            self._warning = self._warning or "no host of group dev is among those to run on"
        else:
            for change in self._steps.on_event(event):
                self._view.change(change)
        return False

    def wait_for_clean_up(self) -> None:
        """The watch that `prepare` started cleans up after the killed playbook; show what becomes of it."""
        waiting = list(self._steps.rehearsals.values())
        if not waiting:
            return
        self._view.interrupted()
        deadline = time.monotonic() + _CLEAN_UP_S
        while waiting and time.monotonic() < deadline:
            waiting = [rehearsal for rehearsal in waiting if not _cleaned(rehearsal.directory) or watch.is_watched(str(rehearsal.directory))]
            for rehearsal in self._steps.rehearsals.values():
                self._steps.take_stages(rehearsal, _stages(rehearsal))
            time.sleep(0.2)

    def conclude(self, code: int) -> int:
        """Show the verdicts; the exit code."""
        begun = list(self._steps.rehearsals.values())
        records = {one.id: one.directory / "record.json" for one in begun}
        concluded = [Concluded(one.directory, files.read_json(str(records[one.id])), one.language) for one in begun if records[one.id].exists()]
        self._view.verdicts(concluded)
        # A database that could not even begin has not been measured either.
        missing = len(begun) - len(concluded) + len(self._steps.usage_problems)
        verdicts = [one.record["verdict"] for one in concluded] + ["INCOMPLETE"] * missing
        problem = "\n".join(self._steps.usage_problems)
        if concluded:
            result = exit_codes.of_verdicts(verdicts)
        elif problem:
            result = exit_codes.USAGE
        else:
            unknown = f"ansible-playbook ended with exit code {code} before any rehearsal began"
            reason = self._failure or self._steps.failure or self._warning or unknown
            problem = "\n".join([reason, *(f"  {line}" for line in self._unparsed)])
            result = exit_codes.USAGE if not begun else exit_codes.INCOMPLETE
        self._view.end(result, concluded, problem)
        return result


def _plain(event: Mapping[str, Any]) -> str:
    return _COLORS.sub("", event.get("stdout", "")).strip()


def _stages(rehearsal: Rehearsal) -> list[dict[str, Any]]:
    try:
        return list(files.read_json_lines(str(rehearsal.directory / "evidence" / "stages.jsonl")))
    except (OSError, ValueError):
        return []


def _cleaned(directory: Path) -> bool:
    try:
        return bool(files.read_json(str(directory / "state.json")).get("cleaned"))
    except (OSError, ValueError):
        return False
