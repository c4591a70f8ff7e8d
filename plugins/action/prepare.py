# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check what the inventory says, give the rehearsal an id and a directory, and start the watch."""

from __future__ import annotations

import datetime
import os
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.migrations.rehearsal.plugins.module_utils import copy_address, deploy_commands, identity
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Expectations
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Policy
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import (
    added_tasks,
    copy_values,
    expectations_file,
    kept_templates,
    policy_file,
    report_store,
    watch_order,
)
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.inventory_values import InventoryValues
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.rehearsal_directory import RehearsalDirectory

# The moments at which an inventory may add tasks: rehearsal_<moment>_tasks.
HOOKS = ("after_restore", "before_upgrade", "after_upgrade")

# The variables of the production host.
PRODUCTION = {"rehearsal_postgres", "rehearsal_database", "rehearsal_work_dir"}

# What is measured only where it is asked for: the evidence, the variable and its default.
_ASKED = {
    "models": ("rehearsal_check_models", True),
    "drift": ("rehearsal_check_drift", False),
    "stairway": ("rehearsal_stairway", False),
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller alone: nothing is touched before its checks pass."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The rehearsal as all later stages see it (result `rehearsal`), or every problem at once."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        now = identity.utc_now()
        rehearsal_id = identity.new_id(now)
        values = self._values(variables, rehearsal_id)
        dev = values.dev
        values.host_called_dev()
        copy = copy_values.read(values)
        needed = copy_values.touches_production(copy)
        production = values.production_host(needed)
        what = "the name of the production database"
        if needed:
            database = production and values.required(production, "rehearsal_database", str, what)
        else:
            database = (production and values.value(production, "rehearsal_database")) or os.path.basename(copy["backup_file"])
        for host in filter(None, (production if needed else None, dev)):
            values.address(host)
            values.postgres(host)
        values.transfer()
        values.priority()
        application = values.application() if boolean(self._task.args.get("application", True)) else {}
        keep = values.value(dev, "rehearsal_keep", "none")
        expectations = self._expectations(values)
        policy = self._policy(values)
        hooks = self._hooks(values)
        # Here, where nothing was touched yet: at the end of a rehearsal it is too late to learn that its report cannot be written.
        values.reports(dev)
        values.declared(dev, variables)
        if production:
            # Its other variables may be made of what only its dev host knows.
            values.declared(production, PRODUCTION & set(variables["hostvars"][production]))
        store, how = values.value(dev, "rehearsal_report_store") or "", values.value(dev, "rehearsal_report_store_s3") or {}
        values.problems.extend(f"{dev}: {problem}" for problem in report_store.problems(str(store), how))
        source = f"{production or 'backup file'}/{database}"
        sides = ["dev", "production"] if needed else ["dev"]
        report_dir = str(values.value(dev, "rehearsal_report_dir") or "rehearsals")
        # With other problems told, the sources may not even have names.
        kept = None if values.problems else self._kept(values, report_dir, copy, source, now)
        if kept:
            copy, sides = {**copy, "source": "template"}, kept.sides
            # The template stays the earlier rehearsal's.
            keep = "none" if keep == "template" else keep
        if values.problems:
            return {
                "failed": True,
                "usage_error": True,
                "problems": values.problems,
                "msg": "\n".join(["The inventory cannot be used:", *values.problems]),
            }

        name = str(values.value(dev, "rehearsal_copy_database") or identity.copy_database_name(rehearsal_id))
        rehearsal: dict[str, Any] = {
            "id": rehearsal_id,
            "production_host": production or "backup-file",
            "dev_host": dev,
            "database": database,
            "copy_database": name,
            "source": source,
            "origin": copy,
            "sides": sides,
            "created": identity.format_time(now),
            "expires": identity.format_time(now + datetime.timedelta(hours=float(values.value(dev, "rehearsal_expiry_hours", 24)))),
            "keep": keep,
            "expectations": expectations.to_json(),
            "expressions": expectations.declared_expressions(),
            "hooks": hooks,
            # Whether nothing else runs on the copy once the evidence of before is there.
            "only_migrations": not hooks.keys() - {"after_restore"},
            **({"template": kept.known} if kept else {}),
        }
        if self._play_context.check_mode or not boolean(self._task.args.get("record", True)):
            return {"changed": False, "rehearsal": {**rehearsal, "directory": ""}, **self._copy}
        try:
            directory = RehearsalDirectory.create(report_dir, rehearsal_id)
        except OSError as error:
            return {
                "failed": True,
                "usage_error": True,
                "msg": f"cannot write to the report directory {os.path.abspath(report_dir)}: {error.strerror}",
            }
        rehearsal["directory"] = directory.path
        directory.write_state({"cleaned": False, "rehearsal": rehearsal})
        directory.write_evidence("expectations.json", rehearsal["expectations"])
        directory.write_evidence("policy.json", policy.to_json())
        directory.write_evidence("context.json", self._context(rehearsal, application, values))
        for evidence, content in (kept.evidence if kept else {}).items():
            directory.write_evidence(evidence, content)
        watch_order.start(watch_order.order(directory.path, dev, self._play_context))
        return {"changed": False, "rehearsal": rehearsal, **self._copy}

    def _kept(
        self, values: InventoryValues, report_dir: str, copy: dict[str, Any], source: str, now: datetime.datetime
    ) -> kept_templates.KeptTemplate | None:
        """The template that this rehearsal is to begin with; None where it begins at the beginning."""
        wanted = str(self._task.args.get("again") or "")
        if not wanted:
            return None
        try:
            return kept_templates.find(report_dir, wanted, values.dev, source, now, copy["place"])
        except kept_templates.NoTemplate as error:
            values.problems.append(f"{values.dev}: {error}")
            return None

    def _values(self, variables: dict[str, Any], rehearsal_id: str) -> InventoryValues:
        dev = str(variables["inventory_hostname"])
        # The name of the copy is part of what the application's environment is made of.
        names = {"rehearsal_copy_database": identity.copy_database_name(rehearsal_id), "rehearsal_id": rehearsal_id, **variables}
        self._templar.available_variables = names
        postgres = self._where(names, rehearsal_id)
        database = str(self._templar.template(names["rehearsal_copy_database"]) or identity.copy_database_name(rehearsal_id))
        where = {name: postgres.get(name) or "" for name in ("host", "port", "user")}
        self._copy = {"address": copy_address.address(database, postgres), "postgres": where}
        # Those of an earlier rehearsal in the same play would be of another copy.
        names = {**names, "rehearsal_copy_database": database, "rehearsal_copy_postgres": where, "rehearsal_copy_address": self._copy["address"]}
        self._templar.available_variables = names

        def read(host: str, name: str) -> Any:
            if host == dev:
                return self._templar.template(names.get(name))
            return variables["hostvars"][host].get(name)

        def mentions(host: str, name: str) -> bool:
            return name in (variables if host == dev else variables["hostvars"][host])

        return InventoryValues(dev=dev, read=read, mentions=mentions, groups=dict(variables.get("groups", {})))

    def _where(self, names: dict[str, Any], rehearsal_id: str) -> dict[str, Any]:
        """Where the copy will be, as far as it is known before it is there."""
        try:
            if self._templar.template(names.get("rehearsal_copy")) == "ephemeral":
                base = self._templar.template(names.get("rehearsal_work_dir")) or "~/.migrations-rehearsal"
                wish = self._templar.template(names.get("rehearsal_ephemeral")) or {}
                return {"host": f"{base}/{rehearsal_id}-dev/server/socket", "port": wish.get("port") or 5432, "user": wish.get("user") or "postgres"}
            return dict(self._templar.template(names.get("rehearsal_postgres")) or {})
        except (AnsibleError, TypeError, ValueError, AttributeError):
            # What cannot be templated or is no mapping is a problem that is told below, with its name.
            return {}

    def _expectations(self, values: InventoryValues) -> Expectations:
        path = values.value(values.dev, "rehearsal_expectations")
        if not path:
            return Expectations()
        path = os.path.abspath(os.path.expanduser(str(path)))
        try:
            return expectations_file.load(path)
        except expectations_file.ExpectationsError as error:
            values.problems += error.problems
        return Expectations()

    @staticmethod
    def _policy(values: InventoryValues) -> Policy:
        path = values.value(values.dev, "rehearsal_policy")
        if not path:
            return Policy()
        try:
            return policy_file.load(os.path.abspath(os.path.expanduser(str(path))))
        except policy_file.PolicyError as error:
            values.problems += error.problems
        return Policy()

    def _hooks(self, values: InventoryValues) -> dict[str, str]:
        """The files of added tasks by their moment, read once now: what Ansible cannot read in the middle of a run ends it at once."""
        found: dict[str, str] = {}
        for moment in HOOKS:
            name = f"rehearsal_{moment}_tasks"
            path = values.value(values.dev, name)
            if not path:
                continue
            found[moment] = os.path.abspath(os.path.expanduser(str(path)))
            try:
                added_tasks.check(self._loader, found[moment])
            except AnsibleError as error:
                values.problems.append(f"{values.dev}: {name} names {found[moment]}, which cannot be used: {error.message}")
        return found

    @staticmethod
    def _context(rehearsal: dict[str, Any], application: dict[str, Any], values: InventoryValues) -> dict[str, Any]:
        """What was asked for, without any secret: of the application's environment, the names only."""
        asked = "production" in rehearsal["sides"]
        production = deploy_commands.noted(values.value(rehearsal["production_host"], "rehearsal_postgres") or {}) if asked else {}
        return {
            **{key: rehearsal[key] for key in ("id", "production_host", "dev_host", "database", "copy_database", "created", "expires", "keep")},
            "sides": rehearsal["sides"],
            "production_postgres": production,
            "origin": rehearsal["origin"],
            "application": {
                "command": application["command"],
                "chdir": application.get("chdir") or "",
                "config": application.get("config") or "alembic.ini",
                "section": application.get("section") or "",
                "options": sorted(application.get("options") or {}),
                "wrapper": bool(application.get("wrapper")),
                "environment": sorted(application.get("environment") or {}),
                "x": sorted(application.get("x") or {}),
                "x_alone": sorted(name for name, value in (application.get("x") or {}).items() if value is None),
            },
            "asked": [name for name, (variable, default) in _ASKED.items() if boolean(values.value(values.dev, variable, default))],
            "expectations_file": str(values.value(values.dev, "rehearsal_expectations") or ""),
            "policy_file": str(values.value(values.dev, "rehearsal_policy") or ""),
        }
