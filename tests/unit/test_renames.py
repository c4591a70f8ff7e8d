"""What is called otherwise at another moment is told by OID and number; definitions that differ in names only are the same."""

from __future__ import annotations

from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import data_diff, renames, schema_diff
from ansible_collections.migrations.rehearsal.plugins.module_utils.renames import NONE, Renames, between
from ansible_collections.migrations.rehearsal.plugins.module_utils.structure_checks import check
from snapshot_builder import column, constraint, foreign_key, index, snapshot, table


def identity(**tables: tuple[int, list[str]]) -> dict[str, Any]:
    return {"tables": {name: {"oid": oid, "columns": {one: n for n, one in enumerate(columns, 1) if one}} for name, (oid, columns) in tables.items()}}


BEFORE = identity(users=(1, ["id", "mail", "old"]), tariffs=(2, ["id", "price"]))


def test_a_column_keeps_its_number_and_a_table_its_oid() -> None:
    after = {"tables": {**identity(people=(1, ["id", "email", ""]))["tables"], **identity(tariffs=(2, ["id", "price", "more"]))["tables"]}}
    found = between(BEFORE, after)
    assert found == Renames({"users": "people"}, {"users": {"mail": "email"}})
    assert [found.label(name) for name in ("users", "users.mail", "users.id", "tariffs.id", "userss.mail")] == [
        "people", "people.email", "people.id", "tariffs.id", "userss.mail",
    ]  # fmt: skip
    assert found.inverse() == Renames({"people": "users"}, {"people": {"email": "mail"}}) and found.inverse().inverse() == found


def test_a_name_that_is_there_at_both_moments_is_no_rename() -> None:
    swapped = identity(users=(2, ["id", "mail", "old"]), tariffs=(1, ["id", "price"]))
    assert not between(BEFORE, swapped)
    numbers = {"tables": {**BEFORE["tables"], "users": {"oid": 1, "columns": {"id": 1, "old": 2}}}}
    assert not between(BEFORE, numbers), "mail became old, and old is gone: whoever reads old gets what was in mail"


def test_schema_and_name_are_told_apart_however_they_are_written() -> None:
    assert renames._parts("users") == ("public", "users")
    assert renames._parts("billing.acts") == ("billing", "acts")
    assert renames._parts('billing."My ""acts"""') == ("billing", 'My "acts"')
    assert renames._parts('"Big.One".acts') == ("Big.One", "acts")


def test_numbers_mean_nothing_in_a_table_that_was_made_anew() -> None:
    assert not between(BEFORE, identity(users=(9, ["id", "email", "old"]), tariffs=(2, ["id", "price"])))


def test_what_was_copied_must_be_told() -> None:
    after = identity(users=(1, ["id", "", "old", "email"]), plans=(7, ["id", "price"]))
    assert not between(BEFORE, after)
    assert between(BEFORE, after, {"users.mail": "email", "tariffs": "plans"}) == Renames({"tariffs": "plans"}, {"users": {"mail": "email"}})
    assert not between(BEFORE, after, {"users.mail": "nothing", "users.old": "email", "tariffs": "users"})
    assert between(None, after, {"users.mail": "email"}) is NONE


def _schema(name: str, column_: str, **more: Any) -> dict[str, Any]:
    definition = f"CREATE INDEX ix ON public.{name} USING btree ({column_})"
    users = table(
        name, {"id": column(nullable=False), column_: column("text", **more)},
        indexes={"ix": {**index(name, column_), "definition": definition}},
        constraints={"long": constraint("check", [column_], f"CHECK ((length({column_}) > 3))")},
    )  # fmt: skip
    # They keep their names.
    for part in ("constraints", "indexes"):
        users[part] = {
            one.replace("people", "users"): {**record, "constraint": None} if part == "indexes" else record for one, record in users[part].items()
        }
    notes = table("notes", {"mail": column("text")}, constraints={"fk": foreign_key("mail", name)})
    notes["constraints"]["fk"].update(referenced_columns=[column_], definition=f"FOREIGN KEY (mail) REFERENCES public.{name}({column_})")
    return snapshot(users, notes)


def test_only_what_more_than_the_name_says_is_a_change() -> None:
    before, renames = _schema("users", "mail"), Renames({"users": "people"}, {"users": {"mail": "email"}})
    said = schema_diff.diff(before, _schema("people", "email"), renames=renames)
    assert [change.text for change in said] == ["table users renamed to people", "column users.mail renamed to people.email"]
    assert {change.kind for change in said} == {"renamed"}
    after = _schema("people", "email", nullable=False)
    after["tables"]["people"]["constraints"]["long"]["definition"] = "CHECK ((length(email) > 5))"
    after["tables"]["people"]["columns"]["more"] = column("integer")
    texts = [change.text for change in schema_diff.diff(before, after, renames=renames)]
    assert len(texts) == 5
    assert "column people.more added: integer" in texts and "column people.email changed: now not null" in texts
    assert any("CHECK ((length(mail) > 3)) became CHECK ((length(email) > 5))" in text for text in texts)


def test_names_of_another_table_explain_nothing() -> None:
    renames = Renames({}, {"users": {"mail": "email"}})
    before, after = (snapshot(table("t", {"mail": column(), "email": column()}, indexes={"i": index("t", name)})) for name in ("mail", "email"))
    assert [change.object for change in schema_diff.diff(before, after, renames=renames)] == ["i"]


def test_an_old_defect_of_a_renamed_table_stays_an_old_one() -> None:
    before, after, renames = _schema("users", "mail"), _schema("people", "email"), Renames({"users": "people"}, {"users": {"mail": "email"}})
    found = check(after, schema_diff.diff(before, after, renames=renames))
    assert found and not any(one["touched"] for one in found)


def _print(name: str, column_: str, digest: str, rows: int = 3) -> dict[str, Any]:
    columns = {
        one: {"type": "text", "number": n, "by": "text", "non_null": rows, "hash": value}
        for n, (one, value) in enumerate([("id", "1"), (column_, digest)], 1)
    }
    return {"proof": "full", "left_out": {}, "tables": {name: {"rows": rows, "key": ["id"], "proof": "full", "files": [], "columns": columns}}}


def test_values_are_proved_across_a_rename() -> None:
    renames = Renames({"users": "people"}, {"users": {"id": "key", "mail": "email"}})
    after = _print("people", "email", "5")
    (entry,) = after["tables"].values()
    entry["columns"]["key"] = entry["columns"].pop("id")
    entry["key"] = ["key"]
    before = _print("users", "mail", "5")
    assert {change.kind for change in data_diff.compare(before, after, renames=renames)} == {"table-renamed", "column-renamed"}
    before = _print("users", "mail", "6")
    changed = [change for change in data_diff.compare(before, after, renames=renames) if change.kind == "column-changed"]
    assert [change.object for change in changed] == ["users.mail"] and "(users.mail is called people.email now)" in changed[0].text
    assert data_diff.to_follow(before, after, {}, renames=renames) == {"users": ["mail"]}
    assert "table-dropped" in {change.kind for change in data_diff.compare(before, after)}
