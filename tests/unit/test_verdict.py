"""Each combination of findings has its verdict."""

from __future__ import annotations

import itertools

from ansible_collections.migrations.rehearsal.plugins.module_utils import findings
from ansible_collections.migrations.rehearsal.plugins.module_utils.findings import BLOCKER, CODES, INFO, WARNING, Finding
from ansible_collections.migrations.rehearsal.plugins.module_utils.verdict import GO, GO_WITH_WARNINGS, INCOMPLETE, NO_GO, verdict


def test_every_combination_of_severities_has_its_verdict() -> None:
    kinds = {
        "measured": Finding("data-changed", BLOCKER, "", "", "", ""),
        "tool": Finding("stage-failed", BLOCKER, "", "", "", ""),
        "warning": Finding("parity", WARNING, "", "", "", ""),
        "info": Finding("nothing-pending", INFO, "", "", "", ""),
    }
    for size in range(len(kinds) + 1):
        for names in itertools.permutations(kinds, size):
            wanted = NO_GO if "measured" in names else INCOMPLETE if "tool" in names else GO_WITH_WARNINGS if "warning" in names else GO
            assert verdict([kinds[name] for name in names]) == wanted


def test_every_pair_of_codes_and_severities_has_its_verdict() -> None:
    """The rules once more, in other words: the worse of what each of the two says alone."""
    order = (NO_GO, INCOMPLETE, GO_WITH_WARNINGS, GO)

    def alone(code: str, severity: str) -> str:
        if severity == BLOCKER:
            return INCOMPLETE if CODES[code].rehearsal_failed else NO_GO
        return GO_WITH_WARNINGS if severity == WARNING else GO

    said = [(Finding(code, severity, "", "", "", ""), alone(code, severity)) for code in CODES for severity in findings.SEVERITIES]
    for first, one in said:
        assert verdict([first]) == one
        for second, other in said:
            assert verdict([first, second]) == min(one, other, key=order.index)
