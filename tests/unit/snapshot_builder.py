"""Small snapshots, written by hand for the tests of what reads them."""

from __future__ import annotations

import copy
from typing import Any

EMPTY: dict[str, Any] = {
    "server_version": "16.4",
    "server_version_num": 160004,
    **{name: {} for name in ("schemas", "tables", "sequences", "views", "functions", "types", "extensions", "event_triggers")},
    **{name: {} for name in ("publications", "subscriptions", "foreign_servers", "default_privileges", "settings", "others")},
}


def column(type_: str = "bigint", nullable: bool = True, default: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "position": 1, "type": type_, "nullable": nullable, "default": default, "identity": None, "generated": None, "collation": None,
        "storage": "plain", "compression": None, "statistics": None, "options": None, "comment": None, **more,
    }  # fmt: skip


def index(table: str, *columns: str, unique: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "definition": f"CREATE {'UNIQUE ' if unique else ''}INDEX x ON public.{table} USING btree ({', '.join(columns)})",
        "unique": unique, "primary": False, "valid": True, "nulls_not_distinct": False, "method": "btree",
        "columns": [one.split()[0] for one in columns], "keys": list(columns), "include": [], "predicate": None, "constraint": None,
        "clustered": False, "replica_identity": False, "inherited": False, "tablespace": None, "comment": None, **more,
    }  # fmt: skip


def constraint(kind: str, columns: list[str], definition: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": kind, "definition": definition, "validated": True, "enabled": "origin", "columns": columns, "references": None,
        "referenced_columns": None, "on_delete": None, "on_update": None, "on_delete_columns": None, "inherited": False, "comment": None, **more,
    }  # fmt: skip


def foreign_key(column_: str, references: str, on_delete: str = "no action", **more: Any) -> dict[str, Any]:
    return constraint(
        "foreign key", [column_], f"FOREIGN KEY ({column_}) REFERENCES public.{references}(id)",
        **{"references": references, "referenced_columns": ["id"], "on_delete": on_delete, "on_update": "no action", **more},
    )  # fmt: skip


def table(name: str, columns: dict[str, Any], primary_key: str | None = "id", **more: Any) -> dict[str, Any]:
    """A table in public; with its primary key's constraint and index, if its column is there."""
    result = {
        "schema": "public", "name": name, "kind": "table", "owner": "app", "comment": None, "options": [], "persistence": "permanent",
        "partition_key": None, "partition_of": None, "partition_bound": None, "inherits": [], "row_security": False, "grants": {},
        "columns": columns, "column_grants": {}, "indexes": {}, "constraints": {}, "triggers": {}, "rules": {}, "policies": {},
        "statistics": {}, **copy.deepcopy(more),
    }  # fmt: skip
    if primary_key in columns:
        pkey = f"{name}_pkey"
        result["indexes"][pkey] = index(name, primary_key, unique=True, primary=True, constraint=pkey)
        result["constraints"][pkey] = constraint("primary key", [primary_key], f"PRIMARY KEY ({primary_key})")
    return result


def function(name: str, body: str, language: str = "plpgsql", **more: Any) -> dict[str, Any]:
    return {
        "schema": "public", "name": name, "kind": "function", "signature": "", "returns": "trigger", "language": language,
        "trusted": language in ("sql", "plpgsql"), "security_definer": False, "owner": "app", "definition": body, "definition_hash": "0",
        "grants": {}, "comment": None, **more,
    }  # fmt: skip


def snapshot(*tables: dict[str, Any], **collections: Any) -> dict[str, Any]:
    return copy.deepcopy({**EMPTY, "tables": {one["name"]: one for one in tables}, **collections})
