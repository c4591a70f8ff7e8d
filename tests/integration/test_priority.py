"""What works for us on production steps back behind production's own work, where it really runs: behind a prefix too."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import priority
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import Limits, take_backup
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("priority")]

needs_ionice = pytest.mark.skipif(not shutil.which("ionice"), reason="ionice is not installed (Debian: util-linux)")


class Place:
    """A server whose pg_dump notes how it was started, behind a prefix that notes the same of itself."""

    def __init__(self, server: Any, directory: Path, path: str = "") -> None:
        self.seen, self.outside = directory / "pg_dump", directory / "prefix"
        programs = directory / "bin"
        programs.mkdir()
        (programs / "psql").symlink_to(server.bin_dir / "psql")
        told = f'{{ nice; ionice; }} > {self.seen} 2>/dev/null\nexec {server.bin_dir}/pg_dump "$@"\n'
        (programs / "pg_dump").write_text(f'#!/bin/sh\ncase "$1" in --version) ;; *) PATH=/usr/bin:/bin;; esac\n{told}')
        (programs / "pg_dump").chmod(0o755)
        inside = f"PATH={path}; " if path else ""
        prefix = ("/bin/sh", "-c", f'nice >> {self.outside}; {inside}exec "$@"', "sh")
        self.server = Server(prefix=prefix, bin_dir=str(programs), host=server.host, port=server.port, user=server.user)


def back_up(place: Place, database: str, base: Path, **limits: Any) -> dict[str, Any]:
    rehearsal_id = new_id()
    work = WorkDirectory.at(str(base), rehearsal_id, "production")
    work.create(Marker(rehearsal_id, "production/shop", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z"))
    return take_backup(place.server, database, rehearsal_id, work, Limits(**limits))


@needs_ionice
def test_the_dump_behind_a_prefix_is_lowered_and_its_client_is_not(postgres_server: Any, database: str, tmp_path: Path) -> None:
    place = Place(postgres_server, tmp_path)
    usual = subprocess.run(["nice"], capture_output=True, text=True, check=True).stdout.strip()
    manifest = back_up(place, database, tmp_path, nice=7, ionice="idle")
    assert place.seen.read_text().split() == [str(int(usual) + 7), "idle"]
    assert set(place.outside.read_text().split()) == {usual}
    assert (manifest["load"]["nice"], manifest["load"]["ionice_class"]) == (7, 3) and manifest["not_lowered"] == []


@needs_ionice
def test_a_level_of_best_effort(postgres_server: Any, database: str, tmp_path: Path) -> None:
    place = Place(postgres_server, tmp_path)
    load = back_up(place, database, tmp_path, ionice="7")["load"]
    assert place.seen.read_text().splitlines()[1] == "best-effort: prio 7"
    assert (load["ionice_class"], load["ionice_level"]) == (2, 7) and "nice" not in load


def test_where_a_program_is_not_there_the_dump_is_made_and_it_is_said(postgres_server: Any, database: str, tmp_path: Path) -> None:
    """A container may have neither; that a dump is not lowered is no reason for none."""
    few = tmp_path / "few"
    few.mkdir()
    for name in ("sh", "nice"):
        (few / name).symlink_to(shutil.which(name) or "")
    place = Place(postgres_server, tmp_path, path=str(few))
    manifest = back_up(place, database, tmp_path, nice=3, ionice="idle")
    assert manifest["not_lowered"] == ["ionice"]
    assert manifest["load"]["nice"] == 3 and "ionice_class" not in manifest["load"]


def test_a_prefix_that_starts_nothing_else_leaves_it_alone() -> None:
    lowered = priority.lower(Server(prefix=("/bin/false",)), 10, "7")
    assert (lowered.words, lowered.load, lowered.missing) == ((), {}, ("nice", "ionice"))
    assert priority.lower(Server(prefix=("/nowhere/docker",))) == priority.Lowered()
