-- A schema with every kind of object. One statement a paragraph.

CREATE SCHEMA billing

CREATE SCHEMA "Odd.Name"

COMMENT ON SCHEMA billing IS 'money'

CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "fine"')

CREATE DOMAIN positive AS integer DEFAULT 1 NOT NULL CONSTRAINT above_zero CHECK (VALUE > 0)

CREATE TYPE pair AS (a integer, b text COLLATE "C", c numeric(7,3))

CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = float8mi)

CREATE COLLATION german (LOCALE = 'C')

CREATE SEQUENCE ticket AS integer START 5 INCREMENT 5 MAXVALUE 5000 CYCLE CACHE 3

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gone text,
    email varchar(200) NOT NULL UNIQUE,
    feeling mood DEFAULT 'ok',
    rank positive,
    twin pair,
    tags text[] DEFAULT '{}' NOT NULL,
    name text COLLATE "C",
    since timestamptz DEFAULT '2020-02-03 04:05:06+00',
    wait interval DEFAULT '1 day 02:03:04',
    raw bytea DEFAULT '\xdeadbeef',
    ratio float8 DEFAULT '0.123456789012345'::float8,
    price money DEFAULT '12.5'::money,
    quoted text DEFAULT 'back\slash and ''quote'''
)

ALTER TABLE users DROP COLUMN gone

COMMENT ON TABLE users IS 'who works'

COMMENT ON COLUMN users.email IS 'where we write to; "quoted"'

CREATE TABLE shifts (
    id serial PRIMARY KEY,
    user_id bigint REFERENCES users ON DELETE SET NULL,
    boss_id bigint CONSTRAINT fk_boss REFERENCES users ON DELETE CASCADE ON UPDATE RESTRICT DEFERRABLE INITIALLY DEFERRED,
    day date NOT NULL,
    hours integer NOT NULL DEFAULT 8,
    twice integer GENERATED ALWAYS AS (hours * 2) STORED,
    note text,
    "Odd ""column"".x" text,
    CONSTRAINT hours_check CHECK (hours BETWEEN 0 AND 24)
)

ALTER TABLE shifts ADD CONSTRAINT note_check CHECK (note <> '') NOT VALID

ALTER TABLE shifts ALTER COLUMN note SET STORAGE EXTERNAL, ALTER COLUMN note SET STATISTICS 500

ALTER TABLE shifts ALTER COLUMN day SET (n_distinct = 100)

ALTER TABLE shifts SET (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false)

CREATE INDEX ix_shifts_user ON shifts (user_id DESC NULLS LAST, day) INCLUDE (note) WHERE hours > 0

CREATE UNIQUE INDEX ix_shifts_lower ON shifts USING btree (lower(note) COLLATE "C" text_pattern_ops)

CREATE INDEX ix_shifts_brin ON shifts USING brin (day) WITH (pages_per_range = 16)

COMMENT ON INDEX ix_shifts_user IS 'for the calendar'

CREATE STATISTICS shifts_stat (dependencies) ON user_id, day FROM shifts

CREATE UNLOGGED TABLE cache (key text PRIMARY KEY, body json)

CREATE TABLE rooms (room integer, during int4range, EXCLUDE USING gist (during WITH &&))

CREATE TABLE parent (a integer CHECK (a > 0), b text)

CREATE TABLE child (c integer) INHERITS (parent)

CREATE TABLE typed OF pair

CREATE TABLE events (id bigint, at date NOT NULL, kind text, PRIMARY KEY (id, at, kind)) PARTITION BY RANGE (at)

CREATE TABLE events_2020 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')

CREATE TABLE events_rest PARTITION OF events DEFAULT PARTITION BY LIST (kind)

CREATE TABLE events_rest_a PARTITION OF events_rest FOR VALUES IN ('a', 'b')

CREATE INDEX ix_events_kind ON events (kind)

CREATE TABLE event_notes (event bigint, at date, kind text, FOREIGN KEY (event, at, kind) REFERENCES events)

CREATE TABLE billing.invoices (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, amount numeric(12,2))

CREATE TABLE "Odd.Name"."Table ""x""" ("a.b" integer PRIMARY KEY)

