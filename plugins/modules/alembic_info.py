#!/usr/bin/python
# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the application's Alembic knows."""

from __future__ import annotations

DOCUMENTATION = r"""
module: alembic_info
short_description: Ask the application's Alembic for its revisions, and for what is pending on the copy
version_added: 0.1.0
author: Migration rehearsal maintainers (@migrations)
description:
  - Sends the agent into the application's Python on standard input. Nothing is installed or written there.
  - Without O(connect) only the version directory is read. With it, C(env.py) runs behind the fence, and what is pending is Alembic's own answer.
extends_documentation_fragment:
  - migrations.rehearsal.rehearsal
  - migrations.rehearsal.rehearsal.application
options:
  connect:
    description: Whether to connect to the copy.
    type: bool
    default: false
  target:
    description: Revision up to which an upgrade would go, as C(alembic upgrade) takes it (V(heads), C(label@head)). Only with O(connect).
    type: str
    default: head
  production_revisions:
    description: Revisions that production stands on. One that the project does not know is a failure.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that the application may take.
    type: float
    default: 300
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Ask which revisions the project has
  migrations.rehearsal.alembic_info:
    id: 20261122-223011-9f3a2c
    application:
      command: [.venv/bin/python]
      chdir: /opt/staffprobot
"""

RETURN = r"""
heads:
  description: Heads of the project's revisions.
  returned: success
  type: list
  elements: str
current:
  description: Revisions that the copy stands on, with O(connect).
  returned: success
  type: list
  elements: str
pending:
  description: Revisions that an upgrade to O(target) would run, in order, with O(connect).
  returned: success
  type: list
  elements: str
pending_on_production:
  description:
    - The revisions that an upgrade from O(production_revisions) would run, in order, each with V(revision) and V(message).
    - By the version directory, without O(connect). Null where it does not tell.
  returned: success
  type: list
  elements: dict
summary:
  description: The above in one line.
  returned: success
  type: str
findings:
  description:
    - What went wrong, for the judge, where the stage failed for a reason that has a code of its own
      (C(code), C(object), C(message)). Empty otherwise.
  returned: failure
  type: list
  elements: dict
host:
  description: Inventory name of the host that it ran on.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    application,
    application_arguments,
    arguments,
    files,
    process,
    revision_graph,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.migration_findings import findings_of


def main() -> None:
    """Ask."""
    process.end_in_order()
    module = AnsibleModule(
        argument_spec={
            **arguments.REHEARSAL,
            "application": application_arguments.APPLICATION,
            "connect": {"type": "bool", "default": False},
            "target": {"type": "str", "default": "head"},
            "production_revisions": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "float", "default": 300},
        },
        supports_check_mode=True,
    )
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
    hello, script = outcome.last("hello") or {}, outcome.last("script") or {}
    known = {revision["revision"] for revision in script["revisions"]}
    unknown = sorted(set(p["production_revisions"]) - known)
    # Where env.py says in which directory the revisions are, none is known without running it; then the copy tells.
    if unknown and known:
        message = f"production stands on revision {', '.join(unknown)}, which is not among the {len(known)} revisions of {project.chdir or '.'}"
        module.fail_json(msg=message, findings=[{"code": "revision-unknown", "object": ", ".join(unknown), "message": message}])
    current, plan = outcome.last("current"), outcome.last("plan")
    facts = {
        **{key: hello.get(key) for key in ("python", "alembic", "sqlalchemy", "open_ways")},
        "heads": script["heads"],
        "target": p["target"],
        "revisions": len(known),
        "current": current["heads"] if current else [],
        "transaction_per_migration": current.get("transaction_per_migration") if current else None,
        "pending": plan["steps"] if plan else [],
    }
    pending = [step["revision"] for step in facts["pending"]]
    summary = f"{len(known)} revisions, head {', '.join(facts['heads'])}" if known else "its revisions are known when env.py has run"
    if p["connect"]:
        summary = f"at {', '.join(facts['current']) or 'no revision'}, {len(pending)} pending, head {', '.join(facts['heads'])}"
        files.write_json(arguments.work_directory(p, "dev").file("evidence", "application.json"), facts)
    would_run = revision_graph.pending(script["revisions"], facts["heads"], p["production_revisions"], p["target"]) if known else None
    module.exit_json(changed=False, heads=facts["heads"], current=facts["current"], pending=pending, pending_on_production=would_run, summary=summary)


if __name__ == "__main__":
    main()
