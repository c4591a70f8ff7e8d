# SPDX-License-Identifier: GPL-3.0-or-later
"""The exit codes of `rehearse`, and how verdicts become one."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.migrations.rehearsal.plugins.module_utils import verdict

GO = 0
NO_GO = 1
USAGE = 2
INCOMPLETE = 3

_OF_VERDICT = {verdict.GO: GO, verdict.GO_WITH_WARNINGS: GO, verdict.NO_GO: NO_GO, verdict.INCOMPLETE: INCOMPLETE}


def of_verdicts(verdicts: Iterable[str]) -> int:
    """One code for many databases: a NO-GO first, then what could not be carried out. No verdict at all is that too."""
    codes = {_OF_VERDICT[one] for one in verdicts}
    if not codes:
        return INCOMPLETE
    return NO_GO if NO_GO in codes else INCOMPLETE if INCOMPLETE in codes else GO
