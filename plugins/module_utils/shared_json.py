# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read JSON documents that are much alike, and keep in memory once what is equal in them: four snapshots of one database are hardly more than one.

What was read must not be changed: a change would show wherever the part is shared.
"""

from __future__ import annotations

import json
from typing import IO, Any, Dict, List, Tuple

_CHARACTERS = 1 << 16
# Objects this deep are read entry by entry, so that the text of a document is never in memory as a whole: of a snapshot these are its tables.
_LEVELS = 2


class Shared:
    """What was read so far, by any of its calls."""

    def __init__(self) -> None:
        self._strings: Dict[str, str] = {}
        # By a hash; only what is found equal too is shared.
        self._parts: Dict[int, Any] = {}
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)

    def read(self, path: str) -> Any:
        """One document. Raises OSError, or ValueError where it is no JSON."""
        with open(path, encoding="utf-8") as file:
            try:
                return _Reader(file, self._decoder).document()
            except UnicodeDecodeError:
                raise
            except ValueError:
                # Which says where.
                file.seek(0)
                return json.load(file)

    def _object(self, pairs: List[Tuple[str, Any]]) -> Any:
        made = {self._strings.setdefault(name, name): self._value(value) for name, value in pairs}
        return self._once(made, (tuple(made), tuple(map(_told_apart, made.values()))))

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._strings.setdefault(value, value)
        if isinstance(value, list):
            found = [self._value(one) for one in value]
            return self._once(found, tuple(map(_told_apart, found)))
        return value

    def _once(self, made: Any, what: Any) -> Any:
        found = self._parts.setdefault(hash(what), made)
        return found if type(found) is type(made) and found == made else made


def _told_apart(value: Any) -> Any:
    """Something hashable: equal parts are one object already, and 1, 1.0 and true are equal to Python alone."""
    if type(value) in (dict, list):
        return id(value)
    return value if isinstance(value, str) else (type(value), value)


class _Reader:
    """One document, a piece of its text at a time."""

    def __init__(self, file: IO[str], decoder: json.JSONDecoder) -> None:
        self._file = file
        self._decoder = decoder
        self._text = ""
        self._at = 0

    def document(self) -> Any:
        found = self._any(_LEVELS)
        if self._next():
            raise ValueError("extra data")
        return found

    def _any(self, levels: int) -> Any:
        return self._entries(levels - 1) if self._next() == "{" and levels else self._decoded()

    def _entries(self, levels: int) -> Dict[str, Any]:
        found: Dict[str, Any] = {}
        self._at += 1
        if self._next() == "}":
            self._at += 1
            return found
        while True:
            self._next()
            name = self._decoded()
            if not isinstance(name, str) or self._next() != ":":
                raise ValueError("no name")
            self._at += 1
            found[name] = self._any(levels)
            end = self._next()
            self._at += 1
            if end == "}":
                return found
            if end != ",":
                raise ValueError("no end")

    def _next(self) -> str:
        """The next character that is no blank; "" at the end."""
        while True:
            while self._at < len(self._text):
                character = self._text[self._at]
                if character not in " \t\n\r":
                    return character
                self._at += 1
            if not self._more(_CHARACTERS):
                return ""

    def _more(self, characters: int) -> bool:
        piece = self._file.read(characters)
        self._text, self._at = self._text[self._at :] + piece, 0
        return bool(piece)

    def _decoded(self) -> Any:
        """A value as a whole; of one that is longer than what was read, twice as much is read each time."""
        characters = _CHARACTERS
        while True:
            try:
                found, end = self._decoder.raw_decode(self._text, self._at)
            except ValueError:
                if not self._more(characters):
                    raise
            else:
                # A number may go on in the next piece.
                length = end - self._at
                if end < len(self._text) or not self._more(characters):
                    self._at += length
                    return found
            characters *= 2
