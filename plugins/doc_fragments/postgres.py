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
        description:
          - Words put before every client program, such as C([sudo, -u, postgres]) or C([kubectl, exec, -i, db-0, --]).
          - They must hand on what follows as it is, which C(ssh) does not.
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

    EPHEMERAL = r"""
options:
  ephemeral:
    description: What a server that is made for the copy is like. Everything has a default.
    type: dict
    default: {}
    suboptions:
      bin_dir:
        description: Directory of the server programs, of production's major version. Empty means those that are installed.
        type: path
        default: ""
      owner:
        description: System user that runs the server where the connection's user is root, whom PostgreSQL refuses. V(postgres), else V(nobody).
        type: str
        default: ""
      directory:
        description:
          - Directory below which its data are instead of in the work directory.
          - Where O(ephemeral.owner) runs the server it cannot reach the work directory; then this is V(/var/tmp) unless it is set.
        type: path
        default: ""
      user:
        description: Role of production that the application connects as. Empty means the server's first role.
        type: str
        default: ""
      listen:
        description: Addresses that it listens on beside its private socket, such as V(127.0.0.1) for an application in a container.
        type: list
        elements: str
        default: []
      port:
        description: Port. Empty means 5432 on the socket, and a free one where it listens on addresses.
        type: int
      password:
        description: Password of O(ephemeral.user) on the addresses of O(ephemeral.listen). The socket needs none, its directory is private.
        type: str
        default: ""
      settings:
        description: Settings of the server, above those of production.
        type: dict
        default: {}
"""


# The same options under another name. Not in the class, where Ansible's sanity tests look for plain text.
def _seen_from_dev(name: str) -> str:
    return (
        ModuleDocFragment.DOCUMENTATION.replace("  postgres:\n", f"  {name}:\n")
        .replace("O(postgres.", f"O({name}.")
        .replace("Where the PostgreSQL server is", "Where production's server is, seen from dev, to pull a physical copy from it,")
    )


ModuleDocFragment.PRODUCTION = _seen_from_dev("production")  # type: ignore[attr-defined]
ModuleDocFragment.FROM_DEV = _seen_from_dev("production_from_dev")  # type: ignore[attr-defined]
