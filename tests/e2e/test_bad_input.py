"""Bad input: the error names what is wrong, and nothing is touched on either side.

What is found when both sides are looked at is tried by many dev hosts in one run, one fault each.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session
from playbook import ROOT, Demo, Played

from migration_rehearsal import demo_servers, embedded

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("bad_input")]

# Fault → what the finding must say.
FAULTS = {
    "production-ssh-closed": r"production-of-production-ssh-closed cannot be reached: .*port \d+: Connection refused",
    "production-no-socket": r"production: .*staffprobot_prod.*/nonexistent/socket",
    "wrong-database": r'production: .*database "no_such_database" does not exist',
    "no-rights": r"role rehearsal_e2e_reader has no rights to dump public\.\w+, .* and \d+ more of .*staffprobot_prod.*pg_read_all_data",
    "no-such-role": r'production: .*role "nobody_like_that" does not exist',
    "old-pg-dump": r"production: pg_dump is version 16, older than the server's 18",
    "old-dev": r"dev: PostgreSQL 16\.\d+ is older than production's 18",
    "dev-no-socket": r"dev: .*/nonexistent/socket",
    "dev-may-not-create": r"dev: role rehearsal_e2e_reader may not create databases .*CREATEDB",
    "no-ini": r"missing\.ini",
    "no-application": r"/nonexistent/application",
    "no-python": r"/nonexistent/python",
    "production-itself": r"the copy would be staffprobot_prod, which is production's own database on the same server: it was not touched",
    "foreign-database": r"database staffprobot_dev is there already and does not carry a rehearsal's marker: it was not touched",
    "small-disk": r"production: the dump needs about \d+ MiB below .*small\d*, and [01] MiB are free",
    "small-disk-dev": r"dev: the backup with its unpacked dump needs about \d+ MiB below .*small\d*, and [01] MiB are free",
}


def closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def older_server(demo: Demo, postgres_servers: Callable[[int], Any]) -> Any:
    """A server of an older major version than the demonstration's, None where this machine has none."""
    try:
        embedded.find_binaries(major=16)
    except embedded.ClusterError:
        return None
    return postgres_servers(16) if demo.cluster("production").major > 16 else None


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """A file system of 1 MiB, None where it cannot be mounted."""
    place = tmp_path_factory.mktemp("small")
    mount = shutil.which("mount")
    done = mount and os.geteuid() == 0 and subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True)
    if not done or done.returncode != 0:
        yield None
        return
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture(scope="module")
def reader(demo: Demo) -> Iterator[str]:
    """A role that may connect to both servers and do nothing there."""
    name = "rehearsal_e2e_reader"
    for side in ("production", "dev"):
        demo.execute(side, f"CREATE ROLE {name} LOGIN")
    yield name
    for side in ("production", "dev"):
        demo.execute(side, f"DROP ROLE {name}")


@pytest.fixture(scope="module")
def played(demo: Demo, older_server: Any, small_disk: Path | None, reader: str, tmp_path_factory: pytest.TempPathFactory) -> Played:
    directory = tmp_path_factory.mktemp("bad_input")
    dev: dict[str, dict[str, Any]] = {}
    prod: dict[str, dict[str, Any]] = {"production": demo.production_variables()}

    def bad_production(fault: str, more: dict[str, Any] | None = None, **changes: Any) -> None:
        prod[f"production-of-{fault}"] = {**demo.production_variables(**changes), **(more or {})}
        dev[fault] = demo.dev_variables(rehearsal_production=f"production-of-{fault}")

    def bad_dev(fault: str, **changes: Any) -> None:
        dev[fault] = demo.dev_variables(rehearsal_production="production", **changes)

    ssh = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": closed_port(), "ansible_ssh_retries": 0}
    bad_production("production-ssh-closed", ssh)
    bad_production("production-no-socket", rehearsal_postgres=demo.postgres("production", host="/nonexistent/socket"))
    bad_production("wrong-database", rehearsal_database="no_such_database")
    bad_production("no-rights", rehearsal_postgres=demo.postgres("production", user=reader))
    bad_production("no-such-role", rehearsal_postgres=demo.postgres("production", user="nobody_like_that"))
    if older_server:
        bad_production("old-pg-dump", rehearsal_postgres=demo.postgres("production", bin_dir=str(older_server.bin_dir)))
        bad_dev("old-dev", rehearsal_postgres=demo.postgres("dev", host=older_server.host, port=older_server.port))
    bad_dev("dev-no-socket", rehearsal_postgres=demo.postgres("dev", host="/nonexistent/socket"))
    bad_dev("dev-may-not-create", rehearsal_postgres=demo.postgres("dev", user=reader))
    bad_dev("no-ini", rehearsal_application=demo.application(config="missing.ini"))
    bad_dev("no-application", rehearsal_application=demo.application(chdir="/nonexistent/application"))
    bad_dev("no-python", rehearsal_application=demo.application(command=["/nonexistent/python"]))
    # One server for both sides.
    bad_dev("production-itself", rehearsal_postgres=demo.postgres("production"), rehearsal_copy_database="staffprobot_prod")
    bad_dev("foreign-database", rehearsal_copy_database="staffprobot_dev")
    if small_disk:
        bad_production("small-disk", rehearsal_work_dir=str(small_disk))
        bad_dev("small-disk-dev", rehearsal_work_dir=str(small_disk))
    inventory = demo.write_inventory(directory, prod=prod, dev=dev)
    return demo.play(inventory, directory / "run", environment={"ANSIBLE_FORKS": "4"})


