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
        description: Words put before every client program, such as C([sudo, -u, postgres]) or C([kubectl, exec, -i, db-0, --]).
        type: list
        elements: str
        default: []
      compose:
        description: The service of a compose file that PostgreSQL runs in. Its client programs are started by C(docker compose exec -T).
        type: dict
        suboptions:
          service:
            description: Name of the service.
            type: str
            required: true
          file:
            description: Compose files, absolute or relative to O(postgres.compose.project_directory).
            type: list
            elements: str
            default: []
          project_directory:
            description: Directory of the project.
            type: str
            default: ""
          project_name:
            description: Name of the project, where it is not the directory's.
            type: str
            default: ""
          user:
            description: System user to run as in the container.
            type: str
            default: ""
          command:
            description: Words that start compose, such as C([docker-compose]).
            type: list
            elements: str
            default: [docker, compose]
      container:
        description:
          - The container that PostgreSQL runs in, by its name.
          - Or a dictionary of C(name), C(engine) (V(docker) or V(podman)) and C(user).
        type: raw
      scratch:
        description:
          - A directory where the client programs run (in the container) into which a dump may be put, so that it can be made in parallel.
          - Empty means that a dump leaves on standard output, and that nothing is written there.
        type: str
        default: ""
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
      password:
        description:
          - Password, for example from a vault. It never is an argument of a program nor in an environment.
          - The client programs read it from a file in memory; behind a prefix, from a file (mode 0600) that goes with the module.
        type: str
        default: ""
      maintenance_database:
        description: Database to connect to when creating and dropping others.
        type: str
        default: postgres
"""
