# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles say of their variables (meta/argument_specs.yml), held against what an inventory says, before any role begins.

Ansible checks a role's arguments when the role begins, which may be after a long restore; and a name that is misspelt it never sees.
"""

from __future__ import annotations

import difflib
import functools
import glob
import os
from collections.abc import Callable, Iterable
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

_ROLES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "roles")
# What rehearsals set themselves, or are told by others than the inventory.
_OURS = {
    "rehearsal_id", "rehearsal_copy_postgres", "rehearsal_copy_address", "rehearsal_verdict", "rehearsal_summary", "rehearsal_downtime_ms",
    "rehearsal_report", "rehearsal_backup", "rehearsal_resume",
}  # fmt: skip
# So near that it is a slip of the pen, not a variable of the user's own.
_NEAR = 0.87
_AT_LEAST_ONE = ("_jobs", "_connections")
_MORE_THAN_ZERO = ("_timeout", "_hours")


@functools.lru_cache(maxsize=1)
def declared() -> dict[str, dict[str, Any]]:
    """Each variable of an inventory with its type, choices and default, as the roles' argument specs have them."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(glob.glob(os.path.join(_ROLES, "*", "meta", "argument_specs.yml"))):
        with open(path, encoding="utf-8") as file:
            spec = yaml.safe_load(file)["argument_specs"]["main"]
        for name, option in (spec.get("options") or {}).items():
            found.setdefault(name, {key: option[key] for key in ("type", "elements", "choices", "default") if key in option})
    return found


def problems(names: Iterable[str], read: Callable[[str], Any]) -> list[str]:
    """What is wrong with the variables of one host, each with its name first. `read` gives a value as it is written, None for a null."""
    known = declared()
    found = []
    for name in sorted(name for name in names if name.startswith("rehearsal_")):
        if name in known:
            found += _value_problems(name, known[name], read(name))
        elif name not in _OURS:
            near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
            found += [f"{name} is no variable of a rehearsal: {near[0]} is" for near in [near] if near]
    return found


def _value_problems(name: str, option: dict[str, Any], value: Any) -> list[str]:
    # A survey that was not filled in gives an empty text: not set.
    if value == "":
        return []
    if value is None:
        # Modules take a null for a value there.
        nothing = {"dict": "{}", "list": "[]"}.get(option["type"])
        return [f"{name} has no value: leave the line out, or write {name}: {nothing}"] if nothing else []
    wanted = {"list": f"a list of {option.get('elements', 'values')}", "dict": "a mapping"}.get(option["type"], f"of type {option['type']}")
    checked = ArgumentSpecValidator({name: {key: option[key] for key in ("type", "elements") if key in option}}).validate({name: value})
    if checked.error_messages:
        return [f"{name} must be {wanted}"]
    typed = checked.validated_parameters[name]
    if option.get("choices"):
        unknown = [one for one in (typed if isinstance(typed, list) else [typed]) if one not in option["choices"]]
        return [f"{name} is «{one}»: it must be one of {', '.join(map(str, option['choices']))}" for one in unknown]
    if option["type"] in ("int", "float"):
        if name.endswith(_AT_LEAST_ONE) and typed < 1:
            return [f"{name} is {typed:g}: it must be at least 1"]
        if name.endswith(_MORE_THAN_ZERO) and typed <= 0:
            return [f"{name} is {typed:g}: it must be more than 0"]
        if typed < 0:
            return [f"{name} is {typed:g}: it must not be negative"]
    return []
