# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what the inventory says about a rehearsal, and name everything that it does not say. All at once."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import Any

from ansible.errors import AnsibleError
from ansible_collections.migrations.rehearsal.plugins.module_utils import postgres_place, priority, reports
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import declared_variables

# A variable that is set but cannot be templated; its problem has been told.
_UNUSABLE = object()


@dataclasses.dataclass
class InventoryValues:
    """`read(host, name)` gives a variable of a host, templated; None where it is not set. Problems gather in `problems`.

    `mentions(host, name)`: the inventory has the variable, be it empty.
    """

    dev: str
    read: Callable[[str, str], Any]
    mentions: Callable[[str, str], bool]
    groups: dict[str, list[str]]
    problems: list[str] = dataclasses.field(default_factory=list)

    def value(self, host: str, name: str, default: Any = None) -> Any:
        """A variable, or the default where it is not set or empty; a value that cannot be templated is a problem."""
        found = self._read(host, name)
        return default if found is None or found is _UNUSABLE or found == "" else found

    def _read(self, host: str, name: str) -> Any:
        try:
            return self.read(host, name)
        except AnsibleError as error:
            text = f"cannot be read: {error.message}"
            # One cause behind several variables (the demonstration's servers are down) is told once.
            if not any(known.endswith(text) for known in self.problems):
                self._problem(host, name, text)
            return _UNUSABLE

    def required(self, host: str, name: str, kind: type, what: str) -> Any:
        """A variable that must be there; `what` tells a person what to fill in."""
        found = self._read(host, name)
        if found is _UNUSABLE:
            return None
        if found is None or found == "":
            self._problem(host, name, f"is not set: {what}")
            return None
        if not isinstance(found, kind):
            self._problem(host, name, f"must be a {kind.__name__}, not {type(found).__name__}: {what}")
            return None
        return found

    def optional(self, host: str, name: str, kind: type | tuple[type, ...], default: Any, what: str) -> Any:
        """A variable with a default; one of the wrong type is a problem."""
        found = self.value(host, name, default)
        if isinstance(found, bool) or not isinstance(found, kind):
            self._problem(host, name, what)
            return default
        return found

    def address(self, host: str) -> None:
        """`ansible_host` need not be there, but a form that was not filled in has it empty; Ansible would go for the inventory name."""
        if self.mentions(host, "ansible_host") and self.value(host, "ansible_connection") != "local":
            self.required(host, "ansible_host", str, "the machine that Ansible connects to, or leave the line out")

    def declared(self, host: str, names: Iterable[str]) -> None:
        """Of these variables, each has the type that its role declares, and one of its choices; none is a misspelt one.

        A variable of which a problem was told already is left alone: one is enough.
        """
        untold = [name for name in names if not any(problem.startswith(f"{host}: {name}") for problem in self.problems)]
        self.problems += [f"{host}: {problem}" for problem in declared_variables.problems(untold, functools.partial(self._given, host))]

    def _given(self, host: str, name: str) -> Any:
        """A variable as it is written: None for a null; what cannot be read was told and is as good as not filled in."""
        found = self._read(host, name)
        return "" if found is _UNUSABLE else found

    def reports(self, host: str) -> None:
        """`rehearsal_report_source_root` is a path within a repository."""
        root = reports.problem_of_source_root(self.optional(host, "rehearsal_report_source_root", str, "", "must be a path within the repository"))
        if root:
            self._problem(host, "rehearsal_report_source_root", f"cannot be used: {root}")

    def host_called_dev(self) -> None:
        """A host called like the group hides the group's other hosts from the playbook: their databases would not be rehearsed."""
        hidden = [host for host in self.groups.get("dev", []) if host != "dev"]
        if self.dev == "dev" and hidden:
            self.problems.append(f"a host is called dev, like its group: Ansible would leave out {', '.join(hidden)}; give it another name")

    def production_host(self, needed: bool = True) -> str | None:
        """The host whose database this dev host rehearses: `rehearsal_production`, or the only host in group prod.

        Where it is not needed (the backup is a file elsewhere), there need be none.
        """
        named = self.value(self.dev, "rehearsal_production")
        candidates = self.groups.get("prod", [])
        if named:
            if named in self.groups.get("all", []):
                return str(named)
            self._problem(self.dev, "rehearsal_production", f"names «{named}», which is not a host of the inventory")
        elif len(candidates) == 1:
            return candidates[0]
        elif not needed:
            return None
        elif candidates:
            self._problem(self.dev, "rehearsal_production", f"is not set, and group prod has {len(candidates)} hosts: {', '.join(candidates)}")
        else:
            self.problems.append("the inventory has no host in group prod: name the production host there")
        return None

    def postgres(self, host: str) -> None:
        """`rehearsal_postgres`: where the server is, and how its tools are started there."""
        self._place(host, "rehearsal_postgres")

    def _place(self, host: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.optional(host, name, dict, {}, f"must be a mapping: {', '.join(postgres_place.KEYS)}")
        for problem in postgres_place.problems({key: value for key, value in found.items() if value}):
            self._problem(host, name, problem)
        return found

    def transfer(self) -> None:
        """`rehearsal_transfer`, with `direct` the way to dev, and dev's own way to production."""
        way = self.value(self.dev, "rehearsal_transfer", "controller")
        direct = self.optional(self.dev, "rehearsal_transfer_direct", dict, {}, "must be a mapping: host, port, user, identity_file, options")
        if way == "direct" and not direct.get("host"):
            self._problem(self.dev, "rehearsal_transfer_direct.host", "is not set: the address by which production reaches dev")
        reached = self._place(self.dev, "rehearsal_production_from_dev")
        if way == "pull":
            self._pull(reached)
        unknown = sorted(set(direct) - {"host", "port", "user", "identity_file", "options"})
        if unknown:
            self._problem(self.dev, "rehearsal_transfer_direct", f"has unknown keys: {', '.join(unknown)}")

    def _pull(self, reached: dict[str, Any]) -> None:
        if not reached:
            self._problem(
                self.dev, "rehearsal_transfer", "is pull: set rehearsal_production_from_dev, by which dev itself reaches production's server"
            )
        if self.value(self.dev, "rehearsal_keep", "none") == "backup":
            self._problem(self.dev, "rehearsal_keep", "is backup, and rehearsal_transfer: pull makes none that could be kept")

    def priority(self) -> None:
        """`rehearsal_production_ionice`."""
        wanted = self.value(self.dev, "rehearsal_production_ionice", "")
        if str(wanted) not in priority.IONICE:
            self._problem(self.dev, "rehearsal_production_ionice", f"is «{wanted}»: it must be {priority.IDLE}, or a level from 0 to 7")

    def application(self) -> dict[str, Any]:
        """`rehearsal_application` with its command as a list."""
        what = "the project whose migrations are rehearsed: command, chdir, config, section, options, wrapper, environment, x"
        found = self.required(self.dev, "rehearsal_application", dict, what)
        if not found:
            return {}
        command = found.get("command")
        if not isinstance(command, list) or not command or not all(command):
            self._problem(self.dev, "rehearsal_application.command", "must be a list of words that start the application's Python")
        for name in ("section", "wrapper"):
            if not isinstance(found.get(name) or "", str):
                self._problem(self.dev, f"rehearsal_application.{name}", "must be a text")
        for name in ("environment", "x", "options"):
            if not isinstance(found.get(name) or {}, dict):
                self._problem(self.dev, f"rehearsal_application.{name}", "must be a mapping of names to values")
        unknown = sorted(set(found) - {"command", "chdir", "config", "section", "options", "wrapper", "environment", "x"})
        if unknown:
            self._problem(self.dev, "rehearsal_application", f"has unknown keys: {', '.join(unknown)}")
        return dict(found)

    def _problem(self, host: str, name: str, text: str) -> None:
        self.problems.append(f"{host}: {name} {text}")
