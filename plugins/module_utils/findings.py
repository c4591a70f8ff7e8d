# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The codes that a finding can have: what each means, how severe it is unless a policy says otherwise. The only list of them."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Mapping, Optional, Tuple

BLOCKER, WARNING, INFO = "blocker", "warning", "info"
SEVERITIES: Tuple[str, ...] = (BLOCKER, WARNING, INFO)


_OPTIONAL = frozenset(["accepted", "revision", "file", "line"])


@dataclasses.dataclass(frozen=True)
class Code:
    """`rehearsal_failed`: it says that the rehearsal could not be carried out, not that the migrations are bad.

    `lowest`: what a policy can make of it at the least, and what it counts as when it is accepted. Where checks could not run because of it,
    that is not info: a GO means that it was measured.
    """

    severity: str
    title: str
    meaning: str
    advice: str
    rehearsal_failed: bool = False
    lowest: str = INFO


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something the judge says about the evidence. `message`: what was measured and what was allowed; `advice`: what to do."""

    code: str
    severity: str
    stage: str
    object: str
    message: str
    advice: str
    # {reason, until, severity: what it would be, expired}, where the policy has an entry for it.
    accepted: Optional[Mapping[str, Any]] = None
    # Where it comes from, as far as that is known: `file` as the application's working directory has it, `line` where the statement stands.
    revision: Optional[str] = None
    file: Optional[str] = None
    line: Optional[int] = None

    def to_json(self) -> Dict[str, Any]:
        """As it stands in the record: what is not known, or not said, is not there."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value for name, value in fields.items() if name not in _OPTIONAL or value}


# Of one severity, what a reader must know first: what stopped the migrations or the rehearsal, then what happens to data, to keys, to what was asked
# for, to the way back. Codes that are not named here come after these, in the order of the table; what was not measured comes last.
_FEARED = (
    "interrupted", "preflight", "fence", "revision-unknown", "multiple-heads", "application-failed", "hook-failed", "migration-failed",
    "stage-failed", "smoke-test-failed", "data-changed", "data-lost", "rows-changed", "data-not-compared", "orphans",
    "sequence-behind", "constraint-not-enforced", "fk-set-null-not-null", "index-invalid", "copy-differs", "revision-not-reached",
    "expectation-not-met", "downgrade-failed", "downgrade-noop", "downgrade-loses-data", "downgrade-leaves-trace", "again-failed",
    "again-differs-data", "again-differs", "left-behind",
)  # fmt: skip
_LEAST = ("acceptance-unused", "not-measured")

