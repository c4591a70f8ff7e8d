# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The codes of what the runs keep waiting and nobody sees, of what they leave in the schema, and of what was asked for."""

from __future__ import annotations

from typing import Dict

from ansible_collections.migrations.rehearsal.plugins.module_utils.finding_code import BLOCKER, INFO, WARNING, Code

CODES: Dict[str, Code] = {
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
