"""Every way to write a type, a default and a value of existing rows, as it is expected and as it is not."""

# A case is read best on few lines.
# ruff: noqa: E501

from __future__ import annotations

import json

from stand import Case

# As DDL and expectations may both write them, and as nobody may.
_TYPES = (
    ("int", "integer", "bigint"), ("Integer", "int", "integer[]"), ("int8", "bigint", "int"), ("int2", "smallint", "int"), ("int4", "integer", "int2"),
    ("bool", "boolean", "text"), ("float", "double precision", "real"), ("float4", "real", "float8"), ("float8", "float", "float4"),
    ("varchar", "character varying", "text"), ("VARCHAR (50)", "character  varying(50)", "varchar(60)"), ("varchar(3)[]", "character varying(3)[]", "varchar(3)"),
    ("char", "character(1)", "char(2)"), ("char(3)", "character(3)", "char"), ("timestamptz", "timestamp with time zone", "timestamp"),
    ("timestamptz(3)", "timestamp(3) with time zone", "timestamptz"), ("timestamp", "timestamp without time zone", "timestamptz"),
    ("timestamp(3)", "timestamp(3) without time zone", "timestamp"), ("timetz", "time with time zone", "time"), ("time", "time without time zone", "timetz"),
    ("decimal(10, 2)", "numeric(10,2)", "numeric(10,3)"), ("numeric(5)", "numeric(5,0)", "numeric(5,1)"), ("dec", "numeric", "numeric(5)"),
    ("int[][]", "integer[]", "integer"), ("public.shift_status", "shift_status", "billing.shift_status"), ("varbit(5)", "bit varying(5)", "bit(5)"),
    ('"Mood"', 'public."Mood"', "mood"), ('public."Mood"', 'public."Mood"', '"mood"'), ("timestamp (3) with time zone", "timestamptz(3)", "timestamptz(2)"), ("json", "JSON", "jsonb"),
)  # fmt: skip

# (type and default of a column, what is expected, what is not)
_DEFAULTS: tuple[tuple[str, tuple[object, ...], tuple[object, ...]], ...] = (
    ("text", (None,), (True, 0, "", "null")),
    ("varchar DEFAULT NULL::varchar", (None,), ("x", "null", 0)),
    ("boolean DEFAULT true", (True, "true"), (False, None, 1)),
    ("boolean DEFAULT false", (False,), (True, 0)),
    ("text DEFAULT 'true'", ("true",), (True,)),
    ("integer DEFAULT 5", (5, "5"), (50, 6, None)),
    ("integer DEFAULT -1", (-1,), (1,)),
    ("integer DEFAULT 0", (0,), (None, False, 1)),
    ("numeric DEFAULT -1.5", (-1.5,), (1.5,)),
    ("numeric(5, 2) DEFAULT 0.00", (0,), (0.01,)),
    ("double precision DEFAULT 1e5", (100000,), (10000,)),
    ("smallint DEFAULT 1", (1,), (True,)),
    ("text DEFAULT '5'", ("5",), (5,)),
    ("varchar(3) DEFAULT '5'", ("5",), (5,)),
    ("bpchar DEFAULT '5'", ("5",), (5,)),
    ("text DEFAULT 'photo,video'", ("photo,video", "'photo,video'", "'photo,video'::text"), ("photo", "PHOTO,VIDEO")),
    ("text DEFAULT 'it''s'", ("it's",), ("its",)),
    ("text DEFAULT E'a\\\\b'", ("a\\b",), ("a\\\\b",)),
    ("text DEFAULT E'it''s\\\\'", ("it's\\",), ("it''s\\",)),
    ("shift_status DEFAULT 'planned'", ("planned",), ("done", "Planned")),
    ("text DEFAULT 'user'", ("user",), ("User",)),
    ("jsonb DEFAULT '{}'", ("{}",), ("[]",)),
    ("text DEFAULT ''", ("",), (None,)),
    ("text DEFAULT 'null'", ("null",), (None,)),
    ("interval DEFAULT '1 day'", ("1 day",), ("2 days",)),
    ("timestamptz DEFAULT now()", ("now()", "NOW( )"), ("now", None, 1, "clock_timestamp()")),
    ("text DEFAULT 'now()'", ("'now()'",), ("now()",)),
    ("timestamptz DEFAULT CURRENT_TIMESTAMP", ("CURRENT_TIMESTAMP", "current_timestamp"), ("CURRENT_DATE",)),
    ("text DEFAULT 'CURRENT_DATE'", ("'CURRENT_DATE'",), ("CURRENT_DATE",)),
    (
        "bigint DEFAULT nextval('invoice_numbers')",
        ("nextval('public.invoice_numbers')", "nextval('public.invoice_numbers'::regclass)", "nextval('invoice_numbers')"),
        ("nextval('users_id_seq')",),
    ),
    ("text DEFAULT lower('ABC')", ("lower('ABC')",), ("lower('abc')",)),
    ("integer[] DEFAULT ARRAY[]::integer[]", ("ARRAY[]::integer[]",), ("ARRAY[]",)),
    ("text DEFAULT 'a' || 'b'", ("('a' || 'b')",), ("a", "ab")),
    ("\"Mood\" DEFAULT 'snan'", ("snan",), (1, "nan")),
)

