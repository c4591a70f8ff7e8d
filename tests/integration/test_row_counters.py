"""The server's counters of written rows: whatever changes data is found, however it is done, and counters that lie are not believed."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import postgres_versions
import pytest
import test_properties
from ansible_collections.migrations.rehearsal.plugins.module_utils import data_diff, fingerprint_table, relations, row_counters
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server, Session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from written_tables import COUNTED, EDIT, ROLLED_BACK, Stand

from migration_rehearsal import embedded

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", params=[15, 16, 18])
def cluster(request: pytest.FixtureRequest) -> Iterator[embedded.Cluster]:
    programs = postgres_versions.find(request.param)
    with tempfile.TemporaryDirectory(prefix="counters-") as name:
        Path(name).chmod(0o711)
        # Vacuuming would be somebody else in the database now and then, and must not make a difference.
        made = embedded.start_cluster(Path(name) / "server", programs, settings={"max_prepared_transactions": "5"})
        yield made
        embedded.remove_cluster(made)


@pytest.fixture
def stand(cluster: embedded.Cluster, monkeypatch: pytest.MonkeyPatch) -> Stand:
    """Of which no table is small: all that is known of them comes from the counters."""
    monkeypatch.setattr(fingerprint_table, "_SMALL_BYTES", -1)
    # A busy machine is no failure of what is tested.
    monkeypatch.setattr(row_counters, "_WAIT_S", 20.0)
    return Stand(cluster).fresh()


def told(stand: Stand, found: dict[str, Any]) -> set[str]:
    """Tables of which something is said to have changed."""
    return {change.object.split(".")[0] for change in data_diff.compare(stand.before, found)}


def untouched(found: dict[str, Any], by: str = "counters") -> set[str]:
    return {name for name, table in found["tables"].items() if table["proof"] == "untouched" and table["proved_by"] == by}


def test_where_nothing_was_written_nothing_is_read(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    ask = fingerprint_table.ask
    monkeypatch.setattr(fingerprint_table, "ask", lambda session, questions: asked.extend(one.table for one in questions) or ask(session, questions))
    found = stand.changed()
    assert untouched(found) == set(stand.before["tables"]) and asked == []
    assert "counters_not_used" not in found
    assert data_diff.compare(stand.before, found) == []
    assert found["tables"]["t"]["rows"] == found["tables"]["t"]["old_rows"] == 200
    # And from there on.
    stand.before = found
    stand.run(EDIT)
    assert told(stand, stand.changed()) == {"t"}


def test_what_is_written_is_found(stand: Stand) -> None:
    """One way after the other, each held against what was found by counters before it."""
    for number, (way, (table, sql)) in enumerate(COUNTED.items()):
        sql = sql.replace("'x'", f"'x{number}'")
        stand.run(*([sql] if sql.startswith("DO") else sql.split("; ")))
        found, full = stand.changed(connections=2), stand.look(since=stand.before)
        assert "counters_not_used" not in found, way
        assert table in told(stand, found), way
        assert "still" in untouched(found), way
        assert proved_tables(found) == proved_tables(full), way
        stand.before = found


def test_what_is_not_written_is_not(stand: Stand) -> None:
    for way, sql in ROLLED_BACK.items():
        stand.run(*sql.split("; "))
        found = stand.changed()
        assert told(stand, found) == set() and "counters_not_used" not in found, way
        assert untouched(found) | untouched(found, "row versions") == set(stand.before["tables"]), way
        stand.before = found


def proved_tables(found: dict[str, Any]) -> dict[str, Any]:
    return {name: test_properties.proved(table) for name, table in found["tables"].items()}


def _role(stand: Stand) -> None:
    stand.run("CREATE ROLE idle SUPERUSER LOGIN", "ALTER ROLE idle SET track_counts = off")
    other = Server(bin_dir=stand.server.bin_dir, host=stand.server.host, port=stand.server.port, user="idle")
    with Session(other, stand.name, "tests") as session:
        session.execute(EDIT)


def _system(stand: Stand) -> None:
    stand.run("ALTER SYSTEM SET track_counts = off", "SELECT pg_reload_conf()", "SELECT pg_sleep(0.5)")
    stand.run("SHOW track_counts", EDIT)
    stand.run("ALTER SYSTEM RESET track_counts", "SELECT pg_reload_conf()", "SELECT pg_sleep(0.5)")


def _reset(stand: Stand, how: str) -> None:
    stand.run(EDIT)
    stand.run(f"SELECT {how}")


def _crash(stand: Stand) -> None:
    stand.run(EDIT)
    stand.crash()


def _restart(stand: Stand, how: str) -> None:
    stand.run(EDIT, "CHECKPOINT")
    stand.restart(how)


_FUNCTION = "CREATE FUNCTION sly() RETURNS void LANGUAGE plpgsql"
LIES: dict[str, tuple[Callable[[Stand], None], str]] = {
    "role": (_role, "track_counts is set for a role or a database"),
    "database": (
        lambda stand: stand.run("ALTER DATABASE stand SET track_counts = off") or stand.run("SET track_counts = off", EDIT),
        "counting is off (track_counts)",
    ),
    "function's setting": (
        lambda stand: stand.run(f"{_FUNCTION} SET track_counts = off AS $$BEGIN {EDIT}; END$$", "SELECT sly()"),
        "a function speaks of track_counts",
    ),
    "function's text": (
        lambda stand: stand.run(f"{_FUNCTION} AS $$BEGIN SET TRACK_COUNTS = off; {EDIT}; END$$", "SELECT sly()"),
        "a function speaks of track_counts",
    ),
    "system": (_system, "the server has read its settings anew"),
    "reset": (lambda stand: _reset(stand, "pg_stat_reset()"), "counters of the database were reset"),
    "reset of one": (lambda stand: _reset(stand, "pg_stat_reset_single_table_counters('t'::regclass)"), "counters of the database were reset"),
    "crash": (_crash, "the server crashed, or its counters were reset"),
    "immediate stop": (lambda stand: _restart(stand, "immediate"), "the server was started anew"),
    "restart": (lambda stand: _restart(stand, "fast"), "the server was started anew"),
}


def test_counters_that_may_lie_are_not_believed(stand: Stand) -> None:
    for way, (lie, reason) in LIES.items():
        stand.run("UPDATE t SET v = 'value'", "SELECT pg_stat_reset()")
        stand.before = stand.look()
        lie(stand)
        found = stand.changed()
        assert found["counters_not_used"] == reason, way
        # A crash empties tables that are not logged.
        assert told(stand, found) - {"loose"} == {"t"}, way
        assert untouched(found) == set() and "quiet" in untouched(found, "row versions"), way
        stand.run("ALTER DATABASE stand RESET track_counts", "DROP FUNCTION IF EXISTS sly()", "DROP ROLE IF EXISTS idle")


def test_what_was_so_before_and_is_not_any_more(stand: Stand) -> None:
    """A function is dropped once it was called, and a setting taken away."""
    for on, off, reason in (
        (f"{_FUNCTION} AS $$BEGIN SET track_counts = off; END$$", "DROP FUNCTION sly()", "a function speaks of track_counts"),
        ("ALTER DATABASE stand SET track_counts = on", "ALTER DATABASE stand RESET track_counts", "track_counts is set for a role or a database"),
    ):
        stand.run(on)
        stand.before = stand.look()
        stand.run("SET track_counts = off", f"UPDATE t SET v = '{reason}' WHERE id = 7", off)
        found = stand.changed()
        assert (found["counters_not_used"], told(stand, found)) == (reason, {"t"})


def test_who_is_still_connected_may_have_more_to_tell(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    with Session(stand.server, stand.name, "tests") as other:
        # What it has counted goes to the server, and the next only a second later.
        other.execute("SELECT pg_stat_force_next_flush()")
        other.execute("UPDATE noisy SET t = 3 WHERE id = 1")
        other.execute(EDIT)
        with monkeypatch.context() as patch:
            patch.setattr(row_counters, "_WAIT_S", 0.1)
            found = stand.changed()
        assert found["counters_not_used"] == "somebody else is connected to the database"
        assert told(stand, found) == {"t", "noisy"}
    # Once it has left, which takes the server a moment.
    found = stand.changed()
    assert "counters_not_used" not in found and told(stand, found) == {"t", "noisy"}


def _while_compared(monkeypatch: pytest.MonkeyPatch, before: Callable[[], object], after: Callable[[], object]) -> None:
    """Something happens just before and just after the counters are read to be compared."""
    read = row_counters._read

    def wrapped(session: Session) -> dict[int, str]:
        compared = session.value("SELECT current_setting('transaction_isolation') AS v") == "repeatable read"
        if compared:
            before()
        found = read(session)
        if compared:
            after()
        return found

    monkeypatch.setattr(row_counters, "_read", wrapped)


def test_who_leaves_while_they_are_read_has_told_too_late(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_counters, "_WAIT_S", 0.1)
    with Session(stand.server, stand.name, "tests") as other:
        other.execute("SELECT pg_stat_force_next_flush()")
        other.execute("UPDATE noisy SET t = 3 WHERE id = 1")
        other.execute(EDIT)
        _while_compared(monkeypatch, lambda: None, lambda: (other.close(), time.sleep(0.5)))
        found = stand.changed()
    assert found["counters_not_used"] == "somebody else is connected to the database"
    assert told(stand, found) == {"t", "noisy"}


def test_who_comes_while_they_are_read_may_do_anything_to_them(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    guests: list[Session] = []
    _while_compared(monkeypatch, lambda: guests.append(Session(stand.server, stand.name, "tests")), lambda: None)
    assert stand.changed()["counters_not_used"] == "somebody else is connected to the database"
    assert len(guests) == 1
    guests[0].close()


def test_who_resets_them_while_they_are_read_and_leaves(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    stand.run(EDIT)
    _while_compared(monkeypatch, lambda: (stand.run("SELECT pg_stat_reset()"), time.sleep(0.5)), lambda: None)
    found = stand.changed()
    assert found["counters_not_used"] == "counters of the database were reset"
    assert told(stand, found) == {"t"}


def test_what_is_written_while_a_fingerprint_is_taken_is_found_by_the_next(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written after its snapshot: it has not seen it, so it must not have counted it."""
    read = relations.read_relations

    def late(session: Session) -> Any:
        monkeypatch.undo()
        stand.run(EDIT)
        return read(session)

    monkeypatch.setattr(relations, "read_relations", late)
    stand.before = stand.look()
    monkeypatch.setattr(row_counters, "_WAIT_S", 20.0)
    monkeypatch.setattr(fingerprint_table, "_SMALL_BYTES", -1)
    found = stand.changed()
    assert told(stand, found) == {"t"} and "counters_not_used" not in found


