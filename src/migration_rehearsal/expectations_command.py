# SPDX-License-Identifier: GPL-3.0-or-later
"""`rehearse expectations init`: everything that a finished rehearsal's upgrade did, as an expectations file to review."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import judge_data, schema_diff
from ansible_collections.migrations.rehearsal.plugins.module_utils.column_forms import Scalar, constant, default_matches
from ansible_collections.migrations.rehearsal.plugins.module_utils.data_diff import DataChange
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import Evidence, version_tables
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import PRODUCTION, Change
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import DEFAULT_SCHEMA, column_name, own_name

from migration_rehearsal import exit_codes
from migration_rehearsal.judge_command import InputError, load_evidence

Tables = Mapping[str, Any]

_PLAIN = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)
# What YAML 1.1 reads as something else than text; keys are read as they are written, list items and values are not.
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def run_init(directory: Path, output: Path | None) -> int:
    """Write, or print, the file. Returns the exit code."""
    try:
        text = expectations_text(load_evidence(directory))
        if output is None:
            sys.stdout.write(text)
        else:
            # Never over a file that somebody has reviewed.
            with output.open("x", encoding="utf-8") as file:
                file.write(text)
            print(f"{output}: review it, name it in rehearsal_expectations, and rehearse again")
    except InputError as error:
        print(f"rehearse: {error}", file=sys.stderr)
        return exit_codes.USAGE
    except OSError as error:
        print(f"rehearse: {error.filename}: {error.strerror}", file=sys.stderr)
        return exit_codes.USAGE
    return exit_codes.GO


def expectations_text(evidence: Evidence) -> str:
    """The file. Raises InputError where the upgrade was not measured to its end."""
    if not {"before", "after"} <= evidence.snapshots.keys() or not {"before", "after"} <= evidence.fingerprints.keys():
        raise InputError("this rehearsal did not come as far as the proof after the upgrade: there is nothing to expect yet")
    own = version_tables(evidence)
    before, after = (
        {name: table for name, table in evidence.snapshots[moment]["tables"].items() if name not in own} for moment in ("before", "after")
    )
    done = [event for event in evidence.migrations.get("upgrade", []) if event["event"] == "done"]
    lines = [
        f"# What the upgrade of {evidence.context['database']} did in rehearsal {evidence.context['id']}.",
        "# It says what happened, not that it is right: review every line, and take out what must not be held against the next rehearsal.",
    ]
    if done and done[-1]["heads"]:
        lines.append(f"revision: [{', '.join(_quoted(head) for head in done[-1]['heads'])}]")
    measured = _existing_rows(evidence)
    upgraded = [*_tables(before, after, measured, evidence), *_absent(before, after)]
    lines += ["", "after_upgrade:", *upgraded] if upgraded else []
    if evidence.expectations.downgrade_to != PRODUCTION:
        lines += ["", f"downgrade_to: {_quoted(evidence.expectations.downgrade_to)}"]
    elif "back" in evidence.snapshots:
        back = evidence.snapshots["back"]["tables"]
        # Only what the way back did undo: what it leaves is a finding of its own, and no expectation makes it right.
        undone = {name: table for name, table in back.items() if name not in own}
        returned = [*_tables(after, undone, {}, evidence, only=before), *_absent(after, undone)]
        lines += ["", "after_downgrade:", *returned] if returned else []
    changes = list(_changes(evidence, own))
    lines += ["", "# Changes of data that was there before. Is each of them intended?", "changes:", *changes] if changes else []
    assertions = [_assertion(one) for one in evidence.expectations.assertions]
    lines += ["", "assertions:", *assertions] if assertions else []
    differences = schema_diff.diff(evidence.snapshots["before"], evidence.snapshots["after"], renames=evidence.renames("before", "after"))
    others = [change.text for change in differences if _is_other(change, own)]
    if others:
        lines += ["", "# Also changed; to be held fast with assertions:", *(f"#   {' '.join(text.split())}" for text in others)]
    return "\n".join(lines) + "\n"


def _quoted(name: str) -> str:
    """A name as YAML reads it back as text."""
    return name if _PLAIN.fullmatch(name) and name.lower() not in _WORDS else json.dumps(name, ensure_ascii=False)


def _list(names: list[str]) -> str:
    return f"[{', '.join(_quoted(name) for name in names)}]"


def _keys(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in table["constraints"].items() if one["kind"] == "foreign key"}


def _indexes(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in table["indexes"].items() if not one["primary"] and one["valid"]}


def _tables(
    earlier: Tables, later: Tables, measured: Mapping[str, Mapping[str, Any]], evidence: Evidence, only: Tables | None = None
) -> Iterator[str]:
    """What `later` has and `earlier` has not, or has otherwise; with `only`, as far as it was so there."""
    lines: list[str] = []
    for name, table in later.items():
        if only is not None and name not in only:
            continue
        old = earlier.get(name)
        columns = {
            column: record
            for column, record in table["columns"].items()
            if old is None or column not in old["columns"] or _form(old["columns"][column]) != _form(record)
        }
        if only is not None:
            columns = {column: record for column, record in columns.items() if _form(only[name]["columns"].get(column)) == _form(record)}
        kinds = [("indexes", _indexes), ("foreign_keys", _keys)]
        added = {kind: [one for one in parts(table) if old is None or one not in parts(old)] for kind, parts in kinds}
        parts = [f"      columns:{''.join(_column(*item) for item in columns.items())}"] if columns else []
        parts += [f"      {kind}: {_list(names)}" for kind, names in added.items() if names]
        parts += _rows(name, columns, measured.get(name, {}), evidence) if only is None and old is not None else []
        if parts:
            lines += [f"    {_quoted(name)}:", *parts]
    yield from ["  tables:", *lines] if lines else []


def _form(column: Mapping[str, Any] | None) -> tuple[Any, ...]:
    return (column["type"], column["nullable"], column["default"]) if column else ()


def _column(name: str, column: Mapping[str, Any]) -> str:
    parts = [f"type: {json.dumps(column['type'], ensure_ascii=False)}", f"nullable: {str(column['nullable']).lower()}"]
    if not column["identity"] and not column["generated"]:
        found, default = _default(column["default"])
        parts += [f"default: {json.dumps(default, ensure_ascii=False)}"] if found else []
    return f"\n        {_quoted(name)}: {{{', '.join(parts)}}}"


def _default(printed: str | None) -> tuple[bool, Scalar]:
    """The shortest way to say a default; (False, None) where no way says it."""
    if printed is None:
        return True, None
    known = constant(printed)
    candidates: list[Scalar] = []
    if known is not None and not known.quoted and known.text in ("true", "false"):
        candidates.append(known.text == "true")
    elif known is not None and not known.quoted and re.fullmatch(r"-?(0|[1-9]\d{0,8})", known.text):
        candidates.append(int(known.text))
    elif known is not None and known.quoted:
        candidates.append(known.text)
    for candidate in [*candidates, printed]:
        if default_matches(candidate, printed) and (candidate != "" or printed.startswith("''")):
            return True, candidate
    return False, None


def _existing_rows(evidence: Evidence) -> dict[str, dict[str, Any]]:
    """What was measured of every row: table -> column -> value."""
    found: dict[str, dict[str, Any]] = {}
    for entry in evidence.checks.get("after", {}).get("existing_rows") or []:
        if "no_value_of" not in entry and entry["rows"] == entry["matching"]:
            found.setdefault(entry["table"], {})[entry["column"]] = entry["expected"]
    return found


def _rows(table: str, columns: Mapping[str, Any], measured: Mapping[str, Any], evidence: Evidence) -> list[str]:
    """What old rows hold in new columns: as measured; what is only likely stands in a comment."""
    lines: list[str] = []
    if measured:
        lines.append(f"      existing_rows: {json.dumps(measured, ensure_ascii=False)}")
    print_ = evidence.fingerprints["after"]["tables"].get(table)
    known = evidence.snapshots["before"]["tables"][table]["columns"]
    likely: dict[str, Any] = {}
    for name, column in columns.items():
        if name in known or name in measured or print_ is None or name not in print_["columns"]:
            continue
        found, default = _default(column["default"])
        if print_["columns"][name]["non_null"] == 0:
            likely[name] = None
        elif found and not isinstance(default, str) and default is not None:
            likely[name] = default
    if likely:
        lines.append(f"      # likely, not measured yet: existing_rows: {json.dumps(likely, ensure_ascii=False)}")
    return lines


def _absent(earlier: Tables, later: Tables) -> list[str]:
    """What `earlier` has and `later` has not."""
    lines: list[str] = []
    tables = [name for name in earlier if name not in later]
    lines += [f"    tables: {_list(tables)}"] if tables else []
    for kind, parts in (("columns", lambda table: table["columns"]), ("indexes", _indexes), ("foreign_keys", _keys)):
        found = {name: [one for one in parts(table) if one not in parts(later[name])] for name, table in earlier.items() if name in later}
        rows = [f"      {_quoted(name)}: {_list(gone)}" for name, gone in found.items() if gone]
        lines += [f"    {kind}:", *rows] if rows else []
    return ["  absent:", *lines] if lines else []


def _changes(evidence: Evidence, own: list[str]) -> Iterator[str]:
    prints, wanted, renames = evidence.fingerprints, evidence.expectations, evidence.renames("before", "after")
    told = set()
    for change in judge_data.changes_between(prints["before"], prints["after"], wanted, own, evidence.rows.get("after"), renames):
        declared = wanted.changes.get(change.object)
        name, said = (
            _declared(change.object, declared, change.object in prints["before"]["tables"]) if declared else (change.object, _measured(change))
        )
        if said and name not in told:
            told.add(name)
            yield f"  # {' '.join(change.text.split())}"
            yield f"  {_quoted(name)}: {said}" if not said.startswith("#") else f"  {said}"


def _declared(name: str, change: Change, is_table: bool) -> tuple[str, str]:
    """(what it stands under, the rest), as the rehearsal's own file has it."""
    parts: dict[str, Any] = {} if change.kind == "renamed" else {change.kind: True}
    if change.kind == "expect":
        parts = {"expect": change.expression}
    elif change.rows is not None:
        parts = {"rows": {key: "any" if count is None else count for key, count in (("added", change.rows.added), ("removed", change.rows.removed))}}
    if change.became and is_table:
        # With its schema: a bare name would be that of a column where the new name has a schema.
        parts["was"] = name if "." in name else f"{DEFAULT_SCHEMA}.{name}"
        name = change.became
    elif change.became:
        own = own_name(name)
        parts["was"] = own
        name = column_name(name[: -len(own) - 1], change.became)
    return name, json.dumps({**parts, **({"reason": change.reason} if change.reason else {})}, ensure_ascii=False)


