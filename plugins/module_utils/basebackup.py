# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A physical copy: pg_basebackup from production, and what is taken out of it before a server starts on it.

The configuration of production is not used at all: the copy's own server writes its own, and production's settings that decide how migrations run
come with the manifest. So nothing that reaches out (archiving, replication, certificates, addresses) can be left in it.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import errno
import hashlib
import os
import shutil
import tarfile
import threading
import time
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    backup,
    database_facts,
    disk,
    dump_outlets,
    ephemeral,
    files,
    priority,
    progress,
    replication_way,
    server_programs,
    system_owner,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import ARCHIVE, Limits
from ansible_collections.migrations.rehearsal.plugins.module_utils.ephemeral import Ephemeral, Wish
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import application_name, format_time, utc_now
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import (
    READ_ONLY,
    PostgresError,
    Server,
    Session,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool, ToolFailed, registered
from ansible_collections.migrations.rehearsal.plugins.module_utils.production_guard import Guard
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Look
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

# pg_basebackup writes a manifest with a checksum of every file since this version; without one nothing could be proved.
_LEAST_VERSION = 130000
_CHUNK = 1 << 20
# Checksums, as pg_basebackup calls them, and the program that checks the first of them.
CRC, SHA = "CRC32C", "SHA256"
VERIFIER = "pg_verifybackup"
# Written while the backup is taken, and what every server has beside its databases.
_ROOM_FOR_WAL = 256 << 20
# What pg_basebackup takes as --max-rate, in kilobytes a second.
_LEAST_RATE, _GREATEST_RATE = 32, 1 << 20
_CLUSTER = """
SELECT current_setting('wal_level') AS wal_level,
       current_setting('max_wal_senders')::int AS max_wal_senders,
       (SELECT count(*) FROM pg_catalog.pg_stat_replication) AS senders,
       (SELECT rolreplication OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS may_replicate,
       (SELECT count(*) FROM pg_catalog.pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')) AS tablespaces,
       (SELECT sum(pg_catalog.pg_database_size(oid)) FROM pg_catalog.pg_database WHERE datallowconn)::bigint AS bytes,
       (SELECT d.datcollversion FROM (SELECT to_jsonb(d) ->> 'datcollversion' AS datcollversion FROM pg_catalog.pg_database d
                                      WHERE d.datname = current_database()) AS d) AS collation_version,
       current_setting('server_version_num')::int AS server_version_num"""


# What of the whole server the role may know the size of; progress is held against it.
_BYTES = """
SELECT coalesce(sum(pg_catalog.pg_database_size(oid)), 0)::bigint AS bytes FROM pg_catalog.pg_database
WHERE pg_catalog.has_database_privilege(oid, 'CONNECT') OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')"""


class BasebackupError(RehearsalError):
    """A physical copy cannot be taken, or did not arrive as it was taken."""

    code = "copy-differs"


def look(server: Server, database: str, rehearsal_id: str, timeout_s: float, pulled: bool = False) -> Tuple[Dict[str, Any], List[str]]:
    """Whether production can give a physical copy: facts, and what stands in the way, in words. Nothing is asked to be copied.

    `pulled`: dev takes it itself, with tools and a role of its own, which dev tries (`replication_way.from_dev_problems`), and with a second
    connection for the WAL.
    """
    problems: List[str] = []
    try:
        with Session(server, database, application_name(rehearsal_id), READ_ONLY, timeout_s) as session:
            facts: Dict[str, Any] = session.row(_CLUSTER)
    except PostgresError as error:
        return {}, [error.message]
    if facts["server_version_num"] < _LEAST_VERSION:
        problems.append("its PostgreSQL is older than 13, whose base backups have no checksums to prove them by")
    if not pulled and not facts["may_replicate"]:
        problems.append("the role has no right to take a base backup: ALTER ROLE … REPLICATION")
    if facts["wal_level"] == "minimal":
        problems.append("wal_level is minimal there, and a base backup needs replica")
    wanted = 2 if pulled else 1
    if facts["senders"] + wanted > facts["max_wal_senders"]:
        problems.append(f"{facts['senders']} of its {facts['max_wal_senders']} WAL senders are taken (max_wal_senders), and {wanted} must be free")
    if facts["tablespaces"]:
        problems.append(f"it has {facts['tablespaces']} tablespaces of its own, which do not fit into one stream")
    if not pulled:
        problems += replication_way.client_problems(server, facts["server_version_num"])
    if not pulled and not problems:
        problems += _connects(server, rehearsal_id, timeout_s)
    return facts, problems


def room_on_production(facts: Mapping[str, Any], work_base: str) -> List[str]:
    """What lacks for the streamed backup on production's disk, in words: it is the whole server, as large as it is there."""
    return _room(work_base, facts["bytes"] + _ROOM_FOR_WAL, "the base backup")


def room_on_dev(facts: Mapping[str, Any], size_bytes: int, wish: Wish, work_base: str, pulled: bool) -> List[str]:
    """What lacks for it on dev: the backup that was carried, and the copy with what its migrations write. `facts`: of `look`."""
    try:
        owner = system_owner.system_user(wish.owner)
        base = ephemeral.base_directory(wish, owner) if owner or wish.directory else work_base
    except RehearsalError:
        # The look at dev has told it.
        return []
    carried = 0 if pulled else facts["bytes"] + _ROOM_FOR_WAL
    copy = facts["bytes"] + size_bytes // 2 + _ROOM_FOR_WAL
    if disk.same_file_system(work_base, base):
        return _room(base, carried + copy, "the physical copy")
    return [*_room(work_base, carried, "the base backup"), *_room(base, copy, "the physical copy")]


def _room(path: str, needed: int, what: str) -> List[str]:
    free = disk.free_here(path)
    if free is None or free >= needed:
        return []
    return [f"{what} needs about {needed >> 20} MiB below {path}, and {free >> 20} MiB are free"]


def _connects(server: Server, rehearsal_id: str, timeout_s: float) -> List[str]:
    """Whether pg_hba.conf lets a replication connection in: only a try tells."""
    done = replication_way.identify(server, rehearsal_id, timeout_s)
    if done is None:
        return ["a replication connection could not be tried"]
    return [] if done.returncode == 0 else ["it lets no replication connection of the role in: add a line «replication» to its pg_hba.conf"]


def differs_from_dev(facts: Mapping[str, Any]) -> List[str]:
    """What of dev's machine does not fit production's files, in words."""
    version = facts.get("collation_version")
    try:
        own = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    except (OSError, ValueError):
        own = []
    if version and own and own[0] == "glibc" and version[0].isdigit() and own[-1] != version:
        return [f"production sorts text with the C library {version}, dev with {own[-1]}: the copy's text indexes would be out of order"]
    return []


def checksums(bin_dir: str) -> str:
    """What the files shall be proved by: CRC-32C costs production a fraction of SHA-256, but needs PostgreSQL's own program on dev to be checked."""
    return CRC if server_programs.answers(bin_dir, VERIFIER) else SHA


def take(
    server: Server, database: str, rehearsal_id: str, work: WorkDirectory, limits: Limits, through_pipe: bool = False, proof: str = SHA
) -> Dict[str, Any]:
    """Stream a base backup into `backup.tar` of production's work directory; the manifest, of which rows are counted on the copy.

    Nothing is written where the server runs. `through_pipe` writes no file at all: the archive goes through a named pipe (`backup.pipe`), and has
    to be read from there meanwhile. Raises PostgresError, ToolFailed and ProductionBusy.
    """
    with registered(work):
        started = utc_now()
        manifest = manifest_of(server, database, rehearsal_id, limits)
        lowered = priority.lower(server, limits.nice, limits.ionice)
        options = ("--pgdata=-", "--format=tar", "--wal-method=fetch", *_options(server, rehearsal_id, limits, proof))
        argv = server.tool("pg_basebackup", *options, behind=lowered.words)
        partial = work.file(f"{ARCHIVE}.partial")
        target = dump_outlets.open_pipe(work) if through_pipe else os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, files.PRIVATE_FILE)
        try:
            relay = _Relay(target)
            try:
                with progress.shown(work, lambda: Look("backed up", relay.moved, manifest["cluster_bytes"], about=True)):
                    manifest["load"] = _guarded(argv, server, database, rehearsal_id, work, limits, connections=1, stdout=relay.entrance)
            finally:
                relay.end()
        finally:
            os.close(target)
        if through_pipe:
            os.unlink(work.file(dump_outlets.PIPE))
        else:
            os.replace(partial, work.file(ARCHIVE))
    manifest["load"].update(lowered.load, bytes=relay.moved)
    manifest["not_lowered"] = list(lowered.missing)
    manifest["seconds"] = (utc_now() - started).total_seconds()
    manifest["files"] = {ARCHIVE: {"bytes": relay.moved, "sha256": relay.digest.hexdigest()}}
    return manifest


