# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dump says of roles: who owns, who may do what. A server that lacks some of them gets the rest of it.

Roles are of the whole server. In an existing one none is ever made for a copy: that would change what is not the copy, and be left behind in grants
of other databases. So whatever names a role that dev lacks stays out, one statement at a time, and what is not theirs any more is counted.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Dict, FrozenSet, List, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session, quote_identifier

IDENTIFIER = rb'("(?:[^"]|"")+"|[A-Za-z_\x80-\xff][\w$\x80-\xff]*)'
_NAME = re.compile(IDENTIFIER)
_TABLE = rb"(?:" + IDENTIFIER + rb"\.)?" + IDENTIFIER
NOBODY = frozenset(["public", "current_user", "session_user", "current_role"])

_OWNER = re.compile(rb"ALTER .* OWNER TO " + IDENTIFIER + rb";\s*$", re.DOTALL)
_GRANT = re.compile(rb"(?:GRANT|REVOKE) .* (?:TO|FROM) " + IDENTIFIER + rb"(?: WITH GRANT OPTION)?;\s*$", re.DOTALL)
_DEFAULT = re.compile(
    rb"ALTER DEFAULT PRIVILEGES FOR ROLE " + IDENTIFIER + rb" .*(?:GRANT|REVOKE) .* (?:TO|FROM) " + IDENTIFIER + rb"(?: WITH GRANT OPTION)?;\s*$",
    re.DOTALL,
)
_SESSION = re.compile(rb"SET SESSION AUTHORIZATION '?" + IDENTIFIER + rb"'?;\s*$")
_RESET = re.compile(rb"RESET SESSION AUTHORIZATION;\s*$")
_POLICY = re.compile(
    rb"CREATE POLICY " + IDENTIFIER + rb" ON " + _TABLE + rb"(?: AS \w+)?(?: FOR \w+)? TO (" + IDENTIFIER + rb"(?:, " + IDENTIFIER + rb")*)(?= |;)"
)
_MAPPING = re.compile(rb"CREATE USER MAPPING FOR " + IDENTIFIER + rb" SERVER ")
_COMMENT = re.compile(rb"COMMENT ON POLICY " + IDENTIFIER + rb" ON " + _TABLE + rb" IS ")
OWNER, GRANT, DEFAULT, SESSION, POLICY, MAPPING = "owner", "grant", "default privileges", "session", "policy", "user mapping"
COMMENT = "comment"
_MAPPINGS = "USER MAPPING"
_KINDS = ((OWNER, _OWNER), (DEFAULT, _DEFAULT), (GRANT, _GRANT), (SESSION, _SESSION), (POLICY, _POLICY), (MAPPING, _MAPPING), (COMMENT, _COMMENT))


@dataclasses.dataclass(frozen=True)
class Roles:
    """Of the roles that a dump names, those that the server lacks, and those that it has but the restoring role may not act as."""

    missing: FrozenSet[str] = frozenset()
    foreign: FrozenSet[str] = frozenset()
    superuser: bool = True
    # Those that are there, but the restoring role itself.
    others: FrozenSet[str] = frozenset()

    def cautious(self) -> Roles:
        """As in one transaction, which no statement may fail in: only a superuser gives anything away."""
        return self if self.superuser else dataclasses.replace(self, foreign=self.others)

    @property
    def all_usable(self) -> bool:
        """Whether a dump can be restored with all that it says of roles. Only a superuser may give away whatever it has made."""
        return not self.missing and self.superuser


@dataclasses.dataclass(frozen=True)
class Statement:
    """`kind`, and the roles that it names, in order."""

    kind: str
    roles: Tuple[str, ...]


