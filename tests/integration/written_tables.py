"""A database with tables that can be written to in many ways, these ways, and what was measured in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import row_counters
from ansible_collections.migrations.rehearsal.plugins.module_utils.fingerprint import take_fingerprint
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Server, Session

from migration_rehearsal import embedded

_FILLED = (
    "CREATE TABLE t (id integer PRIMARY KEY, v text, n integer)",
    "INSERT INTO t SELECT g, 'value ' || g, g FROM generate_series(1, 200) AS g",
    "CREATE TABLE noisy (id integer PRIMARY KEY, t integer REFERENCES t ON UPDATE CASCADE ON DELETE CASCADE)",
    "INSERT INTO noisy VALUES (1, 1), (2, 2)",
    "CREATE FUNCTION copies() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE t SET v = v || '!' WHERE id = NEW.id; RETURN NEW; END$$",
    "CREATE TABLE triggers (id integer)",
    "CREATE TRIGGER copies AFTER INSERT ON triggers FOR EACH ROW EXECUTE FUNCTION copies()",
    "CREATE FUNCTION writes() RETURNS integer LANGUAGE sql AS $$UPDATE t SET v = 'f' WHERE id = 5 RETURNING 1$$",
    "CREATE PROCEDURE goes() LANGUAGE plpgsql AS $$BEGIN UPDATE t SET v = 'a' WHERE id = 1; COMMIT; UPDATE t SET v = 'b' WHERE id = 2; END$$",
    "CREATE VIEW seen AS SELECT id, v FROM t",
    "CREATE TABLE parts (id integer, v text) PARTITION BY RANGE (id)",
    "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100)",
    "CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200)",
    "INSERT INTO parts SELECT g, 'v' FROM generate_series(1, 150) AS g",
    "CREATE TABLE toasted (id integer PRIMARY KEY, v text)",
    "ALTER TABLE toasted ALTER v SET STORAGE EXTERNAL",
    "INSERT INTO toasted VALUES (1, repeat('x', 9000)), (2, 'short')",
    "CREATE UNLOGGED TABLE loose AS SELECT 1 AS id, 'a' AS v",
    "CREATE TABLE quiet AS SELECT g AS id FROM generate_series(1, 50) AS g",
    "CREATE TABLE still AS SELECT g AS id FROM generate_series(1, 50) AS g",
    # All counters begin at 0, so that those that are lost look like those that were.
    "SELECT pg_stat_reset()",
)

# Each changes values of the table that it names.
COUNTED = {
    "update": ("t", "UPDATE t SET v = 'x' WHERE id = 7"),
    "update of a key": ("t", "UPDATE t SET id = -3 WHERE id = 3"),
    "insert": ("t", "INSERT INTO t VALUES (0, 'new', 0)"),
    "delete": ("t", "DELETE FROM t WHERE id = 9"),
    "delete and insert": ("t", "BEGIN; DELETE FROM t WHERE id = 9; INSERT INTO t VALUES (9, 'other', 9); COMMIT"),
    "COPY": ("t", "COPY t FROM PROGRAM 'printf ''300,c,1''' (FORMAT csv)"),
    "trigger": ("t", "INSERT INTO triggers VALUES (4)"),
    "cascade": ("noisy", "DELETE FROM t WHERE id = 1"),
    "function": ("t", "SELECT writes()"),
    "procedure": ("t", "CALL goes()"),
    "DO": ("t", "DO $$BEGIN UPDATE t SET v = 'x' WHERE id = 7; END$$"),
    "subtransaction": ("t", "BEGIN; SAVEPOINT a; UPDATE t SET v = 'x' WHERE id = 7; RELEASE a; COMMIT"),
    "beside one rolled back": ("t", "BEGIN; SAVEPOINT a; DELETE FROM t; ROLLBACK TO a; UPDATE t SET v = 'x' WHERE id = 7; COMMIT"),
    "exception": (
        "t",
        "DO $$BEGIN UPDATE t SET v = 'x' WHERE id = 7; BEGIN DELETE FROM t; PERFORM 1/0; EXCEPTION WHEN division_by_zero THEN NULL; END; END$$",
    ),
    "beside a TRUNCATE rolled back": ("t", "BEGIN; UPDATE t SET v = 'x' WHERE id = 7; SAVEPOINT a; TRUNCATE t CASCADE; ROLLBACK TO a; COMMIT"),
    "two phases": ("t", "BEGIN; UPDATE t SET v = 'x' WHERE id = 7; PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p'"),
    "ON CONFLICT": ("t", "INSERT INTO t VALUES (7, 'x', 1) ON CONFLICT (id) DO UPDATE SET v = 'conflict'"),
    "MERGE": ("t", "MERGE INTO t USING (VALUES (7)) AS s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = 'm'"),
    "WITH": ("t", "WITH w AS (UPDATE t SET v = 'w' WHERE id = 7 RETURNING 1) SELECT * FROM w"),
    "cursor": ("t", "BEGIN; DECLARE c CURSOR FOR SELECT * FROM t FOR UPDATE; FETCH c; UPDATE t SET v = 'c' WHERE CURRENT OF c; COMMIT"),
    "view": ("t", "UPDATE seen SET v = 'view' WHERE id = 7"),
    "replica": ("t", "SET session_replication_role = replica; UPDATE t SET v = 'x' WHERE id = 7"),
    "partition": ("parts", "UPDATE parts SET v = 'x' WHERE id = 7"),
    "from one partition to another": ("parts", "UPDATE parts SET id = 170 WHERE id = 7"),
    "toast": ("toasted", "UPDATE toasted SET v = repeat('y', 9000) WHERE id = 1"),
    "unlogged": ("loose", "UPDATE loose SET v = 'x'"),
    "COPY FREEZE": ("quiet", "BEGIN; TRUNCATE quiet; COPY quiet FROM PROGRAM 'printf 1' (FREEZE); COMMIT"),
    "rewrite": ("t", "ALTER TABLE t ALTER n TYPE bigint USING n + 1"),
    "update and VACUUM FULL": ("t", "UPDATE t SET v = 'x' WHERE id = 7; VACUUM FULL t"),
    "update and VACUUM FREEZE": ("t", "UPDATE t SET v = 'x' WHERE id = 7; VACUUM FREEZE t"),
    "column made anew": ("t", "ALTER TABLE t DROP n; ALTER TABLE t ADD n integer"),
    "truncate": ("t", "TRUNCATE t CASCADE"),
    "table made anew": ("quiet", "DROP TABLE quiet; CREATE TABLE quiet AS SELECT 2 AS id"),
}
# These change nothing.
ROLLED_BACK = {
    "transaction": "BEGIN; UPDATE t SET v = 'x'; ROLLBACK",
    "savepoint": "BEGIN; SAVEPOINT a; DELETE FROM t; ROLLBACK TO a; COMMIT",
    "truncate": "BEGIN; TRUNCATE t CASCADE; ROLLBACK",
    "two phases": "BEGIN; UPDATE t SET v = 'x' WHERE id = 7; PREPARE TRANSACTION 'p'; ROLLBACK PREPARED 'p'",
    "locks": "BEGIN; SELECT * FROM t FOR UPDATE; COMMIT",
    "vacuum": "VACUUM FREEZE",
    "analyze": "ANALYZE",
    "index": "CREATE INDEX ON t (v)",
}
EDIT = "UPDATE t SET v = 'x' WHERE id = 7"


class Stand:
    """A database of a server of its own, which a test may stop, and what was measured in it."""

    def __init__(self, cluster: embedded.Cluster) -> None:
        self.cluster = cluster
        self.server = Server(bin_dir=str(cluster.bin_dir), host=str(cluster.socket_directory), port=cluster.port, user=cluster.user)
        self.name = "stand"

    def fresh(self, *statements: str) -> Stand:
        self.run("DROP DATABASE IF EXISTS stand WITH (FORCE)", "DROP ROLE IF EXISTS idle", "CREATE DATABASE stand", database="postgres")
        self.run(*_FILLED, *statements)
        # A session adds what it wrote before it leaves, which is a moment after its client has.
        with Session(self.server, self.name, "tests", deadline_s=60) as session:
            assert row_counters._is_alone(session, 20.0)
        self.before = self.look()
        assert self.before["counters"]["why_not"] == ""
        return self

    def run(self, *statements: str, database: str = "") -> None:
        """In a session of its own."""
        with Session(self.server, database or self.name, "tests", deadline_s=60) as session:
            for statement in statements:
                # psql sends what is between two semicolons by itself.
                session.execute(statement)

    def look(self, **how: Any) -> dict[str, Any]:
        with Session(self.server, self.name, "tests", deadline_s=60) as session:
            return take_fingerprint(session, **how)

    def changed(self, **how: Any) -> dict[str, Any]:
        return self.look(since=self.before, proof="changed", **how)

    def restart(self, how: str) -> None:
        done = embedded._pg_ctl(self.cluster, "restart", 60, "-m", how, "-l", self.cluster.log)
        assert done.returncode == 0, done.stdout

    def crash(self) -> None:
        """One process is killed; the server ends all others, recovers and goes on."""
        with Session(self.server, "postgres", "tests") as session:
            session.execute("CHECKPOINT")
            pid = session.value("SELECT pg_backend_pid() AS v")
            embedded._run(self.cluster.system_user, 10, Path("/bin/kill"), "-9", str(pid))
            with pytest.raises(PostgresError):
                for _ in range(100):
                    session.execute("SELECT pg_sleep(0.1)")
        for _ in range(100):
            try:
                self.run("SELECT 1")
                return
            except PostgresError:
                pass
        raise AssertionError("the server did not come back")
