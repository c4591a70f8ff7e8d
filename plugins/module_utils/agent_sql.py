# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a text that is given to the server consists of, and what its statements may do.

A driver sends several statements in one text; a judgement about the first word says nothing of what follows. Runs inside the application's
Python: standard library only.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import FrozenSet, Iterator, List, NamedTuple, Optional, Tuple

_TOKEN = re.compile(
    r"--[^\n]*|/\*|\*/|(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|(?<![\w$])\$(?:[^\W\d]\w*)?\$|;", re.DOTALL
)
_FIRST_WORD = re.compile(r"(?:\s|\()*([A-Za-z]+)")
_QUICK_FIRST_WORD = re.compile(r"(?:\s|\()*([A-Za-z]+)(?=[\s;(*]|$)")
_ATOMIC = re.compile(r"\s*create\b.*\bbegin\s+atomic\b", re.IGNORECASE | re.DOTALL)
_OPENS = re.compile(r"\bbegin\s+atomic\b|\bcase\b", re.IGNORECASE)
_CLOSES = re.compile(r"\bend\b", re.IGNORECASE)
_TO_SAVEPOINT = re.compile(r"\s*rollback\s+(?:work\s+|transaction\s+)?to\b", re.IGNORECASE)
_PREPARES_TRANSACTION = re.compile(r"\s*prepare\s+transaction\b", re.IGNORECASE)
_SETS_TRANSACTION = re.compile(r"\s*set\s+(?:local\s+|session\s+)?(?:transaction|characteristics)\b", re.IGNORECASE)

# What statements do, by their first word; all others may do anything.
_NOTHING = frozenset(
    ["set", "reset", "show", "begin", "start", "savepoint", "release", "close", "prepare", "deallocate", "discard", "listen", "unlisten", "notify"]
)
_READS = frozenset(["select", "values", "table", "fetch", "move", "declare"])
_DATA = frozenset(["insert", "update", "delete", "merge", "copy", "with", "execute"])
_ENDS = frozenset(["commit", "end", "abort", "rollback"])
_KINDS = {word: kind for kind, words in (("nothing", _NOTHING), ("reads", _READS), ("data", _DATA)) for word in words}
_READS_NO_TABLE = frozenset(["nothing"])
_WRITES_NOTHING = frozenset(["nothing", "reads", "ends"])

# Texts longer than this are not kept in the memory of those that were read.
_LONG = 5_000
_LITERAL = "''"


class Statement(NamedTuple):
    """One statement of a text. `sql` is without comments and without what its literals hold; `literals` are those."""

    word: str
    sql: str
    literals: Tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Text:
    """All statements of a text, in order. `acts`: one may do more than read and write rows; `ends`: one ends the transaction; `nothing`: none so
    much as reads a table; `reads`: none writes."""

    statements: Tuple[Statement, ...]
    acts: bool
    ends: bool
    nothing: bool
    reads: bool
    # Nothing may come before SET TRANSACTION, and nothing can be asked in a transaction that has failed.
    unasked_before: bool

    @property
    def word(self) -> str:
        """The first statement's first word in lower case."""
        return self.statements[0].word if self.statements else ""

    @functools.cached_property
    def may_lock(self) -> Optional[FrozenSet[str]]:
        """The names of all that the statements can lock, those that act; None where they can lock anything."""
        found: FrozenSet[str] = frozenset()
        for statement in self.statements:
            if _kind(statement) != "acts" or statement.word == "rollback":
                continue
            if not _NAMES_ITS_LOCKS.match(statement.sql) or "cascade" in statement.sql.lower():
                return None
            found |= names_in(statement.sql)
        return found

    @functools.cached_property
    def shape(self) -> str:
        """What texts share that differ only in their values and in how many rows of them they have."""
        return ";".join(_ROWS.sub("(?)", _SHAPE.sub("?", statement.sql)) for statement in self.statements)


def read_text(sql: str) -> Text:
    """What the text consists of."""
    return _read_short(sql) if len(sql) <= _LONG else _read(sql)


