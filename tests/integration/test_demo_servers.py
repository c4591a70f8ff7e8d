"""The demonstration's servers, and the inventory that describes them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Server, Session

from migration_rehearsal import demo_servers, embedded

pytestmark = pytest.mark.integration

PRODUCTION_REVISION = "1f6d83b2c5a9"


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "demo"
    demo_servers.down(tmp_path / "demo")


def ask(server: demo_servers.DemoServer, query: str) -> object:
    cluster = server.cluster
    address = Server(bin_dir=str(cluster.bin_dir), host=str(cluster.socket_directory), port=cluster.port, user=cluster.user)
    with Session(address, server.database, "tests") as session:
        return session.value(query)


def ansible(tmp_path: Path, demo: Path, program: str, *args: str) -> subprocess.CompletedProcess[str]:
    """An Ansible program from an empty directory, without any configuration but the inventory."""
    env = {
        key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")
    } | {"REHEARSAL_DEMO": str(demo), "HOME": str(tmp_path), "ANSIBLE_NOCOLOR": "1"}  # fmt: skip
    tool = Path(sys.executable).with_name(program)
    argv = [str(tool), "-i", str(demo_servers.inventory_directory()), *args]
    return subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)


def host_variables(tmp_path: Path, demo: Path, host: str) -> dict[str, object]:
    """What a play on this host sees, all references resolved."""
    names = "rehearsal_postgres, rehearsal_work_dir, rehearsal_database | default(none), rehearsal_application | default(none)"
    names += ", rehearsal_expectations | default(none)"
    done = ansible(
        tmp_path, demo, "ansible", host, "-m", "ansible.builtin.debug", "-e", "rehearsal_copy_address=postgres@/the_copy",
        "-a", "msg={{ [" + names + "] }}",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    values = json.loads(done.stdout.split("=>", 1)[1])["msg"]
    return dict(zip(("postgres", "work_dir", "database", "application", "expectations"), values, strict=True))


def test_up_inventory_and_down(tmp_path: Path, directory: Path) -> None:
    state = demo_servers.up(directory, 1)
    assert demo_servers.load(directory) == state
    assert stat.S_IMODE((directory / "demo.json").stat().st_mode) == 0o600
    for server, shifts in ((state.production, 1200), (state.dev, 0)):
        assert ask(server, "SELECT version_num FROM alembic_version") == PRODUCTION_REVISION
        assert ask(server, "SELECT count(*) FROM shifts") == shifts

    production = host_variables(tmp_path, directory, "demo-production")
    cluster = state.production.cluster
    bin_dir = str(cluster.bin_dir)
    assert production["postgres"] == {"host": str(cluster.socket_directory), "port": 5432, "user": "postgres", "bin_dir": bin_dir}
    assert production["database"] == "staffprobot_prod"
    dev = host_variables(tmp_path, directory, "demo-dev")
    socket = str(state.dev.cluster.socket_directory)
    assert dev["application"] == {
        "command": [sys.executable],
        "chdir": str(state.application),
        "config": "alembic.ini",
        "environment": {"DATABASE_URL": "postgresql+psycopg://postgres@/the_copy"},
        "x": {},
    }
    assert dev["expectations"] == f"{state.application}/expectations.yml"
    assert dev["postgres"] == {"host": socket, "port": 5432, "user": "postgres", "bin_dir": bin_dir}
    assert production["work_dir"] != dev["work_dir"]

    with pytest.raises(demo_servers.DemoError, match="run already"):
        demo_servers.up(directory, 1)
    assert demo_servers.load(directory) == state

    (state.dev.work_dir / "left").mkdir(parents=True)
    demo_servers.down(directory)
    assert not directory.exists()
    assert not any(embedded.is_running(server.cluster) for server in (state.production, state.dev))
    demo_servers.down(directory)


def test_what_a_crash_left_is_replaced_and_what_is_not_ours_stays(tmp_path: Path, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_servers, "_fill", lambda *_: None)
    directory.mkdir()
    (directory / "notes.txt").write_text("mine")
    crashed = demo_servers.up(directory, 1)
    for server in (crashed.production, crashed.dev):
        embedded.stop_cluster(server.cluster)
    with pytest.raises(demo_servers.DemoError, match="production and dev .* does not run any more"):
        demo_servers.load(directory)
    assert demo_servers.up(directory, 1).production.cluster.pid != crashed.production.cluster.pid
    demo_servers.down(directory)
    assert [path.name for path in directory.iterdir()] == ["notes.txt"]


def test_failed_filling_quotes_it_and_leaves_nothing(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(demo_servers.DemoError, match="(?s)filling staffprobot_prod ended with exit code 2.*scale"):
        demo_servers.up(directory, -1)
    assert not directory.exists()


def test_inventory_without_servers_parses_and_says_what_to_do(tmp_path: Path) -> None:
    listed = ansible(tmp_path, tmp_path / "nowhere", "ansible-inventory", "--list")
    assert listed.returncode == 0 and json.loads(listed.stdout)["dev"]["hosts"] == ["demo-dev"]
    used = ansible(tmp_path, tmp_path / "nowhere", "ansible", "all", "-m", "ansible.builtin.command", "-a", "echo {{ rehearsal_postgres.host }}")
    assert used.returncode != 0
    assert "The demonstration servers are not running" in used.stdout + used.stderr
    assert "rehearse demo --up" in used.stdout + used.stderr
