# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own JMESPath queries over snapshots and record (controller only: jmespath is not on the hosts)."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils.expectation_checks import NOT_MEASURED, Check, same_value
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Assertion

try:
    import jmespath
    import jmespath.exceptions
    import jmespath.functions
except ImportError:
    # The collection may be installed without the Python package that depends on it; only files with assertions need it.
    jmespath = None

# What a query may begin with: the snapshots by moment, and the record.
NAMES = ("before", "after", "back", "again", "record")

_SHOWN_CHARACTERS = 200


class QueryError(ValueError):
    """A query that cannot be run. `allowed` says what would be right."""

    def __init__(self, message: str, allowed: str) -> None:
        super().__init__(message)
        self.message = message
        self.allowed = allowed


def compile_query(query: str) -> Any:
    """The compiled query. Raises QueryError for what is wrong with the text: syntax, unknown functions, unknown first names."""
    if jmespath is None:
        raise QueryError("the Python package jmespath is not installed here", "pip install jmespath where ansible-playbook runs")
    try:
        compiled = jmespath.compile(query)
    except jmespath.exceptions.JMESPathError as error:
        reason = str(error).splitlines()[0].split(", for expression")[0].rstrip(":")
        raise QueryError(f"the query {query!r} cannot be read: {reason}", "a JMESPath expression, see https://jmespath.org") from error
    functions = sorted(jmespath.functions.Functions.FUNCTION_TABLE)
    for name in _functions(compiled.parsed):
        if name not in functions:
            raise QueryError(f"the query calls {name}(), which JMESPath does not have{_near(name, functions)}", ", ".join(functions))
    if _goes_on_after_each(compiled.parsed):
        raise QueryError(
            f"the query {query!r} goes on for more than one name after .*, which jmespath reads as a name of the list: always null",
            "values(x)[].a.b in place of x.*.a.b",
        )
    found = first_names(compiled)
    for name in sorted(found - {*NAMES, "@"}):
        raise QueryError(f'the query begins with "{name}"{_near(name, NAMES)}', "a query begins with " + ", ".join(NAMES))
    if not found:
        raise QueryError("the query looks at nothing", "a query begins with " + ", ".join(NAMES))
    return compiled


def first_names(compiled: Any) -> set[str]:
    """The names that a compiled query takes from the document itself; `@` when it takes the whole of it."""
    return set(_first_names(compiled.parsed))


def evaluate(assertions: Iterable[Assertion], document: Mapping[str, Any]) -> list[Check]:
    """One Check for each assertion. `document`: snapshots by moment, and `record`; a name that is missing or None was not measured.

    A query that fails, or looks at what was not measured, is not ok, whatever it is compared with.
    """
    return [_evaluate(assertion, document) for assertion in assertions]


def _evaluate(assertion: Assertion, document: Mapping[str, Any]) -> Check:
    value = _shown(assertion.value)
    expected = {"contains": f"contains {value}", "equals": value}.get(assertion.operator, "anything but null, false, 0 and empty")
    try:
        compiled = compile_query(assertion.query)
    except QueryError as error:
        return Check(assertion.name, "upgrade", assertion.query, False, error.message, expected)
    names = first_names(compiled)
    stage = "downgrade" if "back" in names else "upgrade"
    missing = [name for name in NAMES if name in names and document.get(name) is None]
    if missing:
        return Check(assertion.name, stage, assertion.query, False, f"{NOT_MEASURED} ({', '.join(missing)})", expected)
    try:
        result = compiled.search(document)
    except jmespath.exceptions.JMESPathError as error:
        return Check(assertion.name, stage, assertion.query, False, f"the query failed: {error}", expected)
    return Check(assertion.name, stage, assertion.query, _holds(assertion, result), _shown(result), expected)


def _holds(assertion: Assertion, result: Any) -> bool:
    if assertion.operator == "equals":
        return same_value(result, assertion.value)
    if assertion.operator == "contains":
        if isinstance(result, str):
            return isinstance(assertion.value, str) and assertion.value in result
        return isinstance(result, list) and any(same_value(entry, assertion.value) for entry in result)
    return bool(result)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def _near(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


def _functions(node: Mapping[str, Any]) -> Iterator[str]:
    if node["type"] == "function_expression":
        yield node["value"]
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _functions(child)


def _goes_on_after_each(node: Mapping[str, Any]) -> bool:
    """Whether a name is asked of a list. `x.*.a.b` comes out like that (jmespath.py 131 and 182), and would be null without a word."""
    children = [child for child in node["children"] if isinstance(child, dict)]
    if node["type"] in ("subexpression", "value_projection") and children[0]["type"].endswith("projection"):
        return True
    return any(_goes_on_after_each(child) for child in children)


def _first_names(node: Mapping[str, Any]) -> Iterator[str]:
    kind, children = node["type"], node["children"]
    if kind == "field":
        yield node["value"]
    elif kind in ("current", "identity"):
        yield "@"
    elif kind in ("subexpression", "index_expression", "projection", "value_projection", "filter_projection", "flatten", "pipe"):
        # Only the left side sees the document; the rest sees what the left side gave.
        yield from _first_names(children[0])
    elif kind != "expref":
        for child in children:
            if isinstance(child, dict):
                yield from _first_names(child)
