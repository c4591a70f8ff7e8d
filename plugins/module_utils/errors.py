# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error that a person at night is meant to read: every error of the domain is one."""

from __future__ import annotations

from typing import Any, Dict, List


class RehearsalError(Exception):
    """What failed, on which host and database, what to do. `code` is the finding that it becomes."""

    code = "stage-failed"

    def findings(self) -> List[Dict[str, Any]]:
        """What the stage hands to the judge."""
        return [{"code": self.code, "object": "", "message": str(self)}]


class EphemeralError(RehearsalError):
    """The copy's own server could not be made, started or stopped."""
