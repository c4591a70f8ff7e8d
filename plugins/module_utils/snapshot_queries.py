# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog queries of a snapshot, for relations and what belongs to them.

Each function takes the server's version number (160004) and returns one set-based SELECT without OIDs in its result. They expect
`search_path = pg_catalog`, so that PostgreSQL's own definition functions name everything in full.
"""

from __future__ import annotations

USER_SCHEMA = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"


def not_of_extension(catalog: str, oid: str) -> str:
    """A condition: the object was not created by an extension."""
    return (
        f"NOT EXISTS (SELECT FROM pg_depend AS member WHERE member.classid = '{catalog}'::regclass AND member.objid = {oid} AND member.deptype = 'e')"
    )


def grants(acl: str, object_type: str, owner: str) -> str:
    """An object {role: [privilege, …]} or null; `object_type` is a letter of acldefault().

    The owner is listed only where it does not hold exactly what an owner holds by default: PostgreSQL 17 gave owners one privilege
    more (MAINTAIN), and an ACL that was never touched is null although it means the same. An owner may always grant.
    """
    # Long aliases: the acl and the owner are expressions over aliases of the query around this one.
    return f"""(
    SELECT jsonb_object_agg(granted.role, granted.privileges) FROM (
        SELECT CASE held.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(held.grantee) END AS role,
            coalesce(jsonb_agg(held.privilege ORDER BY held.privilege COLLATE "C") FILTER (WHERE held.privilege IS NOT NULL), '[]') AS privileges
        FROM (
            SELECT {owner} AS grantee, NULL AS privilege
            UNION ALL
            SELECT item.grantee,
                item.privilege_type || CASE WHEN item.is_grantable AND item.grantee <> {owner} THEN ' WITH GRANT OPTION' ELSE '' END
            FROM aclexplode(coalesce({acl}, acldefault('{object_type}', {owner}))) AS item
        ) AS held
        GROUP BY held.grantee
        HAVING held.grantee <> {owner}
            OR array_agg(held.privilege ORDER BY held.privilege COLLATE "C") FILTER (WHERE held.privilege IS NOT NULL) IS DISTINCT FROM (
                SELECT array_agg(usual.privilege_type ORDER BY usual.privilege_type COLLATE "C")
                FROM aclexplode(acldefault('{object_type}', {owner})) AS usual WHERE usual.grantee = {owner})
    ) AS granted)"""


def comment(catalog: str, oid: str) -> str:
    """A left join that offers the object's comment as `note.description`."""
    return f"LEFT JOIN pg_description AS note ON note.classoid = '{catalog}'::regclass AND note.objoid = {oid} AND note.objsubid = 0"


def sorted_array(values: str) -> str:
    """A text array in the order of its values, so that the order of edits does not show; null stays null."""
    return f'(SELECT jsonb_agg(v ORDER BY v COLLATE "C") FROM unnest({values}) AS v)'


def qualified(schema: str, name: str) -> str:
    """A name with its schema, except for what is built in."""
    return f"CASE {schema} WHEN 'pg_catalog' THEN '' ELSE quote_ident({schema}) || '.' END || quote_ident({name})"


def _of_relations(kinds: str) -> str:
    return f"""c.relkind IN ({kinds}) AND c.relpersistence <> 't' AND {USER_SCHEMA} AND {not_of_extension("pg_class", "c.oid")}"""


# Late minor versions (15.20 and its sisters) keep the WAL position of a column's last change among its options, for themselves.
_IS_OPTION = "o NOT LIKE 'pg\\_attver=%'"
# Tables, partitioned tables, foreign tables, views and materialized views: everything that has columns a person selects from.
_WITH_COLUMNS = "'r', 'p', 'f', 'v', 'm'"


