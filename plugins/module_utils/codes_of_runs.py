# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The codes of what is found in the rehearsal itself, in the runs of the migrations, in the data, and on the way back."""

from __future__ import annotations

from typing import Dict

from ansible_collections.migrations.rehearsal.plugins.module_utils.finding_code import BLOCKER, INFO, WARNING, Code

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
}
