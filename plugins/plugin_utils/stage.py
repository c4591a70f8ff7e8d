# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one stage of a rehearsal: the module of the same name, with its time and its outcome noted on the controller.

Every module of this collection is run through `StageAction`, but for `stage`, which carries the others to the hosts. It turns an unreachable
host into a failure (so that block, rescue and always hold for it), moves small evidence from the result into a file, and appends the stage to
`stages.jsonl`. Outside a rehearsal (a role used alone) there is no directory, and nothing is noted.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.migrations.rehearsal.plugins.module_utils import kept_code
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import format_time, utc_now
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Note
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import DEFAULT_BASE
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import progress_display
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.host_pipe import PipeError
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.rehearsal_directory import RehearsalDirectory

CARRIER = "migrations.rehearsal.stage"
# The same with what the carrier has left at the host.
KEPT = "migrations.rehearsal.kept_stage"


class StageAction(ActionBase):  # type: ignore[misc]
    """Base of the action plugins; a plain module needs nothing but a subclass without a body."""

    _supports_check_mode = True
    _supports_async = False
    # Whose work directory ("production" or "dev") the module notes its progress in; empty: it notes none.
    progress_side = ""
    # Whether an earlier stage has left its code in dev's work directory, for this one to be run with.
    code_is_kept = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the stage; the result is the module's, without its evidence."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        directory = self.rehearsal_directory(variables)
        started, clock = utc_now(), time.monotonic()
        try:
            result = self.perform(variables, directory)
        except AnsibleConnectionFailure as error:
            result = {"failed": True, "unreachable_host": True, "msg": f"{self.target_host(variables)} cannot be reached: {error.message}"}
        except (PipeError, OSError) as error:
            result = {"failed": True, "msg": f"{self.target_host(variables)}: {error}"}
        if result.get("failed") and not result.get("msg"):
            result["msg"] = f"{self.target_host(variables)}: {_unforeseen(result.get('exception'))}"
        # The arguments as they were given, secrets among them: nobody needs them in the result.
        result.pop("invocation", None)
        evidence = result.pop("evidence", None) or {}
        result["host"] = self.target_host(variables)
        if directory:
            for name, content in evidence.items():
                directory.write_evidence(name, content)
            self._note(directory, variables, result, format_time(started), time.monotonic() - clock)
        return result

    def perform(self, variables: dict[str, Any], directory: RehearsalDirectory | None) -> dict[str, Any]:
        """What the stage does: by default its module, on the task's host, with its progress shown if it has any."""
        with progress_display.following(self, self.progress_side, self.teller(variables, self.target_host(variables))):
            result: dict[str, Any] = self._execute_module(task_vars=variables)
        return result

    def _execute_module(self, module_name: str | None = None, module_args: dict[str, Any] | None = None, **how: Any) -> dict[str, Any]:
        """The task's own module goes to the host inside the one that carries all of them: Ansible packs that one once in a run.

        Where the code is at the host already, its arguments alone go there; and the whole after all if it turns out not to be.
        """
        if module_name is None:
            module_args = {**(self._task.args if module_args is None else module_args), "stage": self._task.action.rpartition(".")[2]}
            if self.code_is_kept:
                base = module_args.get("work_dir") or DEFAULT_BASE
                kept = {**module_args, "code": f"{base}/{module_args['id']}-dev/{kept_code.DIRECTORY}"}
                result: dict[str, Any] = super()._execute_module(module_name=KEPT, module_args=kept, **how)
                if not result.get("code_missing"):
                    return result
            module_name = CARRIER
        result = super()._execute_module(module_name=module_name, module_args=module_args, **how)
        return result

    def _configure_module(self, *which: Any, **how: Any) -> Any:
        """Packing makes the syntax trees of some two hundred files, and looking for garbage among these takes longer than making them."""
        collected = gc.isenabled()
        gc.disable()
        try:
            return super()._configure_module(*which, **how)
        finally:
            if collected:
                gc.enable()

    def teller(self, variables: dict[str, Any], where: str) -> Callable[[Note], None]:
        """Tells the progress of this rehearsal. `where`: the host, or the way between two."""
        return progress_display.teller(str(variables.get("inventory_hostname")), where)

    def rehearsal(self, variables: dict[str, Any]) -> dict[str, Any]:
        """The running rehearsal as `prepare` described it; empty outside one."""
        value = self._templar.template(variables.get("__rehearsal") or {})
        return dict(value)

    def rehearsal_directory(self, variables: dict[str, Any]) -> RehearsalDirectory | None:
        """Where the running rehearsal keeps its files on the controller."""
        found = variables.get("__rehearsal") or {}
        # As a fact it is a mapping, and what else is in it need not be looked through for templates.
        path = self._templar.template(found.get("directory")) if isinstance(found, Mapping) else self.rehearsal(variables).get("directory")
        return RehearsalDirectory(path) if path else None

    def target_host(self, variables: dict[str, Any]) -> str:
        """The host that the task runs on: the delegated one if there is one."""
        delegated = variables.get("ansible_delegated_vars") or {}
        return str(next(iter(delegated), variables.get("inventory_hostname")))

    def _note(self, directory: RehearsalDirectory, variables: dict[str, Any], result: dict[str, Any], started: str, seconds: float) -> None:
        stage = self._templar.template(variables.get("__rehearsal_stage") or "")
        if not stage or result.get("skipped"):
            return
        failed = bool(result.get("failed"))
        note: dict[str, Any] = {
            "name": stage,
            "host": self.target_host(variables),
            "status": "unreachable" if result.get("unreachable_host") else "failed" if failed else "ok",
            "started_at": started,
            "seconds": round(seconds, 3),
        }
        if failed:
            note["error"] = str(result["msg"])
        if result.get("findings"):
            note["findings"] = result["findings"]
        if result.get("summary"):
            note["summary"] = result["summary"]
        directory.add_stage(note)


def _unforeseen(exception: Any) -> str:
    """What a module did not foresee, a full disk at any moment for one: the last line, since Ansible gives no message of its own for it."""
    # ansible-core 2.19 hands over a summary, a traceback's text where a module returned one itself.
    said = getattr(getattr(exception, "event", None), "msg", None) or str(exception or "")
    return (said.strip().splitlines() or ["the module ended without a message; run again with -vvv"])[-1]
