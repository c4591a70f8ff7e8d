# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the user's expectations file (controller only: PyYAML comes with ansible-core). The format is in docs/expectations.md."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import yaml
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import (
    PRODUCTION,
    Absent,
    Assertion,
    Change,
    ColumnExpectation,
    CountOrNames,
    Expectations,
    RowChange,
    Structure,
    TableExpectation,
    expression_problem,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import DEFAULT_SCHEMA, column_name, object_name
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import yaml_nodes
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.assertions import QueryError, compile_query
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.yaml_nodes import Entry, Problems

_TOP = ("revision", "after_upgrade", "after_downgrade", "downgrade_to", "changes", "assertions")
_TABLE = ("columns", "indexes", "foreign_keys", "existing_rows")
_KINDS = ("expect", "changed", "dropped", "rows")
_WAS = "was"
_AN_OLD_NAME = "the name before the upgrade: of a column without its table; of a table, with its schema where the new name has one"
_A_REVISION = "a revision is text as in the migration's file, such as 3bcf125fefbd"
_A_TABLE = "table or schema.table, as the catalog spells them; a name with a dot in double quotes: '\"a.b\"'"
_A_COLUMN = "table.column or schema.table.column"
_AN_EXPRESSION = "SQL over old, the value from before, such as old / 100.0"

_PART = re.compile(r'"(?P<quoted>(?:[^"]|"")+)"|(?P<bare>[^".\s](?:[^".]*[^".\s])?)')
# Alembic refuses these in a revision (alembic.script.revision), for they have a meaning in its command line.
_REVISION = re.compile(r"[^\s@+:-]+")
_LIKE_A_NUMBER = re.compile(r"[-+]?[\d_]+(?:\.\d*)?(?:[eE][-+]?\d+)?")


class ExpectationsError(ValueError):
    """The file cannot be used. `problems` has everything that is wrong with it, one `file:line: what — what is allowed` each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def load(path: str) -> Expectations:
    """Read a file. Raises ExpectationsError, also when it cannot be opened."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            content = file.read()
    except OSError as error:
        raise ExpectationsError([f"{path}:1: cannot be read: {error.strerror} — the path of a YAML file on the controller"]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ExpectationsError([f"{path}:{line}: this is not UTF-8 — save the file as UTF-8"]) from error
    return parse(content, path)


def parse(text: str, file: str) -> Expectations:
    """What a file says; `file` is only its name in errors. Raises ExpectationsError with all that is wrong."""
    problems = Problems(file)
    root = yaml_nodes.compose(text, problems, "an expectations file is a YAML mapping with " + ", ".join(_TOP))
    if not problems.lines() and (root is None or yaml_nodes.is_null(root) or root.value == []):
        problems.add(1, "the file is empty", "at least one of " + ", ".join(_TOP))
    expectations = _expectations(root, problems) if root is not None and not problems.lines() else Expectations()
    if problems.lines():
        raise ExpectationsError(problems.lines())
    return expectations


def _expectations(root: yaml.Node, problems: Problems) -> Expectations:
    entries = yaml_nodes.mapping(root, "the file", problems, _TOP)
    return Expectations(
        revision=_revisions(entries["revision"].node, problems) if "revision" in entries else (),
        after_upgrade=_structure(entries.get("after_upgrade"), _TABLE, problems),
        after_downgrade=_structure(entries.get("after_downgrade"), _TABLE[:-1], problems),
        downgrade_to=_downgrade_to(entries["downgrade_to"].node, problems) if "downgrade_to" in entries else PRODUCTION,
        changes=_changes(entries["changes"].node, problems) if "changes" in entries else {},
        assertions=_assertions(entries["assertions"].node, problems) if "assertions" in entries else (),
    )


def _revisions(node: yaml.Node, problems: Problems) -> tuple[str, ...]:
    items = node.value if isinstance(node, yaml.SequenceNode) else [node]
    if not items:
        problems.add(node, "revision is an empty list", _A_REVISION)
    found: list[str] = []
    for item in items:
        revision = _revision(item, "revision", problems)
        if revision in ("head", "heads", "base"):
            problems.add(item, f'"{revision}" is not a revision', f"{_A_REVISION}: the check is that the upgrade ends there")
        elif revision in found:
            problems.add(item, f'"{revision}" is twice in revision', "each revision once")
        elif revision:
            found.append(revision)
    return tuple(found)


def _revision(node: yaml.Node, where: str, problems: Problems) -> str:
    """A revision, "" after a problem. What looks like a number must be quoted, whichever version of YAML reads it next."""
    if isinstance(node, yaml.ScalarNode) and node.style is None and _LIKE_A_NUMBER.fullmatch(node.value):
        problems.add(node, f"{where} {node.value} reads as a number", f"put it in quotes: '{node.value}'")
        return ""
    revision = yaml_nodes.text(node, where, problems, _A_REVISION)
    if revision and not _REVISION.fullmatch(revision):
        problems.add(node, f'"{revision}" cannot be a revision', _A_REVISION + ", without spaces and @ + - :")
        return ""
    return revision


def _downgrade_to(node: yaml.Node, problems: Problems) -> str:
    allowed = "production (its revision), a number of steps such as -2, base, or a revision"
    if isinstance(node, yaml.ScalarNode) and re.fullmatch(r"-[1-9]\d*", node.value):
        return str(node.value)
    if yaml_nodes.is_text(node) and not _REVISION.fullmatch(node.value) or node.value in ("head", "heads"):
        problems.add(node, f'downgrade_to is "{node.value}"', allowed)
        return PRODUCTION
    if yaml_nodes.is_text(node) and node.value != PRODUCTION:
        # A revision may have any name, so only what is almost the word is taken for a slip.
        hint = yaml_nodes.near(PRODUCTION if node.value == "prod" else node.value, [PRODUCTION], cutoff=0.85)
        if hint:
            problems.add(node, f'downgrade_to is "{node.value}"{hint}', allowed)
            return PRODUCTION
    return _revision(node, "downgrade_to", problems)


def _structure(section: Entry | None, table_keys: Sequence[str], problems: Problems) -> Structure:
    if section is None:
        return Structure()
    where = section.key
    entries = yaml_nodes.mapping(section.node, where, problems, ("tables", "absent"))
    tables: dict[str, TableExpectation] = {}
    for entry in _by_table(entries.get("tables"), f"{where}.tables", problems):
        tables[entry[0]] = _table(entry[1], f"{where}.tables.{entry[1].key}", table_keys, problems)
    absent = _absent(entries["absent"], f"{where}.absent", tables, problems) if "absent" in entries else Absent()
    return Structure(tables, absent)


def _by_table(section: Entry | None, where: str, problems: Problems) -> list[tuple[str, Entry]]:
    """The entries of a mapping by table, with the tables' object names."""
    found: dict[str, Entry] = {}
    for entry in yaml_nodes.mapping(section.node, where, problems).values() if section else ():
        name = _table_name(entry.key, entry.key_node, problems)
        if name in found:
            first = yaml_nodes.line_of(found[name].key_node)
            problems.add(entry.key_node, f'"{entry.key}" is the table of line {first} again', "each table once")
        elif name:
            found[name] = entry
    return list(found.items())


def _table(entry: Entry, where: str, keys: Sequence[str], problems: Problems) -> TableExpectation:
    entries = yaml_nodes.mapping(entry.node, where, problems, keys)

    def under(key: str) -> dict[str, Entry]:
        return yaml_nodes.mapping(entries[key].node, f"{where}.{key}", problems) if key in entries else {}

    return TableExpectation(
        columns={name: _column(column.node, f"{where}.columns.{name}", problems) for name, column in under("columns").items()},
        indexes=_count_or_names(entries.get("indexes"), where, problems),
        foreign_keys=_count_or_names(entries.get("foreign_keys"), where, problems),
        existing_rows={name: yaml_nodes.value(item.node, f"{where}.existing_rows.{name}", problems) for name, item in under("existing_rows").items()},
    )


def _column(node: yaml.Node, where: str, problems: Problems) -> ColumnExpectation:
    a_type = "a type of PostgreSQL, such as integer or varchar(50)"
    if isinstance(node, yaml.ScalarNode) and not yaml_nodes.is_null(node):
        return ColumnExpectation(type=yaml_nodes.text(node, where, problems, f"{a_type}, or a mapping with type, nullable, default"))
    entries = yaml_nodes.mapping(node, where, problems, ("type", "nullable", "default"))
    return ColumnExpectation(
        type=yaml_nodes.text(entries["type"].node, f"{where}.type", problems, a_type) if "type" in entries else None,
        nullable=yaml_nodes.flag(entries["nullable"].node, f"{where}.nullable", problems) if "nullable" in entries else None,
        default=yaml_nodes.scalar(entries["default"].node, f"{where}.default", problems) if "default" in entries else None,
        default_given="default" in entries,
    )


def _count_or_names(entry: Entry | None, where: str, problems: Problems) -> CountOrNames:
    if entry is None:
        return None
    where = f"{where}.{entry.key}"
    if isinstance(entry.node, yaml.SequenceNode):
        return tuple(yaml_nodes.names(entry.node, where, problems))
    return yaml_nodes.count(entry.node, where, problems, "how many (a whole number from 0), or a list of names that must be there")


def _absent(section: Entry, where: str, present: dict[str, TableExpectation], problems: Problems) -> Absent:
    entries = yaml_nodes.mapping(section.node, where, problems, ("tables", "columns", "indexes", "foreign_keys"))
    tables: list[str] = []
    for text, node in yaml_nodes.names(entries["tables"].node, f"{where}.tables", problems).items() if "tables" in entries else ():
        name = _table_name(text, node, problems)
        if name in present:
            problems.add(node, f'table "{text}" is expected and absent', "one of the two")
        tables.append(name)

    def lists(kind: str) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for table, entry in _by_table(entries.get(kind), f"{where}.{kind}", problems):
            listed = yaml_nodes.names(entry.node, f"{where}.{kind}.{entry.key}", problems)
            found[table] = tuple(listed)
            expected = present.get(table, TableExpectation())
            there = expected.columns if kind == "columns" else expected.indexes if kind == "indexes" else expected.foreign_keys
            for name, node in listed.items():
                if there is not None and not isinstance(there, int) and name in there:
                    problems.add(node, f'"{name}" of {entry.key} is expected and absent', "one of the two")
        return found

    return Absent(tuple(tables), lists("columns"), lists("indexes"), lists("foreign_keys"))


def _changes(node: yaml.Node, problems: Problems) -> dict[str, Change]:
    changes: dict[str, Change] = {}
    lines: dict[str, int] = {}
    for entry in yaml_nodes.mapping(node, "changes", problems).values():
        where = f"changes.{entry.key}"
        entries = yaml_nodes.mapping(entry.node, where, problems, (*_KINDS, _WAS, "reason"))
        kinds = [key for key in _KINDS if key in entries]
        reason = yaml_nodes.text(entries["reason"].node, f"{where}.reason", problems) if "reason" in entries else ""
        if _WAS in entries:
            if len(kinds) > 1 or "dropped" in kinds:
                problems.add(entry.key_node, f"{where} says was and {' and '.join(kinds)}", "was alone, or with one of expect, changed, rows")
                continue
            name, became = _renamed_object(entry, entries[_WAS].node, kinds, problems)
            if name in lines:
                problems.add(entry.key_node, f'"{name}" is declared in line {lines[name]} already', "each table and column once")
            elif name:
                lines[name] = yaml_nodes.line_of(entry.key_node)
                change = _change(kinds[0], entries[kinds[0]].node, where, reason, problems) if kinds else Change("renamed", reason=reason)
                changes[name] = dataclasses.replace(change, became=became)
            continue
        if len(kinds) != 1:
            said = " and ".join(kinds) if kinds else "not what changes"
            problems.add(entry.key_node, f"{where} says {said}", "exactly one of " + ", ".join(_KINDS))
            continue
        name = _changed_object(entry, kinds[0], problems)
        if name in lines:
            problems.add(entry.key_node, f'"{entry.key}" is declared in line {lines[name]} already', "each table and column once")
        elif name:
            lines[name] = yaml_nodes.line_of(entry.key_node)
            changes[name] = _change(kinds[0], entries[kinds[0]].node, where, reason, problems)
    return changes


def _change(kind: str, node: yaml.Node, where: str, reason: str, problems: Problems) -> Change:
    if kind == "expect":
        expression = yaml_nodes.text(node, f"{where}.expect", problems, _AN_EXPRESSION)
        problem = expression_problem(expression) if expression else None
        if problem:
            problems.add(node, f"{where}.expect cannot be used: {problem}", _AN_EXPRESSION)
        return Change("expect", expression=expression, reason=reason)
    if kind == "rows":
        entries = yaml_nodes.mapping(node, f"{where}.rows", problems, ("added", "removed"))
        if yaml_nodes.is_null(node) or node.value == []:
            problems.add(node, f"{where}.rows is empty", "added, removed: a number or any")
        return Change("rows", rows=RowChange(*(_row_count(entries.get(key), where, problems) for key in ("added", "removed"))), reason=reason)
    if not yaml_nodes.flag(node, f"{where}.{kind}", problems) and node.tag.endswith(":bool"):
        problems.add(node, f"{where}.{kind} is false", "true; without the entry nothing may change")
    return Change(kind, reason=reason)


def _row_count(entry: Entry | None, where: str, problems: Problems) -> int | None:
    if entry is None:
        return 0
    if yaml_nodes.is_text(entry.node) and entry.node.value == "any":
        return None
    return yaml_nodes.count(entry.node, f"{where}.rows.{entry.key}", problems, "a whole number from 0, or any")


def _assertions(node: yaml.Node, problems: Problems) -> tuple[Assertion, ...]:
    assertions: dict[str, Assertion] = {}
    for number, item in enumerate(yaml_nodes.sequence(node, "assertions", problems, "assertions (name, query, contains or equals)"), 1):
        where = f"assertion {number}"
        if yaml_nodes.is_null(item):
            problems.add(item, f"{where} is nothing", "a mapping with name, query, contains, equals")
            continue
        entries = yaml_nodes.mapping(item, where, problems, ("name", "query", "contains", "equals"))
        if not isinstance(item, yaml.MappingNode):
            continue
        for key in ("name", "query"):
            if key not in entries:
                problems.add(item, f"{where} has no {key}", "name and query are needed; contains or equals may follow")
        if "contains" in entries and "equals" in entries:
            problems.add(entries["equals"].key_node, f"{where} has contains and equals", "one of the two, or none: the result must be truthy")
        texts = {key: yaml_nodes.text(entries[key].node, f"{where}.{key}", problems) for key in ("name", "query") if key in entries}
        name, query = texts.get("name", ""), texts.get("query", "")
        if query:
            try:
                compile_query(query)
            except QueryError as error:
                problems.add(entries["query"].node, error.message, error.allowed)
        if name and name in assertions:
            problems.add(entries["name"].node, f'the name "{name}" is used already', "each assertion has a name of its own")
        operator = next((key for key in ("contains", "equals") if key in entries), "truthy")
        expected = yaml_nodes.value(entries[operator].node, f"{where}.{operator}", problems) if operator in entries else None
        assertions[name] = Assertion(name, query, operator, expected)
    return tuple(assertions.values())


def _parts(text: str) -> list[str]:
    """The names in a dotted text, without quotes; empty when it is not such a text."""
    parts, end = [], 0
    while True:
        match = _PART.match(text, end)
        if match is None:
            return []
        parts.append(match["quoted"].replace('""', '"') if match["quoted"] else match["bare"])
        end = match.end()
        if end == len(text):
            return parts
        if text[end] != ".":
            return []
        end += 1


def _table_name(text: str, node: yaml.Node, problems: Problems) -> str:
    """The object name of a table, "" after a problem."""
    parts = _parts(text)
    if len(parts) not in (1, 2):
        problems.add(node, f'"{text}" is not the name of a table', _A_TABLE)
        return ""
    return object_name(*(parts if len(parts) == 2 else (DEFAULT_SCHEMA, parts[0])))


def _changed_object(entry: Entry, kind: str, problems: Problems) -> str:
    """The object name that a change is about, "" after a problem.

    `a.b: {dropped: true}` may be a column of a or a table of schema a; both have the same object name.
    """
    parts = _parts(entry.key)
    is_table = kind == "rows" or (kind == "dropped" and (len(parts) == 1 or (len(parts) == 2 and parts[0] == DEFAULT_SCHEMA)))
    if is_table:
        return _table_name(entry.key, entry.key_node, problems)
    if len(parts) == 3:
        return column_name(object_name(parts[0], parts[1]), parts[2])
    if len(parts) == 2 and parts[0] != DEFAULT_SCHEMA:
        return column_name(object_name(DEFAULT_SCHEMA, parts[0]), parts[1])
    allowed = _A_COLUMN + (", or a table" if kind == "dropped" else "")
    problems.add(entry.key_node, f'"{entry.key}" is not the name of a {"column" if kind != "dropped" else "table or column"}', allowed)
    return ""


def _renamed_object(entry: Entry, was: yaml.Node, kinds: Sequence[str], problems: Problems) -> tuple[str, str]:
    """(old object name, new name: of a column the bare one); ("", "") after a problem. What has `was` stands under its new name."""
    text = yaml_nodes.text(was, f"changes.{entry.key}.{_WAS}", problems, _AN_OLD_NAME)
    parts = _parts(entry.key)
    if not text:
        return "", ""
    if "rows" in kinds or len(parts) == 1 or len(_parts(text)) == 2:
        new, old = _table_name(entry.key, entry.key_node, problems), _table_name(text, was, problems)
        return (old, new) if new and old else ("", "")
    label = _changed_object(entry, "expect", problems)
    own = _parts(text)
    if len(own) != 1:
        problems.add(was, f'"{text}" is not the name of a column', _AN_OLD_NAME)
    if not label or len(own) != 1:
        return "", ""
    table = object_name(*parts[:2]) if len(parts) == 3 else object_name(DEFAULT_SCHEMA, parts[0])
    return column_name(table, own[0]), parts[-1]
