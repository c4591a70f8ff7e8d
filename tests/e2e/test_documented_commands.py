"""Every command in the documents: it is executed here, or it stands in a list with the reason why it is not."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playbook import PROGRAMS, ROOT, TIMEOUT_S, Demo

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("documented")]

ELSEWHERE = "by tests/e2e/test_command.py, which looks at what it does"
NOT_HERE = {
    "make demo": "the demonstration, with an installation of its own: by make itself; what it starts, by tests/e2e/test_command.py",
    "make test": "these tests",
    "pip install 'migration-rehearsal[demo]'": "the wheel is installed by tests/e2e/test_packaging.py, from the checkout",
    "rehearse demo": ELSEWHERE,
    "rehearse demo --up": "the demonstration that all these tests share is up",
    "rehearse demo --down": "it is taken down when the last test has ended",
    "ansible-playbook rehearse.yml -i inventory/demo": "the rehearsal that `rehearse run --json` makes here is of the same playbook and inventory",
    "ansible-playbook rehearse.yml -i inventory/shop --tags preflight": "needs production behind SSH",
    "rehearse run -i inventory/shop": "needs production behind SSH",
    "rehearse run -i inventory/prod -e rehearsal_keep=template": "production of an example; by tests/e2e/test_again.py",
    "rehearse again -i inventory/prod": "production of an example; by tests/e2e/test_again.py",
    "rehearse compare 20261123-030751-8 20261123-030751-7": "rehearsals of an example; " + ELSEWHERE,
    "ansible-galaxy collection install awx.awx": "needs a Galaxy server",
    "export CONTROLLER_HOST=https://awx.example.com CONTROLLER_OAUTH_TOKEN=…": "needs AWX",
    "ansible-playbook extensions/awx/configure.yml -e @awx-values.yml": "by tests/e2e/test_awx.py, against as much of AWX as its modules need",
    "ansible-galaxy collection build --output-path dist && ansible-builder build --tag harbor.example.com/ops/migration-rehearsal-ee": (
        "needs a registry of containers; both but for the image itself by tests/e2e/test_collection.py"
    ),
}


def commands(text: str) -> list[str]:
    """What stands behind $ in the blocks of a document, continued lines joined, without remarks."""
    found = []
    for block in re.findall(r"^```(?:console|bash|sh|shell)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        found += re.findall(r"^\$ (.*)$", re.sub(r"\\\n\s*", "", block), re.MULTILINE)
    return [re.sub(r"\s+# .*$", "", command).strip() for command in found]


DOCUMENTS = {path.name: commands(path.read_text()) for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
HERE = [(name, command) for name, found in DOCUMENTS.items() for command in found if command not in NOT_HERE]


class Shell:
    """Directories that look like a checkout, one for each document; they share the rehearsals."""

    def __init__(self, demo: Demo, place: Path) -> None:
        self._demo = demo
        self._place = place
        (place / "home").mkdir()
        (place / "rehearsals").mkdir()

    def run(self, name: str, command: str) -> None:
        directory = self._place / name
        if not directory.exists():
            (directory / "inventory").mkdir(parents=True)
            for entry in ("rehearse.yml", "playbooks", "collections", "inventory/demo", "inventory/prod"):
                (directory / entry).symlink_to(ROOT / entry)
            (directory / "rehearsals").symlink_to(self._place / "rehearsals")
        for folder in re.findall(r"> ~/(\S+)/", command):
            (self._place / "home" / folder).mkdir(parents=True, exist_ok=True)
        environment = self._demo.environment(HOME=str(self._place / "home"))
        environment["PATH"] = f"{PROGRAMS}:{environment['PATH']}"
        argv = ["bash", "-c", command]
        done = subprocess.run(
            argv, cwd=directory, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}"


@pytest.fixture(scope="module")
def shell(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """One rehearsal is made first: most commands look at one."""
    place = tmp_path_factory.mktemp("documents")
    ready = Shell(demo, place)
    ready.run("command.md", "rehearse run --json -i inventory/demo")
    yield ready
    assert demo.left(place / "rehearsals") == []


@pytest.mark.parametrize(("name", "command"), [one for one in HERE if one[1] != "rehearse run --json -i inventory/demo"])
def test_it_does_what_is_written(shell: Shell, name: str, command: str) -> None:
    shell.run(name, command)


def test_there_are_commands() -> None:
    assert len(HERE) > 10 and ("command.md", "rehearse run --json -i inventory/demo") in HERE


def test_what_is_not_executed_is_in_a_document() -> None:
    assert set(NOT_HERE) <= {command for found in DOCUMENTS.values() for command in found}
