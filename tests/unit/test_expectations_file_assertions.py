"""Assertions in the expectations file: each has a name, a query that can be read, and at most one value."""

from __future__ import annotations

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Assertion
from expectations_reader import error, read


@pytest.mark.parametrize(
    ("text", "operator", "value"),
    [
        ("contains: CASCADE", "contains", "CASCADE"),
        ("contains: null", "contains", None),
        ("equals: 5", "equals", 5),
        ("equals: false", "equals", False),
        ("equals: ", "equals", None),
        ("equals: [1, {on: 'x'}]", "equals", [1, {"on": "x"}]),
        ("equals: {}", "equals", {}),
    ],
)
def test_assertion(text: str, operator: str, value: object) -> None:
    (assertion,) = read("assertions: [{name: n, query: after, " + text + "}]").assertions
    assert assertion == Assertion("n", "after", operator, value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{query: after}", "assertion 1 has no name — name and query are needed"),
        ("{name: a}", "assertion 1 has no query"),
        ("{name: a, query: after, contains: 1, equals: 1}", "assertion 1 has contains and equals — one of the two"),
        ("{name: 5, query: after}", "assertion 1.name is 5, which YAML reads as a number — text, in quotes: name: '5'"),
        ("{name: '', query: after}", "assertion 1.name is empty"),
        ("{name: a, query: ''}", "assertion 1.query is empty"),
        ("{name: a, query: [after]}", "assertion 1.query is a list"),
        ("{name: a, query: after.}", "the query 'after.' cannot be read: Expecting"),
        (
            "{name: a, query: aftr.tables}",
            'the query begins with "aftr"; did you mean "after"? — a query begins with before, after, back, again, record',
        ),
        ("{name: a, query: lenght(after)}", 'the query calls lenght(), which JMESPath does not have; did you mean "length"?'),
        ("{name: a, query: after, equals: [yes]}", "assertion 1.equals is yes, which YAML reads as true or false"),
        ("{name: a, query: after, equals: {b: 010}}", "assertion 1.equals is 010, which"),
    ],
)
def test_bad_assertions(text: str, what: str) -> None:
    assert error("assertions:\n  - " + text).startswith(f"x.yml:2: {what}")


def test_a_value_may_be_a_deep_one() -> None:
    deep = "[" * 40 + "]" * 40
    assert read("assertions: [{name: n, query: after, equals: " + deep + "}]").assertions[0].value is not None
