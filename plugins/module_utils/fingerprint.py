# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingerprints: per table and column rows, non-null values and a hash that is free of row order. Computed inside PostgreSQL: no row travels.

The hash of a column is the sum (a numeric: it cannot overflow, and equal pairs do not cancel as with xor) over all rows of a 64-bit hash of the
value, seeded with the row's primary key (a number as it is, anything else hashed): two values swapped between two rows show. `hash_sql` says how each
type is hashed, and why.
A column's `by` names the form; only hashes with equal `by`, in tables with the same key in the same form, can be compared.

A table without a primary key has `"key": null`: its columns are hashed as multisets, and `row_hash` hashes its whole rows as a multiset, so that a
value moved between rows still shows as long as the table has the same columns.

A declared change ("contracts.hourly_rate": "old / 100.0") is proved by value, not by type: before, the canonical text of the expression is
hashed (`expected_hash`); after, that of the column (`canonical_hash`); see `hash_sql.canonical_text`. "old" alone declares that a
change of type keeps every value. An undeclared change of type is proved where both types have the same `by`, and "not comparable" elsewhere.

A partitioned table is read through its parent, so that a row that moves between partitions has not changed. Left out, and said in `left_out`:
foreign tables, materialized views; of a partitioned table with a foreign partition, the local partitions are read each by itself. Large objects are
a table of their own (`large_objects`).
"""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Any, Callable, Collection, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import hash_sql, large_objects, relations, untouched
from ansible_collections.migrations.rehearsal.plugins.module_utils.hash_sql import ColumnType
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import (
    READ_ONLY,
    PostgresError,
    Session,
    quote_literal,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Counter
from ansible_collections.migrations.rehearsal.plugins.module_utils.relations import Column, Relation

PROOFS = ("full", "changed", "counts")


def take_fingerprint(
    session: Session,
    declared: Optional[Mapping[str, str]] = None,
    tables: Optional[Collection[str]] = None,
    snapshot_id: Optional[str] = None,
    canonical: Collection[str] = (),
    since: Optional[Mapping[str, Any]] = None,
    proof: str = "full",
    connections: int = 1,
    counter: Optional[Counter] = None,
) -> Dict[str, Any]:
    """The fingerprint of a database, or of the named tables (tables that do not exist are left out without a word).

    `session` must not be inside a transaction; one REPEATABLE READ READ ONLY transaction is used, of the exported snapshot `snapshot_id` if given.
    `declared` maps "table.column" to an SQL expression over `old` (other columns of the row by their names); `canonical` names the columns to be
    compared with such expressions: give `declared` before the upgrade, and its keys as `canonical` after it (those that are gone have no hash).
    `since` is the fingerprint taken before: rows are then bound to the key that the table had then, rows added are told from rows changed where
    that can be proved, and `proof="changed"` takes over the hashes of what provably was not touched (see `untouched`). "counts" hashes nothing.
    `connections`: how many sessions may work at a time, all in one snapshot; this one counts. `counter` is told the bytes of each table that is done.

    Raises ValueError for a declaration that cannot be used, PostgresError for anything that the server refuses; both name the object.
    """
    if proof not in PROOFS:
        raise ValueError(f"proof is {proof!r}, not one of {', '.join(PROOFS)}")
    if proof == "changed" and since is None:
        raise ValueError("proof «changed» needs the fingerprint taken before")
    for column, expression in (declared or {}).items():
        check_expression(column, expression)
    mark = untouched.take_mark(session) if snapshot_id is None else None
    with proof_transaction(session, snapshot_id):
        found, left_out = relations.read_relations(session)
        wanted = [relation for relation in found if tables is None or relation.name in tables]
        is_new = untouched.new_row_condition(session, since["mark"]) if since is not None else None
        jobs = [Job(relation, declared or {}, canonical, since, is_new, proof) for relation in wanted]
        _refuse_unknown(declared or {}, jobs, tables)
        result: Dict[str, Any] = {
            "proof": proof,
            "server_version_num": int(session.value("SELECT current_setting('server_version_num') AS v")),
            "mark": mark or untouched.snapshot_mark(session),
            "left_out": {name: reason for name, reason in sorted(left_out.items()) if tables is None or name in tables},
        }
        done = _run(session, jobs, snapshot_id, connections, counter or Counter())
        objects = (
            large_objects.entry(session, since is not None and large_objects.NAME in since["tables"], proof != "counts") if tables is None else None
        )
        if objects is not None:
            done[large_objects.NAME] = objects
            if proof != "counts" and objects["columns"]["data"]["hash"] is None:
                result["left_out"][large_objects.NAME] = large_objects.NOT_READ
        result["tables"] = dict(sorted(done.items()))
    return result


def check_expression(column: str, expression: str) -> None:
    """Refuse what is not one expression. The session is read-only all the same."""
    for sign, name in ((";", "a semicolon"), ("\\", "a backslash"), ("--", "a comment"), ("/*", "a comment"), ("\0", "NUL")):
        if sign in expression:
            raise ValueError(f"{column}: the declared expression has {name}")
    depth, quote = 0, ""
    for character in expression:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
            if depth < 0:
                break
    if depth != 0 or quote or not expression.strip():
        raise ValueError(f"{column}: the declared expression is empty, or its parentheses or quotes are not closed")


@contextlib.contextmanager
def proof_transaction(session: Session, snapshot_id: Optional[str] = None) -> Iterator[None]:
    """One read-only transaction with one snapshot, in which every value has one text form."""
    session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        if snapshot_id is not None:
            session.execute(f"SET TRANSACTION SNAPSHOT {quote_literal(snapshot_id)}")
        settings = [f"pg_catalog.set_config({quote_literal(name)}, {quote_literal(value)}, true)" for name, value in hash_sql.SETTINGS.items()]
        session.execute(f"SELECT {', '.join(settings)}")
        yield
    finally:
        # A session that has ended (its process is gone) has nothing to roll back, and must not hide the first error.
        with contextlib.suppress(PostgresError):
            session.execute("ROLLBACK")


class Job:
    """One table and what is wanted of it."""

    def __init__(
        self,
        relation: Relation,
        declared: Mapping[str, str],
        canonical: Collection[str],
        since: Optional[Mapping[str, Any]],
        is_new: Optional[str],
        proof: str,
    ) -> None:
        self.relation = relation
        self.declared = {column.name: declared[name] for column, name in self._names(relation) if name in declared}
        self.canonical = [column.name for column, name in self._names(relation) if name in canonical]
        self.before: Optional[Mapping[str, Any]] = since["tables"].get(relation.name) if since is not None else None
        # A condition for rows written since then; None where the table's files cannot tell.
        self.is_new = is_new if self.before is not None and untouched.same_files(relation, self.before) else None
        self.proof = proof
        self.key = self._key()

    @staticmethod
    def _names(relation: Relation) -> List[Tuple[Column, str]]:
        return [(column, column_name(relation.name, column.name)) for column in relation.columns]

    def _key(self) -> Optional[List[str]]:
        """The key of the fingerprint taken before, as long as its columns are there; else the primary key."""
        if self.before is not None and (self.before["key"] is None or all(name in self.relation.by_name for name in self.before["key"])):
            key: Optional[List[str]] = self.before["key"]
            return key
        return self.relation.key

    def run(self, session: Session) -> Dict[str, Any]:
        """The entry of this table."""
        entry: Dict[str, Any] = {
            "rows": 0,
            "key": self.key,
            "proof": "counts" if self.proof == "counts" else "full",
            "files": self.relation.files,
            "columns": {},
        }
        hashed = [] if self.proof == "counts" else list(self.relation.columns)
        if self.proof == "changed" and self.is_new is not None:
            hashed = self._take_over(session, entry, hashed)
        self._count_and_hash(session, entry, hashed)
        for name, expression in self.declared.items():
            if name in (self.key or ()):
                raise ValueError(f"{column_name(self.relation.name, name)}: a change of a primary key column cannot be proved, rows are bound to it")
            non_null, digest = self._hash_expression(session, entry["rows"], name, expression)
            entry["columns"][name].update(expected_non_null=non_null, expected_hash=digest)
        for name in self.canonical:
            _non_null, digest = self._hash_expression(session, entry["rows"], name, "old")
            entry["columns"][name].update(canonical_hash=digest)
        return entry

    def _take_over(self, session: Session, entry: Dict[str, Any], hashed: List[Column]) -> List[Column]:
        """Take over the hashes of an untouched table; the columns that need hashing all the same."""
        if self.before is None:
            raise AssertionError("only what was looked at before can be taken over")
        if self.before["proof"] == "counts" or self.key != self.before["key"]:
            return hashed
        rows, old_rows = self._value(session, f"SELECT ARRAY[count(*), count(*) FILTER (WHERE NOT {self.is_new})] AS v FROM {self.relation.source}")
        if not rows == old_rows == self.before["rows"]:
            return hashed
        rest: List[Column] = []
        for column in hashed:
            old = self.before["columns"].get(column.name)
            if old is None or not untouched.keeps_hash(column, old):
                rest.append(column)
        # The binding of a column that is hashed now must not differ from that of the others.
        if any(column.name in (self.key or ()) for column in rest):
            return hashed
        kept = {column.name for column in hashed} - {column.name for column in rest}
        entry["proof"] = "untouched" if not rest else "partly untouched"
        for column in hashed:
            if column.name in kept:
                old = self.before["columns"][column.name]
                entry["columns"][column.name] = {name: old[name] for name in ("type", "number", "by", "non_null", "hash")}
        entry.update(rows=rows, old_rows=old_rows)
        if self.before.get("row_hash") and set(self.before["row_hash"]["columns"]) <= kept:
            entry["row_hash"] = dict(self.before["row_hash"])
        return rest

    def _count_and_hash(self, session: Session, entry: Dict[str, Any], hashed: List[Column]) -> None:
        kept = entry["columns"]
        columns = [column for column in self.relation.columns if column.name not in kept]
        if not columns and kept:
            return
        wanted = {column.name for column in hashed}
        seed = self.seed()
        values = ["count(*)", f"count(*) FILTER (WHERE NOT {self.is_new})" if self.is_new else "NULL"]
        for column in columns:
            values.append(f"count({column.value})")
            values.append(f"sum({hash_sql.hash_value(column.value, column.kind, seed)})" if column.name in wanted else "NULL")
        row_columns = self._row_columns() if wanted and "row_hash" not in entry else []
        if row_columns:
            values.append(f"sum({_row_hash([self.relation.by_name[name] for name in row_columns])})")
        answer: List[Optional[str]] = self._value(
            session, f"SELECT ARRAY[{', '.join(f'{value}::text' for value in values)}] AS v FROM {self.relation.source}"
        )
        entry["rows"] = int(answer[0] or 0)
        if self.is_new is not None:
            entry["old_rows"] = int(answer[1] or 0)
        for index, column in enumerate(columns):
            entry["columns"][column.name] = {
                "type": column.type,
                "number": column.number,
                "by": hash_sql.hash_form(column.kind),
                "non_null": int(answer[2 + 2 * index] or 0),
                "hash": (answer[3 + 2 * index] or "0") if column.name in wanted else None,
            }
            if not column.stable_text:
                entry["columns"][column.name]["stable_text"] = False
        entry["columns"] = {column.name: entry["columns"][column.name] for column in self.relation.columns}
        if row_columns:
            entry["row_hash"] = {"columns": row_columns, "hash": answer[-1] or "0"}

    def _row_columns(self) -> List[str]:
        """Columns of the whole-row hash of a table without key: those of the fingerprint before, so that a new column does no harm."""
        if self.key is not None:
            return []
        names = [column.name for column in self.relation.columns]
        old: List[str] = ((self.before or {}).get("row_hash") or {}).get("columns", [])
        return old if old and set(old) <= set(names) else names

    def seed(self) -> str:
        """An expression that binds a row's values to its key; 0 without one."""
        return bound_to(self.relation, self.key or (), hash_sql.key_seed)

    def _hash_expression(self, session: Session, rows: int, name: str, expression: str) -> Tuple[int, str]:
        """(non-null values, hash) of the canonical text of an expression over `old`."""
        column = self.relation.by_name[name]
        label = column_name(self.relation.name, name)
        # In a subselect of its own `old` means the column, and the planner takes the subselect away again.
        source = f"{self.relation.source} CROSS JOIN LATERAL (SELECT (\n{expression}\n) AS value FROM (SELECT {column.value} AS old) AS o) AS d"
        kind = column.kind if expression == "old" else relations.read_type(session, source, label)
        digest = hash_sql.hash_text(hash_sql.canonical_text("d.value", kind), self.seed())
        query = f"SELECT ARRAY[count(*)::text, count(d.value)::text, coalesce(sum({digest}), 0)::text] AS v FROM {source}"
        answer: List[str] = self._value(session, query, label)
        if int(answer[0]) != rows:
            raise ValueError(f"{label}: the declared expression gives {answer[0]} values for {rows} rows")
        return int(answer[1]), answer[2]

    def _value(self, session: Session, query: str, label: Optional[str] = None) -> Any:
        try:
            return session.value(query)
        except PostgresError as error:
            raise PostgresError(f"fingerprint of {label or self.relation.name}: {error.message}", error.sqlstate) from None


