"""Sweep takes what has expired and carries a marker, on both sides, and nothing else."""

from __future__ import annotations

import datetime
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, format_time, utc_now
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import quote_identifier, quote_literal
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory
from playbook import Demo, Played

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("sweep")]

HOUR = datetime.timedelta(hours=1)
EXPIRED, ALIVE = "20200101-000000-aaaaaa", "20200101-000000-bbbbbb"


def marker(rehearsal_id: str) -> Marker:
    now = utc_now()
    return Marker(rehearsal_id, "production/shop", format_time(now - 9 * HOUR), format_time(now - HOUR if rehearsal_id == EXPIRED else now + HOUR))


# Name and comment of databases on dev that stay.
OTHERS = {
    "rehearsal_20200101_000000_cccccc": None,
    "rehearsal_20200101_000000_dddddd": "made by hand",
    "not expired": marker(ALIVE).to_text(),
    "half a marker": json.dumps({"rehearsal": {"id": EXPIRED, "expires": "2020-01-01T00:00:00Z"}}),
    "no id": marker("mine").to_text(),
    "odd": json.dumps({"rehearsal": {"id": 1, "source": None, "created": [], "expires": "2020-01-01T00:00:00Z"}}),
}
GONE = 'Expired "copy"'


def databases(demo: Demo, side: str) -> set[str]:
    return {row["datname"] for row in demo.rows(side, "SELECT datname FROM pg_database")} - demo.databases[side]


def files(*places: Path) -> set[str]:
    return {f"{path}{' ' + os.readlink(path) if path.is_symlink() else ''}" for place in places for path in (place, *place.rglob("*"))}


class Scene:
    """What lies on both hosts, and what is told of it after each run."""

    def __init__(self, demo: Demo, place: Path) -> None:
        self.demo = demo
        self.work = {side: getattr(demo.state, side).work_dir for side in ("production", "dev")}
        self.elsewhere = place / "elsewhere"
        inventory = demo.inventory(place / "inventory")
        self.make()
        self.before = self.all()
        self.checked = self.sweep(inventory, place / "check", "--check")
        self.after_check = self.all()
        self.swept = self.sweep(inventory, place / "sweep")
        self.after = self.all()
        self.again = self.sweep(inventory, place / "again")
        self.after_again = self.all()

    def sweep(self, inventory: Path, cwd: Path, *options: str) -> Played:
        return self.demo.play(inventory, cwd, *options, playbook="playbooks/sweep.yml")

    def make(self) -> None:
        for side, name, comment in [
            *(("dev", name, comment) for name, comment in OTHERS.items()),
            ("dev", GONE, marker(EXPIRED).to_text()),
            # No database is ever dropped on production, whatever it carries.
            ("production", GONE, marker(EXPIRED).to_text()),
        ]:
            self.demo.execute(side, f"CREATE DATABASE {quote_identifier(name)} TEMPLATE template0")
            if comment is not None:
                self.demo.execute(side, f"COMMENT ON DATABASE {quote_identifier(name)} IS {quote_literal(comment)}")
        for side, base in self.work.items():
            for rehearsal_id in (EXPIRED, ALIVE):
                directory = WorkDirectory.at(str(base), rehearsal_id, side)
                directory.create(marker(rehearsal_id))
                Path(directory.file("backup.tar")).write_text("rows")
            (base / f"20200101-000000-cccccc-{side}").mkdir()
            (base / f"20200101-000000-cccccc-{side}" / "thesis.txt").write_text("years of work")
            (base / "notes.txt").write_text("")
        # A link to what would be swept if it lay here.
        WorkDirectory(str(self.elsewhere)).create(marker(EXPIRED))
        (self.work["dev"] / "link").symlink_to(self.elsewhere)
        # And one inside what is swept to what must stay.
        Path(WorkDirectory.at(str(self.work["dev"]), EXPIRED, "dev").file("link")).symlink_to(self.elsewhere)

    def all(self) -> dict[str, Any]:
        return {**{side: databases(self.demo, side) for side in self.work}, "files": files(*self.work.values(), self.elsewhere)}

    def remove(self) -> None:
        for side in self.work:
            for name in databases(self.demo, side):
                self.demo.execute(side, f"DROP DATABASE {quote_identifier(name)}")
            shutil.rmtree(self.work[side], ignore_errors=True)


@pytest.fixture(scope="module")
def scene(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made: list[Scene] = []
    try:
        made.append(Scene(demo, tmp_path_factory.mktemp("sweep")))
        yield made[0]
    finally:
        for side in ("production", "dev"):
            for name in databases(demo, side):
                demo.execute(side, f"DROP DATABASE {quote_identifier(name)} WITH (FORCE)")
            shutil.rmtree(getattr(demo.state, side).work_dir, ignore_errors=True)


def test_check_mode_says_and_does_nothing(scene: Scene) -> None:
    assert scene.checked.rc == 0, scene.checked.said
    assert scene.after_check == scene.before
    assert "Expired" in scene.checked.said and f"{EXPIRED}-dev" in scene.checked.said and f"{EXPIRED}-production" in scene.checked.said


def test_what_has_expired_is_gone(scene: Scene) -> None:
    assert scene.swept.rc == 0, scene.swept.said
    assert scene.before["dev"] - scene.after["dev"] == {GONE}
    assert not any(f"{EXPIRED}-" in path for path in scene.after["files"])


def test_everything_else_is_as_it_was(scene: Scene) -> None:
    assert scene.after["dev"] == set(OTHERS)
    assert scene.after["production"] == {GONE}
    stays = {path for path in scene.before["files"] if f"{EXPIRED}-" not in path}
    assert len(stays) > 15
    assert scene.after["files"] == stays


def test_it_says_what_it_removed(scene: Scene) -> None:
    for thing in ("Expired", f"{EXPIRED}-dev", f"{EXPIRED}-production"):
        assert thing in scene.swept.said
    assert f"{ALIVE}-dev" not in scene.swept.said.replace('"kept"', "")


def test_again_there_is_nothing_to_do(scene: Scene) -> None:
    assert scene.again.rc == 0
    assert scene.after_again == scene.after
    assert "nothing had expired" in scene.again.said and "changed=1" not in scene.again.said
