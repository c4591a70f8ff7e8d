# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What went wrong, as one event.

Runs inside the application's Python: standard library, SQLAlchemy and Alembic.
"""

from __future__ import annotations

import os
import traceback
from typing import Any, Dict, Optional, Sequence, Tuple


class Refused(Exception):
    """The run cannot go on, for a reason that we found ourselves."""

    def __init__(self, kind: str, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.fields = fields


def driver_error(error: BaseException) -> Optional[BaseException]:
    """The driver's own exception behind SQLAlchemy's, or the exception itself if it came from a driver."""
    original = getattr(error, "orig", None) or error
    seen = 0
    while original is not None and seen < 5:
        if sqlstate_of(original):
            return original
        original = original.__cause__ or original.__context__
        seen += 1
    return None


def sqlstate_of(error: Any) -> Optional[str]:
    for name in ("sqlstate", "pgcode"):
        value = getattr(error, name, None)
        if isinstance(value, str) and len(value) == 5:
            return value
    fields = error.args[0] if getattr(error, "args", None) else None
    if isinstance(fields, dict) and isinstance(fields.get("C"), str):
        return fields["C"]  # type: ignore[no-any-return]
    return None


def server_fields(error: Any) -> Dict[str, Any]:
    """What the server said, by name: message and the objects it names, never DETAIL (row values)."""
    names = ("schema_name", "table_name", "column_name", "constraint_name", "data_type_name")
    diag = getattr(error, "diag", None)
    if diag is not None:
        said = {name: getattr(diag, "datatype_name" if name == "data_type_name" else name, None) for name in names}
        said["message"] = getattr(diag, "message_primary", None)
    elif error.args and isinstance(error.args[0], dict):
        fields = error.args[0]
        said = dict(zip(names, (fields.get(key) for key in "stcnd")))
        said["message"] = fields.get("M")
    else:
        asyncpg = error if hasattr(error, "as_dict") else (error.__cause__ or error)
        said = {name: getattr(asyncpg, name, None) for name in names}
        said["message"] = getattr(asyncpg, "message", None) or str(error)
    return {name: value for name, value in said.items() if value}


def place_of(error: BaseException) -> Tuple[Optional[str], Optional[int]]:
    """File (relative to the working directory when below it) and line in the application's own code."""
    if isinstance(error, SyntaxError) and error.filename:
        return _relative(error.filename), error.lineno
    here = os.getcwd() + os.sep
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = os.path.abspath(frame.filename)
        if path.startswith(here) and "site-packages" not in path and os.path.exists(path):
            return _relative(path), frame.lineno
    return None, None


def _relative(path: str) -> str:
    return os.path.relpath(path) if os.path.abspath(path).startswith(os.getcwd() + os.sep) else path


def describe_error(error: BaseException, revision: Optional[str], statement: Optional[str]) -> Dict[str, Any]:
    """The fields of an `error` event."""
    file, line = place_of(error)
    fields: Dict[str, Any] = {"revision": revision, "statement": None, "sqlstate": None, "file": file, "line": line}
    if isinstance(error, Refused):
        return {**fields, "kind": error.kind, "message": str(error), **error.fields}
    if isinstance(error, SystemExit):
        return {**fields, "kind": "SystemExit", "message": f"the application ended the process (exit code {error.code!r})"}
    original = driver_error(error)
    if original is not None:
        said = server_fields(original)
        fields.update(said, sqlstate=sqlstate_of(original), statement=statement)
        return {**fields, "kind": type(original).__name__, "message": said.get("message", type(original).__name__)}
    wrapped = getattr(error, "orig", None)
    if isinstance(wrapped, BaseException):
        return {**fields, "kind": type(wrapped).__name__, "message": str(wrapped), "statement": statement}
    return {**fields, "kind": type(error).__name__, "message": str(error) or type(error).__name__}


def known_heads(heads: Sequence[str]) -> str:
    return ", ".join(heads) if heads else "none"
