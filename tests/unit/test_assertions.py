# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectation_checks import Check
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Assertion
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import assertions as assertions_module
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.assertions import QueryError, compile_query, evaluate, first_names

DOCUMENT: dict[str, Any] = {
    "before": {"tables": {}},
    "after": {
        "server_version": "16.4",
        "tables": {
            "openings": {
                "constraints": {
                    "fk_a": {"kind": "foreign key", "on_delete": "CASCADE"},
                    "fk_b": {"kind": "foreign key", "on_delete": "SET NULL"},
                    "ck": {"kind": "check", "on_delete": None},
                },
                "columns": {"id": {"position": 1, "nullable": False}},
                "triggers": {},
            }
        },
    },
    "record": {"seconds": 1.5, "verdict": "GO", "many": ["x" * 50] * 50},
}


def check(query: str, operator: str = "truthy", value: Any = None) -> Check:
    (result,) = evaluate([Assertion("the name", query, operator, value)], DOCUMENT)
    return result


def test_a_check_says_what_was_asked_and_found() -> None:
    query = "after.tables.openings.constraints.*.on_delete"
    assert check(query, "contains", "CASCADE") == Check("the name", "upgrade", query, True, '["CASCADE", "SET NULL"]', 'contains "CASCADE"')


@pytest.mark.parametrize(
    ("query", "operator", "value", "ok"),
    [
        ("after.tables.openings.constraints.*.on_delete", "contains", "RESTRICT", False),
        ("after.tables.openings.constraints.*.on_delete", "contains", "CASC", False),
        ("after.server_version", "contains", "16.", True),
        ("after.server_version", "contains", "15.", False),
        ("after.server_version", "contains", 16, False),
        ("after.tables", "contains", "openings", False),
        ("after.tables.nothing", "contains", None, False),
        ("values(after.tables)[].columns.id.position", "contains", True, False),
        ("values(after.tables)[].columns.id.position", "contains", 1, True),
        ("length(after.tables)", "equals", 1, True),
        ("length(after.tables)", "equals", 2, False),
        ("length(after.tables)", "equals", True, False),
        ("after.tables.openings.columns.id.nullable", "equals", False, True),
        ("after.tables.openings.columns.id.nullable", "equals", 0, False),
        ("after.tables.openings.columns.id", "equals", {"position": 1, "nullable": False}, True),
        ("keys(before.tables)", "equals", [], True),
        ("after.tables.nothing", "equals", None, True),
        ("after.tables.openings", "equals", None, False),
        ("after.tables.openings", "truthy", None, True),
        ("after.tables.nothing", "truthy", None, False),
        ("after.tables.openings.triggers", "truthy", None, False),
        ("after.tables.openings.columns.id.nullable", "truthy", None, False),
        ("length(before.tables)", "truthy", None, False),
        ("record.seconds < `2`", "truthy", None, True),
        ("record.seconds > `2`", "truthy", None, False),
        ("length(values(after.tables.openings.constraints)[?kind=='foreign key'])", "equals", 2, True),
    ],
)
def test_operators(query: str, operator: str, value: Any, ok: bool) -> None:
    assert check(query, operator, value).ok is ok


def test_expected_texts() -> None:
    assert check("after", "equals", {"a": "Я"}).expected == '{"a": "Я"}'
    assert check("after", "equals", None).expected == "null"
    assert check("after").expected == "anything but null, false, 0 and empty"


def test_a_missing_moment_is_not_measured_whatever_is_expected() -> None:
    for document in ({}, {"back": None}):
        (result,) = evaluate([Assertion("n", "back.tables.openings", "equals", None)], document)
        assert (result.ok, result.measured, result.stage) == (False, "not measured (back)", "downgrade")
    assert check("length(after.tables) == length(again.tables)").measured == "not measured (again)"


def test_an_empty_moment_was_measured() -> None:
    (result,) = evaluate([Assertion("n", "back.tables", "equals", None)], {"back": {}})
    assert result.ok


def test_a_query_that_fails_is_not_ok() -> None:
    result = check("length(after.nothing)", "equals", None)
    assert not result.ok
    assert result.measured.startswith("the query failed: In function length()")


def test_a_query_that_cannot_be_compiled_is_not_ok() -> None:
    (result,) = evaluate([Assertion("n", "after.", "equals", None)], DOCUMENT)
    assert not result.ok
    assert "cannot be read" in result.measured


def test_long_results_are_cut() -> None:
    assert len(check("record.many").measured) == 200
    assert check("record.many").measured.endswith("…")


def test_every_assertion_gives_one_check_in_its_order() -> None:
    results = evaluate([Assertion("a", "after"), Assertion("b", "before.x"), Assertion("c", "after")], DOCUMENT)
    assert [(result.item, result.ok) for result in results] == [("a", True), ("b", False), ("c", True)]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("after.tables.record", {"after"}),
        ("after.tables.*.x | [0].back", {"after"}),
        ("values(after.tables)[?back=='x'].again", {"after"}),
        ("length(after.tables) == length(again.tables)", {"after", "again"}),
        ("after.a || before.b && !back.c", {"after", "before", "back"}),
        ("[after.a, {x: before.b}]", {"after", "before"}),
        ("sort_by(values(after.tables), &record)", {"after"}),
        ("after.tables.openings.[columns, triggers]", {"after"}),
        ("keys(@)", {"@"}),
        ("*.tables", {"@"}),
        ("after.x[].back", {"after"}),
        ("after.x[0]", {"after"}),
        ("after.x[1:2].back", {"after"}),
        ("`1`", set()),
    ],
)
def test_first_names(query: str, names: set[str]) -> None:
    import jmespath

    assert first_names(jmespath.compile(query)) == names


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("after.", "cannot be read"),
        ("", "cannot be empty"),
        ("after.tables[", "Incomplete expression"),
        ("after = before", "Unknown token '='"),
        ("'x", "Unclosed ' delimiter"),
        ("aftr.tables", 'begins with "aftr"; did you mean "after"?'),
        ("tables.shifts", 'begins with "tables"'),
        ("lenght(after.tables)", 'calls lenght(), which JMESPath does not have; did you mean "length"?'),
        ("after.tables.*.columns | [?foo(@)]", "calls foo()"),
        ("`true`", "looks at nothing"),
        ("after.tables.*.columns.id", "always null"),
        ("after.tables.*.constraints.*.on_delete", "always null"),
        ("length(after.tables.*.columns.id | [0])", "always null"),
    ],
)
def test_queries_that_cannot_be_run(query: str, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        compile_query(query)
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.allowed


@pytest.mark.parametrize(
    "query", ["after.tables.*.columns", "*.tables.openings.columns", "after.tables.*.columns[].id", "values(after.tables)[*].constraints.*.kind"]
)
def test_projections_that_jmespath_follows(query: str) -> None:
    assert compile_query(query).search(DOCUMENT)


def test_without_jmespath_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assertions_module, "jmespath", None)
    with pytest.raises(QueryError, match="jmespath is not installed"):
        compile_query("after")
