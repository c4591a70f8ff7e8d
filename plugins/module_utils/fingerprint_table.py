# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fingerprint of one table: what is asked of the server, and what its answers say.

A table's questions come one after the other, each once the answer before it is known, so that many small tables can be asked in one statement.
How many values are not NULL costs nothing beside their hashes: PostgreSQL adds a sum and an average of the same values up only once, and the one
divided by the other is their number.
"""

from __future__ import annotations

import dataclasses
import decimal
from typing import Any, Callable, Collection, Dict, Generator, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import hash_sql, relations, untouched
from ansible_collections.migrations.rehearsal.plugins.module_utils.hash_sql import ColumnType
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session, locks_let_go
from ansible_collections.migrations.rehearsal.plugins.module_utils.relations import Column, Relation
from ansible_collections.migrations.rehearsal.plugins.module_utils.row_counters import RowCounters

# One more round trip costs as much as reading this.
_SMALL_BYTES = 1 << 20

Answer = List[Optional[str]]
Entry = Dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Question:
    """SQL expressions over all rows of a table; each is answered by a text, or None for NULL."""

    table: str
    values: Tuple[str, ...]
    source: str

    def sql(self, number: int = 0) -> str:
        """A query of one row: the number, and the answers."""
        return f"SELECT {number} AS n, ARRAY[{', '.join(f'{value}::text' for value in self.values)}]::text[] AS v FROM {self.source}"


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
        counters: Optional[RowCounters] = None,
    ) -> None:
        self.relation = relation
        self.declared = {column.name: declared[name] for column, name in self._names(relation) if name in declared}
        self.canonical = [column.name for column, name in self._names(relation) if name in canonical]
        self.before: Optional[Mapping[str, Any]] = since["tables"].get(relation.name) if since is not None else None
        # A condition for rows written since then; None where the table's files cannot tell.
        self.is_new = is_new if self.before is not None and untouched.same_files(relation, self.before) else None
        self.proof = proof
        self.counters = counters
        # Rows were written, and the server's counters say that none were.
        self.contradicts = False
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

    @property
    def small(self) -> bool:
        """Whether it is worth asking about other tables in the same statement."""
        return self.relation.size <= _SMALL_BYTES and not self.declared and not self.canonical

    def questions(self) -> Generator[Question, Answer, Entry]:
        """Ask about rows and values; the entry of this table, which `add_declared` completes."""
        entry: Entry = {
            "rows": 0,
            "key": self.key,
            "proof": "counts" if self.proof == "counts" else "full",
            "files": self.relation.files,
            "columns": {},
        }
        counted = self.counters.noted(self.relation) if self.counters else None
        if counted is not None:
            entry["counted"] = counted
        hashed = [] if self.proof == "counts" else list(self.relation.columns)
        if self.proof == "changed" and self.is_new is not None:
            hashed = yield from self._take_over(entry, hashed)
        yield from self._count_and_hash(entry, hashed)
        return entry

    def add_declared(self, session: Session, entry: Entry) -> None:
        """The hashes by which declared changes are proved."""
        for name, expression in self.declared.items():
            if name in (self.key or ()):
                raise ValueError(f"{column_name(self.relation.name, name)}: a change of a primary key column cannot be proved, rows are bound to it")
            non_null, digest = self._hash_expression(session, entry["rows"], name, expression)
            entry["columns"][name].update(expected_non_null=non_null, expected_hash=digest)
        for name in self.canonical:
            _non_null, digest = self._hash_expression(session, entry["rows"], name, "old")
            entry["columns"][name].update(canonical_hash=digest)

    def _question(self, values: Sequence[str]) -> Question:
        return Question(self.relation.name, tuple(values), self.relation.source)

    def _take_over(self, entry: Entry, hashed: List[Column]) -> Generator[Question, Answer, List[Column]]:
        """Take over the hashes of an untouched table; the columns that need hashing all the same."""
        if self.before is None:
            raise AssertionError("only what was looked at before can be taken over")
        if self.before["proof"] == "counts" or self.key != self.before["key"]:
            return hashed
        unwritten = self.counters.unwritten(self.relation, self.before) if self.counters else None
        if self.small and unwritten is False:
            # It takes as long to ask which rows were written as to hash them.
            return hashed
        rows = int(self.before["rows"])
        # What is read in no time is read: it is there that counters which do not tell the truth are found out.
        if not unwritten or self.small:
            answer = yield self._question(["count(*)", f"count(*) FILTER (WHERE NOT {self.is_new})"])
            if not int(answer[0] or 0) == int(answer[1] or 0) == rows:
                self.contradicts = bool(unwritten)
                return hashed
        proved_by = "counters" if unwritten and not self.small else "row versions"
        rest: List[Column] = []
        for column in hashed:
            old = self.before["columns"].get(column.name)
            if old is None or not untouched.keeps_hash(column, old):
                rest.append(column)
        # The binding of a column that is hashed now must not differ from that of the others.
        if any(column.name in (self.key or ()) for column in rest):
            return hashed
        kept = {column.name for column in hashed} - {column.name for column in rest}
        entry.update(proof="untouched" if not rest else "partly untouched", proved_by=proved_by)
        for column in hashed:
            if column.name in kept:
                old = self.before["columns"][column.name]
                entry["columns"][column.name] = {name: old[name] for name in ("type", "number", "by", "non_null", "hash")}
        entry.update(rows=rows, old_rows=rows)
        if self.before.get("row_hash") and set(self.before["row_hash"]["columns"]) <= kept:
            entry["row_hash"] = dict(self.before["row_hash"])
        return rest

    def _count_and_hash(self, entry: Entry, hashed: List[Column]) -> Generator[Question, Answer, None]:
        kept = entry["columns"]
        columns = [column for column in self.relation.columns if column.name not in kept]
        wanted = {column.name for column in hashed}
        # Whole rows have another hash where one of their columns is gone, also if nobody wrote to them.
        row_columns = self._row_columns() if self.proof != "counts" and "row_hash" not in entry else []
        if not columns and kept and not row_columns:
            return
        seed = self.seed()
        values = ["count(*)", f"count(*) FILTER (WHERE NOT {self.is_new})" if self.is_new else "NULL"]
        for column in columns:
            digest = self._digest(column, seed) if column.name in wanted else None
            values += [_counted(column, digest), f"sum({digest})" if digest else "NULL"]
        if row_columns:
            values.append(f"sum({_row_hash([self.relation.by_name[name] for name in row_columns])})")
        answer = yield self._question(values)
        entry["rows"] = int(answer[0] or 0)
        if self.is_new is not None:
            entry["old_rows"] = int(answer[1] or 0)
        non_null = yield from self._non_null(columns, wanted, answer)
        for index, column in enumerate(columns):
            entry["columns"][column.name] = {
                "type": column.type,
                "number": column.number,
                "by": hash_sql.hash_form(column.kind),
                "non_null": non_null[column.name],
                "hash": (answer[3 + 2 * index] or "0") if column.name in wanted else None,
            }
            if not column.stable_text:
                entry["columns"][column.name]["stable_text"] = False
        entry["columns"] = {column.name: entry["columns"][column.name] for column in self.relation.columns}
        if row_columns:
            entry["row_hash"] = {"columns": row_columns, "hash": answer[-1] or "0"}

    def _digest(self, column: Column, seed: str) -> str:
        if self.key == [column.name]:
            return hash_sql.hash_of_key(column.value, column.kind, seed)
        return hash_sql.hash_value(column.value, column.kind, seed)

    def _non_null(self, columns: List[Column], wanted: Collection[str], answer: Answer) -> Generator[Question, Answer, Dict[str, int]]:
        """How many values of each column are not NULL; asked for again where a sum does not tell."""
        found: Dict[str, int] = {}
        unknown: List[Column] = []
        for index, column in enumerate(columns):
            told, total = answer[2 + 2 * index : 4 + 2 * index]
            number = added_up(total, told) if column.name in wanted and _told_by_sum(column) else int(told or 0)
            if number is None:
                unknown.append(column)
            else:
                found[column.name] = number
        if unknown:
            counted = yield self._question([f"count({column.value})" for column in unknown])
            found.update((column.name, int(text or 0)) for column, text in zip(unknown, counted))
        return found

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
        (answer,) = ask(session, [Question(label, ("count(*)", "count(d.value)", f"coalesce(sum({digest}), 0)"), source)])
        if int(answer[0] or 0) != rows:
            raise ValueError(f"{label}: the declared expression gives {answer[0]} values for {rows} rows")
        return int(answer[1] or 0), str(answer[2])


def prove(jobs: Sequence[Job], session: Session) -> Dict[str, Entry]:
    """The entries of some tables, by name; what can be asked in one statement is. `session` is in the proof's transaction.

    Raises PostgresError and ValueError; both name the table.
    """
    entries: Dict[str, Entry] = {}
    asked = [(job, job.questions()) for job in jobs]
    answers: List[Optional[Answer]] = [None] * len(jobs)
    while asked:
        waiting: List[Tuple[Job, Generator[Question, Answer, Entry]]] = []
        questions: List[Question] = []
        for (job, asking), answer in zip(asked, answers):
            try:
                # Of a generator that has not begun, the type of what is sent says nothing.
                questions.append(next(asking) if answer is None else asking.send(answer))
                waiting.append((job, asking))
            except StopIteration as end:
                entries[job.relation.name] = end.value
        asked, answers = waiting, list(ask(session, questions))
    for job in jobs:
        job.add_declared(session, entries[job.relation.name])
    return entries


def ask(session: Session, questions: Sequence[Question]) -> List[Answer]:
    """Their answers; of several in one statement. Raises PostgresError that names what was asked."""
    if len(questions) > 1:
        try:
            with locks_let_go(session):
                rows = session.rows(" UNION ALL ".join(question.sql(number) for number, question in enumerate(questions)))
            return [row["v"] for row in sorted(rows, key=lambda row: int(row["n"]))]
        except PostgresError as error:
            # One by one, to tell which of them it is.
            if error.sqlstate is None:
                raise
    found: List[Answer] = []
    for question in questions:
        try:
            with locks_let_go(session):
                found.append(session.row(question.sql())["v"])
        except PostgresError as error:
            raise PostgresError(f"fingerprint of {question.table}: {error.message}", error.sqlstate) from None
    return found


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


def _told_by_sum(column: Column) -> bool:
    # Only of PostgreSQL's own types it is sure that NULL, and nothing else, has no hash.
    return column.kind.base[0] == "pg_catalog"


def _counted(column: Column, digest: Optional[str]) -> str:
    return f"avg({digest})" if digest and _told_by_sum(column) else f"count({column.value})"


def added_up(total: Optional[str], average: Optional[str]) -> Optional[int]:
    """Of how many numbers this is the sum and the average; None where they do not tell (the sum is 0).

    PostgreSQL divides to 16 digits at least, so that up to 10^14 rows nothing but the one number is near.
    """
    if total is None or average is None:
        return 0
    if not decimal.Decimal(total) or not decimal.Decimal(average):
        return None
    number = decimal.Decimal(total) / decimal.Decimal(average)
    nearest = int(number.to_integral_value())
    return nearest if abs(number - nearest) < decimal.Decimal("0.01") else None


def _row_hash(columns: List[Column]) -> str:
    return mixed([hash_sql.hash_value(column.value, column.kind, hash_sql.NO_SEED) for column in columns])


def mixed(hashes: Sequence[str]) -> str:
    """One hash of several, in their order. Each step mixes what came before, which PostgreSQL's own record hash does not: it is linear."""
    digest = hash_sql.NO_SEED
    for one in hashes:
        digest = f"pg_catalog.hashint8extended(coalesce({one}, 0), {digest})"
    return digest
