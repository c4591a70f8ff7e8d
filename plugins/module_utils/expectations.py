# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user expects of a migration, as data that travels as JSON.

The controller reads the user's file (plugin_utils/expectations_file.py); everything here is pure and needs no YAML.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any, Dict, Mapping, Optional, Tuple, Union

from ansible_collections.migrations.rehearsal.plugins.module_utils.column_forms import Scalar

# How many there are (beside the primary key, for indexes), or the names that must be among them; None: nothing is expected.
CountOrNames = Union[None, int, Tuple[str, ...]]

PRODUCTION = "production"


@dataclasses.dataclass(frozen=True)
class ColumnExpectation:
    """A column that must be there. None: not asked; `default` counts only when `default_given`, for it may be None itself."""

    type: Optional[str] = None
    nullable: Optional[bool] = None
    default: Scalar = None
    default_given: bool = False


@dataclasses.dataclass(frozen=True)
class TableExpectation:
    """A table that must be there. `existing_rows`: column -> the JSON value that every row from before the upgrade holds."""

    columns: Mapping[str, ColumnExpectation] = dataclasses.field(default_factory=dict)
    indexes: CountOrNames = None
    foreign_keys: CountOrNames = None
    existing_rows: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Absent:
    """What must not be there; the dictionaries are table -> names."""

    tables: Tuple[str, ...] = ()
    columns: Mapping[str, Tuple[str, ...]] = dataclasses.field(default_factory=dict)
    indexes: Mapping[str, Tuple[str, ...]] = dataclasses.field(default_factory=dict)
    foreign_keys: Mapping[str, Tuple[str, ...]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Structure:
    """What the catalog must say at one moment. Tables are object names (`shifts`, `billing.invoices`)."""

    tables: Mapping[str, TableExpectation] = dataclasses.field(default_factory=dict)
    absent: Absent = dataclasses.field(default_factory=Absent)


@dataclasses.dataclass(frozen=True)
class RowChange:
    """How many rows a table may gain and lose; None: any number."""

    added: Optional[int] = 0
    removed: Optional[int] = 0


@dataclasses.dataclass(frozen=True)
class Change:
    """An intended change of existing data. `kind` says which:

    `expect`: a column, whose new value is `expression`, SQL over `old`; `changed`: a column that may hold anything now (not proved);
    `dropped`: a table or a column (their names never clash in one text: look for either); `rows`: a table that gains or loses rows;
    `renamed`: nothing but `became`, which any kind may have: the new name, of a table an object name, of a column the bare one.
    """

    kind: str
    expression: str = ""
    rows: Optional[RowChange] = None
    reason: str = ""
    became: str = ""


@dataclasses.dataclass(frozen=True)
class Assertion:
    """A JMESPath query. `operator` is `contains`, `equals` or `truthy` (`value` is not used then)."""

    name: str
    query: str
    operator: str = "truthy"
    value: Any = None


@dataclasses.dataclass(frozen=True)
class Expectations:
    """Everything one file says. `revision` empty: not asked. `changes` is by table or `table.column`."""

    revision: Tuple[str, ...] = ()
    after_upgrade: Structure = dataclasses.field(default_factory=Structure)
    after_downgrade: Structure = dataclasses.field(default_factory=Structure)
    downgrade_to: str = PRODUCTION
    changes: Mapping[str, Change] = dataclasses.field(default_factory=dict)
    assertions: Tuple[Assertion, ...] = ()

    def declared_expressions(self) -> Dict[str, str]:
        """`table.column` -> the SQL expression over `old` that gives the column's new value."""
        return {name: change.expression for name, change in self.changes.items() if change.kind == "expect"}

    def told_renames(self) -> Dict[str, str]:
        """Table or `table.column` -> its new name, where the user says that one is the copy of the other."""
        return {name: change.became for name, change in self.changes.items() if change.became}

    def to_json(self) -> Dict[str, Any]:
        """Plain JSON data (dictionaries, lists, scalars); `from_json` makes an equal object of it."""
        data: Dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Expectations:
        """The inverse of `to_json`; an empty mapping is a file that says nothing. Raises KeyError or TypeError for anything else."""
        if not data:
            return cls()
        return cls(
            revision=tuple(data["revision"]),
            after_upgrade=_structure(data["after_upgrade"]),
            after_downgrade=_structure(data["after_downgrade"]),
            downgrade_to=data["downgrade_to"],
            changes={name: _change(change) for name, change in data["changes"].items()},
            assertions=tuple(Assertion(**assertion) for assertion in data["assertions"]),
        )


def expression_problem(expression: str) -> Optional[str]:
    """Why a text cannot be the expression of a declared change, or None.

    It is put into a query between parentheses, so it must stay inside them; the server has the last word on the rest.
    """
    for character in (";", "\\", "--", "/*"):
        if character in expression:
            return f"it holds {character!r}" if character != "\\" else "it holds a backslash"
    bare = re.sub(r"'(?:[^']|'')*'", "''", expression)
    if bare.count("'") % 2 or bare.count('"') % 2:
        return "a quote is not closed"
    if not re.search(r"\bold\b", bare, re.IGNORECASE):
        return "it does not use the word old"
    outside = re.sub(r'"[^"]*"', '""', bare)
    if "$" in outside:
        return "it holds '$' outside quotes"
    depth = 0
    for character in outside:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            break
    return "its parentheses do not match" if depth else None


def _structure(data: Mapping[str, Any]) -> Structure:
    return Structure(tables={name: _table(table) for name, table in data["tables"].items()}, absent=_absent(data["absent"]))


def _table(data: Mapping[str, Any]) -> TableExpectation:
    return TableExpectation(
        columns={name: ColumnExpectation(**column) for name, column in data["columns"].items()},
        indexes=_count_or_names(data["indexes"]),
        foreign_keys=_count_or_names(data["foreign_keys"]),
        existing_rows=dict(data["existing_rows"]),
    )


def _absent(data: Mapping[str, Any]) -> Absent:
    lists = {kind: {table: tuple(names) for table, names in data[kind].items()} for kind in ("columns", "indexes", "foreign_keys")}
    return Absent(tables=tuple(data["tables"]), **lists)


def _count_or_names(data: Any) -> CountOrNames:
    return data if data is None or isinstance(data, int) else tuple(data)


def _change(data: Mapping[str, Any]) -> Change:
    rows = data["rows"]
    return Change(data["kind"], data["expression"], None if rows is None else RowChange(**rows), data["reason"], data.get("became", ""))
