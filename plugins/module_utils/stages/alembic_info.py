# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At the host: ask the application's Alembic for its revisions, and for what is pending on the copy."""

from __future__ import annotations

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    application,
    application_arguments,
    arguments,
    files,
    revision_graph,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.application_facts import FILE, facts_of
from ansible_collections.migrations.rehearsal.plugins.module_utils.migration_findings import findings_of

OPTIONS: Dict[str, Any] = {
    "argument_spec": {
        **arguments.REHEARSAL,
        "application": application_arguments.APPLICATION,
        "connect": {"type": "bool", "default": False},
        "target": {"type": "str", "default": "head"},
        "production_revisions": {"type": "list", "elements": "str", "default": []},
        "timeout": {"type": "float", "default": 300},
    },
    "supports_check_mode": True,
}


def run(module: AnsibleModule) -> None:
    """Ask."""
    p = module.params
    module.no_log_values = application_arguments.secrets_of(p["application"])
    project = application_arguments.application(p["application"], p["timeout"])
    if not p["connect"]:
        outcome = application.run(project, "info")
    else:
        work = arguments.work_directory(p, "dev")
        outcome = application.run(
            project,
            "current",
            marker_id=p["id"],
            target=p["target"],
            log_path=work.file("evidence", "application.log"),
            pid_path=work.file("running", "application"),
        )
    findings = findings_of(outcome, "current" if p["connect"] else "info")
    if findings:
        module.fail_json(msg=findings[0]["message"], findings=findings)
    script = outcome.last("script") or {}
    known = {revision["revision"] for revision in script["revisions"]}
    unknown = sorted(set(p["production_revisions"]) - known)
    # Where env.py says in which directory the revisions are, none is known without running it; then the copy tells.
    if unknown and known:
        message = f"production stands on revision {', '.join(unknown)}, which is not among the {len(known)} revisions of {project.chdir or '.'}"
        module.fail_json(msg=message, findings=[{"code": "revision-unknown", "object": ", ".join(unknown), "message": message}])
    facts = facts_of(outcome.events, p["target"])
    pending = [step["revision"] for step in facts["pending"]]
    summary = f"{len(known)} revisions, head {', '.join(facts['heads'])}" if known else "its revisions are known when env.py has run"
    if p["connect"]:
        summary = f"at {', '.join(facts['current']) or 'no revision'}, {len(pending)} pending, head {', '.join(facts['heads'])}"
        files.write_json(arguments.work_directory(p, "dev").file("evidence", FILE), facts)
    would_run = revision_graph.pending(script["revisions"], facts["heads"], p["production_revisions"], p["target"]) if known else None
    module.exit_json(changed=False, heads=facts["heads"], current=facts["current"], pending=pending, pending_on_production=would_run, summary=summary)
