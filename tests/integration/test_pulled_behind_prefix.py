"""A copy that dev pulls where PostgreSQL's tools run in containers: dev's, production's as dev reaches it, or both."""

from __future__ import annotations

import dataclasses
import datetime
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    arguments,
    basebackup,
    clean_up,
    copying,
    files,
    inside,
    large_tables,
    preflight,
    pulled_dump,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import Limits
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import application_name, new_id, utc_now
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.reach import Reach
from contained import Container, container, possible
from copy_rehearsal import PARTITIONED
from pulling import ODDITIES, Make, Rehearsal, rehearsals, run, when

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("pulled dump"),
    pytest.mark.skipif(not possible(), reason="no other view of the files can be had here (unshare)"),
]

ORDERS = [
    "CREATE TABLE orders AS SELECT n AS id, repeat('x', 500) AS note FROM generate_series(1, 4000) AS n",
    "ALTER TABLE orders ADD PRIMARY KEY (id)",
]


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_tables, "LEAST_BYTES", 0)
    monkeypatch.setattr(inside, "TEMPORARY", str(tmp_path / "there"))
    (tmp_path / "work").mkdir()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    yield from rehearsals(tmp_path / "work")


@pytest.fixture
def contained(postgres_server: Any, database: str, make: Make, tmp_path: Path) -> Callable[..., tuple[Rehearsal, list[Container]]]:
    def begin(*sides: str) -> tuple[Rehearsal, list[Container]]:
        containers = {side: container(tmp_path, side, tmp_path / "work") for side in sides}
        production, dev = (
            containers[side].around(postgres_server.server) if side in sides else postgres_server.server for side in ("production", "dev")
        )
        return make(production, database, dev), list(containers.values())

    return begin


def still_running(rehearsal_id: str) -> list[str]:
    """Programs of the rehearsal's, wherever they run, once they had a moment to end."""
    deadline = time.monotonic() + 5
    while True:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            # The servers' own processes tell the rehearsal's name too, as that of an application, but not in this form.
            if f"rehearsal {rehearsal_id}" in words and "application_name" in words:
                found.append(words)
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


@pytest.mark.parametrize("sides", [("dev",), ("production",), ("dev", "production")], ids=" and ".join)
def test_the_copy_equals_production(contained: Any, postgres_server: Any, database: str, sides: tuple[str, ...]) -> None:
    # Attached indexes are lists of their own, one after the other.
    partitioned = [statement for statement in PARTITIONED.split(";\n") if statement.strip()]
    run(postgres_server.server, database, [*ODDITIES, *ORDERS, *partitioned])
    rehearsal, containers = contained(*sides)
    made = rehearsal.pull(with_fingerprint=True)
    assert (made.copy["proved_by"], made.copy["differences"]) == ("fingerprint", [])
    assert made.copy["rows"] == sum(made.manifest["rows"].values()) > 4000
    for place in containers:
        assert place.files == []
        assert ("pg_restore" in place.said, "pg_dump" in place.said) == (place.name == "dev", place.name == "production")
    with Session(postgres_server.server, rehearsal.database, "tests") as session:
        assert session.value("SELECT count(*) FROM pg_index WHERE indrelid IN ('orders'::regclass, 'texts'::regclass)") == 3
    assert os.listdir(inside.TEMPORARY) == [] and still_running(rehearsal.id) == []


@pytest.mark.parametrize("side", ["production", "copy"])
def test_a_cut_in_the_middle_is_told_and_leaves_nothing(contained: Any, postgres_server: Any, database: str, side: str) -> None:
    server = postgres_server.server
    run(server, database, ORDERS)
    rehearsal, containers = contained("dev", "production")
    where = database if side == "production" else rehearsal.database
    copying_now = f"FROM pg_stat_activity WHERE datname = '{where}' AND query LIKE 'COPY %' AND state = 'active'"

    def seen() -> bool:
        with Session(server, "postgres", "tests") as session:
            return bool(session.value(f"SELECT count(*) {copying_now}"))

    def cut() -> None:
        with Session(server, "postgres", "tests") as session:
            session.rows(f"SELECT pg_terminate_backend(pid) AS ended {copying_now}")

    cutting = when(seen, cut)
    with pytest.raises(ToolFailed) as told:
        rehearsal.pull(max_rate=400_000)
    cutting.join()
    broken = containers[1 if side == "production" else 0]
    assert str(told.value).startswith(f"database {where} on {server.host}:{server.port} through «{' '.join(broken.prefix)}»: table orders could not")
    assert "«psql» ended with exit code 2" in str(told.value) and "xxx" not in str(told.value)
    assert still_running(rehearsal.id) == []
    with Session(server, rehearsal.database, "tests") as session:
        assert session.value("SELECT count(*) FROM orders") == 0
    assert [place.files for place in containers] == [[], []]
    dev = rehearsal.order.server
    cleaned = clean_up.clean_up(dev, rehearsal.database, rehearsal.id, rehearsal.order.work, "none", 30)
    assert (cleaned["left"], cleaned["problems"], cleaned["copy"]) == ([], [], "dropped")


