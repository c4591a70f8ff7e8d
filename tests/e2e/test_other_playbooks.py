"""What automation around a rehearsal uses: workflow variables, added tasks, tags, --limit, and a role alone."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory
from object_storage import BUCKET, Storage, storage
from playbook import ROOT, Demo, Played, findings

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("other")]

STATS = {"ANSIBLE_SHOW_CUSTOM_STATS": "1"}


def stats(played: Played) -> dict[str, Any]:
    """The custom stats as the default callback prints them."""
    (line,) = [line for line in played.stdout.splitlines() if line.strip().startswith("RUN: ")]
    found: dict[str, Any] = json.loads(line.strip().removeprefix("RUN: "))
    return found


def psql(demo: Demo, statement: str) -> dict[str, Any]:
    """A task on dev that carries out a statement in the copy."""
    argv = [*demo.server("dev").tool("psql"), "-X", "-v", "ON_ERROR_STOP=1", "-d", "{{ rehearsal_copy_database }}", "-c", statement]
    cluster = demo.cluster("dev")
    environment = {"PGHOST": str(cluster.socket_directory), "PGPORT": str(cluster.port), "PGUSER": cluster.user}
    return {"name": f"Say {statement.split()[0]}", "ansible.builtin.command": {"argv": argv}, "environment": environment}


def task_file(path: Path, *tasks: dict[str, Any]) -> str:
    path.write_text(yaml.safe_dump(list(tasks)))
    return str(path)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage | str]:
    """Storage for reports, or why there is none here: the tests of everything else need none."""
    with contextlib.ExitStack() as stack:
        try:
            found: Storage | str = stack.enter_context(storage(tmp_path_factory.mktemp("bucket")))
        except pytest.skip.Exception as skipped:
            found = str(skipped)
        yield found


@pytest.fixture(scope="module")
def masked(demo: Demo, bucket: Storage | str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Three dev hosts: one masks and tries the application, the second's masking fails, the third's smoke test does."""
    place = tmp_path_factory.mktemp("hooks")
    mask = psql(demo, "UPDATE users SET first_name = 'masked'")
    # As teams write them: a file that takes its parts from others beside it.
    task_file(place / "imported.yml", mask)
    task_file(place / "included.yml", {"name": "Say which rehearsal", "ansible.builtin.debug": {"msg": "included in {{ rehearsal_id }}"}})
    parts = {"import_tasks": "imported.yml", "include_tasks": "included.yml"}
    good = demo.dev_variables(
        rehearsal_after_restore_tasks=task_file(
            place / "mask.yml", *({"name": f"Do {name}", f"ansible.builtin.{name}": file} for name, file in parts.items())
        ),
        rehearsal_report_store=str(place / "store"),
        rehearsal_before_upgrade_tasks=task_file(place / "before.yml", {"name": "Look", "ansible.builtin.debug": {"msg": "before"}}),
        rehearsal_after_upgrade_tasks=task_file(place / "smoke.yml", psql(demo, "SELECT id FROM contracts LIMIT 1")),
    )
    bad_mask = demo.dev_variables(rehearsal_after_restore_tasks=task_file(place / "bad_mask.yml", psql(demo, "UPDATE no_such_table SET a = 1")))
    stored: dict[str, Any] = {}
    if isinstance(bucket, Storage):
        keys = {"endpoint_url": bucket.address, "region": "us-east-1", "access_key": "rehearsal", "secret_key": "of-the-test"}
        stored = {"rehearsal_report_store": f"s3://{BUCKET}/shop/nightly", "rehearsal_report_store_s3": keys}
    bad_smoke = demo.dev_variables(
        **stored, rehearsal_after_upgrade_tasks=task_file(place / "bad_smoke.yml", psql(demo, "SELECT no_such_column FROM users"))
    )
    inventory = demo.write_inventory(
        place / "inventory", prod={"production": demo.production_variables()}, dev={"good": good, "mask": bad_mask, "smoke": bad_smoke}
    )
    yield demo.play(inventory, place, environment=STATS | (bucket.environment if isinstance(bucket, Storage) else {}))


def test_masking_is_not_taken_for_damage(masked: Played) -> None:
    record = masked.record_of("good")
    assert record["verdict"] == "GO with warnings", record["findings"]
    assert not [finding for finding in record["findings"] if finding["severity"] == "blocker"]
    names = [stage["name"] for stage in record["stages"]]
    order = ["restore", "after restore tasks", "evidence before", "before upgrade tasks", "upgrade"]
    assert [name for name in names if name in order] == order
    assert names.index("data") < names.index("after upgrade tasks") < names.index("downgrade")
    assert f"included in {record['id']}" in masked.stdout