def relations(version: int) -> str:
    return f"""
SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relpersistence AS persistence,
    pg_get_userbyid(c.relowner) AS owner, note.description AS comment,
    pg_get_partkeydef(c.oid) AS partition_key,
    CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END AS partition_bound,
    c.relispartition AS is_partition,
    (SELECT jsonb_agg(jsonb_build_array(pn.nspname, p.relname) ORDER BY h.inhseqno)
        FROM pg_inherits AS h JOIN pg_class AS p ON p.oid = h.inhparent JOIN pg_namespace AS pn ON pn.oid = p.relnamespace
        WHERE h.inhrelid = c.oid) AS parents,
    c.relrowsecurity AS row_security, c.relforcerowsecurity AS force_row_security, c.relreplident AS replica_identity,
    CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END AS definition,
    c.relispopulated AS populated,
    {sorted_array("c.reloptions || (SELECT array_agg('toast.' || o) FROM unnest(toast.reloptions) AS o)")} AS options,
    am.amname AS access_method, ts.spcname AS tablespace,
    CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END AS of_type,
    fs.srvname AS server, ft.ftoptions AS foreign_options,
    CASE WHEN c.relacl IS NOT NULL THEN {grants("c.relacl", "r", "c.relowner")} END AS grants
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_class AS toast ON toast.oid = c.reltoastrelid
LEFT JOIN pg_am AS am ON am.oid = c.relam
LEFT JOIN pg_tablespace AS ts ON ts.oid = c.reltablespace
LEFT JOIN pg_foreign_table AS ft ON ft.ftrelid = c.oid
LEFT JOIN pg_foreign_server AS fs ON fs.oid = ft.ftserver
{comment("pg_class", "c.oid")}
WHERE {_of_relations(_WITH_COLUMNS)}"""


def columns(version: int) -> str:
    """`position` is the column's number here, which has gaps where columns were dropped."""
    compression = "nullif(a.attcompression, '')" if version >= 140000 else "NULL::text"
    return f"""
SELECT n.nspname AS schema, c.relname AS relation, a.attname AS name, a.attnum AS position,
    format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
    pg_get_expr(def.adbin, def.adrelid) AS "default",
    nullif(a.attidentity, '') AS identity, nullif(a.attgenerated, '') AS generated,
    CASE WHEN a.attcollation <> t.typcollation THEN {qualified("cn.nspname", "co.collname")} END AS collation,
    a.attstorage AS storage, {compression} AS compression, nullif(a.attstattarget, -1) AS statistics,
    {sorted_array(f"ARRAY(SELECT o FROM unnest(a.attoptions || a.attfdwoptions) AS o WHERE {_IS_OPTION})")} AS options,
    note.description AS comment
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef AS def ON def.adrelid = a.attrelid AND def.adnum = a.attnum
LEFT JOIN pg_collation AS co ON co.oid = a.attcollation AND a.attcollation <> t.typcollation
LEFT JOIN pg_namespace AS cn ON cn.oid = co.collnamespace
LEFT JOIN pg_description AS note ON note.classoid = 'pg_class'::regclass AND note.objoid = a.attrelid AND note.objsubid = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND {_of_relations(_WITH_COLUMNS)}"""


def column_grants(version: int) -> str:
    return f"""
SELECT n.nspname AS schema, c.relname AS relation, a.attname AS name, {grants("a.attacl", "c", "c.relowner")} AS grants
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE a.attacl IS NOT NULL AND a.attnum > 0 AND NOT a.attisdropped AND {_of_relations(_WITH_COLUMNS)}"""


