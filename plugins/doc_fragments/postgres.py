# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that reach a PostgreSQL server."""

from __future__ import annotations


class ModuleDocFragment:
    """Shared documentation."""

    DOCUMENTATION = r"""
options:
  postgres:
    description:
      - Where the PostgreSQL server is and how its client programs are started.
      - Empty values are left to libpq's defaults. Variables such as E(PGHOST) that happen to be set on the host are not used.
    type: dict
    default: {}
    suboptions:
      prefix:
        description: Words put before every client program, such as C([docker, compose, exec, -T, postgres]) or C([sudo, -u, postgres]).
        type: list
        elements: str
        default: []
      bin_dir:
        description: Directory of C(psql), C(pg_dump) and C(pg_restore). Empty means the search path.
        type: path
        default: ""
      host:
        description: Host name, or directory of the unix socket.
        type: str
        default: ""
      port:
        description: Port.
        type: int
      user:
        description: Role to connect as.
        type: str
        default: ""
      passfile:
        description: Password file (mode 0600) where the client programs run. Passwords never travel as options.
        type: path
        default: ""
      maintenance_database:
        description: Database to connect to when creating and dropping others.
        type: str
        default: postgres
"""
