# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command on a host whose input and output are pipes on the controller, as the user that the task becomes.

Ansible's own file transfer runs as the user that logs in, and so cannot read what the user that it becomes keeps private; its `exec_command`
holds all output in memory. This starts the very command line that Ansible's connection would start, and leaves the bytes to the caller.
"""

from __future__ import annotations

import contextlib
import copy
import os
import selectors
import shlex
import shutil
import subprocess
import tempfile
import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.text.converters import to_bytes
from ansible.plugins.action import ActionBase
from ansible_collections.migrations.rehearsal.plugins.module_utils.masking import mask_secrets

# What ssh itself ends with when the connection, and not the command, has failed.
_SSH_FAILED = 255
_BECOME_TIMEOUT_S = 30.0


class PipeError(AnsibleError):  # type: ignore[misc]
    """The command was carried out on the host, and failed."""


class HostPipe:
    """A running command. Read from `output`, write to `input`, then `finish`. Nothing is buffered here.

    Raises AnsibleConnectionFailure when the host cannot be reached, or does not move a byte for `silence_s` seconds.
    """

    def __init__(self, action: ActionBase, words: list[str], *, silence_s: float = 60.0, bulk: bool = False) -> None:
        """`bulk`: much goes through, and is compressed already; it gets an ssh connection of its own that does not compress it again."""
        self.silence_s = silence_s
        self._bulk = bulk
        # A copy: ssh keeps its pipe for a password in the connection, and the task beside which this runs has one of its own there.
        self._connection = copy.copy(action._connection)
        self._become = _become(action)
        argv, options = self._command_line(shlex.join(words))
        self._stderr = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE if self._become else self._stderr, bufsize=0, **options
            )
        except OSError as error:
            self._stderr.close()
            raise AnsibleConnectionFailure(f"cannot start «{argv[0]}»: {error.strerror}") from None
        try:
            self._give_password(options.get("pass_fds"))
            if self._become:
                self._wait_for_become()
        except BaseException:
            self.stop()
            raise

    def _command_line(self, command: str) -> tuple[list[Any], dict[str, Any]]:
        connection = self._connection
        if self._become:
            command = self._become.build_become_command(command, connection._shell)
        if connection.transport == "local":
            return ["/bin/sh", "-c", command], {"cwd": "/"}
        host = connection.get_option("host") or connection._play_context.remote_addr
        argv = connection._build_command(connection.get_option("ssh_executable"), "ssh", "-T", host, command)
        if self._bulk:
            program = argv.index(to_bytes(connection.get_option("ssh_executable")))
            # Ansible's default options have -C, which no later option takes back; of others the first one counts.
            own = [b"-o", b"ControlMaster=no", b"-o", b"ControlPath=none", b"-o", b"Compression=no"]
            argv = [*argv[: program + 1], *own, *(word for word in argv[program + 1 :] if word != b"-C")]
        pipe = getattr(connection, "sshpass_pipe", None)
        return argv, {"pass_fds": pipe} if pipe else {}

    def _give_password(self, sshpass: tuple[int, int] | None) -> None:
        if not sshpass:
            return
        os.close(sshpass[0])
        with contextlib.suppress(OSError):
            os.write(sshpass[1], f"{self._connection.get_option('password') or self._connection._play_context.password}\n".encode())
        os.close(sshpass[1])

    def _wait_for_become(self) -> None:
        """Read up to the line by which Ansible knows that the other user runs; answer one question for a password."""
        if not (self._process.stdout and self._process.stderr and self._process.stdin):
            raise AssertionError("it was started with a pipe")
        said, asked, answered = b"", b"", False
        deadline = time.monotonic() + _BECOME_TIMEOUT_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            selector.register(self._process.stderr, selectors.EVENT_READ)
            while not said.endswith(b"\n") or not self._become.check_success(said):
                ready = selector.select(max(deadline - time.monotonic(), 0))
                if not ready or not selector.get_map():
                    raise PipeError(f"could not become {self._become.get_option('become_user')}: {_last_line(asked or said)}")
                for key, _events in ready:
                    # One byte at a time from standard output: what follows the line is the command's own.
                    chunk = os.read(key.fd, 1 if key.fileobj is self._process.stdout else 4096)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is self._process.stdout:
                        said += chunk
                    else:
                        asked += chunk
                if not answered and self._become.expect_prompt() and self._become.check_password_prompt(asked):
                    self._process.stdin.write(f"{self._become.get_option('become_pass') or ''}\n".encode())
                    answered = True

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; empty at the end."""
        if self._process.stdout is None:
            raise AssertionError("it was started with a pipe")
        self._await(self._process.stdout, selectors.EVENT_READ)
        return os.read(self._process.stdout.fileno(), size)

    def write(self, chunk: bytes) -> bool:
        """All of the chunk; False if the other side has closed (`finish` tells why)."""
        if self._process.stdin is None:
            raise AssertionError("it was started with a pipe")
        view = memoryview(chunk)
        # Non-blocking, so that a host that takes no more is noticed.
        os.set_blocking(self._process.stdin.fileno(), False)
        while view:
            self._await(self._process.stdin, selectors.EVENT_WRITE)
            try:
                view = view[os.write(self._process.stdin.fileno(), view) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                return False
        return True

    def _await(self, stream: Any, event: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(stream, event)
            if not selector.select(self.silence_s):
                self.stop()
                raise AnsibleConnectionFailure(f"not a byte was moved for {self.silence_s:g} s")

    def finish(self) -> None:
        """End of input; wait for the command. Raises PipeError if it failed."""
        if self._process.stdin is None:
            raise AssertionError("it was started with a pipe")
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            code = self._process.wait(self.silence_s)
        except subprocess.TimeoutExpired:
            self.stop()
            raise AnsibleConnectionFailure(f"the command did not end within {self.silence_s:g} s after its last byte") from None
        said = self._said()
        self.stop()
        if code == _SSH_FAILED and self._connection.transport != "local":
            raise AnsibleConnectionFailure(said or "the connection broke")
        if code != 0:
            raise PipeError(said or f"ended with exit code {code}")

    def stop(self) -> None:
        """End it, whatever it does; nothing happens when it has ended."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr, self._stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _said(self) -> str:
        if self._process.stderr is not None:
            os.set_blocking(self._process.stderr.fileno(), False)
            return _last_line(self._process.stderr.read(4096) or b"")
        self._stderr.seek(0)
        return _last_line(self._stderr.read(65536))


def usable(action: ActionBase) -> bool:
    """Whether pipes work over this connection: `local` and `ssh`, an ssh password only through sshpass."""
    connection = action._connection
    name = str(connection.transport).rpartition(".")[2]
    if name == "local":
        return True
    if name != "ssh" or not hasattr(connection, "_build_command"):
        return False
    if not (connection.get_option("password") or connection._play_context.password):
        return True
    # Older versions of Ansible know no other way than sshpass.
    return connection._options.get("password_mechanism", "sshpass") == "sshpass" and shutil.which("sshpass") is not None


def _become(action: ActionBase) -> Any:
    """The become plugin, where the task becomes another user than the one that logs in."""
    plugin = action._connection.become
    # A copy: building a command gives the plugin a new mark to look for, and another command of the same connection may be looking for its own.
    return copy.copy(plugin) if plugin and plugin.get_option("become_user") != action._get_remote_user() else None


def _last_line(said: bytes) -> str:
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    return mask_secrets(lines[-1].strip()) if lines else ""