class _Relay:
    """Takes what a tool writes into `entrance` to a descriptor, in a thread, and hashes it on the way."""

    def __init__(self, target: int) -> None:
        self.digest, self.moved = hashlib.sha256(), 0
        self._failure = ""
        self._target = target
        self._exit, writing = os.pipe()
        self.entrance = os.fdopen(writing, "wb")
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def _carry(self) -> None:
        try:
            for chunk in iter(lambda: os.read(self._exit, _CHUNK), b""):
                self.digest.update(chunk)
                self.moved += len(chunk)
                rest = memoryview(chunk)
                while rest:
                    rest = rest[os.write(self._target, rest) :]
        except OSError as error:
            self._failure = "the connection broke" if error.errno == errno.EPIPE else str(error.strerror)
        finally:
            # The tool ends by itself when nobody reads any more.
            os.close(self._exit)

    def end(self) -> None:
        """Wait until all of it is there, the tool having ended; ToolFailed where it could not be handed on, whatever the tool said of that."""
        self.entrance.close()
        self._thread.join()
        if self._failure:
            raise ToolFailed(f"the base backup could not be handed on: {self._failure}")


def _guarded(
    argv: Sequence[str], server: Server, database: str, rehearsal_id: str, work: WorkDirectory, limits: Limits, connections: int, stdout: Any = None
) -> Dict[str, Any]:
    """Run pg_basebackup as long as production is within its limits; what production was asked to do. Raises ToolFailed and ProductionBusy."""
    clock = time.monotonic()
    tool = Tool(list(argv), work, stdout=stdout)
    if stdout is not None:
        # Its own is the only one left, so that its end is seen.
        stdout.close()
    guard = Guard(server, database, rehearsal_id, max_lag_s=limits.max_lag_s, max_active=limits.max_active, stop=tool.stop)
    try:
        with guard:
            tool.wait(limits.statement_timeout_s)
    except ToolFailed:
        if guard.reason:
            raise guard.busy() from None
        raise
    return {"seconds": round(time.monotonic() - clock, 3), "bytes": 0, "connections": connections + int(guard.on), "snapshot_seconds": 0.0}


