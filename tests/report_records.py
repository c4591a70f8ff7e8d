"""Records to be rendered: one that is GO, one that is NO-GO with everything in it, one that is large, and names that mean harm."""

from __future__ import annotations

import copy
import dataclasses
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent / "unit"))

from ansible_collections.migrations.rehearsal.plugins.module_utils import data_diff, schema_diff  # noqa: E402
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge  # noqa: E402
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import carry  # noqa: E402
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import assertions, expectations_file  # noqa: E402
from evidence_builder import fingerprint, good, shifts, snapshot, stage  # noqa: E402
from snapshot_builder import column, foreign_key, index, table  # noqa: E402

HOSTILE = "</script><img src=x onerror=alert(1)>'\"&|`[x](http://a.example) \x07\u202e]]>"
_MODES = ("AccessExclusive", "Share", "ShareRowExclusive", "AccessExclusive")


def go() -> dict[str, Any]:
    """Nothing speaks against it."""
    return judge(good(), assertions.evaluate)


def large(revisions: int = 200, tables: int = 500, lock_ms: float = 12.0) -> dict[str, Any]:
    """Many revisions in one transaction, each of which alters some of many tables."""
    return judge(_large_evidence(revisions, tables, lock_ms))


def no_go() -> dict[str, Any]:
    """A backfill that changes values, a foreign key that cannot hold, locks over the budget, an expectation that is not met."""
    return judge(_no_go_evidence(), assertions.evaluate)


def rich() -> dict[str, Any]:
    """The NO-GO with all that can be measured on top: squawk, the models, drift, the stairway, and changes of every kind."""
    evidence = _no_go_evidence()
    before, after = (evidence.snapshots[moment] for moment in ("before", "after"))
    after["types"]["mood"] = {"schema": "public", "name": "mood", "kind": "enum", "type": "mood", "values": ["sad", "glad"], "owner": "app",
                              "comment": None, "grants": {}}  # fmt: skip
    after["tables"]["t002"]["columns"]["note"]["nullable"] = False
    after["tables"]["t003"]["comment"] = "of the third kind"
    after["tables"]["t004"]["row_security"] = True
    after["tables"]["t005"]["indexes"]["ix_note"] = index("t005", "note", valid=False)
    after["tables"]["t006"]["grants"] = {"reader": ["SELECT"]}
    del after["tables"]["t007"]["columns"]["note"]
    fingerprints = evidence.fingerprints
    del fingerprints["after"]["tables"]["t007"]["columns"]["note"]
    fingerprints["after"]["tables"]["t008"]["rows"] = 990
    fingerprints["back"]["tables"]["t001"]["rows"] = 1007
    fingerprints["again"]["tables"]["shifts"]["columns"]["rate"]["hash"] = "98"
    changes = [carry(change.to_json()) for change in schema_diff.diff(before, after)]
    data = [carry(change.to_json()) for change in data_diff.compare(fingerprints["before"], fingerprints["after"])]
    nothing: dict[str, Any] = {"seconds": 0.2, "error": None, "schema": [], "data": []}
    steps = [
        {"revision": "r000", "message": "Change of number r000", "up": nothing, "down": {**nothing, "schema": changes[:2]}, "again": nothing},
        {"revision": "r001", "message": "Change of number r001", "up": nothing, "down": {**nothing, "data": data}, "again": nothing},
        {"revision": "r002", "message": "Change of number r002", "up": nothing, "again": None,
         "down": {**nothing, "seconds": None, "error": "Deadline: not finished within 5 s · revision r002"}},
    ]  # fmt: skip
    sql = "ALTER TABLE t000 ADD COLUMN added TIMESTAMP WITH TIME ZONE"
    claim = {"revision": "r000", "sql": sql, "help": ""}
    squawk = {
        "status": "ran", "reason": "", "version": "2.70.0", "pg_version": "16.4", "statements": 12, "not_read": [{"revision": "r001", "sql": "DO"}],
        "claims": [
            {**claim, "rule": "adding-not-nullable-field", "message": "m"},
            {**claim, "rule": "changing-column-type", "message": "m"},
            {**claim, "rule": "require-statement-timeout", "message": "m"},
            {**claim, "rule": "ban-drop-column", "message": "m"},
        ],
    }  # fmt: skip
    differences = [
        {"kind": "add_column", "where": "only in the models", "object": "t001.more", "table": "t001",
         "text": "column t001.more (INTEGER) is only in the models"},
        {"kind": "modify_nullable", "where": "different", "object": "t002.note", "table": "t002",
         "text": "column t002.note is not null in the database, nullable in the models"},
        {"kind": "remove_table", "where": "only in the database", "object": "t003", "table": "t003", "text": "table t003 is only in the database"},
    ]  # fmt: skip
    compared = {"reason": None, "differences": differences, "compare_type": True, "compare_server_default": False}
    evidence.copy["stopped"] = [
        {"kind": "trigger", "object": "shifts.tell", "reason": "runs tell(): uses dblink_exec", "error": None},
        {"kind": "scheduled jobs", "object": "pgagent.pga_job", "reason": "3 would run by the clock", "error": "2 of them are enabled still",
         "changed": ["pgagent.pga_job.jobenabled"]},
    ]  # fmt: skip
    evidence.copy["settings_not_replayed"] = ["work_mem of role app: permission denied"]
    evidence.cleanup["dev"]["left"] = ["database rehearsal_x"]
    evidence.cleanup["dev"]["problems"] = ["cannot remove /tmp/x (and 2 more)"]
    evidence.migrations["upgrade"].insert(0, {
        "event": "hello", "t": 0.0, "open_ways": ["dblink and postgres_fdw inside the copy connect from the server"],
    })  # fmt: skip
    evidence.stages[1]["summary"] = "25 tables, 3,603 rows, 0.2 MB"
    return judge(
        dataclasses.replace(
            evidence,
            squawk=squawk,
            models={"databases": [compared]},
            drift={"revisions": ["a1"], "ran": 7, "reason": None, "changes": changes},
            stairway={"steps": steps, "end": None, "error": None},
        ),
        assertions.evaluate,
    )


