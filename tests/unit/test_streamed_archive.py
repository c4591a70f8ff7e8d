"""What came through a pipe is taken for whole only with its end."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from ansible_collections.migrations.rehearsal.plugins.action.backup import ends_as_archive


def archive(path: Path) -> int:
    """As a backup is streamed: in pieces, without seeking; the bytes up to its end's first block."""
    with path.open("wb") as target, tarfile.open(fileobj=target, mode="w|", bufsize=1 << 18) as written:
        for size in (700, 1 << 19, 1):
            member = tarfile.TarInfo("piece")
            member.size = size
            written.addfile(member, io.BytesIO(b"x" * size))
        return written.offset


def test_a_whole_one_has_its_end(tmp_path: Path) -> None:
    archive(tmp_path / "a.tar")
    assert ends_as_archive(str(tmp_path / "a.tar"))


@pytest.mark.parametrize("short", ["empty", "in a member", "between members", "in the padding of the last"])
def test_a_part_has_none(tmp_path: Path, short: str) -> None:
    end = archive(tmp_path / "a.tar")
    whole = (tmp_path / "a.tar").read_bytes()
    size = {"empty": 0, "in a member": 100_000, "between members": end - 1024, "in the padding of the last": end}[short]
    (tmp_path / "a.tar").write_bytes(whole[:size])
    assert not ends_as_archive(str(tmp_path / "a.tar"))
