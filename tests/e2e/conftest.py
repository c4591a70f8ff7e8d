"""The demonstration that the whole-playbook tests share: two servers, started once a worker."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Test files are imported by path (import-mode=importlib), which leaves their folder out of the search path.
sys.path.insert(0, str(Path(__file__).parent))

import engine as docker_engine  # noqa: E402
import hosts as two_hosts  # noqa: E402
from playbook import Demo  # noqa: E402

from migration_rehearsal import demo_servers  # noqa: E402


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """Two servers that are up, production filled. Tests leave both as they found them; this is looked at when the last has ended."""
    place = Path(tempfile.mkdtemp(prefix="e2e-"))
    # The servers run as another user when the tests run as root.
    place.chmod(0o711)
    home = place / "home"
    home.mkdir()
    state = demo_servers.up(place / "demo", 1)
    try:
        databases = {"production": frozenset(["postgres", "template0", "template1", state.production.database])}
        databases["dev"] = frozenset(["postgres", "template0", "template1", state.dev.database])
        shared = Demo(state, home, databases)
        before = shared.dump("production", state.production.database)
        yield shared
        assert shared.left() == []
        assert shared.dump("production", state.production.database) == before, "production was changed"
    finally:
        demo_servers.down(place / "demo")


@pytest.fixture(scope="session")
def hosts() -> Iterator[two_hosts.Hosts]:
    """Production and dev behind real sshd's; skips where this machine cannot have them."""
    place = Path(tempfile.mkdtemp(prefix="hosts-"))
    try:
        with two_hosts.hosts(place) as both:
            yield both
            assert both.left() == []
    except two_hosts.Missing as missing:
        place.rmdir()
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def engine(hosts: two_hosts.Hosts) -> Iterator[docker_engine.Engine]:
    """A Docker engine that both hosts reach; skips where this machine cannot have one."""
    place = Path(tempfile.mkdtemp(prefix="docker-"))
    try:
        with docker_engine.engine(place, hosts.docker_socket) as found:
            yield found
    except docker_engine.Missing as missing:
        pytest.skip(str(missing))
    finally:
        place.rmdir()
