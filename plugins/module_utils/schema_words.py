# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a snapshot, and what changed about them, in words a person reads."""

from __future__ import annotations

from typing import Any, Callable, Dict, FrozenSet, List, Mapping

from ansible_collections.migrations.rehearsal.plugins.module_utils.words import Text, term, text

Record = Mapping[str, Any]

# Longer than this, or of several lines, a definition is not part of a sentence.
_LONGEST_QUOTE = 300

# What a definition says already; PostgreSQL's words for it are enough.
_SAID_BY_DEFINITION = frozenset(
    [
        *("unique", "primary", "keys", "columns", "include", "predicate", "method", "nulls_not_distinct"),
        *("references", "referenced_columns", "on_delete", "on_update", "on_delete_columns"),
        *("signature", "returns", "language", "trusted", "security_definer", "function"),
    ]
)

_ON = {"row_security": "row security", "force_row_security": "row security also for the owner", "cycle": "cycling"}


def column_words(column: Record) -> str:
    """`boolean not null default true`"""
    words = [column["type"]]
    if column.get("collation"):
        words.append(f"collate {column['collation']}")
    if not column["nullable"]:
        words.append("not null")
    if column.get("generated"):
        words.append(f"generated always as {column['default']} {column['generated']}")
    elif column.get("identity"):
        words.append(f"generated {column['identity']} as identity")
    elif column["default"] is not None:
        words.append(f"default {column['default']}")
    return " ".join(words)


def index_words(index: Record) -> str:
    """`unique btree (email) WHERE …`: the definition from its method on."""
    definition = index["definition"]
    # The name comes before, and may contain anything; the method's name follows the first USING after it in all but absurd names.
    tail = definition.partition(" USING ")[2] or definition
    words = f"{'unique ' if index['unique'] else ''}{tail}"
    return words if index["valid"] else text("{words} (invalid)", words=words)


def relation_words(relation: Record) -> str:
    """`6 columns, 2 indexes, 1 foreign key`"""
    counts: Dict[str, int] = {"column": len(relation["columns"]), "primary key": 0, "foreign key": 0}
    for constraint in relation["constraints"].values():
        counts[constraint["kind"]] = counts.get(constraint["kind"], 0) + 1
    for part in ("indexes", "triggers", "rules", "policies", "statistics"):
        counts[part] = sum(1 for record in relation[part].values() if not record.get("constraint"))
    said = text("{parts:list}", parts=[_COUNTED[what](number) for what, number in counts.items() if number])
    if relation.get("partition_key"):
        said = text("{said}, partitioned by {key}", said=said, key=relation["partition_key"])
    if relation.get("partition_of"):
        said = text("{said}, partition of {table} {bound}", said=said, table=relation["partition_of"], bound=relation["partition_bound"])
    return said


_COUNTED: Mapping[str, Callable[[int], Text]] = {
    "column": lambda count: text("{count:count column|columns}", count=count),
    "primary key": lambda count: text("{count:count primary key|primary keys}", count=count),
    "foreign key": lambda count: text("{count:count foreign key|foreign keys}", count=count),
    "unique": lambda count: text("{count:count unique constraint|unique constraints}", count=count),
    "check": lambda count: text("{count:count check|checks}", count=count),
    "exclusion": lambda count: text("{count:count exclusion constraint|exclusion constraints}", count=count),
    "not null": lambda count: text("{count:count NOT NULL constraint|NOT NULL constraints}", count=count),
    "indexes": lambda count: text("{count:count index|indexes}", count=count),
    "triggers": lambda count: text("{count:count trigger|triggers}", count=count),
    "rules": lambda count: text("{count:count rule|rules}", count=count),
    "policies": lambda count: text("{count:count policy|policies}", count=count),
    "statistics": lambda count: text("{count:count statistics object|statistics objects}", count=count),
}


def definition_words(record: Record) -> str:
    """Whatever defines an object that has no words of its own; empty if that is too long to be read in a sentence."""
    for field in ("definition", "version", "values", "attributes", "base", "subtype", "event", "wrapper", "type"):
        value = record.get(field)
        if value:
            return quote(value)
    return ""


def quote(value: Any) -> str:
    """A value as part of a sentence, or nothing when it is too long for one."""
    if isinstance(value, bool):
        return text("yes") if value else text("no")
    if isinstance(value, (list, tuple)):
        said = ", ".join(" ".join(map(str, item)) if isinstance(item, (list, tuple)) else str(item) for item in value)
    elif isinstance(value, dict):
        said = ", ".join(value)
    else:
        said = str(value).strip()
    return "" if len(said) > _LONGEST_QUOTE or "\n" in said else said