def look(session: Session, wanted: Sequence[str]) -> Roles:
    """How the session's role and its server stand to the roles that a dump names."""
    known = {row["name"]: row["usable"] for row in session.rows(
        "SELECT rolname AS name, pg_catalog.pg_has_role(oid, 'MEMBER') AND pg_catalog.pg_has_role(oid, 'USAGE') AS usable FROM pg_catalog.pg_roles"
    )}  # fmt: skip
    superuser = session.value("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user")
    foreign = frozenset(name for name in wanted if name in known and not known[name])
    own = {session.value("SELECT current_user::text")}
    missing = frozenset(wanted) - frozenset(known)
    return Roles(missing, foreign, bool(superuser) or set(wanted) <= own, frozenset(wanted) - missing - own)


def name_of(identifier: bytes) -> str:
    """The name that an identifier stands for."""
    text = identifier.decode(errors="replace")
    return text[1:-1].replace('""', '"') if text.startswith('"') else text.lower()


def read(text: bytes) -> Optional[Statement]:
    """What one statement of pg_dump's says of roles; None if it does not."""
    for kind, pattern in _KINDS:
        found = pattern.match(text)
        if found is None:
            continue
        if kind == COMMENT:
            return Statement(kind, ())
        named = _NAME.findall(found[4]) if kind == POLICY else [found[number] for number in range(1, pattern.groups + 1)]
        return Statement(kind, tuple(name for name in map(name_of, named) if name not in NOBODY))
    return None


def fit(text: bytes, statement: Optional[Statement], roles: Roles) -> Optional[bytes]:
    """The statement as it can run where some roles cannot be used; None if it cannot."""
    if statement is None or roles.all_usable:
        return text
    unusable = roles.missing | (roles.foreign if statement.kind in (OWNER, DEFAULT) else frozenset())
    if statement.kind == SESSION and not roles.superuser:
        return None
    left = [name for name in statement.roles if name not in unusable]
    if len(left) == len(statement.roles):
        return text
    if statement.kind == POLICY and left:
        found = _POLICY.match(text)
        if found is None:
            raise AssertionError("it was read by the same pattern")
        return text[: found.start(4)] + ", ".join(map(quote_identifier, left)).encode() + text[found.end(4) :]
    return None


def entry(text: bytes, statement: Statement, roles: Roles) -> List[str]:
    """How the statement begins in an archive's table of contents, if pg_restore cannot run it as it is."""
    if not roles.missing & set(statement.roles):
        return []
    if statement.kind == MAPPING:
        return [f"{_MAPPINGS} - {_MAPPINGS} {statement.roles[0]} SERVER "]
    found = _POLICY.match(text) if statement.kind == POLICY else None
    if found is None:
        return []
    policy, schema, table = (name_of(found[number]) if found[number] else "" for number in (1, 2, 3))
    said = f"POLICY {found[1].decode(errors='replace')} ON {found[3].decode(errors='replace')} "
    return [f"POLICY {schema} {table} {policy} ", f"COMMENT {schema} {said}"]


def policy(text: bytes) -> Tuple[bytes, ...]:
    """What tells a policy from others, of the statement that makes it and of the comment on it."""
    found = _POLICY.match(text) or _COMMENT.match(text)
    return found.group(1, 2, 3) if found else ()


def is_reset(text: bytes) -> bool:
    """Whether it ends a SET SESSION AUTHORIZATION."""
    return _RESET.match(text) is not None


class Count:
    """Of which roles how much stayed out: the content of `roles_not_given` of copy.json."""

    def __init__(self) -> None:
        self._found: Dict[Tuple[str, str], int] = {}

    def add(self, statement: Statement, roles: Roles) -> None:
        """One statement that stayed out, or a part of it."""
        if statement.kind == SESSION:
            return
        unusable = [name for name in statement.roles if name in roles.missing | roles.foreign] or list(statement.roles)
        for name in dict.fromkeys(unusable):
            self._found[name, statement.kind] = self._found.get((name, statement.kind), 0) + 1

    def told(self) -> List[Dict[str, Any]]:
        """One entry for each role and kind of thing."""
        return [{"role": role, "what": kind, "count": count} for (role, kind), count in sorted(self._found.items())]