def manifest_of(server: Server, database: str, rehearsal_id: str, limits: Limits) -> Dict[str, Any]:
    """Production's facts; its rows are those of the copy, which is proved by checksums."""
    with Session(server, database, application_name(rehearsal_id), limits.settings(), limits.statement_timeout_s) as session:
        clock = time.monotonic()
        manifest = database_facts.read_facts(session)
        manifest["cluster_bytes"] = session.value(_BYTES)
    manifest["server"] = backup.read_server(server, database, rehearsal_id, limits)
    manifest.update(id=rehearsal_id, database=database, taken_at=format_time(utc_now()), seconds=0.0, files={}, rows={}, rows_from="copy")
    manifest["load"] = {"seconds": round(time.monotonic() - clock, 3), "bytes": 0, "connections": 1, "snapshot_seconds": 0.0}
    return manifest


def _options(server: Server, rehearsal_id: str, limits: Limits, proof: str) -> List[str]:
    # No wait for the next checkpoint of its own accord: it can take minutes, and then production holds the backup open.
    options = [f"--manifest-checksums={proof}", "--checkpoint=fast", "--no-password"]
    if limits.max_rate:
        options.append(f"--max-rate={int(min(max(limits.max_rate / 1024, _LEAST_RATE), _GREATEST_RATE))}")
    return [*options, f"--dbname={server.conninfo('', application_name(rehearsal_id))}"]


