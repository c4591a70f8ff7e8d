# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private directory of a rehearsal on a host: made, marked, found again and removed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import signal
import stat
import sys
import time
from typing import List, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import files
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker

DEFAULT_BASE = "~/.migrations-rehearsal"
MARKER_FILE = "rehearsal.json"
# What the copy is held against.
MANIFEST = "manifest.json"
_RUNNING = "running"
ELSEWHERE = "elsewhere"
_TERMINATE_WAIT_S = 10.0
_KILL_WAIT_S = 2.0
# As Ansible names what it unpacks a module of this collection into, for as long as that runs.
_PAYLOAD = re.compile(r"ansible_migrations\.rehearsal\.\w+_payload_\w+")


class WorkDirectoryError(RehearsalError):
    """A work directory cannot be made, or is not ours."""


@dataclasses.dataclass(frozen=True)
class WorkDirectory:
    """`<base>/<id>-<side>`, mode 0700; `side` is "production" or "dev"."""

    path: str

    @classmethod
    def at(cls, base: str, rehearsal_id: str, side: str) -> WorkDirectory:
        """Where the directory of a rehearsal is; it need not exist."""
        return cls(os.path.join(os.path.abspath(os.path.expanduser(base or DEFAULT_BASE)), f"{rehearsal_id}-{side}"))

    def create(self, marker: Marker) -> None:
        """Make and mark the directory. One that is there with the same marker id is taken over."""
        try:
            os.makedirs(os.path.dirname(self.path), mode=files.PRIVATE_DIRECTORY, exist_ok=True)
            os.makedirs(self.path, mode=files.PRIVATE_DIRECTORY, exist_ok=True)
        except OSError as error:
            raise WorkDirectoryError(f"cannot make the work directory {self.path}: {error.strerror}") from None
        found = self.marker()
        if found is None and (os.path.islink(self.path) or os.listdir(self.path)):
            raise WorkDirectoryError(f"{self.path} is there already and is not a rehearsal's: nothing was touched")
        if found is not None and found.id != marker.id:
            raise WorkDirectoryError(f"{self.path} belongs to rehearsal {found.id}: nothing was touched")
        files.write_bytes(self.file(MARKER_FILE), marker.to_text().encode())
        os.makedirs(self.evidence, mode=files.PRIVATE_DIRECTORY, exist_ok=True)
        os.makedirs(self.file(_RUNNING), mode=files.PRIVATE_DIRECTORY, exist_ok=True)

    def marker(self) -> Optional[Marker]:
        """The marker, or None where there is none (or no directory, or a link in its place)."""
        if os.path.islink(self.path):
            return None
        try:
            with open(self.file(MARKER_FILE), encoding="utf-8") as file:
                return Marker.from_text(file.read())
        except OSError:
            return None

    def file(self, *names: str) -> str:
        """A path below the directory."""
        return os.path.join(self.path, *names)

    @property
    def evidence(self) -> str:
        """Where evidence files are."""
        return self.file("evidence")

    def remove(self) -> bool:
        """End what still runs for this rehearsal, then remove the directory; False if there was none.

        Raises WorkDirectoryError if it is not marked as a rehearsal's, or if something of it cannot be removed.
        """
        if not os.path.lexists(self.path):
            return False
        if self.marker() is None:
            # Another clean-up may be at work here (two inventory names of one host), and take the marker last.
            if not os.path.lexists(self.path):
                return False
            raise WorkDirectoryError(f"{self.path} does not carry a rehearsal's marker: left alone")
        self.stop_processes()
        failures = self._remove_elsewhere()
        # The marker goes last: a removal that is cut short leaves a directory that sweep still recognises.
        kept = {MARKER_FILE, *([ELSEWHERE] if failures else [])}
        failures += [path for name in os.listdir(self.path) if name not in kept for path in _remove(self.file(name))]
        failures += _remove(self.path) if not failures else []
        if failures:
            raise WorkDirectoryError(f"cannot remove {failures[0]} (and {len(failures) - 1} more)")
        try:
            os.rmdir(os.path.dirname(self.path))
        except OSError:
            pass  # other rehearsals are at work beside this one
        return True

    def remove_entries(self, except_for: Sequence[str]) -> List[str]:
        """Remove what is in it but for some names, and what it has elsewhere unless «elsewhere» is among them; failures in words."""
        failures = [] if ELSEWHERE in except_for else self._remove_elsewhere()
        kept = {*except_for, *([ELSEWHERE] if failures else [])}
        failures += [path for name in _names(self.path) if name not in kept for path in _remove(self.file(name))]
        return [f"cannot remove {path}" for path in failures]

    def make_elsewhere(self, path: str) -> str:
        """Make a private directory outside this one that is removed with it; WorkDirectoryError if there is anything at that path."""
        marker = self.marker()
        if marker is None:
            raise WorkDirectoryError(f"{self.path} does not carry a rehearsal's marker")
        # Noted before it is there: whoever is ended between the two leaves nothing that nobody knows of.
        self._note_elsewhere(path)
        try:
            os.makedirs(os.path.dirname(path), mode=files.PRIVATE_DIRECTORY, exist_ok=True)
            os.mkdir(path, files.PRIVATE_DIRECTORY)
        except OSError as error:
            raise WorkDirectoryError(f"cannot make the directory {path}: {error.strerror}") from None
        files.write_bytes(os.path.join(path, MARKER_FILE), marker.to_text().encode())
        return path

    def elsewhere(self) -> List[str]:
        """The directories outside this one that belong to it and are there."""
        marker = self.marker()
        found: List[str] = []
        for name in _names(self.file(ELSEWHERE)):
            try:
                with open(self.file(ELSEWHERE, name), encoding="utf-8") as file:
                    path = str(json.load(file)["path"])
            except (OSError, ValueError, KeyError, TypeError):
                continue
            there = WorkDirectory(path).marker()
            ours = there is not None and marker is not None and there.id == marker.id
            # Made, and not marked yet.
            if ours or (there is None and os.path.isdir(path) and not os.path.islink(path) and not os.listdir(path)):
                found.append(path)
        return found

    def _note_elsewhere(self, path: str) -> None:
        os.makedirs(self.file(ELSEWHERE), mode=files.PRIVATE_DIRECTORY, exist_ok=True)
        name = hashlib.sha256(path.encode()).hexdigest()[:16]
        files.write_json(self.file(ELSEWHERE, f"{name}.json"), {"path": path})

    def _remove_elsewhere(self) -> List[str]:
        failures: List[str] = []
        for path in self.elsewhere():
            failures += [left for name in os.listdir(path) if name != MARKER_FILE for left in _remove(os.path.join(path, name))]
            failures += _remove(path) if not failures else []
        return failures

    def pid_file(self, pid: int) -> str:
        """Where a process that works for the rehearsal is registered, so that clean-up can end it."""
        return self.file(_RUNNING, str(pid))

    def register_process(self, pid: int, group: bool, end_with: int = signal.SIGTERM) -> None:
        """Note a process (or the group that it leads) as working for this rehearsal, and the signal that ends it."""
        note_process(self.pid_file(pid), pid, group, end_with)

    def unregister_process(self, pid: int) -> None:
        """The process has ended by itself."""
        try:
            os.unlink(self.pid_file(pid))
        except OSError:
            pass

    def stop_processes(self, sparing: Optional[int] = None) -> List[int]:
        """End every registered process that still is the one that was registered, but for one; their pids.

        All are asked at once, and have the same time: a module waits for the tools that it has started. What Ansible put into the temporary directory
        for a module is removed where the module itself could not.
        """
        notes = self._notes()
        ours = [note for note in notes if note.pid not in (os.getpid(), sparing)]
        running = [note for note in ours if note.runs()]
        for note in running:
            _signal(note.pid, note.group, note.end_with)
        deadline = time.monotonic() + _TERMINATE_WAIT_S
        while any(note.runs() for note in running) and time.monotonic() < deadline:
            time.sleep(0.05)
        for note in running:
            # Those whom the leader of a group led may go on without it.
            if note.group or note.runs():
                _signal(note.pid, note.group, signal.SIGKILL)
        for note in ours:
            if note.payload and note.ended_within(_KILL_WAIT_S):
                _remove_payload(note.payload)
        return [note.pid for note in running]

    def _notes(self) -> List[_Running]:
        found: List[_Running] = []
        for name in _names(self.file(_RUNNING)):
            try:
                note = files.read_json(self.file(_RUNNING, name))
                found.append(_Running(note["pid"], note["group"], note["started"], note.get("signal", signal.SIGTERM), str(note.get("payload", ""))))
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return found


