"""Scheduled jobs of production do not run on the copy: disabled before anything else, or left out of it, and both are said."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import backup, copy_database, fingerprint, outside_world, preflight
from ansible_collections.migrations.rehearsal.plugins.module_utils.files import sha256
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

from migration_rehearsal import embedded

pytestmark = pytest.mark.integration

EXTENSIONS = Path(embedded.SYSTEM_BINARIES).parents[1] / "share/postgresql/15/extension"
# As the programs make them; only what matters here.
LOOK_ALIKES = [
    "CREATE SCHEMA pgagent",
    "CREATE TABLE pgagent.pga_job (jobid serial PRIMARY KEY, jobname text, jobenabled bool NOT NULL DEFAULT true, jobnextrun timestamptz)",
    "CREATE FUNCTION pgagent.pga_job_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF NOT NEW.jobenabled THEN NEW.jobnextrun := NULL; END IF; RETURN NEW; END $$",
    "CREATE TRIGGER pga_job_trigger BEFORE UPDATE ON pgagent.pga_job FOR EACH ROW EXECUTE FUNCTION pgagent.pga_job_trigger()",
    "INSERT INTO pgagent.pga_job (jobname, jobenabled, jobnextrun) VALUES ('a', true, now()), ('b', false, NULL), ('c', true, now())",
    "CREATE SCHEMA timetable",
    "CREATE TABLE timetable.chain (chain_id bigint PRIMARY KEY, live bool DEFAULT false)",
    "INSERT INTO timetable.chain VALUES (1, true), (2, NULL)",
    "CREATE SCHEMA cron",
    "CREATE TABLE cron.job (jobid bigint PRIMARY KEY, active text)",
    "INSERT INTO cron.job VALUES (1, 'somebody''s own table')",
]


def run(server: Server, database: str, *statements: str) -> None:
    with Session(server, database, "tests") as session:
        for statement in statements:
            session.execute(statement)


def make_copy(production: Server, dev: Server, database: str, base: Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """(name of the copy, manifest with a fingerprint, copy.json)."""
    marker = Marker(new_id(), f"prod/{database}", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
    there, here = (WorkDirectory.at(str(base), marker.id, side) for side in ("production", "dev"))
    there.create(marker)
    here.create(marker)
    manifest = backup.take_backup(production, database, marker.id, there, backup.Limits(), True)
    arrived = backup.unpack(here, there.file(backup.ARCHIVE), sha256(there.file(backup.MANIFEST)))
    name = f"copy_{marker.id.replace('-', '_')}"
    return name, manifest, copy_database.make_copy(dev, name, marker, arrived, here, jobs=2, deadline_s=60)


def test_jobs_are_disabled_and_only_that_is_left_out_of_the_proof(postgres_server: Any, database: str, tmp_path: Path) -> None:
    server = postgres_server.server
    run(server, database, *LOOK_ALIKES)
    name, manifest, copy = make_copy(server, server, database, tmp_path)
    try:
        assert [(entry["object"], entry["reason"], entry["error"], entry["changed"]) for entry in copy["stopped"]] == [
            ("pgagent.pga_job", "2 would run by the clock", None, ["pgagent.pga_job.jobenabled", "pgagent.pga_job.jobnextrun"]),
            ("timetable.chain", "1 would run by the clock", None, ["timetable.chain.live"]),
        ]
        assert (copy["proved_by"], copy["differences"]) == ("fingerprint", [])
        with Session(server, name, "tests") as session:
            assert session.value("SELECT count(*) AS v FROM pgagent.pga_job WHERE jobenabled OR jobnextrun IS NOT NULL") == 0
            assert session.value("SELECT array_agg(live ORDER BY chain_id) AS v FROM timetable.chain") == [False, None]
            assert outside_world.stop_jobs(session) == []
        with Session(server, database, "tests") as session:
            assert session.value("SELECT count(*) AS v FROM pgagent.pga_job WHERE jobenabled") == 2
        run(server, name, "UPDATE pgagent.pga_job SET jobname = 'x' WHERE jobid = 1", "UPDATE timetable.chain SET chain_id = 3 WHERE chain_id = 2")
        with Session(server, name, "tests") as session:
            now = fingerprint.take_fingerprint(session)
        told = {entry["object"] for entry in copy_database.compare_values(manifest["fingerprint"], now, copy["stopped"])}
        assert told == {"pgagent.pga_job.jobname", "timetable.chain", "timetable.chain.chain_id"}
        assert "timetable.chain.live" in {entry["object"] for entry in copy_database.compare_values(manifest["fingerprint"], now)}
    finally:
        postgres_server.drop_database(name)


def test_jobs_that_cannot_be_disabled_are_told(postgres_server: Any, database: str) -> None:
    server = postgres_server.server
    run(server, database, *LOOK_ALIKES, "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        "CREATE TRIGGER a BEFORE UPDATE ON pgagent.pga_job FOR EACH ROW EXECUTE FUNCTION no()",
        "ALTER TABLE timetable.chain ADD CHECK (NOT chain_id = 1 OR live)")  # fmt: skip
    with Session(server, database, "tests") as session:
        agent, timetable = outside_world.stop_jobs(session)
    assert agent["error"] == "2 of them are enabled still"
    assert "violates check constraint" in timetable["error"]


@pytest.fixture(scope="module")
def scheduling() -> Iterator[Server]:
    """A server with pg_cron, which may be made in database «shop» only, and pgAgent."""
    missing = [name for name in ("pg_cron", "pgagent") if not (EXTENSIONS / f"{name}.control").exists()]
    if missing:
        pytest.skip(f"PostgreSQL 15 has no extension {' and '.join(missing)} here")
    directory = Path(tempfile.mkdtemp(prefix="server-"))
    directory.chmod(0o711)
    settings = {"shared_preload_libraries": "pg_cron", "cron.database_name": "shop", "cron.use_background_workers": "on"}
    cluster = embedded.start_cluster(directory / "data", embedded.find_binaries(major=15), settings=settings)
    try:
        server = Server(bin_dir=str(cluster.bin_dir), host=str(cluster.socket_directory), port=cluster.port, user=cluster.user)
        run(server, "postgres", "CREATE DATABASE shop", "CREATE ROLE clerk")
        run(
            server, "shop", "CREATE EXTENSION pg_cron", "CREATE EXTENSION pgagent", "CREATE TABLE cron (id int PRIMARY KEY, name text)",
            "INSERT INTO cron VALUES (1, 'not a job')", "GRANT USAGE ON SCHEMA cron TO clerk", "GRANT SELECT ON cron.job TO clerk",
            "SELECT cron.schedule('nightly', '0 3 * * *', 'SELECT 1')",
            "INSERT INTO pgagent.pga_job (jobjclid, jobname, jobnextrun) VALUES (1, 'weekly', now())",
        )  # fmt: skip
        yield server
    finally:
        embedded.remove_cluster(cluster)


@pytest.mark.parametrize("prefix", [(), ("env",)])
def test_the_real_schedulers(scheduling: Server, tmp_path: Path, prefix: tuple[str, ...]) -> None:
    dev = dataclasses.replace(scheduling, prefix=prefix)
    facts, problems, _findings = preflight.look_at_dev(dev, "copy_x", "20261122-120000-abcdef", str(tmp_path), _production(scheduling), "shop", 30)
    assert facts and not problems
    name, manifest, copy = make_copy(scheduling, dev, "shop", tmp_path)
    try:
        assert [(entry["kind"], entry["object"], entry["error"]) for entry in copy["stopped"]] == [
            ("extension", "pg_cron", None), ("scheduled jobs", "pgagent.pga_job", None),
        ]  # fmt: skip
        assert (copy["proved_by"], copy["differences"]) == ("fingerprint", [])
        assert {"pg_cron", "pgagent"} <= set(manifest["extensions"])
        assert "cron.job" in manifest["fingerprint"]["tables"]
        with Session(scheduling, name, "tests") as session:
            assert session.value("SELECT to_regnamespace('cron') IS NULL AS v") is True
            assert session.value("SELECT name AS v FROM cron") == "not a job"
            assert session.value("SELECT array_agg(jobenabled) AS v FROM pgagent.pga_job") == [False]
        with Session(scheduling, "shop", "tests") as session:
            assert session.value("SELECT array_agg(active) AS v FROM cron.job") == [True]
    finally:
        run(scheduling, "postgres", f'DROP DATABASE "{name}" WITH (FORCE)')


def _production(server: Server) -> dict[str, Any]:
    with Session(server, "shop", "tests") as session:
        return preflight.database_facts.read_facts(session)
