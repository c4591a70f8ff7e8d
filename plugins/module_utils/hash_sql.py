# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL expressions that hash one value inside PostgreSQL, bound to a seed (the row's key).

PostgreSQL's own hash functions serve hash joins, where equal hashes of unequal values do no harm. Many are therefore too coarse for a proof
(seen on 15 to 18): `hash_numeric` ignores sign and scale and does not mix 0, NaN and infinity at all; `jsonb_hash` gives [[1],2] and [[1,2]] one
hash; `hash_array` ignores dimensions; `hashfloat8` takes -0 for 0; `interval_hash` takes a month for 30 days; `hashenum` hashes an OID that another
database does not have; citext ignores case. So there are few typed forms, each exact, and everything else is hashed by its text form: what the type's
output function writes, under `SETTINGS`.

`by` names the form. Two hashes can be compared when their `by` is equal, whatever the types are:
int        smallint, integer, bigint and boolean (as 0 and 1): a value has one hash in all of them
date, timestamp, timestamptz, uuid, bytes    that type only
text       everything else, among it numeric (1.0 and 1.00 differ), float (the shortest exact form; -0 and 0 differ, NaN is one value), text of
           any collation (its bytes), enum (its label), json and xml (as written), jsonb, arrays, composites, ranges. char(n) without its padding.
"""

from __future__ import annotations

import dataclasses
from typing import Callable, Dict, Tuple

# The text form of a value must not depend on who asks. Set for one transaction.
SETTINGS: Dict[str, str] = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmloption": "content",
    "xmlbinary": "base64",
    "lc_monetary": "C",
    "quote_all_identifiers": "off",
    # reg* types print names relative to it; declared expressions may call functions of these two without a schema.
    "search_path": "pg_catalog, public",
    # Rows hidden by a policy would be missing without a word; now the server refuses instead.
    "row_security": "off",
    # Compiling hundreds of small expressions costs more than it saves on tables up to several GB.
    "jit": "off",
}


@dataclasses.dataclass(frozen=True)
class ColumnType:
    """What decides how a column is hashed. `base` is the type under all domains, as (schema, name); `output` its quoted output function."""

    base: Tuple[str, str]
    output: str
    limited: bool = False  # has a length or precision


def _int4(value: str, seed: str) -> str:
    return f"pg_catalog.hashint4extended({value}, {seed})"


def _int8(value: str, seed: str) -> str:
    # hashint8extended folds the two halves of a bigint into one, so that 1 and 4294967296 are alike: the upper half is hashed into the seed. What
    # fits an integer is hashed once, which keeps integer and bigint alike. (XOR would do for one row, but a seed may be a plain number: with keys
    # 1, 2 and 3 a rotation of values with upper halves 2, 3 and 1 would stay unseen.)
    return (
        f"CASE WHEN {value} BETWEEN -2147483648 AND 2147483647 THEN pg_catalog.hashint8extended({value}, {seed}) "
        f"ELSE pg_catalog.hashint8extended({value}, pg_catalog.hashint8extended({value} >> 32, {seed})) END"
    )


def _boolean(value: str, seed: str) -> str:
    return _int4(f"{value}::pg_catalog.int4", seed)


def _date(value: str, seed: str) -> str:
    days = (
        f"CASE WHEN pg_catalog.isfinite({value}) THEN {value} - date '2000-01-01' "
        f"WHEN {value} > date '2000-01-01' THEN 2147483647 WHEN {value} < date '2000-01-01' THEN -2147483647 END"
    )
    return _int4(days, seed)


def _timestamp(value: str, seed: str) -> str:
    return _moment(value, value, f"pg_catalog.tsrange_subdiff({value}, timestamp '1970-01-01 00:00')", seed)


def _timestamptz(value: str, seed: str) -> str:
    # TimeZone is UTC here (SETTINGS), so that the conversion keeps the value as it is. timestamptz has a function of its own only since 18.
    elapsed = f"pg_catalog.tstzrange_subdiff({value}, timestamptz '1970-01-01 00:00+00')"
    return _moment(value, f"{value}::pg_catalog.timestamp", elapsed, seed)


def _moment(value: str, timestamp: str, elapsed: str, seed: str) -> str:
    # timestamp_hash_extended folds the two halves of 64 bits into one: of a million moments a hundred pairs are alike, and as keys two rows would be
    # one. Seconds as a float tell those apart; beyond the year 2242 not always one microsecond from the next, which the fold does.
    seconds = f"pg_catalog.date_part('epoch', {value})"
    # Not with the epoch itself, which is 0: of that the function gives back the seed as it is, and sums of plain keys cancel.
    usual = f"{value} > '1970-01-01 00:00+00' AND {value} < '2200-01-01 00:00+00'"
    both = f"pg_catalog.hashfloat8extended({seconds}, pg_catalog.timestamp_hash_extended({timestamp}, {seed}))"
    # Of a usual moment `elapsed` is the same number, in less than half of the time: `date_part` looks its field up by name for every row.
    return f"CASE WHEN {usual} THEN pg_catalog.hashfloat8extended({elapsed}, {seed}) ELSE {both} END"


def _uuid(value: str, seed: str) -> str:
    return f"pg_catalog.uuid_hash_extended({value}, {seed})"


def _bytes(value: str, seed: str) -> str:
    # Before 18 bytea's hash function cannot be called from SQL, but the one for arrays calls it, at twice the price of hexadecimal text; that would
    # not fit 1 GB. The length is known without reading a value that lies elsewhere.
    short = hash_text(f"pg_catalog.encode({value}, 'hex')", seed)
    return (
        f"CASE WHEN pg_catalog.octet_length({value}) <= {_HEXADECIMAL_BYTES} THEN {short} "
        f"WHEN {value} IS NOT NULL THEN pg_catalog.hash_array_extended(ARRAY[{value}], {seed}) END"
    )


NO_SEED = "0::bigint"
_HEXADECIMAL_BYTES = 2000
# All of form int, so that a key may change from one of these types to another.
_NUMBERS = {name: "{}::pg_catalog.int8" for name in ("int2", "int4", "int8")}
_NUMBERS["bool"] = "{}::pg_catalog.int4::pg_catalog.int8"

_FORMS: Dict[str, Tuple[str, Callable[[str, str], str]]] = {
    "int2": ("int", _int4),
    "int4": ("int", _int4),
    "int8": ("int", _int8),
    "bool": ("int", _boolean),
    "date": ("date", _date),
    "timestamp": ("timestamp", _timestamp),
    "timestamptz": ("timestamptz", _timestamptz),
    "uuid": ("uuid", _uuid),
    "bytea": ("bytes", _bytes),
}


def hash_text(text: str, seed: str) -> str:
    """A hash of the bytes of a text; a nondeterministic collation would give «a» and «A» one hash."""
    return f'pg_catalog.hashtextextended(({text}) COLLATE pg_catalog."C", {seed})'


def text_form(value: str, kind: ColumnType) -> str:
    """The value as its type's output function writes it. A cast would lose the blanks of a `bpchar`, and may be the user's own."""
    schema, name = kind.base
    if schema == "pg_catalog" and (name in ("text", "varchar") or (name == "bpchar" and kind.limited)):
        return f"{value}::pg_catalog.text"
    return f"pg_catalog.textin({kind.output}({value}))"


def hash_form(kind: ColumnType) -> str:
    """`by` of a column."""
    schema, name = kind.base
    return _FORMS[name][0] if schema == "pg_catalog" and name in _FORMS else "text"


def hash_value(value: str, kind: ColumnType, seed: str) -> str:
    """A bigint expression: the hash of `value` with `seed`; NULL for NULL. `value` may be evaluated more than once."""
    schema, name = kind.base
    if schema == "pg_catalog" and name in _FORMS:
        return _FORMS[name][1](value, seed)
    return hash_text(text_form(value, kind), seed)


def key_seed(value: str, kind: ColumnType, seed: str) -> str:
    """A bigint expression that binds a row's values to a column of its key. A number needs no hash: the functions mix their seed well."""
    schema, name = kind.base
    if schema == "pg_catalog" and name in _NUMBERS and seed == NO_SEED:
        return _NUMBERS[name].format(value)
    return hash_value(value, kind, seed)