def test_masking_that_fails_names_its_file_and_reaches_the_end(masked: Played) -> None:
    record = masked.record_of("mask")
    assert record["verdict"] == "INCOMPLETE"
    (found,) = findings(record, "hook-failed")
    assert found["object"].endswith("bad_mask.yml") and "bad_mask.yml" in found["message"] and "Say UPDATE" in found["message"]
    assert not findings(record, "stage-failed")
    assert {"cleanup", "evidence"} <= {stage["name"] for stage in record["stages"]}


def test_a_smoke_test_that_fails_is_no_go(masked: Played) -> None:
    record = masked.record_of("smoke")
    assert record["verdict"] == "NO-GO"
    (found,) = findings(record, "smoke-test-failed")
    assert found["object"].endswith("bad_smoke.yml")
    assert "no_such_column" not in json.dumps(record), "what a task said may hold what is in the rows"


def test_a_workflow_gets_the_worst_verdict_and_a_line_for_each(masked: Played) -> None:
    found = stats(masked)
    assert masked.rc != 0
    assert found["rehearsal_verdict"] == "NO-GO"
    lines = found["rehearsal_summary"].splitlines()
    assert [line.split("  ")[0] for line in lines] == ["NO-GO", "INCOMPLETE", "GO with warnings"]
    assert "on smoke: smoke-test-failed" in lines[0] and "on mask: hook-failed" in lines[1]
    assert found["rehearsal_report"].startswith(str(masked.report_dir / masked.record_of("smoke")["id"]))
    assert Path(found["rehearsal_report"]).is_file()
    # One of them was never upgraded: no number that would stand for all.
    assert found["rehearsal_downtime_ms"] is None


def test_reports_are_stored_on_dev(masked: Played) -> None:
    record = masked.record_of("good")
    store = masked.report_dir.parent / "store"
    (folder,) = store.iterdir()
    assert folder.name == record["id"]
    written = masked.report_dir / record["id"]
    names = {path.name for path in written.iterdir() if path.is_file()} - {"state.json"}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {name: (written / name).read_bytes() for name in names}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_reports_are_stored_in_a_bucket(masked: Played, bucket: Storage | str) -> None:
    if isinstance(bucket, str):
        pytest.skip(bucket)
    record = masked.record_of("smoke")
    written = masked.report_dir / record["id"]
    names = {path.name for path in written.iterdir() if path.is_file()} - {"state.json"}
    assert bucket.objects() == {f"shop/nightly/{record['id']}/{name}": (written / name).read_bytes() for name in names}
    assert "could not be copied" not in masked.said and "of-the-test" not in masked.said


def test_a_store_that_cannot_be_used_from_here_is_told_before_anything_is_touched(demo: Demo, tmp_path: Path) -> None:
    dev = {
        "good": demo.dev_variables(rehearsal_report_store=f"s3://{BUCKET}/shop"),
        "wrong": demo.dev_variables(rehearsal_report_store_s3={"endpoint": "x"}),
    }
    inventory = demo.write_inventory(tmp_path / "inventory", prod={"production": demo.production_variables()}, dev=dev)
    played = demo.play(inventory, tmp_path)
    assert played.rc != 0
    assert "good: a store s3:// needs the collection amazon.aws: ansible-galaxy collection install amazon.aws" in played.said
    assert "wrong: rehearsal_report_store_s3 must be a mapping: endpoint_url, region" in played.said
    assert not played.report_dir.exists()


def test_added_tasks_leave_nothing(demo: Demo, masked: Played) -> None:
    assert demo.left(masked.report_dir) == []


def test_files_of_tasks_that_cannot_be_used_are_told_before_anything_is_touched(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "words.yml").write_text("just words")
    dev = {
        "rehearsal_after_restore_tasks": str(tmp_path / "absent.yml"),
        "rehearsal_before_upgrade_tasks": str(tmp_path / "words.yml"),
        "rehearsal_after_upgrade_tasks": task_file(tmp_path / "unknown.yml", {"name": "Try", "no.such.module": {}}),
    }
    played = demo.play(demo.inventory(tmp_path / "inventory", dev=dev), tmp_path, environment=STATS)
    assert played.rc != 0
    for variable, value in dev.items():
        assert f"rehearsal: {variable} names {value}, which cannot be used" in played.said
    assert not played.report_dir.exists()
    assert stats(played)["rehearsal_verdict"] == "INCOMPLETE"


def test_tag_preflight_looks_and_leaves_nothing(demo: Demo, tmp_path: Path) -> None:
    before = demo.left()
    played = demo.play(demo.inventory(tmp_path / "inventory"), tmp_path, "--tags", "preflight", environment=STATS)
    assert played.rc == 0, played.said
    # No verdict, and none that says something went wrong.
    assert stats(played)["rehearsal_verdict"] == "" and "nothing was rehearsed" in stats(played)["rehearsal_summary"]
    assert "Look at production" in played.said and "Dump production" not in played.said
    assert not played.report_dir.exists()
    assert demo.left() == before


