"""A minimal Alembic project, written into a directory by the tests of the agent."""

from __future__ import annotations

import textwrap
from pathlib import Path

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
