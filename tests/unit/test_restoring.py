"""What an archive holds is restored in an order in which no two jobs of pg_restore wait for each other."""

from __future__ import annotations

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.restoring import rounds

BEFORE = [
    "; Archive created at 2026-11-23 02:12:00 UTC\n",
    "233; 1259 16497 TABLE public events postgres\n",
    "2809; 0 16505 TABLE DATA public events_2020 postgres\n",
    "2605; 2606 16504 CONSTRAINT public events events_pkey postgres\n",
    "2607; 1259 16534 INDEX public events_2020_kind_idx postgres\n",
]
ATTACHED = [
    "2624; 0 0 INDEX ATTACH public events_2020_kind_idx postgres\n",
    "2625; 0 0 INDEX ATTACH public events_2020_pkey postgres\n",
]
BEHIND = [
    "2637; 2620 16599 TRIGGER public events on_event postgres\n",
    "2633; 2606 16542 FK CONSTRAINT public event_notes event_notes_event_at_kind_fkey postgres\n",
    "2855; 0 0 COMMENT public CONSTRAINT event_notes_event_at_kind_fkey ON event_notes postgres\n",
    "2565; 3466 16618 EVENT TRIGGER - watcher postgres\n",
]


def test_indexes_are_attached_by_one_job_between_what_several_do() -> None:
    assert rounds([*BEFORE, *ATTACHED, *BEHIND]) == [(BEFORE, True), (ATTACHED, False), (BEHIND, True)]


def test_what_lies_between_stays_there() -> None:
    """Something that pg_dump has put there may be needed by what comes next."""
    middle = [ATTACHED[0], BEFORE[-1], ATTACHED[1]]
    assert rounds([*BEFORE[:-1], *middle, *BEHIND]) == [(BEFORE[:-1], True), (middle, False), (BEHIND, True)]


@pytest.mark.parametrize(
    "line",
    [
        "2607; 1259 16534 INDEX public INDEX ATTACH postgres\n",
        "2607; 1259 16534 INDEX ATTACH events_kind_idx postgres\n",
        "; INDEX ATTACH\n",
    ],
)
def test_all_go_at_once_where_nothing_is_attached(line: str) -> None:
    assert rounds([*BEFORE, line, *BEHIND]) == [([*BEFORE, line, *BEHIND], True)]


def test_no_round_is_empty() -> None:
    assert rounds(ATTACHED) == [(ATTACHED, False)]
