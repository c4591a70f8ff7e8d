"""What a run hands to a workflow."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.workflow_stats import stats


def rehearsed(host: str, verdict: str, downtime_ms: float | None = 1.0) -> dict[str, Any]:
    finding = {"code": "orphans", "severity": "blocker", "message": "3 rows", "advice": "", "stage": "data", "object": "t"}
    record = {
        "verdict": verdict,
        "downtime_ms": downtime_ms,
        "production": {"host": "prod", "database": "shop"},
        "copy": {"host": host},
        "findings": [finding],
    }
    return {"record": record, "report": f"/r/{host}"}


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        (["GO"], "GO"),
        (["GO", "GO with warnings"], "GO with warnings"),
        (["GO with warnings", "INCOMPLETE"], "INCOMPLETE"),
        (["INCOMPLETE", "NO-GO", "GO"], "NO-GO"),
    ],
)
def test_the_worst_verdict_and_its_report(verdicts: list[str], worst: str) -> None:
    found = stats([rehearsed(f"dev{number}", verdict) for number, verdict in enumerate(verdicts)], [f"dev{n}" for n in range(len(verdicts))])
    assert found["rehearsal_verdict"] == worst
    assert found["rehearsal_report"] == f"/r/dev{verdicts.index(worst)}"
    assert found["rehearsal_summary"].splitlines()[0] == f"{worst}  prod/shop on dev{verdicts.index(worst)}: orphans: 3 rows"


def test_a_host_without_a_record_is_incomplete() -> None:
    found = stats([rehearsed("a", "GO")], ["a", "b"])
    assert found["rehearsal_verdict"] == "INCOMPLETE"
    assert found["rehearsal_summary"].splitlines()[1] == "INCOMPLETE  b: nothing was rehearsed"
    assert found["rehearsal_downtime_ms"] is None


def test_the_longest_downtime_if_all_were_measured() -> None:
    assert stats([rehearsed("a", "GO", 2.0), rehearsed("b", "GO", 7.5)], ["a", "b"])["rehearsal_downtime_ms"] == 7.5
    assert stats([rehearsed("a", "GO", 2.0), rehearsed("b", "GO", None)], ["a", "b"])["rehearsal_downtime_ms"] is None


def test_nothing_at_all() -> None:
    assert stats([], [])["rehearsal_verdict"] == "INCOMPLETE"
