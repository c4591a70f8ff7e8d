"""What `rehearsal_keep` leaves, until when, and that sweep takes it then. And check mode, which leaves nothing because it does nothing."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.files import read_json
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, format_time, parse_time, utc_now
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import quote_identifier, quote_literal
from playbook import Demo, Played

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("keep")]

HOURS = 5


class Kept:
    """One run of two dev hosts: `copy` keeps the copy, `backup` the backup. What lies there afterwards, and after each sweep."""

    def __init__(self, demo: Demo, place: Path) -> None:
        self.demo = demo
        dev = {keep: demo.dev_variables(rehearsal_keep=keep, rehearsal_expiry_hours=HOURS) for keep in ("copy", "backup")}
        self.inventory = demo.write_inventory(place / "inventory", prod={"production": demo.production_variables()}, dev=dev)
        self.played = demo.play(self.inventory, place)
        self.copy, self.backup = (self.played.record_of(host) for host in ("copy", "backup"))
        self.database: str = self.copy["copy"]["database"]
        self.directory: Path = demo.state.dev.work_dir / f"{self.backup['id']}-dev"

    def comment(self) -> str | None:
        rows = self.demo.rows("dev", f"SELECT shobj_description(oid, 'pg_database') AS text FROM pg_database WHERE datname = '{self.database}'")
        return rows[0]["text"] if rows else None

    def sweep(self, cwd: Path) -> Played:
        return self.demo.play(self.inventory, cwd, playbook="playbooks/sweep.yml")


@pytest.fixture(scope="module")
def kept(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    found = Kept(demo, tmp_path_factory.mktemp("keep"))
    yield found
    demo.execute("dev", f"DROP DATABASE IF EXISTS {quote_identifier(found.database)} WITH (FORCE)")


def expiry(record: dict[str, Any]) -> datetime.datetime:
    return parse_time(record["started_at"]) + datetime.timedelta(hours=HOURS)


def test_both_are_go(kept: Kept) -> None:
    assert kept.played.rc == 0, kept.played.said
    assert [record["verdict"].startswith("GO") for record in (kept.copy, kept.backup)] == [True, True]


def test_the_copy_stays_marked_with_its_expiry(kept: Kept) -> None:
    marker = Marker.from_text(kept.comment())
    assert marker is not None and marker.id == kept.copy["id"]
    assert parse_time(marker.expires) == expiry(kept.copy)
    assert kept.copy["cleanup"]["dev"]["copy"] == "kept"
    (version,) = kept.demo.rows("dev", "SELECT version_num AS revision FROM alembic_version", kept.database)
    assert version["revision"] == "3bcf125fefbd"
    # The planner knows it as it knows production: a dump does not bring that along.
    known = kept.demo.rows("dev", "SELECT last_analyze IS NOT NULL AS known FROM pg_stat_user_tables WHERE relname = 'users'", kept.database)
    assert known == [{"known": True}]
    closed = kept.demo.rows("dev", f"SELECT has_database_privilege('public', '{kept.database}', 'CONNECT') AS may")
    assert closed == [{"may": False}]


def test_the_backup_stays_on_dev_whole_and_private(kept: Kept) -> None:
    assert kept.backup["cleanup"]["dev"]["work_directory"] == "kept"
    assert os.stat(kept.directory).st_mode & 0o777 == 0o700
    manifest = read_json(str(kept.directory / "manifest.json"))
    assert {path: (kept.directory / path).stat().st_size for path in manifest["files"]} == {
        path: facts["bytes"] for path, facts in manifest["files"].items()
    }
    names = sorted(path.name for path in kept.directory.iterdir())
    assert set(names) <= {"dump", "manifest.json", "rehearsal.json"}, names
    marker = Marker.from_text((kept.directory / "rehearsal.json").read_text())
    assert marker is not None and parse_time(marker.expires) == expiry(kept.backup)


def test_nothing_but_what_was_asked_for_stays(kept: Kept) -> None:
    left = kept.demo.left(kept.played.report_dir, expected={"dev": {kept.database}})
    work = str(kept.demo.state.dev.work_dir)
    assert [thing for thing in left if not (thing == f"dev: {work}" or thing.startswith(f"dev: {kept.directory}"))] == []
    assert kept.backup["copy"]["database"] not in {row["datname"] for row in kept.demo.rows("dev", "SELECT datname FROM pg_database")}


def test_sweep_takes_both_when_they_have_expired_and_not_before(kept: Kept, tmp_path: Path) -> None:
    early = kept.sweep(tmp_path / "early")
    assert early.rc == 0, early.said
    assert kept.comment() is not None and kept.directory.exists()

    past = format_time(utc_now() - datetime.timedelta(minutes=1))
    old = Marker.from_text(kept.comment())
    assert old is not None
    text = Marker(old.id, old.source, old.created, past).to_text()
    kept.demo.execute("dev", f"COMMENT ON DATABASE {quote_identifier(kept.database)} IS {quote_literal(text)}")
    (kept.directory / "rehearsal.json").write_text(Marker(kept.backup["id"], old.source, old.created, past).to_text())
    late = kept.sweep(tmp_path / "late")
    assert late.rc == 0, late.said
    assert kept.comment() is None and not kept.directory.exists()
    assert kept.demo.left(kept.played.report_dir) == []


def test_check_mode_changes_nothing(demo: Demo, tmp_path: Path) -> None:
    dev = demo.state.dev.database
    before = (demo.dump("dev", dev), demo.left())
    played = demo.play(demo.inventory(tmp_path / "inventory"), tmp_path, "--check")
    assert played.rc == 0, played.said
    assert (demo.dump("dev", dev), demo.left()) == before
    assert not played.report_dir.exists()
    assert "changed=0" in played.said
