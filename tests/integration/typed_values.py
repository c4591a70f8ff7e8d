"""A table of each type, values for it, and what a fingerprint proves of them."""

from __future__ import annotations

from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session, quote_identifier

# Values of each type, every one of them another stored value. Many pairs have one hash in PostgreSQL's own functions, or are equal to its operators.
VALUES = {
    "smallint": ["0", "1", "-1", "32767"],
    "integer": ["0", "1", "-1", "2147483647", "-2147483648"],
    "bigint": ["0", "1", "-1", "4294967296", "4294967297", "-4294967296", "-4294967297", "9223372036854775807", "-9223372036854775808"],
    "boolean": ["true", "false"],
    "numeric": ["0", "0.0", "1", "1.0", "1.00", "-1", "NaN", "0.1", "100000000000000000000", "-100000000000000000000"],
    "real": ["0", "-0", "1", "-1", "NaN", "Infinity", "-Infinity", "0.1", "0.10000001"],
    "double precision": ["0", "-0", "1", "-1", "NaN", "Infinity", "-Infinity", "0.1", "0.30000000000000004", "0.3"],
    "text": ["", " ", "a", "A", "a ", "NULL", "\\", "'", "ä", "a\nb"],
    "varchar(9)": ["", "a", "a ", "A"],
    "bpchar": ["", "a", "a ", "A"],
    "char(4)": ["", "a", "A", " a"],
    '"char"': ["", "a", "A"],
    "name": ["", "a", "A"],
    "bytea": ["", "\\x00", "\\x0000", "\\xff", "\\x6162"],
    "date": ["infinity", "-infinity", "2000-01-01", "2000-01-02", "1999-12-31", "4713-01-01 BC", "5874897-12-31"],
    "time": ["00:00", "24:00", "12:00", "12:00:00.000001"],
    "timetz": ["12:00+00", "13:00+01", "12:00+01"],
    "timestamp": ["infinity", "-infinity", "2000-01-01", "2000-01-01 00:00:00.000001", "1999-12-31", "2024-06-01"],
    "timestamptz": ["infinity", "-infinity", "2000-01-01+00", "2000-01-01+01", "2024-06-01 12:00+03"],
    "interval": ["0", "1 mon", "30 days", "720:00", "1 day", "24:00", "-1 day +24:00"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001", "10000000-0000-0000-0000-000000000000"],
    "json": ['{"a":1}', '{"a": 1}', '{"a":1,"a":1}', "null", "1", "1.0", '"1"'],
    "jsonb": ["[[1],2]", "[[1,2]]", "[1,2]", "[2,1]", "1", "1.0", "null", '"1"', '{"a":1,"b":2}', '{"a":2,"b":1}', "[]", "{}"],
    "integer[]": ["{}", "{NULL}", "{0}", "{1,2,3,4}", "{{1,2},{3,4}}", "{{1},{2},{3},{4}}", "[0:3]={1,2,3,4}", "{4,3,2,1}"],
    "text[]": ["{}", "{NULL}", '{"NULL"}', '{""}', "{a,b}", '{"a,b"}'],
    "numeric[]": ["{1}", "{1.0}", "{-1}"],
    "float8[]": ["{0}", "{-0}"],
    "timestamptz[]": ["{2000-01-01+00}", "{2000-01-01+01}"],
    "int4range": ["empty", "[1,3)", "(,3)", "[1,)", "(,)"],
    "numrange": ["[1,2)", "[1.0,2)", "[1,2]", "empty"],
    "tstzrange": ["[2000-01-01+00,)", "[2000-01-01+01,)"],
    "inet": ["1.2.3.4", "1.2.3.4/24", "::1"],
    "cidr": ["1.2.3.0/24", "1.2.3.0/25"],
    "macaddr": ["08:00:2b:01:02:03", "08:00:2b:01:02:04"],
    "bit(3)": ["000", "001", "100"],
    "varbit": ["", "0", "00", "1"],
    "money": ["0", "12.34", "-12.34"],
    "point": ["(0,0)", "(-0,0)", "(0,1)", "(1,0)", "(NaN,0)"],
    "box": ["(2,2),(0,0)", "(4,1),(0,0)"],
    "circle": ["<(0,0),1>", "<(1,0),1>"],
    "polygon": ["((0,0),(1,1))", "((1,1),(0,0))"],
    "tsvector": ["", "a", "a:1", "b"],
    "pg_lsn": ["0/0", "0/1", "1/0"],
    "jsonpath": ["$", "$.a"],
    "mood": ["low", "high"],
    "pair": ["(,)", "(1,)", "(,1)", '(,"")', "(1,1)"],
    "pair[]": ["{}", '{"(,)"}', '{"(1,)"}'],
    "cents": ["1", "1.0", "-1"],
    "day": ["2000-01-01", "infinity"],
    "bytes": ["\\x00", "\\x0000"],
}


def table_of(kind: str) -> str:
    return "of " + kind.replace('"', "")


def literal(value: str | None) -> str:
    if value is None:
        return "NULL"
    return " E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def fill(session: Session, kind: str, rows: dict[int, str | None]) -> None:
    table = quote_identifier(table_of(kind))
    session.execute(f"DELETE FROM {table}")
    if rows:
        session.execute(f"INSERT INTO {table} VALUES " + ", ".join(f"({key}, {literal(value)})" for key, value in rows.items()))


def proved(fingerprint: dict) -> dict:
    """What a fingerprint says of the data, without what says how and where."""
    return {name: (entry["rows"], entry["key"], entry["columns"], entry.get("row_hash")) for name, entry in fingerprint["tables"].items()}