def pull(server: Server, database: str, own: Ephemeral, rehearsal_id: str, limits: Limits, expected: int = 0) -> Dict[str, Any]:
    """Natively from dev, straight into the copy's data directory; what production was asked to do. `server` is production as dev reaches it.

    `expected`: about how many bytes will come, as far as that is known. Raises ToolFailed, ProductionBusy and BasebackupError.
    """
    options = _options(server, rehearsal_id, limits, checksums(own.bin_dir))
    with registered(own.work), progress.shown(own.work, lambda: Look("backed up", _bytes_below(own.data), expected, about=True)):
        if server.prefix:
            load = _pull_through(server, database, own, rehearsal_id, limits, options)
        else:
            argv = server.tool("pg_basebackup", f"--pgdata={own.data}", "--format=plain", "--wal-method=stream", "--no-sync", *options)
            # The WAL comes through a connection of its own.
            load = _guarded(argv, server, database, rehearsal_id, own.work, limits, connections=2)
    load["bytes"] = _bytes_below(own.data)
    return load


def _pull_through(server: Server, database: str, own: Ephemeral, rehearsal_id: str, limits: Limits, options: Sequence[str]) -> Dict[str, Any]:
    """Behind a prefix pg_basebackup sees other files than we do: it leaves on standard output, and is unpacked while it comes."""
    argv = server.tool("pg_basebackup", "--pgdata=-", "--format=tar", "--wal-method=fetch", *options)
    os.makedirs(own.data, mode=files.PRIVATE_DIRECTORY)
    reading, writing = os.pipe()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        unpacked = pool.submit(_unpack_pipe, reading, own)
        try:
            with os.fdopen(writing, "wb") as entrance:
                load = _guarded(argv, server, database, rehearsal_id, own.work, limits, connections=1, stdout=entrance)
        except ToolFailed:
            # Without a reader it had to end: then what ended the reader is the reason. Half an archive is none.
            why = unpacked.exception()
            if why is not None and not isinstance(why, (tarfile.TarError, EOFError)):
                with _told(own):
                    raise why from None
            raise
        with _told(own):
            unpacked.result()
    return load


def _unpack_pipe(descriptor: int, own: Ephemeral) -> None:
    with os.fdopen(descriptor, "rb") as source, tarfile.open(fileobj=source, mode="r|", bufsize=_CHUNK) as tar:
        for member in tar:
            _unpack_member(tar, member, own.data)
        # Whoever writes must not find its reader gone before the last of it.
        while source.read(_CHUNK):
            pass


@contextlib.contextmanager
def _told(own: Ephemeral) -> Iterator[None]:
    """What goes wrong where a base backup is unpacked, in our words."""
    try:
        yield
    except (tarfile.TarError, EOFError) as error:
        raise BasebackupError(f"the base backup cannot be read: {error}") from None
    except OSError as error:
        raise RehearsalError(f"cannot unpack the base backup into {own.data}: {error.strerror}") from None


def _bytes_below(directory: str) -> int:
    return sum(os.path.getsize(os.path.join(place, name)) for place, _names, found in os.walk(directory) for name in found)


def unpack(archive: str, sha256: str, own: Ephemeral) -> None:
    """The streamed backup into the copy's data directory, hashed while it is read; the archive is removed. Raises BasebackupError."""
    os.makedirs(own.data, mode=files.PRIVATE_DIRECTORY)
    with _told(own), files.Hashing(archive) as source:
        stream: Any = source
        size = os.path.getsize(archive)
        tar = tarfile.open(fileobj=stream, mode="r|", bufsize=_CHUNK)
        with tar, progress.shown(own.work, lambda: Look("unpacked", tar.offset, size)):
            for member in tar:
                _unpack_member(tar, member, own.data)
        found = source.finish()
    if found != sha256:
        raise BasebackupError("the base backup is not what was taken on production: the checksums differ")
    os.unlink(archive)


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, data: str) -> None:
    name = os.path.normpath(member.name)
    if name.startswith(("/", "..")):
        raise BasebackupError(f"unexpected entry «{member.name}» in the base backup")
    target = os.path.join(data, name)
    if member.isdir():
        os.makedirs(target, mode=files.PRIVATE_DIRECTORY, exist_ok=True)
    elif member.isfile():
        os.makedirs(os.path.dirname(target), mode=files.PRIVATE_DIRECTORY, exist_ok=True)
        source = tar.extractfile(member)
        if source is None:
            raise AssertionError("only regular files are taken out")
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, files.PRIVATE_FILE), "wb") as output:
            shutil.copyfileobj(source, output, 1 << 20)
    else:
        # A link would lead out of the data directory: tablespaces, or a pg_wal on another disk, which pg_basebackup gives as a directory.
        raise BasebackupError(f"unexpected link «{member.name}» in the base backup")
