# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the rehearsal playbook on ansible-runner, with one line a stage and the verdict at the end."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import ansible_runner
from ansible_collections.migrations.rehearsal.plugins.module_utils import names, report_text

from migration_rehearsal import exit_codes

PLAYBOOK = "migrations.rehearsal.rehearse"
_MODULES = "migrations.rehearsal."
# Tasks that are no stage of their own.
_QUIET = {"prepare", "report", "verdict", "summary", "collect"}
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


def collection_root() -> Path:
    """The directory above `ansible_collections` from which this command's collection is loaded."""
    # Not resolved: in a checkout the way in leads through links.
    return Path(os.path.abspath(names.__file__)).parents[5]


def run(request: RunRequest) -> int:
    """Rehearse; returns the exit code."""
    for inventory in request.inventories:
        if "," not in inventory and not Path(inventory).exists():
            print(f"rehearse: there is no inventory {inventory}", file=sys.stderr)
            return exit_codes.USAGE
    # Runner writes what it starts, secrets among it, into its artifacts: they live no longer than the run.
    with tempfile.TemporaryDirectory(prefix="rehearse-") as private:
        watcher = _Watcher(request.verbose)
        with _interruptible(watcher):
            outcome = ansible_runner.run(
                private_data_dir=private,
                project_dir=os.getcwd(),
                playbook=PLAYBOOK,
                cmdline=shlex.join(_options(request)),
                envvars=_environment(request),
                event_handler=watcher.on_event,
                cancel_callback=lambda: watcher.interrupted,
                quiet=not request.verbose,
                suppress_env_files=True,
            )
        if watcher.interrupted:
            watcher.wait_for_clean_up()
    return watcher.conclude(outcome.rc)


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
    return [*options, "--extra-vars", json.dumps({"rehearsal_report_dir": str(request.report_dir.absolute())})]


def _environment(request: RunRequest) -> dict[str, str]:
    paths = [str(collection_root()), os.environ.get("ANSIBLE_COLLECTIONS_PATH", "")]
    return {
        **request.environment,
        # Runner takes the ansible-playbook that it finds on PATH: it must be the one of this Python.
        "PATH": os.pathsep.join([os.path.dirname(os.path.abspath(sys.executable)), os.environ.get("PATH", "")]),
        # A stale copy below ~/.ansible would be found before the one that came with this command.
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(filter(None, paths)),
        # Ansible only warns of an inventory that it cannot read, and goes on with the others.
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
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
    """Turns Ansible's events into lines, and keeps what is needed at the end."""

    def __init__(self, verbose: bool) -> None:
        self.interrupted = False
        self._verbose = verbose
        self._directories: list[Path] = []
        self._usage_problem = ""
        self._failure = ""
        self._warning = ""
        # Why each inventory plugin refused, and where: Ansible's error tells the file only.
        self._unparsed: list[str] = []

    def on_event(self, event: Mapping[str, Any]) -> bool:
        """Runner's event handler. False: the event is not kept in a file."""
        data = event.get("event_data") or {}
        kind = event.get("event", "")
        if kind in ("runner_on_ok", "runner_on_failed", "runner_on_unreachable"):
            self._on_result(kind, data)
        elif kind == "error" or (kind == "verbose" and "[ERROR]" in event.get("stdout", "")):
            self._failure = self._failure or _plain(event)
        elif kind == "warning":
            self._warning = self._warning or _plain(event)
        elif kind == "verbose" and _plain(event).startswith(("[WARNING]: Failed to parse inventory", "Origin: ")):
            self._unparsed.append(_plain(event))
        elif kind == "playbook_on_no_hosts_matched":
            self._warning = self._warning or "no host of group dev is among those to run on"
        return False

    def _on_result(self, kind: str, data: Mapping[str, Any]) -> None:
        result = data.get("res") or {}
        action = str(data.get("resolved_action") or data.get("task_action") or "")
        failed = kind != "runner_on_ok"
        module = action.removeprefix(_MODULES)
        if module == "prepare":
            if result.get("rehearsal"):
                self._directories.append(Path(result["rehearsal"]["directory"]))
            elif failed:
                self._usage_problem = str(result.get("msg"))
        elif failed and not self._directories:
            self._failure = self._failure or str(result.get("msg"))
        if not action.startswith(_MODULES) or module in _QUIET or self._verbose:
            return
        host = result.get("host") or data.get("host")
        sign = "✘" if failed else "✔"
        text = result.get("msg") if failed else result.get("summary") or ""
        print(f"{sign} {data.get('duration', 0):6.1f} s  {host}: {data.get('task')}{f' — {_one_line(str(text))}' if text else ''}", flush=True)

    def wait_for_clean_up(self) -> None:
        """The watch that `prepare` started cleans up after the killed playbook; say what becomes of it."""
        if not self._directories:
            return
        print("interrupted: cleaning up on production and dev …", flush=True)
        deadline = time.monotonic() + _CLEAN_UP_S
        while time.monotonic() < deadline and not all(_cleaned(directory) for directory in self._directories):
            time.sleep(0.2)

    def conclude(self, code: int) -> int:
        """Print the verdicts; the exit code."""
        if self._usage_problem:
            print(f"rehearse: {self._usage_problem}", file=sys.stderr)
        records = []
        for directory in self._directories:
            if (directory / "record.json").exists():
                records.append(json.loads((directory / "record.json").read_text(encoding="utf-8")))
                print(f"\n{report_text.verdict_block(records[-1], str(directory / 'report.md'))}")
        if len(records) > 1:
            print(f"\n{report_text.summary_table(records)}")
        if records:
            return exit_codes.of_verdicts([record["verdict"] for record in records] + ["INCOMPLETE"] * (len(self._directories) - len(records)))
        if self._usage_problem:
            return exit_codes.USAGE
        reason = self._failure or self._warning or f"ansible-playbook ended with exit code {code} before any rehearsal began"
        print("\n".join(["rehearse: " + reason, *(f"  {line}" for line in self._unparsed)]), file=sys.stderr)
        return exit_codes.USAGE if not self._directories else exit_codes.INCOMPLETE


def _plain(event: Mapping[str, Any]) -> str:
    return _COLORS.sub("", event.get("stdout", "")).strip()


def _cleaned(directory: Path) -> bool:
    try:
        return bool(json.loads((directory / "state.json").read_text(encoding="utf-8")).get("cleaned"))
    except (OSError, ValueError):
        return False


def _one_line(text: str) -> str:
    return " ".join(text.split())
