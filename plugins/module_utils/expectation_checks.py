# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured, held against what the user expects: a line of the checklist for each expectation."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
from typing import Any, Callable, Iterable, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.column_forms import canonical_type, default_matches, default_text
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import ColumnExpectation, Expectations, Structure
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import WARNING
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.renames import NONE, Renames
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import Text, term, text

# The tables of a snapshot, and what a look at them gives: whether the expectation holds, and what was measured.
Tables = Mapping[str, Mapping[str, Any]]
Look = Callable[[Tables], Tuple[bool, str]]

NOT_MEASURED = text("not measured")

PRESENT, ABSENT = text("present"), text("absent")
# True all the same, but a misspelt name is true as well: the reader must be able to see it.
NEVER_THERE = text("absent, and it was not there earlier either")

# Stage -> the moment that it ends with, and the moment that it starts from.
_MOMENTS = {"upgrade": ("after", "before"), "downgrade": ("back", "after")}
_SINGULAR = {"tables": "table", "columns": "column", "indexes": "index", "foreign_keys": "foreign key"}


@dataclasses.dataclass(frozen=True)
class Check:
    """One expectation and what was found: a line of the checklist, and a finding when it is not ok.

    `stage` is `upgrade` or `downgrade`; `object` is an object name, or the query of an assertion; "" for the revision. `code` is that of the finding.
    """

    item: str
    stage: str
    object: str
    ok: bool
    measured: str
    expected: str
    code: str = "expectation-not-met"
    severity: Optional[str] = None  # another than that of the code


def check_structure(
    expectations: Expectations,
    snapshots: Mapping[str, Mapping[str, Any]],
    heads_after: Optional[Sequence[str]],
    renames: Optional[Renames] = None,
) -> List[Check]:
    """One Check for each expectation about revision and catalog, in the order of the file.

    `snapshots` is moment -> snapshot; a moment that is not there makes its checks not ok, with the measurement "not measured".
    So does `heads_after` None (the revisions that the database stood at after the upgrade), and `renames` None (what the upgrade called
    otherwise: the very pairs whose values were compared) for what the file says of copies.
    """
    checks: List[Check] = []
    if expectations.revision:
        wanted = ", ".join(expectations.revision)
        reached = heads_after is not None and set(heads_after) == set(expectations.revision)
        measured = NOT_MEASURED if heads_after is None else ", ".join(heads_after) or text("no revision")
        said = text("revision {wanted} is reached", wanted=wanted)
        checks.append(Check(said, "upgrade", "", reached, measured, wanted, "revision-not-reached"))
    for stage, structure in (("upgrade", expectations.after_upgrade), ("downgrade", expectations.after_downgrade)):
        now, earlier = (_tables(snapshots, moment) for moment in _MOMENTS[stage])
        for item, object_, expected, look in _looks(structure, earlier):
            checks.append(_check(item, stage, object_, expected, now, look))
    after, before = (_tables(snapshots, moment) for moment in _MOMENTS["upgrade"])
    for name, change in expectations.changes.items():
        if change.kind == "dropped":
            look = functools.partial(_look_dropped, name, before, renames or NONE)
            checks.append(_check(text("{name} is dropped", name=name), "upgrade", name, ABSENT, after, look))
        elif change.became:
            look = functools.partial(_look_renamed, name, change.became, before or {}, renames or NONE)
            known = None if renames is None or before is None else after
            checks.append(_check(text("{name} is {other} now", name=name, other=change.became), "upgrade", name, PRESENT, known, look))
    return checks


def check_existing_rows(expectations: Expectations, checks: Mapping[str, Any]) -> List[Check]:
    """One Check for each column under `existing_rows`, from evidence `checks-after.json`.

    A measurement counts when it was made with the very value that is expected.
    """
    results = []
    for table, expectation in expectations.after_upgrade.tables.items():
        for column, value in expectation.existing_rows.items():
            found = [
                entry
                for entry in checks.get("existing_rows") or []
                if entry.get("table") == table
                and entry.get("column") == column
                and "expected" in entry
                and same_value(entry["expected"], value)
                and ("no_value_of" in entry or (isinstance(entry.get("rows"), int) and isinstance(entry.get("matching"), int)))
            ]
            unclear = [entry for entry in found if entry.get("unclear")]
            impossible = [entry["no_value_of"] for entry in found if "no_value_of" in entry]
            shown = json.dumps(value, ensure_ascii=False)
            code, severity = "expectation-not-met", None
            if not found:
                ok, measured = False, NOT_MEASURED
            elif impossible:
                ok, measured = False, text("no value of type {type}", type=impossible[0])
            else:
                ok = all(entry["rows"] == entry["matching"] for entry in found)
                worst = min(found, key=lambda entry: int(entry["matching"] - entry["rows"]))
                measured = text("{matching:number} of {rows:number} rows", matching=worst["matching"], rows=worst["rows"])
                if ok and unclear:
                    ok, code, severity = False, "data-not-compared", WARNING
                    measured = text(
                        "{measured} that were surely there before; of {unclear:count other|others} without it that is not known: {why:heard}",
                        measured=measured,
                        unclear=unclear[0]["unclear"],
                        why=unclear[0]["reason"],
                    )
            name = column_name(table, column)
            item, wanted = text("every existing row holds {name} = {value}", name=name, value=shown), text("{value} in every row", value=shown)
            results.append(Check(item, "upgrade", name, ok, measured, wanted, code, severity))
    return results


