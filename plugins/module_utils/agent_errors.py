# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What went wrong, as one event.

Runs inside the application's Python: standard library, SQLAlchemy and Alembic.
"""

from __future__ import annotations

import os
import traceback
from typing import Any, Dict, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_messages import told, unquoted


class Refused(Exception):
    """The run cannot go on, for a reason that we found ourselves."""

    def __init__(self, kind: str, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.fields = fields


def driver_error(error: BaseException) -> Optional[BaseException]:
    """The driver's own exception behind SQLAlchemy's, or the exception itself if it came from a driver.

    What was being handled when it was raised is not its reason: an application that explains a database's error means what it says.
    """
    original = getattr(error, "orig", None) or error
    seen = 0
    while original is not None and seen < 5:
        if sqlstate_of(original):
            return original
        original = original.__cause__
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


def place_of(error: BaseException, revision: Optional[str] = None) -> Tuple[Optional[str], Optional[int]]:
    """File (relative to the working directory when below it) and line in the application's own code, or else in the revision's script."""
    if isinstance(error, SyntaxError) and error.filename:
        return relative(error.filename), error.lineno
    here = os.getcwd() + os.sep
    frames = list(traceback.walk_tb(error.__traceback__))[::-1]
    for frame, line in frames:
        path = os.path.abspath(frame.f_code.co_filename)
        if path.startswith(here) and "site-packages" not in path and os.path.exists(path):
            return relative(path), line
    # An installed project has its revisions among its packages.
    for frame, line in frames:
        if revision and frame.f_globals.get("revision") == revision and "down_revision" in frame.f_globals:
            return relative(os.path.abspath(frame.f_code.co_filename)), line
    return None, None


def relative(path: str) -> str:
    """A path as it is told: from the working directory on where it is below it."""
    return os.path.relpath(path) if os.path.abspath(path).startswith(os.getcwd() + os.sep) else path


def describe_error(error: BaseException, revision: Optional[str], statement: Optional[str]) -> Dict[str, Any]:
    """The fields of an `error` event."""
    file, line = place_of(error, revision)
    fields: Dict[str, Any] = {"revision": revision, "statement": None, "sqlstate": None, "file": file, "line": line}
    if isinstance(error, Refused):
        return {**fields, "kind": error.kind, "message": str(error), **error.fields}
    if isinstance(error, SystemExit):
        code = repr(error.code) if not revision or isinstance(error.code, int) else told(error, repr(error.code))
        return {**fields, "kind": "SystemExit", "message": f"the application ended the process (exit code {code})"}
    original = driver_error(error)
    if original is not None:
        said = server_fields(original)
        fields.update(said, sqlstate=sqlstate_of(original), statement=statement)
        return {**fields, "kind": type(original).__name__, "message": said.get("message", type(original).__name__)}
    wrapped = getattr(error, "orig", None)
    if isinstance(wrapped, BaseException):
        return {**fields, "kind": type(wrapped).__name__, "message": unquoted(str(wrapped)), "statement": statement}
    # A revision has rows in its hands; what goes wrong outside of them is about settings and files.
    message = told(error, str(error)) if revision else str(error)
    return {**fields, "kind": type(error).__name__, "message": message or type(error).__name__}
