# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry a file straight to another host, by ssh and nothing else there: resumed after a broken connection, limited on request."""

from __future__ import annotations

import dataclasses
import os
import shlex
import subprocess
import tempfile
import time
from typing import IO, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.masking import mask_secrets
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Counter

_CHUNK = 1 << 18
_SSH_FAILED = 255
# As ssh itself: a host that says nothing for 30 s is gone.
_OPTIONS = ("BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=10", "ServerAliveCountMax=3")
_APPEND = 'umask 077 && exec cat >> "$1"'
_SIZE = 'if [ -e "$1" ]; then wc -c < "$1"; else echo 0; fi'


class DirectError(RehearsalError):
    """The other host cannot be reached from here, or did not take the file."""


class _Broken(Exception):
    """The connection, not the command, has failed."""


@dataclasses.dataclass(frozen=True)
class Target:
    """How ssh reaches the other host from this one. Empty values are left to ssh's own configuration."""

    host: str
    port: int = 0
    user: str = ""
    identity_file: str = ""
    options: Tuple[str, ...] = ()

    @classmethod
    def from_options(cls, values: Mapping[str, object]) -> Target:
        """From O(direct) of the module."""
        options = values.get("options") or ()
        if not isinstance(options, (list, tuple)):
            raise AssertionError("the module's arguments say it is a list")
        return cls(
            str(values["host"]),
            int(str(values.get("port") or 0)),
            str(values.get("user") or ""),
            str(values.get("identity_file") or ""),
            tuple(map(str, options)),
        )

    def argv(self, words: Sequence[str]) -> List[str]:
        """ssh with a command for the other host."""
        argv = ["ssh", "-T"]
        for option in (*self.options, *_OPTIONS):
            argv += ["-o", option]
        if self.port:
            argv += ["-p", str(self.port)]
        if self.user:
            argv += ["-l", self.user]
        if self.identity_file:
            argv += ["-i", os.path.expanduser(self.identity_file), "-o", "IdentitiesOnly=yes"]
        return [*argv, "--", self.host, " ".join(map(shlex.quote, words))]


def push(
    local: str, target: Target, remote: str, *, limit: float = 0.0, attempts: int = 5, wait_s: float = 2.0, counter: Optional[Counter] = None
) -> int:
    """Send a file (0600 there, renamed when it is whole); how often it was resumed. `limit` in bytes a second, 0 is none.

    `counter` is told how much of the file has been sent.
    """
    counter = counter or Counter()
    size, partial = os.path.getsize(local), f"{remote}.partial"
    again, vain, reached = 0, 0, 0
    while True:
        try:
            reached = max(reached, _once(local, size, target, partial, limit, counter))
            _run(target, ["mv", "-f", partial, remote])
            return again
        except _Broken as error:
            try:
                arrived = int(_run(target, ["sh", "-c", _SIZE, "sh", partial]))
            except _Broken:
                arrived = reached
            vain = 0 if arrived > reached else vain + 1
            reached = max(arrived, reached)
            if vain >= attempts:
                raise DirectError(
                    f"{target.host} cannot be reached from production: {error}; rehearsal_transfer controller needs no such way"
                ) from None
            again += 1
            time.sleep(wait_s * max(vain, 1))


def unreachable(target: Target) -> str:
    """Why ssh cannot reach the other host from here, in words; empty where it can. Nothing is written anywhere."""
    try:
        _run(target, ["true"])
    except (_Broken, DirectError) as error:
        return str(error)
    return ""


def _once(local: str, size: int, target: Target, partial: str, limit: float, counter: Counter) -> int:
    arrived = int(_run(target, ["sh", "-c", _SIZE, "sh", partial]))
    if arrived > size:
        # What a broken connection had still under way came after we had looked.
        _run(target, ["rm", "-f", partial])
        arrived = 0
    with open(local, "rb") as source:
        source.seek(arrived)
        _send(source, target, partial, limit, counter)
    arrived = int(_run(target, ["sh", "-c", _SIZE, "sh", partial]))
    if arrived != size:
        raise _Broken(f"{arrived:,} of {size:,} bytes are there")
    return arrived


def _send(source: IO[bytes], target: Target, partial: str, limit: float, counter: Counter) -> None:
    with tempfile.TemporaryFile() as said:
        process = _start(target, ["sh", "-c", _APPEND, "sh", partial], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
        if process.stdin is None:
            raise AssertionError("it was started with a pipe")
        began, moved = time.monotonic(), 0
        try:
            for chunk in iter(lambda: source.read(_CHUNK), b""):
                process.stdin.write(chunk)
                moved += len(chunk)
                counter.done = source.tell()
                if limit:
                    time.sleep(max(0.0, moved / limit - (time.monotonic() - began)))
            process.stdin.close()
        except BrokenPipeError:
            pass  # the exit code tells
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
        said.seek(0)
        _check(process.returncode, said.read(4000))


def _run(target: Target, words: Sequence[str]) -> bytes:
    process = _start(target, words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, said = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise _Broken("no answer within 120 s") from None
    _check(process.returncode, said)
    return bytes(out)


def _start(target: Target, words: Sequence[str], **options: object) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(target.argv(words), **options)  # type: ignore[call-overload,no-any-return]
    except OSError as error:
        raise DirectError(f"cannot start ssh: {error.strerror}") from None


def _check(code: int, said: bytes) -> None:
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    message = mask_secrets(lines[-1].strip()) if lines else f"ended with exit code {code}"
    if code == _SSH_FAILED:
        raise _Broken(message)
    if code:
        raise DirectError(f"the backup could not be written there: {message}")
