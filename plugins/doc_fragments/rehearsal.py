# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that name a rehearsal."""

from __future__ import annotations


class ModuleDocFragment:
    """Shared documentation."""

    DOCUMENTATION = r"""
options:
  id:
    description: Id of the rehearsal, such as V(20261122-223011-9f3a2c).
    type: str
    required: true
  work_dir:
    description: Directory below which the rehearsal's private work directory is (mode 0700).
    type: path
    default: ~/.migrations-rehearsal
"""

    MARKER = r"""
options:
  source:
    description: What the copy is made from, for people who find the marker.
    type: str
    required: true
  created:
    description: When the rehearsal began, such as V(2026-11-22T22:30:11Z).
    type: str
    required: true
  expires:
    description: When M(migrations.rehearsal.sweep) may remove what is left of it.
    type: str
    required: true
"""

    APPLICATION = r"""
options:
  application:
    description: The project whose migrations are rehearsed, with its Python.
    type: dict
    required: true
    suboptions:
      command:
        description: Words that start the application's Python, such as C([.venv/bin/python]) or C([docker, compose, exec, -T, web, python]).
        type: list
        elements: str
        required: true
      chdir:
        description: Working directory of the application.
        type: path
        default: ""
      config:
        description: Alembic's configuration file, relative to O(application.chdir).
        type: str
        default: alembic.ini
      section:
        description: Section of the configuration file that Alembic reads, as with C(alembic -n). Alembic's own default when it is empty.
        type: str
        default: ""
      options:
        description:
          - Options set in Alembic's configuration before C(env.py) runs, such as C(sqlalchemy.url); the file itself is not changed.
          - A value that is a dictionary sets the options of the section of that name.
          - Values are literal, a C(%) is not doubled.
        type: dict
        default: {}
      wrapper:
        description:
          - Python code, run by the application's Python behind the fence, that calls C(run()) within what C(env.py) needs around it,
            such as an application context or an event loop.
          - Alembic's configuration object is there as C(config).
        type: str
        default: ""
      x:
        description:
          - The C(-x) arguments that C(env.py) reads, if it reads any.
          - One without a value (C(-x name)) is null; one that comes several times has a list.
        type: dict
        default: {}
      environment:
        description:
          - The environment that the application sees, such as E(DATABASE_URL).
          - It travels on standard input, never as an argument.
        type: dict
        default: {}
"""
