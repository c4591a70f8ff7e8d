# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unmigrated copy of a rehearsal in a server of its own, kept as files: another rehearsal starts a server on a copy of them.

They lie beside the data directory that they are a copy of, made while its server was stopped, with a marker of their own. The work directory of the
rehearsal stays for as long, and `sweep` removes it with all of them. Nothing ever runs in them: the control file, which every start of a server
writes, shows if anything did. Where the file system can share blocks between files, the copies take neither time nor room; elsewhere what the last
rehearsal has done with is used again (spare_copy.py).
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import re
import shutil
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    copy_database,
    ephemeral,
    files,
    kept_template,
    progress,
    spare_copy,
    system_owner,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.ephemeral import Ephemeral
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import EphemeralError
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import TEMPLATE, Marker, application_name, utc_now
from ansible_collections.migrations.rehearsal.plugins.module_utils.kept_template import Kept, TemplateRefused
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session, quote_literal
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import ELSEWHERE, MARKER_FILE, WorkDirectory

DIRECTORY = "template"
# What Linux calls to let a file share all blocks of another.
_FICLONE = 0x40049409
_WAL_FILE = re.compile(r"[0-9A-F]{24}")
_CONTROL = os.path.join("global", "pg_control")
_CONTROL_S = 60.0
_REMOVED_WITH_THE_SERVER = ("data", "socket", "log", spare_copy.NOTE)


def keep(own: Ephemeral, copy: str, marker: Marker, deadline_s: float) -> Dict[str, Any]:
    """Keep what this rehearsal's copy is now, for which its server is stopped for a moment; the content of evidence file `template.json`.

    Raises CopyRefused where `copy` is not this rehearsal's, PostgresError and EphemeralError.
    """
    with Session(own.server, "postgres", application_name(marker.id), deadline_s=deadline_s) as session:
        if not copy_database.require_free_or_ours(session, copy, marker.id):
            raise copy_database.CopyRefused(f"there is no copy {copy} to make a template of")
        facts = session.row(
            f"SELECT pg_catalog.pg_database_size({quote_literal(copy)}) AS bytes, current_setting('server_version_num')::int AS server_version_num"
        )
    home = _home(own)
    data = os.path.join(home, "data")
    shutil.rmtree(home, ignore_errors=True)
    own.stop()
    try:
        os.mkdir(home, files.PRIVATE_DIRECTORY)
        system_owner.own(own.owner, home)
        _copy(own, own.data, data, facts["bytes"])
        spare_copy.note(own.home, home)
        own.flush(data)
    except OSError as error:
        raise EphemeralError(f"the copy could not be kept in {home}: {error.strerror}") from None
    finally:
        own.start()
    # Last: without it, it is no template.
    files.write_bytes(os.path.join(home, MARKER_FILE), marker.beside(TEMPLATE).to_text().encode())
    return {
        "id": marker.id,
        "database": copy,
        "source": marker.source,
        "created": marker.created,
        "expires": marker.expires,
        **facts,
        "place": "ephemeral",
        "directory": home,
        "superuser": own.superuser,
        "control": files.sha256(os.path.join(data, _CONTROL)),
    }


def refusals(kept: Mapping[str, Any], now: Optional[datetime.datetime] = None) -> List[str]:
    """Why the files on this host are not those that were kept, in words. `kept`: the content of template.json."""
    home = kept["directory"]
    marker = WorkDirectory(home).marker()
    if marker is None:
        return [f"the template {home} is not there (any more): rehearse from the beginning"]
    if (marker.id, marker.part, marker.source) != (kept["id"], TEMPLATE, kept["source"]):
        return [f"directory {home} does not carry the marker of the template that rehearsal {kept['id']} kept: it was not touched"]
    if marker.expired(now or utc_now()):
        return [f"the template {home} has expired ({marker.expires}): rehearse from the beginning"]
    try:
        control = files.sha256(os.path.join(home, "data", _CONTROL))
    except OSError as error:
        return [f"the template {home} cannot be read: {error.strerror}"]
    if control != kept["control"]:
        return [f"a server has been started on the template {home} since it was kept: what is in it is not known; rehearse from the beginning"]
    return []