def _no_go_evidence() -> Any:
    expectations = expectations_file.parse("revision: r011\nafter_upgrade: {tables: {nowhere: {}}}", "expectations.yml")
    evidence = _large_evidence(12, 9, 900.0, expectations=expectations)
    evidence.fingerprints["after"]["tables"]["shifts"]["columns"]["rate"]["hash"] = "99"
    evidence.fingerprints["after"]["tables"]["shifts"]["old_rows"] = 1
    after = evidence.snapshots["after"]["tables"]
    after["shifts"]["constraints"]["shifts_user_fkey"] = foreign_key("user_id", "t001", "set null")
    after["shifts"]["columns"]["user_id"] = column(nullable=False)
    evidence.checks["after"]["orphans"][0].update(rows=3, table="shifts", constraint="shifts_user_fkey")
    evidence.copy["differences"].append({"object": "shop", "what": "time zone", "production": "UTC", "copy": "Europe/Moscow"})
    return evidence


def failed() -> dict[str, Any]:
    """The third of twelve revisions ended in an error, so the ten after it and all that follows were not carried out."""
    evidence = _large_evidence(12, 9, 900.0)
    upgrade = evidence.migrations["upgrade"]
    (begun,) = [place for place, event in enumerate(upgrade) if event["event"] == "revision_begin" and event["revision"] == _name(2)]
    now = upgrade[begun]["t"]
    error = {"event": "error", "t": now + 6, "kind": "UniqueViolation", "message": "duplicate key", "revision": _name(2)}
    upgrade[begun + 2 :] = [{"event": "rollback", "t": now + 5, "t0": now + 4, "t1": now + 5, "revision": None, "connection": 1}, error]
    found = [{"code": "migration-failed", "object": _name(2), "message": "UniqueViolation: duplicate key · revision r002"}]
    stages = [*(one for one in evidence.stages if one["name"] in ("preflight", "backup", "transfer", "restore")),
              stage("upgrade", status="failed", error=found[0]["message"], findings=found), stage("cleanup")]  # fmt: skip
    return judge(
        dataclasses.replace(
            evidence,
            stages=stages,
            migrations={"upgrade": upgrade},
            snapshots={"before": evidence.snapshots["before"]},
            fingerprints={"before": evidence.fingerprints["before"]},
            checks={},
        ),
        assertions.evaluate,
    )


def incomplete() -> dict[str, Any]:
    """Production could not be reached."""
    stages = [stage("preflight"), stage("backup", "prod1", "unreachable", error="no route to prod1"), stage("cleanup")]
    nothing: dict[str, Any] = dict.fromkeys(("manifest", "copy", "application"))
    return judge(good(stages=stages, snapshots={}, fingerprints={}, checks={}, migrations={}, cleanup={}, **nothing))


