# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How findings become a verdict. The only place that decides it."""

from __future__ import annotations

from typing import Sequence

from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import BLOCKER, CODES, WARNING, Finding

GO = "GO"
GO_WITH_WARNINGS = "GO with warnings"
NO_GO = "NO-GO"
INCOMPLETE = "INCOMPLETE"


def verdict(findings: Sequence[Finding]) -> str:
    """NO-GO where a measurement blocks; INCOMPLETE where the rehearsal itself could not be carried out; warnings lower a GO.

    A measured blocker outweighs an incomplete rehearsal: what is bad on the way stays bad, however far the rehearsal came.
    """
    blockers = [finding for finding in findings if finding.severity == BLOCKER]
    if any(not CODES[finding.code].rehearsal_failed for finding in blockers):
        return NO_GO
    if blockers:
        return INCOMPLETE
    if any(finding.severity == WARNING for finding in findings):
        return GO_WITH_WARNINGS
    return GO
