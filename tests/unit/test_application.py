"""What comes out of the application's process, line by line."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils import application


def runner() -> Any:
    return application._Runner(application.Application(("python",)), "upgrade", "id", None, None, None, None, None, True)


def test_a_torn_line_is_a_measurement_that_failed_and_ends_nothing() -> None:
    run = runner()
    for event in ({"event": "hello", "t": 1.0}, {"event": "revision_begin", "t": 2.0, "revision": "a1"}):
        run._take(f"{run._nonce} {json.dumps(event)}", None)
    run._take(f'{run._nonce} {{"event": "statement", "t": 3.0, "sql"', None)
    run._take("what the application prints", None)
    assert [(event["event"], event["t"], event.get("revision")) for event in run._events[1:]] == [
        ("revision_begin", 2.0, "a1"),
        ("measuring_failed", 2.0, "a1"),
    ]


def test_a_deadline_names_the_revision_that_had_not_ended() -> None:
    run = runner()
    run._events = [{"event": "revision_begin", "revision": "a1"}, {"event": "revision_end", "revision": "a1"}]
    assert run._outcome(-9, True).error["revision"] is None
    run._events += [{"event": "revision_begin", "revision": "b2"}, {"event": "error", "kind": "Deadline", "message": "not finished within 5 s"}]
    assert run._outcome(75, False).error["revision"] == "b2"
