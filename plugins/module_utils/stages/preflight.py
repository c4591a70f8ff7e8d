# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At the host: check that a rehearsal can be carried out."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    arguments,
    basebackup,
    direct,
    kept_template,
    large_tables,
    preflight,
    preflight_file,
    preflight_own_server,
    replication_way,
    server_facts,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError

OPTIONS: Dict[str, Any] = {
    "argument_spec": {
        **arguments.REHEARSAL,
        "postgres": arguments.POSTGRES,
        "ephemeral": arguments.EPHEMERAL,
        "source": {"type": "str", "choices": ["dump", "file", "basebackup", "auto", "template"], "default": "dump"},
        "template": {"type": "dict", "default": {}},
        "keep": {"type": "str", "choices": ["copy", "backup", "template", "none"], "default": "none"},
        "place": {"type": "str", "choices": ["existing", "ephemeral"], "default": "existing"},
        "side": {"type": "str", "choices": ["production", "dev"], "required": True},
        "database": {"type": "str", "required": True},
        "copy_database": {"type": "str", "default": ""},
        "production": {"type": "dict", "default": {}},
        "transfer": {"type": "str", "choices": ["controller", "direct", "stream", "pull"], "default": "controller"},
        "pulled": {"type": "bool", "default": False},
        "production_from_dev": arguments.POSTGRES,
        "direct": {"type": "dict", "default": {}},
        "backup_file": {"type": "dict", "default": {}},
        "backup_file_on": {"type": "str", "default": ""},
        "controller_dir": {"type": "path", "default": ""},
        "max_replication_lag": {"type": "float", "default": 0},
        "max_active_sessions": {"type": "int", "default": 0},
        "timeout": {"type": "float", "default": 60},
    },
    "required_if": [("side", "dev", ("copy_database",))],
    "supports_check_mode": True,
}


def run(module: AnsibleModule) -> None:
    """Look, and fail with every problem."""
    p = module.params
    findings: List[Dict[str, str]] = []
    facts: Dict[str, Any] = {}
    production = dict(p["production"])
    if p["source"] == "basebackup":
        # No dump is made, so there is none to read.
        production.pop("pg_dump", None)
    file = preflight_file.File.of(p["backup_file"], p["backup_file_on"])
    pulled: List[str] = []
    if p["side"] == "dev" and p["transfer"] == "pull" and p["source"] in ("dump", "auto") and production:
        production, pulled = _look_from_dev(p, production)
    kept = p["template"] if p["source"] == "template" else None
    try:
        server = arguments.server(p["postgres"], p["id"])
    except RehearsalError as error:
        problems = [f"{p['side']}: {error}"]
    else:
        if p["side"] == "production":
            facts, problems = preflight.look_at_production(
                server,
                p["database"],
                p["id"],
                p["work_dir"],
                p["timeout"],
                with_dump=p["transfer"] != "pull",
                with_file=p["transfer"] not in ("stream", "pull") and p["source"] != "basebackup" and not kept,
                max_lag_s=0 if kept else p["max_replication_lag"],
                max_active=0 if kept else p["max_active_sessions"],
            )
            if p["transfer"] == "direct" and p["direct"].get("host") and not p["pulled"] and not kept:
                said = direct.unreachable(direct.Target.from_options(p["direct"]))
                problems += (
                    [f"production: dev cannot be reached from it by ssh ({p['direct']['host']}), see rehearsal_transfer_direct: {said}"]
                    if said
                    else []
                )
            if facts and kept:
                problems += [f"production: {problem}" for problem in kept_template.production_refusals(facts, kept)]
        elif p["place"] == "ephemeral":
            facts, problems, findings = preflight_own_server.look(
                arguments.wish(p["ephemeral"]),
                p["work_dir"],
                production,
                kept=kept,
                keep=p["keep"],
                file=file,
                physical=p["source"] == "basebackup",
            )
        else:
            facts, problems, findings = preflight.look_at_dev(
                server, p["copy_database"], p["id"], p["work_dir"], production, p["database"], p["timeout"], kept=kept, keep=p["keep"], file=file
            )
    problems = [*problems, *pulled]
    against = _against_basebackup(p, facts)
    if p["source"] == "basebackup":
        problems = [*problems, *(f"{p['side']}: no physical copy: {reason}" for reason in against if reason not in " ".join(problems))]
    result = {
        "changed": False,
        "no_basebackup": against,
        "facts": facts,
        "problems": problems,
        "findings": findings + preflight.Preflight(problems).findings(),
        "evidence": {f"preflight-{p['side']}.json": {"facts": facts, "problems": problems, "findings": findings, "no_basebackup": against}},
    }
    if problems:
        module.fail_json(msg="\n".join(problems), **result)
    if facts.get("load"):
        result["summary"] = server_facts.describe_load(facts["load"])
    module.exit_json(**result)


def _look_from_dev(p: Dict[str, Any], production: Dict[str, Any]) -> Tuple[Dict[str, Any], List[str]]:
    """Production's facts as they are for a dump that dev pulls itself, and what stands in its way."""
    try:
        server = arguments.server(p["production_from_dev"], p["id"])
        major, problems = preflight.look_from_dev(server, p["database"], p["id"], production, p["timeout"])
    except RehearsalError as error:
        return production, [f"dev: {error}"]
    return {**production, "dump_bytes": large_tables.ROOM_FOR_REST, "pg_dump": {"major": major}}, problems


def _against_basebackup(p: Dict[str, Any], facts: Dict[str, Any]) -> List[str]:
    """What stands in the way of a physical copy on this side; a note of it goes with the facts to the other side."""
    if p["source"] not in ("basebackup", "auto") or not facts:
        return []
    if p["side"] == "dev":
        there = p["production"].get("basebackup") or {}
        if not there:
            return []
        if facts.get("bin_dir"):
            facts["checksums"] = basebackup.checksums(facts["bin_dir"])
        if p["pulled"]:
            reached = arguments.server(p["production_from_dev"], p["id"])
            not_pulled = replication_way.from_dev_problems(reached, p["production"], p["id"], p["timeout"])
        else:
            not_pulled = []
        room = basebackup.room_on_dev(there, p["production"]["size_bytes"], arguments.wish(p["ephemeral"]), p["work_dir"], p["pulled"])
        return basebackup.differs_from_dev(there) + not_pulled + room
    server = arguments.server(p["postgres"], p["id"])
    facts["basebackup"], found = basebackup.look(server, p["database"], p["id"], p["timeout"], p["pulled"])
    if facts["basebackup"] and not p["pulled"] and p["transfer"] != "stream":
        found += basebackup.room_on_production(facts["basebackup"], p["work_dir"])
    return found
