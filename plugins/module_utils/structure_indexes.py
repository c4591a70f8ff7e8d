# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Indexes that do nothing: duplicate, redundant, invalid."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.names import object_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import quote_identifier
from ansible_collections.migrations.rehearsal.plugins.module_utils.structure_touched import Finding, Touched, finding
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import text

Index = Tuple[str, Dict[str, Any]]


def check(snapshot: Mapping[str, Any], touched: Touched) -> Iterator[Finding]:
    for relations in (snapshot["tables"], snapshot["views"]):
        for name, relation in relations.items():
            yield from _of_relation(name, relation, touched)


def supports(index: Mapping[str, Any], columns: List[str]) -> bool:
    """A look-up by these columns, as a foreign key does it, can use the index."""
    if not index["valid"] or index["method"] not in ("btree", "hash"):
        return False
    return _holds_every_key(index["predicate"], columns) and set(index["columns"][: len(columns)]) == set(columns)


def _holds_every_key(predicate: Optional[str], columns: List[str]) -> bool:
    """A partial index that leaves out NULLs only has all rows that a key can refer to. As pg_get_expr() writes it."""
    if predicate is None:
        return True
    there = {f"({name} IS NOT NULL)" for column in columns for name in (column, quote_identifier(column))}
    parts = [predicate] if predicate in there else predicate[1:-1].split(" AND ")
    return all(part in there for part in parts)


def _of_relation(name: str, relation: Mapping[str, Any], touched: Touched) -> Iterator[Finding]:
    def called(index: str) -> str:
        return object_name(relation["schema"], index)

    def is_touched(*indexes: str) -> bool:
        return any(_is_touched(touched, name, called(index), relation["indexes"][index]["constraint"]) for index in indexes)

    # A partition's index comes and goes with the one of its partitioned table.
    own = [(index, record) for index, record in relation["indexes"].items() if not record["inherited"]]
    for index, record in own:
        if not record["valid"]:
            yield finding(
                "index-invalid", called(index), is_touched(index),
                text("index on {table} is invalid: it is kept up with every write and used by no query", table=name),
                f"DROP INDEX CONCURRENTLY {called(index)}, then build it again",
            )  # fmt: skip
    usable = [(index, record) for index, record in own if record["valid"] and not _is_exclusion(relation, record)]
    duplicates = set()
    ranked = sorted(usable, key=lambda item: (_worth(item[1]), is_touched(item[0]), item[0]))
    for n, (index, record) in enumerate(ranked):
        original = next((other for other, kept in ranked[:n] if other not in duplicates and _same(kept, record)), None)
        if original is not None and not record["replica_identity"]:
            duplicates.add(index)
            yield finding(
                "index-duplicate", called(index), is_touched(index, original),
                text("{columns} on {table} is indexed in the same way by {other}", columns=_columns(record), table=name, other=called(original)),
                _how_to_drop(name, called(index), record),
            )  # fmt: skip
    for index, record in usable:
        if index in duplicates:
            continue
        wider = next((other for other, larger in usable if other != index and other not in duplicates and _covers(larger, record)), None)
        if wider is not None:
            yield finding(
                "index-redundant", called(index), is_touched(index, wider),
                text(
                    "{columns} on {table} is the beginning of {other} {others}",
                    columns=_columns(record), table=name, other=called(wider), others=_columns(relation["indexes"][wider]),
                ),
                _how_to_drop(name, called(index), record) + ", unless its smaller size is wanted",
            )  # fmt: skip


def _is_touched(touched: Touched, relation: str, index: str, constraint: Any) -> bool:
    # The index behind a constraint has no change of its own.
    return touched.part("index", relation, index) or bool(constraint and touched.constraint(relation, constraint))


def _is_exclusion(relation: Mapping[str, Any], index: Mapping[str, Any]) -> bool:
    return bool(index["constraint"]) and relation["constraints"].get(index["constraint"], {}).get("kind") == "exclusion"


def _worth(index: Mapping[str, Any]) -> Tuple[bool, bool, bool, bool]:
    """Sorts what must stay before what may go."""
    return not index["primary"], not index["constraint"], not index["unique"], not index["replica_identity"]


def _same(kept: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if kept["unique"] and other["unique"] and kept["nulls_not_distinct"] != other["nulls_not_distinct"]:
        return False
    if other["unique"] and not kept["unique"]:
        return False
    return _shape(kept) == _shape(other)


def _shape(index: Mapping[str, Any]) -> Tuple[Any, ...]:
    return index["method"], tuple(index["keys"]), frozenset(index["include"]), index["predicate"]


def _covers(larger: Mapping[str, Any], smaller: Mapping[str, Any]) -> bool:
    """Whatever the smaller one is used for, the larger one can do."""
    if smaller["unique"] or smaller["replica_identity"] or smaller["clustered"] or smaller["method"] != "btree" or larger["method"] != "btree":
        return False
    return (
        larger["predicate"] == smaller["predicate"]
        and larger["keys"][: len(smaller["keys"])] == smaller["keys"]
        and set(smaller["include"]) <= {*larger["columns"], *larger["include"]}
        and _shape(larger) != _shape(smaller)
    )


def _columns(index: Mapping[str, Any]) -> str:
    return f"({', '.join(index['keys'])})"


def _how_to_drop(relation: str, called: str, index: Mapping[str, Any]) -> str:
    if index["constraint"]:
        return f"ALTER TABLE {relation} DROP CONSTRAINT {index['constraint']}"
    return f"DROP INDEX CONCURRENTLY {called}"
