# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold what squawk claims of a statement against what the timeline measured of it: confirmed, refuted, or not measured. Pure.

A linter knows a statement's text and no table behind it: the same line is harmless on a table that the migration has just made, and an outage on a
large one. `matters` says which of the two a confirmed claim is.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Callable, Collection, Dict, FrozenSet, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import timeline
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge_data import Said
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge_timeline import Sizes, holding, shorten
from ansible_collections.migrations.rehearsal.plugins.module_utils.names import object_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Budgets
from ansible_collections.migrations.rehearsal.plugins.module_utils.timeline import READS, WRITES, Event, Hold
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import Text, text

CONFIRMED, REFUTED, UNKNOWN = "confirmed", "refuted", "not measured"

# Matters of taste, or of a file that is run by hand: Alembic's transactions and version table answer them, and other checks of ours say the rest.
_LEFT_OUT = re.compile(r"prefer-|require-table-schema$|identifier-too-long$|transaction-nesting$|ban-uncommitted-transaction$|unused-ignore$")

_NAME = r'((?:"(?:[^"]|"")+"|[\w$]+)(?:\s*\.\s*(?:"(?:[^"]|"")+"|[\w$]+))?)'
_TARGET = re.compile(
    rf"\s*(?:ALTER\s+(?:FOREIGN\s+)?TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{_NAME}"
    rf"|CREATE\s+(?:UNIQUE\s+)?INDEX\b.*?\sON\s+(?:ONLY\s+)?{_NAME})",
    re.IGNORECASE | re.DOTALL,
)
_RENAMED = re.compile(rf"\s*ALTER\s+(?:FOREIGN\s+)?TABLE\b.*?\sRENAME\s+TO\s+{_NAME}", re.IGNORECASE | re.DOTALL)
_PART = re.compile(r'"((?:[^"]|"")+)"|([\w$]+)')


@dataclasses.dataclass(frozen=True)
class Answer:
    """One claim, held against the timeline. `object`: the table that was measured, or empty."""

    rule: str
    revision: str
    sql: str
    claim: str
    answer: str
    measured: str
    object: str
    matters: bool


@dataclasses.dataclass(frozen=True)
class _Case:
    """One execution of a statement, and what it did to one table that was there before."""

    event: Event
    table: str
    hold: Optional[Hold]
    known: Sizes
    budgets: Budgets
    # The table and its indexes, as far as they were locked.
    relations: FrozenSet[str]

    @property
    def large(self) -> bool:
        return not self.known.is_small(self.table, self.budgets)

    @property
    def ms(self) -> float:
        return float(self.event["t1"]) - float(self.event["t0"])

    @property
    def waiting(self) -> Text:
        """`reads and writes of shifts (120 rows) waited for 2 ms`, or that nothing did."""
        if self.hold is None:
            return text("nothing that reads or writes {table} had to wait", table=self.table)
        values = {"table": self.table, "size": self.known.text(self.table), "ms": self.hold.ms}
        if READS in timeline.blocks(self.hold.mode):
            return text("reads and writes of {table} ({size}) had to wait for {ms:duration}", **values)
        return text("writes of {table} ({size}) had to wait for {ms:duration}", **values)

    @property
    def over_budget(self) -> bool:
        allowed = {READS: self.budgets.blocked_reads_ms, WRITES: self.budgets.blocked_writes_ms}
        return self.hold is not None and any(self.hold.ms > allowed[what] for what in allowed if what in timeline.blocks(self.hold.mode))


Found = Tuple[str, str, bool]


def _lock(case: _Case) -> Found:
    """The claim is that traffic waits."""
    return (REFUTED if case.hold is None else CONFIRMED), case.waiting, case.large or case.over_budget


def _read(case: _Case) -> Found:
    """The claim is that all rows are read while traffic waits; rows that an index gave in their order are not counted, the time is."""
    rows = sum(scan["rows"] for scan in case.event.get("scans") or () if scan["relation"] == case.table)
    if case.hold is None or not (rows or _rewritten(case) or case.over_budget):
        return REFUTED, text("no row of {table} was read for it; {waiting}", table=case.table, waiting=case.waiting), False
    read = (
        text("{rows:count row|rows} of {table} {rows:plural was|were} read in {ms:duration}", rows=rows, table=case.table, ms=case.ms)
        if rows
        else text("the statement took {ms:duration}", ms=case.ms)
    )
    return CONFIRMED, text("{parts:semicolons}", parts=[read, case.waiting]), case.large or case.over_budget


