"""Before anything is touched: whether dev can restore an existing backup, whether the hosts reach each other, whether there is room on every way."""

from __future__ import annotations

import dataclasses
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.action.preflight import add_problems, controller_problems
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    backup_file,
    database_facts,
    direct,
    disk,
    preflight,
    preflight_file,
    preflight_own_server,
    replication_way,
    server_programs,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.ephemeral import Wish
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.preflight_file import File

from migration_rehearsal import embedded

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("preflight ways")]

_MIB = 1 << 20


def facts_of(server: Any, database: str) -> dict[str, Any]:
    with Session(server, database, "tests") as session:
        facts = database_facts.read_facts(session)
        return {**facts, "system_identifier": database_facts.read_system_identifier(session)}


# -- An existing backup -------------------------------------------------------------------------------------------------------


def test_a_backup_that_dev_cannot_read_for_want_of_a_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (told,) = preflight_file.problems(File("/backups/a", "plain", "zstd", 5, "dev"), str(tmp_path))
    assert told.startswith("dev: the backup is compressed with zstd, and dev has no program of that name: install zstd")
    for known in ("", "gzip", "bzip2", "xz"):
        assert preflight_file.problems(File("/backups/a", "plain", known, 5, "dev"), str(tmp_path)) == []
    # A Python that was built without it.
    monkeypatch.setitem(sys.modules, "lzma", None)
    assert "has no program of that name: install xz" in preflight_file.problems(File("/backups/a", "plain", "xz", 5, "dev"), str(tmp_path))[0]
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "lzma", None)
    path = tmp_path / "a.xz"
    path.write_bytes(subprocess.run(["xz", "-c"], input=b"CREATE TABLE t ();\n", capture_output=True, check=True).stdout)
    assert backup_file.inspect(str(path)).format == "plain"


@pytest.mark.parametrize(
    ("file", "needed"),
    [
        (File("/a", "plain", "", 100 * _MIB, "dev"), 0),
        (File("/a", "plain", "gzip", 100 * _MIB, "controller"), 100),
        (File("/a", "custom", "", 100 * _MIB, "production"), 100),
        (File("/a", "custom", "xz", 100 * _MIB, "controller"), 300),
        (File("/a", "packed directory", "", 100 * _MIB, "dev"), 100),
    ],
)
def test_room_for_what_is_carried_and_unpacked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: File, needed: int) -> None:
    monkeypatch.setattr(disk, "free_here", lambda path: needed * _MIB)
    assert preflight_file.problems(file, str(tmp_path)) == []
    monkeypatch.setattr(disk, "free_here", lambda path: max(needed * _MIB - 1, 0))
    found = preflight_file.problems(file, str(tmp_path))
    assert [f"needs at least {needed} MiB below {tmp_path}" in problem for problem in found] == ([True] if needed else [])


def test_room_for_what_is_brought_into_devs_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(disk, "free_here", lambda path: 100 * _MIB)
    monkeypatch.setattr(disk, "free_inside", lambda server, path: 90 * _MIB)
    server = Server(prefix=("env",))
    assert preflight_file.problems(File("/a", "plain", "", 100 * _MIB, "dev"), str(tmp_path), server) == []
    # Otherwise it would be read where it lies.
    (told,) = preflight_file.problems(File("/a", "custom", "", 100 * _MIB, "dev"), str(tmp_path), server)
    assert told == "dev: the dump in the container needs at least 100 MiB below /tmp, and 90 MiB are free"


