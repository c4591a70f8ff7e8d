# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a statement of a migration names: its table, columns, constraint, referenced table.

Read from the text, since a statement that failed is not in the catalog. Only what a failure's advice needs; whatever is not recognised is left empty.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import FrozenSet, Optional, Tuple

_PART = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
# A table as SQL writes it: with its schema, quoted or not.
NAME = rf"{_PART}(?:\s*\.\s*{_PART})*"
_COLUMNS = rf"\(\s*({_PART}(?:\s*,\s*{_PART})*)\s*\)"

_ALTER_TABLE = re.compile(rf"\s*alter\s+(?:foreign\s+)?table\s+(?:if\s+exists\s+)?(?:only\s+)?({NAME})", re.IGNORECASE)
_CREATE_TABLE = re.compile(rf"\s*create\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?({NAME})", re.IGNORECASE)
_CREATE_INDEX = re.compile(
    rf"\s*create\s+(?:unique\s+)?index\s+(?:concurrently\s+)?(?:if\s+not\s+exists\s+)?(?:{NAME}\s+)?on\s+(?:only\s+)?({NAME})"
    r"(?:\s+using\s+\w+)?\s*",
    re.IGNORECASE,
)
_UNIQUE_INDEX = re.compile(r"\s*create\s+unique\b", re.IGNORECASE)
_NULLS_EQUAL = re.compile(r"\bnulls\s+not\s+distinct\b", re.IGNORECASE)
_CONDITION = re.compile(r"\bwhere\b(.*)", re.IGNORECASE | re.DOTALL)
# How an index sorts its key, which is no part of what is unique.
_ORDER = re.compile(r"(?:\s+\w+_ops(?:\s*\([^()]*\))?|\s+asc|\s+desc|\s+nulls\s+(?:first|last))+\s*$", re.IGNORECASE)
_DATA = re.compile(rf"\s*(?:insert\s+into|update(?:\s+only)?|delete\s+from(?:\s+only)?|truncate(?:\s+table)?)\s+({NAME})", re.IGNORECASE)
_DROP = re.compile(rf"\s*drop\s+(?:foreign\s+)?(?:table|materialized\s+view|view|sequence)\s+(?:if\s+exists\s+)?({NAME})", re.IGNORECASE)
_KEY = re.compile(rf"\b(?:unique|primary\s+key)\s*(nulls\s+not\s+distinct\s*)?{_COLUMNS}", re.IGNORECASE)
_FOREIGN_KEY = re.compile(rf"\bforeign\s+key\s*{_COLUMNS}\s*references\s+({NAME})\s*(?:{_COLUMNS})?", re.IGNORECASE)
_ADDED = re.compile(r"\badd\s+(?:column\s+)?(?:if\s+not\s+exists\s+)?(?!constraint\b)", re.IGNORECASE)
_REFERENCES = re.compile(rf"({_PART})\s+[^,()]*(?:\([^()]*\))?[^,()]*\breferences\s+({NAME})\s*(?:{_COLUMNS})?", re.IGNORECASE)
_NEW_TYPE = re.compile(
    rf"\balter\s+(?:column\s+)?({_PART})\s+(?:set\s+data\s+)?type\s+((?:[^,;()]|\([^()]*\))+?)(?=\s+(?:using|collate)\b|\s*(?:,|;|$))", re.IGNORECASE
)


_TYPE = r"(?:double\s+precision|character\s+varying|[a-z_]\w*(?:\s+with(?:out)?\s+time\s+zone)?)(?:\s*\([\d\s,?]+\))?(?:\[\])?"
_TYPED = re.compile(rf"[(,\s]({_PART})\s+({_TYPE})", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class ForeignKey:
    """A foreign key as the statement writes it; no `referenced` columns means the primary key. Names as they stand in SQL."""

    columns: Tuple[str, ...]
    table: str
    referenced: Tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class UniqueKey:
    """What must not occur twice, as SQL: columns or expressions, among the rows that meet `condition` (all, where it is empty)."""

    parts: Tuple[str, ...]
    condition: str = ""
    nulls_equal: bool = False


@dataclasses.dataclass(frozen=True)
class Names:
    """Names as they stand in SQL, quotes and schema included; empty where the statement has none."""

    table: str = ""
    key: Optional[UniqueKey] = None
    foreign_key: Optional[ForeignKey] = None
    # (column, new type) of the first type change.
    new_type: Optional[Tuple[str, str]] = None


def bare(name: str) -> str:
    """The last part of a name as the catalog has it: `"My""T"` → `My"T`, `public.T` → `t`."""
    part = str(re.findall(_PART, name)[-1])
    return part[1:-1].replace('""', '"') if part.startswith('"') else part.lower()


def words_of(statement: str) -> FrozenSet[str]:
    """Every word of a statement that could be a name, as the catalog has it."""
    return frozenset(bare(word) for word in re.findall(_PART, statement))


def type_of_new_column(statement: str, column: str) -> str:
    """The type that the statement itself gives a column (bare name), or an empty string."""
    for name, written in _TYPED.findall(statement):
        if bare(name) == column and written.lower() not in ("type", "set", "drop", "references"):
            return str(written)
    return ""


# The same statements come in each run, and are looked at for each of its questions.
@functools.lru_cache(maxsize=1024)
def names_of(statement: str) -> Names:
    """What a statement names."""
    table = ""
    key: Optional[UniqueKey] = None
    new_type: Optional[Tuple[str, str]] = None
    for pattern in (_ALTER_TABLE, _CREATE_TABLE, _CREATE_INDEX, _DATA, _DROP):
        found = pattern.match(statement)
        if found:
            table = found.group(1)
            if pattern is _CREATE_INDEX and _UNIQUE_INDEX.match(statement):
                key = _index_key(statement[found.end() :])
            break
    unique = _KEY.search(statement)
    if unique and key is None:
        key = UniqueKey(_columns(unique.group(2)), "", bool(unique.group(1)))
    changed = _NEW_TYPE.search(statement)
    if changed:
        new_type = (changed.group(1), changed.group(2).strip())
    return Names(table, key, _foreign_key(statement), new_type)


def _columns(text: Optional[str]) -> Tuple[str, ...]:
    return tuple(re.findall(_PART, text)) if text else ()


def _index_key(text: str) -> Optional[UniqueKey]:
    """The key of CREATE UNIQUE INDEX, from the bracket on in which it stands."""
    parts = [""]
    depth = 0
    for number, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if depth <= 0:
            if number == 0:
                return None
            rest = text[number + 1 :]
            condition = _CONDITION.search(rest)
            written = tuple(_ORDER.sub("", part).strip() for part in parts)
            return UniqueKey(written, condition.group(1).strip().rstrip(";") if condition else "", bool(_NULLS_EQUAL.search(rest)))
        if depth == 1 and sign == ",":
            parts.append("")
        elif depth > 1 or sign != "(":
            parts[-1] += sign
    return None


def _foreign_key(statement: str) -> Optional[ForeignKey]:
    found = _FOREIGN_KEY.search(statement)
    if found:
        return ForeignKey(_columns(found.group(1)), found.group(2), _columns(found.group(3)))
    # A column that is added to a table stands behind the words for that, which look like a column of that type.
    added = _ADDED.search(statement)
    found = _REFERENCES.search(statement, added.end() if added else 0)
    if found:
        return ForeignKey((found.group(1),), found.group(2), _columns(found.group(3)))
    return None
