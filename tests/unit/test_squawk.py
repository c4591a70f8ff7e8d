"""squawk: what it is given, what is made of its answer, and how its claims are held against a timeline."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import evidence_files, judge_squawk, report_markdown
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge_timeline import Sizes
from ansible_collections.migrations.rehearsal.plugins.module_utils.masking import mask_sql
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Budgets, Policy
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import squawk
from evidence_builder import good

Event = dict[str, Any]
ALTER = "ALTER TABLE shifts ALTER rate TYPE bigint"
LARGE = Sizes({"shifts": 2_000_000, "users": 2_000_000, "billing.acts": 2_000_000}, {})
SMALL = Sizes({"shifts": 3, "users": 3}, {})
LOCK = {"relation": "shifts", "mode": "AccessExclusive", "table": "shifts", "kind": "r"}


def statement(sql: str, t0: float = 1.0, t1: float = 2.0, revision: str | None = "b2", **more: Any) -> Event:
    return {
        "event": "statement",
        "t": t1,
        "t0": t0,
        "t1": t1,
        "revision": revision,
        "sql": sql,
        "connection": 1,
        "autocommit": False,
        "locks": [],
        "wal": 10,
        **more,
    }


def commit(t: float = 5.0) -> Event:
    return {"event": "commit", "t": t, "t0": t, "t1": t, "connection": 1}


def answer(rule: str, *events: Event, sql: str = ALTER, known: Sizes = LARGE, budgets: Budgets | None = None) -> judge_squawk.Answer:
    claim = {"rule": rule, "revision": "b2", "sql": sql, "message": "m", "help": ""}
    (found,) = judge_squawk.answers({"claims": [claim]}, [*events, commit()], known, budgets or Budgets(), ["shifts", "users", "billing.acts"])
    return found


def said(*found: judge_squawk.Answer) -> list[tuple[str, bool]]:
    return [(one.answer, one.matters) for one in found]


REWRITE = {"relation": "shifts", "kind": "table", "reason": "type"}
INDEX = "CREATE INDEX ix ON shifts (rate)"
SHARE = {**LOCK, "mode": "Share"}
OF_INDEX = {**LOCK, "relation": "ix_rate"}


@pytest.mark.parametrize(
    "rule, event, large, small",
    [
        ("changing-column-type", statement(ALTER, locks=[LOCK], rewrites=[REWRITE]), "confirmed", "confirmed"),
        ("changing-column-type", statement(ALTER, locks=[LOCK]), "refuted", "refuted"),
        ("changing-column-type", statement(ALTER, locks=[LOCK], rewrites=[{**REWRITE, "relation": "users"}]), "refuted", "refuted"),
        ("changing-column-type", statement(ALTER, locks=[LOCK, OF_INDEX], rewrites=[{**REWRITE, "relation": "ix_rate"}]), "confirmed", "confirmed"),
        ("adding-not-nullable-field", statement(ALTER, locks=[LOCK], scans=[{"relation": "shifts", "rows": 9}]), "confirmed", "confirmed"),
        ("adding-not-nullable-field", statement(ALTER, locks=[LOCK]), "refuted", "refuted"),
        ("adding-not-nullable-field", statement(ALTER, scans=[{"relation": "shifts", "rows": 9}]), "refuted", "refuted"),
        ("adding-serial-primary-key-field", statement(ALTER, locks=[LOCK], rewrites=[REWRITE]), "confirmed", "confirmed"),
        ("require-concurrent-index-creation", statement(INDEX, locks=[SHARE]), "confirmed", "confirmed"),
        ("require-concurrent-index-creation", statement(INDEX, locks=[{**LOCK, "mode": "ShareUpdateExclusive"}]), "refuted", "refuted"),
        ("require-lock-timeout", statement(ALTER, locks=[LOCK], lock_timeout="0"), "confirmed", "confirmed"),
        ("require-lock-timeout", statement(ALTER, locks=[LOCK], lock_timeout="5s"), "refuted", "refuted"),
        ("require-lock-timeout", statement(ALTER, locks=[LOCK]), "not measured", "not measured"),
        ("require-lock-timeout", statement(ALTER), "refuted", "refuted"),
        ("ban-concurrent-index-creation-in-transaction", statement(INDEX, autocommit=True), "refuted", "refuted"),
        ("ban-concurrent-index-creation-in-transaction", statement(INDEX), "not measured", "not measured"),
        ("ban-drop-column", statement(ALTER, locks=[LOCK]), "not measured", "not measured"),
    ],
)  # fmt: skip
def test_a_claim_is_held_against_what_was_measured(rule: str, event: Event, large: str, small: str) -> None:
    assert said(answer(rule, event, sql=event["sql"])) == [(large, large == "confirmed")]
    assert said(answer(rule, event, sql=event["sql"], known=SMALL)) == [(small, False)]


def test_a_statement_timeout_is_measured_and_left_to_people() -> None:
    for value, expected in (("0", "confirmed"), ("1min", "refuted")):
        assert said(answer("require-statement-timeout", statement(ALTER, locks=[LOCK], statement_timeout=value))) == [(expected, False)]
    assert answer("require-statement-timeout", statement(ALTER)).answer == "not measured"


def test_a_small_table_matters_when_it_is_held_over_the_budget() -> None:
    event = statement(ALTER, locks=[LOCK], rewrites=[REWRITE])
    assert answer("changing-column-type", event, known=SMALL, budgets=Budgets(blocked_reads_ms=4)).matters is False
    assert answer("changing-column-type", event, known=SMALL, budgets=Budgets(blocked_reads_ms=3)).matters is True
    share = statement(INDEX, locks=[SHARE])
    assert answer("require-concurrent-index-creation", share, sql=INDEX, known=SMALL, budgets=Budgets(blocked_reads_ms=3)).matters is False
    assert answer("require-concurrent-index-creation", share, sql=INDEX, known=SMALL, budgets=Budgets(blocked_writes_ms=3)).matters is True
    # Rows that an index gave in their order are not counted as read; the time is.
    assert said(answer("constraint-missing-not-valid", statement(ALTER, locks=[LOCK]), budgets=Budgets(blocked_reads_ms=3))) == [("confirmed", True)]


def test_the_lock_of_an_earlier_statement_counts() -> None:
    earlier = statement("ALTER TABLE shifts ADD x int", 0.1, 0.2, locks=[LOCK, {**LOCK, "relation": "ix_rate"}])
    assert said(answer("require-concurrent-index-creation", earlier, statement(INDEX), sql=INDEX)) == [("confirmed", True)]
    rebuilt = statement(ALTER, rewrites=[{"relation": "ix_rate", "kind": "index", "reason": "type"}])
    assert said(answer("changing-column-type", earlier, rebuilt)) == [("confirmed", True)]


def test_of_several_tables_and_several_times_the_worst_counts() -> None:
    add = "ALTER TABLE visits ADD FOREIGN KEY (user_id) REFERENCES users"
    referenced = {**LOCK, "relation": "users", "table": "users", "mode": "ShareRowExclusive"}
    event = statement(add, locks=[referenced], scans=[{"relation": "users", "rows": 5}])
    assert answer("adding-foreign-key-constraint", event, sql=add).object == "users"
    twice = [statement(ALTER, locks=[LOCK]), statement(ALTER, 2.5, 3.0, rewrites=[REWRITE])]
    assert said(answer("changing-column-type", *twice), answer("changing-column-type", *reversed(twice))) == [("confirmed", True)] * 2


def test_a_table_of_the_migrations_own_keeps_nobody_waiting() -> None:
    sql = "CREATE INDEX ix ON visits (id)"
    found = answer("require-concurrent-index-creation", statement(sql), sql=sql)
    assert (found.answer, found.measured) == ("refuted", "no table that was there before the upgrade had to wait for it")


def test_a_table_that_was_renamed_on_the_way_is_not_taken_for_a_new_one() -> None:
    sql = "CREATE INDEX ix ON turns (id)"
    renamed = statement("ALTER TABLE shifts RENAME TO turns", 0.1, 0.2, locks=[LOCK])
    found = answer("require-concurrent-index-creation", renamed, statement(sql), sql=sql)
    assert (found.answer, found.matters) == ("not measured", False)


@pytest.mark.parametrize(
    "sql, table",
    [
        ('alter table if exists only "shifts" alter rate type bigint', "shifts"),
        ("ALTER TABLE public.shifts ALTER rate TYPE bigint", "shifts"),
        ("ALTER TABLE SHIFTS ALTER rate TYPE bigint", "shifts"),
        ("ALTER TABLE billing.acts ALTER x TYPE bigint", "billing.acts"),
        ("ALTER TABLE acts ALTER x TYPE bigint", "billing.acts"),
        ("CREATE UNIQUE INDEX ix ON ONLY shifts (rate)", "shifts"),
        ("CREATE INDEX ON shifts (rate)", "shifts"),
        ("ALTER TABLE billing.shifts ALTER x TYPE bigint", ""),
        ('ALTER TABLE "SHIFTS" ALTER x TYPE bigint', ""),
    ],
)
def test_a_statement_names_its_table(sql: str, table: str) -> None:
    assert answer("changing-column-type", statement(sql), sql=sql).object == table


def test_what_was_not_measured_is_not_refuted() -> None:
    unmeasured = statement(ALTER)
    del unmeasured["wal"]
    assert answer("changing-column-type", unmeasured).answer == "not measured"
    assert answer("changing-column-type", {**unmeasured, "sampled": True}).answer == "refuted"
    failed = {"event": "measuring_failed", "t": 2.0, "kind": "x", "message": "x"}
    assert answer("changing-column-type", failed, statement(ALTER)).answer == "not measured"
    assert answer("changing-column-type", {**failed, "t": 2.5}, statement(ALTER)).answer == "refuted"
    assert answer("changing-column-type", statement(ALTER, revision="c3")).answer == "not measured"


@pytest.mark.parametrize("rule", ["prefer-robust-stmts", "prefer-bigint-over-int", "transaction-nesting", "identifier-too-long", "unused-ignore"])
def test_taste_is_left_out(rule: str) -> None:
    claim = {"rule": rule, "revision": "b2", "sql": ALTER, "message": "m", "help": ""}
    assert judge_squawk.answers({"claims": [claim]}, [statement(ALTER)], LARGE, Budgets(), []) == []


def test_one_finding_for_each_rule_and_table() -> None:
    found = [answer("changing-column-type", statement(ALTER, locks=[LOCK], rewrites=[REWRITE]))] * 3
    (finding,) = judge_squawk.findings([*found, answer("ban-drop-column", statement(ALTER))])
    assert finding[:2] == ("squawk-confirmed", "shifts")
    assert "(and 2 more like it)" in finding[2]
    (finding,) = judge_squawk.findings(found[:1])
    assert "more like it" not in finding[2]


# The record.

DOCUMENT: dict[str, Any] = {
    "status": "ran", "reason": "", "version": "2.70.0", "pg_version": "16.4", "statements": 1, "not_read": [],
    "claims": [{"rule": "changing-column-type", "revision": "b2", "sql": "ALTER TABLE shifts ADD COLUMN note text", "message": "m", "help": ""}],
}  # fmt: skip


def test_the_record_says_what_squawk_claims_and_what_was_measured() -> None:
    record = judge(good(squawk=DOCUMENT))
    (claim,) = record["squawk"]["claims"]
    assert (claim["answer"], claim["matters"]) == ("refuted", False)
    assert "squawk-confirmed" not in {finding["code"] for finding in record["findings"]}
    report = report_markdown.markdown(record)
    assert "| refuted | changing-column-type | `b2` | ALTER TABLE shifts ADD COLUMN note text | shifts kept its file" in report
    assert "squawk 2.70.0 looked at 1 statement." in report


def test_where_squawk_did_not_look_the_record_says_so_and_the_verdict_stays() -> None:
    missing = {**DOCUMENT, "status": "missing", "reason": "squawk is not installed on the controller", "claims": []}
    record = judge(good(squawk=missing))
    assert record["verdict"] == judge(good())["verdict"] == "GO"
    assert record["squawk"]["status"] == "missing" and judge(good())["squawk"]["status"] == "not measured"
    assert "It did not look: squawk is not installed" in report_markdown.markdown(record)
    failed = judge(good(squawk={**missing, "status": "failed", "reason": "no answer"}))
    assert [finding["severity"] for finding in failed["findings"] if finding["code"] == "squawk-failed"] == ["info"]
    assert not [finding for finding in record["findings"] if finding["code"] == "squawk-failed"]


def test_a_confirmed_claim_weighs_what_the_policy_says() -> None:
    evidence = good(squawk=DOCUMENT)
    rewritten = [{**event, "rewrites": [REWRITE]} if event["event"] == "statement" else event for event in evidence.migrations["upgrade"]]
    evidence = dataclasses.replace(evidence, migrations={**evidence.migrations, "upgrade": rewritten})
    policy = Policy(budgets=Budgets(small_table_rows=1), severities={"squawk-confirmed": "blocker"})
    assert judge(evidence, policy=policy)["verdict"] == "NO-GO"
    codes = {finding["code"]: finding["severity"] for finding in judge(evidence, policy=Policy(budgets=Budgets(small_table_rows=1)))["findings"]}
    assert codes["squawk-confirmed"] == "info"
    assert "squawk-confirmed" not in {finding["code"] for finding in judge(evidence)["findings"]}


def test_the_answer_is_read_back_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "context.json").write_text(json.dumps(good().context))
    assert evidence_files.load(str(tmp_path)).squawk is None
    (tmp_path / squawk.EVIDENCE).write_text(json.dumps(DOCUMENT))
    assert evidence_files.load(str(tmp_path)).squawk == DOCUMENT


# What it is given.


@pytest.mark.parametrize(
    "sql, expected",
    [
        ("ALTER TABLE t ADD x varchar(20) DEFAULT 'a''b'", "ALTER TABLE t ADD x varchar(0) DEFAULT '***';"),
        ("SELECT set_config(%(a)s, %s, :b), x::text, $1;", "SELECT set_config($1, $1, $1), x::text, $1;"),
        ('ALTER TABLE "a?b:c" ADD CHECK (x %% 2 = 1)', 'ALTER TABLE "a?b:c" ADD CHECK (x % 0 = 0);'),
        ("ALTER TABLE t\n  ADD x int -- why", "ALTER TABLE t ADD x int;"),
    ],
)
def test_a_masked_statement_is_sql_again(sql: str, expected: str) -> None:
    assert squawk.readable(mask_sql(sql)) == expected


def test_rows_are_left_out_and_each_text_is_given_once_a_revision() -> None:
    events = [
        statement(ALTER), statement(ALTER), statement(ALTER, revision="c3"), statement("INSERT INTO t VALUES (?)"), statement("SELECT ?"),
        statement("SET lock_timeout = '***'"), statement("CREATE TABLE x ()", revision=None), statement("DROP TABLE y", failed=True), commit(),
    ]  # fmt: skip
    assert squawk.statements(events) == [
        {"revision": "b2", "sql": ALTER}, {"revision": "c3", "sql": ALTER}, {"revision": "b2", "sql": "SET lock_timeout = '***'"},
    ]  # fmt: skip


# Programs in its place.


def program(directory: Path, body: str) -> str:
    path = directory / "squawk"
    path.write_text(f"#!{sys.executable}\nimport json, sys, time\nif '--version' in sys.argv:\n    print('squawk 2.70.0')\n    sys.exit()\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_what_squawk_cannot_read_does_not_hide_the_rest(tmp_path: Path) -> None:
    """It is asked again without the statement, for what follows may be taken for a part of it."""
    body = """
