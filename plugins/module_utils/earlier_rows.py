# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows that a table had before the upgrade, told from those that it got since by the numbers that a sequence gives their keys.

Two upgrades give their own rows other keys, so that fingerprints of the table differ after the one and the other. Where the earlier rows are the
same physical tuples nothing else can differ; where the upgrade wrote to them too, they are hashed once more by themselves.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils import hash_sql, relations
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import proof_transaction
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint_table import Question, ask, bound_to
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.renames import Renames

Entry = Mapping[str, Any]


def add(session: Session, taken: Dict[str, Any], before: Mapping[str, Any], sequences: Callable[[], Mapping[str, Any]], renames: Renames) -> None:
    """Give those entries of a fingerprint `earlier`: {"rows", "columns": {NAME: hash}}, of rows whose key no later row can have.

    `before`: the fingerprint taken before, under the names that things have now; `sequences`: those of the snapshot taken then, which is asked for
    where a table needs them. Raises PostgresError.
    """
    asked = {
        name: column_name(name, entry["key"][0])
        for name, entry in taken["tables"].items()
        if name in before["tables"] and _is_asked(entry, before["tables"][name])
    }
    if not asked:
        return
    last = {renames.label(record["owned_by"]): bound for record in sequences().values() for bound in [_bound(record)] if bound is not None}
    wanted = {name: last[key] for name, key in asked.items() if key in last}
    if not wanted:
        return
    with proof_transaction(session):
        for relation in relations.read_relations(session)[0]:
            if relation.name in wanted:
                key = relation.by_name[taken["tables"][relation.name]["key"][0]]
                seed = bound_to(relation, [key.name], hash_sql.key_seed)
                sums = [f"coalesce(sum({hash_sql.hash_value(column.value, column.kind, seed)}), 0)" for column in relation.columns]
                source = f"{relation.source} WHERE {key.value} <= {wanted[relation.name]}"
                (answer,) = ask(session, [Question(relation.name, ("count(*)", *sums), source)])
                hashes = dict(zip((column.name for column in relation.columns), answer[1:]))
                taken["tables"][relation.name]["earlier"] = {"rows": int(answer[0] or 0), "columns": hashes}


def _bound(record: Entry) -> Optional[int]:
    """The largest key that the sequence had given; what it gives from then on is larger."""
    if record["owned_by"] is None or record["last_value"] is None or record["increment"] < 1 or record["cycle"]:
        return None
    return int(record["last_value"] + record["increment"] - 1)


def _is_asked(entry: Entry, old: Entry) -> bool:
    """Rows were added, and not all of the earlier ones are known to be as they were."""
    if "counts" in (entry["proof"], old["proof"]) or entry["rows"] <= old["rows"] or entry.get("old_rows") == old["rows"]:
        return False
    key = entry["key"]
    return bool(key) and key == old["key"] and len(key) == 1 and entry["columns"][key[0]]["by"] == old["columns"][key[0]]["by"] == "int"
