# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run PostgreSQL's tools: argv in, exit code out, with a deadline and a note of who is running."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from types import FrameType
from typing import IO, Iterator, List, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils import ending
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.masking import mask_values
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import tool_environment
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

_TAIL_BYTES = 4000
_END_WAIT_S = 5.0
_ENDS = (signal.SIGTERM, signal.SIGHUP)
_PROGRAMS = ("psql", "pg_dump", "pg_restore", "pg_basebackup")


class ToolFailed(RehearsalError):
    """A tool could not be started, ran out of time, or ended with another exit code than 0."""

    def __init__(self, message: str, exit_code: Optional[int] = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Tool:
    """A running tool, in a process group of its own; `wait` for it."""

    def __init__(self, argv: List[str], work: WorkDirectory, stdin: Optional[IO[bytes]] = None, stdout: Optional[IO[bytes]] = None) -> None:
        self._argv = argv
        self._work = work
        self._stderr = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=stdin or subprocess.DEVNULL,
                stdout=stdout or subprocess.DEVNULL,
                stderr=self._stderr,
                env=tool_environment(),
                start_new_session=True,
            )
        except OSError as error:
            raise ToolFailed(f"cannot start «{argv[0]}»: {error.strerror}") from None
        work.register_process(self._process.pid, group=True)

    def wait(self, deadline_s: float) -> None:
        """Raise ToolFailed unless it ends with exit code 0 within the deadline (seconds)."""
        try:
            code = ending.wait(self._process, deadline_s)
        except subprocess.TimeoutExpired:
            self.stop()
            raise ToolFailed(f"«{self._name()}» was stopped: not done within {deadline_s:g} s") from None
        except BaseException:
            # We are being ended, and it is in a session of its own: no signal to ours reaches it.
            self.stop()
            raise
        self._work.unregister_process(self._process.pid)
        if code != 0:
            how = f"was killed by signal {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            raise ToolFailed(f"«{self._name()}» {how}: {self._said()}", code)

    @property
    def ended(self) -> bool:
        """Whether it has, by itself or not."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """End the whole process group: asked first, since what `sudo` has started for another user ends only when it is."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_WAIT_S if number == signal.SIGTERM else None)
        self._work.unregister_process(self._process.pid)

    def _name(self) -> str:
        return next((os.path.basename(word) for word in self._argv if os.path.basename(word) in _PROGRAMS), self._argv[0])

    def _said(self) -> str:
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - _TAIL_BYTES))
        lines = self._stderr.read().decode(errors="replace").splitlines()
        # DETAIL and CONTEXT lines carry row values; «Command was:» carries a whole statement.
        kept = [line for line in lines if line.strip() and not line.startswith(("DETAIL", "CONTEXT", "Command was"))]
        return mask_values(" ".join(kept[-3:])) or "no message"


def end_in_order() -> None:
    """From now on SIGTERM and SIGHUP end this process as an exception does: what it has begun is ended, what is for the moment is removed.

    That is also how Ansible removes the module itself from the host's temporary directory.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _ENDS:
        # Whoever started us with it ignored (nohup) wants us to go on.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, _frame: Optional[FrameType]) -> None:
    for other in _ENDS:
        # A second one must not cut short what the first has set off.
        signal.signal(other, signal.SIG_IGN)
    raise SystemExit(128 + number)


@contextlib.contextmanager
def registered(work: WorkDirectory) -> Iterator[None]:
    """Note this process as working for the rehearsal, so that a clean-up from outside can end it."""
    work.register_process(os.getpid(), group=False)
    try:
        yield
    finally:
        work.unregister_process(os.getpid())
