# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What in the application most likely led a connection away from the copy.

Runs inside the application's Python: standard library only. Never says a value, only where it stands.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import unquote

from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_errors import relative

# What must not leak from the host into the application: libpq's own variables, and the names projects use for their database.
_LEADING_NAME = re.compile(
    r"^PG(?!P(_|$))[A-Z_]"
    r"|(^|_)(DATABASE|DB|POSTGRES|POSTGRESQL|SQLALCHEMY|ALEMBIC|JDBC)(_|$)"
    r"|(DB|DATABASE|SQL|RDS|POSTGRES|POSTGRESQL)_?(HOST|HOSTNAME|HOSTADDR|PORT|SERVER|SOCKET|NAME|USER|USERNAME|PASS|PASSWORD|PASSWD|PWD|SERVICE)(_|$)"
    r"|(^|_)(DSN|(DB|DATABASE|SQL|RDS|POSTGRES)_?(UR[IL]|DSN|CONN)|CONN(ECTION)?_?(STR|STRING|INFO|URL|URI))(_|$)",
    re.IGNORECASE,
)
_DATABASE_URL = re.compile(r"^\s*(?:jdbc:)?(postgres|postgresql|mysql|mariadb|mssql|oracle|sqlite|cockroachdb|redshift)(\+\w+)?:", re.IGNORECASE)
# As libpq, Npgsql and ODBC have it.
_CONNINFO = re.compile(r"(^|[\s;])(dbname|database|initial catalog)\s*=\s*[^\s;]", re.IGNORECASE)
# urlsplit() does not take the underscore of psycopg_async for part of a scheme.
_URL_PATH = re.compile(r"\s*(?:jdbc:)?[^:/?#\s]+://[^/?#]*/([^?#\s]*)")
_SETTINGS_FILE = re.compile(r"^\.env($|\.)|\.(ini|cfg|toml|ya?ml|json|env)$")
# Where an option of Alembic's configuration stands that the inventory gave.
GIVEN_OPTIONS = "rehearsal_application.options"
_MOST_FILES = 400
_MOST_SUSPECTS = 8


def leads_to_a_database(name: str, value: str) -> bool:
    """Whether an environment variable could lead an application to some database."""
    return bool(_LEADING_NAME.search(name) or _DATABASE_URL.match(value) or _CONNINFO.search(value))


def replace_environment(declared: Mapping[str, str]) -> List[str]:
    """Make the process environment what was declared; the names of the variables that were taken out."""
    removed = sorted(name for name, value in os.environ.items() if leads_to_a_database(name, value))
    for name in removed:
        del os.environ[name]
    os.environ.update(declared)
    return [name for name in removed if name not in declared]


def _leads_to(value: str, address: Mapping[str, Any]) -> bool:
    """Whether a setting's value names the database of `address` (as a URL, a conninfo string or bare)."""
    database = address.get("database")
    if not database or not isinstance(value, str):
        return False
    url = _URL_PATH.match(value)
    if url:
        return bool(unquote(url.group(1)) == database)
    return value.strip() == database or bool(re.search(rf"\b(dbname|database)\s*=\s*'?{re.escape(database)}\b", value, re.IGNORECASE))


def _texts(tree: ast.AST) -> Iterator[Tuple[int, str, str]]:
    """(line, text, what it stands in) for every string literal; `what` names the environment variable it is the default of."""
    defaults: Dict[int, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) == 2 and ast.dump(node.func).find("env") >= 0:
            name = getattr(node.args[0], "value", None)
            for inner in ast.walk(node.args[1]):
                defaults[id(inner)] = str(name)
    for node in ast.walk(tree):
        text = getattr(node, "value", None) if type(node).__name__ in ("Constant", "Str") else None
        if isinstance(text, str):
            yield getattr(node, "lineno", 0), text, defaults.get(id(node), "")


def _python_files(env_file: str) -> List[str]:
    """env.py, then the application's own loaded modules."""
    here = os.getcwd() + os.sep
    files = [env_file]
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None) or ""
        if path.endswith(".py") and os.path.abspath(path).startswith(here) and "site-packages" not in path:
            files.append(path)
    return list(dict.fromkeys(os.path.abspath(path) for path in files if path))[:_MOST_FILES]


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(500_000)
    except OSError:
        return ""


def find_suspects(
    address: Mapping[str, Any],
    environment: Mapping[str, str],
    x_arguments: Mapping[str, Optional[str]],
    options: Sequence[Tuple[str, str, str]],
    env_file: str,
    removed: Sequence[str],
) -> List[str]:
    """Short texts, the likeliest first. `options` are (file, key, value) of Alembic's configuration."""
    said: List[str] = []
    if x_arguments:
        given = " ".join(f"-x {name}" if value is None else f"-x {name}=…" for name, value in x_arguments.items())
        source = _read(env_file)
        if not any(_leads_to(value or "", address) for value in x_arguments.values()):
            if "get_x_argument" in source or "cmd_opts" in source:
                said.append(f"{given} was given, and {relative(env_file)} reads -x arguments, but the connection went elsewhere")
            else:
                said.append(f"{given} was given, but {relative(env_file)} does not read -x arguments (no get_x_argument in it): Alembic ignored it")
        else:
            said.append(f"the -x arguments name this database ({given})")
    for name, value in environment.items():
        if _leads_to(value, address):
            said.append(f"the environment variable {name} that the inventory declares names this database")
    for file, key, value in options:
        if _leads_to(value, address):
            said.append(f"{key} in {file} names this database")
    for path in _python_files(env_file):
        try:
            found = list(_texts(ast.parse(_read(path))))
        except (SyntaxError, ValueError, RecursionError):
            continue
        for line, text, default_of in found:
            if _leads_to(text, address):
                what = f"the default of {default_of}" if default_of else "a text"
                said.append(f"{what} in {relative(path)}, line {line}, names this database")
    for name in sorted(os.listdir(".")):
        if _SETTINGS_FILE.search(name) and os.path.isfile(name) and not any(name == file for file, _key, _value in options):
            for number, line_text in enumerate(_read(name).splitlines(), 1):
                key, separator, value = line_text.partition("=")
                if separator and _leads_to(value.strip().strip("\"'"), address):
                    said.append(f"{key.strip()} in {name}, line {number}, names this database")
    if removed:
        said.append("set on the host but not declared in the inventory, so the application did not get: " + ", ".join(removed))
    if not environment and not x_arguments and not any(file == GIVEN_OPTIONS for file, _key, _value in options):
        said.append("the inventory declares no environment, -x argument or option for the application, so nothing tells it where the copy is")
    if address.get("database") and address.get("database") == address.get("user") and len(said) < 2:
        said.append("the database is called as the user: libpq's default when no database name is given")
    return list(dict.fromkeys(said))[:_MOST_SUSPECTS]