def indexes(version: int) -> str:
    """`key` holds column numbers, 0 for an expression, whose text is in `expressions`.

    `suffixes` is null where every part has the usual operator class and collation: working it out costs more than all the rest.
    """
    nulls_not_distinct = "x.indnullsnotdistinct" if version >= 150000 else "false"
    return f"""
SELECT n.nspname AS schema, c.relname AS relation, i.relname AS name,
    pg_get_indexdef(x.indexrelid) AS definition, x.indisunique AS "unique", x.indisprimary AS "primary",
    x.indisvalid AND x.indisready AND x.indislive AS valid, {nulls_not_distinct} AS nulls_not_distinct,
    am.amname AS method, x.indnkeyatts AS key_parts, x.indkey::smallint[] AS key, x.indoption::smallint[] AS orders,
    CASE WHEN 0 = ANY (x.indkey::smallint[]) THEN (
        SELECT jsonb_agg(CASE k.attnum WHEN 0 THEN pg_get_indexdef(x.indexrelid, k.n::integer, false) END ORDER BY k.n)
        FROM unnest(x.indkey) WITH ORDINALITY AS k (attnum, n)) END AS expressions,
    CASE WHEN NOT x.indcollation::oid[] <@ ARRAY[0, 100]::oid[] OR x.indclass::oid[] && ARRAY(SELECT oid FROM pg_opclass WHERE NOT opcdefault) THEN (
        SELECT jsonb_agg(
            CASE WHEN k.collated NOT IN (0, coalesce(a.attcollation, 100))
                THEN ' COLLATE ' || (SELECT quote_ident(co.collname) FROM pg_collation AS co WHERE co.oid = k.collated) ELSE '' END
            || CASE WHEN op.opcdefault THEN '' ELSE ' ' || op.opcname END ORDER BY k.n)
        FROM ROWS FROM (unnest(x.indclass), unnest(x.indcollation)) WITH ORDINALITY AS k (class, collated, n)
        JOIN pg_opclass AS op ON op.oid = k.class
        LEFT JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[k.n - 1] AND a.attnum <> 0) END AS suffixes,
    pg_get_expr(x.indpred, x.indrelid) AS predicate, con.conname AS "constraint",
    x.indisclustered AS clustered, x.indisreplident AS replica_identity, i.relispartition AS inherited,
    ts.spcname AS tablespace, note.description AS comment
FROM pg_index AS x
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_class AS c ON c.oid = x.indrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_am AS am ON am.oid = i.relam
LEFT JOIN pg_tablespace AS ts ON ts.oid = i.reltablespace
LEFT JOIN pg_constraint AS con ON con.conindid = x.indexrelid AND con.conrelid = x.indrelid AND con.contype IN ('p', 'u', 'x')
{comment("pg_class", "i.oid")}
WHERE {_of_relations("'r', 'p', 'f', 'm'")}"""


def constraints(version: int) -> str:
    """`columns`, `referenced_columns` and `on_delete_columns` are column numbers here.

    `states` are those of the triggers that keep the constraint, or one of its parts for partitions, where they are not as they were made.
    """
    # SET NULL (column, …) is new in 15. NOT NULL is a row since 18: the column says it; what it cannot say is kept.
    set_columns = "con.confdelsetcols" if version >= 150000 else "NULL::smallint[]"
    return f"""
WITH RECURSIVE unusual AS (
    SELECT t.tgconstraint AS oid, t.oid AS trigger FROM pg_trigger AS t WHERE t.tgconstraint <> 0 AND t.tgenabled <> 'O'
    UNION
    SELECT part.conparentid, unusual.trigger FROM unusual JOIN pg_constraint AS part ON part.oid = unusual.oid WHERE part.conparentid <> 0
),
states AS (
    SELECT unusual.oid,
        jsonb_agg(jsonb_build_object('function', p.proname, 'schema', tn.nspname, 'table', tc.relname, 'state', t.tgenabled)) AS states
    FROM unusual JOIN pg_trigger AS t ON t.oid = unusual.trigger JOIN pg_proc AS p ON p.oid = t.tgfoid
    JOIN pg_class AS tc ON tc.oid = t.tgrelid JOIN pg_namespace AS tn ON tn.oid = tc.relnamespace
    GROUP BY unusual.oid
)
SELECT n.nspname AS schema, c.relname AS relation, con.conname AS name, con.contype AS kind,
    pg_get_constraintdef(con.oid) AS definition, con.convalidated AS validated,
    states.states, con.conkey AS columns,
    rn.nspname AS referenced_schema, r.relname AS referenced_name, con.confkey AS referenced_columns,
    con.confdeltype AS on_delete, con.confupdtype AS on_update, {set_columns} AS on_delete_columns,
    con.conparentid <> 0 OR con.coninhcount > 0 AS inherited, note.description AS comment
FROM pg_constraint AS con
JOIN pg_class AS c ON c.oid = con.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_class AS r ON r.oid = con.confrelid
LEFT JOIN pg_namespace AS rn ON rn.oid = r.relnamespace
LEFT JOIN pg_constraint AS up ON up.oid = con.conparentid
LEFT JOIN states ON states.oid = con.oid
{comment("pg_constraint", "con.oid")}
WHERE {_of_relations("'r', 'p', 'f'")}
    AND con.contype <> 't'
    AND (con.contype <> 'n' OR NOT con.convalidated OR con.connoinherit)
    AND up.conrelid IS DISTINCT FROM con.conrelid"""


