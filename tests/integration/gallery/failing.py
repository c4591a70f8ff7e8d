"""Revisions that do not apply, or that the project itself keeps from applying."""

# A case is read best on few lines.
# ruff: noqa: E501

from __future__ import annotations

from stand import Case

_APPLIED = {("migration-failed", "m1")}


def _fails(name: str, up: str, **more: object) -> Case:
    return Case(name, up, findings=frozenset(_APPLIED), **more)  # type: ignore[arg-type]


CASES = [
    _fails("text that is no number", "ALTER TABLE shifts ALTER legacy_code TYPE integer USING legacy_code::integer"),
    _fails("type without a cast", "ALTER TABLE users ALTER active TYPE date"),
    _fails("values too long for the type", "ALTER TABLE objects ALTER title TYPE varchar(3)"),
    _fails("number out of range", "ALTER TABLE payments ALTER amount TYPE numeric(4, 2)"),
    _fails("NOT NULL over NULLs", "ALTER TABLE users ALTER phone SET NOT NULL"),
    _fails("NOT NULL column without default", "ALTER TABLE users ADD COLUMN tax_id text NOT NULL"),
    _fails("unique index over duplicates", "CREATE UNIQUE INDEX ux_objects_title ON objects (title)"),
    _fails("unique constraint over duplicates", "ALTER TABLE payments ADD CONSTRAINT payments_external_key UNIQUE (external_id)"),
    _fails("primary key over duplicates", "ALTER TABLE audit_log ADD PRIMARY KEY (actor)"),
    _fails("foreign key over orphans", "ALTER TABLE payments ADD CONSTRAINT payments_approved_fk FOREIGN KEY (approved_by) REFERENCES users"),
    _fails("foreign key of text to bigint", "ALTER TABLE shifts ADD CONSTRAINT shifts_legacy_fk FOREIGN KEY (legacy_code) REFERENCES users"),
    _fails("foreign key to a column without a unique index", "ALTER TABLE shifts ADD FOREIGN KEY (planned_hours) REFERENCES contracts (hourly_rate)"),
    _fails("check that rows break", "ALTER TABLE shifts ADD CONSTRAINT shifts_short CHECK (planned_hours < 10)"),
    _fails("missing table", "ALTER TABLE holidays ADD COLUMN kind text"),
    _fails("missing column", "ALTER TABLE users DROP COLUMN nickname"),
    _fails("missing constraint", "ALTER TABLE users DROP CONSTRAINT users_phone_key"),
    _fails("missing referenced table", "CREATE TABLE visits (id bigint PRIMARY KEY, place_id bigint REFERENCES places)"),
    _fails("existing table", "CREATE TABLE drafts (id bigint PRIMARY KEY)"),
    _fails("existing column", "ALTER TABLE users ADD COLUMN phone text"),
    _fails("existing constraint", "ALTER TABLE contracts ADD CONSTRAINT contracts_dates CHECK (hourly_rate > 0)"),
    _fails("existing index", "CREATE INDEX ix_users_city ON users (city_id, name)"),
    _fails("existing type", "CREATE TYPE shift_status AS ENUM ('open')"),
    _fails("column that a view needs", "ALTER TABLE users DROP COLUMN email"),
    _fails("type in use", "DROP TYPE shift_status"),
    _fails("table that others refer to", "DROP TABLE cities"),
    _fails("new enum value used at once", "ALTER TYPE shift_status ADD VALUE 'lost';\nUPDATE shifts SET status = 'lost' WHERE id = 1"),
    _fails("concurrent index in a transaction", "CREATE INDEX CONCURRENTLY ix_shifts_status ON shifts (status)"),
    _fails("mistake in SQL", "ALTER TABLE users ADD COLUM nick text"),
    _fails("duplicate keys of new rows", "INSERT INTO old_tariffs VALUES (1, 'Новый', 5)"),
    _fails("statement timeout", "SET LOCAL statement_timeout = '30ms';\nSELECT pg_sleep(5)"),
    _fails("constraint that is checked at commit",
           "ALTER TABLE payments ADD FOREIGN KEY (shift_id) REFERENCES shifts DEFERRABLE INITIALLY DEFERRED;\n"
           "INSERT INTO payments (shift_id, amount, paid_on) VALUES (100500, 1, '2024-01-01')"),
    _fails("mistake in Python", "# python\nraise KeyError('shift')"),
    _fails("a statement that does not end", "SELECT pg_sleep(60)", deadline_s=3, says=("Deadline: not finished within 3 s · revision m1",)),
    _fails("exit in a revision", "# python\nimport sys; sys.exit(3)"),
    Case("second revision fails", "ALTER TABLE users ADD COLUMN nick text", "ALTER TABLE users DROP COLUMN nick",
         frozenset({("migration-failed", "m2")}), more=(("m2", "m1", "ALTER TABLE users ADD COLUMN nick text", "SELECT 1"),)),
    Case("two heads", "SELECT 1", findings=frozenset({("multiple-heads", "")}), more=(("m2", "a0", "SELECT 1", "SELECT 1"),)),
    Case("production on an unknown revision", "SELECT 1", findings=frozenset({("revision-unknown", "")}),
         production="UPDATE alembic_version SET version_num = 'f00dfeed'"),
    Case("settings that are not there", "SELECT 1", findings=frozenset({("application-failed", "")}), verdict="INCOMPLETE", asked=("current",),
         env=(("extra", "raise KeyError('SHOP_SETTINGS')"),), says=("SHOP_SETTINGS",)),
    Case("a declaration that cannot be measured", "SELECT 1", findings=frozenset({("stage-failed", "")}), verdict="INCOMPLETE",
         expectations="changes: {users.name: {expect: 'in_capitals(old)'}}\n", says=("a declared change cannot be measured",)),
    Case("address of another database", "SELECT 1", findings=frozenset({("fence", "gallery")}), env=(("url", 'os.environ["OTHER_URL"]'),)),
]  # fmt: skip
