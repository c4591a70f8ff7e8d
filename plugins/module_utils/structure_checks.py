# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that nobody has to write: defects that can be read off the catalog alone.

Pure functions over one snapshot, without a look at rows. `touched` tells what the migrations brought from what was there before.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Callable, Collection, Dict, Iterator, List, Mapping, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import structure_indexes, structure_outside
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import INFO
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.schema_diff import Change
from ansible_collections.migrations.rehearsal.plugins.module_utils.structure_touched import Finding, Touched, finding
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import term, text

Snapshot = Mapping[str, Any]

_NARROW_INTEGERS = {"integer": 2_147_483_647, "smallint": 32_767}


def check(
    snapshot: Snapshot,
    changes: Sequence[Change],
    rows: Optional[Mapping[str, int]] = None,
    is_small: Callable[[str], bool] = lambda _table: False,
) -> List[Finding]:
    """All findings in a snapshot; `changes` are the differences from "before" to it, and make a finding `touched`. `rows` as far as counted.

    `is_small`: whether a table is too small for what costs time by its size. Each finding is `{"code", "object", "touched", "measured", "advice",
    "severity"}` (null: the code's own), ordered by code, then object.
    """
    touched = Touched(changes)
    checks: List[Callable[[Snapshot, Touched], Iterator[Finding]]] = [
        functools.partial(_foreign_keys, rows=rows or {}, is_small=is_small),
        structure_indexes.check,
        _columns,
        _primary_keys,
        _not_valid,
        _not_enforced,
        structure_outside.check,
    ]
    found = [found for one in checks for found in one(snapshot, touched)]
    return sorted(found, key=lambda one: (one["code"], one["object"], one["measured"]))


def _foreign_keys(snapshot: Snapshot, touched: Touched, rows: Mapping[str, int], is_small: Callable[[str], bool]) -> Iterator[Finding]:
    domains = _domains(snapshot)
    for name, table in snapshot["tables"].items():
        for constraint, key in table["constraints"].items():
            # A partition's foreign key comes and goes with the one of its partitioned table.
            if key["kind"] == "foreign key" and not key["inherited"]:
                is_new = touched.constraint(name, constraint)
                yield from _set_null(snapshot, name, constraint, is_new, touched)
                yield from _key_types(snapshot, name, constraint, is_new, touched, domains)
                yield from _key_index(snapshot, name, constraint, is_new, touched, rows, INFO if is_small(name) else None)


def _set_null(snapshot: Snapshot, name: str, constraint: str, is_new: bool, touched: Touched) -> Iterator[Finding]:
    table = snapshot["tables"][name]
    key = table["constraints"][constraint]
    refusing = {record["type"] for record in snapshot["types"].values() if record["kind"] == "domain" and not record.get("nullable", True)}
    domains = _domains(snapshot)
    for event, action in (("DELETE", key["on_delete"]), ("UPDATE", key["on_update"])):
        columns = (key["on_delete_columns"] if event == "DELETE" else None) or key["columns"]
        refused = []
        for column in columns:
            record = table["columns"][column]
            nulls = action == "set null" or (action == "set default" and record["default"] is None)
            if nulls and (not record["nullable"] or _any_domain(record["type"], domains, refusing)):
                refused.append(column)
        if refused:
            named = ", ".join(refused)
            yield finding(
                "fk-set-null-not-null",
                column_name(name, constraint),
                is_new or any(touched.column(name, column, ("nullable", "default")) for column in refused),
                text(
                    "ON {event} {action}, but NOT NULL ({columns}): {event} on {table} fails as soon as a row refers to it",
                    event=event,
                    action=action.upper(),
                    columns=named,
                    table=key["references"],
                ),
                f"ON {event} CASCADE or RESTRICT, or allow NULL in {name} ({named})",
            )


def _key_types(snapshot: Snapshot, name: str, constraint: str, is_new: bool, touched: Touched, domains: Mapping[str, str]) -> Iterator[Finding]:
    key = snapshot["tables"][name]["constraints"][constraint]
    referenced = snapshot["tables"].get(key["references"])
    if referenced is None:
        return
    for column, other in zip(key["columns"], key["referenced_columns"]):
        own_type, other_type = snapshot["tables"][name]["columns"][column]["type"], referenced["columns"][other]["type"]
        if _without_limits(_base_type(own_type, domains)) != _without_limits(_base_type(other_type, domains)):
            yield finding(
                "fk-type-mismatch",
                column_name(name, constraint),
                is_new or touched.column(name, column, ("type",)) or touched.column(key["references"], other, ("type",)),
                text(
                    "{column} is {type}, {other} is {other_type}",
                    column=column_name(name, column),
                    type=own_type,
                    other=column_name(key["references"], other),
                    other_type=other_type,
                ),
                f"give {column_name(name, column)} the type {other_type}",
            )


