# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the copy, from any source, in any place: an existing server of dev's, or one of its own. What follows does not care which."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime
import os
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    backup_file,
    basebackup,
    basebackup_proof,
    copy_database,
    ephemeral,
    ephemeral_settings,
    file_source,
    kept_server,
    kept_template,
    neutralising,
    outside_world,
    progress_database,
    server_programs,
    server_settings,
    system_owner,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import ARCHIVE, Limits, take_backup
from ansible_collections.migrations.rehearsal.plugins.module_utils.ephemeral import Ephemeral, Wish
from ansible_collections.migrations.rehearsal.plugins.module_utils.filling import Target
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, application_name, format_time
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import READ_ONLY, Server, Session, quote_identifier
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import registered
from ansible_collections.migrations.rehearsal.plugins.module_utils.pulled_dump import Pulled
from ansible_collections.migrations.rehearsal.plugins.module_utils.server_programs import find_programs
from ansible_collections.migrations.rehearsal.plugins.module_utils.sql_dump import Scan
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory


@dataclasses.dataclass(frozen=True)
class Order:
    """What to make. `server`: an existing one; None: the copy gets one of its own, as `wish` says. `deadline_s` bounds every single step."""

    database: str
    marker: Marker
    work: WorkDirectory
    server: Optional[Server]
    wish: Wish = dataclasses.field(default_factory=Wish)
    jobs: int = 2
    deadline_s: float = 3600.0


@dataclasses.dataclass(frozen=True)
class Made:
    """A copy that is there: the content of copy.json, where it is reached, and the role for the application there."""

    copy: Dict[str, Any]
    server: Server
    user: str
    manifest: Dict[str, Any]


def from_dump(order: Order, manifest: Dict[str, Any]) -> Made:
    """Restore the unpacked dump in the work directory. Raises CopyRefused, PostgresError, ToolFailed and EphemeralError."""
    if order.server is not None:
        copy = copy_database.make_copy(order.server, order.database, order.marker, manifest, order.work, jobs=order.jobs, deadline_s=order.deadline_s)
        return Made({**copy, "place": "existing"}, order.server, order.server.user, manifest)
    wanted = manifest["server"]
    own, failures = _own_server(order, manifest)
    copy = copy_database.make_copy(
        own.server, order.database, order.marker, manifest, order.work, jobs=order.jobs, deadline_s=order.deadline_s, pipes=own.pipes
    )
    failures += _replay(own, order, wanted["settings"])
    return _settled(order, own, copy, failures, wanted["settings"], manifest)


def from_production(order: Order, facts: Dict[str, Any], production: Server, limits: Limits, with_fingerprint: bool = False) -> Made:
    """Pull the rows from `production` as dev reaches it, within `limits`, and index what has arrived meanwhile. `facts`: of `manifest_of`.

    The manifest is made in the very snapshot that is copied. Raises what `from_dump` raises, BackupBlocked and ProductionBusy.
    """
    failures: List[str] = []
    wanted, source = facts["server"]["settings"], facts["database"]
    kept_out = outside_world.kept_out(facts["extensions"])

    def prepare() -> Tuple[Server, Optional[Ephemeral], Target]:
        server, own = order.server, None
        if server is None:
            own, told = _own_server(order, facts)
            failures.extend(told)
            server = own.server
        pipes = own.pipes if own else None
        target = copy_database.empty_copy(server, order.database, order.marker, facts, kept_out, order.deadline_s, pipes)
        return server, own, target

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        ready = pool.submit(prepare)
        pulled = Pulled(
            production, source, order.database, order.marker.id, order.work, lambda: ready.result()[2],
            jobs=limits.jobs, restore_jobs=order.jobs, settings=limits.settings(), rate=limits.max_rate, deadline_s=order.deadline_s,
        )  # fmt: skip
        try:
            manifest = take_backup(production, source, order.marker.id, order.work, limits, with_fingerprint, outlet=pulled)
            server, own, target = ready.result()
            with registered(order.work), progress_database.filled(order.work, server, order.database, order.marker.id, manifest["size_bytes"]):
                not_given = pulled.finish()
        finally:
            pulled.stop()
    copy = copy_database.finish_copy(server, order.database, order.marker, manifest, order.work, kept_out, order.deadline_s)
    copy.update(missing_roles=sorted(target.roles.missing), roles_not_given=not_given)
    if own is None:
        return Made({**copy, "place": "existing"}, server, server.user, manifest)
    failures += _replay(own, order, wanted)
    return _settled(order, own, copy, failures, wanted, manifest)


