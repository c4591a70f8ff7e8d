# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take out of a physical copy what could act on the world before a server starts on it, and then whatever is not the one database."""

from __future__ import annotations

import os
import shutil
from typing import List, Mapping

from ansible_collections.migrations.rehearsal.plugins.module_utils import ephemeral_settings, files
from ansible_collections.migrations.rehearsal.plugins.module_utils.ephemeral import Ephemeral, Wish
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session, quote_identifier, quote_literal

# What must not wake up with the copy, and what would show rows (the server's log). Files of configuration are written anew.
_TAKEN_OUT = (
    "standby.signal", "recovery.signal", "recovery.conf", "postmaster.pid", "postmaster.opts", "current_logfiles", "log", "pg_log",
    "postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf", "conf.d", "ssl", "server.key", "server.crt", "root.crt",
)  # fmt: skip


def neutralise(own: Ephemeral, wish: Wish, settings: Mapping[str, str]) -> List[str]:
    """Take out what could act on the world, and write a configuration of our own; what of it dev lacks, in words."""
    for name in _TAKEN_OUT:
        path = os.path.join(own.data, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
    for entry in os.scandir(os.path.join(own.data, "pg_replslot")):
        shutil.rmtree(entry.path)
    os.chmod(own.data, files.PRIVATE_DIRECTORY)
    return own.configure(ephemeral_settings.SETTLING, wish, settings, listen=False)


def take_over(own: Ephemeral, production: str, database: str, marker: Marker, deadline_s: float) -> List[str]:
    """Make the one database the marked copy, and drop all others of production's; those that could not be, in words.

    Nobody else can be there: the server listens on a socket in a directory of its own. The marker comes before everything else.
    """
    name = application_name(marker.id)
    left: List[str] = []
    with Session(own.server, "template1", name, deadline_s=deadline_s) as session:
        session.execute(f"COMMENT ON DATABASE {quote_identifier(production)} IS {quote_literal(marker.to_text())}")
        for prepared in session.rows("SELECT gid, database FROM pg_catalog.pg_prepared_xacts ORDER BY prepared"):
            _in(own, prepared["database"], name, f"ROLLBACK PREPARED {quote_literal(prepared['gid'])}", deadline_s)
        if production != database:
            session.execute(f"ALTER DATABASE {quote_identifier(production)} RENAME TO {quote_identifier(database)}")
        session.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {quote_identifier(database)} FROM PUBLIC")
        others = session.rows(
            "SELECT datname AS name, datallowconn AS open FROM pg_catalog.pg_database "
            f"WHERE datname NOT IN ('postgres', 'template0', 'template1', {quote_literal(database)}) ORDER BY 1"
        )
        for other in others:
            try:
                _drop(own, session, other["name"], name, deadline_s)
            except PostgresError as error:
                left.append(f"{other['name']}: {error.message}")
    # What the later stages connect to when they ask for databases; a cluster need not have kept it.
    with Session(own.server, "template1", name, deadline_s=deadline_s) as session:
        if not session.value("SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = 'postgres')"):
            session.execute("CREATE DATABASE postgres TEMPLATE template0")
    return left


def _drop(own: Ephemeral, session: Session, other: str, name: str, deadline_s: float) -> None:
    quoted = quote_identifier(other)
    session.execute(f"ALTER DATABASE {quoted} IS_TEMPLATE false")
    session.execute(f"ALTER DATABASE {quoted} ALLOW_CONNECTIONS true")
    subscriptions = session.rows(
        "SELECT s.subname AS name FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid "
        f"WHERE d.datname = {quote_literal(other)}"
    )
    for subscription in subscriptions:
        # Without its slot it is dropped without asking the publisher.
        for action in ("DISABLE", "SET (slot_name = NONE)"):
            _in(own, other, name, f"ALTER SUBSCRIPTION {quote_identifier(subscription['name'])} {action}", deadline_s)
        _in(own, other, name, f"DROP SUBSCRIPTION {quote_identifier(subscription['name'])}", deadline_s)
    session.execute(f"DROP DATABASE {quoted} WITH (FORCE)")


def _in(own: Ephemeral, database: str, name: str, statement: str, deadline_s: float) -> None:
    with Session(own.server, database, name, deadline_s=deadline_s) as session:
        session.execute(statement)
