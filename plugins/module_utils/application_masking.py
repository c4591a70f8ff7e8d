# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mask what an application says: everything that comes from it goes through here before it is kept."""

from __future__ import annotations

import re
import threading
from typing import IO, Any, Dict, List, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import files
from ansible_collections.migrations.rehearsal.plugins.module_utils.masking import MASK, mask_secrets, mask_sql, mask_values

MOST_LOG_BYTES = 1_000_000
MOST_LINE = 2_000

Event = Dict[str, Any]

# The fields of an error that are there always.
EMPTY_ERROR: Event = {"sqlstate": None, "revision": None, "statement": None, "file": None, "line": None}

_SECRET_NAME = re.compile(r"pass|secret|token|key|credential", re.IGNORECASE)
_PARAMETERS = re.compile(r"\[parameters: .*?\](?=$|\n)", re.DOTALL)
_DETAIL = re.compile(r"^(\s*(?:DETAIL|CONTEXT):).*$", re.MULTILINE)
_STRING = re.compile(r"'(?:[^'\\\n]|\\.|'')*'")


def is_secret(name: str) -> bool:
    """Whether a value of this name must never be shown."""
    return bool(_SECRET_NAME.search(name))


def mask_text(text: str, hidden: Sequence[str] = ()) -> str:
    """Text of the application (its log, an exception) without secrets, quoted values and statement parameters."""
    for secret in hidden:
        text = text.replace(secret, MASK)
    text = _PARAMETERS.sub(f"[parameters: {MASK}]", text)
    text = _DETAIL.sub(rf"\1 {MASK}", text)
    return mask_values(_STRING.sub(f"'{MASK}'", text))


def mask_statement(sql: str, truncated: bool = False) -> str:
    """SQL with its literals masked. Where it was cut within a literal, that literal goes."""
    masked = mask_sql(sql)
    if truncated:
        open_literal = re.search(r"'|\$\w*\$", masked.replace(f"'{MASK}'", "\0" * (len(MASK) + 2)))
        masked = (masked[: open_literal.start()] if open_literal else masked) + " …"
    return masked


def mask_event(event: Event, hidden: List[str]) -> Event:
    """An event as it may be written down."""
    masked = dict(event)
    if isinstance(masked.get("sql"), str):
        masked["sql"] = mask_statement(masked["sql"], bool(masked.pop("truncated", False)))
    if masked["event"] == "error":
        masked = {**EMPTY_ERROR, **masked}
        statement = masked.get("statement")
        masked["statement"] = mask_statement(statement) if statement else None
        message = shorten(str(masked.get("message", ""))).rstrip("\n")
        # Our own messages name revisions and files; those of servers and applications can hold anything.
        masked["message"] = mask_values(message) if masked.get("sqlstate") else _hide(mask_secrets(message), hidden)
    return masked


def _hide(text: str, hidden: List[str]) -> str:
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
    for quote in "'\"":
        if head.count(quote) % 2:
            head = head[: head.rindex(quote)]
    return head + " … (the rest of the line is left out)\n"


class Log:
    """The application's own output: masked, at most MOST_LOG_BYTES of it written."""

    def __init__(self, path: Optional[str], hidden: List[str]) -> None:
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
