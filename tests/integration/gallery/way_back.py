"""Downgrades that fail, do nothing, leave something behind or lose something; and second upgrades that go another way."""

# A case is read best on few lines.
# ruff: noqa: E501

from __future__ import annotations

from stand import ROLE, Case

_NICK = "ALTER TABLE users ADD COLUMN IF NOT EXISTS nick text"


def _trace(kind: str, name: str, up: str, down: str = "SELECT 1", *others: tuple[str, str]) -> Case:
    # A second change that the downgrade does undo: otherwise it is one that does nothing.
    up, down = f"{up};\nALTER TABLE cities ADD COLUMN people bigint", f"{down};\nALTER TABLE cities DROP COLUMN people"
    return Case(f"left behind: {kind}", up, down, frozenset({("downgrade-leaves-trace", name), *others}))


CASES = [
    Case("downgrade not written", _NICK, "# python\nraise NotImplementedError('no way back')", frozenset({("downgrade-failed", "m1")})),
    Case("downgrade drops what is not there", _NICK, "ALTER TABLE users DROP COLUMN nickname", frozenset({("downgrade-failed", "m1")})),
    Case("downgrade against the new rows", "ALTER TABLE old_tariffs ALTER price DROP NOT NULL;\nUPDATE old_tariffs SET price = NULL WHERE id = 1",
         "ALTER TABLE old_tariffs ALTER price SET NOT NULL", frozenset({("downgrade-failed", "m1"), ("data-changed", "old_tariffs.price")})),
    Case("downgrade does nothing, and so the upgrade fails the second time", "ALTER TABLE users ADD COLUMN nick text", "SELECT 1",
         frozenset({("downgrade-noop", ""), ("again-failed", "m1")})),
    Case("downgrade does nothing", _NICK, "SELECT 1", frozenset({("downgrade-noop", "")})),
    Case("enum type left, and so the upgrade fails the second time",
         "CREATE TYPE mood AS ENUM ('good', 'bad');\nALTER TABLE users ADD COLUMN mood mood", "ALTER TABLE users DROP COLUMN mood",
         frozenset({("downgrade-leaves-trace", "mood"), ("again-failed", "m1")})),
    _trace("table", "visits", "CREATE TABLE IF NOT EXISTS visits (id bigint PRIMARY KEY)"),
    _trace("column", "users.nick", _NICK),
    _trace("index", "ix_shifts_started", "CREATE INDEX IF NOT EXISTS ix_shifts_started ON shifts (started_at)"),
    _trace("constraint", "users.users_phone_length",
           "ALTER TABLE users DROP CONSTRAINT IF EXISTS users_phone_length;\n"
           "ALTER TABLE users ADD CONSTRAINT users_phone_length CHECK (length(phone) < 30)"),
    _trace("sequence", "act_numbers", "CREATE SEQUENCE IF NOT EXISTS act_numbers"),
    _trace("enum type", "mood", "DROP TYPE IF EXISTS mood;\nCREATE TYPE mood AS ENUM ('good')"),
    _trace("enum value", "shift_status", "ALTER TYPE shift_status ADD VALUE IF NOT EXISTS 'lost'"),
    _trace("view", "late_shifts", "CREATE OR REPLACE VIEW late_shifts AS SELECT id FROM shifts WHERE ended_at IS NULL"),
    _trace("changed view", "active_users", "CREATE OR REPLACE VIEW active_users AS SELECT id, name, email, phone FROM users WHERE active"),
    _trace("materialized view", "hours", "CREATE MATERIALIZED VIEW IF NOT EXISTS hours AS SELECT user_id, sum(planned_hours) FROM shifts GROUP BY 1"),
    _trace("function", "half(integer)", "CREATE OR REPLACE FUNCTION half(n integer) RETURNS integer LANGUAGE sql AS 'SELECT n / 2'"),
    _trace("changed function", "full_title(text, text)",
           "CREATE OR REPLACE FUNCTION full_title(title text, address text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT title'"),
    _trace("trigger", "payments.payments_status",
           "CREATE OR REPLACE TRIGGER payments_status BEFORE UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"),
    _trace("disabled trigger", "shifts.shifts_status", "ALTER TABLE shifts DISABLE TRIGGER shifts_status"),
    _trace("disabled foreign key", "payments.payments_shift_fk", "ALTER TABLE payments DISABLE TRIGGER ALL", "SELECT 1",
           ("constraint-not-enforced", "payments.payments_shift_fk")),
    Case("index that comes back under another name", "DROP INDEX ix_payments_shift;\nCREATE INDEX by_shift ON payments (shift_id)",
         "DROP INDEX by_shift;\nCREATE INDEX payments_by_shift ON payments (shift_id)",
         frozenset({("downgrade-leaves-trace", "ix_payments_shift"), ("again-failed", "m1")}),
         says=("index ix_payments_shift on payments renamed to payments_by_shift",)),
    Case("disabled on the other side too, and left so", f"ALTER TABLE halls DISABLE TRIGGER ALL;\n{_NICK}", "ALTER TABLE users DROP COLUMN nick",
         frozenset({("downgrade-leaves-trace", "seats.seats_hall_fk"), ("constraint-not-enforced", "seats.seats_hall_fk")}),
         production="CREATE TABLE halls (id bigint PRIMARY KEY);\n"
         "CREATE TABLE seats (id bigint PRIMARY KEY, hall_id bigint CONSTRAINT seats_hall_fk REFERENCES halls);\n"
         "CREATE INDEX ON seats (hall_id);\nALTER TABLE seats DISABLE TRIGGER ALL",
         says=("trigger states: RI_FKey_noaction_del on halls disabled, RI_FKey_noaction_upd on halls disabled added",)),
    _trace("grant", "users", f"GRANT SELECT ON users TO {ROLE}"),
    _trace("comment", "users.phone", "COMMENT ON COLUMN users.phone IS 'with country code'"),
    _trace("default", "objects.code", "ALTER TABLE objects ALTER code SET DEFAULT 'K0'"),
    _trace("lost default", "users.active", "ALTER TABLE users ALTER active DROP DEFAULT"),
    _trace("nullability", "contracts.hourly_rate", "ALTER TABLE contracts ALTER hourly_rate DROP NOT NULL"),
    _trace("type", "objects.code", "ALTER TABLE objects ALTER code TYPE varchar(20)"),
    _trace("schema", "billing", "CREATE SCHEMA IF NOT EXISTS billing"),
    _trace("policy", "drafts.drafts_all", "DROP POLICY IF EXISTS drafts_all ON drafts;\nCREATE POLICY drafts_all ON drafts USING (true)"),
    _trace("option of a table", "users", "ALTER TABLE users SET (fillfactor = 80)"),
    _trace("rule of a foreign key", "contracts.contracts_user_fk",
           "ALTER TABLE contracts DROP CONSTRAINT contracts_user_fk;\n"
           "ALTER TABLE contracts ADD CONSTRAINT contracts_user_fk FOREIGN KEY (user_id) REFERENCES users"),
    _trace("index that was not made again", "ix_users_city", "DROP INDEX IF EXISTS ix_users_city", "SELECT 1"),
    _trace("index made otherwise", "ix_payments_paid", "CREATE INDEX ix_payments_paid ON payments (paid_on)",
           "DROP INDEX ix_payments_paid;\nCREATE INDEX ix_payments_paid ON payments (paid_on DESC)", ("again-failed", "m1")),
    Case("the way back leaves a sequence behind", "ALTER TABLE users ALTER id DROP IDENTITY",
         "ALTER TABLE users ALTER id ADD GENERATED BY DEFAULT AS IDENTITY", frozenset({("sequence-behind", "users.id")})),
    Case("the way back leaves orphans", "ALTER TABLE payments DROP CONSTRAINT payments_shift_fk;\nUPDATE payments SET shift_id = shift_id + 20 WHERE id > 100",
         "UPDATE payments SET shift_id = 7000 WHERE id = 1;\nALTER TABLE payments ADD CONSTRAINT payments_shift_fk FOREIGN KEY (shift_id) REFERENCES shifts NOT VALID",
         frozenset({("orphans", "payments"), ("downgrade-leaves-trace", "payments.payments_shift_fk"), ("downgrade-loses-data", "payments.shift_id")})),
    Case("the way back deletes rows of others", _NICK, "ALTER TABLE users DROP COLUMN nick;\nDELETE FROM shift_tags WHERE shift_id < 3",
         frozenset({("downgrade-loses-data", "shift_tags")}), "GO with warnings"),
    Case("the way back rounds", "ALTER TABLE contracts ALTER hourly_rate TYPE numeric(10, 2) USING hourly_rate / 100.0",
         "ALTER TABLE contracts ALTER hourly_rate TYPE integer USING hourly_rate::integer * 100",
         frozenset({("downgrade-loses-data", "contracts.hourly_rate")}), "GO with warnings",
         expectations="changes:\n  contracts.hourly_rate: {expect: 'old / 100.0'}\n"),
    Case("the second upgrade makes something else",
         "# python\nif op.get_bind().exec_driver_sql(\"SELECT nextval('invoice_numbers')\").scalar() == 1:\n    op.execute('ALTER TABLE users ADD COLUMN nick text')\n"
         "else:\n    op.execute('ALTER TABLE users ADD COLUMN nick varchar(10)')",
         "ALTER TABLE users DROP COLUMN nick", frozenset({("again-differs", "users.nick")})),
    Case("the second upgrade writes something else", "ALTER TABLE users ADD COLUMN token text;\nUPDATE users SET token = gen_random_uuid()::text",
         "ALTER TABLE users DROP COLUMN token", frozenset({("again-differs-data", "users.token")}), "GO with warnings"),
    Case("the second upgrade writes something else to old rows, beside new ones",
         "UPDATE cities SET zone = gen_random_uuid()::text WHERE id = 3;\nINSERT INTO cities (name, zone) VALUES ('Тверь', 'Europe/Moscow')",
         "DELETE FROM cities WHERE id > 8;\nUPDATE cities SET zone = 'Europe/Moscow' WHERE id = 3",
         frozenset({("again-differs-data", "cities"), ("again-differs-data", "cities.name"), ("again-differs-data", "cities.zone"),
                    ("again-differs-data", "cities.id")}), "GO with warnings",
         expectations="changes: {cities: {rows: {added: 1}}, cities.zone: {changed: true}}\n", infos=frozenset({("rows-changed", "cities")})),
]  # fmt: skip
