# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At the host: make the marked copy of a database from a backup, or drop it."""

from __future__ import annotations

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    arguments,
    backup,
    copy_address,
    copy_database,
    copying,
    ephemeral,
    files,
    kept_server,
    kept_template,
    progress_database,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import EphemeralError, RehearsalError

OPTIONS: Dict[str, Any] = {
    "argument_spec": {
        **arguments.REHEARSAL,
        "postgres": arguments.POSTGRES,
        "ephemeral": arguments.EPHEMERAL,
        "place": {"type": "str", "choices": ["existing", "ephemeral"], "default": "existing"},
        "origin": {"type": "str", "choices": ["dump", "file", "basebackup", "template", "pull"], "default": "dump"},
        "manifest": {"type": "dict", "default": {}},
        "template": {"type": "dict", "default": {}},
        "production": arguments.POSTGRES,
        "source_database": {"type": "str", "default": ""},
        "state": {"type": "str", "choices": ["present", "absent", "template"], "default": "present"},
        "database": {"type": "str", "required": True},
        "archive": {"type": "path", "default": ""},
        "manifest_sha256": {"type": "str", "default": ""},
        "source": {"type": "str", "default": ""},
        "created": {"type": "str", "default": ""},
        "expires": {"type": "str", "default": ""},
        "production_jobs": {"type": "int", "default": 2},
        "lock_timeout": {"type": "float", "default": 5},
        "prove": {"type": "str", "choices": ["counts", "fingerprint"], "default": "counts"},
        "max_replication_lag": {"type": "float", "default": 0},
        "max_active_sessions": {"type": "int", "default": 0},
        "limit": {"type": "float", "default": 0},
        "jobs": {"type": "int", "default": 2},
        "timeout": {"type": "float", "default": 3600},
    },
    "required_if": [("state", state, ("source", "created", "expires")) for state in ("present", "template")],
    "supports_check_mode": True,
}


def run(module: AnsibleModule) -> None:
    """Make or drop it."""
    p = module.params
    if module.check_mode:
        module.exit_json(changed=True, database=p["database"], differences=[], summary=f"would make {p['database']} {p['state']}")
    try:
        server = arguments.server(p["postgres"], p["id"])
        if p["state"] == "absent":
            outcome = copy_database.drop_copy(server, p["database"], p["id"], p["timeout"])
            module.exit_json(changed=outcome == "dropped", database=p["database"], summary=f"{p['database']}: {outcome}")
        if p["state"] == "template":
            if p["place"] == "ephemeral":
                kept = _keep_own_server(p)
                module.exit_json(changed=True, database=p["database"], summary=_kept(kept), evidence={"template.json": kept})
            with progress_database.files_copied(arguments.work_directory(p, "dev"), server, p["database"], p["id"]):
                kept = kept_template.keep(server, p["database"], arguments.marker(p), p["timeout"])
            module.exit_json(changed=True, database=p["database"], summary=_kept(kept), evidence={"template.json": kept})
        work = arguments.work_directory(p, "dev")
        work.create(arguments.marker(p))
        order = copying.Order(
            database=p["database"],
            marker=arguments.marker(p),
            work=work,
            server=None if p["place"] == "ephemeral" else server,
            wish=arguments.wish(p["ephemeral"]),
            jobs=p["jobs"],
            deadline_s=p["timeout"],
        )
        if p["origin"] == "file":
            made = copying.from_file(order, p["archive"], p["source_database"])
        elif p["origin"] == "template":
            made = copying.from_template(order, p["manifest"], p["template"])
            if p["place"] == "existing":
                files.write_json(work.file(kept_template.NOTE), {"database": p["template"]["database"]})
        elif p["origin"] in ("basebackup", "pull"):
            named = p["origin"] == "pull" or any(p["production"].get(key) for key in ("host", "port", "prefix", "compose", "container"))
            production = arguments.server(p["production"], p["id"]) if named else None
            limits = backup.Limits(
                jobs=p["production_jobs"],
                lock_timeout_s=p["lock_timeout"],
                statement_timeout_s=p["timeout"],
                max_lag_s=p["max_replication_lag"],
                max_active=p["max_active_sessions"],
                max_rate=p["limit"] * 1e6,
            )
            if p["origin"] == "pull" and production is not None:
                made = copying.from_production(order, p["manifest"], production, limits, p["prove"] == "fingerprint")
            else:
                made = copying.from_basebackup(order, p["manifest"], p["archive"], production, limits)
        else:
            made = copying.from_dump(order, backup.unpack(work, p["archive"], p["manifest_sha256"]))
        files.write_json(work.file(backup.MANIFEST), made.manifest)
    except RehearsalError as error:
        module.fail_json(msg=str(error), findings=error.findings(), database=p["database"])
    copy, differences = made.copy, made.copy["differences"]
    reached = {"host": (p["ephemeral"]["listen"] or [made.server.host])[0], "port": made.server.port, "user": made.user}
    address = copy_address.address(p["database"], reached)
    where = {"host": made.server.host, "port": made.server.port, "user": made.server.user, "bin_dir": made.server.bin_dir}
    module.exit_json(
        changed=True,
        database=p["database"],
        differences=differences,
        **({"postgres": where, "address": address} if p["place"] == "ephemeral" else {}),
        summary=f"{copy['tables']} tables, {copy['rows']:,} rows, {_outcome(copy, p['origin'])}",
        evidence={"copy.json": copy, "manifest.json": made.manifest},
    )


def _keep_own_server(p: Dict[str, Any]) -> Dict[str, Any]:
    work = arguments.work_directory(p, "dev")
    own = ephemeral.load(work)
    if own is None:
        raise EphemeralError(f"the copy has no server of its own in {work.path} that could be kept")
    return kept_server.keep(own, p["database"], arguments.marker(p), p["timeout"])


def _kept(kept: Dict[str, Any]) -> str:
    return f"{kept.get('directory') or kept['database']}, {kept['bytes'] / 1e6:,.1f} MB, kept until {kept['expires']}"


def _outcome(copy: Dict[str, Any], origin: str) -> str:
    if origin == "template":
        return "from the kept template"
    if copy["proved_by"] == "nothing":
        return "not held against production"
    return f"{len(copy['differences'])} differences" if copy["differences"] else "equal to the manifest"