def hash_of_key(value: str, kind: ColumnType, seed: str) -> str:
    """`hash_value` of a key of one column, whose `key_seed` is `seed`: a bigint is bound to itself, so that its seed tells what folding hides."""
    if kind.base == ("pg_catalog", "int8"):
        return f"pg_catalog.hashint8extended({value}, {seed})"
    return hash_value(value, kind, seed)


def canonical_text(value: str, kind: ColumnType) -> str:
    """A text that equal values have in every type that can hold them: 5, 5.0 and 5.00 are one number, json is compared as jsonb."""
    schema, name = kind.base
    if schema == "pg_catalog":
        if name in ("int2", "int4", "int8"):
            return f"{value}::pg_catalog.text"
        if name == "numeric":
            return f"pg_catalog.trim_scale({value})::pg_catalog.text"
        if name in ("float4", "float8"):
            # By way of text, because a cast to numeric rounds to 15 digits (6 for real); numeric has infinity only since 14.
            return (
                f"CASE WHEN {value} IN ('Infinity', '-Infinity') THEN {value}::pg_catalog.text "
                f"ELSE pg_catalog.trim_scale({value}::pg_catalog.text::pg_catalog.numeric)::pg_catalog.text END"
            )
        if name == "json":
            return f"{value}::pg_catalog.jsonb::pg_catalog.text"
        if name in ("bool", "bpchar"):
            return f"{value}::pg_catalog.text"
    return text_form(value, kind)
