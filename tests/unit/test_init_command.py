"""`rehearse init`: what it writes, what it refuses to write. tests/e2e/test_init.py shows that it passes preflight."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from migration_rehearsal import cli, exit_codes, init_command, inventory_text

NATIVE = [
    "--database", "shop", "--production", "db1.example.com", "--production-user", "ops", "--production-postgres", "user=backup",
    "--production-postgres", "passfile=/home/ops/.pgpass", "--dev", "local", "--dev-postgres", "host=/var/run/postgresql", "--dev-postgres",
    "port=5433", "--dev-postgres", "user=app", "--app-command", ".venv/bin/python", "--app-dir", "/opt/shop", "--environment", "DATABASE_URL=auto",
]  # fmt: skip
COMPOSE = [
    "--database", "shop", "--production", "db1", "--production-compose", "/opt/shop/prod.yml", "--dev", "dev1", "--dev-compose", "/opt/shop/dev.yml",
    "--dev-service", "db", "--app-service", "web", "--environment", "DATABASE_URL=auto", "--driver", "asyncpg", "--vault",
]  # fmt: skip


def init(directory: Path, *words: str) -> int:
    return cli.main(["init", str(directory), *words])


def read(directory: Path, name: str) -> Any:
    return yaml.safe_load((directory / name).read_text())


def answered(answers: dict[str, str], *words: str) -> tuple[dict[str, str], list[str]]:
    """The files that these answers give, and the options that were asked for; what is not among the answers is left at its default."""
    asked: list[str] = []

    def ask(option: str, question: str, default: str) -> str:
        asked.append(option)
        return answers.get(option, default)

    given = cli.parser().parse_args(["init", *words])
    return inventory_text.inventory(init_command._answers(given, ask)), asked


def test_native_hosts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(tmp_path / "i", *NATIVE) == 0
    hosts = read(tmp_path / "i", "hosts.yml")["all"]["children"]
    assert hosts["prod"]["hosts"] == {"production": {"ansible_host": "db1.example.com", "ansible_user": "ops"}}
    assert hosts["dev"]["hosts"]["rehearsal"]["ansible_connection"] == "local"
    assert read(tmp_path / "i", "host_vars/production.yml") == {
        "rehearsal_database": "shop",
        "rehearsal_postgres": {"user": "backup", "passfile": "/home/ops/.pgpass"},
    }
    url = "postgresql://app@/{{ rehearsal_copy_database }}?host=%2Fvar%2Frun%2Fpostgresql&port=5433"
    assert read(tmp_path / "i", "host_vars/rehearsal.yml") == {
        "rehearsal_application": {"command": [".venv/bin/python"], "chdir": "/opt/shop", "environment": {"DATABASE_URL": url}},
        "rehearsal_postgres": {"host": "/var/run/postgresql", "port": 5433, "user": "app"},
    }
    assert f"rehearse run -i {tmp_path / 'i'}" in capsys.readouterr().out


def test_compose_hosts_and_a_vault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(tmp_path / "i", *COMPOSE) == 0
    assert read(tmp_path / "i", "host_vars/production.yml")["rehearsal_postgres"] == {
        "compose": {"file": "/opt/shop/prod.yml", "service": "postgres"},
        "user": "postgres",
    }
    dev = read(tmp_path / "i", "host_vars/rehearsal.yml")
    assert dev["rehearsal_application"]["command"] == ["docker", "compose", "-f", "/opt/shop/dev.yml", "exec", "-T", "web", "python"]
    # The application reaches the server from its own container, by the service's name.
    url = "postgresql+asyncpg://postgres:{{ vault_rehearsal_app_password | urlencode }}@db/{{ rehearsal_copy_database }}"
    assert dev["rehearsal_application"]["environment"] == {"DATABASE_URL": url}
    said = capsys.readouterr().out
    assert "vault_rehearsal_app_password: …" in said and "ansible-vault create" in said and "--vault-password-file" in said


def test_compose_of_old_is_called_by_its_name(tmp_path: Path) -> None:
    assert init(tmp_path / "i", *COMPOSE, "--dev-compose-command", "sudo -n docker-compose") == 0
    dev = read(tmp_path / "i", "host_vars/rehearsal.yml")
    assert dev["rehearsal_postgres"]["compose"] == {"file": "/opt/shop/dev.yml", "service": "db", "command": ["sudo", "-n", "docker-compose"]}
    command = ["sudo", "-n", "docker-compose", "-f", "/opt/shop/dev.yml", "exec", "-T", "web", "python"]
    assert dev["rehearsal_application"]["command"] == command
    assert "command" not in read(tmp_path / "i", "host_vars/production.yml")["rehearsal_postgres"]["compose"]


def test_a_password_of_postgres_comes_from_the_vault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(tmp_path / "i", *NATIVE, "--production-postgres", "password=vault", "--production-container", "db") == 0
    found = read(tmp_path / "i", "host_vars/production.yml")["rehearsal_postgres"]
    assert found["password"] == "{{ vault_rehearsal_production_password }}" and found["container"] == "db"
    assert "vault_rehearsal_production_password: …" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["--environment", "DATABASE_URL=postgresql://app:hunter2@/x"],
        ["--option", "sqlalchemy.url=postgresql+psycopg://app:hunter2@db1/x"],
        ["--environment", "DB_PASSWORD=hunter2"],
        ["--dev-postgres", "password=hunter2"],
    ],
)
def test_no_password_is_written(tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert init(tmp_path / "i", *NATIVE, *words) == exit_codes.USAGE
    assert not (tmp_path / "i").exists()
    assert "vault" in (said := capsys.readouterr().err) and "hunter2" not in said


def test_files_that_are_there_stay_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "i/host_vars").mkdir(parents=True)
    (tmp_path / "i/host_vars/rehearsal.yml").write_text("mine: true\n")
    assert init(tmp_path / "i", *NATIVE) == exit_codes.USAGE
    assert [path.name for path in (tmp_path / "i").rglob("*") if path.is_file()] == ["rehearsal.yml"]
    assert "host_vars/rehearsal.yml already (--force replaces)" in capsys.readouterr().err
    assert (tmp_path / "i/host_vars/rehearsal.yml").read_text() == "mine: true\n"
    assert init(tmp_path / "i", *NATIVE, "--force") == 0
    assert "rehearsal_application" in read(tmp_path / "i", "host_vars/rehearsal.yml")


def test_all_that_is_missing_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(tmp_path / "i") == exit_codes.USAGE
    said = capsys.readouterr().err
    for option in ("--database", "--production", "--dev", "--app-command", "--environment"):
        assert re.search(rf"^  {option}\b", said, re.MULTILINE), option


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--production-name", "dev"], "is not that of a group"),
        (["--dev-name", "production"], "two names"),
        (["--dev-postgres", "port=many"], "must be a number"),
        (["--dev-postgres", "hots=x"], "it knows host, port"),
        (["--dev-postgres", "host"], "must be KEY=VALUE"),
        (["--app-service", "web"], "needs --dev-compose"),
        (["--dev-compose", "/f", "--dev-container", "c"], "one of them"),
        (["--dev-compose", "f"], "an absolute path"),
        (["--dev-compose-command", "docker-compose"], "--dev-compose-command needs --dev-compose"),
    ],
)
def test_what_cannot_be_an_inventory(tmp_path: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(tmp_path / "i", *NATIVE, *words) == exit_codes.USAGE
    assert said in capsys.readouterr().err and not (tmp_path / "i").exists()


@pytest.mark.parametrize("name", ["shop: x", "база", 'a"b', "yes", "x # y", "{{ x }}", "{% x %}"])
def test_any_name_is_written_as_it_is(tmp_path: Path, name: str) -> None:
    assert init(tmp_path / "i", *NATIVE, "--database", name, "--x", "yes=1") == 0
    loader = DataLoader()
    # As Ansible reads and templates it.
    found = loader.load_from_file(str(tmp_path / "i/host_vars/production.yml"), trusted_as_template=True)["rehearsal_database"]
    assert Templar(loader).template(found) == name
    assert read(tmp_path / "i", "host_vars/rehearsal.yml")["rehearsal_application"]["x"] == {"yes": "1"}


def test_a_compose_host_is_described_by_answers_alone() -> None:
    answers = {
        "--database": "shop", "--production": "db1", "--production-compose, --production-container": "compose",
        "--production-compose": "/opt/shop/prod.yml", "--dev": "dev1",
        "--dev-compose, --dev-container": "compose", "--dev-compose": "/opt/shop/dev.yml", "--dev-service": "db",
        "--app-service": "web", "--driver": "asyncpg", "--vault": "yes",
    }  # fmt: skip
    files, asked = answered(answers)
    wanted, _asked = answered({}, *COMPOSE, "--dev-postgres", "passfile=x", "--production-postgres", "passfile=x")
    assert {name: text.replace('  passfile: "x"\n', "") for name, text in wanted.items()} == files
    # Within a container its own socket will do.
    assert not [option for option in asked if option.endswith(("host=", "port="))] and "--app-command" not in asked


def test_a_container_a_password_and_a_user_are_asked_for() -> None:
    answers = {
        "--database": "shop", "--production": "db1", "--production-compose, --production-container": "container", "--production-container": "pg",
        "--production-postgres user=": "reader", "--production-postgres password=, passfile=": "vault", "--dev-postgres host=": "/run/pg",
        "--dev-postgres port=": "5433", "--dev-postgres password=, passfile=": "/root/.pgpass", "--app-dir": "/opt/shop",
    }  # fmt: skip
    files, _asked = answered(answers)
    assert yaml.safe_load(files["host_vars/production.yml"])["rehearsal_postgres"] == {
        "container": "pg", "user": "reader", "password": "{{ vault_rehearsal_production_password }}",
    }  # fmt: skip
    assert yaml.safe_load(files["host_vars/rehearsal.yml"])["rehearsal_postgres"] == {"host": "/run/pg", "port": 5433, "passfile": "/root/.pgpass"}


def test_what_flags_say_is_not_asked_for() -> None:
    _files, asked = answered({}, *NATIVE, "--production-container", "pg")
    assert [option for option in asked if "production" in option] == []
    assert "--dev-postgres user=" not in asked and "--environment" not in asked


@pytest.mark.parametrize("answers", [{"--vault": "perhaps"}, {"--production-compose, --production-container": "docker"}, {"--app-command": "'x"}])
def test_an_answer_that_is_none_writes_nothing(answers: dict[str, str]) -> None:
    with pytest.raises(inventory_text.InventoryError, match="nothing was written"):
        answered({"--database": "shop", "--production": "db1", **answers})


def test_words_and_names_are_quoted_where_they_have_to_be(tmp_path: Path) -> None:
    words = ["--app-command", "'/opt/my app/bin/python' -X dev", "--production-name", "yes", "--dev-postgres", "user=a@b"]
    assert init(tmp_path / "i", *NATIVE, *words) == 0
    assert list(read(tmp_path / "i", "hosts.yml")["all"]["children"]["prod"]["hosts"]) == ["yes"]
    application = read(tmp_path / "i", "host_vars/rehearsal.yml")["rehearsal_application"]
    assert application["command"] == ["/opt/my app/bin/python", "-X", "dev"]
    assert application["environment"]["DATABASE_URL"].startswith("postgresql://a%40b@/")
