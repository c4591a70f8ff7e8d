"""The collection as Galaxy, execution environments and other people's automation take it: its artifact, installed; its metadata, examined."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml
from collection_tools import collection_tools
from playbook import PROGRAMS, ROOT, Demo, finish

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("packaging")]

VERSION = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
NAME = f"migrations-rehearsal-{VERSION}.tar.gz"
GALAXY = str(PROGRAMS / "ansible-galaxy")
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
    return collection_tools()


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("artifact")
    run(GALAXY, "collection", "build", "--output-path", directory, ROOT, cwd=directory)
    return directory / NAME


@pytest.fixture(scope="module")
def installed(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that holds the installed collection and nothing else."""
    empty = tmp_path_factory.mktemp("installed")
    # By force: what the tests themselves are installed with is a copy too, and counts for one that is there already.
    run(GALAXY, "collection", "install", "--offline", "--force", "--collections-path", empty / "collections", artifact, cwd=empty)
    assert (empty / "collections/ansible_collections/migrations/rehearsal/MANIFEST.json").is_file()
    return empty


def test_the_artifact_holds_what_belongs_to_a_collection_and_nothing_else(artifact: Path) -> None:
    with tarfile.open(artifact) as packed:
        names = packed.getnames()
    assert {name.split("/")[0] for name in names} <= IN_ARTIFACT | {"extensions"}
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".partial"))]
    for folder in ("plugins", "roles", "playbooks", "meta"):
        mine = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts}
        assert mine == {name for name in names if name.startswith(f"{folder}/") and (ROOT / name).is_file()}


def test_galaxy_would_take_the_artifact(artifact: Path, tools: Path, tmp_path: Path) -> None:
    # Style is examined by `make lint`, with the same linter.
    (tmp_path / "importer.cfg").write_text("[galaxy-importer]\nRUN_ANSIBLE_LINT = False\n")
    shutil.copy(artifact, tmp_path)
    path = f"{tools}:{os.environ['PATH']}"
    importer = (tools / "python", "-m", "galaxy_importer.main", tmp_path / NAME)
    said = run(*importer, cwd=tmp_path, PATH=path, GALAXY_IMPORTER_CONFIG=str(tmp_path / "importer.cfg"))
    assert "Importer processing completed successfully" in said
    assert "ERROR" not in said
    assert "No role readme found" not in said and "No changelog found" not in said


def test_the_installed_collection_is_a_whole_one(demo: Demo, installed: Path, tmp_path: Path) -> None:
    run(PROGRAMS / "ansible-playbook", "migrations.rehearsal.rehearse", "--syntax-check", "-i", ROOT / "inventory/prod", cwd=installed,
        ANSIBLE_COLLECTIONS_PATH=str(installed / "collections"))  # fmt: skip
    inventory = demo.inventory(tmp_path / "inventory")
    argv = [str(PROGRAMS / "ansible-playbook"), "migrations.rehearsal.rehearse", "-vv", "-i", str(inventory)]
    environment = demo.environment(ANSIBLE_COLLECTIONS_PATH=str(installed / "collections"))
    with open(tmp_path / "stdout.txt", "w") as out, open(tmp_path / "stderr.txt", "w") as err:
        process = subprocess.Popen(argv, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err, text=True)
    played = finish(process, tmp_path)
    assert played.rc == 0, played.said
    assert played.record is not None and played.record["verdict"] == "GO with warnings"
    paths = {line.split()[2] for line in played.stdout.splitlines() if line.startswith("task path: ")}
    assert paths and all(path.startswith(f"{installed}/") for path in paths)
    assert demo.left(played.report_dir) == []


def test_a_repository_can_be_installed_as_a_collection(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    run(GALAXY, "collection", "install", "--no-deps", "--force", "--collections-path", tmp_path / "collections", f"git+file://{ROOT}", cwd=tmp_path,
        GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")  # fmt: skip
    assert (tmp_path / "collections/ansible_collections/migrations/rehearsal/plugins/modules/backup.py").is_file()
    run(PROGRAMS / "ansible-playbook", "migrations.rehearsal.rehearse", "--syntax-check", "-i", ROOT / "inventory/prod", cwd=tmp_path,
        ANSIBLE_COLLECTIONS_PATH=str(tmp_path / "collections"))  # fmt: skip


def test_the_execution_environment_can_be_made(artifact: Path, tools: Path, tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    shutil.copy(artifact, tmp_path / "dist")
    shutil.copy(ROOT / "execution-environment.yml", tmp_path)
    run(tools / "ansible-builder", "create", "--file", "execution-environment.yml", "--context", "context", cwd=tmp_path)
    assert (tmp_path / "context/_build/collection" / NAME).is_file()
    wanted = yaml.safe_load((tmp_path / "context/_build/requirements.yml").read_text())["collections"]
    # And what reports in S3 need.
    assert wanted == [{"name": "amazon.aws"}, {"name": f"/build/collection/{NAME}", "type": "file"}]
    assert {"boto3", "botocore"} <= set((tmp_path / "context/_build/requirements.txt").read_text().split())


def test_the_collection_says_what_an_execution_environment_needs(installed: Path, tools: Path, tmp_path: Path) -> None:
    said = run(tools / "ansible-builder", "introspect", installed / "collections", cwd=tmp_path)
    assert "jmespath" in said and "openssh-client" in said


def test_documentation_passes_its_linter(tools: Path, tmp_path: Path) -> None:
    # Below ansible_collections, as the tool wants it, and without the links.
    place = tmp_path / "ansible_collections/migrations/rehearsal"
    place.mkdir(parents=True)
    for name in ("galaxy.yml", "README.md", "CHANGELOG.md", "LICENSE", "meta", "plugins", "roles", "playbooks", "changelogs", "docs"):
        found = ROOT / name
        shutil.copytree(found, place / name) if found.is_dir() else shutil.copy(found, place / name)
    path = {"PATH": f"{tools}:{os.environ['PATH']}"}
    said = run(tools / "antsibull-docs", "lint-collection-docs", "--plugin-docs", ".", cwd=place, **path)
    assert said.strip() == ""


def test_the_documents_are_a_site_with_a_reference(tools: Path, tmp_path: Path) -> None:
    if shutil.which("make") is None:
        pytest.skip("no make on this machine")
    # With the programs that are there already. Warnings are errors to all of them.
    run("make", "--directory", ROOT, "docs", f"BIN={tools}", f"DOCS={tmp_path}", "--assume-old", ".venv/.installed-docs", cwd=tmp_path)
    pages = {str(path.relative_to(tmp_path / "docs")) for path in (tmp_path / "docs").rglob("*.html")}
    assert {f"{path.stem}.html" for path in (ROOT / "docs").glob("*.md")} <= pages
    modules = {f"collection/{path.stem}_module.html" for path in (ROOT / "plugins/modules").glob("[a-z]*.py")}
    assert modules | {f"collection/{path.name}_role.html" for path in (ROOT / "roles").iterdir()} <= pages
