# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many rows changed, and which: the copy's rows held against the old ones, one by one, inside PostgreSQL.

Only tables of which two fingerprints cannot say it. The old rows are in a database beside the copy (`old_rows`); hashes of the copy's rows (of
the key, and of each value in question) go there through a pipe from server to server, and are joined there. No value leaves the servers, and
nothing is written to the copy. Keys are read only where the user allows it, a few of each kind.

Rows are told apart by a 64-bit hash of their key, so that two of ten million rows are taken for one with a chance of one in 300,000.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import hash_sql, old_rows, relations
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import proof_transaction
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint_table import key_hash, mixed
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import (
    READ_ONLY,
    Server,
    Session,
    quote_literal,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import Tool
from ansible_collections.migrations.rehearsal.plugins.module_utils.relations import Relation
from ansible_collections.migrations.rehearsal.plugins.module_utils.renames import NONE, Renames
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

MOST_KEYS = 20
_LONGEST_KEY = 100
_SEED = "0::bigint"


def measure(
    server: Server,
    copy: str,
    marker: Marker,
    work: WorkDirectory,
    wanted: Mapping[str, Sequence[str]],
    before: Mapping[str, Any],
    declared: Mapping[str, str],
    show_keys: bool,
    deadline_s: float,
    renames: Renames = NONE,
) -> Dict[str, Any]:
    """{"tables": {NAME: {"key", "kept", "added", "lost", "columns": {NAME: rows}, "keys"}}} for the tables and columns that are `wanted`.

    `wanted` is `data_diff.to_follow`'s answer, `before` the fingerprint of the old rows; all names are those from before. Without a primary key
    whole rows are compared as multisets: `lost` are those that are not there any more as they were, and `columns` counts the values that are gone.
    Raises RehearsalError where there is no backup, PostgresError and ToolFailed.
    """
    database = old_rows.prepare(server, marker, work, list(wanted), deadline_s)
    name = application_name(marker.id)
    schema = f"rehearsal_{secrets.token_hex(6)}"
    with Session(server, database, name, deadline_s=deadline_s) as session:
        session.execute(f"CREATE SCHEMA {schema}")
    found: Dict[str, Any] = {}
    with Session(server, database, name, READ_ONLY, deadline_s) as old, Session(server, copy, name, READ_ONLY, deadline_s) as new:
        with proof_transaction(old):
            old_relations = {relation.name: relation for relation in relations.read_relations(old)[0]}
        with proof_transaction(new):
            new_relations = {relation.name: relation for relation in under_old_names(relations.read_relations(new)[0], renames)}
        for number, (table, columns) in enumerate(sorted(wanted.items())):
            entry = before["tables"][table]
            pair = _Pair(table, old_relations[table], new_relations[table], entry["key"], list(columns), declared)
            target = f"{schema}.rows_{number}"
            send(server, copy, database, name, work, pair.new_rows(), target, len(pair.columns), deadline_s)
            with proof_transaction(old):
                found[table] = pair.compare(old, target)
            if show_keys and pair.key:
                with proof_transaction(old), proof_transaction(new):
                    found[table]["keys"] = pair.keys(old, new, target, found[table])
    with Session(server, database, name, deadline_s=deadline_s) as session:
        session.execute(f"DROP SCHEMA {schema} CASCADE")
    return {"tables": found}


def under_old_names(found: Sequence[Relation], renames: Renames) -> List[Relation]:
    """The copy's relations by the names that they had before the migrations."""
    old = renames.inverse()
    return [relation.called(old.relation(relation.name), old.columns.get(relation.name, {})) for relation in found] if renames else list(found)


class _Pair:
    """One table, as it was and as it is."""

    def __init__(self, name: str, old: Relation, new: Relation, key: Optional[List[str]], columns: List[str], declared: Mapping[str, str]) -> None:
        self.name = name
        self.old = old
        self.new = new
        self.key = key
        self.expressions = {column.name: declared[label] for column in old.columns for label in [column_name(name, column.name)] if label in declared}
        # Whole rows are of all columns whose values can be compared.
        self.columns = columns if key else [column.name for column in old.columns if column.name in columns or self._alike(column.name)]
        self.asked = columns

    def _alike(self, column: str) -> bool:
        old, new = self.old.by_name[column], self.new.by_name.get(column)
        return new is not None and column not in self.expressions and hash_sql.hash_form(old.kind) == hash_sql.hash_form(new.kind)

    def new_rows(self) -> str:
        """The query of the copy's rows: hash of the key (or of the row), then of each column."""
        values = []
        for name in self.columns:
            column = self.new.by_name[name]
            if name in self.expressions:
                values.append(hash_sql.hash_text(hash_sql.canonical_text(column.value, column.kind), _SEED))
            else:
                values.append(hash_sql.hash_value(column.value, column.kind, _SEED))
        return f"SELECT {self._list(self.new, values)} FROM {self.new.source}"

    def _old_rows(self, session: Session, more: str = "") -> str:
        source, values = self.old.source, []
        for number, name in enumerate(self.columns):
            column = self.old.by_name[name]
            if name not in self.expressions:
                values.append(hash_sql.hash_value(column.value, column.kind, _SEED))
                continue
            expression = self.expressions[name]
            # In a subselect of its own `old` means the column.
            lateral = f"CROSS JOIN LATERAL (SELECT (\n{expression}\n) AS value FROM (SELECT {column.value} AS old) AS o) AS "
            plain = expression.strip() == "old"
            kind = column.kind if plain else relations.read_type(session, f"{self.old.source} {lateral} d", column_name(self.name, name))
            source = f"{source} {lateral} d{number}"
            values.append(hash_sql.hash_text(hash_sql.canonical_text(f"d{number}.value", kind), _SEED))
        return f"SELECT {self._list(self.old, values)}{more} FROM {source}"

    def _list(self, relation: Relation, values: Sequence[str]) -> str:
        first = key_hash(relation, self.key) if self.key else mixed(values)
        return ", ".join([f"{first} AS k", *(f"{value} AS h{number}" for number, value in enumerate(values))])

    def compare(self, session: Session, target: str) -> Dict[str, Any]:
        """The numbers; `target` holds the copy's rows."""
        old = self._old_rows(session)
        if not self.key:
            return self._compare_multisets(session, old, target)
        differ = [f"count(*) FILTER (WHERE o.k IS NOT NULL AND n.k IS NOT NULL AND o.h{i} IS DISTINCT FROM n.h{i})" for i in range(len(self.columns))]
        numbers = [
            "count(*) FILTER (WHERE o.k IS NOT NULL AND n.k IS NOT NULL)",
            "count(*) FILTER (WHERE o.k IS NULL)",
            "count(*) FILTER (WHERE n.k IS NULL)",
            *differ,
        ]
        found: List[int] = session.value(f"SELECT ARRAY[{', '.join(numbers)}] AS v FROM ({old}) AS o FULL JOIN {target} AS n ON o.k = n.k")
        return {"key": self.key, "kept": found[0], "added": found[1], "lost": found[2], "columns": dict(zip(self.columns, found[3:]))}

    def _compare_multisets(self, session: Session, old: str, target: str) -> Dict[str, Any]:
        def difference(column: str) -> Tuple[int, int, int]:
            counted = "SELECT {0} AS v, count(*) AS n FROM {1} GROUP BY {0}"
            # A value that became NULL is gone from the old side; NULLs themselves are no values. The hash of a whole row is never NULL.
            sides = [f"{counted.format(column, source)} HAVING {column} IS NOT NULL" for source in (f"({old}) AS q", target)]
            found: List[int] = session.value(
                "SELECT ARRAY[coalesce(sum(least(c.old, c.new)), 0), coalesce(sum(greatest(c.new - c.old, 0)), 0), "
                "coalesce(sum(greatest(c.old - c.new, 0)), 0)]::bigint[] AS v FROM ("
                f"SELECT coalesce(o.n, 0) AS old, coalesce(n.n, 0) AS new FROM ({sides[0]}) AS o FULL JOIN ({sides[1]}) AS n USING (v)) AS c"
            )
            return found[0], found[1], found[2]

        kept, added, lost = difference("k")
        columns = {name: difference(f"h{number}")[2] for number, name in enumerate(self.columns) if name in self.asked}
        return {"key": None, "kept": kept, "added": added, "lost": lost, "columns": columns}

    def keys(self, old: Session, new: Session, target: str, counted: Mapping[str, Any]) -> Dict[str, Any]:
        """The first keys of the rows that were lost, and of those in which a column changed; some of those that were added."""
        shown, order = self._shown(self.old)
        # The key's columns come along under names that none of the hashes has.
        rows = self._old_rows(old, f", {shown} AS key, ROW({order}) AS place")
        result: Dict[str, Any] = {"added": [], "lost": [], "columns": {}}
        if counted["lost"]:
            missing = f"NOT EXISTS (SELECT FROM {target} AS n WHERE n.k = o.k)"
            result["lost"] = [row["key"] for row in old.rows(f"SELECT key FROM ({rows}) AS o WHERE {missing} ORDER BY place LIMIT {MOST_KEYS}")]
        for number, name in enumerate(self.columns):
            if counted["columns"][name]:
                changed = f"o.h{number} IS DISTINCT FROM n.h{number}"
                query = f"SELECT o.key FROM ({rows}) AS o JOIN {target} AS n ON n.k = o.k WHERE {changed} ORDER BY o.place LIMIT {MOST_KEYS}"
                result["columns"][name] = [row["key"] for row in old.rows(query)]
        if counted["added"]:
            hashes = [
                row["k"]
                for row in old.rows(
                    f"SELECT n.k::text FROM {target} AS n WHERE NOT EXISTS (SELECT FROM ({rows}) AS o WHERE o.k = n.k) ORDER BY n.k LIMIT {MOST_KEYS}"
                )
            ]
            listed = ", ".join(quote_literal(text) for text in hashes)
            wanted = f"{key_hash(self.new, self.key or ())} = ANY (ARRAY[{listed}]::bigint[])"
            shown, order = self._shown(self.new)
            result["added"] = [row["key"] for row in new.rows(f"SELECT {shown} AS key FROM {self.new.source} WHERE {wanted} ORDER BY {order}")]
        return result

    def _shown(self, relation: Relation) -> Tuple[str, str]:
        """SQL for a row's key as it is shown, and for its place in their order."""
        values = [relation.by_name[name].value for name in self.key or ()]
        return f"ARRAY[{', '.join(f'left({value}::text, {_LONGEST_KEY})' for value in values)}]", ", ".join(values)


def send(server: Server, copy: str, database: str, name: str, work: WorkDirectory, query: str, target: str, columns: int, deadline_s: float) -> None:
    """Fill a new table of `database` with the answer of a query on the copy."""
    fields = ", ".join(["k bigint", *(f"h{number} bigint" for number in range(columns))])
    with Session(server, database, name, deadline_s=deadline_s) as session:
        session.execute(f"CREATE UNLOGGED TABLE {target} ({fields})")
    settings = ", ".join(f"pg_catalog.set_config({quote_literal(key)}, {quote_literal(value)}, true)" for key, value in hash_sql.SETTINGS.items())
    # Nothing but rows may go to standard output.
    quiet = f"\\o /dev/null\nSELECT {settings};\n\\o\n"
    script = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n{quiet}COPY (\n{query}\n) TO STDOUT;\nROLLBACK;\n"
    psql = ["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password", "--set=ON_ERROR_STOP=1"]
    reader, writer = os.pipe()
    with open(reader, "rb") as incoming, open(writer, "wb") as outgoing, tempfile.TemporaryFile() as source:
        source.write(script.encode())
        source.seek(0)
        # The query goes in on standard input: an expression that the user declared is nobody's business in the list of processes.
        sending = Tool(server.tool("psql", *psql, f"--dbname={server.conninfo(copy, name, READ_ONLY)}"), work, stdin=source, stdout=outgoing)
        outgoing.close()
        try:
            words = [*psql, f"--dbname={server.conninfo(database, name)}", f"--command=COPY {target} FROM STDIN"]
            receiving = Tool(server.tool("psql", *words), work, stdin=incoming)
        except BaseException:
            sending.stop()
            raise
        incoming.close()
        try:
            sending.wait(deadline_s)
            receiving.wait(deadline_s)
        except BaseException:
            sending.stop()
            receiving.stop()
            raise
    with Session(server, database, name, deadline_s=deadline_s) as session:
        session.execute(f"ANALYZE {target}")
