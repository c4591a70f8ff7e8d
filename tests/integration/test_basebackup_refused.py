"""Why there is no physical copy: what production does not allow, and what dev would not sort alike."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import basebackup
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server
from reaching_production import Production, reaching_out

from migration_rehearsal import embedded

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("basebackup refused")]


@pytest.fixture(scope="module")
def production() -> Iterator[Production]:
    yield from reaching_out()


def test_a_production_that_gives_no_physical_copy_says_why(production: Production) -> None:
    def reasons(server: Server = production.server, pulled: bool = False) -> list[str]:
        return basebackup.look(server, "shop", new_id(), 30.0, pulled)[1]

    assert reasons() == []
    production.run("postgres", "CREATE ROLE reader LOGIN", "CREATE ROLE taker LOGIN REPLICATION")
    as_reader, as_taker = (dataclasses.replace(production.server, user=user) for user in ("reader", "taker"))
    try:
        assert reasons(as_reader) == ["the role has no right to take a base backup: ALTER ROLE … REPLICATION"]
        assert reasons(as_taker) == []
        assert reasons(as_reader, pulled=True) == [], "dev takes it as another role, and tries that itself"
        hba = production.data / "pg_hba.conf"
        allowed = hba.read_text()
        hba.write_text(f"local replication taker reject\n{allowed}")
        production.run("postgres", "SELECT pg_reload_conf()")
        (refused,) = reasons(as_taker)
        assert refused.startswith("it lets no replication connection of the role in")
        assert reasons(as_taker, pulled=True) == []
        hba.write_text(allowed)
        production.run("postgres", "SELECT pg_reload_conf()")
    finally:
        production.run("postgres", "DROP ROLE reader", "DROP ROLE taker")
    place = production.place / "tablespace"
    place.mkdir()
    shutil.chown(place, production.data.owner())
    production.run("postgres", f"CREATE TABLESPACE fast LOCATION '{place}'")
    try:
        assert reasons() == ["it has 1 tablespaces of its own, which do not fit into one stream"]
    finally:
        production.run("postgres", "DROP TABLESPACE fast")
    (nobody,) = reasons(dataclasses.replace(production.server, port=1))
    assert "database shop on" in nobody


def test_a_production_without_wal_senders_gives_none(tmp_path: Path) -> None:
    place = Path(tempfile.mkdtemp(prefix="minimal-"))
    place.chmod(0o711)
    binaries = embedded.find_binaries(major=15)
    cluster = embedded.start_cluster(place / "cluster", binaries, settings={"wal_level": "minimal", "max_wal_senders": "0"})
    try:
        server = Server(bin_dir=str(cluster.bin_dir), host=str(cluster.socket_directory), port=cluster.port, user=cluster.user)
        assert basebackup.look(server, "postgres", new_id(), 30.0)[1] == [
            "wal_level is minimal there, and a base backup needs replica",
            "0 of its 0 WAL senders are taken (max_wal_senders), and 1 must be free",
        ]
    finally:
        embedded.remove_cluster(cluster)


def test_another_c_library_would_sort_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basebackup.os, "confstr", lambda name: "glibc 2.36")
    assert basebackup.differs_from_dev({"collation_version": "2.36"}) == [] == basebackup.differs_from_dev({"collation_version": None})
    (reason,) = basebackup.differs_from_dev({"collation_version": "2.31"})
    assert "the C library 2.31, dev with 2.36" in reason
