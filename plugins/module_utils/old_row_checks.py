# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the rows from before the upgrade hold what is expected of them; rows that the upgrade itself added are not meant.

All rows are counted first: where every one holds it, or none was added, that is the answer. Elsewhere the rows are told apart by the table's key
(without one, by all that they held before), against the old rows of the backup; a rehearsal in which nothing is in doubt pays nothing for it. What
cannot be told apart is given as `unclear`, and accuses nobody.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import changed_rows, files, hash_sql, old_rows, relations, row_checks, untouched
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import RehearsalError
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import proof_transaction
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint_table import key_hash, mixed
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import READ_ONLY, Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.relations import Relation
from ansible_collections.migrations.rehearsal.plugins.module_utils.renames import Renames
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

Entry = Dict[str, Any]

_SEED = hash_sql.NO_SEED


@dataclasses.dataclass(frozen=True)
class OldRows:
    """Where the rows from before can be had. `taken`: the fingerprint of now; `usable`: the backup's rows are those that the copy began with."""

    server: Server
    marker: Marker
    work: WorkDirectory
    renames: Renames
    taken: Optional[Mapping[str, Any]]
    deadline_s: float
    usable: bool = True

    def before(self) -> Optional[Mapping[str, Any]]:
        """The fingerprint from before the upgrade."""
        path = self.work.file("evidence", "fingerprint-before.json")
        return files.read_json(path) if os.path.exists(path) else None


class _CannotTell(RehearsalError):
    """The rows of a table cannot be told apart."""


def existing_rows(session: Session, wanted: Mapping[str, Mapping[str, Any]], old: OldRows) -> List[Entry]:
    """As `row_checks.existing_rows`, of all tables: `rows` and `matching` are of rows that were there before the upgrade.

    `unclear`: so many further rows do not hold the value, and whether they were there before is not known; `reason` says why.
    Of a table that was not there before all rows are meant. Raises PostgresError.
    """
    found: List[Entry] = []
    for table, columns in wanted.items():
        counted = row_checks.existing_rows(session, table, columns)
        doubtful = {entry["column"]: entry["expected"] for entry in counted if entry.get("rows", 0) != entry.get("matching", 0)}
        told: List[Entry] = []
        if doubtful and _was_empty(table, old):
            told = [{"table": table, "column": column, "expected": expected, "rows": 0, "matching": 0} for column, expected in doubtful.items()]
        elif doubtful and _were_added(table, old):
            told = _of_old_rows(session, table, doubtful, old)
        by_column = {entry["column"]: entry for entry in told}
        found += [by_column.get(entry["column"], entry) for entry in counted]
    return found


def _was_empty(table: str, old: OldRows) -> bool:
    known = (old.before() or {"tables": {}})["tables"].get(old.renames.inverse().relation(table))
    return known is not None and known["rows"] == 0


def _were_added(table: str, old: OldRows) -> bool:
    """Some of the table's rows may not have been there before the upgrade, and others were."""
    before, was = old.before(), old.renames.inverse().relation(table)
    if before is None or old.taken is None or not before["tables"].get(was, {}).get("rows") or table not in old.taken["tables"]:
        return False
    earlier, now = old.renames.of_fingerprint(before)["tables"][table], old.taken["tables"][table]
    if earlier["rows"] != now["rows"]:
        return True
    if now.get("old_rows") == now["rows"]:
        return False

    def keys(entry: Mapping[str, Any]) -> List[Tuple[Any, ...]]:
        return [(column["by"], column["hash"]) for name in entry["key"] or () for column in [entry["columns"][name]]]

    same = bool(earlier["key"]) and earlier["key"] == now["key"] and keys(earlier) == keys(now)
    return not same or any(digest is None for _form, digest in keys(now))


def _of_old_rows(session: Session, table: str, columns: Mapping[str, Any], old: OldRows) -> List[Entry]:
    try:
        if not old.usable:
            raise _CannotTell("the copy was changed by added tasks after it had been restored, so the backup does not hold its old rows")
        return _held_against_backup(session, table, columns, old)
    except RehearsalError as error:
        return _by_writing(session, table, columns, old, str(error))


def _by_writing(session: Session, table: str, columns: Mapping[str, Any], old: OldRows, reason: str) -> List[Entry]:
    """Rows that nobody wrote since are old ones; of all others nothing is known."""
    before, was = old.before(), old.renames.inverse().relation(table)
    if before is None or old.taken is None:
        raise AssertionError("asked only where there is something to hold it against")
    condition = "true"
    if before["tables"][was]["files"] and before["tables"][was]["files"] == old.taken["tables"][table]["files"]:
        condition = untouched.new_row_condition(session, before["mark"])
    everything = {entry["column"]: entry for entry in row_checks.existing_rows(session, table, columns)}
    found = row_checks.existing_rows(session, table, columns, condition)
    for entry in found:
        count = everything[entry["column"]]
        entry["unclear"] = count["rows"] - count["matching"] - (entry["rows"] - entry["matching"])
        entry["reason"] = reason
    return found


