"""Timelines of real runs, told by a clock that is the same in each: who waited for how long, to the millisecond, and what budgets say of it."""

# A case is read best on few lines.
# ruff: noqa: E501

from __future__ import annotations

import copy
import dataclasses
import re
from typing import Any

from evidence_documents import Documents
from stand import Case

_WARNED = "GO with warnings"
_RUNS = ("upgrade", "downgrade", "again")

# Revisions that take locks of every kind, on tables of the ones before them too.
_UPS = (
    "ALTER TABLE users ADD COLUMN nick text;\nUPDATE users SET nick = 'n' WHERE id < 40;\nCOMMENT ON COLUMN users.nick IS 'short';\nSELECT setval('invoice_numbers', 90)",
    "CREATE INDEX ix_shifts_started ON shifts (started_at);\nALTER TABLE shifts ADD CONSTRAINT shifts_hours CHECK (planned_hours > 0) NOT VALID;\nALTER TABLE shifts VALIDATE CONSTRAINT shifts_hours;\n"
    "ALTER TABLE objects ADD COLUMN city_id bigint;\nALTER TABLE objects ADD CONSTRAINT objects_city_fk FOREIGN KEY (city_id) REFERENCES cities;\nCREATE INDEX ix_objects_city ON objects (city_id)",
    "ALTER TABLE contracts ALTER hourly_rate TYPE bigint;\nALTER TABLE users ALTER email SET NOT NULL;\nALTER TABLE users ALTER name SET STATISTICS 200;\nUPDATE users SET nick = NULL WHERE id < 10;\nINSERT INTO drafts VALUES (1, 'a'), (2, 'b');\n"
    "DELETE FROM drafts WHERE id = 2",
    "CREATE TRIGGER payments_same BEFORE UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();\nALTER TABLE payments DISABLE TRIGGER payments_same;\nALTER TABLE payments ENABLE TRIGGER payments_same;\n"
    "LOCK TABLE cities IN SHARE MODE;\nDROP INDEX ix_shifts_started;\nCREATE INDEX ix_shifts_begun ON shifts (started_at, id);\nALTER TABLE shifts ADD COLUMN late boolean NOT NULL DEFAULT true, ADD COLUMN why text;\n"
    "CREATE TABLE visits (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users);\nTRUNCATE visits;\nREINDEX TABLE drafts;\nCREATE UNIQUE INDEX ix_visits_user ON visits (user_id)",
)  # fmt: skip
_DOWNS = (
    "ALTER TABLE users DROP COLUMN nick",
    "ALTER TABLE objects DROP COLUMN city_id;\nALTER TABLE shifts DROP CONSTRAINT shifts_hours;\nDROP INDEX ix_shifts_started",
    "DELETE FROM drafts;\nALTER TABLE users ALTER name SET STATISTICS -1;\nALTER TABLE contracts ALTER hourly_rate TYPE integer",
    "DROP TABLE visits;\nALTER TABLE shifts DROP COLUMN why, DROP COLUMN late;\nDROP INDEX ix_shifts_begun;\nCREATE INDEX ix_shifts_started ON shifts (started_at);\nDROP TRIGGER payments_same ON payments",
)
_CHANGES = "changes: {drafts: {rows: {added: 1}}}\n"
_INFOS = frozenset({("rows-changed", "drafts")})
_MORE = tuple((f"m{number + 1}", f"m{number}", _UPS[number], _DOWNS[number]) for number in range(1, 4))
_APART = (("configure", "transaction_per_migration=True"),)
_ONE = Case("locks of every kind in one transaction", _UPS[0], _DOWNS[0], verdict="GO", more=_MORE, expectations=_CHANGES)
_EACH = Case(
    "locks of every kind in a transaction for each revision", _UPS[0], _DOWNS[0], verdict="GO", more=_MORE, expectations=_CHANGES, env=_APART
)
_CONCURRENT = """# python
op.get_bind().exec_driver_sql("ALTER TABLE users ADD COLUMN nick text")
with op.get_context().autocommit_block():
    op.get_bind().exec_driver_sql("CREATE INDEX CONCURRENTLY ix_users_nick ON users (nick)")
    op.get_bind().exec_driver_sql("CREATE INDEX CONCURRENTLY ix_users_name ON users (name)")
op.get_bind().exec_driver_sql("ALTER TABLE users ALTER nick SET DEFAULT 'n'")
op.get_bind().exec_driver_sql("ALTER TABLE cities ADD COLUMN people bigint")"""
_OUTSIDE = Case("outside of transactions", _CONCURRENT, "ALTER TABLE cities DROP COLUMN people;\nALTER TABLE users DROP COLUMN nick;\nDROP INDEX ix_users_name", verdict="GO",
                more=(("m2", "m1", "ALTER TABLE users ADD COLUMN badge text;\nUPDATE cities SET people = 5 WHERE id = 1", "ALTER TABLE users DROP COLUMN badge"),), env=_APART)  # fmt: skip
