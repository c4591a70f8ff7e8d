"""A dump on its way out of a container: it does not take its room in there and out here together."""

from __future__ import annotations

import subprocess
import tarfile
import time
from pathlib import Path

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import disk, dump_outlets
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server

_SIZE = 2 << 20


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    made = tmp_path / "dump"
    made.mkdir()
    for name in "abcd":
        (made / f"{name}.dat").write_bytes(name.encode() * _SIZE)
    return made


def bring_out(dump: Path, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    argv = ["sh", "-c", dump_outlets._BRING_OUT, "sh", str(dump.parent), dump.name]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def test_a_file_is_gone_as_soon_as_it_is_out(dump: Path) -> None:
    process = bring_out(dump)
    assert process.stdout is not None
    with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
        files = (member for member in archive if member.isfile())
        names = [next(files).name for _once in range(3)]
        deadline = time.monotonic() + 5
        while len(list(dump.iterdir())) > 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not (dump / Path(names[0]).name).exists() and len(list(dump.iterdir())) <= 3
        names += [member.name for member in files]
    process.stdout.read()
    assert process.wait(10) == 0 and sorted(names) == [f"dump/{name}.dat" for name in "abcd"]
    assert not dump.exists()


def test_a_tar_that_cannot_remove_leaves_it_to_us(dump: Path, tmp_path: Path) -> None:
    """As in an image that has busybox."""
    plain = tmp_path / "bin"
    plain.mkdir()
    (plain / "tar").write_text('#!/bin/sh\ncase "$*" in *--remove-files*) exit 1;; esac\nexec /usr/bin/env -i PATH=/usr/bin:/bin tar "$@"\n')
    (plain / "tar").chmod(0o755)
    out, _said = bring_out(dump, {"PATH": f"{plain}:/usr/bin:/bin"}).communicate(timeout=30)
    assert len(out) > 4 * _SIZE and len(list(dump.iterdir())) == 4


def test_one_disk_is_recognised(tmp_path: Path) -> None:
    server = Server(prefix=("env",))
    assert disk.is_shared(server, str(tmp_path), str(tmp_path / "not yet there"))
    assert not disk.is_shared(server, "/proc", str(tmp_path)) and not disk.is_shared(server, "/nowhere", str(tmp_path))
