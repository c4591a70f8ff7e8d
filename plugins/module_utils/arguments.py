# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several modules share, and how they become objects of the domain. Plain dictionaries: no Ansible here."""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping, Set

from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Application
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

_SECRET_NAME = re.compile(r"pass|secret|token|key|credential", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"://[^\s:/@]*:(?P<password>[^\s@/]+)@")

POSTGRES: Dict[str, Any] = {
    "type": "dict",
    "default": {},
    "options": {
        "prefix": {"type": "list", "elements": "str", "default": []},
        "bin_dir": {"type": "path", "default": ""},
        "host": {"type": "str", "default": ""},
        "port": {"type": "int"},
        "user": {"type": "str", "default": ""},
        "passfile": {"type": "path", "default": ""},
        "maintenance_database": {"type": "str", "default": "postgres"},
    },
}

REHEARSAL: Dict[str, Any] = {
    "id": {"type": "str", "required": True},
    "work_dir": {"type": "path", "default": "~/.migrations-rehearsal"},
}

MARKER: Dict[str, Any] = {
    "source": {"type": "str", "required": True},
    "created": {"type": "str", "required": True},
    "expires": {"type": "str", "required": True},
}


def server(options: Mapping[str, Any]) -> Server:
    """The server that the option O(postgres) describes."""
    return Server(
        prefix=tuple(options.get("prefix") or ()),
        bin_dir=options.get("bin_dir") or "",
        host=options.get("host") or "",
        port=options.get("port"),
        user=options.get("user") or "",
        passfile=options.get("passfile") or "",
        maintenance_database=options.get("maintenance_database") or "postgres",
    )


def work_directory(params: Mapping[str, Any], side: str) -> WorkDirectory:
    """The rehearsal's work directory on this host."""
    return WorkDirectory.at(params["work_dir"], params["id"], side)


def marker(params: Mapping[str, Any]) -> Marker:
    """The marker of the rehearsal."""
    return Marker(id=params["id"], source=params["source"], created=params["created"], expires=params["expires"])


APPLICATION: Dict[str, Any] = {
    "type": "dict",
    "required": True,
    "options": {
        "command": {"type": "list", "elements": "str", "required": True},
        "chdir": {"type": "path", "default": ""},
        "config": {"type": "str", "default": "alembic.ini"},
        # The values may hold passwords: Ansible keeps them out of the host's log; see also secrets_of.
        "x": {"type": "dict", "default": {}, "no_log": True},
        "environment": {"type": "dict", "default": {}, "no_log": True},
    },
}


def secrets_of(options: Mapping[str, Any]) -> Set[str]:
    """What of O(application) must never be shown.

    no_log alone would mask every value wherever it occurs: with DB_USER=postgres or DEBUG=1 no message could be read any more.
    """
    found: Set[str] = set()
    for values in (options.get("x") or {}, options.get("environment") or {}):
        for name, value in values.items():
            if _SECRET_NAME.search(name):
                found.add(str(value))
            found.update(match["password"] for match in _URL_PASSWORD.finditer(str(value)))
    return {value for value in found if value}


def application(options: Mapping[str, Any], deadline_s: float) -> Application:
    """The application that the option O(application) describes."""
    return Application(
        command=tuple(options["command"]),
        chdir=options.get("chdir") or "",
        config=options.get("config") or "alembic.ini",
        x={name: str(value) for name, value in (options.get("x") or {}).items()},
        environment={name: str(value) for name, value in (options.get("environment") or {}).items()},
        deadline_s=deadline_s,
    )