_NESTED = """# python
connection = op.get_bind()
connection.exec_driver_sql("INSERT INTO drafts VALUES (1, 'a')")
with connection.begin_nested() as inner:
    connection.exec_driver_sql("LOCK TABLE users")
    inner.rollback()
other = connection.engine.connect()
other.exec_driver_sql("ALTER TABLE cities ADD COLUMN people bigint")
other.commit()
other.exec_driver_sql("SELECT count(*) FROM cities")
connection.exec_driver_sql("UPDATE cities SET people = 7 WHERE id < 4")
other.close()
connection.exec_driver_sql("DELETE FROM drafts")
connection.exec_driver_sql("ALTER TABLE users ADD COLUMN nick text")"""
_SECOND = Case("two connections and a savepoint", _NESTED, "ALTER TABLE cities DROP COLUMN people;\nALTER TABLE users DROP COLUMN nick", verdict="GO")
_FAILS = Case("fails within the last of three", _UPS[0], _DOWNS[0], frozenset({("migration-failed", "m3")}),
              more=(("m2", "m1", _UPS[1], _DOWNS[1]), ("m3", "m2", "ALTER TABLE contracts ALTER hourly_rate TYPE bigint;\nALTER TABLE contracts ADD CONSTRAINT dear CHECK (hourly_rate > 1000000)", "SELECT 1"),
                    ("m4", "m3", "SELECT 1", "SELECT 1")), env=_APART)  # fmt: skip
BASES = [_ONE, _EACH, _OUTSIDE, _SECOND, _FAILS]


def _by_the_clock(rows: int = 1, step: int = 1) -> Any:
    """Times go on by a few milliseconds from one to the next; tables have `rows` times as many rows."""

    def change(documents: Documents) -> None:
        for run in _RUNS:
            name = f"migration-{run}.jsonl"
            if documents[name] is not None:
                documents[name] = _told_again(copy.deepcopy(documents[name]), step)
        documents["stages.jsonl"] = [{**line, "seconds": 1.5} for line in documents["stages.jsonl"]]
        prints = documents["fingerprint-before.json"]
        if rows > 1 and prints:
            for moment in ("before", "after", "back", "again"):
                found = documents[f"fingerprint-{moment}.json"]
                for name, table in (found or {"tables": {}})["tables"].items():
                    # Whose rows are counted one by one.
                    table["rows"] *= 1 if name == "drafts" else rows
        for run in _RUNS if rows > 1 else ():
            for event in documents[f"migration-{run}.jsonl"] or ():
                for scan in event.get("scans") or ():
                    scan["rows"] *= rows

    return change


def _is_own(event: dict[str, Any]) -> bool:
    """What the revisions do; what libraries look at before them is another matter in their next version."""
    sql = str(event.get("sql", ""))
    return event["event"] != "connection" and not sql.startswith(("SELECT pg_catalog.", "SELECT alembic_version."))


def _told_again(events: list[dict[str, Any]], step: int) -> list[dict[str, Any]]:
    events = [event for event in events if _is_own(event)]
    times = [(float(event[key]), number, key) for number, event in enumerate(events) for key in ("t0", "t1", "t") if event.get(key) is not None]
    now = 0.0
    # Of times that are equal, by chance, the order is the one that they have otherwise.
    for number, (_time, event, key) in enumerate(sorted(times, key=lambda one: (one[0], one[1], ["t0", "t1", "t"].index(one[2])))):
        now += step * (3 + number * 37 % 50 / 2)
        events[event][key] = round(now, 3)
    for event in events:
        concurrent = re.search(r"CREATE INDEX CONCURRENTLY \w+ ON (\w+)", str(event.get("sql", "")))
        if concurrent:
            # Whether they are seen is a matter of chance.
            lock = {"relation": concurrent.group(1), "table": concurrent.group(1), "mode": "ShareUpdateExclusive", "kind": "r"}
            event["locks"] = [{**lock, "seen": [event["t0"], event["t1"]]}]
    begun = 0.0
    for event in events:
        if event["event"] == "revision_begin":
            begun = event["t"]
        if event["event"] == "revision_end":
            event["ms"] = round(event["t"] - begun, 3)
        if event.get("wal"):
            event["wal"] = 3_000_000
        for size in event.get("sizes") or ():
            size.update(before=size["before"] and 40_000_000, after=size["after"] and 90_000_000)
        event.pop("pid", None)
    return events


