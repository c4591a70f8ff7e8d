# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look, before anything is touched, whether dev can give the copy a server of its own. All problems at once; nothing is made."""

from __future__ import annotations

import locale
import os
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import disk, ephemeral, kept_server, server_programs
from ansible_collections.migrations.rehearsal.plugins.module_utils.ephemeral import EphemeralError, Wish
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server
from ansible_collections.migrations.rehearsal.plugins.module_utils.preflight import (
    archive_problems,
    compression,
    disk_problem,
    locale_problems,
    room_for_backup,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.server_programs import ProgramsMissing

# The copy, the WAL of its migrations, and the sort files of index builds; see preflight.py for the same of an existing server.
_COPY_SHARE = 1.5
_ANSWER_S = 30.0
_ROOM_FOR_SERVER = 128 << 20


def look(
    wish: Wish, work_base: str, production: Mapping[str, Any], *, kept: Optional[Mapping[str, Any]] = None, keep: str = "none"
) -> Tuple[Dict[str, Any], List[str]]:
    """Facts of dev and problems. `production` is what preflight found there; empty where the backup is a file.

    `kept`: the template that the copy will be made from, where it is; `keep`: what will be left.
    """
    facts: Dict[str, Any] = {"place": "ephemeral"}
    problems: List[str] = []
    base = work_base
    try:
        facts["owner"] = ephemeral.system_user(wish)
        if facts["owner"] or wish.directory:
            base = ephemeral.base_directory(wish, facts["owner"])
    except EphemeralError as error:
        problems.append(f"dev: {error}")
    if kept:
        problems += [f"dev: {problem}" for problem in kept_server.refusals(kept)]
    if not production:
        return facts, problems
    try:
        bin_dir = server_programs.find_programs(production["server_version_num"] // 10000, wish.bin_dir)
        facts["bin_dir"] = bin_dir
        if not kept:
            problems += archive_problems(production, production["server_version_num"] // 10000)
            facts["compression"] = compression(Server(bin_dir=bin_dir), production, _ANSWER_S)
        problems += _extensions_missing(bin_dir, production.get("extensions") or {})
        if facts.get("owner") and not ephemeral.reaches(facts["owner"], bin_dir):
            problems.append(f"dev: system user {facts['owner']} cannot reach {bin_dir}: name another rehearsal_ephemeral.bin_dir or owner")
    except ProgramsMissing as error:
        problems.append(f"dev: {error}")
    problems += locale_problems([name for name in sorted({production["collate"], production["ctype"]}) if not _has_locale(name)])
    size = production["size_bytes"]
    if not kept:
        problems += disk_problem(disk.free_here(work_base), work_base, room_for_backup(production), "dev", "the backup with its unpacked dump")
    share, what = _COPY_SHARE, "the copy in a server of its own"
    if keep == "template":
        share, what = share + 1, "the copy in a server of its own, with its template"
    problems += disk_problem(disk.free_here(base), base, int(size * share) + _ROOM_FOR_SERVER, "dev", what)
    return facts, problems


def _has_locale(name: str) -> bool:
    before = locale.setlocale(locale.LC_TIME)
    try:
        locale.setlocale(locale.LC_TIME, name)
    except locale.Error:
        return False
    finally:
        locale.setlocale(locale.LC_TIME, before)
    return True


def _extensions_missing(bin_dir: str, wanted: Mapping[str, str]) -> List[str]:
    directory = server_programs.extension_directory(bin_dir)
    if directory is None:
        return []
    missing = [name for name in sorted(wanted) if not os.path.exists(os.path.join(directory, f"{name}.control"))]
    return [f"dev: extension {name}, which production has in version {wanted[name]}, is not installed beside {bin_dir}" for name in missing]