CREATE VIEW open_shifts WITH (security_barrier) AS SELECT s.id, s.day, u.email FROM shifts AS s JOIN users AS u ON u.id = s.user_id WHERE s.hours > 1.5

COMMENT ON VIEW open_shifts IS 'not over'

CREATE VIEW billing.small AS SELECT id, amount FROM billing.invoices WHERE amount < 10 WITH LOCAL CHECK OPTION

CREATE MATERIALIZED VIEW totals AS SELECT user_id, sum(hours) AS hours FROM shifts GROUP BY user_id

CREATE UNIQUE INDEX ix_totals ON totals (user_id)

CREATE FUNCTION tariff(day date, hours integer DEFAULT 8, OUT price numeric) LANGUAGE sql IMMUTABLE STRICT AS 'SELECT hours * 10.5'

CREATE FUNCTION tariff(day text) RETURNS SETOF shifts LANGUAGE sql STABLE SECURITY DEFINER SET search_path = billing, public AS 'SELECT * FROM shifts'

CREATE PROCEDURE close_day(day date) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE shifts SET note = 'closed' WHERE shifts.day = close_day.day;
END
$$

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'

CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN NULL; END'

CREATE AGGREGATE product(integer) (SFUNC = int4mul, STYPE = integer, INITCOND = '1')

CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq, COMMUTATOR = ===)

CREATE CAST (pair AS mood) WITH INOUT

CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple)

COMMENT ON FUNCTION touch() IS 'does nothing'

CREATE TRIGGER touch_shift BEFORE INSERT OR UPDATE OF hours ON shifts FOR EACH ROW WHEN (NEW.hours > 3) EXECUTE FUNCTION touch()

CREATE TRIGGER sleeping AFTER DELETE ON shifts FOR EACH STATEMENT EXECUTE FUNCTION touch()

ALTER TABLE shifts DISABLE TRIGGER sleeping

CREATE CONSTRAINT TRIGGER late AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touch()

CREATE TRIGGER on_event BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION touch()

CREATE TRIGGER instead INSTEAD OF INSERT ON open_shifts FOR EACH ROW EXECUTE FUNCTION touch()

CREATE RULE no_delete AS ON DELETE TO parent DO INSTEAD NOTHING

ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY

CREATE POLICY own ON users AS RESTRICTIVE FOR UPDATE TO snapshot_reader USING (email = current_user) WITH CHECK (rank > 1)

ALTER TABLE shifts REPLICA IDENTITY FULL

GRANT SELECT, INSERT ON shifts TO snapshot_reader

GRANT UPDATE ON shifts TO snapshot_reader WITH GRANT OPTION

GRANT SELECT (email), UPDATE (name) ON users TO snapshot_reader

GRANT USAGE ON SEQUENCE ticket TO PUBLIC

GRANT USAGE ON SCHEMA billing TO snapshot_reader

REVOKE EXECUTE ON PROCEDURE close_day(date) FROM PUBLIC

ALTER DEFAULT PRIVILEGES IN SCHEMA billing GRANT SELECT ON TABLES TO snapshot_reader

ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC

CREATE FOREIGN DATA WRAPPER nothing

CREATE SERVER far FOREIGN DATA WRAPPER nothing OPTIONS (host 'far.example.org', password 'hunter2')

CREATE USER MAPPING FOR snapshot_reader SERVER far OPTIONS (user 'u', password 'hunter2')

CREATE FOREIGN TABLE far_away (id integer OPTIONS (column_name 'x'), b text) SERVER far OPTIONS (table_name 't', api_key 'hunter2')

CREATE PUBLICATION part FOR TABLE users, shifts WITH (publish = 'insert, update')

CREATE PUBLICATION everything FOR ALL TABLES

CREATE EVENT TRIGGER watcher ON ddl_command_end WHEN TAG IN ('DROP TABLE', 'CREATE TABLE') EXECUTE FUNCTION watch()

ALTER EVENT TRIGGER watcher DISABLE

INSERT INTO shifts (day, note) VALUES ('2020-01-01', 'a'), ('2020-01-02', 'b')