def _tables(snapshots: Mapping[str, Mapping[str, Any]], moment: str) -> Optional[Tables]:
    return (snapshots.get(moment) or {}).get("tables")


def _check(item: str, stage: str, object_: str, expected: str, tables: Optional[Tables], look: Look) -> Check:
    ok, measured = (False, NOT_MEASURED) if tables is None else look(tables)
    return Check(item, stage, object_, ok, measured, expected)


def _looks(structure: Structure, earlier: Optional[Tables]) -> Iterable[Tuple[str, str, str, Look]]:
    """(item, object, expected, look) of each expectation about one moment."""
    for table, expectation in structure.tables.items():
        yield text("table {table} exists", table=table), table, PRESENT, functools.partial(_look_table, table)
        for column, wanted in expectation.columns.items():
            name, form = column_name(table, column), _wanted_form(wanted)
            item = text("column {name} is {form}", name=name, form=form) if form else text("column {name} exists", name=name)
            yield item, name, form or PRESENT, functools.partial(_look_column, table, column, wanted)
        for kind, wanted_keys in (("indexes", expectation.indexes), ("foreign_keys", expectation.foreign_keys)):
            if isinstance(wanted_keys, int):
                item = (
                    text("table {table} has {count:count index|indexes} beside the primary key", table=table, count=wanted_keys)
                    if kind == "indexes"
                    else text("table {table} has {count:count foreign key|foreign keys}", table=table, count=wanted_keys)
                )
                yield item, table, str(wanted_keys), functools.partial(_look_count, table, kind, wanted_keys)
            for name in wanted_keys if isinstance(wanted_keys, tuple) else ():
                item = text("{noun} {name} on {table} exists", noun=term(_SINGULAR[kind]), name=name, table=table)
                yield item, table, PRESENT, functools.partial(_look_name, table, kind, name)
    absent = structure.absent
    for table in absent.tables:
        yield text("table {table} is absent", table=table), table, ABSENT, functools.partial(_look_absent, table, "tables", table, earlier)
    for kind, lists in (("columns", absent.columns), ("indexes", absent.indexes), ("foreign_keys", absent.foreign_keys)):
        for table, names in lists.items():
            for name in names:
                object_ = column_name(table, name) if kind == "columns" else table
                item = (
                    text("column {name} is absent", name=object_)
                    if kind == "columns"
                    else text("{noun} {name} on {table} is absent", noun=term(_SINGULAR[kind]), name=name, table=table)
                )
                yield item, object_, ABSENT, functools.partial(_look_absent, table, kind, name, earlier)


def _look_table(table: str, tables: Tables) -> Tuple[bool, str]:
    return (True, PRESENT) if table in tables else (False, _none("table", table, tables))


def _look_column(table: str, column: str, wanted: ColumnExpectation, tables: Tables) -> Tuple[bool, str]:
    if table not in tables:
        return _look_table(table, tables)
    columns = tables[table]["columns"]
    if column not in columns:
        return False, _none("column", column, columns)
    found = columns[column]
    ok = True
    forms: List[str] = []
    if wanted.type is not None:
        ok = ok and canonical_type(wanted.type) == canonical_type(found["type"])
        forms.append(found["type"])
    if wanted.nullable is not None:
        ok = ok and wanted.nullable == found["nullable"]
        forms.append(_nullable(found["nullable"]))
    if wanted.default_given:
        ok = ok and default_matches(wanted.default, found["default"])
        forms.append(text("no default") if found["default"] is None else f"default {found['default']}")
    return ok, text("{forms:list}", forms=forms) if forms else PRESENT


