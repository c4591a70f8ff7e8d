"""The collection as Galaxy, execution environments and other people's automation take it: its artifact, installed; its metadata, examined."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from playbook import PROGRAMS, ROOT

sys.path.insert(0, str(Path(__file__).parents[1]))
from application_venvs import venv_python  # noqa: E402

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("packaging")]

VERSION = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
NAME = f"migrations-rehearsal-{VERSION}.tar.gz"
GALAXY = str(PROGRAMS / "ansible-galaxy")
# One environment for all of them: they share most of what they need.
TOOLS = ("galaxy-importer>=0.4.30", "ansible-builder>=3.1", "antsibull-changelog>=0.30", "antsibull-docs>=2.16", "yamllint>=1.35")
IN_ARTIFACT = {"CHANGELOG.md", "FILES.json", "LICENSE", "MANIFEST.json", "README.md", "changelogs", "docs", "meta", "playbooks", "plugins", "roles"}


def run(*argv: str | Path, cwd: Path, **environment: str) -> str:
    """What a program printed; it must end well. It sees no configuration of the machine's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON"))}
    kept |= {"HOME": str(cwd), "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"} | environment
    done = subprocess.run([str(word) for word in argv], cwd=cwd, env=kept, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, argv))}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def tools() -> Path:
    """Where the programs are that examine a collection."""
    return Path(venv_python(None, *TOOLS)).parent


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("artifact")
    run(GALAXY, "collection", "build", "--output-path", directory, ROOT, cwd=directory)
    return directory / NAME


@pytest.fixture(scope="module")
def installed(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that holds the installed collection and nothing else."""
    empty = tmp_path_factory.mktemp("installed")
    run(GALAXY, "collection", "install", "--offline", "--collections-path", empty / "collections", artifact, cwd=empty)
    return empty


def test_the_artifact_holds_what_belongs_to_a_collection_and_nothing_else(artifact: Path) -> None:
    with tarfile.open(artifact) as packed:
        names = packed.getnames()
    assert {name.split("/")[0] for name in names} <= IN_ARTIFACT | {"extensions"}
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".partial"))]
    for folder in ("plugins", "roles", "playbooks", "meta"):
        mine = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts}
        assert mine == {name for name in names if name.startswith(f"{folder}/") and name in mine | set(names) and (ROOT / name).is_file()}


def test_a_repository_can_be_installed_as_a_collection(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    run(GALAXY, "collection", "install", "--no-deps", "--collections-path", tmp_path / "collections", f"git+file://{ROOT}", cwd=tmp_path,
        GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")  # fmt: skip
    run(PROGRAMS / "ansible-playbook", "migrations.rehearsal.rehearse", "--syntax-check", "-i", ROOT / "inventory/prod", cwd=tmp_path,
        ANSIBLE_COLLECTIONS_PATH=str(tmp_path / "collections"))  # fmt: skip
