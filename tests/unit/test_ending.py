"""How the end of a process is waited for."""

from __future__ import annotations

import os
import subprocess

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import ending


@pytest.fixture(params=[True, False], ids=["told by the kernel", "looked for"])
def _kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.param:
        monkeypatch.delattr(os, "pidfd_open", raising=False)


@pytest.mark.usefixtures("_kernel")
def test_the_exit_code_is_that_of_the_process() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 0.1; exit 7"]) as process:
        assert ending.wait(process, 30) == 7
        # It has been waited for already.
        assert ending.wait(process, 30) == 7


@pytest.mark.usefixtures("_kernel")
@pytest.mark.parametrize("timeout_s", [0.05, -1.0])
def test_one_that_goes_on_runs_out_of_time(timeout_s: float) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            ending.wait(process, timeout_s)
        process.kill()


def test_the_kernel_is_asked_where_it_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(os, "pidfd_open"):
        pytest.skip("this Python cannot ask")
    with subprocess.Popen(["sleep", "0.2"]) as process:
        waited: list[float | None] = []
        wait = process.wait

        def noted(timeout: float | None = None) -> int:
            waited.append(timeout)
            return wait(timeout)

        monkeypatch.setattr(process, "wait", noted)
        assert ending.wait(process, 30) == 0
        assert waited == [0]