def _look_count(table: str, kind: str, wanted: int, tables: Tables) -> Tuple[bool, str]:
    if table not in tables:
        return _look_table(table, tables)
    found = _members(tables[table], kind)
    counted = [name for name, entry in found.items() if kind != "indexes" or (_is_usable(entry) and not entry.get("primary"))]
    invalid = [name for name, entry in found.items() if kind == "indexes" and not _is_usable(entry)]
    measured = str(len(counted)) + (": " + ", ".join(sorted(counted)) if counted else "")
    if invalid:
        measured = text("{measured}; not valid: {invalid:list}", measured=measured, invalid=sorted(invalid))
    return len(counted) == wanted, measured


def _look_name(table: str, kind: str, name: str, tables: Tables) -> Tuple[bool, str]:
    if table not in tables:
        return _look_table(table, tables)
    found = _members(tables[table], kind)
    if name not in found:
        return False, _none(_SINGULAR[kind], name, found)
    return (True, PRESENT) if kind != "indexes" or _is_usable(found[name]) else (False, text("present, but not valid"))


def _look_absent(table: str, kind: str, name: str, earlier: Optional[Tables], tables: Tables) -> Tuple[bool, str]:
    if _is_there(table, kind, name, tables):
        return False, PRESENT
    return True, ABSENT if earlier is None or _is_there(table, kind, name, earlier) else NEVER_THERE


def _look_dropped(name: str, before: Optional[Tables], renames: Renames, tables: Tables) -> Tuple[bool, str]:
    """What is there under another name was not dropped: nor were its values."""
    if _find(name, tables) is not None:
        return False, PRESENT
    found = None if before is None else _find(name, before)
    if found is not None and _find(renames.label(name), tables) is not None:
        return False, text("{name} is called {other} now", name=name, other=renames.label(name))
    return True, ABSENT if before is None or found is not None else NEVER_THERE


def _look_renamed(name: str, other: str, before: Tables, renames: Renames, tables: Tables) -> Tuple[bool, str]:
    """Whether the values of the one were held against those of the other: what is there by both names may still be two things."""
    found = _find(name, before)
    if found is None:
        return False, text("{name} was not there before", name=name)
    table, column = found
    became = other if column is None else column_name(renames.relation(table), other)
    if renames.label(name) == became:
        return (True, PRESENT) if _find(became, tables) is not None else (False, ABSENT)
    if _find(name, tables) is not None:
        return False, text("{name} is there still", name=name)
    if _find(renames.label(name), tables) is not None:
        return False, text("{name} is called {other} now", name=name, other=renames.label(name))
    if _find(became, tables) is None:
        return False, ABSENT
    another = renames.inverse().label(became)
    if another != became:
        return False, text("{name} is called {other} now", name=another, other=became)
    return False, text("{name} was there before", name=became)


def _find(name: str, tables: Tables) -> Optional[Tuple[str, Optional[str]]]:
    """(table, column or None) of an object name; None where nothing is called so."""
    if name in tables:
        return name, None
    pairs = ((table, column) for table, entry in tables.items() for column in entry["columns"])
    return next((pair for pair in pairs if column_name(*pair) == name), None)


def _is_there(table: str, kind: str, name: str, tables: Tables) -> bool:
    return table in tables and (kind == "tables" or name in _members(tables[table], kind))


def _members(table: Mapping[str, Any], kind: str) -> Mapping[str, Mapping[str, Any]]:
    """The columns, indexes or foreign keys of a table of a snapshot, by name."""
    if kind == "foreign_keys":
        return {name: entry for name, entry in table["constraints"].items() if entry["kind"] == "foreign key"}
    members: Mapping[str, Mapping[str, Any]] = table[kind]
    return members


def _is_usable(index: Mapping[str, Any]) -> bool:
    # A failed CREATE INDEX CONCURRENTLY leaves an index that has a name and does nothing.
    return index.get("valid") is not False


def _none(what: str, name: str, names: Iterable[str]) -> Text:
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.75)
    said = text("no {noun} {name}", noun=term(what), name=name)
    return text("{said} (there is {near})", said=said, near=near[0]) if near else said


def _wanted_form(wanted: ColumnExpectation) -> str:
    forms: List[str] = [] if wanted.type is None else [canonical_type(wanted.type)]
    if wanted.nullable is not None:
        forms.append(_nullable(wanted.nullable))
    if wanted.default_given:
        forms.append(text("no default") if wanted.default is None else f"default {default_text(wanted.default)}")
    return text("{forms:list}", forms=forms) if forms else ""


def _nullable(nullable: bool) -> str:
    return text("nullable") if nullable else "not null"


def same_value(one: Any, other: Any) -> bool:
    """Equality of JSON values: true is not 1, but 1 is 1.0 (JSON has one kind of number)."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same_value(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(same_value(*pair) for pair in zip(one, other))
    return bool(one == other)
