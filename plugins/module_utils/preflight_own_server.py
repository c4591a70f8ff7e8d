# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look, before anything is touched, whether dev can give the copy a server of its own. All problems at once; nothing is made."""

from __future__ import annotations

import locale
import os
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    disk,
    ephemeral,
    kept_server,
    outside_world,
    preflight_file,
    server_programs,
    spare_copy,
    system_owner,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.ephemeral import Wish
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import EphemeralError
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server
from ansible_collections.migrations.rehearsal.plugins.module_utils.preflight import (
    archive_problems,
    compression,
    disk_problem,
    locale_problems,
    room_for_backup,
    row_form,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.preflight_file import File
from ansible_collections.migrations.rehearsal.plugins.module_utils.server_programs import ProgramsMissing

# The copy, the WAL of its migrations, and the sort files of index builds; see preflight.py for the same of an existing server.
_COPY_SHARE = 1.5
_ANSWER_S = 30.0
_DEFAULT_VERSION = re.compile(r"^\s*default_version\s*=\s*'([^']*)'", re.MULTILINE)
_ROOM_FOR_SERVER = 128 << 20


def look(
    wish: Wish, work_base: str, production: Mapping[str, Any], *, kept: Optional[Mapping[str, Any]] = None, keep: str = "none",
    file: Optional[File] = None, physical: bool = False,
) -> Tuple[Dict[str, Any], List[str], List[Dict[str, Any]]]:  # fmt: skip
    """Facts of dev, problems, and findings that are no problems (parity).

    `production` is what preflight found there; empty where the backup is a file.

    `kept`: the template that the copy will be made from, where it is; `keep`: what will be left; `file`: the existing backup
    that it will be made from, where it is; `physical`: whether it will be a physical copy.
    """
    findings: List[Dict[str, Any]] = []
    facts: Dict[str, Any] = {"place": "ephemeral"}
    problems: List[str] = []
    base = work_base
    try:
        facts["owner"] = system_owner.system_user(wish.owner)
        if facts["owner"] or wish.directory:
            base = ephemeral.base_directory(wish, facts["owner"])
    except EphemeralError as error:
        problems.append(f"dev: {error}")
    if kept:
        problems += [f"dev: {problem}" for problem in kept_server.refusals(kept)]
    if file:
        problems += _file_problems(file, wish, work_base, base)
    if not production:
        return facts, problems, findings
    try:
        bin_dir = server_programs.find_programs(production["server_version_num"] // 10000, wish.bin_dir)
        facts["bin_dir"] = bin_dir
        if not kept:
            problems += archive_problems(production, production["server_version_num"] // 10000)
            facts["compression"] = compression(Server(bin_dir=bin_dir), production, _ANSWER_S)
            facts["row_files"] = row_form(production, production["server_version_num"] // 10000, keep)
        missing, others = _extensions(bin_dir, production.get("extensions") or {})
        problems += [
            f"dev: extension {name}, which production has in version {version}, is not installed beside {bin_dir}" for name, version in missing
        ]
        findings += [_other_version(*other, physical=physical) for other in others]
        if facts.get("owner") and not system_owner.reaches(facts["owner"], bin_dir):
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
    if kept and spare_copy.there_is(kept["directory"], base):
        # It takes the place of what is there already.
        share -= 1
    problems += disk_problem(disk.free_here(base), base, int(size * share) + _ROOM_FOR_SERVER, "dev", what)
    return facts, problems, findings


def _file_problems(file: File, wish: Wish, work_base: str, base: str) -> List[str]:
    problems = preflight_file.problems(file, work_base)
    problems += preflight_file.room(disk.free_here(base), base, file.least_copy + _ROOM_FOR_SERVER, "the copy in a server of its own")
    try:
        bin_dir = wish.bin_dir or server_programs.newest()
    except ProgramsMissing as error:
        return [*problems, f"dev: {error}"]
    needs, of_file = preflight_file.needs(file, Server(bin_dir=bin_dir), _ANSWER_S)
    problems += of_file
    missing, _others = _extensions(bin_dir, dict.fromkeys(needs.extensions - set(outside_world.KEPT_OUT), "") if needs else {})
    return problems + [f"dev: extension {name}, which the backup needs, is not installed beside {bin_dir}" for name, _version in missing]


def _has_locale(name: str) -> bool:
    before = locale.setlocale(locale.LC_TIME)
    try:
        locale.setlocale(locale.LC_TIME, name)
    except locale.Error:
        return False
    finally:
        locale.setlocale(locale.LC_TIME, before)
    return True


def _extensions(bin_dir: str, wanted: Mapping[str, str]) -> Tuple[List[Tuple[str, str]], List[Tuple[str, str, str]]]:
    """Extensions that are not installed beside the server's programs, and those of another version: (name, production's, dev's)."""
    directory = server_programs.extension_directory(bin_dir)
    missing: List[Tuple[str, str]] = []
    others: List[Tuple[str, str, str]] = []
    for name, version in sorted(wanted.items()) if directory else ():
        try:
            with open(os.path.join(directory or "", f"{name}.control"), encoding="utf-8", errors="replace") as file:
                found = _DEFAULT_VERSION.search(file.read())
        except OSError:
            missing.append((name, version))
            continue
        if found and found[1] != version and name not in outside_world.KEPT_OUT:
            others.append((name, version, found[1]))
    return missing, others


def _other_version(name: str, production: str, dev: str, *, physical: bool) -> Dict[str, Any]:
    message = f"extension {name} is {production} on production; a restore on dev makes {dev}"
    if physical:
        message = f"extension {name} is {production} on production; the programs of dev's belong to {dev}"
    return {"code": "parity", "object": name, "message": message}