def _read(sql: str) -> Text:
    statements = tuple(split(sql))
    kinds = {_kind(statement) for statement in statements}
    first = statements[0] if statements else None
    return Text(
        statements,
        acts="acts" in kinds,
        ends="ends" in kinds,
        nothing=kinds <= _READS_NO_TABLE,
        reads=kinds <= _WRITES_NOTHING,
        unasked_before=first is not None and (first.word == "rollback" or bool(_SETS_TRANSACTION.match(first.sql))),
    )


_read_short = functools.lru_cache(maxsize=500)(_read)


def _kind(statement: Statement) -> str:
    word = statement.word
    if word in _ENDS:
        return "acts" if _TO_SAVEPOINT.match(statement.sql) else "ends"
    if word == "prepare" and _PREPARES_TRANSACTION.match(statement.sql):
        return "ends"
    return _KINDS.get(word) or ("acts" if word else "nothing")


def split(sql: str) -> Iterator[Statement]:
    """The statements of a text. A body (`$$ … $$`) is a literal; `BEGIN ATOMIC … END` and what stands in brackets belong to one statement."""
    quick = _QUICK_FIRST_WORD.match(sql)
    if quick and not (";" in sql or "'" in sql or "--" in sql or "/*" in sql or "$" in sql):
        yield Statement(quick.group(1).lower(), sql)
        return
    waiting: List[Tuple[str, Tuple[str, ...]]] = []
    for text, literals in _pieces(sql):
        waiting.append((text, literals))
        whole = ";".join(part for part, _literals in waiting)
        if not _is_open(whole):
            yield from _statement(whole, waiting)
            waiting = []
    if waiting:
        yield from _statement(";".join(part for part, _literals in waiting), waiting)


def _statement(whole: str, parts: List[Tuple[str, Tuple[str, ...]]]) -> Iterator[Statement]:
    word = _FIRST_WORD.match(whole)
    if whole.strip():
        yield Statement(word.group(1).lower() if word else "?", whole, tuple(literal for _part, literals in parts for literal in literals))


def _is_open(text: str) -> bool:
    if text.count("(") > text.count(")"):
        return True
    return bool(_ATOMIC.match(text)) and len(_OPENS.findall(text)) > len(_CLOSES.findall(text))


def _pieces(sql: str) -> Iterator[Tuple[str, Tuple[str, ...]]]:
    """The text between semicolons, without comments, each literal as two quotes; with what the literals hold."""
    kept: List[str] = []
    literals: List[str] = []
    position = 0
    while True:
        found = _TOKEN.search(sql, position)
        if found is None:
            break
        kept.append(sql[position : found.start()])
        position = found.end()
        token = found.group()
        if token == ";":
            yield "".join(kept), tuple(literals)
            kept, literals = [], []
        elif token == "/*":
            position = _after_comment(sql, position)
            kept.append(" ")
        elif token.startswith("--"):
            kept.append(" ")
        elif token.startswith("$"):
            end = sql.find(token, position)
            end = len(sql) if end < 0 else end
            literals.append(sql[position:end])
            position = min(end + len(token), len(sql))
            kept.append(_LITERAL)
        elif token.endswith("'"):
            literals.append(token[token.index("'") + 1 : -1].replace("''", "'"))
            kept.append(_LITERAL)
        else:
            kept.append(token)
    kept.append(sql[position:])
    yield "".join(kept), tuple(literals)


def _after_comment(sql: str, position: int) -> int:
    """Comments nest."""
    depth = 1
    while depth:
        opened, closed = sql.find("/*", position), sql.find("*/", position)
        if closed < 0:
            return len(sql)
        if 0 <= opened < closed:
            depth, position = depth + 1, opened + 2
        else:
            depth, position = depth - 1, closed + 2
    return position


