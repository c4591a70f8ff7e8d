# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mask what an application says: everything that comes from it goes through here before it is kept."""

from __future__ import annotations

import functools
import re
import threading
from typing import IO, Any, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple
from urllib.parse import unquote

from ansible_collections.migrations.rehearsal.plugins.module_utils import files
from ansible_collections.migrations.rehearsal.plugins.module_utils.masking import MASK, mask_secrets, mask_sql, mask_values
from ansible_collections.migrations.rehearsal.plugins.module_utils.statement_names import words_of

MOST_LOG_BYTES = 1_000_000
MOST_LINE = 2_000
# Longer statements are masked each time they come.
_MOST_KEPT = 5_000

Event = Dict[str, Any]

# Those in which the server names objects.
NAME_FIELDS = ("schema_name", "table_name", "column_name", "constraint_name", "data_type_name")
# The fields of an error that are there always.
EMPTY_ERROR: Event = {"sqlstate": None, "revision": None, "statement": None, "file": None, "line": None}

_SECRET_NAME = re.compile(r"pass|pwd|secret|token|key|credential", re.IGNORECASE)
# In a URL, in a conninfo string, in a query string.
_PASSWORDS = (re.compile(r"://[^\s:/@]*:([^\s@/]+)@"), re.compile(r"(?:password|pwd)\s*=\s*(?:'([^']*)'|([^\s'&;]+))", re.IGNORECASE))
# Shorter ones stand in every other word; in a URL or behind a name they are masked all the same.
_LEAST_SECRET = 4
_PARAMETERS = re.compile(r"\[parameters: .*?\](?=$|\n)", re.DOTALL)
# What PostgreSQL's catalogs call the lines that hold row values.
_DETAIL_WORDS = (
    r"DETAIL|CONTEXT|DÉTAIL|CONTEXTE|DETALLE|CONTEXTO|DETALHE|DETTAGLI|CONTESTO|DETALJ|KONTEXT|ZUSAMMENHANG|SZCZEGÓŁY|KONTEKST|AYRINTI|BAĞLAM"
    r"|ПОДРОБНОСТИ|ВІДОМОСТІ|ДЕТАЛІ|КОНТЕКСТ|დეტალები|დეტალი|კონტექსტი|詳細|詳細内容|詳細內容|文脈|详细信息|描述|上下文|背景|상세정보|내용|구문"
)
_DETAIL = re.compile(rf"^(\s*(?:{_DETAIL_WORDS})\s?:).*$", re.MULTILINE)
_STRING = re.compile(r"'(?:[^'\\\n]|\\.|'')*'")
# Not the apostrophe of «l'index» and «can't».
_SINGLE = re.compile(r"(?<!\w)'(?:[^'\\\n]|\\.)*'(?!\w)")


