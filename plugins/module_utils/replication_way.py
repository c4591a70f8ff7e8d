# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a physical copy gets out of production: a replication connection is tried, and asked for nothing but whose it is."""

from __future__ import annotations

import subprocess
from typing import Any, List, Mapping, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.masking import mask_values
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server, tool_environment, tool_version


def from_dev_problems(server: Server, production: Mapping[str, Any], rehearsal_id: str, timeout_s: float) -> List[str]:
    """What stands in the way of a copy that dev pulls itself, in words.

    `server`: production as dev reaches it; `production`: what was found there.
    """
    problems = client_problems(server, production["server_version_num"], on_dev=True)
    done = identify(server, rehearsal_id, timeout_s)
    where = server.describe("replication")
    if done is None:
        return [*problems, f"dev could not try whether it reaches production ({where})"]
    if done.returncode:
        said = mask_values(" ".join(done.stderr.decode(errors="replace").split())[-300:])
        return [*problems, f"dev gets no replication connection to production ({where}), see rehearsal_production_from_dev: {said}"]
    there, known = done.stdout.decode(errors="replace").split("|")[0].strip(), str(production.get("system_identifier") or "")
    if known and there != known:
        problems.append(f"rehearsal_production_from_dev ({where}) leads dev to another server than production's")
    return problems


def client_problems(server: Server, server_version_num: int, on_dev: bool = False) -> List[str]:
    """What is wrong with pg_basebackup where the tools of `server` are, in words."""
    try:
        version = tool_version(server, "pg_basebackup")[0]
    except PostgresError as error:
        return [error.message]
    if version >= server_version_num // 10000:
        return []
    if on_dev:
        return [f"pg_basebackup is version {version} on dev, older than the server"]
    return [f"pg_basebackup is version {version} there, older than the server"]


def identify(server: Server, rehearsal_id: str, timeout_s: float) -> Optional[subprocess.CompletedProcess[bytes]]:
    """What a replication connection says of its server, by psql; None where it could not even be tried."""
    conninfo = f"{server.conninfo('replication', application_name(rehearsal_id))} replication='true'"
    plain = ("--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align")
    argv = server.tool("psql", *plain, "--dbname", conninfo, "--command=IDENTIFY_SYSTEM")
    try:
        return subprocess.run(argv, capture_output=True, timeout=timeout_s, env=tool_environment(), check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
