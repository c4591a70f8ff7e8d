# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog queries of a snapshot, for everything that is not a relation. See `snapshot_queries`."""

from __future__ import annotations

from ansible_collections.migrations.rehearsal.plugins.module_utils.snapshot_queries import (
    USER_SCHEMA,
    comment,
    grants,
    not_of_extension,
    qualified,
    sorted_array,
)


def schemas(version: int) -> str:
    return f"""
SELECT n.nspname AS name, pg_get_userbyid(n.nspowner) AS owner, note.description AS comment, {grants("n.nspacl", "n", "n.nspowner")} AS grants
FROM pg_namespace AS n
{comment("pg_namespace", "n.oid")}
WHERE {USER_SCHEMA} AND {not_of_extension("pg_namespace", "n.oid")}"""


def functions(version: int) -> str:
    def function(oid: str) -> str:
        return f"nullif({oid}, 0)::regprocedure::text"

    return f"""
SELECT n.nspname AS schema, p.proname AS name, oidvectortypes(p.proargtypes) AS argument_types, p.prokind AS kind,
    pg_get_function_arguments(p.oid) AS signature, pg_get_function_result(p.oid) AS returns, l.lanname AS language, l.lanpltrusted AS trusted,
    p.prosecdef AS security_definer, pg_get_userbyid(p.proowner) AS owner,
    CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE
        concat_ws(', ', 'SFUNC = ' || {function("g.aggtransfn")}, 'STYPE = ' || format_type(g.aggtranstype, NULL),
            'SSPACE = ' || nullif(g.aggtransspace, 0)::text, 'FINALFUNC = ' || {function("g.aggfinalfn")},
            CASE WHEN g.aggfinalextra THEN 'FINALFUNC_EXTRA' END, 'FINALFUNC_MODIFY = ' || g.aggfinalmodify::text,
            'COMBINEFUNC = ' || {function("g.aggcombinefn")}, 'SERIALFUNC = ' || {function("g.aggserialfn")},
            'DESERIALFUNC = ' || {function("g.aggdeserialfn")}, 'INITCOND = ' || quote_literal(g.agginitval),
            'MSFUNC = ' || {function("g.aggmtransfn")}, 'MINVFUNC = ' || {function("g.aggminvtransfn")},
            'MSTYPE = ' || format_type(nullif(g.aggmtranstype, 0), NULL), 'MFINALFUNC = ' || {function("g.aggmfinalfn")},
            'MINITCOND = ' || quote_literal(g.aggminitval), 'SORTOP = ' || nullif(g.aggsortop, 0)::regoperator::text,
            'PARALLEL = ' || p.proparallel::text, 'KIND = ' || g.aggkind::text) END AS definition,
    {grants("p.proacl", "f", "p.proowner")} AS grants, note.description AS comment
FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace
JOIN pg_language AS l ON l.oid = p.prolang
LEFT JOIN pg_aggregate AS g ON g.aggfnoid = p.oid
{comment("pg_proc", "p.oid")}
WHERE {USER_SCHEMA} AND {not_of_extension("pg_proc", "p.oid")}
    AND NOT EXISTS (SELECT FROM pg_depend AS own WHERE own.classid = 'pg_proc'::regclass AND own.objid = p.oid AND own.deptype = 'i')"""


