# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingerprints: per table and column rows, non-null values and a hash that is free of row order. Computed inside PostgreSQL: no row travels.

The hash of a column is the sum (a numeric: it cannot overflow, and equal pairs do not cancel as with xor) over all rows of a 64-bit hash of the
value, seeded with the row's primary key (a number as it is, anything else hashed): two values swapped between two rows show. `hash_sql` says how each
type is hashed, and why.
A column's `by` names the form; only hashes with equal `by`, in tables with the same key in the same form, can be compared.

A table without a primary key has `"key": null`: its columns are hashed as multisets, and `row_hash` hashes its whole rows as a multiset, so that a
value moved between rows still shows as long as the table has the same columns.

A declared change ("contracts.hourly_rate": "old / 100.0") is proved by value, not by type: before, the canonical text of the expression is
hashed (`expected_hash`); after, that of the column (`canonical_hash`); see `hash_sql.canonical_text`. "old" alone declares that a
change of type keeps every value. An undeclared change of type is proved where both types have the same `by`, and "not comparable" elsewhere.

A partitioned table is read through its parent, so that a row that moves between partitions has not changed. Left out, and said in `left_out`:
foreign tables, materialized views; of a partitioned table with a foreign partition, the local partitions are read each by itself. Large objects are
a table of their own (`large_objects`).
"""

from __future__ import annotations

import collections
import contextlib
import threading
from typing import Any, Collection, Dict, Iterator, List, Mapping, Optional, Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils import hash_sql, large_objects, relations, row_counters, untouched
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint_table import Job, prove
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import column_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import (
    READ_ONLY,
    PostgresError,
    Session,
    quote_literal,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.progress import Counter

# No statement of unbounded length.
_TOGETHER = 40

PROOFS = ("full", "changed", "counts")


def take_fingerprint(
    session: Session,
    declared: Optional[Mapping[str, str]] = None,
    tables: Optional[Collection[str]] = None,
    snapshot_id: Optional[str] = None,
    canonical: Collection[str] = (),
    since: Optional[Mapping[str, Any]] = None,
    proof: str = "full",
    connections: int = 1,
    counter: Optional[Counter] = None,
    distrust: str = "",
) -> Dict[str, Any]:
    """The fingerprint of a database, or of the named tables (tables that do not exist are left out without a word).

    `session` must not be inside a transaction; one REPEATABLE READ READ ONLY transaction is used, of the exported snapshot `snapshot_id` if given.
    `declared` maps "table.column" to an SQL expression over `old` (other columns of the row by their names); `canonical` names the columns to be
    compared with such expressions: give `declared` before the upgrade, and its keys as `canonical` after it (those that are gone have no hash).
    `since` is the fingerprint taken before: rows are then bound to the key that the table had then, rows added are told from rows changed where
    that can be proved, and `proof="changed"` takes over the hashes of what provably was not touched (see `untouched`, and `row_counters`, whose
    answer is not asked for where `distrust` says why). "counts" hashes nothing.
    `connections`: how many sessions may work at a time, all in one snapshot; this one counts. `counter` is told the bytes of each table that is done.

    Raises ValueError for a declaration that cannot be used, PostgresError for anything that the server refuses; both name the object.
    """
    if proof not in PROOFS:
        raise ValueError(f"proof is {proof!r}, not one of {', '.join(PROOFS)}")
    if proof == "changed" and since is None:
        raise ValueError("proof «changed» needs the fingerprint taken before")
    for column, expression in (declared or {}).items():
        check_expression(column, expression)
    mark = untouched.take_mark(session) if snapshot_id is None else None
    # Nobody compares with what was only counted, nor with what another session's snapshot saw.
    counters = row_counters.RowCounters(session) if snapshot_id is None and proof != "counts" else None
    with proof_transaction(session, snapshot_id):
        found, left_out = relations.read_relations(session)
        wanted = [relation for relation in found if tables is None or relation.name in tables]
        is_new = untouched.new_row_condition(session, since["mark"]) if since is not None else None
        if counters is not None and since is not None and proof == "changed":
            counters.compare(session, since.get("counters"), distrust)
        jobs = [Job(relation, declared or {}, canonical, since, is_new, proof, counters) for relation in wanted]
        _refuse_unknown(declared or {}, jobs, tables)
        result: Dict[str, Any] = {
            "proof": proof,
            "server_version_num": int(session.value("SELECT current_setting('server_version_num') AS v")),
            "mark": mark or untouched.snapshot_mark(session),
            "left_out": {name: reason for name, reason in sorted(left_out.items()) if tables is None or name in tables},
        }
        done = _run(session, jobs, snapshot_id, connections, counter or Counter())
        if counters is not None and any(job.contradicts for job in jobs):
            counters.distrusted = row_counters.CONTRADICTED
            done = _run(session, jobs, snapshot_id, connections, counter or Counter())
        if counters is not None:
            result["counters"] = counters.to_json()
            if proof == "changed" and counters.distrusted:
                result["counters_not_used"] = counters.distrusted
        objects = (
            large_objects.entry(session, since is not None and large_objects.NAME in since["tables"], proof != "counts") if tables is None else None
        )
        if objects is not None:
            done[large_objects.NAME] = objects
            if proof != "counts" and objects["columns"]["data"]["hash"] is None:
                result["left_out"][large_objects.NAME] = large_objects.NOT_READ
        result["tables"] = dict(sorted(done.items()))
    return result


def check_expression(column: str, expression: str) -> None:
    """Refuse what is not one expression. The session is read-only all the same."""
    for sign, name in ((";", "a semicolon"), ("\\", "a backslash"), ("--", "a comment"), ("/*", "a comment"), ("\0", "NUL")):
        if sign in expression:
            raise ValueError(f"{column}: the declared expression has {name}")
    depth, quote = 0, ""
    for character in expression:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
            if depth < 0:
                break
    if depth != 0 or quote or not expression.strip():
        raise ValueError(f"{column}: the declared expression is empty, or its parentheses or quotes are not closed")


@contextlib.contextmanager
def proof_transaction(session: Session, snapshot_id: Optional[str] = None) -> Iterator[None]:
    """One read-only transaction with one snapshot, in which every value has one text form."""
    session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        if snapshot_id is not None:
            session.execute(f"SET TRANSACTION SNAPSHOT {quote_literal(snapshot_id)}")
        settings = [f"pg_catalog.set_config({quote_literal(name)}, {quote_literal(value)}, true)" for name, value in hash_sql.SETTINGS.items()]
        session.execute(f"SELECT {', '.join(settings)}")
        yield
    finally:
        # A session that has ended (its process is gone) has nothing to roll back, and must not hide the first error.
        with contextlib.suppress(PostgresError):
            session.execute("ROLLBACK")


def _refuse_unknown(declared: Mapping[str, str], jobs: List[Job], tables: Optional[Collection[str]]) -> None:
    known = {column_name(job.relation.name, column.name) for job in jobs for column in job.relation.columns}
    for name in declared:
        if name not in known:
            where = "" if tables is None else " among the tables asked for"
            raise ValueError(f"{name}: declared as changed, but there is no such column{where}")


def _run(session: Session, jobs: List[Job], snapshot_id: Optional[str], connections: int, counter: Counter) -> Dict[str, Dict[str, Any]]:
    """All jobs, biggest table first, over `connections` sessions in one snapshot.

    The small ones are this session's, while others begin: it has opened every table to know its size, which another one would do again.
    """
    counter.total += sum(job.relation.size for job in jobs)
    todo = collections.deque(batches(jobs))
    helpers = min(connections, len(todo)) - 1
    done: Dict[str, Dict[str, Any]] = {}
    errors: List[BaseException] = []

    def work(own: Session) -> None:
        while not errors:
            try:
                batch = todo.pop() if own is session and todo[-1][0].small else todo.popleft()
            except IndexError:
                return
            done.update(prove(batch, own))
            counter.done += sum(job.relation.size for job in batch)

    if helpers < 1:
        work(session)
        return done
    snapshot = snapshot_id or session.value("SELECT pg_export_snapshot() AS v")
    application_name = session.value("SELECT current_setting('application_name') AS v")

    def helper() -> None:
        try:
            own_session = Session(session.server, session.database, application_name, READ_ONLY, session.deadline_s)
            with own_session as own, proof_transaction(own, snapshot):
                work(own)
        except BaseException as error:  # a table that is not there without a word would pass for one that was never there
            errors.append(error)

    threads = [threading.Thread(target=helper, name=f"fingerprint {number}") for number in range(helpers)]
    for thread in threads:
        thread.start()
    try:
        work(session)
    except BaseException as error:
        errors.append(error)
    finally:
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    if len(done) != len(jobs):
        raise AssertionError("a table was left out")
    return done


def batches(jobs: Sequence[Job]) -> List[List[Job]]:
    """What is asked about together: a large table alone, the largest first, and then many small ones at a time."""
    ordered = sorted(jobs, key=lambda job: (-job.relation.size, job.relation.name))
    small = [job for job in ordered if job.small]
    return [[job] for job in ordered if not job.small] + [small[start : start + _TOGETHER] for start in range(0, len(small), _TOGETHER)]