def test_a_step_that_is_left_out_is_not_measured(demo: Demo, tmp_path: Path) -> None:
    played = demo.play(demo.inventory(tmp_path / "inventory"), tmp_path, "--skip-tags", "downgrade", environment=STATS)
    assert played.rc != 0
    assert played.record is not None and played.record["verdict"] in ("INCOMPLETE", "NO-GO")
    assert findings(played.record, "not-measured")
    assert not [stage for stage in played.record["stages"] if stage["name"] in ("downgrade", "back", "again")]
    found = stats(played)
    assert found["rehearsal_verdict"] == played.record["verdict"] and found["rehearsal_downtime_ms"] == played.record["downtime_ms"] > 0
    assert demo.left(played.report_dir) == []


@pytest.mark.parametrize("playbook", ["rehearse.yml", "playbooks/preflight.yml"])
def test_a_limit_without_dev_hosts_is_an_error(demo: Demo, tmp_path: Path, playbook: str) -> None:
    played = demo.play(demo.inventory(tmp_path / "inventory"), tmp_path, "--limit", "production", playbook=playbook)
    assert played.rc != 0
    assert "--limit production leaves no host of group dev, where the copies are made: limit to one of rehearsal" in played.said
    assert not played.report_dir.exists()


def test_a_limit_to_a_dev_host_is_none(demo: Demo, tmp_path: Path) -> None:
    played = demo.play(demo.inventory(tmp_path / "inventory"), tmp_path, "--limit", "rehearsal", playbook="playbooks/preflight.yml")
    assert played.rc == 0, played.said


