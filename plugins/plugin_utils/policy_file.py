# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the user's policy file (controller only: PyYAML comes with ansible-core). The format is in docs/policy.md."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Sequence

import yaml
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import CODES, SEVERITIES
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Accepted, Budgets, Policy
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import yaml_nodes
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.yaml_nodes import Problems

_TOP = ("severities", "budgets", "accepted")
_BUDGETS = tuple(field.name for field in dataclasses.fields(Budgets))
_ACCEPTED = ("code", "object", "reason", "until")
_A_CODE = "a code of docs/findings.md"
_A_DATE = "the last day on which it is accepted, such as 2026-12-31"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class PolicyError(ValueError):
    """The file cannot be used. `problems` has everything that is wrong with it, one `file:line: what — what is allowed` each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def load(path: str) -> Policy:
    """Read a file. Raises PolicyError, also when it cannot be opened."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            content = file.read()
    except OSError as error:
        raise PolicyError([f"{path}:1: cannot be read: {error.strerror} — the path of a YAML file on the controller"]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise PolicyError([f"{path}:{line}: this is not UTF-8 — save the file as UTF-8"]) from error
    return parse(content, path)


def parse(text: str, file: str) -> Policy:
    """What a file says; `file` is only its name in errors. Raises PolicyError with all that is wrong."""
    problems = Problems(file)
    root = yaml_nodes.compose(text, problems, "a policy file is a YAML mapping with " + ", ".join(_TOP))
    if not problems.lines() and (root is None or yaml_nodes.is_null(root) or root.value == []):
        problems.add(1, "the file is empty", "at least one of " + ", ".join(_TOP))
    policy = _policy(root, problems) if root is not None and not problems.lines() else Policy()
    if problems.lines():
        raise PolicyError(problems.lines())
    return policy


def _policy(root: yaml.Node, problems: Problems) -> Policy:
    entries = yaml_nodes.mapping(root, "the file", problems, _TOP)
    return Policy(
        severities=_severities(entries["severities"].node, problems) if "severities" in entries else {},
        budgets=_budgets(entries["budgets"].node, problems) if "budgets" in entries else Budgets(),
        accepted=_all_accepted(entries["accepted"].node, problems) if "accepted" in entries else (),
    )


def _severities(node: yaml.Node, problems: Problems) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in yaml_nodes.mapping(node, "severities", problems).values():
        if not _is_code(entry.key, entry.key_node, problems):
            continue
        allowed = SEVERITIES[: SEVERITIES.index(CODES[entry.key].lowest) + 1]
        severity = yaml_nodes.text(entry.node, f"severities.{entry.key}", problems, " or ".join(allowed))
        if severity and severity not in SEVERITIES:
            problems.add(entry.node, f'severities.{entry.key} is "{severity}"{yaml_nodes.near(severity, SEVERITIES)}', " or ".join(allowed))
        elif severity and severity not in allowed:
            problems.add(
                entry.node, f"severities.{entry.key} is {severity}: what it says keeps the rehearsal from proving the rest", " or ".join(allowed)
            )
        elif severity:
            found[entry.key] = severity
    return found


def _is_code(text: str, node: yaml.Node, problems: Problems) -> bool:
    if text not in CODES:
        problems.add(node, f'"{text}" is no code{yaml_nodes.near(text, list(CODES))}', _A_CODE)
    return text in CODES


def _budgets(node: yaml.Node, problems: Problems) -> Budgets:
    entries = yaml_nodes.mapping(node, "budgets", problems, _BUDGETS)
    unit = {name: "milliseconds" if name.endswith("_ms") else "rows" if name.endswith("_rows") else "MB" for name in _BUDGETS}
    given = {
        name: yaml_nodes.count(entry.node, f"budgets.{name}", problems, f"a whole number of {unit[name]} from 0") for name, entry in entries.items()
    }
    return dataclasses.replace(Budgets(), **given)


def _all_accepted(node: yaml.Node, problems: Problems) -> tuple[Accepted, ...]:
    found: dict[tuple[str, str], Accepted] = {}
    for number, item in enumerate(yaml_nodes.sequence(node, "accepted", problems, "findings (code, object, reason, until)"), 1):
        entry = _accepted(item, f"accepted {number}", problems)
        if entry is None:
            continue
        key = (entry.code, entry.object)
        if key in found:
            problems.add(item, f"accepted {number} names {entry.code} of {entry.object or 'no object'} again", "each finding once")
        found[key] = entry
    return tuple(found.values())


def _accepted(item: yaml.Node, where: str, problems: Problems) -> Accepted | None:
    """One entry, None after a problem."""
    if not isinstance(item, yaml.MappingNode):
        problems.add(item, f"{where} is {yaml_nodes.kind(item)}", "a mapping with " + ", ".join(_ACCEPTED))
        return None
    entries = yaml_nodes.mapping(item, where, problems, _ACCEPTED)
    missing = [key for key in _ACCEPTED if key not in entries]
    if missing:
        problems.add(item, f"{where} has no {', '.join(missing)}", 'all of code, object ("" where the finding names none), reason, until')
    code = yaml_nodes.text(entries["code"].node, f"{where}.code", problems, _A_CODE) if "code" in entries else ""
    reason = yaml_nodes.text(entries["reason"].node, f"{where}.reason", problems, "why it is accepted") if "reason" in entries else ""
    until = _date(entries["until"].node, f"{where}.until", problems) if "until" in entries else ""
    thing = ""
    if "object" in entries and not (yaml_nodes.is_text(entries["object"].node) and entries["object"].node.value == ""):
        thing = yaml_nodes.text(entries["object"].node, f"{where}.object", problems, "the finding's object, as the record has it")
    if code and _is_code(code, entries["code"].node, problems) and CODES[code].lowest == SEVERITIES[0]:
        said = f"{code} cannot be accepted: what it says keeps the rehearsal from proving the rest"
        problems.add(entries["code"].node, said, "codes that docs/findings.md does not call a blocker in any case")
    return Accepted(code, thing, reason, until) if code and reason and until and not missing else None


def _date(node: yaml.Node, where: str, problems: Problems) -> str:
    """YYYY-MM-DD; "" after a problem."""
    value = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
    if _DATE.fullmatch(value):
        try:
            return datetime.date.fromisoformat(value).isoformat()
        except ValueError:
            problems.add(node, f"{where} is {value}, a day that there is not", _A_DATE)
            return ""
    problems.add(node, f"{where} is {value or yaml_nodes.kind(node)}", _A_DATE)
    return ""
