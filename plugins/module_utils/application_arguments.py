# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option O(application), and how it becomes an object of the domain.

Not part of arguments.py: only the modules that start the application need the agent's sources, and Ansible sends and compiles whatever is imported.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Set, Union

from ansible_collections.migrations.rehearsal.plugins.module_utils.application import Application
from ansible_collections.migrations.rehearsal.plugins.module_utils.application_masking import named_values, secrets_among

APPLICATION: Dict[str, Any] = {
    "type": "dict",
    "required": True,
    "options": {
        "command": {"type": "list", "elements": "str", "required": True},
        "chdir": {"type": "path", "default": ""},
        "config": {"type": "str", "default": "alembic.ini"},
        "section": {"type": "str", "default": ""},
        "wrapper": {"type": "str", "default": ""},
        # The values may hold passwords: Ansible keeps them out of the host's log; see also secrets_of.
        "x": {"type": "dict", "default": {}, "no_log": True},
        "environment": {"type": "dict", "default": {}, "no_log": True},
        "options": {"type": "dict", "default": {}, "no_log": True},
    },
}


def secrets_of(options: Mapping[str, Any]) -> Set[str]:
    """What of O(application) must never be shown.

    no_log alone would mask every value wherever it occurs: with DB_USER=postgres or DEBUG=1 no message could be read any more.
    """
    return secrets_among([pair for key in ("x", "environment", "options") for pair in named_values(options.get(key) or {})])


def application(options: Mapping[str, Any], deadline_s: float) -> Application:
    """The application that the option O(application) describes."""
    return Application(
        command=tuple(options["command"]),
        chdir=options.get("chdir") or "",
        config=options.get("config") or "alembic.ini",
        x={name: _x(value) for name, value in (options.get("x") or {}).items()},
        environment={name: str(value) for name, value in (options.get("environment") or {}).items()},
        options={name: _option(value) for name, value in (options.get("options") or {}).items()},
        section=options.get("section") or "",
        wrapper=options.get("wrapper") or "",
        deadline_s=deadline_s,
    )


def _x(value: Any) -> Union[str, None, List[str]]:
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else None if value is None else str(value)


def _option(value: Any) -> Union[str, Dict[str, str]]:
    if isinstance(value, dict):
        return {str(name): _text(inner) for name, inner in value.items()}
    return _text(value)


def _text(value: Any) -> str:
    """As an ini file has it: Alembic asks for the word true."""
    return str(value).lower() if isinstance(value, bool) else str(value)
