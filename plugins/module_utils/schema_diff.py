# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The difference of two snapshots: which objects came, went and changed.

What follows from another change is not listed again: the parts of an added or removed table, the index behind a constraint, the
sequence behind a serial or identity column. The order is that of the kinds below, then by name.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any, Dict, FrozenSet, Iterator, List, Mapping, Optional, Set, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name, object_name, own_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.renames import NONE, Renames
from ansible_collections.migrations.rehearsal.plugins.module_utils.schema_words import (
    Record,
    column_words,
    definition_words,
    difference_words,
    index_words,
    quote,
    relation_words,
    value_words,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import term, text

Snapshot = Mapping[str, Any]

# In the order in which changes are listed.
OBJECT_KINDS = (
    "extension", "schema", "type", "sequence", "table", "column", "constraint", "index", "statistics", "trigger", "rule", "policy",
    "view", "function", "event trigger", "publication", "subscription", "foreign server", "other", "grant", "default privileges",
    "setting",
)  # fmt: skip

_COLLECTIONS = (
    ("extensions", "extension"),
    ("schemas", "schema"),
    ("types", "type"),
    ("sequences", "sequence"),
    ("tables", "table"),
    ("views", "view"),
    ("functions", "function"),
    ("event_triggers", "event trigger"),
    ("publications", "publication"),
    ("subscriptions", "subscription"),
    ("foreign_servers", "foreign server"),
    ("others", "other"),
)
_PARTS = (
    ("columns", "column"),
    ("constraints", "constraint"),
    ("indexes", "index"),
    ("statistics", "statistics"),
    ("triggers", "trigger"),
    ("rules", "rule"),
    ("policies", "policy"),
)
# Objects of their own, though they are part of a record: of every record, and of a table's or view's.
_APART = frozenset(["grants"])
_APART_OF_RELATIONS = _APART | {"column_grants"} | {part for part, _kind in _PARTS}
# What another field, or a change of the table, says already.
_IMPLIED = frozenset(["schema", "name", "definition_hash", "inherited"])


@dataclasses.dataclass(frozen=True)
class Change:
    """One difference: added, removed, changed or renamed. `before` and `after` are the object's records, null where it is not there.

    Of what was renamed they hold nothing but its `name`, and `object` is the old one; all else is told under the new names. An index or a constraint
    counts as renamed where a table has one under another name and all else about it is the same, be it the same or made anew.

    `object` is the object's name: `table.name` for columns, constraints, triggers, rules and policies, the name with its schema
    for the rest. `table` is the table or view that the object belongs to.
    """

    kind: str
    object: str
    object_kind: str
    before: Any
    after: Any
    text: str
    table: Optional[str] = None

    def to_json(self) -> Dict[str, Any]:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class _Found:
    """An object of one snapshot. `role` tells the grants on one object apart.

    `within` are the objects that it comes and goes with; None if something else always shows that it came or went.
    """

    object_kind: str
    object: str
    record: Any
    table: Optional[str] = None
    role: str = ""
    within: Optional[Tuple[Tuple[str, str], ...]] = ()

    @property
    def key(self) -> Tuple[int, str, str]:
        return OBJECT_KINDS.index(self.object_kind), self.object, self.role


def diff(
    before: Snapshot,
    after: Snapshot,
    positions: bool = False,
    owners: bool = True,
    sequence_values: bool = False,
    renames: Renames = NONE,
) -> List[Change]:
    """What must be said about the way from one snapshot to the other; empty if they describe the same schema.

    `positions`: also where only the place of a column in its table differs; `owners`: also owners; `sequence_values`: also the last
    values of sequences. `renames`: what is known to be the same thing under another name.
    """
    renamed = list(_renamed(before, renames))
    before = renames.of_snapshot(before, after)
    optional = (("position", positions), ("owner", owners), ("last_value", sequence_values))
    ignored = _IMPLIED | {field for field, wanted in optional if not wanted}
    old = {found.key: found for found in _objects(before, after)}
    new = {found.key: found for found in _objects(after, before)}
    came = {(found.object_kind, found.object) for key, found in new.items() if key not in old}
    went = {(found.object_kind, found.object) for key, found in old.items() if key not in new}
    gone = [found for key, found in old.items() if key not in new and not _follows(found, went)]
    brought = [found for key, found in new.items() if key not in old and not _follows(found, came)]
    pairs = _same_but_for_the_name(gone, brought)
    paired = {one.key for pair in pairs for one in pair}
    told = [(one.key, _called_otherwise(one, other)) for one, other in pairs]
    told += [(found.key, _removed(found)) for found in gone if found.key not in paired]
    told += [(found.key, _added(found)) for found in brought if found.key not in paired]
    for key in old.keys() & new.keys():
        change = _changed(old[key], new[key], ignored)
        if change:
            told.append((key, change))
    changes = [change for _key, change in sorted(told, key=lambda pair: pair[0])]
    return sorted([*renamed, *changes], key=lambda change: (OBJECT_KINDS.index(change.object_kind), change.object)) if renamed else changes


_INDEX_NAME = re.compile(r'(CREATE (?:UNIQUE )?INDEX )(?:"(?:[^"]|"")*"|\S+)( ON )')


def _same_but_for_the_name(gone: List[_Found], brought: List[_Found]) -> List[Tuple[_Found, _Found]]:
    """Indexes and constraints of one table of which one is gone and one has come, and nothing else tells them apart."""
    sides: Dict[Tuple[str, Optional[str], str], Tuple[List[_Found], List[_Found]]] = {}
    for side, found_there in enumerate((gone, brought)):
        for found in found_there:
            if found.object_kind in ("index", "constraint"):
                record = {**found.record, "definition": _INDEX_NAME.sub(r"\1\2", found.record["definition"], count=1)}
                key = found.object_kind, found.table, json.dumps(record, sort_keys=True)
                sides.setdefault(key, ([], []))[side].append(found)
    return [(old[0], new[0]) for old, new in sides.values() if len(old) == len(new) == 1]


def _called_otherwise(old: _Found, new: _Found) -> Change:
    other = new.object if new.object_kind == "index" else own_name(new.object)
    said = text("{title} renamed to {other}", title=_title(old), other=other)
    return Change("renamed", old.object, old.object_kind, {"name": old.object}, {"name": new.object}, said, old.table)


def _renamed(before: Snapshot, renames: Renames) -> Iterator[Change]:
    for collection, kind in (("tables", "table"), ("views", "view"), ("sequences", "sequence")):
        for name, record in before.get(collection, {}).items():
            other = renames.relation(name)
            # A column's own sequence goes to another schema with its table.
            if other != name and not (record.get("owned_by") and own_name(other) == own_name(name)):
                yield _rename(kind, record.get("kind", kind), name, other, None)
            for column in renames.columns.get(name, {}) if kind == "table" else ():
                yield _rename("column", "column", column_name(name, column), column_name(other, renames.column(name, column)), name)


def _rename(kind: str, noun: str, name: str, other: str, table: Optional[str]) -> Change:
    said = text("{noun} {name} renamed to {other}", noun=term(noun), name=name, other=other)
    return Change("renamed", name, kind, {"name": name}, {"name": other}, said, table)


def _follows(found: _Found, others: Set[Tuple[str, str]]) -> bool:
    return found.within is None or any(owner in others for owner in found.within)


def _objects(snapshot: Snapshot, other: Snapshot) -> Iterator[_Found]:
    """The objects of a snapshot, without those that are word for word the same in the other one."""
    for collection, kind in _COLLECTIONS:
        known = other.get(collection, {})
        for name, record in snapshot.get(collection, {}).items():
            if record != known.get(name):
                yield from _object(kind, name, record)
    for collection, kind in (("default_privileges", "default privileges"), ("settings", "setting")):
        for name, entries in snapshot.get(collection, {}).items():
            for role, value in entries.items():
                yield _Found(kind, name, value, role=role)


def _object(kind: str, name: str, record: Record) -> Iterator[_Found]:
    within: Optional[Tuple[Tuple[str, str], ...]] = ()
    if kind == "sequence":
        within = None if record["identity"] else (("column", record["owned_by"]),) if record["owned_by"] else ()
    yield _Found(kind, name, record, within=within)
    for role, privileges in record.get("grants", {}).items():
        yield _Found("grant", name, privileges, role=role, within=((kind, name),))
    if kind not in ("table", "view"):
        return
    for column, grants in record["column_grants"].items():
        for role, privileges in grants.items():
            object_ = column_name(name, column)
            yield _Found("grant", object_, privileges, table=name, role=role, within=((kind, name), ("column", object_)))
    for part, part_kind in _PARTS:
        for part_name, part_record in record[part].items():
            yield _part(kind, name, record["schema"], part_kind, part_name, part_record)


def _part(kind: str, relation: str, schema: str, part_kind: str, name: str, record: Record) -> _Found:
    object_ = object_name(schema, name) if part_kind == "index" else column_name(relation, name)
    within: Optional[Tuple[Tuple[str, str], ...]] = ((kind, relation),)
    if part_kind == "column" and kind == "view":
        within = None
    elif part_kind == "index" and record["constraint"]:
        within = ((kind, relation), ("constraint", column_name(relation, record["constraint"])))
    return _Found(part_kind, object_, record, table=relation, within=within)


def _added(found: _Found) -> Change:
    words = _words(found)
    said = text("{title} added: {words}", title=_title(found), words=words) if words else text("{title} added", title=_title(found))
    return Change("added", found.object, found.object_kind, None, found.record, said, found.table)


def _removed(found: _Found) -> Change:
    return Change("removed", found.object, found.object_kind, found.record, None, text("{title} removed", title=_title(found)), found.table)


def _changed(old: _Found, new: _Found, ignored: FrozenSet[str]) -> Optional[Change]:
    if not isinstance(new.record, dict):
        if old.record == new.record:
            return None
        said = text("{title} changed: {words}", title=_title(new), words=value_words(old.record, new.record))
        return Change("changed", new.object, new.object_kind, old.record, new.record, said, new.table)
    apart = _APART_OF_RELATIONS if new.object_kind in ("table", "view") else _APART
    differences = difference_words(old.record, new.record, ignored | apart)
    if not differences:
        return None
    said = text("{title} changed: {words:semicolons}", title=_title(new), words=differences)
    before, after = ({field: value for field, value in found.record.items() if field not in apart} for found in (old, new))
    return Change("changed", new.object, new.object_kind, before, after, said, new.table)


def _title(found: _Found) -> str:
    """What the object is called in a sentence."""
    kind, name = found.object_kind, found.object
    if kind in ("constraint", "statistics", "trigger", "rule", "policy"):
        noun = found.record["kind"] if kind == "constraint" else kind
        if found.table is None:
            raise AssertionError("objects of this kind are of a table")
        return text("{noun} {name} on {table}", noun=term(noun), name=name[len(found.table) + 1 :], table=found.table)
    if kind == "index":
        return text("{noun} {name} on {table}", noun=term("index"), name=name, table=found.table)
    if kind in ("table", "view", "function"):
        return text("{noun} {name}", noun=term(found.record["kind"]), name=name)
    if kind == "type":
        noun = found.record["kind"]
        return text("{noun} {name}", noun=term(noun if noun in ("enum", "domain") else f"{noun} type"), name=name)
    if kind == "other":
        return name
    if kind == "grant":
        return text("grant on {name} to {role}", name=name, role=found.role)
    if kind == "default privileges":
        return text("default privileges for {name} to {role}", name=name, role=found.role)
    if kind == "setting":
        whose = text("the database") if name == "*" else text("role {role}", role=name)
        return text("setting {setting} of {whose}", setting=found.role, whose=whose)
    return text("{noun} {name}", noun=term(kind), name=name)


def _words(found: _Found) -> str:
    if found.object_kind == "column":
        return column_words(found.record)
    if found.object_kind == "index":
        return index_words(found.record)
    if found.object_kind == "table":
        return relation_words(found.record)
    return definition_words(found.record) if isinstance(found.record, dict) else quote(found.record)
