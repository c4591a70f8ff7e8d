"""Models, drift and stairway, judged from what was measured of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge_drift import blind_spots, of_drift, of_models
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge_stairway import of_stairway
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Policy
from evidence_builder import fingerprint, good


def change(name: str, table: str | None = None, text: str = "") -> dict[str, Any]:
    return {"kind": "added", "object": name, "object_kind": "column", "before": None, "after": {}, "text": text or f"{name} added", "table": table}


def drift(*changes: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"revisions": ["a1"], "ran": 1, "reason": reason, "changes": list(changes)}


UPGRADE = [change("shifts.note", "shifts"), change("ix_new", "users")]


def test_drift_that_the_upgrade_touches_is_told_one_by_one_all_other_once() -> None:
    found = list(of_drift(drift(change("shifts.x", "shifts"), change("users", None), change("old.a", "old"), change("seq")), UPGRADE, ()))
    assert [(code, name, severity) for code, name, _message, severity in found] == [
        ("schema-drift", "shifts.x", None), ("schema-drift", "users", None), ("schema-drift", "", "info"),
    ]  # fmt: skip
    assert found[2][2] == "production is not what revision a1 says, where the upgrade touches nothing: old.a added; seq added"


def test_alembics_own_table_is_no_drift() -> None:
    own = change("alembic_version.version_num", "alembic_version")
    assert list(of_drift(drift(own, change("alembic_version")), UPGRADE, ["alembic_version"])) == []
    assert list(of_drift(drift(), UPGRADE, ())) == []
    assert list(of_drift(None, UPGRADE, ())) == []


def test_much_drift_is_shortened() -> None:
    (found,) = of_drift(drift(*(change(f"t{number}") for number in range(11))), [], ())
    assert found[2].endswith("t7 added and 3 more")


def test_what_could_not_be_measured_is_said() -> None:
    (found,) = of_drift(drift(reason="no history"), UPGRADE, ())
    assert found == ("drift-not-measured", "", "whether production is what its revision says could not be measured: no history", None)


def compared(*differences: dict[str, str], reason: str | None = None, types: bool = True, defaults: bool = True) -> dict[str, Any]:
    return {"reason": reason, "differences": list(differences), "compare_type": types, "compare_server_default": defaults}


def difference(table: str, where: str, text: str) -> dict[str, str]:
    return {"kind": "x", "where": where, "object": table, "table": table, "text": text}


def test_models_are_judged_by_table_and_blind_spots_named_once() -> None:
    models = {"databases": [compared(
        difference("users", "only in the models", "a"), difference("users", "different", "b"), difference("users", "only in the database", "c"),
        difference("old", "only in the database", "d"),
    )]}  # fmt: skip
    found = [(name, severity) for _code, name, _message, severity in of_models(models)]
    assert found == [("old", "info"), ("users", None), ("users", "info")]
    messages = [message for _code, _name, message, _severity in of_models(models)]
    assert messages[1] == "the models are not what the migrations make: a; b"
    assert [("alembic check does not see" in message) for message in messages] == [True, False, False]


def test_models_that_could_not_be_compared_are_said_once() -> None:
    models = {"databases": [compared(reason="no metadata"), compared(reason="no metadata")]}
    assert [found[:3] for found in of_models(models)] == [
        ("models-not-compared", "", "the models were not compared with the migrated copy: no metadata"),
    ]  # fmt: skip
    assert list(of_models(None)) == [] and list(of_models({"databases": [compared()]})) == []


@pytest.mark.parametrize(("types", "defaults"), [(True, True), (True, False), (False, True)])
def test_blind_spots_are_those_of_the_project(types: bool, defaults: bool) -> None:
    text = blind_spots([compared(types=types, defaults=defaults), compared(reason="x", types=False, defaults=False)])
    assert ("types of columns" in text) is not types and ("defaults (" in text) is not defaults
    assert "renames" in text


def ran(schema: list[dict[str, Any]] | None = None, data: list[dict[str, Any]] | None = None, error: str | None = None) -> dict[str, Any]:
    return {"seconds": 0.1, "error": error, "schema": schema or [], "data": data or []}


def step(up: Any = None, down: Any = None, again: Any = None) -> dict[str, Any]:
    return {"revision": "b2", "message": "Add", "up": up or ran(), "down": down, "again": again}


def stairway(*steps: dict[str, Any], end: list[dict[str, Any]] | None = None, error: str | None = None) -> dict[str, Any]:
    return {"steps": list(steps), "end": end, "error": error}


LOST = {"kind": "column-changed", "object": "shifts.rate", "text": "shifts.rate changed"}


@pytest.mark.parametrize(
    ("walked", "expected"),
    [
        (None, []),
        (stairway(step(down=ran(), again=ran()), end=[]), []),
        (stairway(error="boom"), [("stairway-failed", "", "the first step, back to production's revision, failed: boom", None)]),
        (stairway(step(ran(error="boom"))), [("stairway-failed", "b2", "revision b2 (Add) does not apply by itself: boom", None)]),
        (stairway(step(down=ran(error="boom"))), [("stairway-failed", "b2", "revision b2 (Add) cannot be taken back by itself: boom", None)]),
        (
            stairway(step(down=ran(), again=ran(error="boom"))),
            [("stairway-failed", "b2", "revision b2 (Add) does not apply a second time by itself: boom", None)],
        ),
        (
            stairway(step(down=ran([change("x")], [LOST]), again=ran()), end=[]),
            [
                ("stairway-leaves-trace", "b2", "revision b2 (Add) was taken back, and the schema is not what it was: x added", None),
                ("stairway-loses-data", "b2", "revision b2 (Add) was taken back, and data is not what it was: shifts.rate changed", None),
            ],
        ),
        (
            stairway(step(down=ran(), again=ran([change("x")], [LOST])), end=[change("y")]),
            [
                ("stairway-differs", "b2", "revision b2 (Add) gives another schema the second time: x added", None),
                ("stairway-differs", "b2", "revision b2 (Add) gives other data the second time: shifts.rate changed", "info"),
                ("stairway-differs", "", "one revision at a time the migrations end in another schema than all at once: y added", None),
            ],
        ),
        # What was lost on the way down is not told again; Alembic's own table is nobody's; what is more than there was is no loss.
        (stairway(step(down=ran(data=[LOST]), again=ran(data=[LOST])), end=[]), ["stairway-loses-data"]),
        (stairway(step(down=ran([change("alembic_version.v")], [{**LOST, "object": "alembic_version"}]), again=ran()), end=[]), []),
        (stairway(step(down=ran(data=[{**LOST, "kind": "column-added"}]), again=ran()), end=[]), []),
    ],
)
def test_the_stairway_names_the_revision(walked: Any, expected: list[Any]) -> None:
    found = list(of_stairway(walked, ["alembic_version"]))
    assert (found if not expected or isinstance(expected[0], tuple) else [one[0] for one in found]) == expected


def test_what_was_asked_for_and_is_missing_is_not_measured() -> None:
    evidence = good()
    evidence = dataclasses.replace(evidence, context={**evidence.context, "asked": ["models", "drift", "stairway"]})
    missing = [finding["object"] for finding in judge(evidence)["findings"] if finding["code"] == "not-measured"]
    assert missing == [f"the evidence of «{name}», which was asked for," for name in ("models", "drift", "stairway")]
    whole = dataclasses.replace(evidence, models={"databases": [compared()]}, drift=drift(), stairway=stairway(step(down=ran(), again=ran()), end=[]))
    record = judge(whole)
    assert record["verdict"] == "GO" and record["stairway"]["revisions"] == 1 and record["stairway"]["complete"] and record["drift"]["reason"] is None


def test_the_record_takes_all_three_into_the_verdict() -> None:
    evidence = dataclasses.replace(
        good(),
        models={"databases": [compared(difference("users", "different", "b"))]},
        drift=drift(change("shifts.x", "shifts")),
        stairway=stairway(step(ran(error="boom"))),
    )
    record = judge(evidence)
    assert [finding["code"] for finding in record["findings"]] == ["stairway-failed", "schema-drift", "models-differ"]
    assert record["verdict"] == "NO-GO"


def test_rows_that_were_followed_are_in_finding_and_record() -> None:
    prints = {**good().fingerprints, "after": fingerprint(note="0", rate="9")}
    rows = {
        "key": ["id"],
        "kept": 3,
        "added": 0,
        "lost": 0,
        "columns": {"rate": 2},
        "keys": {"added": [], "lost": [], "columns": {"rate": [["1"], ["3"]]}},
    }
    record = judge(good(fingerprints=prints, rows={"after": {"tables": {"shifts": rows}}}))
    (finding,) = [finding for finding in record["findings"] if finding["code"] == "data-changed"]
    assert finding["message"] == "shifts.rate changed, in 2 rows (id 1, 3); declared: nothing"
    changes = {change["object"]: change for change in record["data_changes"]["upgrade"]}
    assert (changes["shifts.rate"]["rows_changed"], changes["shifts.rate"]["keys"]) == (2, [["1"], ["3"]])


def test_rows_that_could_not_be_followed_are_said() -> None:
    prints = {**good().fingerprints, "after": fingerprint(note="0", rate="9")}
    record = judge(good(fingerprints=prints, rows={"after": {"tables": {}, "error": "no backup"}}))
    (finding,) = [finding for finding in record["findings"] if finding["code"] == "data-changed"]
    assert finding["message"] == "shifts.rate changed; in how many rows exactly could not be measured: no backup; declared: nothing"


def test_what_the_stairway_says_leads_to_the_function_that_did_it() -> None:
    evidence = good()
    plans = {
        way: {"event": "plan", "t": 0.5, "target": "head",
              "steps": [{"revision": "b2", "direction": way, "message": "m", "file": "versions/b2.py", "line": line}]}
        for way, line in (("upgrade", 11), ("downgrade", 21))
    }  # fmt: skip
    migrations = {run: [plans["downgrade" if run == "downgrade" else "upgrade"], *events] for run, events in evidence.migrations.items()}
    walked = stairway(
        step(down={**ran(), "schema": [change("shifts.x", "shifts")]}, again={**ran(), "schema": [change("shifts.y", "shifts")]}), end=[]
    )
    found = judge(dataclasses.replace(evidence, migrations=migrations, stairway=walked))["findings"]
    told = {finding["code"]: (finding["revision"], finding["file"], finding["line"]) for finding in found if finding["stage"] == "stairway"}
    assert told == {"stairway-leaves-trace": ("b2", "versions/b2.py", 21), "stairway-differs": ("b2", "versions/b2.py", 11)}
    failed = stairway(step(down={**ran(), "error": "x"}, again=None))
    found = judge(dataclasses.replace(evidence, migrations=migrations, stairway=failed))["findings"]
    assert [finding["line"] for finding in found if finding["code"] == "stairway-failed"] == [21]


def test_a_finding_about_a_statement_has_its_line_and_else_that_of_the_function() -> None:
    evidence = good(policy=Policy(budgets=dataclasses.replace(Policy().budgets, blocked_reads_ms=0)))
    plan = {"event": "plan", "t": 0.5, "target": "head",
            "steps": [{"revision": "b2", "direction": "upgrade", "message": "m", "file": "versions/b2.py", "line": 11}]}  # fmt: skip
    for known, line in (({}, 11), ({"line": 14}, 14)):
        events = [plan, *({**event, **known} if event["event"] == "statement" else event for event in evidence.migrations["upgrade"])]
        found = judge(dataclasses.replace(evidence, migrations={**evidence.migrations, "upgrade": events}))["findings"]
        assert [finding["line"] for finding in found if finding["code"] == "lock-blocks-reads" and finding["stage"] == "upgrade"] == [line]


def test_the_record_says_what_the_models_were_not_held_against() -> None:
    found = {"reason": None, "differences": [], "compare_type": True, "compare_server_default": False}
    evidence = dataclasses.replace(good(), models={"databases": [found]})
    unseen = judge(evidence)["models"]["unseen"]
    assert unseen.startswith("alembic check does not see renames") and "conditions and methods of indexes" in unseen
    assert "compare_server_default is off" in unseen and "compare_type is off" not in unseen
    untold = {"databases": [{**found, "reason": "env.py names no models"}]}
    assert judge(dataclasses.replace(good(), models=untold))["models"] == untold
