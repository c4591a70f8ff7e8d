# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a YAML file that people write, and say all that is wrong with it, each with its line.

Works on nodes, not on loaded values: a node knows its line and the text as it was written, so `on`, `no`, `0123` or `1:30` can be
told from what YAML 1.1 makes of them.
"""

from __future__ import annotations

import dataclasses
import decimal
import difflib
import re
from collections.abc import Sequence
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"
_KINDS = {
    "map": "a mapping",
    "seq": "a list",
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
    "timestamp": "a date",
}
# PyYAML composes recursively and needs time in the square of the depth; the format itself is 6 deep.
_DEEPEST = 50
_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One `key: value` of a mapping. `key` is the text as it is written."""

    key: str
    key_node: yaml.Node
    node: yaml.Node


class Problems:
    """What is wrong with one file, in any order; `lines` gives it in the file's order."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: list[tuple[int, str]] = []

    def add(self, where: yaml.Node | int, text: str, allowed: str) -> None:
        """Note a problem at a node or a line (counted from 1)."""
        line = where if isinstance(where, int) else line_of(where)
        self._found.append((line, f"{self.file}:{line}: {text} — {allowed}"))

    def lines(self) -> list[str]:
        return [text for _line, text in sorted(self._found, key=lambda found: found[0])]


def compose(text: str, problems: Problems, allowed: str) -> yaml.Node | None:
    """The root node, or None: the text is empty, or a problem was noted."""
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                problems.add(line_of(event), f"this is nested more than {_DEEPEST} deep", allowed)
                return None
            if isinstance(event, yaml.AliasEvent):
                problems.add(line_of(event), f'the alias "*{event.anchor}"', "write the value out: aliases are not read here")
            elif isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)) and event.tag:
                problems.add(line_of(event), f'the tag "{event.tag.replace(_TAG, "!!")}"', "write the value without a tag")
        return None if problems.lines() else yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problems.add(mark.line + 1 if mark else 1, f"this is not YAML: {error.problem or error.context}", allowed)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        problems.add(line, f"this is not YAML: the character U+{int(error.character):04X} is not allowed", allowed)
    return None


def line_of(node: yaml.Node | yaml.Event) -> int:
    """The line where a node begins, counted from 1."""
    return int(node.start_mark.line) + 1 if node.start_mark else 1


def kind(node: yaml.Node) -> str:
    """What a node is, as a person calls it."""
    return _KINDS.get(node.tag.removeprefix(_TAG), "a special mark")


def is_null(node: yaml.Node) -> bool:
    return bool(node.tag == _TAG + "null")


def is_text(node: yaml.Node) -> bool:
    return bool(node.tag == _TAG + "str")


def near(word: str, words: Sequence[str], cutoff: float = 0.6) -> str:
    """`; did you mean "nullable"?`, or nothing. `cutoff`: how alike the two must be, 0 to 1 (difflib's ratio)."""
    found = difflib.get_close_matches(word, words, n=1, cutoff=cutoff)
    return f'; did you mean "{found[0]}"?' if found else ""


def mapping(node: yaml.Node, where: str, problems: Problems, keys: Sequence[str] = ()) -> dict[str, Entry]:
    """The entries of a mapping by key; `keys` are all that are known, empty means any. Nothing at all is an empty mapping."""
    if is_null(node):
        return {}
    if not isinstance(node, yaml.MappingNode):
        problems.add(node, f"{where} is {kind(node)}", "a mapping" + (" with " + ", ".join(keys) if keys else " (name: …)"))
        return {}
    entries: dict[str, Entry] = {}
    for key_node, value in node.value:
        key = key_node.value
        if not isinstance(key_node, yaml.ScalarNode) or not key:
            problems.add(key_node, f"a key in {where} is {'empty' if key == '' else kind(key_node)}", "a key is text")
        elif key in entries:
            first = line_of(entries[key].key_node)
            problems.add(key_node, f'duplicate key "{key}" in {where}, first in line {first}', "each key once")
        elif keys and key not in keys:
            problems.add(key_node, f'unknown key "{key}" in {where}{near(key, keys)}', "allowed: " + ", ".join(keys))
        else:
            entries[key] = Entry(key, key_node, value)
    return entries


def sequence(node: yaml.Node, where: str, problems: Problems, of: str) -> list[yaml.Node]:
    """The items of a list. Nothing at all is an empty list."""
    if is_null(node):
        return []
    if not isinstance(node, yaml.SequenceNode):
        problems.add(node, f"{where} is {kind(node)}", f"a list of {of}")
        return []
    return list(node.value)


def text(node: yaml.Node, where: str, problems: Problems, allowed: str = "text") -> str:
    """A text; "" after a problem."""
    if not is_text(node):
        quote = f", in quotes: {where.rsplit('.', 1)[-1]}: '{node.value}'" if _is_plain(node) else ""
        problems.add(node, f"{where} is {_read_as(node)}", allowed + quote)
    elif not node.value.strip():
        problems.add(node, f"{where} is empty", allowed)
    else:
        return str(node.value)
    return ""


def names(node: yaml.Node, where: str, problems: Problems) -> dict[str, yaml.Node]:
    """A list of names with their nodes, each as it is written: `- no` is the name no."""
    found: dict[str, yaml.Node] = {}
    for item in sequence(node, where, problems, "names"):
        if not isinstance(item, yaml.ScalarNode) or is_null(item) or not item.value.strip():
            problems.add(item, f"a name in {where} is {'empty' if item.value == '' else kind(item)}", "a list of names")
        elif item.value in found:
            problems.add(item, f'"{item.value}" is twice in {where}', "each name once")
        else:
            found[item.value] = item
    return found


def flag(node: yaml.Node, where: str, problems: Problems) -> bool:
    """True or false, also in YAML 1.1's other words: what is meant is clear here."""
    if node.tag == _TAG + "bool":
        return node.value.lower() in ("true", "yes", "on")
    problems.add(node, f"{where} is {_read_as(node)}", "true or false")
    return False


def count(node: yaml.Node, where: str, problems: Problems, allowed: str) -> int:
    """A whole number from 0; 0 after a problem."""
    if node.tag == _TAG + "int" and re.fullmatch(r"0|[1-9]\d*", node.value):
        return int(node.value)
    problems.add(node, f"{where} is {_read_as(node)}", allowed)
    return 0


def scalar(node: yaml.Node, where: str, problems: Problems) -> Any:
    """A value: nothing, true or false, a number or text; None after a problem. What people and YAML read differently is a problem."""
    if not isinstance(node, yaml.ScalarNode):
        problems.add(node, f"{where} is {kind(node)}", "null, true, false, a number or text; SQL and JSON in quotes")
        return None
    if is_null(node):
        return None
    if is_text(node) or node.tag == _TAG + "timestamp":
        return node.value
    if node.tag == _TAG + "bool" and node.value.lower() in ("true", "false"):
        return node.value.lower() == "true"
    if node.tag in (_TAG + "int", _TAG + "float") and _PLAIN_NUMBER.fullmatch(node.value):
        number = float(node.value) if node.tag == _TAG + "float" else int(node.value)
        if decimal.Decimal(repr(number)) == decimal.Decimal(node.value):
            return number
        problems.add(node, f"{where} is a number with more digits than are kept", f"in quotes: '{node.value}'")
        return None
    problems.add(node, f"{where} is {_read_as(node)}", f"write true, false or a plain number, or text in quotes: '{node.value}'")
    return None


def value(node: yaml.Node, where: str, problems: Problems) -> Any:
    """As `scalar`, and lists and mappings of values."""
    if isinstance(node, yaml.SequenceNode):
        return [value(item, where, problems) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return {key: value(entry.node, where, problems) for key, entry in mapping(node, where, problems).items()}
    return scalar(node, where, problems)


def _is_plain(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None and not is_null(node)


def _read_as(node: yaml.Node) -> str:
    """`text`, or `12e4, which YAML reads as a number` for what is not what it looks like."""
    if not _is_plain(node):
        return kind(node)
    return f'"{node.value}"' if is_text(node) else f"{node.value}, which YAML reads as {kind(node)}"