def test_a_module_that_is_ended_ends_what_it_has_begun_in_both_places(
    contained: Any, postgres_server: Any, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = postgres_server.server
    # As text, of which half a row is a row.
    text = "CREATE TABLE orders AS SELECT n AS id, 'text'::regtype AS kind, repeat('x', 500) AS note FROM generate_series(1, 4000) AS n"
    run(server, database, [text])
    rehearsal, containers = contained("dev", "production")

    def ended(pulled: Any, _deadline_s: float) -> None:
        deadline = time.monotonic() + 30
        while pulled.bytes_so_far() < 400_000:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        raise SystemExit(143)

    monkeypatch.setattr(pulled_dump.Pulled, "wait", ended)
    with pytest.raises(SystemExit):
        rehearsal.pull(max_rate=400_000)
    assert still_running(rehearsal.id) == [] and [place.files for place in containers] == [[], []]
    assert rehearsal.ours(database) == rehearsal.ours(rehearsal.database) == 0
    with Session(server, rehearsal.database, "tests") as session:
        assert session.value("SELECT count(*) FROM orders") == 0


def test_a_missing_right_on_production(contained: Any, postgres_server: Any, database: str) -> None:
    direct, role = postgres_server.server, f"limited_{new_id()[-6:]}"
    run(direct, database, [*ORDERS, "CREATE TABLE open (id integer)", f"CREATE ROLE {role} LOGIN", f"GRANT SELECT ON open TO {role}"])
    rehearsal, (production,) = contained("production")
    facts = basebackup.manifest_of(direct, database, rehearsal.id, Limits())
    limited = dataclasses.replace(production.around(direct), user=role)
    try:
        found = preflight.look_from_dev(limited, database, rehearsal.id, facts, 30)
        assert found[1] == [
            f"dev: role {role} has no rights to dump public.orders of {limited.describe(database)}: "
            "grant it SELECT (role pg_read_all_data has all that is needed)"
        ]
        with pytest.raises(PostgresError, match="permission denied for table orders") as told:
            copying.from_production(rehearsal.order, facts, limited, Limits())
        assert str(told.value).startswith(f"{limited.describe(database)}: ")
        assert still_running(rehearsal.id) == []
    finally:
        run(direct, database, [f"DROP OWNED BY {role}", f"DROP ROLE {role}"])


def test_what_a_killed_module_left_where_dev_reaches_production_is_removed(contained: Any, postgres_server: Any, database: str) -> None:
    """Its password file, and what it had started there, which may be another place than that of production's own clean-up."""
    direct, secret = postgres_server.server, "opensesame-5d20"
    rehearsal, (production,) = contained("production")
    known = {"host": direct.host, "port": direct.port, "user": direct.user, "bin_dir": direct.bin_dir, "prefix": list(production.prefix)}
    killed = arguments.server({**known, "password": secret}, rehearsal.id)
    with Session(killed, database, application_name(rehearsal.id)) as session:
        assert session.value("SELECT 1") == 1 and secret not in production.said
        assert len(production.files) == 1 and rehearsal.ours(database) == 1
        result: dict[str, Any] = {"removed": [], "problems": []}
        clean_up.clean_up_beyond(production.around(direct), rehearsal.id, 30, result)
        assert result == {"removed": [os.path.dirname(killed.passfile)], "problems": []}
        assert production.files == [] and rehearsal.ours(database) == 0


def test_what_expired_rehearsals_left_where_dev_reaches_production_is_swept(contained: Any, postgres_server: Any, tmp_path: Path) -> None:
    direct = postgres_server.server
    _rehearsal, (production,) = contained("production")
    there, now = production.around(direct), utc_now()
    path = inside.make_directory(there, new_id(now))
    for later, dry_run, gone in ((0, False, False), (2, True, True), (2, False, True), (2, False, False)):
        swept = clean_up.sweep(None, True, str(tmp_path), now + datetime.timedelta(days=later), 30, dry_run, there)
        assert swept == {"removed": [path] if gone else [], "kept": [path] if not later else [], "problems": []}
    assert production.files == []


def test_a_list_that_is_written_anew_is_brought_anew(contained: Any, postgres_server: Any) -> None:
    rehearsal, (dev,) = contained("dev")
    with Reach(dev.around(postgres_server.server), rehearsal.id, rehearsal.order.work, 30) as reach:
        for content in (b"one", b"two"):
            files.write_bytes(rehearsal.order.work.file("list"), content)
            assert inside.run(dev.around(postgres_server.server), ["cat", reach.path("list")]) == content
        brought = dev.said.count(" tar ")
        reach.path("list")
        assert dev.said.count(" tar ") == brought == 2
    assert dev.files == []