def test_what_the_session_itself_wrote_is_counted(stand: Stand) -> None:
    with Session(stand.server, stand.name, "tests") as session:
        session.execute("SELECT pg_stat_force_next_flush()")
        session.execute("UPDATE noisy SET t = 3 WHERE id = 1")
        stand.before = take_fingerprint(session)
        session.execute(EDIT)
        found = take_fingerprint(session, since=stand.before, proof="changed")
        assert told(stand, found) == {"t"} and "noisy" in untouched(found)


def test_two_phases_around_a_fingerprint(stand: Stand) -> None:
    stand.run("BEGIN", "UPDATE t SET v = 'x' WHERE id = 7", "PREPARE TRANSACTION 'p'")
    stand.before = stand.look()
    assert told(stand, stand.changed()) == set()
    stand.run("COMMIT PREPARED 'p'")
    found = stand.changed()
    assert told(stand, found) == {"t"} and "counters_not_used" not in found


def test_counters_of_another_database_say_nothing(stand: Stand) -> None:
    """Made from it as a template: files have the same names there, and counters begin anew."""
    stand.run("DROP DATABASE IF EXISTS twin WITH (FORCE)", "CREATE DATABASE twin TEMPLATE stand", database="postgres")
    stand.name = "twin"
    try:
        stand.run("SET track_counts = off", EDIT)
        found = stand.changed()
        assert found["counters_not_used"] == "they were counted in another database"
        assert told(stand, found) == {"t"} and "quiet" in untouched(found, "row versions")
    finally:
        stand.run("DROP DATABASE twin WITH (FORCE)", database="postgres")


