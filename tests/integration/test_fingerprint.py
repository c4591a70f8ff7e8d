"""What a fingerprint covers and what it leaves out, whichever session takes it."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import data_diff, fingerprint, large_objects
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session
from typed_values import proved

pytestmark = pytest.mark.integration


def test_the_session_does_not_matter(own: Session, postgres_server) -> None:
    own.execute("CREATE SCHEMA other")
    own.execute("CREATE TYPE other.pair AS (at timestamptz, span interval)")
    own.execute(
        """CREATE TABLE t (id integer PRIMARY KEY, at timestamptz, day date, span interval, number float8, small real, bytes bytea, price money,
        place point, pairs other.pair[], spans tstzrange, relation regclass, words text)"""
    )
    own.execute(
        """INSERT INTO t SELECT g, now(), '2024-01-02', '1 year 2 mons -3 days 04:05:06', float8 '0.1' + float8 '0.2', 1.0 / 3,
        '\\xdead', 1234.5, '(0.3,0.1)',
        ARRAY[ROW(now(), interval '1 day')::other.pair], tstzrange(now(), NULL), 't', 'x' FROM generate_series(1, 3) AS g"""
    )
    plain = take_fingerprint(own)
    session_settings = {
        "TimeZone": "Asia/Kathmandu",
        "DateStyle": "German",
        "IntervalStyle": "sql_standard",
        "extra_float_digits": "-5",
        "bytea_output": "escape",
        "search_path": "other",
        "default_transaction_isolation": "serializable",
        "quote_all_identifiers": "on",
        "max_parallel_workers_per_gather": "0",
        "statement_timeout": "60000",
    }
    with Session(postgres_server.server, own.database, "tests", session_settings) as strange:
        assert proved(take_fingerprint(strange)) == proved(plain)
        # What was set for the proof ends with it.
        assert strange.value("SELECT current_setting('TimeZone') AS v") == "Asia/Kathmandu"


def test_a_row_policy_does_not_hide_rows(own: Session, postgres_server) -> None:
    # Asked together with another one, and named all the same.
    own.execute("CREATE TABLE calm (id integer PRIMARY KEY)")
    own.execute("CREATE TABLE t (id integer PRIMARY KEY)")
    own.execute("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    own.execute(f"DROP ROLE IF EXISTS proof_{own.database}")
    own.execute(f"CREATE ROLE proof_{own.database}")
    try:
        own.execute(f"GRANT SELECT ON calm, t TO proof_{own.database}")
        own.execute(f"SET ROLE proof_{own.database}")
        with pytest.raises(PostgresError, match="fingerprint of t: .*row-level security"):
            take_fingerprint(own)
    finally:
        own.execute("RESET ROLE")
        own.execute(f"DROP OWNED BY proof_{own.database}")
        own.execute(f"DROP ROLE proof_{own.database}")


def test_names_dropped_columns_and_many_columns(own: Session) -> None:
    own.execute('CREATE SCHEMA "od.d"')
    own.execute('CREATE TABLE "od.d"."t ""x"";\\y:z" ("k;1" integer, gone text, "old" text, "t" integer, "$1" text, PRIMARY KEY ("k;1", "t"))')
    own.execute('ALTER TABLE "od.d"."t ""x"";\\y:z" DROP COLUMN gone')
    own.execute('INSERT INTO "od.d"."t ""x"";\\y:z" VALUES (1, \'v\', 2, NULL)')
    own.execute(f"CREATE TABLE wide ({', '.join(f'c{number} integer' for number in range(1500))})")
    own.execute("INSERT INTO wide (c1, c1499) VALUES (1, 2)")
    own.execute("CREATE TABLE nothing ()")
    own.execute("INSERT INTO nothing DEFAULT VALUES")
    tables = take_fingerprint(own)["tables"]
    odd = tables['"od.d"."t ""x"";\\y:z"']
    assert odd["key"] == ["k;1", "t"]
    assert {name: column["non_null"] for name, column in odd["columns"].items()} == {"k;1": 1, "old": 1, "t": 1, "$1": 0}
    assert tables["wide"]["columns"]["c1499"]["non_null"] == 1
    assert tables["nothing"]["rows"] == 1 and tables["nothing"]["columns"] == {}


def test_partitions_inheritance_and_what_is_left_out(own: Session) -> None:
    own.execute("CREATE TABLE p (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id)")
    own.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)")
    own.execute("CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)")
    own.execute("INSERT INTO p VALUES (1, 'a'), (11, 'b')")
    own.execute("CREATE TABLE parent (id integer)")
    own.execute("CREATE TABLE child (extra text) INHERITS (parent)")
    own.execute("INSERT INTO parent VALUES (1)")
    own.execute("INSERT INTO child VALUES (2, 'x')")
    own.execute("CREATE MATERIALIZED VIEW seen AS SELECT * FROM p")
    own.execute("CREATE VIEW looked AS SELECT * FROM p")
    own.execute("CREATE TEMPORARY TABLE own_thing (id integer)")
    before = take_fingerprint(own)
    assert {name: entry["rows"] for name, entry in before["tables"].items()} == {"p": 2, "parent": 1, "child": 1}
    assert list(before["left_out"]) == ["seen"]
    # Other bounds, the same rows.
    own.execute("ALTER TABLE p DETACH PARTITION p1")
    own.execute("CREATE TABLE p0 PARTITION OF p FOR VALUES FROM (-10) TO (10)")
    own.execute("INSERT INTO p SELECT * FROM p1")
    own.execute("DROP TABLE p1")
    for proof in ("full", "changed"):
        after = take_fingerprint(own, since=before, proof=proof)
        assert after["tables"]["p"]["proof"] == "full"
        assert data_diff.compare(before, after) == []


def test_a_foreign_partition_is_not_read(installed: Session) -> None:
    own = installed
    own.execute("CREATE EXTENSION postgres_fdw")
    own.execute("CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/nowhere')")
    own.execute("CREATE USER MAPPING FOR CURRENT_USER SERVER elsewhere")
    own.execute("CREATE TABLE p (id integer) PARTITION BY RANGE (id)")
    own.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)")
    own.execute("CREATE FOREIGN TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) SERVER elsewhere")
    own.execute("CREATE FOREIGN TABLE f (id integer) SERVER elsewhere")
    own.execute("INSERT INTO p1 VALUES (1)")
    found = take_fingerprint(own)
    assert {name: entry["rows"] for name, entry in found["tables"].items()} == {"p1": 1}
    assert set(found["left_out"]) == {"p", "f"}


def test_several_sessions_see_one_snapshot(own: Session, postgres_server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "_TOGETHER", 1)
    for number in range(8):
        own.execute(f"CREATE TABLE t{number} (id integer PRIMARY KEY, v text)")
        own.execute(f"INSERT INTO t{number} SELECT g, g::text FROM generate_series(1, {10 * number}) AS g")
    alone = take_fingerprint(own)
    with Session(postgres_server.server, own.database, "tests") as holder:
        holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        snapshot = holder.value("SELECT pg_export_snapshot() AS v")
        own.execute("UPDATE t7 SET v = 'later'")
        together = take_fingerprint(own, snapshot_id=snapshot, connections=3)
        holder.execute("COMMIT")
    assert proved(together) == proved(alone)
    assert list(together["tables"]) == list(alone["tables"])
    assert proved(take_fingerprint(own, connections=3)) != proved(alone)
    with pytest.raises(ValueError, match=r"t3\.id: a change of a primary key"):
        take_fingerprint(own, declared={"t3.id": "old + 1"}, connections=3)


def test_large_objects_are_counted_and_hashed(own: Session) -> None:
    assert large_objects.NAME not in take_fingerprint(own)["tables"]
    for number in (4711, 4712):
        own.execute(f"SELECT lo_from_bytea({number}, decode(repeat('ab', 3000), 'hex'))")
    before = take_fingerprint(own)

    def found() -> list[tuple[str, str]]:
        return [(change.kind, change.object) for change in data_diff.compare(before, take_fingerprint(own, since=before))]

    assert found() == []
    # The same bytes on another page, and the same length.
    own.execute("SELECT lo_put(4711, 2500, '\\xcd'::bytea)")
    assert found() == [("column-changed", "pg_catalog.pg_largeobject.data")]
    assert data_diff.to_follow(before, take_fingerprint(own, since=before), {}) == {}
    own.execute("SELECT lo_put(4711, 2500, '\\xab'::bytea)")
    assert found() == []
    own.execute("SELECT lo_unlink(4711)")
    assert ("rows-lost", "pg_catalog.pg_largeobject") in found()
    own.execute("SELECT lo_from_bytea(4713, decode(repeat('ab', 3000), 'hex'))")
    assert ("rows-changed", "pg_catalog.pg_largeobject") in found()
    own.execute("SELECT lo_unlink(4713), lo_unlink(4712)")
    assert ("rows-lost", "pg_catalog.pg_largeobject") in found()
    assert take_fingerprint(own, since=before, proof="counts")["tables"][large_objects.NAME]["rows"] == 0


def test_large_objects_that_may_not_be_read_are_counted_and_said(own: Session) -> None:
    own.execute("SELECT lo_from_bytea(4711, '\\xab'::bytea)")
    before = take_fingerprint(own)
    own.execute("CREATE ROLE counts_only")
    own.execute("SET ROLE counts_only")
    counted = take_fingerprint(own)
    own.execute("RESET ROLE")
    own.execute("DROP ROLE counts_only")
    assert counted["left_out"] == {large_objects.NAME: large_objects.NOT_READ}
    assert data_diff.compare(counted, before) == []


def test_a_helper_that_fails_takes_no_table_along(own: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        own.execute(f"CREATE TABLE t{number} AS SELECT g AS id FROM generate_series(1, 1000) AS g")
    prove = fingerprint.prove

    def broken(jobs: Any, session: Session) -> Any:
        if threading.current_thread() is not threading.main_thread():
            raise OSError("broken pipe")
        time.sleep(0.05)
        return prove(jobs, session)

    monkeypatch.setattr(fingerprint, "_TOGETHER", 1)
    monkeypatch.setattr(fingerprint, "prove", broken)
    with pytest.raises(OSError, match="broken pipe"):
        take_fingerprint(own, connections=2)
