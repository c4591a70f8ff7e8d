"""What a stage says of a module that failed without a word, and as what it goes to the host. How stages run and are noted: e2e."""

from __future__ import annotations

import contextlib
import gc
import json
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible.plugins.action import ActionBase
from ansible_collections.migrations.rehearsal.plugins.action import database_copy
from ansible_collections.migrations.rehearsal.plugins.modules import stage as carrier
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import progress_display, stage


@pytest.mark.parametrize(
    ("exception", "said"),
    [
        (SimpleNamespace(event=SimpleNamespace(msg="[Errno 28] No space left on device")), "[Errno 28] No space left on device"),
        (
            "Traceback (most recent call last):\n  File x\nOSError: [Errno 28] No space left on device\n",
            "OSError: [Errno 28] No space left on device",
        ),
        (None, "the module ended without a message; run again with -vvv"),
        ("", "the module ended without a message; run again with -vvv"),
    ],
)
def test_an_unforeseen_end_is_told_in_one_line(exception: object, said: str) -> None:
    assert stage._unforeseen(exception) == said


def test_a_module_goes_to_the_host_inside_the_one_that_carries_all(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []

    def execute(_self: Any, **how: Any) -> dict[str, Any]:
        sent.append(how)
        return {"changed": True}

    monkeypatch.setattr(ActionBase, "_execute_module", execute)
    action = object.__new__(stage.StageAction)
    given = {"side": "dev"}
    action._task = SimpleNamespace(args=given, action="migrations.rehearsal.sweep")
    assert action._execute_module(task_vars={}) == {"changed": True}
    action._execute_module(module_name="ansible.legacy.async_status", module_args={"jid": "1"}, task_vars={})
    assert sent == [
        {"module_name": "migrations.rehearsal.stage", "module_args": {"side": "dev", "stage": "sweep"}, "task_vars": {}},
        {"module_name": "ansible.legacy.async_status", "module_args": {"jid": "1"}, "task_vars": {}},
    ]
    # The task's own arguments are asked for later.
    assert given == {"side": "dev"}


@pytest.mark.parametrize("kept", [True, False])
def test_where_the_code_is_at_the_host_the_arguments_alone_go_there(monkeypatch: pytest.MonkeyPatch, kept: bool) -> None:
    sent: list[tuple[str, dict[str, Any]]] = []

    def execute(_self: Any, module_name: str, module_args: dict[str, Any], **_how: Any) -> dict[str, Any]:
        sent.append((module_name, module_args))
        return {"changed": True} if kept or module_name == stage.CARRIER else {"code_missing": True}

    monkeypatch.setattr(ActionBase, "_execute_module", execute)
    action = object.__new__(stage.StageAction)
    action.code_is_kept = True
    action._task = SimpleNamespace(args={"id": "the-id", "work_dir": "/srv/work"}, action="migrations.rehearsal.evidence")
    assert action._execute_module(task_vars={}) == {"changed": True}
    given = {"id": "the-id", "work_dir": "/srv/work", "stage": "evidence"}
    first = ("migrations.rehearsal.kept_stage", {**given, "code": "/srv/work/the-id-dev/code"})
    assert sent == [first] if kept else [first, ("migrations.rehearsal.stage", given)]


def test_garbage_is_looked_for_again_after_packing(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(ActionBase, "_configure_module", lambda _self, *_which, **_how: seen.append(gc.isenabled()))
    object.__new__(stage.StageAction)._configure_module("migrations.rehearsal.stage", {}, {})
    assert seen == [False] and gc.isenabled()


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own process keeps its handling of signals."""
    monkeypatch.setattr(carrier.process, "end_in_order", lambda: None)


@pytest.mark.usefixtures("carried")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"side": "dev"}, "missing required arguments: stage"),
        ({"stage": "os"}, "value of stage must be one of: alembic_check, "),
        ({"stage": "sweep", "side": "nowhere"}, "value of side must be one of: production, dev, got: nowhere"),
        ({"stage": "sweep", "side": "dev", "target": "head"}, "Unsupported parameters"),
        ({"stage": "transfer", "direction": "push", "id": "x", "source": "x", "created": "x", "expires": "x"}, "direction is push but"),
    ],
)
def test_each_stage_is_carried_with_its_own_options(given: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with patch_module_args(given), pytest.raises(SystemExit):
        carrier.main()
    result = json.loads(capsys.readouterr().out)
    assert result["failed"] and said in result["msg"]


@pytest.mark.usefixtures("carried")
def test_a_carried_stage_gives_what_its_module_gives(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with patch_module_args({"stage": "sweep", "side": "production", "place": "none", "work_dir": str(tmp_path / "work")}), pytest.raises(SystemExit):
        carrier.main()
    result = json.loads(capsys.readouterr().out)
    assert (result["removed"], result["summary"]) == ([], "nothing was there")


@pytest.mark.parametrize(
    ("given", "sent_first"),
    [
        ({"archive": ""}, stage.CARRIER),
        ({"archive": "/srv/work/the-id-dev/transfer.tar"}, stage.KEPT),
        ({"state": "template"}, stage.KEPT),
    ],
)
def test_a_copy_that_is_the_first_on_dev_brings_its_code_at_once(monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], sent_first: str) -> None:
    sent: list[str] = []

    def execute(_self: Any, module_name: str, **_how: Any) -> dict[str, Any]:
        sent.append(module_name)
        return {"changed": True}

    monkeypatch.setattr(ActionBase, "_execute_module", execute)
    monkeypatch.setattr(progress_display, "following", lambda *_which: contextlib.nullcontext())
    action = object.__new__(database_copy.ActionModule)
    action._task = SimpleNamespace(args={"id": "the-id", **given}, action="migrations.rehearsal.database_copy")
    action.perform({"inventory_hostname": "dev"}, None)
    assert sent == [sent_first]
