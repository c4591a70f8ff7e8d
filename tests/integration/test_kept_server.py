"""A copy in a server of its own that was kept: another server starts on a copy of the files, as often as wanted; nothing runs in them."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    clean_up,
    copying,
    data_diff,
    ephemeral,
    files,
    identity,
    kept_server,
    preflight_own_server,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.copying import Made, Order
from ansible_collections.migrations.rehearsal.plugins.module_utils.ephemeral import Wish
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import TEMPLATE, Marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.kept_template import TemplateRefused
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

from migration_rehearsal import embedded

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("kept server")]

_SQL = """CREATE TABLE shifts (id int PRIMARY KEY, rate int);
INSERT INTO shifts SELECT n, n * 10 FROM generate_series(1, 500) AS n;
"""
_DATABASES = "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname <> 'postgres' AND NOT datistemplate"
_PAST, _LATER = "2001-01-01T00:00:00Z", "2099-01-01T00:00:00Z"


class Stand:
    """A first rehearsal whose copy has a server of its own and was kept."""

    def __init__(self, place: Path, bin_dir: str) -> None:
        self.place, self.bin_dir = place, bin_dir
        (place / "servers").mkdir(mode=0o711)
        (place / "backup.sql").write_text(_SQL)
        self.orders: list[Order] = []
        self.first = self.order()
        self.made = copying.from_file(self.first, str(place / "backup.sql"), "shop")
        self.before = self.ask(self.made, take_fingerprint)
        kept = kept_server.keep(self.own(self.first), self.first.database, self.first.marker, 60)
        told = ("tables", "rows", "differences", "stopped", "missing_roles", "proved_by", "settings_not_replayed", "not_told", "roles_not_given")
        self.kept = {**kept, "copy": {name: self.made.copy[name] for name in told}}

    def order(self) -> Order:
        marker = Marker(identity.new_id(), "prod/shop", "2026-11-22T22:30:11Z", _LATER)
        work = WorkDirectory.at(str(self.place / "work"), marker.id, "dev")
        work.create(marker)
        wish = Wish(directory=str(self.place / "servers"), bin_dir=self.bin_dir, settings={"work_mem": "5MB"})
        order = Order(identity.copy_database_name(marker.id), marker, work, None, wish, deadline_s=120.0)
        self.orders.append(order)
        return order

    @staticmethod
    def own(order: Order) -> ephemeral.Ephemeral:
        found = ephemeral.load(order.work)
        assert found is not None
        return found

    @staticmethod
    def ask(made: Made, question: Any, **how: Any) -> Any:
        with Session(made.server, made.copy["database"], "tests") as session:
            return question(session, **how)

    def go(self) -> tuple[Order, Made]:
        order = self.order()
        return order, copying.from_template(order, {}, self.kept)

    def clean(self, order: Order, keep: str = "none") -> dict[str, Any]:
        return clean_up.clean_up(None, order.database, order.marker.id, order.work, keep, 60)


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    with tempfile.TemporaryDirectory(prefix="kept-") as name:
        place = Path(name)
        place.chmod(0o711)
        made = Stand(place, str(embedded.find_binaries(major=15).bin_dir))
        yield made
        for order in made.orders:
            order.work.remove()
        assert os.listdir(place / "servers") == []


def test_another_server_starts_on_it_as_often_as_wanted_and_it_stays_as_it_was(stand: Stand) -> None:
    # It goes on while what was kept is kept.
    stand.ask(stand.made, lambda session: session.execute("UPDATE shifts SET rate = 0"))
    assert stand.own(stand.first).running
    cleaned = stand.clean(stand.first, keep="template")
    assert (cleaned["copy"], cleaned["work_directory"], cleaned["left"], cleaned["problems"]) == ("dropped", "kept", [], [])
    assert cleaned["kept"] == [{"thing": stand.kept["directory"], "expires": _LATER}]
    assert os.listdir(Path(stand.kept["directory"]).parent) in (["rehearsal.json", "template"], ["template", "rehearsal.json"])
    for _ in range(2):
        order, made = stand.go()
        assert made.copy["database"] == order.database and made.copy["marker"]["id"] == order.marker.id
        assert (made.copy["rows"], made.copy["differences"], made.copy["settings_not_replayed"]) == (500, [], [])
        assert (made.copy["proved_by"], made.copy["not_told"], made.copy["place"]) == ("nothing", stand.made.copy["not_told"], "ephemeral")
        assert stand.ask(made, lambda session: session.value("SELECT current_setting('work_mem') || current_setting('fsync')")) == "5MBon"
        assert stand.ask(made, lambda session: session.value(_DATABASES)) == order.database
        since = stand.ask(made, take_fingerprint, since=stand.before, proof="changed")
        assert {name: table["proof"] for name, table in since["tables"].items()} == {"shifts": "untouched"}
        assert data_diff.compare(stand.before, stand.ask(made, take_fingerprint)) == []
        stand.ask(made, lambda session: session.execute("DROP TABLE shifts"))
        gone = stand.clean(order)
        assert (gone["copy"], gone["left"], gone["problems"]) == ("dropped", [], [])


def test_another_go_takes_the_files_that_the_last_one_did_not_write_to(stand: Stand) -> None:
    spare = Path(stand.kept["directory"]) / "spare"
    order, made = stand.go()
    untouched = stand.ask(made, lambda session: session.value("SELECT pg_relation_filepath('pg_proc')"))
    inode = (Path(stand.own(order).data) / untouched).stat().st_ino
    stand.ask(made, lambda session: session.execute("UPDATE shifts SET rate = 0; CREATE TABLE more AS SELECT * FROM shifts; CHECKPOINT"))
    cleaned = stand.clean(order)
    assert (cleaned["copy"], cleaned["left"], cleaned["problems"]) == ("dropped", [], [])
    assert (spare / "data" / untouched).stat().st_ino == inode
    order, made = stand.go()
    assert not spare.exists() and (Path(stand.own(order).data) / untouched).stat().st_ino == inode
    assert data_diff.compare(stand.before, stand.ask(made, take_fingerprint)) == []
    assert stand.ask(made, lambda session: session.value(_DATABASES)) == order.database
    assert stand.ask(made, lambda session: session.value("SELECT to_regclass('more') IS NULL"))
    # One that was killed may have processes that go on writing.
    pid = stand.own(order).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    cleaned = stand.clean(order)
    assert (cleaned["left"], cleaned["problems"]) == ([], []) and not spare.exists()


def test_only_the_wal_that_is_needed_was_kept(stand: Stand) -> None:
    wal = [path for path in (Path(stand.kept["directory"]) / "data" / "pg_wal").iterdir() if path.is_file()]
    assert len(wal) == 1


def test_what_does_not_fit_is_refused_and_nothing_is_started(stand: Stand) -> None:
    assert kept_server.refusals(stand.kept) == []
    assert "is not there" in kept_server.refusals({**stand.kept, "directory": "/nowhere"})[0]
    assert "does not carry the marker" in kept_server.refusals({**stand.kept, "source": "prod/other"})[0]
    assert "a server has been started on the template" in kept_server.refusals({**stand.kept, "control": "0"})[0]
    order = stand.order()
    with pytest.raises(TemplateRefused, match="has been started"):
        copying.from_template(order, {}, {**stand.kept, "control": "0"})
    with pytest.raises(TemplateRefused, match="kept its copy with rehearsal_copy: existing, and it is ephemeral now"):
        copying.from_template(order, {}, {**stand.kept, "place": "existing"})
    assert not stand.own(order).running
    _facts, problems, _findings = preflight_own_server.look(order.wish, str(stand.place), {}, kept={**stand.kept, "control": "0"})
    assert [problem for problem in problems if problem.startswith("dev: a server has been started")]


def test_what_is_used_again_needs_no_room(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    order, _made = stand.go()
    stand.clean(order)
    assert (Path(stand.kept["directory"]) / "spare").exists()
    size = 10 << 30
    production = {"server_version_num": 150000, "collate": "C", "ctype": "C", "size_bytes": size}
    monkeypatch.setattr("ansible_collections.migrations.rehearsal.plugins.module_utils.disk.free_here", lambda _path: size)

    def refused() -> list[str]:
        _facts, problems, _findings = preflight_own_server.look(order.wish, str(stand.place), production, kept=stand.kept)
        return [problem for problem in problems if "the copy in a server of its own" in problem]

    assert refused() == []
    shutil.rmtree(Path(stand.kept["directory"]) / "spare")
    assert len(refused()) == 1


def test_when_it_has_expired_it_is_refused_and_swept(stand: Stand) -> None:
    home = Path(stand.kept["directory"])
    marker = stand.first.marker
    files.write_bytes(str(home / "rehearsal.json"), Marker(marker.id, marker.source, marker.created, _PAST, TEMPLATE).to_text().encode())
    assert "has expired" in kept_server.refusals(stand.kept)[0]
    kept = clean_up.sweep(None, True, str(stand.place / "work"), identity.utc_now(), 60, dry_run=False)
    assert home.exists() and stand.first.work.path in kept["kept"]
    files.write_bytes(stand.first.work.file("rehearsal.json"), Marker(marker.id, marker.source, marker.created, _PAST).to_text().encode())
    swept = clean_up.sweep(None, True, str(stand.place / "work"), identity.utc_now(), 60, dry_run=False)
    assert stand.first.work.path in swept["removed"] and not home.parent.exists()
