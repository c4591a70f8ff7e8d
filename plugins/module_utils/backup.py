# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a backup of production and, in the dump's own snapshot, the manifest that the copy is held against."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import tarfile
import time
from typing import Any, Dict, Iterator, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    database_facts,
    dump_compression,
    dump_outlets,
    dump_size,
    files,
    priority,
    progress,
    row_files,
    server_settings,
    work_directory,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.dump_outlets import Outlet, StandardOutput
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import application_name, format_time, utc_now
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import READ_ONLY, PostgresError, Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.priority import Lowered
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed, registered
from ansible_collections.migrations.rehearsal.plugins.module_utils.production_guard import Guard
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Look
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

DUMP = dump_outlets.DUMP
ARCHIVE = dump_outlets.ARCHIVE
MANIFEST = work_directory.MANIFEST
_CHUNK = 1 << 20
LOCK_NOT_AVAILABLE = "55P03"


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a backup may ask of production. Times in seconds; a limit of 0 is none."""

    jobs: int = 2
    lock_timeout_s: float = 5.0
    statement_timeout_s: float = 3600.0
    nice: int = 0
    # One of priority.IONICE.
    ionice: str = ""
    max_lag_s: float = 0.0
    max_active: int = 0
    # What part of the database's size its last dump had, as far as that is known: only progress is estimated by it.
    last_share: float = 0.0
    # Bytes a second that a base backup may read; pg_dump has no such limit.
    max_rate: float = 0.0

    def settings(self) -> Dict[str, str]:
        """The session settings that enforce them, read-only included."""
        return {
            **READ_ONLY,
            "lock_timeout": f"{int(self.lock_timeout_s * 1000)}",
            "statement_timeout": f"{int(self.statement_timeout_s * 1000)}",
            "idle_in_transaction_session_timeout": "0",
            # Of what counts rows once, compiling is most of the work.
            "jit": "off",
            # A connection works with one processor of production's, not with as many as its server would lend it.
            "max_parallel_workers_per_gather": "0",
        }


class BackupBlocked(RehearsalError):
    """Somebody holds, or waits for, a table of production exclusively. The backup gives way: it would hold others up."""


def take_backup(
    server: Server,
    database: str,
    rehearsal_id: str,
    work: WorkDirectory,
    limits: Limits,
    with_fingerprint: bool = False,
    through_pipe: bool = False,
    compression: str = dump_compression.GZIP,
    row_form: Optional[row_files.Form] = None,
    outlet: Optional[Outlet] = None,
) -> Dict[str, Any]:
    """Write `backup.tar` (the dump and its manifest) into the work directory; the manifest.

    The rows are counted in the very snapshot that pg_dump reads, while it reads it, so that writes to production meanwhile change neither.
    `with_fingerprint` hashes every value in that snapshot too (manifest key `fingerprint`), in a session of its own. `through_pipe` writes
    no file: the archive goes through a named pipe (`backup.pipe`), and has to be read from there meanwhile. `row_form`: large tables lie in
    files of their own in the archive, which then is none for pg_restore alone. `outlet`: another way out of production, which leaves no
    archive either. Raises PostgresError, ToolFailed, ProductionBusy and BackupBlocked.
    """
    lowered = priority.lower(server, limits.nice, limits.ionice)
    # Who names a place in the container wants the dump made there.
    if outlet is None and row_form is not None and row_form.program and not through_pipe and not (server.prefix and server.scratch):
        outlet = row_files.RowFiles(
            server, database, rehearsal_id, work, row_form,
            jobs=limits.jobs, settings=limits.settings(), niceness=lowered.words, deadline_s=limits.statement_timeout_s,
        )  # fmt: skip
    outlet = outlet or dump_outlets.choose(server, rehearsal_id, work, jobs=limits.jobs, through_pipe=through_pipe, niceness=lowered.words)
    guard = Guard(server, database, rehearsal_id, max_lag_s=limits.max_lag_s, max_active=limits.max_active, stop=outlet.stop)
    try:
        with guard:
            return _take_backup(server, database, rehearsal_id, work, limits, outlet, with_fingerprint, guard.on, lowered, compression)
    except (PostgresError, ToolFailed) as error:
        if guard.reason:
            raise guard.busy() from None
        # pg_dump waits for locks by means of a statement timeout, so only the statement tells what it waited for.
        if getattr(error, "sqlstate", None) != LOCK_NOT_AVAILABLE and "LOCK TABLE" not in str(error) and LOCK_NOT_AVAILABLE not in str(error):
            raise
        raise BackupBlocked(
            f"{server.describe(database)}: a table is held by another session, or one waits to alter it, and was not free within "
            f"{limits.lock_timeout_s:g} s; rehearse again at another time, or allow more with rehearsal_production_lock_timeout ({error})"
        ) from None


def _take_backup(
    server: Server,
    database: str,
    rehearsal_id: str,
    work: WorkDirectory,
    limits: Limits,
    outlet: Outlet,
    with_fingerprint: bool,
    guarded: bool,
    lowered: Lowered,
    compression: str,
) -> Dict[str, Any]:
    name = application_name(rehearsal_id)
    with registered(work), Session(server, database, name, limits.settings(), limits.statement_timeout_s) as session:
        started, clock = utc_now(), time.monotonic()
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = session.value("SELECT pg_catalog.pg_export_snapshot()")
        database_facts.lock_tables(session)
        outlet.prepare(session, snapshot)
        size = session.value("SELECT pg_catalog.pg_database_size(current_database())")
        expected = dump_size.expected_bytes(session, size, limits.last_share)
        # Before pg_dump connects: production gives no connection more than the record counts.
        about_server = read_server(server, database, rehearsal_id, limits)
        # pg_dump sets lock_timeout and statement_timeout of its sessions itself, hence the option.
        lock_wait = f"--lock-wait-timeout={int(limits.lock_timeout_s * 1000)}"
        conninfo = server.conninfo(database, name, READ_ONLY)
        outlet.start([f"--snapshot={snapshot}", lock_wait, "--no-password", dump_compression.option(compression), f"--dbname={conninfo}"])
        with progress.shown(work, lambda: outlet.look(expected)):
            try:
                manifest: Dict[str, Any] = database_facts.read_facts(session)
                manifest["rows"] = database_facts.count_rows(session)
                if with_fingerprint:
                    with Session(server, database, name, limits.settings(), limits.statement_timeout_s) as hashing:
                        manifest["fingerprint"] = take_fingerprint(hashing, snapshot_id=snapshot)
                manifest["server"] = about_server
            except BaseException:
                outlet.stop()
                raise
            outlet.wait(limits.statement_timeout_s)
        session.execute("COMMIT")
        snapshot_s = time.monotonic() - clock
    manifest.update(id=rehearsal_id, database=database, taken_at=format_time(started), seconds=(utc_now() - started).total_seconds())
    manifest["load"] = {
        "seconds": round(time.monotonic() - clock, 3),
        # The one that counts, pg_dump's, and those that hash and watch if they do.
        "connections": 1 + outlet.connections + int(with_fingerprint) + int(guarded),
        "snapshot_seconds": round(snapshot_s, 3),
        "compression": outlet.compressed(compression),
        **lowered.load,
    }
    manifest["not_lowered"] = list(lowered.missing)
    if isinstance(outlet, StandardOutput):
        _write_manifest(work, manifest, outlet.files())
        with open(work.file(MANIFEST), "rb") as written:
            outlet.finish(MANIFEST, written.read())
    elif outlet.in_files:
        manifest.update(outlet.about())
        total = sum(os.path.getsize(work.file(name)) for name in outlet.names())
        with _archive(work) as archive, progress.shown(work, lambda: Look("packed", archive.offset, total)):
            _write_manifest(work, manifest, {name: _pack(archive, work.file(name), name) for name in outlet.names()})
            archive.add(work.file(MANIFEST), arcname=MANIFEST)
    else:
        _write_manifest(work, manifest, {})
        manifest["load"]["bytes"] = outlet.bytes_so_far()
    return manifest


def _write_manifest(work: WorkDirectory, manifest: Dict[str, Any], dumped: Dict[str, Dict[str, Any]]) -> None:
    manifest["files"] = dumped
    manifest["load"]["bytes"] = sum(entry["bytes"] for entry in dumped.values())
    files.write_json(work.file(MANIFEST), manifest)


def read_server(server: Server, database: str, rehearsal_id: str, limits: Limits) -> Dict[str, Any]:
    """What a server that is made for the copy must be like (`server_settings.read`), in a read-only session of its own."""
    # Without the timeouts of the other sessions, which would hide production's own.
    with Session(server, database, application_name(rehearsal_id), READ_ONLY, limits.statement_timeout_s) as session:
        return server_settings.read(session)


@contextlib.contextmanager
def _archive(work: WorkDirectory) -> Iterator[tarfile.TarFile]:
    """One file to carry. It is not flushed to disk: what a power cut takes is taken again, and its checksums show what it lacks."""
    partial = work.file(f"{ARCHIVE}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, files.PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as output, tarfile.open(fileobj=output, mode="w") as archive:
        archive.copybufsize = _CHUNK  # type: ignore[attr-defined]
        yield archive
    for emptied in (DUMP, row_files.ROWS):
        if os.path.isdir(work.file(emptied)):
            os.rmdir(work.file(emptied))
    os.replace(partial, work.file(ARCHIVE))


def _pack(archive: tarfile.TarFile, path: str, name: str) -> Dict[str, Any]:
    """Size and SHA-256 of a file that is hashed on its way in, and removed once it is there: the dump never takes its room twice."""
    member = archive.gettarinfo(path, arcname=name)
    with files.Hashing(path) as source:
        stream: Any = source
        archive.addfile(member, stream)
        sha256 = source.finish()
    os.unlink(path)
    return {"bytes": member.size, "sha256": sha256}


class BackupDamaged(RehearsalError):
    """A backup did not arrive as it was taken."""

    code = "copy-differs"


def unpack(work: WorkDirectory, archive: str, manifest_sha256: str) -> Dict[str, Any]:
    """Unpack an archive into the work directory and check every file against the manifest; the manifest.

    Raises BackupDamaged. The archive is removed: its content is there.
    """
    found: Dict[str, Any] = {}
    try:
        size = os.path.getsize(archive)
        with tarfile.open(archive, mode="r:") as tar, progress.shown(work, lambda: Look("unpacked", tar.offset, size)):
            for member in tar:
                name = member.name
                if not member.isfile() or not (name in (MANIFEST, DUMP) or os.path.dirname(name) in (DUMP, row_files.ROWS)) or ".." in name:
                    raise BackupDamaged(f"unexpected entry «{name}» in the backup")
                target = work.file(name)
                os.makedirs(os.path.dirname(target), mode=files.PRIVATE_DIRECTORY, exist_ok=True)
                source = tar.extractfile(member)
                if source is None:
                    raise AssertionError("only regular files are taken out")
                # A dump that went through a pipe comes in pieces, each a member of the same name.
                found[name] = _copy_out(source, target, found.get(name))
                if name == MANIFEST and found[name].hexdigest() != manifest_sha256:
                    raise BackupDamaged("the manifest changed on its way from production")
    except (tarfile.TarError, EOFError, FileNotFoundError) as error:
        raise BackupDamaged(f"the backup cannot be read: {error}") from None
    except OSError as error:
        raise RehearsalError(f"cannot unpack the backup into {work.path}: {error.strerror}") from None
    if MANIFEST not in found:
        raise BackupDamaged("the manifest is missing from the backup")
    manifest: Dict[str, Any] = files.read_json(work.file(MANIFEST))
    unknown = sorted(set(found) - {MANIFEST, *manifest["files"]})
    if unknown:
        raise BackupDamaged(f"the backup has files that its manifest does not know: {', '.join(unknown)}")
    for path, facts in manifest["files"].items():
        if path not in found:
            raise BackupDamaged(f"{path} is missing from the backup")
        if found[path].hexdigest() != facts["sha256"]:
            raise BackupDamaged(f"{path} is not what was taken on production: the checksums differ")
    os.unlink(archive)
    return manifest


def _copy_out(source: Any, target: str, digest: Any) -> Any:
    """The digest of what is in the target then: that of what is in it already is gone on with."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if digest is None else os.O_APPEND), files.PRIVATE_FILE)
    digest = digest or hashlib.sha256()
    with os.fdopen(descriptor, "wb", buffering=0) as output:
        for chunk in iter(lambda: source.read(_CHUNK), b""):
            digest.update(chunk)
            output.write(chunk)
    return digest