def _clocked(
    name: str, of: Case, verdict: str = _WARNED, rows: int = 1, step: int = 1, findings: frozenset[tuple[str, str]] = frozenset(), **budgets: int
) -> Case:
    given = {"blocked_reads_ms": 600000, "blocked_writes_ms": 600000, "index_build_ms": 600000, **budgets}
    return Case(f"by the clock: {name}", of.up, more=of.more, of=of, changes=_by_the_clock(rows, step), exact=True, measured=not budgets and rows == 1, verdict=verdict, findings=of.findings | findings,
                policy="budgets: {" + ", ".join(f"{key}: {value}" for key, value in given.items()) + "}\n")  # fmt: skip


def _of(found: dict[str, str]) -> frozenset[tuple[str, str]]:
    """Code → what it is said of, with blanks between."""
    return frozenset((code, thing) for code, things in found.items() for thing in things.split(" "))


CASES = [
    _clocked("nobody waits too long", _ONE, "GO"),
    _clocked("each by itself", _EACH, "GO"),
    _clocked("two connections", _SECOND, "GO"),
    _clocked("outside of transactions", _OUTSIDE, "GO"),
    _clocked("fails within the last of three", _FAILS, "NO-GO"),
    _clocked("in one transaction, large", _ONE, findings=_of({"table-rewrite": "contracts", "scan-under-lock": "objects shifts", "no-lock-timeout": ""}), rows=20000),
    _clocked("reads wait longer than they may", _ONE, findings=_of({"lock-blocks-reads": "objects shifts users", "one-transaction-holds-all": ""}), blocked_reads_ms=1000),
    _clocked("writes wait longer than they may", _ONE, findings=_of({"lock-blocks-writes": "cities objects shifts users", "one-transaction-holds-all": ""}), blocked_writes_ms=1000),
    _clocked("reads and writes wait longer than they may", _ONE, findings=_of({"lock-blocks-reads": "contracts objects shifts users", "lock-blocks-writes": "cities shifts", "one-transaction-holds-all": ""}), blocked_reads_ms=900, blocked_writes_ms=900),
    _clocked("indexes are built too long", _ONE, findings=_of({"table-rewrite": "contracts", "scan-under-lock": "objects shifts", "index-not-concurrent": "objects shifts", "no-lock-timeout": ""}), rows=20000, index_build_ms=10),
    _clocked("each by itself, large", _EACH, findings=_of({"lock-blocks-reads": "contracts shifts", "lock-blocks-writes": "cities payments", "table-rewrite": "contracts", "scan-under-lock": "objects shifts", "index-not-concurrent": "objects shifts", "no-lock-timeout": ""}), rows=20000, blocked_reads_ms=300, blocked_writes_ms=300, index_build_ms=10),
    _clocked("each by itself, tight", _EACH, findings=_of({"lock-blocks-reads": "contracts shifts users", "lock-blocks-writes": "cities payments"}), blocked_reads_ms=200, blocked_writes_ms=300),
    _clocked("outside of transactions, large", _OUTSIDE, findings=_of({"lock-blocks-reads": "cities users", "no-lock-timeout": ""}), rows=20000, blocked_reads_ms=20, blocked_writes_ms=20, index_build_ms=10),
    _clocked("two connections and a savepoint", _SECOND, findings=_of({"lock-blocks-reads": "users", "no-lock-timeout": ""}), rows=20000, blocked_reads_ms=100, blocked_writes_ms=100),
    _clocked("fails within the last of three, large", _FAILS, "NO-GO", findings=_of({"lock-blocks-reads": "contracts objects shifts users", "lock-blocks-writes": "cities shifts", "table-rewrite": "contracts", "scan-under-lock": "objects shifts", "index-not-concurrent": "objects shifts", "no-lock-timeout": ""}), rows=20000, blocked_reads_ms=100, blocked_writes_ms=100, index_build_ms=10),
]  # fmt: skip
# A policy may take the one for nothing, and not the other.
_ALONE = CASES[next(number for number, case in enumerate(CASES) if case.name.endswith("reads wait longer than they may"))]
CASES.append(
    dataclasses.replace(
        _ALONE,
        name="by the clock: only the mode is to be known",
        findings=_of({"one-transaction-holds-all": ""}),
        policy=f"severities: {{lock-blocks-reads: info}}\n{_ALONE.policy}",
    )
)

GOOD = [case for case in [*BASES, *CASES] if case.verdict == "GO"]
BAD = [case for case in [*BASES, *CASES] if case.verdict != "GO"]
