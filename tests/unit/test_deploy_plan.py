"""The plan for the deploy: which steps, in which order, with which limits. tests/integration/test_deploy_commands.py runs its commands."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import deploy_commands, html_parts
from ansible_collections.migrations.rehearsal.plugins.module_utils.deploy_plan import deploy_plan
from ansible_collections.migrations.rehearsal.plugins.module_utils.evidence_files import Evidence
from ansible_collections.migrations.rehearsal.plugins.module_utils.expectations import Expectations
from ansible_collections.migrations.rehearsal.plugins.module_utils.judge_way_back import way_back
from evidence_builder import good

LIBPQ = "-c lock_timeout=5s -c statement_timeout=60s"
ALEMBIC = ["python", "-m", "alembic", "-c", "alembic.ini"]


def run(
    *revisions: tuple[str, float], direction: str = "upgrade", driver: str = "psycopg", per_migration: bool = False, autocommit: str = ""
) -> list[dict[str, Any]]:
    """Each revision alters one table of its own, in a statement of so many milliseconds."""
    events: list[dict[str, Any]] = [
        {"event": "current", "t": 0.0, "heads": ["a1"], "version_table": "alembic_version", "version_table_schema": None,
         "transaction_per_migration": per_migration},
        {"event": "connection", "t": 0.0, "n": 1, "driver": driver, "through": "driver", "address": {"user": 'o"wner'}},
        {"event": "connection", "t": 0.0, "n": 2, "driver": "psycopg", "through": "observer", "address": {"user": "other"}},
    ]  # fmt: skip
    now = 1.0
    for name, ms in revisions:
        common = {"revision": name, "direction": direction, "message": f"Do {name}"}
        lock = {"relation": f"t_{name}", "mode": "AccessExclusive", "table": f"t_{name}", "kind": "r"}
        events += [
            {"event": "revision_begin", "t": now, **common},
            {"event": "statement", "t": now + ms, "t0": now, "t1": now + ms, "revision": name, "sql": f"ALTER TABLE t_{name} ADD x int",
             "connection": 1, "rows": None, "autocommit": name == autocommit, "locks": [lock]},
            {"event": "revision_end", "t": now + ms, "ms": ms, **common},
        ]  # fmt: skip
        now += ms
    events.append({"event": "commit", "t": now + 2, "t0": now, "t1": now + 2, "revision": None, "connection": 1})
    return [*events, {"event": "done", "t": now + 3, "heads": ["a1"] if direction == "downgrade" else [revisions[-1][0]]}]


def rehearsed(
    upgrade: list[dict[str, Any]] | None = None,
    downgrade: list[dict[str, Any]] | None = None,
    production: dict[str, Any] | None = None,
    **application: Any,
) -> Evidence:
    upgrade = upgrade or run(("b2", 10), ("c3", 20))
    evidence = good(migrations={"upgrade": upgrade, "downgrade": downgrade or run(("c3", 5), ("b2", 5), direction="downgrade")})
    context = {
        **evidence.context,
        "production_postgres": deploy_commands.noted(production or {"host": "db1", "port": 5433, "user": "backup"}),
        "application": {**evidence.context["application"], **application},
    }
    return dataclasses.replace(evidence, context=context)


def plan(evidence: Evidence, *codes: str, settings: tuple[str, ...] = ()) -> dict[str, Any]:
    found = deploy_plan(evidence, codes, way_back(evidence, ["alembic_version"]), settings)
    assert found is not None
    return found


def notes(found: dict[str, Any]) -> str:
    return "\n".join(note["text"] for note in found["notes"])


def test_the_steps_are_all_there_in_their_order() -> None:
    found = plan(rehearsed())
    reach = ["--host=db1", "--port=5433", "--username=backup"]
    assert [(step["what"], step["command"]) for step in found["steps"]] == [
        ("backup", ["pg_dump", *reach, "--format=custom", "shop"]),
        ("look", [*ALEMBIC, "current"]),
        ("upgrade", [*ALEMBIC, "upgrade", "c3"]),
        ("verify", [*ALEMBIC, "current"]),
    ]
    created = ["--template=template0", "--encoding=UTF8", "--lc-collate=C.UTF-8", "--lc-ctype=C.UTF-8", "--owner=app", "shop_restored"]
    assert [(step["what"], step["command"]) for step in found["ways_back"]] == [
        ("downgrade", [*ALEMBIC, "downgrade", "a1"]),
        ("create", ["createdb", *reach, *created]),
        ("restore", ["pg_restore", *reach, "--exit-on-error", "--dbname=shop_restored"]),
    ]
    backup, look, upgrade, verify = found["steps"]
    assert backup["output"] == found["ways_back"][2]["input"] == "shop-before-c3.dump"
    assert (look["expect"], verify["expect"]) == ("at revision a1", "at revision c3")
    assert upgrade["environment"] == {"PGOPTIONS": LIBPQ}
    # From the first statement to the last commit, whoever waits: the two locks overlap.
    assert (upgrade["seconds"], upgrade["blocked_ms"]) == (0.032, 32)
    assert html_parts.command_line(backup).endswith("--format=custom shop > shop-before-c3.dump")
    assert html_parts.command_line(found["ways_back"][2]).endswith("--dbname=shop_restored < shop-before-c3.dump")


def test_one_command_for_each_revision_has_its_own_price() -> None:
    found = plan(rehearsed(), "one-transaction-holds-all")
    upgrades = [step for step in found["steps"] if step["what"] == "upgrade"]
    assert [(step["command"][-1], step["revision"], step["seconds"]) for step in upgrades] == [("b2", "b2", 0.01), ("c3", "c3", 0.02)]
    # In a transaction of its own each lock ends with the statement and the commit after it.
    assert [step["blocked_ms"] for step in upgrades] == [12, 22]
    assert all(step["environment"] == {"PGOPTIONS": LIBPQ} for step in upgrades)


def test_the_way_back_is_limited_by_what_it_took_itself() -> None:
    slow = run(("c3", 300_000), ("b2", 5), direction="downgrade")
    found = plan(rehearsed(downgrade=slow))
    assert found["steps"][2]["environment"] == {"PGOPTIONS": LIBPQ}
    assert found["ways_back"][0]["environment"] == {"PGOPTIONS": "-c lock_timeout=5s -c statement_timeout=3000s"}


def test_a_driver_that_reads_no_options_gets_its_limits_through_the_role() -> None:
    down = run(("c3", 30_000), ("b2", 5), direction="downgrade", driver="asyncpg")
    found = plan(rehearsed(run(("b2", 10), driver="asyncpg"), down))
    assert [step["what"] for step in found["steps"]] == ["backup", "look", "limit", "upgrade", "unlimit", "verify"]
    assert [step["what"] for step in found["ways_back"]] == ["limit", "downgrade", "unlimit", "create", "restore"]
    assert found["steps"][3]["environment"] == {}
    subject = '--command=ALTER ROLE "o""wner" IN DATABASE "shop"'
    assert found["steps"][2]["command"][-2:] == [f"{subject} SET lock_timeout = '5s'", f"{subject} SET statement_timeout = '60s'"]
    assert found["steps"][4]["command"][-2:] == [f"{subject} RESET lock_timeout", f"{subject} RESET statement_timeout"]
    assert found["ways_back"][0]["command"][-1] == f"{subject} SET statement_timeout = '300s'"
    assert "asyncpg does not read PGOPTIONS" in notes(found)


def test_where_the_role_is_not_known_the_limits_are_told() -> None:
    events = [event for event in run(("b2", 10), driver="asyncpg") if event["event"] != "connection"]
    found = plan(rehearsed(events))
    assert [step["what"] for step in found["steps"]] == ["backup", "look", "upgrade", "verify"]
    assert "set the limits for the migrations' role instead, in this database: lock_timeout = '5s'" in notes(found)


@pytest.mark.parametrize(
    ("upgrade", "codes", "said"),
    [
        (run(("b2", 1), ("c3", 1)), (), "nothing was changed: run the same command again"),
        (run(("b2", 1), ("c3", 1)), ("one-transaction-holds-all",), "the revisions before stay applied and the one that ran is not"),
        (run(("b2", 1), ("c3", 1), per_migration=True), (), "the revisions before stay applied and the one that ran is not"),
        (run(("b2", 1), ("c3", 1), autocommit="c3"), (), "c3 run statements outside a transaction, which stay"),
    ],
)
def test_what_a_limit_leaves_behind_depends_on_the_commits(upgrade: list[dict[str, Any]], codes: tuple[str, ...], said: str) -> None:
    told = [note["text"] for note in plan(rehearsed(upgrade), *codes)["notes"] if "limit strikes" in note["text"]]
    assert len(told) == 1 and said in told[0]


def test_tools_in_a_container_are_called_there_and_their_files_stay_here() -> None:
    compose = {"file": "/opt/shop/prod.yml", "service": "postgres"}
    found = plan(rehearsed(production={"compose": compose, "user": "postgres"}, command=["docker", "compose", "exec", "web", "python"]))
    inside = "docker compose --file /opt/shop/prod.yml exec -T postgres"
    assert html_parts.command_line(found["steps"][0]) == f"{inside} pg_dump --username=postgres --format=custom shop > shop-before-c3.dump"
    assert html_parts.command_line(found["ways_back"][1]).startswith(f"{inside} createdb --username=postgres --template=template0 ")
    assert "give it to the container too" in notes(found)


def test_no_password_is_noted() -> None:
    options = {"host": "db1", "password": "hunter2", "prefix": ["env", "PGPASSWORD=hunter2", "LANG=C"], "port": None}
    assert deploy_commands.noted(options) == {"prefix": ["env", "PGPASSWORD=…", "LANG=C"], "host": "db1"}
    found = plan(rehearsed(production={"host": "db1", "passfile": "/root/.pgpass", "bin_dir": "/usr/lib/postgresql/16/bin"}))
    assert html_parts.command_line(found["steps"][0]).startswith("PGPASSFILE=/root/.pgpass /usr/lib/postgresql/16/bin/pg_dump --host=db1 ")


def test_other_locales_have_their_provider() -> None:
    evidence = rehearsed()
    icu = {**(evidence.manifest or {}), "locale_provider": "i", "locale": "ru-RU", "server_version_num": 160004}
    words = plan(dataclasses.replace(evidence, manifest=icu))["ways_back"][1]["command"]
    assert words[-3:] == ["--locale-provider=icu", "--icu-locale=ru-RU", "shop_restored"]
    words = plan(dataclasses.replace(evidence, manifest={**icu, "server_version_num": 140000}))["ways_back"][1]["command"]
    assert not [word for word in words if "icu" in word]


def test_what_is_asked_of_the_application_is_passed_on_without_its_values() -> None:
    found = plan(rehearsed(section="shop", x=["db_name"], options=["sqlalchemy.url"]))
    assert found["steps"][1]["command"] == [*ALEMBIC, "-n", "shop", "-x", "db_name=…", "current"]
    alone = plan(rehearsed(x=["db_name", "verbose"], x_alone=["verbose"]))
    assert alone["steps"][1]["command"][-5:] == ["-x", "db_name=…", "-x", "verbose", "current"] and "verbose" not in notes(alone)
    assert "-x db_name=…" in notes(found) and "options of Alembic's configuration" in notes(found)
    assert "ALTER DATABASE set for it; set it there too: TimeZone, work_mem (app)" in notes(
        plan(rehearsed(), settings=("TimeZone", "work_mem (app)"))
    )


def test_several_heads_and_databases_without_a_revision() -> None:
    upgrade = run(("b2", 1), ("c3", 1))
    upgrade[-1] = {**upgrade[-1], "heads": ["b2", "c3"]}
    evidence = rehearsed(upgrade)
    assert plan(evidence)["steps"][2]["command"][-2:] == ["upgrade", "heads"]
    upgrade.insert(1, {"event": "plan", "t": 0.0, "target": "shop@head", "steps": []})
    assert plan(evidence)["steps"][2]["command"][-2:] == ["upgrade", "shop@head"]
    assert plan(evidence)["steps"][3]["expect"] == "at revision b2, c3"
    empty = dataclasses.replace(evidence, manifest={**(evidence.manifest or {}), "revisions": {}}, application={"current": []})
    assert plan(empty)["ways_back"][0]["command"][-2:] == ["downgrade", "base"] and plan(empty)["steps"][1]["expect"] == "at no revision"
    two = dataclasses.replace(evidence, manifest={**(evidence.manifest or {}), "revisions": {"alembic_version": ["a1", "a2"]}})
    assert [step["what"] for step in plan(two)["ways_back"]] == ["create", "restore"]


def test_a_part_of_the_way_back_is_none() -> None:
    evidence = rehearsed()
    partly = dataclasses.replace(evidence, expectations=Expectations(downgrade_to="b2"))
    assert [step["what"] for step in plan(partly)["ways_back"]] == ["create", "restore"]


def test_there_is_no_plan_for_what_did_not_come_to_its_end() -> None:
    evidence = rehearsed(run(("b2", 1))[:-1])
    assert deploy_plan(evidence, (), None) is None
