# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A physical copy: pg_basebackup from production, and what is taken out of it before a server starts on it.

The configuration of production is not used at all: the copy's own server writes its own, and production's settings that decide how migrations run
come with the manifest. So nothing that reaches out (archiving, replication, certificates, addresses) can be left in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from typing import Any, Dict, List, Mapping, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import backup, database_facts, ephemeral, ephemeral_settings, files
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import ARCHIVE, Limits
from ansible_collections.migrations.rehearsal.plugins.module_utils.ephemeral import Ephemeral, Wish
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, application_name, format_time, utc_now
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import (
    READ_ONLY,
    PostgresError,
    Server,
    Session,
    quote_identifier,
    quote_literal,
    tool_environment,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool, registered
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

# pg_basebackup writes a manifest with a checksum of every file since this version; without one nothing could be proved.
_LEAST_VERSION = 130000
_MANIFEST = "backup_manifest"
# What must not wake up with the copy, and what would show rows (the server's log). Files of configuration are written anew.
_TAKEN_OUT = (
    "standby.signal", "recovery.signal", "recovery.conf", "postmaster.pid", "postmaster.opts", "current_logfiles", "log", "pg_log",
    "postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf", "conf.d", "ssl", "server.key", "server.crt", "root.crt",
)  # fmt: skip

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


class BasebackupError(RehearsalError):
    """A physical copy cannot be taken, or did not arrive as it was taken."""

    code = "copy-differs"


def look(server: Server, database: str, rehearsal_id: str, timeout_s: float) -> Tuple[Dict[str, Any], List[str]]:
    """Whether production can give a physical copy: facts, and what stands in the way, in words. Nothing is asked to be copied."""
    problems: List[str] = []
    try:
        with Session(server, database, application_name(rehearsal_id), READ_ONLY, timeout_s) as session:
            facts: Dict[str, Any] = session.row(_CLUSTER)
    except PostgresError as error:
        return {}, [error.message]
    if facts["server_version_num"] < _LEAST_VERSION:
        problems.append("its PostgreSQL is older than 13, whose base backups have no checksums to prove them by")
    if not facts["may_replicate"]:
        problems.append("the role has no right to take a base backup: ALTER ROLE … REPLICATION")
    if facts["wal_level"] == "minimal":
        problems.append("wal_level is minimal there, and a base backup needs replica")
    if facts["senders"] >= facts["max_wal_senders"]:
        problems.append(f"all of its {facts['max_wal_senders']} WAL senders are taken (max_wal_senders)")
    if facts["tablespaces"]:
        problems.append(f"it has {facts['tablespaces']} tablespaces of its own, which do not fit into one stream")
    if not problems:
        problems += _connects(server, rehearsal_id, timeout_s)
    return facts, problems


def _connects(server: Server, rehearsal_id: str, timeout_s: float) -> List[str]:
    """Whether pg_hba.conf lets a replication connection in: only a try tells."""
    conninfo = f"{server.conninfo('replication', application_name(rehearsal_id))} replication='true'"
    argv = server.tool("psql", "--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--dbname", conninfo, "--command=IDENTIFY_SYSTEM")
    try:
        done = subprocess.run(argv, capture_output=True, timeout=timeout_s, env=tool_environment(), check=False)
    except (OSError, subprocess.TimeoutExpired):
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


def take(server: Server, database: str, rehearsal_id: str, work: WorkDirectory, limits: Limits) -> Dict[str, Any]:
    """Stream a base backup into `backup.tar` of production's work directory; the manifest, of which rows are counted on the copy.

    Nothing is written where the server runs. Raises PostgresError and ToolFailed.
    """
    with registered(work):
        started = utc_now()
        manifest = manifest_of(server, database, rehearsal_id, limits)
        argv = server.tool("pg_basebackup", "--pgdata=-", "--format=tar", "--wal-method=fetch", *_options(server, rehearsal_id))
        partial = work.file(f"{ARCHIVE}.partial")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, files.PRIVATE_FILE), "wb") as output:
            Tool(argv, work, stdout=output).wait(limits.statement_timeout_s)
            output.flush()
            os.fsync(output.fileno())
        os.replace(partial, work.file(ARCHIVE))
    manifest["seconds"] = (utc_now() - started).total_seconds()
    manifest["files"] = {ARCHIVE: {"bytes": os.path.getsize(work.file(ARCHIVE)), "sha256": files.sha256(work.file(ARCHIVE))}}
    return manifest


def manifest_of(server: Server, database: str, rehearsal_id: str, limits: Limits) -> Dict[str, Any]:
    """Production's facts; its rows are those of the copy, which is proved by checksums."""
    with Session(server, database, application_name(rehearsal_id), limits.settings(), limits.statement_timeout_s) as session:
        manifest = database_facts.read_facts(session)
    manifest["server"] = backup.read_server(server, database, rehearsal_id, limits)
    manifest.update(id=rehearsal_id, database=database, taken_at=format_time(utc_now()), seconds=0.0, files={}, rows={}, rows_from="copy")
    return manifest


def _options(server: Server, rehearsal_id: str) -> List[str]:
    # No wait for the next checkpoint of its own accord: it can take minutes, and then production holds the backup open.
    # SHA-256, which needs no tool of the same version to be checked.
    return ["--manifest-checksums=SHA256", "--checkpoint=fast", "--no-password", f"--dbname={server.conninfo('', application_name(rehearsal_id))}"]