_UP = (
    "CREATE TYPE \"Mood\" AS ENUM ('good', 'snan');\nCREATE TABLE types (id bigint PRIMARY KEY, "
    + ", ".join(f"c{number} {written}" for number, (written, _printed, _other) in enumerate(_TYPES))
    + ");\nCREATE TABLE defaults (id bigint PRIMARY KEY, "
    + ", ".join(f"c{number} {written}" for number, (written, _met, _unmet) in enumerate(_DEFAULTS))
    + ");\nALTER TABLE cities ADD COLUMN small smallint DEFAULT 7, ADD COLUMN rate numeric(6, 2) DEFAULT 1.50, ADD COLUMN word varchar(5) DEFAULT 'да', "
    "ADD COLUMN tasks jsonb DEFAULT '{\"a\": [1, null]}', ADD COLUMN flag boolean DEFAULT false, ADD COLUMN nothing text, ADD COLUMN day date DEFAULT '2025-01-02', "
    "ADD COLUMN tags text[] DEFAULT '{a,b}', ADD COLUMN part real DEFAULT 0.1, ADD COLUMN plain json DEFAULT '[1]'"
)
_DOWN = 'DROP TABLE types;\nDROP TABLE defaults;\nDROP TYPE "Mood";\nALTER TABLE cities DROP COLUMN small, DROP COLUMN rate, DROP COLUMN word, DROP COLUMN tasks, DROP COLUMN flag, DROP COLUMN nothing, DROP COLUMN day, DROP COLUMN tags, DROP COLUMN part, DROP COLUMN plain'
_ROWS = {"small": 7, "rate": 1.5, "word": "да", "tasks": {"a": [1, None]}, "flag": False, "nothing": None, "day": "2025-01-02", "part": 0.1}
_OTHER_ROWS = {"small": 8, "rate": 1.51, "word": "да ", "tasks": {"a": [1]}, "flag": True, "nothing": "", "day": "2025-01-03", "part": 0.2}


def _expected(columns: dict[str, dict[str, object]], rows: dict[str, object] | None = None) -> str:
    tables: dict[str, object] = {name: {"columns": found} for name, found in columns.items()}
    if rows:
        tables["cities"] = {"existing_rows": rows}
    return json.dumps({"after_upgrade": {"tables": tables}}, ensure_ascii=False)


def _columns(which: int) -> dict[str, dict[str, object]]:
    return {
        "types": {f"c{number}": found[1 + which] for number, found in enumerate(_TYPES)},
        "defaults": {f"c{number}": {"default": found[1 + which][0]} for number, found in enumerate(_DEFAULTS)},
    }


def _objects(table: str, numbers: list[int]) -> frozenset[tuple[str, str]]:
    return frozenset(("expectation-not-met", f"{table}.c{number}") for number in numbers)


_AS_EXPECTED = Case("every way to write a type, a default and a value", _UP, _DOWN, verdict="GO", expectations=_expected(_columns(0), _ROWS))


def _variant(name: str, text: str, findings: frozenset[tuple[str, str]] = frozenset(), verdict: str = "GO") -> Case:
    return Case(name, _UP, of=_AS_EXPECTED, expectations=text, findings=findings, verdict=verdict)


def _defaults(which: int, nth: int) -> dict[str, object]:
    return {f"c{number}": {"default": found[1 + which][nth]} for number, found in enumerate(_DEFAULTS) if len(found[1 + which]) > nth}


GOOD = [
    _AS_EXPECTED,
    _variant("another way to write a type", _expected({"types": {f"c{number}": found[0] for number, found in enumerate(_TYPES)}})),
    *(_variant(f"another way to write a default {nth}", _expected({"defaults": _defaults(0, nth)})) for nth in (1, 2)),
]
BAD = [
    # At most twenty of a code are told one by one.
    *(_variant(f"types that are others, from {first} on", _expected({"types": {f"c{number}": _TYPES[number][2] for number in range(first, min(first + 15, len(_TYPES)))}}),
               _objects("types", list(range(first, min(first + 15, len(_TYPES))))), "NO-GO") for first in (0, 15)),
    *(_variant(f"defaults that are others, {nth}, from {first} on", _expected({"defaults": {name: found for name, found in _defaults(1, nth).items() if first <= int(name[1:]) < first + 17}}),
               _objects("defaults", [int(name[1:]) for name in _defaults(1, nth) if first <= int(name[1:]) < first + 17]), "NO-GO") for nth in range(4) for first in (0, 17)),
    Case("values of existing rows that are others", _UP, _DOWN, frozenset(("expectation-not-met", f"cities.{name}") for name in _OTHER_ROWS), expectations=_expected({}, _OTHER_ROWS)),
]  # fmt: skip
