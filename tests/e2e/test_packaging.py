"""What an installation holds: the wheel carries the collection, an editable install shows the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("packaging")]

ROOT = Path(__file__).resolve().parents[2]
LINKS = ROOT / "collections/ansible_collections/migrations/rehearsal"
IN_WHEEL = "ansible_collections/migrations/rehearsal/"
CARRIED = ("galaxy.yml", "README.md", "CHANGELOG.md", "LICENSE", "meta", "plugins", "roles", "playbooks")


def run(*argv: str | Path, cwd: Path) -> str:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PIP_", "PYTHON"))}
    env |= {"HOME": str(cwd), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([str(word) for word in argv], cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, argv))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def tracked(*places: str) -> set[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("which files belong to the project is known in a git checkout only")
    listed = run("git", "-C", ROOT, "ls-files", "-z", "--", *places, cwd=ROOT).split("\0")
    return {name for name in listed if name and (ROOT / name).exists()}


class Installation:
    """A virtual environment of its own that sees the libraries of this one, but not what is installed here in editable form."""

    def __init__(self, directory: Path, *requirement: str | Path) -> None:
        venv.create(directory / "venv", symlinks=True)
        self.python = directory / "venv/bin/python"
        self.site_packages = Path(sysconfig.get_path("purelib", vars={"base": str(directory / "venv"), "platbase": str(directory / "venv")}))
        # Of a directory named in a .pth file, Python does not read the .pth files in turn.
        (self.site_packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
        self.empty = directory / "empty"
        self.empty.mkdir()
        pip = (sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
        run(*pip, *requirement, cwd=self.empty)

    def ansible(self, program: str, *args: str) -> str:
        """An Ansible program, started in an empty directory."""
        return run(self.python, "-m", "ansible", program, *args, cwd=self.empty)

    def collection_paths(self) -> list[Path]:
        """Where Ansible finds the collection, as `ansible-galaxy collection list` says."""
        found = json.loads(self.ansible("galaxy", "collection", "list", "migrations.rehearsal", "--format", "json"))
        return [Path(path) for path in found]

    def shipped(self) -> list[Path]:
        """The sample application's and the demonstration inventory's directories."""
        code = "from migration_rehearsal import demo_servers as d; print(d.application_directory()); print(d.inventory_directory())"
        return [Path(line) for line in run(self.python, "-c", code, cwd=self.empty).splitlines()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory, cwd=ROOT)
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("installed"), wheel)


@pytest.fixture(scope="module")
def editable(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("editable"), "--editable", ROOT)


def names(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as file:
        return {name for name in file.namelist() if not name.endswith("/")}


def test_wheel_carries_every_file(wheel: Path) -> None:
    carried = names(wheel)
    expected = {IN_WHEEL + name for name in tracked(*CARRIED)}
    expected |= {f"migration_rehearsal/_{name}" for name in tracked("examples/staffprobot", "inventory/demo")}
    expected |= {name.removeprefix("src/") for name in tracked("src")}
    assert expected - carried == set()
    assert not [name for name in carried if "__pycache__" in name or name.endswith(".pyc")]
    # Only what is needed at run time: no tests, no documents, no links.
    within = {name.removeprefix(IN_WHEEL).split("/")[0] for name in carried if name.startswith(IN_WHEEL)}
    assert within == set(CARRIED)


def test_wheel_from_source_distribution_is_the_same(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path, ROOT, cwd=tmp_path)
    (built,) = tmp_path.glob("*.whl")
    assert names(built) == names(wheel)


def test_installed_collection_is_found_from_anywhere(installed: Installation) -> None:
    assert installed.collection_paths() == [installed.site_packages / "ansible_collections"]
    modules = {f"migrations.rehearsal.{path.stem}" for path in (ROOT / "plugins/modules").glob("[a-z]*.py")}
    listed = json.loads(installed.ansible("doc", "--list", "--type", "module", "--json", "migrations.rehearsal"))
    assert modules and set(listed) == modules
    installed.ansible("playbook", "migrations.rehearsal.rehearse", "--syntax-check", "-i", str(installed.shipped()[1]))


def test_installed_demonstration_is_the_shipped_one(installed: Installation) -> None:
    assert installed.shipped() == [
        installed.site_packages / "migration_rehearsal/_examples/staffprobot",
        installed.site_packages / "migration_rehearsal/_inventory/demo",
    ]


def test_the_demonstration_runs_from_the_wheel(installed: Installation, tmp_path: Path) -> None:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON", "PG", "REHEARSAL_"))}
    place = Path(tempfile.mkdtemp(prefix="wheel-"))
    # The servers run as another user when the tests run as root.
    place.chmod(0o711)
    env |= {"HOME": str(tmp_path), "TMPDIR": str(place), "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env["PATH"]])
    argv = [installed.python, "-m", "migration_rehearsal.entry", "demo"]
    done = subprocess.run(argv, cwd=installed.empty, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((installed.empty / "rehearsals/latest/record.json").read_text())
    assert record["verdict"] == "GO with warnings" and {stage["status"] for stage in record["stages"]} == {"ok"}
    assert list(place.iterdir()) == []
    place.rmdir()


def doctor(installed: Installation, home: Path) -> tuple[int, dict[str, dict[str, str]]]:
    """Its exit code and its checks, started in an empty directory; of several with one name the last."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON"))} | {"HOME": str(home), "LC_ALL": "C.UTF-8"}
    argv = [installed.python, "-m", "migration_rehearsal.entry", "doctor", "--json"]
    done = subprocess.run(argv, cwd=installed.empty, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, {one["name"]: one for one in json.loads(done.stdout)["checks"]}


def test_doctor_says_which_copy_is_used(installed: Installation, tmp_path: Path) -> None:
    code, found = doctor(installed, tmp_path)
    assert code == 0, found
    assert str(installed.site_packages / IN_WHEEL.rstrip("/")) in found["collection"]["text"]
    # The Ansible on PATH is this checkout's, whose copy is the same.
    assert found["by hand"]["status"] != "problem"


def test_doctor_tells_a_stale_copy(installed: Installation, tmp_path: Path) -> None:
    """One below ~/.ansible is found before the one in the wheel."""
    stale = tmp_path / ".ansible/collections" / IN_WHEEL.rstrip("/")
    shutil.copytree(installed.site_packages / IN_WHEEL.rstrip("/"), stale, ignore=shutil.ignore_patterns("__pycache__"))
    code, found = doctor(installed, tmp_path)
    assert (code, found["by hand"]["status"]) == (0, "note") and "which is equal" in found["by hand"]["text"]
    with open(stale / "plugins/module_utils/verdict.py", "a") as file:
        file.write("# another one\n")
    (stale / "galaxy.yml").write_text("namespace: migrations\nname: rehearsal\nversion: 0.0.1\n")
    code, found = doctor(installed, tmp_path)
    assert (code, found["by hand"]["status"]) == (3, "problem")
    assert f"another copy, 0.0.1, which differs: {stale}" in found["by hand"]["text"] and f"rm -r {stale}" in found["by hand"]["advice"]


def test_installed_command_works_in_an_empty_directory(installed: Installation) -> None:
    """What needs no database: an inventory is written, and Ansible reads it."""
    words = ["init", "inventory", "--database", "shop", "--production", "db1", "--dev", "local", "--app-command", "python3", "--x", "db=auto"]
    run(installed.python, "-m", "migration_rehearsal.entry", *words, cwd=installed.empty)
    listed = json.loads(installed.ansible("inventory", "-i", "inventory", "--list"))
    assert listed["_meta"]["hostvars"]["production"]["rehearsal_database"] == "shop"
    assert "rehearse" in run(installed.python, "-m", "migration_rehearsal.entry", "completion", "zsh", cwd=installed.empty)


def test_editable_install_makes_no_second_copy(editable: Installation) -> None:
    assert not (editable.site_packages / "ansible_collections").exists()
    assert not (editable.site_packages / "migration_rehearsal").exists()
    assert editable.shipped() == [ROOT / "examples/staffprobot", ROOT / "inventory/demo"]


def test_editable_install_shows_the_checkout(editable: Installation) -> None:
    assert editable.collection_paths() == [ROOT / "collections/ansible_collections"]
    editable.ansible("playbook", "migrations.rehearsal.rehearse", "--syntax-check", "-i", str(ROOT / "inventory/demo"))


def test_every_needed_root_entry_has_its_own_link() -> None:
    entries = {path.name: path for path in LINKS.iterdir()}
    assert set(CARRIED) <= set(entries)
    for name, link in entries.items():
        target = os.readlink(link)
        assert target == f"../../../../{name}", "a relative link to the root entry of that name"
        # A link to one of its own ancestors sends everything that follows links round in circles.
        assert link.exists() and link.resolve() == ROOT / name and not LINKS.is_relative_to(link.resolve())


def test_no_other_link_below_the_root_leads_to_an_ancestor() -> None:
    links = [ROOT / name for name in tracked(".") if (ROOT / name).is_symlink()]
    assert not [link for link in links if link.parent.is_relative_to(link.resolve())]
