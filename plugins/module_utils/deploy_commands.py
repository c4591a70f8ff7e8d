# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of PostgreSQL in the plan for the deploy, as they reach production: prefix, host, port and user, never a password. Pure.

Files go through standard output and input, so that they lie where the command is typed, wherever the tool itself runs.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import postgres_place
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import quote_identifier, quote_literal

# A word such as PGPASSWORD=…, which a prefix may have.
_SECRET = re.compile(r"([^=]*(?:passw|pwd|secret|token)[^=]*)=.+", re.IGNORECASE)


def noted(options: Mapping[str, Any]) -> Dict[str, Any]:
    """What context.json keeps of production's `rehearsal_postgres`. ValueError as `postgres_place.prefix`."""
    words = [_SECRET.sub(r"\1=…", word) for word in postgres_place.prefix(options)]
    kept = {key: str(options[key]) for key in ("bin_dir", "host", "port", "user", "passfile") if options.get(key)}
    if options.get("maintenance_database", "postgres") != "postgres":
        kept["maintenance_database"] = str(options["maintenance_database"])
    return {"prefix": words, **kept}


@dataclasses.dataclass(frozen=True)
class Production:
    """How PostgreSQL's tools are called there. `place` is what `noted` kept; empty where a backup file was rehearsed."""

    place: Mapping[str, Any]
    database: str

    @property
    def environment(self) -> Dict[str, str]:
        """It does not pass through a prefix."""
        return {"PGPASSFILE": self.place["passfile"]} if self.place.get("passfile") and not self.place.get("prefix") else {}

    def _tool(self, name: str, *words: str) -> List[str]:
        directory = self.place.get("bin_dir")
        where = [f"--{option}={self.place[key]}" for option, key in (("host", "host"), ("port", "port"), ("username", "user")) if self.place.get(key)]
        return [*self.place.get("prefix", ()), f"{directory}/{name}" if directory else name, *where, *words]

    def dump(self) -> List[str]:
        """Writes the backup to standard output."""
        return self._tool("pg_dump", "--format=custom", self.database)

    def create(self, name: str, manifest: Mapping[str, Any]) -> List[str]:
        """An empty database with the encoding, collation and owner of production's."""
        keys = (("encoding", "encoding"), ("lc-collate", "collate"), ("lc-ctype", "ctype"), ("owner", "owner"))
        words = [f"--{option}={manifest[key]}" for option, key in keys if manifest.get(key)]
        provider = {"i": "icu", "b": "builtin"}.get(str(manifest.get("locale_provider")))
        # Before version 15 a database has no provider of its own.
        if provider and manifest.get("locale") and int(manifest.get("server_version_num") or 0) >= 150000:
            words += [f"--locale-provider={provider}", f"--{provider}-locale={manifest['locale']}"]
        if self.place.get("maintenance_database"):
            words.append(f"--maintenance-db={self.place['maintenance_database']}")
        return self._tool("createdb", "--template=template0", *words, name)

    def restore(self, name: str) -> List[str]:
        """Reads the backup from standard input."""
        return self._tool("pg_restore", "--exit-on-error", f"--dbname={name}")

    def limit(self, role: str, limits: Sequence[Tuple[str, str]]) -> List[str]:
        """Gives new sessions of a role in this database these settings."""
        return self._alter(role, [f"SET {name} = {quote_literal(value).strip()}" for name, value in limits])

    def unlimit(self, role: str, limits: Sequence[Tuple[str, str]]) -> List[str]:
        """Takes them back."""
        return self._alter(role, [f"RESET {name}" for name, _value in limits])

    def _alter(self, role: str, changes: Sequence[str]) -> List[str]:
        subject = f"ALTER ROLE {quote_identifier(role)} IN DATABASE {quote_identifier(self.database)}"
        return self._tool(
            "psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--dbname={self.database}", *(f"--command={subject} {change}" for change in changes)
        )
