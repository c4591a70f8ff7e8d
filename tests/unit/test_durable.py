"""Nothing that was written is left out, whether the kernel is asked for all of it at once or file by file."""

from __future__ import annotations

import datetime
import errno
import os
import time
from pathlib import Path

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import durable
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, format_time, new_id, utc_now
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what is flushed, in order."""
    names: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: names.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))))
    return names


@pytest.fixture
def data(tmp_path: Path) -> Path:
    base = tmp_path / "data"
    (base / "inner").mkdir(parents=True)
    (base / "inner" / "one").write_bytes(b"1")
    (base / "two").write_bytes(b"2")
    (base / "link").symlink_to("nowhere")
    return base


def old_kernel(monkeypatch: pytest.MonkeyPatch, release: str = "4.18.0-553.el8_10.x86_64") -> None:
    found = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((found.sysname, found.nodename, release, found.version, found.machine)))


@pytest.mark.parametrize("release", ["4.18.0-553.el8_10.x86_64", "5.7.19", "unknown"])
def test_a_kernel_that_tells_of_no_failure_is_asked_file_by_file(
    data: Path, flushed: list[str], monkeypatch: pytest.MonkeyPatch, release: str
) -> None:
    old_kernel(monkeypatch, release)
    durable.finish(str(data))
    assert sorted(flushed[:2]) == ["one", "two"]
    # Behind the files that are in them.
    assert sorted(flushed[2:]) == ["data", "inner"]


def test_a_newer_kernel_is_asked_once(data: Path, flushed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if tuple(map(int, os.uname().release.split(".")[:2])) < (5, 8):
        pytest.skip("this kernel is asked file by file")
    durable.finish(str(data))
    assert flushed == []


def test_what_the_kernel_cannot_flush_at_once_is_flushed_file_by_file(data: Path, flushed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    class Refusing:
        def __init__(self, *_args: object, **_named: object) -> None:
            pass

        def syncfs(self, _descriptor: int) -> int:
            return -1

    monkeypatch.setattr(ctypes, "CDLL", Refusing)
    durable.finish(str(data))
    assert sorted(flushed) == ["data", "inner", "one", "two"]


def test_a_failed_write_is_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_kernel(monkeypatch)
    failures = [OSError(errno.EIO, "Input/output error")]

    def fsync(_descriptor: int) -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="Input/output error"):
        durable.finish(str(data))


def test_what_goes_away_meanwhile_is_no_failure(data: Path, flushed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    old_kernel(monkeypatch)
    there = os.path.isfile
    monkeypatch.setattr(os.path, "isfile", lambda path: (there(path), str(path).endswith("two") and os.unlink(path))[0])
    durable.finish(str(data))
    assert sorted(flushed) == ["data", "inner", "one"]


def a_work_directory(tmp_path: Path) -> WorkDirectory:
    now = utc_now()
    marker = Marker(new_id(), "production/shop", format_time(now), format_time(now + datetime.timedelta(days=1)))
    work = WorkDirectory.at(str(tmp_path / "work"), marker.id, "dev")
    work.create(marker)
    return work


def test_it_is_begun_by_a_process_that_clean_up_knows(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs, said = tmp_path / "programs", tmp_path / "said"
    programs.mkdir()
    (programs / "sync").write_text(f'#!/bin/sh\necho "$@" > {said}\nexec sleep 60\n')
    (programs / "sync").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    work = a_work_directory(tmp_path)
    durable.begin(str(data), work)
    deadline = time.monotonic() + 20
    while not (said.exists() and said.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert said.read_text().split() == ["-f", str(data)]
    (pid,) = os.listdir(work.file("running"))
    assert work.stop_processes() == [int(pid)]
    while os.listdir(work.file("running")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert os.listdir(work.file("running")) == []


def test_where_it_cannot_be_begun_all_is_left_for_the_end(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    work = a_work_directory(tmp_path)
    durable.begin(str(data), work)
    assert os.listdir(work.file("running")) == []
