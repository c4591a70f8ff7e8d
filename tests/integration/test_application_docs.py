"""The examples of docs/applications.md, each with a project of its kind: they migrate the copy. MLflow and Prefect have their own tests."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.migrations.rehearsal.plugins.module_utils import application, application_arguments

sys.path.append(str(Path(__file__).parent))

from agent_project import ASYNC_ENV, ENV, Project, application_python, mark, sql  # noqa: E402

pytestmark = pytest.mark.integration

REHEARSAL = "20261122-223011-9f3a2c"
PAGE = Path(__file__).parents[2] / "docs" / "applications.md"
OWN_TESTS = {"MLflow", "Prefect"}


def examples() -> dict[str, str]:
    """Heading → the YAML below it."""
    return {
        title: block
        for title, body in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        for block in re.findall(r"^```yaml\n(.*?)^```", body, re.MULTILINE | re.DOTALL)
    }


# How each kind of project is made, in a directory, by a Python that has Alembic. All get the same revision afterwards.


def environment(directory: Path, python: str) -> None:
    Project(directory)


def asynchronous(directory: Path, python: str) -> None:
    Project(directory).write("migrations/env.py", ASYNC_ENV.format(url='os.environ["DATABASE_URL"]', extra="", configure=""))


def settings_module(directory: Path, python: str) -> None:
    url = "f\"postgresql+psycopg://{e['DB_USER']}@/{e['DB_NAME']}?host={e['DB_HOST']}&port={e['DB_PORT']}\""
    Project(directory).write("app_settings.py", f"from os import environ as e\nURL = {url}\n")
    extra = "import sys\nsys.path.insert(0, '.')\nimport app_settings"
    (directory / "migrations" / "env.py").write_text(ENV.format(url="app_settings.URL", extra=extra, configure=""))


def template(name: str) -> Callable[[Path, str], None]:
    def make(directory: Path, python: str) -> None:
        subprocess.run([python, "-m", "alembic", "init", "--template", name, "migrations"], cwd=directory, check=True, capture_output=True)

    return make


def section(directory: Path, python: str) -> None:
    template("generic")(directory, python)
    text = (directory / "alembic.ini").read_text()
    (directory / "alembic.ini").write_text(text + "\n[rehearsal]\nscript_location = migrations\n")


def x_argument(directory: Path, python: str) -> None:
    url = "f\"{os.environ['BASE']}\".replace('NAME', context.get_x_argument(as_dictionary=True)['db_name'])"
    asked = "context.get_x_argument()[1:]"
    extra = f"assert {asked} == ['verbose', 'tenant=north', 'tenant=south'], {asked}"
    Project(directory).write("migrations/env.py", ENV.format(url=url, extra=extra, configure=""))


def context(directory: Path, python: str) -> None:
    """As Flask-Migrate: alembic.ini lies in migrations and names no script_location; env.py works only within the application's context."""
    project = Project(directory)
    (directory / "alembic.ini").unlink()
    project.write("migrations/alembic.ini", "[alembic]\n")
    app = """
    import contextlib, os, sqlalchemy
    current = []
    class App:
        @contextlib.contextmanager
        def app_context(self):
            current.append(sqlalchemy.create_engine(os.environ["DATABASE_URL"]))
            yield
            current.pop()
    create_app = App
    """
    project.write("app.py", textwrap.dedent(app))
    text = ENV.format(url="None", extra="import app", configure="").replace("create_engine(None)", "app.current[-1]")
    project.write("migrations/env.py", text)


def handed_over(directory: Path, python: str) -> None:
    Project(directory).write(
        "migrations/env.py",
        "from alembic import context\ncontext.configure(connection=context.config.attributes['connection'])\n"
        "with context.begin_transaction():\n    context.run_migrations()\n",
    )


ELSEWHERE = "postgresql+psycopg://nobody@/production?host=/nowhere"


def module_with_url(directory: Path, python: str) -> None:
    project = Project(directory)
    project.write("app/__init__.py", "")
    project.write("app/database.py", f"URL = {ELSEWHERE!r}\n")
    project.write("migrations/env.py", ENV.format(url="database.URL", extra="from app import database", configure=""))


def env_with_url(directory: Path, python: str) -> None:
    Project(directory).write("migrations/env.py", ENV.format(url=repr(ELSEWHERE), extra="", configure=""))


def compose(directory: Path, python: str) -> None:
    """A program in place of docker: it goes elsewhere and empties the environment before it starts Python, as a container does."""
    Project(directory / "inside")
    (directory / "docker").write_text(
        f'#!/bin/sh\n[ "$*" = "compose -f docker-compose.dev.yml exec -T web python -" ] || exit 9\ncd inside && exec env -i {python} -\n'
    )
    (directory / "docker").chmod(stat.S_IRWXU)


