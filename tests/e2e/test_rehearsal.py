"""The main run: the demonstration, rehearsed from somewhere else without any configuration."""

from __future__ import annotations

import pytest
from playbook import Demo, Played

from migration_rehearsal import demo_servers

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("rehearsal")]


@pytest.fixture(scope="module")
def played(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return demo.play(demo_servers.inventory_directory(), tmp_path_factory.mktemp("elsewhere"))


def test_nothing_is_left(demo: Demo, played: Played) -> None:
    assert played.rc == 0, played.stdout + played.stderr
    assert demo.left(played.report_dir) == []
