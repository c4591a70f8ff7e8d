"""Rows on their way into a server of the copy's own, which reads them itself from named pipes: all of them, or none."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    backup,
    copy_stream,
    copying,
    ephemeral,
    files,
    large_tables,
    pipes,
    row_files,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import Limits
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory
from pulling import ODDITIES, REFUSED, Make, Rehearsal, rehearsals, run, when

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("pulled dump")]

COPYING_NOW = "FROM pg_stat_activity WHERE query LIKE 'COPY %' AND state = 'active'"


@pytest.fixture(autouse=True)
def every_table_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_tables, "LEAST_BYTES", 0)


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The named pipes that we have written to."""
    paths: list[str] = []
    into = pipes.NamedPipe.into

    def note(receiving: pipes.NamedPipe) -> Any:
        paths.append(receiving._path)
        return into(receiving)

    monkeypatch.setattr(pipes.NamedPipe, "into", note)
    return paths


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    yield from rehearsals(tmp_path)


@pytest.fixture
def started(postgres_server: Any, database: str, make: Make) -> Callable[[list[str]], Rehearsal]:
    """A rehearsal of a database of these statements, into a server of the copy's own."""

    def start(statements: list[str]) -> Rehearsal:
        run(postgres_server.server, database, statements)
        return make(postgres_server.server, database, None, str(postgres_server.cluster.server_bin_dir))

    return start


def require_none_left(rehearsal: Rehearsal) -> ephemeral.Ephemeral:
    own = ephemeral.load(rehearsal.order.work)
    assert own is not None
    assert [name for name in os.listdir(own.home) if name.endswith(".rows")] == []
    return own


def test_pulled_rows_arrive_undamaged_in_either_form(started: Callable[[list[str]], Rehearsal], opened: list[str]) -> None:
    rehearsal = started(ODDITIES)
    made = rehearsal.pull(with_fingerprint=True)
    assert (made.copy["differences"], made.copy["proved_by"], made.copy["place"]) == ([], "fingerprint", "ephemeral")
    assert len(opened) == len(set(opened)) == 3
    require_none_left(rehearsal)


def test_where_no_named_pipe_can_be_made_a_psql_takes_the_rows(
    started: Callable[[list[str]], Rehearsal], opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "mkfifo", refuse)
    made = started(ODDITIES).pull(with_fingerprint=True)
    assert (made.copy["differences"], made.copy["proved_by"], made.copy["place"], opened) == ([], "fingerprint", "ephemeral", [])


def test_carried_rows_arrive_undamaged_in_either_form(
    started: Callable[[list[str]], Rehearsal], opened: list[str], postgres_server: Any, tmp_path: Path
) -> None:
    rehearsal = started(ODDITIES)
    there = WorkDirectory.at(str(tmp_path), rehearsal.id, "production")
    there.create(rehearsal.order.marker)
    form = row_files.Form("gzip", postgres_server.major)
    backup.take_backup(rehearsal.production, rehearsal.source, rehearsal.id, there, Limits(), with_fingerprint=True, row_form=form)
    manifest = backup.unpack(rehearsal.order.work, there.file(backup.ARCHIVE), files.sha256(there.file(backup.MANIFEST)))
    made = copying.from_dump(rehearsal.order, manifest)
    assert (made.copy["differences"], made.copy["proved_by"], made.copy["place"]) == ([], "fingerprint", "ephemeral")
    assert len(opened) == len(set(opened)) == 3
    require_none_left(rehearsal)
    there.remove()


@pytest.mark.parametrize("side", ["production", "copy"])
def test_a_cut_in_the_middle_leaves_no_row(started: Callable[[list[str]], Rehearsal], side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The copy would commit what has arrived, if it took it for all there is.
    monkeypatch.setattr(copy_stream.ToServer, "end", lambda _receiver: time.sleep(1))
    rehearsal = started(["CREATE TABLE orders AS SELECT n AS id, repeat('x', 500) AS note FROM generate_series(1, 4000) AS n"])

    def server() -> Any:
        return rehearsal.production if side == "production" else rehearsal.dev

    def seen() -> bool:
        # The copy's server may not be there yet, or not let anybody in.
        with contextlib.suppress(AssertionError, PostgresError), Session(server(), "postgres", "tests") as session:
            return bool(session.value(f"SELECT count(*) {COPYING_NOW} AND pid <> pg_backend_pid()"))
        return False

    def cut() -> None:
        time.sleep(0.5)
        with Session(server(), "postgres", "tests") as session:
            session.rows(f"SELECT pg_terminate_backend(pid) AS ended {COPYING_NOW} AND pid <> pg_backend_pid()")

    cutting = when(seen, cut)
    with pytest.raises(ToolFailed, match="table orders could not be copied: «.*psql» ended with exit code"):
        rehearsal.pull(max_rate=100_000)
    cutting.join()
    own = require_none_left(rehearsal)
    with Session(own.server, rehearsal.database, "tests") as session:
        assert session.value("SELECT count(*) FROM orders") == 0
    assert rehearsal.ours(rehearsal.source) == rehearsal.ours(rehearsal.database) == 0
    before = time.monotonic()
    own.stop()
    assert time.monotonic() - before < 30, "no session in it waits for rows"


def test_what_the_copy_refuses_is_told_without_a_value(started: Callable[[list[str]], Rehearsal]) -> None:
    rehearsal = started(REFUSED)
    with pytest.raises(ToolFailed, match="table held could not be copied: .*violates check constraint") as told:
        rehearsal.pull()
    assert "secret" not in str(told.value)
    require_none_left(rehearsal)


def test_a_table_that_the_copy_does_not_have_is_told(started: Callable[[list[str]], Rehearsal], monkeypatch: pytest.MonkeyPatch) -> None:
    """psql ends before its server opens the pipe."""
    rehearsal = started(["CREATE TABLE orders AS SELECT n AS id FROM generate_series(1, 4000) AS n"])
    make_pipe = pipes.PipePlace.make

    def drop_first(place: pipes.PipePlace, name: str) -> str:
        run(rehearsal.dev, rehearsal.database, ["DROP TABLE orders"])
        return make_pipe(place, name)

    monkeypatch.setattr(pipes.PipePlace, "make", drop_first)
    with pytest.raises(ToolFailed, match="table orders could not be copied: .*does not exist"):
        rehearsal.pull()
    require_none_left(rehearsal)