def _written(case: _Case) -> Found:
    """The claim is that the table is written anew."""
    reasons = _rewritten(case)
    if not reasons:
        return REFUTED, text("{table} kept its file: nothing was written anew; {waiting}", table=case.table, waiting=case.waiting), False
    said = text("{relations:list} was written anew in {ms:duration}; {waiting}", relations=reasons, ms=case.ms, waiting=case.waiting)
    return CONFIRMED, said, case.large or case.over_budget


def _rewritten(case: _Case) -> List[str]:
    """The table, or those of its indexes, that got a new file."""
    return [rewrite["relation"] for rewrite in case.event.get("rewrites") or () if rewrite["relation"] in case.relations]


def _lock_timeout(case: _Case) -> Found:
    value = str(case.event.get("lock_timeout"))
    if case.hold is None:
        return REFUTED, case.waiting, False
    if "lock_timeout" not in case.event:
        return UNKNOWN, _NOT_READ, False
    return (CONFIRMED if value == "0" else REFUTED), text("{setting} was {value}", setting="lock_timeout", value=value), value == "0" and case.large


def _statement_timeout(case: _Case) -> Found:
    value = str(case.event.get("statement_timeout"))
    if "statement_timeout" not in case.event:
        return UNKNOWN, _NOT_READ, False
    # A migration that is long on purpose would be ended by it, so that is for people to decide.
    return (CONFIRMED if value == "0" else REFUTED), text("{setting} was {value}", setting="statement_timeout", value=value), False


def _outside_transaction(case: _Case) -> Found:
    return REFUTED, _OUTSIDE, False


_NOT_READ = text("the setting was not read for this statement")
_OUTSIDE = text("it ran outside a transaction")


_RULES: Dict[str, Callable[[_Case], Found]] = {
    "require-concurrent-index-creation": _lock,
    "require-concurrent-index-deletion": _lock,
    "require-concurrent-reindex": _lock,
    "require-concurrent-partition-detach": _lock,
    "constraint-missing-not-valid": _read,
    "adding-foreign-key-constraint": _read,
    "adding-not-nullable-field": _read,
    "adding-serial-primary-key-field": _read,
    "disallowed-unique-constraint": _read,
    "changing-column-type": _written,
    "adding-field-with-default": _written,
    "require-lock-timeout": _lock_timeout,
    "require-statement-timeout": _statement_timeout,
    "ban-concurrent-index-creation-in-transaction": _outside_transaction,
}
# What the clients make of it shows in no rehearsal.
_CLIENTS = text("what clients make of it is not seen by a rehearsal")


def answers(squawk: Mapping[str, Any], events: Sequence[Event], known: Sizes, budgets: Budgets, before: Collection[str]) -> List[Answer]:
    """Every claim that is not left out, with its answer. `before`: the tables that were there before the upgrade."""
    held = timeline.holds(events)
    renamed = _renamed(events)
    unmeasured_from = min((float(event["t"]) for event in events if event["event"] == "measuring_failed"), default=float("inf"))
    found: List[Answer] = []
    for claim in squawk.get("claims") or ():
        if _LEFT_OUT.match(claim["rule"]):
            continue
        rule = _RULES.get(claim["rule"])
        if rule is None:
            said: List[Tuple[str, str, bool, str]] = [(UNKNOWN, _CLIENTS, False, "")]
        else:
            said = [
                one
                for event in events
                if event["event"] == "statement" and (event.get("revision"), event.get("sql")) == (claim["revision"], claim["sql"])
                for one in _of_event(rule, event, held, known, budgets, before, renamed, unmeasured_from)
            ]
        answer, measured, matters, table = max(said, key=_weight, default=(UNKNOWN, text("the statement is not in the timeline"), False, ""))
        matters = matters and answer == CONFIRMED
        found.append(Answer(claim["rule"], claim["revision"], claim["sql"], claim["message"], answer, measured, table, matters))
    return found


def _weight(one: Tuple[str, str, bool, str]) -> Tuple[bool, bool, bool]:
    """Of several tables, or of several times that a statement ran, the worst counts."""
    return one[0] == CONFIRMED and one[2], one[0] == CONFIRMED, one[0] == UNKNOWN


