# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At the host: back up a database with a manifest of what it looked like."""

from __future__ import annotations

import os
from typing import Any, Dict, Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import arguments, backup, basebackup, files, priority, row_files
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError

OPTIONS: Dict[str, Any] = {
    "argument_spec": {
        **arguments.REHEARSAL,
        **arguments.MARKER,
        "postgres": arguments.POSTGRES,
        "database": {"type": "str", "required": True},
        "method": {"type": "str", "choices": ["dump", "basebackup", "facts"], "default": "dump"},
        "checksums": {"type": "str", "choices": [basebackup.SHA, basebackup.CRC], "default": basebackup.SHA},
        "jobs": {"type": "int", "default": 2},
        "prove": {"type": "str", "choices": ["counts", "fingerprint"], "default": "counts"},
        "lock_timeout": {"type": "float", "default": 5},
        "nice": {"type": "int", "default": 0},
        "ionice": {"type": "str", "choices": list(priority.IONICE), "default": ""},
        "max_replication_lag": {"type": "float", "default": 0},
        "max_active_sessions": {"type": "int", "default": 0},
        "compression": {"type": "str", "choices": ["zstd:1", "lz4", "gzip:1"], "default": "gzip:1"},
        "row_files": {
            "type": "dict",
            "default": {},
            "options": {
                "program": {"type": "str", "choices": ["", "zstd", "gzip"], "default": ""},
                "major": {"type": "int", "default": 0},
            },
        },
        "last_share": {"type": "float", "default": 0},
        "output": {"type": "str", "choices": ["file", "pipe"], "default": "file"},
        "local": {"type": "path", "default": ""},
        "limit": {"type": "float", "default": 0},
        "timeout": {"type": "float", "default": 3600},
    },
    "required_if": [("output", "pipe", ("local",))],
    "supports_check_mode": True,
}


def run(module: AnsibleModule) -> None:
    """Take the backup."""
    p = module.params
    work = arguments.work_directory(p, "production")
    archive = work.file(backup.ARCHIVE)
    if module.check_mode:
        module.exit_json(changed=True, archive=archive, summary=f"would dump {p['database']} to {archive}")
    limits = backup.Limits(
        jobs=p["jobs"],
        lock_timeout_s=p["lock_timeout"],
        statement_timeout_s=p["timeout"],
        nice=p["nice"],
        ionice=p["ionice"],
        max_lag_s=p["max_replication_lag"],
        max_active=p["max_active_sessions"],
        last_share=p["last_share"],
        max_rate=p["limit"] * 1e6,
    )
    through_pipe = p["output"] == "pipe"
    try:
        work.create(arguments.marker(p))
        server = arguments.server(p["postgres"], p["id"])
        if p["method"] == "basebackup":
            manifest = basebackup.take(server, p["database"], p["id"], work, limits, through_pipe=through_pipe, proof=p["checksums"])
        elif p["method"] == "facts":
            manifest = basebackup.manifest_of(server, p["database"], p["id"], limits)
        else:
            manifest = backup.take_backup(
                server,
                p["database"],
                p["id"],
                work,
                limits,
                with_fingerprint=p["prove"] == "fingerprint",
                through_pipe=through_pipe,
                compression=p["compression"],
                row_form=row_files.Form(p["row_files"].get("program") or "", p["row_files"].get("major") or 0),
            )
    except RehearsalError as error:
        module.fail_json(msg=str(error), findings=error.findings())
    if p["method"] != "dump":
        size = sum(file["bytes"] for file in manifest["files"].values())
        summary = "production described; dev takes the copy itself"
        if size:
            summary = f"physical copy of the server, {size / 1e6:,.1f} MB" + _without(manifest["not_lowered"], "pg_basebackup")
        on_disk = archive if size and not through_pipe else ""
        module.exit_json(changed=True, archive=on_disk, bytes=size, load=manifest["load"], summary=summary, evidence={"manifest.json": manifest})
    rows = sum(manifest["rows"].values())
    size = manifest["load"]["bytes"] if through_pipe else os.path.getsize(archive)
    module.exit_json(
        changed=True,
        archive="" if through_pipe else archive,
        manifest_sha256=files.sha256(work.file(backup.MANIFEST)),
        load=manifest["load"],
        bytes=size,
        tables=len(manifest["rows"]),
        rows=rows,
        summary=f"{len(manifest['rows'])} tables, {rows:,} rows, {size / 1e6:,.1f} MB{_without(manifest['not_lowered'], 'pg_dump')}",
        evidence={"manifest.json": manifest},
    )


def _without(missing: Sequence[str], tool: str) -> str:
    return f"; not where {tool} runs: {', '.join(missing)}" if missing else ""
