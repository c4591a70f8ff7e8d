# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is called otherwise at another moment, and what evidence says under the other names. Pure, but for `read_identity`.

A relation keeps its OID and a column its number, whatever its name, schema and type become. A name that is there at both moments is never taken for
renamed: whoever uses that name gets what it stands for now. What was copied and dropped only the expectations can tell (`was`).
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Dict, FrozenSet, Iterator, List, Mapping, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name, object_name, own_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session

# {"tables" | "views" | "sequences": {NAME: {"oid": …, "columns": {NAME: number}}}}
Identity = Mapping[str, Mapping[str, Mapping[str, Any]]]
Pair = Tuple[str, str]

_KINDS = {"tables": "rpf", "views": "vm", "sequences": "S"}
_IDENTITY = """
SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.oid::bigint AS oid,
    CASE WHEN c.relkind <> 'S' THEN (
        SELECT jsonb_object_agg(a.attname, a.attnum) FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ) END AS columns
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND c.relpersistence <> 't' AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'
"""


def read_identity(session: Session) -> Dict[str, Any]:
    """Which relation and column is which, in the connected database. Raises PostgresError."""
    found: Dict[str, Any] = {collection: {} for collection in _KINDS}
    for row in session.iterate(_IDENTITY):
        collection = next(name for name, kinds in _KINDS.items() if row["kind"] in kinds)
        found[collection][object_name(row["schema"], row["name"])] = {"oid": row["oid"], "columns": row["columns"] or {}}
    return found


