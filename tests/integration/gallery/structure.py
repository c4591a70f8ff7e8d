"""Revisions that apply, and leave a structure that will hurt later."""

# A case is read best on few lines.
# ruff: noqa: E501

from __future__ import annotations

from stand import Case

_WARNED = "GO with warnings"
_VISITS_DOWN = "DROP TABLE visits"
_OLD_ORPHANS = """\
CREATE INDEX ix_payments_approved ON payments (approved_by);
ALTER TABLE payments ADD CONSTRAINT payments_approved_fk FOREIGN KEY (approved_by) REFERENCES users NOT VALID"""

_LARGE = "budgets: {blocked_reads_ms: 60000, blocked_writes_ms: 60000, index_build_ms: 60000, small_table_rows: 100}\n"
_PATIENT = "SET LOCAL lock_timeout = '5s'"


def _visits(column: str) -> str:
    return f"CREATE TABLE visits (id bigint PRIMARY KEY, {column});\nCREATE INDEX ix_visits_user ON visits (user_id)"


CASES = [
    Case("SET NULL on NOT NULL", _visits("user_id bigint NOT NULL CONSTRAINT visits_user_fk REFERENCES users ON DELETE SET NULL"), _VISITS_DOWN,
         frozenset({("fk-set-null-not-null", "visits.visits_user_fk")}), _WARNED),
    Case("SET DEFAULT without a default on NOT NULL", _visits("user_id bigint NOT NULL CONSTRAINT visits_user_fk REFERENCES users ON UPDATE SET DEFAULT"),
         _VISITS_DOWN, frozenset({("fk-set-null-not-null", "visits.visits_user_fk")}), _WARNED),
    Case("NOT NULL on a SET NULL column", "ALTER TABLE drafts ALTER user_id SET NOT NULL", "ALTER TABLE drafts ALTER user_id DROP NOT NULL",
         frozenset({("fk-set-null-not-null", "drafts.drafts_user_fk")}), _WARNED,
         production="ALTER TABLE drafts ADD COLUMN user_id bigint CONSTRAINT drafts_user_fk REFERENCES users ON DELETE SET NULL;\n"
         "CREATE INDEX ix_drafts_user ON drafts (user_id)"),
    Case("integer refers to bigint", _visits("user_id integer CONSTRAINT visits_user_fk REFERENCES users"), _VISITS_DOWN,
         frozenset({("fk-type-mismatch", "visits.visits_user_fk")}), _WARNED),
    Case("foreign key without an index, and rows that came with it",
         f"{_PATIENT};\nALTER TABLE drafts ADD COLUMN user_id bigint CONSTRAINT drafts_user_fk REFERENCES users;\nINSERT INTO drafts SELECT n FROM generate_series(1, 100) AS n",
         "DELETE FROM drafts;\nALTER TABLE drafts DROP COLUMN user_id", frozenset({("fk-without-index", "drafts.drafts_user_fk")}), _WARNED, policy=_LARGE,
         expectations="changes: {drafts: {rows: {added: 100}}}\n"),
    Case("index of a foreign key dropped", f"{_PATIENT};\nDROP INDEX ix_shifts_object", "CREATE INDEX ix_shifts_object ON shifts (object_id)",
         frozenset({("fk-without-index", "shifts.shifts_object_fk")}), _WARNED, policy=_LARGE, says=("(shifts: 120 rows; objects: 40 rows)",)),
    Case("index of a foreign key made partial", f"{_PATIENT};\nDROP INDEX ix_shifts_object;\nCREATE INDEX ix_shifts_object ON shifts (object_id) WHERE ended_at IS NULL",
         "DROP INDEX ix_shifts_object;\nCREATE INDEX ix_shifts_object ON shifts (object_id)",
         frozenset({("fk-without-index", "shifts.shifts_object_fk")}), _WARNED, policy=_LARGE),
    Case("the same index twice", "CREATE INDEX ix_shifts_who ON shifts (user_id)", "DROP INDEX ix_shifts_who",
         frozenset({("index-duplicate", "ix_shifts_who")}), _WARNED),
    Case("index beside a unique constraint", "CREATE INDEX ix_users_email ON users (email)", "DROP INDEX ix_users_email",
         frozenset({("index-duplicate", "ix_users_email")}), _WARNED),
    Case("failed concurrent unique index",
         "# python\nimport contextlib\nwith op.get_context().autocommit_block(), contextlib.suppress(sa.exc.IntegrityError):\n"
         "    op.execute('CREATE UNIQUE INDEX CONCURRENTLY ux_objects_title ON objects (title)')",
         "DROP INDEX IF EXISTS ux_objects_title", frozenset({("index-invalid", "ux_objects_title")}), "NO-GO",
         infos=frozenset({("index-invalid", "ux_objects_title")})),
    Case("check left NOT VALID", "ALTER TABLE shifts ADD CONSTRAINT shifts_positive CHECK (planned_hours > 0) NOT VALID",
         "ALTER TABLE shifts DROP CONSTRAINT shifts_positive", frozenset({("constraint-not-valid", "shifts.shifts_positive")}), _WARNED),
    Case("foreign key left NOT VALID, without orphans", "ALTER TABLE drafts ADD COLUMN user_id bigint;\nCREATE INDEX ON drafts (user_id);\n"
         "ALTER TABLE drafts ADD CONSTRAINT drafts_user_fk FOREIGN KEY (user_id) REFERENCES users NOT VALID",
         "ALTER TABLE drafts DROP COLUMN user_id", frozenset({("constraint-not-valid", "drafts.drafts_user_fk")}), _WARNED),
    Case("foreign key whose triggers stay disabled", "ALTER TABLE payments DISABLE TRIGGER ALL", "ALTER TABLE payments ENABLE TRIGGER ALL",
         frozenset({("constraint-not-enforced", "payments.payments_shift_fk")}), "NO-GO"),
    Case("orphans behind NOT VALID", "CREATE INDEX ix_payments_approved ON payments (approved_by);\n"
         "ALTER TABLE payments ADD CONSTRAINT payments_approved_fk FOREIGN KEY (approved_by) REFERENCES users NOT VALID",
         "ALTER TABLE payments DROP CONSTRAINT payments_approved_fk;\nDROP INDEX ix_payments_approved",
         frozenset({("orphans", "payments"), ("constraint-not-valid", "payments.payments_approved_fk")}), "NO-GO"),
    Case("constraint of a domain left NOT VALID",
         "ALTER DOMAIN rate ADD CONSTRAINT rate_positive CHECK (VALUE > 0) NOT VALID", "ALTER DOMAIN rate DROP CONSTRAINT rate_positive",
         frozenset({("constraint-not-valid", "rate.rate_positive")}), _WARNED, production="CREATE DOMAIN rate AS integer"),
    Case("more orphans behind an old NOT VALID key", "ALTER TABLE payments DISABLE TRIGGER ALL;\nUPDATE payments SET approved_by = 5000 WHERE id = 1;\n"
         "ALTER TABLE payments ENABLE TRIGGER ALL", "UPDATE payments SET approved_by = 2 WHERE id = 1",
         frozenset({("orphans", "payments")}), "NO-GO", production=_OLD_ORPHANS, expectations="changes: {payments.approved_by: {changed: true}}\n",
         infos=frozenset({("constraint-not-valid", "payments.payments_approved_fk"), ("data-changed", "payments.approved_by")})),
    Case("sequence left behind", "INSERT INTO cities (id, name, zone) VALUES (9, 'Тверь', 'Europe/Moscow')", "DELETE FROM cities WHERE id = 9",
         frozenset({("sequence-behind", "cities.id")}), "NO-GO", expectations="changes: {cities: {rows: {added: 1}}}\n"),
    Case("sequence set back", "SELECT setval('shifts_id_seq', 1)", "SELECT setval('shifts_id_seq', 120)",
         frozenset({("sequence-behind", "shifts.id")}), "NO-GO"),
    Case("sequence of no table set back", "SELECT setval('invoice_numbers', 7)", "SELECT setval('invoice_numbers', 70)",
         frozenset({("sequence-behind", "invoice_numbers")}), "NO-GO", production="SELECT setval('invoice_numbers', 70)"),
    Case("sequence of no table made anew", "ALTER SEQUENCE invoice_numbers RENAME TO bill_numbers;\nALTER SEQUENCE bill_numbers RESTART",
         "ALTER SEQUENCE bill_numbers RENAME TO invoice_numbers", frozenset({("sequence-behind", "bill_numbers"), ("sequence-behind", "invoice_numbers")}), "NO-GO",
         production="SELECT setval('invoice_numbers', 70)"),
    Case("sequence of a new table behind",
         "CREATE TABLE kinds (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text NOT NULL);\nINSERT INTO kinds VALUES (1, 'наличные')",
         "DROP TABLE kinds", frozenset({("sequence-behind", "kinds.id")}), "NO-GO"),
    Case("key near its end", "CREATE TABLE kinds (id smallint PRIMARY KEY);\nINSERT INTO kinds VALUES (32000)", "DROP TABLE kinds",
         frozenset({("key-near-limit", "kinds.id")}), _WARNED, infos=frozenset({("integer-primary-key", "kinds.id")})),
]  # fmt: skip
