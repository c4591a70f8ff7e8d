# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.column_forms import (
    canonical_type,
    constant,
    default_matches,
    default_text,
)


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("int", "integer"),
        ("Integer", "integer"),
        ("int8", "bigint"),
        ("int2", "smallint"),
        ("bool", "boolean"),
        ("float", "double precision"),
        ("float4", "real"),
        ("varchar", "character varying"),
        ("VARCHAR (50)", "character varying(50)"),
        ("varchar(3)[]", "character varying(3)[]"),
        ("char", "character(1)"),
        ("char(3)", "character(3)"),
        ("timestamptz", "timestamp with time zone"),
        ("timestamptz(3)", "timestamp(3) with time zone"),
        ("timestamp", "timestamp without time zone"),
        ("timestamp(3)", "timestamp(3) without time zone"),
        ("timetz", "time with time zone"),
        ("time", "time without time zone"),
        ("decimal(10, 2)", "numeric(10,2)"),
        ("numeric(5)", "numeric(5,0)"),
        ("int[][]", "integer[]"),
        ("public.mood", "mood"),
        ('"Mood"', 'public."Mood"'),
        ("geometry(Point, 4326)", "geometry(Point,4326)"),
        ("varbit(5)", "bit varying(5)"),
    ],
)
def test_the_ways_to_write_a_type_are_one_type(written: str, printed: str) -> None:
    assert canonical_type(written) == canonical_type(printed)


@pytest.mark.parametrize(
    "printed",
    [
        # As format_type() of PostgreSQL 16 prints them.
        *("integer", "numeric", "character varying(5)", "text", "jsonb", "timestamp with time zone", "timestamp(3) without time zone"),
        *("character(1)", "bit varying(5)", "double precision", "numeric(5,0)", "integer[]", "interval", '"Mood"', "character varying(3)[]"),
    ],
)
def test_a_printed_type_is_its_own_canonical_form(printed: str) -> None:
    assert canonical_type(printed) == printed


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("integer", "bigint"),
        ("varchar(50)", "varchar(60)"),
        ("varchar", "varchar(60)"),
        ("varchar", "text"),
        ("timestamp", "timestamptz"),
        ("timestamp(3)", "timestamp"),
        ("integer", "integer[]"),
        ("numeric(10,2)", "numeric(10,3)"),
        ("json", "jsonb"),
        ('"Mood"', "mood"),
        ('"Mood"', 'other."Mood"'),
        ("billing.mood", "mood"),
    ],
)
def test_different_types_stay_different(one: str, other: str) -> None:
    assert canonical_type(one) != canonical_type(other)


@pytest.mark.parametrize(
    ("expected", "printed"),
    [
        (None, None),
        (None, "NULL::character varying"),
        (True, "true"),
        (False, "false"),
        (True, "'true'::boolean"),
        (5, "5"),
        (-1, "'-1'::integer"),
        (-1.5, "'-1.5'::numeric"),
        (0, "0.00"),
        (100000, "'100000'::numeric"),
        (1, "(1)::smallint"),
        ("photo,video", "'photo,video'::text"),
        ("photo,video", "'photo,video'::character varying"),
        ("photo,video", "'photo,video'"),
        ("'photo,video'", "'photo,video'::character varying"),
        ("'photo,video'::text", "'photo,video'::character varying"),
        ("it's", "'it''s'::text"),
        ("a\\b", "E'a\\\\b'::text"),
        ("draft", "'draft'::shift_status"),
        ("draft", "('draft'::text)::shift_status"),
        ("draft", "'draft'::billing.\"Status\""),
        ("user", "'user'::character varying"),
        ("{}", "'{}'::jsonb"),
        ("{}", "'{}'::text[]"),
        ("", "''::text"),
        ("true", "'true'::text"),
        ("true", "true"),
        ("5", "'5'::text"),
        ("1 day", "'1 day'::interval"),
        ("2020-01-01 00:00:00", "'2020-01-01 00:00:00'::timestamp without time zone"),
        ("now()", "now()"),
        ("NOW( )", "now()"),
        ("CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP"),
        ("current_timestamp", "CURRENT_TIMESTAMP"),
        ("nextval('a_id_seq')", "nextval('a_id_seq'::regclass)"),
        ("nextval('a_id_seq'::regclass)", "nextval('a_id_seq'::regclass)"),
        ("nextval('a_id_seq')", "nextval('public.a_id_seq'::regclass)"),
        ("nextval('public.a_id_seq')", "nextval('public.a_id_seq'::regclass)"),
        ("lower('ABC')", "lower('ABC'::text)"),
        ("ARRAY[]::integer[]", "ARRAY[]::integer[]"),
        ("now() + interval '1 day'", "(now() + interval '1 day')"[1:-1]),
    ],
)
def test_a_default_is_recognised(expected: object, printed: str | None) -> None:
    assert default_matches(expected, printed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expected", "printed"),
    [
        (None, "0"),
        (None, "'null'::text"),
        (None, "now()"),
        (True, None),
        (0, None),
        ("", None),
        ("x", "NULL::text"),
        ("null", None),
        (True, "false"),
        (True, "'true'::text"),
        (True, "1"),
        (1, "true"),
        (5, "50"),
        (5, "'5'::text"),
        (5, "'5'::character varying(3)"),
        (5, "'5'"),
        (1, "now()"),
        (1, "'snan'::mood"),
        ("photo", "'photo,video'::text"),
        ("PHOTO", "'photo'::text"),
        ("now()", "'now()'::text"),
        ("CURRENT_DATE", "'CURRENT_DATE'::text"),
        ("now()", "clock_timestamp()"),
        ("now", "now()"),
        ("lower('abc')", "lower('ABC'::text)"),
        ("nextval('a_id_seq')", "nextval('b_id_seq'::regclass)"),
        ("nextval('a_id_seq')", "nextval('other.a_id_seq'::regclass)"),
        ("a", "('a'::text || 'b'::text)"),
        ("nextval('\"A\"')", "nextval('a'::regclass)"),
    ],
)
def test_another_default_is_not_taken_for_it(expected: object, printed: str | None) -> None:
    assert not default_matches(expected, printed)  # type: ignore[arg-type]


def test_only_one_value_is_a_constant() -> None:
    found = constant("('a'::text)::character varying(5)")
    assert found is not None
    assert (found.text, found.quoted, found.type) == ("a", True, "character varying(5)")
    assert constant("'a'::text || 'b'::text") is None
    assert constant("now()") is None


@pytest.mark.parametrize(
    ("expected", "text"),
    [(None, "null"), (True, "true"), (5, "5"), ("a'b", "'a''b'"), ("now()", "now()"), ("'x'", "'x'"), ("'x'::text", "'x'::text")],
)
def test_an_expected_default_is_shown_as_sql(expected: object, text: str) -> None:
    assert default_text(expected) == text  # type: ignore[arg-type]