def _held_against_backup(session: Session, table: str, columns: Mapping[str, Any], old: OldRows) -> List[Entry]:
    before, was = old.before(), old.renames.inverse().relation(table)
    if before is None:
        raise AssertionError("asked only where there is something to hold it against")
    database, name = old_rows.prepare(old.server, old.marker, old.work, [was], old.deadline_s), application_name(old.marker.id)
    with Session(old.server, database, name, READ_ONLY, old.deadline_s) as side:
        with proof_transaction(side):
            earlier = next(relation for relation in relations.read_relations(side)[0] if relation.name == was)
        with proof_transaction(session):
            current = changed_rows.under_old_names(relations.read_relations(session)[0], old.renames)
            now = next(relation for relation in current if relation.name == was)
            conditions = row_checks.conditions(session, table, columns)
        own, other = _bound(earlier, now, before["tables"][was]["key"])
        schema = f"rehearsal_{secrets.token_hex(6)}"
        with Session(old.server, database, name, deadline_s=old.deadline_s) as writing:
            writing.execute(f"CREATE SCHEMA {schema}")
            holds = ", ".join(f"coalesce(({condition}), false)::int::bigint AS h{number}" for number, condition in enumerate(conditions.values()))
            query = f"SELECT {other} AS k, {holds} FROM {now.source}"
            changed_rows.send(old.server, session.database, database, name, old.work, query, f"{schema}.rows", len(conditions), old.deadline_s)
            with proof_transaction(side):
                found: List[int] = side.value(_counts(f"SELECT {own} AS k FROM {earlier.source}", f"{schema}.rows", len(conditions)))
            writing.execute(f"DROP SCHEMA {schema} CASCADE")
    return [_entry(table, column, columns[column], found[:2], found[2 + 3 * number : 5 + 3 * number]) for number, column in enumerate(conditions)]


def _bound(earlier: Relation, now: Relation, key: Optional[List[str]]) -> Tuple[str, str]:
    """What tells a row from others, as SQL for the old and for the new table. Raises _CannotTell."""
    names = list(key or [column.name for column in earlier.columns])
    alike = [
        name for name in names if name in now.by_name and hash_sql.hash_form(earlier.by_name[name].kind) == hash_sql.hash_form(now.by_name[name].kind)
    ]
    if not alike or (key and alike != names):
        raise _CannotTell(
            f"the key ({', '.join(names)}) of {earlier.name} is not what it was" if key else f"{earlier.name} has no column that it had"
        )
    if key:
        return key_hash(earlier, names), key_hash(now, names)
    sides = [
        mixed([hash_sql.hash_value(relation.by_name[name].value, relation.by_name[name].kind, _SEED) for name in alike])
        for relation in (earlier, now)
    ]
    return sides[0], sides[1]


def _counts(old: str, new: str, columns: int) -> str:
    """[old rows that are there still, old rows that are not; for each column: of these surely without the value, perhaps, and of other rows]."""
    numbers = ["sum(least(c.old, c.new))", "sum(greatest(c.old - c.new, 0))"]
    for number in range(columns):
        # Of rows that are alike some may be new ones.
        without = f"(c.new - c.h{number})"
        numbers += [
            f"sum(greatest({without} - greatest(c.new - c.old, 0), 0))",
            f"sum(least({without}, c.old))",
            f"sum({without}) FILTER (WHERE c.old = 0)",
        ]
    sums = "".join(f", sum(h{number}) AS h{number}" for number in range(columns))
    held = "".join(f", COALESCE(n.h{number}, 0) AS h{number}" for number in range(columns))
    return (
        f"SELECT ARRAY[{', '.join(f'COALESCE({one}, 0)' for one in numbers)}]::bigint[] AS v "
        f"FROM (SELECT coalesce(o.n, 0) AS old, coalesce(n.n, 0) AS new{held} FROM (SELECT k, count(*) AS n FROM ({old}) AS q GROUP BY k) AS o "
        f"FULL JOIN (SELECT k, count(*) AS n{sums} FROM {new} GROUP BY k) AS n ON n.k = o.k) AS c"
    )


def _entry(table: str, column: str, expected: Any, rows: List[int], counts: List[int]) -> Entry:
    (kept, lost), (surely, perhaps, others) = rows, counts
    # An old row that is not found under its key is gone, or has another key now.
    unclear = perhaps - surely + min(lost, others)
    found = {"table": table, "column": column, "expected": expected, "rows": kept, "matching": kept - surely}
    return {**found, "unclear": unclear, "reason": "rows have other keys than before, or are gone" if unclear else ""}
