# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of an inventory, in the shape of inventory/prod: hosts.yml and one file of variables for each of the two hosts."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from collections.abc import Mapping
from urllib.parse import quote

LOCAL = "local"
COPY = "{{ rehearsal_copy_database }}"
AUTO = "auto"
APP_PASSWORD = "vault_rehearsal_app_password"
_POSTGRES = ("host", "port", "user", "password", "passfile", "bin_dir", "prefix", "scratch", "maintenance_database")
VAULT = "vault"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
# A URL with a password that is no template; a word that libpq or a program would take for one.
_PASSWORD_IN_URL = re.compile(r"://[^/@:\s]*:(?!\{\{)[^@\s]+@")
# What YAML 1.1 reads as something else than text.
_YAML_WORDS = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
_PASSWORD_NAME = re.compile(r"passw|passwd|pwd|secret|token", re.IGNORECASE)


class InventoryError(Exception):
    """What was asked for cannot be an inventory. The message says why, and that nothing was written."""


@dataclasses.dataclass(frozen=True)
class Side:
    """One of the two hosts.

    `postgres`: keys of rehearsal_postgres. `compose`, `container`: where the server runs, both empty for a native one.
    `compose_command`: empty for `docker compose`.
    """

    name: str
    address: str
    user: str
    postgres: Mapping[str, str]
    compose: str
    service: str
    container: str
    work_dir: str
    # The variable that has the password, where `postgres` says that it comes from a vault.
    vault_variable: str
    compose_command: list[str] = dataclasses.field(default_factory=list)

    def settings(self) -> dict[str, object]:
        """rehearsal_postgres."""
        found: dict[str, object] = {}
        if self.compose:
            command = {"command": self.compose_command} if self.compose_command else {}
            found["compose"] = {"file": self.compose, "service": self.service, **command}
        if self.container:
            found["container"] = self.container
        if self.compose or self.container:
            # The tools run as root there, and root is no role.
            found["user"] = "postgres"
        for key, value in self.postgres.items():
            found[key] = int(value) if key == "port" and value.isdigit() else shlex.split(value) if key == "prefix" else value
        if "password" in found:
            found["password"] = f"{{{{ {self.vault_variable} }}}}"
        return found


@dataclasses.dataclass(frozen=True)
class Answers:
    """All that an inventory needs. A value «auto» in `environment`, `options` or `x` is the URL of the copy."""

    database: str
    production: Side
    dev: Side
    command: list[str]
    app_service: str
    chdir: str
    config: str
    environment: Mapping[str, str]
    options: Mapping[str, str]
    x: Mapping[str, str]
    driver: str
    vault: bool
    expectations: str

    @property
    def vault_variables(self) -> list[str]:
        """What has to stand in the vault."""
        sides = [side.vault_variable for side in (self.production, self.dev) if "password" in side.postgres]
        return [*sides, *([APP_PASSWORD] if self.vault else [])]

    def url(self) -> str:
        """The URL of the copy, as the application reaches dev's server."""
        settings = self.dev.settings()
        user = str(settings.get("user", ""))
        # A template becomes something else before it is part of a URL.
        user = user if _is_template(user) else quote(user, safe="")
        if self.vault:
            user = f"{user or 'postgres'}:{{{{ {APP_PASSWORD} | urlencode }}}}"
        scheme = f"postgresql+{self.driver}" if self.driver else "postgresql"
        # From within another service of the compose file, the server is called like its own.
        host = self.dev.service if self.app_service and self.dev.compose else str(settings.get("host", ""))
        port = "" if self.app_service and self.dev.compose else str(settings.get("port", ""))
        who = f"{user}@" if user else ""
        if host.startswith("/") or not host:
            parts = {"host": quote(host, safe="") if host else "", "port": port}
            query = "&".join(f"{key}={value}" for key, value in parts.items() if value)
            return f"{scheme}://{who}/{COPY}" + (f"?{query}" if query else "")
        return f"{scheme}://{who}{host}{f':{port}' if port else ''}/{COPY}"

    def python(self) -> list[str]:
        """rehearsal_application.command."""
        if self.app_service:
            return [*(self.dev.compose_command or ["docker", "compose"]), "-f", self.dev.compose, "exec", "-T", self.app_service, "python"]
        return self.command


def inventory(answers: Answers) -> dict[str, str]:
    """Relative path → content. Raises InventoryError."""
    _check(answers)
    return {
        "hosts.yml": _hosts(answers),
        f"host_vars/{answers.production.name}.yml": _production(answers),
        f"host_vars/{answers.dev.name}.yml": _dev(answers),
    }


