# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove a physical copy by the checksums that production's server made of every file while it read it."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
from typing import Any, Collection, Dict, List, Mapping, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import files, progress
from ansible_collections.migrations.rehearsal.plugins.module_utils.basebackup import CRC, VERIFIER, BasebackupError
from ansible_collections.migrations.rehearsal.plugins.module_utils.ephemeral import Ephemeral
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Look

_MANIFEST = "backup_manifest"
_VERIFY_S = 3600.0
# The program reads one file after the other: several of them share the large ones.
_VERIFIERS, _LARGE_FILE, _MOST_SHARED = 4, 8 << 20, 10000


def verify(own: Ephemeral) -> None:
    """Every file against the checksums that production's server made while it read them. Raises BasebackupError.

    WAL is not among them: that it is whole shows when the server recovers with it.
    """
    path = os.path.join(own.data, _MANIFEST)
    try:
        with open(path, "rb") as file:
            content = file.read()
        told = json.loads(content)
        # Its last line is the checksum of all that is above.
        above = content[: content.rindex(b'"Manifest-Checksum"')]
        if hashlib.sha256(above).hexdigest() != told["Manifest-Checksum"]:
            raise BasebackupError("the physical copy's own list of checksums is damaged")
        if {entry["Checksum-Algorithm"] for entry in told["Files"]} == {CRC}:
            return _verify_by_program(own, {str(entry.get("Path", "")): entry["Size"] for entry in told["Files"]})
        listed = [(os.path.join(own.data, _path(entry)), _path(entry), entry["Size"], entry["Checksum"]) for entry in told["Files"]]
    except (OSError, ValueError, KeyError) as error:
        raise BasebackupError(f"the physical copy has no list of checksums that can be read: {error}") from None
    # Threads help: hashing and reading let others run meanwhile.
    total = sum(entry[2] for entry in listed)
    with progress.counted(own.work, "checked", total) as counter, concurrent.futures.ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        for done in pool.map(lambda entry: _verify_file(*entry), listed):
            counter.done += done


def _verify_by_program(own: Ephemeral, sizes: Mapping[str, int]) -> None:
    """`sizes`: of the files, by their names."""
    parts = shares(sizes, min(os.cpu_count() or 1, _VERIFIERS))
    pids: List[int] = []
    read: Dict[int, int] = {}

    def look() -> Look:
        read.update((pid, max(_bytes_read(pid), read.get(pid, 0))) for pid in list(pids))
        # Each of them also reads what is small.
        return Look("checked", sum(read.values()), sum(sizes.values()), about=True)

    def verify(part: Collection[str]) -> Tuple[int, str]:
        others = [f"--ignore={name}" for other in parts if other is not part for name in other]
        options = ("--no-parse-wal", "--exit-on-error", "--quiet")
        return own.run(VERIFIER, *options, *others, own.data, timeout_s=_VERIFY_S, started=pids.append)

    with progress.shown(own.work, look), concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
        ended = list(pool.map(verify, parts))
    for code, said in ended:
        if code != 0:
            raise BasebackupError(f"the physical copy is not what production's server sent: {' '.join(said.split())[-500:]}")


def shares(sizes: Mapping[str, int], number: int) -> List[List[str]]:
    """Which of the large files each of so many programs checks, about as many bytes each. What is not among them all of them check."""
    parts: List[List[str]] = [[] for _part in range(number)]
    loads = [0] * number
    # The largest first. An argument of a program each, and a program's arguments have no room for any number of them.
    large = sorted((name for name, size in sizes.items() if name and size >= _LARGE_FILE), key=lambda name: (-sizes[name], name))
    for name in large[:_MOST_SHARED]:
        least = loads.index(min(loads))
        parts[least].append(name)
        loads[least] += sizes[name]
    return parts[: max(sum(map(bool, parts)), 1)]


def _bytes_read(pid: int) -> int:
    """What a process has read so far, by the kernel's count; 0 when it has ended. It does not say so itself in all versions."""
    try:
        with open(f"/proc/{pid}/io", encoding="utf-8") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("rchar"))
    except OSError:
        return 0


def _verify_file(path: str, name: str, size: int, checksum: str) -> int:
    """Its size."""
    if not os.path.isfile(path):
        raise BasebackupError(f"the physical copy lacks {name}, which production's server sent")
    if os.path.getsize(path) != size or files.sha256(path) != checksum:
        raise BasebackupError(f"{name} of the physical copy is not what production's server sent: the checksums differ")
    return size


def _path(entry: Mapping[str, Any]) -> str:
    return str(entry["Path"]) if "Path" in entry else os.fsdecode(bytes.fromhex(entry["Encoded-Path"]))
