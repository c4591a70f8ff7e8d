# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a snapshot, and what changed about them, in words a person reads."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, List, Mapping

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
    text = index["definition"]
    # The name comes before, and may contain anything; the method's name follows the first USING after it in all but absurd names.
    tail = text.partition(" USING ")[2] or text
    words = f"{'unique ' if index['unique'] else ''}{tail}"
    return words if index["valid"] else f"{words} (invalid)"


def relation_words(relation: Record) -> str:
    """`6 columns, 2 indexes, 1 foreign key`"""
    counts: Dict[str, int] = {"column": len(relation["columns"]), "primary key": 0, "foreign key": 0}
    for constraint in relation["constraints"].values():
        counts[constraint["kind"]] = counts.get(constraint["kind"], 0) + 1
    for part, word in (("indexes", "index"), ("triggers", "trigger"), ("rules", "rule"), ("policies", "policy"), ("statistics", "statistics object")):
        counts[word] = sum(1 for record in relation[part].values() if not record.get("constraint"))
    text = ", ".join(_count(number, word) for word, number in counts.items() if number)
    if relation.get("partition_key"):
        text += f", partitioned by {relation['partition_key']}"
    if relation.get("partition_of"):
        text += f", partition of {relation['partition_of']} {relation['partition_bound']}"
    return text


def _count(number: int, word: str) -> str:
    if number == 1:
        return f"1 {word}"
    plural = {"index": "indexes", "policy": "policies", "foreign key": "foreign keys"}.get(word, f"{word}s")
    return f"{number} {plural}"


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
        text = "yes" if value else "no"
    elif isinstance(value, (list, tuple)):
        text = ", ".join(" ".join(map(str, item)) if isinstance(item, (list, tuple)) else str(item) for item in value)
    elif isinstance(value, dict):
        text = ", ".join(value)
    else:
        text = str(value).strip()
    return "" if len(text) > _LONGEST_QUOTE or "\n" in text else text


def value_words(old: Any, new: Any) -> str:
    """The difference of two values that are not records."""
    if isinstance(old, list) and isinstance(new, list):
        return _list_words("", old, new)
    was, became = quote(old), quote(new)
    return f"{was} became {became}" if was and became else "other value"


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
    return [_field_words(field, before, after) for field in fields]


def _same_but_validated(before: str, after: str) -> bool:
    marks = (" NOT VALID", " NOT ENFORCED")
    return _without(before, marks) == _without(after, marks)


def _without(text: str, endings: Any) -> str:
    for ending in endings:
        if text.endswith(ending):
            text = text[: -len(ending)]
    return text


def _field_words(field: str, before: Record, after: Record) -> str:
    old, new = before.get(field), after.get(field)
    name = field.replace("_", " ")
    if field == "nullable":
        return "now nullable" if new else "now not null"
    if field == "enabled" and new == "disabled":
        return "now disabled"
    if field == "enabled" and old == "disabled":
        return "now enabled" + ("" if new == "origin" else f" ({new})")
    if field == "generated":
        return f"{_generated(before)} became {_generated(after)}"
    if isinstance(old, bool) and isinstance(new, bool):
        name = _ON.get(field, name)
        return f"now {name}" if new else f"no longer {name}" if field not in _ON else f"{name} off"
    if isinstance(old, list) and isinstance(new, list):
        return _list_words(name, old, new)
    if isinstance(old, dict) and isinstance(new, dict):
        return _dict_words(name, old, new)
    if old is None or new is None:
        said = quote(new if old is None else old)
        return f"{name} {said} {'added' if old is None else 'removed'}".replace("  ", " ")
    was, became = quote(old), quote(new)
    return f"{name} {was} became {became}" if was and became else f"{name} changed"


def _generated(column: Record) -> str:
    if column.get("generated"):
        return f"generated always as {column['default']} {column['generated']}"
    return "not generated" if column.get("default") is None else f"default {column['default']}"


def _list_words(name: str, old: List[Any], new: List[Any]) -> str:
    removed, added = [item for item in old if item not in new], [item for item in new if item not in old]
    said = [f"{quote(items)} {verb}" for items, verb in ((removed, "removed"), (added, "added")) if items]
    text = "; ".join(said) if said else f"reordered to {quote(new)}"
    return f"{name}: {text}" if name else text


def _dict_words(name: str, old: Dict[str, Any], new: Dict[str, Any]) -> str:
    said = []
    for key in sorted({*old, *new}):
        if key not in new:
            said.append(f"{key} removed")
        elif key not in old:
            said.append(f"{key} added")
        elif old[key] != new[key]:
            was, became = quote(old[key]), quote(new[key])
            simple = not isinstance(old[key], dict) and was and became
            said.append(f"{key} {was} became {became}" if simple else f"{key} changed")
    return f"{name}: {'; '.join(said)}"
