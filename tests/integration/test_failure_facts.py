"""What stands in a failed migration's way: real errors of a real server, and what the copy says about them."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import agent_errors, failure_facts
from ansible_collections.migrations.rehearsal.plugins.module_utils.application_masking import mask_event
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session

pytestmark = pytest.mark.integration

SCHEMA = """
CREATE SCHEMA billing;
CREATE TYPE mood AS ENUM ('sunny', 'rainy');
CREATE TABLE users (id bigint PRIMARY KEY, email text, phone text, CONSTRAINT users_phone UNIQUE (phone));
CREATE TABLE "Shifts" (id int PRIMARY KEY, user_id int, planned_start text, "Note" text);
CREATE TABLE billing.invoices (id int PRIMARY KEY, amount numeric, CONSTRAINT positive CHECK (amount > 0) NOT VALID);
ALTER TABLE billing.invoices DROP CONSTRAINT positive;
INSERT INTO users SELECT n, CASE WHEN n <= 5 THEN 'secret@example.org' ELSE n || '@example.org' END, n FROM generate_series(1, 20) n;
INSERT INTO "Shifts" SELECT n, CASE WHEN n <= 7 THEN n + 100 ELSE n END, CASE WHEN n > 3 THEN 'soon' END FROM generate_series(1, 20) n;
INSERT INTO billing.invoices SELECT n, 5 - n FROM generate_series(1, 9) n;
ALTER TABLE billing.invoices ADD CONSTRAINT positive CHECK (amount > 0) NOT VALID;
CREATE VIEW staff AS SELECT id, email FROM users;
CREATE TABLE prices (id int PRIMARY KEY, amount text);
CREATE UNIQUE INDEX prices_amount ON prices (lower(amount) DESC) WHERE id > 5;
INSERT INTO prices VALUES (1, 'a1'), (2, 'a1'), (7, 'a5');
"""

CASES = {
    "a table that exists": ("CREATE TABLE users (id int)", "table users is there already, owned by postgres, with 3 columns and 20 rows"),
    "a view in a table's place": ("CREATE TABLE staff (id int)", "view staff is there already"),
    "an index that exists": ('CREATE INDEX users_phone ON "Shifts" (id)', "index users_phone is there already"),
    "a column that exists": (
        'ALTER TABLE "Shifts" ADD COLUMN planned_start int',
        "Shifts.planned_start is there already as text, with 17 values in 20 rows",
    ),
    "a constraint that exists": ("ALTER TABLE users ADD CONSTRAINT users_phone CHECK (id > 0)", "constraint on users: UNIQUE (phone)"),
    "a type that exists": ("CREATE TYPE mood AS ENUM ('a')", "type mood with 2 labels"),
    "a referenced table that is missing": (
        'ALTER TABLE "Shifts" ADD FOREIGN KEY (user_id) REFERENCES user_s (id)',
        "the referenced table is missing: there is no user_s; nearest by name: users",
    ),
    "a table in another schema": ("ALTER TABLE invoices ADD COLUMN a int", "there is no invoices on the search path, but billing.invoices"),
    "a column that is missing": ("CREATE INDEX i ON users (e_mail)", "users has 3 columns, none of them e_mail; nearest by name: email"),
    "NULLs": ('ALTER TABLE "Shifts" ALTER COLUMN planned_start SET NOT NULL', "3 of 20 rows have NULL in Shifts.planned_start"),
    "a new column without default": ("ALTER TABLE users ADD COLUMN age int NOT NULL", "users has 20 rows and age is new: it needs a server_default"),
    "duplicates": ("CREATE UNIQUE INDEX u ON users (email)", "5 rows of users (email) share 1 keys: 4 of them have to go"),
    "duplicates of a constraint": ("ALTER TABLE users ADD CONSTRAINT u UNIQUE (email)", "5 rows of users (email) share 1 keys"),
    "duplicates of an expression": (
        "CREATE UNIQUE INDEX u ON users (lower(email) DESC)",
        "5 rows of users (lower(email)) share 1 keys",
    ),
    "duplicates of a part": (
        "CREATE UNIQUE INDEX u ON users USING btree (email DESC NULLS LAST) INCLUDE (phone) WHERE phone IS NOT NULL;",
        "5 rows of users (email) where phone IS NOT NULL share 1 keys",
    ),
    "duplicates of a part that values choose": (
        "CREATE UNIQUE INDEX u ON users (email) WHERE id > 0",
        "duplicates in users (email) where id > ? were not counted: its values are masked",
    ),
    "duplicates of NULL": (
        'CREATE UNIQUE INDEX u ON "Shifts" ("Note") NULLS NOT DISTINCT WHERE planned_start IS NULL',
        "3 rows of Shifts (Note) where planned_start IS NULL share 1 keys",
    ),
    "a row that an index on an expression keeps out": (
        "INSERT INTO prices VALUES (999, 'A5')",
        "prices (lower(amount)) where (id > 5) has no duplicates without these migrations",
    ),
    "a row that is there already": ("INSERT INTO users VALUES (999, 'x', '7')", "users (phone) has no duplicates without these migrations"),
    "orphans": (
        'ALTER TABLE "Shifts" ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users',
        "7 of 20 rows of Shifts (user_id) point to rows of users",
    ),
    "types of both sides": (
        'ALTER TABLE "Shifts" ADD FOREIGN KEY (planned_start) REFERENCES users (id)',
        "Shifts.planned_start is text, users.id is bigint: the types of both sides must agree",
    ),
    "types, in a new table": ("CREATE TABLE visits (id int, who uuid REFERENCES users (id))", "visits.who is uuid, users.id is bigint"),
    "a type change without USING": ("ALTER TABLE prices ALTER COLUMN amount TYPE integer", "prices.amount is text, wanted is integer"),
    "no key to refer to": (
        'ALTER TABLE "Shifts" ADD FOREIGN KEY ("Note") REFERENCES users (email)',
        "the unique keys of users are: PRIMARY KEY (id), UNIQUE (phone)",
    ),
    "a condition that is broken": (
        "ALTER TABLE billing.invoices VALIDATE CONSTRAINT positive",
        "5 of 9 rows of billing.invoices break the condition",
    ),
    "what depends on it": ("DROP TABLE users", "on users depend: view staff"),
    "somebody else's table": ("SET ROLE nobody_much; ALTER TABLE users ADD COLUMN a int", "users is owned by postgres"),
}


@pytest.fixture(scope="module")
def failing(postgres_server: Any) -> Any:
    name = postgres_server.create_database("failure_facts")
    with psycopg.connect(postgres_server.url(name).replace("+psycopg", "")) as connection:
        connection.execute(SCHEMA)
        connection.execute("CREATE ROLE nobody_much")
    try:
        yield name
    finally:
        postgres_server.drop_database(name)
        with psycopg.connect(postgres_server.url("postgres").replace("+psycopg", "")) as connection:
            connection.execute("DROP ROLE nobody_much")


def failure(server: Any, database: str, statement: str) -> dict[str, Any]:
    """The `error` event of a statement that fails, as it is written down."""
    with psycopg.connect(server.url(database).replace("+psycopg", "")) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute(statement)  # type: ignore[call-overload]
    return mask_event({"event": "error", **agent_errors.describe_error(caught.value, "a1", statement.split("; ")[-1])}, [])


@pytest.mark.parametrize("case", CASES)
def test_what_stands_in_the_way_is_named_and_counted(case: str, postgres_server: Any, failing: str) -> None:
    statement, expected = CASES[case]
    error = failure(postgres_server, failing, statement)
    with Session(postgres_server.server, failing, "test") as session:
        said = failure_facts.facts_of(session, error)
    assert expected in said, error
    assert "secret" not in said


def test_what_the_migrations_made_themselves_is_said_to_be_gone(postgres_server: Any, failing: str) -> None:
    """The transaction is rolled back: nothing is made up about it."""
    statement = "ALTER TABLE fresh ALTER COLUMN a SET NOT NULL"
    with psycopg.connect(postgres_server.url(failing).replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE fresh (a int)")
        connection.execute("INSERT INTO fresh VALUES (NULL)")
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(statement)
        connection.rollback()
    error = mask_event({"event": "error", **agent_errors.describe_error(caught.value, "a1", statement)}, [])
    with Session(postgres_server.server, failing, "test") as session:
        assert failure_facts.facts_of(session, error) == "fresh was made by these migrations and is rolled back: it could not be looked at"


def test_an_error_of_another_kind_says_nothing(postgres_server: Any, failing: str) -> None:
    error = failure(postgres_server, failing, "SELECT 1 / 0")
    with Session(postgres_server.server, failing, "test") as session:
        assert failure_facts.facts_of(session, error) == ""


def test_a_count_that_takes_too_long_is_said_so(postgres_server: Any, failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error = failure(postgres_server, failing, 'ALTER TABLE "Shifts" ALTER COLUMN planned_start SET NOT NULL')
    monkeypatch.setattr(failure_facts, "COUNT_TIMEOUT_S", 1)
    with psycopg.connect(postgres_server.url(failing).replace("+psycopg", "")) as holder:
        holder.execute('LOCK TABLE "Shifts"')
        with Session(postgres_server.server, failing, "test") as session:
            assert failure_facts.facts_of(session, error) == "NULLs in Shifts.planned_start were not counted: that takes more than 1 s"
            # What needs no count is said all the same.
            there = {**error, "sqlstate": "42701", "message": 'column "planned_start" of relation "Shifts" already exists'}
            assert failure_facts.facts_of(session, there).startswith("Shifts.planned_start is there already as text: somebody added it past Alembic")
            assert session.value("SELECT 1") == 1


# As the catalogs of other languages have it, masked.
IN_OTHER_LANGUAGES = {
    "42701 ru": ('ALTER TABLE "Shifts" ADD COLUMN planned_start int', 'столбец "planned_start" отношения "Shifts" уже существует'),
    "42701 de": ('ALTER TABLE "Shifts" ADD COLUMN planned_start int', "Spalte »planned_start« von Relation »Shifts« existiert bereits"),
    "42701 fr": ('ALTER TABLE "Shifts" ADD COLUMN planned_start int', "la colonne « planned_start » de la relation « Shifts » existe déjà"),
    "42701 ja": ('ALTER TABLE "Shifts" ADD COLUMN planned_start int', 'リレーション"Shifts"の列"planned_start"はすでに存在します'),
    "42P07 de": ("CREATE TABLE users (id int)", "Relation »users« existiert bereits"),
    "42710 fr": ("ALTER TABLE users ADD CONSTRAINT users_phone CHECK (id > 0)", "la contrainte « users_phone » de la relation « users » existe déjà"),
    "42P01 ru": ("ALTER TABLE invoices ADD COLUMN a int", 'отношение "invoices" не существует'),
    "42703 de": ("CREATE INDEX i ON users (e_mail)", "Spalte »e_mail« existiert nicht"),
}
FOUND = {
    "42701": "Shifts.planned_start is there already as text, with 17 values in 20 rows",
    "42P07": "table users is there already, owned by postgres",
    "42710": "constraint on users: UNIQUE (phone)",
    "42P01": "but billing.invoices",
    "42703": "users has 3 columns, none of them e_mail; nearest by name: email",
}


@pytest.mark.parametrize("case", IN_OTHER_LANGUAGES)
def test_a_server_of_another_language_is_understood_by_the_names(case: str, postgres_server: Any, failing: str) -> None:
    statement, message = IN_OTHER_LANGUAGES[case]
    sqlstate = case.split()[0]
    error = mask_event({"event": "error", "kind": "X", "sqlstate": sqlstate, "message": message, "statement": statement}, [])
    with Session(postgres_server.server, failing, "test") as session:
        assert FOUND[sqlstate] in failure_facts.facts_of(session, error)


@pytest.mark.parametrize("sqlstate", FOUND)
def test_nothing_is_made_up_of_names_that_were_masked(sqlstate: str, postgres_server: Any, failing: str) -> None:
    error = mask_event({"event": "error", "kind": "X", "sqlstate": sqlstate, "message": 'столбец "b" отношения "a"', "statement": "DO 'x'"}, [])
    with Session(postgres_server.server, failing, "test") as session:
        assert failure_facts.facts_of(session, error) == ""
