# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watch is told when it starts: the clean-up as this very run would do it, with the same inventory, options and passwords."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

from ansible import constants, context
from ansible.parsing.vault import VaultSecretsContext
from ansible.playbook.play_context import PlayContext
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import watch

_COLLECTION = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Options that decide how hosts are reached, by their name in Ansible's parsed arguments.
_CONNECTION = {
    "private_key_file": "--private-key",
    "remote_user": "--user",
    "connection": "--connection",
    "ssh_common_args": "--ssh-common-args",
    "ssh_extra_args": "--ssh-extra-args",
    "sftp_extra_args": "--sftp-extra-args",
    "scp_extra_args": "--scp-extra-args",
    "timeout": "--timeout",
    "become_method": "--become-method",
    "become_user": "--become-user",
}


def order(directory: str, dev: str, play_context: PlayContext) -> dict[str, Any]:
    """The order for the rehearsal of one dev host, whose files are in `directory`. It holds passwords: it goes to the watch and nowhere else."""
    roots = [_COLLECTION.rsplit(f"{os.sep}ansible_collections{os.sep}", 1)[0], os.environ.get("ANSIBLE_COLLECTIONS_PATH", "")]
    paths = {"ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(filter(None, roots)), "ANSIBLE_FORCE_COLOR": "0"}
    return {
        "pid": os.getppid(),
        "directory": directory,
        "temporary": constants.DEFAULT_LOCAL_TMP,
        "argv": _argv(directory, dev),
        "environment": {**watch.environment(os.environ), **paths},
        "vault": _vault_passwords(),
        "passwords": _passwords(play_context),
    }


def start(told: dict[str, Any]) -> None:
    """Start the watch, in a session of its own: Ctrl-C at the terminal does not reach it."""
    process = subprocess.Popen(
        [sys.executable, watch.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    if process.stdin is None:
        raise AssertionError("it was started with a pipe")
    process.stdin.write(json.dumps(told).encode())
    process.stdin.close()


def _argv(directory: str, dev: str) -> list[str]:
    program = sys.argv[0] if os.path.basename(sys.argv[0]).startswith("ansible-playbook") else shutil.which("ansible-playbook") or sys.argv[0]
    argv = [sys.executable, program]
    options = context.CLIARGS
    for inventory in options.get("inventory") or ():
        argv += ["--inventory", inventory]
    for extra in options.get("extra_vars") or ():
        argv += ["--extra-vars", extra]
    for name, option in _CONNECTION.items():
        if options.get(name):
            argv += [option, str(options[name])]
    if options.get("become"):
        argv.append("--become")
    argv += ["--limit", dev, "--extra-vars", json.dumps({"rehearsal_resume": directory})]
    return [*argv, os.path.join(_COLLECTION, "playbooks", "cleanup.yml")]


def _vault_passwords() -> list[tuple[str, str]]:
    """(vault id, password) of every vault that this run has opened: those asked for at the terminal, those of files, those of scripts."""
    current = VaultSecretsContext.current(optional=True)
    return [(label, secret.bytes.decode("utf-8", "surrogateescape")) for label, secret in (current.secrets if current else ())]


def _passwords(play_context: PlayContext) -> dict[str, str]:
    """Passwords of the command line (-k, -K and their files); those of the inventory are read again with it."""
    options = context.CLIARGS
    found: dict[str, str] = {}
    if options.get("ask_pass") or options.get("connection_password_file"):
        found["connection"] = str(play_context.password or "")
    if options.get("become_ask_pass") or options.get("become_password_file"):
        found["become"] = str(play_context.become_pass or "")
    return {name: password for name, password in found.items() if password}
