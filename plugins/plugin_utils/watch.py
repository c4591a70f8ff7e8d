# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clean up after a controller that died: started by `prepare`, outlives it, runs clean-up if the rehearsal did not.

Ansible runs no `always` section when it is interrupted, and the tools that it started on the hosts go on. This process waits for
ansible-playbook to end. If the rehearsal has not reached its end by then, it runs the clean-up playbook with the same inventory.

A script of its own (standard library only), because nothing of Ansible's process may be left when it is needed.
Standard input: {"pid", "directory", "temporary", "argv", "environment", "vault", "passwords"} as JSON (see watch_order.py). It holds a lock on
the directory while it lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_CLEAN_UP_S = 900
_POLL_S = 0.5


def environment(found: Mapping[str, str]) -> dict[str, str]:
    """Of the controller's environment, what holds for the clean-up too: without what ansible-runner put there for its own run.

    Runner's callback plugin writes into a directory that is gone when the run is. What it then raises ends the thread of Ansible
    that takes results, and the play waits for ever (ansible-core 2.19: strategy.results_thread_main ends at any OSError).
    """
    kept = {name: value for name, value in found.items() if not name.startswith("RUNNER_")}
    if kept.pop("AWX_ISOLATED_DATA_DIR", None) is None:
        return dict(found)
    before = kept.pop("ORIGINAL_STDOUT_CALLBACK", None)
    for name in ("ANSIBLE_STDOUT_CALLBACK", "ANSIBLE_CACHE_PLUGIN", "ANSIBLE_CACHE_PLUGIN_CONNECTION", "AD_HOC_COMMAND_ID"):
        kept.pop(name, None)
    # Ansible imports what lies there even where it is not used, and runner's plugin takes hold of Ansible's display when it is imported.
    places = [place for place in kept.pop("ANSIBLE_CALLBACK_PLUGINS", "").split(os.pathsep) if place]
    places = [place for place in places if not os.path.exists(os.path.join(place, "awx_display.py"))]
    if places:
        kept["ANSIBLE_CALLBACK_PLUGINS"] = os.pathsep.join(places)
    return {**kept, **({"ANSIBLE_STDOUT_CALLBACK": before} if before else {})}


@contextlib.contextmanager
def with_passwords(vault: Iterable[tuple[str, str]], passwords: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Environment variables by which ansible-playbook has the passwords of the interrupted run, and asks for none: nobody is there to answer.

    Ansible takes them from files only. These are in memory where the system has a place for it, private, and gone with the block.
    """
    asked = {name: "False" for name in ("ANSIBLE_ASK_VAULT_PASS", "ANSIBLE_ASK_PASS", "ANSIBLE_BECOME_ASK_PASS")}
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir=next(filter(_writable, ("/dev/shm",)), None)) as place:

        def write(name: str, content: str) -> str:
            path = os.path.join(place, name)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content.encode("utf-8", "surrogateescape"))
            return path

        identities = [f"{label}@{write(f'vault-{number}', password)}" for number, (label, password) in enumerate(vault)]
        files = {f"ANSIBLE_{name.upper()}_PASSWORD_FILE": write(name, password) for name, password in passwords.items()}
        yield {**asked, **({"ANSIBLE_VAULT_IDENTITY_LIST": ",".join(identities)} if identities else {}), **files}


def _writable(path: str) -> bool:
    return os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK)


def is_watched(directory: str) -> bool:
    """Whether a watch is still at work on this directory."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False  # a file system without locks: nobody can know
    finally:
        os.close(descriptor)


def hold(directory: str) -> None:
    """Lock the directory until this process ends."""
    try:
        fcntl.flock(os.open(directory, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pass  # as above: clean-up matters more than being waited for


def wait_for_end(pid: int) -> None:
    """Return when the process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):
        while os.path.exists(f"/proc/{pid}"):
            time.sleep(_POLL_S)
        return
    # A zombie has ended too: pidfds become readable then.
    select.select([descriptor], [], [])
    os.close(descriptor)


def finished(directory: str) -> bool:
    """Whether the rehearsal cleaned up after itself."""
    try:
        with open(os.path.join(directory, "state.json"), encoding="utf-8") as file:
            return bool(json.load(file).get("cleaned"))
    except (OSError, ValueError):
        return True  # the directory is gone: nothing to clean up by


def note_interruption(directory: str) -> None:
    """One line in stages.jsonl, for the judge."""
    note: dict[str, Any] = {
        "name": "interrupted",
        "host": "controller",
        "status": "failed",
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": 0.0,
        "error": "ansible-playbook ended before the rehearsal did",
        "findings": [{"code": "interrupted", "object": "", "message": "ansible-playbook ended before the rehearsal did; clean-up was run after it"}],
    }
    with open(os.path.join(directory, "evidence", "stages.jsonl"), "a", encoding="utf-8") as file:
        file.write(json.dumps(note, sort_keys=True) + "\n")


def remove_temporary(path: str) -> None:
    """Ansible removes its temporary directory when it ends, but not when it is killed or terminated."""
    if os.path.basename(path).startswith("ansible-local-"):
        shutil.rmtree(path, ignore_errors=True)


def main() -> int:
    """Wait, look, clean up."""
    order = json.load(sys.stdin)
    hold(order["directory"])
    try:
        terminal = os.open(f"/proc/{order['pid']}/fd/2", os.O_WRONLY | os.O_NOCTTY)
    except OSError:
        terminal = os.open(os.devnull, os.O_WRONLY)
    wait_for_end(order["pid"])
    directory = order["directory"]
    if finished(directory):
        remove_temporary(order["temporary"])
        return 0

    def say(text: str) -> None:
        try:
            os.write(terminal, f"\n{text}\n".encode())
        except OSError:
            pass  # the terminal went with the controller

    say("The rehearsal was interrupted: cleaning up on production and dev …")
    note_interruption(directory)
    log = os.path.join(directory, "cleanup.log")
    with open(log, "ab") as output, with_passwords(order["vault"], order["passwords"]) as passwords:
        try:
            code = subprocess.run(
                order["argv"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**order["environment"], **passwords},
                timeout=_CLEAN_UP_S,
                check=False,
            ).returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            output.write(f"{error}\n".encode())
            code = 1
    # Only now: processes of the dead controller may have gone on until clean-up ended what they waited for.
    remove_temporary(order["temporary"])
    cleaned = finished(directory)
    say("Cleaned up: nothing is left behind." if cleaned else f"Clean-up ended with exit code {code}: see {log}, then run the sweep playbook.")
    return 0 if cleaned else 1


if __name__ == "__main__":
    sys.exit(main())