def _of_event(
    rule: Callable[[_Case], Found],
    event: Event,
    held: Sequence[Hold],
    known: Sizes,
    budgets: Budgets,
    before: Collection[str],
    renamed: FrozenSet[str],
    unmeasured_from: float,
) -> Iterator[Tuple[str, str, bool, str]]:
    if rule is _outside_transaction:
        outside = bool(event.get("autocommit"))
        yield (REFUTED, _OUTSIDE, False, "") if outside else (UNKNOWN, text("whether it ran in one was not seen"), False, "")
        return
    if event["t"] >= unmeasured_from or not ("wal" in event or event.get("sampled")):
        yield UNKNOWN, text("this statement was not measured by itself"), False, ""
        return
    named = _target(event["sql"], before)
    tables: Dict[str, None] = {} if named is None else {named: None}
    # Tables that it locked or read count whatever its text says; the lock on the named one may be an earlier statement's.
    tables.update({lock["table"]: None for lock in event.get("locks") or () if WRITES in timeline.blocks(lock["mode"])})
    tables.update(dict.fromkeys(scan["relation"] for scan in event.get("scans") or ()))
    if not tables and _written_name(event["sql"]) in renamed:
        yield UNKNOWN, text("its table was renamed within the upgrade"), False, ""
        return
    if not tables:
        yield REFUTED, text("no table that was there before the upgrade had to wait for it"), False, ""
    for table in tables:
        relations = frozenset({table, *(hold.relation for hold in held if hold.table == table)})
        answer, measured, matters = rule(_Case(event, table, holding(held, event, table), known, budgets, relations))
        yield answer, measured, matters, table


def _renamed(events: Sequence[Event]) -> FrozenSet[str]:
    found: Set[str] = set()
    for event in events:
        match = _RENAMED.match(event.get("sql") or "") if event["event"] == "statement" else None
        if match:
            # A table keeps its schema when it is renamed: the bare name is compared.
            found.add(_parts(match[1])[-1])
    return frozenset(found)


def _written_name(sql: str) -> Optional[str]:
    match = _TARGET.match(sql)
    return _parts(match[1] or match[2])[-1] if match else None


def _target(sql: str, before: Collection[str]) -> Optional[str]:
    """The table that a statement names, if it was there before; a bare name may be found in any schema, if only in one."""
    match = _TARGET.match(sql)
    if match is None:
        return None
    parts = _parts(match[1] or match[2])
    name = object_name(parts[0], parts[1]) if len(parts) == 2 else object_name("public", parts[0])
    if name in before or len(parts) == 2:
        return name if name in before else None
    elsewhere = [table for table in before if table.endswith(f".{name}")]
    return elsewhere[0] if len(elsewhere) == 1 else None


def _parts(name: str) -> List[str]:
    return [quoted.replace('""', '"') if quoted else bare.lower() for quoted, bare in _PART.findall(name)]


def findings(found: Sequence[Answer]) -> Iterator[Said]:
    """One for each rule and table that was confirmed and matters; the rest stands in the record."""
    told: Dict[Tuple[str, str], List[Answer]] = {}
    for answer in found:
        if answer.matters:
            told.setdefault((answer.rule, answer.object), []).append(answer)
    for (rule, table), group in told.items():
        first = group[0]
        values = {"rule": rule, "measured": first.measured, "revision": first.revision, "sql": shorten(first.sql)}
        message = text("{rule}: {measured}: revision {revision}, «{sql}»", **values)
        if len(group) > 1:
            message = text("{message} (and {more} more like it)", message=message, more=len(group) - 1)
        yield "squawk-confirmed", table, message, None


def record_of(squawk: Optional[Mapping[str, Any]], found: Sequence[Answer]) -> Dict[str, Any]:
    """For the record: whether it ran, and every claim with its answer."""
    if squawk is None:
        return {
            "status": UNKNOWN,
            "reason": text("the evidence holds no answer of squawk"),
            "version": None,
            "statements": 0,
            "not_read": 0,
            "claims": [],
        }
    return {
        **{key: squawk[key] for key in ("status", "reason", "version", "statements")},
        "not_read": len(squawk["not_read"]),
        "claims": [dataclasses.asdict(answer) for answer in found],
    }
