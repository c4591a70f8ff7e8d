"""Declared changes in the expectations file: of what, of which kind, and what something was called before."""

from __future__ import annotations

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Expectations, RowChange
from expectations_reader import error, read


@pytest.mark.parametrize(
    ("written", "kind", "name"),
    [
        ("a.b", "changed: true", "a.b"),
        ("s.a.b", "changed: true", "s.a.b"),
        ("public.a.b", "expect: old", "a.b"),
        ("'a.\"b.c\"'", "changed: true", 'a."b.c"'),
        ("a", "dropped: true", "a"),
        ("public.a", "dropped: true", "a"),
        ("s.a", "dropped: true", "s.a"),
        ("public.a.b", "dropped: true", "a.b"),
    ],
)
def test_names_of_what_changes(written: str, kind: str, name: str) -> None:
    assert list(read("changes: {" + written + ": {" + kind + "}}").changes) == [name]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: {changed: true}", '"a" is not the name of a column — table.column or schema.table.column'),
        ("a: {expect: old}", '"a" is not the name of a column'),
        ("public.a: {changed: true}", '"public.a" is not the name of a column'),
        ("a.b.c.d: {changed: true}", '"a.b.c.d" is not the name of a column'),
        ("a.b.c.d: {dropped: true}", '"a.b.c.d" is not the name of a table or column — table.column or schema.table.column, or a table'),
        ("a.b: {}", "changes.a.b says not what changes — exactly one of expect, changed, dropped, rows"),
        ("a.b: ", "changes.a.b says not what changes"),
        ("a.b: {reason: x}", "changes.a.b says not what changes"),
        ("a.b: {changed: true, dropped: true}", "changes.a.b says changed and dropped — exactly one of"),
        ("a.b: {changed: false}", "changes.a.b.changed is false — true; without the entry nothing may change"),
        ("a.b: {dropped: no}", "changes.a.b.dropped is false"),
        ("a.b: {changed: maybe}", 'changes.a.b.changed is "maybe" — true or false'),
        ("a.b: {dropped: }", "changes.a.b.dropped is nothing — true or false"),
        ("a.b: {changed: true, reason: 5}", "changes.a.b.reason is 5, which YAML reads as a number — text, in quotes: reason: '5'"),
        ("a.b: {changed: true, reason: }", "changes.a.b.reason is nothing"),
        ("a.b: {expect: 5}", "changes.a.b.expect is 5, which YAML reads as a number — SQL over old"),
        ("a.b: {expect: }", "changes.a.b.expect is nothing — SQL over old"),
        ("a.b: {expect: 'old; drop'}", "changes.a.b.expect cannot be used: it holds ';' — SQL over old"),
        ("a.b: {expect: 'old \\d'}", "changes.a.b.expect cannot be used: it holds a backslash"),
        ("a.b: {expect: new}", "changes.a.b.expect cannot be used: it does not use the word old"),
        ("a: {rows: }", "changes.a.rows is empty — added, removed: a number or any"),
        ("a: {rows: {}}", "changes.a.rows is empty"),
        ("a: {rows: 5}", "changes.a.rows is a number — a mapping with added, removed"),
        ("a: {rows: {added: -1}}", "changes.a.rows.added is -1, which YAML reads as a number — a whole number from 0, or any"),
        ("a: {rows: {removed: all}}", 'changes.a.rows.removed is "all" — a whole number from 0, or any'),
        ("a: {rows: {removed: true}}", "changes.a.rows.removed is true, which"),
    ],
)
def test_bad_changes(text: str, what: str) -> None:
    assert error("changes:\n  " + text).startswith(f"x.yml:2: {what}")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("{added: 5}", RowChange(5, 0)),
        ("{removed: 3}", RowChange(0, 3)),
        ("{added: any}", RowChange(None, 0)),
        ("{added: 0, removed: any}", RowChange(0, None)),
    ],
)
def test_rows_that_are_not_named_stay(text: str, rows: RowChange) -> None:
    assert read("changes: {a: {rows: " + text + "}}").changes["a"].rows == rows


@pytest.mark.parametrize(
    ("text", "name", "kind", "became"),
    [
        ("contracts.price: {was: rate}", "contracts.rate", "renamed", "price"),
        ("contracts.price: {was: rate, expect: old / 100.0}", "contracts.rate", "expect", "price"),
        ("billing.contracts.price: {was: rate, changed: true}", "billing.contracts.rate", "changed", "price"),
        ("plans: {was: tariffs}", "tariffs", "renamed", "plans"),
        ("plans: {was: old.tariffs, rows: {added: 1}}", "old.tariffs", "rows", "plans"),
        ("billing.plans: {was: public.tariffs}", "tariffs", "renamed", "billing.plans"),
    ],
)
def test_what_something_was(text: str, name: str, kind: str, became: str) -> None:
    found = read(f"changes: {{{text}}}")
    ((label, change),) = found.changes.items()
    assert (label, change.kind, change.became) == (name, kind, became)
    assert found.told_renames() == {name: became} and Expectations.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("t.b: {was: a, dropped: true}", "changes.t.b says was and dropped — was alone, or with one of"),
        ("t.b: {was: a, changed: true, expect: old}", "changes.t.b says was and expect and changed"),
        ("t.b: {was: x.y.z}", '"x.y.z" is not the name of a column'),
        ("t: {was: x.y.z}", '"x.y.z" is not the name of a table'),
        ("t.b: {was: a}, t.c: {was: a}", '"t.a" is declared in line 1 already'),
    ],
)
def test_what_something_cannot_have_been(text: str, what: str) -> None:
    assert error(f"changes: {{{text}}}").startswith(f"x.yml:1: {what}")
