# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a code of findings says of itself: how severe it is, what it means, what to do."""

from __future__ import annotations

import dataclasses
from typing import Tuple

BLOCKER, WARNING, INFO = "blocker", "warning", "info"
SEVERITIES: Tuple[str, ...] = (BLOCKER, WARNING, INFO)


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