def named_values(values: Mapping[str, Any]) -> List[Tuple[str, str]]:
    """(name, value) of a mapping and of the mappings and lists in it; of a name without a value none."""
    found: List[Tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += named_values(value)
        elif value is not None:
            found += [(name, str(one)) for one in (value if isinstance(value, (list, tuple)) else [value])]
    return found


def secrets_among(values: Iterable[Tuple[str, str]]) -> Set[str]:
    """What of some named values must never be shown: values whose name says so, and passwords within any, as they stand there and decoded."""
    found: Set[str] = set()
    for name, value in values:
        if _SECRET_NAME.search(name):
            found.add(value)
        found.update(password for pattern in _PASSWORDS for match in pattern.finditer(value) for password in match.groups() if password)
    return {form for secret in found for form in (secret, unquote(secret)) if form}


def to_hide(values: Iterable[Tuple[str, str]]) -> List[str]:
    """The secrets to be taken out of any text; what holds another one comes first."""
    return sorted((secret for secret in secrets_among(values) if len(secret) >= _LEAST_SECRET), key=lambda secret: (-len(secret), secret))


def mask_text(text: str, hidden: Sequence[str] = ()) -> str:
    """Text of the application (its log, an exception) without secrets, quoted values and statement parameters."""
    for secret in hidden:
        text = text.replace(secret, MASK)
    text = _PARAMETERS.sub(f"[parameters: {MASK}]", text)
    text = _DETAIL.sub(rf"\1 {MASK}", text)
    return mask_values(_STRING.sub(f"'{MASK}'", text))


def mask_statement(sql: str, truncated: bool = False) -> str:
    """SQL with its literals masked. Where it was cut within a literal, that literal goes."""
    return _mask_short(sql, truncated) if len(sql) <= _MOST_KEPT else _mask_statement(sql, truncated)


def _mask_statement(sql: str, truncated: bool) -> str:
    masked = mask_sql(sql)
    if truncated:
        open_literal = re.search(r"'|\$\w*\$", masked.replace(f"'{MASK}'", "\0" * (len(MASK) + 2)))
        masked = (masked[: open_literal.start()] if open_literal else masked) + " …"
    return masked


# Of a loop over rows there is one text then, whose parameters alone differ.
_mask_short = functools.lru_cache(maxsize=500)(_mask_statement)


def mask_event(event: Event, hidden: Sequence[str]) -> Event:
    """An event as it may be written down."""
    masked = dict(event)
    if isinstance(masked.get("sql"), str):
        masked["sql"] = mask_statement(masked["sql"], bool(masked.pop("truncated", False)))
    if masked["event"] == "error":
        masked = _masked_error({**EMPTY_ERROR, **masked}, hidden)
    elif masked["event"] == "measuring_failed":
        masked["message"] = mask_text(shorten(str(masked.get("message", ""))), hidden).rstrip("\n")
    elif masked["event"] == "fence":
        masked["suspects"] = [_hide(mask_secrets(suspect), hidden) for suspect in masked.get("suspects") or ()]
    return masked


def _masked_error(error: Event, hidden: Sequence[str]) -> Event:
    statement = mask_statement(error["statement"]) if error.get("statement") else None
    message = shorten(str(error.get("message", ""))).rstrip("\n")
    if error.get("sqlstate"):
        # A word that the statement has outside its literals is a name, whatever the language of the server.
        known = words_of(statement or "") | {str(error[field]) for field in NAME_FIELDS if error.get(field)}
        message = mask_values(_SINGLE.sub(f"'{MASK}'", message), known)
    # All others come from us, or the agent has taken the values out (agent_messages.py).
    return {**error, "statement": statement, "message": _hide(mask_secrets(message), hidden)}


def _hide(text: str, hidden: Sequence[str]) -> str:
    text = _PARAMETERS.sub(f"[parameters: {MASK}]", text)
    for secret in hidden:
        text = text.replace(secret, MASK)
    return text


def shorten(line: str) -> str:
    """A line that masking can read in reasonable time. Nothing is cut in two: half a URL or half a quoted value would not be masked."""
    if len(line) <= MOST_LINE:
        return line
    words = line[:MOST_LINE].split(" ")
    head = " ".join(words[:-1])
    for opening, closing in ("''", '""', "«»", "»«", "„\u201c", "\u201c\u201d"):
        within = head.count(opening) % 2 if opening == closing else head.rfind(opening) > head.rfind(closing)
        if within:
            head = head[: head.rindex(opening)]
    return head + " … (the rest of the line is left out)\n"


class Log:
    """The application's own output: masked, at most MOST_LOG_BYTES of it written."""

    def __init__(self, path: Optional[str], hidden: Sequence[str]) -> None:
        self._file = files.open_private(path) if path else None
        self._hidden = hidden
        self._written = 0
        self._lock = threading.Lock()
        self._tail = ""

    def read(self, stream: IO[bytes]) -> None:
        """Take a stream to its end."""
        for line in stream:
            self.add(line.decode("utf-8", "replace"))
        stream.close()

    def add(self, text: str) -> None:
        """Take one line."""
        masked = mask_text(shorten(text), self._hidden)
        with self._lock:
            if masked.strip():
                self._tail = masked.strip()
            if self._file and not self._file.closed and self._written < MOST_LOG_BYTES:
                self._written += len(masked.encode())
                self._file.write(masked)
                if self._written >= MOST_LOG_BYTES:
                    self._file.write("… (the rest is left out)\n")
                self._file.flush()

    def tail(self) -> str:
        """The last line that says something, shortened."""
        return self._tail[:300]

    def close(self) -> None:
        """Nothing is written any more."""
        with self._lock:
            if self._file:
                self._file.close()