def from_file(order: Order, path: str, source_database: str) -> Made:
    """Restore an existing backup, whatever its form. Nothing is proved against production: `proved_by` is `nothing`.

    Raises BackupFileError beside what `from_dump` raises.
    """
    backup = backup_file.inspect(path)
    file_source.open_archive(backup, order.work, bool(order.server and order.server.prefix))
    server, own, failures = order.server, None, []  # type: Optional[Server], Optional[Ephemeral], List[str]
    tools = server or Server(bin_dir=order.wish.bin_dir or server_programs.newest())
    found = file_source.survey(backup, tools, order.marker.id, order.work, order.deadline_s)
    if server is None:
        server, own, failures = _server_for_file(order, found)
    manifest = file_source.manifest_before(found, _default_locale(server, order))
    copy_database.create_copy(server, order.database, order.marker, manifest, order.deadline_s)
    roles = copy_database.roles_there(server, order.marker.id, manifest["roles"], order.deadline_s)
    # Plain SQL runs as it stands: what would run jobs is found in it and stopped after it.
    kept_out = [] if backup.format == backup_file.PLAIN else outside_world.kept_out({name: "" for name in found.extensions})
    not_given = file_source.restore(
        server, order.database, order.marker.id, order.work, backup,
        jobs=order.jobs, roles=roles, without=[entry["object"] for entry in kept_out], deadline_s=order.deadline_s,
    )  # fmt: skip
    settled = copy_database.settle(server, order.database, order.marker.id, manifest["settings"], kept_out, order.deadline_s, restored=True)
    facts, rows = copy_database.measure(server, order.database, order.marker.id, order.deadline_s)
    taken_at = format_time(datetime.datetime.fromtimestamp(os.path.getmtime(backup.path), datetime.timezone.utc))
    manifest = file_source.manifest_after(facts, rows, backup, found, order.marker.id, source_database, taken_at)
    copy = {
        **copy_database.described(order.database, order.marker, facts, rows, [], "nothing"),
        **settled,
        "missing_roles": sorted(roles.missing),
        "roles_not_given": not_given,
        "not_told": manifest["not_told"],
    }
    if own is None:
        return Made({**copy, "place": "existing"}, server, server.user, manifest)
    failures += _replay(own, order, {})
    return _settled(order, own, copy, failures, {}, manifest)


def _server_for_file(order: Order, found: Scan) -> Tuple[Server, Ephemeral, List[str]]:
    """The copy's own server for a backup that knows no more than what roles it needs."""
    bin_dir = find_programs(found.server_major, order.wish.bin_dir) if found.server_major else order.wish.bin_dir or server_programs.newest()
    own = ephemeral.place(order.work, order.marker.id, order.wish, bin_dir, "postgres")
    failures = ephemeral.initialise(own, order.wish, {})
    with Session(own.server, "postgres", application_name(order.marker.id), deadline_s=order.deadline_s) as session:
        for role in sorted({*found.roles, order.wish.user} - {"", "postgres"}):
            session.execute(f"CREATE ROLE {quote_identifier(role)} LOGIN")
    return own.server, own, failures


def _default_locale(server: Server, order: Order) -> Dict[str, Any]:
    with Session(server, server.maintenance_database, application_name(order.marker.id), READ_ONLY, order.deadline_s) as session:
        return session.row(
            "SELECT 'UTF8' AS encoding, datcollate AS collate, datctype AS ctype FROM pg_catalog.pg_database WHERE datname = 'template0'"
        )