@dataclasses.dataclass(frozen=True)
class _Running:
    """A process as it was noted when it began."""

    pid: int
    group: bool
    started: Optional[str]
    end_with: int
    payload: str

    def runs(self) -> bool:
        # The pid may have been given to another process since: its start time tells.
        return self.started is not None and process_start(self.pid) == self.started

    def ended_within(self, wait_s: float) -> bool:
        deadline = time.monotonic() + wait_s
        while self.runs() and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self.runs()


def find_work_directories(base: str) -> List[WorkDirectory]:
    """All marked work directories below a base directory."""
    root = os.path.abspath(os.path.expanduser(base or DEFAULT_BASE))
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return []
    found = [WorkDirectory(os.path.join(root, name)) for name in names]
    return [directory for directory in found if directory.marker() is not None]


def note_process(path: str, pid: int, group: bool, end_with: int = signal.SIGTERM) -> None:
    """Write down who is running, so that clean-up can end exactly that process (or the group that it leads) and no later one with its pid."""
    note = {"pid": pid, "group": group, "started": process_start(pid), "signal": int(end_with)}
    # No process outlives the machine; what a module was unpacked into does.
    payload = {"payload": _own_payload()} if pid == os.getpid() else {}
    files.write_json(path, {**note, **payload}, flush=bool(payload))


def _own_payload() -> str:
    """The directory that Ansible has unpacked this module into; empty where we are no module that it started."""
    return os.path.dirname(getattr(sys.modules["__main__"], "_modlib_path", ""))


def _remove_payload(path: str) -> None:
    if not _PAYLOAD.fullmatch(os.path.basename(path)):
        return
    try:
        found = os.lstat(path)
    except OSError:
        return
    # Below a directory where anybody may make names.
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
        _remove(path)


def _names(directory: str) -> List[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def process_start(pid: int) -> Optional[str]:
    """When a process started, in the kernel's own count; None if there is no such process (or it is a zombie)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] == "Z" else fields[19]


def _remove(path: str) -> List[str]:
    """Remove a file, a link or a directory with all that is in it; what could not be removed. What is gone already is no failure."""
    if os.path.islink(path) or not os.path.isdir(path):
        try:
            os.unlink(path)
        except OSError:
            pass
        return [path] if os.path.lexists(path) else []
    failed: List[str] = []
    shutil.rmtree(path, onerror=lambda _function, where, _info: failed.append(where))
    return [where for where in failed if os.path.lexists(where)]


def _signal(pid: int, group: bool, number: int) -> None:
    try:
        if group:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except OSError:
        pass
