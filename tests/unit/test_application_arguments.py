"""From what the inventory says of the application to what the agent is told."""

from __future__ import annotations

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.application import declared_values, x_arguments
from ansible_collections.migrations.rehearsal.plugins.module_utils.application_arguments import application, secrets_of
from ansible_collections.migrations.rehearsal.plugins.module_utils.application_masking import to_hide

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


def test_an_x_argument_stands_alone_or_comes_several_times() -> None:
    found = application({"command": ["python"], "x": {"verbose": None, "tenant": ["north", 2], "api_key": "sesame"}}, 60.0)
    assert found.x == {"verbose": None, "tenant": ["north", "2"], "api_key": "sesame"}
    assert sorted(declared_values(found)) == [("api_key", "sesame"), ("tenant", "2"), ("tenant", "north")]
    assert x_arguments(found.x) == [("verbose", None), ("tenant", "north"), ("tenant", "2"), ("api_key", "sesame")]


def test_what_is_left_out_is_alembics_default() -> None:
    found = application({"command": ["python"]}, 60.0)
    assert (found.config, found.section, found.wrapper, found.options, found.chdir) == ("alembic.ini", "", "", {}, "")


def test_passwords_are_secret_wherever_they_stand() -> None:
    assert secrets_of(GIVEN) == {"t0ken", "first%2Fpw", "first/pw", "second", "third"}


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        ("APP_DSN", "host=db user=me password='open sesame' dbname=x", {"open sesame"}),
        ("APP_DSN", "host=db password=sesame", {"sesame"}),
        ("JDBC", "jdbc:postgresql://host/db?user=me&password=sesame&ssl=true", {"sesame"}),
        ("CONNECTION_STRING", "Host=prod;Username=me;Password=sesame;Database=p", {"sesame"}),
        ("DB_PWD", "sesame", {"sesame"}),
        ("DB_HOST", "sesame", set()),
    ],
)
def test_a_password_is_found_in_every_kind_of_address(name: str, value: str, secrets: set[str]) -> None:
    given = {"command": ["python"], "environment": {name: value}}
    assert secrets_of(given) == secrets
    assert to_hide(declared_values(application(given, 60.0))) == sorted(secrets)


def test_what_holds_another_secret_is_hidden_first() -> None:
    assert to_hide([("A_KEY", "abcd"), ("B_KEY", "xabcdx"), ("C_KEY", "abc")]) == ["xabcdx", "abcd"]


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