def _key_index(
    snapshot: Snapshot, name: str, constraint: str, is_new: bool, touched: Touched, rows: Mapping[str, int], severity: Optional[str]
) -> Iterator[Finding]:
    table = snapshot["tables"][name]
    key = table["constraints"][constraint]
    if any(structure_indexes.supports(index, key["columns"]) for index in table["indexes"].values()):
        return
    columns = ", ".join(key["columns"])
    counted = [text("{table}: {rows:count row|rows}", table=one, rows=rows[one]) for one in dict.fromkeys((name, key["references"])) if one in rows]
    yield finding(
        "fk-without-index",
        column_name(name, constraint),
        is_new or touched.lost_index(name, key["columns"]),
        text(
            "no index begins with ({columns}): every DELETE and key UPDATE on {other} reads the whole of {table}{counted}",
            columns=columns,
            other=key["references"],
            table=name,
            counted=text(" ({counted:semicolons})", counted=counted) if counted else "",
        ),
        f"CREATE INDEX CONCURRENTLY ON {name} ({columns})",
        severity,
    )


def _columns(snapshot: Snapshot, touched: Touched) -> Iterator[Finding]:
    domains = _domains(snapshot)
    for name, table in snapshot["tables"].items():
        if table["partition_of"]:
            continue
        for column, record in table["columns"].items():
            type_ = _base_type(record["type"], domains)
            is_new = touched.column(name, column, ("type",))
            if re.fullmatch(r"timestamp(\(\d\))? without time zone(\[\])*", type_):
                yield finding(
                    "timestamp-without-time-zone", column_name(name, column), is_new,
                    text("type {type}: what moment a value is depends on who reads it", type=record["type"]),
                    "timestamptz (timestamp with time zone)",
                )  # fmt: skip
            elif re.fullmatch(r"json(\[\])*", type_):
                yield finding(
                    "json-not-jsonb", column_name(name, column), is_new,
                    text("type {type}: no equality, so DISTINCT, GROUP BY and UNION fail; no index", type=record["type"]),
                    "jsonb, unless the text must come back letter by letter",
                )  # fmt: skip


def _primary_keys(snapshot: Snapshot, touched: Touched) -> Iterator[Finding]:
    domains = _domains(snapshot)
    for name, table in snapshot["tables"].items():
        foreign = {column for key in table["constraints"].values() if key["kind"] == "foreign key" for column in key["columns"]}
        for constraint, key in table["constraints"].items():
            # A key of several columns, or one that is a foreign key, takes its range from elsewhere.
            if key["kind"] != "primary key" or key["inherited"] or len(key["columns"]) != 1 or key["columns"][0] in foreign:
                continue
            (column,) = key["columns"]
            type_ = _base_type(table["columns"][column]["type"], domains)
            if type_ in _NARROW_INTEGERS:
                yield finding(
                    "integer-primary-key",
                    column_name(name, column),
                    touched.constraint(name, constraint) or touched.column(name, column, ("type",)),
                    text("primary key of type {type}: ends at {end:number}", type=type_, end=_NARROW_INTEGERS[type_]),
                    "bigint: a later change of the type rewrites the table and all that refer to it",
                )


def _not_valid(snapshot: Snapshot, touched: Touched) -> Iterator[Finding]:
    for name, table in snapshot["tables"].items():
        for constraint, record in table["constraints"].items():
            if record["validated"] or record["inherited"]:
                continue
            enforced = not record["definition"].endswith("NOT ENFORCED")
            yield finding(
                "constraint-not-valid",
                column_name(name, constraint),
                touched.constraint(name, constraint),
                text("{kind} is NOT VALID: rows that were there before may break it", kind=record["kind"])
                if enforced
                else text("{kind} is NOT ENFORCED: any row may break it", kind=record["kind"]),
                f"ALTER TABLE {name} " + (f"VALIDATE CONSTRAINT {constraint}" if enforced else f"ALTER CONSTRAINT {constraint} ENFORCED"),
            )
    for name, domain in snapshot["types"].items():
        for constraint, record in domain.get("constraints", {}).items():
            if not record["validated"]:
                yield finding(
                    "constraint-not-valid",
                    column_name(name, constraint),
                    touched.object("type", name),
                    text("constraint of domain {domain} is NOT VALID: values that were there before may break it", domain=name),
                    f"ALTER DOMAIN {name} VALIDATE CONSTRAINT {constraint}",
                )


def _not_enforced(snapshot: Snapshot, touched: Touched) -> Iterator[Finding]:
    for name, table in snapshot["tables"].items():
        for constraint, record in table["constraints"].items():
            if record.get("enabled") == "disabled" and not record["inherited"]:
                yield finding(
                    "constraint-not-enforced",
                    column_name(name, constraint),
                    touched.constraint(name, constraint),
                    text("the triggers that keep the {kind} are disabled: any row may break it", kind=term(record["kind"])),
                    f"ALTER TABLE {name} ENABLE TRIGGER ALL",
                )


def _domains(snapshot: Snapshot) -> Dict[str, str]:
    """The base type of each domain, both as format_type() writes them."""
    return {record["type"]: record["base"] for record in snapshot["types"].values() if record["kind"] == "domain"}


def _any_domain(type_: str, domains: Mapping[str, str], wanted: Collection[str]) -> bool:
    """The type, or a domain under it, is one of these."""
    while type_ in domains:
        if type_ in wanted:
            return True
        type_ = domains[type_]
    return False


def _without_limits(type_: str) -> str:
    """A length or a precision does not keep two columns from being compared."""
    return re.sub(r"\([\d,]+\)", "", type_)


def _base_type(type_: str, domains: Mapping[str, str]) -> str:
    while type_ in domains:
        type_ = domains[type_]
    return type_