KINDS: dict[str, Callable[[Path, str], None]] = {
    "A variable of the environment": environment,
    "An async engine": asynchronous,
    "A settings module": settings_module,
    "The URL in alembic.ini": template("generic"),
    "pyproject.toml": template("pyproject"),
    "A section of its own": section,
    "An argument for -x": x_argument,
    "Several databases (multidb)": template("multidb"),
    "An application context (Flask-Migrate)": context,
    "A connection that env.py finds in its configuration": handed_over,
    "A URL in a module of the project": module_with_url,
    "A URL in env.py itself": env_with_url,
    "docker compose": compose,
}

REVISION = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "a1", None, None, None
def upgrade(engine_name=None):
    op.create_table("t", sa.Column("id", sa.Integer()))
def downgrade(engine_name=None):
    op.drop_table("t")
"""


def test_every_example_of_the_page_is_tried() -> None:
    assert examples().keys() == KINDS.keys() | OWN_TESTS


@pytest.mark.parametrize("title", KINDS)
def test_an_example_migrates_the_copy(title: str, postgres_server: Any, database: str, tmp_path: Path) -> None:
    mark(postgres_server, database, REHEARSAL)
    python = application_python(None, ">=2.0", ">=1.13")
    KINDS[title](tmp_path, python)
    (versions,) = [path for path in tmp_path.rglob("versions") if path.is_dir()]
    (versions / "a1.py").write_text(REVISION)
    # The page's names of things, as they are on this machine.
    text = examples()[title].replace("{{ rehearsal_copy_database }}", database).replace("/opt/app", str(tmp_path))
    text = text.replace("//app@", f"//{postgres_server.user}@").replace("DB_USER: app", f"DB_USER: {postgres_server.user}")
    text = text.replace("?host=/var/run/postgresql", f"?host={postgres_server.host}&port={postgres_server.port}")
    text = text.replace("/var/run/postgresql", postgres_server.host)
    options = yaml.safe_load(text)["rehearsal_application"]
    if options["command"] == [".venv/bin/python"]:
        options["command"] = [python]
    else:
        options["command"][0] = str(tmp_path / options["command"][0])
    if title == "A settings module":
        options["environment"]["DB_PORT"] = postgres_server.port
    if title == "An argument for -x":
        options["environment"] = {"BASE": postgres_server.url("NAME")}

    found = application_arguments.application(options, 60.0)
    log = tmp_path / "application.log"
    outcome = application.run(found, "upgrade", marker_id=REHEARSAL, log_path=str(log))
    assert outcome.succeeded, (outcome.error, outcome.fence, log.read_text())
    assert sql(postgres_server, database, "SELECT to_regclass('t') IS NOT NULL") == ["t"]
    assert sql(postgres_server, database, "SELECT version_num FROM alembic_version") == ["a1"]
    shutil.rmtree(tmp_path / "migrations", ignore_errors=True)


@pytest.mark.parametrize("wrapper", ["pass", "try:\n    run()\nexcept ValueError:\n    pass"])
def test_a_wrapper_makes_no_success_of_what_did_not_run(wrapper: str, postgres_server: Any, database: str, tmp_path: Path) -> None:
    mark(postgres_server, database, REHEARSAL)
    Project(tmp_path).revision("a1", "raise ValueError('broken')")
    url = postgres_server.url(database)
    found = application.Application((sys.executable,), str(tmp_path), environment={"DATABASE_URL": url}, wrapper=wrapper, deadline_s=60)
    outcome = application.run(found, "upgrade", marker_id=REHEARSAL)
    assert outcome.error is not None and outcome.error["kind"] == ("NothingRan" if wrapper == "pass" else "ValueError")


def test_a_wrapper_is_behind_the_fence(postgres_server: Any, database: str, tmp_path: Path) -> None:
    mark(postgres_server, database, REHEARSAL)
    Project(tmp_path).revision("a1")
    wrapper = "import os, sqlalchemy\nsqlalchemy.create_engine(os.environ['OTHER']).connect()\nrun()"
    environment = {"DATABASE_URL": postgres_server.url(database), "OTHER": postgres_server.url("postgres")}
    found = application.Application((sys.executable,), str(tmp_path), environment=environment, wrapper=wrapper, deadline_s=60)
    outcome = application.run(found, "upgrade", marker_id=REHEARSAL)
    assert outcome.fence is not None and outcome.fence["address"]["database"] == "postgres"


def test_revisions_are_read_where_env_puts_them(postgres_server: Any, database: str, tmp_path: Path) -> None:
    mark(postgres_server, database, REHEARSAL)
    Project(tmp_path, extra='context.script.version_locations = [os.path.abspath("elsewhere")]').revision("a1")
    (tmp_path / "migrations" / "versions").rename(tmp_path / "elsewhere")
    (tmp_path / "migrations" / "versions").mkdir()
    found = application.Application((sys.executable,), str(tmp_path), environment={"DATABASE_URL": postgres_server.url(database)}, deadline_s=60)
    asked = application.run(found, "info")
    assert asked.succeeded and (asked.last("script") or {})["revisions"] == []
    outcome = application.run(found, "upgrade", marker_id=REHEARSAL)
    assert outcome.succeeded, outcome.error
    assert (outcome.last("script") or {})["heads"] == (outcome.last("done") or {})["heads"] == ["a1"]
