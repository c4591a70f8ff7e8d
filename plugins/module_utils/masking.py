# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep row values and secrets out of everything that leaves the hosts."""

from __future__ import annotations

import re
from typing import Collection, List

MASK = "***"

# PostgreSQL quotes names and values alike in its messages («relation "shifts"», «input syntax for type integer: "12x"»);
# these are the words after which a quoted word is a name, from the server's own message catalog.
_NAME_BEFORE = re.compile(
    r"(?:relation|table|column|constraint|index|type|schema|database|role|user|function|sequence|view|extension|trigger|parameter|"
    r"language|collation|tablespace|domain|policy|server|publication|subscription|key|of|on|from|option|encoding|template|aggregate|operator)\s*$",
    re.IGNORECASE,
)
# In every style of PostgreSQL's catalogs.
_QUOTED = re.compile(r'"(?P<a>(?:[^"]|"")*)"|«(?P<b>[^»]*)»|»(?P<c>[^«]*)«|„(?P<d>[^\u201c\u201d]*)[\u201c\u201d]|\u201c(?P<e>[^\u201d]*)\u201d')
_LITERAL = re.compile(
    r"""
    (?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)       # $$text$$
  | (?P<string>\b[eEbBxXnN]?'(?:[^'\\]|''|\\.)*'|'(?:[^'\\]|''|\\.)*')
  | (?P<name>"(?:[^"]|"")*")
  | (?P<comment>--[^\n]*|/\*.*?\*/)
  | (?P<word>[A-Za-z_][\w$]*)
  | (?P<parameter>\$\d+|%\(\w+\)s|:\w+)
  | (?P<number>(?<![\w.])\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
    """,
    re.VERBOSE | re.DOTALL,
)
_URL_PASSWORD = re.compile(r"(?P<before>\w+://[^\s:/@]*:)[^\s@/]*(?=@)")
_SETTING_PASSWORD = re.compile(r"(?P<before>(?:password|passwd|pwd|secret|token)\s*[=:]\s*)(?:'[^']*'|\"[^\"]*\"|\S+)", re.IGNORECASE)


def mask_secrets(text: str) -> str:
    """Replace passwords in URLs and `password=…` settings."""
    return _SETTING_PASSWORD.sub(lambda m: m["before"] + MASK, _URL_PASSWORD.sub(lambda m: m["before"] + MASK, text))


def quoted(message: str) -> List[str]:
    """What a message quotes, in its order."""
    return [_within(match) for match in _QUOTED.finditer(message)]


def _within(match: re.Match[str]) -> str:
    return next(text for text in match.groups() if text is not None).strip().replace('""', '"')


def mask_values(message: str, known: Collection[str] = ()) -> str:
    """A PostgreSQL message without the values in it: names stay, other quoted words and (key)=(value) pairs go.

    `known` are names (each part of a dotted one) that are told apart from values whatever the language.
    """

    def masked_quote(match: re.Match[str]) -> str:
        said = _within(match)
        if _NAME_BEFORE.search(message[: match.start()]) or (said and all(part in known for part in said.split("."))):
            return match[0]
        return f"{match[0][0]}{MASK}{match[0][-1]}"

    masked = _QUOTED.sub(masked_quote, message)
    masked = re.sub(r"\)=\((?:[^()]|\([^()]*\))*\)", f")=({MASK})", masked)
    masked = re.sub(r"(?i)(failing row contains) \(.*\)", rf"\1 ({MASK})", masked)
    return mask_secrets(masked)


def mask_sql(sql: str) -> str:
    """A statement without its literals: strings, numbers and comments go, names and keywords stay."""

    def literal(match: re.Match[str]) -> str:
        if match["string"] or match["dollar"]:
            return f"'{MASK}'"
        if match["number"]:
            return "?"
        if match["comment"]:
            return ""
        return match[0]

    return " ".join(_LITERAL.sub(literal, sql).split())