def types(version: int) -> str:
    # NOT NULL of a domain is a row since 17: typnotnull says it in every version.
    return f"""
SELECT n.nspname AS schema, t.typname AS name, t.typtype AS kind, format_type(t.oid, NULL) AS type, pg_get_userbyid(t.typowner) AS owner,
    note.description AS comment, {grants("t.typacl", "T", "t.typowner")} AS grants,
    CASE t.typtype
    WHEN 'e' THEN jsonb_build_object('values',
        (SELECT coalesce(jsonb_agg(e.enumlabel ORDER BY e.enumsortorder), '[]') FROM pg_enum AS e WHERE e.enumtypid = t.oid))
    WHEN 'd' THEN jsonb_build_object('base', format_type(t.typbasetype, t.typtypmod), 'nullable', NOT t.typnotnull,
        'default', pg_get_expr(t.typdefaultbin, 0),
        'collation', (SELECT {qualified("cn.nspname", "co.collname")} FROM pg_collation AS co JOIN pg_namespace AS cn ON cn.oid = co.collnamespace
            JOIN pg_type AS bt ON bt.oid = t.typbasetype WHERE co.oid = t.typcollation AND bt.typcollation <> t.typcollation),
        'constraints', (SELECT coalesce(jsonb_object_agg(con.conname,
                jsonb_build_object('definition', pg_get_constraintdef(con.oid), 'validated', con.convalidated)), '{{}}')
            FROM pg_constraint AS con WHERE con.contypid = t.oid AND con.contype = 'c'))
    WHEN 'c' THEN jsonb_build_object('attributes', (SELECT coalesce(jsonb_agg(jsonb_build_array(a.attname, format_type(a.atttypid, a.atttypmod)
                || CASE WHEN a.attcollation <> at.typcollation THEN ' COLLATE ' || quote_ident(co.collname) ELSE '' END) ORDER BY a.attnum), '[]')
            FROM pg_attribute AS a JOIN pg_type AS at ON at.oid = a.atttypid LEFT JOIN pg_collation AS co ON co.oid = a.attcollation
            WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped))
    WHEN 'r' THEN (SELECT jsonb_build_object('subtype', format_type(r.rngsubtype, NULL), 'operator_class', op.opcname,
            'collation', (SELECT {qualified("cn.nspname", "co.collname")} FROM pg_collation AS co JOIN pg_namespace AS cn ON cn.oid = co.collnamespace
                WHERE co.oid = r.rngcollation),
            'canonical', nullif(r.rngcanonical, 0)::regprocedure::text, 'subtype_diff', nullif(r.rngsubdiff, 0)::regprocedure::text)
        FROM pg_range AS r JOIN pg_opclass AS op ON op.oid = r.rngsubopc WHERE r.rngtypid = t.oid)
    ELSE jsonb_build_object('input', t.typinput::regproc::text, 'output', t.typoutput::regproc::text, 'length', t.typlen,
        'category', t.typcategory, 'storage', t.typstorage, 'alignment', t.typalign)
    END AS details
FROM pg_type AS t
JOIN pg_namespace AS n ON n.oid = t.typnamespace
LEFT JOIN pg_class AS c ON c.oid = t.typrelid
{comment("pg_type", "t.oid")}
WHERE {USER_SCHEMA} AND t.typtype <> 'm' AND (t.typtype <> 'c' OR c.relkind = 'c')
    AND NOT EXISTS (SELECT FROM pg_type AS element WHERE element.typarray = t.oid) AND {not_of_extension("pg_type", "t.oid")}"""


def extensions(version: int) -> str:
    return """
SELECT x.extname AS name, x.extversion AS version, n.nspname AS schema
FROM pg_extension AS x
JOIN pg_namespace AS n ON n.oid = x.extnamespace"""


def event_triggers(version: int) -> str:
    return f"""
SELECT t.evtname AS name, t.evtevent AS event, t.evtenabled AS enabled, {sorted_array("t.evttags")} AS tags, pg_get_userbyid(t.evtowner) AS owner,
    fn.nspname AS function_schema, f.proname AS function_name, note.description AS comment
FROM pg_event_trigger AS t
JOIN pg_proc AS f ON f.oid = t.evtfoid
JOIN pg_namespace AS fn ON fn.oid = f.pronamespace
{comment("pg_event_trigger", "t.oid")}
WHERE {not_of_extension("pg_event_trigger", "t.oid")}"""


