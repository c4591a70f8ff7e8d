# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the whole catalog of a database as data.

One repeatable-read transaction, a few set-based queries, rows parsed in batches: 5,000 tables take seconds and some tens of megabytes.
The shape is described in docs/evidence.md. Definitions are PostgreSQL's own words: between two major versions it may word the
same view or expression differently.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import snapshot_queries, snapshot_queries_objects
from ansible_collections.migrations.rehearsal.plugins.module_utils.masking import MASK
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name, object_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Row, Session

Snapshot = Dict[str, Any]
# Schema and name of a relation; and the names of its columns by their number.
Key = Tuple[str, str]
Numbers = Dict[Key, Dict[int, str]]

BATCH_ROWS = 2000
# pg_sequence_last_value() locks each sequence until its transaction ends, and the server has room for some thousand locks.
SEQUENCES_PER_TRANSACTION = 500

# Everything that PostgreSQL lets change the text of a definition; then what keeps the queries fast.
_SETTINGS = {
    "search_path": "pg_catalog, pg_temp",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "DateStyle": "'ISO, YMD'",
    "IntervalStyle": "postgres",
    "TimeZone": "'UTC'",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "'C'",
    "xmlbinary": "base64",
    "cursor_tuple_fraction": "1",
    "jit": "off",
    # A restored database has no statistics on its catalogs yet; the nested loops that PostgreSQL then chooses cost four times as much.
    "enable_nestloop": "off",
}

_RELATION_KINDS = {"r": "table", "p": "partitioned table", "f": "foreign table", "v": "view", "m": "materialized view"}
_PERSISTENCE = {"p": "permanent", "u": "unlogged"}
_REPLICA_IDENTITY = {"d": "default", "n": "nothing", "f": "full", "i": "index"}
_IDENTITY = {"a": "always", "d": "by default"}
_GENERATED = {"s": "stored", "v": "virtual"}
_STORAGE = {"p": "plain", "e": "external", "m": "main", "x": "extended"}
_COMPRESSION = {"p": "pglz", "l": "lz4"}
_CONSTRAINT_KINDS = {"p": "primary key", "u": "unique", "f": "foreign key", "c": "check", "x": "exclusion", "n": "not null"}
_ACTIONS = {"a": "no action", "r": "restrict", "c": "cascade", "n": "set null", "d": "set default"}
_ENABLED = {"O": "origin", "D": "disabled", "R": "replica", "A": "always"}
_ORDERS = {0: "", 1: " DESC NULLS LAST", 2: " NULLS FIRST", 3: " DESC"}
_COMMANDS = {"r": "select", "a": "insert", "w": "update", "d": "delete", "*": "all"}
_FUNCTION_KINDS = {"f": "function", "p": "procedure", "a": "aggregate", "w": "window function"}
_TYPE_KINDS = {"e": "enum", "d": "domain", "c": "composite", "r": "range", "b": "base", "p": "shell"}
_DEFAULT_ACL_OBJECTS = {"r": "tables", "S": "sequences", "f": "functions", "T": "types", "n": "schemas", "L": "large objects"}
_SECRET_OPTION = re.compile(r"(?i)pass|secret|token|key|credential")


def take_snapshot(session: Session) -> Snapshot:
    """The catalog of the connected database. The session must not be inside a transaction; its settings do not matter.

    Temporary objects, system schemas and what belongs to an extension are left out. Raises PostgresError.
    """
    snapshot = _in_transaction(session, _read)
    _add_sequence_values(session, snapshot["sequences"])
    return snapshot


def take_outward(session: Session) -> Snapshot:
    """Of `take_snapshot` only what can act on the world outside the database, for nothing else of thousands of tables is asked then.

    Functions, event triggers, subscriptions and foreign servers; of the tables those that have triggers, with their names and their triggers.
    """
    return _in_transaction(session, lambda read: {"tables": _tables_with_triggers(read), **_outward(read)})


def _in_transaction(session: Session, reading: Callable[[_Reader], Snapshot]) -> Snapshot:
    session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        for name, value in _SETTINGS.items():
            session.execute(f"SET LOCAL {name} = {value}")
        version = session.value("SELECT current_setting('server_version_num')::integer AS v")
        snapshot = reading(_Reader(session, version))
    except PostgresError:
        _roll_back(session)
        raise
    session.execute("COMMIT")
    return snapshot


def _roll_back(session: Session) -> None:
    try:
        session.execute("ROLLBACK")
    except PostgresError:
        pass  # The connection is gone, and the transaction with it; the first error is the one that explains.