CODES: Dict[str, Code] = {
    "preflight": Code(
        BLOCKER,
        "The rehearsal cannot start",
        "Something that the rehearsal needs is missing or wrong. It was found before anything was touched.",
        "Put it right and run again; nothing has to be cleaned up.",
        rehearsal_failed=True,
        lowest=BLOCKER,
    ),
    "stage-failed": Code(
        BLOCKER,
        "A stage of the rehearsal failed",
        "The rehearsal itself, not a migration, could not be carried out as far as the end.",
        "See the message; the stages after it were not carried out.",
        rehearsal_failed=True,
        lowest=BLOCKER,
    ),
    "hook-failed": Code(
        BLOCKER,
        "Tasks that the inventory adds failed",
        "A task of rehearsal_after_restore_tasks or rehearsal_before_upgrade_tasks failed, so that the upgrade was not tried.",
        "See the task's own message in Ansible's output; it is not repeated in reports, because it may hold what is in the rows.",
        rehearsal_failed=True,
        lowest=BLOCKER,
    ),
    "smoke-test-failed": Code(
        BLOCKER,
        "A smoke test on the migrated copy failed",
        "A task of rehearsal_after_upgrade_tasks failed on the migrated copy. The way back was not tried any more.",
        "See the task's own message in Ansible's output; it is not repeated in reports, because it may hold what is in the rows.",
        lowest=BLOCKER,
    ),
    "interrupted": Code(
        BLOCKER,
        "The rehearsal was interrupted",
        "The controller ended (Ctrl-C, a signal, a lost terminal) before the last stage.",
        "Run it again.",
        rehearsal_failed=True,
        lowest=BLOCKER,
    ),
    "not-measured": Code(
        BLOCKER,
        "Something was not measured",
        "A check could not run because its evidence is missing. Nothing is assumed in its place.",
        "See which stage failed before it.",
        rehearsal_failed=True,
        lowest=BLOCKER,
    ),
    "left-behind": Code(
        BLOCKER,
        "Something may be left behind",
        "Clean-up could not remove the copy, the dump or the work files, or could not prove that they are gone.",
        "Run the sweep playbook when the host can be reached again.",
        rehearsal_failed=True,
        lowest=BLOCKER,
    ),
    "copy-differs": Code(
        BLOCKER,
        "The copy is not what production was",
        "A fact of the restored copy differs from the manifest that was taken in the dump's own snapshot.",
        "Do not trust a rehearsal on it. Make dev equal (extension versions, collation, settings) and run again.",
        lowest=BLOCKER,
    ),
    "copy-not-proved": Code(
        WARNING,
        "The copy was not held against production",
        "The copy was made from an existing backup: how old that is, and whether production looks like it, was not measured.",
        "Rehearse from production itself before the deployment, or take a backup of today.",
        lowest=WARNING,
    ),
    "dump-chosen": Code(
        INFO,
        "A dump was taken where a physical copy was wanted",
        "rehearsal_source is auto, and something stands in the way of a physical copy. A dump shows neither bloat nor the physical order of rows.",
        "Give what is missing, or set rehearsal_source to dump.",
    ),
    "parity": Code(
        WARNING,
        "Dev differs from production",
        "The copy's surroundings differ from production's, so that times, plans or rights may differ too.",
        "Give dev what production has, or weigh the verdict accordingly.",
    ),
    "fence": Code(
        BLOCKER,
        "Alembic went for another database",
        "A connection that the application opened was not the copy. It was stopped before its first statement.",
        "Make the application take its address from what the inventory declares (rehearsal_application.environment, options or x).",
        lowest=BLOCKER,
    ),
    "revision-unknown": Code(
        BLOCKER,
        "The project does not know production's revision",
        "Production stands on a revision that is not in the application's version directory.",
        "Rehearse from a checkout that contains the revision that production runs.",
        lowest=BLOCKER,
    ),
    "multiple-heads": Code(
        BLOCKER,
        "The project has several heads",
        "«alembic upgrade head» cannot choose between them.",
        "Merge them with «alembic merge», or set rehearsal_target: to heads for all of them, to label@head for one.",
        lowest=BLOCKER,
    ),
    "nothing-pending": Code(
        INFO,
        "Nothing is pending",
        "Production already stands on the revision that the application ends in.",
        "There is nothing to deploy.",
    ),
    "application-failed": Code(
        BLOCKER,
        "The application does not answer",
        "The application's Python, its env.py or its settings ended with an error before any revision ran.",
        "Run «alembic current» in the application's own environment and mend what it says.",
        rehearsal_failed=True,
        lowest=BLOCKER,
    ),
    "migration-failed": Code(
        BLOCKER,
        "A migration does not apply",
        "A pending revision ended with an error on production's own data.",
        "Look for conflicts with existing tables, columns and rows, mend the revision, and rehearse again.",
        lowest=BLOCKER,
    ),
    "downgrade-failed": Code(
        BLOCKER,
        "The way back fails",
        "A revision's downgrade ended with an error.",
        "Mend the downgrade, or plan to restore the backup instead and say so in the policy.",
        lowest=WARNING,
    ),
    "again-failed": Code(
        BLOCKER,
        "The second upgrade fails",
        "After the way back, the same revisions do not apply a second time.",
        "The downgrade leaves something behind, or the upgrade depends on something that only existed once.",
        lowest=WARNING,
    ),
    "revision-not-reached": Code(
        BLOCKER,
        "The expected revision was not reached",
        "After the migration the copy stands on another revision than the one that was expected.",
        "Check the expected revision and the project's heads.",
    ),
    "expectation-not-met": Code(
        BLOCKER,
        "An expectation is not met",
        "The expectations file says that something must be true, and it was measured not to be.",
        "Mend the migration, or the expectation.",
    ),
    "rows-changed": Code(
        BLOCKER,
        "A table's number of rows changed",
        "The upgrade added or removed rows that the expectations do not declare.",
        "If it is intended, declare it under «changes»; if not, do not deploy.",
    ),
    "data-changed": Code(
        BLOCKER,
        "Existing values changed unexpectedly",
        "A column that existed before holds other values after the upgrade, and no declared change explains them.",
        "If it is intended, declare it under «changes»; if not, do not deploy: find the cause, mend the migration, rehearse from zero.",
    ),
    "data-lost": Code(
        BLOCKER,
        "Data is dropped",
        "The upgrade drops a table or a column that holds values, and the expectations do not declare it.",
        "If it is intended, declare it under «changes» with «dropped: true».",
    ),
    "data-not-compared": Code(
        BLOCKER,
        "Values could not be compared",
        "The values before and after could not be compared, so nothing is known of them.",
        "Declare the change with an expression under «changes», so that it can be proved.",
    ),
    "values-not-compared": Code(
        WARNING,
        "Values were counted, not compared",
        "With rehearsal_data_proof: counts only rows and non-null values are counted. What the upgrade did to the values themselves is not known.",
        "Set rehearsal_data_proof to changed (which costs little) or full, and rehearse again before the deployment.",
        lowest=WARNING,
    ),
    "orphans": Code(
        BLOCKER,
        "Rows stand behind no parent",
        "A foreign key has rows whose referenced row does not exist.",
        "Clean the rows in the migration before the constraint is relied on.",
    ),
    "sequence-behind": Code(
        BLOCKER,
        "A sequence is behind its column",
        "Rows were written with keys of their own, and the sequence that gives the next keys was not moved on: the next INSERT fails, or repeats "
        "a number. Or a sequence that belongs to no column was set back.",
        "Call setval() with the column's maximum in the revision that writes the rows.",
    ),
    "key-near-limit": Code(
        WARNING,
        "A key is near the end of its type",
        "An integer key or a sequence has used half of its range or more. At its end every INSERT fails.",
        "Make the column and its sequence bigint while the table is still small enough to be rewritten.",
    ),
    "downgrade-leaves-trace": Code(
        BLOCKER,
        "The way back leaves a trace",
        "After the downgrade the schema differs from the one before the upgrade.",
        "Make the downgrade undo exactly what the upgrade does.",
    ),
    "downgrade-noop": Code(
        BLOCKER,
        "The way back changes nothing",
        "The downgrades ran without an error, and the schema is exactly what the upgrade had made of it.",
        "Write the downgrades, or let them raise an error: one that says done and does nothing is found out in the worst night.",
    ),
    "way-back-not-compared": Code(
        WARNING,
        "The whole way back was not compared",
        "The expectations file has the downgrade end elsewhere than at production's revision, so neither schema nor data could be held against "
        "what they were before the upgrade.",
        "Take downgrade_to out of the expectations file, and rehearse the way back to production's revision.",
        lowest=WARNING,
    ),
    "downgrade-loses-data": Code(
        WARNING,
        "The way back loses data",
        "After the downgrade, values that existed before the upgrade are not what they were.",
        "Know the price before the night of the deploy: restoring the backup may be the better way back.",
    ),
    "again-differs": Code(
        BLOCKER,
        "The second upgrade gives another result",
        "The schema after the second upgrade differs from the one after the first.",
        "The migration depends on what was there before; mend it.",
    ),
    "lock-blocks-reads": Code(
        WARNING,
        "Reads are blocked longer than the budget",
        "A lock kept every SELECT on a table waiting for longer than the policy allows at a stretch, from the statement that took it to the end of "
        "its transaction. Measured on the copy, without other sessions; in production the time that the lock is waited for comes on top.",
        "End the transaction sooner (transaction_per_migration), move long work (backfills, index builds) out of the transaction that holds the "
        "lock, or plan a downtime.",
    ),
    "lock-blocks-writes": Code(
        WARNING,
        "Writes are blocked longer than the budget",
        "A lock kept every INSERT, UPDATE and DELETE on a table waiting for longer than the policy allows at a stretch. Where the same lock blocks "
        "reads as long, the finding about reads says both.",
        "End the transaction sooner (transaction_per_migration), build indexes CONCURRENTLY, add foreign keys NOT VALID and validate them later, "
        "or plan a downtime.",
    ),
    "table-rewrite": Code(
        WARNING,
        "A large table is written anew",
        "A statement wrote the whole of a table into a new file: under an exclusive lock, with room for a second copy on disk, and all of it as "
        "WAL for the replicas. TRUNCATE, REINDEX and REFRESH are not counted.",
        "Add a new column, fill it in batches and switch over; or give the new type where PostgreSQL needs no rewrite (a longer "
        "varchar, varchar to text).",
    ),
    "scan-under-lock": Code(
        WARNING,
        "A large table is read in full while its traffic waits",
        "A statement other than INSERT, UPDATE, DELETE and SELECT read every row of a table while its transaction held a lock that blocks reads or "
        "writes: SET NOT NULL, a CHECK or foreign key that is validated at once, a new UNIQUE or PRIMARY KEY.",
        "Add the constraint NOT VALID and VALIDATE it in a later transaction (SET NOT NULL then needs no scan); build a unique "
        "index CONCURRENTLY and make the constraint of it.",
    ),
    "index-not-concurrent": Code(
        WARNING,
        "An index build blocked writes",
        "CREATE INDEX without CONCURRENTLY blocked every write on a large table for longer than the policy allows.",
        "Use postgresql_concurrently=True within op.get_context().autocommit_block().",
    ),
    "no-lock-timeout": Code(
        WARNING,
        "Locks are waited for without an end",
        "A statement that needs a strong lock on a large table runs without lock_timeout. While it waits behind one long query, everything else "
        "that wants the table waits behind it.",
        "Set lock_timeout (a few seconds) for the migrations, in env.py or for their role, and try again when it strikes.",
    ),
    "one-transaction-holds-all": Code(
        WARNING,
        "One transaction holds every lock to its end",
        "All revisions run in one transaction, so that what the first one locks stays locked until the last one is done. The figure for "
        "transaction_per_migration is computed from the same timeline.",
        "Set transaction_per_migration=True in context.configure() of env.py; a failure then leaves the revisions before it applied.",
    ),
    "squawk-confirmed": Code(
        INFO,
        "A warning of squawk is confirmed",
        "The linter squawk, where the controller has it, warns of a statement that the upgrade executed, and the timeline shows that it is true and "
        "that it matters: the table is not small, or the lock was held for longer than its budget. What was refuted, what was confirmed of a small "
        "table, and what a rehearsal cannot measure stands in the record and the report only.",
        "See squawk's page of that rule for the way round it. Findings of the rehearsal's own say the same in figures, and weigh more.",
    ),
    "squawk-failed": Code(
        INFO,
        "squawk was there and gave no answer",
        "The linter could not be run, or its answer could not be read. Where it is not installed there is no finding: the record says so.",
        "Install squawk-cli 2 or newer on the controller, or set rehearsal_squawk to never.",
    ),
    "untracked-sql": Code(
        WARNING,
        "Something was done that no statement accounts for",
        "Locks, rewrites or scans appeared between two statements that were seen: a function, a driver's own cursor or another way round SQLAlchemy.",
        "Read the revision; weigh that its times and locks are known only in part.",
    ),
    "timeline-incomplete": Code(
        WARNING,
        "Locks were not measured to the end",
        "The agent could not go on measuring. The migrations ran; what they lock and rewrite from there on is not known.",
        "See the message. Schema and data were proved all the same; weigh the times accordingly.",
        lowest=WARNING,
    ),
    "fence-open": Code(
        INFO,
        "Ways that the fence does not close",
        "The fence checks every connection that is opened in the application's own process. What these ways reach is not seen.",
        "Nothing, where the application does not use them.",
    ),
    "program-started": Code(
        WARNING,
        "A migration started a program",
        "A program that is started is a process of its own, which the fence does not reach. Where the application starts one outside its revisions "
        "(many libraries ask ldconfig or git), it is info.",
        "Make sure that it cannot reach another database than the copy.",
    ),
    "acceptance-unused": Code(
        INFO,
        "The policy accepts what was not found",
        "An entry under «accepted» names a finding that this rehearsal does not have.",
        "Take the entry out of the policy, or correct its object.",
    ),
    "fk-set-null-not-null": Code(
        WARNING,
        "SET NULL on a NOT NULL column",
        "A foreign key sets a column to NULL that must not be NULL: deleting the referenced row will fail.",
        "Make the column nullable, or choose RESTRICT or CASCADE.",
    ),
    "fk-type-mismatch": Code(
        WARNING,
        "A foreign key's types differ",
        "The column has another type than the one that it refers to.",
        "Give both the same type.",
    ),
    "index-invalid": Code(
        BLOCKER,
        "An invalid index was left behind",
        "An index is not valid: it costs writes and serves no query.",
        "Drop it and build it again.",
    ),
    "constraint-not-valid": Code(
        WARNING,
        "A constraint was left NOT VALID",
        "Existing rows were not checked against it.",
        "Run ALTER TABLE … VALIDATE CONSTRAINT in a later revision.",
    ),
    "constraint-not-enforced": Code(
        BLOCKER,
        "A constraint is not enforced",
        "The triggers that keep a foreign key (or a deferrable constraint) are disabled, as DISABLE TRIGGER ALL leaves them: it stands in the "
        "catalog and refuses nothing.",
        "Run ALTER TABLE … ENABLE TRIGGER ALL in the revision that disabled them, on both tables of the foreign key.",
    ),
    "again-differs-data": Code(
        WARNING,
        "The second upgrade gives other data",
        "After the way back and a second upgrade, values differ from those after the first.",
        "A migration that writes the time or random values does this; anything else depends on what was there before.",
    ),
    "fk-without-index": Code(
        WARNING,
        "A foreign key has no supporting index",
        "Deleting or changing a referenced row scans the whole table. Info where that table is small (the policy's small_table_rows and "
        "small_table_mb).",
        "Add an index on the referencing columns.",
    ),
    "index-duplicate": Code(WARNING, "Two indexes are the same", "Two indexes cover the same columns in the same way.", "Drop one of them."),
    "index-redundant": Code(
        INFO, "An index is covered by another", "Another index begins with the same columns.", "Consider dropping the shorter one."
    ),
    "schema-drift": Code(
        WARNING,
        "Production is not what its own revision says",
        "The application's migrations, run from nothing up to production's revision, make another schema than production has. "
        "Where the upgrade touches "
        "what differs it is told one by one; all other differences are info. Grants, owners and settings are not compared.",
        "Find out who changed production by hand, and write the change as a revision; until then other databases are migrated to something else.",
    ),
    "drift-not-measured": Code(
        INFO,
        "Drift could not be measured",
        "Not every history can be run from an empty database: old revisions may need what was there before Alembic, or ran too "
        "long. The migrations were "
        "rehearsed on production's own schema all the same.",
        "Mend the history where that is worth it, or set rehearsal_check_drift to false.",
    ),
    "models-differ": Code(
        WARNING,
        "The models are not what the migrations make",
        "After the upgrade, Alembic's autogenerate (what «alembic check» runs) finds differences between the application's "
        "models and the copy. What only the "
        "copy has is info. The message names what autogenerate does not see.",
        "Write the missing revision, or correct the models; keep tables of others out with include_object in env.py.",
    ),
    "models-not-compared": Code(
        INFO,
        "The models were not compared",
        "The application's env.py names no models, the copy does not stand at the project's head, or autogenerate ended with an error.",
        "Set target_metadata in env.py, or rehearsal_check_models to false.",
    ),
    "stairway-failed": Code(
        BLOCKER,
        "A revision does not go up and down by itself",
        "One revision at a time, an upgrade or a downgrade ended with an error. The revisions after it were not tried.",
        "Mend that revision: it depends on others having run in the same transaction, or its downgrade on what came after it.",
        lowest=WARNING,
    ),
    "stairway-leaves-trace": Code(
        WARNING,
        "A revision's own way back leaves a trace",
        "The revision was applied and taken back by itself, and the schema was not what it had been. What the whole way back "
        "leaves is another finding.",
        "Make its downgrade undo exactly what its upgrade does.",
    ),
    "stairway-loses-data": Code(
        WARNING,
        "A revision's own way back loses data",
        "The revision was applied and taken back by itself, and existing values were not what they had been.",
        "Know which revision costs what before the night of the deploy.",
    ),
    "stairway-differs": Code(
        WARNING,
        "A revision gives another result the second time, or by itself",
        "Applied again after it was taken back, the revision made another schema; or one at a time the revisions end in another "
        "schema than all at once. Other "
        "data is info.",
        "The revision depends on what was there before; mend it.",
    ),
    "timestamp-without-time-zone": Code(
        INFO, "A timestamp without time zone", "Its meaning depends on who reads it.", "Use timestamp with time zone."
    ),
    "json-not-jsonb": Code(INFO, "json instead of jsonb", "json cannot be indexed or compared.", "Use jsonb."),
    "integer-primary-key": Code(INFO, "A small primary key", "A 32-bit key ends at 2,147,483,647.", "Use bigint for tables that grow."),
    "outside-world": Code(
        INFO,
        "Something on the copy could act on the outside world",
        "Triggers, event triggers, subscriptions, foreign servers or scheduled jobs are on the copy and may run during migrations. What is known to "
        "reach out is disabled before anything is migrated: triggers and event triggers whose function sends something (other than NOTIFY, which "
        "only listeners of the copy would hear), subscriptions, the jobs of "
        "pgAgent and pg_timetable; the user mappings of foreign servers are dropped. pg_cron stays out of the copy altogether. A warning where "
        "something could not be disabled.",
        "Disable them before the migrations if they reach other systems.",
    ),
}