lines = sys.stdin.read().splitlines()
bad = [n for n, line in enumerate(lines) if 'GARBAGE' in line]
rules = [(n, 'syntax-error') for n in bad] or [(n, 'ban-drop-table') for n, line in enumerate(lines) if line.startswith('DROP')]
print(json.dumps([{'line': n, 'rule_name': rule, 'message': 'm', 'help': None, 'level': 'Warning'} for n, rule in rules]))
assert '--pg-version=16.4' in sys.argv
sys.exit(bool(rules))
"""
    found = squawk.examine(program(tmp_path, body), [statement("ALTER GARBAGE"), statement("DROP TABLE a"), statement("DROP TABLE b")], 160004)
    assert (found["status"], found["version"], found["pg_version"], found["statements"]) == ("ran", "2.70.0", "16.4", 3)
    assert [claim["sql"] for claim in found["claims"]] == ["DROP TABLE a", "DROP TABLE b"]
    assert found["not_read"] == [{"revision": "b2", "sql": "ALTER GARBAGE"}]


@pytest.mark.parametrize(
    "body, reason",
    [
        ("sys.exit(2)", "ended with exit code 2"),
        ("print('Configuration error'); sys.exit(1)", "exit code 1 and gave no answer that can be read"),
        ("print('{}'); print('x')", "no answer that can be read"),
        ("print(json.dumps([{'line': 7, 'rule_name': 'x', 'message': 'm'}])); sys.exit(1)", "no answer that can be read"),
        ("time.sleep(60)", "not done within 1 s"),
    ],
)
def test_a_squawk_that_gives_no_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, reason: str) -> None:
    monkeypatch.setattr(squawk, "_DEADLINE_S", 1.0 if "sleep" in body else 60.0)
    found = squawk.examine(program(tmp_path, body), [statement(ALTER)], 160004)
    assert found["status"] == "failed" and reason in found["reason"]


@pytest.mark.parametrize("says", ["something else", "squawk 1.6.1"])
def test_another_program_of_that_name_is_not_asked(tmp_path: Path, says: str) -> None:
    path = program(tmp_path, "")
    Path(path).write_text(Path(path).read_text().replace("squawk 2.70.0", says))
    assert squawk.examine(path, [statement(ALTER)], None)["status"] == "failed"


def test_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert squawk.examine("auto", [statement(ALTER)], None)["status"] == "missing"
    assert squawk.examine(str(tmp_path / "nothing"), [statement(ALTER)], None)["status"] == "failed"
    mine = program(tmp_path, "print('[]')")
    assert squawk.find("auto") == mine
    assert squawk.examine("never", [statement(ALTER)], None)["status"] == "off"


@pytest.mark.skipif(squawk.find(squawk.AUTO) is None, reason="squawk is not installed")
def test_the_real_one_reads_masked_sql(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # What lies about must not change what it says.
    (tmp_path / ".squawk.toml").write_text('excluded_rules = ["require-concurrent-index-creation"]\n')
    monkeypatch.chdir(tmp_path)
    sql = [mask_sql("ALTER TABLE t ADD x numeric(10, 2) DEFAULT 'a'"), "ALTER GARBAGE ((", INDEX]
    found = squawk.examine("auto", [statement(one) for one in sql], 150018)
    assert found["status"] == "ran", found
    assert "require-concurrent-index-creation" in {claim["rule"] for claim in found["claims"] if claim["sql"] == INDEX}
    assert found["not_read"] == [{"revision": "b2", "sql": "ALTER GARBAGE (("}]
    assert os.listdir(tmp_path) == [".squawk.toml"]


def test_a_rehearsal_that_never_asked_squawk_says_that_nothing_was_read() -> None:
    record = judge_squawk.record_of(None, [])
    assert (record["statements"], record["not_read"], record["claims"], record["version"]) == (0, 0, [], None)
    assert record["reason"] == "the evidence holds no answer of squawk"
