"""Revisions that keep others waiting, or do their work where nobody sees it; the budgets are small enough for a small production."""

# A case is read best on few lines.
# ruff: noqa: E501

from __future__ import annotations

from stand import Case

_WARNED = "GO with warnings"
_PATIENT = "SET LOCAL lock_timeout = '5s'"
_HELD = "SELECT pg_sleep(0.4)"


def _policy(**budgets: int) -> str:
    given = {"blocked_reads_ms": 60000, "blocked_writes_ms": 60000, "index_build_ms": 60000, **budgets}
    return "budgets:\n" + "".join(f"  {name}: {value}\n" for name, value in given.items())


CASES = [
    Case("reads blocked over budget", f"ALTER TABLE users ADD COLUMN nick text;\n{_HELD}", "ALTER TABLE users DROP COLUMN nick",
         frozenset({("lock-blocks-reads", "users")}), _WARNED, policy=_policy(blocked_reads_ms=300)),
    Case("writes blocked over budget", f"CREATE INDEX ix_shifts_started ON shifts (started_at);\n{_HELD}", "DROP INDEX ix_shifts_started",
         frozenset({("lock-blocks-writes", "shifts")}), _WARNED, policy=_policy(blocked_writes_ms=300)),
    Case("one transaction holds the locks of all", "ALTER TABLE users ADD COLUMN nick text", "ALTER TABLE users DROP COLUMN nick",
         frozenset({("lock-blocks-reads", "users"), ("one-transaction-holds-all", "")}), _WARNED, policy=_policy(blocked_reads_ms=300),
         more=(("m2", "m1", _HELD, "SELECT 1"),)),
    Case("large table rewritten", f"{_PATIENT};\nALTER TABLE shifts ALTER planned_hours TYPE bigint", "ALTER TABLE shifts ALTER planned_hours TYPE integer",
         frozenset({("table-rewrite", "shifts")}), _WARNED, policy=_policy(small_table_rows=50)),
    Case("large table read under lock", f"{_PATIENT};\nALTER TABLE shifts ALTER legacy_code SET NOT NULL", "ALTER TABLE shifts ALTER legacy_code DROP NOT NULL",
         frozenset({("scan-under-lock", "shifts")}), _WARNED, policy=_policy(small_table_rows=50)),
    Case("no end to waiting for a lock", "ALTER TABLE shifts ADD COLUMN note text", "ALTER TABLE shifts DROP COLUMN note",
         frozenset({("no-lock-timeout", "")}), _WARNED, policy=_policy(small_table_rows=50)),
    Case("a program is started", "# python\nimport subprocess\nsubprocess.run(['true'], check=True)", findings=frozenset({("program-started", "true")}), verdict=_WARNED),
    Case("a warning made a blocker by the policy", "CREATE INDEX ix_shifts_who ON shifts (user_id)", "DROP INDEX ix_shifts_who",
         frozenset({("index-duplicate", "ix_shifts_who")}), "NO-GO", policy="severities: {index-duplicate: blocker}\n"),
]  # fmt: skip

ACCEPTED = Case("a warning that the policy accepts", "CREATE INDEX ix_shifts_who ON shifts (user_id)", "DROP INDEX ix_shifts_who", verdict="GO",
                infos=frozenset({("index-duplicate", "ix_shifts_who")}),
                policy="accepted:\n  - {code: index-duplicate, object: ix_shifts_who, reason: small, until: 2099-12-31}\n")  # fmt: skip