def test_what_an_archive_on_dev_needs_is_told_before(postgres_server: Any, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    role = f"only_there_{new_id()[-6:]}"
    server = postgres_server.server
    with Session(server, database, "tests") as session:
        session.execute(f"CREATE ROLE {role}")
        session.execute("CREATE TABLE t (id int)")
        session.execute(f"ALTER TABLE t OWNER TO {role}")
    path = tmp_path / "backup"
    subprocess.run(server.tool("pg_dump", "--format=custom", f"--file={path}", f"--dbname={server.conninfo(database, 'tests')}"), check=True)
    with Session(server, database, "tests") as session:
        session.execute("DROP TABLE t")
        session.execute(f"DROP ROLE {role}")
    file = File(str(path), "custom", "", path.stat().st_size, "dev")

    def look(file: File) -> tuple[list[str], list[dict[str, Any]]]:
        _facts, problems, findings = preflight.look_at_dev(server, "copy_x", new_id(), str(tmp_path), {}, "shop", 30, file=file)
        return problems, findings

    problems, findings = look(file)
    assert problems == [] and [finding["object"] for finding in findings] == [role]
    # Where only the restore can tell, nothing is said.
    assert look(dataclasses.replace(file, on="controller")) == ([], [])
    needs, _ = preflight_file.needs(file, server, 30)
    assert needs is not None
    needs.extensions |= {"plpgsql", "no_such_thing"}
    monkeypatch.setattr(preflight_file, "needs", lambda *_: (needs, []))
    assert look(file)[0] == ["dev: extension no_such_thing, which the backup needs, is not installed on dev's server"]
    bin_dir = str(embedded.find_binaries(major=15).bin_dir)
    monkeypatch.setattr(server_programs, "newest", lambda: bin_dir)
    own = preflight_own_server.look(Wish(directory=str(tmp_path)), str(tmp_path), {}, file=file)[1]
    assert f"dev: extension no_such_thing, which the backup needs, is not installed beside {bin_dir}" in own


def test_an_archive_that_dev_cannot_read(postgres_server: Any, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    path.write_bytes(b"PGDMP" + bytes(100))
    needs, problems = preflight_file.needs(File(str(path), "custom", "", 105, "dev"), postgres_server.server, 30)
    assert needs is None and problems[0].startswith(f"dev: pg_restore cannot read {path}: it is damaged, or was made by a newer pg_dump")


# -- A server of the copy's own -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("physical", "said"), [(False, "a restore on dev makes 1.0"), (True, "the programs of dev's belong to 1.0")])
def test_an_extension_of_another_version(postgres_servers: Any, tmp_path: Path, physical: bool, said: str) -> None:
    postgres = postgres_servers(15)
    production = {**facts_of(postgres.server, "postgres"), "extensions": {"plpgsql": "0.9", "pg_cron": "1"}}
    wish = Wish(bin_dir=str(postgres.cluster.server_bin_dir), directory=str(tmp_path))
    _facts, _problems, findings = preflight_own_server.look(wish, str(tmp_path), production, physical=physical)
    assert [(found["code"], found["object"], found["message"]) for found in findings] == [
        ("parity", "plpgsql", f"extension plpgsql is 0.9 on production; {said}")
    ]


def test_a_copy_that_dev_pulls_is_tried(postgres_servers: Any, tmp_path: Path) -> None:
    postgres = postgres_servers(15)
    server, production = postgres.server, facts_of(postgres.server, "postgres")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "psql").symlink_to(Path(server.bin_dir) / "psql")

    def look(version: int = 15, **changes: Any) -> list[str]:
        (programs / "pg_basebackup").write_text(f"#!/bin/sh\necho 'pg_basebackup (PostgreSQL) {version}.1'\n")
        (programs / "pg_basebackup").chmod(0o755)
        reached = dataclasses.replace(server, bin_dir=str(programs), **changes)
        return replication_way.from_dev_problems(reached, production, new_id(), 30)

    assert look() == []
    assert look(13) == ["pg_basebackup is version 13 on dev, older than the server"]
    production["system_identifier"] = "7000000000000000001"
    (other,) = look()
    assert other.startswith("rehearsal_production_from_dev (") and other.endswith("leads dev to another server than production's")
    (refused,) = look(user="nobody_there")
    assert refused.startswith("dev gets no replication connection to production (") and 'role "nobody_there" does not exist' in refused
    (programs / "psql").unlink()
    assert "dev could not try whether it reaches production" in look()[-1]


def test_a_pg_dump_of_devs_that_is_too_old_is_told_with_the_variable_that_names_it(postgres_server: Any, tmp_path: Path) -> None:
    server = postgres_server.server
    (tmp_path / "psql").symlink_to(Path(server.bin_dir) / "psql")
    (tmp_path / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6'\n")
    (tmp_path / "pg_dump").chmod(0o755)
    reached = dataclasses.replace(server, bin_dir=str(tmp_path))
    _major, (told,) = preflight.look_from_dev(reached, "postgres", new_id(), facts_of(server, "postgres"), 30)
    assert told.startswith("dev: pg_dump is version 9, older than the server's") and told.endswith("in rehearsal_production_from_dev.bin_dir")


# -- Between the hosts --------------------------------------------------------------------------------------------------------


def test_a_dev_that_production_does_not_reach() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        options = ("UserKnownHostsFile=/dev/null", "StrictHostKeyChecking=no")
        said = direct.unreachable(direct.Target("127.0.0.1", port=taken.getsockname()[1], options=options))
    assert "Connection refused" in said


def test_room_where_the_dump_is_put_into_devs_container(postgres_server: Any, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = dataclasses.replace(postgres_server.server, prefix=("env",))
    production = {**facts_of(postgres_server.server, database), "dump_bytes": 500 * _MIB}

    def look(**changes: Any) -> list[str]:
        asked = dataclasses.replace(server, **changes)
        found = preflight.look_at_dev(asked, "copy_x", new_id(), str(tmp_path), production, "shop", 30)[1]
        return [problem for problem in found if "in the container" in problem]

    assert look() == []
    monkeypatch.setattr(disk, "free_inside", lambda server, path: 400 * _MIB)
    assert look() == ["dev: the dump in the container needs about 516 MiB below /tmp, and 400 MiB are free"]
    assert "below /var/scratch" in look(scratch="/var/scratch")[0]
    monkeypatch.setattr(disk, "free_inside", lambda server, path: None)
    assert look() == []


@pytest.mark.parametrize(
    ("changes", "facts", "told"),
    [
        ({}, {"dump_bytes": 600 * _MIB}, True),
        ({"transfer": "stream"}, {"dump_bytes": 600 * _MIB}, True),
        ({"source": "basebackup"}, {"dump_bytes": 1, "basebackup": {"bytes": 600 * _MIB}}, True),
        ({"source": "basebackup", "pulled": True}, {"basebackup": {"bytes": 600 * _MIB}}, False),
        ({"transfer": "direct"}, {"dump_bytes": 600 * _MIB}, False),
        ({"source": "template"}, {"dump_bytes": 600 * _MIB}, False),
        ({"side": "dev"}, {"dump_bytes": 600 * _MIB}, False),
        ({}, {"dump_bytes": 400 * _MIB}, False),
        ({}, {}, False),
    ],
)
def test_room_on_the_controller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changes: dict[str, Any], facts: dict[str, Any], told: bool) -> None:
    monkeypatch.setattr(disk, "free_here", lambda path: 500 * _MIB)
    arguments = {"side": "production", "source": "dump", "controller_dir": str(tmp_path), **changes}
    expected = [f"controller: the backup on its way to dev needs about 600 MiB below {tmp_path}, and 500 MiB are free"] if told else []
    assert controller_problems(arguments, facts) == expected


def test_the_controllers_problem_is_one_of_all() -> None:
    result: dict[str, Any] = {"failed": True, "msg": "production: a", "problems": ["production: a"], "findings": [], "evidence": {"p.json": {}}}
    add_problems(result, ["controller: b"])
    assert (result["msg"], result["problems"]) == ("production: a\ncontroller: b", ["production: a", "controller: b"])
    assert [finding["message"] for finding in result["findings"]] == ["controller: b"]
    assert result["evidence"]["p.json"]["problems"] == result["problems"]
    quiet: dict[str, Any] = {"facts": {}}
    add_problems(quiet, [])
    assert quiet == {"facts": {}}
