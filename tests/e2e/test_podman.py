"""PostgreSQL in a container of Podman's: a parallel dump out of it and a copy into it, through `podman exec`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import arguments, clean_up, copy_database, files, inside
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup import Limits, take_backup, unpack
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, copy_database_name, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory
from engine import IMAGE, SERVER, Missing
from hosts import free_port
from podman import LIMITS, Podman, podman

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("podman")]

NAME, PASSWORD = "rehearsal-db", "pass-in-podman-40ff"
ROWS = 5000


@pytest.fixture(scope="module")
def engine() -> Iterator[Podman]:
    place = Path(tempfile.mkdtemp(prefix="podman-"))
    try:
        with podman(place) as found:
            yield found
    except Missing as missing:
        place.rmdir()
        pytest.skip(str(missing))


def test_through_podman_exec(engine: Podman, tmp_path: Path) -> None:
    port = free_port()
    start = SERVER.format(port=port, password=PASSWORD)
    engine.run("run", "--detach", f"--name={NAME}", *LIMITS, "--network=host", "--user=postgres", IMAGE, "sh", "-c", start)
    options = {"container": {"name": NAME, "engine": str(engine.program)}, "user": "postgres", "host": "/tmp", "port": port, "password": PASSWORD}
    rehearsal_id = new_id()
    deadline = time.monotonic() + 60
    while "accepting" not in engine.run("exec", NAME, "sh", "-c", f"pg_isready -h /tmp -p {port} || true"):
        assert time.monotonic() < deadline, engine.run("logs", NAME)
        time.sleep(0.3)
    server = arguments.server({**options, "scratch": "/var/lib/postgresql"}, rehearsal_id)
    assert server.prefix == (str(engine.program), "exec", "--interactive", NAME)
    with Session(server, "postgres", "tests") as session:
        session.execute("CREATE DATABASE shop TEMPLATE template0")
    with Session(server, "shop", "tests") as session:
        session.execute(f"CREATE TABLE orders AS SELECT n AS id, 'order ' || n AS note FROM generate_series(1, {ROWS}) AS n")

    marker = Marker(rehearsal_id, "production/shop", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
    work = WorkDirectory.at(str(tmp_path), rehearsal_id, "production")
    work.create(marker)
    manifest = take_backup(server, "shop", rehearsal_id, work, Limits(jobs=2, nice=5))
    assert list(manifest["rows"].values()) == [ROWS]
    assert manifest["load"]["connections"] == 4 and manifest["load"]["nice"] == 5
    arrived = WorkDirectory.at(str(tmp_path), rehearsal_id, "dev")
    arrived.create(marker)
    unpack(arrived, work.file("backup.tar"), files.sha256(work.file("manifest.json")))
    name = copy_database_name(rehearsal_id)
    copy = copy_database.make_copy(server, name, marker, manifest, arrived, jobs=2, deadline_s=120)
    assert copy["differences"] == [] and copy["rows"] == ROWS
    cleaned = clean_up.clean_up(server, name, rehearsal_id, arrived, clean_up.KEEP_NONE, 60)
    assert (cleaned["left"], cleaned["problems"], cleaned["copy"]) == ([], [], "dropped")
    # Only the password for this very process is left, which takes it away when it ends.
    (password,) = inside.directories(server)
    inside.remove_directory(server, password)
