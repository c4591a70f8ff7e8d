# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts that can be said in several languages: an English template with values, where it is thought of, and a catalog for each other language.

A `Text` is a str, its English rendering, so whatever knows no languages can use it as it is; it also carries its template and values, which the
record keeps, so that a report can say it in another language later. The English template is its key in a catalog: a text whose English was
changed has no translation any more until somebody looked at it again, and a test says so.

A placeholder is `{name}` or `{name:form}`; see `_FORMS` for the forms.
"""

from __future__ import annotations

import functools
import importlib
import re
from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence, Tuple, Union

from ansible_collections.migrations.rehearsal.plugins.module_utils import words_heard

LANGUAGES: Tuple[str, ...] = ("en", "ru")
ENGLISH = "en"
# Under this key an entry of the record keeps the templates and values of its texts, by field.
SAID = "said"

_PLACEHOLDER = re.compile(r"\{(\w+)(?::([^{}]*))?\}")
# Most of a record, and nothing to look into.
_PLAIN = frozenset([str, int, float, bool, type(None)])
_NARROW_SPACE = "\u202f"
_NO_BREAK = "\u00a0"


class Text(str):
    """What is said, in English; `template` and `values` say it in any language. Make it with `text()`."""

    template: str
    values: Mapping[str, Any]

    def to_json(self) -> Dict[str, Any]:
        """{"template", "values"}, with the texts among the values in the same form."""
        return {"template": self.template, "values": {name: _plain(value) for name, value in self.values.items()}}

    def __deepcopy__(self, memo: Any) -> Text:
        return self  # nothing in it is ever changed


class _Catalogs(Mapping[str, Mapping[str, str]]):
    """By language, a dictionary of the module `words_<language>`, read when it is first asked for.

    Hosts only think of texts; they are said on the controller. So that Ansible does not ship the catalogs with every module, nor every module
    compile them, no import statement names them.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getitem__(self, language: str) -> Mapping[str, str]:
        if language == ENGLISH or language not in LANGUAGES:
            raise KeyError(language)
        found: Mapping[str, str] = getattr(importlib.import_module(f"{__name__}_{language}"), self._name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (language for language in LANGUAGES if language != ENGLISH)

    def __len__(self) -> int:
        return len(LANGUAGES) - 1


CATALOGS: Mapping[str, Mapping[str, str]] = _Catalogs("CATALOG")
# What other processes say, by language: see `words_heard`.
HEARD: Mapping[str, Mapping[str, str]] = _Catalogs("HEARD")

Said = Union[str, Mapping[str, Any]]


def text(template: str, **values: Any) -> Text:
    """A text of the literal `template`; a test reads the calls of this function, so it must be a literal."""
    made = Text(_render(template, values, ENGLISH))
    made.template, made.values = template, values
    return made


def term(word: str) -> Text:
    """A word of a fixed set that is said within other texts (a kind of object, a field): a catalog has it as it stands."""
    made = Text(word)
    made.template, made.values = word, {}
    return made


def said(entry: Mapping[str, Any], field: str) -> Said:
    """A field of a carried entry, to be said within another text in whatever language that is told."""
    if isinstance(entry[field], Text):
        return entry[field]  # type: ignore[no-any-return]
    found: Said = (entry.get(SAID) or {}).get(field, entry[field])
    return found


def carry(entry: Any) -> Any:
    """Plain data of the same content in which each mapping that holds a `Text` also has the key `said`: field → {"template", "values"}."""
    if type(entry) in _PLAIN:
        return entry
    if isinstance(entry, Mapping):
        said = {name: value.to_json() for name, value in entry.items() if isinstance(value, Text)}
        plain: Dict[str, Any] = {name: str(value) if name in said else carry(value) for name, value in entry.items()}
        return {**plain, SAID: {**(plain.get(SAID) or {}), **said}} if said else plain
    if isinstance(entry, (list, tuple)):
        return [carry(value) for value in entry]
    return str(entry) if isinstance(entry, Text) else entry


def translated(entry: Mapping[str, Any], field: str, language: str) -> str:
    """A field of the record in a language; where the record has no template for it, as far as it is recognised."""
    found = (entry.get(SAID) or {}).get(field)
    if language == ENGLISH:
        return str(entry[field])
    return heard(str(entry[field]), language) if found is None else render(found, language)


def heard(plain: str, language: str) -> str:
    """What another process said in English, in a language, as far as it is recognised."""
    if language == ENGLISH:
        return plain
    return CATALOGS[language].get(plain) or _ears()[language].hear(plain)


@functools.lru_cache(maxsize=None)
def _ears() -> Mapping[str, words_heard.Ear]:
    return {language: words_heard.Ear(catalog, functools.partial(_localised, language=language)) for language, catalog in HEARD.items()}


def render(said: Said, language: str) -> str:
    """A text, or its form in the record, in a language; English where a catalog has no such template."""
    if isinstance(said, Text):
        return _render(said.template, said.values, language)
    if isinstance(said, Mapping):
        return _render(said["template"], said["values"], language)
    return said


def in_language(template: str, language: str) -> str:
    """The template itself, translated."""
    return CATALOGS.get(language, {}).get(template, template)


def placeholders(template: str) -> List[str]:
    """The names in a template, sorted."""
    return sorted(match.group(1) for match in _PLACEHOLDER.finditer(template))


def has_words(template: str) -> bool:
    """Whether there is anything to translate in it."""
    if re.search(r"[^\W\d_]", _PLACEHOLDER.sub("", template)):
        return True
    return any(form and form.split(" ", 1)[0] in ("count", "plural", "choice") for _name, form in _PLACEHOLDER.findall(template))


def duration(ms: float, language: str = ENGLISH) -> str:
    """`2.4 s`, `350 ms`, `0.4 ms`; from two minutes on `2 min 5 s`."""
    if ms >= 120_000:
        minutes, seconds = divmod(round(ms / 1000), 60)
        parts = f"{minutes:,} min" + (f" {seconds} s" if seconds else "")
    elif ms >= 1000:
        parts = f"{ms / 1000:,.1f}".replace(".0", "") + " s"
    else:
        parts = (f"{ms:.0f}" if ms >= 10 else f"{ms:.1f}".replace(".0", "")) + " ms"
    return _localised(parts, language)


_UNITS_RU = (("min", "мин"), ("ms", "мс"), ("s", "с"), ("kB", "кБ"), ("MB", "МБ"), ("GB", "ГБ"), ("B", "Б"))


def _localised(shown: str, language: str) -> str:
    """A figure with its unit, as Russians write it: comma, narrow spaces, their own units."""
    if language == ENGLISH:
        return shown
    number = shown.replace(",", _NARROW_SPACE).replace(".", ",")
    for unit, word in _UNITS_RU:
        number = re.sub(rf"(?<= ){unit}\b", word, number)
    return number.replace(" ", _NO_BREAK)


def number(value: float, language: str = ENGLISH) -> str:
    """`1,200,000`"""
    return _localised(f"{value:,}", language)


def size(bytes_: float, language: str = ENGLISH) -> str:
    """`12.3 MB` of 1,000,000 bytes; `640 B`."""
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if bytes_ >= limit:
            shown = f"{bytes_ / limit:,.1f}".replace(".0", "")
            return _localised(f"{shown} {unit}", language)
    return _localised(f"{bytes_:.0f} B", language)


def plural(count: float, forms: str, language: str) -> str:
    """The form that goes with a number: English has `row|rows`, Russian `строка|строки|строк`."""
    choice = forms.split("|")
    if language == "ru" and len(choice) == 3:
        last, tens = int(count) % 10, int(count) % 100
        if count != int(count):
            return choice[1]
        return choice[0] if last == 1 and tens != 11 else choice[1] if 2 <= last <= 4 and not 12 <= tens <= 14 else choice[2]
    return choice[0] if count == 1 else choice[-1]


def _plain(value: Any) -> Any:
    if isinstance(value, Text):
        return value.to_json()
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value


def _render(template: str, values: Mapping[str, Any], language: str) -> str:
    def fill(match: Any) -> str:
        form, _space, argument = (match.group(2) or "").partition(" ")
        return _FORMS[form](values[match.group(1)], argument, language)

    return _PLACEHOLDER.sub(fill, in_language(template, language))


def _as_it_is(value: Any, argument: str, language: str) -> str:
    if isinstance(value, (str, Mapping)):
        return render(value, language)
    return str(value)


def _joined(separator: str) -> Callable[[Any, str, str], str]:
    def join(value: Sequence[Any], argument: str, language: str) -> str:
        shown = [_as_it_is(one, "", language) for one in value]
        most = int(argument) if argument else len(shown)
        more = len(shown) - most
        said = separator.join(shown[:most])
        return f"{said} " + _render("and {more} more", {"more": more}, language) if more > 0 else said

    return join


# Form → rendering of (value, argument, language).
_FORMS: Dict[str, Callable[[Any, str, str], str]] = {
    "": _as_it_is,
    # 1,200,000
    "number": lambda value, argument, language: number(value, language),
    # milliseconds: 2.4 s
    "duration": lambda value, argument, language: duration(value, language),
    # seconds: 0.13 s, whatever their size
    "seconds": lambda value, argument, language: _localised(f"{value:,.2f} s", language),
    # seconds: 22 s
    "whole": lambda value, argument, language: _localised(f"{value:.0f} s", language),
    # bytes: 12.3 MB
    "size": lambda value, argument, language: size(value, language),
    # bytes: 1,234.5 MB, whatever their size
    "megabytes": lambda value, argument, language: _localised(f"{value / 1e6:,.1f} MB", language),
    # 0.53: 53%
    "share": lambda value, argument, language: _localised(f"{value:.0%}", language),
    # count row|rows: 1,200 rows
    "count": lambda value, argument, language: f"{number(value, language)} {plural(value, argument, language)}",
    # plural row|rows: rows
    "plural": plural,
    # list, list 8: a, b, c and 2 more
    "list": _joined(", "),
    "semicolons": _joined("; "),
    "lines": _joined("\n"),
    "joined": _joined(""),
    # what another process said in English
    "heard": lambda value, argument, language: heard(_as_it_is(value, argument, language), language),
}


class Speaker:
    """Says everything in one language. Call it with a literal template: `say("{count:count row|rows}", count=3)`."""

    def __init__(self, language: str = ENGLISH) -> None:
        if language not in LANGUAGES:
            raise ValueError(f"no language {language!r}: there are {', '.join(LANGUAGES)}")
        self.language = language

    def __call__(self, template: str, **values: Any) -> str:
        return _render(template, values, self.language)

    def of(self, entry: Mapping[str, Any], field: str) -> str:
        """A field of the record."""
        return translated(entry, field, self.language)

    def word(self, english: str) -> str:
        """A word of a fixed set (a severity, a verdict, a stage), which the catalog has as it stands."""
        return in_language(english, self.language)

    def heard(self, plain: str) -> str:
        """What another process said in English."""
        return heard(plain, self.language)

    def number(self, value: float) -> str:
        return number(value, self.language)

    def duration(self, ms: float) -> str:
        return duration(ms, self.language)

    def size(self, bytes_: float) -> str:
        return size(bytes_, self.language)
