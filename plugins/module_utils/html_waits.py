# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the HTML report that tells which tables keep traffic waiting: for how long, and because of whom."""

from __future__ import annotations

from typing import Any, List, Mapping

from ansible_collections.migrations.rehearsal.plugins.module_utils import report_figures
from ansible_collections.migrations.rehearsal.plugins.module_utils.html_elements import Html, join, tag
from ansible_collections.migrations.rehearsal.plugins.module_utils.html_tables import Column, Row, duration, short_list, table
from ansible_collections.migrations.rehearsal.plugins.module_utils.report_figures import Record
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import Speaker


def waits(record: Record, say: Speaker) -> Html:
    """A row for each table and what waits for it; of its longest window the statements that took the lock and kept it."""
    run = record["timelines"].get("upgrade")
    if not run or not report_figures.waiting_rows(record):
        return Html("")
    other = say("in one transaction") if run["mode"] == "transaction_per_migration" else say("with transaction_per_migration")
    columns = [
        Column(say("table")), Column(say("what waits")), Column(say("at a stretch"), numeric=True), Column(say("in all"), numeric=True),
        Column(say("{mode} (computed)", mode=other), numeric=True), Column(say("locked by")), Column(say("kept by")),
    ]  # fmt: skip
    rows: List[Row] = [
        (
            tag("code", name), say.word(what), *(duration(entry[key], say) for key in ("longest_ms", "total_ms", "other_mode_ms")),
            _who(entry, "took", say), _who(entry, "kept", say),
        )
        for name, what, entry in report_figures.waiting_rows(record)
    ]  # fmt: skip
    said = report_figures.waiting(record, say)
    left = tag("p", say("{count:count more table|more tables} in the evidence", count=run["tables_left_out"])) if run["tables_left_out"] else None
    return join(tag("p", said), table(say("Who waits during the upgrade"), columns, rows, say), left)


def _who(entry: Mapping[str, Any], part: str, say: Speaker) -> Html:
    """Every revision that took or kept the lock, and the statements of the longest window, each with its part of it where it is known."""
    statements = [
        tag("div", tag("code", one["sql"], class_="sql"), tag("span", " " + say.duration(one["ms"]), class_="faint") if "ms" in one else None)
        for one in report_figures.longest_owners(entry)[part]
    ]
    folded = tag("details", tag("summary", say("{count:count statement|statements}", count=len(statements))), *statements) if statements else None
    return join(short_list(entry[part], say), folded)
