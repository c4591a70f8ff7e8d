"""A physical copy is proved file by file: what is not as production's server sent it does not start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import basebackup, basebackup_proof, copying, ephemeral, files, progress
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import ARCHIVE
from ansible_collections.migrations.rehearsal.plugins.module_utils.basebackup import BasebackupError
from reaching_production import Production, Rehearsal, reaching_out, rehearsed

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("basebackup proof")]


@pytest.fixture(scope="module")
def production() -> Iterator[Production]:
    yield from reaching_out()


@pytest.fixture
def rehearsal(production: Production) -> Iterator[Rehearsal]:
    yield from rehearsed(production)


def flip(path: str, offset: int) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


def test_one_bit_that_changed_on_the_way_is_noticed(rehearsal: Rehearsal) -> None:
    manifest = rehearsal.take()
    archive = rehearsal.there.file(ARCHIVE)
    flip(archive, manifest["files"][ARCHIVE]["bytes"] // 2)
    with pytest.raises(BasebackupError, match="the base backup is not what was taken on production: the checksums differ"):
        rehearsal.make(manifest)


@pytest.mark.parametrize("proof", [basebackup.CRC, basebackup.SHA])
def test_how_far_the_check_is_shows(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch, proof: str) -> None:
    notes: list[dict[str, Any]] = []
    monkeypatch.setattr(progress, "_EVERY_S", 0.002)
    monkeypatch.setattr(files, "append_json_line", lambda _path, note: notes.append(note))
    rehearsal.make(rehearsal.take(proof))
    checked = [note for note in notes if note["what"] == "checked"]
    size = sum(path.stat().st_size for path in Path(rehearsal.order.work.path).parent.parent.glob("servers/*/data/base/*/*"))
    assert checked and checked[-1]["total"] > size // 2
    assert checked[-1]["total"] // 4 < checked[-1]["done"] <= checked[-1]["total"] * 1.1


@pytest.mark.parametrize(
    ("proof", "damage", "said"),
    [
        (basebackup.CRC, lambda data: flip(f"{data}/global/pg_control", 3), r"pg_control"),
        (basebackup.SHA, lambda data: flip(f"{data}/global/pg_control", 3), r"pg_control"),
        (basebackup.CRC, lambda data: Path(data, "base/1/1259").unlink(), r"1259"),
        (basebackup.SHA, lambda data: Path(data, "base/1/1259").unlink(), r"1259"),
        (basebackup.SHA, lambda data: flip(f"{data}/backup_manifest", 60), r"list of checksums"),
        (basebackup.CRC, lambda data: Path(data, "backup_manifest").unlink(), r"list of checksums"),
    ],
    ids=["a bit", "a bit, SHA-256", "a file", "a file, SHA-256", "the list", "no list"],
)
def test_what_is_not_as_productions_server_sent_it_does_not_start(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch, proof: str, damage: Any, said: str
) -> None:
    """On the way into the data directory: the archive itself is whole."""
    verify = basebackup_proof.verify

    def damaged(own: Any) -> None:
        damage(own.data)
        verify(own)

    monkeypatch.setattr(basebackup_proof, "verify", damaged)
    with pytest.raises(BasebackupError, match=said):
        rehearsal.make(rehearsal.take(proof))
    assert not (Path(copying.ephemeral.load(rehearsal.order.work).data) / "postmaster.pid").exists()  # type: ignore[union-attr]


def test_several_programs_share_what_is_large_and_leave_nothing_out(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    verify, run, shared = basebackup_proof.verify, ephemeral.Ephemeral.run, []
    monkeypatch.setattr(basebackup_proof, "_LARGE_FILE", 64 << 10)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)

    def noting(own: Any, program: str, *args: str, **how: Any) -> Any:
        shared.append([arg for arg in args if arg.startswith("--ignore=")])
        return run(own, program, *args, **how)

    def damaged(own: Any) -> None:
        monkeypatch.setattr(ephemeral.Ephemeral, "run", noting)
        verify(own)
        monkeypatch.setattr(ephemeral.Ephemeral, "run", run)
        ignored = {word.partition("=")[2] for words in shared for word in words}
        # One that each of the three checks, whose names stand with the two others, and one that all of them do.
        each = [sorted(ignored - {word.partition("=")[2] for word in words})[0] for words in shared]
        assert len(set(each)) == 3 and "PG_VERSION" not in ignored
        for name in (*each, "PG_VERSION"):
            flip(f"{own.data}/{name}", 1)
            with pytest.raises(BasebackupError, match=name):
                verify(own)
            flip(f"{own.data}/{name}", 1)
        verify(own)

    monkeypatch.setattr(basebackup_proof, "verify", damaged)
    assert rehearsal.make(rehearsal.take()).copy["differences"] == []
    assert len(shared) == 3


def test_where_dev_cannot_check_the_cheaper_checksums_they_are_not_asked_for(production: Production, tmp_path: Path) -> None:
    assert basebackup.checksums(production.server.bin_dir) == basebackup.CRC
    assert basebackup.checksums(str(tmp_path)) == basebackup.SHA
    broken = tmp_path / "pg_verifybackup"
    broken.write_text("#!/bin/sh\nkill -SEGV $$\n")
    broken.chmod(0o755)
    assert basebackup.checksums(str(tmp_path)) == basebackup.SHA
