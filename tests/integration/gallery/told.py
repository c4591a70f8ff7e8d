"""Revisions that stop nothing, and that people are to be told of; and what is said where less was measured than could be.

What is info by itself is made a warning by the case's policy, so that it is held like the rest: this finding, and no other.
"""

# A case is read best on few lines.
# ruff: noqa: E501

from __future__ import annotations

from stand import Case

_WARNED = "GO with warnings"
_BUDGETS = "budgets: {blocked_reads_ms: 60000, blocked_writes_ms: 60000, index_build_ms: 60000}\n"
_NICK, _NICK_DOWN = "ALTER TABLE users ADD COLUMN nick text", "ALTER TABLE users DROP COLUMN nick"
# What it would send, it never does: rehearsals run it.
_SENDER = "CREATE FUNCTION tell() RETURNS {kind} LANGUAGE plpgsql AS $$ BEGIN IF false THEN PERFORM lo_export(1, '/dev/null'); END IF; {end} END $$"
_TOLD_BY_TRIGGER = _SENDER.format(kind="trigger", end="RETURN NEW;")
_TOLD_BY_EVENT = _SENDER.format(kind="event_trigger", end="")


def _told(name: str, code: str, thing: str, up: str = _NICK, down: str = _NICK_DOWN, policy: str = "", **more: object) -> Case:
    policy = f"severities: {{{code}: warning}}\n{_BUDGETS}{policy}"
    return Case(f"told: {name}", up, down, frozenset({(code, thing)}), _WARNED, policy=policy, **more)  # type: ignore[arg-type]


CASES = [
    _told("timestamp without time zone", "timestamp-without-time-zone", "drafts.read_at", "ALTER TABLE drafts ADD COLUMN read_at timestamp", "ALTER TABLE drafts DROP COLUMN read_at",
          says=("type timestamp without time zone",)),
    _told("time zone taken away", "timestamp-without-time-zone", "drafts.read_at", "ALTER TABLE drafts ALTER read_at TYPE timestamp", "ALTER TABLE drafts ALTER read_at TYPE timestamptz",
          production="ALTER TABLE drafts ADD COLUMN read_at timestamptz"),
    _told("json", "json-not-jsonb", "drafts.marks", "ALTER TABLE drafts ADD COLUMN marks json", "ALTER TABLE drafts DROP COLUMN marks"),
    _told("integer as a primary key", "integer-primary-key", "kinds.id", "CREATE TABLE kinds (id integer PRIMARY KEY)", "DROP TABLE kinds"),
    _told("index that another one covers", "index-redundant", "ix_shifts_who", "CREATE INDEX ix_shifts_who ON shifts (user_id, started_at)", "DROP INDEX ix_shifts_who",
          production="DROP INDEX ix_shifts_user;\nCREATE INDEX ix_shifts_user ON shifts (user_id, started_at, ended_at)"),
    _told("trigger that writes a file", "outside-world", "payments.payments_tell", f"{_TOLD_BY_TRIGGER};\nCREATE TRIGGER payments_tell AFTER UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION tell()",
          "DROP TRIGGER payments_tell ON payments;\nDROP FUNCTION tell()", says=("runs tell(): uses lo_export",)),
    _told("function of a trigger that begins to write a file", "outside-world", "payments.payments_tell", _TOLD_BY_TRIGGER.replace("CREATE", "CREATE OR REPLACE"),
          "CREATE OR REPLACE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
          production="CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;\n"
          "CREATE TRIGGER payments_tell AFTER UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION tell()"),
    _told("event trigger", "outside-world", "tell_all", f"{_TOLD_BY_EVENT};\nCREATE EVENT TRIGGER tell_all ON ddl_command_end EXECUTE FUNCTION tell()",
          "DROP EVENT TRIGGER tell_all;\nDROP FUNCTION tell()"),
    _told("nothing is pending", "nothing-pending", "", stands="m1", says=("production already stands at m1",)),
    _told("what the fence does not reach", "fence-open", ""),
    _told("entry of the policy without a finding", "acceptance-unused", "users.users_city_fk",
          policy="accepted: [{code: fk-without-index, object: users.users_city_fk, reason: small, until: 2099-12-31}]\n"),
    Case("index build blocks writes over budget", "SET LOCAL lock_timeout = '5s';\nCREATE INDEX ix_shifts_started ON shifts (started_at)", "DROP INDEX ix_shifts_started",
         frozenset({("index-not-concurrent", "shifts")}), _WARNED,
         policy="budgets: {blocked_reads_ms: 60000, blocked_writes_ms: 60000, index_build_ms: 0, small_table_rows: 50}\n"),
    Case("SQL past the driver", "# python\nop.execute('SELECT 1')\nop.get_bind().connection.dbapi_connection.pgconn.exec_(b'ALTER TABLE users ADD COLUMN nick text')", _NICK_DOWN,
         frozenset({("untracked-sql", "m1")}), _WARNED, says=("revision m1 did something that no statement accounts for (on users)",)),
    Case("a role that may not be asked what it locks", f"GRANT ALL ON drafts TO gallery_reader;\nSET LOCAL ROLE gallery_reader;\nINSERT INTO drafts VALUES (1, 'a');\nRESET ROLE;\n{_NICK}",
         f"{_NICK_DOWN};\nDELETE FROM drafts;\nREVOKE ALL ON drafts FROM gallery_reader",
         frozenset({("timeline-incomplete", "m1")}), _WARNED, expectations="changes: {drafts: {rows: {added: 1}}}\n",
         production="REVOKE EXECUTE ON FUNCTION pg_catalog.pg_relation_filenode(regclass) FROM PUBLIC", says=("from revision m1 on, locks and rewrites were not measured",)),
    Case("rows are counted, and no value is compared", "UPDATE contracts SET hourly_rate = 20105 + 20210 - hourly_rate WHERE id IN (1, 2)",
         "UPDATE contracts SET hourly_rate = 20105 + 20210 - hourly_rate WHERE id IN (1, 2)", frozenset({("values-not-compared", "")}), _WARNED, proof="counts"),
    Case("the way back is asked for to another revision", _NICK, _NICK_DOWN, frozenset({("way-back-not-compared", "")}), _WARNED,
         expectations="downgrade_to: m1\n", more=(("m2", "m1", "ALTER TABLE cities ADD COLUMN people bigint", "ALTER TABLE cities DROP COLUMN people"),),
         says=("the downgrade went to m1",)),
]  # fmt: skip
