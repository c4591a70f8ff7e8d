"""What an inventory says of PostgreSQL and of the transfer is checked on the controller: every problem, at once."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.inventory_values import InventoryValues


def values(**variables: Any) -> InventoryValues:
    return InventoryValues(dev="rehearsal", read=lambda _host, name: variables.get(name), mentions=lambda _host, name: name in variables, groups={})


def test_all_problems_of_postgres_are_told() -> None:
    found = values(rehearsal_postgres={"compose": {"service": "db"}, "container": "db", "hots": "x", "password": "w0rd", "passfile": "/a"})
    found.postgres("production")
    assert found.problems == [
        "production: rehearsal_postgres has unknown keys: hots",
        "production: rehearsal_postgres has compose and container: PostgreSQL is in one of them",
        "production: rehearsal_postgres has passfile and password: one of them is enough",
        "production: rehearsal_postgres compose.file is not set: the compose file, absolute or relative to compose.project_directory",
    ]


@pytest.mark.parametrize("postgres", [None, {}, {"host": "/run/postgresql", "port": 5432}, {"container": "db", "scratch": "/tmp", "port": None}])
def test_what_can_be_used_is_no_problem(postgres: dict[str, Any] | None) -> None:
    found = values(rehearsal_postgres=postgres)
    found.postgres("production")
    found.transfer()
    assert found.problems == []


def test_postgres_must_be_a_mapping() -> None:
    found = values(rehearsal_postgres="db1")
    found.postgres("production")
    assert len(found.problems) == 1 and "production: rehearsal_postgres must be a mapping: " in found.problems[0]


@pytest.mark.parametrize(("wanted", "problems"), [(None, 0), ("idle", 0), ("7", 0), (7, 0), ("realtime", 1), (8, 1)])
def test_the_priority_at_the_disks(wanted: Any, problems: int) -> None:
    found = values(rehearsal_production_ionice=wanted)
    found.priority()
    assert len(found.problems) == problems, found.problems


def test_a_mapping_or_a_list_without_a_value_is_told() -> None:
    found = values(rehearsal_postgres=None, rehearsal_schemas_of_mine=None, rehearsal_transfer=None)
    found.declared("rehearsal", ["rehearsal_postgres", "rehearsal_schemas_of_mine", "rehearsal_transfer"])
    assert found.problems == ["rehearsal: rehearsal_postgres has no value: leave the line out, or write rehearsal_postgres: {}"]


def test_the_way_of_the_backup() -> None:
    found = values(rehearsal_transfer="direct", rehearsal_transfer_direct={"address": "dev"})
    found.transfer()
    assert found.problems == [
        "rehearsal: rehearsal_transfer_direct.host is not set: the address by which production reaches dev",
        "rehearsal: rehearsal_transfer_direct has unknown keys: address",
    ]


def test_what_a_copy_that_dev_pulls_needs() -> None:
    found = values(rehearsal_transfer="pull", rehearsal_keep="backup")
    found.transfer()
    assert found.problems == [
        "rehearsal: rehearsal_transfer is pull: set rehearsal_production_from_dev, by which dev itself reaches production's server",
        "rehearsal: rehearsal_keep is backup, and rehearsal_transfer: pull makes none that could be kept",
    ]
    found = values(rehearsal_transfer="pull", rehearsal_production_from_dev={"host": "db.example.com"})
    found.transfer()
    assert found.problems == []
    found = values(rehearsal_production_from_dev={"hots": "db.example.com"})
    found.transfer()
    assert found.problems == ["rehearsal: rehearsal_production_from_dev has unknown keys: hots"]


WRONG = {
    "rehearsal_transfer": ("carrier pigeon", "is «carrier pigeon»: it must be one of controller, direct, stream, pull"),
    "rehearsal_data_proof": ("ful", "is «ful»: it must be one of full, changed, counts"),
    "rehearsal_report_formats": (["html", "pdf"], "is «pdf»: it must be one of json, text, html, md, junit, sarif"),
    "rehearsal_check_drift": ("maybe", "must be of type bool"),
    "rehearsal_migration_timeout": ("an hour", "must be of type float"),
    "rehearsal_evidence_timeout": (0, "is 0: it must be more than 0"),
    "rehearsal_restore_jobs": ("0", "is 0: it must be at least 1"),
    "rehearsal_transfer_limit": (-1, "is -1: it must not be negative"),
    "rehearsal_ephemeral": ([1], "must be a mapping"),
    "rehearsal_expectation": ("x.yml", "is no variable of a rehearsal: rehearsal_expectations is"),
    "rehearsal_aplication": ({}, "is no variable of a rehearsal: rehearsal_application is"),
}


def test_every_variable_is_held_against_what_its_role_declares() -> None:
    found = values(**{name: value for name, (value, _told) in WRONG.items()})
    found.declared("rehearsal", WRONG)
    assert found.problems == [f"rehearsal: {name} {told}" for name, (_value, told) in sorted(WRONG.items())]


def test_what_is_declared_empty_ours_or_the_user_s_own_is_no_problem() -> None:
    variables = {"rehearsal_target": "", "rehearsal_keep": None, "rehearsal_restore_jobs": "4", "rehearsal_stairway": "yes", "rehearsal_id": "x",
                 "rehearsal_slack_channel": "#ops", "rehearsal_copy_address": "a", "ansible_host": "b"}  # fmt: skip
    found = values(**variables)
    found.declared("rehearsal", variables)
    assert found.problems == []


def test_one_problem_of_a_variable_is_enough() -> None:
    found = values(rehearsal_ephemeral=[1], rehearsal_postgres="db1")
    found.postgres("rehearsal")
    found.declared("rehearsal", ["rehearsal_ephemeral", "rehearsal_postgres"])
    assert [problem.split()[1] for problem in found.problems] == ["rehearsal_postgres", "rehearsal_ephemeral"]
