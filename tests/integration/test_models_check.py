"""Models against database, in the application's own env.py: sync and async, old and new Alembic, several databases, hooks; nothing is written."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import application
from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Application, Outcome

sys.path.append(str(Path(__file__).parent))

from agent_project import MATRIX, Project, application_python, dump, mark, sql, url_of  # noqa: E402

pytestmark = pytest.mark.integration

REHEARSAL = "20261122-223011-9f3a2c"
MODELS = """
import sqlalchemy as sa
models = sa.MetaData()
sa.Table("cities", models, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text, nullable=False),
         sa.Column("zone", sa.String(20)), sa.UniqueConstraint("name", name="cities_name"))
"""
TABLES = """op.execute("CREATE TABLE cities (id serial PRIMARY KEY, name text, zone text, code int, "
           "city_id int CONSTRAINT cities_city REFERENCES cities)")
op.execute("CREATE INDEX ix_cities_code ON cities (code)")
op.execute("CREATE TABLE old (id int)")"""


class Place:
    """A copy that stands at the head of a project."""

    def __init__(self, server: Any, copy: str, directory: Path) -> None:
        self.server = server
        self.copy = copy
        self.directory = directory

    def project(self, **env: Any) -> Project:
        project = Project(self.directory, **{"extra": MODELS, "configure": "target_metadata=models, compare_type=True", **env})
        project.revision("a1", TABLES)
        sql(self.server, self.copy, "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        sql(self.server, self.copy, "INSERT INTO alembic_version VALUES ('a1')")
        for statement in (
            "CREATE TABLE cities (id serial PRIMARY KEY, name text, zone text, code int, city_id int CONSTRAINT cities_city REFERENCES cities)",
            "CREATE INDEX ix_cities_code ON cities (code)",
            "CREATE TABLE old (id int)",
        ):
            sql(self.server, self.copy, statement)
        return project

    def check(self, driver: str = "psycopg", python: str = sys.executable) -> Outcome:
        environment = {"DATABASE_URL": url_of(self.server, self.copy, driver)}
        return application.run(
            Application(command=(python,), chdir=str(self.directory), environment=environment, deadline_s=60),
            "check",
            marker_id=REHEARSAL,
            measured=False,
        )


@pytest.fixture
def place(postgres_server: Any, database: str, tmp_path: Path) -> Place:
    mark(postgres_server, database, REHEARSAL)
    return Place(postgres_server, database, tmp_path)


def models(outcome: Outcome) -> dict[str, Any]:
    assert outcome.succeeded, outcome.error or outcome.fence
    (found,) = [event for event in outcome.events if event["event"] == "models"]
    return found


TEXTS = {
    "column cities.code (INTEGER) is only in the database",
    "column cities.city_id (INTEGER) is only in the database",
    "column cities.name is nullable in the database, not null in the models",
    "column cities.zone is TEXT in the database, VARCHAR(20) in the models",
    "constraint cities_name on cities (name) is only in the models",
    "foreign key cities_city on cities (city_id) is only in the database",
    "index ix_cities_code on cities (code) is only in the database",
    "table old is only in the database",
}


def test_every_difference_is_told_in_words_and_nothing_is_written(place: Place) -> None:
    place.project()
    files = sorted(place.directory.rglob("*.py"))
    before = dump(place.server, place.copy)
    found = models(place.check())
    assert {difference["text"] for difference in found["differences"]} == TEXTS
    assert (found["reason"], found["compare_type"], found["compare_server_default"]) == (None, True, False)
    assert {difference["table"] for difference in found["differences"]} == {"cities", "old"}
    assert dump(place.server, place.copy) == before
    assert sorted(place.directory.rglob("*.py")) == files


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg_async"])
def test_an_asynchronous_env_is_compared_alike(place: Place, driver: str) -> None:
    place.project(asynchronous=True)
    assert {difference["text"] for difference in models(place.check(driver, application_python(*MATRIX[2])))["differences"]} == TEXTS


@pytest.mark.parametrize(("version", "sqlalchemy", "alembic"), [MATRIX[0], MATRIX[-1]], ids=["oldest", "newest"])
def test_the_oldest_and_the_newest_alembic_say_the_same(place: Place, version: str, sqlalchemy: str, alembic: str) -> None:
    place.project()
    found = models(place.check("psycopg2", application_python(version, sqlalchemy, alembic)))
    assert {difference["text"] for difference in found["differences"]} == TEXTS


def test_a_hook_that_takes_empty_revisions_away_is_borne(place: Place) -> None:
    hook = "\ndef hook(context, revision, directives):\n    directives[:] = []\n"
    place.project(extra=MODELS + hook, configure="target_metadata=models, process_revision_directives=hook")
    assert models(place.check())["differences"] == []


def test_an_operation_of_another_package_is_named(place: Place) -> None:
    foreign = """
from alembic.autogenerate import comparators
from alembic.operations.ops import MigrateOperation
class ReplaceView(MigrateOperation):
    def reverse(self):
        return self
@comparators.dispatch_for("schema")
def views(context, operations, schemas):
    operations.ops[:] = [ReplaceView()]
"""
    place.project(extra=MODELS + foreign)
    assert "ReplaceView" in [difference["text"] for difference in models(place.check())["differences"]]


def test_what_cannot_be_compared_has_its_reason(place: Place) -> None:
    project = place.project(configure="", extra="")
    assert models(place.check())["reason"] == "env.py names no models (target_metadata is None)"
    project.env(extra=MODELS, configure="target_metadata=models")
    project.revision("b2", "pass")
    assert models(place.check())["reason"] == "the database does not stand at the project's head"


def test_defaults_are_compared_where_the_project_asks_for_it(place: Place) -> None:
    place.project(configure="target_metadata=models, compare_server_default=True")
    sql(place.server, place.copy, "ALTER TABLE cities ALTER zone SET DEFAULT 'UTC'")
    found = models(place.check())
    assert found["compare_server_default"]
    assert any("cities.zone is default 'UTC'" in difference["text"] for difference in found["differences"]), found["differences"]


def test_the_fence_stands_before_it(place: Place) -> None:
    place.project()
    sql(place.server, "postgres", f'COMMENT ON DATABASE "{place.copy}" IS \'{{"rehearsal": {{"id": "{REHEARSAL}", "part": "empty"}}}}\'')
    outcome = place.check()
    assert outcome.fence and outcome.fence["reason"] == f"the database belongs to another rehearsal ({REHEARSAL}/empty)"
    assert [event for event in outcome.events if event["event"] == "models"] == []
