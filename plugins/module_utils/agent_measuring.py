# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is asked what about a statement: the connection's own probe within a transaction, the observer outside one.

Runs inside the application's Python: standard library only.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_channel import Channel
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_connection import (
    FAILED,
    IDLE,
    IN_TRANSACTION,
    answers_later,
    ask,
    is_outside,
    is_outside_by,
    state_of,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_database import (
    OBJECTS_SQL,
    RELATIONS_SQL,
    Database,
    ObjectRow,
    Relation,
    compare_objects,
    describe_database,
    describe_lock,
    describe_rewrites,
    parse_objects,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_fence import Fence
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_observer import Observer
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_probe import TIMEOUTS_SQL, Measurement, Probe
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_sql import Text

VERSION_SQL = "SELECT pg_catalog.current_setting('server_version_num')"


@dataclasses.dataclass
class Running:
    """A text on its way to the server. `askable`: so is its connection afterwards; `own`: it is a revision's, not Alembic's bookkeeping."""

    sql: str
    text: Text
    number: Optional[int]
    connection: Any
    askable: bool
    own: bool
    line: Optional[int]
    t0: float = 0.0
    outside: bool = False
    sampling: Optional[Observer] = None
    # Somebody was, or will be, asked what it did.
    measured: bool = False


class Measuring:
    """Tells what statements did. An error of its own ends it, and must never end a migration."""

    def __init__(self, channel: Channel, fence: Fence) -> None:
        self._channel = channel
        self._fence = fence
        self._probes: Dict[int, Probe] = {}
        self._databases: Dict[str, Tuple[Database, bool]] = {}
        self._objects: Dict[str, List[ObjectRow]] = {}
        self._observers: Dict[str, Observer] = {}
        self.revision: Optional[str] = None
        self.works = True
        self.overhead_ms = 0.0
        # When the revision did.
        self._began = 0.0

    def give_up(self, error: BaseException) -> None:
        """From here on nothing is measured, and the evidence says so."""
        self.works = False
        self._channel.emit("measuring_failed", kind=type(error).__name__, message=str(error)[:500], revision=self.revision)

    def before(self, running: Running) -> None:
        """A text is about to be sent."""
        began = self._channel.now()
        state = state_of(running.connection)
        running.outside = is_outside_by(running.connection, state)
        if self.works and running.number is not None:
            try:
                self._before(running, running.number, state)
            except Exception as error:
                self.give_up(error)
        running.t0 = self._channel.now()
        self.overhead_ms += running.t0 - began

    def _before(self, running: Running, number: int, state: Optional[str]) -> None:
        text = running.text
        probe = self._probes.get(number)
        if probe is None:
            if not (running.own or text.acts):
                return
            probe = self._new_probe(number)
        # Of a connection that is told of by another thread, or of which there are two descriptions, the probe's own counts.
        if probe.open and (state == IDLE or probe.connection is not running.connection) and probe.has_ended():
            self.transaction_ended(number, "commit", self._channel.now())
        if running.askable:
            # One that answers in the event loop only cannot be asked at the revision's end.
            if not answers_later(running.connection):
                probe.connection = running.connection
            if not running.outside and state != FAILED and probe.wants_before(text):
                self._tell_rest(number, probe, running.connection)
        # A function that is selected may do anything; that it reads only is the rule, so Alembic's own reads are let be.
        calls = running.own and text.reads and not text.nothing and "(" in running.sql
        if text.acts and text.ends or running.outside and (text.acts or calls):
            running.sampling = self._sample(number)

    def after(self, running: Running, event: Dict[str, Any], t1: float) -> None:
        """The text has done its work: what it did goes into its event."""
        probe = self._probes.get(running.number) if running.number is not None else None
        if self.works and probe is not None:
            try:
                self._after(running, probe, event, t1)
            except Exception as error:
                self.give_up(error)
            self.overhead_ms += self._channel.now() - t1

    def _after(self, running: Running, probe: Probe, event: Dict[str, Any], t1: float) -> None:
        running.measured = True
        if running.sampling is not None:
            event.update(self.sampled(running))
        if running.outside or running.text.ends:
            if event["locks"] and running.askable:
                ((event["lock_timeout"], event["statement_timeout"]),) = ask(running.connection, TIMEOUTS_SQL)
        elif not running.askable:
            probe.wait(running.text, running.sql, running.t0, self.revision)
            running.measured = probe.connection is not None
        elif probe.wants_after(running.text, running.sql, running.t0, t1, self.revision):
            probe.measure(running.connection, running.text, t1).add_to(event)

    def ended(self, running: Running) -> None:
        """After its event was told: whether the text was the end of a transaction."""
        number = running.number
        probe = self._probes.get(number) if number is not None else None
        if number is None or not running.text.ends:
            if probe is not None and running.outside:
                probe.transaction_ended(committed=True)
                probe.lose_sight()
            return
        last = [statement.word for statement in running.text.statements if statement.word in ("commit", "end", "rollback", "abort", "prepare")][-1:]
        self.transaction_ended(number, "rollback" if last and last[0] in ("rollback", "abort") else "commit", running.t0)
        if probe is None or not (self.works and running.askable) or state_of(running.connection) != IN_TRANSACTION:
            return
        # COMMIT AND CHAIN, or COMMIT; BEGIN; …: a transaction is open again.
        try:
            probe.wait(running.text, running.sql, running.t0, self.revision)
            self._tell_rest(number, probe, running.connection)
        except Exception as error:
            self.give_up(error)

    def transaction_ended(self, number: int, name: str, t0: float) -> None:
        """Tell the end of a transaction, by `commit` or `rollback`."""
        probe = self._probes.get(number)
        if probe is not None:
            probe.transaction_ended(committed=name == "commit")
        self._channel.emit(name, connection=number, t0=t0, t1=self._channel.now(), revision=self.revision)

    def before_commit(self, number: int, own: bool) -> None:
        """What was not asked about yet is lost with the transaction."""
        probe = self._probes.get(number)
        if probe is not None and (own or probe.waits):
            self._settle(number, probe)

    def revision_begins(self, number: Optional[int], connection: Any) -> None:
        """From here on what is done over this connection is the revision's, even if we see none of it."""
        if not self.works or number is None or answers_later(connection):
            return
        try:
            probe = self._probes.get(number) or self._new_probe(number)
            probe.connection, self._began = connection, self._channel.now()
            if not probe.is_based and state_of(connection) == IN_TRANSACTION and not is_outside(connection):
                probe.begins(self._began)
                self._tell_rest(number, probe, connection)
        except Exception as error:
            self.give_up(error)

    def settle(self) -> None:
        """At a revision's end: what it did is told before anybody goes on, seen or not."""
        for number, probe in list(self._probes.items()):
            if probe.connection is not None and not probe.open and state_of(probe.connection) == IN_TRANSACTION:
                probe.begins_unseen(self._began)
            if probe.connection is not None and probe.has_ended():
                self.transaction_ended(number, "commit", self._channel.now())
            if probe.wants_at_end(self._channel.now()):
                self._settle(number, probe)

    def _settle(self, number: int, probe: Probe) -> None:
        began = self._channel.now()
        if self.works and probe.can_be_asked() and not is_outside(probe.connection):
            try:
                self._tell_rest(number, probe, probe.connection)
            except Exception as error:
                self.give_up(error)
        self.overhead_ms += self._channel.now() - began

    def _tell_rest(self, number: int, probe: Probe, connection: Any) -> None:
        based = probe.is_based
        found = probe.rest(connection, self._channel.now())
        if found.locks or found.rewrites or found.scans:
            self._tell_untracked(number, found, (found.revision or self.revision) if based else None)

    def _tell_untracked(self, number: int, found: Measurement, revision: Optional[str]) -> None:
        event: Dict[str, Any] = {"locks": [], "revision": revision}
        if found.since is not None:
            event["t0"] = found.since
        if found.unseen:
            event["unseen"] = True
        if found.sql is not None:
            event["sql"] = found.sql
        found.add_to(event)
        self._channel.emit("untracked", connection=number, **event)

    def stop_sampling(self, running: Running) -> None:
        """The run is over while the text is still on its way."""
        if running.sampling is not None:
            try:
                running.sampling.stop_sampling()
            except Exception as error:
                self.give_up(error)

    def finish(self) -> None:
        """Tell what the run left behind, also after a failure, and what measuring has cost."""
        for name, before in self._objects.items():
            try:
                after = parse_objects(self._observer_of(name).rows(OBJECTS_SQL))
            except Exception as error:
                self.give_up(error)
                continue
            self._channel.emit("objects", database=name, **compare_objects(before, after))
            self._tell_rewritten(name)
        self._channel.emit("measuring", complete=self.works, ms=round(self.overhead_ms, 3))

    def _tell_rewritten(self, name: str) -> None:
        """Tables that have other files than any statement accounts for."""
        database, _flush = self._databases[name]
        try:
            rewritten = [one for one in self._rewritten(database, self._observer_of(name).rows(RELATIONS_SQL)) if one.kind in "rm"]
        except Exception as error:
            self.give_up(error)
            return
        if rewritten:
            self._channel.emit("untracked", connection=None, locks=[], revision=None, unseen=True, rewrites=describe_rewrites(rewritten, ()))

    @staticmethod
    def _rewritten(database: Database, rows: Sequence[Sequence[Any]]) -> List[Relation]:
        """Relations whose files nobody has told of; from now on they are known."""
        found = []
        for oid, _schema, _name, _kind, filenode, _table in rows:
            if oid in database.relations and filenode and (oid, filenode) not in database.seen:
                database.filenodes[oid] = filenode
                database.seen.add((oid, filenode))
                found.append(database.relations[oid])
        return found

    def _new_probe(self, number: int) -> Probe:
        name = self._fence.databases[number]
        if name not in self._databases:
            observer = self._observer_of(name)
            version = int(observer.rows(VERSION_SQL)[0][0])
            database = describe_database(observer.rows(RELATIONS_SQL))
            self._objects[name] = parse_objects(observer.rows(OBJECTS_SQL))
            self._databases[name] = database, version >= 150000
        probe = self._probes[number] = Probe(*self._databases[name])
        return probe

    def _observer_of(self, name: str) -> Observer:
        """Through it we look, never through the application's: what its settings do to our questions must not befall its transaction."""
        if name not in self._observers:
            openings = (opening for number, opening in self._fence.openings.items() if self._fence.databases[number] == name)
            opening = next(openings, None)
            if opening is None:
                raise LookupError(f"no engine of SQLAlchemy's leads to database {name}")
            self._observers[name] = Observer(self._channel, *opening, self._fence.mark_observer)
        return self._observers[name]

    def _sample(self, number: int) -> Observer:
        observer = self._observer_of(self._fence.databases[number])
        observer.start_sampling(self._fence.backend_pids[number])
        return observer

    def sampled(self, running: Running) -> Dict[str, Any]:
        """What the observer saw of a text outside a transaction."""
        if running.sampling is None or running.number is None:
            raise AssertionError("only what is sampled is asked for")
        database, _flush = self._databases[self._fence.databases[running.number]]
        locks: List[Dict[str, Any]] = []
        waits: List[Dict[str, Any]] = []
        for (oid, mode, granted), (first, last) in sorted(running.sampling.stop_sampling().items()):
            relation = database.relations.get(oid)
            if relation is not None and mode != "AccessShareLock":
                (locks if granted else waits).append({**describe_lock(relation, mode), "seen": [first, last]})
        rewritten = self._rewritten(database, running.sampling.rows(RELATIONS_SQL))
        found: Dict[str, Any] = {"sampled": True, "locks": locks}
        if waits:
            found["waits"] = waits
        if rewritten:
            found["rewrites"] = describe_rewrites(rewritten, running.text.statements)
        return found
