"""Where PostgreSQL is, in the words of an inventory, becomes the words before its tools."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import postgres_place

COMPOSE = {"service": "postgres", "file": "docker-compose.prod.yml", "project_directory": "/opt/staffprobot"}


FILE = "/opt/staffprobot/docker-compose.prod.yml"
WORDS: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({"prefix": ["sudo", "-n", "-u", "postgres"]}, "sudo -n -u postgres"),
    ({"prefix": ["kubectl", "exec", "-i", "db-0", "--"]}, "kubectl exec -i db-0 --"),
    ({"compose": COMPOSE}, f"docker compose --project-directory /opt/staffprobot --file {FILE} exec -T postgres"),
    (
        {"prefix": ["sudo", "-n"], "compose": {**COMPOSE, "command": ["docker-compose"], "user": "pg", "project_name": "bot"}},
        f"sudo -n docker-compose --project-name bot --project-directory /opt/staffprobot --file {FILE} exec -T --user pg postgres",
    ),
    ({"compose": {"service": "db", "file": ["/a/base.yml", "/a/prod.yml"]}}, "docker compose --file /a/base.yml --file /a/prod.yml exec -T db"),
    ({"compose": {"service": "db", "project_name": "bot"}}, "docker compose --project-name bot exec -T db"),
    ({"container": "db"}, "docker exec --interactive db"),
    ({"container": {"name": "db", "engine": "podman", "user": "postgres"}}, "podman exec --interactive --user postgres db"),
    # What a module's argument spec fills in where nothing was said.
    ({"prefix": [], "compose": None, "container": None, "port": None, "scratch": ""}, ""),
]


@pytest.mark.parametrize("options, words", WORDS)
def test_words_before_the_tools(options: dict[str, Any], words: str) -> None:
    assert postgres_place.problems({key: value for key, value in options.items() if value}) == []
    assert list(postgres_place.prefix(options)) == words.split()


@pytest.mark.parametrize(
    "options, problem",
    [
        ({"hots": "db1"}, "has unknown keys: hots"),
        ({"compose": COMPOSE, "container": "db"}, "has compose and container: PostgreSQL is in one of them"),
        ({"compose": "postgres"}, "compose must be a mapping: command, file, project_directory, project_name, service, user"),
        ({"compose": {"file": "/a.yml"}}, "compose.service is not set"),
        ({"compose": {"service": "db"}}, "compose.file is not set: the compose file, absolute or relative to compose.project_directory"),
        (
            {"compose": {"service": "db", "file": "a.yml"}},
            "compose.file is «a.yml», relative to nothing: give compose.project_directory as an absolute path",
        ),
        ({"compose": {**COMPOSE, "services": "db"}}, "compose has unknown keys: services"),
        ({"compose": {**COMPOSE, "command": "docker compose"}}, "compose.command must be a list of words, not 'docker compose'"),
        ({"container": {"engine": "podman"}}, "container.name is not set"),
        ({"prefix": "sudo -u postgres"}, "prefix must be a list of words, not 'sudo -u postgres'"),
        (
            {"prefix": ["/usr/bin/ssh", "db1"]},
            "prefix begins with ssh, which hands its words to a shell that splits them anew: name the address of PostgreSQL itself in host and port, "
            "or a program of your own that quotes them",
        ),
        ({"scratch": "tmp"}, "scratch must be an absolute path, as seen where PostgreSQL's tools run"),
        ({"passfile": "/a", "password": "b"}, "has passfile and password: one of them is enough"),
    ],
)
def test_what_is_wrong_is_said(options: dict[str, Any], problem: str) -> None:
    assert postgres_place.problems(options) == [problem]
    with pytest.raises(ValueError, match="rehearsal_postgres"):
        postgres_place.prefix(options)


def test_a_password_is_never_told() -> None:
    secret = "w0rd"
    assert secret not in str(postgres_place.problems({"passfile": "/a", "password": secret, "compose": {}, "hots": 1}))