class _Reader:
    """Rows of one query after the other, in batches, so that neither side holds a whole result."""

    def __init__(self, session: Session, version: int) -> None:
        self._session = session
        self.version = version
        self._texts: Dict[str, str] = {}

    def __call__(self, query: Callable[[int], str]) -> Iterator[Row]:
        # Definition functions lock what they describe; going back to the savepoint lets go of the locks.
        self._session.execute("SAVEPOINT snapshot_query")
        self._session.execute(f"DECLARE snapshot_rows NO SCROLL CURSOR FOR SELECT to_jsonb(q)::text FROM (\n{query(self.version)}\n) AS q")
        while True:
            lines = self._session.execute(f"FETCH {BATCH_ROWS} FROM snapshot_rows")
            # One document for a batch: its rows then share their keys in memory.
            for row in json.loads(f"[{','.join(lines)}]"):
                for key, value in row.items():
                    if isinstance(value, str):
                        row[key] = self._texts.setdefault(value, value)
                yield row
            if len(lines) < BATCH_ROWS:
                break
        self._session.execute("ROLLBACK TO SAVEPOINT snapshot_query")


def _read(read: _Reader) -> Snapshot:
    tables, views = _relations(read)
    (server,) = read(lambda _version: "SELECT current_setting('server_version') AS version")
    return {
        # "15.18 (Debian 15.18-0+deb12u1)"
        "server_version": server["version"].split()[0],
        "server_version_num": read.version,
        "schemas": _by_name((row.pop("name"), _with_grants(row)) for row in read(snapshot_queries_objects.schemas)),
        "tables": tables,
        "sequences": _by_name(_sequence(row) for row in read(snapshot_queries.sequences)),
        "views": views,
        "types": _by_name(_type(row) for row in read(snapshot_queries_objects.types)),
        "extensions": _by_name((row.pop("name"), row) for row in read(snapshot_queries_objects.extensions)),
        "publications": _by_name(_publication(row) for row in read(snapshot_queries_objects.publications)),
        "default_privileges": _default_privileges(read(snapshot_queries_objects.default_privileges)),
        "settings": _by_name(_settings(row) for row in read(snapshot_queries_objects.settings)),
        "others": _by_name((f"{row['kind']} {row['name']}", row) for row in read(snapshot_queries_objects.others)),
        **_outward(read),
    }


def _outward(read: _Reader) -> Snapshot:
    return {
        "functions": _by_name(_function(row) for row in read(snapshot_queries_objects.functions)),
        "event_triggers": _by_name(_event_trigger(row) for row in read(snapshot_queries_objects.event_triggers)),
        "subscriptions": _by_name((row.pop("name"), row) for row in read(snapshot_queries_objects.subscriptions)),
        "foreign_servers": _by_name(_foreign_server(row) for row in read(snapshot_queries_objects.foreign_servers)),
    }


def _tables_with_triggers(read: _Reader) -> Dict[str, Any]:
    tables: Dict[str, Any] = {}
    for row in read(snapshot_queries.triggers_of_tables):
        schema, name, trigger = (row.pop(key) for key in ("schema", "relation", "name"))
        tables.setdefault(object_name(schema, name), {"schema": schema, "name": name, "triggers": {}})["triggers"][trigger] = _trigger(row)
    return {name: {**table, "triggers": dict(sorted(table["triggers"].items()))} for name, table in sorted(tables.items())}


def _by_name(items: Any) -> Dict[str, Any]:
    return dict(sorted(items, key=lambda item: str(item[0])))


def _with_grants(row: Row) -> Row:
    row["grants"] = dict(sorted((row["grants"] or {}).items()))
    return row


def _relations(read: _Reader) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """Tables and views, with their parts in them."""
    relations: Dict[Key, Row] = {}
    for row in read(snapshot_queries.relations):
        relations[row["schema"], row["name"]] = _relation(row)
    numbers = _columns(read, relations)
    parts: List[Tuple[str, Callable[[int], str], Callable[[Row, Numbers, Key], Any]]] = [
        ("column_grants", snapshot_queries.column_grants, lambda row, _numbers, _key: dict(sorted(row["grants"].items()))),
        ("indexes", snapshot_queries.indexes, _index),
        ("constraints", snapshot_queries.constraints, _constraint),
        ("triggers", snapshot_queries.triggers, lambda row, _numbers, _key: _trigger(row)),
        ("rules", snapshot_queries.rules, lambda row, _numbers, _key: _rule(row)),
        ("policies", snapshot_queries.policies, lambda row, _numbers, _key: _policy(row)),
        ("statistics", snapshot_queries.statistics, lambda row, _numbers, _key: row),
    ]
    for part, query, build in parts:
        for row in read(query):
            key = (row.pop("schema"), row.pop("relation"))
            relations[key][part][row.pop("name")] = build(row, numbers, key)
        for relation in relations.values():
            relation[part] = dict(sorted(relation[part].items()))
    named = sorted((object_name(*key), relation) for key, relation in relations.items())
    return (
        {name: relation for name, relation in named if "definition" not in relation},
        {name: relation for name, relation in named if "definition" in relation},
    )


