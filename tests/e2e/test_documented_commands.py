"""Every command in the documents is executed as it stands there, in a clone, on a machine with what they name or something in its place."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sshd
import yaml
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import quote_identifier
from collection_tools import collection_tools
from documented import Command, commands, filled_in
from playbook import ROOT, TIMEOUT_S, Demo
from stand_ins import Machine, machine

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("documented")]

# What is executed in another place, and how it reads there: with an installation or servers of its own, which one time is enough for.
ELSEWHERE = {
    "make demo": (".ci/run", "\nmake demo\n"),
    "make test": (".ci/run", "\nmake test\n"),
    "make docs": ("tests/e2e/test_collection.py", '"make", "--directory", ROOT, "docs"'),
    "ansible-playbook rehearse.yml -i inventory/demo": ("tests/e2e/test_rehearsal.py", "demo_servers.inventory_directory(), elsewhere"),
    "rehearse demo": ("tests/e2e/test_command.py", '"demo", environment='),
    "rehearse demo --up": ("tests/e2e/test_command.py", '"demo", "--up", environment='),
    "rehearse demo --down": ("tests/e2e/test_command.py", '"demo", "--down", environment='),
}
# Names of commands in sentences: no one would type them like this.
NAMED = {
    "pg_basebackup -D - -Ft -X fetch": "what stage backup starts on production; by tests/integration/test_basebackup.py",
    "kill -9": "without a process; by tests/e2e/test_interrupt.py",
    "alembic upgrade": "without a revision; as the way in which a variable is read",
    "alembic -n": "without a section; as the way in which a variable is read",
    "alembic -x db_name=…": "without a command; as the argument that changes nothing",
}
# What ends otherwise than well, as the document says it does.
ENDS = {
    # Without a terminal it names what is missing.
    "rehearse init": (2, "--database"),
    # The sample application drops data, and nothing declares that yet: writing it down is what comes next there.
    "rehearse run -i inventory/shop": (1, "NO-GO"),
}
REHEARSED = "rehearse run --json -i inventory/demo"
KEPT = "rehearse run -i inventory/prod -e rehearsal_keep=template"
ALL = commands()
IN_JOBS = {line for command in ALL if command.job for line in command.text.splitlines()}
_FIRST: dict[str, Command] = {}
for _command in ALL:
    if _command.text not in {*ELSEWHERE, *NAMED, *IN_JOBS}:
        _FIRST.setdefault(_command.text, _command)
HERE = list(_FIRST.values())


class Shell:
    """A shell on the machine, in the clone or where a document says that one is."""

    def __init__(self, on: Machine) -> None:
        self.on = on
        self._exported: dict[str, list[str]] = {}
        self._done: set[str] = set()
        self.kept: list[str] = []

    @property
    def rehearsals(self) -> list[str]:
        """The ids of all rehearsals, oldest first."""
        return sorted(path.name for path in (self.on.checkout / "rehearsals").glob("2*"))

    def run(self, command: Command) -> None:
        """Execute it once, with each word that a reader replaces filled in."""
        if "again" in command.text and not self.kept:
            self.run(Command("", KEPT))
        if command.text in self._done:
            return
        self._done.add(command.text)
        for text in filled_in(command.text, self._values(command.text)):
            self._run(command, text)

    def _values(self, text: str) -> dict[str, list[str]]:
        ids = self.rehearsals or [""]
        found = {"HOST": ["production"], "PATH": ["inventory/prod"], "20261123-030751-8": ids[:1], "20261123-030751-7": ids[-1:]}
        if "COMMAND" in text:
            table = re.search(r"^\| command \|.*?(?=\n\n)", (ROOT / "docs/command.md").read_text(), re.MULTILINE | re.DOTALL)
            assert table
            found["COMMAND"] = [name for row in table[0].splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
        return found | {
            "/var/run/postgresql": [str(self.on.demo.cluster("dev").socket_directory)],
            "https://awx.example.com": [self.on.awx.address],
            "…": ["t0ken"],
        }

    def _run(self, command: Command, text: str) -> None:
        before = set(self.rehearsals)
        environment, directory = self.on.environment(), self.on.checkout
        if command.job:
            runner = self.on.place / "runner"
            runner.mkdir(exist_ok=True)
            # GitLab's brings the key along, GitHub's is executed by a user who has it.
            environment = self.on.environment(runner if "REHEARSAL_SSH_KEY" in text else None)
        if text.startswith("rehearse init "):
            shutil.rmtree(directory / "inventory/shop", ignore_errors=True)
        if text.startswith("alembic init"):
            directory = Path(tempfile.mkdtemp(dir=self.on.place))
        elif text.startswith("alembic"):
            directory = self.on.application
            environment["DATABASE_URL"] = re.sub(r"/[^/?]*\?", "/scratch?", self.on.demo.state.dev.url)
        elif command.document.startswith("examples/"):
            directory = self.on.place / Path(command.document).parent.name
            if not directory.exists():
                shutil.copytree(ROOT / Path(command.document).parent, directory, ignore=shutil.ignore_patterns("__pycache__"))
            cluster = self.on.demo.cluster("dev")
            environment |= {"PGHOST": str(cluster.socket_directory), "PGPORT": str(cluster.port), "PGUSER": cluster.user}
        for folder in re.findall(r"> ~/(\S+)/", text):
            (self.on.home / folder).mkdir(parents=True, exist_ok=True)
        if text.startswith("ansible-builder"):
            environment["PATH"] += f":{collection_tools()}"
        if command.is_statement:
            text = f"psql -q -d postgres -c 'BEGIN; CREATE ROLE rehearsal; {text}; ROLLBACK'"
        script = "\n".join(["set -e", *self._exported.get(command.document, []), text])
        # A file, not a pipe: what outlives a run (a connection of ssh that is kept) would hold it open.
        with open(self.on.place / "said.txt", "w") as said:
            argv = ["bash", "-c", script]
            done = subprocess.run(
                argv, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, timeout=TIMEOUT_S, check=False
            )
        told = (self.on.place / "said.txt").read_text(errors="replace")
        code, words = ENDS.get(command.text, (0, ""))
        assert done.returncode == code and words in told, f"{text}\n{told[-4000:]}"
        if text.startswith("export "):
            self._exported.setdefault(command.document, []).append(text)
        if command.text == KEPT:
            self.kept += sorted(set(self.rehearsals) - before)


@pytest.fixture(scope="module")
def shell(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """The command is installed first and one rehearsal made: most commands look at one."""
    if not (ROOT / ".git").exists():
        pytest.skip("what a clone has is known in a git checkout only")
    try:
        sshd.require()
    except sshd.Missing as missing:
        pytest.skip(str(missing))
    # A short path: sockets of ssh are below it.
    place = Path(tempfile.mkdtemp(prefix="docs-"))
    try:
        with machine(demo, place) as on, demo.another_database("dev", "scratch"):
            _write_values(on)
            ready = Shell(on)
            ready.run(Command("docs/quick-start.md", "pip install 'migration-rehearsal[demo]'"))
            ready.run(Command("docs/command.md", REHEARSED))
            yield ready
            assert [path for directory in on.work_dirs for path in directory.rglob("*")] == []
            for kept in ready.kept:
                template = f"rehearsal_{kept.replace('-', '_')}_template"
                demo.execute("dev", f"DROP DATABASE {quote_identifier(template)} WITH (FORCE)")
            demo.execute("dev", "DROP DATABASE IF EXISTS staffprobot_prod")
        assert demo.left(place / "checkout/rehearsals") == []
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _write_values(on: Machine) -> None:
    """awx-values.yml as docs/awx.md has it, and the files that it names."""
    (text,) = re.findall(r"^```yaml\n# awx-values.yml\n(.*?)^```", (ROOT / "docs/awx.md").read_text(), re.MULTILINE | re.DOTALL)
    for value in yaml.safe_load(text).values():
        if str(value).startswith("~/"):
            path = on.home / str(value)[2:]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("secret\n")
    (on.checkout / "awx-values.yml").write_text(text)


@pytest.mark.parametrize("command", HERE, ids=lambda command: f"{command.document}: {command.text.splitlines()[-1]}")
def test_it_does_what_is_written(shell: Shell, command: Command) -> None:
    shell.run(command)


def test_the_jobs_leave_what_they_hand_on(shell: Shell) -> None:
    """A CI takes artifacts and reports by these names."""
    text = (ROOT / "docs/ci.md").read_text()
    assert list(shell.on.checkout.glob(re.findall(r"junit: (\S+)", text)[0]))
    assert (shell.on.checkout / re.findall(r"sarif_file: (\S+)", text)[0]).is_file()


def test_the_list_of_findings_is_the_one_that_is_written(shell: Shell) -> None:
    shell.run(Command("docs/findings.md", "rehearse findings --markdown > docs/findings.md"))
    assert (shell.on.checkout / "docs/findings.md").read_text() == (ROOT / "docs/findings.md").read_text()


def test_what_is_executed_elsewhere_is_there() -> None:
    for path, text in ELSEWHERE.values():
        assert text in (ROOT / path).read_text(), path


def test_there_are_commands_and_nothing_is_named_that_is_in_no_document() -> None:
    texts = {command.text for command in ALL}
    assert len(HERE) > 50 and {REHEARSED, KEPT} <= texts
    assert set(ELSEWHERE) | set(NAMED) | set(ENDS) <= texts
    assert {command.document for command in ALL if command.job} == {"docs/ci.md"}
