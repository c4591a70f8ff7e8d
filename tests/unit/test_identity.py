"""The id of a rehearsal, and the marker without which nothing is touched."""

from __future__ import annotations

import datetime
import json

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_fence import read_marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import (
    SIDE_PARTS,
    Marker,
    application_name,
    copy_database_name,
    format_time,
    is_id,
    new_id,
    parse_time,
    side_database_name,
    utc_now,
)
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime.datetime(2026, 11, 22, 12, 0, 0, tzinfo=datetime.UTC)
MARKER = Marker(id="20261122-120000-0a1b2c", source="production/shop", created="2026-11-22T12:00:00Z", expires="2026-11-23T12:00:00Z")


def comment(**changes: object) -> str:
    return json.dumps({"rehearsal": {**json.loads(MARKER.to_text())["rehearsal"], **changes}})


def test_ids_sort_by_time_and_differ_within_one_second() -> None:
    moments = [NOON + datetime.timedelta(seconds=seconds) for seconds in (0, 1, 60, 86400, 400 * 86400)]
    ids = [new_id(moment) for moment in moments]
    assert sorted(ids) == ids
    assert all(is_id(one) for one in ids)
    assert len({new_id(NOON) for _once in range(200)}) > 195


@pytest.mark.parametrize(
    "text", ["", "20261122-120000", "20261122-120000-0A1B2C", "20261122-120000-0a1b2c\n", " 20261122-120000-0a1b2c", "../20261122-120000-0a1b2c"]
)
def test_what_is_no_id(text: str) -> None:
    assert not is_id(text)


def test_the_name_of_a_copy_needs_no_quotes_and_fits() -> None:
    name = copy_database_name(MARKER.id)
    assert name == "rehearsal_20261122_120000_0a1b2c"
    assert name.isascii() and name.islower() and name.isidentifier() and len(name) < 63
    # pg_stat_activity cuts it at 63 bytes; clean-up looks for the whole of it.
    assert len(application_name(MARKER.id)) < 63


def test_times_there_and_back_in_utc() -> None:
    assert format_time(NOON) == "2026-11-22T12:00:00Z"
    east = NOON.astimezone(datetime.timezone(datetime.timedelta(hours=5)))
    assert format_time(east) == "2026-11-22T12:00:00Z"
    assert parse_time(format_time(NOON)) == NOON
    assert parse_time(format_time(utc_now())).tzinfo is not None


@given(source=st.text(), seconds=st.integers(0, 10**9))
def test_a_marker_survives_its_comment(source: str, seconds: int) -> None:
    marker = Marker(id=new_id(NOON), source=source, created=format_time(NOON), expires=format_time(NOON + datetime.timedelta(seconds=seconds)))
    assert Marker.from_text(marker.to_text()) == marker


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "a copy for Alice",
        "null",
        "[]",
        "1",
        '"rehearsal"',
        "{}",
        '{"rehearsal": null}',
        '{"rehearsal": []}',
        '{"rehearsal": "20261122-120000-0a1b2c"}',
        '{"rehearsal": {"id": "20261122-120000-0a1b2c"}}',
        comment(id="my rehearsal"),
        comment(id=None),
        comment(id=20261122),
        comment(id=["20261122-120000-0a1b2c"]),
        comment(source=None),
        comment(created=0),
        "[" * 100_000,
        comment(expires="tomorrow"),
        comment(expires=None),
        comment(expires=0),
        comment(expires="2026-11-23 12:00:00"),
        MARKER.to_text()[:-1],
        MARKER.to_text() + "}",
    ],
)
def test_only_a_whole_marker_is_one(text: str | None) -> None:
    assert Marker.from_text(text) is None


@given(
    st.one_of(
        st.text(),
        st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)).map(json.dumps),
    )
)
def test_no_comment_of_others_is_taken_for_a_marker_and_none_raises(text: str) -> None:
    assert Marker.from_text(text) is None


def test_expired_from_the_very_second() -> None:
    end = parse_time(MARKER.expires)
    second = datetime.timedelta(seconds=1)
    assert not MARKER.expired(end - second)
    assert MARKER.expired(end)
    assert MARKER.expired(end + second)


def test_a_database_beside_the_copy_has_a_marker_of_its_own() -> None:
    beside = MARKER.beside("before")
    assert Marker.from_text(beside.to_text()) == beside
    assert beside != MARKER and "part" not in MARKER.to_text()
    assert read_marker(MARKER.to_text()) == MARKER.id
    assert read_marker(beside.to_text()) == f"{MARKER.id}/before"
    assert Marker.from_text(MARKER.to_text().replace('"source"', '"part": 5, "source"')) is None


def test_side_databases_do_not_depend_on_the_name_of_the_copy() -> None:
    names = [side_database_name(MARKER.id, part) for part in SIDE_PARTS]
    assert names == ["rehearsal_20261122_120000_0a1b2c_before", "rehearsal_20261122_120000_0a1b2c_empty", "rehearsal_20261122_120000_0a1b2c_template"]
