# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Russian catalog: English template → Russian template, by where it is said."""

from __future__ import annotations

from typing import Dict

from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    words_ru_application,
    words_ru_changes,
    words_ru_findings,
    words_ru_hosts,
    words_ru_meanings,
    words_ru_messages,
    words_ru_preflight,
    words_ru_reports,
)

CATALOG: Dict[str, str] = {
    **words_ru_reports.FIXED,
    **words_ru_reports.TEXTS,
    **words_ru_messages.TEXTS,
    **words_ru_changes.FIXED,
    **words_ru_changes.TEXTS,
    **words_ru_findings.TEXTS,
    **words_ru_meanings.TEXTS,
}
# What other processes say in English: see `words_heard.py`.
HEARD: Dict[str, str] = {**words_ru_hosts.TEXTS, **words_ru_preflight.TEXTS, **words_ru_application.TEXTS}
