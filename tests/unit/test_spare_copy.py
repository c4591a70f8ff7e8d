"""The data directory that is used again: whatever was written, added, removed or put in another's place is as in the template afterwards."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import files, spare_copy
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import TEMPLATE, Marker

MARKER = Marker("20261128-120000-abcdef", "prod/shop", "2026-11-28T12:00:00Z", "2099-01-01T00:00:00Z")


class Places:
    """A template and the home of a rehearsal whose data directory is equal to it."""

    def __init__(self, base: Path) -> None:
        self.template, self.home, self.next = (base / name for name in ("template", "home", "next"))
        self.template.mkdir()
        self.next.mkdir()
        for name, content in {"base/1/100": "rows", "base/1/101": "index", "base/2/100": "others", "global/pg_control": "control"}.items():
            path = self.template / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        (self.template / "data/pg_wal/archive_status").mkdir(parents=True)
        files.write_bytes(str(self.template / "rehearsal.json"), MARKER.beside(TEMPLATE).to_text().encode())
        shutil.copytree(self.template / "data", self.home / "data")
        spare_copy.note(str(self.home), str(self.template))
        # What starting a server takes, as the kernel's clock goes.
        time.sleep(0.02)
        self.data = self.home / "data"

    def again(self) -> list[str]:
        """Leave it, take it again, and make it equal; the files that had to be copied."""
        spare_copy.leave(str(self.home))
        assert spare_copy.there_is(str(self.template), str(self.next)) and not self.data.exists()
        stamps = spare_copy.claim(str(self.next), str(self.template))
        assert stamps is not None and not spare_copy.there_is(str(self.template), str(self.next))
        source, target = str(self.template / "data"), str(self.next / "data")
        paths = spare_copy.written_to(source, target, stamps)
        spare_copy.copy_anew(source, target, paths, shutil.copyfile)
        assert content(self.template / "data") == content(self.next / "data")
        assert os.listdir(self.next) == ["data"]
        return sorted(paths)


def content(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() if path.is_file() else "/" for path in root.rglob("*")}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def write_and_set_the_time_back(path: Path) -> None:
    times = path.stat()
    path.write_text("ROWS")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def put_another_in_its_place(path: Path) -> None:
    path.with_name("new").write_text("ROWS")
    os.replace(path.with_name("new"), path)


def make_a_directory_of_it(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "in it").write_text("more")


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("ROWS"),
        lambda path: path.write_text("longer rows"),
        lambda path: os.truncate(path, 0),
        write_and_set_the_time_back,
        put_another_in_its_place,
        make_a_directory_of_it,
        lambda path: path.unlink(),
    ],
    ids=["as long", "longer", "emptied", "time set back", "another file", "a directory", "gone"],
)
def test_only_what_was_written_to_is_copied(places: Places, change: Callable[[Path], object]) -> None:
    change(places.data / "base/1/100")
    assert places.again() == ["base/1/100"]


def test_what_was_not_written_to_stays_where_it_is(places: Places) -> None:
    inode = (places.data / "base/2/100").stat().st_ino
    assert places.again() == []
    assert (places.next / "data/base/2/100").stat().st_ino == inode


def test_another_file_with_the_same_times_is_copied(places: Places) -> None:
    """Not every file system counts a new name as a change of the inode."""
    stamps = dict(files.read_json(str(places.home / spare_copy.NOTE))["files"])
    stamps["base/1/100"][0] += 1
    assert spare_copy.written_to(str(places.template / "data"), str(places.data), stamps) == ["base/1/100"]


def test_what_came_beside_it_goes(places: Places) -> None:
    (places.data / "base/1/200").write_text("a new table")
    (places.data / "base/3/deep").mkdir(parents=True)
    (places.data / "base/3/deep/100").write_text("another database")
    (places.data / "base/1/link").symlink_to("100")
    assert places.again() == []


def test_a_directory_that_went_comes_back(places: Places) -> None:
    shutil.rmtree(places.data / "base/1")
    (places.data / "base/1").write_text("a file")
    shutil.rmtree(places.data / "pg_wal")
    assert places.again() == ["base/1/100", "base/1/101"]


def test_a_template_that_has_another_size_is_copied(places: Places) -> None:
    """Nobody writes there; if somebody did, what is copied is what the template holds."""
    (places.template / "data/base/1/100").write_text("more rows")
    assert places.again() == ["base/1/100"]


def test_a_server_that_did_not_end_in_order_leaves_nothing(places: Places) -> None:
    """Its processes may go on writing."""
    (places.data / "postmaster.pid").write_text("1")
    spare_copy.leave(str(places.home))
    assert places.data.exists() and not (places.template / "spare").exists()


def test_there_is_one_at_most(places: Places) -> None:
    (places.template / "spare").mkdir()
    spare_copy.leave(str(places.home))
    assert places.data.exists() and os.listdir(places.template / "spare") == []


def test_it_is_left_to_a_template_only(places: Places) -> None:
    (places.template / "rehearsal.json").write_text(MARKER.to_text())
    spare_copy.leave(str(places.home))
    (places.template / "rehearsal.json").unlink()
    spare_copy.leave(str(places.home))
    assert places.data.exists() and not (places.template / "spare").exists()


def test_where_nothing_was_noted_nothing_is_left(places: Places) -> None:
    (places.home / spare_copy.NOTE).unlink()
    spare_copy.leave(str(places.home))
    assert places.data.exists() and not (places.template / "spare").exists()


def test_a_directory_with_links_is_not_noted(places: Places) -> None:
    (places.home / spare_copy.NOTE).unlink()
    (places.data / "pg_tblspc").mkdir()
    (places.data / "pg_tblspc/1").symlink_to("/elsewhere")
    spare_copy.note(str(places.home), str(places.template))
    assert not (places.home / spare_copy.NOTE).exists()


def started_anew(spare: Path) -> None:
    note = files.read_json(str(spare / spare_copy.NOTE))
    files.write_json(str(spare / spare_copy.NOTE), {**note, "boot": "before the crash"})


@pytest.mark.parametrize("damage", [started_anew, lambda spare: (spare / spare_copy.NOTE).unlink(), lambda spare: shutil.rmtree(spare / "data")])
def test_one_that_cannot_be_used_goes(places: Places, damage: Callable[[Path], object]) -> None:
    spare_copy.leave(str(places.home))
    damage(places.template / "spare")
    assert spare_copy.claim(str(places.next), str(places.template)) is None
    assert os.listdir(places.next) == [] and not (places.template / "spare").exists()


def test_where_the_kernel_does_not_say_since_when_it_runs_nothing_is_used_again(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare_copy, "_boot", lambda: "")
    spare_copy.note(str(places.home), str(places.template))
    spare_copy.leave(str(places.home))
    assert spare_copy.claim(str(places.next), str(places.template)) is None


def test_only_one_gets_it(places: Places) -> None:
    spare_copy.leave(str(places.home))
    assert spare_copy.claim(str(places.next), str(places.template)) is not None
    other = places.next.with_name("other")
    other.mkdir()
    assert spare_copy.claim(str(other), str(places.template)) is None and os.listdir(other) == []
