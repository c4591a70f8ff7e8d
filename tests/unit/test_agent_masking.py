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


@pytest.mark.parametrize(
    "line",
    [
        "ПОДРОБНОСТИ:  Ошибочная строка содержит (1, Иванов, null).",
        "DÉTAIL : La ligne en échec contient (1, Иванов, null).",
        "DETAIL:  Fehlgeschlagene Zeile enthält (1, Иванов, null).",
        "ZUSAMMENHANG:  COPY users, Zeile 1, Spalte name: »Иванов«",
        "详细信息:  失败, 行包含(1, Иванов, null).",
        "DETALLE:  La fila que falla contiene (1, Иванов, null).",
    ],
)
def test_the_log_holds_no_row_in_any_language(line: str) -> None:
    assert "Иванов" not in mask_text(f"psycopg.errors.NotNullViolation: x\n{line}\n")
    assert "Иванов" not in mask_text(line)


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


ALTER = "ALTER TABLE billing.shifts ADD COLUMN planned_start integer DEFAULT 12"


@pytest.mark.parametrize(
    ("sqlstate", "message", "masked"),
    [
        # A value goes, a name of the statement stays, in the quotes of every catalog.
        ("22P02", "syntaxe invalide pour le type integer : « Dupont 0612345678 »", "syntaxe invalide pour le type integer : «***»"),
        ("22P02", "ungültige Eingabesyntax für Typ integer: »Schmidt«", "ungültige Eingabesyntax für Typ integer: »***«"),
        ("22P02", 'неверный синтаксис для типа integer: "Иванов"', 'неверный синтаксис для типа integer: "***"'),
        ("22P02", 'invalid input syntax for type integer: "Ivanov"', 'invalid input syntax for type integer: "***"'),
        ("22000", "invalid input for query argument $1: 'Ivanov' (no integer)", "invalid input for query argument $1: '***' (no integer)"),
        ("42701", 'столбец "planned_start" отношения "shifts" уже существует', 'столбец "planned_start" отношения "shifts" уже существует'),
        ("42P07", "la relation « billing.shifts » existe déjà", "la relation « billing.shifts » existe déjà"),
        ("42701", "Spalte »planned_start« von Relation »shifts« existiert bereits", "Spalte »planned_start« von Relation »shifts« existiert bereits"),
        ("23505", 'повторяющееся значение ключа нарушает ограничение уникальности "shifts_email_key"',
         'повторяющееся значение ключа нарушает ограничение уникальности "shifts_email_key"'),
        ("P0001", "l'utilisateur « Dupont » n'est pas 'connu'", "l'utilisateur «***» n'est pas '***'"),
    ],
)  # fmt: skip
def test_a_servers_message_keeps_names_and_no_values_in_any_language(sqlstate: str, message: str, masked: str) -> None:
    event = {"event": "error", "kind": "X", "sqlstate": sqlstate, "message": message, "statement": ALTER, "constraint_name": "shifts_email_key"}
    assert mask_event(event, [])["message"] == masked


@pytest.mark.parametrize("field", ["message", "suspects"])
def test_what_measuring_and_the_fence_say_is_masked_too(field: str) -> None:
    failed = {"event": "measuring_failed", "kind": "DataError", "message": 'invalid input: "hunter22" of postgresql://me:hunter22@host/db'}
    fence = {"event": "fence", "reason": "r", "suspects": ["url: postgresql://me:hunter22@host/db in settings.yml names this database", "hunter22"]}
    assert "hunter22" not in repr(mask_event(failed if field == "message" else fence, ["hunter22"]))


@pytest.mark.parametrize("quotes", ["''", '""', "«»", "»«", "„\u201c", "\u201c\u201d"])
def test_a_message_is_never_cut_within_a_quoted_value(quotes: str) -> None:
    line = "x" * (application_masking.MOST_LINE - 8) + f" {quotes[0]}hunter22 and more{quotes[1]} end"
    assert "hunt" not in application_masking.shorten(line)
