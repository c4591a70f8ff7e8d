"""Expectations of what is there under another name, is not valid, or never was; each over the evidence of another case."""

# A case is read best on few lines.
# ruff: noqa: E501

from __future__ import annotations

import expecting
import good
import structure
from stand import Case

_UNMET = "expectation-not-met"


def _good(name: str) -> Case:
    return next(case for case in good.CASES if case.name == name)


_RENAMED, _TABLE, _COPIED = _good("column renamed"), _good("table renamed"), _good("column copied and dropped, as anybody sees")
_INVALID = next(case for case in structure.CASES if ("index-invalid", "ux_objects_title") in case.findings)


def _looked(name: str, text: str, *things: str, of: Case = expecting.GOOD, **more: object) -> Case:
    findings = frozenset((_UNMET, thing) for thing in things) | more.pop("others", frozenset())  # type: ignore[operator]
    return Case(f"looked for: {name}", of.up, of=of, expectations=text, findings=findings, verdict="NO-GO" if findings else "GO", **more)  # type: ignore[arg-type]


CASES = [
    _looked("what never was is gone", "after_upgrade: {absent: {tables: [nowhere], columns: {nowhere: [a], shifts: [nothing]}, indexes: {nowhere: [ix], visits: [ix_none]}, foreign_keys: {nowhere: [fk], visits: [fk_none]}}}\n"),
    _looked("what never was was dropped", "changes: {nowhere: {dropped: true}, users.nothing: {dropped: true}}\n"),
    _looked("all of a table that is not there", "after_upgrade: {tables: {nowhere: {columns: {a: text}, indexes: [ix], foreign_keys: 1}}}\n", "nowhere", "nowhere.a"),
    _looked("names and numbers of a table that is not there", "after_upgrade: {tables: {nowhere: {indexes: 0, foreign_keys: [fk]}}}\n", "nowhere"),
    _looked("something like it", "after_upgrade: {tables: {visit: {}, visits: {columns: {user: text}, indexes: [ix_visit_user], foreign_keys: [visits_users_fk]}}}\n", "visit", "visits.user", "visits"),
    _looked("the copy of what never was", "changes: {shifts.late: {was: nothing}}\n", "shifts.nothing"),
    _looked("a mapping", "assertions: [{name: a, query: 'after.tables.visits.columns.{one: id.nullable, other: id.position}', equals: {one: false, other: 1.0}}]\n"),
    _looked("a mapping with another value", "assertions: [{name: a, query: 'after.tables.visits.columns.{one: id.nullable}', equals: {one: 0}}]\n", "after.tables.visits.columns.{one: id.nullable}"),
    _looked("a mapping with less", "assertions: [{name: a, query: 'after.tables.visits.columns.{one: id.nullable, other: id.position}', equals: {one: false}}]\n", "after.tables.visits.columns.{one: id.nullable, other: id.position}"),
    _looked("a list", "assertions: [{name: a, query: 'after.tables.visits.columns.[id.position, user_id.position]', equals: [1, 2.0]}]\n"),
    _looked("a list of others", "assertions: [{name: a, query: 'after.tables.visits.columns.[id.position, id.nullable]', equals: [1, 0]}, {name: b, query: 'after.tables.visits.columns.[id.position]', equals: [1, 2]}]\n",
            "after.tables.visits.columns.[id.position, id.nullable]", "after.tables.visits.columns.[id.position]"),
    _looked("an assertion of what was not measured", "assertions: [{name: a, query: after.nothing, equals: 1}, {name: b, query: record.verdict, equals: GO}]\n", "after.nothing"),
    _looked("an index that is not valid", "after_upgrade: {tables: {objects: {indexes: [ux_objects_title, ix_objects_owner]}}}\n", "objects", of=_INVALID, others=_INVALID.findings),
    _looked("indexes of which one is not valid", "after_upgrade: {tables: {objects: {indexes: 2}}}\n", "objects", of=_INVALID, others=_INVALID.findings),
    _looked("dropped, and only renamed", "changes: {contracts.note: {dropped: true}}\n", "contracts.note", of=_RENAMED),
    _looked("renamed as it was", "changes: {contracts.remark: {was: note}}\n", of=_RENAMED),
    _looked("renamed from another", "changes: {contracts.remark: {was: hourly_rate}}\n", "contracts.hourly_rate", of=_RENAMED),
    _looked("renamed to another", "changes: {contracts.other: {was: note}}\n", "contracts.note", of=_RENAMED),
    _looked("a table renamed as it was", "changes: {tariffs: {was: old_tariffs}}\n", of=_TABLE),
    _looked("a table dropped, and only renamed", "changes: {old_tariffs: {dropped: true}}\n", "old_tariffs", of=_TABLE),
    _looked("a table renamed to another", "changes: {fares: {was: old_tariffs}}\n", "old_tariffs", of=_TABLE),
    _looked("a copy as it was", "changes: {contracts.remark: {was: note}}\n", of=_COPIED),
    _looked("a copy of another", "changes: {contracts.remark: {was: valid_to}}\n", "contracts.valid_to", of=_COPIED),
    _looked("a copy by a name that was there", "changes: {contracts.hourly_rate: {was: note}}\n", "contracts.note", of=_COPIED),
]  # fmt: skip
BAD = [case for case in CASES if case.verdict != "GO"]
GOOD = [case for case in CASES if case.verdict == "GO"]