def publications(version: int) -> str:
    new = version >= 150000
    row_filter = "pg_get_expr(pr.prqual, pr.prrelid)" if new else "NULL::text"
    columns = (
        "(SELECT jsonb_agg(a.attname ORDER BY a.attnum) FROM pg_attribute AS a WHERE a.attrelid = pr.prrelid AND a.attnum = ANY (pr.prattrs))"
        if new
        else "NULL::jsonb"
    )
    schemas_of = (
        """(SELECT coalesce(jsonb_agg(sn.nspname ORDER BY sn.nspname COLLATE "C"), '[]')
        FROM pg_publication_namespace AS ps JOIN pg_namespace AS sn ON sn.oid = ps.pnnspid WHERE ps.pnpubid = p.oid)"""
        if new
        else "'[]'::jsonb"
    )
    generated = "CASE p.pubgencols WHEN 's' THEN 'stored' ELSE 'none' END" if version >= 180000 else "'none'"
    return f"""
SELECT p.pubname AS name, pg_get_userbyid(p.pubowner) AS owner, p.puballtables AS all_tables, p.pubviaroot AS via_root,
    array_remove(ARRAY[CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
        CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END], NULL) AS operations,
    {generated} AS generated_columns,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('schema', n.nspname, 'name', c.relname, 'columns', {columns}, 'filter', {row_filter})), '[]')
        FROM pg_publication_rel AS pr JOIN pg_class AS c ON c.oid = pr.prrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE pr.prpubid = p.oid) AS tables,
    {schemas_of} AS schemas, note.description AS comment
FROM pg_publication AS p
{comment("pg_publication", "p.oid")}"""


def subscriptions(version: int) -> str:
    return """
SELECT s.subname AS name, s.subenabled AS enabled, pg_get_userbyid(s.subowner) AS owner
FROM pg_subscription AS s
WHERE s.subdbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())"""


def foreign_servers(version: int) -> str:
    return f"""
SELECT s.srvname AS name, w.fdwname AS wrapper, s.srvtype AS type, s.srvversion AS version, pg_get_userbyid(s.srvowner) AS owner,
    s.srvoptions AS options, {grants("s.srvacl", "S", "s.srvowner")} AS grants,
    (SELECT coalesce(jsonb_agg(coalesce(nullif(m.usename, ''), 'PUBLIC') ORDER BY m.usename COLLATE "C"), '[]')
        FROM pg_user_mappings AS m WHERE m.srvid = s.oid) AS user_mappings, note.description AS comment
FROM pg_foreign_server AS s
JOIN pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw
{comment("pg_foreign_server", "s.oid")}
WHERE {not_of_extension("pg_foreign_server", "s.oid")}"""


def default_privileges(version: int) -> str:
    return """
SELECT pg_get_userbyid(d.defaclrole) AS role, n.nspname AS schema, d.defaclobjtype AS objects,
    CASE p.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(p.grantee) END AS grantee,
    jsonb_agg(p.privilege_type || CASE WHEN p.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
        ORDER BY p.privilege_type COLLATE "C") AS privileges
FROM pg_default_acl AS d
LEFT JOIN pg_namespace AS n ON n.oid = d.defaclnamespace
CROSS JOIN LATERAL aclexplode(d.defaclacl) AS p
GROUP BY 1, 2, 3, 4"""


def settings(version: int) -> str:
    """What ALTER DATABASE … SET and ALTER ROLE … IN DATABASE … SET say for this database."""
    return """
SELECT CASE s.setrole WHEN 0 THEN NULL ELSE pg_get_userbyid(s.setrole) END AS role, s.setconfig AS settings
FROM pg_db_role_setting AS s
WHERE s.setdatabase = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())"""