def from_basebackup(order: Order, manifest: Dict[str, Any], archive: str, production: Optional[Server], limits: Optional[Limits] = None) -> Made:
    """Start a server on a physical copy: the streamed one in `archive`, or one that is pulled from `production` as dev reaches it, within `limits`.

    It is proved by the checksums that production's server made; nothing of production's configuration is in it. Raises BasebackupError too.
    """
    settings = manifest["server"]["settings"]
    bin_dir = find_programs(manifest["server_version_num"] // 10000, order.wish.bin_dir)
    own = ephemeral.place(order.work, order.marker.id, order.wish, bin_dir, manifest["server"]["first_role"])
    if production is not None:
        limits = limits or Limits(statement_timeout_s=order.deadline_s)
        expected = manifest.get("cluster_bytes", 0)
        manifest = {**manifest, "load": basebackup.pull(production, manifest["database"], own, order.marker.id, limits, expected)}
    else:
        basebackup.unpack(archive, manifest["files"][ARCHIVE]["sha256"], own)
    system_owner.own_all(own.owner, own.data)
    basebackup_proof.verify(own)
    failures = neutralising.neutralise(own, order.wish, settings)
    own.start()
    others = neutralising.take_over(own, manifest["database"], order.database, order.marker, order.deadline_s)
    with Session(own.server, "postgres", application_name(order.marker.id), deadline_s=order.deadline_s) as session:
        ephemeral_settings.set_time_zone(session, settings)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        # Its settings came with it, and so did its statistics: nothing that is measured changes while the copy is quietened.
        measured = pool.submit(copy_database.measure, own.server, order.database, order.marker.id, order.deadline_s)
        settled = copy_database.settle(own.server, order.database, order.marker.id, {}, [], order.deadline_s, restored=False)
        facts, rows = measured.result()
    manifest = {**manifest, "rows": rows}
    copy = {
        **copy_database.described(order.database, order.marker, facts, rows, copy_database.compare(manifest, facts, rows), "checksums"),
        **settled,
        "missing_roles": [],
        "others_left": others,
    }
    failures += _replay(own, order, settings)
    return _settled(order, own, copy, failures, settings, manifest)


def from_template(order: Order, manifest: Dict[str, Any], kept: Mapping[str, Any]) -> Made:
    """Copy the files of the template that an earlier rehearsal kept. Raises TemplateRefused, CopyRefused, PostgresError and EphemeralError."""
    kept_server.require(kept, "existing" if order.server else "ephemeral")
    if order.server is None:
        return _from_kept_server(order, manifest, kept)
    with progress_database.files_copied(order.work, order.server, kept["database"], order.marker.id):
        copy = kept_template.make_copy(order.server, order.database, order.marker, manifest, kept, order.deadline_s)
    return Made({**copy, "place": "existing"}, order.server, order.server.user, manifest)


def _from_kept_server(order: Order, manifest: Dict[str, Any], kept: Mapping[str, Any]) -> Made:
    """A server on a copy of the files that were kept. What only a restore can tell is what the rehearsal that kept them found out."""
    settings = (manifest.get("server") or {}).get("settings") or {}
    bin_dir = find_programs(kept["server_version_num"] // 10000, order.wish.bin_dir)
    own = ephemeral.place(order.work, order.marker.id, order.wish, bin_dir, kept["superuser"])
    kept_server.take(own, kept)
    failures = own.configure(ephemeral_settings.SETTLING, order.wish, settings, listen=False)
    own.start()
    others = neutralising.take_over(own, kept["database"], order.database, order.marker, order.deadline_s)
    facts = copy_database.facts_of(own.server, order.database, order.marker.id, order.deadline_s)
    earlier = kept["copy"]
    copy = {
        **copy_database.described(order.database, order.marker, facts, {}, earlier["differences"], earlier["proved_by"]),
        "tables": earlier["tables"],
        "rows": earlier["rows"],
        "stopped": earlier["stopped"],
        "settings_not_replayed": list(earlier.get("settings_not_replayed", [])),
        "missing_roles": earlier["missing_roles"],
        **{name: earlier[name] for name in ("roles_not_given", "not_told", "others_left") if name in earlier},
    }
    copy["others_left"] = [*copy.get("others_left", []), *others]
    failures += _replay(own, order, settings)
    failures = [failure for failure in failures if failure not in copy["settings_not_replayed"]]
    return _settled(order, own, copy, failures, settings, manifest)


def _own_server(order: Order, manifest: Dict[str, Any]) -> Tuple[Ephemeral, List[str]]:
    """The copy's own server with production's roles, ready to be filled, and what could not be done, in words."""
    wanted = manifest["server"]
    bin_dir = find_programs(manifest["server_version_num"] // 10000, order.wish.bin_dir)
    own = ephemeral.place(order.work, order.marker.id, order.wish, bin_dir, wanted["first_role"])
    failures = ephemeral.initialise(own, order.wish, wanted["settings"])
    with Session(own.server, "postgres", application_name(order.marker.id), deadline_s=order.deadline_s) as session:
        ephemeral_settings.set_time_zone(session, wanted["settings"])
        failures += server_settings.create_roles(session, wanted["roles"])
    return own, failures


def _replay(own: Ephemeral, order: Order, settings: Mapping[str, str]) -> List[str]:
    with Session(own.server, "postgres", application_name(order.marker.id), deadline_s=order.deadline_s) as session:
        return ephemeral_settings.replay(session, settings, order.wish.settings)


def _settled(order: Order, own: Ephemeral, copy: Dict[str, Any], failures: List[str], settings: Mapping[str, str], manifest: Dict[str, Any]) -> Made:
    """From here on the server is as durable as production, and lets the application in."""
    user = order.wish.user or own.superuser
    ephemeral.set_password(own, order.wish, order.marker.id, user)
    failures += [failure for failure in own.restart(order.wish, settings) if failure not in failures]
    copy["settings_not_replayed"] += failures + _settings_that_differ(own, order, settings, failures)
    return Made({**copy, "place": "ephemeral"}, own.server, user, manifest)


def _settings_that_differ(own: Ephemeral, order: Order, production: Mapping[str, str], told: Sequence[str]) -> List[str]:
    """Production's settings that did not take effect, although nothing was said of them: measured, not assumed."""
    with Session(own.server, "postgres", application_name(order.marker.id), READ_ONLY, order.deadline_s) as session:
        found = server_settings.read(session)["settings"]
    known = {failure.split(":", 1)[0] for failure in told} | {*order.wish.settings, server_settings.PRELOADED}
    return [
        f"{name}: production has {value}, the copy's server {found.get(name, 'its default')}"
        for name, value in production.items()
        if name in server_settings.REPLAYED and name not in known and found.get(name) != value
    ]
