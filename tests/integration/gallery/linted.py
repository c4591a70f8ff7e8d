"""Statements that squawk warns of, on a production that is large or small by its policy; what was measured decides who is right."""

# A case is read best on few lines.
# ruff: noqa: E501

from __future__ import annotations

from stand import Case

_WARNED = "GO with warnings"
_PATIENT = "SET LOCAL lock_timeout = '5s'"
_HEARD = "severities: {squawk-confirmed: warning}\n"
_LARGE = f"{_HEARD}budgets: {{blocked_reads_ms: 60000, blocked_writes_ms: 60000, index_build_ms: 60000, small_table_rows: 50}}\n"

Answers = dict[str, str]


def _right(name: str, rule: str, up: str, down: str, *own: str, patient: str = f"{_PATIENT};\n", production: str = "") -> tuple[Case, Answers]:
    """squawk is right, and the table is large; `own`: the codes by which the rehearsal says it in figures."""
    findings = {("squawk-confirmed", "shifts"), *((code, "" if code == "no-lock-timeout" else "shifts") for code in own)}
    return Case(f"squawk is right: {name}", patient + up, down, frozenset(findings), _WARNED, policy=_LARGE, production=production), {
        rule: "confirmed"
    }


def _wrong(name: str, rule: str, up: str, down: str, policy: str = _LARGE, answer: str = "refuted", production: str = "") -> tuple[Case, Answers]:
    return Case(f"squawk warns in vain: {name}", f"{_PATIENT};\n{up}", down, verdict="GO", policy=policy, production=production), {rule: answer}


CASES = [
    _right("type changed", "changing-column-type", "ALTER TABLE shifts ALTER planned_hours TYPE bigint", "ALTER TABLE shifts ALTER planned_hours TYPE integer", "table-rewrite"),
    _right("volatile default", "adding-field-with-default", "ALTER TABLE shifts ADD COLUMN made integer DEFAULT (random() * 0)::integer", "ALTER TABLE shifts DROP COLUMN made",
           "table-rewrite"),
    _right("index", "require-concurrent-index-creation", "CREATE INDEX ix_shifts_started ON shifts (started_at)", "DROP INDEX ix_shifts_started"),
    _right("index dropped", "require-concurrent-index-deletion", "DROP INDEX ix_shifts_open", "CREATE INDEX ix_shifts_open ON shifts (ended_at)",
           production="CREATE INDEX ix_shifts_open ON shifts (ended_at)"),
    _right("check", "constraint-missing-not-valid", "ALTER TABLE shifts ADD CONSTRAINT shifts_hours CHECK (planned_hours > 0)", "ALTER TABLE shifts DROP CONSTRAINT shifts_hours",
           "scan-under-lock"),
    _right("NOT NULL", "adding-not-nullable-field", "ALTER TABLE shifts ALTER legacy_code SET NOT NULL", "ALTER TABLE shifts ALTER legacy_code DROP NOT NULL", "scan-under-lock"),
    _right("unique", "disallowed-unique-constraint", "ALTER TABLE shifts ADD CONSTRAINT shifts_started UNIQUE (id, started_at)", "ALTER TABLE shifts DROP CONSTRAINT shifts_started",
           "scan-under-lock"),
    _right("no lock_timeout", "require-lock-timeout", "ALTER TABLE shifts ADD COLUMN note text", "ALTER TABLE shifts DROP COLUMN note", "no-lock-timeout", patient=""),
    _wrong("no rewrite for a longer varchar", "changing-column-type", "ALTER TABLE objects ALTER code TYPE varchar(20)", "ALTER TABLE objects ALTER code TYPE varchar(10)"),
    _wrong("constant default", "adding-field-with-default", "ALTER TABLE shifts ADD COLUMN made integer NOT NULL DEFAULT 0", "ALTER TABLE shifts DROP COLUMN made", answer=""),
    _wrong("NOT NULL behind a valid check", "adding-not-nullable-field", "ALTER TABLE shifts ALTER legacy_code SET NOT NULL", "ALTER TABLE shifts ALTER legacy_code DROP NOT NULL",
           production="ALTER TABLE shifts ADD CONSTRAINT shifts_code CHECK (legacy_code IS NOT NULL)"),
    _wrong("index on a small table", "require-concurrent-index-creation", "CREATE INDEX ix_shifts_started ON shifts (started_at)", "DROP INDEX ix_shifts_started", _HEARD, "confirmed"),
    _wrong("rewrite of a small table", "changing-column-type", "ALTER TABLE shifts ALTER planned_hours TYPE bigint", "ALTER TABLE shifts ALTER planned_hours TYPE integer", _HEARD, "confirmed"),
    _wrong("clients of a renamed column", "renaming-column", "ALTER TABLE shifts RENAME COLUMN legacy_code TO old_code", "ALTER TABLE shifts RENAME COLUMN old_code TO legacy_code", answer="not measured"),
    _wrong("column of text", "prefer-text-field", "ALTER TABLE objects ADD COLUMN colour varchar(20)", "ALTER TABLE objects DROP COLUMN colour", answer=""),
]  # fmt: skip
