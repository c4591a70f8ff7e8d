"""The `rehearse` command: Alembic migrations, rehearsed on a copy of production."""