_PLACE = r"(?:^|\b(?:begin|then|else|loop)\s)\s*"
_REASONS = (
    ("truncate", re.compile(_PLACE + r"truncate\b", re.IGNORECASE)),
    ("reindex", re.compile(_PLACE + r"reindex\b", re.IGNORECASE)),
    ("cluster", re.compile(_PLACE + r"cluster\b", re.IGNORECASE)),
    ("vacuum full", re.compile(_PLACE + r"vacuum\b", re.IGNORECASE)),
    ("refresh", re.compile(_PLACE + r"refresh\s+materialized\b", re.IGNORECASE)),
    ("persistence", re.compile(r"\balter\b.*\bset\s+(un)?logged\b", re.IGNORECASE | re.DOTALL)),
    ("access method", re.compile(r"\balter\b.*\bset\s+access\s+method\b", re.IGNORECASE | re.DOTALL)),
    ("tablespace", re.compile(r"\balter\b.*\bset\s+tablespace\b", re.IGNORECASE | re.DOTALL)),
    ("type", re.compile(r"\balter\b.*\balter\s+(column\s+)?(\"(?:[^\"]|\"\")+\"|[\w$]+)\s+(set\s+data\s+)?type\b", re.IGNORECASE | re.DOTALL)),
    ("default", re.compile(r"\balter\b.*(\badd\b|\bset\s+expression\b)", re.IGNORECASE | re.DOTALL)),
)
_NAME = re.compile(r'"((?:[^"]|"")+)"|([^\W\d][\w$]*)')
_BARE_NAME = re.compile(r"[^\W\d][\w$]*")
# Bodies within bodies.
_DEEPEST = 3


def names_in(sql: str) -> FrozenSet[str]:
    """Every word that could be a name, as the catalog has it."""
    if '"' not in sql:
        return frozenset(map(str.lower, _BARE_NAME.findall(sql)))
    return frozenset(quoted.replace('""', '"') if quoted else bare.lower() for quoted, bare in _NAME.findall(sql))


def rewrite_reason(statements: Tuple[Statement, ...], *names: str) -> str:
    """Why a relation (its name or its table's, bare) got a new file, told from the statements: the server says it to superusers' triggers only.

    Where they have several reasons, it is the one that names the relation, else `unknown`.
    """
    found = [(reason, statement) for statement in _all(statements, 0) for reason in _reasons(statement.sql)]
    naming = [reason for reason, statement in found if names_in(statement.sql).intersection(names)]
    reasons = list(dict.fromkeys(naming or [reason for reason, _statement in found]))
    return reasons[0] if len(reasons) == 1 or (naming and not _asked_for(reasons)) else "unknown"


def _asked_for(reasons: List[str]) -> bool:
    """TRUNCATE and REINDEX must not hide what else a text did to the same table."""
    return any(reason in ("truncate", "reindex", "refresh") for reason in reasons)


def _reasons(sql: str) -> List[str]:
    return next(([reason] for reason, pattern in _REASONS if pattern.search(sql)), [])


def _all(statements: Tuple[Statement, ...], depth: int) -> Iterator[Statement]:
    """The statements, and those in the bodies of DO blocks and in texts that such a body executes."""
    for statement in statements:
        yield statement
        if depth < _DEEPEST and (statement.word == "do" or depth):
            for literal in statement.literals:
                yield from _all(tuple(split(literal)), depth + 1)


# Statements that lock nothing but what they name, and what belongs to it; all others (DO, CASCADE, ALTER DOMAIN, …) are not trusted to.
_NAMES_ITS_LOCKS = re.compile(r"\s*(create\s+(unique\s+)?(table|index|sequence|type)\b|alter\s+table\b|comment\s+on\b)", re.IGNORECASE)


_VALUE = r"(?:''|\b\d+(?:\.\d+)?\b|\bnull\b|\btrue\b|\bfalse\b|\bdefault\b|%s|%\(\w+\)s|\$\d+)"
_SHAPE = re.compile(rf"[-+]?{_VALUE}(?:::[\w ]+)?", re.IGNORECASE)
_ROWS = re.compile(r"\(\s*\?(?:\s*,\s*\?)*\s*\)(?:\s*,\s*\(\s*\?(?:\s*,\s*\?)*\s*\))*")
