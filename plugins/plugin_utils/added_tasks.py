# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a file of added tasks can be used: what Ansible cannot read in the middle of a run ends it at once."""

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.mod_args import ModuleArgsParser
from ansible.playbook.block import Block
from ansible.playbook.play import Play
from ansible.playbook.role_include import IncludeRole
from ansible.playbook.task import Task
from ansible.playbook.task_include import TaskInclude

_PARTS = ("block", "rescue", "always")


def check(loader: DataLoader, path: str) -> None:
    """Raise AnsibleError unless the file, and every file that it imports by a name known now, is a list of tasks of actions that there are.

    Roles, and files whose names are templates, are found by Ansible when the tasks run: where it looks depends on the play.
    """
    _check_file(loader, path, [])


def _check_file(loader: DataLoader, path: str, importers: list[str]) -> None:
    if path in importers:
        raise AnsibleError(f"{path} imports itself")
    tasks = loader.load_from_file(path)
    if not isinstance(tasks, list):
        raise AnsibleError("it is no list of tasks")
    for task in tasks:
        _check_task(loader, task, path, importers)


def _check_task(loader: DataLoader, task: Any, path: str, importers: list[str]) -> None:
    if not isinstance(task, dict):
        raise AnsibleError(f"«{str(task)[:60]}» is no task")
    if Block.is_block(task):
        # Its keywords; what is in it is looked at one by one, since Ansible would follow imports into a play that is not there yet.
        Block.load({key: [] if key in _PARTS else value for key, value in task.items()}, play=Play(), loader=loader)
        for part in _PARTS:
            for inner in task.get(part) or ():
                _check_task(loader, inner, path, importers)
        return
    action = str(ModuleArgsParser(task).parse()[0]).rpartition(".")[2]
    if action in ("import_role", "include_role"):
        IncludeRole.load(task, loader=loader)
    elif action in ("import_tasks", "include_tasks"):
        name = str(TaskInclude.load(task, loader=loader).args["_raw_params"])
        if action == "import_tasks" and "{{" not in name:
            _check_file(loader, os.path.join(os.path.dirname(path), name), [*importers, path])
    else:
        Task.load(task, loader=loader)