def _columns(read: _Reader, relations: Dict[Key, Row]) -> Numbers:
    """Give the relations their columns; the names by number, for what refers to columns by number."""
    numbers: Numbers = {key: {} for key in relations}
    for row in read(snapshot_queries.columns):
        key = (row.pop("schema"), row.pop("relation"))
        name = row.pop("name")
        numbers[key][row["position"]] = name
        relations[key]["columns"][name] = _column(row)
    for key, relation in relations.items():
        for position, number in enumerate(sorted(numbers[key]), 1):
            relation["columns"][numbers[key][number]]["position"] = position
        relation["columns"] = dict(sorted(relation["columns"].items()))
    return numbers


def _relation(row: Row) -> Row:
    kind = _RELATION_KINDS[row["kind"]]
    parents = [object_name(*parent) for parent in row["parents"] or ()]
    relation: Row = {
        "schema": row["schema"],
        "name": row["name"],
        "kind": kind,
        "owner": row["owner"],
        "comment": row["comment"],
        "options": row["options"] or [],
    }
    if kind in ("view", "materialized view"):
        relation["definition"] = row["definition"]
    if kind == "materialized view":
        relation["populated"] = row["populated"]
    if kind != "view":
        relation["tablespace"] = row["tablespace"]
        relation["access_method"] = row["access_method"]
    if kind not in ("view", "materialized view"):
        relation.update(
            persistence=_PERSISTENCE[row["persistence"]],
            partition_key=row["partition_key"],
            partition_of=parents[0] if row["is_partition"] and parents else None,
            partition_bound=row["partition_bound"],
            inherits=[] if row["is_partition"] else parents,
            of_type=row["of_type"],
            row_security=row["row_security"],
            force_row_security=row["force_row_security"],
            replica_identity=_REPLICA_IDENTITY[row["replica_identity"]],
        )
    if kind == "foreign table":
        relation["server"] = row["server"]
        relation["foreign_options"] = _without_secrets(row["foreign_options"])
    relation["grants"] = dict(sorted((row["grants"] or {}).items()))
    for part in ("columns", "column_grants", "indexes", "constraints", "triggers", "rules", "policies", "statistics"):
        relation[part] = {}
    return relation


def _column(row: Row) -> Row:
    row["identity"] = _IDENTITY.get(row["identity"])
    row["generated"] = _GENERATED.get(row["generated"])
    row["storage"] = _STORAGE[row["storage"]]
    row["compression"] = _COMPRESSION.get(row["compression"])
    return row


def _index(row: Row, numbers: Numbers, key: Key) -> Row:
    attributes, expressions, suffixes, orders = row.pop("key"), row.pop("expressions"), row.pop("suffixes"), row.pop("orders")
    names = [numbers[key][number] if number else expressions[n] for n, number in enumerate(attributes)]
    count = row.pop("key_parts")
    row["columns"], row["include"] = names[:count], names[count:]
    row["keys"] = [f"{name}{suffixes[n] if suffixes else ''}{_ORDERS[orders[n]]}" for n, name in enumerate(names[:count])]
    return row


def _constraint(row: Row, numbers: Numbers, key: Key) -> Row:
    schema, name = row.pop("referenced_schema"), row.pop("referenced_name")
    row["kind"] = _CONSTRAINT_KINDS[row["kind"]]
    states = row.pop("states") or ()
    row["enabled"] = "disabled" if any(one["state"] in "DR" for one in states) else "origin"
    if states:
        # Each by itself: where some are disabled already, others that come to it must show.
        row["trigger_states"] = sorted(f"{one['function']} on {object_name(one['schema'], one['table'])} {_ENABLED[one['state']]}" for one in states)
    row["references"] = object_name(schema, name) if name else None
    row["columns"] = [numbers[key][number] for number in row["columns"] or ()]
    # What belongs to an extension, or is in a system schema, has no columns here.
    referenced = numbers.get((schema, name))
    row["referenced_columns"] = [referenced[number] for number in row["referenced_columns"]] if referenced else None
    row["on_delete_columns"] = [numbers[key][number] for number in row["on_delete_columns"]] if row["on_delete_columns"] else None
    row["on_delete"] = _ACTIONS.get(row["on_delete"])
    row["on_update"] = _ACTIONS.get(row["on_update"])
    return row


