"""What --check says of a rehearsal that is not carried out, and what is pending without a copy to ask."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.revision_graph import pending
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import plan_text
from ansible_collections.migrations.rehearsal.plugins.plugin_utils.plan_text import Plan

REHEARSAL: dict[str, Any] = {
    "id": "20261122-223011-9f3a2c",
    "source": "production/shop",
    "production_host": "production",
    "dev_host": "rehearsal",
    "database": "shop",
    "copy_database": "rehearsal_20261122_223011_9f3a2c",
    "expires": "2026-11-23T22:30:11Z",
    "keep": "none",
    "sides": ["dev", "production"],
    "origin": {"place": "existing", "source": "dump", "backup_file": "", "backup_file_on": ""},
}
PLAN = Plan(
    rehearsal=REHEARSAL,
    source="dump",
    production={"server_version": "15.18", "size_bytes": 2_300_000_000, "revisions": {"public.alembic_version": ["aaa1"]}},
    dev={"server_version": "18.1"},
    pending=[{"revision": "bbb2", "message": "Add a column"}, {"revision": "ccc3", "message": "Drop another"}],
    heads=["ccc3"],
)


ON_CONTROLLER, ON_DEV = ({"backup_file": "/b/shop.dump", "backup_file_on": host} for host in ("controller", "dev"))
TEMPLATE = {"template": {"id": "2026", "database": "kept_template"}}


def other(plan: Plan = PLAN, origin: dict[str, Any] | None = None, rehearsal: dict[str, Any] | None = None, **changes: Any) -> str:
    """The block of another plan, without its line breaks."""
    one = {**REHEARSAL, "origin": {**REHEARSAL["origin"], **(origin or {})}, **(rehearsal or {})}
    return " ".join(plan_text.text(dataclasses.replace(plan, rehearsal=one, **changes)).split())


def test_a_dump() -> None:
    assert plan_text.text(PLAN).splitlines() == [
        "What would be done for production/shop on rehearsal; nothing was changed:",
        "",
        "  back up     production/shop (PostgreSQL 15.18, 2,300 MB): pg_dump with 2 connections in one snapshot, all",
        "              read-only, and one that counts every table's rows in it",
        "  carry       production → controller → rehearsal; every file checked there against its SHA-256",
        "  copy        database rehearsal_20261122_223011_9f3a2c in dev's server (PostgreSQL 18.1), marked before a row",
        "              is in it, restored by pg_restore",
        "  migrate     2 revisions, from aaa1 to ccc3, behind the fence:",
        "                bbb2  Add a column",
        "                ccc3  Drop another",
        "  prove       catalog, foreign keys, every value of every row that was there before; then back to where",
        "              production stands, and up again",
        "  remove      the copy and the backup, with the work directories on production and rehearsal, also after a",
        "              failure",
    ]


@pytest.mark.parametrize(
    ("said", "how"),
    [
        ("a physical copy of the whole server by pg_basebackup", {"source": "basebackup", "origin": {"place": "ephemeral"}}),
        ("in a server of its own, which listens on a socket", {"source": "basebackup", "origin": {"place": "ephemeral"}}),
        ("carry production → rehearsal by ssh;", {"transfer": "direct"}),
        ("no file of it on production;", {"transfer": "stream"}),
        ("carry production → rehearsal, which reads it itself with 2 connections in one snapshot", {"transfer": "pull"}),
        ("back up nothing: /b/shop.dump on the controller is there", {"source": "file", "origin": ON_CONTROLLER}),
        ("carry controller → rehearsal;", {"source": "file", "origin": ON_CONTROLLER}),
        ("carry nothing", {"source": "file", "origin": ON_DEV}),
        ("not held against production", {"source": "file", "origin": ON_DEV}),
        ("the copy is made from kept_template, which rehearsal 2026 kept", {"source": "template", "rehearsal": TEMPLATE}),
        ("migrate from aaa1 to ccc3: which revisions, only the copy can tell", {"pending": None}),
        ("migrate nothing is pending: production stands on aaa1", {"pending": []}),
        ("remove the backup, with the work directories on production and rehearsal, also", {"rehearsal": {"keep": "copy"}}),
        ("kept until 2026-11-23T22:30:11Z: the copy (rehearsal_keep)", {"rehearsal": {"keep": "copy"}}),
        ("with the work directories on rehearsal, also", {"rehearsal": {"sides": ["dev"]}}),
        ("… and 5 more", {"pending": [{"revision": f"r{number}", "message": "x"} for number in range(25)]}),
    ],
)  # fmt: skip
def test_other_ways(said: str, how: dict[str, Any]) -> None:
    assert said in other(**how)


# c and d are two branches of b, e merges them; d also depends on x, which is a base of its own.
GRAPH = [
    {"revision": "e", "down_revisions": ["c", "d"], "depends_on": [], "message": "merge"},
    {"revision": "d", "down_revisions": ["b"], "depends_on": ["x"], "message": "right"},
    {"revision": "c", "down_revisions": ["b"], "depends_on": [], "message": "left"},
    {"revision": "b", "down_revisions": ["a"], "depends_on": [], "message": "second"},
    {"revision": "x", "down_revisions": [], "depends_on": [], "message": "aside"},
    {"revision": "a", "down_revisions": [], "depends_on": [], "message": "first"},
]


@pytest.mark.parametrize(
    ("applied", "target", "run"),
    [
        (["e"], "head", []),
        (["c"], "head", ["x", "d", "e"]),
        (["c", "d"], "head", ["e"]),
        ([], "head", ["a", "x", "b", "c", "d", "e"]),
        (["a"], "c", ["b", "c"]),
        (["a"], "+1", None),
        (["a"], "unknown", None),
    ],
)
def test_what_is_pending_by_the_version_directory(applied: list[str], target: str, run: list[str] | None) -> None:
    found = pending(GRAPH, ["e"], applied, target)
    assert (None if found is None else [one["revision"] for one in found]) == run