def _check(answers: Answers) -> None:
    problems: list[str] = []
    for option, side in (("production", answers.production), ("dev", answers.dev)):
        if not _NAME.fullmatch(side.name) or side.name in ("all", "ungrouped", "prod", "dev"):
            problems.append(f"--{option}-name {side.name}: a host's name has letters, digits, dots, dashes, and is not that of a group")
        if not side.address or re.search(r"\s", side.address):
            problems.append(f"--{option} «{side.address}»: it must be an address, or «{LOCAL}»")
        unknown = sorted(set(side.postgres) - set(_POSTGRES))
        if unknown:
            problems.append(f"--{option}-postgres {', '.join(unknown)}: it knows {', '.join(_POSTGRES)}")
        if side.postgres.get("port", "1") and not side.postgres.get("port", "1").isdigit():
            problems.append(f"--{option}-postgres port={side.postgres['port']}: it must be a number")
        if side.compose and not side.compose.startswith("/"):
            problems.append(f"--{option}-compose {side.compose}: an absolute path, there")
        if side.compose_command and not side.compose:
            problems.append(f"--{option}-compose-command needs --{option}-compose")
        if side.compose and side.container:
            problems.append(f"--{option}-compose and --{option}-container: one of them")
        if side.postgres.get("password", VAULT) != VAULT:
            problems.append(f"--{option}-postgres password: no file holds one; password={VAULT} names the vault's, passfile= a file there")
    if answers.production.name == answers.dev.name:
        problems.append("--production-name and --dev-name: two names, even if both are one machine")
    if not answers.database:
        problems.append("--database: a name")
    if not answers.python():
        problems.append("--app-command: the words that start the application's Python")
    if answers.app_service and not answers.dev.compose:
        problems.append("--app-service needs --dev-compose")
    for option, pairs in (("environment", answers.environment), ("option", answers.options), ("x", answers.x)):
        for key, value in pairs.items():
            if _PASSWORD_IN_URL.search(value) or (_PASSWORD_NAME.search(key) and "{{" not in value and value != AUTO):
                problems.append(f"--{option} {key}: a password does not belong into a file; use --vault, or a password file")
    if problems:
        raise InventoryError("\n  ".join(["nothing was written:", *problems]))


def _hosts(answers: Answers) -> str:
    def host(side: Side) -> str:
        if side.address == LOCAL:
            lines = ["ansible_connection: local", 'ansible_python_interpreter: "{{ ansible_playbook_python }}"']
        else:
            lines = [f"ansible_host: {_text(side.address)}", *([f"ansible_user: {_text(side.user)}"] if side.user else [])]
        return "".join(f"\n          {line}" for line in lines)

    return f"""---
all:
  children:
    # Where the production database is. It is only read.
    prod:
      hosts:
        {_key(answers.production.name)}:{host(answers.production)}
    # Where the copy is made, and where the application's checkout with its Python is.
    dev:
      hosts:
        {_key(answers.dev.name)}:{host(answers.dev)}
"""


def _production(answers: Answers) -> str:
    side = answers.production
    return f"""---
rehearsal_database: {_name(answers.database)}

# How PostgreSQL's tools reach it on that host; what is left out is libpq's default.
# A password comes from a vault (password: "{{{{ … }}}}") or from a password file there (passfile, mode 0600).
rehearsal_postgres:{_mapping(side.settings(), 2)}
{_work_dir(side)}"""


def _dev(answers: Answers) -> str:
    side = answers.dev
    lines = ["---", "# The project whose migrations are rehearsed.", "rehearsal_application:", f"  command: {_list(answers.python())}"]
    if answers.chdir:
        lines.append(f"  chdir: {_text(answers.chdir)}")
    if answers.config:
        lines.append(f"  config: {_text(answers.config)}")
    url = answers.url()
    for name, pairs in (("environment", answers.environment), ("options", answers.options), ("x", answers.x)):
        if pairs:
            lines.append(f"  {name}:{_mapping({key: url if value == AUTO else value for key, value in pairs.items()}, 4)}")
    lines += [
        "",
        "# The server for the copy: production's major version or newer, a role that may create databases.",
        f"rehearsal_postgres:{_mapping(side.settings(), 2)}",
    ]
    if answers.expectations:
        lines += ["", "# What must be true afterwards.", f"rehearsal_expectations: {_text(answers.expectations)}"]
    return "\n".join(lines) + "\n" + _work_dir(side)


def _work_dir(side: Side) -> str:
    return f"\nrehearsal_work_dir: {_text(side.work_dir)}\n" if side.work_dir else ""


def _mapping(pairs: Mapping[str, object], indent: int) -> str:
    """A block mapping, or {} in its place."""
    lines = [f"\n{' ' * indent}{_key(key)}:{_value(value, indent + 2)}" for key, value in pairs.items()]
    return "".join(lines) or " {}"


def _key(key: str) -> str:
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", key) and key.lower() not in _YAML_WORDS
    return key if plain else _text(key)


def _value(value: object, indent: int) -> str:
    if isinstance(value, Mapping):
        return _mapping(value, indent)
    return " " + (_list(value) if isinstance(value, list) else str(value) if isinstance(value, int) else _text(str(value)))


def _list(words: list[str]) -> str:
    return f"[{', '.join(_text(word) for word in words)}]"


def _name(text: str) -> str:
    """A name as it is, even one that Ansible would take for a template."""
    return f"!unsafe {_text(text)}" if _is_template(text) else _text(text)


def _is_template(text: str) -> bool:
    return any(sign in text for sign in ("{{", "{%", "{#"))


def _text(text: str) -> str:
    """As JSON writes it, which is YAML too."""
    return json.dumps(text, ensure_ascii=False)
