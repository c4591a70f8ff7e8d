# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of SQL as psql reads it: where statements end, what is within quotes and comments, and where the rows of a COPY are.

It follows psql's own scanner (psqlscan.l), for whoever reads a file otherwise than psql does takes commands of psql for text. What two versions of
psql, or psql and the server, read differently is refused: pg_dump writes none of it.
"""

from __future__ import annotations

import dataclasses
import re
from typing import IO, Callable, Iterator, List, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.backup_file import BackupFileError, lines

_TOKEN = re.compile(
    rb"""(?P<comment>--[^\r\n]*)|(?P<block>/\*)|(?P<plain>[uU]&'|[bBxX]'|')|(?P<escaped>[eE]')|(?P<name>[uU]&"|")
    |(?P<dollar>\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$)|(?P<number>[0-9][0-9A-Za-z_.$\x80-\xff]*)
    |(?P<word>[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]*)|(?P<end>;)|(?P<paren>[()])|(?P<command>\\)|(?P<space>\s+)|(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
# Values of an INSERT, many at a time: what no mode of reading takes for anything else.
_VALUES = re.compile(
    rb"""(?:[\s,.:*+=<>!@%]+|[0-9]+(?![0-9A-Za-z_.$'"\x80-\xff])|[A-Za-z_][A-Za-z0-9_]*(?![A-Za-z0-9_$&'\x80-\xff])|'[^'\\\r\n]*'(?!')){1,2000}"""
)
_ESCAPED_STOP, _COMMENT_STOP = re.compile(rb"\\.|'", re.DOTALL), re.compile(rb"/\*|\*/")
_END_OF_ROWS = (b"\\.\n", b"\\.\r\n", b"\\.")
# The first FROM is followed by STDIN; what follows COPY is a table, not a query.
_COPY = re.compile(rb"COPY\s+(?!\()(?:(?!\bFROM\b).)*\bFROM\s+STDIN\b", re.IGNORECASE | re.DOTALL)
_STANDARD = re.compile(rb"SET\s+(?:SESSION\s+|LOCAL\s+)?standard_conforming_strings\b(?:\s*(?:=|TO)\s*(on|off)\s*$)?", re.IGNORECASE)
_ENCODING = re.compile(rb"SET\s+(?:SESSION\s+|LOCAL\s+)?(?:client_encoding\s*(?:=|TO)|NAMES)\s*'?([\w-]+)", re.IGNORECASE)
# Their characters have bytes that look like quotes and backslashes.
_UNSAFE = re.compile(r"sjis|shiftjis(2004)?|mskanji|big5|gbk|uhc|gb18030|johab|win(dows)?9\d\d")
_ROUTINE = re.compile(r"create (or replace )?(function|procedure)\b")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Whole lines, from one place outside everything to the next.

    `statements`: each as code, which has a blank for a comment, `''` for a string and `""` for a quoted name; of an INSERT its first word only.
    `command`: the word of a command of psql, if there is one among them; then `line` is its line.
    """

    line: int
    text: bytes
    statements: Tuple[bytes, ...]
    command: bytes = b""


def chunks(stream: IO[bytes], name: str, rows: Optional[Callable[[bytes], None]] = None) -> Iterator[Chunk]:
    """The file without the rows of its COPYs, which go to `rows` with their ends. Raises BackupFileError, with the line."""
    return _Scanner(stream, name, rows).read()


def brings_rows(statement: bytes) -> bool:
    """Whether a statement, as code, is a COPY whose rows follow it."""
    return _COPY.match(statement) is not None


class _Scanner:
    def __init__(self, stream: IO[bytes], name: str, rows: Optional[Callable[[bytes], None]]) -> None:
        self._stream, self._name, self._rows = stream, name, rows
        self._number = 0
        # What is open: "", "plain", "escaped", "name", "dollar", "block".
        self._open, self._dollar, self._depth = "", b"", 0
        self._standard = True
        # A string with escapes has just ended: the server would take a string on the next line for the rest of it.
        self._after_escaped, self._newline_since = False, False
        self._begin_chunk()
        self._begin_statement()

    def _begin_chunk(self) -> None:
        self._text: List[bytes] = []
        self._statements: List[bytes] = []
        self._command, self._command_line = b"", 0
        self._copies = False

    def _begin_statement(self) -> None:
        self._code: List[bytes] = []
        self._words: List[str] = []
        self._parens = self._begins = 0
        self._inner = 0
        self._values = False

    def _refuse(self, text: str) -> BackupFileError:
        return BackupFileError(f"{self._name}, line {self._number}: {text}")

    def read(self) -> Iterator[Chunk]:
        in_rows, first = False, 1
        for line in lines(self._stream):
            self._number += 1
            if b"\0" in line:
                raise self._refuse("a zero byte, which no text of PostgreSQL's has: the file is damaged")
            if in_rows:
                if self._rows is not None:
                    self._rows(line)
                in_rows = line not in _END_OF_ROWS
                continue
            if not self._text:
                first = self._number
            self._text.append(line)
            self._scan(line[len(_BYTE_ORDER_MARK) :] if self._number == 1 and line.startswith(_BYTE_ORDER_MARK) else line)
            if self._open or self._code:
                continue
            yield self._chunk(first)
            in_rows = self._copies
            self._begin_chunk()
        if in_rows:
            raise BackupFileError(f"{self._name} is cut short: it ends within the rows of a table")
        if self._open:
            raise BackupFileError(f"{self._name} is cut short: it ends within a string, a name or a comment")
        if self._text:
            self._end_statement()
            if self._copies:
                raise BackupFileError(f"{self._name} is cut short: it ends before the rows of a table")
            yield self._chunk(first)

    def _chunk(self, first: int) -> Chunk:
        text = b"".join(self._text)
        for statement in self._statements:
            mode = _STANDARD.match(statement)
            if mode and (mode[1] is None or len(self._statements) > 1):
                raise self._refuse("standard_conforming_strings is not set as pg_dump sets it")
            if mode:
                self._standard = mode[1].lower() == b"on"
        encoding = _ENCODING.match(text)
        if encoding and _UNSAFE.fullmatch(encoding[1].decode().lower().replace("-", "").replace("_", "")):
            raise self._refuse(f"the dump is in {encoding[1].decode()}, which cannot be looked through: make it with pg_dump --encoding=UTF8")
        return Chunk(self._command_line or first, text, tuple(self._statements), self._command)

    def _scan(self, line: bytes) -> None:
        position = 0
        while position < len(line):
            position = self._go_on(line, position) if self._open else self._token(line, position)

    def _go_on(self, line: bytes, position: int) -> int:
        """Within something that is open: the position after its end, or after the line."""
        if self._open == "dollar":
            found = line.find(self._dollar, position)
            return len(line) if found < 0 else self._closed(found + len(self._dollar))
        if self._open == "block":
            for match in _COMMENT_STOP.finditer(line, position):
                self._depth += 1 if match[0] == b"/*" else -1
                if self._depth == 0:
                    return self._closed(match.end())
            return len(line)
        quote = b'"' if self._open == "name" else b"'"
        while True:
            if self._open == "escaped":
                match_ = _ESCAPED_STOP.search(line, position)
                if match_ is None:
                    return len(line)
                position = match_.end()
                if match_[0] != quote:
                    continue
            else:
                found = line.find(quote, position)
                if found < 0:
                    return len(line)
                position = found + 1
            if line[position : position + 1] != quote:
                return self._closed(position)
            position += 1

    def _closed(self, position: int) -> int:
        self._after_escaped, self._newline_since = self._open == "escaped", False
        self._open = ""
        return position

    def _token(self, line: bytes, position: int) -> int:
        if self._values and not self._after_escaped:
            values = _VALUES.match(line, position)
            if values:
                return values.end()
        match = _TOKEN.match(line, position)
        if match is None:
            raise AssertionError("the pattern fits every text")
        kind, text = str(match.lastgroup), match[0]
        if kind in ("space", "comment"):
            self._newline_since = self._newline_since or b"\n" in text
            if self._code:
                self._add(b" ")
            return match.end()
        if self._after_escaped and self._newline_since and kind == "plain":
            raise self._refuse("a string goes on on a line of its own, which psql and the server read differently")
        if kind != "block":
            self._after_escaped = False
        if kind in ("plain", "escaped", "name", "dollar", "block"):
            self._begin_quoted(kind, text)
        elif kind == "number":
            if b"$" in text or line[match.end() : match.end() + 1] in (b"'", b'"'):
                raise self._refuse(f"«{text.decode(errors='replace')}» beside a quote, which versions of psql read differently")
            self._add(text)
        elif kind == "command":
            rest = line[match.start() :].split()
            if not self._command:
                self._command, self._command_line = rest[0], self._number
            return len(line)
        elif kind == "end":
            self._semicolon(line[match.end() :])
        else:
            self._add(text)
            if kind == "word":
                self._word(text)
            elif kind == "paren":
                self._parens = self._parens + 1 if text == b"(" else max(self._parens - 1, 0)
        return match.end()

    def _begin_quoted(self, kind: str, text: bytes) -> None:
        if kind == "block":
            self._open, self._depth = kind, 1
            return
        self._open = "escaped" if text == b"'" and not self._standard else kind
        self._dollar = text
        self._add(b'""' if kind == "name" else b"''")

    def _add(self, code: bytes) -> None:
        if not self._values:
            self._code.append(code)

    def _word(self, text: bytes) -> None:
        word = text.decode(errors="replace").lower()
        if len(self._words) < 4:
            self._words.append(word)
            self._values = self._words == ["insert"]
        # psql waits for the END of a routine's body before it sends it (BEGIN ATOMIC).
        if self._parens or not _ROUTINE.match(" ".join(self._words)):
            return
        if word == "begin" or (word == "case" and self._begins):
            self._begins += 1
        elif word == "end" and self._begins:
            self._begins -= 1

    def _semicolon(self, rest: bytes) -> None:
        if self._parens or self._begins:
            if brings_rows(b"".join(self._code[self._inner :]).lstrip()):
                raise self._refuse("COPY within another statement")
            self._add(b";")
            self._inner = len(self._code)
            return
        self._end_statement()
        if self._copies and rest.strip():
            raise self._refuse("COPY FROM stdin is not the last of its line")

    def _end_statement(self) -> None:
        code = b"".join(self._code).strip()
        if code:
            if brings_rows(b"".join(self._code[self._inner :]).lstrip()):
                if self._inner:
                    raise self._refuse("COPY within another statement")
                self._copies = True
            self._statements.append(code)
        self._begin_statement()
