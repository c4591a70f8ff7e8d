# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a team makes of the findings: how severe each is, what it may cost, which ones it has accepted. The only place of the defaults.

The controller reads the user's file (plugin_utils/policy_file.py); everything here is pure and needs no YAML.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Dict, Mapping, Optional, Tuple


@dataclasses.dataclass(frozen=True)
class Budgets:
    """Thresholds of what was measured. Times are in milliseconds, sizes in MB of 1,000,000 bytes, indexes and TOAST included."""

    # One table's reads or writes may be blocked this long at a stretch: about what a user waits for a page without a doubt.
    blocked_reads_ms: int = 1000
    blocked_writes_ms: int = 1000
    # CREATE INDEX without CONCURRENTLY may block writes this long.
    index_build_ms: int = 200
    # A table below both of these is small: rewriting or reading it under lock is no matter.
    small_table_rows: int = 100000
    small_table_mb: int = 50


@dataclasses.dataclass(frozen=True)
class Accepted:
    """A finding that is known and borne. `until`: the last day (YYYY-MM-DD, UTC) on which that holds."""

    code: str
    object: str
    reason: str
    until: str

    def holds_on(self, day: str) -> bool:
        """`day` as YYYY-MM-DD."""
        return day <= self.until


@dataclasses.dataclass(frozen=True)
class Policy:
    """Everything one file says. `severities` replaces the defaults of the codes that it names."""

    severities: Mapping[str, str] = dataclasses.field(default_factory=dict)
    budgets: Budgets = dataclasses.field(default_factory=Budgets)
    accepted: Tuple[Accepted, ...] = ()

    def acceptance(self, code: str, thing: str) -> Optional[Accepted]:
        """The entry that names a finding; of several the one that holds longest."""
        found = [entry for entry in self.accepted if (entry.code, entry.object) == (code, thing)]
        return max(found, key=lambda entry: entry.until, default=None)

    def to_json(self) -> Dict[str, Any]:
        """Plain JSON data; `from_json` makes an equal object of it."""
        data: Dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Policy:
        """The inverse of `to_json`; an empty mapping is the default policy. Raises KeyError or TypeError for anything else."""
        if not data:
            return cls()
        return cls(dict(data["severities"]), Budgets(**data["budgets"]), tuple(Accepted(**entry) for entry in data["accepted"]))
