# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where PostgreSQL is, in the words of an inventory, and the words to be put before its tools. The only place that knows container engines."""

from __future__ import annotations

import posixpath
from typing import Any, Dict, List, Mapping, Tuple

KEYS = (
    "bin_dir", "compose", "container", "host", "maintenance_database", "passfile", "password", "port", "prefix", "scratch", "user",
)  # fmt: skip
_COMPOSE_KEYS = ("command", "file", "project_directory", "project_name", "service", "user")
_CONTAINER_KEYS = ("engine", "name", "user")


def problems(options: Mapping[str, Any]) -> List[str]:
    """Everything that is wrong with `rehearsal_postgres`, each in words that follow its name. Empty if it can be used."""
    found: List[str] = []
    unknown = sorted(set(options) - set(KEYS))
    if unknown:
        found.append(f"has unknown keys: {', '.join(unknown)}")
    compose, container = options.get("compose"), options.get("container")
    if compose and container:
        found.append("has compose and container: PostgreSQL is in one of them")
    if options.get("passfile") and options.get("password"):
        found.append("has passfile and password: one of them is enough")
    if compose:
        found += _compose_problems(compose)
    if container and not isinstance(container, str):
        found += _mapping_problems("container", container, _CONTAINER_KEYS, "name")
    for name, value in (("prefix", options.get("prefix")), ("compose.command", compose.get("command") if isinstance(compose, Mapping) else None)):
        if value and (not isinstance(value, list) or not all(isinstance(word, str) and word for word in value)):
            found.append(f"{name} must be a list of words, not {value!r}")
    words = options.get("prefix")
    if isinstance(words, list) and words and posixpath.basename(str(words[0])) == "ssh":
        found.append(
            "prefix begins with ssh, which hands its words to a shell that splits them anew: name the address of PostgreSQL itself in host and port, "
            "or a program of your own that quotes them"
        )
    scratch = options.get("scratch")
    if scratch and not str(scratch).startswith("/"):
        found.append("scratch must be an absolute path, as seen where PostgreSQL's tools run")
    return found


def _compose_problems(compose: Any) -> List[str]:
    found = _mapping_problems("compose", compose, _COMPOSE_KEYS, "service")
    if found or not isinstance(compose, Mapping):
        return found
    names = _files(compose)
    if not names and not compose.get("project_name"):
        found.append("compose.file is not set: the compose file, absolute or relative to compose.project_directory")
    for name in names:
        if not name.startswith("/") and not str(compose.get("project_directory") or "").startswith("/"):
            found.append(f"compose.file is «{name}», relative to nothing: give compose.project_directory as an absolute path")
    return found


def _mapping_problems(what: str, value: Any, keys: Tuple[str, ...], required: str) -> List[str]:
    if not isinstance(value, Mapping):
        return [f"{what} must be a mapping: {', '.join(keys)}"]
    unknown = sorted(set(value) - set(keys))
    found = [f"{what} has unknown keys: {', '.join(unknown)}"] if unknown else []
    if not value.get(required):
        found.append(f"{what}.{required} is not set")
    return found


def _files(compose: Mapping[str, Any]) -> List[str]:
    value = compose.get("file") or []
    return [value] if isinstance(value, str) else [str(name) for name in value]


def prefix(options: Mapping[str, Any]) -> Tuple[str, ...]:
    """The words before every tool: `prefix` itself (sudo and the like), then the container engine's. ValueError if that cannot be said."""
    wrong = problems({key: value for key, value in options.items() if value})
    if wrong:
        raise ValueError(f"rehearsal_postgres {'; '.join(wrong)}")
    words: List[str] = list(options.get("prefix") or [])
    compose, container = options.get("compose"), options.get("container")
    if compose:
        words += _compose_words(compose)
    elif container:
        words += _container_words({"name": container} if isinstance(container, str) else container)
    return tuple(words)


def _compose_words(compose: Mapping[str, Any]) -> List[str]:
    words = list(compose.get("command") or ["docker", "compose"])
    directory = compose.get("project_directory") or ""
    if compose.get("project_name"):
        words += ["--project-name", compose["project_name"]]
    if directory:
        words += ["--project-directory", directory]
    for name in _files(compose):
        words += ["--file", posixpath.join(directory, name)]
    # -T: no terminal, which would change the bytes of a dump.
    words += ["exec", "-T"]
    if compose.get("user"):
        words += ["--user", compose["user"]]
    return [*words, compose["service"]]


def _container_words(container: Mapping[str, Any]) -> List[str]:
    words = [container.get("engine") or "docker", "exec", "--interactive"]
    if container.get("user"):
        words += ["--user", container["user"]]
    return [*words, container["name"]]


def argument_spec() -> Dict[str, Any]:
    """The option O(postgres) of the modules."""
    texts: Dict[str, Any] = {"type": "str", "default": ""}
    return {
        "type": "dict",
        "default": {},
        "options": {
            "prefix": {"type": "list", "elements": "str", "default": []},
            "compose": {
                "type": "dict",
                "options": {
                    "service": {"type": "str", "required": True},
                    "file": {"type": "list", "elements": "str", "default": []},
                    "project_directory": texts,
                    "project_name": texts,
                    "user": texts,
                    "command": {"type": "list", "elements": "str", "default": ["docker", "compose"]},
                },
            },
            "container": {"type": "raw"},
            "scratch": texts,
            "bin_dir": {"type": "path", "default": ""},
            "host": texts,
            "port": {"type": "int"},
            "user": texts,
            "passfile": {"type": "path", "default": ""},
            "password": {"type": "str", "default": "", "no_log": True},
            "maintenance_database": {"type": "str", "default": "postgres"},
        },
    }