def key_hash(relation: Relation, key: Sequence[str]) -> str:
    """An expression for the hash of these columns together; 0 without one."""
    return bound_to(relation, key, hash_sql.hash_value)


def bound_to(relation: Relation, key: Sequence[str], form: Callable[[str, ColumnType, str], str]) -> str:
    """These columns one after the other, each in a form that takes what came before as its seed."""
    seed = hash_sql.NO_SEED
    for name in key:
        column = relation.by_name[name]
        own = form(column.value, column.kind, seed)
        # What was the key before may be nullable now, and a NULL would take the whole row out of the sums.
        seed = own if column.not_null else f"coalesce({own}, 0)"
    return seed


def _row_hash(columns: List[Column]) -> str:
    return mixed([hash_sql.hash_value(column.value, column.kind, hash_sql.NO_SEED) for column in columns])


def mixed(hashes: Sequence[str]) -> str:
    """One hash of several, in their order. Each step mixes what came before, which PostgreSQL's own record hash does not: it is linear."""
    digest = hash_sql.NO_SEED
    for one in hashes:
        digest = f"pg_catalog.hashint8extended(coalesce({one}, 0), {digest})"
    return digest


def _refuse_unknown(declared: Mapping[str, str], jobs: List[Job], tables: Optional[Collection[str]]) -> None:
    known = {column_name(job.relation.name, column.name) for job in jobs for column in job.relation.columns}
    for name in declared:
        if name not in known:
            where = "" if tables is None else " among the tables asked for"
            raise ValueError(f"{name}: declared as changed, but there is no such column{where}")


