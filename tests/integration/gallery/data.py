"""Revisions that do to existing rows what nobody declared, or not what was declared."""

# A case is read best on few lines.
# ruff: noqa: E501

from __future__ import annotations

from stand import Case

_ROUBLES_DOWN = "ALTER TABLE contracts ALTER hourly_rate TYPE integer USING (hourly_rate * 100)::integer"

_SWAP = (
    "UPDATE audit_log SET actor = CASE what WHEN 'вход 1' THEN '{}' ELSE '{}' END WHERE happened_at IN ('2024-05-01 01:00+00', '2024-05-01 03:00+00')"
)


def _roubles(expression: str) -> str:
    return f"ALTER TABLE contracts ALTER hourly_rate TYPE numeric(10, 2) USING {expression}"


def _declared(what: str) -> str:
    return f"changes:\n  {what}\n"


def _lossy(code: str, name: str, *others: tuple[str, str]) -> frozenset[tuple[str, str]]:
    """The change, and that the way back does not undo it."""
    return frozenset({(code, name), ("downgrade-loses-data", name), *others})


CASES = [
    Case("values changed", "UPDATE contracts SET hourly_rate = hourly_rate + 1", "UPDATE contracts SET hourly_rate = hourly_rate - 1",
         frozenset({("data-changed", "contracts.hourly_rate")}),
         show_keys=True, says=("contracts.hourly_rate changed, in 80 rows (id 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, …)",)),
    Case("one value changed", "UPDATE users SET name = 'Иной' WHERE id = 7", "UPDATE users SET name = 'Имя 7' WHERE id = 7",
         frozenset({("data-changed", "users.name")}),
         show_keys=True, says=("users.name changed, in 1 row (id 7)",)),
    Case("values changed for good", "UPDATE users SET email = upper(email)", findings=_lossy("data-changed", "users.email")),
    Case("values swapped between two rows", "UPDATE contracts SET hourly_rate = 20105 + 20210 - hourly_rate WHERE id IN (1, 2)",
         "UPDATE contracts SET hourly_rate = 20105 + 20210 - hourly_rate WHERE id IN (1, 2)", frozenset({("data-changed", "contracts.hourly_rate")}),
         says=("contracts.hourly_rate changed, in 2 rows;",)),
    Case("values set to NULL", "UPDATE users SET phone = NULL WHERE phone LIKE '+79001%'", findings=_lossy("data-changed", "users.phone"),
         says=("in 9 rows; non-null values: 60, now 51",)),
    Case("NULLs filled", "UPDATE users SET phone = '' WHERE phone IS NULL", "UPDATE users SET phone = NULL WHERE phone = ''",
         frozenset({("data-changed", "users.phone")}),
         says=("users.phone changed, in 20 rows; non-null",)),
    Case("false for NULL in json", "UPDATE objects SET settings = settings || '{\"floor\": null}'",
         findings=_lossy("data-changed", "objects.settings")),
    Case("times shifted", "UPDATE shifts SET started_at = started_at + interval '3 hours'", "UPDATE shifts SET started_at = started_at - interval '3 hours'",
         frozenset({("data-changed", "shifts.started_at")})),
    Case("enum values moved", "UPDATE shifts SET status = 'done' WHERE status = 'running'", findings=_lossy("data-changed", "shifts.status")),
    Case("trailing blanks", "UPDATE contracts SET note = note || ' '", "UPDATE contracts SET note = rtrim(note)",
         frozenset({("data-changed", "contracts.note")})),
    Case("keys renumbered", "UPDATE old_tariffs SET id = id + 1000", "UPDATE old_tariffs SET id = id - 1000",
         frozenset({("data-changed", "old_tariffs")}),
         show_keys=True, says=("old_tariffs: 6 rows are gone and 6 are new, by their keys: keys were changed, or rows lost and as many added (id 1, 2, 3, 4, 5, 6)",)),
    Case("values moved between rows without a key",
         _SWAP.format("user3", "user1"), _SWAP.format("user1", "user3"), frozenset({("data-changed", "audit_log")}),
         says=("but in other rows (",)),
    Case("column made anew", "ALTER TABLE users DROP COLUMN phone;\nALTER TABLE users ADD COLUMN phone text",
         findings=_lossy("data-changed", "users.phone")),
    Case("column made anew, and rows added", "ALTER TABLE cities DROP COLUMN zone;\nALTER TABLE cities ADD COLUMN zone text NOT NULL DEFAULT 'UTC';\n"
         "INSERT INTO cities (name) VALUES ('Тверь')",
         "DELETE FROM cities WHERE name = 'Тверь';\nALTER TABLE cities ALTER zone DROP DEFAULT",
         frozenset({("data-changed", "cities.zone"), ("downgrade-loses-data", "cities.zone")}),
         expectations=_declared("cities: {rows: {added: 1}}"),
         says=("cities.zone changed, in 8 rows",)),
    Case("declared, and dropped", "ALTER TABLE contracts DROP COLUMN note", "ALTER TABLE contracts ADD COLUMN note text",
         _lossy("data-lost", "contracts.note"), expectations=_declared("contracts.note: {expect: 'upper(old)'}")),
    Case("declared, and only renamed", "ALTER TABLE contracts RENAME COLUMN note TO remark", "ALTER TABLE contracts RENAME COLUMN remark TO note",
         frozenset({("data-changed", "contracts.note")}), expectations=_declared("contracts.note: {expect: 'upper(old)'}"),
         says=("is not what was declared (upper(old)), in 64 rows", "contracts.note is called contracts.remark now")),
    Case("column renamed, and a value changed",
         "ALTER TABLE contracts RENAME COLUMN note TO remark;\nUPDATE contracts SET remark = upper(remark) WHERE id = 3",
         "UPDATE contracts SET remark = lower(remark) WHERE id = 3;\nALTER TABLE contracts RENAME COLUMN remark TO note",
         frozenset({("data-changed", "contracts.note")}), says=("contracts.note changed, in 1 row (id 3) (contracts.note is called contracts.remark now)",), show_keys=True),
    Case("table and key renamed, and rows gone",
         "ALTER TABLE old_tariffs RENAME TO tariffs;\nALTER TABLE tariffs RENAME id TO tariff_id;\nDELETE FROM tariffs WHERE tariff_id = 2",
         "INSERT INTO tariffs VALUES (2, 'Тариф 2', 200);\nALTER TABLE tariffs RENAME tariff_id TO id;\nALTER TABLE tariffs RENAME TO old_tariffs",
         frozenset({("rows-changed", "old_tariffs")}), show_keys=True, says=("old_tariffs has 1 row less (id 2): 6, now 5",)),
    Case("said to be a copy, and is none",
         "ALTER TABLE contracts ADD COLUMN remark text;\nUPDATE contracts SET remark = note || '!' WHERE id > 0;\nALTER TABLE contracts DROP COLUMN note",
         "ALTER TABLE contracts ADD COLUMN note text;\nUPDATE contracts SET note = rtrim(remark, '!') WHERE id > 0;\nALTER TABLE contracts DROP COLUMN remark",
         frozenset({("data-changed", "contracts.note")}), expectations=_declared("contracts.remark: {was: note}"), says=("contracts.note changed, in 64 rows",)),
    Case("said to be a copy, and the old one stays", "ALTER TABLE contracts ADD COLUMN remark text", "ALTER TABLE contracts DROP COLUMN remark",
         frozenset({("expectation-not-met", "contracts.note")}), expectations=_declared("contracts.remark: {was: note}"), says=("contracts.note is there still",)),
    Case("said to be a copy, and the old one is called otherwise",
         "ALTER TABLE contracts RENAME note TO memo;\nALTER TABLE contracts ADD COLUMN remark text",
         "ALTER TABLE contracts DROP COLUMN remark;\nALTER TABLE contracts RENAME memo TO note",
         frozenset({("expectation-not-met", "contracts.note")}), expectations=_declared("contracts.remark: {was: note}"),
         says=("contracts.note is called contracts.memo now",)),
    Case("said to be dropped, and only called otherwise",
         "ALTER TABLE contracts RENAME note TO memo", "ALTER TABLE contracts RENAME memo TO note",
         frozenset({("expectation-not-met", "contracts.note")}), expectations=_declared("contracts.note: {dropped: true}"),
         says=("contracts.note is called contracts.memo now",)),
    Case("rows added, and one of the old ones is not as expected",
         "ALTER TABLE cities ADD COLUMN kind text NOT NULL DEFAULT 'old';\nUPDATE cities SET kind = 'new' WHERE id = 3;\n"
         "INSERT INTO cities (id, name, zone, kind) VALUES (9, 'Тверь', 'Europe/Moscow', 'new');\nSELECT setval('cities_id_seq', 9)",
         "DELETE FROM cities WHERE id > 8;\nALTER TABLE cities DROP COLUMN kind", frozenset({("expectation-not-met", "cities.kind")}),
         expectations="after_upgrade: {tables: {cities: {existing_rows: {kind: old}}}}\nchanges: {cities: {rows: {added: 1}}}\n", says=("measured 7 of 8 rows",)),
    Case("which rows are the old ones is not known",
         "ALTER TABLE shift_tags ADD COLUMN kind text NOT NULL DEFAULT 'old';\nUPDATE shift_tags SET tag = 'потом', kind = 'new' WHERE shift_id = 3",
         "UPDATE shift_tags SET tag = 'срочно' WHERE shift_id = 3;\nALTER TABLE shift_tags DROP COLUMN kind",
         frozenset({("data-not-compared", "shift_tags.kind")}), "GO with warnings",
         expectations="after_upgrade: {tables: {shift_tags: {existing_rows: {kind: old}}}}\n"
         "changes: {shift_tags: {rows: {added: 1, removed: 1}}, shift_tags.tag: {changed: true}}\n",
         infos=frozenset({("data-changed", "shift_tags")}), says=("29 of 29 rows that were surely there before; of 1 other without it that is not known",)),
    Case("scale of a number changed, undeclared", "ALTER TABLE payments ALTER amount TYPE numeric(14, 4)", "ALTER TABLE payments ALTER amount TYPE numeric(12, 2)",
         frozenset({("data-changed", "payments.amount")}), says=("its type changed from numeric(12,2) to numeric(14,4): declare «old»",)),
    Case("declared, with the wrong factor", _roubles("hourly_rate / 10.0"), _ROUBLES_DOWN.replace("100", "10"),
         frozenset({("data-changed", "contracts.hourly_rate")}), expectations=_declared("contracts.hourly_rate: {expect: 'old / 100.0'}"),
         says=("is not what was declared (old / 100.0), in 80 rows",)),
    Case("declared, but the cents are cut", _roubles("hourly_rate / 100"), _ROUBLES_DOWN, _lossy("data-changed", "contracts.hourly_rate"),
         expectations=_declared("contracts.hourly_rate: {expect: 'old / 100.0'}")),
    Case("declared, but one row is left out", "UPDATE contracts SET hourly_rate = hourly_rate * 2 WHERE id <> 40",
         "UPDATE contracts SET hourly_rate = hourly_rate / 2 WHERE id <> 40", frozenset({("data-changed", "contracts.hourly_rate")}),
         expectations=_declared("contracts.hourly_rate: {expect: 'old * 2'}"),
         show_keys=True, says=("contracts.hourly_rate is not what was declared (old * 2), in 1 row (id 40)",)),
    Case("declared, but nothing happens", "SELECT 1", findings=frozenset({("data-changed", "users.name")}),
         expectations=_declared("users.name: {expect: 'upper(old)'}")),
    Case("type of a column changed, undeclared", _roubles("hourly_rate / 100.0"), _ROUBLES_DOWN, frozenset({("data-not-compared", "contracts.hourly_rate")})),
    Case("number made text, undeclared", "ALTER TABLE shifts ALTER planned_hours TYPE text",
         "ALTER TABLE shifts ALTER planned_hours TYPE integer USING planned_hours::integer", frozenset({("data-not-compared", "shifts.planned_hours")})),
    Case("rows deleted", "DELETE FROM shift_tags WHERE shift_id < 4",
         "INSERT INTO shift_tags SELECT n, 'срочно' FROM generate_series(1, 3) AS n",
         frozenset({("rows-changed", "shift_tags")}),
         show_keys=True, says=("shift_tags has 3 rows less ((shift_id, tag) (1, срочно), (2, срочно), (3, срочно)): 30, now 27",)),
    Case("table emptied", "TRUNCATE shift_tags", "INSERT INTO shift_tags SELECT n, 'срочно' FROM generate_series(1, 30) AS n",
         frozenset({("rows-changed", "shift_tags")})),
    Case("rows added", "INSERT INTO cities (name, zone) VALUES ('Тверь', 'Europe/Moscow')", "DELETE FROM cities WHERE name = 'Тверь'",
         frozenset({("rows-changed", "cities")}),
         show_keys=True, says=("cities has 1 row more (id 9): 8, now 9",)),
    Case("row replaced by another", "DELETE FROM drafts;\nINSERT INTO drafts VALUES (2, 'черновик')",
         "DELETE FROM drafts;\nINSERT INTO drafts VALUES (1, 'черновик')",
         frozenset({("data-changed", "drafts")}),
         production="INSERT INTO drafts VALUES (1, 'черновик')"),
    Case("more rows added than declared", "INSERT INTO cities (name, zone) SELECT 'Новый ' || n, 'UTC' FROM generate_series(1, 3) AS n",
         "DELETE FROM cities WHERE name LIKE 'Новый %'", frozenset({("rows-changed", "cities")}),
         expectations=_declared("cities: {rows: {added: 2}}")),
    Case("rows lost that were declared as added", "DELETE FROM shift_tags WHERE shift_id = 30", "INSERT INTO shift_tags VALUES (30, 'срочно')",
         frozenset({("rows-changed", "shift_tags")}), expectations=_declared("shift_tags: {rows: {added: any}}")),
    Case("rows deleted behind more rows added", "DELETE FROM old_tariffs WHERE id IN (1, 2);\nINSERT INTO old_tariffs SELECT n, 'T', n FROM generate_series(101, 103) AS n",
         "DELETE FROM old_tariffs WHERE id > 100", frozenset({("rows-changed", "old_tariffs"), ("downgrade-loses-data", "old_tariffs")}),
         expectations=_declared("old_tariffs: {rows: {added: 1}}"), says=("2 rows are gone and 3 are new", "declared: 1 rows added, 0 removed")),
    Case("declared rows that do not come", "SELECT 1", findings=frozenset({("rows-changed", "cities")}), expectations=_declared("cities: {rows: {added: 3}}")),
    Case("column dropped that was declared as changed", "ALTER TABLE contracts DROP COLUMN note", "ALTER TABLE contracts ADD COLUMN note text",
         _lossy("data-lost", "contracts.note"), expectations=_declared("contracts.note: {changed: true}")),
    Case("large object lost", "SELECT lo_unlink(4711)", "SELECT lo_from_bytea(4711, 'page')",
         frozenset({("rows-changed", "pg_catalog.pg_largeobject")}), production="SELECT lo_from_bytea(4711, 'page')"),
    Case("large object written", "SELECT lo_put(4711, 1, 'l')", "SELECT lo_put(4711, 1, 'a')",
         frozenset({("data-changed", "pg_catalog.pg_largeobject.data")}), production="SELECT lo_from_bytea(4711, 'page')"),
    Case("column with values dropped", "ALTER TABLE contracts DROP COLUMN note", "ALTER TABLE contracts ADD COLUMN note text",
         _lossy("data-lost", "contracts.note"),
         says=("contracts.note changed, in 64 rows",)),
    Case("table with rows dropped", "DROP TABLE old_tariffs",
         "CREATE TABLE old_tariffs (id bigint PRIMARY KEY, name text NOT NULL, price integer NOT NULL)", _lossy("data-lost", "old_tariffs")),
    Case("table dropped that was declared as changed", "DROP TABLE old_tariffs",
         "CREATE TABLE old_tariffs (id bigint PRIMARY KEY, name text NOT NULL, price integer NOT NULL)", _lossy("data-lost", "old_tariffs"),
         expectations=_declared("old_tariffs: {rows: {removed: any}}")),
    Case("declared drop that does not happen", "SELECT 1", findings=frozenset({("expectation-not-met", "old_tariffs")}),
         expectations=_declared("old_tariffs: {dropped: true}")),
]  # fmt: skip