def value_words(old: Any, new: Any) -> str:
    """The difference of two values that are not records."""
    if isinstance(old, list) and isinstance(new, list):
        return _list_words(old, new)
    was, became = quote(old), quote(new)
    return text("{was} became {became}", was=was, became=became) if was and became else text("other value")


def difference_words(before: Record, after: Record, ignored: FrozenSet[str]) -> List[str]:
    """What became of each field; empty if the records are equal but for the ignored fields."""
    fields = [field for field in dict.fromkeys([*before, *after]) if field not in ignored and before.get(field) != after.get(field)]
    if "definition" in fields:
        fields = [field for field in fields if field not in _SAID_BY_DEFINITION]
        if "validated" in fields and _same_but_validated(before["definition"], after["definition"]):
            fields.remove("definition")
    if "type" in fields and "storage" in fields:
        fields.remove("storage")  # A type has its own way of storing, so this is the same change.
    if "default" in fields and "generated" in fields:
        fields.remove("default")
    if "enabled" in fields and "trigger_states" in fields:
        fields.remove("trigger_states")
    return [_field_words(field, before, after) for field in fields]


def _same_but_validated(before: str, after: str) -> bool:
    marks = (" NOT VALID", " NOT ENFORCED")
    return _without(before, marks) == _without(after, marks)


def _without(definition: str, endings: Any) -> str:
    for ending in endings:
        if definition.endswith(ending):
            definition = definition[: -len(ending)]
    return definition


def _field_words(field: str, before: Record, after: Record) -> str:
    old, new = before.get(field), after.get(field)
    name = term(field.replace("_", " "))
    if field == "nullable":
        return text("now nullable") if new else text("now not null")
    if field == "enabled" and new == "disabled":
        return text("now disabled")
    if field == "enabled" and old == "disabled":
        return text("now enabled") if new == "origin" else text("now enabled ({how})", how=new)
    if field == "trigger_states":
        return text("{name}: {said}", name=name, said=_list_words(old or [], new or []))
    if field == "generated":
        return text("{was} became {became}", was=_generated(before), became=_generated(after))
    if isinstance(old, bool) and isinstance(new, bool):
        if field in _ON:
            return text("now {name}", name=term(_ON[field])) if new else text("{name} off", name=term(_ON[field]))
        return text("now {name}", name=name) if new else text("no longer {name}", name=name)
    if isinstance(old, list) and isinstance(new, list):
        return text("{name}: {said}", name=name, said=_list_words(old, new))
    if isinstance(old, dict) and isinstance(new, dict):
        return text("{name}: {said}", name=name, said=_dict_words(old, new))
    if old is None or new is None:
        said = quote(new if old is None else old)
        # A value that is too long for a sentence is left out of it.
        shown = text("{name} {value}", name=name, value=said) if said else name
        return text("{what} added", what=shown) if old is None else text("{what} removed", what=shown)
    was, became = quote(old), quote(new)
    return text("{name} {was} became {became}", name=name, was=was, became=became) if was and became else text("{name} changed", name=name)


def _generated(column: Record) -> str:
    if column.get("generated"):
        return f"generated always as {column['default']} {column['generated']}"
    return text("not generated") if column.get("default") is None else f"default {column['default']}"


def _list_words(old: List[Any], new: List[Any]) -> str:
    removed, added = [item for item in old if item not in new], [item for item in new if item not in old]
    said: List[str] = [text("{what} removed", what=quote(removed))] if removed else []
    said += [text("{what} added", what=quote(added))] if added else []
    return text("{parts:semicolons}", parts=said) if said else text("reordered to {value}", value=quote(new))


def _dict_words(old: Dict[str, Any], new: Dict[str, Any]) -> str:
    said: List[str] = []
    for key in sorted({*old, *new}):
        if key not in new:
            said.append(text("{what} removed", what=key))
        elif key not in old:
            said.append(text("{what} added", what=key))
        elif old[key] != new[key]:
            was, became = quote(old[key]), quote(new[key])
            simple = not isinstance(old[key], dict) and was and became
            said.append(text("{name} {was} became {became}", name=key, was=was, became=became) if simple else text("{name} changed", name=key))
    return text("{parts:semicolons}", parts=said)
