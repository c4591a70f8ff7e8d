"""Declared renames, copies and drops: what the catalog says of names counts, not what somebody said of them."""

from __future__ import annotations

from ansible_collections.migrations.rehearsal.plugins.module_utils.expectation_checks import check_structure
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Change, Expectations
from ansible_collections.migrations.rehearsal.plugins.module_utils.renames import between

# Which table and column is which: a table's OID, and its columns with their numbers.
Known = dict[str, tuple[int, dict[str, int]]]


def _declared(name: str, change: Change, before: Known, after: Known) -> tuple[bool, str]:
    """The check of one declared change, where the values were compared as `between` pairs the names."""
    wanted = Expectations(changes={name: change})
    identities = [{"tables": {table: {"oid": oid, "columns": columns} for table, (oid, columns) in one.items()}} for one in (before, after)]
    snapshots = {
        moment: {"tables": {table: {"columns": dict.fromkeys(columns, {})} for table, (_oid, columns) in one.items()}}
        for moment, one in (("before", before), ("after", after))
    }
    (check,) = check_structure(wanted, snapshots, ["r"], between(*identities, wanted.told_renames()))
    return check.ok, check.measured


def test_a_copy_that_was_not_made_is_not_met() -> None:
    before: Known = {"t": (1, {"a": 1, "k": 2}), "old": (2, {"k": 1})}

    def measured(name: str, became: str, **after: tuple[int, dict[str, int]]) -> tuple[bool, str]:
        return _declared(name, Change("renamed", became=became), before, after)

    assert measured("t.a", "b", t=(1, {"k": 2, "b": 3})) == measured("t.a", "b", other=(1, {"k": 2, "b": 3})) == (True, "present")
    assert measured("old", "new", new=(7, {"k": 1})) == (True, "present")
    assert measured("t.a", "b", t=(1, {"a": 1, "b": 3})) == (False, "t.a is there still")
    assert measured("t.a", "b", t=(1, {"k": 2})) == measured("old", "new", t=(1, {"k": 2})) == (False, "absent")
    assert measured("old", "new", old=(2, {"k": 1}), new=(7, {"k": 1})) == (False, "old is there still")
    assert measured("t.x", "b", t=(1, {"b": 3})) == (False, "t.x was not there before")


def test_a_copy_is_not_met_where_the_catalog_says_another() -> None:
    before: Known = {"t": (1, {"a": 1, "k": 2}), "old": (2, {"k": 1})}

    def measured(name: str, became: str, **after: tuple[int, dict[str, int]]) -> tuple[bool, str]:
        return _declared(name, Change("renamed", became=became), before, after)

    assert measured("t.a", "b", t=(1, {"a2": 1, "k": 2, "b": 3})) == (False, "t.a is called t.a2 now"), "its values were compared with those of a2"
    assert measured("t.a", "a2", t=(1, {"a2": 1, "k": 2, "b": 3})) == (True, "present"), "nobody had to say it, but it is so"
    assert measured("t.a", "b", t=(1, {"k2": 2, "b": 3}), old=(2, {"k": 1})) == (True, "present")
    assert measured("t.a", "b", t=(1, {"b": 2})) == (False, "t.k is called t.b now")
    assert measured("t.a", "k", t=(1, {"k": 2})) == (False, "t.k was there before")
    assert measured("old", "new", other=(2, {"k": 1}), new=(7, {"k": 1})) == (False, "old is called other now")
    assert measured("old", "t", t=(1, {"a": 1, "k": 2})) == (False, "t was there before")
    assert measured("old", "new", new=(1, {"a": 1, "k": 2})) == (False, "t is called new now")
    assert measured("t.a", "b", t2=(1, {"a": 1, "k": 2, "b": 3})) == (False, "t.a is called t2.a now")


def test_a_copy_is_not_met_where_nobody_knows_what_became_what() -> None:
    snapshots = {"before": {"tables": {"t": {"columns": {"a": {}}}}}, "after": {"tables": {"t": {"columns": {"b": {}}}}}}
    (check,) = check_structure(Expectations(changes={"t.a": Change("renamed", became="b")}), snapshots, ["r"])
    assert (check.ok, check.measured) == (False, "not measured"), "no value was compared under another name"


def test_what_is_only_called_otherwise_is_not_dropped() -> None:
    before: Known = {"t": (1, {"a": 1, "k": 2}), "old": (2, {"k": 1})}

    def measured(name: str, **after: tuple[int, dict[str, int]]) -> tuple[bool, str]:
        return _declared(name, Change("dropped"), before, after)

    assert measured("t.a", t=(1, {"a2": 1, "k": 2})) == (False, "t.a is called t.a2 now")
    assert measured("t.a", t2=(1, {"a": 1, "k": 2})) == (False, "t.a is called t2.a now")
    assert measured("old", archive=(2, {"k": 1})) == (False, "old is called archive now")
    assert measured("t.a", t=(1, {"a": 9})) == measured("old", old=(9, {})) == (False, "present")
    assert measured("t.a", t=(1, {"k": 2})) == measured("t.a", t2=(1, {"k": 2})) == measured("t.a") == measured("old") == (True, "absent")
    assert measured("t.x", t=(1, {"k": 2})) == (True, "absent, and it was not there earlier either")
