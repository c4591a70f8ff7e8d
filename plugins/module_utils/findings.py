# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the judge finds, and the codes that it can have: all of them, from two tables, in the order in which they are listed."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Mapping, Optional

from ansible_collections.migrations.rehearsal.plugins.module_utils import codes_of_results, codes_of_runs
from ansible_collections.migrations.rehearsal.plugins.module_utils.finding_code import BLOCKER, INFO, SEVERITIES, WARNING, Code

__all__ = ("BLOCKER", "CODES", "Code", "Finding", "INFO", "SEVERITIES", "WARNING", "markdown", "rank")

_OPTIONAL = frozenset(["accepted", "revision", "file", "line"])


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something the judge says about the evidence. `message`: what was measured and what was allowed; `advice`: what to do."""

    code: str
    severity: str
    stage: str
    object: str
    message: str
    advice: str
    # {reason, until, severity: what it would be, expired}, where the policy has an entry for it.
    accepted: Optional[Mapping[str, Any]] = None
    # Where it comes from, as far as that is known: `file` as the application's working directory has it, `line` where the statement stands.
    revision: Optional[str] = None
    file: Optional[str] = None
    line: Optional[int] = None

    def to_json(self) -> Dict[str, Any]:
        """As it stands in the record: what is not known, or not said, is not there."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value for name, value in fields.items() if name not in _OPTIONAL or value}


# Of one severity, what a reader must know first: what stopped the migrations or the rehearsal, then what happens to data, to keys, to what was asked
# for, to the way back. Codes that are not named here come after these, in the order of the tables; what was not measured comes last.
_FEARED = (
    "interrupted", "preflight", "fence", "revision-unknown", "multiple-heads", "application-failed", "hook-failed", "migration-failed",
    "stage-failed", "smoke-test-failed", "data-changed", "data-lost", "rows-changed", "data-not-compared", "orphans",
    "sequence-behind", "constraint-not-enforced", "fk-set-null-not-null", "index-invalid", "copy-differs", "revision-not-reached",
    "expectation-not-met", "downgrade-failed", "downgrade-noop", "downgrade-loses-data", "downgrade-leaves-trace", "again-failed",
    "again-differs-data", "again-differs", "left-behind",
)  # fmt: skip
_LEAST = ("acceptance-unused", "not-measured")

CODES: Dict[str, Code] = {**codes_of_runs.CODES, **codes_of_results.CODES}

_PLACES = {code: place for place, code in enumerate([*_FEARED, *(code for code in CODES if code not in _FEARED + _LEAST), *_LEAST])}


def rank(code: str) -> int:
    """The place of a code among findings of one severity."""
    return _PLACES[code]


def markdown() -> str:
    """docs/findings.md: one paragraph a code, in the order of the tables."""
    lines = [
        "# Findings",
        "",
        "<!-- Made by `rehearse findings --markdown > docs/findings.md` from the tables in plugins/module_utils/codes_of_*.py. -->",
        "",
        "Everything that the judge can say. Codes are stable. A [policy](policy.md) may give each another severity, down to the lowest that is",
        "named here (info, where none is), and accept single findings until a day.",
        "",
        "| code | severity | what |",
        "| --- | --- | --- |",
        *(f"| [`{code}`](#{code}) | {known.severity} | {known.title} |" for code, known in CODES.items()),
    ]
    for code, known in CODES.items():
        limits = []
        if known.rehearsal_failed:
            limits.append("makes the verdict INCOMPLETE, not NO-GO")
        if known.lowest == BLOCKER:
            limits.append("a blocker in any case")
        elif known.lowest != INFO:
            limits.append(f"at least a {known.lowest}")
        said = f" ({', '.join(limits)})" if limits else ""
        lines += ["", f"## {code}", "", f"**{known.title}.** {known.severity.capitalize()}{said}. {known.meaning}", "", f"What to do: {known.advice}"]
    return "\n".join(lines) + "\n"
