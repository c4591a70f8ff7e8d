"""The copy in a server of its own: production's version, roles and settings; reached through a private socket; gone with its directory."""

from __future__ import annotations

import json
import lzma
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory
from playbook import Demo, Played, findings

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("ephemeral")]


def own_server(demo: Demo, data: Path, **changes: Any) -> dict[str, Any]:
    """The dev variables of a rehearsal whose copy has a server of its own. The demonstration's dev server is not even named."""
    wish = {"bin_dir": str(demo.cluster("production").server_bin_dir), "directory": str(data), "settings": {"work_mem": "5MB"}}
    application = demo.application(environment={"DATABASE_URL": "postgresql+psycopg://{{ rehearsal_copy_address }}"})
    changed = {"rehearsal_copy": "ephemeral", "rehearsal_ephemeral": wish, "rehearsal_application": application, "rehearsal_postgres": None}
    return demo.dev_variables(**{**changed, **changes})


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """Where the servers lie: root's run as another user, who must get there."""
    place = Path(tempfile.mkdtemp(prefix="own-"))
    place.chmod(0o711)
    (place / "data").mkdir(mode=0o711)
    yield place / "data"
    shutil.rmtree(place)


def as_reader(demo: Demo) -> dict[str, Any]:
    return demo.production_variables(rehearsal_postgres=demo.postgres("production", user="reader"))


