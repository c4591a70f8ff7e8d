# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a server is with what it was asked to do on dev: a database that is being filled or copied, an index that is being built."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Iterator, List, Mapping, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils import progress
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import READ_ONLY, Server, Session, quote_literal
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Look
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

_ANSWER_S = 30.0
_SIZE = "SELECT coalesce(max(pg_catalog.pg_database_size(oid)), 0) AS size FROM pg_catalog.pg_database WHERE datname = {name}"
# A build first reads the table (blocks), then puts what it found into the index (tuples); some methods count neither.
_BUILDS = """
SELECT count(*) AS builds, coalesce(sum(blocks_done), 0) AS blocks_done, coalesce(sum(blocks_total), 0) AS blocks_total,
       coalesce(sum(tuples_done), 0) AS tuples_done, coalesce(sum(tuples_total), 0) AS tuples_total
FROM pg_catalog.pg_stat_progress_create_index WHERE datname = {name}"""
# The new database cannot be seen before it is whole: only its files can, by a superuser.
_COPIED = """
SELECT coalesce(sum((pg_catalog.pg_stat_file('base/' || d.name || '/' || f.name, true)).size), 0) AS size
FROM pg_catalog.pg_ls_dir('base') AS d(name), pg_catalog.pg_ls_dir('base/' || d.name) AS f(name)
WHERE d.name ~ '^[0-9]+$' AND d.name NOT IN (SELECT oid::text FROM pg_catalog.pg_database)"""

_Ask = Callable[[Session], Optional[Look]]


@contextlib.contextmanager
def filled(work: WorkDirectory, server: Server, database: str, rehearsal_id: str, total: int, what: str = "restored") -> Iterator[None]:
    """A database that is being filled, up to a size of `total` bytes (0: not known), and the indexes that are built in it."""

    def ask(session: Session) -> Optional[Look]:
        builds = index_builds(session, database)
        size = session.value(_SIZE.format(name=quote_literal(database)))
        return builds or Look(what, size, total)

    with _asked(work, lambda: server, rehearsal_id, ask):
        yield


@contextlib.contextmanager
def files_copied(work: WorkDirectory, server: Server, template: str, rehearsal_id: str) -> Iterator[None]:
    """CREATE DATABASE … TEMPLATE."""

    def ask(session: Session) -> Optional[Look]:
        return Look("copied", session.value(_COPIED), session.value(_SIZE.format(name=quote_literal(template))))

    with _asked(work, lambda: server, rehearsal_id, ask):
        yield


@contextlib.contextmanager
def migrated(
    work: WorkDirectory, where: Optional[Callable[[], Server]], database: str, rehearsal_id: str, revisions: Callable[[], Look]
) -> Iterator[None]:
    """Revisions, and the indexes that they build, where it is known `where` the server is; that is asked when the first second is over."""
    if where is None:
        with progress.shown(work, revisions):
            yield
        return

    def ask(session: Session) -> Optional[Look]:
        return index_builds(session, database) or revisions()

    with _asked(work, where, rehearsal_id, ask, otherwise=revisions):
        yield


def index_builds(session: Session, database: str) -> Optional[Look]:
    """The indexes that are being built in a database just now; None where there are none."""
    return builds_look(session.row(_BUILDS.format(name=quote_literal(database))))


def builds_look(row: Mapping[str, Any]) -> Optional[Look]:
    """What pg_stat_progress_create_index says of all builds together."""
    builds = int(row["builds"])
    if not builds:
        return None
    of = "an index" if builds == 1 else f"{builds} indexes"
    if row["tuples_total"] and row["blocks_done"] >= row["blocks_total"]:
        return Look(f"put into {of}", row["tuples_done"], row["tuples_total"], "rows")
    return Look(f"read for {of}", row["blocks_done"], row["blocks_total"], "blocks")


@contextlib.contextmanager
def _asked(
    work: WorkDirectory, where: Callable[[], Server], rehearsal_id: str, ask: _Ask, otherwise: Optional[Callable[[], Look]] = None
) -> Iterator[None]:
    """Asked in one read-only session of its own, which is opened when the first second is over; `otherwise` where that fails."""
    sessions: List[Session] = []

    def look() -> Optional[Look]:
        try:
            if not sessions:
                server = where()
                sessions.append(Session(server, server.maintenance_database, application_name(rehearsal_id), READ_ONLY, _ANSWER_S))
            return ask(sessions[0])
        except Exception:
            if otherwise is None:
                raise
            return otherwise()

    try:
        with progress.shown(work, look):
            yield
    finally:
        for session in sessions:
            session.close()