def _run(session: Session, jobs: List[Job], snapshot_id: Optional[str], connections: int, counter: Counter) -> Dict[str, Dict[str, Any]]:
    """All jobs, biggest table first, over `connections` sessions in one snapshot."""
    jobs = sorted(jobs, key=lambda job: (-job.relation.size, job.relation.name))
    helpers = min(connections, len(jobs)) - 1
    counter.total += sum(job.relation.size for job in jobs)

    def run(job: Job, own: Session) -> Dict[str, Any]:
        entry = job.run(own)
        counter.done += job.relation.size
        return entry

    if helpers < 1:
        return {job.relation.name: run(job, session) for job in jobs}
    snapshot = snapshot_id or session.value("SELECT pg_export_snapshot() AS v")
    application_name = session.value("SELECT current_setting('application_name') AS v")
    todo: queue.Queue[Job] = queue.Queue()
    for job in jobs:
        todo.put(job)
    done: Dict[str, Dict[str, Any]] = {}
    errors: List[BaseException] = []

    def work(own: Session) -> None:
        while not errors:
            try:
                job = todo.get_nowait()
            except queue.Empty:
                return
            done[job.relation.name] = run(job, own)

    def helper() -> None:
        try:
            own_session = Session(session.server, session.database, application_name, READ_ONLY, session.deadline_s)
            with own_session as own, proof_transaction(own, snapshot):
                work(own)
        except BaseException as error:  # a table that is not there without a word would pass for one that was never there
            errors.append(error)

    threads = [threading.Thread(target=helper, name=f"fingerprint {number}") for number in range(helpers)]
    for thread in threads:
        thread.start()
    try:
        work(session)
    except BaseException as error:
        errors.append(error)
    finally:
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    if len(done) != len(jobs):
        raise AssertionError("a table was left out")
    return done