def others(version: int) -> str:
    """Rare objects: identity as PostgreSQL gives it, and what can be altered about them."""

    def kind(catalog: str, alias: str, owner: str, details: str, schema: str) -> str:
        joined = f"JOIN pg_namespace AS n ON n.oid = {alias}.{schema}" if schema else ""
        users = USER_SCHEMA if schema else f"{alias}.oid >= 16384"
        return f"""
SELECT i.type AS kind, i.identity AS name, {f"pg_get_userbyid({alias}.{owner})" if owner else "NULL"} AS owner,
    {details} AS definition, note.description AS comment
FROM {catalog} AS {alias} {joined}
CROSS JOIN LATERAL pg_identify_object('{catalog}'::regclass, {alias}.oid, 0) AS i
{comment(catalog, alias + ".oid")}
WHERE {users} AND {not_of_extension(catalog, alias + ".oid")}
    AND NOT EXISTS (SELECT FROM pg_depend AS own WHERE own.classid = '{catalog}'::regclass AND own.objid = {alias}.oid AND own.deptype = 'i')"""

    locale = "x.colllocale" if version >= 170000 else "x.colliculocale" if version >= 150000 else "NULL"
    return "\nUNION ALL\n".join(
        [
            kind(
                "pg_collation",
                "x",
                "collowner",
                "concat_ws(', ', 'provider ' || x.collprovider::text, 'deterministic ' || x.collisdeterministic::text,"
                f" x.collcollate, x.collctype, {locale})",
                "collnamespace",
            ),
            kind("pg_conversion", "x", "conowner", "x.conproc::text", "connamespace"),
            kind(
                "pg_operator",
                "x",
                "oprowner",
                "concat_ws(', ', x.oprcode::text, nullif(x.oprrest, 0)::regproc, nullif(x.oprjoin, 0)::regproc,"
                " 'commutator ' || nullif(x.oprcom, 0)::regoperator::text, 'negator ' || nullif(x.oprnegate, 0)::regoperator::text,"
                " CASE WHEN x.oprcanmerge THEN 'merges' END, CASE WHEN x.oprcanhash THEN 'hashes' END)",
                "oprnamespace",
            ),
            kind(
                "pg_opclass",
                "x",
                "opcowner",
                "concat_ws(', ', format_type(x.opcintype, NULL), CASE WHEN x.opcdefault THEN 'default' END)",
                "opcnamespace",
            ),
            kind(
                "pg_opfamily",
                "x",
                "opfowner",
                "concat_ws('; ', (SELECT string_agg(concat_ws(' ', o.amopstrategy, o.amopopr::regoperator), ', '"
                ' ORDER BY o.amopstrategy, o.amopopr::regoperator::text COLLATE "C")'
                " FROM pg_amop AS o WHERE o.amopfamily = x.oid), (SELECT string_agg(concat_ws(' ', o.amprocnum, o.amproc::regprocedure), ', '"
                ' ORDER BY o.amprocnum, o.amproc::regprocedure::text COLLATE "C") FROM pg_amproc AS o WHERE o.amprocfamily = x.oid))',
                "opfnamespace",
            ),
            kind(
                "pg_ts_config",
                "x",
                "cfgowner",
                "(SELECT string_agg(concat_ws(' ', m.maptokentype, m.mapseqno, m.mapdict::regdictionary), ', ' ORDER BY m.maptokentype, m.mapseqno)"
                " FROM pg_ts_config_map AS m WHERE m.mapcfg = x.oid)",
                "cfgnamespace",
            ),
            kind("pg_ts_dict", "x", "dictowner", "x.dictinitoption", "dictnamespace"),
            kind("pg_ts_parser", "x", "", "x.prsstart::text", "prsnamespace"),
            kind("pg_ts_template", "x", "", "x.tmpllexize::text", "tmplnamespace"),
            kind("pg_cast", "x", "", "concat_ws(', ', x.castcontext, x.castmethod, nullif(x.castfunc, 0)::regprocedure)", ""),
            kind("pg_language", "x", "lanowner", "CASE WHEN x.lanpltrusted THEN 'trusted' ELSE 'untrusted' END", ""),
            kind("pg_foreign_data_wrapper", "x", "fdwowner", "nullif(x.fdwhandler, 0)::regproc::text", ""),
            kind("pg_am", "x", "", "x.amhandler::text", ""),
            kind("pg_transform", "x", "", "concat_ws(', ', x.trffromsql::text, x.trftosql::text)", ""),
            """
SELECT 'security label' AS kind, l.provider || ' on ' || i.type || ' ' || i.identity AS name, NULL AS owner, l.label AS definition, NULL AS comment
FROM pg_seclabel AS l
CROSS JOIN LATERAL pg_identify_object(l.classoid, l.objoid, l.objsubid) AS i""",
        ]
    )
