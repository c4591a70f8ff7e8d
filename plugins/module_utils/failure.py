# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One migration that failed: what the server and the statement named, and questions about it that the copy answers."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils.masking import MASK, quoted
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import object_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session, quote_identifier, quote_literal
from ansible_collections.migrations.rehearsal.plugins.module_utils.statement_names import Names, names_of

_CANCELED = "57014"
Relation = Dict[str, Any]


class Failure:
    """One failure: what the server and the statement named, and questions about it."""

    def __init__(self, session: Session, error: Mapping[str, Any]) -> None:
        self.session = session
        self.error = error
        self.statement = str(error.get("statement") or "")
        self.names: Names = names_of(self.statement)
        # The names that the message quotes, in its order, whatever language it is in.
        self.said: List[str] = [name for name in quoted(str(error.get("message") or "")) if name != MASK]
        # A count took too long: the others would too.
        self.slow = False

    def table(self) -> Optional[Relation]:
        """The table that the server names, or else the statement's."""
        if self.error.get("table_name"):
            name = quote_identifier(self.error["table_name"])
            schema = self.error.get("schema_name")
            return self.relation(f"{quote_identifier(schema)}.{name}" if schema else name)
        return self.relation(self.names.table) if self.names.table else None

    def relation(self, name: str) -> Optional[Relation]:
        """{"sql", "name", "kind", "owner"} of a relation named as in SQL, or None."""
        found = self.session.rows(
            "SELECT c.oid::regclass::text AS sql, n.nspname AS schema, c.relname AS relname, c.relkind AS kind, pg_get_userbyid(c.relowner) AS owner "
            f"FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass({quote_literal(name)})"
        )
        if not found:
            return None
        return {**found[0], "name": object_name(found[0]["schema"], found[0]["relname"])}

    def columns(self, relation: Relation) -> Dict[str, str]:
        """Column → type, as PostgreSQL writes it."""
        rows = self.session.rows(
            "SELECT attname AS name, format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END AS type FROM pg_attribute "
            f"WHERE attrelid = {quote_literal(relation['sql'])}::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        )
        return {row["name"]: row["type"] for row in rows}

    def ask(self, query: str) -> Optional[Dict[str, Any]]:
        """The only row of a query that may take long or name what is not there; None if it did. All else can still be asked then."""
        if self.slow:
            return None
        self.session.execute("SAVEPOINT one_look")
        try:
            return self.session.row(query)
        except PostgresError as error:
            self.session.execute("ROLLBACK TO SAVEPOINT one_look")
            self.slow = error.sqlstate == _CANCELED
            return None

    def count(self, query: str) -> Optional[int]:
        """The figure that a query asks for, or None; see `ask`."""
        found = self.ask(f"SELECT ({query}) AS figure")
        return None if found is None else int(found["figure"])

    def rows(self, relation: Relation) -> int:
        """Rows, or the planner's estimate where they cannot be counted in time."""
        counted = self.count(f"SELECT count(*) FROM {relation['sql']}")
        if counted is not None:
            return counted
        estimate = f"SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = {quote_literal(relation['sql'])}::regclass"
        return int(self.session.value(estimate))

    def uncounted(self, said: str) -> str:
        """What is said in place of a count that took too long."""
        return said if self.slow else ""

    def made_here(self) -> str:
        name = self.error.get("table_name") or self.names.table
        return f"{name} was made by these migrations and is rolled back: it could not be looked at" if name else ""
