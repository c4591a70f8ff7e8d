"""The `rehearse` command: Alembic migrations, rehearsed on a copy of production."""

import importlib.metadata

__version__ = importlib.metadata.version("migration-rehearsal")