def take(own: Ephemeral, kept: Mapping[str, Any]) -> None:
    """Fill the empty home of a new server with what was kept; where an earlier one has left its data directory, with that, made equal to it.

    Raises TemplateRefused and EphemeralError."""
    against = refusals(kept)
    if against:
        raise TemplateRefused("; ".join(against))
    template = kept["directory"]
    try:
        stamps = spare_copy.claim(own.home, template)
        if stamps is None:
            _copy(own, os.path.join(template, "data"), own.data, kept["bytes"])
        else:
            _copy_what_differs(own, os.path.join(template, "data"), stamps)
        spare_copy.note(own.home, template)
    except OSError as error:
        raise EphemeralError(f"the template {kept['directory']} could not be copied to {own.data}: {error.strerror}") from None


def look(own: Ephemeral, rehearsal_id: str) -> Optional[Kept]:
    """What of a rehearsal is kept beside its server; None where nothing is."""
    marker = WorkDirectory(_home(own)).marker()
    return Kept(_home(own), marker.expires) if marker and (marker.id, marker.part) == (rehearsal_id, TEMPLATE) else None


def leave_only(own: Ephemeral, work: WorkDirectory) -> Tuple[List[str], List[str]]:
    """Remove everything of a rehearsal whose server is stopped but what is kept of it: (what was removed, what could not be, in words)."""
    spare_copy.leave(own.home)
    failures = work.remove_entries(except_for=(ephemeral.DIRECTORY, ELSEWHERE, MARKER_FILE))
    paths = [os.path.join(own.home, name) for name in _REMOVED_WITH_THE_SERVER]
    paths = [path for path in dict.fromkeys([*paths, own.sockets]) if os.path.lexists(path)]
    for path in paths:
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)
    failures += [f"cannot remove {path}" for path in paths if os.path.lexists(path)]
    return [path for path in paths if not os.path.lexists(path)], failures


def _home(own: Ephemeral) -> str:
    return os.path.join(own.home, DIRECTORY)


def _copy(own: Ephemeral, source: str, target: str, expected: int) -> None:
    """Copy the data directory of a server that is stopped, without the WAL that it will not need."""
    first = _first_wal_file(own, source)
    with progress.counted(own.work, "copied", expected) as counter:

        def one(path: str, to: str) -> str:
            _copy_file(path, to)
            counter.done += os.path.getsize(to)
            return to

        def passed_over(directory: str, names: List[str]) -> List[str]:
            if not first or os.path.basename(directory) != "pg_wal":
                return []
            return [name for name in names if _WAL_FILE.fullmatch(name) and name != first]

        shutil.copytree(source, target, symlinks=True, ignore=passed_over, copy_function=one)
    system_owner.own_all(own.owner, target)


def _copy_what_differs(own: Ephemeral, source: str, stamps: Mapping[str, Any]) -> None:
    """Make a data directory that once was equal to the source equal to it again."""
    paths = spare_copy.written_to(source, own.data, stamps)
    with progress.counted(own.work, "copied", sum(os.path.getsize(os.path.join(source, path)) for path in paths)) as counter:

        def one(path: str, to: str) -> None:
            _copy_file(path, to)
            counter.done += os.path.getsize(to)

        spare_copy.copy_anew(source, own.data, paths, one)
    system_owner.own_all(own.owner, own.data)


def _first_wal_file(own: Ephemeral, data: str) -> str:
    """The only WAL file that a server needs which was stopped in order; empty where its program does not say: then all are copied."""
    code, said = own.run("pg_controldata", "-D", data, timeout_s=_CONTROL_S)
    found = re.search(r"REDO WAL file:\s+([0-9A-F]{24})$", said, re.MULTILINE) if code == 0 and "shut down\n" in said else None
    return found[1] if found else ""


def _copy_file(source: str, target: str) -> None:
    with open(source, "rb") as reading, open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, files.PRIVATE_FILE), "wb") as writing:
        try:
            fcntl.ioctl(writing.fileno(), _FICLONE, reading.fileno())
            return
        except OSError:
            pass  # another file system, or one that cannot
    # In the kernel, unlike the copying of file objects.
    shutil.copyfile(source, target)


def require(kept: Mapping[str, Any], place: str) -> None:
    """TemplateRefused where what was kept is of another kind than the copy is to be."""
    there = kept_template.place_of(kept)
    if there != place:
        raise TemplateRefused(
            f"rehearsal {kept['id']} kept its copy with rehearsal_copy: {there}, and it is {place} now: rehearse from the beginning"
        )
