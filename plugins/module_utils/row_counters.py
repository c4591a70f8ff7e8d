# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server counted: a table of which no row was inserted, updated or deleted between two fingerprints need not be read.

PostgreSQL counts every row version that it writes or deletes in a heap, of whatever statement (COPY, triggers, foreign keys, replication, what is
rolled back, prepared transactions), until somebody keeps it from counting or the counts are lost. So they speak for a table only where

- its file and its TOAST table's, its size and all counters are the same as before,
- the server is 15 or later: before, counters travel in packets that may be lost,
- it was not restarted, did not crash (which sets the moment since when it counts), has not read its settings anew, and nobody reset the counters,
- counting is on, and no setting of a role or database and no function that is there speaks of `track_counts`,
- nobody else is connected to the database any more. A session adds what it did only now and then, but always before it leaves.

The order makes it a proof. The counters to compare with later are read before the snapshot of their fingerprint: whatever it does not see is counted
later. Those that are compared are read after the snapshot, and after looking that nobody else is there: whoever wrote what the snapshot sees has
left, and has counted. That nobody was resetting them meanwhile is looked at afterwards.

What cannot be seen on the server afterwards is that a superuser's session switched counting off for itself. So whoever knows what ran says whether
any of it could have (`doubt`), and small tables are always read: if one was written to and its counters are the same, no counter is believed. Of a
session that never counts, Alembic's own table is one.
"""

from __future__ import annotations

import re
import time
from typing import Any, Dict, Iterable, List, Mapping, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.relations import Relation

_MIN_VERSION = 150000
# A session that has ended for its client takes a moment more on the server.
_WAIT_S = 0.5
_PAUSE_S = 0.02

_OWN_DATABASE = "(SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())"

# 2 is PostgreSQL's heap: what other storage counts is not known. 16384 is FirstNormalObjectId.
_COUNTERS = """
SELECT c.oid::bigint AS id, pg_catalog.concat_ws(' ',
    pg_catalog.pg_stat_get_tuples_inserted(c.oid), pg_catalog.pg_stat_get_tuples_updated(c.oid), pg_catalog.pg_stat_get_tuples_deleted(c.oid),
    pg_catalog.pg_stat_get_tuples_hot_updated(c.oid), c.reltoastrelid, pg_catalog.pg_relation_filenode(c.reltoastrelid),
    pg_catalog.pg_stat_get_tuples_inserted(c.reltoastrelid), pg_catalog.pg_stat_get_tuples_updated(c.reltoastrelid),
    pg_catalog.pg_stat_get_tuples_deleted(c.reltoastrelid)) AS counted
FROM pg_catalog.pg_class AS c WHERE c.relkind = 'r' AND c.relam = 2 AND c.relpersistence <> 't' AND c.oid >= 16384
"""

# `since` and `reset`: a crash makes the server forget what it counted, and note the time; so does whoever resets the counters of a database or of
# one table in it. `speaks`: also of settings that switch counting on, since there must be a reason for them.
_GUARDS = f"""
SELECT q.database::bigint AS database, extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text AS started,
    extract(epoch FROM pg_catalog.pg_conf_load_time())::text AS configured,
    (SELECT extract(epoch FROM a.stats_reset)::text FROM pg_catalog.pg_stat_archiver AS a) AS since,
    extract(epoch FROM pg_catalog.pg_stat_get_db_stat_reset_time(q.database))::text AS reset,
    pg_catalog.current_setting('server_version_num')::integer AS version, pg_catalog.current_setting('track_counts') AS counting,
    EXISTS (
        SELECT FROM pg_catalog.pg_db_role_setting AS s
        WHERE s.setdatabase IN (0, q.database) AND s.setconfig::text ~* 'track_counts'
    ) AS set_apart,
    EXISTS (
        SELECT FROM pg_catalog.pg_proc AS p WHERE p.oid >= 16384 AND (p.prosrc ~* 'track_counts' OR p.proconfig::text ~* 'track_counts')
    ) AS speaks
