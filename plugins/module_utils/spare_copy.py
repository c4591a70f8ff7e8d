# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data directory that a rehearsal has done with, made equal to the kept one again: what its migrations did not write to need not be copied.

It is left beside the template, within what the template's marker covers and sweep removes. That a file was not written to is told by its inode, its
size and both of its times: nobody can set the time of the last change of the inode (ctime), and every write sets it. Linux counts it in ticks of at
most 10 ms; between the moment when a file is noted and the first write to it a server starts, which takes longer. After a crash of the machine a file
may hold what was written to it, and not the time of it: then nothing is used again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import disk, files
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import TEMPLATE
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

SPARE = "spare"
NOTE = "same-as-template.json"
# What a server has until it has ended in order, and with it all of its processes.
_LOCK_FILE = "postmaster.pid"

# (inode, size, ns of the last change of its content, ns of the last change of its inode)
_Stamp = Tuple[int, int, int, int]


def note(home: str, template: str) -> None:
    """Write down that the data directory in `home`, whose server is stopped, is equal to that of the kept template in `template`."""
    data = os.path.join(home, "data")
    stamps: Dict[str, _Stamp] = {}
    for path, found in _entries(data):
        if stat.S_ISLNK(found.st_mode):
            return  # It leads to files that are not looked at.
        if stat.S_ISREG(found.st_mode):
            stamps[path] = _stamp(found)
    files.write_json(os.path.join(home, NOTE), {"template": template, "boot": _boot(), "files": stamps})


def leave(home: str) -> None:
    """The rehearsal whose server had `home` has done: leave its data directory to the next one. Where that cannot be, it goes with the rest."""
    data, noted = os.path.join(home, "data"), os.path.join(home, NOTE)
    try:
        template = str(files.read_json(noted)["template"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    marker, spare = WorkDirectory(template).marker(), os.path.join(template, SPARE)
    if marker is None or marker.part != TEMPLATE or os.path.lexists(spare) or os.path.lexists(os.path.join(data, _LOCK_FILE)):
        return
    partial = f"{spare}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.mkdir(partial, files.PRIVATE_DIRECTORY)
        os.rename(data, os.path.join(partial, "data"))
        os.rename(noted, os.path.join(partial, NOTE))
        os.rename(partial, spare)
    shutil.rmtree(partial, ignore_errors=True)


def there_is(template: str, directory: str) -> bool:
    """Whether one was left beside the template that can be moved to a directory."""
    return os.path.isdir(os.path.join(template, SPARE, "data")) and disk.same_file_system(template, directory)


def claim(home: str, template: str) -> Optional[Mapping[str, Any]]:
    """Move what was left into the empty `home`, for nobody else: the stamps of its files, or None where there is nothing to be used.

    Raises OSError where it can be moved, and not removed again although it is of no use.
    """
    taken = os.path.join(home, SPARE)
    try:
        os.rename(os.path.join(template, SPARE), taken)
    except OSError:
        # There is none, somebody else was quicker, or it lies on another file system.
        return None
    stamps: Optional[Mapping[str, Any]] = None
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        told = files.read_json(os.path.join(taken, NOTE))
        if told["boot"] and told["boot"] == _boot():
            os.rename(os.path.join(taken, "data"), os.path.join(home, "data"))
            stamps = told["files"]
    shutil.rmtree(taken)
    return stamps


def written_to(source: str, target: str, stamps: Mapping[str, Any]) -> List[str]:
    """The files of `source` that `target`, once equal to it, does not hold as it did; what it holds beside them is removed."""
    there = dict(_entries(target))
    wanted = dict(_entries(source))
    for path in sorted(there, key=len, reverse=True):
        if path not in wanted or stat.S_IFMT(there[path].st_mode) != stat.S_IFMT(wanted[path].st_mode):
            _remove(os.path.join(target, path), there.pop(path))
    changed = []
    for path, found in wanted.items():
        if stat.S_ISDIR(found.st_mode):
            os.makedirs(os.path.join(target, path), mode=files.PRIVATE_DIRECTORY, exist_ok=True)
        elif path not in there or list(_stamp(there[path])) != stamps.get(path) or there[path].st_size != found.st_size:
            changed.append(path)
    return changed


def copy_anew(source: str, target: str, paths: Sequence[str], copy: Callable[[str, str], Any]) -> None:
    """Replace some files. Raises OSError."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(target, path))
        copy(os.path.join(source, path), os.path.join(target, path))


def _boot() -> str:
    """What the kernel calls the time since it was started; empty where it does not say."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _entries(root: str) -> Iterator[Tuple[str, os.stat_result]]:
    """(path below it, what it is) of everything in a directory; a directory comes before what is in it."""
    for place, directories, names in os.walk(root):
        for name in sorted([*directories, *names]):
            path = os.path.join(place, name)
            yield os.path.relpath(path, root), os.lstat(path)


def _stamp(found: os.stat_result) -> _Stamp:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _remove(path: str, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        shutil.rmtree(path)
    else:
        os.unlink(path)
