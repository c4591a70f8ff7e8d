"""The difference of two fingerprints, on fingerprints written by hand."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.data_diff import answers, compare, to_follow


def column(digest: str | None = "1", non_null: int = 10, kind: str = "integer", by: str = "int", **more: Any) -> dict[str, Any]:
    return {"type": kind, "by": by, "non_null": non_null, "hash": digest, **more}


def table(rows: int = 10, key: list[str] | None = None, columns: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"rows": rows, "key": key, "proof": "full", "columns": columns or {}, **more}


def fingerprint(**tables: dict[str, Any]) -> dict[str, Any]:
    return {"proof": "full", "left_out": {}, "tables": tables}


@pytest.fixture
def before() -> dict[str, Any]:
    return fingerprint(
        shifts=table(key=["id"], columns={"id": column("11"), "start": column("22", kind="timestamp", by="timestamp"), "rate": column("33")}),
        logs=table(columns={"a": column("44"), "b": column("55", kind="text", by="text")}, row_hash={"columns": ["a", "b"], "hash": "66"}),
    )


def changed(before: dict[str, Any], edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    after = copy.deepcopy(before)
    edit(after["tables"])
    return after


def kinds(before: dict[str, Any], after: dict[str, Any], declared: dict[str, str] | None = None) -> list[tuple[str, str]]:
    return [(change.kind, change.object) for change in compare(before, after, declared)]


def test_equal_fingerprints_have_no_difference(before: dict[str, Any]) -> None:
    assert compare(before, copy.deepcopy(before)) == []
    assert set(answers(before, before).values()) == {"unchanged"}


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda t: t["shifts"]["columns"]["rate"].update(hash="0"), [("column-changed", "shifts.rate")]),
        (lambda t: t["shifts"]["columns"].pop("rate"), [("column-dropped", "shifts.rate")]),
        (lambda t: t["shifts"]["columns"].update(new=column("9")), [("column-added", "shifts.new")]),
        (lambda t: t["shifts"]["columns"].update(pay=t["shifts"]["columns"].pop("rate")), [("column-moved", "shifts.rate")]),
        (lambda t: t["shifts"]["columns"]["rate"].update(type="bigint"), [("column-type-changed", "shifts.rate")]),
        (lambda t: t["shifts"]["columns"]["rate"].update(type="numeric", by="text"), [("column-not-comparable", "shifts.rate")]),
        (lambda t: t.pop("logs"), [("table-dropped", "logs")]),
        (lambda t: t.update(more=table(rows=3)), [("table-added", "more")]),
        (lambda t: t.update(journal=t.pop("logs")), [("table-moved", "logs")]),
        (lambda t: t["logs"]["row_hash"].update(hash="0"), [("rows-changed", "logs")]),
        (
            lambda t: (t["logs"]["columns"].pop("b"), t["logs"]["row_hash"].update(columns=["a"])),
            [("column-dropped", "logs.b"), ("rows-not-comparable", "logs")],
        ),
    ],
)
def test_one_change_has_one_name(before: dict[str, Any], edit: Callable[[dict[str, Any]], object], expected: list[tuple[str, str]]) -> None:
    assert sorted(kinds(before, changed(before, edit))) == expected


def test_losses_say_how_much_is_lost(before: dict[str, Any]) -> None:
    after = changed(before, lambda t: (t.pop("logs"), t["shifts"]["columns"].pop("rate")))
    logs, rate = compare(before, after)
    assert logs.text == "logs is gone, with 10 rows (20 non-null values)"
    assert logs.to_json() == {"kind": "table-dropped", "object": "logs", "text": logs.text, "rows_before": 10, "values_before": 20}
    assert (rate.text, rate.values_before) == ("shifts.rate is gone, with 10 non-null values", 10)


def test_other_keys_leave_the_other_columns_unproved(before: dict[str, Any]) -> None:
    after = changed(before, lambda t: t["shifts"]["columns"]["id"].update(hash="0"))
    assert kinds(before, after) == [
        ("rows-changed", "shifts"),
        ("column-changed", "shifts.id"),
        ("column-not-comparable", "shifts.start"),
        ("column-not-comparable", "shifts.rate"),
    ]


@pytest.mark.parametrize("edit", [lambda t: t.update(key=["id", "rate"]), lambda t: t["columns"]["id"].update(type="uuid", by="uuid")])
def test_another_key_makes_equal_hashes_no_proof(before: dict[str, Any], edit: Callable[[dict[str, Any]], object]) -> None:
    after = changed(before, lambda t: edit(t["shifts"]))
    assert {answers(before, after)[f"shifts.{name}"] for name in ("id", "start", "rate")} == {"not comparable"}


@pytest.mark.parametrize(
    ("rows", "old_rows", "kind", "answer", "said"),
    [
        (15, 10, "rows-added", "unchanged", "shifts has 5 rows more: 10, now 15; every earlier row is untouched"),
        (15, 9, "rows-added", "not comparable", "shifts has 5 rows more: 10, now 15"),
        (15, None, "rows-added", "not comparable", "shifts has 5 rows more: 10, now 15"),
        (9, 9, "rows-lost", "unchanged", "shifts has 1 row less: 10, now 9; every row that is left is untouched"),
        (9, 8, "rows-lost", "not comparable", "shifts has 1 row less: 10, now 9"),
        (9, None, "rows-lost", "not comparable", "shifts has 1 row less: 10, now 9"),
    ],
)
def test_rows_added_and_lost(before: dict[str, Any], rows: int, old_rows: int | None, kind: str, answer: str, said: str) -> None:
    def edit(tables: dict[str, Any]) -> None:
        tables["shifts"]["rows"] = rows
        for entry in tables["shifts"]["columns"].values():
            entry["hash"] += "0"
        if old_rows is not None:
            tables["shifts"]["old_rows"] = old_rows

    after = changed(before, edit)
    change = compare(before, after)[0]
    assert (change.kind, change.text, change.rows_before, change.rows_after) == (kind, said, 10, rows)
    assert change.rows_changed_at_most == (None if old_rows is None else 10 - old_rows)
    proved = "untouched" in said
    assert (change.rows_added, change.rows_lost) == ((max(rows - 10, 0), max(10 - rows, 0)) if proved else (None, None))
    assert answers(before, after)["shifts.rate"] == answer


def test_untouched_rows_do_not_speak_for_a_label_that_was_renamed(before: dict[str, Any]) -> None:
    def edit(tables: dict[str, Any]) -> None:
        tables["shifts"].update(rows=11, old_rows=10)
        for entry in tables["shifts"]["columns"].values():
            entry["hash"] += "0"

    before["tables"]["shifts"]["columns"]["rate"]["stable_text"] = False
    found = answers(before, changed(before, edit))
    assert (found["shifts.start"], found["shifts.rate"]) == ("unchanged", "not comparable")


DECLARED = {"shifts.rate": "old / 100.0"}


@pytest.mark.parametrize(
    ("expected", "found", "answer", "kind"),
    [
        ("7", "7", "as declared", "column-as-declared"),
        ("7", "8", "changed", "column-changed"),
        (None, "7", "not comparable", "column-not-comparable"),
        ("7", None, "not comparable", "column-not-comparable"),
    ],
)
def test_a_declared_change(before: dict[str, Any], expected: str | None, found: str | None, answer: str, kind: str) -> None:
    after = changed(before, lambda t: t["shifts"]["columns"]["rate"].update(canonical_hash=found, type="numeric", by="text", hash="0"))
    before["tables"]["shifts"]["columns"]["rate"]["expected_hash"] = expected
    assert answers(before, after, DECLARED)["shifts.rate"] == answer
    assert kinds(before, after, DECLARED) == [(kind, "shifts.rate")]


def test_a_declared_change_is_not_proved_when_rows_were_added(before: dict[str, Any]) -> None:
    before["tables"]["shifts"]["columns"]["rate"]["expected_hash"] = "7"
    after = changed(before, lambda t: (t["shifts"].update(rows=11, old_rows=10), t["shifts"]["columns"]["rate"].update(canonical_hash="7")))
    assert answers(before, after, DECLARED)["shifts.rate"] == "not comparable"


def test_counts_prove_no_value(before: dict[str, Any]) -> None:
    def count_only(tables: dict[str, Any]) -> None:
        for entry in tables.values():
            entry["proof"] = "counts"
            for found in entry["columns"].values():
                found["hash"] = None

    counted = changed(before, count_only)
    assert set(answers(before, counted).values()) == {"counted"}
    after = changed(counted, lambda t: t["shifts"]["columns"]["rate"].update(non_null=9))
    assert answers(counted, after)["shifts.rate"] == "changed"
    # An equal count of another table is no proof that it is the same one.
    assert kinds(counted, changed(counted, lambda t: t.update(journal=t.pop("logs")))) == [("table-added", "journal"), ("table-dropped", "logs")]


def test_a_column_that_was_empty_and_is_empty_is_unchanged(before: dict[str, Any]) -> None:
    before["tables"]["shifts"]["columns"]["note"] = column("0", non_null=0, kind="text", by="text")
    after = changed(before, lambda t: t["shifts"].update(rows=12))
    assert answers(before, after)["shifts.note"] == "unchanged"


def test_two_columns_that_could_be_the_old_one_are_no_rename(before: dict[str, Any]) -> None:
    after = changed(before, lambda t: t["shifts"]["columns"].update(x=column("33"), y=t["shifts"]["columns"].pop("rate")))
    assert kinds(before, after) == [("column-dropped", "shifts.rate"), ("column-added", "shifts.x"), ("column-added", "shifts.y")]


def test_an_empty_column_is_no_rename(before: dict[str, Any]) -> None:
    before["tables"]["shifts"]["columns"]["note"] = column("0", non_null=0)
    after = changed(before, lambda t: t["shifts"]["columns"].update(remark=t["shifts"]["columns"].pop("note")))
    assert kinds(before, after) == [("column-dropped", "shifts.note"), ("column-added", "shifts.remark")]


def test_what_was_left_out_is_said(before: dict[str, Any]) -> None:
    after = changed(before, lambda t: t.pop("logs"))
    after["left_out"] = {"logs": "foreign table: its rows are on another server"}
    assert kinds(before, after) == [("table-not-comparable", "logs")]
    assert answers(before, after)["logs.a"] == "not comparable"
    assert kinds(after, before) == [("table-not-comparable", "logs")]


# Rows that were followed one by one.


def followed(**numbers: Any) -> dict[str, Any]:
    return {"shifts": {"key": ["id"], "kept": 10, "added": 0, "lost": 0, "columns": {}, **numbers}}


def test_rows_that_were_followed_are_counted_exactly(before: dict[str, Any]) -> None:
    after = changed(before, lambda t: t["shifts"].update(old_rows=4) or t["shifts"]["columns"]["rate"].update(hash="0"))
    assert to_follow(before, after, {}) == {"shifts": ["rate"]}
    (at_most,) = compare(before, after)
    assert (at_most.text, at_most.rows_changed, at_most.rows_changed_at_most) == ("shifts.rate changed, in 6 rows at most", None, 6)
    (exact,) = compare(before, after, {}, followed(columns={"rate": 2}, keys={"added": [], "lost": [], "columns": {"rate": [["3"], ["4"]]}}))
    assert (exact.text, exact.rows_changed, exact.rows_changed_at_most) == ("shifts.rate changed, in 2 rows (id 3, 4)", 2, None)
    assert exact.to_json()["keys"] == [["3"], ["4"]]


def test_keys_that_are_left_out_are_said(before: dict[str, Any]) -> None:
    after = changed(before, lambda t: t["shifts"]["columns"]["rate"].update(hash="0"))
    keys = {"added": [], "lost": [], "columns": {"rate": [["3"]]}}
    (change,) = compare(before, after, {}, followed(columns={"rate": 2}, keys=keys))
    assert change.text == "shifts.rate changed, in 2 rows (id 3, …)"


def test_a_value_that_was_wiped_out_everywhere_needs_no_following(before: dict[str, Any]) -> None:
    after = changed(before, lambda t: t["shifts"]["columns"]["rate"].update(hash="0", non_null=0))
    assert to_follow(before, after, {}) == {}
    assert compare(before, after)[0].text == "shifts.rate changed, in 10 rows; non-null values: 10, now 0"
    assert to_follow(before, after, {}, with_keys=True) == {"shifts": ["rate"]}


def test_added_rows_stand_in_the_way_of_nothing_once_they_are_followed(before: dict[str, Any]) -> None:
    after = changed(before, lambda t: t["shifts"].update(rows=12, old_rows=7))
    assert to_follow(before, after, {}) == {"shifts": ["start", "rate"]}
    rows = followed(added=2, columns={"start": 0, "rate": 3})
    assert [change.text for change in compare(before, after, {}, rows)] == ["shifts has 2 rows more: 10, now 12", "shifts.rate changed, in 3 rows"]


def test_lost_and_added_rows_are_both_told(before: dict[str, Any]) -> None:
    after = changed(before, lambda t: t["shifts"].update(rows=11, old_rows=7))
    rows = followed(kept=8, added=3, lost=2, columns={"start": 0, "rate": 0})
    (change,) = compare(before, after, {}, rows)
    assert change.text == "shifts: 2 rows are gone and 3 are new, by their keys: 10 rows, now 11"
    assert (change.rows_added, change.rows_lost) == (3, 2)


def test_a_declared_change_is_proved_beside_added_rows(before: dict[str, Any]) -> None:
    before["tables"]["shifts"]["columns"]["rate"]["expected_hash"] = "5"
    after = changed(before, lambda t: t["shifts"].update(rows=12, old_rows=7) or t["shifts"]["columns"]["rate"].update(canonical_hash="9"))
    assert to_follow(before, after, {"shifts.rate": "old * 2"}) == {"shifts": ["start", "rate"]}
    rows = followed(added=2, columns={"start": 0, "rate": 0})
    found = compare(before, after, {"shifts.rate": "old * 2"}, rows)
    assert [change.text for change in found][1:] == ["shifts.rate: each of 10 rows has the declared value (old * 2)"]


def test_what_may_hold_anything_is_not_followed(before: dict[str, Any]) -> None:
    after = changed(before, lambda t: t["shifts"]["columns"]["rate"].update(hash="0"))
    assert to_follow(before, after, {}, accepted=["shifts.rate"]) == {}


def test_counted_tables_and_other_keys_are_not_followed(before: dict[str, Any]) -> None:
    counted = changed(before, lambda t: t["shifts"].update(proof="counts", rows=12))
    assert to_follow(before, counted, {}) == {}
    rekeyed = changed(before, lambda t: t["shifts"].update(key=["start"], rows=12))
    assert to_follow(before, rekeyed, {}) == {}


def test_without_a_primary_key_rows_are_a_multiset(before: dict[str, Any]) -> None:
    grown = changed(before, lambda t: t["logs"].update(rows=12))
    assert to_follow(before, grown, {}) == {"logs": ["a", "b"]}
    only_added = {"logs": {"key": None, "kept": 10, "added": 2, "lost": 0, "columns": {"a": 0, "b": 0}}}
    assert [change.kind for change in compare(before, grown, {}, only_added)] == ["rows-added"]
    replaced = {"logs": {"key": None, "kept": 9, "added": 3, "lost": 1, "columns": {"a": 0, "b": 1}}}
    texts = [change.text for change in compare(before, grown, {}, replaced)]
    assert texts[1] == "logs.a: could not be compared: it has no primary key; 1 row is no longer there as before, and 3 others are"
    moved = changed(before, lambda t: t["logs"]["row_hash"].update(hash="0"))
    assert to_follow(before, moved, {}) == {"logs": []}
    assert compare(before, moved, {}, {"logs": {**replaced["logs"], "lost": 4, "columns": {}}})[0].text.endswith("but in other rows (4 rows)")


def test_rows_that_were_only_added_have_no_moved_values(before: dict[str, Any]) -> None:
    """What is proved untouched needs no hash of whole rows, which a lost column would make incomparable."""

    def edit(tables: dict[str, Any]) -> None:
        tables["logs"].update(rows=12, old_rows=10, row_hash={"columns": ["a"], "hash": "77"})
        del tables["logs"]["columns"]["b"]

    assert kinds(before, changed(before, edit)) == [("rows-added", "logs"), ("column-dropped", "logs.b")]
