"""What a stage leaves of itself in dev's work directory, and how a later one is run with it."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import kept_code
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory
from ansible_collections.migrations.rehearsal.plugins.modules import kept_stage

MARKER = Marker(id="20261128-090000-5d2c1a", source="db/shop", created="2026-11-28T09:00:00Z", expires="2026-11-29T09:00:00Z")
# What Ansible would unpack: a loader that shows what it was given, in place of Ansible's own.
LOADER = """
import json
def run_module(**given):
    print(json.dumps({**given, "json_params": json.loads(given["json_params"])}))
"""


@pytest.fixture
def work(tmp_path: Path) -> WorkDirectory:
    directory = WorkDirectory.at(str(tmp_path / "base"), MARKER.id, "dev")
    directory.create(MARKER)
    return directory


@pytest.fixture
def archive(tmp_path: Path) -> str:
    path = tmp_path / "payload.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for name in ("ansible", "ansible/module_utils", "ansible/module_utils/_internal", "ansible/module_utils/_internal/_ansiballz"):
            packed.writestr(f"{name}/__init__.py", "")
        packed.writestr("ansible/module_utils/_internal/_ansiballz/_loader.py", LOADER)
        packed.writestr("ansible_collections/__init__.py", "")
        packed.writestr("sitecustomize.py", "raise SystemExit('it leads to the zip file')")
    return str(path)


def run_with(work: WorkDirectory, **given: object) -> dict[str, object]:
    """The module as Ansible sends it: the arguments in their place, on standard input."""
    text = Path(kept_stage.__file__).read_text()
    placeholder = "<<INCLUDE_ANSIBLE_MODULE" + "_JSON_ARGS>>"
    assert text.count(placeholder) == 1 and not re.search(r"(from|import) +ansible(_collections)?\.", text.split('"""')[-1])
    sent = text.replace(placeholder, json.dumps({"code": work.file(kept_code.DIRECTORY), **given}))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    where = os.path.dirname(work.path)
    done = subprocess.run([sys.executable, "-"], input=sent, env=environment, cwd=where, capture_output=True, text=True, check=True, timeout=60)
    said: dict[str, object] = json.loads(done.stdout)
    return said


def test_what_was_sent_once_is_run_with_other_arguments(work: WorkDirectory, archive: str) -> None:
    kept_code.keep(archive, work)
    code = work.file(kept_code.DIRECTORY)
    assert sorted(os.listdir(code)) == ["ansible", "ansible_collections"]
    assert os.listdir(work.file("running")) == []
    odd = {"stage": "evidence", "text": 'a """ b \\ \'\'\' \\" ж\n', "empty": "", "none": None, "yes": True}
    said = run_with(work, **odd)
    assert said.pop("json_params") == {"ANSIBLE_MODULE_ARGS": odd}
    assert said == {
        "profile": "legacy",
        "module_fqn": "ansible_collections.migrations.rehearsal.plugins.modules.stage",
        "modlib_path": code,
        "extensions": {},
    }
    # Compiled once, for those that follow.
    assert list(Path(code).rglob("__pycache__/_loader.*.pyc"))
    for path in [Path(code), *Path(code).rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("home", ["~", "$HOME"])
def test_a_home_directory_is_found_at_the_host(tmp_path: Path, archive: str, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    work = WorkDirectory.at("~/.migrations-rehearsal", MARKER.id, "dev")
    work.create(MARKER)
    kept_code.keep(archive, work)
    assert run_with(work, code=f"{home}/.migrations-rehearsal/{MARKER.id}-dev/code")["modlib_path"] == work.file("code")


@pytest.mark.parametrize("spoiled", ["nothing there", "others may write it", "others may write beside it", "a link", "no marker"])
def test_nothing_is_begun_with_code_that_may_not_be_ours(work: WorkDirectory, archive: str, spoiled: str, tmp_path: Path) -> None:
    code = Path(work.file(kept_code.DIRECTORY))
    if spoiled != "nothing there":
        kept_code.keep(archive, work)
    if spoiled == "others may write it":
        code.chmod(0o770)
    elif spoiled == "others may write beside it":
        Path(work.path).chmod(0o702)
    elif spoiled == "a link":
        code.rename(tmp_path / "elsewhere")
        code.symlink_to(tmp_path / "elsewhere")
    elif spoiled == "no marker":
        Path(work.file("rehearsal.json")).unlink()
    assert run_with(work, stage="evidence") == {"code_missing": True}


@pytest.mark.parametrize("loader", ["def run_module(*, other):\n    print('{}')\n", "run = None\n", "import nothing_of_that_name\n"])
def test_where_ansible_has_another_way_into_a_module_it_is_sent_whole(work: WorkDirectory, archive: str, loader: str) -> None:
    kept_code.keep(archive, work)
    next(Path(work.file(kept_code.DIRECTORY)).rglob("_loader.py")).write_text(loader)
    assert run_with(work, stage="evidence") == {"code_missing": True}


def test_nothing_is_kept_without_a_marked_directory(work: WorkDirectory, archive: str) -> None:
    Path(work.file("rehearsal.json")).unlink()
    kept_code.keep(archive, work)
    assert not os.path.exists(work.file(kept_code.DIRECTORY))


def test_what_cannot_be_unpacked_leaves_nothing(work: WorkDirectory, tmp_path: Path) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"no zip file")
    kept_code.keep(str(broken), work)
    kept_code.keep("", work)
    assert not [name for name in os.listdir(work.path) if name.startswith(kept_code.DIRECTORY)]
    assert os.listdir(work.file("running")) == []


def test_what_is_kept_is_not_unpacked_again(work: WorkDirectory, archive: str) -> None:
    kept_code.keep(archive, work)
    (Path(work.file(kept_code.DIRECTORY)) / "mark").touch()
    kept_code.keep(archive, work)
    assert "mark" in os.listdir(work.file(kept_code.DIRECTORY))
