# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recognise what other processes said in English, and say it in another language.

What the stages on the hosts, the agent in the application's Python and its driver say comes back as plain English: errors travel through Ansible,
a fence's message through the agent's protocol, and old evidence holds nothing else. A catalog's template that fits a whole text gives its values;
these are recognised in the same way. What no template fits stays as it is: it is PostgreSQL's, the application's or a name.
"""

from __future__ import annotations

import functools
import re
from typing import Callable, Dict, List, Mapping, Optional, Pattern, Tuple

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
# `1,200`, `0.5 s`, `2 min 5 s`
_FIGURE = re.compile(r"\d[\d,]*(?:\.\d+)?(?: (?:ms|s|min|min \d+ s|B|kB|MB|GB))?")
# An error with its kind before it: `Deadline: not finished within 5 s`.
_KIND = re.compile(r"([A-Z]\w+): (.+)", re.DOTALL)
# Texts are nested: an error in a stage's error, in a finding.
_DEEPEST = 8
# What is longer, or has more parts, is somebody else's SQL or output; trying every template at every place of it would take minutes.
_LONGEST = 2000
_MOST_PARTS = 50


class Ear:
    """Recognises the templates of one catalog: English template → template in the other language, with plain placeholders.

    `{count}`, `{rows}`, `{tables}` and `{mb}` are figures, `{name}` and `{key}` one word,
    so that «table {name}» is no sentence of PostgreSQL's that begins with that word; all others are any text.
    """

    def __init__(self, catalog: Mapping[str, str], figure: Callable[[str], str]) -> None:
        self._figure = figure
        self._whole: Dict[str, str] = {template: other for template, other in catalog.items() if not _PLACEHOLDER.search(template)}
        shaped = [(template, other) for template, other in catalog.items() if _PLACEHOLDER.search(template)]
        # The more of a template is literal, the more it says: «dev: {problem}» comes after all that name the problem.
        shaped.sort(key=lambda one: (-len(_PLACEHOLDER.sub("", one[0])), one[0]))
        self._shaped: List[Tuple[str, Pattern[str], str]] = [(_longest_literal(template), _pattern(template), other) for template, other in shaped]
        self.hear = functools.lru_cache(maxsize=4096)(self._hear)

    def _hear(self, said: str) -> str:
        """The text in the other language, as far as it is known."""
        return self._heard(said, 0)

    def _heard(self, said: str, depth: int) -> str:
        if not said or depth > _DEEPEST:
            return said
        for separator in ("\n", " · "):
            if separator in said:
                return separator.join(self._heard(part, depth + 1) for part in said.split(separator))
        if len(said) > _LONGEST or said.count("; ") + said.count(", ") > _MOST_PARTS:
            return said
        known = self._known(said, depth)
        if known is not None:
            return known
        if _FIGURE.fullmatch(said):
            return self._figure(said)
        error = _KIND.fullmatch(said)
        if error:
            return f"{error[1]}: {self._heard(error[2], depth + 1)}"
        for separator in ("; ", ", "):
            parts = said.split(separator)
            heard = [self._heard(part, depth + 1) for part in parts]
            # Half a sentence in each language would be worse than one in another's; a list of its own parts is told part by part.
            if len(parts) > 1 and heard != parts and all(one != part or " " not in part for one, part in zip(heard, parts)):
                return separator.join(heard)
        return said

    def _known(self, said: str, depth: int) -> Optional[str]:
        if said in self._whole:
            return self._whole[said]
        for literal, pattern, other in self._shaped:
            match = pattern.fullmatch(said) if literal in said else None
            if match:
                if "; " in said and "; " not in pattern.pattern.replace("\\", ""):
                    # Several sentences of their own, of which a gap of this one would swallow all but the last.
                    heard = [self._heard(part, depth + 1) for part in said.split("; ")]
                    if all(one != part for one, part in zip(heard, said.split("; "))):
                        return "; ".join(heard)
                values = {name: self._heard(value, depth + 1) for name, value in match.groupdict().items()}
                return _PLACEHOLDER.sub(lambda one, values=values: values[one[1]], other)  # type: ignore[misc]
        return None


def _pattern(template: str) -> Pattern[str]:
    parts = _PLACEHOLDER.split(template)
    shapes = {**dict.fromkeys(("name", "key"), r"\S+"), **dict.fromkeys(("count", "rows", "tables", "mb"), r"[\d,.]+")}
    return re.compile(
        "".join(f"(?P<{part}>{shapes.get(part, '.+?')})" if number % 2 else re.escape(part) for number, part in enumerate(parts)), re.DOTALL
    )


def _longest_literal(template: str) -> str:
    return max(_PLACEHOLDER.split(template)[::2], key=len)