_PLACES = {code: place for place, code in enumerate([*_FEARED, *(code for code in CODES if code not in _FEARED + _LEAST), *_LEAST])}


def rank(code: str) -> int:
    """The place of a code among findings of one severity."""
    return _PLACES[code]


def markdown() -> str:
    """docs/findings.md: one paragraph a code, in the order of the table above."""
    lines = [
        "# Findings",
        "",
        "<!-- Made by `rehearse findings --markdown > docs/findings.md` from the table in plugins/module_utils/findings.py. -->",
        "",
        "Everything that the judge can say. Codes are stable. A [policy](policy.md) may give each another severity, down to the lowest that is",
        "named here (info, where none is), and accept single findings until a day.",
        "",
        "| code | severity | what |",
        "| --- | --- | --- |",
        *(f"| [`{code}`](#{code}) | {known.severity} | {known.title} |" for code, known in CODES.items()),
    ]
    for code, known in CODES.items():
        limits = []
        if known.rehearsal_failed:
            limits.append("makes the verdict INCOMPLETE, not NO-GO")
        if known.lowest == BLOCKER:
            limits.append("a blocker in any case")
        elif known.lowest != INFO:
            limits.append(f"at least a {known.lowest}")
        said = f" ({', '.join(limits)})" if limits else ""
        lines += ["", f"## {code}", "", f"**{known.title}.** {known.severity.capitalize()}{said}. {known.meaning}", "", f"What to do: {known.advice}"]
    return "\n".join(lines) + "\n"
