# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give the SQL that the upgrade executed to squawk, a linter of migrations, where the controller has it. What it says becomes evidence.

The judge holds its claims against what was measured (`judge_squawk`), and never runs it: the same evidence gives the same record where there is
no squawk, or another version of it. The statements are those of the timeline, so their literals are masked: no value reaches squawk.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_sql import read_text

EVIDENCE = "squawk.json"
AUTO, NEVER = "auto", "never"
RAN, MISSING, FAILED, OFF = "ran", "missing", "failed", "off"

# The form of its answers is that of version 2; version 1 counted lines otherwise.
_FIRST_VERSION = 2
_VERSION = re.compile(r"squawk (\d+)\.\d+\S*")
_DEADLINE_S = 60.0
_SYNTAX_ERROR = "syntax-error"
# Exit codes: nothing to say, something to say. An error of its own is 1 too, but then there is no answer.
_ANSWERED = (0, 1)
# What a script may set; its rules about timeouts look for it.
_SETTINGS = frozenset(["set", "reset"])

_TOKEN = re.compile(
    r"""
    (?P<kept>'(?:[^']|'')*' | "(?:[^"]|"")*" | ::)
  | (?P<parameter>%\(\w+\)s | %s | (?<![\w:\[]):[A-Za-z_]\w*)
  | (?P<percent>%%)
  | (?P<number>\?)
    """,
    re.VERBOSE,
)

Statement = dict[str, Any]


class SquawkFailed(Exception):
    """It could not be run, ran out of time, or gave no answer that can be read."""


def examine(setting: str, events: Iterable[Mapping[str, Any]], server_version_num: int | None) -> dict[str, Any]:
    """The content of evidence file `squawk.json`. `setting`: auto (where it is installed), never, or the path of the program."""
    document: dict[str, Any] = {
        "status": OFF, "reason": "", "version": None, "pg_version": None, "statements": 0, "not_read": [], "claims": [],
    }  # fmt: skip
    if setting == NEVER:
        return {**document, "reason": "rehearsal_squawk is never"}
    program = find(setting)
    if program is None:
        if setting == AUTO:
            return {**document, "status": MISSING, "reason": "squawk is not installed on the controller (pip install squawk-cli)"}
        return {**document, "status": FAILED, "reason": f"rehearsal_squawk names {setting}, which is not there or cannot be run"}
    wanted = statements(events)
    try:
        document["version"] = version(program)
        document["pg_version"] = _pg_version(server_version_num)
        claims, not_read = _claims(program, wanted, document["pg_version"])
    except SquawkFailed as error:
        return {**document, "status": FAILED, "reason": str(error)}
    return {**document, "status": RAN, "statements": len(wanted), "not_read": not_read, "claims": claims}


def find(setting: str) -> str | None:
    """The program: beside our own Python, on PATH, or where the inventory says."""
    if setting != AUTO:
        return shutil.which(os.path.expanduser(setting))
    beside = os.path.dirname(sys.executable)
    return shutil.which("squawk", path=os.pathsep.join([beside, os.environ.get("PATH", os.defpath)]))


def statements(events: Iterable[Mapping[str, Any]]) -> list[Statement]:
    """What the revisions executed, each text once a revision: {"revision", "sql"}, masked as in the timeline. Rows read or written aside."""
    found: dict[tuple[str, str], None] = {}
    for event in events:
        if event["event"] != "statement" or not event.get("revision") or not event.get("sql") or event.get("failed"):
            continue
        text = read_text(event["sql"])
        if not text.acts and not any(statement.word in _SETTINGS for statement in text.statements):
            continue
        found[(str(event["revision"]), str(event["sql"]))] = None
    return [{"revision": revision, "sql": sql} for revision, sql in found]


def readable(sql: str) -> str:
    """A masked statement as SQL again, on one line: 0 for each masked number, $1 for a driver's placeholder. A masked string is one still."""

    def token(match: re.Match[str]) -> str:
        if match["number"]:
            return "0"
        if match["percent"]:
            return "%"
        return "$1" if match["parameter"] else match[0]

    return _TOKEN.sub(token, " ".join(sql.split())).rstrip("; ") + ";"


def version(program: str) -> str:
    """Of the program, such as 2.70.0. Raises SquawkFailed for another program of that name."""
    _code, output = _run([program, "--version"], "")
    match = _VERSION.match(output)
    if match is None:
        raise SquawkFailed(f"{program} is not squawk: it does not say its version")
    if int(match[1]) < _FIRST_VERSION:
        raise SquawkFailed(f"{program} is {match[0]}: version {_FIRST_VERSION} or newer is needed")
    return match[0].split()[1]


def _pg_version(server_version_num: int | None) -> str | None:
    return f"{server_version_num // 10000}.{server_version_num % 10000}" if server_version_num else None


def _claims(program: str, wanted: Sequence[Statement], pg_version: str | None) -> tuple[list[dict[str, Any]], list[Statement]]:
    """(claims, statements that it could not read). One statement a line, so that a line says which statement is meant."""
    lines = [readable(statement["sql"]) for statement in wanted]
    said = _lint(program, lines, pg_version)
    not_read = {claim["line"] for claim in said if claim["rule_name"] == _SYNTAX_ERROR}
    if not_read:
        # What follows a statement that it cannot read may be taken for a part of it.
        said = _lint(program, ["" if number in not_read else line for number, line in enumerate(lines)], pg_version)
        not_read |= {claim["line"] for claim in said if claim["rule_name"] == _SYNTAX_ERROR}
    claims = [
        {"rule": claim["rule_name"], **wanted[claim["line"]], "message": claim["message"], "help": claim.get("help") or ""}
        for claim in said
        if claim["line"] not in not_read
    ]
    return claims, [wanted[number] for number in sorted(not_read)]


def _lint(program: str, lines: Sequence[str], pg_version: str | None) -> list[dict[str, Any]]:
    # An empty configuration: what lies in the current directory must not change what is found.
    argv = [program, "--reporter=json", f"--config={os.devnull}", "--assume-in-transaction", "--stdin-filepath=upgrade.sql"]
    code, output = _run([*argv, *([f"--pg-version={pg_version}"] if pg_version else [])], "\n".join(lines) + "\n")
    try:
        said = json.loads(output)
        if not all(isinstance(claim["rule_name"], str) and 0 <= claim["line"] < len(lines) for claim in said):
            raise ValueError
    except (ValueError, TypeError, KeyError):
        raise SquawkFailed(f"{program} ended with exit code {code} and gave no answer that can be read") from None
    return list(said)


def _run(argv: Sequence[str], text: str) -> tuple[int, str]:
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    try:
        done = subprocess.run(
            argv, input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, timeout=_DEADLINE_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise SquawkFailed(f"{argv[0]} was stopped: not done within {_DEADLINE_S:g} s") from None
    except OSError as error:
        raise SquawkFailed(f"{argv[0]} cannot be started: {error.strerror}") from None
    if done.returncode not in _ANSWERED:
        raise SquawkFailed(f"{argv[0]} ended with exit code {done.returncode}")
    return done.returncode, done.stdout.decode(errors="replace")