def skip_without(fault: str, older_server: Any, small_disk: Path | None) -> None:
    if fault in ("old-pg-dump", "old-dev") and not older_server:
        pytest.skip("needs PostgreSQL 16 and a newer one on this machine")
    if fault in ("small-disk", "small-disk-dev") and not small_disk:
        pytest.skip("needs to mount a small file system, which only root may")


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_named_before_anything_is_touched(fault: str, played: Played, older_server: Any, small_disk: Path | None) -> None:
    skip_without(fault, older_server, small_disk)
    assert played.rc != 0
    record = played.record_of(fault)
    assert record["verdict"] == "INCOMPLETE"
    assert {stage["name"] for stage in record["stages"]} <= {"preflight", "evidence", "cleanup"}
    blockers = {finding["message"]: finding["code"] for finding in record["findings"] if finding["severity"] == "blocker"}
    assert len(blockers) == 1, "one fault, one blocker"
    ((message, code),) = blockers.items()
    assert re.search(FAULTS[fault], message)
    assert code in ("preflight", "stage-failed"), "the rehearsal failed, not the migrations"
    assert message in played.stdout
    assert record["production"].keys() == {"host", "database"} and record["revisions"] == []


def test_one_line_for_each_in_the_summary(played: Played) -> None:
    summary = played.stdout.split("TASK [Summary of all databases]")[1].split("PLAY RECAP")[0]
    assert summary.count("INCOMPLETE") == len(played.records) >= 12


def test_both_sides_are_as_they_were(demo: Demo, played: Played, small_disk: Path | None, older_server: Any) -> None:
    assert played.rc != 0
    assert demo.left(played.report_dir) == []
    assert small_disk is None or list(small_disk.iterdir()) == []
    if older_server:
        with Session(older_server.server, "postgres", "tests") as session:
            assert session.value("SELECT count(*) FROM pg_database WHERE datname ~ '^rehearsal|^staffprobot'") == 0


# -- Inventories and expectations that cannot be used: the controller says so, and no rehearsal begins. ------------------------


