"""A backup that did not arrive as it was taken is not unpacked."""

from __future__ import annotations

import dataclasses
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import backup, files
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import BackupDamaged, Limits, take_backup
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory
from copy_rehearsal import EVERYTHING, Begin, Rehearsal, execute, marker_of, require_clean_up_takes_all

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("unpacking")]


def members_of(path: str) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(path) as archive:
        return [(member, archive.extractfile(member).read()) for member in archive]  # type: ignore[union-attr]


def pack(path: str, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    with tarfile.open(path, "w") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def damage_data(members: list[tuple[tarfile.TarInfo, bytes]]) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [(info, flipped(content) if info.name.endswith(".gz") else content) for info, content in members]


DAMAGES: dict[str, Callable[[list[tuple[tarfile.TarInfo, bytes]]], list[tuple[tarfile.TarInfo, bytes]]]] = {
    "one bit of the data": damage_data,
    "one bit of the table of contents": lambda m: [(i, flipped(c) if i.name.endswith("toc.dat") else c) for i, c in m],
    "one bit of the manifest": lambda m: [(i, flipped(c) if i.name == "manifest.json" else c) for i, c in m],
    "a file missing": lambda m: [one for one in m if not one[0].name.endswith(".gz")],
    "a file cut short": lambda m: [(i, c[:-1] if i.name.endswith(".gz") else c) for i, c in m],
    "a file twice": lambda m: [*m, *damage_data([one for one in m if one[0].name.endswith(".gz")])],
    "a file too many": lambda m: [*m, (entry("dump/9999.dat"), b"x")],
    "no manifest": lambda m: [one for one in m if one[0].name != "manifest.json"],
    "nothing": lambda _m: [],
    "a path out of it": lambda m: [*m, (entry("dump/../../escaped"), b"x")],
    "an absolute path": lambda m: [*m, (entry("/tmp/escaped-from-backup"), b"x")],
    "a symbolic link": lambda m: [*m, (entry("dump/link", tarfile.SYMTYPE, "/etc/passwd"), b"")],
    "a hard link": lambda m: [*m, (entry("dump/link", tarfile.LNKTYPE, "manifest.json"), b"")],
    "a device": lambda m: [*m, (entry("dump/null", tarfile.CHRTYPE), b"")],
    "another directory": lambda m: [*m, (entry("evidence/manifest.json"), b"{}")],
}


@pytest.fixture(scope="module")
def pristine(postgres_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rehearsal, bytes]]:
    """A good backup, as bytes."""
    source = postgres_server.create_database("to_be_damaged")
    marker = marker_of(new_id())
    work = WorkDirectory.at(str(tmp_path_factory.mktemp("pristine")), marker.id, "production")
    work.create(marker)
    execute(postgres_server.server, source, "CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n")
    manifest = take_backup(postgres_server.server, source, marker.id, work, Limits())
    yield Rehearsal(marker, work, manifest, files.sha256(work.file(backup.MANIFEST)), ""), Path(work.file(backup.ARCHIVE)).read_bytes()
    postgres_server.drop_database(source)


@pytest.fixture
def arrived(pristine: tuple[Rehearsal, bytes], tmp_path: Path) -> Rehearsal:
    """The good backup in a work directory on dev."""
    rehearsal, content = pristine
    work = WorkDirectory.at(str(tmp_path / "work"), rehearsal.marker.id, "dev")
    work.create(rehearsal.marker)
    Path(work.file(backup.ARCHIVE)).write_bytes(content)
    return dataclasses.replace(rehearsal, work=work)


def test_a_backup_that_arrived_as_it_was_taken_is_unpacked(arrived: Rehearsal) -> None:
    assert arrived.unpack() == arrived.manifest
    assert not os.path.exists(arrived.archive)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_backup_that_did_not_arrive_as_it_was_taken_is_refused(arrived: Rehearsal, tmp_path: Path, damage: str) -> None:
    pack(arrived.archive, DAMAGES[damage](members_of(arrived.archive)))
    with pytest.raises(BackupDamaged) as refused:
        arrived.unpack()
    assert refused.value.code == "copy-differs"
    assert not (tmp_path / "work/escaped").exists() and not Path("/tmp/escaped-from-backup").exists()
    assert [path for path in Path(arrived.work.path).rglob("*") if path.is_symlink()] == []


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 1])
def test_a_backup_cut_short_on_its_way_is_refused(arrived: Rehearsal, share: float) -> None:
    with tarfile.open(arrived.archive) as archive:
        last = max(member.offset_data + member.size for member in archive)
    os.truncate(arrived.archive, int((last - 1) * share))
    with pytest.raises(BackupDamaged):
        arrived.unpack()


def test_a_backup_that_never_arrived_is_refused(arrived: Rehearsal) -> None:
    os.unlink(arrived.archive)
    with pytest.raises(BackupDamaged):
        arrived.unpack()


def test_a_backup_of_one_custom_format_file_is_checked_too(postgres_server: Any, database: str, begin: Begin) -> None:
    server = dataclasses.replace(postgres_server.server, prefix=("env", "LC_ALL=C"))
    execute(postgres_server.server, database, EVERYTHING)
    rehearsal = begin(database, server)
    pack(rehearsal.archive, [(i, flipped(c) if i.name == "dump" else c) for i, c in members_of(rehearsal.archive)])
    with pytest.raises(BackupDamaged, match="dump is not what was taken"):
        rehearsal.unpack()
    again = begin(database, server)
    assert again.copy_to(server)["differences"] == []
    require_clean_up_takes_all(server, again)
