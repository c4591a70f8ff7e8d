# SPDX-License-Identifier: GPL-3.0-or-later
"""The `rehearse` command: Alembic migrations, rehearsed on a copy of production."""

__version__ = "0.1.0"
