# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show how far a module is while Ansible waits for it: it notes its progress in the work directory, this looks there every few seconds."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.migrations.rehearsal.plugins.module_utils import progress
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import DEFAULT_BASE
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import carry, host_pipe

# Short stages are not asked about at all: each look is a command on the host.
_FIRST_S = 4.0
_EVERY_S = 3.0
_LAST = 'case "$1" in "~/"*) p="$HOME/${1#??}";; *) p="$1";; esac; tail -n 1 "$p" 2>/dev/null || true'


@contextlib.contextmanager
def following(action: ActionBase, side: str, host: str) -> Iterator[None]:
    """Until the block ends, show the last progress of the task's module. Nothing that goes wrong here ever fails the stage."""
    if not side or not host_pipe.usable(action):
        yield
        return
    arguments = action._task.args
    path = f"{arguments.get('work_dir') or DEFAULT_BASE}/{arguments['id']}-{side}/{progress.FILE}"
    ended = threading.Event()
    thread = threading.Thread(target=_follow, args=(action, path, host, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(2 * _EVERY_S)


def _follow(action: ActionBase, path: str, host: str, ended: threading.Event) -> None:
    began, told = time.monotonic(), ""
    wait_s = _FIRST_S
    while not ended.wait(wait_s):
        wait_s = _EVERY_S
        with contextlib.suppress(Exception):
            said = carry.run(action, ["sh", "-c", _LAST, "sh", path], carry.Terms(silence_s=10)).decode()
            line = render(json.loads(said), time.monotonic() - began) if said.strip() else ""
            if line and line != told and not ended.is_set():
                told = line
                Display().display(f"  {host}: {line}")


def render(note: dict[str, Any], seconds: float) -> str:
    """One line for a person: how much, how fast, and how long it will take if that is known."""
    done, total, unit = float(note["done"]), float(note["total"]), str(note["unit"])
    name = "MB" if unit == "bytes" else unit
    if unit != "bytes" and not total:
        return f"{_number(done, unit)} {name} {note['what']}"
    rate = done / seconds if seconds > 0 else 0.0
    of = f" of {_number(total, unit)}" if total else ""
    left = f", about {max(total - done, 0.0) / rate:,.0f} s left" if total and rate else ""
    return f"{_number(done, unit)}{of} {name} {note['what']}, {_number(rate, unit)} {name}/s{left}"


def _number(count: float, unit: str) -> str:
    return carry.megabytes(count) if unit == "bytes" else f"{count:,.1f}".removesuffix(".0")
