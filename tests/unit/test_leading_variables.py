"""Which variables of the host could lead an application to some database, and so do not reach it."""

from __future__ import annotations

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_suspects import leads_to_a_database

LEADING = """
PGHOST PGHOSTADDR PGDATABASE PGSERVICE PGPASSFILE PG_HOST PG_PORT PG_CONN PG_DSN PGBOUNCER_HOST PGRST_DB_URI POSTGRES_DB POSTGRES_USER
POSTGRESQL_URL DATABASE DATABASE_URL TEAM_DATABASE_URL DATABASE_URL_TEST DB DB_HOST DBHOST DBNAME DBUSER DB_PASS DBPASSWORD APP_DB
WEBDB_HOST MYAPP_DB_NAME SQL_HOST SQLHOST MYSQL_HOST SQLALCHEMY_DATABASE_URI ALEMBIC_CONFIG RDS_HOSTNAME RDS_DB_NAME RDS_USERNAME JDBC_URL
SPRING_JDBC_URL DSN APP_DSN SENTRY_DSN ASYNC_DB_URI CONNECTION_STRING CONNECTIONSTRING CONN_STR APP_CONNECTION_URL CONNINFO database_url
"""
OTHERS = """
HOME PATH LANG PWD USER HOSTNAME PYTHONPATH VIRTUAL_ENV DBUS_SESSION_BUS_ADDRESS PGP_KEY PGP REDIS_HOST SMTP_HOST HTTP_PROXY SECRET_KEY
DEBUG XDG_DATA_DIRS APP_NAME SERVICE_NAME SSH_CONNECTION API_URL CONNECT_TIMEOUT
"""


@pytest.mark.parametrize("name", LEADING.split())
def test_a_name_that_leads(name: str) -> None:
    assert leads_to_a_database(name, "x")


@pytest.mark.parametrize("name", OTHERS.split())
def test_a_name_that_does_not(name: str) -> None:
    assert not leads_to_a_database(name, "x")


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://h/d", "postgres://h/d", " postgresql+asyncpg://h/d", "mysql+pymysql://h/d", "sqlite:///x.db", "jdbc:postgresql://h/d",
        "host=prod dbname=prod", "dbname = prod", "Host=prod;Database=p", "Server=h;Initial Catalog=p",
    ],
)  # fmt: skip
def test_a_value_that_leads_whatever_its_name(value: str) -> None:
    assert leads_to_a_database("ANYTHING", value)


@pytest.mark.parametrize("value", ["https://host/path?database=1", "host=prod", "/var/lib/postgresql", "my database is large", ""])
def test_a_value_that_does_not(value: str) -> None:
    assert not leads_to_a_database("ANYTHING", value)