def hostile() -> dict[str, Any]:
    """Every text of the NO-GO record, and some names, are those of somebody who means harm."""

    def spoil(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: spoil(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [spoil(one, key) for one in value]
        return f"{value} {HOSTILE}" if isinstance(value, str) and key in _FREE else value

    spoiled: dict[str, Any] = spoil(no_go())
    return spoiled


# Fields whose text comes from the database, the project or the inventory.
_FREE = {"message", "object", "table", "detail", "item", "measured", "expected", "text", "database", "host", "sql", "file", "revision", "took",
         "advice", "error", "removed", "extensions", "command", "relation", "reason", "expect", "title", "chdir", "values", "template"}  # fmt: skip


def _large_evidence(revisions: int, tables: int, lock_ms: float, **more: Any) -> Any:
    names = [f"t{number:03}" for number in range(tables)]
    before = snapshot(shifts(), *(table(name, {"id": column(nullable=False), "note": column("text")}) for name in names))
    after = copy.deepcopy(before)
    for name in names:
        after["tables"][name]["columns"]["added"] = column("timestamp with time zone")
    prints = {moment: fingerprint() for moment in ("before", "after", "back", "again")}
    for moment, taken in prints.items():
        columns = {name: {"by": "int", "type": "bigint", "hash": "5", "non_null": 1000} for name in ("id", "note")}
        if moment in ("after", "again"):
            columns["added"] = {"by": "timestamptz", "type": "timestamp with time zone", "hash": "0", "non_null": 0}
        for name in names:
            taken["tables"][name] = {"rows": 1000, "key": ["id"], "columns": dict(columns), "proof": "full", "old_rows": 1000, "files": []}
    evidence = good(
        **more,
        snapshots={"before": before, "after": after, "back": copy.deepcopy(before), "again": copy.deepcopy(after)},
        fingerprints=prints,
        migrations={run: _run(run, revisions, names, lock_ms) for run in ("upgrade", "downgrade", "again")},
        application={"heads": [_name(revisions - 1)], "current": ["a1"], "python": "3.11.7", "alembic": "1.20.1", "sqlalchemy": "2.1.9",
                     "pending": [{"revision": _name(number)} for number in range(revisions)]},
    )  # fmt: skip
    return evidence


def _name(number: int) -> str:
    return f"r{number:03}"


def _run(run: str, revisions: int, tables: list[str], lock_ms: float) -> list[dict[str, Any]]:
    down = run == "downgrade"
    direction = "downgrade" if down else "upgrade"
    order = [_name(number) for number in range(revisions)]
    steps = [
        {"revision": name, "direction": direction, "message": f"Change of number {name}", "file": f"migrations/versions/{name}.py"}
        for name in (reversed(order) if down else order)
    ]
    events: list[dict[str, Any]] = [
        {"event": "current", "t": 0.0, "heads": ["a1"], "version_table": "alembic_version", "version_table_schema": None,
         "transaction_per_migration": False, "transactional_ddl": True},
        {"event": "connection", "t": 0.1, "n": 1, "driver": "psycopg", "fence": "passed", "through": "driver"},
        {"event": "plan", "t": 0.2, "target": "head", "steps": steps},
    ]  # fmt: skip
    now = 1.0
    each = max(len(tables) // revisions, 1)
    for number, step in enumerate(steps):
        common = {key: step[key] for key in ("revision", "direction", "message")}
        begun = now
        events.append({"event": "revision_begin", "t": now, **common})
        for place in range(each + 1):
            name = tables[(number * each + place) % len(tables)]
            mode = _MODES[(number + place) % len(_MODES)]
            sql = [f"ALTER TABLE {name} ADD COLUMN added TIMESTAMP WITH TIME ZONE", f"CREATE INDEX ix_{name}_added ON {name} (added)",
                   f"UPDATE {name} SET note = '***' WHERE id IN (?, ?, ?)"][place % 3]  # fmt: skip
            ms = lock_ms * (1 + (number * 7 + place * 3) % 5)
            events.append(
                {"event": "statement", "t": now + ms, "t0": now, "t1": now + ms, "revision": step["revision"], "sql": sql, "connection": 1,
                 "rows": 1000 if sql.startswith("UPDATE") else None, "autocommit": False, "lock_timeout": "0", "wal": 1000 * (place + 1),
                 "locks": [{"relation": name, "mode": mode, "table": name, "kind": "r"}],
                 "rewrites": [{"relation": name, "kind": "table", "reason": "type"}] if number % 9 == 4 and place == 0 else []}
            )  # fmt: skip
            now += ms + 0.2
        events.append({"event": "revision_end", "t": now, "ms": now - begun, **common})
    events.append({"event": "commit", "t": now + 2, "t0": now, "t1": now + 2, "revision": None, "connection": 1})
    events.append({"event": "done", "t": now + 3, "heads": ["a1"] if down else [_name(revisions - 1)]})
    return events
