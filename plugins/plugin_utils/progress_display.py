# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show how far a module is while Ansible waits for it: it notes its progress in the work directory, this looks there every few seconds.

A person sees a line under the task. `rehearse`, which shows it in its own way, asks for JSON by an environment variable: whose it is stands in
that line, because Ansible's events do not tell hosts apart in what is displayed.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.migrations.rehearsal.plugins.module_utils import progress
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Note
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import DEFAULT_BASE
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import carry, host_pipe

# Short stages are not asked about at all: each look is a command on the host.
_FIRST_S = 4.0
_EVERY_S = 3.0
_LAST = 'case "$1" in "~/"*) p="$HOME/${1#??}";; *) p="$1";; esac; tail -n 1 "$p" 2>/dev/null || true'


def teller(dev_host: str, where: str) -> Callable[[Note], None]:
    """Displays notes of one rehearsal, that of `dev_host`. `where`: what a person reads before each, a host or the way between two."""

    def tell(note: Note) -> None:
        if os.environ.get(progress.ENVIRONMENT) == "json":
            Display().display(json.dumps({progress.KEY: {"dev_host": dev_host, "where": where, **note.to_json()}}))
        else:
            Display().display(f"  {where}: {note.text()}")

    return tell


@contextlib.contextmanager
def following(action: ActionBase, side: str, tell: Callable[[Note], None]) -> Iterator[None]:
    """Until the block ends, tell the last progress of the task's module. Nothing that goes wrong here ever fails the stage."""
    if not side or not host_pipe.usable(action):
        yield
        return
    arguments = action._task.args
    path = f"{arguments.get('work_dir') or DEFAULT_BASE}/{arguments['id']}-{side}/{progress.FILE}"
    ended = threading.Event()
    thread = threading.Thread(target=_follow, args=(action, path, tell, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(2 * _EVERY_S)


def _follow(action: ActionBase, path: str, tell: Callable[[Note], None], ended: threading.Event) -> None:
    told: dict[str, Any] = {}
    wait_s = _FIRST_S
    while not ended.wait(wait_s):
        wait_s = _EVERY_S
        with contextlib.suppress(Exception):
            said = carry.run(action, ["sh", "-c", _LAST, "sh", path], carry.Terms(silence_s=10)).decode()
            found = json.loads(said) if said.strip() else told
            if found != told and not ended.is_set():
                told = found
                tell(Note.from_json(found))
