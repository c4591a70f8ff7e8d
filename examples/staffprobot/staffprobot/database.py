"""Which driver speaks to the database."""

import importlib.util

import sqlalchemy


def with_driver(url):
    """A URL that says only `postgresql`, with the driver that this Python has; any other URL as it is."""
    if url.drivername not in ("postgresql", "postgres"):
        return url
    has_psycopg = importlib.util.find_spec("psycopg") and not sqlalchemy.__version__.startswith("1.")
    return url.set(drivername="postgresql+psycopg" if has_psycopg else "postgresql+psycopg2")
