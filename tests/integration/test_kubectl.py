"""A database behind `kubectl exec`: the whole way from the backup to the copy, through a program that behaves as kubectl does.

There is no cluster: what is run in the «pod» runs here, but with nothing of the environment, without standard input unless it is asked for, and not
ended with its client.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import arguments, clean_up, copying, inside, preflight
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import ARCHIVE, MANIFEST, Limits, take_backup, unpack
from ansible_collections.migrations.rehearsal.plugins.module_utils.copying import Order
from ansible_collections.migrations.rehearsal.plugins.module_utils.files import sha256
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, copy_database_name, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("kubectl")]

_KUBECTL = """#!/bin/bash
[ "$1" = exec ] || { echo "unknown command $1" >&2; exit 1; }
shift
stdin=/dev/null
while [ "$1" != -- ]; do
  case "$1" in -i) stdin=/dev/stdin;; -n) shift;; db-0) pod=yes;; *) echo "error: unexpected $1" >&2; exit 1;; esac
  shift
done
shift
[ "$pod" ] || exit 1
echo "$*" >> NOTED
setsid env -i PATH=/usr/bin:/bin "$@" < $stdin &
wait $!
"""
_FILL = """
CREATE TABLE things (id int PRIMARY KEY, text text);
INSERT INTO things SELECT n, md5(n::text) || md5((n * 7)::text) FROM generate_series(1, 60000) n;
CREATE TABLE few (id int);
"""


@pytest.fixture
def pod(postgres_server: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """The server as it is reached behind the stand-in for kubectl."""
    (tmp_path / "kubectl").write_text(_KUBECTL.replace("NOTED", shlex.quote(str(tmp_path / "noted"))))
    (tmp_path / "kubectl").chmod(0o755)

    reached = []

    def reach(rehearsal_id: str, **more: Any) -> Any:
        known = {"host": postgres_server.host, "port": postgres_server.port, "user": postgres_server.user, "bin_dir": str(postgres_server.bin_dir)}
        prefix = [str(tmp_path / "kubectl"), "exec", "-i", "-n", "prod", "db-0", "--"]
        reached.append(arguments.server({**known, "prefix": prefix, "password": "opensesame-3c1f", **more}, rehearsal_id))
        return reached[-1]

    yield reach
    # At the end of the process, which does it otherwise, the stand-in is gone.
    for server in reached:
        inside.remove_directory(server, os.path.dirname(server.passfile))


@pytest.mark.parametrize("scratch", ["", "/tmp"], ids=["on standard output", "in parallel into the pod"])
def test_from_the_backup_to_the_copy(postgres_server: Any, database: str, tmp_path: Path, pod: Callable[..., Any], scratch: str) -> None:
    with Session(postgres_server.server, database, "tests") as session:
        for statement in _FILL.strip().split(";\n"):
            session.execute(statement.rstrip(";"))
    marker = Marker(new_id(), "production/shop", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
    there, here = (WorkDirectory.at(str(tmp_path / "work"), marker.id, side) for side in ("production", "dev"))
    for work in (there, here):
        work.create(marker)
    server = pod(marker.id, scratch=scratch)
    facts, problems = preflight.look_at_production(server, database, marker.id, str(tmp_path / "work"), 30)
    assert problems == [] and facts["pg_dump"]["major"] >= 13

    manifest = take_backup(server, database, marker.id, there, Limits(jobs=2))
    assert manifest["rows"] == {"things": 60000, "few": 0}
    # The archive and the manifest: nothing of the dump is there beside them.
    assert sorted(path.name for path in Path(there.path).iterdir() if path.is_file()) == [ARCHIVE, MANIFEST, "rehearsal.json"]
    assert not Path(there.file("dump")).exists()
    assert inside.directories(server, marker.id) == [os.path.dirname(server.passfile)]

    os.replace(there.file(ARCHIVE), here.file(ARCHIVE))
    order = Order(copy_database_name(marker.id), marker, here, server, jobs=2, deadline_s=60)
    made = copying.from_dump(order, unpack(here, here.file(ARCHIVE), sha256(there.file(MANIFEST))))
    assert (made.copy["rows"], made.copy["differences"]) == (60000, [])
    said = (tmp_path / "noted").read_text()
    assert "pg_dump" in said and "pg_restore" in said and "opensesame" not in said
    assert ("--jobs=2" in said.split("pg_dump")[-1]) or not scratch

    for database_there, work in ((order.database, here), (None, there)):
        cleaned = clean_up.clean_up(server, database_there, marker.id, work, "none", 30)
        assert (cleaned["left"], cleaned["problems"]) == ([], [])


def test_what_the_client_left_running_in_the_pod_is_ended(postgres_server: Any, database: str, tmp_path: Path, pod: Callable[..., Any]) -> None:
    """kubectl, like docker exec, does not end what it has started when it is killed itself."""
    marker = Marker(new_id(), "production/shop", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
    work = WorkDirectory.at(str(tmp_path / "work"), marker.id, "production")
    work.create(marker)
    server = pod(marker.id)
    with Session(server, database, f"rehearsal {marker.id}") as session:
        assert session.value("SELECT 1") == 1
        cleaned = clean_up.clean_up(server, None, marker.id, work, "none", 30)
        assert (cleaned["left"], cleaned["problems"]) == ([], [])
    deadline = time.monotonic() + 5
    mine = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rehearsal {marker.id}'"
    with Session(postgres_server.server, "postgres", "tests") as session:
        while session.value(mine) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert session.value(mine) == 0
