"""From what the inventory says of the application to what the agent is told."""

from __future__ import annotations

from ansible_collections.migrations.rehearsal.plugins.module_utils.application import declared_values
from ansible_collections.migrations.rehearsal.plugins.module_utils.application_arguments import application, secrets_of

GIVEN = {
    "command": ["python"],
    "x": {"tenant": 7},
    "environment": {"PORT": 5432, "API_TOKEN": "t0ken"},
    "options": {
        "sqlalchemy.url": "postgresql://app:first%2Fpw@host/db",
        "sourceless": True,
        "billing": {"sqlalchemy.url": "postgresql://app:second@host/db", "password": "third"},
    },
}


def test_every_value_becomes_a_text_and_a_truth_value_alembics_word() -> None:
    found = application(GIVEN, 60.0)
    assert found.x == {"tenant": "7"} and found.environment["PORT"] == "5432"
    assert found.options["sourceless"] == "true"
    assert found.options["billing"] == {"sqlalchemy.url": "postgresql://app:second@host/db", "password": "third"}


def test_what_is_left_out_is_alembics_default() -> None:
    found = application({"command": ["python"]}, 60.0)
    assert (found.config, found.section, found.wrapper, found.options, found.chdir) == ("alembic.ini", "", "", {}, "")


def test_passwords_are_secret_wherever_they_stand() -> None:
    assert secrets_of(GIVEN) == {"t0ken", "first%2Fpw", "second", "third"}


def test_the_agent_hides_options_of_all_sections() -> None:
    assert sorted(declared_values(application(GIVEN, 60.0))) == [
        ("API_TOKEN", "t0ken"),
        ("PORT", "5432"),
        ("password", "third"),
        ("sourceless", "true"),
        ("sqlalchemy.url", "postgresql://app:first%2Fpw@host/db"),
        ("sqlalchemy.url", "postgresql://app:second@host/db"),
        ("tenant", "7"),
    ]