def triggers(version: int) -> str:
    # Before 15 a partition's clone of a trigger counts as internal; a foreign key's own triggers have a constraint.
    return f"""
SELECT n.nspname AS schema, c.relname AS relation, t.tgname AS name, pg_get_triggerdef(t.oid) AS definition, t.tgenabled AS enabled,
    fn.nspname AS function_schema, f.proname AS function_name, t.tgparentid <> 0 AS inherited, note.description AS comment
FROM pg_trigger AS t
JOIN pg_class AS c ON c.oid = t.tgrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_proc AS f ON f.oid = t.tgfoid
JOIN pg_namespace AS fn ON fn.oid = f.pronamespace
{comment("pg_trigger", "t.oid")}
WHERE {_of_relations(_WITH_COLUMNS)} AND (NOT t.tgisinternal OR (t.tgparentid <> 0 AND t.tgconstraint = 0))"""


def triggers_of_tables(version: int) -> str:
    """Not of views, whose triggers act in place of what is done to the view and cannot be disabled."""
    return f"{triggers(version)} AND c.relkind NOT IN ('v', 'm')"


def rules(version: int) -> str:
    return f"""
SELECT n.nspname AS schema, c.relname AS relation, r.rulename AS name, pg_get_ruledef(r.oid) AS definition, r.ev_enabled AS enabled,
    note.description AS comment
FROM pg_rewrite AS r
JOIN pg_class AS c ON c.oid = r.ev_class
JOIN pg_namespace AS n ON n.oid = c.relnamespace
{comment("pg_rewrite", "r.oid")}
WHERE {_of_relations(_WITH_COLUMNS)} AND r.rulename <> '_RETURN'"""


def policies(version: int) -> str:
    return f"""
SELECT n.nspname AS schema, c.relname AS relation, p.polname AS name, p.polcmd AS command, p.polpermissive AS permissive,
    (SELECT jsonb_agg(role ORDER BY role COLLATE "C") FROM (
        SELECT CASE o WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(o) END AS role FROM unnest(p.polroles) AS o) AS named) AS roles,
    pg_get_expr(p.polqual, p.polrelid) AS using, pg_get_expr(p.polwithcheck, p.polrelid) AS with_check, note.description AS comment
FROM pg_policy AS p
JOIN pg_class AS c ON c.oid = p.polrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
{comment("pg_policy", "p.oid")}
WHERE {_of_relations(_WITH_COLUMNS)}"""


def statistics(version: int) -> str:
    return f"""
SELECT n.nspname AS schema, c.relname AS relation, s.stxname AS name, pg_get_statisticsobjdef(s.oid) AS definition,
    pg_get_userbyid(s.stxowner) AS owner, nullif(s.stxstattarget, -1) AS statistics, note.description AS comment
FROM pg_statistic_ext AS s
JOIN pg_class AS c ON c.oid = s.stxrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
{comment("pg_statistic_ext", "s.oid")}
WHERE {_of_relations("'r', 'p', 'f', 'm'")}"""


def sequences(version: int) -> str:
    return f"""
SELECT n.nspname AS schema, c.relname AS name, pg_get_userbyid(c.relowner) AS owner, c.relpersistence AS persistence,
    format_type(s.seqtypid, NULL) AS type, s.seqstart AS start, s.seqincrement AS increment, s.seqmin AS minimum, s.seqmax AS maximum,
    s.seqcache AS cache, s.seqcycle AS cycle,
    tn.nspname AS owned_schema, t.relname AS owned_table, a.attname AS owned_column, d.deptype = 'i' AS identity,
    note.description AS comment, CASE WHEN c.relacl IS NOT NULL THEN {grants("c.relacl", "s", "c.relowner")} END AS grants
FROM pg_sequence AS s
JOIN pg_class AS c ON c.oid = s.seqrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
    AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
LEFT JOIN pg_class AS t ON t.oid = d.refobjid
LEFT JOIN pg_namespace AS tn ON tn.oid = t.relnamespace
LEFT JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
{comment("pg_class", "c.oid")}
WHERE {_of_relations("'S'")}"""


def sequence_values(after: int, limit: int) -> str:
    """Last values of some sequences: those with an OID above `after`. Null where the role may not read them, or nothing was drawn."""
    return f"""
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name,
    CASE WHEN has_sequence_privilege(c.oid, 'SELECT, USAGE') THEN pg_sequence_last_value(c.oid::regclass) END AS last_value
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid IN (
    SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE {_of_relations("'S'")} AND c.oid > {after} ORDER BY c.oid LIMIT {limit})
ORDER BY c.oid"""
