# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `alembic check` says of the project's models and the database that it is connected to. Nothing is written, neither there nor to a file.

Works with Alembic 1.8, which has no such command yet, and with any `env.py`, sync or async: the comparison runs where the migrations would.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_channel import Channel
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name, object_name

_ARGUMENTS = ("message", "splice", "branch_label", "version_path", "rev_id", "depends_on")
_IN_MODELS, _IN_DATABASE, _DIFFERENT = "only in the models", "only in the database", "different"


class Models:
    """One comparison; `options` go to Alembic's EnvironmentContext, `compare` is called where migrations would run."""

    def __init__(self, config: Any, script: Any, channel: Channel) -> None:
        from alembic.autogenerate.api import RevisionContext

        self._script = script
        self._channel = channel
        arguments: Dict[str, Any] = {**dict.fromkeys(_ARGUMENTS), "autogenerate": True, "sql": False, "head": "head"}
        self._context = RevisionContext(config, script, arguments)

    @property
    def options(self) -> Dict[str, Any]:
        return {"dont_mutate": True, "template_args": self._context.template_args, "revision_context": self._context}

    def compare(self, heads: Any, context: Any) -> None:
        """Tell event `models`: the differences, or the reason why there is nothing to compare."""
        settings = {name: bool(context.opts.get(name)) for name in ("compare_type", "compare_server_default")}
        reason = self._obstacle(heads, context)
        differences: List[Dict[str, str]] = []
        if not reason:
            self._context.run_autogenerate(heads, context)
            # A hook of env.py may have taken an empty revision away.
            scripts = self._context.generated_revisions
            operations = scripts[-1].upgrade_ops_list[-1].ops if scripts else []
            differences = [found for operation in operations for found in _described(operation, context.dialect)]
        self._channel.emit("models", reason=reason, differences=differences, **settings)

    def _obstacle(self, heads: Any, context: Any) -> Optional[str]:
        if context.opts.get("target_metadata") is None:
            return "env.py names no models (target_metadata is None)"
        if set(self._script.get_revisions(heads)) != set(self._script.get_revisions("heads")):
            return "the database does not stand at the project's head"
        return None


def _described(operation: Any, dialect: Any) -> Iterator[Dict[str, str]]:
    """{"kind", "where", "object", "table", "text"} for each difference that an operation stands for."""
    if hasattr(operation, "ops"):
        for inner in operation.ops:
            yield from _described(inner, dialect)
        return
    try:
        found = operation.to_diff_tuple()
    except Exception:
        # Operations of other packages need not have one.
        yield _entry(type(operation).__name__, "", "", _DIFFERENT, type(operation).__name__)
        return
    for one in found if isinstance(found, list) else [found]:
        try:
            yield _difference(one, dialect)
        except Exception:
            yield _entry(str(one[0]), "", "", _DIFFERENT, str(one[0]).replace("_", " "))


def _entry(kind: str, name: str, table: str, where: str, text: str) -> Dict[str, str]:
    return {"kind": kind, "where": where, "object": name, "table": table, "text": text}


def _difference(found: Sequence[Any], dialect: Any) -> Dict[str, str]:
    kind = str(found[0])
    where = _IN_MODELS if kind.startswith("add_") else _IN_DATABASE if kind.startswith("remove_") else _DIFFERENT
    if kind.startswith("modify_"):
        return _modified(kind, found, dialect)
    thing = found[1]
    if kind in ("add_column", "remove_column"):
        table = object_name(found[1] or "public", found[2])
        column = found[3]
        name = column_name(table, column.name)
        return _entry(kind, name, table, where, f"column {name} ({_type(column.type, dialect)}) is {where}")
    if kind in ("add_table", "remove_table"):
        table = object_name(thing.schema or "public", thing.name)
        return _entry(kind, table, table, where, f"table {table} is {where}")
    owner = getattr(thing, "table", thing)
    table = object_name(owner.schema or "public", owner.name)
    if kind in ("add_table_comment", "remove_table_comment"):
        return _entry(kind, table, table, _DIFFERENT, f"the comment on table {table} differs")
    what = {"fk": "foreign key", "index": "index"}.get(kind.split("_", 1)[1], "constraint")
    columns = ", ".join(str(getattr(column, "name", column)) for column in getattr(thing, "columns", ()) or ())
    name = str(thing.name) if thing.name else f"on ({columns})"
    label = column_name(table, name) if thing.name and what != "index" else name if thing.name else table
    text = f"{what} {name} on {table} ({columns}) is {where}" if thing.name else f"{what} {name} of {table} is {where}"
    return _entry(kind, label, table, where, text)


def _modified(kind: str, found: Sequence[Any], dialect: Any) -> Dict[str, str]:
    _kind, schema, table_name, column, _existing, old, new = found
    table = object_name(schema or "public", table_name)
    name = column_name(table, column)
    if kind == "modify_nullable":
        said = [("nullable" if value else "not null") for value in (old, new)]
    elif kind == "modify_type":
        said = [_type(value, dialect) for value in (old, new)]
    elif kind == "modify_default":
        said = [_default(value) for value in (old, new)]
    else:
        return _entry(kind, name, table, _DIFFERENT, f"{kind.split('_', 1)[1]} of column {name} differs")
    return _entry(kind, name, table, _DIFFERENT, f"column {name} is {said[0]} in the database, {said[1]} in the models")


def _type(kind: Any, dialect: Any) -> str:
    try:
        return str(kind.compile(dialect=dialect))
    except Exception:
        return repr(kind)


def _default(value: Any) -> str:
    if value is None or value is False:
        return "without default"
    argument = getattr(value, "arg", value)
    return f"default {getattr(argument, 'text', argument)}"