@pytest.fixture(scope="module")
def played(demo: Demo, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Of a role that may read everything and take no base backup: what was to be a physical copy is a dump."""
    place = tmp_path_factory.mktemp("ephemeral")
    demo.execute("production", "CREATE ROLE reader LOGIN", "GRANT pg_read_all_data, pg_read_all_settings, pg_read_all_stats TO reader")
    demo.execute("production", "CREATE ROLE reporting LOGIN", "ALTER ROLE reporting SET lock_timeout = '7s'")
    demo.execute("production", "ALTER SYSTEM SET random_page_cost = 1.7", "SELECT pg_reload_conf()")
    try:
        dev = {"rehearsal": own_server(demo, data, rehearsal_source="auto")}
        yield demo.play(demo.write_inventory(place / "inventory", prod={"production": as_reader(demo)}, dev=dev), place)
    finally:
        demo.execute("production", "DROP ROLE reader", "DROP ROLE reporting", "ALTER SYSTEM RESET random_page_cost", "SELECT pg_reload_conf()")


def evidence(played: Played, name: str) -> dict[str, Any]:
    return json.loads((played.directory / "evidence" / name).read_text())  # type: ignore[no-any-return]


def timeline(played: Played) -> list[dict[str, Any]]:
    lines = (played.directory / "evidence" / "migration-upgrade.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_it_is_go(played: Played) -> None:
    assert played.rc == 0, played.said


def test_it_says_why_it_is_no_physical_copy(played: Played) -> None:
    reason = "production: the role has no right to take a base backup: ALTER ROLE … REPLICATION"
    assert played.record is not None
    assert (played.record["copy"]["source"], played.record["copy"]["why_not_physical"]) == ("dump", [reason])
    (finding,) = findings(played.record, "dump-chosen")
    assert reason in finding["message"] and finding["severity"] == "info"


def test_a_physical_copy_that_cannot_be_taken_is_refused(demo: Demo, data: Path, played: Played, tmp_path: Path) -> None:
    dev = {"rehearsal": own_server(demo, data, rehearsal_source="basebackup")}
    inventory = demo.write_inventory(tmp_path / "inventory", prod={"production": as_reader(demo)}, dev=dev)
    refused = demo.play(inventory, tmp_path, "--tags", "preflight")
    assert refused.rc != 0
    assert "production: no physical copy: the role has no right to take a base backup" in refused.said
    assert os.listdir(data) == []


def test_it_has_productions_version_roles_and_settings(demo: Demo, played: Played) -> None:
    copy, manifest = evidence(played, "copy.json"), evidence(played, "manifest.json")
    assert copy["place"] == "ephemeral"
    assert copy["facts"]["server_version"] == manifest["server_version"]
    assert (copy["differences"], copy["missing_roles"], copy["settings_not_replayed"]) == ([], [], [])
    assert manifest["server"]["settings"]["random_page_cost"] == "1.7"
    assert [role["settings"] for role in manifest["server"]["roles"] if role["name"] == "reporting"] == [["lock_timeout=7s"]]
    assert findings(played.record or {}, "parity") == []


def test_the_migrations_ran_in_it(demo: Demo, played: Played) -> None:
    addresses = [event["address"] for event in timeline(played) if event["event"] == "connection" and "address" in event]
    assert addresses and all(address["host"].endswith("socket") for address in addresses)
    assert not any(address["host"] == demo.postgres("dev")["host"] for address in addresses)


def test_the_first_migration_waited_for_the_disk(played: Played) -> None:
    assert played.record is not None
    assert played.record["copy"]["flush_seconds"] == evidence(played, "flush.json")["seconds"] >= 0


def test_nothing_is_left(demo: Demo, data: Path, played: Played) -> None:
    assert demo.left(played.report_dir) == []
    assert os.listdir(data) == []


def test_an_existing_backup_needs_no_production(demo: Demo, data: Path, tmp_path: Path) -> None:
    server = demo.server("production")
    backup = tmp_path / "last-night"
    conninfo = server.conninfo(demo.state.production.database, "tests")
    subprocess.run(server.tool("pg_dump", "--format=custom", f"--file={backup}", f"--dbname={conninfo}"), check=True)
    before = backup.read_bytes()
    dev = own_server(demo, data, rehearsal_backup_file=str(backup))
    played = demo.play(demo.write_inventory(tmp_path / "inventory", prod={}, dev={"rehearsal": dev}), tmp_path)
    assert played.rc == 0, played.said
    assert played.record is not None and played.record["verdict"] == "GO with warnings"
    (finding,) = findings(played.record, "copy-not-proved")
    assert finding["object"] == str(backup)
    assert played.record["checklist"][0]["status"] == "not measured"
    assert backup.read_bytes() == before
    assert demo.left(played.report_dir) == []
    assert os.listdir(data) == []


def test_an_existing_backup_on_either_host(demo: Demo, tmp_path: Path) -> None:
    """In one play: one lies on dev, compressed as a whole; the other on production, a directory, which is packed there and carried."""
    server, database = demo.server("production"), demo.state.production.database
    dump = server.tool("pg_dump", f"--dbname={server.conninfo(database, 'tests')}")
    compressed, directory = tmp_path / "there.xz", tmp_path / "last-night"
    compressed.write_bytes(lzma.compress(subprocess.run([*dump, "--format=custom", "--compress=0"], check=True, capture_output=True).stdout))
    subprocess.run([*dump, "--format=directory", f"--file={directory}"], check=True)
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    dev = {
        "on-dev": demo.dev_variables(rehearsal_backup_file=str(compressed), rehearsal_backup_file_host="dev"),
        "on-production": demo.dev_variables(rehearsal_backup_file=str(directory), rehearsal_backup_file_host="production"),
    }
    played = demo.play(demo.write_inventory(tmp_path / "inventory", prod={"production": demo.production_variables()}, dev=dev), tmp_path)
    assert played.rc == 0, played.said
    for host, form in (("on-dev", "custom"), ("on-production", "directory")):
        record = played.record_of(host)
        assert record["verdict"] == "GO with warnings" and record["copy"]["rows"] > 3000
        summaries = {stage["name"]: stage.get("summary", "") for stage in record["stages"]}
        assert summaries["backup"].startswith(form) and ("transfer" in summaries) == (host == "on-production"), summaries
    assert compressed.exists() and {path.name: path.read_bytes() for path in directory.iterdir()} == before
    assert demo.left(played.report_dir) == []


def first(played: Played, name: str) -> dict[str, Any]:
    """Evidence of the first rehearsal below a report directory."""
    return json.loads((played.directories[0] / "evidence" / name).read_text())  # type: ignore[no-any-return]


def assert_another_go(again: Played, copy: dict[str, Any], data: Path) -> None:
    """From the files that the first rehearsal kept: no backup, the same proof, and nothing of its own is left."""
    assert again.rc == 0 and again.record is not None, again.said
    kept = first(again, "template.json")
    assert kept["directory"].startswith(str(data)) and again.record["again"]["directory"] == kept["directory"]
    assert not {"backup", "transfer", "template"} & {stage["name"] for stage in again.record["stages"]}
    assert again.record["cleanup"]["dev"]["left"] == [] and f"kept until {kept['expires']}: {kept['directory']}" in again.said
    made = evidence(again, "copy.json")
    assert (made["proved_by"], made["differences"], made["rows"], made["place"]) == ("checksums", [], copy["rows"], "ephemeral")
    assert len(os.listdir(data)) == 1 and sorted(os.listdir(data / os.listdir(data)[0])) == ["rehearsal.json", "template"]


def test_a_dump_that_dev_pulls(demo: Demo, data: Path, tmp_path: Path) -> None:
    way = {"rehearsal_transfer": "pull", "rehearsal_production_from_dev": demo.postgres("production"), "rehearsal_prove_backup": "fingerprint"}
    inventory = demo.write_inventory(
        tmp_path / "inventory", prod={"production": demo.production_variables()}, dev={"rehearsal": own_server(demo, data, **way)}
    )
    played = demo.play(inventory, tmp_path)
    assert played.rc == 0, played.said
    copy, manifest = evidence(played, "copy.json"), evidence(played, "manifest.json")
    assert (copy["proved_by"], copy["differences"], copy["place"]) == ("fingerprint", [], "ephemeral")
    assert sum(manifest["rows"].values()) == copy["rows"] > 3000
    assert played.record is not None
    assert (played.record["copy"]["source"], played.record["production"]["load"]["bytes"] > 0) == ("dump", True)
    assert demo.left(played.report_dir) == []
    assert os.listdir(data) == []


@pytest.mark.parametrize("way", ["auto", "pulled"])
def test_a_physical_copy(demo: Demo, data: Path, tmp_path: Path, way: str) -> None:
    more: dict[str, Any] = {"rehearsal_source": "auto" if way == "auto" else "basebackup"}
    if way == "auto":
        more |= {"rehearsal_transfer": "stream", "rehearsal_keep": "template"}
    if way == "pulled":
        # A program that notes what it starts stands for `docker exec`.
        through = ["sh", "-c", f'echo "$*" >> {tmp_path}/noted; exec "$@"', "sh"]
        more["rehearsal_production_from_dev"] = {**demo.postgres("production"), "prefix": through}
    with demo.another_database("production", "somebody_elses"):
        dev = own_server(demo, data, **more)
        inventory = demo.write_inventory(tmp_path / "inventory", prod={"production": demo.production_variables()}, dev={"rehearsal": dev})
        played = demo.play(inventory, tmp_path)
    again = demo.play(inventory, tmp_path, playbook="playbooks/again.yml") if way == "auto" else None
    assert played.rc == 0, played.said
    copy, manifest = first(played, "copy.json"), first(played, "manifest.json")
    assert (copy["proved_by"], copy["differences"], copy["others_left"]) == ("checksums", [], [])
    assert sum(manifest["rows"].values()) == copy["rows"] > 3000
    assert bool(manifest["files"]) == (way != "pulled")
    if way == "pulled":
        noted = (tmp_path / "noted").read_text()
        assert "--pgdata=- --format=tar" in noted and "rehearsal-*" in noted.split("--pgdata=-")[1], "clean-up looks there too"
    record = played.records[0]
    assert (record["copy"]["source"], record["copy"]["why_not_physical"]) == ("basebackup", [])
    assert record["production"]["load"]["bytes"] > copy["facts"]["size_bytes"]
    if again:
        assert_another_go(again, copy, data)
        assert WorkDirectory.at(str(demo.state.dev.work_dir), record["id"], "dev").remove()
    assert demo.left(played.report_dir) == []
    assert os.listdir(data) == []
