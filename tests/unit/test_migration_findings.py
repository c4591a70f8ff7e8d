"""What a run of the agent means that did not succeed, and what one tells before the first revision."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Outcome
from ansible_collections.migrations.rehearsal.plugins.module_utils.application_facts import facts_of
from ansible_collections.migrations.rehearsal.plugins.module_utils.migration_findings import findings_of

ERROR = {"event": "error", "t": 2.0, "kind": "ValueError", "message": "no such thing"}
PLAN = {"event": "plan", "t": 1.0, "steps": [{"revision": "b2"}], "target": "head"}


def failed(*events: dict[str, Any]) -> Outcome:
    return Outcome(exit_code=1, events=[*events, ERROR], error=ERROR, fence=None, timed_out=False)


@pytest.mark.parametrize(
    ("run", "events", "code"),
    [
        ("upgrade", (), "application-failed"),
        ("upgrade", (PLAN,), "migration-failed"),
        ("downgrade", (), "downgrade-failed"),
        ("again", (PLAN,), "again-failed"),
        ("current", (), "application-failed"),
        ("info", (), "preflight"),
    ],
)
def test_an_upgrade_that_does_not_come_to_its_revisions_is_the_application_s_failure(run: str, events: tuple[dict[str, Any], ...], code: str) -> None:
    (finding,) = findings_of(failed(*events), run)
    assert finding["code"] == code


def test_the_last_of_several_databases_tells() -> None:
    events = [
        {"event": "hello", "t": 0.0, "python": "3.12.1", "alembic": "1.20.1", "sqlalchemy": "2.1.9", "open_ways": []},
        {"event": "script", "t": 0.1, "heads": ["b2"], "revisions": [{"revision": "a1"}, {"revision": "b2"}]},
        {"event": "current", "t": 0.2, "heads": [], "transaction_per_migration": False},
        {"event": "plan", "t": 0.3, "steps": []},
        {"event": "current", "t": 0.4, "heads": ["a1"], "transaction_per_migration": True},
        PLAN,
    ]
    assert facts_of(events, "head") == {
        "python": "3.12.1", "alembic": "1.20.1", "sqlalchemy": "2.1.9", "open_ways": [], "heads": ["b2"], "target": "head", "revisions": 2,
        "current": ["a1"], "transaction_per_migration": True, "pending": [{"revision": "b2"}],
    }  # fmt: skip
    assert facts_of(events[:1], "head")["pending"] == []
