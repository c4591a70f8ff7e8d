"""Fill a production database: `python -m staffprobot.generate --url postgresql://… --scale N`.

Every row is made inside the database from its own number: a column is an expression over `g.n` and over hashes of it, so
the same seed and scale give the same rows in the same order, on every server version and at any size.
"""

import argparse
import hashlib
import itertools
import os
import re
import sys
import time
from pathlib import Path

import alembic.command
import alembic.config
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from staffprobot import PRODUCTION_REVISION
from staffprobot.database import with_driver
from staffprobot.rows import FIXED, MACROS, SHARED, SIZES, TABLES, WORDS

PROJECT = Path(__file__).resolve().parents[1]
PLACEHOLDER = re.compile(r"\{(\w+)(?::(\w+))?\}")


def salt(*place):
    """A signed 64-bit seed for the hash of one place in one column."""
    digest = hashlib.sha256("/".join(map(str, place)).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def expand(expression, bounds, seed, *place):
    """The SQL of an expression; `place` (table, column) makes the hashes of one column its own.

    {r:M} is a number from 0 to M-1, M being a number or the name of a table; {any:TABLE} is the id of one of its rows;
    {count:TABLE} is how many it has; {pick:WORDS} is one of the words; the rest are SHARED and MACROS.
    """
    numbers = itertools.count()

    def replace(match):
        name, argument = match.groups()
        if name in SHARED:
            return "(" + expand(SHARED[name], bounds, seed, place[0], name) + ")"
        if name in MACROS:
            return "(" + substitute(MACROS[name]) + ")"
        if name == "seed":
            return str(seed)
        if name == "count":
            return str(bounds[argument])
        if name == "any":
            return substitute(f"(1 + {{r:{argument}}})")
        if name == "pick":
            words = WORDS[argument]
            array = ", ".join("'" + word.replace("'", "''") + "'" for word in words)
            return substitute(f"(ARRAY[{array}])[1 + {{r:{len(words)}}}]")
        if name == "r":
            bound = bounds.get(argument, argument)
            return f"mod(hashint8extended(g.n, {salt(seed, *place, next(numbers))}) & 9223372036854775807, {bound})"
        raise KeyError(name)

    def substitute(text):
        return PLACEHOLDER.sub(replace, text)

    return substitute(expression)


def migrate(url):
    """Bring an empty database to production's revision, the way the project does it: the URL in the environment."""
    before = os.environ.get("DATABASE_URL")
    os.environ["DATABASE_URL"] = url.render_as_string(hide_password=False)
    try:
        config = alembic.config.Config()
        config.set_main_option("script_location", str(PROJECT / "migrations").replace("%", "%%"))
        alembic.command.upgrade(config, PRODUCTION_REVISION)
    finally:
        if before is None:
            del os.environ["DATABASE_URL"]
        else:
            os.environ["DATABASE_URL"] = before


def take_off(connection):
    """Drop foreign keys and secondary indexes, which cost most of the time of a big fill. Returns the SQL that puts them back."""
    indexes = connection.exec_driver_sql(
        "SELECT 'DROP INDEX ' || i.indexrelid::regclass, pg_get_indexdef(i.indexrelid) FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'public'::regnamespace"
        " WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u')) ORDER BY i.indexrelid"
    ).fetchall()
    foreign_keys = connection.exec_driver_sql(
        "SELECT 'ALTER TABLE ' || conrelid::regclass || ' DROP CONSTRAINT ' || quote_ident(conname),"
        " 'ALTER TABLE ' || conrelid::regclass || ' ADD CONSTRAINT ' || quote_ident(conname) || ' ' || pg_get_constraintdef(oid)"
        " FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY oid"
    ).fetchall()
    for drop, _definition in [*foreign_keys, *indexes]:
        connection.exec_driver_sql(drop)
    return [definition for _drop, definition in [*indexes, *foreign_keys]]


def fill(connection, scale, seed):
    """Make every row; the tables must be at production's revision and empty. Returns the rows of each table."""
    counts = {table: rows * scale for table, rows in SIZES.items()}
    bounds = {**counts, "owners": counts["users"] // 10}
    put_back = take_off(connection)
    for table, rows in FIXED.items():
        connection.exec_driver_sql(f"INSERT INTO {table} VALUES {rows}")
    for table, columns in TABLES.items():
        values = ", ".join(expand(expression, bounds, seed, table, column) for column, expression in columns.items())
        connection.exec_driver_sql(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM generate_series(1::bigint, {counts[table]}) AS g(n)"
        )
    for statement in put_back:
        connection.exec_driver_sql(statement)
    set_sequences(connection)
    return counts


def set_sequences(connection):
    """Let the next row of each table get the id after the last one."""
    owned = connection.exec_driver_sql(
        "SELECT c.oid::regclass::text, d.refobjid::regclass::text, a.attname FROM pg_class c"
        " JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')"
        " JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid WHERE c.relkind = 'S' ORDER BY 1"
    ).fetchall()
    for sequence, table, column in owned:
        connection.exec_driver_sql(f"SELECT setval('{sequence}', max({column})) FROM {table}")


def revision_of(connection):
    """Where Alembic says that the database is; None for one that Alembic does not know."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return ", ".join(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars())


def keep_settings(connection, database):
    """What an administrator once set on production: sessions are in Moscow time."""
    quoted = connection.dialect.identifier_preparer.quote_identifier(database)
    try:
        connection.exec_driver_sql(f"ALTER DATABASE {quoted} SET timezone = 'Europe/Moscow'")
    except sa.exc.DBAPIError as error:
        print(f"note: the database's time zone was not set: {str(error.orig).splitlines()[0]}")


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m staffprobot.generate", description=__doc__.splitlines()[0])
    parser.add_argument("--url", default=os.environ.get("DATABASE_URL"), help="default: DATABASE_URL")
    parser.add_argument("--scale", type=int, default=1, help="1: 1,200 shifts; 1000: 1.2 million (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other rows (default: %(default)s)")
    parser.add_argument("--with-settings", action="store_true", default=True, help="ALTER DATABASE … SET timezone (default)")
    parser.add_argument("--no-with-settings", action="store_false", dest="with_settings", help="leave the database's settings alone")
    arguments = parser.parse_args(argv)
    if not arguments.url:
        parser.error("say which database: --url, or DATABASE_URL")
    if arguments.scale < 1:
        parser.error("--scale must be 1 or more")

    started = time.monotonic()
    url = with_driver(make_url(arguments.url))
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        tables = sa.inspect(connection).get_table_names()
    if not tables:
        migrate(url)
    with engine.begin() as connection:
        if revision_of(connection) != PRODUCTION_REVISION:
            parser.error(f"{url.database} is neither empty nor at revision {PRODUCTION_REVISION}; nothing was changed")
        if connection.exec_driver_sql("SELECT EXISTS (SELECT FROM users)").scalar():
            parser.error(f"{url.database} has rows already; nothing was changed")
        counts = fill(connection, arguments.scale, arguments.seed)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
        if arguments.with_settings:
            keep_settings(connection, url.database)
    rows = sum(counts.values())
    print(f"{url.database}: revision {PRODUCTION_REVISION}, {rows:,} rows ({counts['shifts']:,} shifts) in {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
