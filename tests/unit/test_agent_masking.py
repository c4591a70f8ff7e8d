"""What comes from the application's process leaves application.py without secrets and values."""

from __future__ import annotations

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import application_masking
from ansible_collections.migrations.rehearsal.plugins.module_utils.application_masking import mask_event, mask_statement, mask_text


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES ('open value",
        "INSERT INTO t VALUES ('done', 'open ''value",
        "DO $$ BEGIN RAISE NOTICE 'value",
        "DO $tag$ value",
        "SELECT $tag$done$tag$, $tag$ value",
    ],
)
def test_a_literal_that_was_cut_goes_whole(sql: str) -> None:
    masked = mask_statement(sql, truncated=True)
    assert "value" not in masked and masked.endswith("…")
    assert masked.split()[0] in ("INSERT", "DO", "SELECT")


def test_a_statement_keeps_its_names() -> None:
    assert mask_statement("UPDATE \"T\" SET a = 'x', b = 12 WHERE c = $1") == "UPDATE \"T\" SET a = '***', b = ? WHERE c = $1"


@pytest.mark.parametrize(
    "text, hidden",
    [
        ("postgresql+psycopg://me:hunter22@host/db", ()),
        ("connecting with password=hunter22 now", ()),
        ("the key is hunter22", ("hunter22",)),
        ("[SQL: INSERT INTO t VALUES (%(a)s)]\n[parameters: {'a': 'hunter22', 'b': 7}]", ()),
        ('ERROR:  duplicate key value violates unique constraint "u"\nDETAIL:  Key (name)=(hunter22) already exists.', ()),
        ("UPDATE t SET name = 'hunter22'", ()),
    ],
)
def test_the_log_holds_no_secret_and_no_value(text: str, hidden: tuple[str, ...]) -> None:
    assert "hunter22" not in mask_text(text, hidden)


def test_names_in_server_messages_stay() -> None:
    assert 'constraint "u"' in mask_text('duplicate key value violates unique constraint "u"')


@pytest.mark.parametrize("start", range(application_masking.MOST_LINE - 40, application_masking.MOST_LINE + 3))
def test_a_line_is_never_cut_within_a_secret(start: int) -> None:
    for secret in ("postgresql://me:hunter22@host/db", "'hunter22 hunter22 hunter22'", "password=hunter22"):
        line = "x" * (start - 1) + " " + secret + " end\n"
        masked = mask_text(application_masking.shorten(line))
        assert "hunt" not in masked


def test_an_error_event_is_masked_and_complete() -> None:
    raw = {"event": "error", "t": 1.0, "kind": "DataError", "sqlstate": "22P02", "message": 'invalid input syntax for type integer: "hunter22"'}
    masked = mask_event({**raw, "statement": "SELECT 'hunter22'::int"}, [])
    assert "hunter22" not in repr(masked)
    assert masked["message"].startswith("invalid input syntax for type integer")
    assert {"revision", "statement", "file", "line", "sqlstate"} <= set(masked)


def test_a_long_line_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(application_masking, "mask_text", lambda text, hidden: seen.append(len(text)) or text)
    log = application_masking.Log(None, [])
    log.add("x" * 1_000_000 + "\n")
    assert seen[0] <= application_masking.MOST_LINE + 100
