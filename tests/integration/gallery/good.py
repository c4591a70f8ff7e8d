"""Revisions with which nothing is wrong."""

# A case is read best on few lines.
# ruff: noqa: E501

from __future__ import annotations

import expecting
import locks
from stand import ROLE, Case

_OLD_DEFECTS = """\
ALTER TABLE payments ADD CONSTRAINT payments_approved_fk FOREIGN KEY (approved_by) REFERENCES users NOT VALID;
CREATE INDEX ix_users_town ON users (city_id);
SELECT setval('users_id_seq', 3);
CREATE TABLE kinds (id smallint PRIMARY KEY);
INSERT INTO kinds VALUES (32000)"""


def _good(name: str, up: str, down: str, expectations: str = "", **more: object) -> Case:
    return Case(name, up, down, verdict="GO", expectations=expectations, **more)  # type: ignore[arg-type]


_VISITS = "CREATE TABLE visits (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint NOT NULL REFERENCES users)"

CASES = [
    _good("nullable column", "ALTER TABLE users ADD COLUMN nick text", "ALTER TABLE users DROP COLUMN nick"),
    _good("column with a default", "ALTER TABLE shifts ADD COLUMN late boolean NOT NULL DEFAULT true", "ALTER TABLE shifts DROP COLUMN late"),
    _good("generated column", "ALTER TABLE payments ADD COLUMN cents bigint GENERATED ALWAYS AS (amount * 100) STORED", "ALTER TABLE payments DROP COLUMN cents"),
    _good("by op.add_column", "op.add_column('users', sa.Column('nick', sa.Text()))", "op.drop_column('users', 'nick')"),
    _good("new table", "CREATE TABLE visits (id bigint PRIMARY KEY, note text)", "DROP TABLE visits"),
    _good("new table with a foreign key and its index", f"{_VISITS};\nCREATE INDEX ix_visits_user ON visits (user_id)", "DROP TABLE visits"),
    _good("new table with rows", "CREATE TABLE kinds (id bigint PRIMARY KEY, name text NOT NULL);\nINSERT INTO kinds VALUES (1, 'наличные'), (2, 'карта')",
          "DROP TABLE kinds"),
    _good("by op.create_table", "op.create_table('visits', sa.Column('id', sa.BigInteger(), primary_key=True), sa.Column('note', sa.Text()))",
          "op.drop_table('visits')"),
    _good("partitioned table", "CREATE TABLE events (id bigint, at date) PARTITION BY RANGE (at);\n"
          "CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')", "DROP TABLE events"),
    _good("index", "CREATE INDEX ix_shifts_started ON shifts (started_at)", "DROP INDEX ix_shifts_started"),
    _good("partial index", "CREATE INDEX ix_shifts_open ON shifts (started_at) WHERE ended_at IS NULL", "DROP INDEX ix_shifts_open"),
    _good("concurrent index", "# python\nwith op.get_context().autocommit_block():\n    op.execute('CREATE INDEX CONCURRENTLY ix_shifts_started ON shifts (started_at)')",
          "# python\nwith op.get_context().autocommit_block():\n    op.execute('DROP INDEX CONCURRENTLY ix_shifts_started')"),
    _good("unique index", "CREATE UNIQUE INDEX ux_objects_code ON objects (code)", "DROP INDEX ux_objects_code"),
    _good("check, then validated", "ALTER TABLE shifts ADD CONSTRAINT shifts_positive CHECK (planned_hours > 0) NOT VALID;\n"
          "ALTER TABLE shifts VALIDATE CONSTRAINT shifts_positive", "ALTER TABLE shifts DROP CONSTRAINT shifts_positive"),
    _good("foreign key over clean rows",
          "UPDATE payments SET approved_by = NULL WHERE approved_by > 1000;\nCREATE INDEX ix_payments_approved ON payments (approved_by);\n"
          "ALTER TABLE payments ADD CONSTRAINT payments_approved_fk FOREIGN KEY (approved_by) REFERENCES users",
          "ALTER TABLE payments DROP CONSTRAINT payments_approved_fk;\nDROP INDEX ix_payments_approved;\n"
          "UPDATE payments SET approved_by = 1000 + id WHERE approved_by IS NULL",
          "changes:\n  payments.approved_by: {expect: 'CASE WHEN old < 1000 THEN old END', reason: approvers who left}\n"),
    _good("NOT NULL where no NULL is", "ALTER TABLE objects ALTER code SET NOT NULL", "ALTER TABLE objects ALTER code DROP NOT NULL"),
    _good("NOT NULL taken away", "ALTER TABLE objects ALTER title DROP NOT NULL", "ALTER TABLE objects ALTER title SET NOT NULL"),
    _good("default set", "ALTER TABLE objects ALTER code SET DEFAULT 'K0'", "ALTER TABLE objects ALTER code DROP DEFAULT"),
    _good("varchar made longer", "ALTER TABLE objects ALTER code TYPE varchar(20)", "ALTER TABLE objects ALTER code TYPE varchar(10)"),
    _good("varchar made text", "ALTER TABLE objects ALTER code TYPE text", "ALTER TABLE objects ALTER code TYPE varchar(10)"),
    _good("integer made bigint", "ALTER TABLE shifts ALTER planned_hours TYPE bigint", "ALTER TABLE shifts ALTER planned_hours TYPE integer"),
    _good("kopecks to roubles, declared", "ALTER TABLE contracts ALTER hourly_rate TYPE numeric(10, 2) USING hourly_rate / 100.0",
          "ALTER TABLE contracts ALTER hourly_rate TYPE integer USING (hourly_rate * 100)::integer",
          "changes:\n  contracts.hourly_rate: {expect: 'old / 100.0', reason: kopecks become roubles}\n"),
    _good("scale of a number changed, declared", "ALTER TABLE payments ALTER amount TYPE numeric(14, 4)", "ALTER TABLE payments ALTER amount TYPE numeric(12, 2)",
          "changes:\n  payments.amount: {expect: old}\n"),
    _good("values changed, declared", "UPDATE contracts SET hourly_rate = hourly_rate * 2", "UPDATE contracts SET hourly_rate = hourly_rate / 2",
          "changes:\n  contracts.hourly_rate: {expect: 'old * 2'}\n"),
    _good("rows added, declared", "INSERT INTO cities (name, zone) VALUES ('Тверь', 'Europe/Moscow')", "DELETE FROM cities WHERE name = 'Тверь'",
          "changes:\n  cities: {rows: {added: 1}}\n"),
    _good("rows deleted, declared", "DELETE FROM shift_tags WHERE shift_id < 4", "INSERT INTO shift_tags SELECT n, 'срочно' FROM generate_series(1, 3) AS n",
          "changes:\n  shift_tags: {rows: {removed: 3}}\n"),
    _good("rows replaced, declared", "DELETE FROM drafts;\nINSERT INTO drafts VALUES (3, 'a'), (4, 'b')", "DELETE FROM drafts;\nINSERT INTO drafts VALUES (1, 'a'), (2, 'b')",
          "changes:\n  drafts: {rows: {added: 2, removed: 2}}\n", production="INSERT INTO drafts VALUES (1, 'a'), (2, 'b')",
          infos=frozenset({("data-changed", "drafts")})),
    _good("rows added and others deleted, declared", "DELETE FROM drafts WHERE id = 1;\nINSERT INTO drafts VALUES (3, 'c'), (4, 'd')",
          "DELETE FROM drafts WHERE id > 2;\nINSERT INTO drafts VALUES (1, 'a')",
          "changes:\n  drafts: {rows: {added: 2, removed: 1}}\n", production="INSERT INTO drafts VALUES (1, 'a'), (2, 'b')",
          infos=frozenset({("rows-changed", "drafts")})),
    _good("empty table dropped, declared", "DROP TABLE drafts", "CREATE TABLE drafts (id bigint PRIMARY KEY, body text)",
          "changes:\n  drafts: {dropped: true}\n"),
    _good("empty table dropped", "DROP TABLE drafts", "CREATE TABLE drafts (id bigint PRIMARY KEY, body text)"),
    _good("table with rows dropped, declared", "DROP TABLE old_tariffs",
          "CREATE TABLE old_tariffs (id bigint PRIMARY KEY, name text NOT NULL, price integer NOT NULL)",
          "changes:\n  old_tariffs: {dropped: true, reason: nobody reads it}\n",
          infos=frozenset({("data-lost", "old_tariffs"), ("downgrade-loses-data", "old_tariffs")})),
    _good("column renamed", "ALTER TABLE contracts RENAME COLUMN note TO remark", "ALTER TABLE contracts RENAME COLUMN remark TO note"),
    _good("column renamed, and of another type", "ALTER TABLE contracts RENAME hourly_rate TO rate;\nALTER TABLE contracts ALTER rate TYPE bigint",
          "ALTER TABLE contracts ALTER rate TYPE integer;\nALTER TABLE contracts RENAME rate TO hourly_rate"),
    _good("column renamed and converted, declared", "ALTER TABLE contracts RENAME hourly_rate TO rate;\n"
          "ALTER TABLE contracts ALTER rate TYPE numeric(10, 2) USING rate / 100.0",
          "ALTER TABLE contracts ALTER rate TYPE integer USING rate * 100;\nALTER TABLE contracts RENAME rate TO hourly_rate",
          "changes: {contracts.hourly_rate: {expect: old / 100.0}}\n"),
    _good("column renamed and NOT NULL", "ALTER TABLE objects RENAME code TO ref;\nALTER TABLE objects ALTER ref SET NOT NULL",
          "ALTER TABLE objects ALTER ref DROP NOT NULL;\nALTER TABLE objects RENAME ref TO code"),
    _good("column copied and dropped, told", "ALTER TABLE contracts ADD COLUMN remark text;\nUPDATE contracts SET remark = upper(note);\nALTER TABLE contracts DROP COLUMN note",
          "ALTER TABLE contracts ADD COLUMN note text;\nUPDATE contracts SET note = lower(remark);\nALTER TABLE contracts DROP COLUMN remark",
          "changes: {contracts.remark: {was: note, expect: upper(old)}}\n"),
    _good("table copied and dropped, told", "CREATE TABLE tariffs (id bigint PRIMARY KEY, name text NOT NULL, price integer NOT NULL, note text);\n"
          "INSERT INTO tariffs SELECT id, name, price FROM old_tariffs;\nDROP TABLE old_tariffs",
          "CREATE TABLE old_tariffs (id bigint PRIMARY KEY, name text NOT NULL, price integer NOT NULL);\n"
          "INSERT INTO old_tariffs SELECT id, name, price FROM tariffs;\nDROP TABLE tariffs", "changes: {tariffs: {was: old_tariffs}}\n"),
    _good("table renamed, and a column added", "ALTER TABLE payments RENAME TO payouts;\nALTER TABLE payouts ADD COLUMN memo text",
          "ALTER TABLE payouts DROP COLUMN memo;\nALTER TABLE payouts RENAME TO payments"),
    _good("table in another schema, its key renamed", "CREATE SCHEMA billing;\nALTER TABLE shifts SET SCHEMA billing;\nALTER TABLE billing.shifts RENAME id TO shift_id",
          "ALTER TABLE billing.shifts RENAME shift_id TO id;\nALTER TABLE billing.shifts SET SCHEMA public;\nDROP SCHEMA billing"),
    _good("rows added that are not as the old ones", "ALTER TABLE cities ADD COLUMN kind text NOT NULL DEFAULT 'old';\n"
          "INSERT INTO cities (name, zone, kind) VALUES ('Тверь', 'Europe/Moscow', 'new')", "DELETE FROM cities WHERE id > 8;\nALTER TABLE cities DROP COLUMN kind",
          "after_upgrade: {tables: {cities: {existing_rows: {kind: old}}}}\nchanges: {cities: {rows: {added: 1}}}\n", infos=frozenset({("rows-changed", "cities")})),
    _good("rows added that are not as the old ones, every row written, table and key renamed",
          "ALTER TABLE old_tariffs RENAME TO tariffs;\nALTER TABLE tariffs RENAME id TO tariff_id;\nALTER TABLE tariffs ADD COLUMN kind text;\nUPDATE tariffs SET kind = 'old';\n"
          "INSERT INTO tariffs VALUES (7, 'Тариф 7', 700, 'new')",
          "DELETE FROM tariffs WHERE tariff_id = 7;\nALTER TABLE tariffs DROP COLUMN kind;\nALTER TABLE tariffs RENAME tariff_id TO id;\nALTER TABLE tariffs RENAME TO old_tariffs",
          "after_upgrade: {tables: {tariffs: {existing_rows: {kind: old}}}}\nchanges: {old_tariffs: {rows: {added: 1}}}\n", infos=frozenset({("rows-changed", "old_tariffs")})),
    _good("rows added to a table without a key that are not as the old ones",
          "ALTER TABLE audit_log ADD COLUMN kind text;\nUPDATE audit_log SET kind = 'old';\nINSERT INTO audit_log VALUES ('2025-01-01 00:00+00', 'user1', 'выход', 'new')",
          "DELETE FROM audit_log WHERE what = 'выход';\nALTER TABLE audit_log DROP COLUMN kind",
          "after_upgrade: {tables: {audit_log: {existing_rows: {kind: old}}}}\nchanges: {audit_log: {rows: {added: 1}}}\n", infos=frozenset({("rows-changed", "audit_log")})),
    _good("table copied and dropped, as anybody sees", "CREATE TABLE tariffs (id bigint PRIMARY KEY, name text NOT NULL, price integer NOT NULL);\nINSERT INTO tariffs SELECT * FROM old_tariffs;\nDROP TABLE old_tariffs",
          "CREATE TABLE old_tariffs (id bigint PRIMARY KEY, name text NOT NULL, price integer NOT NULL);\nINSERT INTO old_tariffs SELECT * FROM tariffs;\nDROP TABLE tariffs",
          infos=frozenset({("data-lost", "old_tariffs")})),
    _good("column copied and dropped, as anybody sees", "ALTER TABLE contracts ADD COLUMN remark text;\nUPDATE contracts SET remark = note;\nALTER TABLE contracts DROP COLUMN note",
          "ALTER TABLE contracts ADD COLUMN note text;\nUPDATE contracts SET note = remark;\nALTER TABLE contracts DROP COLUMN remark", infos=frozenset({("data-lost", "contracts.note")})),
    _good("rows added to what has none", "INSERT INTO drafts VALUES (1, 'a'), (2, 'b')", "DELETE FROM drafts", "changes: {drafts: {rows: {added: 2}}}\n", infos=frozenset({("rows-changed", "drafts")})),
    _good("column of no values of another type", "ALTER TABLE drafts ALTER body TYPE integer USING body::integer", "ALTER TABLE drafts ALTER body TYPE text"),
    _good("primary key moved to another column", "ALTER TABLE old_tariffs DROP CONSTRAINT old_tariffs_pkey, ADD CONSTRAINT old_tariffs_pkey PRIMARY KEY (name);\nALTER TABLE old_tariffs ALTER id DROP NOT NULL;\nUPDATE old_tariffs SET price = price",
          "ALTER TABLE old_tariffs DROP CONSTRAINT old_tariffs_pkey, ADD CONSTRAINT old_tariffs_pkey PRIMARY KEY (id)"),
    _good("primary key taken away", "ALTER TABLE old_tariffs DROP CONSTRAINT old_tariffs_pkey;\nUPDATE old_tariffs SET price = price", "ALTER TABLE old_tariffs ADD CONSTRAINT old_tariffs_pkey PRIMARY KEY (id)"),
    _good("table renamed", "ALTER TABLE old_tariffs RENAME TO tariffs", "ALTER TABLE tariffs RENAME TO old_tariffs"),
    _good("view", "CREATE VIEW late_shifts AS SELECT id FROM shifts WHERE ended_at IS NULL", "DROP VIEW late_shifts"),
    _good("function and trigger", "CREATE FUNCTION half(n integer) RETURNS integer LANGUAGE sql AS 'SELECT n / 2';\n"
          "CREATE TRIGGER drafts_same BEFORE UPDATE ON drafts FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
          "DROP TRIGGER drafts_same ON drafts;\nDROP FUNCTION half(integer)"),
    _good("trigger that only notifies", "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY payments; RETURN NEW; END $$;\n"
          "CREATE TRIGGER payments_tell AFTER UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION tell()",
          "DROP TRIGGER payments_tell ON payments;\nDROP FUNCTION tell()", infos=frozenset({("outside-world", "payments.payments_tell")})),
    _good("enum type", "CREATE TYPE mood AS ENUM ('good', 'bad');\nALTER TABLE users ADD COLUMN mood mood",
          "ALTER TABLE users DROP COLUMN mood;\nDROP TYPE mood"),
    _good("sequence", "CREATE SEQUENCE act_numbers", "DROP SEQUENCE act_numbers"),
    _good("grant", f"GRANT SELECT ON drafts TO {ROLE}", f"REVOKE SELECT ON drafts FROM {ROLE}"),
    _good("comment", "COMMENT ON TABLE users IS 'people'", "COMMENT ON TABLE users IS NULL"),
    _good("schema", "CREATE SCHEMA billing;\nCREATE TABLE billing.invoices (id bigint PRIMARY KEY)", "DROP TABLE billing.invoices;\nDROP SCHEMA billing"),
    _good("data only read", "SELECT count(*) FROM shifts", "SELECT 1"),
    _good("index made wider", "DROP INDEX ix_shifts_user;\nCREATE INDEX ix_shifts_user ON shifts (user_id, started_at)",
          "DROP INDEX ix_shifts_user;\nCREATE INDEX ix_shifts_user ON shifts (user_id)"),
    _good("rule of a foreign key", "ALTER TABLE contracts DROP CONSTRAINT contracts_user_fk;\n"
          "ALTER TABLE contracts ADD CONSTRAINT contracts_user_fk FOREIGN KEY (user_id) REFERENCES users",
          "ALTER TABLE contracts DROP CONSTRAINT contracts_user_fk;\n"
          "ALTER TABLE contracts ADD CONSTRAINT contracts_user_fk FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE"),
    _good("sequence moved on with its rows", "INSERT INTO cities (id, name, zone) VALUES (9, 'Тверь', 'Europe/Moscow');\nSELECT setval('cities_id_seq', 9)",
          "DELETE FROM cities WHERE id = 9", "changes: {cities: {rows: {added: 1}}}\n"),
    _good("old rows written beside new ones", "UPDATE cities SET zone = 'UTC' WHERE id = 3;\nINSERT INTO cities (name, zone) VALUES ('Тверь', 'Europe/Moscow')",
          "DELETE FROM cities WHERE id > 8;\nUPDATE cities SET zone = 'Europe/Moscow' WHERE id = 3",
          "changes: {cities: {rows: {added: 1}}, cities.zone: {expect: \"CASE WHEN id = 3 THEN 'UTC' ELSE old END\"}}\n",
          infos=frozenset({("rows-changed", "cities"), ("again-differs-data", "cities")})),
    _good("beside old defects", "ALTER TABLE users ADD COLUMN nick text", "ALTER TABLE users DROP COLUMN nick", production=_OLD_DEFECTS,
          infos=frozenset({("orphans", "payments"), ("sequence-behind", "users.id"), ("key-near-limit", "kinds.id"), ("constraint-not-valid", "payments.payments_approved_fk"),
                           ("fk-without-index", "payments.payments_approved_fk"), ("index-duplicate", "ix_users_town")})),
    _good("foreign key without an index on a small table", "ALTER TABLE drafts ADD COLUMN user_id bigint CONSTRAINT drafts_user_fk REFERENCES users",
          "ALTER TABLE drafts DROP COLUMN user_id", infos=frozenset({("fk-without-index", "drafts.drafts_user_fk")})),
    _good("two heads that are both wanted", "ALTER TABLE users ADD COLUMN nick text", "ALTER TABLE users DROP COLUMN nick", target="heads",
          more=(("m2", "a0", "ALTER TABLE drafts ADD COLUMN nick text", "ALTER TABLE drafts DROP COLUMN nick"),)),
    _good("a target below the head", "ALTER TABLE users ADD COLUMN nick text", "ALTER TABLE users DROP COLUMN nick", target="m1",
          more=(("m2", "m1", "DROP TABLE shifts", "SELECT 1"),)),
    expecting.GOOD,
    locks.ACCEPTED,
]  # fmt: skip
