# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an exception's message may be told: the words of the code, not the values that it met.

Runs inside the application's Python: standard library only. A message that code has put together holds the code's own words and values; the words
stand in the code along the traceback. One that Python itself has put together (`could not convert string to float: '12x'`) quotes its values.
"""

from __future__ import annotations

import builtins
import opcode
import re
from typing import Any, FrozenSet, Iterator, List

MASK = "***"

_WORD = re.compile(r"[^\W\d_]+|\w+")
_QUOTED = re.compile(r"(?<!\w)[bBrRuU]{0,2}(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")(?!\w)")
_NUMBER = re.compile(r"(?<![\w$])[+-]?\d[\d.,:eE+-]*\d")


def told(error: BaseException, message: str) -> str:
    """A message of this exception without what is not known from the code that it came through; it may be empty."""
    codes = list(_codes(error))
    known = _words_of(codes)
    if codes and _raised_by_code(error):
        return _squeezed(" ".join(token if _is_known(token, known) else MASK for token in message.split()))
    return unquoted(message, known)


def unquoted(message: str, known: FrozenSet[str] = frozenset()) -> str:
    """A message without its numbers and without quoted texts whose words are not known: as Python and drivers write values."""
    masked = _QUOTED.sub(lambda match: match[0] if known and _is_known(match[0], known) else f"'{MASK}'", message)
    return _NUMBER.sub(MASK, masked)


def _is_known(token: str, known: FrozenSet[str]) -> bool:
    return all(word in known for word in _WORD.findall(token))


def _squeezed(message: str) -> str:
    return re.sub(r"\*\*\*(?: \*\*\*)+", MASK, message)


def _codes(error: BaseException) -> Iterator[Any]:
    frame = error.__traceback__
    while frame is not None:
        yield frame.tb_frame.f_code
        frame = frame.tb_next


def _raised_by_code(error: BaseException) -> bool:
    """Whether a `raise` made it, and not Python or an extension on its own."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    # What Cython makes has frames, and no code in them.
    if last is None or not 0 <= last.tb_lasti < len(last.tb_frame.f_code.co_code):
        return False
    return opcode.opname[last.tb_frame.f_code.co_code[last.tb_lasti]] in ("RAISE_VARARGS", "RERAISE")


def _words_of(codes: List[Any]) -> FrozenSet[str]:
    """Words of the texts and names in some code, and Python's own names."""
    known = {word for name in [*dir(builtins), "NoneType", "module", "function", "generator", "coroutine"] for word in _WORD.findall(name)}
    pending = [constant for code in codes for constant in (*code.co_consts, *code.co_names)]
    while pending:
        constant = pending.pop()
        if isinstance(constant, str):
            known.update(_WORD.findall(constant))
        elif isinstance(constant, (tuple, frozenset)):
            pending.extend(constant)
    return frozenset(known)
