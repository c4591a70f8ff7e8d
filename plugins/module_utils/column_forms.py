# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say whether a type or a default that a person wrote is the one that PostgreSQL prints.

PostgreSQL prints types with `format_type()` (`character varying(50)`) and defaults with `pg_get_expr()` (`'photo,video'::text`);
people write `varchar(50)` and `photo,video`.
"""

from __future__ import annotations

import dataclasses
import decimal
import re
from typing import Optional, Union

Scalar = Union[None, bool, int, float, str]

# Names that the parser of PostgreSQL takes and format_type() never prints (documentation, table "Data Types", column Aliases).
_ALIASES = {
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "bool": "boolean",
    "decimal": "numeric",
    "dec": "numeric",
    "float": "double precision",
    "float4": "real",
    "float8": "double precision",
    "varchar": "character varying",
    "char": "character",
    "varbit": "bit varying",
}
_TYPE = re.compile(
    r"(?P<base>[^()\[\]]+?) ?(?:\((?P<modifier>[^)]*)\))? ?(?P<zone>with(?:out)? time zone)?(?P<array>(?: ?\[\d*\])*)",
)
_TEXT_TYPES = ("text", "character", "character varying", "bpchar", "name", '"char"')

_CAST = (
    r"::(?:character varying|double precision|bit varying|time(?:stamp)?(?:\(\d\))? with(?:out)? time zone|"
    r'(?:"(?:[^"]|"")+"|\w+)(?:\.(?:"(?:[^"]|"")+"|\w+))*)(?:\([\w, ]*\))?(?:\[\])*'
)
_STRING = r"[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'"
_CONSTANT = re.compile(
    rf"\(*(?:(?P<string>{_STRING})|(?P<word>true|false|null|[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?))(?P<casts>(?:\)*{_CAST})*)\)*",
    re.DOTALL | re.IGNORECASE,
)
_TOKEN = re.compile(rf'(?P<string>{_STRING})(?:{_CAST})?|(?P<name>"(?:[^"]|"")*")|(?P<other>[^\'"]+)', re.DOTALL)
_CALL = re.compile(
    # The alternatives without parentheses are calls in SQL; USER is left out, because 'user' is a likely string.
    r"[\w.\"]+\(.*\)|current_(?:catalog|date|role|schema|time|timestamp|user)|session_user|localtime(?:stamp)?",
    re.DOTALL | re.IGNORECASE,
)
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")


@dataclasses.dataclass(frozen=True)
class Constant:
    """A default that is one value: `text` without quotes, whether it was quoted, and the outermost cast ("" without one)."""

    text: str
    quoted: bool
    type: str


def canonical_type(text: str) -> str:
    """`VARCHAR (50)` as `character varying(50)`; two spellings of one type give the same text.

    A text with double quotes in it is left as it is but for the schema "public", which nobody writes: letters count there.
    """
    plain = " ".join(text.split())
    if '"' not in plain:
        plain = plain.lower()
    plain = plain[len("public.") :] if plain.startswith("public.") else plain
    if '"' in plain:
        return plain
    match = _TYPE.fullmatch(plain)
    if match is None:
        return plain
    base, zone = match["base"], match["zone"]
    if base in ("timestamptz", "timetz"):
        base, zone = base[:-2], "with time zone"
    elif base in ("timestamp", "time"):
        zone = zone or "without time zone"
    base = _ALIASES.get(base, base)
    modifier = (match["modifier"] or "").replace(" ", "")
    if base == "numeric" and modifier and "," not in modifier:
        modifier += ",0"
    if base == "character" and not modifier:
        modifier = "1"
    return base + (f"({modifier})" if modifier else "") + (f" {zone}" if zone else "") + ("[]" if match["array"] else "")


def constant(expression: str) -> Optional[Constant]:
    """The value that a default is, through any casts (`('a'::text)::mood`); None for a call or any other expression."""
    match = _CONSTANT.fullmatch(expression.strip())
    if match is None:
        return None
    casts = re.findall(_CAST, match["casts"])
    cast_to = canonical_type(casts[-1][2:]) if casts else ""
    if match["string"] is None:
        return Constant(match["word"].lower(), False, cast_to)
    return Constant(_unquoted(match["string"]), True, cast_to)


def default_matches(expected: Scalar, printed: Optional[str]) -> bool:
    """Whether a column default, as PostgreSQL prints it (None: there is none), is the expected one.

    `expected` is a value (None: no default, or the default NULL), or an expression such as `now()`. A text that is written like a
    call is only ever the call, never a string that happens to read the same.
    """
    found = constant(printed) if printed is not None else None
    is_null = printed is None or (found is not None and not found.quoted and found.text == "null")
    if expected is None or is_null or printed is None:
        return expected is None and is_null
    if isinstance(expected, bool):
        return found is not None and found.text == str(expected).lower() and (not found.quoted or found.type == "boolean")
    if isinstance(expected, (int, float)):
        return found is not None and not (found.quoted and _is_text(found.type)) and _number(found.text) == decimal.Decimal(repr(expected))
    if found is not None and found.quoted and found.text == expected and not _CALL.fullmatch(expected.strip()):
        return True
    return _canonical_expression(expected) == _canonical_expression(printed)


def default_text(expected: Scalar) -> str:
    """An expected default as a person reads it: `null`, `true`, `5`, `'photo,video'`, `now()`."""
    if expected is None:
        return "null"
    if isinstance(expected, bool):
        return str(expected).lower()
    if isinstance(expected, str) and not _CALL.fullmatch(expected.strip()) and constant(expected) is None and "::" not in expected:
        return "'" + expected.replace("'", "''") + "'"
    return str(expected)


def _is_text(type_name: str) -> bool:
    return type_name == "" or type_name.split("(")[0] in _TEXT_TYPES


def _number(text: str) -> Optional[decimal.Decimal]:
    return decimal.Decimal(text) if _NUMBER.fullmatch(text) else None


def _unquoted(literal: str) -> str:
    if literal[0] in "eE":
        return re.sub(r"\\(.)", r"\1", literal[2:-1].replace("''", "'"), flags=re.DOTALL)
    return literal[1:-1].replace("''", "'")


def _canonical_expression(expression: str) -> str:
    """Letters and spaces do not count outside quotes, and never casts of strings (the column's own type decides) nor a sequence's schema "public"."""
    parts = []
    for match in _TOKEN.finditer(expression.strip()):
        if match["string"] is not None:
            parts.append(match["string"])
        elif match["name"] is not None:
            parts.append(match["name"])
        else:
            parts.append(re.sub(r"\s*([(),])\s*", r"\1", re.sub(r"\s+", " ", match["other"].lower())))
    return "".join(parts).replace("nextval('public.", "nextval('")
