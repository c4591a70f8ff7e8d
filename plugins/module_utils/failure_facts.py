# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in a failed migration's way, looked up and counted on the copy.

Made for the moment after the failure: the transaction is rolled back, so what it had made itself is gone, and the text says so. Read-only, and every
count has a time limit. Names and types and numbers only: no row value is read.
"""

from __future__ import annotations

import difflib
import re
from typing import Any, Callable, Collection, Dict, Mapping, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils.failure import Failure, Relation
from ansible_collections.migrations.rehearsal.plugins.module_utils.masking import MASK, quoted
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import object_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session, quote_identifier, quote_literal
from ansible_collections.migrations.rehearsal.plugins.module_utils.statement_names import (
    ForeignKey,
    UniqueKey,
    bare,
    type_of_new_column,
)

# A count that takes longer than this is not worth the wait: the failure itself is known.
COUNT_TIMEOUT_S = 60
_UNDEFINED = "42704"

_KINDS = {
    "r": "table",
    "p": "partitioned table",
    "i": "index",
    "I": "index",
    "S": "sequence",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}


def facts_of(session: Session, error: Mapping[str, Any], roles: Collection[str] = ()) -> str:
    """What the copy says about an `error` event of the agent (docs/evidence.md), in a sentence or two; empty if nothing is known about it.

    `roles`: production's.
    """
    lacking = _lacking_role(session, error, roles) if error.get("sqlstate") == _UNDEFINED else ""
    if lacking:
        return lacking
    look = _LOOKS.get(str(error.get("sqlstate")))
    if look is None:
        return ""
    try:
        session.execute("BEGIN READ ONLY")
        session.execute(f"SET LOCAL statement_timeout = '{COUNT_TIMEOUT_S}s'")
        try:
            return look(Failure(session, error))
        finally:
            session.execute("ROLLBACK")
    except PostgresError as refused:
        return f"what stands in the way could not be looked up on the copy: {refused}"


def _lacking_role(session: Session, error: Mapping[str, Any], roles: Collection[str]) -> str:
    named = [name for name in quoted(str(error.get("message") or "")) if name in roles]
    known = {row["rolname"] for row in session.rows("SELECT rolname FROM pg_catalog.pg_roles")} if named else set()
    for name in named:
        if name not in known:
            return (
                f"role {name} is on production and not on dev's server, which is no fault of the migration: CREATE ROLE {quote_identifier(name)} "
                "NOLOGIN there, or have rehearsal_copy: ephemeral, which makes production's roles"
            )
    return ""


def _duplicate_relation(failure: Failure) -> str:
    if not failure.said:
        return ""
    relation = next(filter(None, (failure.relation(quote_identifier(name)) for name in failure.said)), None) or failure.table()
    if relation is None:
        return "it is not there without these migrations: two of the revisions make it"
    text = f"{_KINDS.get(relation['kind'], 'relation')} {relation['name']} is there already, owned by {relation['owner']}"
    if relation["kind"] in "rpf":
        text += f", with {len(failure.columns(relation))} columns and {failure.rows(relation):,} rows"
    return text + ": somebody made it past Alembic, or the revision was applied and not recorded (alembic stamp)"


def _duplicate_column(failure: Failure) -> str:
    relation = failure.table()
    columns = failure.columns(relation) if relation else {}
    # The order of the names is the language's.
    column = next((name for name in failure.said if name in columns), None)
    if relation is None or column is None:
        return f"column {failure.said[0]} is not there without these migrations: two of the revisions add it" if failure.said else ""
    name, kind = f"{relation['name']}.{column}", columns[column]
    values = failure.count(f"SELECT count({quote_identifier(column)}) FROM {relation['sql']}")
    if values is None:
        return f"{name} is there already as {kind}: somebody added it past Alembic, or the revision was applied and not recorded (alembic stamp)"
    return (
        f"{name} is there already as {kind}, with {values:,} values in {failure.rows(relation):,} rows: "
        "somebody added it past Alembic, or the revision was applied and not recorded (alembic stamp)"
    )


def _duplicate_object(failure: Failure) -> str:
    if not failure.said:
        return ""
    names = ", ".join(map(quote_literal, failure.said))
    found = failure.session.rows(
        "SELECT 'constraint' AS what, conrelid::regclass::text AS on, pg_get_constraintdef(oid) AS definition "
        f"FROM pg_constraint WHERE conname IN ({names}) "
        "UNION ALL SELECT 'type', '', format_type(oid, NULL) || "
        "CASE WHEN typtype = 'e' THEN ' with ' || (SELECT count(*) FROM pg_enum WHERE enumtypid = t.oid) || ' labels' ELSE '' END "
        f"FROM pg_type t WHERE typname IN ({names}) AND typrelid = 0 "
        "UNION ALL SELECT 'trigger', tgrelid::regclass::text, pg_get_triggerdef(oid) "
        f"FROM pg_trigger WHERE tgname IN ({names}) AND NOT tgisinternal"
    )
    if not found:
        return "it is not there without these migrations: two of the revisions make it"
    return "is there already: " + "; ".join(f"{row['what']} {'on ' + row['on'] + ': ' if row['on'] else ''}{row['definition']}" for row in found)


def _undefined_table(failure: Failure) -> str:
    if not failure.said:
        return ""
    # "schema.table" comes unquoted inside the server's quotes.
    wanted = failure.said[0].split(".")[-1]
    tables = failure.session.rows(
        "SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
    )
    same = [object_name(row["schema"], row["name"]) for row in tables if row["name"] == wanted]
    text = f"there is no {failure.said[0]}"
    if failure.names.foreign_key and bare(failure.names.foreign_key.table) == wanted:
        text = f"the referenced table is missing: {text}"
    if same:
        return f"{text} on the search path, but {', '.join(same)}"
    near = _near(wanted, [row["name"] for row in tables])
    return text + (f"; nearest by name: {near}" if near else "")


def _undefined_column(failure: Failure) -> str:
    relation = failure.table()
    if relation is None:
        return failure.made_here()
    columns = failure.columns(relation)
    names = [str(failure.error["column_name"])] if failure.error.get("column_name") else failure.said
    wanted = next((name.rsplit(".", maxsplit=1)[-1] for name in names if name != relation["relname"]), "")
    if not wanted:
        return ""
    near = _near(wanted, columns)
    return f"{relation['name']} has {len(columns)} columns, none of them {wanted}" + (f"; nearest by name: {near}" if near else "")


def _nulls(failure: Failure) -> str:
    relation = failure.table()
    column = failure.error.get("column_name") or next(iter(failure.said), "")
    if relation is None:
        return failure.made_here()
    if column not in failure.columns(relation):
        rows = failure.rows(relation)
        return f"{relation['name']} has {rows:,} rows and {column} is new: it needs a server_default, or to be filled before it becomes NOT NULL"
    nulls = failure.count(f"SELECT count(*) FROM {relation['sql']} WHERE {quote_identifier(column)} IS NULL")
    if nulls is None:
        return failure.uncounted(f"NULLs in {relation['name']}.{column} were not counted: that takes more than {COUNT_TIMEOUT_S} s")
    if not nulls:
        return f"{relation['name']}.{column} has no NULL without these migrations: they make it"
    rows = failure.rows(relation)
    return f"{nulls:,} of {rows:,} rows have NULL in {relation['name']}.{column}: fill or delete them in the revision, before the constraint"


def _duplicates(failure: Failure) -> str:
    relation = failure.table()
    if relation is None:
        return failure.made_here()
    key = failure.names.key or _key_of_index(failure, relation)
    if key is None:
        return ""
    what = f"{relation['name']} ({', '.join(map(_shown, key.parts))})" + (f" where {key.condition}" if key.condition else "")
    # What was masked cannot be asked.
    if any(MASK in text or "?" in text for text in (*key.parts, key.condition)):
        return f"duplicates in {what} were not counted: its values are masked"
    meets = [f"({key.condition})"] if key.condition else []
    present = [] if key.nulls_equal else [f"({part}) IS NOT NULL" for part in key.parts]
    found = failure.ask(
        "SELECT count(*) AS keys, coalesce(sum(n), 0)::bigint AS rows "
        f"FROM (SELECT count(*) AS n FROM {relation['sql']} WHERE {' AND '.join([*meets, *present]) or 'true'} "
        f"GROUP BY {', '.join(key.parts)} HAVING count(*) > 1) AS groups"
    )
    if found is None:
        return failure.uncounted(f"duplicates in {what} were not counted: that takes more than {COUNT_TIMEOUT_S} s")
    if not found["keys"]:
        return f"{what} has no duplicates without these migrations: they make them"
    surplus = found["rows"] - found["keys"]
    return f"{found['rows']:,} rows of {what} share {found['keys']:,} keys: {surplus:,} of them have to go or change before the index"


def _shown(part: str) -> str:
    return bare(part) if re.fullmatch(r'\w+|"(?:[^"]|"")+"', part) else part


def _key_of_index(failure: Failure, relation: Relation) -> Optional[UniqueKey]:
    """The key of the index that is there and that rows broke."""
    # pg_index has indnullsnotdistinct since PostgreSQL 15.
    rows = failure.session.rows(
        "SELECT (SELECT jsonb_agg(pg_get_indexdef(i.indexrelid, k, false) ORDER BY k) FROM generate_series(1, i.indnkeyatts) AS k) AS parts, "
        "coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS condition, "
        "coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_equal "
        f"FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = {quote_literal(relation['sql'])}::regclass "
        f"AND c.relname = {quote_literal(str(failure.error.get('constraint_name') or ''))}"
    )
    return UniqueKey(tuple(rows[0]["parts"]), rows[0]["condition"], rows[0]["nulls_equal"]) if rows else None


def _foreign_key(failure: Failure) -> Optional[ForeignKey]:
    if failure.names.foreign_key is not None:
        return failure.names.foreign_key
    rows = failure.session.rows(
        "SELECT confrelid::regclass::text AS target, "
        "(SELECT jsonb_agg(quote_ident(attname) ORDER BY n) FROM unnest(conkey) WITH ORDINALITY k (num, n) "
        "JOIN pg_attribute ON attrelid = conrelid AND attnum = num) AS columns, "
        "(SELECT jsonb_agg(quote_ident(attname) ORDER BY n) FROM unnest(confkey) WITH ORDINALITY k (num, n) "
        "JOIN pg_attribute ON attrelid = confrelid AND attnum = num) AS referenced "
        f"FROM pg_constraint WHERE contype = 'f' AND conname = {quote_literal(str(failure.error.get('constraint_name') or ''))}"
    )
    return ForeignKey(tuple(rows[0]["columns"]), rows[0]["target"], tuple(rows[0]["referenced"])) if rows else None


def _primary_key(failure: Failure, relation: Relation) -> Sequence[str]:
    rows = failure.session.rows(
        "SELECT quote_ident(a.attname) AS name FROM pg_constraint c, unnest(c.conkey) WITH ORDINALITY k (num, n), pg_attribute a "
        f"WHERE c.contype = 'p' AND c.conrelid = {quote_literal(relation['sql'])}::regclass "
        "AND a.attrelid = c.conrelid AND a.attnum = k.num ORDER BY n"
    )
    return [row["name"] for row in rows]


def _orphans(failure: Failure) -> str:
    relation, key = failure.table(), _foreign_key(failure)
    if relation is None:
        return failure.made_here()
    target = failure.relation(key.table) if key else None
    if key is None or target is None:
        return ""
    referenced = key.referenced or tuple(_primary_key(failure, target))
    columns = failure.columns(relation)
    if not {bare(name) for name in key.columns} <= set(columns) or len(referenced) != len(key.columns):
        return ""
    present = " AND ".join(f"child.{name} IS NOT NULL" for name in key.columns)
    equal = " AND ".join(f"parent.{there} = child.{here}" for here, there in zip(key.columns, referenced))
    count = failure.count(
        f"SELECT count(*) FROM {relation['sql']} AS child WHERE {present} AND NOT EXISTS (SELECT FROM {target['sql']} AS parent WHERE {equal})"
    )
    what = f"{relation['name']} ({', '.join(map(bare, key.columns))})"
    if count is None:
        return failure.uncounted(f"orphans in {what} were not counted: that takes more than {COUNT_TIMEOUT_S} s")
    if not count:
        return f"no row of {what} lacks its row in {target['name']} without these migrations: they make them"
    return (
        f"{count:,} of {failure.rows(relation):,} rows of {what} point to rows of {target['name']} that do not exist: mend them before the constraint"
    )


def _key_types(failure: Failure) -> str:
    """42804 of a foreign key, and of a type change that needs USING."""
    relation, key = failure.table(), failure.names.foreign_key
    if key is None:
        if relation is None or failure.names.new_type is None:
            return ""
        column, wanted = failure.names.new_type
        present = _type(failure.columns(relation).get(bare(column))) or "new"
        return f"{relation['name']}.{bare(column)} is {present}, wanted is {wanted}: say how with postgresql_using"
    target = failure.relation(key.table)
    if target is None:
        return ""
    here = {bare(name): type_of_new_column(failure.statement, bare(name)) for name in key.columns}
    here.update(failure.columns(relation) if relation else {})
    there = failure.columns(target)
    pairs = []
    for name, referenced in zip(map(bare, key.columns), map(bare, key.referenced or _primary_key(failure, target))):
        own = f"{bare(failure.names.table)}.{name} is {_type(here.get(name)) or 'new'}"
        pairs.append(f"{own}, {target['name']}.{referenced} is {_type(there.get(referenced)) or 'missing'}")
    return "; ".join(pairs) + ": the types of both sides must agree"


def _no_unique_key(failure: Failure) -> str:
    key = failure.names.foreign_key
    target = failure.relation(key.table) if key else None
    if target is None:
        return ""
    rows = failure.session.rows(
        "SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint "
        f"WHERE contype IN ('p', 'u') AND conrelid = {quote_literal(target['sql'])}::regclass ORDER BY contype, conname"
    )
    return f"the unique keys of {target['name']} are: {', '.join(row['definition'] for row in rows) or 'none'}"


def _check(failure: Failure) -> str:
    relation = failure.table()
    if relation is None:
        return failure.made_here()
    found = failure.session.rows(
        f"SELECT pg_get_expr(conbin, conrelid) AS condition FROM pg_constraint WHERE contype = 'c' "
        f"AND conrelid = {quote_literal(relation['sql'])}::regclass AND conname = {quote_literal(str(failure.error.get('constraint_name') or ''))}"
    )
    if not found:
        return f"{relation['name']} has {failure.rows(relation):,} rows; which of them break the condition has to be asked with the condition itself"
    count = failure.count(f"SELECT count(*) FROM {relation['sql']} WHERE NOT ({found[0]['condition']})")
    if count is None:
        return failure.uncounted(f"rows of {relation['name']} that break the condition were not counted: that takes more than {COUNT_TIMEOUT_S} s")
    return f"{count:,} of {failure.rows(relation):,} rows of {relation['name']} break the condition"


def _privilege(failure: Failure) -> str:
    relation = failure.table() or next(filter(None, (failure.relation(quote_identifier(name)) for name in failure.said)), None)
    if relation is None:
        return ""
    return f"{relation['name']} is owned by {relation['owner']}: the application's role needs to be a member of it, on production as on the copy"


def _dependents(failure: Failure) -> str:
    relation = failure.table() or next(filter(None, (failure.relation(quote_identifier(name)) for name in failure.said)), None)
    if relation is None:
        return ""
    rows = failure.session.rows(
        "SELECT DISTINCT CASE WHEN d.classid = 'pg_rewrite'::regclass "
        "THEN (SELECT 'view ' || ev_class::regclass::text FROM pg_rewrite WHERE oid = d.objid) "
        "ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END AS what FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass "
        f"AND d.refobjid = {quote_literal(relation['sql'])}::regclass AND d.deptype = 'n' ORDER BY 1"
    )
    return f"on {relation['name']} depend: {', '.join(row['what'] for row in rows)}" if rows else ""


def _type(text: Optional[str]) -> str:
    return (text or "").replace(" not null", "")


def _near(wanted: str, names: Any) -> str:
    return ", ".join(difflib.get_close_matches(wanted, list(names), n=3, cutoff=0.7))


# By SQLSTATE (PostgreSQL documentation, appendix A).
_LOOKS: Dict[str, Callable[[Failure], str]] = {
    "42P07": _duplicate_relation,
    "42701": _duplicate_column,
    "42710": _duplicate_object,
    "42P01": _undefined_table,
    "42703": _undefined_column,
    "42804": _key_types,
    "42830": _no_unique_key,
    "42501": _privilege,
    "2BP01": _dependents,
    "23502": _nulls,
    "23503": _orphans,
    "23505": _duplicates,
    "23514": _check,
}