def _measured(change: DataChange) -> str:
    """A declaration that this rehearsal meets; a comment where the format has none; "" for what needs none."""
    if change.kind in ("rows-added", "rows-lost", "rows-changed"):
        if change.rows_added is None:
            return '{"rows": {"added": "any", "removed": "any"}}  # how many was not measured'
        return json.dumps({"rows": {"added": change.rows_added, "removed": change.rows_lost}})
    if change.kind == "table-dropped":
        return '{"dropped": true}' if change.rows_before else ""
    if change.kind == "column-dropped":
        return '{"dropped": true}' if change.values_before else ""
    if change.kind in ("column-changed", "column-not-comparable"):
        return '{"changed": true}  # better, for it is proved on every row: {expect: "SQL over old"}'
    return "# cannot be declared" if change.kind in ("table-not-comparable", "rows-not-comparable") else ""


def _assertion(one: Any) -> str:
    said = {"name": one.name, "query": one.query, **({} if one.operator == "truthy" else {one.operator: one.value})}
    return f"  - {json.dumps(said, ensure_ascii=False)}"


def _is_other(change: schema_diff.Change, own: list[str]) -> bool:
    """Whether the file has no words for a change."""
    if any(change.object == table or change.object.startswith(f"{column_name(table, '')}") for table in own):
        return False
    if change.object_kind == "constraint":
        return (change.after or change.before or {}).get("kind") != "foreign key"
    return change.object_kind not in ("table", "column", "index")
