"""What could act on the outside world: what the judge says of that which was stopped."""

from __future__ import annotations

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import outside_world, restoring
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge import judge
from ansible_collections.migrations.rehearsal.plugins.module_utils.policy import Accepted, Policy
from evidence_builder import good

TABLE = "pgagent.pga_job"
JOBS = {"kind": "scheduled jobs", "object": TABLE, "reason": "2 would run by the clock", "error": None, "changed": [f"{TABLE}.jobenabled"]}
TRIGGER = {"kind": "trigger", "object": "shifts.tell", "reason": "runs tell(): uses dblink", "error": None}


def said(*stopped: dict[str, object]) -> list[tuple[str, str, str]]:
    evidence = good()
    assert evidence.copy is not None
    evidence.copy["stopped"] = list(stopped)
    return [(one["severity"], one["object"], one["message"]) for one in judge(evidence)["findings"] if one["code"] == "outside-world"]


def test_what_was_stopped_is_for_information() -> None:
    assert said(JOBS, TRIGGER) == [
        (
            "info", TABLE, "disabled on the copy before anything was migrated: scheduled jobs pgagent.pga_job (2 would run by the clock); "
            "left out of the proof against production: pgagent.pga_job.jobenabled",
        ),
        (
            "info", "shifts.tell", "disabled on the copy before anything was migrated: trigger shifts.tell (runs tell(): uses dblink); "
            "what else it does is not rehearsed",
        ),
    ]  # fmt: skip


def test_a_foreign_server_without_its_mappings_is_said_with_what_follows() -> None:
    reason = "its user mappings open a connection to another server"
    ((severity, name, message),) = said({"kind": "foreign server", "object": "billing", "reason": reason, "error": None})
    assert (severity, name) == ("info", "billing")
    assert message.endswith(f"foreign server billing ({reason}); a migration that reaches through it fails here for that reason alone")


def test_what_could_not_be_stopped_is_a_warning() -> None:
    ((severity, _object, message),) = said({**JOBS, "error": "2 of them are enabled still"})
    assert severity == "warning" and message.endswith("(2 would run by the clock): 2 of them are enabled still")


def test_what_could_not_be_stopped_can_be_accepted_and_lowered() -> None:
    evidence = good()
    assert evidence.copy is not None
    evidence.copy["stopped"] = [{**TRIGGER, "error": "must be owner"}]
    accepted = Policy(accepted=(Accepted("outside-world", "shifts.tell", "it only writes a log", "2099-01-01"),))
    for policy, verdict in ((accepted, "GO"), (Policy({"outside-world": "info"}), "GO"), (Policy({"outside-world": "blocker"}), "NO-GO")):
        record = judge(evidence, policy=policy)
        assert record["verdict"] == verdict
    evidence.copy["stopped"] = [TRIGGER]
    assert judge(evidence, policy=Policy({"outside-world": "blocker"}))["verdict"] == "GO"


def test_an_extension_that_stayed_out_is_said_with_what_follows() -> None:
    ((severity, name, message),) = said(*outside_world.kept_out(["plpgsql", "pg_cron"]))
    assert (severity, name) == ("info", "pg_cron")
    assert "stays out of the copy, with all that is in its schema cron: a migration that uses it fails here" in message
    assert outside_world.kept_out(["plpgsql", "vector"]) == []


@pytest.mark.parametrize(
    "entry, stays",
    [
        ("2; 3079 16386 EXTENSION - pg_cron ", False),
        ("3495; 0 0 COMMENT - EXTENSION pg_cron ", False),
        ("3258; 0 16389 TABLE DATA cron job postgres", False),
        ("3498; 0 0 SEQUENCE SET cron jobid_seq postgres", False),
        ("3500; 0 0 ACL - SCHEMA cron postgres", False),
        ("3501; 0 0 ACL cron TABLE job postgres", False),
        ("9; 2615 16424 SCHEMA - cron postgres", True),
        ("9; 2615 16424 SCHEMA - cronos postgres", True),
        ("3501; 0 0 ACL - SCHEMA cronos postgres", True),
        ("2; 3079 16386 EXTENSION - pg_cron_helper ", True),
        ("210; 1259 16450 TABLE public cron postgres", True),
        ("3259; 0 16450 TABLE DATA public cron cron", True),
        ("; Archive created at 2026-11-23 02:12:00 UTC", True),
    ],
)
def test_only_what_belongs_to_the_extension_is_left_out_of_the_dump(entry: str, stays: bool) -> None:
    assert restoring.stays(entry, {"pg_cron": "cron"}) is stays
