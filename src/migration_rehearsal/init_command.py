# SPDX-License-Identifier: GPL-3.0-or-later
"""`rehearse init`: write an inventory, from flags or from answers."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from ansible_collections.migrations.rehearsal.plugins.module_utils import files

from migration_rehearsal import exit_codes, subcommand
from migration_rehearsal.inventory_text import AUTO, LOCAL, VAULT, Answers, InventoryError, Side, inventory

_PAIRS = "KEY=VALUE"


def add(commands: subcommand.Subparsers) -> None:
    """The parser of `rehearse init`."""
    one = subcommand.add(
        commands,
        "init",
        "write an inventory for your own hosts",
        description="Write an inventory: hosts.yml and the variables of production and dev. What no flag says is asked for at a terminal. "
        "No file holds a password: they come from Ansible Vault (…-postgres password=vault, --vault) or from a password file on the host "
        "(…-postgres passfile=).",
        examples=[
            "rehearse init",
            "rehearse init inventory/shop --database shop --production db1.example.com --dev dev.example.com "
            "--production-postgres user=backup --dev-postgres user=postgres "
            "--app-dir /opt/shop --app-command .venv/bin/python --environment DATABASE_URL=auto",
            "rehearse init inventory/shop --database shop --production db1.example.com --production-compose /opt/shop/docker-compose.prod.yml "
            "--dev local --dev-compose /opt/shop/docker-compose.dev.yml --app-service web --environment DATABASE_URL=auto --vault",
        ],
    )
    where = "where to write it (default: %(default)s)"
    one.add_argument("directory", nargs="?", type=Path, default=Path("inventory/prod"), metavar="DIR", help=where)
    one.add_argument("--database", metavar="NAME", help="the production database")
    for side, what in (("production", "production database"), ("dev", "copy")):
        group = one.add_argument_group(f"the host of the {what}")
        group.add_argument(f"--{side}", metavar="ADDRESS", help=f"what ssh connects to, or «{LOCAL}» for this machine")
        default = "production" if side == "production" else "rehearsal"
        group.add_argument(f"--{side}-name", metavar="NAME", default=default, help="its name in the inventory (default: %(default)s)")
        group.add_argument(f"--{side}-user", metavar="USER", help="who logs in there")
        keys = "host, port, user, password=vault, passfile, bin_dir, prefix, … of rehearsal_postgres; may be given more than once"
        group.add_argument(f"--{side}-postgres", metavar=_PAIRS, action="append", default=[], help=keys)
        group.add_argument(f"--{side}-compose", metavar="FILE", help="PostgreSQL runs there in a service of this compose file")
        command = "compose there, such as docker-compose (default: docker compose)"
        group.add_argument(f"--{side}-compose-command", metavar="WORDS", help=command)
        group.add_argument(f"--{side}-service", metavar="NAME", default="postgres", help="the service of PostgreSQL (default: %(default)s)")
        group.add_argument(f"--{side}-container", metavar="NAME", help="PostgreSQL runs there in this container")
        group.add_argument(f"--{side}-work-dir", metavar="DIR", help="where a rehearsal keeps its files there")
    app = one.add_argument_group("the application, on the dev host")
    app.add_argument("--app-command", metavar="WORDS", help="what starts its Python, such as .venv/bin/python")
    app.add_argument("--app-service", metavar="NAME", help="its Python is that of a service of --dev-compose")
    app.add_argument("--app-dir", metavar="DIR", help="its working directory")
    app.add_argument("--config", metavar="FILE", help="Alembic's configuration (default: alembic.ini)")
    for option, what in (("environment", "a variable"), ("option", "an option of Alembic's configuration"), ("x", "an -x argument")):
        text = f"{what} that leads env.py to the copy; «auto» is its URL; may be given more than once"
        app.add_argument(f"--{option}", metavar=_PAIRS, action="append", default=[], help=text)
    app.add_argument("--driver", default="", metavar="NAME", help="the driver in that URL, such as psycopg or asyncpg")
    app.add_argument("--vault", action="store_true", help="that URL has a password, from Ansible Vault")
    app.add_argument("--expectations", metavar="FILE", help="the expectations file")
    one.add_argument("--force", action="store_true", help="replace files that are there")
    one.set_defaults(action=run)


def run(given: argparse.Namespace) -> int:
    """Ask for what is missing, write; the exit code."""
    try:
        answers = _answers(given, _ask if sys.stdin.isatty() and sys.stdout.isatty() else None)
        texts = inventory(answers)
        written = _write(given.directory, texts, given.force)
    except InventoryError as error:
        print(f"rehearse: {error}", file=sys.stderr)
        return exit_codes.USAGE
    except OSError as error:
        print(f"rehearse: {error.filename}: {error.strerror}", file=sys.stderr)
        return exit_codes.USAGE
    for path in written:
        print(f"wrote {path}")
    print()
    vault = answers.vault_variables
    if vault:
        print(f"Passwords: write {' and '.join(f'{name}: …' for name in vault)} into")
        print(f"  ansible-vault create {given.directory / 'group_vars' / 'all' / 'vault.yml'}")
        print("  (for AWX, which reads inventories without a vault: ansible-vault encrypt_string, one value each)")
    print("Look whether everything is there; nothing is touched:")
    print(f"  ansible-playbook migrations.rehearsal.preflight -i {given.directory}{' --ask-vault-pass' if vault else ''}")
    print("Rehearse:")
    print(f"  rehearse run -i {given.directory}{' --vault-password-file FILE' if vault else ''}")
    return exit_codes.GO


def _write(directory: Path, texts: dict[str, str], force: bool) -> list[Path]:
    """All files, or none where one is in the way."""
    paths = {directory / name: text for name, text in texts.items()}
    there = [path for path in paths if os.path.lexists(path)]
    if there and not force:
        raise InventoryError(f"nothing was written, because there is {', '.join(map(str, there))} already (--force replaces)")
    for path, text in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(str(path), text.encode())
    return list(paths)


Asker = Callable[[str, str, str], str]


def _answers(given: argparse.Namespace, ask: Asker | None) -> Answers:
    """Raises InventoryError for everything that is missing, all at once, where nobody can be asked."""
    missing: list[str] = []

    def wanted(option: str, question: str, default: str = "") -> str:
        value = getattr(given, option.replace("-", "_"))
        if value:
            return str(value)
        if ask is not None:
            return ask(f"--{option}", question, default)
        missing.append(f"--{option} ({question})")
        return ""

    database = wanted("database", "Name of the production database")
    sides = {}
    for side, question in (("production", "Host of the production database"), ("dev", "Host of the copy, where the application's checkout is")):
        address = wanted(side, f"{question}: what ssh connects to, or «{LOCAL}»", LOCAL if side == "dev" else "")
        sides[side] = _side(side, address, given, ask)
    if ask is not None and sides["dev"].compose and not given.app_service and not given.app_command:
        given.app_service = ask("--app-service", "Service of that compose file whose Python the application has (empty: none)", "")
    if given.app_service:
        command = ""
    else:
        command = wanted("app-command", "What starts the application's Python", ".venv/bin/python")
    chdir = given.app_dir or (ask("--app-dir", "The application's directory on dev", "") if ask is not None and not given.app_service else "")
    leads = {name: _pairs(getattr(given, name), f"--{name}") for name in ("environment", "option", "x")}
    if not any(leads.values()):
        if ask is None:
            missing.append("--environment, --option or --x (how env.py finds its database; --environment DATABASE_URL=auto is the usual one)")
        else:
            name = ask("--environment", "The variable from which env.py takes its URL (empty: sqlalchemy.url of alembic.ini)", "DATABASE_URL")
            leads["environment" if name else "option"] = {name or "sqlalchemy.url": AUTO}
            given.driver = given.driver or ask("--driver", "Driver in that URL, such as psycopg or asyncpg (empty: SQLAlchemy's own choice)", "")
            given.vault = given.vault or _yes(ask("--vault", "Has that URL a password, from Ansible Vault: yes or no", "no"))
    if missing:
        raise InventoryError("\n  ".join(["this is not known, and there is no terminal to ask:", *missing]))
    return Answers(
        database=database,
        production=sides["production"],
        dev=sides["dev"],
        command=_words(command, "--app-command"),
        app_service=given.app_service or "",
        chdir=chdir,
        config=given.config or "",
        environment=leads["environment"],
        options=leads["option"],
        x=leads["x"],
        driver=given.driver,
        vault=given.vault,
        expectations=given.expectations or "",
    )


_PLACES = ("native", "compose", "container")


def _side(side: str, address: str, given: argparse.Namespace, ask: Asker | None) -> Side:
    """One of the two hosts; `ask` is asked how its server is reached, as far as no flag says it."""
    said = {name: str(getattr(given, f"{side}_{name}") or "") for name in ("compose", "service", "container")}
    postgres = _pairs(getattr(given, f"{side}_postgres"), f"--{side}-postgres")
    if ask is not None:
        if not said["compose"] and not said["container"]:
            where = ask(f"--{side}-compose, --{side}-container", f"How PostgreSQL runs there: {', '.join(_PLACES)}", _PLACES[0])
            if where not in _PLACES:
                raise InventoryError(f"«{where}»: it must be one of {', '.join(_PLACES)}; nothing was written")
            if where == "compose":
                said["compose"] = ask(f"--{side}-compose", "Its compose file, an absolute path there", "")
                said["service"] = ask(f"--{side}-service", "The service of PostgreSQL in it", said["service"])
            elif where == "container":
                said["container"] = ask(f"--{side}-container", "Name of the container", "")
        postgres = {**_reached(side, bool(said["compose"] or said["container"]), postgres, ask), **postgres}
    return Side(
        name=getattr(given, f"{side}_name"),
        address=address,
        user=getattr(given, f"{side}_user") or "",
        postgres=postgres,
        work_dir=getattr(given, f"{side}_work_dir") or "",
        compose_command=_words(getattr(given, f"{side}_compose_command") or "", f"--{side}-compose-command"),
        vault_variable=f"vault_rehearsal_{side}_password",
        **said,
    )


def _reached(side: str, inside: bool, known: dict[str, str], ask: Asker) -> dict[str, str]:
    """What is not known of the server's address and role; within a container its own socket will do."""
    questions = [("user", "PostgreSQL's user (empty: who logs in)", "")] if not inside else [("user", "PostgreSQL's user there", "postgres")]
    if not inside:
        questions += [("host", "PostgreSQL's host or socket directory (empty: the usual one)", ""), ("port", "PostgreSQL's port (empty: 5432)", "")]
    found = {key: ask(f"--{side}-postgres {key}=", question, default) for key, question, default in questions if key not in known}
    if not {"password", "passfile"} & known.keys():
        how = f"--{side}-postgres password=, passfile="
        password = ask(how, "Its password: none, vault, or the path of a password file there", "none")
        if password != "none":
            found["password" if password == VAULT else "passfile"] = password
    return {key: value for key, value in found.items() if value}


def _yes(answer: str) -> bool:
    if answer.lower() not in ("yes", "y", "no", "n"):
        raise InventoryError(f"«{answer}»: it must be yes or no; nothing was written")
    return answer.lower().startswith("y")


def _words(command: str, option: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise InventoryError(f"{option} {command}: {str(error).lower()}; nothing was written") from None


def _ask(option: str, question: str, default: str) -> str:
    shown = f" [{default}]" if default else ""
    try:
        answer = input(f"{question} ({option}){shown}: ").strip()
    except EOFError:
        raise InventoryError("nothing was written") from None
    return answer or default


def _pairs(texts: list[str], option: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise InventoryError(f"{option} {text}: it must be {_PAIRS}")
        found[key] = value
    return found