def test_the_backup_role_alone_makes_a_backup(demo: Demo, tmp_path: Path) -> None:
    # The play is the one in the documentation.
    (play,) = re.findall(r"```yaml\n(- name: Back up production.*?)```", (ROOT / "docs/other-playbooks.md").read_text(), re.DOTALL)
    (tmp_path / "backup.yml").write_text(play)
    inventory = demo.inventory(tmp_path / "inventory", dev={"rehearsal_application": None, "rehearsal_expectations": None})
    try:
        played = demo.play(
            inventory, tmp_path, playbook=str(tmp_path / "backup.yml"), environment={"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
        )
        assert played.rc == 0, played.said
        (archive,) = demo.state.production.work_dir.rglob("backup.tar")
        assert str(archive) in played.said
        with tarfile.open(archive) as packed:
            manifest = json.load(packed.extractfile(next(name for name in packed.getnames() if name.endswith("manifest.json"))))  # type: ignore[arg-type]
            packed.extractall(tmp_path / "unpacked", filter="data")
        # Good is what can be read back: every file as it was written, and all of it known to pg_restore.
        for name, facts in manifest["files"].items():
            assert hashlib.sha256((tmp_path / "unpacked" / name).read_bytes()).hexdigest() == facts["sha256"]
        listing = [*demo.server("production").tool("pg_restore"), "--list", str(tmp_path / "unpacked" / "dump")]
        assert subprocess.run(listing, check=True, capture_output=True, text=True).stdout.count(" TABLE DATA ") == len(manifest["rows"])
        assert sum(manifest["rows"].values()) == sum(
            demo.rows("production", f"SELECT count(*) AS n FROM {table}", demo.state.production.database)[0]["n"] for table in manifest["rows"]
        )
    finally:
        shutil.rmtree(demo.state.production.work_dir, ignore_errors=True)
    assert demo.left() == []


def test_the_backup_role_alone_makes_none_of_a_backup_that_is_there(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "shop.sql").write_text("SELECT 1;\n")
    (play,) = re.findall(r"```yaml\n(- name: Back up production.*?)```", (ROOT / "docs/other-playbooks.md").read_text(), re.DOTALL)
    (tmp_path / "backup.yml").write_text(play)
    inventory = demo.inventory(tmp_path / "inventory", dev={"rehearsal_application": None, "rehearsal_backup_file": str(tmp_path / "shop.sql")})
    played = demo.play(
        inventory, tmp_path, playbook=str(tmp_path / "backup.yml"), environment={"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
    )
    assert played.rc != 0 and "rehearsal_backup_file names a backup that is there already" in played.said
    assert demo.left() == []


def test_a_sweep_that_finds_no_host_is_no_success(demo: Demo, tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("all:\n  hosts:\n    somewhere:\n      ansible_connection: local\n")
    played = demo.play(inventory, tmp_path, playbook="playbooks/sweep.yml")
    assert played.rc != 0 and "no host in group dev or prod" in played.said


def test_the_roles_make_a_rehearsal_in_a_play_of_ones_own(demo: Demo, tmp_path: Path) -> None:
    (play,) = re.findall(r"```yaml\n(- name: Rehearse without the way back.*?)```", (ROOT / "docs/other-playbooks.md").read_text(), re.DOTALL)
    (tmp_path / "own.yml").write_text(play)
    played = demo.play(
        demo.inventory(tmp_path / "inventory"), tmp_path, playbook=str(tmp_path / "own.yml"),
        environment={"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")},
    )  # fmt: skip
    assert played.rc == 0 and played.record is not None, played.said
    verdict = played.record["verdict"]
    assert f"{verdict}, {played.directory}/report.html" in played.said and not verdict.startswith("GO")
    # Nothing but the way back, which was left out, speaks against it.
    against = [finding for finding in played.record["findings"] if finding["severity"] == "blocker"]
    assert {finding["code"] for finding in against} == {"not-measured", "expectation-not-met"}
    assert all("not measured" in finding["message"] for finding in findings(played.record, "expectation-not-met")), against
    assert demo.left(played.report_dir) == []

    # And two of them alone finish what somebody else has begun: here a work directory came back, and the page is gone.
    state = json.loads((played.directory / "state.json").read_text())["rehearsal"]
    marker = Marker(**{name: state[name] for name in ("id", "source", "created", "expires")})
    WorkDirectory.at(str(demo.state.dev.work_dir), state["id"], "dev").create(marker)
    (played.directory / "report.html").unlink()
    assert demo.left(played.report_dir) != []
    (play,) = re.findall(r"```yaml\n(- name: Finish a rehearsal.*?)```", (ROOT / "docs/other-playbooks.md").read_text(), re.DOTALL)
    (tmp_path / "finish.yml").write_text(play)
    finished = demo.play(
        demo.inventory(tmp_path / "inventory"), tmp_path, playbook=str(tmp_path / "finish.yml"),
        environment={"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")},
    )  # fmt: skip
    assert finished.rc == 0 and finished.record is not None, finished.said
    assert finished.record["verdict"] == verdict and 'lang="ru"' in (played.directory / "report.html").read_text()
    assert demo.left(played.report_dir) == []


ALONE = ("backup", "preflight", "prepare", "sweep")
# Alone, these finish a rehearsal that is over.
RESUMED = ("cleanup", "report")


def test_a_role_that_cannot_be_used_alone_says_what_it_needs(demo: Demo, tmp_path: Path) -> None:
    roles = sorted(path.name for path in (ROOT / "roles").iterdir() if path.name not in ALONE)
    tried = [
        {
            "name": f"Try {role}",
            "block": [{"name": "Use it", "ansible.builtin.include_role": {"name": f"migrations.rehearsal.{role}"}}],
            "rescue": [{"name": "Say", "ansible.builtin.debug": {"msg": f"{role} says: {{{{ ansible_failed_result.msg }}}}"}}],
        }
        for role in roles
    ]
    looked = {"name": "Look", "ansible.builtin.include_role": {"name": "migrations.rehearsal.preflight"}}
    # Refused by the module, which so proves that the defaults of the group reach it.
    defaults = {
        "name": "Use defaults of modules",
        "module_defaults": {"group/migrations.rehearsal.rehearsal": {"id": "not-an-id", "side": "dev", "place": "none"}},
        "migrations.rehearsal.sweep": {},
        "register": "swept",
        "ignore_errors": True,
    }
    said = {"name": "Say", "ansible.builtin.debug": {"msg": "{{ swept.msg }}"}}
    (tmp_path / "alone.yml").write_text(
        yaml.safe_dump([{"name": "Alone", "hosts": "dev", "gather_facts": False, "tasks": [*tried, defaults, said, looked]}])
    )
    before = demo.left()
    played = demo.play(
        demo.inventory(tmp_path / "inventory"), tmp_path, playbook=str(tmp_path / "alone.yml"),
        environment={"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")},
    )  # fmt: skip
    assert played.rc == 0, played.said
    known = (ROOT / "docs/other-playbooks.md").read_text()
    for role in roles:
        assert f"{role} says: the role migrations.rehearsal.{role} cannot be used alone: it needs the role" in played.said
        written = "It can be used alone, " if role in RESUMED else "It cannot be used alone"
        assert f"`{role}`" in known and written in (ROOT / "roles" / role / "README.md").read_text()
    for role in ALONE:
        assert f"| `{role}` | yes" in known and "It can be used alone" in (ROOT / "roles" / role / "README.md").read_text()
    assert "«not-an-id» is not the id of a rehearsal" in played.said
    assert "Look at production" in played.stdout and "Ask the application for its revisions" in played.stdout
    assert not played.report_dir.exists() and demo.left() == before
