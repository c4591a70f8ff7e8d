# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where findings are gathered, under one policy."""

from __future__ import annotations

from typing import Iterator, List, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import CODES, INFO, SEVERITIES, Finding
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Accepted, Policy


class Bench:
    """Gathers findings under one policy. `day` (YYYY-MM-DD) is that of the rehearsal: the judge knows no other clock."""

    def __init__(self, policy: Policy, day: str) -> None:
        self.policy = policy
        self._day = day
        self.findings: List[Finding] = []

    def severity(self, code: str) -> str:
        """Of a code under this policy. A policy from elsewhere than its file cannot go below a code's lowest either."""
        known = CODES[code]
        return min(self.policy.severities.get(code, known.severity), known.lowest, key=SEVERITIES.index)

    def say(self, code: str, stage: str, thing: str, message: str, severity: Optional[str] = None, advice: Optional[str] = None) -> None:
        """Add a finding. What was declared or is old stays info, whatever the policy says of its code; any other `severity` gives way to it.

        `advice` in the place of the code's own.
        """
        known = CODES[code]
        counted = severity if severity == INFO or (severity and code not in self.policy.severities) else self.severity(code)
        entry = self.policy.acceptance(code, thing)
        accepted = None
        if entry is not None and severity != INFO:
            expired = not entry.holds_on(self._day)
            accepted = {"reason": entry.reason, "until": entry.until, "severity": counted, "expired": expired}
            # Accepting never makes a finding heavier than it is.
            counted = counted if expired else max(counted, known.lowest, key=SEVERITIES.index)
        self.findings.append(Finding(code, counted, stage, thing, message, known.advice if advice is None else advice, accepted))

    def unused(self) -> Iterator[Accepted]:
        """Entries of the policy that name no finding."""
        found = {(finding.code, finding.object) for finding in self.findings}
        return (entry for entry in self.policy.accepted if (entry.code, entry.object) not in found)
