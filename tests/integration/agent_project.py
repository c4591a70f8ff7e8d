"""A minimal Alembic project, written into a directory by the tests of the agent."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session, quote_identifier, quote_literal

sys.path.append(str(Path(__file__).parents[1]))

from application_venvs import venv_python  # noqa: E402

ENV = """
import os
from alembic import context
from sqlalchemy import create_engine
{extra}
engine = create_engine({url})
with engine.connect() as connection:
    context.configure(connection=connection{configure})
    with context.begin_transaction():
        context.run_migrations()
"""

ASYNC_ENV = """
import asyncio, os
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
{extra}
def do_run(connection):
    context.configure(connection=connection{configure})
    with context.begin_transaction():
        context.run_migrations()

async def run():
    engine = create_async_engine({url}, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(do_run)
    await engine.dispose()

asyncio.run(run())
"""

REVISION = '''
"""{message}"""
import sqlalchemy as sa
from alembic import op
{imports}
revision = {revision!r}
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = {depends!r}

def upgrade():
{upgrade}

def downgrade():
{downgrade}
'''


class Project:
    """One project; `revision()` adds a script on top of the last one unless told otherwise."""

    def __init__(
        self, directory: Path, url: str = 'os.environ["DATABASE_URL"]', asynchronous: bool = False, extra: str = "", configure: str = ""
    ) -> None:
        self.directory = directory
        self.last: str | None = None
        (directory / "migrations" / "versions").mkdir(parents=True)
        self.write("alembic.ini", "[alembic]\nscript_location = migrations\n")
        self.env(url, asynchronous, extra, configure)

    def env(self, url: str = 'os.environ["DATABASE_URL"]', asynchronous: bool = False, extra: str = "", configure: str = "") -> None:
        template = ASYNC_ENV if asynchronous else ENV
        configure = f", {configure}" if configure else ""
        self.write("migrations/env.py", template.format(url=url, extra=textwrap.dedent(extra), configure=configure))

    def write(self, name: str, text: str) -> None:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def revision(
        self,
        revision: str,
        upgrade: str = "pass",
        downgrade: str = "pass",
        *,
        down: object = "last",
        labels: str | None = None,
        depends: object = None,
        message: str = "",
        imports: str = "",
    ) -> str:
        text = REVISION.format(
            message=message or f"revision {revision}",
            imports=imports,
            revision=revision,
            down=self.last if down == "last" else down,
            labels=labels,
            depends=depends,
            upgrade=textwrap.indent(textwrap.dedent(upgrade).strip() or "pass", "    "),
            downgrade=textwrap.indent(textwrap.dedent(downgrade).strip() or "pass", "    "),
        )
        self.write(f"migrations/versions/{revision}.py", text)
        self.last = revision
        return revision


DRIVERS = ("psycopg2", "psycopg", "asyncpg", "pg8000")
ALL_DRIVERS = ("psycopg2-binary", "psycopg[binary]", "psycopg_pool", "asyncpg", "pg8000", "greenlet")
ASYNC_DRIVERS = ("asyncpg", "psycopg_async")
# (Python, SQLAlchemy, Alembic): the oldest that is promised, the newest, and what lies between.
MATRIX = (
    ("3.8", "1.4.*", "1.8.*"),
    ("3.9", "1.4.*", "1.12.*"),
    ("3.10", "2.0.*", "1.13.*"),
    ("3.12", "2.0.*", "1.16.*"),
    ("3.13", "2.1.*", ">=1.20"),
)


def application_python(version: str | None, sqlalchemy: str, alembic: str) -> str:
    """The Python of a virtualenv with these versions and all drivers. Skips what the machine cannot install."""
    return venv_python(version, f"sqlalchemy{_specifier(sqlalchemy)}", f"alembic{_specifier(alembic)}", *ALL_DRIVERS)


def _specifier(version: str) -> str:
    return version if version.startswith((">", "<", "=")) else f"=={version}"


def url_of(server: Any, database: str, driver: str) -> str:
    """An SQLAlchemy URL; pg8000 has its own word for a socket."""
    if driver == "pg8000":
        return f"postgresql+pg8000://{server.user}@/{database}?unix_sock={server.host}/.s.PGSQL.{server.port}"
    return str(server.url(database, driver))


def mark(server: Any, database: str, rehearsal: str) -> None:
    """Give a database the marker of a rehearsal."""
    marker = json.dumps({"rehearsal": {"id": rehearsal}})
    with Session(server.server, database, "tests") as session:
        session.execute(f"COMMENT ON DATABASE {quote_identifier(database)} IS {quote_literal(marker)}")


def sql(server: Any, database: str, statement: str) -> list[str]:
    with Session(server.server, database, "tests") as session:
        return session.execute(statement)


def dump(server: Any, database: str) -> str:
    """All of a database as pg_dump sees it, byte for byte but for pg_dump's own random key."""
    argv = [str(Path(server.bin_dir) / "pg_dump"), "-h", server.host, "-p", str(server.port), "-U", server.user, database]
    text = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return "\n".join(line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))