def pull(server: Server, own: Ephemeral, rehearsal_id: str, deadline_s: float) -> None:
    """Natively from dev, straight into the copy's data directory. `server` is production as dev reaches it."""
    argv = server.tool("pg_basebackup", f"--pgdata={own.data}", "--format=plain", "--wal-method=stream", "--no-sync", *_options(server, rehearsal_id))
    with registered(own.work):
        Tool(argv, own.work).wait(deadline_s)


def unpack(archive: str, sha256: str, own: Ephemeral) -> None:
    """The streamed backup into the copy's data directory; the archive is removed. Raises BasebackupError."""
    if files.sha256(archive) != sha256:
        raise BasebackupError("the base backup is not what was taken on production: the checksums differ")
    os.makedirs(own.data, mode=files.PRIVATE_DIRECTORY)
    try:
        with tarfile.open(archive, mode="r:") as tar:
            for member in tar:
                _unpack_member(tar, member, own.data)
    except (tarfile.TarError, EOFError) as error:
        raise BasebackupError(f"the base backup cannot be read: {error}") from None
    except OSError as error:
        raise RehearsalError(f"cannot unpack the base backup into {own.data}: {error.strerror}") from None
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
        assert source is not None
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, files.PRIVATE_FILE), "wb") as output:
            shutil.copyfileobj(source, output, 1 << 20)
    else:
        # A link would lead out of the data directory: tablespaces, or a pg_wal on another disk, which pg_basebackup gives as a directory.
        raise BasebackupError(f"unexpected link «{member.name}» in the base backup")


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
        listed = {_path(entry): entry for entry in told["Files"]}
    except (OSError, ValueError, KeyError) as error:
        raise BasebackupError(f"the physical copy has no list of checksums that can be read: {error}") from None
    for name, entry in listed.items():
        one = os.path.join(own.data, name)
        if not os.path.isfile(one):
            raise BasebackupError(f"the physical copy lacks {name}, which production's server sent")
        if os.path.getsize(one) != entry["Size"] or files.sha256(one) != entry["Checksum"]:
            raise BasebackupError(f"{name} of the physical copy is not what production's server sent: the checksums differ")


def _path(entry: Mapping[str, Any]) -> str:
    return str(entry["Path"]) if "Path" in entry else os.fsdecode(bytes.fromhex(entry["Encoded-Path"]))


def neutralise(own: Ephemeral, wish: Wish, settings: Mapping[str, str]) -> List[str]:
    """Take out what could act on the world, and write a configuration of our own; what of it dev lacks, in words."""
    for name in _TAKEN_OUT:
        path = os.path.join(own.data, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
    for entry in os.scandir(os.path.join(own.data, "pg_replslot")):
        shutil.rmtree(entry.path)
    os.chmod(own.data, files.PRIVATE_DIRECTORY)
    ephemeral.own_all(own.owner, own.data)
    return own.configure(ephemeral_settings.SETTLING, wish, settings, listen=False)


def take_over(own: Ephemeral, production: str, database: str, marker: Marker, deadline_s: float) -> List[str]:
    """Make the one database the marked copy, and drop all others of production's; those that could not be, in words.

    Nobody else can be there: the server listens on a socket in a directory of its own. The marker comes before everything else.
    """
    name = application_name(marker.id)
    left: List[str] = []
    with Session(own.server, "template1", name, deadline_s=deadline_s) as session:
        session.execute(f"COMMENT ON DATABASE {quote_identifier(production)} IS {quote_literal(marker.to_text())}")
        for prepared in session.rows("SELECT gid, database FROM pg_catalog.pg_prepared_xacts ORDER BY prepared"):
            _in(own, prepared["database"], name, f"ROLLBACK PREPARED {quote_literal(prepared['gid'])}", deadline_s)
        if production != database:
            session.execute(f"ALTER DATABASE {quote_identifier(production)} RENAME TO {quote_identifier(database)}")
        session.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {quote_identifier(database)} FROM PUBLIC")
        others = session.rows(
            "SELECT datname AS name, datallowconn AS open FROM pg_catalog.pg_database "
            f"WHERE datname NOT IN ('postgres', 'template0', 'template1', {quote_literal(database)}) ORDER BY 1"
        )
        for other in others:
            try:
                _drop(own, session, other["name"], name, deadline_s)
            except PostgresError as error:
                left.append(f"{other['name']}: {error.message}")
    # What the later stages connect to when they ask for databases; a cluster need not have kept it.
    with Session(own.server, "template1", name, deadline_s=deadline_s) as session:
        if not session.value("SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = 'postgres')"):
            session.execute("CREATE DATABASE postgres TEMPLATE template0")
    return left


def _drop(own: Ephemeral, session: Session, other: str, name: str, deadline_s: float) -> None:
    quoted = quote_identifier(other)
    session.execute(f"ALTER DATABASE {quoted} IS_TEMPLATE false")
    session.execute(f"ALTER DATABASE {quoted} ALLOW_CONNECTIONS true")
    subscriptions = session.rows(
        "SELECT s.subname AS name FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid "
        f"WHERE d.datname = {quote_literal(other)}"
    )
    for subscription in subscriptions:
        # Without its slot it is dropped without asking the publisher.
        for action in ("DISABLE", "SET (slot_name = NONE)"):
            _in(own, other, name, f"ALTER SUBSCRIPTION {quote_identifier(subscription['name'])} {action}", deadline_s)
        _in(own, other, name, f"DROP SUBSCRIPTION {quote_identifier(subscription['name'])}", deadline_s)
    session.execute(f"DROP DATABASE {quoted} WITH (FORCE)")


def _in(own: Ephemeral, database: str, name: str, statement: str, deadline_s: float) -> None:
    with Session(own.server, database, name, deadline_s=deadline_s) as session:
        session.execute(statement)
