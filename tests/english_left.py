"""What is left of English sentences in a report of another language."""

from __future__ import annotations

import html.parser
import re

# What is English in every language: PostgreSQL's own words for types and constraints, and what records quote.
_SQL_WORDS = re.compile(
    r"bigint not null|time(stamp)? with(out)? time zone|double precision|character varying|on delete set null|set not null|"
    r"generated \w+ as identity|not null|default (true|false|'[^']*')"
)
# Runs of words that only a sentence has: small letters, three or more of them.
_SENTENCE = re.compile(r"\b[A-Za-z][a-z']+(?:,? [a-z']{2,}){2,}\b")
# Said by somebody else, in whatever language.
_QUOTED = ("Change of number", "Add a column", "permission denied", "no route to prod1", "of the third kind")


def sentences(shown: str) -> list[str]:
    """What is left of English sentences in a text without its code."""
    without = _SQL_WORDS.sub("", re.sub(r"`[^`]*`|«[^»]*»", "", shown))
    return [found for found in _SENTENCE.findall(without) if not any(quoted in found for quoted in _QUOTED)]


class _Words(html.parser.HTMLParser):
    """The text of a page, and of what is read out, without code, pictures' names, style and script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self._within: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "input", "br"):
            self._within.append(tag)
        self.text += [value for name, value in attrs if name in ("placeholder", "aria-label", "data-all", "data-none", "data-fewer") and value]

    def handle_endtag(self, tag: str) -> None:
        self._within.pop()

    def handle_data(self, data: str) -> None:
        if not {"code", "style", "script"} & set(self._within):
            self.text.append(data)


def words_of_page(page: str) -> str:
    """What a person reads or hears of an HTML page, without code."""
    return "\n".join(_Words(page).text)