@pytest.fixture(scope="module")
def unusable(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Played:
    directory = tmp_path_factory.mktemp("unusable")
    texts = {
        "unknown-key": "revision: 3bcf125fefbd\n\nafter_upgrade:\n  tabels: {}\n",
        "wrong-type": "after_upgrade:\n  tables:\n    shifts:\n      indexes: many\n",
        "no-yaml": "revision: 3bcf125fefbd\nafter_upgrade: [\n",
    }
    dev = {}
    for name, text in texts.items():
        (directory / f"{name}.yml").write_text(text)
        dev[name] = demo.dev_variables(rehearsal_expectations=str(directory / f"{name}.yml"))
    dev["no-file"] = demo.dev_variables(rehearsal_expectations=str(directory / "nowhere.yml"))
    dev["no-command"] = demo.dev_variables(rehearsal_application=demo.application(command=sys.executable))
    dev["unknown-application-key"] = demo.dev_variables(rehearsal_application=demo.application(enviroment={}))
    dev["wrong-keep"] = demo.dev_variables(rehearsal_keep="everything")
    dev["wrong-language"] = demo.dev_variables(rehearsal_language="de")
    dev["wrong-formats"] = demo.dev_variables(rehearsal_report_formats=["md", "pdf"])
    dev["wrong-root"] = demo.dev_variables(rehearsal_report_source_root="../up")
    dev["wrong-proof"] = demo.dev_variables(rehearsal_data_proof="ful", rehearsal_stairway="maybe")
    dev["misspelt"] = demo.dev_variables(rehearsal_expectation=str(demo.state.application / "expectations.yml"))
    dev["no-value"] = {**demo.dev_variables(), "rehearsal_ephemeral": None}
    dev["wrong-production"] = demo.dev_variables(rehearsal_production="elsewhere")
    inventory = demo.write_inventory(directory, prod={"production": demo.production_variables()}, dev=dev)
    return demo.play(inventory, directory / "run")


UNUSABLE = {
    "unknown-key": r"unknown-key\.yml:4: .*tabels",
    "wrong-type": r"wrong-type\.yml:4: .*indexes",
    "no-yaml": r"no-yaml\.yml:[23]: ",
    "no-file": r"nowhere\.yml:1: cannot be read: No such file",
    "no-command": r"no-command: rehearsal_application\.command must be a list of words",
    "unknown-application-key": r"unknown-application-key: rehearsal_application has unknown keys: enviroment",
    "wrong-keep": r"wrong-keep: rehearsal_keep is «everything»: it must be one of copy, backup, template, none",
    "wrong-language": r"wrong-language: rehearsal_language is «de»: it must be one of en, ru",
    "wrong-formats": r"wrong-formats: rehearsal_report_formats is «pdf»: it must be one of json, text, html, md, junit, sarif",
    "wrong-root": r"wrong-root: rehearsal_report_source_root cannot be used: the source root is «../up»",
    "wrong-proof": r"wrong-proof: rehearsal_data_proof is «ful»: it must be .* wrong-proof: rehearsal_stairway must be of type bool",
    "misspelt": r"misspelt: rehearsal_expectation is no variable of a rehearsal: rehearsal_expectations is",
    "no-value": r"no-value: rehearsal_ephemeral has no value: leave the line out, or write rehearsal_ephemeral: \{\}",
    "wrong-production": r"wrong-production: rehearsal_production names «elsewhere», which is not a host",
}


@pytest.mark.parametrize("host", UNUSABLE)
def test_unusable_input_is_named_with_its_place(unusable: Played, host: str) -> None:
    assert unusable.rc != 0
    assert re.search(UNUSABLE[host], unusable.said), unusable.stdout
    assert re.search(rf"fatal: \[{host}\]: FAILED!.*The inventory cannot be used", unusable.stdout)


def test_unusable_input_begins_no_rehearsal(demo: Demo, unusable: Played) -> None:
    assert not unusable.report_dir.exists()
    assert demo.left() == []


def test_form_to_fill_in_names_every_missing_value(demo: Demo, tmp_path: Path) -> None:
    played = demo.play(ROOT / "inventory/prod", tmp_path)
    assert played.rc != 0 and not played.report_dir.exists()
    for missing in (
        "production: ansible_host is not set",
        "production: rehearsal_database is not set",
        "rehearsal: ansible_host is not set",
        "rehearsal: rehearsal_application.command must be",
    ):
        assert missing in played.said


def test_addresses_may_be_left_out_or_empty_for_this_machine(demo: Demo, tmp_path: Path) -> None:
    production = demo.production_variables(rehearsal_database=None)
    inventory = demo.write_inventory(
        tmp_path, prod={"here": {**production, "ansible_host": None}, "named": {**production, "ansible_connection": "ssh"}}, dev={
            "of-here": demo.dev_variables(rehearsal_production="here"), "of-named": demo.dev_variables(rehearsal_production="named"),
        },
    )  # fmt: skip
    played = demo.play(inventory, tmp_path)
    assert "here: rehearsal_database is not set" in played.said and "named: rehearsal_database is not set" in played.said
    assert "ansible_host" not in played.said


def test_host_called_like_its_group_hides_no_other(demo: Demo, tmp_path: Path) -> None:
    inventory = demo.write_inventory(
        tmp_path, prod={"production": demo.production_variables()}, dev={"dev": demo.dev_variables(), "second": demo.dev_variables()}
    )
    played = demo.play(inventory, tmp_path)
    assert played.rc != 0 and not played.report_dir.exists()
    assert "Ansible would leave out second" in played.said


def test_servers_of_the_demonstration_that_are_down(demo: Demo, tmp_path: Path) -> None:
    played = demo.play(demo_servers.inventory_directory(), tmp_path, environment={"REHEARSAL_DEMO": str(tmp_path / "nowhere")})
    assert played.rc != 0 and not played.report_dir.exists()
    assert "The demonstration servers are not running" in played.said and "rehearse demo --up" in played.said
    # One cause, told once.
    assert len(json.loads(played.stdout.split("FAILED! => ")[1].splitlines()[0])["problems"]) == 1