def _trigger(row: Row) -> Row:
    row["enabled"] = _ENABLED[row["enabled"]]
    row["function"] = object_name(row.pop("function_schema"), row.pop("function_name")) + "()"
    return row


def _rule(row: Row) -> Row:
    row["enabled"] = _ENABLED[row["enabled"]]
    return row


def _policy(row: Row) -> Row:
    row["command"] = _COMMANDS[row["command"]]
    return row


def _sequence(row: Row) -> Tuple[str, Row]:
    schema, table, column = row.pop("owned_schema"), row.pop("owned_table"), row.pop("owned_column")
    row["owned_by"] = column_name(object_name(schema, table), column) if column else None
    row["identity"] = bool(row["identity"])
    row["persistence"] = _PERSISTENCE[row["persistence"]]
    row["last_value"] = None
    return object_name(row["schema"], row["name"]), _with_grants(row)


def _function(row: Row) -> Tuple[str, Row]:
    row["kind"] = _FUNCTION_KINDS[row["kind"]]
    row["definition_hash"] = hashlib.sha256(row["definition"].encode()).hexdigest()
    return f"{object_name(row['schema'], row['name'])}({row.pop('argument_types')})", _with_grants(row)


def _type(row: Row) -> Tuple[str, Row]:
    row["kind"] = _TYPE_KINDS[row["kind"]]
    row.update(row.pop("details"))
    if "constraints" in row:
        row["constraints"] = dict(sorted(row["constraints"].items()))
    return object_name(row["schema"], row["name"]), _with_grants(row)


def _event_trigger(row: Row) -> Tuple[str, Row]:
    row["tags"] = row["tags"] or []
    return row.pop("name"), _trigger(row)


def _publication(row: Row) -> Tuple[str, Row]:
    row["tables"] = _by_name((object_name(table.pop("schema"), table.pop("name")), table) for table in row["tables"])
    return row.pop("name"), row


def _foreign_server(row: Row) -> Tuple[str, Row]:
    row["options"] = _without_secrets(row["options"])
    return row.pop("name"), _with_grants(row)


def _without_secrets(options: Optional[List[str]]) -> List[str]:
    """`name=value` options, sorted, without the values of those that look like a secret."""
    pairs = (option.partition("=") for option in sorted(options or ()))
    return [f"{name}={MASK}" if _SECRET_OPTION.search(name) else f"{name}={value}" for name, _equals, value in pairs]


def _default_privileges(rows: Iterator[Row]) -> Dict[str, Any]:
    found: Dict[str, Dict[str, List[str]]] = {}
    for row in rows:
        where = f" in schema {row['schema']}" if row["schema"] else ""
        name = f"{_DEFAULT_ACL_OBJECTS[row['objects']]} of {row['role']}{where}"
        found.setdefault(name, {})[row["grantee"]] = row["privileges"]
    return {name: dict(sorted(privileges.items())) for name, privileges in sorted(found.items())}


def _settings(row: Row) -> Tuple[str, Dict[str, str]]:
    """Settings by role, `*` for all. An application's own setting (`app.jwt_secret`) may be a secret: only a hash is kept."""
    values: Dict[str, str] = {}
    for setting in sorted(row["settings"] or ()):
        name, _equals, value = setting.partition("=")
        values[name] = "sha256 " + hashlib.sha256(value.encode()).hexdigest() if "." in name else value
    return row["role"] or "*", values


def _add_sequence_values(session: Session, sequences: Dict[str, Any]) -> None:
    """Sequences are not part of any transaction, so nothing is lost by reading them after it, some at a time."""
    after = 0
    while sequences:
        rows = session.rows(snapshot_queries.sequence_values(after, SEQUENCES_PER_TRANSACTION))
        for row in rows:
            sequence = sequences.get(object_name(row["schema"], row["name"]))
            if sequence is not None:
                sequence["last_value"] = row["last_value"]
        if len(rows) < SEQUENCES_PER_TRANSACTION:
            return
        after = rows[-1]["oid"]
