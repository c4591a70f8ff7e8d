# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database looks like from outside its rows: the facts in which a copy must equal production."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils.names import object_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session, locks_let_go, quote_identifier

# How many tables one statement counts: one round trip for many small tables, and no statement of unbounded length.
_COUNT_BATCH = 40

# pg_dump carries the rows of these: ordinary tables outside the system schemas that no extension owns.
_TABLES = """
SELECT n.nspname AS schema, c.relname AS name
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2"""

# to_jsonb(d) reads columns that only some versions have (locale provider 15+, datlocale 17+) without naming them in SQL.
_DATABASE = """
SELECT current_setting('server_version') AS server_version,
       current_setting('server_version_num')::int AS server_version_num,
       pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
       d.datcollate AS collate, d.datctype AS ctype,
       coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS locale_provider,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
       current_setting('TimeZone') AS time_zone,
       pg_catalog.pg_database_size(d.oid) AS size_bytes,
       pg_catalog.pg_get_userbyid(d.datdba) AS owner
FROM pg_catalog.pg_database d WHERE d.datname = current_database()"""

_EXTENSIONS = """
SELECT e.extname AS name, e.extversion AS version FROM pg_catalog.pg_extension e ORDER BY 1"""

_SETTINGS = """
SELECT CASE WHEN s.setrole = 0 THEN '' ELSE pg_catalog.pg_get_userbyid(s.setrole) END AS role, s.setconfig AS settings
FROM pg_catalog.pg_db_role_setting s
JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase AND d.datname = current_database()
ORDER BY 1"""

# The roles that objects of this database belong to or are granted to. pg_shdepend knows them all but the server's first role (10), of which
# PostgreSQL notes nothing; in a container it has the name that POSTGRES_USER gave it. What an extension owns is dumped without its owner.
_ROLES = """
SELECT DISTINCT pg_catalog.pg_get_userbyid(s.refobjid) AS name
FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_database d ON d.oid = s.dbid AND d.datname = current_database()
WHERE s.refclassid = 'pg_catalog.pg_authid'::regclass
UNION
SELECT pg_catalog.pg_get_userbyid(10) WHERE EXISTS (
    SELECT FROM (
        SELECT 'pg_catalog.pg_class'::regclass::oid AS classid, oid FROM pg_catalog.pg_class WHERE relowner = 10 AND relkind NOT IN ('i', 'I', 't')
        UNION ALL SELECT 'pg_catalog.pg_proc'::regclass, oid FROM pg_catalog.pg_proc WHERE proowner = 10
        UNION ALL SELECT 'pg_catalog.pg_type'::regclass, oid FROM pg_catalog.pg_type WHERE typowner = 10 AND typtype IN ('d', 'e', 'r')
        UNION ALL SELECT 'pg_catalog.pg_namespace'::regclass, oid FROM pg_catalog.pg_namespace WHERE nspowner = 10 AND nspname !~ '^pg_'
        UNION ALL SELECT 'pg_catalog.pg_largeobject_metadata'::regclass, oid FROM pg_catalog.pg_largeobject_metadata WHERE lomowner = 10
        UNION ALL SELECT 'pg_catalog.pg_event_trigger'::regclass, oid FROM pg_catalog.pg_event_trigger WHERE evtowner = 10
        UNION ALL SELECT 'pg_catalog.pg_foreign_server'::regclass, oid FROM pg_catalog.pg_foreign_server WHERE srvowner = 10
        UNION ALL SELECT 'pg_catalog.pg_publication'::regclass, oid FROM pg_catalog.pg_publication WHERE pubowner = 10
    ) AS owned
    WHERE owned.oid >= 16384 AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend e WHERE e.classid = owned.classid AND e.objid = owned.oid AND e.deptype = 'e'))
ORDER BY 1"""

# Alembic's version table by its shape, since env.py may give it any name and schema: one column, version_num.
_VERSION_TABLES = """
SELECT n.nspname AS schema, c.relname AS name
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
GROUP BY 1, 2 HAVING array_agg(a.attname::text) = ARRAY['version_num']
ORDER BY 1, 2"""


# pg_dump leaves them out. That of a partitioned table is dumped, and is valid as soon as its partitions have theirs.
_INVALID_INDEXES = """
SELECT n.nspname AS schema, c.relname AS name
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT (i.indisvalid AND i.indisready) AND c.relkind = 'i' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1, 2"""


def read_facts(session: Session) -> Dict[str, Any]:
    """Version, encoding, collation, time zone, size, extensions, settings, roles, invalid indexes and Alembic revision of a database."""
    facts: Dict[str, Any] = session.row(_DATABASE)
    facts["extensions"] = {row["name"]: row["version"] for row in session.rows(_EXTENSIONS)}
    facts["settings"] = {row["role"]: row["settings"] for row in session.rows(_SETTINGS)}
    facts["roles"] = [row["name"] for row in session.rows(_ROLES)]
    facts["invalid_indexes"] = [object_name(row["schema"], row["name"]) for row in session.rows(_INVALID_INDEXES)]
    facts["revisions"] = read_revisions(session)
    facts["system_identifier"] = read_system_identifier(session)
    return facts


def read_system_identifier(session: Session) -> Optional[str]:
    """What tells one server's data from every other's; None where the role may not read it."""
    if not session.value("SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute')"):
        return None
    return str(session.value("SELECT system_identifier::text FROM pg_catalog.pg_control_system()"))


def read_revisions(session: Session) -> Dict[str, List[str]]:
    """The revisions in each of Alembic's version tables, by the table's name. Empty if the database has none."""
    found: Dict[str, List[str]] = {}
    for table in session.rows(_VERSION_TABLES):
        qualified = f"{quote_identifier(table['schema'])}.{quote_identifier(table['name'])}"
        rows = session.rows(f"SELECT version_num FROM {qualified} ORDER BY 1")
        found[object_name(table["schema"], table["name"])] = [row["version_num"] for row in rows]
    return found


def lock_tables(session: Session) -> None:
    """Take ACCESS SHARE on every table, as pg_dump does, so that none is dropped between the snapshot and its count."""
    tables = session.rows(_TABLES)
    for start in range(0, len(tables), _COUNT_BATCH):
        names = ", ".join(f"ONLY {quote_identifier(t['schema'])}.{quote_identifier(t['name'])}" for t in tables[start : start + _COUNT_BATCH])
        session.execute(f"LOCK TABLE {names} IN ACCESS SHARE MODE")


def count_rows(session: Session) -> Dict[str, int]:
    """Exact row count of every table whose rows a dump carries. Within a transaction."""
    # As pg_dump does: rows hidden by a policy are an error, never a smaller count.
    session.execute("SET LOCAL row_security = off")
    counts: Dict[str, int] = {}
    tables = session.rows(_TABLES)
    for start in range(0, len(tables), _COUNT_BATCH):
        parts = [
            f"SELECT {number} AS number, (SELECT count(*) FROM ONLY {quote_identifier(t['schema'])}.{quote_identifier(t['name'])}) AS rows"
            for number, t in enumerate(tables[start : start + _COUNT_BATCH])
        ]
        with locks_let_go(session):
            rows = session.rows(" UNION ALL ".join(parts))
        for row in rows:
            table = tables[start + row["number"]]
            counts[object_name(table["schema"], table["name"])] = row["rows"]
    return counts
