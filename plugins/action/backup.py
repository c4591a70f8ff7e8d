# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs M(migrations.rehearsal.backup) as a stage of the rehearsal; takes what comes through its pipe."""

from __future__ import annotations

import os
import threading
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible_collections.migrations.rehearsal.plugins.module_utils import dump_outlets, files
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import DEFAULT_BASE
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import carry, host_pipe, last_dump
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.host_pipe import HostPipe, PipeError
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.rehearsal_directory import RehearsalDirectory
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.stage import StageAction

# The home directory is the host's to know. The module makes the pipe a moment after this has begun to look for it.
_READ = (
    'case "$1" in "~/"*) p="$HOME/${1#??}";; *) p="$1";; esac; n=0; '
    'while [ ! -p "$p" ]; do n=$((n+1)); if [ $n -gt 600 ]; then exit 75; fi; sleep 0.1; done; exec cat "$p"'
)
_END_WAIT_S = 60.0
# An archive ends with two blocks of zeros (POSIX, ustar).
_END_OF_ARCHIVE = bytes(1024)


class ActionModule(StageAction):
    """The module writes into a named pipe, and this reads it: production's disk sees neither."""

    progress_side = "production"

    def perform(self, variables: dict[str, Any], directory: RehearsalDirectory | None) -> dict[str, Any]:
        """The module; beside it, with output `pipe`, the reader."""
        if directory and self._task.args.get("method", "dump") == "dump":
            share = last_dump.share(directory, self.target_host(variables), self._task.args["database"])
            self._task.args = {**self._task.args, "last_share": share}
        if self._task.args.get("output", "file") != "pipe" or self._play_context.check_mode:
            return super().perform(variables, directory)
        if not host_pipe.usable(self):
            raise PipeError(f"a backup cannot be streamed over connection {self._connection.transport}: choose rehearsal_transfer controller")
        reader = _Reader(self, variables)
        try:
            result = super().perform(variables, directory)
            if not result.get("failed"):
                result.update(bytes=reader.finish(), archive="")
        finally:
            reader.stop()
        return result


def ends_as_archive(path: str) -> bool:
    """Whether a tar file has its end."""
    with open(path, "rb") as archive:
        size = archive.seek(0, os.SEEK_END)
        archive.seek(max(size - len(_END_OF_ARCHIVE), 0))
        return archive.read() == _END_OF_ARCHIVE


class _Reader:
    """Takes the archive from the pipe to the controller (0600, renamed when it is whole), in a thread."""

    def __init__(self, action: ActionModule, variables: dict[str, Any]) -> None:
        arguments = action._task.args
        self._local = os.path.abspath(arguments["local"])
        self._partial = f"{self._local}.partial"
        self._failure: Exception | None = None
        self._moved = 0
        # What pg_basebackup writes has a manifest of its own, against which all of it is held.
        self._proved_apart = arguments.get("method", "dump") != "dump"
        os.makedirs(os.path.dirname(self._local), mode=files.PRIVATE_DIRECTORY, exist_ok=True)
        path = f"{arguments.get('work_dir') or DEFAULT_BASE}/{arguments['id']}-production/{dump_outlets.PIPE}"
        self._meter = carry.Meter(
            action.teller(variables, f"{action.target_host(variables)} → controller"), 0, float(arguments.get("limit") or 0) * 1e6
        )
        # A backup may be held up for long by a lock; the module has its own deadline, and its end is ours.
        self._pipe = HostPipe(action, ["sh", "-c", _READ, "sh", path], silence_s=float(arguments.get("timeout") or 3600), bulk=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            descriptor = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, files.PRIVATE_FILE)
            with os.fdopen(descriptor, "wb") as output:
                while chunk := self._pipe.read(carry.CHUNK):
                    output.write(chunk)
                    self._moved += len(chunk)
                    self._meter.moved(len(chunk))
            self._pipe.finish()
        except Exception as error:
            self._failure = error
            # The module would wait for somebody to read on.
            self._pipe.stop()

    def finish(self) -> int:
        """The size of the archive, once all of it is here."""
        self._thread.join(_END_WAIT_S)
        if self._thread.is_alive():
            raise AnsibleConnectionFailure("the end of the backup did not arrive")
        if self._failure is not None:
            raise self._failure
        # That both sides ended well does not say that all between them arrived.
        if not self._proved_apart and not ends_as_archive(self._partial):
            raise AnsibleConnectionFailure("the backup broke off before its end, though nobody said so; it has to be made again")
        os.replace(self._partial, self._local)
        return self._moved

    def stop(self) -> None:
        """End the reader; a part that came is removed."""
        self._pipe.stop()
        self._thread.join(_END_WAIT_S)
        if os.path.exists(self._partial):
            os.unlink(self._partial)
