"""Ansible's own tests of a collection, and the collection under the other Python that is supported, where this machine has it."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playbook import PROGRAMS, ROOT, Demo, finish

sys.path.insert(0, str(Path(__file__).parents[1]))
from application_venvs import cache_directory, venv_python  # noqa: E402

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("ansible-test")]

# The oldest Ansible under the oldest Python, and the newest under the newest; the tests run under one of them.
OTHER_VERSION, OTHER_ANSIBLE = ("3.13", "ansible-core>=2.20") if sys.version_info < (3, 13) else ("3.11", "ansible-core~=2.19.0")
# Unit tests of the collection itself, which look at nothing that is not in it: not at the command, the checkout, or other tests. Where ansible-test
# loads modules itself, the agent's runner does not find its own text.
APART = ("migration_rehearsal", "parents[", "ROOT", "runner()")
UNITS = [path.stem for path in sorted((ROOT / "tests/unit").glob("test_*.py")) if not any(word in path.read_text() for word in APART)]
TIMEOUT_S = 800


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout where ansible-test wants a collection to be, without the links that lead to it."""
    if not (ROOT / ".git").exists():
        pytest.skip("which files belong to the project is known in a git checkout only")
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    place = tmp_path_factory.mktemp("tree") / "ansible_collections/migrations/rehearsal"
    for name in filter(None, listed.split("\0")):
        # What runs nowhere but here is examined by `make lint`.
        apart = name.startswith(("collections/", "bench/", "tests/")) and not name.startswith(("tests/unit/", "tests/conftest"))
        if (ROOT / name).exists() and not apart:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / name, follow_symlinks=False)
    return place


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home directory that ansible-test keeps its virtualenvs in, from run to run."""
    directory = cache_directory() / "ansible-test"
    (directory / ".ansible/test/cache").mkdir(parents=True, exist_ok=True)
    with open(directory / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # ansible-test hides pip's variables from pip; a file in the home directory it does not.
        said = subprocess.run([sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True).stdout
        values = dict(re.findall(r"^(?:global|install|user|site|:env:)\.([\w-]+)='(.*)'$", said, re.MULTILINE))
        (directory / ".config/pip").mkdir(parents=True, exist_ok=True)
        (directory / ".config/pip/pip.conf").write_text("[global]\n" + "".join(f"{key} = {value}\n" for key, value in values.items()))
        yield directory


def ansible_test(python: Path, tree: Path, home: Path, *words: str) -> str:
    """What ansible-test said; it must end well. It finds pip in Python itself, instead of fetching a program that would fetch it."""
    source = subprocess.run(
        [python, "-c", "import ansible_test as a; print(a.__path__[0])"], check=True, capture_output=True, text=True
    ).stdout.strip()
    versions = re.findall(r"pip='([\d.]+)'", Path(source, "_internal/python_requirements.py").read_text())
    assert versions, "where ansible-test names its pip has changed"
    for version in versions:
        (home / f".ansible/test/cache/get_pip_{version.replace('.', '_')}.py").write_text("import ensurepip\n\nensurepip.bootstrap()\n")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON", "PYTEST_"))}
    kept |= {"HOME": str(home), "LC_ALL": "C.UTF-8", "PATH": f"{python.parent}:{kept['PATH']}", "PYTHONPATH": str(tree / "src")}
    argv = [str(python.parent / "ansible-test"), *words]
    with subprocess.Popen(argv, cwd=tree, env=kept, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            said, _ = process.communicate(timeout=TIMEOUT_S)
        finally:
            process.kill()
    told = "\n".join(line for line in said.splitlines() if re.match(r"ERROR|FATAL|FAILED|E  |[=>]|See ", line))
    assert process.returncode == 0, told or said[-3000:]
    return said


def named(version: str) -> tuple[str, ...]:
    return ("--local", "--color", "no", "--python", version)


VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_sanity(tree: Path, home: Path) -> None:
    said = ansible_test(Path(sys.executable), tree, home, "sanity", *named(VERSION))
    # Where it takes a tree for no collection it runs nothing, and ends well.
    for name in (
        "validate-modules", "import", "compile", "ansible-doc", "yamllint", "runtime-metadata", "action-plugin-docs", "pylint", "pep8", "no-assert",
        "changelog",
    ):  # fmt: skip
        assert f'Running sanity test "{name}"' in said


def test_units(tree: Path, home: Path) -> None:
    said = ansible_test(
        Path(sys.executable), tree, home, "units", *named(VERSION), "--num-workers", "1", *(f"tests/unit/{name}.py" for name in UNITS)
    )
    passed = re.search(r"(\d+) passed", said)
    assert len(UNITS) > 40 and passed and int(passed[1]) > 700


# -- The other Python, with the other Ansible ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def other() -> Path:
    """A Python of its own, with everything that the project's own declares."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [word for word in project["dependencies"] if not word.startswith("ansible-core")]
    wanted += project["optional-dependencies"]["demo"]
    wanted += [
        word for word in project["optional-dependencies"]["test"] if word.startswith(("pytest", "hypothesis", "jsonschema", "xmlschema", "sarif"))
    ]
    return Path(venv_python(OTHER_VERSION, OTHER_ANSIBLE, *wanted))


def test_sanity_under_the_other(tree: Path, home: Path, other: Path) -> None:
    tests = [word for test in ("compile", "import") for word in ("--test", test)]
    said = ansible_test(other, tree, home, "sanity", *named(OTHER_VERSION), *tests)
    assert 'Running sanity test "import"' in said


def test_unit_tests_under_the_other(other: Path, tmp_path: Path) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON", "PYTEST_"))}
    # These two ask what is installed: the command itself is not, only what it needs.
    apart = "not (bash_completes or version_that_is_too_old)"
    argv = [str(other), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", apart, str(ROOT / "tests/unit")]
    done = subprocess.run(argv, cwd=ROOT, env=kept, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_rehearsal_under_the_other(demo: Demo, other: Path, tmp_path: Path) -> None:
    application = demo.application(command=[str(other)])
    inventory = demo.inventory(tmp_path / "inventory", dev={"rehearsal_application": application})
    assert str(PROGRAMS) != str(other.parent)
    argv = [str(other.parent / "ansible-playbook"), str(ROOT / "rehearse.yml"), "-i", str(inventory), "-e", f"ansible_python_interpreter={other}"]
    with open(tmp_path / "stdout.txt", "w") as out, open(tmp_path / "stderr.txt", "w") as err:
        process = subprocess.Popen(argv, cwd=tmp_path, env=demo.environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=err, text=True)
    played = finish(process, tmp_path)
    assert played.rc == 0, played.said
    assert played.record is not None and played.record["verdict"] == "GO with warnings"
    assert demo.left(played.report_dir) == []
