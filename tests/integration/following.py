"""Rows followed one by one, with the old rows in a schema `was` instead of a database of their own."""

from __future__ import annotations

from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import changed_rows, relations
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import proof_transaction
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session


def followed(session: Session, wanted: dict[str, list[str]], before: dict[str, Any]) -> dict[str, Any]:
    """As changed_rows.measure does."""
    found: dict[str, Any] = {}
    with proof_transaction(session):
        known = {relation.name: relation for relation in relations.read_relations(session)[0]}
    for name, columns in wanted.items():
        pair = changed_rows._Pair(name, known[f"was.{name}"], known[name], before["tables"][name]["key"], columns, {})
        session.execute("DROP TABLE IF EXISTS was.sent")
        session.execute("SET TimeZone = 'UTC'")
        session.execute(f"CREATE TABLE was.sent AS {pair.new_rows()}")
        with proof_transaction(session):
            found[name] = pair.compare(session, "was.sent")
    return found
