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


def test_the_way_of_the_backup() -> None:
    found = values(rehearsal_transfer="direct", rehearsal_transfer_direct={"address": "dev"})
    found.transfer()
    assert found.problems == [
        "rehearsal: rehearsal_transfer_direct.host is not set: the address by which production reaches dev",
        "rehearsal: rehearsal_transfer_direct has unknown keys: address",
    ]
    found = values(rehearsal_transfer="carrier pigeon")
    found.transfer()
    assert found.problems == ["rehearsal: rehearsal_transfer is «carrier pigeon»: it must be one of controller, direct, stream"]