@dataclasses.dataclass(frozen=True)
class Renames:
    """`relations`: old name -> new name, of those that are called otherwise; `columns`: the same, by the table's old name."""

    relations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.relations or self.columns)

    def relation(self, name: str) -> str:
        """What the relation is called now."""
        return self.relations.get(name, name)

    def column(self, table: str, column: str) -> str:
        """What the column is called now; `table` by its old name."""
        return self.columns.get(table, {}).get(column, column)

    def label(self, name: str) -> str:
        """The same of an object name, be it of a relation or of a column."""
        if name in self.relations:
            return self.relations[name]
        for table in sorted({*self.relations, *self.columns}, key=len, reverse=True):
            if name.startswith(f"{table}."):
                return column_name(self.relation(table), self.column(table, own_name(name)))
        return name

    def inverse(self) -> Renames:
        """From the new names to the old ones."""
        return Renames(
            {new: old for old, new in self.relations.items()},
            {self.relation(table): {new: old for old, new in columns.items()} for table, columns in self.columns.items()},
        )

    def of_fingerprint(self, fingerprint: Mapping[str, Any]) -> Dict[str, Any]:
        """A fingerprint under the new names."""
        tables = {self.relation(name): self._entry(name, entry) for name, entry in fingerprint["tables"].items()}
        left_out = {self.relation(name): reason for name, reason in fingerprint["left_out"].items()}
        return {**fingerprint, "tables": tables, "left_out": left_out}

    def _entry(self, table: str, entry: Mapping[str, Any]) -> Mapping[str, Any]:
        if table not in self.columns:
            return entry

        def renamed(names: List[str]) -> List[str]:
            return [self.column(table, name) for name in names]

        found = {**entry, "columns": {self.column(table, name): column for name, column in entry["columns"].items()}}
        if entry["key"] is not None:
            found["key"] = renamed(entry["key"])
        if entry.get("row_hash"):
            found["row_hash"] = {**entry["row_hash"], "columns": renamed(entry["row_hash"]["columns"])}
        return found

    def of_snapshot(self, snapshot: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
        """A snapshot under the new names. A definition that differs from the `other` snapshot's in nothing but them is taken from there."""
        if not self:
            return snapshot
        found = dict(snapshot)
        for collection in ("tables", "views", "sequences"):
            found[collection] = {self.relation(name): self._record(name, record) for name, record in snapshot[collection].items()}
        by_table, no_table, everywhere = self._words_by_table(), _Words(self, ""), _Words(self, None)
        for collection in _WITH_DEFINITIONS:
            known = other.get(collection, {})
            found[collection] = {
                name: (by_table.get(name, no_table) if collection == "tables" else everywhere).settle(record, known[name])
                if name in known
                else record
                for name, record in found.get(collection, {}).items()
            }
        return found

    def _record(self, name: str, record: Mapping[str, Any]) -> Mapping[str, Any]:
        if "columns" not in record or name not in self.columns:
            return record
        parts = ("columns", "column_grants")
        return {**record, **{part: {self.column(name, one): value for one, value in record[part].items()} for part in parts}}

    def _words_by_table(self) -> Dict[str, _Words]:
        return {self.relation(table): _Words(self, table) for table in {*self.relations, *self.columns}}


# Collections of a snapshot whose records name relations or columns.
_WITH_DEFINITIONS = ("tables", "views", "sequences", "functions", "publications", "others")

NONE = Renames()


def between(before: Optional[Identity], after: Optional[Identity], told: Optional[Mapping[str, str]] = None) -> Renames:
    """What of `before` is called otherwise in `after`. `told`: what the expectations say of copies, by object names (a column's new one is bare)."""
    if not before or not after:
        return NONE
    relations: Dict[str, str] = {}
    for collection in _KINDS:
        old, new = before.get(collection, {}), after.get(collection, {})
        by_oid = {entry["oid"]: name for name, entry in new.items() if name not in old}
        relations.update({name: by_oid[entry["oid"]] for name, entry in old.items() if name not in new and entry["oid"] in by_oid})
    old, new = before.get("tables", {}), after.get("tables", {})
    for name, other in (told or {}).items():
        if name in old and name not in new and name not in relations and other in new and other not in old and other not in relations.values():
            relations[name] = other
    columns: Dict[str, Dict[str, str]] = {}
    for collection in ("tables", "views"):
        for name, entry in before.get(collection, {}).items():
            now = after.get(collection, {}).get(relations.get(name, name))
            found = dict(_columns(name, entry, now, told or {})) if now else {}
            if found:
                columns[name] = found
    return Renames(relations, columns)


def _columns(table: str, old: Mapping[str, Any], new: Mapping[str, Any], told: Mapping[str, str]) -> Iterator[Pair]:
    came = {name: number for name, number in new["columns"].items() if name not in old["columns"]}
    by_number = {number: name for name, number in came.items()} if old["oid"] == new["oid"] else {}
    taken = set()
    gone = {name: number for name, number in old["columns"].items() if name not in new["columns"]}
    for name, number in gone.items():
        if number in by_number:
            taken.add(by_number[number])
            yield name, by_number[number]
    for name, number in gone.items():
        other = told.get(column_name(table, name))
        if other in came and other not in taken and number not in by_number:
            taken.add(other)
            yield name, str(other)


_TOKEN = re.compile(r'"(?:[^"]|"")*"|\'(?:[^\']|\'\')*\'|\w+|\S')


class _Words:
    """Whether two definitions differ in nothing but names: those of relations, and of the columns of one table (None: of every table)."""

    def __init__(self, renames: Renames, table: Optional[str]) -> None:
        self._renames = renames
        pairs = {pair for old, new in renames.relations.items() for pair in zip(_parts(old), _parts(new))}
        columns = renames.columns.values() if table is None else [renames.columns.get(table, {})]
        self._pairs: FrozenSet[Pair] = frozenset(pairs | {pair for one in columns for pair in one.items()})

    def settle(self, old: Any, new: Any) -> Any:
        """`old` with what the renames explain as it is in `new`."""
        if old == new:
            return old
        if isinstance(old, dict) and isinstance(new, dict):
            words = self._referring(old)
            return {key: words.settle(value, new[key]) if key in new and key != "comment" else value for key, value in old.items()}
        if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            return [self.settle(*pair) for pair in zip(old, new)]
        return new if isinstance(old, str) and isinstance(new, str) and self._same(old, new) else old

    def _referring(self, record: Mapping[str, Any]) -> _Words:
        # A foreign key names columns of the table that it refers to.
        referred = record.get("references")
        if not isinstance(referred, str) or referred not in self._renames.columns:
            return self
        wider = _Words(NONE, None)
        wider._renames, wider._pairs = self._renames, self._pairs | frozenset(self._renames.columns[referred].items())
        return wider

    def _same(self, old: str, new: str) -> bool:
        if self._renames.label(old) == new:
            return True
        tokens = _TOKEN.findall(old), _TOKEN.findall(new)
        return len(tokens[0]) == len(tokens[1]) and all(self._alike(*pair) for pair in zip(*tokens))

    def _alike(self, old: str, new: str) -> bool:
        if old == new:
            return True
        if old[0] == new[0] == "'":
            # As in nextval('public.shifts_id_seq'::regclass): only a name with its schema is taken for one.
            return "." in old and self._same(old[1:-1], new[1:-1])
        return (_bare(old), _bare(new)) in self._pairs


def _parts(name: str) -> Pair:
    """Schema and name of a relation, as the catalog has them."""
    own = own_name(name)
    schema = name[: -len(own) - 1] if name.endswith(f".{own}") else name.rpartition(".")[0] if name.endswith('"') else ""
    return _bare(schema) or "public", own


def _bare(token: str) -> str:
    return token[1:-1].replace('""', '"') if token.startswith('"') and token.endswith('"') and len(token) > 1 else token
