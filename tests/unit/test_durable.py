"""What is flushed ahead need not be waited for, and nothing that was written is left out."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import durable


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what is flushed, in order."""
    names: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: names.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))))
    monkeypatch.setattr(durable, "_EVERY_S", 0.01)
    return names


def wait_for(flushed: list[str], name: str, times: int) -> None:
    deadline = time.monotonic() + 20
    while flushed.count(name) < times and time.monotonic() < deadline:
        time.sleep(0.01)


def test_only_what_was_written_since_is_flushed_at_the_end(tmp_path: Path, flushed: list[str]) -> None:
    base = tmp_path / "data"
    flusher = durable.Flusher(str(base))
    with flusher.ahead():
        (base / "inner").mkdir(parents=True)
        (base / "inner" / "early").write_bytes(b"early")
        (base / "both").write_bytes(b"first")
        wait_for(flushed, "early", 2)
        wait_for(flushed, "both", 2)
        time.sleep(0.05)
        # Once more, since it could have been written twice at one moment; then it is known.
        assert flushed.count("early") == 2
    flushed.clear()
    # As long as before.
    (base / "both").write_bytes(b"other")
    (base / "late").write_bytes(b"late")
    flusher.finish()
    assert sorted(flushed) == ["both", "data", "inner", "late"]


def test_a_file_that_was_seen_once_is_flushed_again(tmp_path: Path, flushed: list[str]) -> None:
    """Its time cannot tell whether more was written at the same tick of the clock."""
    (tmp_path / "file").write_bytes(b"x")
    flusher = durable.Flusher(str(tmp_path))
    flusher.finish()
    flusher.finish()
    flusher.finish()
    assert flushed.count("file") == 2


def test_a_failed_write_is_told_even_if_the_next_one_succeeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"x")
    failures = [OSError(errno.EIO, "Input/output error")]

    def fsync(_descriptor: int) -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(durable, "_EVERY_S", 0.01)
    flusher = durable.Flusher(str(tmp_path))
    with flusher.ahead():
        deadline = time.monotonic() + 20
        while failures and time.monotonic() < deadline:
            time.sleep(0.01)
    with pytest.raises(OSError, match="Input/output error"):
        flusher.finish()


def test_what_goes_away_meanwhile_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("nowhere")
    look = durable._stamp
    monkeypatch.setattr(durable, "_stamp", lambda path: (look(path), path.endswith("file") and os.unlink(path))[0])
    durable.Flusher(str(tmp_path)).finish()