def test_other_storage_is_not_believed(stand: Stand) -> None:
    stand.run("CREATE ACCESS METHOD other TYPE TABLE HANDLER heap_tableam_handler", "CREATE TABLE odd (id integer) USING other")
    stand.before = stand.look()
    assert "counted" not in stand.before["tables"]["odd"]
    assert untouched(stand.changed(), "row versions") == {"odd"}


def test_a_session_that_never_counts_is_found_out_by_what_is_small(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(row_counters, "_WAIT_S", 20.0)
    stand.run("CREATE TABLE alembic_version (version_num text)", "INSERT INTO alembic_version VALUES ('a')")
    stand.run("INSERT INTO t SELECT g, repeat('long ', 100), g FROM generate_series(1000, 5000) AS g")
    stand.before = stand.look()
    assert untouched(stand.changed()) == {"t"}
    stand.run("SET track_counts = off", EDIT, "UPDATE alembic_version SET version_num = 'b'")
    found = stand.changed(connections=2)
    assert found["counters_not_used"] == row_counters.CONTRADICTED
    assert told(stand, found) == {"t", "alembic_version"} and untouched(found) == set()


def test_whoever_doubts_is_heard(stand: Stand) -> None:
    # What no look at the server finds out.
    stand.run("SET track_counts = off", EDIT)
    found = stand.changed(distrust="a statement may have switched counting off")
    assert found["counters_not_used"] == "a statement may have switched counting off"
    assert told(stand, found) == {"t"}


def test_a_fingerprint_of_older_evidence_has_no_counters(stand: Stand) -> None:
    del stand.before["counters"]
    found = stand.changed()
    assert found["counters_not_used"] == "nothing was counted before" and untouched(found) == set()
    assert "counters" not in stand.look(proof="counts")


_STATEMENTS = [
    "UPDATE t SET v = v || '{n}' WHERE id % 50 = {n}",
    "UPDATE t SET n = n WHERE id = {n}",
    "DELETE FROM t WHERE id = {n}",
    "INSERT INTO t VALUES (1000 + {n}, NULL, {n}) ON CONFLICT DO NOTHING",
    "INSERT INTO triggers VALUES ({n})",
    "UPDATE parts SET id = 199 - id WHERE id = {n}",
    "DELETE FROM quiet WHERE id = {n}",
    "INSERT INTO quiet VALUES ({n})",
    "TRUNCATE quiet",
    "UPDATE toasted SET v = repeat('{n}', 9000)",
    "UPDATE loose SET v = v",
    "ALTER TABLE quiet ADD c{n} integer DEFAULT {n}",
    "ALTER TABLE t ALTER n TYPE bigint",
    "ALTER TABLE t ALTER n TYPE integer",
    "SELECT writes()",
]
_BATCH = st.tuples(
    st.sampled_from(["plain", "rolled back", "savepoint", "two phases", "several sessions", "VACUUM", "open"]),
    st.lists(st.tuples(st.sampled_from(_STATEMENTS), st.integers(0, 9)), min_size=1, max_size=4),
)


@given(batches=st.lists(_BATCH, min_size=1, max_size=3))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_is_done_the_counters_say_what_reading_says(stand: Stand, batches: list[tuple[str, list[tuple[str, int]]]]) -> None:
    stand.fresh()
    guests: list[Session] = []
    for how, edits in batches:
        statements = [sql.format(n=number) for sql, number in edits]
        # A column that is there already is the end of its transaction, and of nothing else.
        runs = {
            "plain": [[sql] for sql in statements],
            "rolled back": [["BEGIN", *statements, "ROLLBACK"]],
            "savepoint": [["BEGIN", statements[0], "SAVEPOINT s", *statements, "ROLLBACK TO s", statements[-1], "COMMIT"]],
            "two phases": [["BEGIN", *statements, "PREPARE TRANSACTION 'p'", "COMMIT PREPARED 'p'"]],
            "several sessions": [[sql] for sql in statements],
            "VACUUM": [[*statements, "VACUUM"]],
            "open": [],
        }[how]
        for run in runs:
            with contextlib.suppress(PostgresError):
                stand.run(*run)
        if how == "open":
            guests.append(Session(stand.server, stand.name, "tests", deadline_s=20))
            for sql in statements:
                with contextlib.suppress(PostgresError):
                    guests[-1].execute(sql)
    with pytest.MonkeyPatch.context() as patch:
        if guests:
            patch.setattr(row_counters, "_WAIT_S", 0.1)
        changed, full = stand.changed(connections=2), stand.look(since=stand.before)
    for guest in guests:
        guest.close()
    assert proved_tables(changed) == proved_tables(full), batches
    assert bool(guests) == ("counters_not_used" in changed)