FROM (SELECT {_OWN_DATABASE} AS database) AS q
"""
# The same at both moments, and why the counters do not speak if one is not.
_SAME = {
    "database": "they were counted in another database",
    "started": "the server was started anew",
    "configured": "the server has read its settings anew",
    "since": "the server crashed, or its counters were reset",
    "reset": "counters of the database were reset",
}
CONTRADICTED = "rows of a table were written and not counted"
# What callers know of it.
UNKNOWN = "what ran is not known"
ADDED_TASKS = "added tasks ran on the copy"

_OTHERS = f"""
SELECT count(*) AS v FROM pg_catalog.pg_stat_get_activity(NULL) AS a
WHERE a.datid = {_OWN_DATABASE} AND a.pid <> pg_catalog.pg_backend_pid() AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
"""

# Literals are masked: what a DO block or a function's body says, or which setting is set, cannot be seen. A name may be quoted.
_DOUBTFUL = re.compile(
    r"track_counts|set_config|pg_settings|pg_db_role_setting|pg_proc\b|\bU&\""
    r"|\b(?:function|procedure|routine|do(?!\s+(?:nothing|update|instead|also)\b))\b",
    re.IGNORECASE,
)


def doubt(events: Iterable[Mapping[str, Any]]) -> str:
    """Why what ran, by its timeline, may have kept the server from counting; "" where nothing did."""
    for event in events:
        if event["event"] == "process":
            return "a program was started, and what it did was not seen"
        if event["event"] == "measuring_failed":
            return "what ran was not seen to its end"
        if event["event"] == "untracked" and event.get("unseen"):
            return "something was done by no statement that was seen"
        if event.get("truncated"):
            return "a statement is too long to be known"
        if _DOUBTFUL.search(str(event.get("sql") or "")):
            return "a statement may have switched counting off"
    return ""


class RowCounters:
    """What was counted until just before this fingerprint's snapshot, to be compared with later; and how far it can be held against `since`."""

    def __init__(self, session: Session) -> None:
        """Outside a transaction, before the snapshot is taken."""
        guards = session.row(_GUARDS)
        self.why_not = _cannot_count(guards)
        self._guards: Dict[str, Any] = {name: guards[name] for name in _SAME}
        self._noted: Dict[int, str] = {}
        if not self.why_not:
            # What this session itself has written and not told yet; it does as soon as this is answered.
            session.execute("SELECT pg_catalog.pg_stat_force_next_flush()")
            self._noted = _read(session)
        self._now: Dict[int, str] = {}
        # Why nothing is compared; "" while the counters are believed.
        self.distrusted = "nothing was compared"

    def to_json(self) -> Dict[str, Any]:
        """What the next fingerprint has to know beside the counters of each table."""
        return {**self._guards, "why_not": self.why_not}

    def compare(self, session: Session, since: Optional[Mapping[str, Any]], distrust: str) -> None:
        """In the transaction of the fingerprint, after its snapshot was taken: look whether the counters tell what was written since then."""
        self.distrusted = distrust or self._refused(since)
        if self.distrusted:
            return
        if not _is_alone(session, _WAIT_S):
            self.distrusted = "somebody else is connected to the database"
            return
        session.execute("SELECT pg_catalog.pg_stat_clear_snapshot()")
        self._now = _read(session)
        if not _is_alone(session):
            self.distrusted = "somebody else is connected to the database"
            return
        guards = session.row(_GUARDS)
        changed = [reason for name, reason in _SAME.items() if guards[name] != (since or {})[name]]
        self.distrusted = (changed or [_cannot_count(guards)])[0]

    def _refused(self, since: Optional[Mapping[str, Any]]) -> str:
        if since is None:
            return "nothing was counted before"
        return self.why_not or str(since["why_not"])

    def noted(self, relation: Relation) -> Optional[List[str]]:
        """The counters of a table's files to compare with later; None where nothing can be told of them."""
        return _of(relation, self._noted)

    def unwritten(self, relation: Relation, before: Mapping[str, Any]) -> Optional[bool]:
        """Whether no row of the table was written since the entry `before`; None where the counters cannot tell."""
        now, then = _of(relation, self._now), before.get("counted")
        if self.distrusted or now is None or then is None:
            return None
        return bool(now == then)


def _cannot_count(guards: Mapping[str, Any]) -> str:
    if guards["version"] < _MIN_VERSION:
        return "before PostgreSQL 15 counters may be lost on their way"
    if guards["counting"] != "on":
        return "counting is off (track_counts)"
    if guards["set_apart"]:
        return "track_counts is set for a role or a database"
    if guards["speaks"]:
        return "a function speaks of track_counts"
    return ""


def _read(session: Session) -> Dict[int, str]:
    return {row["id"]: row["counted"] for row in session.iterate(_COUNTERS)}


def _of(relation: Relation, counters: Mapping[int, str]) -> Optional[List[str]]:
    found = [counters.get(int(file.split(":")[0])) for file in relation.files]
    known = [counted for counted in found if counted is not None]
    return [*relation.files, str(relation.size), *known] if known and len(known) == len(found) else None


def _is_alone(session: Session, patience_s: float = 0.0) -> bool:
    """Whether nobody else is connected to the database. (Who vacuums it writes no rows.)"""
    deadline = time.monotonic() + patience_s
    while True:
        # Within a transaction the first answer would be given again and again.
        session.execute("SELECT pg_catalog.pg_stat_clear_snapshot()")
        if session.value(_OTHERS) == 0:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_PAUSE_S)
