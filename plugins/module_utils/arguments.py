# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several modules share, and how they become objects of the domain. Plain dictionaries: no Ansible here."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Mapping

from ansible_collections.migrations.rehearsal.plugins.module_utils import inside, postgres_place
from ansible_collections.migrations.rehearsal.plugins.module_utils.ephemeral import Wish
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

POSTGRES: Dict[str, Any] = postgres_place.argument_spec()

EPHEMERAL: Dict[str, Any] = {
    "type": "dict",
    "default": {},
    "options": {
        "bin_dir": {"type": "path", "default": ""},
        "owner": {"type": "str", "default": ""},
        "directory": {"type": "path", "default": ""},
        "user": {"type": "str", "default": ""},
        "listen": {"type": "list", "elements": "str", "default": []},
        "port": {"type": "int"},
        "password": {"type": "str", "default": "", "no_log": True},
        "settings": {"type": "dict", "default": {}},
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


def server(options: Mapping[str, Any], rehearsal_id: str) -> Server:
    """The server that the option O(postgres) describes. PostgresError where the password cannot be left for its tools, or the words contradict."""
    try:
        prefix = postgres_place.prefix(options)
    except ValueError as error:
        raise PostgresError(str(error)) from None
    found = Server(
        prefix=prefix,
        bin_dir=options.get("bin_dir") or "",
        host=options.get("host") or "",
        port=options.get("port"),
        user=options.get("user") or "",
        passfile=options.get("passfile") or "",
        maintenance_database=options.get("maintenance_database") or "postgres",
        scratch=options.get("scratch") or "",
    )
    if not options.get("password"):
        return found
    return dataclasses.replace(found, passfile=inside.passfile(found, options["password"], rehearsal_id))


def wish(options: Mapping[str, Any]) -> Wish:
    """The copy's own server, as the option O(ephemeral) describes it."""
    return Wish(
        bin_dir=options.get("bin_dir") or "",
        owner=options.get("owner") or "",
        directory=options.get("directory") or "",
        user=options.get("user") or "",
        listen=tuple(options.get("listen") or ()),
        port=options.get("port"),
        password=options.get("password") or "",
        settings={str(name): str(value) for name, value in (options.get("settings") or {}).items()},
    )


def work_directory(params: Mapping[str, Any], side: str) -> WorkDirectory:
    """The rehearsal's work directory on this host."""
    return WorkDirectory.at(params["work_dir"], params["id"], side)


def marker(params: Mapping[str, Any]) -> Marker:
    """The marker of the rehearsal."""
    return Marker(id=params["id"], source=params["source"], created=params["created"], expires=params["expires"])
