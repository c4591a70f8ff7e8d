"""One good revision, and expectations of which each is not met."""

# A case is read best on few lines.
# ruff: noqa: E501

from __future__ import annotations

import json
import textwrap

from ansible_collections.migrations.rehearsal.plugins.plugin_utils import expectations_file
from stand import Case

_UP = """\
CREATE TABLE visits (id bigint PRIMARY KEY, user_id bigint NOT NULL CONSTRAINT visits_user_fk REFERENCES users, kind text DEFAULT 'photo');
CREATE INDEX ix_visits_user ON visits (user_id);
ALTER TABLE shifts ADD COLUMN late boolean NOT NULL DEFAULT true, ADD COLUMN tasks jsonb;
DROP TABLE drafts"""
_DOWN = """\
CREATE TABLE drafts (id bigint PRIMARY KEY, body text);
ALTER TABLE shifts DROP COLUMN late, DROP COLUMN tasks;
DROP TABLE visits"""
_MET = """\
revision: m1
after_upgrade:
  tables:
    visits:
      columns: {id: bigint, user_id: {type: int8, nullable: false, default: null}, kind: {default: photo}}
      indexes: 1
      foreign_keys: [visits_user_fk]
    shifts:
      existing_rows: {late: true, tasks: null}
  absent: {tables: [drafts]}
after_downgrade:
  absent: {tables: [visits], columns: {shifts: [late, tasks]}}
assertions:
  - {name: visits go with their user, query: "after.tables.visits.constraints.visits_user_fk.on_delete", equals: no action}
"""


def _unmet(name: str, text: str, thing: str, code: str = "expectation-not-met") -> Case:
    return Case(f"expected in vain: {name}", _UP, _DOWN, frozenset({(code, thing)}), expectations=textwrap.dedent(text))


def _after(text: str) -> str:
    return f"after_upgrade: {{tables: {{{text}}}}}\n"


GOOD = Case("all that is expected is met", _UP, _DOWN, verdict="GO", expectations=_MET)

CASES = [
    _unmet("revision", "revision: m2\n", "", "revision-not-reached"),
    _unmet("table", _after("visitors: {}"), "visitors"),
    _unmet("column", _after("visits: {columns: {note: text}}"), "visits.note"),
    _unmet("type", _after("visits: {columns: {id: integer}}"), "visits.id"),
    _unmet("nullability", _after("visits: {columns: {user_id: {nullable: true}}}"), "visits.user_id"),
    _unmet("default", _after("visits: {columns: {kind: {default: video}}}"), "visits.kind"),
    _unmet("no default", _after("visits: {columns: {kind: {default: null}}}"), "visits.kind"),
    _unmet("number of indexes", _after("visits: {indexes: 2}"), "visits"),
    _unmet("name of an index", _after("visits: {indexes: [ix_visits_kind]}"), "visits"),
    _unmet("number of foreign keys", _after("visits: {foreign_keys: 0}"), "visits"),
    _unmet("name of a foreign key", _after("visits: {foreign_keys: [visits_object_fk]}"), "visits"),
    _unmet("value of existing rows", _after("shifts: {existing_rows: {late: false}}"), "shifts.late"),
    _unmet("value of another type of existing rows", _after("shifts: {existing_rows: {late: never, tasks: null}}"), "shifts.late"),
    _unmet("value of existing json", _after("shifts: {existing_rows: {tasks: []}}"), "shifts.tasks"),
    _unmet("table gone", "after_upgrade: {absent: {tables: [visits]}}\n", "visits"),
    _unmet("column gone", "after_upgrade: {absent: {columns: {shifts: [late]}}}\n", "shifts.late"),
    _unmet("index gone", "after_upgrade: {absent: {indexes: {visits: [ix_visits_user]}}}\n", "visits"),
    _unmet("foreign key gone", "after_upgrade: {absent: {foreign_keys: {visits: [visits_user_fk]}}}\n", "visits"),
    _unmet("table after the way back", "after_downgrade: {tables: {visits: {}}}\n", "visits"),
    _unmet("column gone after the way back", "after_downgrade: {absent: {columns: {shifts: [status]}}}\n", "shifts.status"),
    _unmet("assertion equals", "assertions: [{name: a, query: after.tables.visits.columns.id.type, equals: integer}]\n",
           "after.tables.visits.columns.id.type"),
    _unmet("assertion contains", "assertions: [{name: a, query: keys(after.tables), contains: drafts}]\n", "keys(after.tables)"),
    _unmet("assertion truthy", "assertions: [{name: a, query: back.tables.visits}]\n", "back.tables.visits"),
]  # fmt: skip

# What an expression of a declared change may not be, and what is said of it; and what it may be.
UNREADABLE = {
    "old; DROP TABLE users": "it holds ';'",
    "old -- + 1": "it holds '--'",
    "old /* + 1 */": "it holds '/*'",
    "E'\\\\' || old": "it holds a backslash",
    "'old": "a quote is not closed",
    '"old': "a quote is not closed",
    "old || 'it''s": "a quote is not closed",
    "'old'": "it does not use the word old",
    "gold + older": "it does not use the word old",
    "old || $1": "it holds '$' outside quotes",
    "$$a$$ || old": "it holds '$' outside quotes",
    "(old": "its parentheses do not match",
    "old)": "its parentheses do not match",
    "old) + (1": "its parentheses do not match",
    "old + ')'": "",
    "old || '$' || \"a$b\"": "",
    "((old)) * 2": "",
    "OLD / 100.0": "",
    "coalesce(old, '')": "",
    "old || ' \" '": "",
    '"(" || old': "",
}


def misread() -> str:
    """The first expression of which something else is said; "" if there is none."""
    for expression, problem in UNREADABLE.items():
        found = _problem(expression)
        if bool(found) != bool(problem) or problem not in found:
            return f"{expression}: {found}"
    return ""


def _problem(expression: str) -> str:
    try:
        expectations_file.parse(json.dumps({"changes": {"contracts.note": {"expect": expression}}}), "expectations.yml")
    except expectations_file.ExpectationsError as error:
        return str(error)
    return ""
